"""Stripe export files for tests: a table that can be changed and written in many spellings, and a company whose
exports can be taken at any moment.

    export = Table.read(path)
    export.rows[0]["Total"] = "NaN"
    export.write(tmp_path / "invoices.csv", delimiter=";", newline="\\r\\n")

    company = Company(seed=7)
    company.export(first=datetime(2025, 1, 1), last=datetime(2025, 2, 1), taken_at=datetime(2025, 2, 10))
"""

import csv
import io
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from reference import add_months

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)

INVOICE_HEADER = [
    "id",
    "Amount Due",
    "Currency",
    "Customer",
    "Date (UTC)",
    "Paid At (UTC)",
    "Voided At (UTC)",
    "Finalized At (UTC)",
    "Minimum Line Item Period Start (UTC)",
    "Maximum Line Item Period End (UTC)",
    "Period Start (UTC)",
    "Period End (UTC)",
    "Subscription",
    "Total",
    "Tax",
    "Amount Paid",
    "Status",
]


@dataclass
class Table:
    """A CSV file: its column names and its rows by name."""

    header: list[str]
    rows: list[dict[str, str]]

    @classmethod
    def read(cls, path: Path) -> "Table":
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            return cls(list(reader.fieldnames), list(reader))

    def text(self, delimiter: str = ",", newline: str = "\n", quoting: int = csv.QUOTE_MINIMAL) -> str:
        """The file, ending without a line break, as Stripe writes it."""
        text = io.StringIO()
        writer = csv.writer(text, delimiter=delimiter, lineterminator=newline, quoting=quoting)
        writer.writerow(self.header)
        writer.writerows([row.get(name, "") for name in self.header] for row in self.rows)
        return text.getvalue().removesuffix(newline)

    def write(self, path: Path, encoding: str = "utf-8", **spelling: str | int) -> Path:
        path.write_bytes(self.text(**spelling).encode(encoding))
        return path

    def replaced(self, change: Callable[[str, str], str]) -> "Table":
        """The table with each value replaced by ``change(column, value)``."""
        rows = [{name: change(name, value) for name, value in row.items()} for row in self.rows]
        return Table(list(self.header), rows)


@dataclass
class _Invoice:
    """An invoice with the moments of its life; None where it never comes to that."""

    id: str
    customer: str
    subscription: str
    issued_at: datetime
    starts_at: datetime
    ends_at: datetime
    total: int
    finalized_at: datetime
    paid_at: datetime | None
    voided_at: datetime | None
    deleted_at: datetime | None
    raised: int = 0  # what is added to the total when it is finalized

    def row(self, moment: datetime) -> dict[str, str]:
        """The invoice as it is at a moment."""
        is_final = self.finalized_at <= moment
        is_paid = is_final and self.paid_at is not None and self.paid_at <= moment
        is_void = is_final and self.voided_at is not None and self.voided_at <= moment
        total = self.total + (self.raised if is_final else 0)
        status = "void" if is_void else "paid" if is_paid else "open" if is_final else "draft"
        return {
            "id": self.id,
            "Amount Due": _amount(total),
            "Currency": "eur",
            "Customer": self.customer,
            "Date (UTC)": _time(self.issued_at),
            "Paid At (UTC)": _time(self.paid_at) if is_paid else "",
            "Voided At (UTC)": _time(self.voided_at) if is_void else "",
            "Finalized At (UTC)": _time(self.finalized_at) if is_final else "",
            "Minimum Line Item Period Start (UTC)": _time(self.starts_at),
            "Maximum Line Item Period End (UTC)": _time(self.ends_at),
            "Period Start (UTC)": _time(self.starts_at),
            "Period End (UTC)": _time(self.starts_at),
            "Subscription": self.subscription,
            "Total": _amount(total),
            "Tax": "0,00",
            "Amount Paid": _amount(total if is_paid else 0),
            "Status": status,
        }


@dataclass
class Company:
    """Half a year of invoices of a few dozen customers; drafts change and vanish, open ones are paid or voided."""

    seed: int
    customers: int = 60
    invoices: list[_Invoice] = field(default_factory=list)

    def __post_init__(self) -> None:
        chance = random.Random(self.seed)
        for number in range(self.customers):
            start = datetime(2025, 1, 1) + chance.randrange(100 * 24 * 60) * MINUTE
            price = chance.choice([900, 1900, 3900])
            while start < datetime(2025, 7, 1):
                end = add_months(start, 1)
                finalized_at = start + chance.choice([0, 60, 60, 3 * 24 * 60]) * MINUTE
                fate = chance.random()
                later = finalized_at + chance.randrange(40 * 24 * 60) * MINUTE
                self.invoices.append(
                    _Invoice(
                        id=f"in_{len(self.invoices):04}",
                        customer=f"cus_{number:02}",
                        subscription=f"sub_{number:02}",
                        issued_at=start,
                        starts_at=start,
                        ends_at=end,
                        total=price,
                        finalized_at=datetime.max if fate < 0.1 else finalized_at,
                        paid_at=later if fate < 0.7 else None,
                        voided_at=later if 0.7 <= fate < 0.8 else None,
                        deleted_at=later if fate < 0.06 else None,
                        raised=chance.choice([0, 0, 0, 500]),
                    )
                )
                if chance.random() < 0.08:
                    break
                start = end + (chance.randrange(60) * DAY if chance.random() < 0.1 else 0 * DAY)

    def export(self, first: datetime, last: datetime, taken_at: datetime) -> Table:
        """The invoices dated in [first, last), as they are when the export is taken; the newest first."""
        seen = [
            invoice
            for invoice in self.invoices
            if first <= invoice.issued_at < last
            and invoice.issued_at <= taken_at
            and not (invoice.deleted_at and invoice.deleted_at <= taken_at)
        ]
        seen.sort(key=lambda invoice: (invoice.issued_at, invoice.id), reverse=True)
        return Table(list(INVOICE_HEADER), [invoice.row(taken_at) for invoice in seen])


def _amount(cents: int) -> str:
    return f"{cents // 100},{cents % 100:02}"


def _time(moment: datetime) -> str:
    """Without zero padding of the hour, as Stripe writes it."""
    return f"{moment:%Y-%m-%d} {moment.hour}:{moment:%M}"
