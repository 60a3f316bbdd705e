"""Cuts runs of the command line short, at any moment and in several ways, and tells what is left.

    with Scene.opened(tmp_path, ["migrate", "import"]) as scene:
        trial = scene.cut_short("import", Way.server_killed, moment=0.37)

Each run begins in a database of its own, a copy of what an earlier operation left. An undisturbed run of each
operation tells how long it takes and what it leaves. After a run that was cut short, ``Scene`` asserts

- that the database is what it was before, or what an undisturbed run leaves, in every row and in its schema;
- that it is the former where the runner says so, and the latter where it says that all went well;
- that a rebuild changes nothing (refresh = rebuild);
- that no session, lock or temporary object is left;
- and that the next run succeeds, at once.
"""

import os
import random
import shutil
import signal
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
from psycopg import sql

from conftest import schema_dump
from pgmrr import server_process
from pgmrr.catalog import SCHEMAS
from pgmrr.locks import WRITER_LOCK
from pgmrr.server import EmbeddedServer
from runner import run
from stripe_files import DAY, Company, Table

DATABASE = "trial"

# Processes are forked from one that has imported the runner: importing it takes longer than a run.
_PROCESSES = get_context("forkserver")
_PROCESSES.set_forkserver_preload(["__main__", "pgmrr.__main__", "typer._adapters"])

_PATIENCE = 60  # seconds, for what ought to take one or two
_MOMENTARILY = 10  # seconds, for what the server does at once

# What differs between two runs that do the same.
_MOMENTS = {
    "meta.batch.created_at",
    "meta.setting_change.changed_at",
    "meta.setting_change.change_id",  # a run that is cut short uses numbers up
    "meta.migration_checksum.recorded_at",
    "meta.procedure_checksum.loaded_at",
    "meta._yoyo_log.id",
    "meta._yoyo_log.created_at_utc",
    "meta._yoyo_migration.applied_at_utc",
    "meta._yoyo_version.installed_at_utc",
}

_COLUMNS = """
select n.nspname, c.relname, array_agg(a.attname::text order by a.attnum)
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
where n.nspname = any (%s) and c.relkind = 'r' and concat_ws('.', n.nspname, c.relname, a.attname) <> all (%s)
group by n.nspname, c.relname
order by n.nspname, c.relname
"""

# How many rows, and a sum that depends on each value of each of them.
_CONTENT = sql.SQL("select count(*), sum(hashtextextended(row({})::text, 0)::numeric) from {}")

_SESSIONS = """
select pid
from pg_stat_activity
where datname = %s and pid <> pg_backend_pid() and backend_type = 'client backend'
"""

_IS_WRITING = """
select exists (
    select
    from pg_locks l
    join pg_database d on d.oid = l.database
    where d.datname = %s
        and l.locktype = 'advisory'
        and l.granted
        and (l.classid::bigint << 32) + l.objid::bigint = %s
)
"""

_LEFT_BEHIND = """
select 'advisory lock of session ' || l.pid
from pg_locks l
join pg_database d on d.oid = l.database
where d.datname = current_database() and l.locktype = 'advisory'
union all
select 'temporary ' || c.oid::regclass from pg_class c where c.relpersistence = 't' and c.relkind in ('r', 'v')
union all
select 'temporary ' || p.oid::regprocedure
from pg_proc p
join pg_namespace n on n.oid = p.pronamespace
where n.nspname like 'pg\\_temp%'
union all
select 'prepared transaction ' || x.gid from pg_prepared_xacts x
"""


class Way(Enum):
    """How a run is cut short."""

    runner_killed = "the runner is killed (-9)"
    server_killed = "the server is killed (-9)"
    session_killed = "the server's process of the session is killed (-9)"
    connection_lost = "the session is terminated by an administrator"
    statement_cancelled = "the statement is cancelled, as by a time limit"


