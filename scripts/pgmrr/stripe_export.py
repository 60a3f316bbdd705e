"""Writes what a database holds as the two CSV files of a Stripe dashboard export.

The rows are made in the database (``pipeline.stripe_invoices``, ``pipeline.stripe_customers``) and streamed by
COPY; Python holds none of them.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, BinaryIO

import psycopg
from psycopg import sql
from psycopg.rows import tuple_row

from pgmrr.errors import PgmrrError
from pgmrr.locks import Progress, silent
from pgmrr.sessions import explained

# All columns, in Stripe's order: the header is theirs.
_INVOICES = sql.SQL("select * from pipeline.stripe_invoices({}, {})")
_CUSTOMERS = sql.SQL("select {} from pipeline.stripe_customers()")
_CUSTOMER_COLUMNS = ["id", "Created (UTC)", "Total Spend", "Payment Count", "Tax Location Recognized"]


@dataclass(frozen=True)
class WrittenFile:
    """A file that was written, and how many rows stand below its header."""

    path: Path
    rows: int


def export_stripe(
    connection: psycopg.Connection[Any],
    directory: Path,
    *,
    first: date | None = None,
    last: date | None = None,
    names: bool = False,
    force: bool = False,
    progress: Progress = silent,
) -> list[WrittenFile]:
    """Write ``invoices.csv`` and ``customers.csv`` into ``directory``, which is made where it is missing.

    Only invoices dated from ``first`` through ``last`` (UTC) are written, but all customers. ``names`` adds a
    column with the customers' names, which Stripe's file has only where it was asked for. Files that exist
    are replaced only by ``force``, and only by whole ones. ``connection`` should read in one snapshot.

    Raises PgmrrError where nothing can be written.
    """
    if first and last and first > last:
        raise PgmrrError(f"the range from {first} to {last} is upside down", "give the earlier day as --from")
    paths = [directory / "invoices.csv", directory / "customers.csv"]
    if not force and (existing := [path.name for path in paths if path.exists()]):
        raise PgmrrError(f"{directory} already holds {' and '.join(existing)}", "replace them: --force")
    _refuse_periods(connection)
    columns = _CUSTOMER_COLUMNS + (["Name"] if names else [])
    queries = [
        _INVOICES.format(sql.Literal(first), sql.Literal(last)),
        _CUSTOMERS.format(sql.SQL(", ").join(map(sql.Identifier, columns))),
    ]
    written = []
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with _replacing(paths) as files:
            for path, file, query in zip(paths, files, queries, strict=True):
                progress(f"writing {path}")
                written.append(WrittenFile(path, _copy(connection, query, file)))
    except psycopg.Error as error:
        raise explained("nothing was exported", error) from error
    except OSError as error:
        raise PgmrrError(
            f"{error.filename or directory}: {error.strerror}", "give a directory that you may write to"
        ) from None
    return written


def _refuse_periods(connection: psycopg.Connection) -> None:
    """Subscription periods have an amount a month and may have no end: no invoice says that."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        if cursor.execute("select 1 from kpi.batches where source = 'periods' limit 1").fetchone():
            raise PgmrrError(
                "this database holds subscription periods, which are no invoices",
                "a Stripe export can hold invoices alone",
            )


def _copy(connection: psycopg.Connection, query: sql.Composable, file: BinaryIO) -> int:
    """Write what the query finds as Stripe does: lines end by CR LF, the last one by nothing.

    Returns how many rows stand below the header.
    """
    lines = 0
    statement = sql.SQL("copy ({}) to stdout (format csv, header, encoding 'UTF8')").format(query)
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for line in copy:  # the server sends a row at a time
            if lines:
                file.write(b"\r\n")
            file.write(bytes(line).removesuffix(b"\n"))
            lines += 1
    return lines - 1


@contextmanager
def _replacing(paths: list[Path]) -> Iterator[list[BinaryIO]]:
    """Files that take the places of ``paths`` when all are whole, and vanish where one is not."""
    parts = [path.with_name(f".{path.name}.{os.getpid()}.part") for path in paths]
    files: list[BinaryIO] = []
    try:
        files += [part.open("xb") for part in parts]
        yield files
        for file in files:
            file.close()
        for part, path in zip(parts, paths, strict=True):
            part.replace(path)
    finally:
        for file in files:
            file.close()
        for part in parts:
            part.unlink(missing_ok=True)
