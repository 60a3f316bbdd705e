"""The command that examines a database."""

from typing import Annotated

import typer

from pgmrr import citus, show
from pgmrr.cli.options import As, Name, Url
from pgmrr.database import choose, for_chosen
from pgmrr.doctor import examine
from pgmrr.show import Column, Format, Kind

app = typer.Typer()

_COLUMNS = [
    Column("state", "State", Kind.label),
    Column("check_name", "Check", Kind.label),
    Column("compared", "Compared", Kind.count),
    Column("wrong", "Wrong", Kind.count),
]


@app.command(epilog="Example: pgmrr doctor --thorough --format json")
def doctor(
    thorough: Annotated[
        bool,
        typer.Option("--thorough", help="Evaluate the rules again for every customer, and name code that differs."),
    ] = False,
    url: Url = None,
    name: Name = None,
    format_: As = Format.table,
) -> None:
    """Check that everything in the database fits together, and say what to do where it does not.

    Changes nothing. Exit code 1 where something is wrong; a note is worth a look, and no more.
    """
    with show.progress() as progress:
        database = choose(url, name)
        found = list(examine(database, thorough=thorough, progress=progress))
    show.rows([finding.row() for finding in found], _COLUMNS, format_)
    failed = [finding for finding in found if finding.state != "ok"]
    if format_ is Format.table:
        for finding in failed:
            show.out.print()
            show.paragraph(f"{finding.state}: {finding.check_name}: {finding.wrong:,} of {finding.compared:,}.")
            show.paragraph(f"Must hold: {finding.meaning}", indent=4)
            show.paragraph(f"For example: {finding.example}", indent=4)
            show.paragraph(f"What to do: {for_chosen(finding.hint)}", indent=4)
        wrong = sum(finding.state == "wrong" for finding in failed)
        show.note(f"{len(found)} checks: {wrong} wrong, {len(failed) - wrong} worth a look")
        if servers := citus.servers(database.url):
            show.note(f"the tables are divided by customer over {len(servers)} servers: {', '.join(servers)}")
    if any(finding.state == "wrong" for finding in failed):
        raise typer.Exit(1)
