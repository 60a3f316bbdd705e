"""Writes what schema ``kpi`` says as files: every public view, and every function that needs no argument.

The database evaluates each of them once, in the one transaction of the whole export, and streams its rows by COPY;
Python holds a row at a time, whatever the formats. ``manifest.json`` says what the files hold: types, meaning, counts
and hashes, from when they are, and what the data could say then.
"""

import hashlib
import json
import os
import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from json.encoder import encode_basestring
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row, tuple_row

from pgmrr import __version__
from pgmrr.csv_safety import csv_writer, safe_text
from pgmrr.errors import PgmrrError
from pgmrr.locks import Progress, silent
from pgmrr.meters import Watch, meter
from pgmrr.parquet import ParquetWriter, require_parquet
from pgmrr.sessions import explained

FORMATS = ("csv", "jsonl", "parquet")
_STEP = 1000  # rows between two looks at the clock
MANIFEST = "manifest.json"

# Public is what we made, described and gave to readers. Views take no arguments; of the functions those that return
# rows and have a default for each parameter: their defaults are the usual question.
_TABLES = """
select
    c.relname as name,
    'view' as kind,
    obj_description(c.oid, 'pg_class') as meaning,
    array(
        select json_build_object(
            'name', a.attname,
            'type', format_type(a.atttypid, a.atttypmod),
            'meaning', col_description(c.oid, a.attnum)
        )
        from pg_catalog.pg_attribute a
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        order by a.attnum
    ) as columns
from pg_catalog.pg_class c
where c.relnamespace = 'kpi'::regnamespace
    and c.relkind in ('v', 'm')
    and c.relowner = to_regrole('pgmrr_owner')
    and obj_description(c.oid, 'pg_class') is not null
    and has_table_privilege('pgmrr_reader', c.oid, 'select')
union all
select
    p.proname,
    'function',
    obj_description(p.oid, 'pg_proc'),
    array(
        select json_build_object('name', o.name, 'type', format_type(o.type, null), 'meaning', null)
        from unnest(p.proargnames, p.proargmodes, p.proallargtypes) with ordinality as o (name, mode, type, place)
        where o.mode in ('t', 'o', 'b')
        order by o.place
    )
from pg_catalog.pg_proc p
where p.pronamespace = 'kpi'::regnamespace
    and p.prokind = 'f'
    and p.proretset
    and p.pronargs = p.pronargdefaults
    and p.proallargtypes is not null
    and p.proowner = to_regrole('pgmrr_owner')
    and obj_description(p.oid, 'pg_proc') is not null
    and has_function_privilege('pgmrr_reader', p.oid, 'execute')
order by name
"""

_SOURCE = """
select
    b.batch_id as batch,
    b.at as batch_at,
    now() as read_at,
    current_setting('server_version') as postgresql,
    (select min(c.reporting_currency) from kpi.currency c) as reporting_currency,
    (select s.value from kpi.settings s where s.name = 'time_zone') as time_zone
from (values (1)) one (row)
left join lateral (select k.batch_id, k.created_at as at from kpi.batches k order by k.batch_id desc limit 1) b
    on true
"""

_COVERAGE = """
select is_truncated, first_invoice_on, observed_from, complete_through, covered_days, mrr_complete_from,
    churn_observable_from, hidden_annual_mrr, explanation
from kpi.coverage
"""

_NOTES = {
    "amounts": "of MRR a month, and in the reporting currency, where the meaning of a table or column does not say "
    "otherwise; not rounded",
    "shares": "0 to 1",
    "days": "in the reporting time zone",
    "times": "in UTC",
    "null": "unknown or not applicable: an empty field in CSV, null in JSON lines and Parquet",
    "text in csv": "that begins with = + - @, a tab or a carriage return has a single quote before it, so that "
    "spreadsheets do not run it; JSON lines and Parquet hold it as it is",
    "lists in csv": "as JSON",
    "amounts in parquet": "decimals with as many places as the column has in this export; of more than 38 digits, "
    "which only products of shares have, the first 38, rounded",
}


