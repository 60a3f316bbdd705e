"""The books of the migrations, in schema ``meta``: yoyo's tables, and ours beside them."""

import platform
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from yoyo import internalmigrations
from yoyo.backends.core.postgresql import PostgresqlPsycopgBackend
from yoyo.connections import DatabaseURI
from yoyo.migrations import Migration, default_migration_table

from pgmrr import catalog
from pgmrr.errors import PgmrrError
from pgmrr.locks import Progress
from pgmrr.rows import only_row
from pgmrr.sessions import explained

_BOOKS = Path(__file__).with_name("books.sql")

_LOCK = "select pid, ctime from meta.yoyo_lock"
_PATIENCE = 10

# yoyo keeps its session open while it holds its lock.
_OTHER_SESSIONS = """
select count(*)
from pg_catalog.pg_stat_activity
where datname = current_database()
    and pid <> pg_backend_pid()
    and coalesce(backend_type, 'client backend') = 'client backend'
"""


class Yoyo(PostgresqlPsycopgBackend):  # type: ignore[misc]  # yoyo has no types
    """yoyo in a session of ours, with its tables in schema ``meta``."""

    schema = "meta"
    _internal_schema_updated: bool

    def __init__(self, connection: psycopg.Connection) -> None:
        """Use the connection, which is in autocommit mode."""
        self._session = connection
        nowhere = DatabaseURI("postgresql+psycopg", None, None, None, None, connection.info.dbname, {})
        super().__init__(nowhere, default_migration_table)

    def connect(self, dburi: DatabaseURI) -> psycopg.Connection:
        """The session that there is already: libpq knows more ways to open one than yoyo."""
        return self._session

    def ensure_internal_schema_updated(self) -> None:
        """Make yoyo's own tables in the open transaction: yoyo's lock, a row, would outlive a run that is killed."""
        if not self._internal_schema_updated and internalmigrations.needs_upgrading(self):
            internalmigrations.upgrade(self)
        self._internal_schema_updated = True

    def rollback(self) -> None:
        """Roll the open transaction back; where the session is lost, the server has done so."""
        self._in_transaction = False
        with suppress(psycopg.OperationalError):
            super().rollback()

    def get_log_data(self, migration: Migration | None = None, operation: str = "apply") -> dict[str, object]:
        """A line for yoyo's log. yoyo's own asks the network, and fails for a user without a name."""
        return {
            "id": str(uuid.uuid4()),
            "migration_id": migration and migration.id,
            "migration_hash": migration and migration.hash,
            "username": self.connection.info.user,
            "hostname": platform.node(),
            "created_at_utc": datetime.now(UTC).replace(tzinfo=None),
            "operation": operation,
        }


@contextmanager
def open_books(connection: psycopg.Connection, progress: Progress) -> Iterator[Yoyo]:
    """A transaction in which nobody else migrates, and yoyo with all its tables and ours.

    Tables that are missing are made in it: a run that fails or is killed leaves none.
    """
    catalog.refuse_other_encoding(connection)
    catalog.refuse_foreign_schemas(connection)
    if catalog.exists(connection, "meta.yoyo_lock"):
        _wait_for_yoyo(connection, progress)
    yoyo = Yoyo(connection)
    with yoyo.transaction():
        if not catalog.exists(connection, "meta.migration_checksum", "meta.procedure_checksum"):
            _make_books(connection)
        if not catalog.exists(connection, "meta.yoyo_lock"):
            yoyo.create_lock_table()
        _keep_yoyo_out(connection)
        yoyo.ensure_internal_schema_updated()
        yield yoyo


def _make_books(connection: psycopg.Connection) -> None:
    try:
        connection.execute(_BOOKS.read_bytes())
    except psycopg.errors.InsufficientPrivilege as error:
        user, database = connection.info.user, connection.info.dbname
        raise PgmrrError(
            f"user {user} may not create schemas in database {database}",
            f'as the owner of the database: grant create on database "{database}" to "{user}"',
        ) from error


def _wait_for_yoyo(connection: psycopg.Connection, progress: Progress) -> None:
    """Wait until no ``yoyo`` run by hand holds its lock, and remove the lock of one that was killed.

    A run of ours leaves none. So where nobody else is in the database it is a dead one's.
    """
    give_up = time.monotonic() + _PATIENCE
    while held := connection.execute(_LOCK).fetchone():
        pid, since = held
        if only_row(connection.execute(_OTHER_SESSIONS))[0] == 0:
            progress(f"removing the lock that yoyo (process {pid}) left at {since:%Y-%m-%d %H:%M} UTC")
            connection.execute("delete from meta.yoyo_lock")
        elif time.monotonic() > give_up:
            raise _yoyo_is_running(pid, since)
        else:
            time.sleep(0.5)


def _keep_yoyo_out(connection: psycopg.Connection) -> None:
    """Have ``yoyo`` run by hand wait until the transaction ends. Unlike a row, this lock leaves no trace."""
    connection.execute("lock table meta.yoyo_lock in share row exclusive mode")
    held = connection.execute(_LOCK).fetchone()
    if held:
        raise _yoyo_is_running(*held)


def _yoyo_is_running(pid: int, since: datetime) -> PgmrrError:
    return PgmrrError(
        f"yoyo (process {pid}) has been migrating this database since {since:%Y-%m-%d %H:%M} UTC",
        "wait for it; if it was killed: delete from meta.yoyo_lock",
    )


def run_migration(yoyo: Yoyo, migration: Migration, operation: str, mark: Callable[..., None]) -> None:
    """Run a migration and mark it, or neither. What its queries return goes to stderr."""
    try:
        with yoyo.connection.transaction(), redirect_stdout(sys.stderr):
            migration.process_steps(yoyo, operation)
            yoyo.connection.execute("reset role")
            yoyo.log_migration(migration, operation)
            mark(migration, log=False)
    except psycopg.Error as error:
        raise explained(f"nothing was changed: {operation} of migration {migration.id}", error) from error
