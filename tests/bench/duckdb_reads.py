"""The reads of ``reads.toml`` and ``more_reads.toml`` in DuckDB: facts, statements, and how answers are held equal.

The statements lie in ``answers/``. Those with a number make temporary tables that many reads share,
from the charges on: the ledger, the days, the periods; all others answer the read of their name.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from math import isclose
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
from duckdb import DuckDBPyConnection

import reads

STATEMENTS = Path(__file__).parent / "answers"
MORE = Path(__file__).parent / "more_reads.toml"

Row = Mapping[str, Any]

# Columns that say in words what other columns say in figures: DuckDB need not write prose.
WORDS = {"explanation", "meaning"}

# Reads without a statement here, and why.
OURS_ONLY = {
    "last_batch": "words about a batch",
    "forecast_status": "the forecast's",
    "forecast_choice": "forecasts are drawn from numbers that a key makes, by functions that DuckDB does not have",
    "forecast": "the same",
    "forecast_backtest": "the same",
    "risks": "judged by rules and written in words",
}

# Tables of facts, and the query of PostgreSQL that fills each. Amounts in cents, moments in UTC.
_FACTS = {
    "invoice": "select * from raw.invoice i where i.superseded_by is null order by i.customer_id, i.invoice_id",
    "customer": "select * from raw.customer c where c.superseded_by is null order by c.customer_id",
    "setting": "select * from meta.setting",
    "coverage": "select * from meta.coverage",
    "charge": "select * from billing.charge_cents c order by c.customer_id, c.invoice_id, c.basis",
    "session": "select s.customer_id, s.created_at from usage.session s order by s.created_at",
    "batch": """
        select
            b.batch_id,
            b.source,
            b.as_of,
            jsonb_path_exists(b.files, '$[*] ? (@.role == "customers")') as has_customer_file
        from meta.batch b
    """,
    "rejected": "select r.reason from raw.rejected_row r where r.superseded_by is null",
    "rate": "select c.currency, c.reporting_currency, c.factor * 0.01 as cent from ledger.currency c",
}
# What the ``cent`` of each currency is worth needs all its digits: figures are to be equal, not alike.
_TYPES = {
    "boolean": "BOOLEAN",
    "smallint": "SMALLINT",
    "integer": "INTEGER",
    "bigint": "BIGINT",
    "numeric": "DECIMAL(38, 26)",
    "date": "DATE",
    "timestamp with time zone": "TIMESTAMP",
}


def load(session: DuckDBPyConnection, connection: psycopg.Connection) -> None:
    """Copy the facts into the tables that ``session`` does not have yet."""
    known = {name for (name,) in session.execute("select table_name from duckdb_tables()").fetchall()}
    with TemporaryDirectory() as directory:
        for table in _FACTS.keys() - known:
            _fill(session, connection, table, Path(directory) / f"{table}.csv")


def more() -> list[reads.Read]:
    """The reads of other commands, and of pages."""
    found = tomllib.loads(MORE.read_text(encoding="utf-8"))
    return [reads.Read(name, read["senders"], read["sql"], read.get("asked")) for name, read in found.items()]


def answered() -> set[str]:
    """The names of the reads that DuckDB answers."""
    return {path.stem for path in STATEMENTS.glob("[a-z]*.sql")}


def prepare(session: DuckDBPyConnection) -> None:
    """Make from the charges what the reads share, anew."""
    for _, statement in steps():
        session.execute(statement)


def steps() -> Iterator[tuple[str, str]]:
    """The statements that make what the reads share, by name and in order."""
    for path in sorted(STATEMENTS.glob("[0-9]*.sql")):
        yield path.stem, path.read_text(encoding="utf-8")


def ask(session: DuckDBPyConnection, name: str, parameters: Row) -> list[Row]:
    """DuckDB's answer to a read."""
    statement = (STATEMENTS / f"{name}.sql").read_text(encoding="utf-8")
    named = {key: value for key, value in parameters.items() if re.search(rf"\${key}\b", statement)}
    session.execute(statement, named)
    columns = [column[0] for column in session.description or []]
    return [dict(zip(columns, row, strict=True)) for row in session.fetchall()]


def check_equal(name: str, ours: Sequence[Row], theirs: Sequence[Row]) -> int:
    """Raise AssertionError where two answers differ; how many rows were compared."""
    assert len(ours) == len(theirs), f"{name}: {len(ours)} rows, and {len(theirs)} in DuckDB"
    for place, (our_row, their_row) in enumerate(zip(ours, theirs, strict=True), 1):
        left_out = our_row.keys() ^ their_row.keys()
        assert left_out <= WORDS, f"{name}: only one side has {', '.join(sorted(left_out))}"
        for column, their_value in their_row.items():
            ours_here = our_row[column]
            assert _is_equal(ours_here, their_value), (
                f"{name}, row {place}: {column} is {ours_here}, in DuckDB {their_value}"
            )
    return len(ours)


def _is_equal(ours: Any, theirs: Any) -> bool:
    """Equal; numbers within the twelfth digit, which is far below a cent, since DuckDB divides in floating point."""
    match ours, theirs:
        case (bool(), _) | (_, bool()):
            return ours is theirs
        case (int() | float() | Decimal(), int() | float() | Decimal()):
            return isclose(ours, theirs, rel_tol=1e-12, abs_tol=1e-12)
        case list(), list():
            return len(ours) == len(theirs) and all(map(_is_equal, ours, theirs))
        case dict(), dict():
            return ours.keys() == theirs.keys() and all(_is_equal(ours[key], theirs[key]) for key in ours)
    return bool(ours == theirs)


def _fill(session: DuckDBPyConnection, connection: psycopg.Connection, table: str, path: Path) -> None:
    described = connection.execute(f"select * from ({_FACTS[table]}) q limit 0")
    names = [column.name for column in described.description or []]
    codes = [column.type_code for column in described.description or []]
    kinds = [kind for (kind,) in connection.execute("select format_type(c, null) from unnest(%s::oid[]) c", [codes])]
    columns = {name: _TYPES.get(kind, "VARCHAR") for name, kind in zip(names, kinds, strict=True)}
    with path.open("wb") as file, connection.cursor() as cursor:
        cursor.execute("set timezone = 'UTC'")
        with cursor.copy(f"copy ({_FACTS[table]}) to stdout (format csv, null '\\N')") as copy:
            for data in copy:
                file.write(data)
    listed = ", ".join(f"'{name}': '{kind}'" for name, kind in columns.items())
    session.execute(
        f"create table {table} as select * from read_csv(?, columns = {{{listed}}}, header = false, nullstr = '\\N',"
        " auto_detect = false, delim = ',', quote = '\"', escape = '\"')",
        [str(path)],
    )
    path.unlink()