@dataclass(frozen=True)
class Column:
    """A column: its name, its type in PostgreSQL, and its COMMENT, which functions have only as a whole."""

    name: str
    type: str
    meaning: str | None


@dataclass(frozen=True)
class Table:
    """A view, or a function with all its defaults."""

    name: str
    kind: str
    meaning: str
    columns: Sequence[Column]

    @property
    def call(self) -> str:
        """What it is called in a query."""
        return f"kpi.{self.name}" + ("()" if self.kind == "function" else "")

    @property
    def query(self) -> sql.Composed:
        """All its rows; lists as JSON, which every format can read."""
        names = [
            sql.SQL("to_jsonb({0}) as {0}" if column.type.endswith("[]") else "{}").format(sql.Identifier(column.name))
            for column in self.columns
        ]
        source = sql.Identifier("kpi", self.name) + sql.SQL("()" if self.kind == "function" else "")
        return sql.SQL("select {} from {}").format(sql.SQL(", ").join(names), source)


@dataclass(frozen=True)
class WrittenTable:
    """A table that was written, and how many rows it has."""

    name: str
    rows: int


def tables(connection: psycopg.Connection[Any]) -> list[Table]:
    """The public views and functions of schema ``kpi``, by name, as the catalog knows them."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return [
            Table(row["name"], row["kind"], row["meaning"], [Column(**column) for column in row["columns"]])
            for row in cursor.execute(_TABLES.encode())
        ]


def source_of(connection: psycopg.Connection[Any]) -> dict[str, Any]:
    """From when figures are: batch, batch_at, read_at, postgresql, reporting_currency and time_zone."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return dict(cursor.execute(_SOURCE.encode()).fetchone() or {})


def export_tables(
    connection: psycopg.Connection[Any],
    directory: Path,
    *,
    formats: Sequence[str] = FORMATS,
    only: Sequence[str] = (),
    overwrite: bool = False,
    progress: Progress = silent,
) -> list[WrittenTable]:
    """Write the public tables of schema ``kpi`` into ``directory``, each as one file a format, and a manifest.

    ``only`` names the tables that are written, where not all are. ``connection`` must be in one repeatable-read
    transaction. The files appear when all of them are whole. ``directory`` must be new or empty; with ``overwrite``
    it may hold an earlier export, whose files are replaced, and no others.

    Raises PgmrrError where something cannot be written or the database refuses; nothing is left behind then.
    """
    source = source_of(connection)  # tells first where this database is not ours
    with connection.cursor(row_factory=dict_row) as cursor:
        coverage = cursor.execute(_COVERAGE.encode()).fetchone()
        cursor.execute("set local timezone = 'UTC'; set local datestyle = 'ISO'")
    chosen = _chosen(tables(connection), only)
    if "parquet" in formats:
        require_parquet()
    target = _Target(directory, overwrite)
    try:
        target.check([*(f"{table.name}.{format_}" for table in chosen for format_ in formats), MANIFEST])
        with target.filling() as part:
            progress(f"writing {len(chosen)} tables")
            described = []
            for number, table in enumerate(chosen, start=1):
                watch = meter(progress, f"writing {table.name} ({number} of {len(chosen)})", is_part=True)
                described.append(_write(connection, table, part, formats, watch))
            manifest = {
                "pgmrr": __version__,
                "database": connection.info.dbname,
                **source,
                "coverage": coverage,
                "notes": _NOTES,
                "tables": described,
            }
            text = json.dumps(manifest, indent=2, ensure_ascii=False, default=_json_value)
            (part / MANIFEST).write_text(f"{text}\n", encoding="utf-8")
    except psycopg.Error as error:
        raise explained("nothing was exported", error) from error
    except OSError as error:
        raise PgmrrError(
            f"{error.filename or directory}: {error.strerror or error}", "give a directory that you may write to"
        ) from None
    return [WrittenTable(table["name"], table["rows"]) for table in described]


