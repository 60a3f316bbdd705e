"""Commands that write what the database holds for other programs."""

from pathlib import Path
from typing import Annotated

import typer

from pgmrr import show, stripe_export
from pgmrr.cli.options import Name, Url, day
from pgmrr.database import choose, reading

app = typer.Typer()
export = typer.Typer(
    help="Write what the database holds for other programs.",
    epilog="Example: pgmrr export stripe exports/",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(export, name="export")


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
