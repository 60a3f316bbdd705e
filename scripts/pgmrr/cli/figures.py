"""Commands that print figures."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated

import typer

from pgmrr import reports, show
from pgmrr.cli.options import As, Day, Name, Url, day_of, is_day
from pgmrr.cli.options import day as day_named
from pgmrr.database import Database, choose, reading
from pgmrr.errors import PgmrrError
from pgmrr.reports.history import MONTHLY_AS_OF, TOTAL_AS_OF, require_batch
from pgmrr.reports.segments import TRAILING, print_trailing
from pgmrr.show import Format, Kind

app = typer.Typer()


@app.command(epilog="Example: pgmrr kpis --db stripe")
def kpis(url: Url = None, name: Name = None, format_: As = Format.table) -> None:
    """Print the three KPIs of business health and MRR by month."""
    with reading(choose(url, name)) as connection:
        reports.print_kpis(connection, format_)


@app.command(epilog="Example: pgmrr mrr abc_000001 2024-06-30 --explain")
def mrr(
    customer: Annotated[str | None, typer.Argument(help="A customer's id; without one, the company.")] = None,
    day: Annotated[str | None, typer.Argument(help="A day, as 2024-06-30; without one, the last covered.")] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show the charges behind it, with their invoices.")
    ] = False,
    plot: Annotated[bool, typer.Option("--plot", help="Draw it by day, of the company or of a customer.")] = False,
    currency: Annotated[str | None, typer.Option(help="Convert to this currency.")] = None,
    as_of: Annotated[
        int | None,
        typer.Option("--as-of", metavar="BATCH", help="As it was known after this batch: see pgmrr batches."),
    ] = None,
    url: Url = None,
    name: Name = None,
    format_: As = Format.table,
) -> None:
    """Print MRR: by month, of the company on a day, or of a customer on a day; or draw it."""
    if customer and day is None and is_day(customer):
        customer, day = None, customer
    if plot:
        _require_all_days(day, explain, as_of is not None, format_ is not Format.table)
        _print_plot(choose(url, name), customer, currency)
        return
    if as_of is not None:
        _require_company(customer, currency, explain)
        _print_as_of(choose(url, name), as_of, day_named(day), format_)
        return
    asked = {"customer": customer, "day": day_named(day), "currency": currency}
    with reading(choose(url, name)) as connection:
        _require_day_or_customer(currency, customer or day)
        if explain and not customer:
            raise PgmrrError("--explain needs a customer", "pgmrr mrr CUSTOMER DAY --explain")
        if customer:
            report = reports.CUSTOMER_AT
        elif day:
            report = reports.TOTAL_AT
        else:
            report = reports.MONTHLY
        found = report.ask(connection, asked if report is not reports.MONTHLY else ())
        _require_found(customer, found)
        if explain:
            report = reports.EXPLAIN
            charges = report.ask(connection, asked)
            show.rows(charges, report.columns, format_, _customer_title(found[0]), report.empty)
        elif report is reports.MONTHLY:
            show.rows(found, reports.monthly_columns(found), format_, report.heading(connection), report.empty)
        else:
            show.rows(found, report.columns, format_, None, report.empty)
        if found and "mrr" in found[0] and found[0]["mrr"] is None:
            reports.note_coverage(connection)


@app.command(epilog="Example: pgmrr movements 2024-02-01 2024-02-29")
def movements(
    first: Day = None, last: Day = None, url: Url = None, name: Name = None, format_: As = Format.table
) -> None:
    """List the changes of MRR by customer in a range of days."""
    print_report(reports.MOVEMENTS, url, name, format_, {"first": day_of(first), "last": day_of(last)})


@app.command(epilog="Example: pgmrr churn --format csv")
def churn(
    trailing: Annotated[bool, typer.Option("--trailing", help="Show the last 3 and 12 months alone.")] = False,
    url: Url = None,
    name: Name = None,
    format_: As = Format.table,
) -> None:
    """Print churn and retention by month, and over the last 3 and 12 months: customers, MRR, NRR, GRR, LTV."""
    if format_ is not Format.table:
        print_report(TRAILING if trailing else reports.RETENTION_MONTHLY, url, name, format_, {"day": None})
        return
    if not trailing:
        print_report(reports.RETENTION_MONTHLY, url, name, format_, None, reports.RETENTION_NARROW)
        show.out.print()
    with reading(choose(url, name)) as connection:
        print_trailing(connection, TRAILING.ask(connection, {"day": None}))


@app.command(epilog="Example: pgmrr top 2024-06-30 --limit 20")
def top(
    day: Day = None,
    limit: Annotated[int, typer.Option(min=1, help="How many.")] = 10,
    url: Url = None,
    name: Name = None,
    format_: As = Format.table,
) -> None:
    """List the biggest customers on a day."""
    report = reports.BIGGEST
    with reading(choose(url, name)) as connection:
        found = report.ask(connection, {"day": day_of(day), "limit": limit})
        title = f"{report.heading(connection)}, on {found[0]['day']}" if found else None
        show.rows(found, report.columns, format_, title, report.empty)
        if not found:
            reports.note_coverage(connection)


@app.command(epilog="Example: pgmrr coverage")
def coverage(url: Url = None, name: Name = None, format_: As = Format.table) -> None:
    """Tell what the data can say and what they cannot, and what became of every invoice."""
    with reading(choose(url, name)) as connection:
        found = reports.COVERAGE.ask(connection)
        fates = reports.FATES.ask(connection)
        if format_ is Format.json:
            show.print_json(
                {
                    **show.plain(found, reports.COVERAGE.columns)[0],
                    "invoices": show.plain(fates, reports.FATES.columns),
                }
            )
        elif format_ is Format.csv:
            show.print_csv(show.plain(found, reports.COVERAGE.columns), [])
        else:
            reports.print_coverage(found[0])
            show.out.print()
            show.rows(fates, reports.FATES.columns, format_, "What became of the invoices", reports.FATES.empty)


@app.command(name="one-off", epilog="Example: pgmrr one-off --db stripe")
def one_off(url: Url = None, name: Name = None, format_: As = Format.table) -> None:
    """List invoices that count but do not recur: they are never MRR."""
    print_report(reports.ONE_OFF, url, name, format_)


@app.command(epilog="Example: pgmrr credits --db stripe")
def credits(url: Url = None, name: Name = None, format_: As = Format.table) -> None:
    """List credits that found no running charge to take away from."""
    print_report(reports.CREDITS, url, name, format_)


def print_report(
    report: reports.Report,
    url: str | None,
    name: str | None,
    format_: Format,
    parameters: dict[str, object] | None = None,
    narrow: Sequence[show.Column] | None = None,
) -> None:
    """Ask a report of the database and print it; with ``narrow`` columns where a table is too wide for its own."""
    with reading(choose(url, name)) as connection:
        found = report.ask(connection, parameters or ())
        columns = report.columns
        if narrow and format_ is Format.table:
            columns = show.fitting(found, columns, narrow)
        show.rows(found, columns, format_, report.heading(connection), report.empty)
        if not found and report.is_clipped:
            reports.note_coverage(connection)


def _print_plot(database: Database, customer: str | None, currency: str | None) -> None:
    """Draw MRR by day: of the customer, where there is one, else of the company."""
    with reading(database) as connection:
        _require_day_or_customer(currency, customer)
        if not customer:
            title = f"MRR, {reports.reporting_currency(connection)} a month"
            reports.print_plot(connection, reports.DAILY.ask(connection), title)
            return
        asked = {"customer": customer, "day": None, "currency": currency}
        found = reports.CUSTOMER_AT.ask(connection, asked)
        _require_found(customer, found)
        title = f"MRR of {found[0]['name']}, {found[0]['currency']} a month"
        reports.print_plot(connection, reports.CUSTOMER_DAILY.ask(connection, asked), title)


def _require_found(customer: str | None, found: Sequence[show.Row]) -> None:
    if customer and not found:
        raise PgmrrError(f"there is no customer {customer!r}", "list the biggest ones: pgmrr top")


def _require_day_or_customer(currency: str | None, either: str | None) -> None:
    if currency and not either:
        raise PgmrrError("--currency needs a day or a customer", "pgmrr mrr 2024-06-30 --currency EUR")


def _require_all_days(*others: object) -> None:
    """Raise PgmrrError where anything is asked with --plot that is not about all days."""
    if any(others):
        raise PgmrrError("--plot draws all days", "pgmrr mrr --plot, or pgmrr mrr CUSTOMER --plot")


def _require_company(*others: object) -> None:
    """Raise PgmrrError where anything is asked with --as-of that past versions do not tell."""
    if any(others):
        raise PgmrrError("--as-of is for the company in its reporting currency", "pgmrr mrr 2024-06-30 --as-of 1")


def _print_as_of(database: Database, batch: int, day: date | None, format_: Format) -> None:
    """Print MRR as it was known after a batch, by month or on a day."""
    with reading(database) as connection:
        require_batch(connection, batch)
        asked = {"batch": batch, "day": day}
        if day:
            found = TOTAL_AS_OF.ask(connection, asked)
            show.rows(found, TOTAL_AS_OF.columns, format_, None, TOTAL_AS_OF.empty)
            if found[0]["mrr"] is None:
                show.note("not covered by what was known then")
            return
        found = MONTHLY_AS_OF.ask(connection, asked)
        title = f"{reports.MONTHLY.heading(connection)}, as known after batch {batch}"
        show.rows(found, reports.monthly_columns(found), format_, title, MONTHLY_AS_OF.empty)


def _customer_title(row: show.Row) -> str:
    return f"{row['name']} on {row['day']}: {show.text_of(row['mrr'], Kind.money)} {row['currency']} a month"
