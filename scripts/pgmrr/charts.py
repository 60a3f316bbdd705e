"""Small pictures made of characters: a series in a line, and a share as a colour."""

from collections.abc import Sequence
from decimal import Decimal

from rich.color import Color
from rich.style import Style

_BARS = "▁▂▃▄▅▆▇█"
# From red over yellow to green: colours of the 256 that most terminals have. Their nearest ones
# among 16 are red, yellow and green in this order too, which those of a smooth scale are not.
HEAT = (203, 209, 215, 221, 227, 191, 155, 119, 77)


def sparkline(values: Sequence[Decimal]) -> str:
    """The values as bars between 0 and the largest of them; a blank where there is nothing.

    Only what is not negative can be shown so.
    """
    largest = max(values, default=Decimal(0))
    return "".join(_BARS[round(value / largest * (len(_BARS) - 1))] if value > 0 else " " for value in values)


def heat(share: Decimal) -> Style:
    """Black on a colour from red, at one half or less, over yellow to green, at one or more."""
    warmth = min(max((share - Decimal("0.5")) * 2, Decimal(0)), Decimal(1))
    return Style(color="black", bgcolor=Color.from_ansi(HEAT[int(warmth * (len(HEAT) - 1))]))
