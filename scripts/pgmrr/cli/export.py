"""Commands that write what the database holds for other programs."""

from pathlib import Path
from typing import Annotated

import typer

from pgmrr import excel_export, show, stripe_export, table_export
from pgmrr.cli import completion
from pgmrr.cli.options import Name, Url, day
from pgmrr.database import choose, reading
from pgmrr.errors import PgmrrError
from pgmrr.show import Column, Format, Kind

app = typer.Typer()
export = typer.Typer(
    help="Write what the database holds for other programs.",
    epilog="Example: pgmrr export tables exports/",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(export, name="export")


@export.command(name="tables", epilog="Example: pgmrr export tables exports/ --format csv,parquet --db stripe")
def export_tables(
    directory: Annotated[Path | None, typer.Argument(help="Where the files are written: new, or empty.")] = None,
    formats: Annotated[
        str, typer.Option("--format", help="csv, jsonl, parquet, or several of them with commas between.")
    ] = ",".join(table_export.FORMATS),
    only: Annotated[
        list[str] | None,
        typer.Option("--only", help="Only this table; may be given again.", autocompletion=completion.tables),
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="List the tables instead.")] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the files of an earlier export, and no others.")
    ] = False,
    url: Url = None,
    name: Name = None,
) -> None:
    """Write every public view, and every function that needs no argument, as files with a manifest.

    All are read in one transaction, so that they fit together. manifest.json tells the types and the meaning
    of all columns, counts, hashes, and from when the figures are.
    """
    with show.progress() as progress, reading(choose(url, name)) as connection:
        if list_:
            found = [{"table": table.call, "meaning": table.meaning} for table in table_export.tables(connection)]
            show.rows(found, [Column("table", "Table", Kind.label), Column("meaning", "Meaning")], Format.table)
            return
        if directory is None:
            raise PgmrrError("no directory is named", "pgmrr export tables DIR")
        written = table_export.export_tables(
            connection,
            directory,
            formats=_formats(formats),
            only=only or (),
            overwrite=overwrite,
            progress=progress,
        )
    show.note(f"{directory}: {len(written)} tables, {sum(table.rows for table in written):,} rows; see manifest.json")


@export.command(name="excel", epilog="Example: pgmrr export excel revenue.xlsx --db stripe")
def export_excel(
    file: Annotated[Path, typer.Argument(help="The workbook, a file that ends by .xlsx.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file where it exists.")] = False,
    url: Url = None,
    name: Name = None,
) -> None:
    """Write an Excel workbook: summary, waterfall, retention, cohorts, segments, customers, forecast, definitions."""
    with show.progress() as progress, reading(choose(url, name)) as connection:
        written = excel_export.export_excel(connection, file, overwrite=overwrite, progress=progress)
    show.note(f"{file}: {len(written)} sheets, {sum(sheet.rows for sheet in written):,} rows")


@export.command(name="stripe", epilog="Example: pgmrr export stripe exports/ --from 2025-01-01 --through 2025-02-28")
def export_stripe(
    directory: Annotated[Path, typer.Argument(help="Where invoices.csv and customers.csv are written.")],
    first: Annotated[str | None, typer.Option("--from", help="Only invoices of this day (UTC) and later.")] = None,
    last: Annotated[str | None, typer.Option("--through", help="Only invoices up to this day (UTC).")] = None,
    names: Annotated[bool, typer.Option("--names", help="Add the customers' names as a column.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the files where they exist.")] = False,
    url: Url = None,
    name: Name = None,
) -> None:
    """Write the invoices and customers as a Stripe dashboard export.

    The files have the columns and the spelling of Stripe's own. Customers are written whole, with what they
    paid over their whole life, whatever range of invoices is written.
    """
    with show.progress() as progress, reading(choose(url, name)) as connection:
        written = stripe_export.export_stripe(
            connection, directory, first=day(first), last=day(last), names=names, force=force, progress=progress
        )
    for file in written:
        show.note(f"{file.path}: {file.rows:,} rows")


def _formats(text: str) -> list[str]:
    """The formats that are named with commas between, each once. Raises PgmrrError for any other."""
    formats = list(dict.fromkeys(name.strip().lower() for name in text.split(",")))
    for name in formats:
        if name not in table_export.FORMATS:
            raise PgmrrError(f"{name!r} is not a format of tables", f"give some of {','.join(table_export.FORMATS)}")
    return formats
