"""Rows of PostgreSQL in DuckDB, in the types in which it computes best."""

import json
from pathlib import Path
from tempfile import NamedTemporaryFile

from duckdb import DuckDBPyConnection
from psycopg import Connection

from pgmrr.rows import only_row

# The facts and what the rules depend on besides: DuckDB's tables, and the query of PostgreSQL that fills each.
FACTS = {
    "invoice": "select * from raw.invoice i where i.superseded_by is null order by i.customer_id, i.invoice_id",
    "customer": "select * from raw.customer c where c.superseded_by is null order by c.customer_id",
    "setting": "select * from meta.setting",
    "coverage": "select * from meta.coverage",
    "currency": "select * from ledger.currency",
}
_TYPES = {
    "boolean": "BOOLEAN",
    "smallint": "SMALLINT",
    "integer": "INTEGER",
    "bigint": "BIGINT",
    "numeric": "DECIMAL(38, 10)",
    "date": "DATE",
    "timestamp with time zone": "TIMESTAMP",  # in UTC
}


def fill(
    session: DuckDBPyConnection, connection: Connection, table: str, query: str, directory: Path | None = None
) -> None:
    """Make ``table`` of the rows of ``query``, by way of a file in ``directory``. Text of any other type is VARCHAR."""
    columns = {}
    cursor = connection.execute(f"select * from ({query}) as wanted limit 0")
    for column in cursor.description or []:
        (kind,) = only_row(connection.execute("select format_type(%s, null)", [column.type_code]))
        columns[column.name] = _TYPES.get(kind, "VARCHAR")
    with NamedTemporaryFile(dir=directory, suffix=".csv") as file:
        with connection.cursor().copy(f"copy ({query}) to stdout (format csv, null '\\N')") as copy:
            for data in copy:
                file.write(data)
        file.flush()
        types = json.dumps(columns).replace("'", "''")
        session.execute(
            f"create or replace table {table} as select * from read_csv(?, header = false, nullstr = '\\N',"
            f" auto_detect = false, delim = ',', quote = '\"', escape = '\"', columns = {types})",
            [file.name],
        )
