"""The options that commands share."""

from datetime import date, datetime
from typing import Annotated

import typer

from pgmrr.cli import completion
from pgmrr.errors import PgmrrError
from pgmrr.show import Format

Url = Annotated[
    str | None,
    typer.Option("--database", envvar="DATABASE_URL", show_envvar=True, help="URL of your own database."),
]
Name = Annotated[
    str | None,
    typer.Option("--db", help="Database on the embedded server. [default: abc]", autocompletion=completion.databases),
]
As = Annotated[Format, typer.Option("--format", help="How to print.")]
Complete = Annotated[
    bool, typer.Option("--complete-history", help="The data hold the company's whole life, not a part of it.")
]
Day = Annotated[datetime | None, typer.Argument(formats=["%Y-%m-%d"], help="A day, as 2024-06-30.")]


def day_of(moment: datetime | None) -> date | None:
    """The day that typer read as a time."""
    return moment.date() if moment else None


def is_day(text: str) -> bool:
    """Whether the text is a day, as 2024-06-30."""
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def day(text: str | None) -> date | None:
    """The day that the text names. Raises PgmrrError where it names none."""
    if text is None:
        return None
    if not is_day(text):
        raise PgmrrError(f"{text!r} is not a day", "write it as 2024-06-30")
    return date.fromisoformat(text)
