"""Commands that look behind the figures: unusual days, other definitions, unpaid money, use of the product."""

from enum import StrEnum
from typing import Annotated

import typer

from pgmrr import reports
from pgmrr.cli.options import As, Day, Name, Url, day_of
from pgmrr.database import choose, reading
from pgmrr.errors import PgmrrError
from pgmrr.reports import analysis
from pgmrr.show import Format

app = typer.Typer()

Limit = Annotated[int, typer.Option(min=1, help="How many of each list.")]


class Grain(StrEnum):
    """What is compared with its like."""

    day = "day"
    week = "week"
    month = "month"


@app.command(epilog="Example: pgmrr days 2024-01-01 2024-12-31 --grain week")
def days(
    first: Day = None,
    last: Day = None,
    grain: Annotated[Grain, typer.Option(help="Days, weeks or months.")] = Grain.day,
    threshold: Annotated[float, typer.Option(help="Score from which a change is unusual.")] = 3.5,
    url: Url = None,
    name: Name = None,
    format_: As = Format.table,
) -> None:
    """List days (weeks, months) in which MRR changed unusually, and who made it."""
    asked = {"grain": grain, "threshold": threshold, "first": day_of(first), "last": day_of(last)}
    with reading(choose(url, name)) as connection:
        if not analysis.print_significant(connection, format_, asked):
            reports.note_coverage(connection)


@app.command(epilog="Example: pgmrr profiles 2024-06-01 2024-06-30 --customers")
def profiles(
    first: Day = None,
    last: Day = None,
    customers: Annotated[bool, typer.Option("--customers", help="List the customers who make the difference.")] = False,
    definitions: Annotated[bool, typer.Option("--definitions", help="List the definitions and their sources.")] = False,
    url: Url = None,
    name: Name = None,
    format_: As = Format.table,
) -> None:
    """Compare churn, ARPA and LTV under the published rules of Stripe, ChartMogul and ProfitWell."""
    if customers and definitions:
        raise PgmrrError("--customers and --definitions are two lists", "ask for one at a time")
    asked = {"first": day_of(first), "last": day_of(last)}
    if definitions:
        with reading(choose(url, name)) as connection:
            analysis.print_definitions(connection, format_)
    elif customers:
        with reading(choose(url, name)) as connection:
            if not analysis.print_differences(connection, format_, asked["first"], asked["last"]):
                reports.note_coverage(connection)
    else:
        with reading(choose(url, name)) as connection:
            if not analysis.print_profiles(connection, format_, asked["first"], asked["last"]):
                reports.note_coverage(connection)


@app.command(epilog="Example: pgmrr unpaid --db stripe --limit 5")
def unpaid(limit: Limit = 10, url: Url = None, name: Name = None, format_: As = Format.table) -> None:
    """Print what became of billed money: late, given up, never paid, forgotten drafts, replaced invoices."""
    with reading(choose(url, name)) as connection:
        analysis.print_unpaid(connection, format_, limit)


@app.command(epilog="Example: pgmrr engagement 2024-06-30 --limit 20")
def engagement(
    day: Day = None, limit: Limit = 10, url: Url = None, name: Name = None, format_: As = Format.table
) -> None:
    """Print sessions by month, customers whose sessions fell by half, and whether that tells of churn."""
    with reading(choose(url, name)) as connection:
        analysis.print_engagement(connection, format_, day_of(day), limit)
