"""A database that an earlier version made comes to this one with its facts, and every figure that it told.

tests/data/databases holds one for each released version, with the figures that its own code told.
"""

import shutil
import subprocess
import tarfile
from pathlib import Path

import psycopg
import pytest

from conftest import NewDatabase, schema_dump
from figures_of import compared, figures_of
from pgmrr.database import Database
from pgmrr.migrations import list_migrations
from pgmrr.restore import restore
from pgmrr.simulation import Parameters, simulate
from pgmrr.stripe import import_stripe

DIRECTORY = Path(__file__).parents[1] / "data" / "databases"
KEPT = sorted(DIRECTORY.glob("*.tar.xz"))
LARGEST = 150 * 1024


@pytest.fixture(params=KEPT, ids=lambda path: path.name, scope="module")
def kept(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with what an earlier version left."""
    directory = tmp_path_factory.mktemp("kept")
    with tarfile.open(request.param) as tar:
        tar.extractall(directory)  # ours; filters came with Python 3.11.4
    return directory


def test_every_release_left_a_database(repository: Path) -> None:
    assert KEPT
    assert [path.name for path in KEPT if path.stat().st_size > LARGEST] == []
    if not (repository / ".git").exists() or not shutil.which("git"):
        return  # an archive of the sources: its releases are those that left something
    tags = subprocess.run(
        ["git", "-c", f"safe.directory={repository}", "tag", "--list", "v*"],
        cwd=repository,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    missing = set(tags) - {path.name.removesuffix(".tar.xz") for path in KEPT}
    assert missing == set(), "make it: .venv/bin/python tests/data/databases/make TAG"


@pytest.mark.parametrize("name", ["abc", "handmade"])
def test_a_database_of_an_earlier_version_comes_without_loss(
    kept: Path, name: str, new_database: NewDatabase, database: str
) -> None:
    url = new_database()
    restored = restore(Database(url, "", None), kept / f"{name}.backup").manifest
    states = list_migrations(url)
    assert {state.checksum for state in states} == {"ok"}
    assert {state.id for state in states} >= set(restored.migrations)
    assert schema_dump(url) == schema_dump(database)

    told = (kept / f"{name}.json").read_text(encoding="utf-8")
    then, now = compared(told, figures_of(url))
    assert now == then
    assert {what for what, rows in then.items() if rows} >= {"ledger", "mrr_monthly", "mrr_explain"}
    assert bool(then["rejected_rows"]) == (name == "handmade")
    assert sum(map(len, then.values())) > 50


def test_today_s_code_makes_the_same_of_the_same_source(kept: Path, database: str, new_database: NewDatabase) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        import_stripe(connection, kept / "invoices.csv", kept / "customers.csv")
    then, now = compared((kept / "handmade.json").read_text(encoding="utf-8"), figures_of(database))
    assert now == then


def test_today_s_simulation_makes_the_same_company(kept: Path, database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        simulate(connection, Parameters(companies=20, months=6, seed=7))
    then, now = compared((kept / "abc.json").read_text(encoding="utf-8"), figures_of(database))
    assert now == then
