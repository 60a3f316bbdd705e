"""A question to the database, and the currency of the answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psycopg
from psycopg.rows import DictRow

from pgmrr.show import Column

Connection = psycopg.Connection[DictRow]


@dataclass(frozen=True)
class Report:
    """A question to the database and the columns that answer it."""

    question: str
    columns: Sequence[Column]
    empty: str = "nothing is known"
    title: str | None = None  # may hold {currency}, the reporting currency
    is_clipped: bool = False  # to coverage: no rows may mean that nothing is known

    def ask(self, connection: Connection, parameters: Sequence[object] | Mapping[str, object] = ()) -> list[DictRow]:
        """The rows."""
        return connection.execute(self.question.encode(), parameters or None).fetchall()

    def heading(self, connection: Connection) -> str | None:
        """The title of the table."""
        return self.title and self.title.format(currency=reporting_currency(connection))


def reporting_currency(connection: Connection) -> str:
    """The currency of the reports; EUR while there are no data."""
    found = connection.execute("select min(reporting_currency) as currency from kpi.currency").fetchone()
    return (found and found["currency"]) or "EUR"