@dataclass(frozen=True)
class Operation:
    """A command, what it starts from (the operation that left it; empty: nothing), and whether it can be repeated."""

    name: str
    origin: str
    command: list[str]
    repeats: bool = True


@dataclass(frozen=True)
class State:
    """A database: how many rows each table holds, with a sum over their content, and the schema."""

    content: dict[str, tuple[int, object]]
    schema: str


@dataclass(frozen=True)
class Undisturbed:
    """What an operation starts from and leaves, and how many seconds pass from its first session to its end."""

    before: State
    after: State
    seconds: float


@dataclass(frozen=True)
class Trial:
    """What a run was doing when it was cut short, and what became of it."""

    was_running: bool
    was_writing: bool
    is_done: bool


class Runner:
    """A run of the command line, in a process of its own."""

    def __init__(self, home: Path, command: Sequence[str], output: Path) -> None:
        self._output = output
        output.unlink(missing_ok=True)
        self._process = _PROCESSES.Process(target=run, args=(str(home), [*command, "--db", DATABASE], str(output)))
        self._process.start()

    @property
    def is_running(self) -> bool:
        return self._process.is_alive()

    def kill(self) -> None:
        self._process.kill()

    def wait(self) -> tuple[int, str]:
        """The exit code and what was said on stderr."""
        self._process.join(_PATIENCE)
        assert not self.is_running, f"the runner does not end: {self._said()}"
        return self._process.exitcode, self._said()

    def _said(self) -> str:
        return self._output.read_text() if self._output.exists() else ""


