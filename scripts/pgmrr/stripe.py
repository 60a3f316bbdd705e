"""Imports the two CSV files of a Stripe dashboard export."""

from pathlib import Path

import psycopg

from pgmrr.import_report import ImportReport
from pgmrr.importing import import_files
from pgmrr.locks import Progress, silent
from pgmrr.staging import Place, file_at


def import_stripe(
    connection: psycopg.Connection,
    invoices: Path | None,
    customers: Path | None = None,
    *,
    replace: bool = False,
    complete_history: bool = False,
    corrections: bool = False,
    dry_run: bool = False,
    progress: Progress = silent,
) -> ImportReport:
    """Import an invoices file and, where given, the customers file exported with it.

    All of it happens, or nothing: facts, ledger and report are one transaction. ``replace`` drops known
    invoices that the file's range of dates should hold and doesn't; ``complete_history`` says that the file
    holds the company's whole life. ``corrections`` says that the files hold rows that were rejected before, and
    these only; then there may be customers alone. ``dry_run`` only reports what would happen. ``connection``
    must be in autocommit mode, and in no transaction.

    Raises PgmrrError where a file is not what it should be, or the database refuses.
    """
    given = [("invoices", invoices), ("customers", customers)]
    return import_files(
        connection,
        "stripe",
        [file_at(path, Place("stripe", role), progress) for role, path in given if path],
        is_truncated=not complete_history,
        replace=replace,
        corrections=corrections,
        dry_run=dry_run,
        progress=progress,
    )
