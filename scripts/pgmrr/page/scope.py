"""What a section asks with: the connection, the days of the page, and what the data cover."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from psycopg.rows import DictRow

from pgmrr.page.model import Period
from pgmrr.reports import COVERAGE
from pgmrr.reports.report import Connection, reporting_currency
from pgmrr.show import Kind, Row, text_of

_POINTS = 120  # of a small curve, however long the history


@dataclass(frozen=True)
class Scope:
    """The days of a page, clipped to what is known, and the connection that answers."""

    connection: Connection
    coverage: Row
    currency: str
    first: date
    last: date
    _answers: dict[tuple[Any, ...], list[DictRow]] = field(default_factory=dict, repr=False, compare=False)

    def ask(self, question: str, **parameters: Any) -> list[DictRow]:
        """The rows of a question; ``first`` and ``last`` are the days of the page.

        A question that two sections share is sent once: within a transaction its answer stays.
        """
        key = (question, *(str(value) for value in parameters.items()))
        if key not in self._answers:
            asked = {"first": self.first, "last": self.last, **parameters}
            self._answers[key] = self.connection.execute(question.encode(), asked).fetchall()
        return self._answers[key]

    def money(self, value: Any) -> str:
        """An amount in a sentence: whole units, with the currency."""
        return f"{text_of(value, Kind.units)} {self.currency}"

    @property
    def step(self) -> int:
        """Days from one point of a small curve to the next."""
        return max(1, (self.last - self.first).days // _POINTS)

    @property
    def shades(self) -> list[dict[str, Any]]:
        """The days shown on which the data cannot say all, each stretch with its reason."""
        return list(_shades(self.coverage, self.first, self.last))


def scope_of(connection: Connection, period: Period) -> tuple[Scope | None, Row]:
    """The scope of a period, or None where no day of it is known; and the coverage."""
    (coverage,) = COVERAGE.ask(connection)
    if not coverage["covered_days"]:
        return None, coverage
    first = max(filter(None, (period.first, coverage["observed_from"])))
    last = min(filter(None, (period.last, coverage["complete_through"])))
    if first > last:
        return None, coverage
    return Scope(connection, coverage, reporting_currency(connection), first, last), coverage


def _shades(coverage: Row, first: date, last: date) -> Iterator[dict[str, Any]]:
    seen_from = coverage["churn_observable_from"]
    if seen_from and seen_from > first:
        until = min(seen_from, last)
        reason = f"churn cannot be seen before {seen_from}"
        yield {"day": first, "until": until, "reason": reason, "short": "churn not visible"}


def share(value: Any) -> str:
    """A share in a sentence."""
    return text_of(value, Kind.share)


def counted(number: int, thing: str) -> str:
    """A number with its noun: 1 customer, 2 customers."""
    return f"{number:,} {thing}{'s' * (number != 1)}"
