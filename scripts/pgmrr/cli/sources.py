"""Commands that bring in lines of invoices and periods of subscriptions."""

import csv
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import psycopg
import typer

from pgmrr import billing, show
from pgmrr.billing import Spelling
from pgmrr.cli.data import importing, prepare, tell
from pgmrr.cli.options import Complete, Name, Url, day
from pgmrr.database import choose, writing
from pgmrr.errors import PgmrrError
from pgmrr.import_report import ImportReport
from pgmrr.locks import Progress
from pgmrr.staging import Input, Place, Query, file_at

app = typer.Typer()  # the commands below belong to `pgmrr import`


class Dates(StrEnum):
    """The order of day and month."""

    dmy = "dmy"
    mdy = "mdy"


class Decimal(StrEnum):
    """The sign before the decimals."""

    comma = "comma"
    point = "point"


File = Annotated[Path | None, typer.Argument(help="The file: CSV, CSV compressed by gzip, or Parquet.")]
Map = Annotated[
    list[str] | None,
    typer.Option("--map", help="What the file calls the columns, as customer=Account,start=From,…"),
]
FromQuery = Annotated[
    str | None,
    typer.Option("--from-query", help="A query on another PostgreSQL instead of a file, or @FILE that holds it."),
]
Origin = Annotated[str | None, typer.Option("--source", help="URL of the database that queries run on.")]
Customers = Annotated[Path | None, typer.Option(help="A file of customers; further columns become attributes.")]
MapCustomers = Annotated[
    list[str] | None,
    typer.Option("--map-customers", help="What it calls the columns, as id=Account,name=Company,created=Since"),
]
CustomersQuery = Annotated[str | None, typer.Option("--customers-query", help="A query of customers, or @FILE.")]
Currency = Annotated[str | None, typer.Option(help="The currency of rows that name none, as EUR.")]
DateOrder = Annotated[Dates | None, typer.Option("--dates", help="The order of dates that are not year first.")]
DecimalSign = Annotated[Decimal | None, typer.Option("--decimal", help="The sign before the decimals of amounts.")]
EndInclusive = Annotated[bool, typer.Option("--end-inclusive", help="An end is the last day of service.")]
Replace = Annotated[bool, typer.Option("--replace", help="Drop known rows that the file should hold and does not.")]
Corrections = Annotated[
    bool, typer.Option("--corrections", help="The file holds rows that were rejected, corrected, and no others.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the report, and change nothing.")]


@importing.command(
    name="lines",
    epilog="Example: pgmrr import lines lines.csv --map customer=Account,start=From,end=To,amount=Net --currency EUR",
)
def import_lines(
    file: File = None,
    columns: Map = None,
    query: FromQuery = None,
    source: Origin = None,
    customers: Customers = None,
    customer_columns: MapCustomers = None,
    customers_query: CustomersQuery = None,
    currency: Currency = None,
    dates: DateOrder = None,
    decimal: DecimalSign = None,
    end_inclusive: EndInclusive = False,
    complete_history: Complete = False,
    replace: Replace = False,
    corrections: Corrections = False,
    dry_run: DryRun = False,
    url: Url = None,
    name: Name = None,
) -> None:
    """Import lines of invoices: customer, amount, start and end of service, and more where there is more.

    Columns: customer, start, end, amount; and where there are: currency, id, subscription, status, discount,
    tax, issued, period_start, period_end.
    """

    def bring(connection: psycopg.Connection, progress: Progress) -> ImportReport:
        inputs = _inputs("lines", file, columns, query, source, progress)
        beside = _customers("lines", customers, customer_columns, customers_query, source, progress)
        spelling = Spelling(currency, dates, decimal, end_inclusive)
        return billing.import_lines(
            connection,
            inputs,
            beside,
            spelling=spelling,
            complete_history=complete_history,
            progress=progress,
            **_how(replace, corrections, dry_run),
        )

    _run(bring, url, name, dry_run=dry_run)


@importing.command(
    name="periods",
    epilog="Example: pgmrr import periods subscriptions.csv --map customer=Account,start=From,end=To,amount=MRR "
    "--currency EUR --as-of 2024-12-31",
)
def import_periods(
    file: File = None,
    columns: Map = None,
    query: FromQuery = None,
    source: Origin = None,
    customers: Customers = None,
    customer_columns: MapCustomers = None,
    customers_query: CustomersQuery = None,
    currency: Currency = None,
    dates: DateOrder = None,
    decimal: DecimalSign = None,
    end_inclusive: EndInclusive = False,
    as_of: Annotated[
        str | None, typer.Option("--as-of", help="The day through which the list is complete, as 2024-12-31.")
    ] = None,
    replace: Replace = False,
    corrections: Corrections = False,
    dry_run: DryRun = False,
    url: Url = None,
    name: Name = None,
) -> None:
    """Import periods of subscriptions: customer, start, end (empty while it runs), and the amount a month.

    The list is the company's whole life. Columns: customer, start, end, amount; and where there are:
    currency, id, subscription, status.
    """
    through = day(as_of)

    def bring(connection: psycopg.Connection, progress: Progress) -> ImportReport:
        inputs = _inputs("periods", file, columns, query, source, progress)
        beside = _customers("periods", customers, customer_columns, customers_query, source, progress)
        spelling = Spelling(currency, dates, decimal, end_inclusive)
        return billing.import_periods(
            connection,
            inputs,
            beside,
            spelling=spelling,
            as_of=through,
            progress=progress,
            **_how(replace, corrections, dry_run),
        )

    _run(bring, url, name, dry_run=dry_run)


