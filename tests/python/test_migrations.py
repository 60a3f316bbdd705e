"""Migrations by yoyo and what pgmrr adds to it, on migrations of a few lines."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from conftest import Files, NewDatabase, Server, schema_dump
from pgmrr import books, migrations
from pgmrr.errors import PgmrrError
from pgmrr.locks import WRITER_LOCK
from pgmrr.migrations import MigrateResult, MigrationState

TABLE = """-- depends: 0001_schemas
set local role pgmrr_owner;
create table ledger.movement (customer_id text primary key, change bigint);
grant select on ledger.movement to pgmrr_reader;
reset role;
"""

TOTAL = """create or replace view kpi.total as select sum(m.change) as total from ledger.movement m;
grant select on kpi.total to pgmrr_reader;
"""

IDS = ["0001_schemas", "0002_movement"]


class Project:
    """A database, migrations and code."""

    def __init__(self, url: str, migrations: Files, procedures: Files) -> None:
        self.url = url
        self.migrations = migrations
        self.procedures = procedures

    def add(self, name: str, up: str, down: str) -> None:
        self.migrations.write(f"{name}.sql", up)
        self.migrations.write(f"{name}.rollback.sql", down)

    def migrate(self, **options: object) -> MigrateResult:
        return migrations.migrate(
            self.url, self.migrations.directory, procedures_directory=self.procedures.directory, **options
        )

    def rollback(self, steps: int) -> list[str]:
        return migrations.rollback(self.url, steps, self.migrations.directory)

    def states(self) -> list[MigrationState]:
        return migrations.list_migrations(self.url, self.migrations.directory)

    def checksums(self) -> list[str]:
        return [state.checksum for state in self.states()]

    def yoyo(self, *arguments: str) -> None:
        """Run yoyo by hand."""
        parameters = conninfo_to_dict(self.url)
        uri = (
            f"postgresql+psycopg://{parameters.get('user', '')}@/{parameters['dbname']}"
            f"?host={parameters['host']}&port={parameters.get('port', 5432)}&schema=meta"
        )
        command = [sys.executable, "-m", "yoyo", *arguments, "--batch", "--no-config-file", "--database", uri]
        subprocess.run([*command, self.migrations.directory], check=True, capture_output=True)

    def query(self, query: str) -> list[tuple]:
        """The rows of a query, as a superuser."""
        with psycopg.connect(self.url) as connection:
            cursor = connection.execute(query)
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def refuses(self, message: str) -> Iterator[None]:
        """An error that says something, and leaves the database as it was."""
        before = schema_dump(self.url)
        with pytest.raises(PgmrrError, match=message):
            yield
        assert schema_dump(self.url) == before


@pytest.fixture
def project(new_database: NewDatabase, toy_migrations: Files, toy_procedures: Files) -> Project:
    """Two migrations and one view, for an empty database."""
    project = Project(new_database(), toy_migrations, toy_procedures)
    project.add("0002_movement", TABLE, "drop table ledger.movement;")
    project.procedures.write("30_kpi/01_total.sql", TOTAL)
    return project


# -- up -------------------------------------------------------------------------------


def test_what_is_pending_is_applied_once(project: Project) -> None:
    assert project.migrate() == MigrateResult(applied=IDS, procedures_loaded=True)
    assert project.query("select total from kpi.total") == [(None,)]
    before = project.query("select *, xmin from meta._yoyo_migration"), schema_dump(project.url)
    assert project.migrate() == MigrateResult(applied=[], procedures_loaded=False)
    assert (project.query("select *, xmin from meta._yoyo_migration"), schema_dump(project.url)) == before


def test_the_books_lie_in_meta_and_belong_to_the_owner(project: Project) -> None:
    project.migrate()
    tables = project.query(
        "select relname, relowner::regrole::text from pg_class"
        " where relnamespace = 'meta'::regnamespace and relkind = 'r' order by relname"
    )
    assert [name for name, _ in tables] == [
        "_yoyo_log",
        "_yoyo_migration",
        "_yoyo_version",
        "migration_checksum",
        "procedure_checksum",
        "yoyo_lock",
    ]
    assert {owner for _, owner in tables} == {"pgmrr_owner"}
    log = project.query("select migration_id, operation from meta._yoyo_log order by created_at_utc")
    assert log == [(name, "apply") for name in IDS]


def test_what_a_migration_selects_does_not_mix_with_data_on_stdout(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    project.add("0003_select", "select 'shown' as word;", "")
    project.migrate()
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "shown" in captured.err


def test_a_migration_that_keeps_the_role_does_no_harm(project: Project) -> None:
    project.add("0003_role", "set local role pgmrr_owner; set local role pgmrr_reader;", "")
    assert project.migrate().applied == [*IDS, "0003_role"]


def test_a_path_may_have_any_characters(project: Project) -> None:
    odd = project.migrations.directory.rename(project.migrations.directory.with_name("a [b] *?"))
    assert migrations.migrate(project.url, odd, procedures_directory=project.procedures.directory).applied == IDS


# -- all or nothing ---------------------------------------------------------------------


def test_a_migration_that_fails_changes_nothing(project: Project) -> None:
    project.add("0003_fails", "create table ledger.movement (a integer);", "")
    with pytest.raises(PgmrrError, match=r'0003_fails: relation "movement" already exists \(SQLSTATE 42P07\)'):
        project.migrate()
    assert project.query("select to_regnamespace('meta')") == [(None,)]
    assert project.query("select to_regnamespace('kpi')") == [(None,)]


def test_code_that_fails_changes_nothing(project: Project) -> None:
    project.migrate()
    project.add("0003_more", "create table ledger.more (a integer);", "drop table ledger.more;")
    project.procedures.write("30_kpi/01_total.sql", TOTAL.replace("m.change", "m.chance"))
    with project.refuses("procedures/30_kpi/01_total.sql:1: column m.chance does not exist"):
        project.migrate()
    assert project.states()[-1].applied_at is None


def test_readers_see_a_migration_with_its_code(project: Project) -> None:
    """A column is renamed under a view: the migration has to drop the view, the code has to make it."""
    project.migrate()
    project.add(
        "0003_rename",
        "drop view kpi.total; alter table ledger.movement rename change to cents; select pg_sleep(0.5);",
        "alter table ledger.movement rename cents to change;",
    )
    project.procedures.write("30_kpi/01_total.sql", TOTAL.replace("m.change", "m.cents"))
    done = threading.Event()

    def read() -> int:
        runs = 0
        with psycopg.connect(project.url, autocommit=True) as connection:
            connection.execute("set role pgmrr_reader")
            while not done.is_set():
                connection.execute("select total from kpi.total")
                runs += 1
        return runs

    with ThreadPoolExecutor(2) as pool:
        readers = [pool.submit(read) for _ in range(2)]
        try:
            assert project.migrate().applied == ["0003_rename"]
        finally:
            done.set()
        assert min(reader.result() for reader in readers) > 0


def test_a_killed_run_leaves_nothing(project: Project, repository: object) -> None:
    project.add("0003_slow", "create table ledger.slow (a integer); select pg_sleep(60);", "drop table ledger.slow;")
    script = (
        "import sys; from pathlib import Path; from pgmrr.migrations import migrate;"
        "migrate(sys.argv[1], Path(sys.argv[2]), print, Path(sys.argv[3]))"
    )
    directories = [project.migrations.directory, project.procedures.directory]
    with subprocess.Popen(
        [sys.executable, "-u", "-c", script, project.url, *directories], stdout=subprocess.PIPE, text=True
    ) as process:
        for line in process.stdout:
            if "0003_slow" in line:
                break
        process.send_signal(signal.SIGKILL)
    # A server notices only at the end of the statement that its client has gone.
    project.query(
        "select pg_terminate_backend(pid) from pg_stat_activity where query like '%pg_sleep(60)%'"
        " and datname = current_database() and pid <> pg_backend_pid()"
    )
    project.add("0003_slow", "create table ledger.slow (a integer);", "drop table ledger.slow;")
    assert project.migrate().applied == [*IDS, "0003_slow"]


# -- one at a time ----------------------------------------------------------------------


def test_two_runs_at_once_apply_once(project: Project) -> None:
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(project.migrate) for _ in range(2)]
        assert sorted(run.result().applied for run in runs) == [[], IDS]


def test_a_run_waits_for_another_writer_and_says_so(project: Project) -> None:
    told = threading.Event()
    messages = []

    def progress(message: str) -> None:
        messages.append(message)
        told.set()

    with ThreadPoolExecutor(1) as pool, psycopg.connect(project.url) as writer:
        writer.execute("select pg_advisory_xact_lock(%s)", [WRITER_LOCK])
        run = pool.submit(project.migrate, progress=progress)
        assert told.wait(20)
        assert not run.done()
        writer.commit()
        assert run.result(20).applied == IDS
    assert messages[0].startswith("waiting for another writer of this database")


def test_a_migration_may_take_the_writer_lock_itself(project: Project) -> None:
    project.add("0003_lock", f"select pg_advisory_xact_lock({WRITER_LOCK});", "")
    assert project.migrate().applied == [*IDS, "0003_lock"]


# -- yoyo by hand -----------------------------------------------------------------------


def test_yoyo_by_hand_and_then_migrate(project: Project) -> None:
    project.query("create schema meta; comment on schema meta is 'pgmrr: the books of the migrations'")
    project.yoyo("apply")
    assert project.checksums() == ["unrecorded", "unrecorded"]
    assert project.migrate() == MigrateResult(applied=[], procedures_loaded=True)
    assert project.checksums() == ["ok", "ok"]
    project.migrations.write("0002_movement.sql", TABLE + "-- edited\n")
    with project.refuses("migration 0002_movement was edited"):
        project.migrate()


def test_migrate_and_yoyo_by_hand_make_the_same(project: Project, new_database: NewDatabase) -> None:
    project.migrate()
    by_hand = Project(new_database(), project.migrations, project.procedures)
    by_hand.query("create schema meta; comment on schema meta is 'pgmrr: the books of the migrations'")
    by_hand.yoyo("apply")
    by_hand.migrate()
    by_hand.yoyo("apply")
    assert schema_dump(project.url) == schema_dump(by_hand.url)


def test_yoyo_by_hand_undoes_what_migrate_did(project: Project) -> None:
    project.procedures.remove("30_kpi/01_total.sql")
    project.migrate()
    project.yoyo("rollback", "--revision", "0002_movement")
    assert [state.applied_at is None for state in project.states()] == [False, True]
    project.migrations.write("0002_movement.sql", TABLE.replace("bigint", "integer"))
    assert project.migrate().applied == ["0002_movement"]
    assert project.checksums() == ["ok", "ok"]


def test_yoyo_by_hand_is_kept_out_during_a_run(project: Project) -> None:
    project.migrate()
    project.add("0003_more", "create table ledger.more (a integer);", "drop table ledger.more;")
    outcomes = []

    def progress(message: str) -> None:
        if message == "applying 0003_more":
            with (
                psycopg.connect(project.url) as other,
                pytest.raises(psycopg.errors.LockNotAvailable) as raised,
            ):
                other.execute("set lock_timeout = '100ms'")
                other.execute("insert into meta.yoyo_lock (locked, ctime, pid) values (1, now(), 1)")
            outcomes.append(raised)

    project.migrate(progress=progress)
    assert len(outcomes) == 1
    assert project.query("select * from meta.yoyo_lock") == []


def test_the_lock_of_a_killed_yoyo_is_removed(project: Project) -> None:
    project.migrate()
    project.query("insert into meta.yoyo_lock (locked, ctime, pid) values (1, '2024-05-06 07:08', 4711)")
    messages = []
    project.migrate(progress=messages.append)
    assert messages == ["removing the lock that yoyo (process 4711) left at 2024-05-06 07:08 UTC"]
    assert project.query("select * from meta.yoyo_lock") == []


def test_the_lock_of_a_yoyo_that_may_run_is_respected(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(books, "_PATIENCE", 0)
    project.migrate()
    project.query("insert into meta.yoyo_lock (locked, ctime, pid) values (1, '2024-05-06 07:08', 4711)")
    with (
        psycopg.connect(project.url),
        pytest.raises(PgmrrError, match=r"yoyo \(process 4711\) has been migrating this database since 2024"),
    ):
        project.migrate()
    assert len(project.query("select * from meta.yoyo_lock")) == 1


# -- what is refused ----------------------------------------------------------------------


def test_an_edited_migration_is_refused(project: Project) -> None:
    project.migrate()
    project.migrations.write("0002_movement.sql", TABLE.replace("bigint", "integer"))
    project.add("0003_more", "create table ledger.more (a integer);", "drop table ledger.more;")
    with project.refuses("^migration 0002_movement was edited after it was applied$"):
        project.migrate()
    with project.refuses("^migration 0002_movement was edited after it was applied$"):
        project.rollback(1)
    assert project.checksums() == ["ok", "edited", "unrecorded"]


def test_other_line_ends_are_no_edit(project: Project) -> None:
    project.migrate()
    project.migrations.write("0002_movement.sql", TABLE.replace("\n", "\r\n"))
    assert project.checksums() == ["ok", "ok"]
    assert project.migrate().applied == []


def test_a_missing_migration_is_refused(project: Project) -> None:
    project.add("0003_more", "create table ledger.more (a integer);", "drop table ledger.more;")
    project.migrate()
    project.migrations.remove("0003_more.sql")
    project.migrations.remove("0003_more.rollback.sql")
    with project.refuses("^migration 0003_more is applied to this database, but has no file here$"):
        project.migrate()
    assert project.checksums() == ["ok", "ok", "missing"]


def test_a_migration_without_a_rollback_is_refused(project: Project) -> None:
    project.migrations.write("0003_more.sql", "create table ledger.more (a integer);")
    with project.refuses("^migration 0003_more has no rollback$"):
        project.migrate()


def test_a_migration_without_a_transaction_is_refused(project: Project) -> None:
    project.add("0003_alone", "-- transactional: false\nvacuum;", "")
    with project.refuses("^migration 0003_alone asks to run without a transaction"):
        project.migrate()


def test_a_migration_that_depends_on_an_unknown_one_is_refused(project: Project) -> None:
    project.add("0003_lost", "-- depends: 0000_never_heard_of\nselect 1;", "")
    with project.refuses("Could not resolve dependencies in .*0003_lost.sql"):
        project.migrate()


def test_an_empty_directory_is_refused(project: Project, tmp_path: object) -> None:
    empty = Files(tmp_path / "empty")
    with pytest.raises(PgmrrError, match="there are no migrations in"):
        migrations.migrate(project.url, empty.directory)


@pytest.mark.parametrize("schema", ["meta", "ledger", "kpi"])
def test_a_schema_of_others_with_one_of_our_names_is_refused(project: Project, schema: str) -> None:
    project.query(f"create schema {schema}; create schema usage; create table {schema}.theirs (a integer)")
    expected = f"^this database already has schemas that pgmrr did not make: {schema}, usage$"
    for attempt in (project.migrate, project.states, lambda: migrations.reset(project.url)):
        with project.refuses(expected):
            attempt()


# -- looking --------------------------------------------------------------------------------


def test_listing_an_empty_database_makes_nothing(project: Project) -> None:
    before = schema_dump(project.url)
    assert project.states() == [MigrationState(name, None, "unrecorded") for name in IDS]
    assert schema_dump(project.url) == before


def test_listing_tells_when_each_was_applied(project: Project) -> None:
    project.migrate()
    project.add("0003_more", "create table ledger.more (a integer);", "drop table ledger.more;")
    states = project.states()
    assert [state.checksum for state in states] == ["ok", "ok", "unrecorded"]
    now = project.query("select now()")[0][0]
    assert 0 <= (now - states[0].applied_at).total_seconds() < 60
    assert states[2].applied_at is None


# -- down -----------------------------------------------------------------------------------


def test_up_down_up(project: Project) -> None:
    project.migrate()
    up = schema_dump(project.url)
    assert project.rollback(1) == ["0002_movement"]
    assert project.query("select to_regclass('ledger.movement'), to_regclass('kpi.total')") == [(None, None)]
    assert project.migrate() == MigrateResult(applied=["0002_movement"], procedures_loaded=True)
    assert schema_dump(project.url) == up
    assert project.rollback(99) == IDS[::-1]
    assert project.rollback(1) == []
    assert project.query("select * from meta.migration_checksum") == []
    assert project.migrate().applied == IDS
    assert schema_dump(project.url) == up


def test_rolling_back_an_empty_database_makes_nothing(project: Project) -> None:
    before = schema_dump(project.url)
    assert project.rollback(1) == []
    assert schema_dump(project.url) == before
    with pytest.raises(PgmrrError, match="cannot roll back 0 migrations"):
        project.rollback(0)


def test_a_rollback_that_fails_changes_nothing(project: Project) -> None:
    project.add("0003_fails", "select 1;", "drop table ledger.unheard_of;")
    project.migrate()
    with project.refuses(r'rollback of migration 0003_fails: table "unheard_of" does not exist'):
        project.rollback(2)
    assert project.query("select total from kpi.total") == [(None,)]


def test_a_rollback_spares_what_others_built(project: Project) -> None:
    project.migrate()
    project.query("create schema bi; create view bi.dashboard as select * from kpi.total")
    with project.refuses("^view bi.dashboard depends on kpi.total"):
        project.rollback(1)
    project.query("drop view bi.dashboard; create view bi.raw as select * from ledger.movement")
    with project.refuses("cannot drop table ledger.movement because other objects depend on it"):
        project.rollback(1)


# -- starting over ----------------------------------------------------------------------------


def test_reset_leaves_an_empty_database(project: Project) -> None:
    before = schema_dump(project.url)
    project.migrate()
    project.query("""
        alter default privileges for role pgmrr_owner revoke execute on functions from public;
        insert into ledger.movement values ('a', 1);
    """)
    assert migrations.reset(project.url) == ["kpi", "ledger", "meta", "pipeline", "simulation"]
    assert schema_dump(project.url) == before
    assert project.query("select count(*) from pg_roles where rolname like 'pgmrr\\_%er'") == [(3,)]
    assert migrations.reset(project.url) == []
    assert project.migrate().applied == IDS


def test_reset_mends_an_edited_migration(project: Project) -> None:
    project.migrate()
    project.migrations.write("0002_movement.sql", TABLE.replace("bigint", "integer"))
    migrations.reset(project.url)
    assert project.migrate().applied == IDS


OTHERS = {
    "depend on ours: view bi.dashboard": "create view bi.dashboard as select * from kpi.total",
    "depend on ours: constraint of_ours on table bi.customer": (
        "create table bi.customer (id text constraint of_ours references ledger.movement)"
    ),
    "lie in our schemas: table kpi.notes": "create table kpi.notes (a integer)",
    r"lie in our schemas: function kpi.f\(\)": "create function kpi.f() returns int language sql return 1",
}


@pytest.mark.parametrize("others", OTHERS)
def test_reset_spares_what_others_built(project: Project, others: str) -> None:
    project.migrate()
    project.query(f"create schema bi; {OTHERS[others]}")
    with project.refuses(f"^nothing was dropped: objects of others {others}$"):
        migrations.reset(project.url)


# -- who migrates, and how the database is named --------------------------------------------------


@pytest.fixture
def deployer(server: Server) -> Iterator[str]:
    """An ordinary role with an awkward name that may log in."""
    name = "pgmrr test: o'dep%40\"loyer"
    quoted = '"' + name.replace('"', '""') + '"'
    with server.connect() as connection:
        connection.execute(f"create role {quoted} login createrole password 'p@ss/%:?#'".encode())
        yield name
        for (database,) in connection.execute("select datname from pg_database where datallowconn").fetchall():
            with server.connect(database) as inside:
                inside.execute(f"reassign owned by {quoted} to pgmrr_owner".encode())
                inside.execute(f"drop owned by {quoted}".encode())
        connection.execute(f"drop role {quoted}".encode())


def test_an_ordinary_role_that_may_act_as_the_owner_migrates(project: Project, server: Server, deployer: str) -> None:
    project.migrate()  # the roles exist from here on
    quoted = '"' + deployer.replace('"', '""') + '"'
    project.query(f"grant pgmrr_owner to {quoted}")
    database = conninfo_to_dict(project.url)["dbname"]
    as_deployer = Project(
        server.url(database, user=deployer, password="p@ss/%:?#"), project.migrations, project.procedures
    )
    as_deployer.add("0003_more", "set local role pgmrr_owner; create table ledger.more ();", "drop table ledger.more;")
    as_deployer.procedures.write("30_kpi/01_total.sql", TOTAL.replace("sum", "max"))
    assert as_deployer.migrate() == MigrateResult(applied=["0003_more"], procedures_loaded=True)
    assert as_deployer.rollback(1) == ["0003_more"]
    assert migrations.reset(as_deployer.url) == ["kpi", "ledger", "meta", "pipeline", "simulation"]
    with pytest.raises(PgmrrError, match="may not create schemas in database") as raised:
        as_deployer.migrate()
    assert raised.value.hint.startswith(f'as the owner of the database: grant create on database "{database}"')
    project.query(f"grant create on database {database} to {quoted}")
    assert as_deployer.migrate().applied == [*IDS, "0003_more"]
    assert migrations.reset(as_deployer.url)


def test_libpqs_own_variables_name_the_database(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    variables = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "dbname": "PGDATABASE"}
    for parameter, value in conninfo_to_dict(project.url).items():
        monkeypatch.setenv(variables[parameter], str(value))
    options = {"procedures_directory": project.procedures.directory}
    assert migrations.migrate("", project.migrations.directory, **options).applied == IDS
    assert [state.checksum for state in migrations.list_migrations("", project.migrations.directory)] == [
        "ok",
        "ok",
    ]


def test_a_users_own_time_limits_do_not_matter(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    found = project.query(
        "select name from pg_settings where name ~ '^(statement|lock|transaction|idle).*_timeout' and context = 'user'"
    )
    limits = [name for (name,) in found]
    assert len(limits) >= 4
    monkeypatch.setenv("PGOPTIONS", " ".join(f"-c {name}=200" for name in limits))
    project.add("0003_slow", "select pg_sleep(0.5);", "")
    assert project.migrate().applied == [*IDS, "0003_slow"]