@dataclass
class Scene:
    """A server, and what each operation leaves in a database of it."""

    server: EmbeddedServer
    directory: Path
    operations: dict[str, Operation]
    undisturbed: dict[str, Undisturbed] = field(default_factory=dict)

    @classmethod
    @contextmanager
    def opened(cls, directory: Path, names: Sequence[str], size: int, *, home: Path | None = None) -> Iterator["Scene"]:
        """A server of its own, on which these operations, and those before them, have been run undisturbed.

        ``size`` is the number of customers. ``home`` is where the server keeps its data, by default a new directory.
        """
        known = {operation.name: operation for operation in _operations(directory, size)}
        needed = set(names)
        while origins := {known[name].origin for name in needed} - needed - {""}:
            needed |= origins
        with TemporaryDirectory(prefix="pgmrr-test-", ignore_cleanup_errors=True) as place:
            Path(place).chmod(0o711)
            server = EmbeddedServer(home or Path(place) / "home")
            server.start()
            try:
                scene = cls(server, directory, {name: known[name] for name in known if name in needed})
                with scene.connect("postgres") as connection:  # processes are killed, not the machine
                    connection.execute("alter system set fsync = off")
                    connection.execute("select pg_reload_conf()")
                for operation in scene.operations.values():
                    scene._measure(operation)
                yield scene
            finally:
                server.stop()

    def cut_short(self, name: str, way: Way, moment: float, *, restart_at_once: bool = True) -> Trial:
        """Cut a run short after this share of its length; assert what must hold then.

        Where the server is killed, it is started again at once, or when the runner has ended.
        """
        operation = self.operations[name]
        self._prepare(operation)
        runner = self._start(operation)
        time.sleep(moment * self.undisturbed[name].seconds)
        was_running, was_writing = self._strike(runner, way)
        if way is Way.server_killed and restart_at_once:
            self.server.start()
        code, said = runner.wait()
        self.server.start()
        is_done = self._assert_all_or_nothing(operation, f"{way.value} at {moment:.3f} of its length", code, said)
        return Trial(was_running, was_writing, is_done)

    def fill_up(self, name: str, free: int, *, no_log: bool = False) -> tuple[bool, str]:
        """Run with so many bytes free on the disk of the server's data; whether it was done, and what it said.

        With ``no_log`` the log (WAL) is at the end of its last file, and less than another one is free: then
        the server cannot go on. Then the disk has space again, and what must hold after a run that was cut short
        is asserted.
        """
        operation = self.operations[name]
        self._prepare(operation)
        if no_log:
            self._use_the_log_up()
        ballast = self.server.home / "ballast"
        with ballast.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(self.server.home).free - free)
        code, said = self._start(operation).wait()
        ballast.unlink()
        self.server.start()
        return self._assert_all_or_nothing(operation, f"with {free:,} bytes free", code, said), said

    def _assert_all_or_nothing(self, operation: Operation, how: str, code: int, said: str) -> bool:
        """Assert what must hold after a run; whether it was done."""
        self._wait_for_sessions_to_end()
        state, undisturbed = self.state(), self.undisturbed[operation.name]
        is_done = state == undisturbed.after
        told = f"{operation.name}, {how}, exit {code}\n{said}"
        if not is_done and state != undisturbed.before:
            raise AssertionError(f"neither before nor after: {told}{_difference(state, undisturbed)}")
        self._assert_told_truly(code, said, is_done=is_done, told=told)
        self.assert_sound(told)
        if not is_done or operation.repeats:
            self._repeat(operation, told)
        return is_done

    def _assert_told_truly(self, code: int, said: str, *, is_done: bool, told: str) -> None:
        """A run that ends by itself says in a line what happened, and that is true."""
        assert code in (-signal.SIGKILL, 0, 1), told
        assert "Traceback" not in said, told
        if code == 1:
            *_, line, last = ["", *said.splitlines()]
            assert [line, last][not last.startswith("hint: ")].startswith("error: "), told
            assert said.count("error: ") == 1, told
        if code == 0:
            assert is_done, told
        if "nothing was" in said:
            assert not is_done, told

    def assert_sound(self, told: str) -> None:
        """Assert that a rebuild changes nothing, and that nothing was left behind."""
        with self.connect(DATABASE) as connection:
            left = [what for (what,) in connection.execute(_LEFT_BEHIND)]
            assert left == [], told
            if connection.execute("select to_regclass('meta.yoyo_lock')").fetchone()[0]:
                assert connection.execute("select count(*) from meta.yoyo_lock").fetchone() == (0,), told
            if connection.execute("select to_regprocedure('pipeline.rebuild()')").fetchone()[0]:
                with connection.transaction(force_rollback=True):
                    kept = content(connection)
                    connection.execute("call pipeline.rebuild()")
                    assert content(connection) == kept, told

    def state(self, schema: str | None = None) -> State:
        """What the database holds; its schema, unless it is known."""
        with self.connect(DATABASE) as connection:
            found = content(connection)
        return State(found, schema or schema_dump(self.server.url(DATABASE)))

    def connect(self, database: str) -> psycopg.Connection:
        """A superuser's session in autocommit mode; waits while the server recovers."""
        give_up = time.monotonic() + _PATIENCE
        while True:
            try:
                return psycopg.connect(self.server.url(database), autocommit=True)
            except psycopg.OperationalError:
                if time.monotonic() > give_up:
                    raise
                time.sleep(0.05)

    # -- a run -----------------------------------------------------------------------------

    def _measure(self, operation: Operation) -> None:
        """Run it undisturbed, and keep what it leaves as a template."""
        self._prepare(operation)
        before = self.state()
        runner = self._start(operation)
        begun = time.monotonic()
        code, said = runner.wait()
        seconds = time.monotonic() - begun
        assert code == 0, said
        self._wait_for_sessions_to_end()
        self.undisturbed[operation.name] = Undisturbed(before, self.state(), seconds)
        self._copy(DATABASE, _left_by(operation.name))

    def _prepare(self, operation: Operation) -> None:
        self._copy(_left_by(operation.origin) if operation.origin else "template0", DATABASE)

    def _copy(self, source: str, target: str) -> None:
        with self.connect("postgres") as connection:
            names = [sql.Identifier(target), sql.Identifier(source)]
            connection.execute(sql.SQL("drop database if exists {} with (force)").format(names[0]))
            connection.execute(sql.SQL("create database {} template {} encoding 'UTF8'").format(*names))

    def _start(self, operation: Operation) -> Runner:
        """Start a run and wait for its first session."""
        runner = Runner(self.server.home, operation.command, self.directory / "said")
        with self.connect("postgres") as connection:
            while runner.is_running and not connection.execute(_SESSIONS, [DATABASE]).fetchone():
                time.sleep(0.002)
        return runner

    def _use_the_log_up(self) -> None:
        """Write WAL until the last of its files is almost full."""
        with self.connect("postgres") as connection:
            connection.execute("checkpoint")
            used = "select pg_walfile_name(pg_current_wal_insert_lsn())"
            last = "select max(name) from pg_ls_waldir() where name ~ '^[0-9A-F]{24}$'"
            while connection.execute(used).fetchone() < connection.execute(last).fetchone():
                connection.execute("select pg_switch_wal()")
                connection.execute("select pg_logical_emit_message(true, '', '')")
            left = "select 2^24 - (pg_current_wal_insert_lsn() - '0/0') % (2^24)::numeric"
            while connection.execute(left).fetchone()[0] > 2**17:
                connection.execute("select pg_logical_emit_message(true, '', repeat('.', 65536))")

    def _strike(self, runner: Runner, way: Way) -> tuple[bool, bool]:
        """Cut the run short; whether it was running, and whether it was the writer of the database."""
        with self.connect("postgres") as connection:
            [was_writing] = connection.execute(_IS_WRITING, [DATABASE, WRITER_LOCK]).fetchone()
            sessions = [pid for (pid,) in connection.execute(_SESSIONS, [DATABASE])]
            was_running = runner.is_running
            match way:
                case Way.runner_killed:
                    runner.kill()
                case Way.server_killed:
                    postmaster = server_process.postmaster(self.server.data_directory)
                    postmaster.kill()
                    postmaster.wait(_PATIENCE)
                case Way.session_killed:
                    for pid in sessions[:1]:
                        with suppress(ProcessLookupError):
                            os.kill(pid, signal.SIGKILL)
                        was_running = was_running and _is_lost(connection)
                case Way.connection_lost:
                    connection.execute("select pg_terminate_backend(pid) from unnest(%s::integer[]) pid", [sessions])
                case Way.statement_cancelled:
                    connection.execute("select pg_cancel_backend(pid) from unnest(%s::integer[]) pid", [sessions])
        return was_running, was_writing

    def _repeat(self, operation: Operation, told: str) -> None:
        """Run it again, undisturbed: it leaves what it ought to."""
        code, said = self._start(operation).wait()
        assert code == 0, f"the next run fails: {said}\nafter {told}"
        self._wait_for_sessions_to_end()
        known = self.undisturbed[operation.name]
        # Where an operation leaves the schema as it is, this need not be dumped again.
        state = self.state(known.after.schema if known.before.schema == known.after.schema else None)
        assert state == known.after, f"the next run ends elsewhere, after {told}{_difference(state, known)}"

    def _wait_for_sessions_to_end(self) -> None:
        """Wait for the sessions of a runner that has ended: the server notices after the statement, or seconds."""
        give_up = time.monotonic() + _PATIENCE
        with self.connect("postgres") as connection:
            while sessions := connection.execute(_SESSIONS, [DATABASE]).fetchall():
                assert time.monotonic() < give_up, f"sessions remain: {sessions}"
                time.sleep(0.01)


