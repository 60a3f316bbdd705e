"""What the shell offers where a name of the database is to be typed. It never starts a server, nor prints an error."""

from contextlib import closing, suppress

import psycopg
import typer

from pgmrr import table_export
from pgmrr.database import choose
from pgmrr.errors import PgmrrError
from pgmrr.server import EmbeddedServer


def databases(incomplete: str) -> list[str]:
    """The databases of the embedded server."""
    server = EmbeddedServer()
    with suppress(psycopg.Error, PgmrrError, OSError):
        if server.status().running:
            query = "select datname from pg_catalog.pg_database where not datistemplate and datname <> 'postgres'"
            return _beginning(server.url("postgres"), query, incomplete)
    return []


def attributes(context: typer.Context, incomplete: str) -> list[str]:
    """What customers can be segmented by."""
    return _found(context, "select name from kpi.attributes", incomplete)


def settings(context: typer.Context, incomplete: str) -> list[str]:
    """The settings of the rules."""
    return _found(context, "select name from kpi.settings", incomplete)


def tables(context: typer.Context, incomplete: str) -> list[str]:
    """What can be exported."""
    with suppress(psycopg.Error, PgmrrError, OSError), closing(_connect(_url(context))) as connection:
        return [table.name for table in table_export.tables(connection) if table.name.startswith(incomplete)]
    return []


def _found(context: typer.Context, query: str, incomplete: str) -> list[str]:
    with suppress(psycopg.Error, PgmrrError, OSError):
        return _beginning(_url(context), query, incomplete)
    return []


def _beginning(url: str, query: str, incomplete: str) -> list[str]:
    with closing(_connect(url)) as connection:
        return [name for (name,) in connection.execute(query.encode()) if name.startswith(incomplete)]


def _url(context: typer.Context) -> str:
    """The database that the words before choose. Raises PgmrrError where its server is not running."""
    database = choose(context.params.get("url"), context.params.get("name"))
    if database.server and not database.server.status().running:
        raise PgmrrError("the server is not running")
    return database.url


def _connect(url: str) -> psycopg.Connection:
    return psycopg.connect(url, autocommit=True, connect_timeout=2, fallback_application_name="pgmrr")
