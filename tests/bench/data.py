"""The simulated company at one size: in PostgreSQL, in copies of that database, and in DuckDB."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile

import duckdb
import psycopg
from duckdb import DuckDBPyConnection
from psycopg import sql

from pgmrr.migrations import migrate
from pgmrr.rows import only_row
from pgmrr.server import EmbeddedServer
from pgmrr.simulation import SaasParameters, simulate_saas

# Companies over three years; about 13 invoices each.
COMPANIES = {"XS": 400, "S": 3_800, "M": 38_000, "L": 380_000, "XL": 3_800_000}

# What DuckDB gets: its tables, and the query of PostgreSQL that fills each.
_TABLES = {
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
    "timestamp with time zone": "TIMESTAMP",
}


class Bench:
    """One size of the simulated company on a server of the bench's own."""

    def __init__(self, server: EmbeddedServer, size: str, sizes: tuple[str, ...]) -> None:
        """Name the company of ``size`` on ``server``; ``sizes`` are all those of the run, in order."""
        self.server = server
        self.home: Path = server.home
        self.size = size
        self.sizes = sizes
        self.database = size.lower()
        self._copies = 0

    def at(self, size: str) -> Bench:
        """The same bench at another size."""
        return Bench(self.server, size, self.sizes)

    def url(self, database: str | None = None) -> str:
        return self.server.url(database or self.database)

    def connect(self, database: str | None = None) -> psycopg.Connection:
        """A superuser's session in autocommit mode."""
        connection = psycopg.connect(self.url(database), autocommit=True)
        connection.execute("set statement_timeout = 0")
        return connection

    def prepare(self) -> None:
        """Have the database, of the code that stands here; simulate the company where it is new."""
        self.server.ensure_database(self.database)
        migrate(self.url())
        with self.connect() as connection:
            is_new = connection.execute("select not exists (select from meta.batch b where b.source is not null)")
            if only_row(is_new)[0]:
                simulate_saas(connection, SaasParameters(companies=COMPANIES[self.size]))

    def invoices(self) -> int:
        """How many invoices the company has."""
        with self.connect() as connection:
            return int(only_row(connection.execute("select count(*) from billing.invoice"))[0])

    @contextmanager
    def copy(self, name: str) -> Iterator[str]:
        """A throw-away copy of the database, in its name ``name``; yields the name."""
        name = f"{self.database}_{name}"
        with self.connect("postgres") as connection:
            drop = sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name))
            connection.execute(drop)
            connection.execute(
                sql.SQL("create database {} template {} strategy file_copy").format(
                    sql.Identifier(name), sql.Identifier(self.database)
                )
            )
            try:
                yield name
            finally:
                connection.execute(drop)

    @contextmanager
    def empty(self, name: str) -> Iterator[str]:
        """A throw-away migrated database without data; yields its name."""
        template = "migrated"
        self.server.ensure_database(template)
        migrate(self.url(template))
        bench = Bench(self.server, self.size, self.sizes)
        bench.database = template
        with bench.copy(f"{self.database}_{name}") as database:
            yield database

    def duckdb(self) -> DuckDBPyConnection:
        """A session with the DuckDB file of this size, with all cores and, like PostgreSQL, the machine's memory."""
        path = self.home / f"{self.database}.duckdb"
        session = duckdb.connect(str(path), config={"memory_limit": self._memory_limit()})
        session.execute("set timezone = 'UTC'")
        known = {name for (name,) in session.execute("select table_name from duckdb_tables()").fetchall()}
        with self.connect() as connection:
            for table, query in _TABLES.items():
                if table not in known:
                    self._fill(session, connection, table, query)
        return session

    def seconds(self, call: Callable[[], object]) -> float:
        """How long a call takes."""
        started = time.perf_counter()
        call()
        return time.perf_counter() - started

    def memory_bound(self) -> int:
        """How many bytes of private memory our side may take: maintenance_work_mem and four hash tables."""
        with self.connect("postgres") as connection:
            bound = connection.execute(
                "select pg_size_bytes(current_setting('maintenance_work_mem'))"
                " + 4 * pg_size_bytes(current_setting('work_mem')) * current_setting('hash_mem_multiplier')::float8"
            )
            return int(only_row(bound)[0])

    def _memory_limit(self) -> str:
        """What PostgreSQL may count on: its setting effective_cache_size."""
        with self.connect("postgres") as connection:
            kilobytes = only_row(
                connection.execute("select pg_size_bytes(current_setting('effective_cache_size')) / 1024")
            )[0]
        return f"{kilobytes}KiB"

    def _fill(self, session: DuckDBPyConnection, connection: psycopg.Connection, table: str, query: str) -> None:
        columns = {}
        cursor = connection.execute(f"select * from ({query}) as wanted limit 0")
        for column in cursor.description or []:
            (kind,) = only_row(connection.execute("select format_type(%s, null)", [column.type_code]))
            columns[column.name] = _TYPES.get(kind, "VARCHAR")
        with NamedTemporaryFile(dir=self.home, suffix=".csv") as file:
            with connection.cursor().copy(f"copy ({query}) to stdout (format csv, null '\\N')") as copy:
                for data in copy:
                    file.write(data)
            file.flush()
            types = json.dumps(columns).replace("'", "''")
            session.execute(
                f"create table {table} as select * from read_csv(?, header = false, nullstr = '\\N',"
                f" auto_detect = false, delim = ',', quote = '\"', escape = '\"', columns = {types})",
                [file.name],
            )
        session.execute("checkpoint")
