"""The rules R1 to R10 in DuckDB, written for it: what the rebuild is held against, in time and to the cent.

The steps are the files of ``rules/``, in their order. They read the tables ``invoice``, ``customer``, ``setting``
and ``coverage`` of a session, and make its tables ``charge``, ``movement``, ``daily_change`` and ``daily_term``.
"""

from dataclasses import dataclass
from pathlib import Path

from duckdb import DuckDBPyConnection
from psycopg import Connection

from pgmrr.rows import only_row
from transfer import fill

STEPS = sorted((Path(__file__).parent / "rules").glob("*.sql"))


@dataclass(frozen=True)
class _Table:
    """A table that both sides make: ours, its columns, and those by which its rows are told apart."""

    ours: str
    key: str
    others: str

    @property
    def columns(self) -> str:
        return f"{self.key}, {self.others}"


TABLES = {
    "charge": _Table(
        "billing.charge_cents",
        "customer_id, invoice_id, basis",
        "subscription_id, currency, is_unpaid, is_renewal, carries_arrears, months, starts_on, ends_on, issued_at,"
        " starts_at, ends_at, billed_until, net, amount, mrr, unmatched",
    ),
    "movement": _Table(
        "ledger.movement_cents",
        "customer_id, currency, effective_on",
        "kind, customers, change, balance, unpaid_change",
    ),
    "daily_change": _Table(
        "ledger.daily_change_cents",
        "effective_on, currency, kind",
        "movements, customers, change, unpaid_change",
    ),
    "daily_term": _Table(
        "ledger.daily_term_cents",
        "starts_on, currency, months, is_renewal",
        "charges, mrr",
    ),
}


def rebuild(session: DuckDBPyConnection) -> None:
    """Make charges, movements and totals anew from the facts."""
    for step in STEPS:
        session.execute(step.read_text(encoding="utf-8"))


def forget(session: DuckDBPyConnection) -> None:
    """Drop what ``rebuild`` made, with what it put aside on its way."""
    made = session.execute("select table_name from duckdb_tables() where temporary").fetchall()
    for name in (*TABLES, *(name for (name,) in made)):
        session.execute(f"drop table if exists {name}")
    session.execute("checkpoint")


def hold_equal(session: DuckDBPyConnection, connection: Connection, directory: Path | None = None) -> int:
    """Raise AssertionError at the first table whose rows are not those of ours; return how many rows it compared.

    Ours come by way of a file in ``directory``.
    """
    return sum(_compare(session, connection, name, directory) for name in TABLES)


def _compare(session: DuckDBPyConnection, connection: Connection, name: str, directory: Path | None) -> int:
    table = TABLES[name]
    fill(session, connection, "ours", f"select {table.columns} from {table.ours}", directory)
    types = session.execute("select column_name, data_type from duckdb_columns() where table_name = 'ours'").fetchall()
    theirs = f"select {', '.join(f'{column}::{kind} as {column}' for column, kind in types)} from {name}"
    ours = f"select {', '.join(column for column, _ in types)} from ours"
    for side, one, other in (("PostgreSQL", ours, theirs), ("DuckDB", theirs, ours)):
        alone = session.execute(f"{one} except all {other} order by all limit 3").fetchall()
        assert not alone, f"{name}: {side} alone has {alone}"
    (rows,) = only_row(session.execute("select count(*) from ours"))
    session.execute("drop table ours")
    return rows