@dataclass
class Tally:
    """How many runs were cut short, and what they were doing."""

    counts: dict[tuple[str, Way], Counter[str]] = field(default_factory=dict)

    def add(self, name: str, way: Way, trial: Trial) -> None:
        counter = self.counts.setdefault((name, way), Counter())
        counter["moments"] += 1
        counter["running"] += trial.was_running
        counter["writing"] += trial.was_writing
        counter["done"] += trial.is_done

    def total(self, what: str) -> int:
        return sum(counter[what] for counter in self.counts.values())

    def __str__(self) -> str:
        lines = [f"{'':10}{'':22}{'moments':>9}{'running':>9}{'writing':>9}{'before':>9}{'after':>9}"]
        for (name, way), counter in sorted(self.counts.items(), key=lambda item: (item[0][0], item[0][1].name)):
            figures = [counter["moments"], counter["running"], counter["writing"]]
            figures += [counter["moments"] - counter["done"], counter["done"]]
            lines.append(f"{name:10}{way.name:22}" + "".join(f"{figure:9}" for figure in figures))
        return "\n".join(lines)


def moments(count: int, chance: random.Random) -> list[float]:
    """Random shares of a run's length, spread evenly: one in each of ``count`` equal parts."""
    return [(part + chance.random()) / count for part in range(count)]


