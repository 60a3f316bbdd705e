"""Cohorts, segments and concentration of a company in plain Python, from nothing but the rows of its ledger.

    company = read(connection)
    company.cohorts("first_mrr") == those of kpi.cohort_retention

Slow and simple: every figure is found by looking at each customer's MRR on a day. Amounts are exact fractions of
the reporting currency.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction

from psycopg import Connection

DAY = timedelta(1)
BANDS = (
    (10, "under 10"), (50, "10 to 50"), (100, "50 to 100"), (500, "100 to 500"), (1000, "500 to 1,000"),
    (5000, "1,000 to 5,000"), (10000, "5,000 to 10,000"),
)  # fmt: skip


@dataclass(frozen=True)
class Movement:
    """A row of the ledger, its change in cents of the currency."""

    currency: str
    day: date
    kind: str
    cents: int


@dataclass(frozen=True)
class Term:
    """A charge: how much a month, from when to when, for how many months at a time."""

    starts_on: date
    ends_on: date
    mrr: Fraction
    months: int | None


@dataclass
class Company:
    """What is known of a company: its ledger, its customers and what the data can say."""

    factors: dict[str, Fraction]
    movements: dict[str, list[Movement]]
    created_on: dict[str, date | None]
    attributes: dict[str, dict[str, str]]
    terms: dict[str, list[Term]]
    observed_from: date
    complete_through: date
    churn_observable_from: date
    is_truncated: bool

    # -- what a customer pays ---------------------------------------------------------------------

    def mrr(self, customer: str, day: date, currency: str | None = None) -> Fraction:
        """MRR at the end of the day, in all currencies or one."""
        cents: dict[str, int] = defaultdict(int)
        for movement in self.movements.get(customer, ()):
            if movement.day <= day and currency in (None, movement.currency):
                cents[movement.currency] += movement.cents
        return sum((paid * self.factors[in_] for in_, paid in cents.items() if paid), Fraction(0))

    def months(self) -> list[tuple[date, date, date]]:
        """The covered months: the first day of each, and the first and last that are covered."""
        found = []
        month = self.observed_from.replace(day=1)
        while month <= self.complete_through:
            following = next_month(month)
            found.append((month, max(month, self.observed_from), min(following - DAY, self.complete_through)))
            month = following
        return found

    # -- cohorts ------------------------------------------------------------------------------------

    def cohorts(self, basis: str) -> dict[tuple[date | None, date], tuple]:
        """By cohort and month: size, customers, MRR, and both shares, None where they cannot be told."""
        members: dict[date | None, list[str]] = defaultdict(list)
        for customer in self.created_on if basis == "signup" else self.movements:
            month = self._cohort_of(customer, basis)
            if not isinstance(month, bool):
                members[month].append(customer)
        answers = {}
        for cohort, customers in members.items():
            lived = [(month, last) for month, _, last in self.months() if cohort is None or month >= cohort]
            base = self._first_followed(cohort, basis, lived)
            followed = [c for c in customers if base is None or not self._joined_after(c, base, cohort, basis)]
            at_base = [self.mrr(c, base) for c in followed] if base else []
            for month, last in lived:
                paid = [self.mrr(c, last) for c in customers]
                now = [self.mrr(c, last) for c in followed]
                is_followed = base is not None and last >= base and sum(at_base) > 0
                answers[cohort, month] = (
                    len(customers),
                    sum(mrr > 0 for mrr in paid),
                    sum(paid),
                    Fraction(sum(m > 0 for m in now), sum(m > 0 for m in at_base)) if is_followed else None,
                    sum(now) / sum(at_base) if is_followed else None,
                )
        return answers

    def _cohort_of(self, customer: str, basis: str) -> date | bool | None:
        """The month, None for the cohort without one, False where the customer is in none yet."""
        if basis == "signup":
            created = self.created_on[customer]
            if created is None:
                return None
            return created.replace(day=1) if created <= self.complete_through else False
        seen = [m for m in self.movements.get(customer, ()) if m.day <= self.complete_through]
        if not seen:
            return False
        first = min(seen, key=lambda m: m.day)
        return first.day.replace(day=1) if first.kind == "new" else None

    def _first_followed(self, cohort: date | None, basis: str, lived: list[tuple[date, date]]) -> date | None:
        """The last day of the month that shares are relative to."""
        is_older = cohort is None or (basis == "signup" and cohort < self.observed_from)
        for month, last in lived:
            if not is_older or next_month(month) >= self.churn_observable_from:
                return last
        return None

    def _joined_after(self, customer: str, base: date, cohort: date | None, basis: str) -> bool:
        movements = [m for m in self.movements.get(customer, ()) if m.day <= self.complete_through]
        if not movements:
            return False
        first = min(movements, key=lambda m: m.day)
        whoever = basis == "first_mrr" and cohort is None
        return first.day.replace(day=1) > base.replace(day=1) and (whoever or first.kind == "preexisting")

    # -- segments -----------------------------------------------------------------------------------

    def parts(self, customer: str, attribute: str) -> list[str | None]:
        """By currency, what is paid in each is a part of its own."""
        return sorted({m.currency for m in self.movements[customer]}) if attribute == "currency" else [None]

    def segment_of(self, customer: str, part: str | None, attribute: str, day: date) -> str | None:
        """Where a part of a customer belongs on a day on which it pays."""
        if attribute == "currency":
            return part
        if attribute == "price_band":
            mrr = self.mrr(customer, day)
            return next((name for bound, name in BANDS if mrr < bound), "10,000 and more")
        if attribute == "term":
            by_term: dict[str, Fraction] = defaultdict(Fraction)
            for term in self.terms[customer]:
                if term.starts_on <= day < term.ends_on:
                    by_term[{1: "month", 12: "year"}.get(term.months or 0, "other")] += term.mrr
            return max(("year", "other", "month"), key=lambda name: by_term[name])
        return self.attributes[customer].get(attribute) or None

    def segments(self, attribute: str, day: date) -> dict[str | None, tuple[int, Fraction]]:
        """By segment: customers and MRR on a day."""
        paid: dict[str | None, list[Fraction]] = defaultdict(list)
        for customer, part in self._all_parts(attribute):
            mrr = self.mrr(customer, day, part)
            if mrr > 0:
                paid[self.segment_of(customer, part, attribute, day)].append(mrr)
        return {segment: (len(amounts), sum(amounts)) for segment, amounts in paid.items()}

    def waterfall(self, attribute: str, first: date, last: date) -> dict[str | None, dict[str, Fraction]]:
        """By segment: opening, each kind of movement, what moved between segments, closing, kept, losses, lost."""
        found: dict[str | None, dict[str, Fraction]] = defaultdict(lambda: defaultdict(Fraction))
        for customer, part in self._all_parts(attribute):
            opening, closing = self.mrr(customer, first - DAY, part), self.mrr(customer, last, part)
            movements = sorted(
                (m for m in self.movements[customer] if first <= m.day <= last and part in (None, m.currency)),
                key=lambda m: m.day,
            )
            entries = [m.day for m in movements if self.mrr(customer, m.day, part) > 0]
            if opening <= 0 and not entries:
                continue
            home = self.segment_of(customer, part, attribute, first - DAY if opening > 0 else entries[0])
            figures = found[home]
            for movement in movements:
                figures[movement.kind] += movement.cents * self.factors[movement.currency]
            figures["opening"] += opening
            figures["moved"] -= closing
            if opening > 0:
                figures["customers_opening"] += 1
                figures["customers_lost"] += closing == 0
                figures["kept"] += closing
                figures["losses"] += min(closing - opening, 0)
            if closing > 0:
                there = found[self.segment_of(customer, part, attribute, last)]
                there["moved"] += closing
                there["closing"] += closing
                there["customers"] += 1
        return found

    def _all_parts(self, attribute: str) -> Iterator[tuple[str, str | None]]:
        for customer in self.movements:
            for part in self.parts(customer, attribute):
                yield customer, part

    # -- concentration ------------------------------------------------------------------------------

    def concentration(self, day: date) -> tuple | None:
        """Customers, MRR, shares of the top 1, 10 and 1 %, Herfindahl, and Gini as the area above the Lorenz curve."""
        paid = sorted((mrr for customer in self.movements if (mrr := self.mrr(customer, day)) > 0), reverse=True)
        if not paid:
            return None
        total, count = sum(paid), len(paid)
        most = -(-count // 100)
        below, area = Fraction(0), Fraction(0)
        for mrr in reversed(paid):
            area += (2 * below + mrr) / total / count
            below += mrr
        shares = (paid[0] / total, sum(paid[:10]) / total, sum(paid[:most]) / total)
        return (count, total, *shares, sum((mrr / total) ** 2 for mrr in paid), 1 - area)


def next_month(month: date) -> date:
    """The first day of the month after."""
    return (month.replace(day=1) + timedelta(32)).replace(day=1)


def read(connection: Connection) -> Company:
    """The company in a database."""
    rows = connection.execute("select currency, factor from kpi.currency").fetchall()
    factors = {currency: Fraction(factor) / 100 for currency, factor in rows}
    company = Company(
        factors, defaultdict(list), {}, {}, defaultdict(list),
        *connection.execute(
            "select observed_from, complete_through, churn_observable_from, is_truncated from kpi.coverage"
        ).fetchone(),
    )  # fmt: skip
    for customer, created_on, attributes in connection.execute(
        "select customer_id, created_on, attributes from kpi.customer"
    ):
        company.created_on[customer] = created_on
        company.attributes[customer] = attributes
    for customer, currency, day, kind, change in connection.execute(
        "select customer_id, currency, effective_on, kind, change from kpi.ledger"
    ):
        company.movements[customer].append(Movement(currency, day, kind, int(change * 100)))
    for customer, currency, starts_on, ends_on, mrr, months, basis in connection.execute(
        "select customer_id, currency, starts_on, ends_on, mrr, months, basis from kpi.charge where ends_on > starts_on"
    ):
        if currency not in factors:  # only free plans are billed in it
            continue
        length = round((ends_on - starts_on).days / 30.4375) if basis == "implied" else months
        company.terms[customer].append(Term(starts_on, ends_on, Fraction(mrr) * 100 * factors[currency], length))
    return company