def _chosen(known: list[Table], only: Sequence[str]) -> list[Table]:
    names = {name.removeprefix("kpi.").removesuffix("()") for name in only}
    if unknown := sorted(names - {table.name for table in known}):
        raise PgmrrError(f"there is no table {unknown[0]!r} to export", "pgmrr export tables --list shows all")
    return [table for table in known if not names or table.name in names]


class _Target:
    """The directory in which the files appear, all at once as far as a file system can do that."""

    def __init__(self, directory: Path, overwrite: bool) -> None:
        self._directory = directory
        self._overwrite = overwrite
        self._replaced: set[str] = set()

    def check(self, names: Sequence[str]) -> None:
        """Raise PgmrrError where files that are no earlier export's stand in the way."""
        for place in (self._directory, *self._directory.parents):
            if place.exists() and not place.is_dir():
                raise PgmrrError(f"{place} is a file", "name a directory: pgmrr export tables DIR")
        if not self._directory.exists():
            return
        found = {path.name for path in self._directory.iterdir()}
        if found and not self._overwrite:
            raise PgmrrError(
                f"{self._directory} is not empty",
                "name a new directory, or replace an earlier export in it: --overwrite",
            )
        self._replaced = self._of_earlier_export() & found
        if foreign := sorted(found.intersection(names) - self._replaced):
            raise PgmrrError(
                f"{self._directory / foreign[0]} is not of an earlier export, and would be replaced",
                "move it away, or name another directory",
            )

    def _of_earlier_export(self) -> set[str]:
        """The files that the manifest in the directory names, and itself; none where there is no manifest of ours."""
        try:
            manifest = json.loads((self._directory / MANIFEST).read_text(encoding="utf-8"))
            names = {file["file"] for table in manifest["tables"] for file in table["files"]}
        except FileNotFoundError:
            return set()
        except (ValueError, KeyError, TypeError):
            raise PgmrrError(
                f"{self._directory / MANIFEST} is not the manifest of an export", "name another directory"
            ) from None
        return {name for name in names if Path(name).name == name} | {MANIFEST}

    @contextmanager
    def filling(self) -> Iterator[Path]:
        """A directory for the files, which then take their places; it vanishes where they are not all written."""
        is_new = not self._directory.exists()
        home = self._directory.parent if is_new else self._directory
        home.mkdir(parents=True, exist_ok=True)
        part = home / f".{self._directory.name}.{os.getpid()}.part"
        part.mkdir()
        try:
            yield part
            if is_new:
                part.rename(self._directory)
            else:
                self._replace(part)
        finally:
            shutil.rmtree(part, ignore_errors=True)

    def _replace(self, part: Path) -> None:
        """Move the files in; the manifest last, so that it never tells of files that are still to come."""
        written = sorted((path.name for path in part.iterdir()), key=lambda name: (name == MANIFEST, name))
        for name in written:
            (part / name).replace(self._directory / name)
        for name in self._replaced.difference(written):
            (self._directory / name).unlink(missing_ok=True)


def _write(
    connection: psycopg.Connection, table: Table, part: Path, formats: Sequence[str], watch: Watch
) -> dict[str, Any]:
    """Write one table in all formats, and return what the manifest says of it."""
    writers = [_WRITERS[format_](table, part / f"{table.name}.{format_}") for format_ in formats]
    rows = 0
    with ExitStack() as open_:
        for writer in writers:
            open_.callback(writer.close)
        statement = sql.SQL("copy ({}) to stdout").format(table.query)
        with connection.cursor(row_factory=tuple_row) as cursor, cursor.copy(statement) as copy:
            for row in copy.rows():  # None, or text as PostgreSQL writes it
                for writer in writers:
                    writer.write(row)
                rows += 1
                if rows % _STEP == 0:
                    watch(rows)
        columns = [{"name": column.name, "type": column.type, "meaning": column.meaning} for column in table.columns]
        for writer in writers:
            writer.finish(columns)
    return {
        "name": table.name,
        "call": table.call,
        "kind": table.kind,
        "meaning": table.meaning,
        "rows": rows,
        "files": [_described(writer.path) for writer in writers],
        "columns": columns,
    }


def _described(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"file": path.name, "bytes": path.stat().st_size, "sha256": digest}


