"""What an import did, as the database reports it, whatever the source."""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from decimal import Decimal
from typing import Any

from pgmrr import rates
from pgmrr.show import Kind, text_of


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
        return cls(name, **{column.name: counts[column.name] for column in fields(cls) if column.name != "name"})

    def line(self) -> str:
        """One line for people."""
        states = ("new", "changed", "unchanged", "older", "rejected")
        counts = [f"{getattr(self, state):,} {state}" for state in states if getattr(self, state)]
        reasons = ", ".join(f"{reason}: {rows:,}" for reason, rows in sorted(self.reasons.items()))
        return f"{self.name}: {self.rows:,} rows: {', '.join(counts)}{f' ({reasons})' if reasons else ''}"


@dataclass(frozen=True)
class MrrEffect:
    """What an import did to MRR, in ``currency`` a month; what is compared is the days covered before and since.

    ``found`` is what ``pipeline.mrr_effect`` returns: there, its keys are described.
    """

    found: dict[str, Any]

    def lines(self) -> Iterator[str]:
        """For people, a line a fact."""
        currency = self.found["currency"]
        if self.found["closing"] is not None:
            yield f"MRR on {self.found['closing_on']}: {_money(self.found['closing'])} {currency}"
        if "unknown" in self.found:
            yield f"what MRR was before cannot be compared: {self.found['unknown']}"
        if "last_on" not in self.found:
            return
        kinds = [(kind, *pair) for kind, pair in self.found["kinds"].items() if pair[0] != pair[1]]
        opening, closing = self.found["opening"], self.found["closing_then"]
        if opening[0] == opening[1] and closing[0] == closing[1] and not kinds:
            yield f"MRR from {self.found['first_on']} to {self.found['last_on']}, which was known before, is the same"
            return
        yield f"MRR on {self.found['last_on']}, which was known before: {_pair(closing)} {currency}"
        before, after = self.found["customers"]
        if before != after:
            yield f"customers with MRR that day: {before:,} → {after:,}"
        parts = [("opening", *opening)] if opening[0] != opening[1] else []
        for kind, was, now in parts + sorted(kinds):
            yield f"{kind} from {self.found['first_on']} to {self.found['last_on']}: {_pair((was, now))} {currency}"
        for customer in self.found["largest"]:
            yield f"changed: {customer['name'] or customer['customer_id']}: " + _pair(
                (customer["before"], customer["after"])
            )


def _money(amount: float | Decimal) -> str:
    return text_of(Decimal(str(amount)), Kind.money)


def _pair(amounts: tuple[float, float]) -> str:
    """An amount before and after, and the difference: ``20.00 → 0.00 (-20.00)``."""
    before, after = (Decimal(str(amount)) for amount in amounts)
    return f"{_money(before)} → {_money(after)} ({text_of(after - before, Kind.change_cents)})"


@dataclass(frozen=True)
class ImportReport:
    """What an import did.

    ``batch`` is its number, None where the files were known and nothing changed. ``fates`` says what became
    of the rows of the invoices file: (fate, detail, how many), which sum up to all of them. ``absent`` known
    invoices should be in the file and are not, ``dropped`` of them were dropped for it. ``mrr`` tells what became
    of MRR, where anything changed, and ``warnings`` how many there are about what the import brought; ``notes``
    are what the files say about themselves, ``what`` is their word for the facts: invoices, lines or periods.
    ``unmatched_credits`` found no MRR to take away, or too little; ``replaces_later`` lines or periods replace
    what a file with later dates said; ``has_rejected_rows`` says that rows of the files wait to be corrected.
    Of a dry run, all is as it would be: nothing was kept.
    """

    batch: int | None
    invoices: FileReport
    customers: FileReport | None
    absent: int
    dropped: int
    unlisted_customers: int
    fates: list[tuple[str, str, int]]
    rates: list[rates.Rate]
    mrr: MrrEffect | None
    warnings: dict[str, int]
    is_dry_run: bool
    is_correction: bool
    what: str = "invoices"
    unmatched_credits: int = 0
    replaces_later: int = 0
    has_rejected_rows: bool = False
    notes: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """The report for people, a line a fact."""
        yield from self._of_the_files()
        if self.invoices.rows:
            yield f"{self.invoices.rows:,} {self.what} = {self.accounting()}"
        if self.absent > self.dropped:
            left = "not dropped: at the edge of the file's dates" if self.dropped else "--replace drops them"
            yield f"known {self.what} that this file lacks: {self.absent - self.dropped:,} ({left})"
        if self.dropped:
            yield f"known {self.what} that this file lacks, now dropped: {self.dropped:,}"
        yield from self.notes
        for rate in self.rates:
            yield f"exchange rate: 1 EUR = {rate.per_euro} {rate.currency} (ECB, {rate.rate_on})"
        if self.mrr:
            yield from self.mrr.lines()
        yield from self._of_what_to_do()

    def _of_the_files(self) -> Iterator[str]:
        if self.invoices.rows or not self.customers:
            yield self.invoices.line()
        if self.customers:
            yield self.customers.line()
        if self.invoices.further_columns:
            yield f"columns of the {self.what} not used: {', '.join(self.invoices.further_columns)}"
        if self.invoices.lacks_taxes and self.invoices.rows:
            yield f"the {self.what} have no column of taxes: totals count as net of them"
        if self.customers is None and not self.is_correction:
            yield "no customer file: customers who come back after years count as new"
        if self.unlisted_customers:
            yield f"customers known from their {self.what} alone: {self.unlisted_customers:,}"

    def _of_what_to_do(self) -> Iterator[str]:
        if self.replaces_later:
            yield (
                f"{self.replaces_later:,} {self.what} replace what a file with later dates said of them: "
                "if this file is the older one, take it back: pgmrr undo"
            )
        if self.unmatched_credits:
            yield (
                f"credits that found no MRR to take away, or too little: {self.unmatched_credits:,} "
                "(see: kpi.unmatched_credits)"
            )
        if self.warnings:
            counted = ", ".join(f"{warning}: {count:,}" for warning, count in sorted(self.warnings.items()))
            yield f"warnings: {counted} (see: pgmrr warnings)"
        if self.has_rejected_rows and not self.is_dry_run:
            yield "see the rejected rows: pgmrr rejected"
        if self.is_dry_run:
            yield "a dry run: nothing was kept"
        elif self.batch is None:
            yield "the same files as before: nothing changed"

    def accounting(self) -> str:
        """What became of the invoices, as a sum: ``12 charges (10 term, 2 days) + 3 one-off (…)``."""
        terms = []
        for fate in dict.fromkeys(fate for fate, _, _ in self.fates):
            details = {detail: count for other, detail, count in self.fates if other == fate}
            named = ", ".join(f"{count:,} {detail}" for detail, count in details.items())
            terms.append(f"{sum(details.values()):,} {'charges' if fate == 'charge' else fate} ({named})")
        return " + ".join(terms)
