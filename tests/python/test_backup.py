"""A backup is whole or absent; what is restored is what was backed up, or nothing is."""

import dataclasses
import hashlib
import json
import re
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
import pytest
from psycopg import conninfo

from conftest import NewDatabase, Server, need, schema_dump
from pgmrr import backup, backup_file, restore, server_binaries
from pgmrr.backup_file import Manifest
from pgmrr.catalog import SCHEMAS
from pgmrr.database import Database, choose, reading
from pgmrr.errors import PgmrrError
from pgmrr.migrations import migrate
from pgmrr.rates import set_setting
from pgmrr.server import EmbeddedServer
from pgmrr.server_user import server_user
from pgmrr.simulation import Parameters, simulate


def own(url: str) -> Database:
    """A database on the user's own server."""
    return Database(url, "", None)


def back_up(url: str, path: Path, **options: bool) -> Manifest:
    with reading(own(url)) as connection:
        return backup.back_up(connection, own(url), path, **options)


def content(url: str) -> Manifest:
    """What a database holds now, but for the time."""
    with psycopg.connect(url) as connection:
        return dataclasses.replace(backup.manifest(connection), made_at="", dump={})


def ours(url: str) -> list[str]:
    """Our schemas in a database."""
    with psycopg.connect(url) as connection:
        return [
            name
            for (name,) in connection.execute("select nspname from pg_namespace where nspname = any (%s)", [SCHEMAS])
        ]


@pytest.fixture(scope="module")
def company(server: Server, template: str) -> Iterator[str]:
    """The URL of a database that holds a small ABC Enterprises, with texts that are hard on files."""
    with server.databases() as create:
        url = create(template=template)
        with psycopg.connect(url, autocommit=True) as connection:
            simulate(connection, Parameters(companies=30, months=3))
            name = "tab\t, line\n, quotes ' and \", \\. é €"
            connection.execute("update raw.customer set name = %s where customer_id = 'abc_000001'", [name])
        yield url


