"""The processes of an embedded server: its postmaster, and what a killed one leaves behind."""

import signal
from pathlib import Path

import psutil

from pgmrr.server_settings import socket_path

# How long the sessions of a killed postmaster may take to end, in seconds.
_PATIENCE = 10


def pid_file(data: Path) -> tuple[int, str] | None:
    """What ``postmaster.pid`` says: the process, and its state (``ready`` when it takes sessions).

    The file may be stale, and half written: then the state is empty, or there is no answer at all.
    """
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
        return int(lines[0]), lines[7].strip() if len(lines) > 7 else ""
    except (FileNotFoundError, NotADirectoryError, ValueError, IndexError):
        return None


def postmaster(data: Path) -> psutil.Process | None:
    """The running postmaster of the data directory; whatever else has its number now doesn't count."""
    if (claimed := pid_file(data)) is None:
        return None
    try:
        process = psutil.Process(abs(claimed[0]))  # negative for a single-user backend
    except (psutil.NoSuchProcess, ValueError):
        return None
    return process if not ended(process) and _works_in(data, process) else None


def ended(process: psutil.Process) -> bool:
    """Whether the process is over, also where nobody has asked for its exit code yet."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def clear_remains(data: Path, socket_directory: Path) -> None:
    """Make way for a new postmaster, after the old one was killed or the machine went down.

    Sessions that outlived their postmaster get the signal that it would have
    sent them in a crash; recovery then treats them as such. PostgreSQL itself
    refuses a stale lock file whose process number now belongs to another process
    of the same user, or to one that nobody has waited for: so these files go.
    """
    if not (data / "postmaster.pid").exists():
        return
    orphans = [process for process in psutil.process_iter() if _works_in(data, process)]
    for sign in (signal.SIGQUIT, signal.SIGKILL):
        for process in orphans:
            if not ended(process):
                process.send_signal(sign)
        _, orphans = psutil.wait_procs(orphans, timeout=_PATIENCE)
    socket = socket_path(socket_directory)
    socket.with_name(f"{socket.name}.lock").unlink(missing_ok=True)
    (data / "postmaster.pid").unlink(missing_ok=True)


def _works_in(data: Path, process: psutil.Process) -> bool:
    """Whether it is a process of a server on ``data``: they all stay in their data directory."""
    try:
        return process.name() == "postgres" and Path(process.cwd()).samefile(data)
    except (psutil.Error, OSError):
        return False
