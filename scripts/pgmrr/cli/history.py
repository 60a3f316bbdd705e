"""Commands about what was brought in, taking it back, and figures as they were reported."""

import sys
from typing import Annotated

import typer

from pgmrr import show
from pgmrr.cli.figures import print_report
from pgmrr.cli.options import As, Name, Url
from pgmrr.database import choose, reading, writing
from pgmrr.errors import PgmrrError
from pgmrr.history import undo as take_back
from pgmrr.reports.history import BATCHES, COMPARED, LAST_BATCH, RESTATED_MONTHS, RESTATEMENTS, require_batch
from pgmrr.show import Format, Row

app = typer.Typer()


@app.command(epilog="Example: pgmrr batches --format json")
def batches(url: Url = None, name: Name = None, format_: As = Format.table) -> None:
    """List what was brought in, and when."""
    print_report(BATCHES, url, name, format_)


@app.command(epilog="Example: pgmrr undo --yes")
def undo(
    yes: Annotated[bool, typer.Option("--yes", help="Yes, take it back.")] = False,
    url: Url = None,
    name: Name = None,
) -> None:
    """Take the last batch back: an import, a simulation, a setting or a rate, as if it had never been."""
    database = choose(url, name)
    with reading(database) as connection:
        last = LAST_BATCH.ask(connection)
    if not last:
        show.note("nothing to take back: there are no batches")
        return
    [batch] = last
    if not yes:
        show.note(f"the last batch is {_described(batch)}")
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise PgmrrError("this takes the last batch back", "if you mean it: pgmrr undo --yes")
        typer.confirm("Take it back?", abort=True, err=True)
    with show.progress() as progress, writing(database) as connection:
        take_back(connection, batch["batch_id"], progress)
    show.note(f"taken back: {_described(batch)}")


@app.command(epilog="Example: pgmrr restatements 1 3")
def restatements(
    first: Annotated[int | None, typer.Argument(metavar="[FROM]", help="As known after this batch …")] = None,
    last: Annotated[int | None, typer.Argument(metavar="[TO]", help="… and after this one.")] = None,
    url: Url = None,
    name: Name = None,
    format_: As = Format.table,
) -> None:
    """Tell which past months later batches changed, by how much, and through which invoices."""
    with reading(choose(url, name)) as connection:
        [asked] = COMPARED.ask(connection, {"first": first, "last": last})
        for batch in (first, last):
            require_batch(connection, batch)
        if asked["first"] is not None and asked["last"] is not None and asked["first"] > asked["last"]:
            raise PgmrrError(
                f"batch {asked['first']} comes after batch {asked['last']}", "give the earlier batch first"
            )
        found = RESTATEMENTS.ask(connection, asked)
        if format_ is not Format.table or not found:
            show.rows(found, RESTATEMENTS.columns, format_, None, RESTATEMENTS.empty)
            return
        months = RESTATED_MONTHS.ask(connection, asked)
        show.rows(months, RESTATED_MONTHS.columns, format_, RESTATED_MONTHS.heading(connection))
        show.out.print()
        show.rows([_in_words(row) for row in found], RESTATEMENTS.columns, format_, RESTATEMENTS.title)


def _in_words(row: Row) -> Row:
    """A restatement with its kinds and invoices as a person reads them."""
    kinds = [f"{kind} {show.text_of(change, show.Kind.change_cents)}" for kind, change in row["kinds"].items()]
    return {**row, "kinds": ", ".join(kinds), "invoice_ids": ", ".join(row["invoice_ids"])}


def _described(batch: Row) -> str:
    what = " ".join(filter(None, [batch["kind"], batch["source"] if batch["kind"] == "import" else None]))
    told = "; ".join(filter(None, [batch["files"], batch["summary"]]))
    return f"batch {batch['batch_id']}, {what} of {batch['created_at']:%Y-%m-%d %H:%M} ({told})"
