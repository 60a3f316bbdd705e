"""Whom the embedded server runs as, and what that user can reach.

PostgreSQL refuses to run as root. Where root calls, the server runs as an
ordinary user of the system instead; everybody else runs it as himself.
"""

import os
import pwd
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pgmrr.errors import PgmrrError

# Debian's, macOS's, and the one that every system has.
_ORDINARY_USERS = ("postgres", "_postgres", "nobody")

# The caller's PG*, LC_*, LD_LIBRARY_PATH and TZ must not reach the server. LC_ALL keeps
# its messages in English, which we read, and keeps macOS from starting threads in it.
_ENVIRONMENT = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL": "C", "TZ": "UTC"}


@dataclass(frozen=True)
class ServerUser:
    """The system user of the server's processes and of its data directory."""

    name: str
    uid: int
    gid: int

    @property
    def is_caller(self) -> bool:
        """Whether this is the user of the present process."""
        return self.uid == os.geteuid()

    def run(self, command: Sequence[str | Path], **options: Any) -> subprocess.CompletedProcess[str]:
        """``subprocess.run`` as this user, from ``/``, without the caller's environment and input.

        Raises PgmrrError where the system doesn't let the caller become this user.
        """
        identity: dict[str, Any] = {} if self.is_caller else {"user": self.uid, "group": self.gid, "extra_groups": []}
        options |= {"cwd": "/", "env": _ENVIRONMENT, "stdin": subprocess.DEVNULL, "text": True}
        try:
            return subprocess.run(command, check=False, **identity, **options)
        except OSError as error:
            raise PgmrrError(
                f"{command[0]} cannot be run as user {self.name}: {error.strerror}",
                "run pgmrr as an ordinary user, or name a server of yours in DATABASE_URL",
            ) from error

    def can_enter(self, *paths: Path) -> bool:
        """Whether this user can enter these directories, and execute these files."""
        script = 'for path do test -x "$path" || exit 1; done'
        return self.run(["/bin/sh", "-c", script, "sh", *paths]).returncode == 0

    def own(self, path: Path) -> None:
        """Give what the caller has just made at ``path`` to this user."""
        if not self.is_caller:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)


def server_user(home: Path, data: Path) -> ServerUser:
    """The user that runs the server of ``home``, whose data directory is ``data``.

    Where root calls, it is the owner of the data directory, else of the home
    directory, else an ordinary user of the system. Raises PgmrrError where
    there is none.
    """
    if (caller := os.geteuid()) != 0:
        return ServerUser(user_name(caller), caller, os.getegid())
    for path in (data, home):
        if path.exists() and (owner := path.stat().st_uid) != 0:
            return ServerUser(user_name(owner), owner, _group(owner))
    for name in _ORDINARY_USERS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return ServerUser(name, entry.pw_uid, entry.pw_gid)
    raise PgmrrError(
        "PostgreSQL does not run as root, and this system has no ordinary user to run it as",
        "useradd --system postgres",
    )


def user_name(uid: int) -> str:
    """The name of a user of the system, or his number where he has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _group(uid: int) -> int:
    try:
        return pwd.getpwuid(uid).pw_gid
    except KeyError:
        return uid
