"""Commands that look at customers in groups: cohorts, segments, concentration, renewals."""

from enum import StrEnum
from typing import Annotated

import typer

from pgmrr import show
from pgmrr.cli import completion
from pgmrr.cli.options import As, Day, Name, Url, day_of
from pgmrr.database import choose, reading
from pgmrr.reports import note_coverage
from pgmrr.reports.cohorts import COHORTS, print_triangle
from pgmrr.reports.report import Report, reporting_currency
from pgmrr.reports.segments import (
    ATTRIBUTES,
    CONCENTRATION,
    RENEWALS,
    RENEWALS_MONTHLY,
    SEGMENTS,
    print_concentration,
    print_renewals,
    print_segments,
)
from pgmrr.show import Format

app = typer.Typer()


class Basis(StrEnum):
    """What makes a cohort."""

    first_mrr = "first_mrr"
    signup = "signup"


@app.command(epilog="Example: pgmrr cohorts --mrr --basis signup")
def cohorts(
    basis: Annotated[
        Basis, typer.Option(help="By the month of the first MRR, or in which the customer was created.")
    ] = Basis.first_mrr,
    mrr: Annotated[bool, typer.Option("--mrr", help="Show MRR instead of customers.")] = False,
    absolute: Annotated[bool, typer.Option("--absolute", help="Show figures instead of shares.")] = False,
    url: Url = None,
    name: Name = None,
    format_: As = Format.table,
) -> None:
    """Print how well each cohort of customers is kept, month by month."""
    with reading(choose(url, name)) as connection:
        found = COHORTS.ask(connection, {"basis": basis.value})
        if found and format_ is Format.table:
            measure = "mrr" if mrr else "customers"
            print_triangle(found, basis.value, measure, absolute, reporting_currency(connection))
            return
        show.rows(found, COHORTS.columns, format_, None, COHORTS.empty)
        if not found:
            note_coverage(connection)


@app.command(epilog="Example: pgmrr segment company_size 2024-06-30")
def segment(
    attribute: Annotated[
        str | None,
        typer.Argument(
            help="currency, term, price_band or one of the customers; without one, the list.",
            autocompletion=completion.attributes,
        ),
    ] = None,
    day: Day = None,
    limit: Annotated[int, typer.Option(min=1, help="How many segments a table shows.")] = 25,
    url: Url = None,
    name: Name = None,
    format_: As = Format.table,
) -> None:
    """Print MRR by segment on a day, or list what customers can be segmented by."""
    with reading(choose(url, name)) as connection:
        if attribute is None:
            found = ATTRIBUTES.ask(connection)
            show.rows(found, ATTRIBUTES.columns, format_, ATTRIBUTES.title, ATTRIBUTES.empty)
            show.note("active: with MRR on the last covered day; known: whether they ever paid or not")
            return
        found = SEGMENTS.ask(connection, {"attribute": attribute, "day": day_of(day)})
        if found and format_ is Format.table:
            print_segments(connection, found, attribute, day_of(day), limit)
            return
        show.rows(found, SEGMENTS.columns, format_, None, SEGMENTS.empty)
        if not found:
            note_coverage(connection)


@app.command(epilog="Example: pgmrr concentration 2024-06-30")
def concentration(day: Day = None, url: Url = None, name: Name = None, format_: As = Format.table) -> None:
    """Print how much of MRR rests on few customers."""
    with reading(choose(url, name)) as connection:
        found = CONCENTRATION.ask(connection, {"day": day_of(day)})
        if found and format_ is Format.table:
            print_concentration(found[0], reporting_currency(connection))
            return
        show.rows(found, CONCENTRATION.columns, format_, None, CONCENTRATION.empty)
        if not found:
            note_coverage(connection)


@app.command(epilog="Example: pgmrr renewals 2025-01-01 2025-03-31 --list")
def renewals(
    first: Day = None,
    last: Day = None,
    single: Annotated[bool, typer.Option("--list", help="List the single renewals.")] = False,
    url: Url = None,
    name: Name = None,
    format_: As = Format.table,
) -> None:
    """Print which MRR comes up for renewal in the months ahead, or whose."""
    report: Report = RENEWALS if single else RENEWALS_MONTHLY
    with reading(choose(url, name)) as connection:
        found = report.ask(connection, {"first": day_of(first), "last": day_of(last)})
        if found and format_ is Format.table and not single:
            print_renewals(connection, found, day_of(first), day_of(last))
            return
        title = f"{report.heading(connection)}, seen from {found[0]['seen_from']}" if found else None
        show.rows(found, report.columns, format_, title, report.empty)
        if not found:
            note_coverage(connection)
