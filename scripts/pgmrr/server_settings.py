"""The settings of a new embedded server, and the path of its socket."""

import hashlib
import os
import sys
from pathlib import Path
from urllib.parse import quote

PORT = 5432  # names the socket's file; nothing listens on a TCP port

_MEGABYTE = 1024 * 1024

# macOS allows 103 bytes, Linux 107.
_LONGEST_SOCKET_PATH = 103

_SETTINGS = """\
# Settings of pgmrr's embedded PostgreSQL, written once: what you change here stays.
# They take effect after: pgmrr down && pgmrr up

# memory
shared_buffers = {shared_buffers}MB
effective_cache_size = {effective_cache_size}MB
work_mem = {work_mem}MB
maintenance_work_mem = {maintenance_work_mem}MB
dynamic_shared_memory_type = {dynamic_shared_memory_type}

# write-ahead log: a server of one machine, loaded in bulk
wal_level = minimal
max_wal_senders = 0
max_wal_size = 2GB
checkpoint_timeout = 15min

# local disks are as fast at random as in sequence
random_page_cost = 1.1

# compiling plans of our size takes longer than running them
jit = off

# the statement of a program that was killed ends too, and frees its locks
client_connection_check_interval = 2s

timezone = 'UTC'
log_timezone = 'UTC'
log_checkpoints = off
log_line_prefix = '%m [%p] %q%u@%d '
"""


def settings() -> str:
    """The text of ``pgmrr.conf``, scaled to the memory of this machine."""
    memory = _memory() // _MEGABYTE
    return _SETTINGS.format(
        shared_buffers=_between(64, memory // 8, 1024),
        effective_cache_size=_between(128, memory // 2, 65536),
        work_mem=_between(8, memory // 128, 64),
        maintenance_work_mem=_between(64, memory // 16, 512),
        dynamic_shared_memory_type=_shared_memory_type(),
    )


def socket_directory(data: Path) -> Path:
    """Where the socket of the server on ``data`` lies: in ``data``, where its path is short enough.

    Else, or where the path holds a comma, which clients take for the end of
    a host, in a directory of the server's user under ``/tmp``, named after ``data``.
    """
    if len(os.fsencode(socket_path(data))) <= _LONGEST_SOCKET_PATH and "," not in str(data):
        return data
    return Path("/tmp", f"pgmrr-{hashlib.sha256(os.fsencode(data)).hexdigest()[:16]}")


def socket_path(directory: Path) -> Path:
    """The socket in ``directory``, by the name that PostgreSQL gives it."""
    return directory / f".s.PGSQL.{PORT}"


def url(directory: Path, database: str) -> str:
    """The URI of ``database`` on the server whose socket lies in ``directory``."""
    name, host = quote(database, safe=""), quote(os.fsencode(directory), safe="")
    return f"postgresql://postgres@/{name}?host={host}&port={PORT}"


def options(directory: Path) -> list[str]:
    """What the server is told on its command line, above any file: the socket alone, for its user alone."""
    quoted = str(directory).replace('"', '""')
    return [
        *("-c", "listen_addresses="),
        *("-c", f'unix_socket_directories="{quoted}"'),
        *("-c", "unix_socket_permissions=0700"),
        *("-c", f"port={PORT}"),
    ]


def _memory() -> int:
    """Bytes of memory of this machine, or of this container where that is less."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        return min(machine, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    except (OSError, ValueError):  # no such limit
        return machine


def _shared_memory_type() -> str:
    """POSIX, but where its mount is too small for parallel queries, as in containers, System V."""
    if sys.platform != "linux":
        return "posix"
    try:
        mount = os.statvfs("/dev/shm")
    except OSError:
        return "sysv"
    return "posix" if mount.f_blocks * mount.f_frsize >= 1024 * _MEGABYTE else "sysv"


def _between(lowest: int, value: int, highest: int) -> int:
    return max(lowest, min(value, highest))