@pytest.fixture(scope="module")
def file(company: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup of it."""
    path = tmp_path_factory.mktemp("backup") / "abc.pgmrr"
    back_up(company, path)
    return path


@pytest.fixture
def programs(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], dict[str, str]]]:
    """The command and the environment of every program that is started."""
    started = []

    class Recording(subprocess.Popen):
        def __init__(self, command: list[object], **options: Any) -> None:
            started.append((list(map(str, command)), options["env"]))
            super().__init__(command, **options)

    monkeypatch.setattr(subprocess, "Popen", Recording)
    return started


def test_what_is_restored_is_what_was_backed_up(
    company: str, new_database: NewDatabase, tmp_path: Path, programs: list[tuple[list[str], dict[str, str]]]
) -> None:
    secret = "s3cret' \\ x"
    url = new_database()
    source, target = (conninfo.make_conninfo(place, password=secret, keepalives=1) for place in (company, url))
    back_up(source, tmp_path / "f")
    done = restore.restore(own(target), tmp_path / "f")
    assert (done.roles, done.migrated) == ([], [])

    # A password goes by the environment: every user of a machine can read its command lines.
    assert [Path(command[0]).name for command, _ in programs] == ["pg_dump", "pg_restore", "psql"]
    for command, environment in programs:
        assert secret not in " ".join(command)
        assert environment["PGPASSWORD"] == secret
    assert "--dbname=keepalives='1'" in programs[0][0]

    before, after = content(company), content(url)
    assert before.tables.keys() == after.tables.keys()
    # Code that was restored is loaded once more, since PostgreSQL shows it in other words.
    differ = {name for name in before.tables if before.tables[name] != after.tables[name]}
    assert differ <= {"meta.procedure_checksum"}
    assert dataclasses.replace(after, tables=before.tables) == before
    assert before.rows > 300
    assert schema_dump(url) == schema_dump(company)
    with psycopg.connect(company) as one, psycopg.connect(url) as other:
        query = "select c, kpi.mrr_at(c.customer_id, %s) from kpi.customer c order by customer_id"
        found = one.execute(query, [before.complete_through]).fetchall()
        assert other.execute(query, [before.complete_through]).fetchall() == found
        assert len(found) == 30


def test_the_manifest_says_what_there_is(company: str, file: Path) -> None:
    manifest = backup_file.read(file)
    with psycopg.connect(company) as connection:
        [(customers, total, through)] = connection.execute(
            "select (select count(*) from raw.customer), kpi.mrr_total_at(v.complete_through), v.complete_through"
            " from kpi.coverage v"
        ).fetchall()
    assert manifest.tables["raw.customer"].rows == customers == 30
    assert (manifest.total_mrr, manifest.currency) == (str(total), "USD")
    assert manifest.complete_through == str(through) == "2024-03-31"
    assert set(manifest.roles) >= {"pgmrr_owner", "pgmrr_writer", "pgmrr_reader"}


def test_the_digest_of_a_table_tells_other_rows_and_not_another_order(database: str) -> None:
    with psycopg.connect(database) as connection:

        def digest(rows: str) -> tuple[int, str]:
            connection.execute("drop table if exists pg_temp.t")
            connection.execute(f"create temporary table t as select * from (values {rows}) v (a, b)".encode())
            return connection.execute(backup.fingerprint("pg_temp", "t")).fetchone()

        assert digest("(1, 'x'), (2, 'y')") == digest("(2, 'y'), (1, 'x')")
        others = ["(1, 'x'), (2, 'z')", "(1, 'y'), (2, 'x')", "(1, 'x')", "(1, 'x'), (2, null)", "(1, 'x'), (2, '')"]
        assert len({digest(rows) for rows in ["(1, 'x'), (2, 'y')", *others]}) == 6
        assert len({digest(", ".join(["(1, 'x')"] * times))[1] for times in range(1, 5)}) == 4


def test_pg_restore_reads_the_file_as_well(file: Path) -> None:
    listed = subprocess.run(
        [server_binaries.binary("pg_restore"), "--list", file], check=True, capture_output=True, text=True
    ).stdout
    assert "TABLE DATA raw invoice pgmrr_owner" in listed


def test_what_commits_meanwhile_is_in_neither_dump_nor_manifest(
    company: str, template: str, new_database: NewDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = new_database(template=template)
    with psycopg.connect(source, autocommit=True) as connection:
        simulate(connection, Parameters(companies=5, months=2))
    before = content(source)
    dump = backup._dump

    def after_a_change(*arguments: object) -> None:
        with psycopg.connect(source, autocommit=True) as connection:
            set_setting(connection, "rounding_tolerance", "0.5")
            connection.execute("delete from raw.customer where customer_id = 'abc_000002'")
        dump(*arguments)

    monkeypatch.setattr(backup, "_dump", after_a_change)
    manifest = back_up(source, tmp_path / "f")
    assert content(source).tables != before.tables
    assert manifest.tables == before.tables
    restore.restore(own(url := new_database()), tmp_path / "f")
    assert content(url).tables["raw.customer"] == before.tables["raw.customer"]
    assert content(url).tables["meta.setting"] == before.tables["meta.setting"]


# -- the file ----------------------------------------------------------------------------------


def test_the_file_is_for_its_owner_alone_and_is_not_replaced_unasked(company: str, tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("precious")
    with pytest.raises(PgmrrError, match="exists already"):
        back_up(company, path)
    assert path.read_text() == "precious"
    back_up(company, path, overwrite=True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]
    assert backup_file.read(path).tables == content(company).tables


def test_a_backup_that_fails_leaves_no_file(company: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "f"
    path.write_text("precious")

    def fail(*arguments: object) -> None:
        raise backup.said_by("pg_dump", "pg_dump: error: Dumping failed: No space left on device")

    monkeypatch.setattr(backup, "_dump", fail)
    with pytest.raises(PgmrrError, match="no space left on the disk"):
        back_up(company, path, overwrite=True)
    assert path.read_text() == "precious"
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_of_ours_is_nothing_to_back_up(new_database: NewDatabase, tmp_path: Path) -> None:
    with pytest.raises(PgmrrError, match="holds nothing of pgmrr"):
        back_up(new_database(), tmp_path / "f")
    assert list(tmp_path.iterdir()) == []


def test_every_byte_counts(file: Path, new_database: NewDatabase, tmp_path: Path) -> None:
    """Whatever is changed or cut off, the file is refused before anything is done."""
    whole = file.read_bytes()
    size = len(whole)
    broken = tmp_path / "broken"
    url = new_database()
    places = [0, 5, 100, size // 3, size // 2, size - 3000, size - 60, size - 40, size - 20, size - 1]
    refused = 0
    for place in places:
        for damaged in (
            whole[:place],
            whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :],
            whole[:place] + whole[place + 1 :],
        ):
            broken.write_bytes(damaged)
            with pytest.raises(PgmrrError, match=r"is damaged|is cut short|is not a backup of pgmrr"):
                restore.restore(own(url), broken)
            refused += 1
    assert refused == 3 * len(places)
    assert ours(url) == []


@pytest.mark.parametrize("other", [b"", b"PK\x03\x04", b"PGDMP" + b"x" * 200, b"x" * 4096])
def test_another_file_is_none(other: bytes, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(other)
    with pytest.raises(PgmrrError, match=r"is not a backup of pgmrr|was not written by pgmrr backup"):
        restore.check(tmp_path / "f")
    with pytest.raises(PgmrrError, match="is not a file"):
        restore.check(tmp_path)


def resealed(file: Path, path: Path, **changes: object) -> Path:
    """The backup with another manifest, which fits the file again."""
    manifest = backup_file.read(file)
    with path.open("w+b") as copy:
        copy.write(file.read_bytes()[: manifest.dump["bytes"]])
        backup_file.finish(copy, dataclasses.replace(manifest, **changes))
    return path


def test_a_backup_of_a_newer_version_is_refused(file: Path, tmp_path: Path) -> None:
    migrations = backup_file.read(file).migrations
    for changed in ({**migrations, "9999_later": "x"}, {name: "x" for name in migrations}):
        path = resealed(file, tmp_path / "f", migrations=changed)
        with pytest.raises(PgmrrError, match="was made by another pgmrr"):
            restore.check(path)


def test_a_manifest_that_makes_no_sense_is_damage(file: Path, tmp_path: Path) -> None:
    for text in (b"[]", b"{}", b"null", b"\xff", b'{"tables": {"a": 1}}'):
        broken = bytearray()
        broken += b"PGDMP" + text
        broken += backup_file._END.pack(hashlib.sha256(text).digest(), len(text), backup_file._MARK)
        (tmp_path / "f").write_bytes(broken)
        with pytest.raises(PgmrrError, match="is damaged"):
            backup_file.read(tmp_path / "f")


# -- a restore that fails leaves nothing -------------------------------------------------------------


def test_what_is_not_what_was_backed_up_is_found(company: str, file: Path) -> None:
    """By the proof that a restore ends with."""
    manifest = backup_file.read(file)
    invoices = manifest.tables["raw.invoice"]
    with psycopg.connect(company) as connection:

        def prove(**changes: object) -> None:
            proof = restore._after(dataclasses.replace(manifest, **changes))
            with connection.transaction():
                connection.execute(proof.removesuffix(b"commit;\n"))

        prove()
        for wrong in ({"rows": invoices.rows + 1}, {"digest": "1"}):
            tables = {**manifest.tables, "raw.invoice": dataclasses.replace(invoices, **wrong)}
            with pytest.raises(psycopg.errors.RaiseException, match=r"table raw\.invoice holds other rows"):
                prove(tables=tables)
        with pytest.raises(psycopg.errors.RaiseException, match="hold other objects"):
            prove(objects={**manifest.objects, "kpi.views": 1})
        with pytest.raises(psycopg.errors.RaiseException, match="MRR is not what was backed up"):
            prove(total_mrr="1.00")


def test_a_restore_that_is_cut_off_leaves_nothing(file: Path, new_database: NewDatabase) -> None:
    """Were this process killed, psql would come to the end of its input before it is told to commit."""
    url = new_database()
    with psycopg.connect(url) as connection:
        version = connection.info.server_version
    restore._run(own(url), file, restore._before([]), b"", version)
    assert ours(url) == []


def test_a_database_with_something_of_ours_is_refused(
    company: str, file: Path, database: str, new_database: NewDatabase
) -> None:
    for url in (company, database):
        before = content(url)
        with pytest.raises(PgmrrError, match=r"the database is not empty: it has the schemas billing, kpi, "):
            restore.restore(own(url), file)
        assert content(url) == before
    foreign = new_database()
    with psycopg.connect(foreign) as connection:
        connection.execute("create schema kpi; create table kpi.mine (a int)")
    with pytest.raises(PgmrrError, match=r"it has the schemas kpi$"):
        restore.restore(own(foreign), file)
    assert ours(foreign) == ["kpi"]


def test_a_database_that_cannot_hold_every_name_is_refused(server: Server, file: Path) -> None:
    with server.connect() as connection:
        connection.execute(
            "create database pgmrr_test_ascii template template0 encoding 'SQL_ASCII' locale_provider libc locale 'C'"
        )
    try:
        url = server.url("pgmrr_test_ascii")
        for act in (lambda: restore.restore(own(url), file), lambda: migrate(url)):
            with pytest.raises(PgmrrError, match=r"the database is in SQL_ASCII, and pgmrr needs UTF8") as refused:
                act()
            assert "encoding 'UTF8'" in (refused.value.hint or "")
    finally:
        with server.connect() as connection:
            connection.execute("drop database pgmrr_test_ascii")


def test_who_may_not_act_as_the_owner_is_told_who_can_help(
    server: Server, file: Path, new_database: NewDatabase
) -> None:
    url = new_database()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("create role pgmrr_test_plain login")
    try:
        with pytest.raises(PgmrrError, match=r"user pgmrr_test_plain may not act as pgmrr_owner") as refused:
            restore.restore(own(conninfo.make_conninfo(url, user="pgmrr_test_plain")), file)
        assert refused.value.hint == 'as a superuser: grant pgmrr_owner to "pgmrr_test_plain"'
    finally:
        with server.connect() as connection:
            connection.execute("drop role pgmrr_test_plain")


# -- the embedded server, and a server of one's own ----------------------------------------------------


@pytest.fixture(scope="module")
def embedded() -> Iterator[EmbeddedServer]:
    """A server on which pgmrr was never installed."""
    with TemporaryDirectory(prefix="pgmrr-test-", ignore_cleanup_errors=True) as directory:
        Path(directory).chmod(0o711)  # where root runs the tests, the server's user gets through
        embedded = EmbeddedServer(Path(directory) / "home")
        embedded.start()
        yield embedded
        embedded.stop()


def test_a_new_database_of_the_embedded_server_goes_where_nothing_comes_of_it(
    embedded: EmbeddedServer, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGMRR_HOME", str(embedded.home))
    wrong = resealed(file, tmp_path / "wrong", total_mrr="1.00")
    with pytest.raises(PgmrrError, match=r"nothing was restored.*MRR is not what was backed up"):
        restore.restore(choose(None, "copy"), wrong)
    with psycopg.connect(embedded.url("postgres")) as connection:
        assert connection.execute("select from pg_database where datname in ('copy', 'abc')").fetchall() == []
        assert connection.execute("select from pg_roles where rolname like 'pgmrr%'").fetchall() == []


def test_an_ordinary_role_restores_into_another_server(
    embedded: EmbeddedServer, file: Path, company: str, tmp_path: Path
) -> None:
    """Who may create roles, and schemas in the database, and owns neither. What is granted to others stays so."""
    with psycopg.connect(company, autocommit=True) as connection:
        connection.execute("create role pgmrr_test_analyst; grant select on kpi.mrr_daily to pgmrr_test_analyst")
        back_up(company, tmp_path / "f")
        connection.execute("drop owned by pgmrr_test_analyst; drop role pgmrr_test_analyst")
    server = Server(embedded.url("postgres"))
    server.create_database("revenue")
    with server.connect("revenue") as connection:
        connection.execute("create role deployer login createrole; grant create on database revenue to deployer")
    url = server.url("revenue", user="deployer")
    assert "pgmrr_test_analyst" in restore.restore(own(url), tmp_path / "f").roles
    assert content(url).total_mrr == content(company).total_mrr
    with server.connect("revenue") as connection:
        connection.execute("set role pgmrr_test_analyst")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("select from raw.invoice")
        connection.execute("reset role")
        reads = "select has_table_privilege('pgmrr_test_analyst', 'kpi.mrr_daily', 'select')"
        assert connection.execute(reads).fetchone() == (True,)
        # Nobody may execute what pgmrr_owner makes from now on, as after a migration.
        defaults = "select defaclrole::regrole::text, defaclacl::text from pg_default_acl"
        assert connection.execute(defaults).fetchall() == [("pgmrr_owner", "{pgmrr_owner=X/pgmrr_owner}")]
    # Life goes on there.
    assert migrate(url).applied == []
    with psycopg.connect(url, autocommit=True) as connection:
        set_setting(connection, "rounding_tolerance", "0.5")


def test_the_embedded_server_makes_the_database_to_restore_into(
    embedded: EmbeddedServer, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGMRR_HOME", str(embedded.home))
    restore.restore(choose(None, "copy"), file)
    assert content(embedded.url("copy")).total_mrr == backup_file.read(file).total_mrr


@pytest.mark.full
def test_a_backup_goes_to_an_older_postgresql_and_back(
    file: Path, company: str, tmp_path: Path, new_database: NewDatabase
) -> None:
    """The digests are the same there, and so is every figure."""
    pg_ctl = need("/usr/lib/postgresql/15/bin/pg_ctl")
    with TemporaryDirectory(prefix="pgmrr-test-", ignore_cleanup_errors=True) as directory:
        home = Path(directory)
        user = server_user(home, home / "data")
        user.own(home)

        def control(*words: str) -> None:
            done = user.run([pg_ctl, "--pgdata", home / "data", "--silent", "--wait", *words])
            assert done.returncode == 0

        control("init", "-o", "--encoding=UTF8 --locale=C --username=postgres --auth=trust")
        options = f"-c listen_addresses='' -c unix_socket_directories={home} -c fsync=off"
        control("start", "--log", str(home / "log"), "-o", options)
        try:
            url = f"postgresql://postgres@/postgres?host={home}"
            restore.restore(own(url), file)
            assert content(url).total_mrr == content(company).total_mrr
            assert back_up(url, tmp_path / "back").postgresql.startswith("15.")
        finally:
            control("stop", "--mode", "fast")
    home_again = new_database()
    restore.restore(own(home_again), tmp_path / "back")
    assert content(home_again).tables["billing.charge_cents"] == content(company).tables["billing.charge_cents"]
    assert schema_dump(home_again) == schema_dump(company)


def test_a_secret_without_a_variable_is_not_handed_on(company: str, tmp_path: Path) -> None:
    url = conninfo.make_conninfo(company, sslpassword="s3cret")
    with pytest.raises(PgmrrError, match="sslpassword in the database URL cannot be handed") as caught:
        back_up(url, tmp_path / "f")
    assert "s3cret" not in str(caught.value) + str(caught.value.hint)
    assert list(tmp_path.iterdir()) == []


def test_a_manifest_is_json_that_others_can_read(file: Path) -> None:
    text = file.read_bytes()[backup_file.read(file).dump["bytes"] : -backup_file._END.size]
    assert json.loads(text)["tables"]["raw.customer"]["rows"] == 30
    assert re.search(rb'"made_at": "\d{4}-', text)
