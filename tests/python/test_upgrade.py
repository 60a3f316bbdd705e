"""Our own migrations and code: up, down and up again, beside others, and by other hands."""

import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from conftest import NewDatabase, Server, embedded_server, schema_dump
from pgmrr import procedures
from pgmrr.catalog import SCHEMAS
from pgmrr.errors import PgmrrError
from pgmrr.migrations import list_migrations, migrate, reset, rollback
from pgmrr.simulation import Parameters, simulate

BY_HAND = "create schema meta; comment on schema meta is 'pgmrr: the books of the migrations.'"


def execute(url: str, query: str) -> list[tuple]:
    """The rows of a query, as the user whom the URL names."""
    with psycopg.connect(url) as connection:
        cursor = connection.execute(query)
        return cursor.fetchall() if cursor.description else []


@pytest.fixture
def migrations_directory(repository: Path) -> Path:
    return repository / "migrations"


@pytest.fixture
def names(migrations_directory: Path) -> list[str]:
    """All migrations, in order."""
    files = sorted(migrations_directory.glob("*.sql"))
    return [file.stem for file in files if not file.name.endswith(".rollback.sql")]


def test_up_down_up(database: str, names: list[str]) -> None:
    fresh = schema_dump(database)
    assert rollback(database, len(names)) == names[::-1]
    left = {name for (name,) in execute(database, "select nspname from pg_namespace")}
    assert left & set(SCHEMAS) == {"meta"}
    assert migrate(database).applied == names
    assert schema_dump(database) == fresh


def test_each_migration_can_be_undone_alone(database: str, names: list[str]) -> None:
    fresh = schema_dump(database)
    for steps in range(1, len(names)):
        assert rollback(database, steps) == names[: -steps - 1 : -1]
        assert migrate(database).applied == names[-steps:]
    assert schema_dump(database) == fresh


def test_reset_leaves_an_empty_database(database: str, new_database: NewDatabase) -> None:
    assert reset(database) == sorted(SCHEMAS)
    assert schema_dump(database) == schema_dump(new_database())
    assert execute(database, "select * from pg_default_acl") == []


def test_down_and_up_beside_another_database_of_ours(database: str, template: str, new_database: NewDatabase) -> None:
    other = new_database(template=template)
    before = schema_dump(other)
    rollback(database, 99)
    migrate(database)
    reset(database)
    assert schema_dump(other) == before
    with psycopg.connect(other) as connection:
        connection.execute("set role pgmrr_reader")
        assert connection.execute("select kpi.mrr_at('nobody', '2024-01-01')").fetchone() == (None,)
    assert migrate(other).applied == []
    rollback(other, 1)
    assert len(migrate(other).applied) == 1


def test_yoyo_by_hand_and_then_migrate_make_the_same(
    database: str, new_database: NewDatabase, names: list[str], migrations_directory: Path
) -> None:
    by_hand = new_database()
    execute(by_hand, BY_HAND)
    parameters = conninfo_to_dict(by_hand)
    uri = (
        f"postgresql+psycopg://{parameters.get('user', '')}@/{parameters['dbname']}"
        f"?host={parameters['host']}&port={parameters.get('port', 5432)}&schema=meta"
    )
    command = [sys.executable, "-m", "yoyo", "apply", "--batch", "--no-config-file", "--database", uri]
    subprocess.run([*command, migrations_directory], check=True, capture_output=True)
    result = migrate(by_hand)
    assert (result.applied, result.procedures_loaded) == ([], True)
    assert {state.checksum for state in list_migrations(by_hand)} == {"ok"}
    assert [state.id for state in list_migrations(by_hand)] == names
    # The first migration grants to whoever applies it on meta, which yoyo's tables lie in.
    assert schema_dump(by_hand) == schema_dump(database)


