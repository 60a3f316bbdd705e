"""Commands about rows that could not be read, and about what looks wrong in those that were."""

from pathlib import Path
from typing import Annotated

import typer

from pgmrr import show
from pgmrr.cli.figures import print_report
from pgmrr.cli.options import As, Name, Url
from pgmrr.database import choose, for_chosen, reading
from pgmrr.errors import PgmrrError
from pgmrr.quarantine import Corrections, corrections
from pgmrr.reports.quarantine import REASONS, REJECTED, REJECTED_WHOLE, WARNING_COUNTS, WARNINGS
from pgmrr.show import Format

app = typer.Typer()

_AGAIN = {
    "invoices": "pgmrr import stripe --corrections --invoices {}",
    "customers": "pgmrr import stripe --corrections --customers {}",
}


@app.command(epilog="Example: pgmrr rejected --csv corrected.csv")
def rejected(
    csv_: Annotated[
        Path | None, typer.Option("--csv", help="Write the rows as their file had them, to correct; - for stdout.")
    ] = None,
    only: Annotated[str | None, typer.Option(help="Only rows of: invoices, customers, lines or periods.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file where it exists.")] = False,
    reasons: Annotated[bool, typer.Option("--reasons", help="List every reason there is.")] = False,
    url: Url = None,
    name: Name = None,
    format_: As = Format.table,
) -> None:
    """List the rows that could not be read: file, line, column, value, reason, and what to do."""
    if reasons:
        print_report(REASONS, url, name, format_)
        return
    if only and not csv_:
        raise PgmrrError("--only says which rows to write", "pgmrr rejected --csv FILE --only invoices")
    if force and not csv_:
        raise PgmrrError("--force replaces a file, and none is named", "pgmrr rejected --csv FILE --force")
    if not csv_:
        print_report(REJECTED, url, name, format_)
        return
    with reading(choose(url, name)) as connection:
        made = corrections(REJECTED_WHOLE.ask(connection), only)
    _write(made, csv_, force=force)
    for row in made.not_kept:
        show.note(f"too long to be kept whole: correct line {row['line_number']} in {row['file']} itself")
    again = _AGAIN.get(made.role, f"pgmrr import {made.role} {{}} --corrections")
    show.note(for_chosen(f"{made.rows:,} rows; correct them, then: {again.format(csv_)}"))


@app.command(epilog="Example: pgmrr warnings --count")
def warnings(
    count: Annotated[bool, typer.Option("--count", help="Only how many there are of each kind.")] = False,
    url: Url = None,
    name: Name = None,
    format_: As = Format.table,
) -> None:
    """List what looks wrong in the data though it could be read; no figure depends on it."""
    print_report(WARNING_COUNTS if count else WARNINGS, url, name, format_)


def _write(made: Corrections, path: Path, *, force: bool) -> None:
    """Write the file, or to stdout. One that is there may hold corrections by now: it stays, unless forced."""
    if str(path) == "-":
        show.write_text(made.text)
        return
    try:
        with path.open("w" if force else "x", encoding="utf-8", newline="") as file:
            file.write(made.text)
    except FileExistsError:
        raise PgmrrError(f"{path} already exists", "replace it: --force") from None
    except OSError as error:
        raise PgmrrError(f"{path}: {error.strerror}", "give a file that can be written") from None
