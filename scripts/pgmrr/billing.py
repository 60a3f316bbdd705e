"""Imports lines of invoices and periods of subscriptions, from files or from the tables of another PostgreSQL."""

from dataclasses import dataclass
from datetime import date
from typing import Any

import psycopg

from pgmrr.import_report import ImportReport
from pgmrr.importing import import_files
from pgmrr.locks import Progress, silent
from pgmrr.resources import query_text
from pgmrr.staging import Input, Place, Query


@dataclass(frozen=True)
class Spelling:
    """How files are to be read, where they do not say so themselves.

    ``currency`` is that of rows without one; ``dates`` is dmy or mdy; ``decimal`` is comma, point or plain;
    ``end_inclusive`` says that an end is the last day of service. None: as the file has it, ambiguous values
    being rejected; databases and Parquet files write plain numbers.
    """

    currency: str | None = None
    dates: str | None = None
    decimal: str | None = None
    end_inclusive: bool = False

    def options(self, facts: Input) -> dict[str, Any]:
        """Those that are set, as ``pipeline.read_lines`` takes them for these lines or periods."""
        decimal = self.decimal or ("plain" if facts.writes_plain_numbers else None)
        return {name: value for name, value in {**vars(self), "decimal": decimal}.items() if value}


def import_lines(
    connection: psycopg.Connection,
    lines: Input,
    customers: Input | None = None,
    *,
    spelling: Spelling = Spelling(),
    complete_history: bool = False,
    progress: Progress = silent,
    **how: bool,
) -> ImportReport:
    """Import lines of invoices and, where given, customers.

    ``complete_history`` says that they are the company's whole life; ``how`` are ``replace``, ``corrections`` and
    ``dry_run``, as ``import_files`` takes them.

    Raises PgmrrError where an input is not what it should be, or the database refuses.
    """
    return import_files(
        connection,
        "lines",
        [lines, customers] if customers else [lines],
        is_truncated=not complete_history,
        options=spelling.options(lines),
        progress=progress,
        **how,
    )


def import_periods(
    connection: psycopg.Connection,
    periods: Input,
    customers: Input | None = None,
    *,
    spelling: Spelling = Spelling(),
    as_of: date | None = None,
    progress: Progress = silent,
    **how: bool,
) -> ImportReport:
    """Import periods of subscriptions, which are the company's whole life, and, where given, customers.

    ``as_of`` is the day through which the list is complete; without it, it is found from the list itself
    (``pipeline.note_service``).

    Raises PgmrrError where an input is not what it should be, or the database refuses.
    """
    options = spelling.options(periods)
    if as_of:
        options["as_of"] = as_of.isoformat()
    return import_files(
        connection,
        "periods",
        [periods, customers] if customers else [periods],
        is_truncated=False,
        options=options,
        progress=progress,
        **how,
    )


def import_stripe_sync(
    connection: psycopg.Connection,
    url: str,
    *,
    schema: str = "stripe",
    complete_history: bool = False,
    progress: Progress = silent,
    **how: bool,
) -> ImportReport:
    """Import the invoices, line by line, and customers that Stripe's sync engine keeps in the database at ``url``.

    Raises PgmrrError where its tables cannot be read, or the database refuses.
    """
    lines, customers = (
        Query(
            query_text(f"stripe_sync_{role}"),
            url,
            Place("lines", role),
            progress,
            name=f"the {role} of the sync engine",
            schema=schema,
        )
        for role in ("lines", "customers")
    )
    return import_lines(
        connection,
        lines,
        customers,
        spelling=Spelling(),
        complete_history=complete_history,
        progress=progress,
        **how,
    )
