"""CSV that every program reads as it was meant, and whose text a spreadsheet shows and does not run."""

import csv
from typing import Any, TextIO

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def safe_text(value: str) -> str:
    """The text, with a single quote before it where a spreadsheet would take it for a formula.

    Formulas begin with ``=``, ``+``, ``-`` or ``@``, and some programs look for them behind a tab or a carriage
    return. It is for text alone: a negative number is a number. A reader that wants the text back takes the quote
    away where one of these signs follows it.
    """
    return f"'{value}" if value.startswith(_FORMULA) else value


def csv_writer(file: TextIO) -> Any:
    """A writer of the standard library whose lines end by LF, and which quotes every text with a line break.

    Its own quotes those that are part of its line ends alone, and a lone CR ends a line for many readers.
    """
    return csv.writer(_LineFeeds(file), lineterminator="\r\n")


class _LineFeeds:
    """Ends the lines of a CSV writer, which come one by one, by LF."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, line: str) -> None:
        """Write a line."""
        self._file.write(line.removesuffix("\r\n") + "\n")
