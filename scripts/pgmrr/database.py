"""Which database a command works on, and how it is read."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg import IsolationLevel, conninfo
from psycopg.rows import DictRow, dict_row

from pgmrr.confidential import keep
from pgmrr.errors import PgmrrError
from pgmrr.server import EmbeddedServer, check_name
from pgmrr.sessions import first_line, is_lost, open_session

DEFAULT_NAME = "abc"

# A command in a hint, up to where its options may stand.
_COMMAND = re.compile(r"pgmrr (?:import [a-z-]+|[a-z][a-z-]*)(?! --db)\b")

# The database on the embedded server that this process chose, where it is not the default.
_chosen: list[str] = []


@dataclass(frozen=True)
class Database:
    """A database: the user's own, by its URL, or one of the embedded server."""

    url: str
    name: str
    server: EmbeddedServer | None

    @property
    def shown(self) -> str:
        """What to call it: never with a password."""
        if self.server:
            return f"{self.name} (embedded server)"
        shown = ("host", "port", "dbname", "user")
        known = conninfo.conninfo_to_dict(self.url)
        return conninfo.make_conninfo("", **{name: known[name] for name in shown if known.get(name)})

    def ensure_running(self) -> None:
        """Start the embedded server and create the database where needed; the user's own is left alone."""
        if self.server:
            self.server.start()
            self.server.ensure_database(self.name)


def choose(url: str | None, name: str | None) -> Database:
    """The database at ``url``, else the one called ``name`` on the embedded server (default ``abc``).

    A name that is given wins over a URL that only the environment gives. Raises PgmrrError where both are
    given, and for a URL that cannot be read.
    """
    if url and name:
        if url != url_from_environment():
            raise PgmrrError("both --database and --db name a database", "leave one of them out")
        url = None
    if url:
        keep(url)
        _chosen.clear()
        try:
            conninfo.conninfo_to_dict(url)
        except psycopg.ProgrammingError as error:
            raise PgmrrError(
                f"the database URL cannot be read: {first_line(error)}",
                "write it as postgresql://user:password@host:5432/database",
            ) from None
        return Database(url, "", None)
    server = EmbeddedServer()
    name = check_name(name or DEFAULT_NAME)
    _chosen[:] = [name] if name != DEFAULT_NAME else []
    return Database(server.url(name), name, server)


def without_password(url: str) -> str:
    """The URL where it holds no password, else what it says otherwise, as libpq reads it."""
    known = conninfo.conninfo_to_dict(url)
    told = {name: value for name, value in known.items() if "password" not in name and "secret" not in name}
    return url if told == known else conninfo.make_conninfo("", **told)


def for_chosen(hint: str) -> str:
    """The hint, with its commands pointed at the database that this process chose."""
    if not _chosen or "--db" in hint.replace("--db NAME", ""):
        return hint
    return _COMMAND.sub(lambda command: f"{command[0]} --db {_chosen[0]}", hint)


@contextmanager
def reading(database: Database) -> Iterator[psycopg.Connection[DictRow]]:
    """One ``repeatable read, read only`` transaction: all that is read in it fits together."""
    with _connected(database) as connection:
        connection.isolation_level = IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        with _unprepared_explained(), _loss_explained():
            connection.execute("set jit = off")  # compiling plans of this size costs more than running them
            yield connection


@contextmanager
def writing(database: Database) -> Iterator[psycopg.Connection]:
    """A session in autocommit mode without time limits, for work that makes its own transactions."""
    with _unreachable_explained(database):
        connection = open_session(database.url)
    with connection, _unprepared_explained():
        yield connection


@contextmanager
def _connected(database: Database) -> Iterator[psycopg.Connection[DictRow]]:
    if database.server and not database.server.status().running:
        if database.server.status().version is None:
            raise PgmrrError("there is no database yet", "make one with ./start.sh, or: pgmrr up && pgmrr migrate")
        database.server.start()
    with _unreachable_explained(database):
        connection = psycopg.connect(database.url, row_factory=dict_row, fallback_application_name="pgmrr")
    with connection:
        yield connection


@contextmanager
def _unreachable_explained(database: Database) -> Iterator[None]:
    try:
        yield
    except psycopg.OperationalError as error:
        if database.server and "does not exist" in str(error):
            raise PgmrrError(
                f"the embedded server has no database {database.name!r}",
                f"make it: pgmrr up --db {database.name} && pgmrr migrate --db {database.name}",
            ) from None
        hint = None if database.server else "check DATABASE_URL, and that the server runs and lets you in"
        raise PgmrrError(f"cannot connect to the database: {first_line(error)}", hint) from None


@contextmanager
def _loss_explained() -> Iterator[None]:
    """Say that a session was lost that only read."""
    try:
        yield
    except psycopg.Error as error:
        if not is_lost(error):
            raise
        raise PgmrrError(f"the connection to the database was lost: {first_line(error)}", "run it again") from None


@contextmanager
def _unprepared_explained() -> Iterator[None]:
    """Say what a missing schema of ours means."""
    missing = (
        psycopg.errors.InvalidSchemaName,
        psycopg.errors.UndefinedTable,
        psycopg.errors.UndefinedFunction,
        psycopg.errors.UndefinedColumn,
    )
    try:
        yield
    except missing as error:
        raise PgmrrError(
            f"this database does not hold this version of pgmrr: {error.diag.message_primary}",
            "bring it up to date: pgmrr migrate",
        ) from None


def url_from_environment() -> str | None:
    """DATABASE_URL, where it is set."""
    return os.environ.get("DATABASE_URL") or None
