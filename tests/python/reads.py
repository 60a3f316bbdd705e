"""What pgmrr kpis and pgmrr report ask the database, as they send it.

tests/bench/reads.toml lists it by name. This module reads that list, and records what is sent.
"""

import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import DictRow

from pgmrr import reports, show
from pgmrr.database import Database, reading
from pgmrr.page import content
from pgmrr.page.model import Period
from pgmrr.show import Format

LIST = Path(__file__).parents[1] / "bench" / "reads.toml"

Call = tuple[str, tuple[tuple[str, Any], ...]]  # a statement, and the parameters that it names


@dataclass(frozen=True)
class Read:
    """A statement of the list: which commands send it, and a query whose rows are the parameters of each sending."""

    name: str
    senders: tuple[str, ...]
    sql: str
    asked: str | None

    def calls(self, connection: psycopg.Connection[DictRow]) -> list[Call]:
        """What is sent to this database."""
        rows = connection.execute(self.asked.encode()).fetchall() if self.asked else [{}]
        return [call(self.sql, row) for row in rows]


def listed() -> list[Read]:
    """The reads of the list."""
    found = tomllib.loads(LIST.read_text(encoding="utf-8"))
    return [Read(name, tuple(read["senders"]), read["sql"], read.get("asked")) for name, read in found.items()]


def call(sql: str, parameters: dict[str, Any] | None) -> Call:
    """A statement without its line breaks, and those of the parameters that it names."""
    named = {name: value for name, value in (parameters or {}).items() if f"%({name})s" in sql}
    values = ((name, tuple(value) if isinstance(value, list) else value) for name, value in sorted(named.items()))
    return " ".join(sql.split()), tuple(values)


def sent(url: str, sender: str) -> list[Call]:
    """What a command sends to the database, in order."""
    database = Database(url, "", None)
    with recorded(database) as (connection, calls):
        if sender == "kpis":
            with show.out.capture():
                reports.print_kpis(connection, Format.table)
        else:
            content.build(connection, Period())
    return calls


@contextmanager
def recorded(database: Database) -> Iterator[tuple[psycopg.Connection[DictRow], list[Call]]]:
    """A session that reads, and what is sent in it."""
    calls: list[Call] = []

    class Recording(psycopg.Cursor[DictRow]):
        def execute(self, query: Any, params: Any = None, **options: Any) -> "Recording":
            calls.append(call(query.decode() if isinstance(query, bytes) else query, params))
            return super().execute(query, params, **options)

    with reading(database) as connection:
        connection.cursor_factory = Recording
        yield connection, calls
