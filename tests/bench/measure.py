"""What a measure is: two sides that do the same, one of them ours, and what their ratio must be."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from data import Bench


class NotHere(Exception):
    """What this machine lacks for a measure, and how it is installed. The measure is listed as not run."""


@dataclass(frozen=True)
class Sample:
    """One run: seconds, or calls a second; how many rows it read or wrote.

    ``memory`` is the peak private memory of what did the work, in bytes, where the run knows it better than
    the sampling around it does.
    """

    value: float
    rows: int
    memory: int | None = None


@dataclass
class Sides:
    """Both sides, ready to run at one size.

    ``ours`` and ``reference`` run once, and time themselves what is to be timed. ``check`` raises
    AssertionError where their results differ, and returns how many rows it compared.
    """

    ours: Callable[[], Sample]
    reference: Callable[[], Sample]
    check: Callable[[], int]


@dataclass(frozen=True)
class Measure:
    """A measure, as the table names it.

    ``better`` tells whether the figures are rates (``more``: ours / reference is at least ``must``) or times
    (``less``: at most). The ratio is judged at the size ``judged_at``, and shown at all others.
    ``growth`` bounds the exponent with which our time grows from size to size. ``reference_measure`` names
    another measure whose own figure of ours, at the largest size of the run, is the reference.
    ``warm`` has both sides run once before they are measured.
    """

    name: str
    ours: str
    reference: str
    better: Literal["more", "less"]
    must: float
    aim: float
    open: Callable[[Bench], AbstractContextManager[Sides]]
    sizes: tuple[str, ...] = ("S", "M", "L")
    note: str = ""
    judged_at: str = "L"
    growth: float | None = None
    reference_measure: str = ""
    warm: bool = False