@importing.command(
    name="stripe-sync", epilog="Example: pgmrr import stripe-sync --source postgresql://me@db.example.com/app"
)
def import_stripe_sync(
    source: Annotated[str, typer.Option("--source", help="URL of the database that Stripe's sync engine fills.")],
    schema: Annotated[str, typer.Option(help="The schema with its tables.")] = "stripe",
    complete_history: Complete = False,
    replace: Replace = False,
    dry_run: DryRun = False,
    url: Url = None,
    name: Name = None,
) -> None:
    """Import invoices, line by line, and customers from the tables of Stripe's sync engine."""

    def bring(connection: psycopg.Connection, progress: Progress) -> ImportReport:
        return billing.import_stripe_sync(
            connection,
            source,
            schema=schema,
            complete_history=complete_history,
            progress=progress,
            **_how(replace, False, dry_run),
        )

    _run(bring, url, name, dry_run=dry_run)


def parse_map(texts: list[str] | None, option: str = "--map") -> dict[str, str]:
    """``["customer=Account,start=From"]`` as a dictionary; a name with a comma is quoted, as in CSV.

    Raises PgmrrError where it is not of this form, or names a column twice.
    """
    columns: dict[str, str] = {}
    try:
        items = [item for text in texts or [] for item in next(csv.reader([text]), [])]
    except csv.Error:
        raise PgmrrError(f"{option} holds the end of a line", f"write it as {option} customer=COLUMN") from None
    for item in items:
        name, equals, header = (part.strip() for part in item.partition("="))
        if not (name and equals and header):
            raise PgmrrError(
                f"{option} cannot be read at {item!r}", f"write it as {option} customer=COLUMN,start=COLUMN"
            )
        if name in columns:
            raise PgmrrError(f"{option} names {name} twice", "leave one of them out")
        columns[name] = header
    return columns


def _how(replace: bool, corrections: bool, dry_run: bool) -> dict[str, bool]:
    """The flags of ``import_files``, where they go together."""
    if replace and corrections:
        raise PgmrrError("corrections hold a few rows: they do not replace a file", "leave out --replace")
    return {"replace": replace, "corrections": corrections, "dry_run": dry_run}


def _run(
    bring: Callable[[psycopg.Connection, Progress], ImportReport], url: str | None, name: str | None, *, dry_run: bool
) -> None:
    database = choose(url, name)
    prepare(database, dry_run=dry_run)
    with show.progress() as progress, writing(database) as connection:
        done = bring(connection, progress)
    tell(done)


def _inputs(
    kind: str, file: Path | None, columns: list[str] | None, query: str | None, source: str | None, progress: Progress
) -> Input:
    """The file, or the query."""
    place = Place(kind, kind, parse_map(columns))
    if (file is None) == (query is None):
        raise PgmrrError(
            f"the {kind} are to come from a file or from a query",
            f"name one of them: pgmrr import {kind} FILE, or --from-query SQL --source URL",
        )
    if source and not query:
        raise PgmrrError("--source names the database of a query, and there is none", "name it by --from-query SQL")
    return file_at(file, place, progress) if file else _query(query or "", source, place, progress)


def _customers(
    kind: str,
    file: Path | None,
    columns: list[str] | None,
    query: str | None,
    source: str | None,
    progress: Progress,
) -> Input | None:
    """The customers, where there are any."""
    place = Place(kind, "customers", parse_map(columns, "--map-customers"))
    if file and query:
        raise PgmrrError("the customers are to come from a file or from a query", "leave one of them out")
    if place.columns and not (file or query):
        raise PgmrrError("--map-customers is for customers, and there are none", "name the file by --customers FILE")
    if query:
        return _query(query, source, place, progress, "the query of customers")
    return file_at(file, place, progress) if file else None


def _query(text: str, source: str | None, place: Place, progress: Progress, name: str = "the query") -> Query:
    if not source:
        raise PgmrrError(f"nothing says where {name} runs", "name the database by --source URL")
    if text.startswith("@"):
        path = Path(text[1:])
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise PgmrrError(f"{path} cannot be read: {error}", "name a file that holds the query: @FILE") from None
    return Query(text, source, place, progress, name=name)