def content(connection: psycopg.Connection) -> dict[str, tuple[int, object]]:
    """Of each of our tables how many rows it holds, and a sum over their content, without what no two runs share."""
    found = {}
    for schema, table, columns in connection.execute(_COLUMNS, [SCHEMAS, list(_MOMENTS)]).fetchall():
        names = sql.SQL(", ").join(map(sql.Identifier, columns))
        query = _CONTENT.format(names, sql.Identifier(schema, table))
        found[f"{schema}.{table}"] = connection.execute(query).fetchone()
    return found


def _difference(state: State, undisturbed: Undisturbed) -> str:
    """Which tables hold what, where a state is neither the one before nor the one after."""
    lines = [
        f"{table}: {[known.content.get(table) for known in (undisturbed.before, state, undisturbed.after)]}"
        for table in sorted({*undisturbed.before.content, *state.content, *undisturbed.after.content})
    ]
    same = [known.schema == state.schema for known in (undisturbed.before, undisturbed.after)]
    return "\n".join(["", "rows before, now, and after:", *lines, f"the schema is that before, after: {same}"])


def _is_lost(connection: psycopg.Connection) -> bool:
    """Whether the server ends this session too, as it does with all of them after one was killed.

    It does not where the other one had ended by itself before.
    """
    try:
        connection.execute("select pg_sleep(%s)", [_MOMENTARILY])
    except psycopg.OperationalError:
        return True
    return False


def _left_by(name: str) -> str:
    """The database that keeps what an operation leaves."""
    return f"left_by_{name}"


def _operations(directory: Path, size: int) -> list[Operation]:
    """What is cut short, each after that whose result it starts from."""
    company = Company(seed=5, customers=size)
    start = datetime(2025, 1, 1)
    first = company.export(start, start + 90 * DAY, start + 91 * DAY).write(directory / "first.csv")
    second = company.export(start + 30 * DAY, start + 150 * DAY, start + 151 * DAY).write(directory / "second.csv")
    customers = Table(
        ["id", "Name", "Created (UTC)", "Payment Count"],
        [
            {"id": f"cus_{n:02}", "Name": f"Customer {n}", "Created (UTC)": "2024-05-01 0:00", "Payment Count": "9"}
            for n in range(0, size, 3)
        ],
    ).write(directory / "customers.csv")
    simulate = ["simulate", "--companies", str(size * 3), "--months", "12"]
    return [
        Operation("migrate", "", ["migrate"]),
        Operation("import", "migrate", ["import", "stripe", "--invoices", str(first), "--customers", str(customers)]),
        Operation("refresh", "import", ["import", "stripe", "--invoices", str(second), "--replace"]),
        Operation("undo", "refresh", ["undo", "--yes"], repeats=False),
        Operation("rebuild", "import", ["settings", "time_zone", "Pacific/Auckland"]),
        Operation("simulate", "migrate", simulate, repeats=False),
        Operation("rollback", "import", ["migrate", "--rollback", "1", "--yes"], repeats=False),
        Operation("upgrade", "rollback", ["migrate"]),
    ]
