"""The pgTAP suite: each assertion of ``tests/pgtap/*.sql`` is a test here.

A file runs once under each of SETTINGS, in a fresh database, when the first of its assertions is
asked for. How many assertions it has is read from its ``select plan(N)``; that it ran these, no
more and no less, and without an error, is a test as well. One file: ``scripts/test -k 10_movements``.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

import pgtap
from conftest import NewDatabase, Server

FILES = sorted(Path(__file__).parents[1].joinpath("pgtap").glob("*.sql"))

# No figure may depend on how a session is set up, nor on the plan of a query.
SETTINGS = [
    pytest.param("", id="default"),
    pytest.param("-c TimeZone=Pacific/Auckland -c DateStyle=German,DMY", id="auckland"),
    pytest.param("-c enable_hashagg=off", id="no_hashagg", marks=pytest.mark.full),
    pytest.param(
        "-c min_parallel_table_scan_size=0 -c min_parallel_index_scan_size=0"
        " -c parallel_setup_cost=0 -c parallel_tuple_cost=0",
        id="parallel",
        marks=pytest.mark.full,
    ),
]

ASSERTIONS = [
    pytest.param(file, number, id=f"{file.stem}-{number}")
    for file in FILES
    for number in range(1, pgtap.planned(file) + 1)
]

Run = Callable[[Path, str], pgtap.Outcome]


@pytest.fixture(scope="session")
def template_with_pgtap(server: Server, template: str) -> Iterator[str]:
    """The name of a database with our migrations and code, and with pgTAP."""
    with server.databases() as create:
        url = create(template=template)
        pgtap.install(url)
        yield conninfo_to_dict(url)["dbname"]


@pytest.fixture(scope="session")
def outcomes() -> dict[tuple[Path, str], pgtap.Outcome]:
    """The files that ran already."""
    return {}


@pytest.fixture
def run(outcomes: dict[tuple[Path, str], pgtap.Outcome], template_with_pgtap: str, new_database: NewDatabase) -> Run:
    """Runs a file under some settings, unless it did."""

    def run_once(file: Path, settings: str) -> pgtap.Outcome:
        if (file, settings) not in outcomes:
            url = new_database(template=template_with_pgtap)
            outcomes[file, settings] = pgtap.run(file, url, settings)
        return outcomes[file, settings]

    return run_once


def test_there_are_files() -> None:
    assert FILES


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
@pytest.mark.parametrize("settings", SETTINGS)
def test_file_is_whole(run: Run, file: Path, settings: str) -> None:
    outcome = run(file, settings)
    problems = list(outcome.problems)
    if outcome.plan != pgtap.planned(file):
        problems.append(f"its `select plan(N);` says {pgtap.planned(file)}, it ran with {outcome.plan}")
    if problems:
        pytest.fail("\n".join([str(file), *problems]), pytrace=False)


@pytest.mark.parametrize(("file", "number"), ASSERTIONS)
@pytest.mark.parametrize("settings", SETTINGS)
def test_assertion(run: Run, file: Path, number: int, settings: str) -> None:
    outcome = run(file, settings)
    assertion = outcome.assertions.get(number)
    if assertion is None:
        pytest.fail(f"{file}: not reached, see test_file_is_whole", pytrace=False)
    if assertion.directive or not assertion.passed:  # nothing is skipped, or left to do
        pytest.fail(f"{file}: {assertion}", pytrace=False)