def test_an_edited_migration_is_refused(
    database: str, names: list[str], migrations_directory: Path, tmp_path: Path
) -> None:
    edited = tmp_path / "migrations"
    shutil.copytree(migrations_directory, edited)
    for name in names:
        file = edited / f"{name}.sql"
        text = file.read_text(encoding="utf-8")
        file.write_text(text + "\n", encoding="utf-8")
        with pytest.raises(PgmrrError, match=f"^migration {name} was edited after it was applied$"):
            migrate(database, edited)
        file.write_text(text, encoding="utf-8")
    assert migrate(database, edited).applied == []


def test_the_files_of_the_code_load_in_their_order(
    database: str, new_database: NewDatabase, repository: Path, tmp_path: Path
) -> None:
    """As by hand with psql: none needs a later one. The loader makes the same."""
    by_hand = new_database()
    (tmp_path / "nothing").mkdir()
    migrate(by_hand, procedures_directory=tmp_path / "nothing")
    with psycopg.connect(by_hand, autocommit=True) as connection:
        connection.execute("set role pgmrr_owner")
        for file in procedures.read_files(repository / "procedures"):
            connection.execute(file.text.encode())
    assert schema_dump(by_hand) == schema_dump(database)


def test_loading_again_keeps_every_object(database: str) -> None:
    objects = """
        select oid::regprocedure::text, oid from pg_proc where pronamespace::regnamespace::text = any (%s)
        union all
        select oid::regclass::text, oid from pg_class where relnamespace::regnamespace::text = any (%s)
    """
    with psycopg.connect(database, autocommit=True) as connection:
        before = sorted(connection.execute(objects, [SCHEMAS, SCHEMAS]).fetchall())
        dump = schema_dump(database)
        connection.execute("update meta.procedure_checksum set files_checksum = 'other'")
        assert procedures.load(connection) == procedures.LoadResult(changed=True)
        assert sorted(connection.execute(objects, [SCHEMAS, SCHEMAS]).fetchall()) == before
    assert schema_dump(database) == dump


def test_what_others_made_in_kpi_does_not_hinder_a_load(database: str, server: Server) -> None:
    execute(database, "create view kpi.guest as select * from kpi.mrr_monthly")
    execute(database, "create function kpi.guest() returns int language sql return 1")
    execute(database, "revoke all on function kpi.guest() from public")
    execute(database, "update meta.procedure_checksum set files_checksum = 'other'")
    assert procedures.load(database).changed
    assert execute(database, "select kpi.guest(), count(*) from kpi.guest") == [(1, 0)]


# -- a new version that fails ----------------------------------------------------------------

NEXT_MIGRATION = [
    "set local role pgmrr_owner",
    "create table ledger.toy (a integer)",
    "alter table raw.customer add column toy text",
    "update raw.customer set toy = name",
    "alter table raw.customer drop column total_spend cascade",
    "reset role",
]
NEXT_FUNCTION = [
    "create or replace function {schema}.toy() returns integer language sql immutable return 1",
    "comment on function {schema}.toy() is 'Toy.'",
    "revoke all on function {schema}.toy() from public",
    "grant execute on function {schema}.toy() to pgmrr_writer",
]


def failing_at_each(statements: list[str]) -> Iterator[str]:
    """The statements with one that fails before each of them, and behind the last."""
    for place in range(len(statements) + 1):
        yield ";\n".join([*statements[:place], "select 1 / 0", *statements[place:]]) + ";\n"


@contextmanager
def readers(url: str) -> Iterator[list[object]]:
    """Somebody asks for MRR all the time; what he is told, one answer for each time that it changes."""
    told: list[object] = []
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            try:
                answer: object = execute(url, "select kpi.mrr_total_at(complete_through) from kpi.coverage")
            except psycopg.Error as error:
                answer = str(error)
            if not told or told[-1] != answer:
                told.append(answer)

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield told
    finally:
        stop.set()
        thread.join()


