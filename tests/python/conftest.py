"""A running PostgreSQL for the tests, and databases on it.

The server is the embedded one, started for the session, or one by the programs in the directory
that PGMRR_TEST_PROGRAMS names, such as ``/usr/lib/postgresql/15/bin``; or else a running one, that
PGMRR_TEST_URL names by the URL of a superuser.
"""

import os
import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote, urlencode

import psycopg
import pytest
from hypothesis import Phase
from hypothesis import settings as hypothesis_settings
from hypothesis.internal.conjecture import providers
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

import servers
from pgmrr.migrations import migrate
from pgmrr.server import EmbeddedServer, binary, client_environment

NewDatabase = Callable[..., str]

# Hypothesis takes constants from all local modules that are loaded: the same test would generate other companies
# beside other tests, and repeat some more often. A version that knows no such thing ends here, and not in silence.
assert callable(providers.is_local_module_file)
providers.is_local_module_file = lambda path: False

# For scripts/mutate, which asks whether a test fails, not on what: nothing is made smaller.
hypothesis_settings.register_profile(
    "first_failure", phases=[Phase.explicit, Phase.generate], report_multiple_bugs=False
)

# With --full, Hypothesis tries ten times as many examples as it does by itself.
hypothesis_settings.register_profile("full", max_examples=1000)
if os.environ.get("PGMRR_TEST_FULL"):
    hypothesis_settings.load_profile("full")

# What the first of our migrations makes, without its details.
TOY_SCHEMAS = """-- The roles and schemas of a toy.
do $roles$
declare
    v_role text;
begin
    foreach v_role in array array['pgmrr_owner', 'pgmrr_writer', 'pgmrr_reader'] loop
        if to_regrole(v_role) is null then
            execute format('create role %I nologin', v_role);
        end if;
    end loop;
end
$roles$;
alter schema meta owner to pgmrr_owner;
create schema ledger authorization pgmrr_owner;
create schema pipeline authorization pgmrr_owner;
create schema simulation authorization pgmrr_owner;
create schema kpi authorization pgmrr_owner;
set local role pgmrr_owner;
comment on schema ledger is 'pgmrr: toy';
comment on schema pipeline is 'pgmrr: toy';
comment on schema simulation is 'pgmrr: toy';
comment on schema kpi is 'pgmrr: toy';
grant usage on schema kpi to pgmrr_reader;
reset role;
"""
TOY_SCHEMAS_ROLLBACK = """
drop schema kpi;
drop schema simulation;
drop schema pipeline;
drop schema ledger;
"""


class Server:
    """A running server, known by the URL of one of its databases."""

    def __init__(self, url: str) -> None:
        self._parameters = conninfo_to_dict(url)

    def url(self, database: str, **parameters: str) -> str:
        """The URL of a database, with other ``parameters`` of libpq, such as ``user`` and ``password``."""
        merged = {**self._parameters, **parameters}
        merged.pop("dbname", None)
        return f"postgresql:///{database}?{urlencode(merged, quote_via=quote)}"

    def connect(self, database: str = "postgres") -> psycopg.Connection:
        """A superuser's session in autocommit mode."""
        return psycopg.connect(self.url(database), autocommit=True)

    def create_database(self, name: str, template: str = "template0", owner: str | None = None) -> None:
        command = sql.SQL("create database {} template {}").format(*map(sql.Identifier, (name, template)))
        if template == "template0":
            command += sql.SQL(" encoding 'UTF8'")
        if owner:
            command += sql.SQL(" owner {}").format(sql.Identifier(owner))
        with self.connect() as connection:
            connection.execute(command)

    def drop_database(self, name: str) -> None:
        with self.connect() as connection:
            connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))

    @contextmanager
    def databases(self) -> Iterator[NewDatabase]:
        """A function that creates databases with names of their own, all of them dropped in the end."""
        names = []

        def create(**options: str) -> str:
            names.append(f"pgmrr_test_{uuid.uuid4().hex[:12]}")
            self.create_database(names[-1], **options)
            return self.url(names[-1])

        try:
            yield create
        finally:
            for name in names:
                self.drop_database(name)


