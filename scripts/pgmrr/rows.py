"""Rows of queries."""

from typing import TypeVar

import psycopg

Row = TypeVar("Row")


def only_row(cursor: psycopg.Cursor[Row]) -> Row:
    """The row of a query that always has one."""
    row = cursor.fetchone()
    if row is None:
        raise LookupError("a query that always has a row had none")
    return row
