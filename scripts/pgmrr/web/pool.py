"""Sessions of a reader, a few of them, kept open between requests."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from psycopg import IsolationLevel

Connection = psycopg.Connection[Any]

# Zone and style are part of the answer; jit costs more than it saves; and what comes in parallel comes in
# any order, which pages must not.
_AS_READER = """
select
    set_config('statement_timeout', %(timeout)s, true),
    set_config('TimeZone', 'UTC', true),
    set_config('DateStyle', 'ISO, YMD', true),
    set_config('jit', 'off', true),
    set_config('max_parallel_workers_per_gather', '0', true),
    set_config('synchronize_seqscans', 'off', true)
"""

_UNREACHABLE = (psycopg.OperationalError, psycopg.InterfaceError)


class BusyError(Exception):
    """All sessions are taken, and none came free in time."""


class AwayError(Exception):
    """The database does not answer."""


class Pool:
    """At most ``size`` sessions at the database at ``url``.

    ``timeout`` is the time limit of a statement, ``patience`` how long to wait for a free session; in seconds.
    """

    def __init__(self, url: str, timeout: float, size: int = 4, patience: float = 10) -> None:
        self._url = url
        self._timeout = timeout
        self._patience = patience
        self._free = threading.BoundedSemaphore(size)
        self._lock = threading.Lock()
        self._idle: list[Connection] = []
        self._busy: set[Connection] = set()
        self._becomes_reader = True

    def becomes_reader(self) -> bool:
        """Whether the login may become ``pgmrr_reader``. If not, all is asked with its own rights."""
        self._becomes_reader = False
        with self.reading() as connection, suppress(psycopg.errors.InsufficientPrivilege):
            with connection.transaction():
                connection.execute("set local role pgmrr_reader")
            self._becomes_reader = True
        return self._becomes_reader

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One ``repeatable read, read only`` transaction of a reader, with a time limit for each statement.

        Raises BusyError and AwayError.
        """
        if not self._free.acquire(timeout=self._patience):
            raise BusyError
        try:
            connection = self._begin()
            self._busy.add(connection)
            try:
                yield connection
                connection.rollback()  # nothing was written
            except BaseException:
                with suppress(psycopg.Error):
                    connection.rollback()
                raise
            finally:
                self._busy.discard(connection)
                self._keep(connection)
        finally:
            self._free.release()

    def close(self) -> None:
        """Stop what still runs, and end all sessions."""
        with self._lock:
            idle, self._idle = self._idle, []
            busy = list(self._busy)
        for connection in busy:
            with suppress(psycopg.Error):
                connection.cancel_safe(timeout=2)
        for connection in idle:
            connection.close()

    def _begin(self) -> Connection:
        """A session in a transaction of a reader. What the server ended meanwhile is replaced."""
        while True:
            with self._lock:
                connection = self._idle.pop() if self._idle else None
            is_new = connection is None
            try:
                connection = connection or self._connect()
                connection.execute(_AS_READER, {"timeout": f"{round(self._timeout * 1000)}ms"})
                if self._becomes_reader:
                    connection.execute("set local role pgmrr_reader")
            except _UNREACHABLE as error:
                if connection:
                    connection.close()
                if is_new:
                    raise AwayError(next(iter(str(error).splitlines()), "")) from error
            except BaseException:
                if connection:
                    connection.close()
                raise
            else:
                return connection

    def _connect(self) -> Connection:
        connection = psycopg.connect(self._url, fallback_application_name="pgmrr serve", connect_timeout=5)
        connection.isolation_level = IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        connection.prepare_threshold = None  # a plan must not outlive the code that it was made for
        return connection

    def _keep(self, connection: Connection) -> None:
        if connection.closed:
            return
        with self._lock:
            self._idle.append(connection)
