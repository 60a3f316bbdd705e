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
from typing import Any

import psycopg
from duckdb import DuckDBPyConnection

import reads
from transfer import FACTS, fill

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

# What the reads need besides the facts: DuckDB's tables, and the query of PostgreSQL that fills each.
_MORE_FACTS = {
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
    # As text: it needs all its digits.
    "factor": "select c.currency, c.reporting_currency, c.factor::text as factor from ledger.currency c",
}


def load(session: DuckDBPyConnection, connection: psycopg.Connection) -> None:
    """Copy the facts into the tables that ``session`` does not have yet."""
    known = {name for (name,) in session.execute("select table_name from duckdb_tables()").fetchall()}
    for table, query in {**FACTS, **_MORE_FACTS}.items():
        if table not in known:
            fill(session, connection, table, query)


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
