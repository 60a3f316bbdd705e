"""How far long work is: rows, and the part of the whole where it is known."""

from typing import Protocol

from pgmrr.locks import Progress


class Watch(Protocol):
    """Called now and then while the work goes on, as often as one likes."""

    def __call__(self, rows: int, done: int = 0) -> None:
        """So many rows are through, and so much of the total, in whatever unit that is."""


def meter(progress: Progress, what: str, total: int | None = None, *, is_part: bool = False) -> Watch:
    """Tell what is being done, and return the function that is told how far it is.

    Only a progress that moves, as on a terminal, listens to that: it has a method ``measure``. Nor does any other
    hear of what is but a part of a step.
    """
    measure = getattr(progress, "measure", None)
    if measure:
        return measure(what, total)
    if not is_part:
        progress(what)
    return _ignore


def _ignore(rows: int, done: int = 0) -> None:
    """Nobody watches."""
