"""Where the SQL lies: beside the package in a checkout, inside it in a wheel."""

from pathlib import Path

from pgmrr.errors import PgmrrError

_PACKAGE = Path(__file__).resolve().parent


def sql_directory(name: str) -> Path:
    """The directory ``migrations`` or ``procedures`` of this installation.

    Raises PgmrrError where the installation is incomplete.
    """
    for root in (_PACKAGE, _PACKAGE.parents[1]):
        directory = root / name
        if directory.is_dir():
            return directory
    raise PgmrrError(
        f"this installation of pgmrr has no {name}/ directory",
        "reinstall it: python -m pip install --force-reinstall pgmrr",
    )


def query_text(name: str) -> str:
    """The query on other people's tables that is called ``name``."""
    return (_PACKAGE / "queries" / f"{name}.sql").read_text(encoding="utf-8")
