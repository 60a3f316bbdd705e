"""Imports the two CSV files of a Stripe dashboard export."""

from pathlib import Path

import psycopg

from pgmrr.import_report import ImportReport
from pgmrr.importing import import_files
from pgmrr.locks import Progress, silent
from pgmrr.staging import Place, file_at


def import_stripe(
    connection: psycopg.Connection,
    invoices: Path,
    customers: Path | None = None,
    *,
    replace: bool = False,
    complete_history: bool = False,
    progress: Progress = silent,
) -> ImportReport:
    """Import an invoices file and, where given, the customers file exported with it.

    All of it happens, or nothing: facts, ledger and report are one transaction. ``replace`` drops known
    invoices that the file's range of dates should hold and doesn't; ``complete_history`` says that the file
    holds the company's whole life. ``connection`` must be in autocommit mode, and in no transaction.

    Raises PgmrrError where a file is not what it should be, or the database refuses.
    """
    files = [file_at(invoices, Place("stripe", "invoices"), progress)]
    if customers:
        files.append(file_at(customers, Place("stripe", "customers"), progress))
    return import_files(
        connection, "stripe", files, is_truncated=not complete_history, replace=replace, progress=progress
    )