@contextmanager
def embedded_server() -> Iterator[Server]:
    """A new embedded server, which goes with its data in the end."""
    with TemporaryDirectory(prefix="pgmrr-test-", ignore_cleanup_errors=True) as directory:
        Path(directory).chmod(0o711)  # where root runs the tests, the server's user gets through
        embedded = EmbeddedServer(Path(directory) / "home")
        embedded.start()
        try:
            server = Server(embedded.url("postgres"))
            with server.connect() as connection:  # its data need not survive a power cut
                connection.execute("alter system set fsync = off")
                connection.execute("select pg_reload_conf()")
            yield server
        finally:
            embedded.stop()


def schema_dump(url: str) -> str:
    """The database as pg_dump shows it: all objects, owners, grants and comments, no rows."""
    result = subprocess.run(
        [binary("pg_dump"), "--schema-only", url],
        env=client_environment(),
        check=True,
        capture_output=True,
        text=True,
    )
    # pg_dump marks its scripts with a key that is another each time.
    return "\n".join(line for line in result.stdout.splitlines() if "restrict" not in line)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "citus: needs a Citus cluster, which PGMRR_CITUS_URL names")


class Files:
    """A directory of SQL files of a test's own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir()

    def write(self, path: str, text: str) -> None:
        file = self.directory / path
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8", newline="")

    def remove(self, path: str) -> None:
        (self.directory / path).unlink()


@pytest.fixture
def toy_migrations(tmp_path: Path) -> Files:
    """Migrations of which the first makes our roles and some of our schemas."""
    files = Files(tmp_path / "migrations")
    files.write("0001_schemas.sql", TOY_SCHEMAS)
    files.write("0001_schemas.rollback.sql", TOY_SCHEMAS_ROLLBACK)
    return files


@pytest.fixture
def toy_procedures(tmp_path: Path) -> Files:
    """A place for code, empty."""
    return Files(tmp_path / "procedures")


# Where libraries lie, which are not on the PATH, and the packages of Debian that hold what is called otherwise.
_PLACES = {"plpgsql_check": "usr/lib/postgresql/*/lib/plpgsql_check.so"}
_PACKAGES = {
    "plpgsql_check": "postgresql-15-plpgsql-check",
    "/usr/lib/postgresql/15/bin/pg_ctl": "postgresql-15",
}


def need(program: str) -> str:
    """The path of a program, or of a library, that a test cannot do without.

    Where it is missing the test is skipped, and where PGMRR_TEST_REQUIRE names it (several by commas), it fails.
    """
    if program in _PLACES and (found := sorted(Path("/").glob(_PLACES[program]))):
        return str(found[-1])
    if path := shutil.which(program):
        return path
    reason = f"{program} is missing; as root of a Debian: apt-get install {_PACKAGES.get(program, program)}"
    if program in os.environ.get("PGMRR_TEST_REQUIRE", "").split(","):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def known_settings(url: str, settings: str) -> str:
    """The settings under the names that the server has for them: one got its own in PostgreSQL 16."""
    with psycopg.connect(url) as connection:
        if connection.info.server_version >= 160000:
            return settings
    return settings.replace("debug_parallel_query", "force_parallel_mode")


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the repository."""
    return Path(__file__).parents[2]


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A running PostgreSQL."""
    url = os.environ.get("PGMRR_TEST_URL")
    programs = os.environ.get("PGMRR_TEST_PROGRAMS")
    if url:
        yield Server(url)
    elif programs:
        with servers.started(Path(programs)) as url:
            yield Server(url)
    else:
        with embedded_server() as server:
            yield server


@pytest.fixture
def new_database(server: Server) -> Iterator[NewDatabase]:
    """A function that creates an empty database and returns its URL."""
    with server.databases() as create:
        yield create


@pytest.fixture(scope="session")
def template(server: Server) -> Iterator[str]:
    """The name of a database with our migrations and code, to copy from, or of one that scripts/mutate made."""
    if made := os.environ.get("PGMRR_TEST_TEMPLATE"):
        yield made
        return
    with server.databases() as create:
        url = create()
        migrate(url)
        yield conninfo_to_dict(url)["dbname"]


@pytest.fixture
def database(new_database: NewDatabase, template: str) -> str:
    """The URL of a database with our migrations and code, and no data."""
    return new_database(template=template)