def test_a_new_version_that_fails_anywhere_leaves_the_old_one_serving(
    database: str, names: list[str], repository: Path, tmp_path: Path
) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        simulate(connection, Parameters(companies=10, months=2))
    [(mrr,)] = before = execute(database, "select kpi.mrr_total_at(complete_through) from kpi.coverage")
    assert mrr > 0
    dump, customers = schema_dump(database), execute(database, "select * from raw.customer order by 1")
    for folder in ("migrations", "procedures"):
        shutil.copytree(repository / folder, tmp_path / folder)
    migration = tmp_path / "migrations" / "9999_toy.sql"
    migration.with_suffix(".rollback.sql").write_text("select 1;\n")
    first = tmp_path / "procedures" / "10_pipeline" / "00_toy.sql"
    last = tmp_path / "procedures" / "99_last.sql"

    def upgrade() -> list[str]:
        return migrate(database, tmp_path / "migrations", procedures_directory=tmp_path / "procedures").applied

    def fails() -> None:
        with pytest.raises(PgmrrError, match=r"nothing was changed: .*division by zero \(SQLSTATE 22012\)"):
            upgrade()

    with readers(database) as told:
        for text in failing_at_each(NEXT_MIGRATION):
            migration.write_text(text)
            fails()
        migration.write_text(";\n".join(NEXT_MIGRATION[:4] + NEXT_MIGRATION[5:]) + ";\n")
        for text in failing_at_each([statement.format(schema="pipeline") for statement in NEXT_FUNCTION]):
            first.write_text(text)
            fails()
        first.write_text(";\n".join(statement.format(schema="pipeline") for statement in NEXT_FUNCTION) + ";\n")
        last.write_text("select 1 / 0;\n")
        fails()
        assert schema_dump(database) == dump
        assert execute(database, "select * from raw.customer order by 1") == customers
        assert [state.id for state in list_migrations(database)] == names
        last.write_text("select 1;\n")
        assert upgrade() == ["9999_toy"]
    assert told == [before]
    assert execute(database, "select pipeline.toy(), count(toy) from raw.customer") == [(1, 10)]


# -- on a server on which pgmrr was never installed ------------------------------------------


@pytest.fixture
def untouched_server() -> Iterator[Server]:
    """A server without our roles."""
    with embedded_server() as server:
        yield server


def test_an_ordinary_role_installs_pgmrr_in_two_databases_at_once(untouched_server: Server, names: list[str]) -> None:
    """It may create roles, and schemas in the databases; it owns neither.

    A third session of its has made the roles already, but commits only when both wait for it.
    """
    urls = [untouched_server.url(name, user="deployer") for name in ("one", "two")]
    with untouched_server.connect() as connection:
        connection.execute("create role deployer login createrole")
        for name in ("one", "two"):
            untouched_server.create_database(name)
            connection.execute(f"grant create on database {name} to deployer".encode())
    with ThreadPoolExecutor(2) as pool, psycopg.connect(urls[0]) as third:
        for role in ("pgmrr_owner", "pgmrr_writer", "pgmrr_reader"):
            third.execute(f"create role {role} nologin".encode())
        runs = [pool.submit(migrate, url) for url in urls]
        while execute(urls[0], "select count(*) from pg_locks where not granted") != [(2,)]:
            assert not any(run.done() for run in runs)
            time.sleep(0.05)
        third.commit()
        assert [run.result().applied for run in runs] == [names, names]
    for url in urls:
        owners = execute(
            url,
            "select distinct relowner::regrole::text from pg_class c"
            " join pg_namespace n on n.oid = c.relnamespace"
            " where obj_description(n.oid, 'pg_namespace') like 'pgmrr: %'",
        )
        assert owners == [("pgmrr_owner",)]
    assert schema_dump(urls[0]) == schema_dump(urls[1])
    assert rollback(urls[0], 99) == names[::-1]
    assert migrate(urls[0]).applied == names
    assert reset(urls[1])
    # Somebody else, who may only act as the owner, goes on.
    with untouched_server.connect("one") as connection:
        connection.execute("create role successor login; grant pgmrr_owner to successor")
    successor = untouched_server.url("one", user="successor")
    assert rollback(successor, 1) == names[:-2:-1]
    assert migrate(successor).applied == names[-1:]
    with untouched_server.connect("two") as connection:
        connection.execute("grant create on database two to successor")
    assert migrate(untouched_server.url("two", user="successor")).applied == names
