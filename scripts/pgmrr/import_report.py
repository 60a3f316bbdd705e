"""What an import did, as the database reports it, whatever the source."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

from pgmrr import rates


@dataclass(frozen=True)
class FileReport:
    """What became of the rows of one file: how many there were, and how many in each state.

    ``reasons`` counts the rejected ones by reason; ``further_columns`` are those that pgmrr does not know;
    ``lacks_taxes`` says that it has none of the columns in which taxes stand.
    """

    name: str
    rows: int
    new: int
    changed: int
    unchanged: int
    older: int
    rejected: int
    reasons: dict[str, int]
    further_columns: list[str]
    lacks_taxes: bool

    @classmethod
    def of(cls, name: str, counts: dict[str, Any]) -> "FileReport":
        """From the counts that the database returns."""
        return cls(name, **{field.name: counts[field.name] for field in fields(cls) if field.name != "name"})

    def line(self) -> str:
        """One line for people."""
        states = ("new", "changed", "unchanged", "older", "rejected")
        counts = [f"{getattr(self, state):,} {state}" for state in states if getattr(self, state)]
        reasons = ", ".join(f"{reason}: {rows:,}" for reason, rows in sorted(self.reasons.items()))
        return f"{self.name}: {self.rows:,} rows: {', '.join(counts)}{f' ({reasons})' if reasons else ''}"


@dataclass(frozen=True)
class ImportReport:
    """What an import did.

    ``batch`` is its number, None where the files were known and nothing changed. ``fates`` says what became
    of the rows of the invoices file: (fate, detail, how many), which sum up to all of them. ``absent`` known
    invoices should be in the file and are not, ``dropped`` of them were dropped for it.
    """

    batch: int | None
    invoices: FileReport
    customers: FileReport | None
    absent: int
    dropped: int
    unlisted_customers: int
    fates: list[tuple[str, str, int]]
    rates: list[rates.Rate]

    def lines(self) -> Iterator[str]:
        """The report for people, a line a fact."""
        yield self.invoices.line()
        if self.customers:
            yield self.customers.line()
        if self.invoices.further_columns:
            yield f"columns of the invoices not used: {', '.join(self.invoices.further_columns)}"
        if self.invoices.lacks_taxes:
            yield "the invoices have no column of taxes: totals count as net of them"
        if self.customers is None:
            yield "no customer file: customers who come back after years count as new"
        if self.unlisted_customers:
            yield f"customers known from their invoices alone: {self.unlisted_customers:,}"
        yield f"{self.invoices.rows:,} invoices = {self.accounting()}"
        if self.absent > self.dropped:
            yield f"known invoices that this file lacks: {self.absent - self.dropped:,} (--replace drops them)"
        if self.dropped:
            yield f"known invoices that this file lacks, now dropped: {self.dropped:,}"
        for rate in self.rates:
            yield f"exchange rate: 1 EUR = {rate.per_euro} {rate.currency} (ECB, {rate.rate_on})"
        if self.invoices.rejected or (self.customers and self.customers.rejected):
            yield "see the rejected rows: pgmrr rejected"
        if self.batch is None:
            yield "the same files as before: nothing changed"

    def accounting(self) -> str:
        """What became of the invoices, as a sum: ``12 charges (10 term, 2 days) + 3 one-off (…)``."""
        terms = []
        for fate in dict.fromkeys(fate for fate, _, _ in self.fates):
            details = {detail: count for other, detail, count in self.fates if other == fate}
            named = ", ".join(f"{count:,} {detail}" for detail, count in details.items())
            terms.append(f"{sum(details.values()):,} {'charges' if fate == 'charge' else fate} ({named})")
        return " + ".join(terms)
