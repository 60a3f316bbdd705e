"""How figures are printed: as a table for people, as JSON or CSV for programs.

Here, and only here, figures are rounded: money to cents, shares to a tenth of a percent
in tables and to six digits elsewhere. Data go to stdout, everything else to stderr.
"""

import io
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import Any

from rich.align import Align, AlignMethod
from rich.console import Console, RenderableType
from rich.measure import Measurement
from rich.padding import Padding
from rich.progress import BarColumn, ProgressColumn, SpinnerColumn, Task, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Moving
from rich.table import Table
from rich.text import Text

from pgmrr.confidential import hide
from pgmrr.csv_safety import csv_writer, safe_text
from pgmrr.meters import Watch

out = Console(highlight=False, soft_wrap=False)
err = Console(stderr=True, highlight=False)

Row = Mapping[str, Any]


class Format(StrEnum):
    """How a command prints its rows."""

    table = "table"
    json = "json"
    csv = "csv"


class Kind(StrEnum):
    """What a column holds, and so how it is printed."""

    text = "text"
    label = "label"  # text that is never cut
    number = "number"  # a figure that is text already
    money = "money"  # two decimals
    units = "units"  # no decimals
    change = "change"  # no decimals, coloured by its sign
    change_cents = "change_cents"  # two decimals, coloured by its sign
    scaled = "scaled"  # thousands or millions, one decimal
    scaled_change = "scaled_change"  # the same, coloured by its sign
    count = "count"  # type: ignore[assignment]  # hides the method of str, which nobody calls here
    share = "share"
    growth = "growth"  # a share with its sign
    ratio = "ratio"


@dataclass(frozen=True)
class Column:
    """A column of a table: its name in the rows, its heading, and what it holds.

    Where a table is too wide for the terminal it gives up columns: those with ``spare`` 1 first, those with 0 never.
    """

    name: str
    heading: str
    kind: Kind = Kind.text
    spare: int = 0


# Control characters but for the end of a line, other ends of lines, overrides of the direction of text, no text.
_OBEYED = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")

# Columns of a terminal in which a wrapped text reads well: for that a table gives up others.
_READABLE = 24

_SIGNED = (Kind.change, Kind.change_cents, Kind.scaled_change, Kind.growth)

_SCALES = {
    Kind.money: Decimal("0.01"),
    Kind.units: Decimal(1),
    Kind.change: Decimal(1),
    Kind.change_cents: Decimal("0.01"),
    Kind.scaled: Decimal("0.1"),
    Kind.scaled_change: Decimal("0.1"),
    Kind.share: Decimal("0.1"),
    Kind.growth: Decimal("0.1"),
    Kind.ratio: Decimal("0.01"),
}


