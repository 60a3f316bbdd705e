"""Reads Parquet files as rows of text, and writes them from such rows. Needs the extra ``pgmrr[parquet]``."""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pgmrr.csv_tokens import Row
from pgmrr.errors import PgmrrError

_ROWS = 2048
_Limits = dict[str, str | bool | int | float | list[str]]

_LIMITS: _Limits = {"memory_limit": "96MB", "threads": "1", "preserve_insertion_order": "true"}
_LIMITS_OF_WRITING: _Limits = _LIMITS | {"memory_limit": "256MB"}
_LONGEST_ROW = 1 << 24  # bytes
_DIGITS = 38  # the most that a decimal of Parquet has
_TYPES = {
    "boolean": "BOOLEAN",
    "smallint": "SMALLINT",
    "integer": "INTEGER",
    "bigint": "BIGINT",
    "text": "VARCHAR",
    "date": "DATE",
    "timestamp with time zone": "TIMESTAMP WITH TIME ZONE",
    "jsonb": "JSON",
    "integer[]": "INTEGER[]",
    "bigint[]": "BIGINT[]",
    "text[]": "VARCHAR[]",
    "date[]": "DATE[]",
}


class ParquetRows:
    """The rows of a Parquet file, in its order, each value as the text that PostgreSQL would write for it.

    Raises PgmrrError where the extra is missing, or the file is damaged.
    """

    def __init__(self, path: Path) -> None:
        self._session, self._error = _open(f"{path.name} is a Parquet file, which", _LIMITS)
        self._path = path
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
        try:
            return self._session.execute(query, [_literal_path(self._path)])
        except self._error as error:
            raise self._damaged(error) from None
        except RuntimeError as error:
            raise _stopped(error) from None

    def _fetch(self, result: Any) -> list[tuple[str | None, ...]]:
        try:
            return result.fetchmany(_ROWS)
        except self._error as error:
            raise self._damaged(error) from None
        except RuntimeError as error:
            raise _stopped(error) from None

    def _damaged(self, error: Exception) -> PgmrrError:
        return PgmrrError(f"{self._path} cannot be read as Parquet: {str(error).splitlines()[0]}", "write it again")


def _literal_path(path: Path) -> str:
    """The path for a reader that takes * ? and [ in a name for a pattern."""
    return re.sub(r"([*?\[])", r"[\1]", str(path))


def _row(line: int, values: tuple[str | None, ...]) -> Row:
    fields = [value or "" for value in values]
    if any("\0" in value for value in fields):
        fields = [value.replace("\0", "\\x00") for value in fields]
        return Row(line, fields, "contains a NUL character", ",".join(fields))
    return Row(line, fields)


def require_parquet() -> None:
    """Raise PgmrrError where Parquet can't be written, before anything else is."""
    session, _ = _open("Parquet", _LIMITS)
    session.close()


class ParquetWriter:
    """Writes rows to a Parquet file with the types of their columns in PostgreSQL; memory stays flat.

    Rows come as text, lists as JSON. They are spooled beside the file, and ``finish`` makes the file of them: how
    many decimals a column needs is known when all its rows are.
    """

    def __init__(self, path: Path, columns: Sequence[tuple[str, str]]) -> None:
        """``columns`` are names and PostgreSQL's types. Raises PgmrrError where the extra is missing."""
        self._path = path
        self._columns = columns
        self._names = [f"c{place}" for place in range(len(columns))]
        self._spool = path.with_name(f".{path.name}.jsonl")
        self._session, self._error = _open("Parquet", _LIMITS_OF_WRITING | {"temp_directory": str(path.parent)})
        self._file = self._spool.open("w", encoding="utf-8", newline="")

    def write(self, row: Sequence[str | None]) -> None:
        """Take a row."""
        self._file.write(json.dumps(dict(zip(self._names, row, strict=True)), ensure_ascii=False) + "\n")

    def finish(self) -> list[str]:
        """Make the file, and return the types of its columns. Raises PgmrrError where a value has no place in one."""
        self._file.close()
        names = ", ".join(f"{name}: 'VARCHAR'" for name in self._names)
        spooled = f"""
            create view spooled as
            select *
            from read_json(
                {_text(_literal_path(self._spool))}, format = 'newline_delimited', columns = {{{names}}},
                maximum_object_size = {_LONGEST_ROW}
            )
        """
        try:
            self._session.execute(spooled)
            types = [
                self._decimal(name, type_) if type_ in ("numeric", "numeric[]") else _TYPES[type_]
                for name, (_, type_) in zip(self._names, self._columns, strict=True)
            ]
            cells = ", ".join(
                f"{_cast(name, type_)} as {_name(heading)}"
                for name, type_, (heading, _) in zip(self._names, types, self._columns, strict=True)
            )
            self._session.execute(
                f"copy (select {cells} from spooled) to {_text(str(self._path))}"
                " (format parquet, compression zstd, row_group_size 20480)"
            )
        except self._error as error:
            raise PgmrrError(
                f"{self._path.name} cannot be written as Parquet: {str(error).splitlines()[0]}",
                "leave Parquet out: --format csv,jsonl",
            ) from None
        except RuntimeError as error:
            raise _stopped(error) from None
        self._spool.unlink()
        return types

    def close(self) -> None:
        """Let everything go, whether the file was finished or not."""
        self._file.close()
        self._session.close()
        self._spool.unlink(missing_ok=True)

    def _decimal(self, name: str, type_: str) -> str:
        """The type that holds the column exactly, as far as 38 digits do: with the decimals that its values have."""
        numbers = f"unnest({_items(name)})" if type_.endswith("[]") else name
        decimals, digits = self._session.execute(
            f"""
            select max(length(split_part(number, '.', 2))), max(length(ltrim(split_part(number, '.', 1), '-')))
            from (select {numbers} as number from spooled)
            """
        ).fetchone()
        places = min(decimals or 0, _DIGITS - (digits or 0))
        return f"DECIMAL({_DIGITS},{places})" + ("[]" if type_.endswith("[]") else "")


def _open(what: str, limits: _Limits) -> tuple[Any, type[Exception]]:
    """A session of DuckDB, and the class of its errors. Raises PgmrrError where the extra is missing."""
    try:
        import duckdb  # noqa: PLC0415  an extra that most users do without
    except ImportError:
        raise PgmrrError(f"{what} needs an extra", "install it: pip install 'pgmrr[parquet]'") from None
    session = duckdb.connect(config=limits)
    session.execute("set timezone = 'UTC'")
    return session, duckdb.Error


def _stopped(error: RuntimeError) -> BaseException:
    """What the error of a query means: DuckDB says by it that Ctrl-C was typed, which it takes for itself."""
    return KeyboardInterrupt() if "interrupted" in str(error) else error


def _cast(name: str, type_: str) -> str:
    """The value of a spooled column in its type."""
    if not type_.endswith("[]"):
        return f"{name}::{type_}"
    if type_ in ("VARCHAR[]", "DATE[]"):
        return f"from_json({name}, '[\"VARCHAR\"]')::{type_}"
    return f"{_items(name)}::{type_}"


def _items(name: str) -> str:
    """The numbers of a JSON list as texts: a JSON reader would make doubles of them."""
    texts = f"string_split(trim({name}, '[]'), ', ')"
    return f"case {name} when '[]' then [] else list_transform({texts}, lambda text: nullif(text, 'null')) end"


def _name(text: str) -> str:
    quoted = text.replace('"', '""')
    return f'"{quoted}"'


def _text(text: str) -> str:
    quoted = text.replace("'", "''")
    return f"'{quoted}'"
