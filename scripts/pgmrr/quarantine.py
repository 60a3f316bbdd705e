"""Writes rejected rows as the file had them, so that a user corrects them and imports that file again."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from pgmrr.errors import PgmrrError
from pgmrr.show import Row

_TEXT = "the row as it stands"
_LONGEST = 10_000  # characters that are kept of a value


@dataclass(frozen=True)
class Corrections:
    """A CSV file of rejected rows: what kind of rows, its text, how many, and the rows that it lacks."""

    role: str
    text: str
    rows: int
    not_kept: list[Row]


def corrections(rejected: Sequence[Row], role: str | None = None) -> Corrections:
    """The rejected rows of one kind of file as CSV: the file's columns in their order, every row as it was.

    ``rejected`` are rows of ``kpi.rejected_rows``. Where files had different columns, those of the last one come
    first. A row that could not be split keeps all of its fields, so it may be longer or shorter than the header.
    Rows that are too long were not kept whole, and are left out.

    Raises PgmrrError where there are none, or of several kinds and no ``role`` says which.
    """
    roles = sorted({row["file_role"] for row in rejected})
    if role is None and len(roles) > 1:
        raise PgmrrError(
            f"the rejected rows are of {' and '.join(roles)}, which have different columns",
            f"write one file for each: pgmrr rejected --csv {roles[0]}.csv --only {roles[0]}",
        )
    wanted = [row for row in rejected if role in (None, row["file_role"])]
    if not wanted:
        raise PgmrrError(f"no rows of {role} were rejected" if role else "no rows were rejected", "see: pgmrr batches")
    header = list(dict.fromkeys(name for row in reversed(wanted) for name in _header(row)))
    kept = [row for row in wanted if _is_whole(row)]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(_fields(row, header) for row in kept)
    return Corrections(wanted[0]["file_role"], text.getvalue(), len(kept), [row for row in wanted if row not in kept])


def _header(row: Row) -> list[str]:
    """The columns of the file in which the row stood."""
    return row["header"] or [name for name in row["content"] if name != _TEXT]


def _is_whole(row: Row) -> bool:
    values = [value for value in row["content"].values() if value is not None]
    return bool(values) and all(len(value) < _LONGEST for value in values)


def _fields(row: Row, header: Sequence[str]) -> list[str]:
    """The fields of the row in the order of ``header``; of a broken row, all that it has, in its own order."""
    if row["content"].get(_TEXT) and _header(row) == list(header):
        return _split(row["content"][_TEXT])
    return [row["content"].get(name) or "" for name in header]


def _split(text: str) -> list[str]:
    """A broken row taken apart as well as it gets, by the separator that makes the most of it."""
    return max((next(csv.reader([text], delimiter=delimiter), []) for delimiter in ",;\t"), key=len)
