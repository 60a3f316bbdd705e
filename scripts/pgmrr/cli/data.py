"""Commands that bring data in, and settings."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from pgmrr import migrations, rates, reports, show, simulation, stripe
from pgmrr.cli import completion
from pgmrr.cli.figures import print_report
from pgmrr.cli.options import As, Complete, Name, Url, day
from pgmrr.database import Database, choose, for_chosen, reading, writing
from pgmrr.errors import PgmrrError
from pgmrr.import_report import ImportReport
from pgmrr.locks import writer_lock
from pgmrr.show import Format

app = typer.Typer()
importing = typer.Typer(
    help="Bring billing data in.",
    epilog="Example: pgmrr import stripe --invoices invoices.csv --customers customers.csv",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(importing, name="import")


class Profile(StrEnum):
    """The companies that can be simulated."""

    abc = "abc"
    saas = "saas"


@app.command(epilog="Example: pgmrr start --stripe exports/")
def start(
    stripe_directory: Annotated[
        Path | None,
        typer.Option("--stripe", help="Directory with invoices.csv and customers.csv of a Stripe export."),
    ] = None,
    url: Url = None,
    name: Name = None,
) -> None:
    """Bring all up and print the KPIs: of ABC Enterprises, or of a Stripe export.

    Simulates ABC Enterprises where the database is empty. Run again, it changes nothing.
    """
    database = choose(url, name or ("stripe" if stripe_directory and not url else None))
    files = stripe_files(stripe_directory) if stripe_directory else None
    prepare(database)
    if files:
        _import_stripe(database, *files)
    else:
        _simulate_where_empty(database)
    with reading(database) as connection:
        reports.print_kpis(connection, Format.table)


@app.command(epilog="Example: pgmrr simulate --profile saas --companies 2000 --db saas")
def simulate(
    profile: Annotated[Profile, typer.Option(help="Which company is simulated.")] = Profile.abc,
    companies: Annotated[int, typer.Option(help="How many companies are acquired.")] = simulation.Parameters.companies,
    months: Annotated[
        int | None, typer.Option(help="How many months are simulated. [default: 12; of saas, 36]")
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same data.")] = simulation.Parameters.seed,
    start: Annotated[
        str | None, typer.Option(help="First day of the first month. [default: 2024-01-01; of saas, 2022-01-01]")
    ] = None,
    url: Url = None,
    name: Name = None,
) -> None:
    """Simulate ABC Enterprises: 500 companies, their sessions and invoices, over 12 months.

    Or, as profile saas, a richer company over three years, with invoices of every kind that Stripe exports:
    plans and seats, months and years, trials, free plans, coupons, taxes, two currencies, changes in mid-cycle,
    failed payments, customers who leave and come back. Its true MRR is known, and held against what the rules
    make of the invoices.
    """
    chosen = simulation.SaasParameters if profile is Profile.saas else simulation.Parameters
    parameters = chosen(companies, chosen.months if months is None else months, seed, day(start) or chosen.start)
    database = choose(url, name)
    prepare(database)
    if isinstance(parameters, simulation.SaasParameters):
        _simulate_saas(database, parameters)
    else:
        _simulate(database, parameters)


@importing.command(
    name="stripe", epilog="Example: pgmrr import stripe --invoices invoices.csv --customers customers.csv"
)
def import_stripe(
    invoices: Annotated[Path | None, typer.Option(help="The invoices of a Stripe dashboard export, as CSV.")] = None,
    customers: Annotated[Path | None, typer.Option(help="The customers of it, as CSV.")] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Drop known invoices that the file should hold and does not.")
    ] = False,
    complete_history: Complete = False,
    complete: Annotated[bool, typer.Option("--complete", hidden=True)] = False,  # its name in version 0.1
    corrections: Annotated[
        bool, typer.Option("--corrections", help="The files hold rows that were rejected, corrected, and no others.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the report, and change nothing.")] = False,
    url: Url = None,
    name: Name = None,
) -> None:
    """Import a Stripe export. The same files again change nothing."""
    complete_history = complete_history or complete
    if corrections and (replace or complete_history):
        raise PgmrrError(
            "corrections hold a few rows: they neither replace an export nor hold the company's whole life",
            "leave out --replace and --complete-history",
        )
    if not invoices and not (corrections and customers):
        raise PgmrrError("--invoices is missing", "pgmrr import stripe --invoices FILE --customers FILE")
    database = choose(url, name)
    prepare(database, dry_run=dry_run)
    how = {"replace": replace, "complete_history": complete_history, "corrections": corrections, "dry_run": dry_run}
    _import_stripe(database, invoices, customers, **how)


@app.command(epilog="Example: pgmrr settings time_zone Europe/Berlin")
def settings(
    setting: Annotated[
        str | None, typer.Argument(help="Name of a setting.", autocompletion=completion.settings)
    ] = None,
    value: Annotated[str | None, typer.Argument(help="Its new value; 'default' for the default.")] = None,
    history: Annotated[
        bool, typer.Option("--history", help="List every change of settings and rates: what, when, by whom.")
    ] = False,
    url: Url = None,
    name: Name = None,
    format_: As = Format.table,
) -> None:
    """Show the settings of the rules, or change one, which rebuilds what depends on it."""
    if history:
        if setting:
            raise PgmrrError("--history lists the changes of all settings", "pgmrr settings --history")
        print_report(reports.SETTING_CHANGES, url, name, format_)
        return
    if setting and value is not None:
        database = choose(url, name)
        with show.progress() as progress, writing(database) as connection:
            progress(f"setting {setting} and rebuilding")
            rates.set_setting(connection, setting, value)
    print_report(reports.SETTINGS, url, name, format_)


@app.command(epilog="Example: pgmrr fx --set USD=1.0411")
def fx(
    set_: Annotated[str | None, typer.Option("--set", help="Set a rate in units for one euro, as USD=1.04.")] = None,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Take the newest rates of the European Central Bank.")
    ] = False,
    url: Url = None,
    name: Name = None,
    format_: As = Format.table,
) -> None:
    """Show the exchange rates and where they come from, or set them."""
    database = choose(url, name)
    if set_:
        with writing(database) as connection:
            rates.set_by_user(connection, set_)
    if refresh:
        with writing(database) as connection:
            rates.refresh(connection)
    print_report(reports.RATES, url, name, format_)


def stripe_files(directory: Path) -> tuple[Path, Path | None]:
    """The invoices and, where there is one, the customers file in a directory."""
    if not directory.is_dir():
        raise PgmrrError(f"there is no directory {directory}", "give the directory that holds invoices.csv")
    invoices, customers = directory / "invoices.csv", directory / "customers.csv"
    if not invoices.is_file():
        raise PgmrrError(
            f"{directory} holds no invoices.csv",
            "or name the files: pgmrr import stripe --invoices F --customers F",
        )
    return invoices, customers if customers.is_file() else None


def prepare(database: Database, *, dry_run: bool = False) -> None:
    """Start the server where needed, and bring the schema up to date; for a dry run, the server alone."""
    if dry_run:
        if database.server:
            database.server.start()
        return
    with show.progress() as progress:
        if database.server and not database.server.status().running:
            progress("starting the server")
        database.ensure_running()
        with writing(database):  # explains what cannot be reached
            pass
        migrations.migrate(database.url, progress=progress)


def _simulate_where_empty(database: Database) -> None:
    """Simulate ABC Enterprises unless there are data, also where another start does so at this moment."""
    with show.progress() as progress, writing(database) as connection, writer_lock(connection, progress):
        if connection.execute("select 1 from kpi.batches where source is not null limit 1").fetchone():
            return
        done = simulation.simulate(connection, simulation.Parameters(), progress)
    _report_simulation(done)


def _simulate(database: Database, parameters: simulation.Parameters) -> None:
    with show.progress() as progress, writing(database) as connection:
        done = simulation.simulate(connection, parameters, progress)
    _report_simulation(done)


def _simulate_saas(database: Database, parameters: simulation.SaasParameters) -> None:
    with show.progress() as progress, writing(database) as connection:
        done = simulation.simulate_saas(connection, parameters, progress)
        progress("comparing with the true MRR")
        found = simulation.accuracy(connection)
    show.note(
        f"simulated a company: {done.acquired:,} customers acquired, {done.paying:,} of them ever paid; "
        f"{done.invoices:,} invoices"
    )
    if found.worst_total is not None:
        show.note(
            f"the rules give the true MRR of {found.right_customers:,} of {found.customers:,} customers back on every "
            f"day; the total is off by up to {found.worst_total:.4%} ({found.worst_total_on})"
        )


def _report_simulation(done: simulation.SimulationResult) -> None:
    show.note(
        f"simulated ABC Enterprises: {done.acquired:,} companies acquired, {done.paying:,} of them "
        f"ever paid; {done.sessions:,} sessions, {done.invoices:,} invoices"
    )


def _import_stripe(database: Database, invoices: Path | None, customers: Path | None, **options: bool) -> None:
    with show.progress() as progress, writing(database) as connection:
        done = stripe.import_stripe(connection, invoices, customers, progress=progress, **options)
    tell(done)


def tell(done: ImportReport) -> None:
    """Print what an import did."""
    for line in done.lines():
        show.note(for_chosen(line))