def text_of(value: Any, kind: Kind) -> str:
    """A value as a person reads it; a dash where it is unknown."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if kind is Kind.count:
        return f"{value:,}"
    if kind in _SCALES:
        scaled = Decimal(value) * (100 if kind in (Kind.share, Kind.growth) else 1)
        rounded = scaled.quantize(_SCALES[kind], ROUND_HALF_UP) + 0  # no negative zero
        sign = "+" if kind in _SIGNED and rounded > 0 else ""
        return f"{sign}{rounded:,}" + (" %" if kind in (Kind.share, Kind.growth) else "")
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    return printable(str(value))


def printable(text: str) -> str:
    """The text without what a terminal obeys instead of showing it: such characters are spelled out."""
    return _OBEYED.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def _cell(value: Any, kind: Kind) -> Text:
    shown = text_of(value, kind)
    style = ""
    if kind in _SIGNED and value is not None and shown.strip("+-0., %"):
        style = "green" if value > 0 else "red"
    return Text(shown, style=style)


def table(rows: Iterable[Row], columns: Sequence[Column], title: str | None = None) -> Table:
    """The rows as a table; text to the left, figures to the right. Headings where there are any."""
    made = Table(
        title=None if title is None else Text(printable(title)),
        title_justify="left",
        title_style="bold",
        box=None,
        show_header=any(column.heading for column in columns),
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    for column in columns:
        side: AlignMethod = "left" if column.kind in (Kind.text, Kind.label) else "right"
        made.add_column(
            # Headings stand on the line of the shortest, rows begin with their first line.
            Align(Text(column.heading), side, vertical="bottom"),
            justify=side,
            header_style="dim",
            vertical="top",
            no_wrap=column.kind is not Kind.text,
        )
    for row in rows:
        made.add_row(*(_cell(row[column.name], column.kind) for column in columns))
    return made


def width(made: Table) -> int:
    """How many columns of a terminal the table takes."""
    return Measurement.get(out, out.options.update(width=1000), made).maximum


def rows(
    found: Sequence[Row],
    columns: Sequence[Column],
    format_: Format,
    title: str | None = None,
    empty: str = "nothing",
) -> None:
    """Print rows: a table shows ``columns``; JSON and CSV hold every column of the query."""
    if format_ is Format.json:
        print_json([_plain(row, columns) for row in found])
    elif format_ is Format.csv:
        print_csv([_plain(row, columns) for row in found], [column.name for column in columns])
    elif found:
        if all(row.get("name") == row.get("customer_id") for row in found):  # customers without names
            columns = [column for column in columns if column.name != "name"]
        _print_whole(found, columns, title)
    else:
        note(empty)


def fitting(found: Sequence[Row], *choices: Sequence[Column]) -> Sequence[Column]:
    """The first of the choices of columns of which a table fits, or the last."""
    return next((columns for columns in choices if width(table(found, columns)) <= out.width), choices[-1])


def is_narrow(columns: int) -> bool:
    """Whether what is printed is to fit less than so many columns: those of the terminal, or of COLUMNS."""
    return (out.is_terminal or "COLUMNS" in os.environ) and out.width < columns


def _print_whole(found: Sequence[Row], columns: Sequence[Column], title: str | None) -> None:
    """Print a table as wide as the terminal, or, where it is piped, as COLUMNS says; what is shown is never cut."""
    room = out.width if out.is_terminal or "COLUMNS" in os.environ else 200
    made = table(found, columns, title)
    for spare in sorted({column.spare for column in columns} - {0}):
        if _set_widths(made, room, _READABLE) <= room:
            break
        columns = [column for column in columns if column.spare != spare]
        made = table(found, columns, title)
    needed = _set_widths(made, room)
    Console(highlight=False, width=max(room, needed)).print(made)


def _set_widths(made: Table, room: int, readable: int = 0) -> int:
    """Give each column the width of its cells, the widest less where there is no room, and no word too little.

    Longer texts get the width ``readable`` at least. Returns how many columns of a terminal that takes.
    """
    wide = out.options.update(width=1000)
    least, widths = [], []
    for column in made.columns:
        heading = Measurement.get(out, wide, column.header).maximum
        cells = [Measurement.get(out, wide, cell) for cell in column.cells]
        widths.append(max(heading, *(cell.maximum for cell in cells)))
        words = max(heading, min(readable, widths[-1]), *(cell.minimum for cell in cells))
        least.append(widths[-1] if column.no_wrap else words)
    gaps = len(widths) - 1
    while sum(widths) + gaps > room and widths != least:
        widest = max((place for place in range(len(widths)) if widths[place] > least[place]), key=widths.__getitem__)
        widths[widest] -= 1
    for column, width_ in zip(made.columns, widths, strict=True):
        column.width = width_
    return sum(widths) + gaps


def print_json(value: Any) -> None:
    """Print a value as JSON."""
    text = json.dumps(value, indent=2, ensure_ascii=False, default=_json_value)
    # Within its strings, JSON may spell every character as a number. The ends of lines stand between them.
    sys.stdout.write(_OBEYED.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n")


def print_csv(found: Sequence[Row], names: Sequence[str]) -> None:
    """Print rows as CSV with a header, also where there are none; no text runs in a spreadsheet."""
    buffer = io.StringIO()
    writer = csv_writer(buffer)
    headings = list(found[0]) if found else list(names)
    writer.writerow(headings)
    writer.writerows([_csv_value(row[name]) for name in headings] for row in found)
    write_text(buffer.getvalue())


def write_text(text: str) -> None:
    """Write data as they are; where a person reads them on a terminal, without what the terminal would obey."""
    sys.stdout.write(printable(text) if sys.stdout.isatty() else text)


def plain(found: Iterable[Row], columns: Sequence[Column]) -> list[dict[str, Any]]:
    """Rows as JSON and CSV hold them, rounded as their columns say."""
    return [_plain(row, columns) for row in found]


def _plain(row: Row, columns: Sequence[Column]) -> dict[str, Any]:
    kinds = {column.name: column.kind for column in columns}
    return {name: _rounded(value, kinds.get(name)) for name, value in row.items()}


def _rounded(value: Any, kind: Kind | None) -> Any:
    if not isinstance(value, Decimal):
        return value
    money = kind in (Kind.money, Kind.units, Kind.change, Kind.change_cents)
    places = Decimal("0.01") if money else Decimal("0.000001")
    return value.quantize(places, ROUND_HALF_UP)


def _json_value(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, date | datetime):
        return value.isoformat()
    return str(value)


def _csv_value(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=_json_value)
    if isinstance(value, str):
        return safe_text(value)
    return "" if value is None else value


def note(text: str) -> None:
    """Say something beside the data."""
    err.print(_said(text), style="dim")


def _said(text: str) -> Text:
    return Text(printable(hide(text)))


def paragraph(text: str, indent: int = 0) -> None:
    """Print a sentence or two among the tables, wrapped to the terminal."""
    out.print(Padding(Text(printable(text), style="dim"), (0, 0, 0, indent)), width=min(out.width, 80))


@contextmanager
def progress() -> Iterator["Progress | MovingProgress"]:
    """Show on stderr what a long step is doing: one moving line on a terminal, else a line a step."""
    if not err.is_terminal:
        yield Progress(note)
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        _Share(20),
        _Rows(),
        TimeElapsedColumn(),
    )
    with Moving(*columns, console=err, transient=True) as moving:
        yield MovingProgress(moving)


@dataclass(frozen=True)
class Progress:
    """Called with what is being done."""

    say: Any

    def __call__(self, text: str) -> None:
        """Say it."""
        self.say(text)


class MovingProgress:
    """Called with what is being done; on one line of a terminal it shows that, how long it takes, and how far it is."""

    def __init__(self, moving: Moving) -> None:
        self._moving = moving

    def __call__(self, text: str) -> None:
        """Begin a step."""
        self.measure(text, None)

    def measure(self, text: str, total: int | None) -> Watch:
        """Begin a step that tells how far it is."""
        for earlier in self._moving.task_ids:
            self._moving.remove_task(earlier)
        step = self._moving.add_task(_said(text).plain, total=total, rows=0)

        def watch(rows: int, done: int = 0) -> None:
            self._moving.update(step, completed=done, rows=rows)

        return watch


class _Share(ProgressColumn):
    """A bar, where it is known how much there is."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self._bar = BarColumn(bar_width=width)

    def render(self, task: Task) -> RenderableType:
        return self._bar.render(task) if task.total else Text("")


class _Rows(ProgressColumn):
    """How many rows are through, and how many in a second."""

    def render(self, task: Task) -> Text:
        rows = task.fields["rows"]
        if not rows or not task.elapsed:
            return Text("")
        return Text(f"{rows:,} rows, {rows / task.elapsed:,.0f}/s")
