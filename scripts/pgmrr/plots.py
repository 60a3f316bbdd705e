"""Draws amounts by day with characters, for a terminal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

_EIGHTHS = " ▁▂▃▄▅▆▇█"
_UNKNOWN = "·"
_LABEL = len("2024-06")


@dataclass(frozen=True)
class Plot:
    """The lines of a plot, and how many days a column of it stands for."""

    lines: Sequence[str]
    days: int


def plot(amounts: Mapping[date, Decimal], width: int, height: int = 12) -> Plot:
    """A plot of the amounts, none of them negative, over the calendar months of their days.

    A column is a day, or as many days as the ``width`` makes necessary, and is as high as the amount on the last of
    them that has one; 0 is at the bottom. A point marks days without an amount.
    """
    first = min(amounts).replace(day=1)
    days = [first + timedelta(days=number) for number in range((_month_after(max(amounts)) - first).days)]
    tick = _tick(max(amounts.values()), height)
    labels = [f"{tick * number:,}" for number in range(_ticks(max(amounts.values()), tick) + 1)]
    margin = max(map(len, labels))
    each = -(-len(days) // max(width - margin - 2, 1))
    columns = [days[place : place + each] for place in range(0, len(days), each)]
    top = tick * (len(labels) - 1)
    bars = [_bar([amounts[day] for day in column if day in amounts], top, height) for column in columns]

    rows = {round(height * number / (len(labels) - 1)): label for number, label in enumerate(labels)}
    lines = [
        f"{rows.get(row, ''):>{margin}} {'┤' if row in rows else '│'}{''.join(bar[row - 1] for bar in bars)}".rstrip()
        for row in range(height, 0, -1)
    ]
    months = _months(columns)
    ticks = "".join("┬" if place in months else "─" for place in range(len(columns)))
    lines.append(f"{rows[0]:>{margin}} └{ticks}")
    named = ""
    for place, month in months.items():
        named = f"{named:<{place}}{month}"
    lines.append(" " * (margin + 2) + named)
    return Plot(lines, each)


def _month_after(day: date) -> date:
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1)


def _tick(largest: Decimal, height: int) -> int:
    """The least of 1, 2, 5, 10, 20, 50, … of which a third of the lines reaches the largest amount."""
    most = max(height // 3, 1)
    power = 1
    while True:
        for digit in (1, 2, 5):
            if digit * power * most >= largest:
                return digit * power
        power *= 10


def _ticks(largest: Decimal, tick: int) -> int:
    """How many ticks it takes to reach the largest amount."""
    return max(-(-int(largest.to_integral_value("ROUND_CEILING")) // tick), 1)


def _bar(amounts: Sequence[Decimal], top: int, height: int) -> str:
    """A column from its bottom to its top; of something there is at least a trace."""
    if not amounts:
        return _UNKNOWN.ljust(height)
    eighths = round(amounts[-1] / top * height * 8)
    if amounts[-1] > 0:
        eighths = max(eighths, 1)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(height)


def _months(columns: Sequence[Sequence[date]]) -> dict[int, str]:
    """The months by the columns in which they begin, as many as there is room for."""
    months: dict[int, str] = {}
    end = -1
    for place, column in enumerate(columns):
        begins = [day for day in column if day.day == 1]
        if begins and place > end and (not months or place + _LABEL <= len(columns)):
            months[place] = f"{begins[0]:%Y-%m}"
            end = place + _LABEL
    return months
