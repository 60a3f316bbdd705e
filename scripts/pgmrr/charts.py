"""Small pictures made of characters: a series in a line, and a share as a colour."""

from collections.abc import Sequence
from decimal import Decimal

from rich.color import Color
from rich.style import Style

_BARS = "▁▂▃▄▅▆▇█"
_COLD, _MILD, _WARM = (215, 90, 80), (240, 210, 110), (110, 185, 120)


def sparkline(values: Sequence[Decimal]) -> str:
    """The values as bars between 0 and the largest of them; a blank where there is nothing.

    Only what is not negative can be shown so.
    """
    largest = max(values, default=Decimal(0))
    return "".join(_BARS[round(value / largest * (len(_BARS) - 1))] if value > 0 else " " for value in values)


def heat(share: Decimal) -> Style:
    """Black on a colour from red, at one half or less, over yellow to green, at one or more."""
    warmth = float(min(max((share - Decimal("0.5")) * 2, Decimal(0)), Decimal(1)))
    first, second, part = (_COLD, _MILD, warmth * 2) if warmth < 0.5 else (_MILD, _WARM, warmth * 2 - 1)
    red, green, blue = (round(a + (b - a) * part) for a, b in zip(first, second, strict=True))
    return Style(color="black", bgcolor=Color.from_rgb(red, green, blue))
