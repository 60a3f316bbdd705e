"""An embedded PostgreSQL server: one for each home directory, reached through a socket alone.

    <home>/data          the data directory (a link, where the server's user can't enter <home>)
    <home>/server.log    what the server says
    <home>/server.lock   held while a process creates, starts or stops the server

Everybody who may enter the data directory is trusted as ``postgres``: that is
the user who runs the server, and root.
"""

import fcntl
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import platformdirs
import psutil
import psycopg
from psycopg import sql

from pgmrr import server_process, server_settings
from pgmrr.errors import PgmrrError
from pgmrr.server_binaries import binary, programs_for
from pgmrr.server_data import data_directory, data_version, ensure_data, make_home
from pgmrr.server_failures import os_errors_explained, program_failed
from pgmrr.server_user import ServerUser, server_user

# In the background of a shell that ends at once the server belongs to nobody who has to wait for it.
_IN_BACKGROUND = ("/bin/sh", "-c", '"$@" >&2 & echo $!', "sh")

# What a start may find for some seconds after a postmaster was killed.
_STILL_HELD = re.compile("lock file .* already exists|pre-existing shared memory block")

_DATABASE_NAME = re.compile(r"[a-z_][a-z0-9_-]{0,62}")

# In seconds.
_RETRY = 15
_PATIENCE = 1800
_BETWEEN_MESSAGES = 5

_LARGE_LOG = 10 * 1024 * 1024


@dataclass(frozen=True)
class ServerStatus:
    """Where a server lies, and whether it runs.

    ``pid`` is None where it doesn't run. ``version`` is that of the running
    server (``18.6``), else of the data directory (``18``), None where there is none.
    """

    running: bool
    pid: int | None
    version: str | None
    data_directory: Path
    socket_directory: Path
    port: int
    log_file: Path


def default_home() -> Path:
    """The directory in PGMRR_HOME, else pgmrr's own in the platform's user data directory."""
    return Path(os.environ.get("PGMRR_HOME") or platformdirs.user_data_dir("pgmrr"))


def client_environment() -> dict[str, str]:
    """The caller's environment without the PG* variables that lead a client to another server."""
    harmless = {"PGAPPNAME", "PGCLIENTENCODING", "PGDATESTYLE", "PGOPTIONS", "PGTZ"}
    return {name: value for name, value in os.environ.items() if name[:2] != "PG" or name in harmless}


def check_name(name: str) -> str:
    """The name, where it can be that of a database on the embedded server; else PgmrrError."""
    if not _DATABASE_NAME.fullmatch(name) or name in ("template0", "template1"):
        raise PgmrrError(
            f"{name!r} cannot be the name of a database",
            "use up to 63 of a to z, 0 to 9, _ and -, beginning with a letter, as in --db abc",
        )
    return name


