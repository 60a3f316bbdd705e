"""What went wrong with the embedded server, in the user's words."""

import errno
import os
import re
import shlex
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pgmrr.errors import PgmrrError
from pgmrr.server_user import user_name

# With less than this a server can't even write why it doesn't start, in bytes.
_NO_SPACE = 1024 * 1024

_REASON = re.compile(r"(?:FATAL|PANIC|initdb: error|postgres): +(.*)")

_ELSEWHERE = "or set PGMRR_HOME to another directory"


@contextmanager
def os_errors_explained(home: Path) -> Iterator[None]:
    """Turn the system's refusal of a file operation into a PgmrrError."""
    try:
        yield
    except OSError as error:
        place = error.filename or home
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise disk_full(home) from error
        raise PgmrrError(
            f"{place}: {error.strerror}{_whose(Path(place))}",
            f"make {home} a directory that you can write to, {_ELSEWHERE}",
        ) from error


def program_failed(what: str, output: str, directory: Path, log: Path | None = None) -> PgmrrError:
    """The error for a PostgreSQL program that gave up with ``output``, working in ``directory``."""
    if "No space left on device" in output or shutil.disk_usage(directory).free < _NO_SPACE:
        return disk_full(directory)
    reasons = _REASON.findall(output) or output.strip().splitlines()
    hint = f"tail -n 30 {shlex.quote(str(log))}" if log else f"look at {directory}, {_ELSEWHERE}"
    return PgmrrError(f"{what}: {reasons[-1] if reasons else 'it said nothing'}", hint)


def disk_full(directory: Path) -> PgmrrError:
    """The error for a full file system."""
    return PgmrrError(
        f"no space left on the disk of {directory}",
        f"free some space (df -h {shlex.quote(str(directory))}), {_ELSEWHERE}",
    )


def _whose(path: Path) -> str:
    """A remark on who owns the nearest directory that can be seen, where that is somebody else."""
    for seen in (path, *path.parents):
        try:
            owner = seen.stat().st_uid
        except OSError:
            continue
        return "" if owner == os.geteuid() else f" ({seen} belongs to user {user_name(owner)})"
    return ""
