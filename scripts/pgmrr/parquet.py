"""Reads Parquet files as rows of text, a few thousand at a time. Needs the extra ``pgmrr[parquet]``."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pgmrr.csv_tokens import Row
from pgmrr.errors import PgmrrError

_ROWS = 2048
_LIMITS: dict[str, str | bool | int | float | list[str]] = {
    "memory_limit": "96MB",
    "threads": "1",
    "preserve_insertion_order": "true",
}


class ParquetRows:
    """The rows of a Parquet file, in its order, each value as the text that PostgreSQL would write for it.

    Raises PgmrrError where the extra is missing, or the file is damaged.
    """

    def __init__(self, path: Path) -> None:
        try:
            import duckdb  # noqa: PLC0415  an extra that most users do without
        except ImportError:
            raise PgmrrError(
                f"{path.name} is a Parquet file, which needs an extra", "install it: pip install 'pgmrr[parquet]'"
            ) from None
        self._path = path
        self._error = duckdb.Error
        self._session = duckdb.connect(config=_LIMITS)
        self._session.execute("set timezone = 'UTC'")
        self.names: list[str] = [name for name, *_ in self._run("describe select * from read_parquet(?)").fetchall()]

    def close(self) -> None:
        """Let the file go."""
        self._session.close()

    def rows(self) -> Iterator[Row]:
        """One row after the other; their numbers stand for lines."""
        result = self._run("select columns(*)::varchar from read_parquet(?)")
        line = 0
        while rows := self._fetch(result):
            for values in rows:
                line += 1
                yield _row(line, values)

    def _run(self, query: str) -> Any:
        # The reader takes * ? and [ in a name for a pattern.
        name = re.sub(r"([*?\[])", r"[\1]", str(self._path))
        try:
            return self._session.execute(query, [name])
        except self._error as error:
            raise self._damaged(error) from None

    def _fetch(self, result: Any) -> list[tuple[str | None, ...]]:
        try:
            return result.fetchmany(_ROWS)
        except self._error as error:
            raise self._damaged(error) from None

    def _damaged(self, error: Exception) -> PgmrrError:
        return PgmrrError(f"{self._path} cannot be read as Parquet: {str(error).splitlines()[0]}", "write it again")


def _row(line: int, values: tuple[str | None, ...]) -> Row:
    fields = [value or "" for value in values]
    if any("\0" in value for value in fields):
        fields = [value.replace("\0", "\\x00") for value in fields]
        return Row(line, fields, "contains a NUL character", ",".join(fields))
    return Row(line, fields)
