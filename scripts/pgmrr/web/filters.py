"""What a reader of the live page chose, as it stands in the URL."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from urllib.parse import quote, unquote, urlencode

from pgmrr.page.model import Customer, Movements, Period, Target
from pgmrr.web.values import MalformedError, check_value, read_query, whole_number

KINDS = ("new", "reactivation", "expansion", "contraction", "rounding", "churn", "preexisting")


@dataclass(frozen=True)
class Segment:
    """The customers whose ``attribute`` is ``value``; None is those who have none."""

    attribute: str
    value: str | None

    @property
    def written(self) -> str:
        """It as one value of a form: ``attribute=value``, or the attribute alone."""
        name = quote(self.attribute, safe="")
        return name if self.value is None else f"{name}={quote(self.value, safe='')}"

    @property
    def shown(self) -> str:
        """It for people."""
        return f"{self.attribute.replace('_', ' ')}: {'(no value)' if self.value is None else self.value}"


@dataclass(frozen=True)
class Filters:
    """The days, the segment and the currency chosen; None is all of them, or the reporting currency."""

    period: Period
    segment: Segment | None
    currency: str | None


@dataclass(frozen=True)
class MovementsAsked:
    """A page of the movements of some days, of one kind or all."""

    period: Period
    kind: str | None
    page: int


@dataclass(frozen=True)
class CustomerAsked:
    """A customer on a day; None is the last covered one."""

    customer: str
    day: date | None
    currency: str | None


class LiveLinks:
    """Where the live page leads (``pgmrr.page.model.Links``)."""

    def url(self, target: Target) -> str | None:
        """The address of a target."""
        return address_of(target)


def address_of(target: Target) -> str:
    """The address of the movements of some days, or of a customer on a day."""
    if isinstance(target, Customer):
        return f"/customers/{quote(target.customer_id, safe='')}?{urlencode({'date': target.day})}"
    assert isinstance(target, Movements)
    asked = {"from": target.first, "to": target.last, **({"kind": target.kind} if target.kind else {})}
    return f"/movements?{urlencode(asked)}"


def read_filters(query: bytes) -> Filters:
    """What was chosen on the report. Raises MalformedError."""
    given = _given(query, "from", "to", "segment", "currency")
    written = given.get("segment")
    segment = None
    if written is not None:
        name, has_value, value = written.partition("=")
        segment = Segment(unquote(name), unquote(value) if has_value else None)
    return Filters(_period(given), segment, given.get("currency"))


def read_movements(query: bytes) -> MovementsAsked:
    """Which movements were asked for. Raises MalformedError."""
    given = _given(query, "from", "to", "kind", "page")
    kind = given.get("kind")
    if kind is not None and kind not in KINDS:
        raise MalformedError(f"kind: it is one of {', '.join(KINDS)}")
    return MovementsAsked(_period(given), kind, whole_number("page", given.get("page", "1"), 1, 10**6))


def read_customer(customer: str, query: bytes) -> CustomerAsked:
    """Which customer was asked for. Raises MalformedError."""
    given = _given(query, "date", "currency")
    check_value("customer", "text", customer)
    return CustomerAsked(customer, _day(given, "date"), given.get("currency"))


def _given(query: bytes, *known: str) -> dict[str, str]:
    """The parameters that are not empty: a form sends all its fields."""
    given = {name: value for name, value in read_query(query).items() if value}
    for name, value in given.items():
        if name not in known:
            raise MalformedError(f"{name}: there is no such parameter; there is {', '.join(known)}")
        check_value(name, "text", value)
    return given


def _period(given: Mapping[str, str]) -> Period:
    first, last = _day(given, "from"), _day(given, "to")
    if first and last and first > last:
        raise MalformedError("from: the range of days is upside down; give the earlier day first")
    return Period(first, last)


def _day(given: Mapping[str, str], name: str) -> date | None:
    if name not in given:
        return None
    check_value(name, "date", given[name])
    return date.fromisoformat(given[name])