class EmbeddedServer:
    """The server of one home directory."""

    def __init__(self, home: Path | None = None) -> None:
        """Name the server of ``home``, by default ``default_home()``; nothing is read or written."""
        self.home = Path(home or default_home()).expanduser().resolve()
        self.log_file = self.home / "server.log"

    @property
    def data_directory(self) -> Path:
        """The data directory, links followed."""
        return data_directory(self.home)

    @property
    def socket_directory(self) -> Path:
        """Where the socket lies: the data directory, or where that path is too long, one in ``/tmp``."""
        return server_settings.socket_directory(self.data_directory)

    def url(self, database: str) -> str:
        """The URI of a database for psycopg, psql and, with its scheme, yoyo; good once ``start`` has run."""
        return server_settings.url(self.socket_directory, database)

    def start(self) -> None:
        """Have the server run: create its data, recover it, start it, or nothing, as needed.

        The server outlives this process. Raises PgmrrError where it can't run.
        """
        with os_errors_explained(self.home):
            if self._is_ready():
                return
            make_home(self.home)
            with self._lock() as lock:
                user = server_user(self.home, self.data_directory)
                ensure_data(self.home, user, lock)
                if not self._is_started():
                    self._launch(user)

    def stop(self) -> bool:
        """Stop the server, ending its sessions. False where it didn't run.

        Raises PgmrrError where it can't be stopped.
        """
        with os_errors_explained(self.home):
            if server_process.pid_file(self.data_directory) is None:
                return False
            with self._lock():
                process = server_process.postmaster(self.data_directory)
                if process is None:
                    if self._answers():
                        raise self._out_of_sight()
                    return False
                process.send_signal(signal.SIGINT)  # a fast shutdown: sessions end, data are written
                for _ in self._waiting(process, "to stop"):
                    pass
                return True

    def status(self) -> ServerStatus:
        """What there is. Changes nothing on disk."""
        with os_errors_explained(self.home):
            running = self._is_ready()
            claimed = server_process.pid_file(self.data_directory)
            return ServerStatus(
                running=running,
                pid=claimed[0] if running and claimed else None,
                version=self._version(running),
                data_directory=self.data_directory,
                socket_directory=self.socket_directory,
                port=server_settings.PORT,
                log_file=self.log_file,
            )

    def ensure_database(self, name: str) -> bool:
        """Create the database unless it exists, and tell whether it did not; the server must run.

        Raises PgmrrError for a name that is not lower case, or that PostgreSQL keeps for itself.
        """
        check_name(name)
        create = sql.SQL("create database {} template template0 encoding 'UTF8'")
        with self._connect() as connection:
            if connection.execute("select 1 from pg_database where datname = %s", [name]).fetchone():
                return False
            # Another process may create it at the same moment.
            with suppress(psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
                connection.execute(create.format(sql.Identifier(name)))
                return True
            return False

    def drop_database(self, name: str) -> None:
        """Drop a database that ``ensure_database`` made; the server must run."""
        with self._connect() as connection:
            connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))

    def binary(self, name: str) -> Path:
        """A program of this PostgreSQL, such as ``pg_dump``; PgmrrError where it is missing."""
        return binary(name)

    def psql(self, database: str, arguments: Sequence[str] = ()) -> NoReturn:
        """Become ``psql`` on the database, with further arguments for it; the server must run."""
        program = self.binary("psql")
        sys.stdout.flush()
        os.execve(program, [str(program), *arguments, self.url(database)], client_environment())

    # -- what there is ---------------------------------------------------------------

    def _is_ready(self) -> bool:
        """Whether the server takes sessions. A stale pid file alone proves nothing."""
        claimed = server_process.pid_file(self.data_directory)
        return claimed is not None and claimed[1] == "ready" and self._answers()

    def _answers(self) -> bool:
        """Whether somebody listens on the socket."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(1)
            try:
                probe.connect(os.fspath(server_settings.socket_path(self.socket_directory)))
            except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError):
                return False
            except (BlockingIOError, TimeoutError):  # listens, but is busy
                return True
            return True

    def _connect(self) -> psycopg.Connection:
        try:
            return psycopg.connect(self.url("postgres"), autocommit=True)
        except psycopg.OperationalError as error:
            raise PgmrrError(f"no session on the embedded server: {str(error).splitlines()[0]}", "pgmrr up") from error

    def _version(self, running: bool) -> str | None:
        with suppress(PgmrrError):  # all its sessions may be taken
            if running:
                with self._connect() as connection:
                    return connection.info.parameter_status("server_version")
        return data_version(self.data_directory)

    def _out_of_sight(self) -> PgmrrError:
        return PgmrrError(
            f"the server on {self.data_directory} was started in another container or by another user",
            "start and stop it there",
        )

    # -- starting and stopping ---------------------------------------------------------

    @contextmanager
    def _lock(self) -> Iterator[int]:
        """Hold the lock of this home; its file descriptor."""
        descriptor = self._open(self.home / "server.lock", os.O_RDWR)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                _say("waiting for another pgmrr that starts or stops the server")
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield descriptor
        finally:
            os.close(descriptor)

    def _open(self, path: Path, flags: int) -> int:
        """A file of the home's owner, also where root makes it."""
        descriptor = os.open(path, flags | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        if os.geteuid() == 0:
            owner = self.home.stat()
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
        return descriptor

    def _is_started(self) -> bool:
        """Whether a server runs, or was about to and now does. If not, the way is clear for one."""
        process = server_process.postmaster(self.data_directory)
        if self._is_ready() or (process and self._becomes_ready(process)):
            return True
        if self._answers():
            raise self._out_of_sight()
        server_process.clear_remains(self.data_directory, self.socket_directory)
        return False

    def _launch(self, user: ServerUser) -> None:
        self._make_socket_directory(user)
        server = programs_for(user) / "postgres"
        options = server_settings.options(self.socket_directory)
        command: list[str | Path] = [*_IN_BACKGROUND, server, "-D", self.data_directory, *options]
        if self.log_file.exists() and self.log_file.stat().st_size > _LARGE_LOG:
            self.log_file.replace(self.log_file.with_name("server.log.1"))
        log = self._open(self.log_file, os.O_RDWR | os.O_APPEND)
        try:
            give_up = time.monotonic() + _RETRY
            while True:
                seen = os.fstat(log).st_size
                result = user.run(command, stdout=subprocess.PIPE, stderr=log, start_new_session=True)
                with suppress(psutil.NoSuchProcess):
                    if self._becomes_ready(psutil.Process(int(result.stdout))):
                        return
                said = os.pread(log, _LARGE_LOG, seen).decode(errors="replace")
                if not _STILL_HELD.search(said) or time.monotonic() > give_up:
                    raise program_failed("PostgreSQL does not start", said, self.home, self.log_file)
                time.sleep(0.5)
        finally:
            os.close(log)

    def _make_socket_directory(self, user: ServerUser) -> None:
        directory = self.socket_directory
        if directory == self.data_directory:
            return
        with suppress(FileExistsError):
            directory.mkdir(mode=0o700)
            user.own(directory)
        found = directory.lstat()  # others can make directories in /tmp, and links
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != user.uid or found.st_mode & 0o077:
            raise PgmrrError(
                f"{directory}, for the server's socket, is not a closed directory of user {user.name}",
                f"remove it, or set PGMRR_HOME to a path shorter than {self.home}",
            )

    def _becomes_ready(self, process: psutil.Process) -> bool:
        """Wait while the server starts, which after a crash takes minutes. False where it ended instead."""
        for _ in self._waiting(process, "to start, which after a crash takes a while"):
            if server_process.pid_file(self.data_directory) == (process.pid, "ready"):
                if self._answers():
                    return True
                raise PgmrrError(
                    f"PostgreSQL (process {process.pid}) runs on {self.data_directory},"
                    f" but does not answer on its socket in {self.socket_directory}",
                    "pgmrr down && pgmrr up",
                )
        return False

    def _waiting(self, process: psutil.Process, purpose: str) -> Iterator[None]:
        """Step on every few milliseconds, until the process has ended."""
        begun = time.monotonic()
        message_at = begun + _BETWEEN_MESSAGES
        while not server_process.ended(process):
            yield
            now = time.monotonic()
            if now > begun + _PATIENCE:
                raise PgmrrError(
                    f"PostgreSQL (process {process.pid}) took more than {_PATIENCE // 60} minutes {purpose}",
                    f"tail -n 30 {self.log_file}",
                )
            if now > message_at:
                _say(f"waiting for PostgreSQL {purpose} ({now - begun:.0f} s)")
                message_at = now + _BETWEEN_MESSAGES
            time.sleep(0.02)


def _say(text: str) -> None:
    print(f"pgmrr: {text}", file=sys.stderr, flush=True)
