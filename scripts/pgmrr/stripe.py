"""Imports the two CSV files of a Stripe dashboard export.

Python streams bytes and calls SQL; what the rows mean, how they compare with what is known, and all figures
are made in the database (``pipeline.stage_file``, ``import_stripe``, ``finish_import``).
"""

import json
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg

from pgmrr import csv_tokens, rates
from pgmrr.csv_tokens import Header, LineCounter, NotCsvError, Source
from pgmrr.errors import PgmrrError
from pgmrr.import_report import FileReport, ImportReport, MrrEffect
from pgmrr.locks import Progress, silent, writer_lock
from pgmrr.sessions import explained, tidy_up

# Where COPY refuses a file, psycopg warns of it; it is no news to a user.
logging.getLogger("psycopg").addHandler(logging.NullHandler())

_HOW = "export it again as CSV with all columns: Stripe dashboard, Billing, Invoices, Export"
_STAGE = "select pipeline.stage_file(%s, %s, %s, %s, %s, %s)"
_MANY = 1000  # versions: fewer are left to autovacuum


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
    files = [_File(role, path, progress) for role, path in given if path]
    try:
        with writer_lock(connection, progress), connection.transaction(force_rollback=dry_run):
            if corrections:
                batch = _value(connection, "select pipeline.begin_corrections('stripe')")
            else:
                begin = "select pipeline.begin_batch('import', 'stripe', %s)"
                batch = _value(connection, begin, not complete_history)
            if not invoices:
                _value(connection, "select pipeline.stage_no_invoices()")
            for file in files:
                file.copy_to(connection)
            progress("comparing the files with what is known")
            wanted = connection.execute(
                "select currency, rate_on from pipeline.import_stripe(%s, %s, %s)",
                [batch, json.dumps([file.description for file in files]), replace],
            ).fetchall()
            added = rates.add(connection, batch, wanted)
            progress("making charges and ledger")
            report = _value(connection, "select pipeline.finish_import(%s)", batch)
    except psycopg.Error as error:
        raise explained("nothing was imported", error) from error
    if not dry_run and report["batch_id"] and _stored(report) > _MANY:
        progress("tidying up")
        with suppress(psycopg.Error):  # the import is done; autovacuum does this as well
            tidy_up(connection)
    return _report(report, files, added, is_dry_run=dry_run)


def _value(connection: psycopg.Connection, query: str, *parameters: object) -> Any:
    """The single value that a function of ours returns."""
    return connection.execute(query.encode(), parameters).fetchone()[0]


def _stored(report: dict[str, Any]) -> int:
    """How many versions of facts the import stored."""
    counts = (report["details"].get(role, {}) for role in ("invoices", "customers"))
    return sum(count[state] for count in counts for state in ("new", "changed") if count)


def _report(report: dict[str, Any], files: list["_File"], added: list[rates.Rate], *, is_dry_run: bool) -> ImportReport:
    """The report of the database as an object."""
    details = report["details"]
    names = {"invoices": "no invoices", **{file.role: file.path.name for file in files}}
    rows = {role: FileReport.of(name, details[role]) for role, name in names.items()}
    return ImportReport(
        batch=None if is_dry_run else report["batch_id"],
        invoices=rows["invoices"],
        customers=rows.get("customers"),
        absent=details["invoices"]["absent"],
        dropped=details["invoices"]["dropped"],
        unlisted_customers=details["unlisted_customers"],
        fates=[(fate["fate"], fate["detail"], fate["invoices"]) for fate in details["fates"]],
        rates=added,
        mrr=MrrEffect(report["mrr"]) if "mrr" in report else None,
        warnings=report.get("warnings", {}),
        is_dry_run=is_dry_run,
        is_correction="corrections" in details,
    )


class _NotForCopyError(Exception):
    """COPY would read the file, but not as it should."""


class _File:
    """One of the files on its way into the database."""

    def __init__(self, role: str, path: Path, progress: Progress) -> None:
        self.role = role
        self.path = path
        self._progress = progress
        self._source: Source

    @property
    def description(self) -> dict[str, str | int]:
        """What the batch keeps of it: role, name, bytes and SHA-256."""
        return {
            "role": self.role,
            "name": self.path.name,
            "bytes": self._source.bytes,
            "sha256": self._source.sha256,
        }

    def copy_to(self, connection: psycopg.Connection) -> None:
        """Stream the file into its staging table: as it is, or, where COPY refuses it, split row by row.

        Raises PgmrrError where it cannot be read or is no CSV file.
        """
        try:
            rows = self._copy(connection, by_row=False)
            if rows is None:
                rows = self._copy(connection, by_row=True)
        except NotCsvError as error:
            raise PgmrrError(f"{self.path} {error}", _HOW) from None
        except OSError as error:
            raise PgmrrError(f"{self.path}: {error.strerror}", "check the name of the file") from None
        if not rows:
            raise PgmrrError(f"{self.path} has no rows below its header", _HOW)

    def _copy(self, connection: psycopg.Connection, *, by_row: bool) -> int | None:
        """How many rows came in; None, with nothing changed, where the file is none for COPY as it is."""
        with self.path.open("rb") as stream:
            what = f"reading {self.path.name}{' line by line' if by_row else ''}"
            self._source = Source(stream, _percents(what, self.path.stat().st_size, self._progress))
            header = csv_tokens.read_header(self._source)
            staged = (self.role, self.path.name, header.names, header.delimiter, header.lines + 1, by_row)
            try:
                with connection.transaction(), connection.cursor() as cursor:
                    statement = _value(connection, _STAGE, *staged).encode()
                    if by_row:
                        _copy_by_row(cursor, statement, self._source, header)
                    else:
                        _copy_whole(cursor, statement, self._source)
                    return cursor.rowcount
            except (psycopg.DataError, _NotForCopyError):
                if by_row:
                    raise
                return None


def _copy_whole(cursor: psycopg.Cursor, statement: bytes, source: Source) -> None:
    """Send the file below its header as it is.

    Raises _NotForCopyError where rows are not lines: COPY does not tell on which line a row stands. Nor does
    it limit the length of a line.
    """
    counter = LineCounter()
    with cursor.copy(statement) as copy:
        while chunk := source.read():
            ended = counter.lines
            counter.add(chunk)
            if len(chunk) == csv_tokens.CHUNK and counter.lines <= ended:
                raise _NotForCopyError
            copy.write(chunk)
    if cursor.rowcount != counter.lines:
        raise _NotForCopyError


def _copy_by_row(cursor: psycopg.Cursor, statement: bytes, source: Source, header: Header) -> None:
    """Send the rows of the file, split here, each with its line and what is wrong with it."""
    with cursor.copy(statement) as copy:
        for row in csv_tokens.read_rows(source, header):
            copy.write_row([row.line, row.problem, row.text, *(field or None for field in row.fields)])


def _percents(what: str, size: int, progress: Progress) -> Callable[[int], None]:
    """Tells what is being read, and every few seconds how much of it was."""
    told_at = time.monotonic()
    progress(what)

    def watch(done: int) -> None:
        nonlocal told_at
        if size and time.monotonic() - told_at > 2:
            told_at = time.monotonic()
            progress(f"{what}: {100 * done // size} %")

    return watch