class _Writer(ABC):
    """Writes the rows of a table to a file."""

    def __init__(self, table: Table, path: Path) -> None:
        self.path = path

    @abstractmethod
    def write(self, row: Sequence[str | None]) -> None:
        """Write a row of values as PostgreSQL's text."""

    @abstractmethod
    def finish(self, columns: list[dict[str, Any]]) -> None:
        """Write the rest, and tell what else is to be known of the columns."""

    @abstractmethod
    def close(self) -> None:
        """Let the file go, whether it was finished or not."""


class _TextWriter(_Writer):
    """Writes lines of text, which end by LF."""

    def __init__(self, table: Table, path: Path) -> None:
        super().__init__(table, path)
        self._file = path.open("w", encoding="utf-8", newline="")

    def finish(self, columns: list[dict[str, Any]]) -> None:
        """Write the rest; text has no types to tell."""
        self._file.close()

    def close(self) -> None:
        """Let the file go."""
        self._file.close()


class _Csv(_TextWriter):
    """CSV with a header."""

    def __init__(self, table: Table, path: Path) -> None:
        super().__init__(table, path)
        self._writer = csv_writer(self._file)
        self._writer.writerow([column.name for column in table.columns])
        # Most cells stand as they are: only the others cost a call.
        self._spellings = [
            (place, _CSV[column.type]) for place, column in enumerate(table.columns) if column.type in _CSV
        ]

    def write(self, row: Sequence[str | None]) -> None:
        """Write a row."""
        cells = list(row)
        for place, spell in self._spellings:
            value = cells[place]
            if value is not None:
                cells[place] = spell(value)
        self._writer.writerow(cells)


class _JsonLines(_TextWriter):
    """One JSON object a line; numbers with all their digits."""

    def __init__(self, table: Table, path: Path) -> None:
        super().__init__(table, path)
        self._columns = [
            (f"{encode_basestring(column.name)}: ", _JSON.get(column.type, encode_basestring))
            for column in table.columns
        ]

    def write(self, row: Sequence[str | None]) -> None:
        """Write a row."""
        values = [
            f"{key}{'null' if value is None else spell(value)}"
            for (key, spell), value in zip(self._columns, row, strict=True)
        ]
        self._file.write(f"{{{', '.join(values)}}}\n")


class _Parquet(_Writer):
    """Parquet with decimals, days and times as such."""

    def __init__(self, table: Table, path: Path) -> None:
        super().__init__(table, path)
        self._writer = ParquetWriter(path, [(column.name, column.type) for column in table.columns])

    def write(self, row: Sequence[str | None]) -> None:
        """Write a row."""
        self._writer.write(row)

    def finish(self, columns: list[dict[str, Any]]) -> None:
        """Make the file, and tell the types of its columns."""
        for column, type_ in zip(columns, self._writer.finish(), strict=True):
            column["parquet_type"] = type_

    def close(self) -> None:
        """Let the file go."""
        self._writer.close()


def _iso_time(value: str) -> str:
    """``2024-06-30 09:37:00+00`` as ISO 8601 writes it."""
    return value.replace(" ", "T", 1) + ":00"


def _boolean(value: str) -> str:
    return "true" if value == "t" else "false"


def _plain(value: str) -> str:
    return value


_TIME = "timestamp with time zone"
_CSV = {"text": safe_text, "boolean": _boolean, _TIME: _iso_time}
_NUMBERS = ("smallint", "integer", "bigint", "numeric")
_JSON: dict[str, Callable[[str], str]] = {
    "boolean": _boolean,
    _TIME: lambda value: f'"{_iso_time(value)}"',
    **dict.fromkeys((*_NUMBERS, "jsonb", *(f"{name}[]" for name in (*_NUMBERS, "text", "date"))), _plain),
}
_WRITERS: dict[str, type[_Writer]] = {"csv": _Csv, "jsonl": _JsonLines, "parquet": _Parquet}


def _json_value(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, date | datetime):
        return value.isoformat()
    raise TypeError(type(value).__name__)
