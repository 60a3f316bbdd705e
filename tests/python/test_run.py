"""The test command itself: what must turn it red does."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import Server, need

# The databases of an inner run need no tables of ours.
CONFTEST = """
import pytest
from psycopg.conninfo import conninfo_to_dict
from server_fixtures import *

@pytest.fixture(scope="session")
def template(server):
    with server.databases() as create:
        yield conninfo_to_dict(create())["dbname"]
"""

PASSING = """
    begin;
    select plan(2);
    select is(1, 1, 'one is one');
    select results_eq('select 1', 'values (1)', 'so is a row');
    select * from finish();
    rollback;
"""

# For each way in which a file can go wrong: how to get there from PASSING; which of its tests
# fail then, `whole` and the assertions by number; and what they say.
WRONG = {
    "fails": (("is(1, 1", "is(1, 2"), {"1"}, "#         want: 2"),
    "plans_more": (("plan(2)", "plan(3)"), {"3", "whole"}, "3 assertions planned, 2 run"),
    "plans_less": (("plan(2)", "plan(1)"), {"whole"}, "1 assertions planned, 2 run"),
    "no_plan": (("select plan(2);", ""), {"whole"}, "You tried to run a test without a plan!"),
    "unread_plan": (("select plan(2)", "select * from no_plan()"), {"whole"}, "`select plan(N);` says 0"),
    "error": (("select results_eq", "select 1 / 0; select results_eq"), {"2", "whole"}, "division by zero"),
    "late_error": (("rollback;", "select 1 / 0;"), {"whole"}, "division by zero"),
    "bails_out": (("select is(1", "select 'Bail out!'; select is(1"), {"whole"}, "Bail out!"),
    "plans_twice": (("select is(1", "select '1..2'; select is(1"), {"whole"}, "a second plan"),
    "disorder": (("select results_eq", "select 'ok 1'; select results_eq"), {"whole"}, "out of order"),
    "nothing": ((PASSING, "select 1;"), {"whole"}, "no plan"),
}


class Suite:
    """A small test suite of its own, with our pgTAP runner."""

    def __init__(self, root: Path, repository: Path) -> None:
        self.root = root
        (root / "tests/pgtap").mkdir(parents=True)
        (root / "tests/python").mkdir()
        ours = repository / "tests/python"
        shutil.copy(repository / "tests/run.py", root / "tests")
        shutil.copy(ours / "conftest.py", root / "tests/python/server_fixtures.py")
        for name in ("npm.py", "pgtap.py", "pgtap_source.py", "servers.py", "test_pgtap.py"):
            shutil.copy(ours / name, root / "tests/python")
        self.write("python/conftest.py", CONFTEST)
        (root / "pyproject.toml").write_text(
            f"""
            [tool.pytest.ini_options]
            pythonpath = ["{repository}/scripts"]
            markers = ["full: takes longer"]
            addopts = "-m 'not full'"
            """
        )

    def write(self, name: str, content: str) -> None:
        """A file of the suite; a test module in place of the pgTAP runner's."""
        (self.root / "tests" / name).write_text(content)

    def run(self, *arguments: str, **environment: str) -> tuple[int, str, str]:
        """Exit code, last line, and everything printed."""
        done = subprocess.run(
            [sys.executable, "tests/run.py", "tests", *arguments],
            cwd=self.root,
            env={**os.environ, "PYTEST_ADDOPTS": "", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout.splitlines()[-1], done.stdout

    def run_pgtap(self, server: Server, **environment: str) -> tuple[int, str, str]:
        """Runs the pgTAP files, under the default settings of a session alone."""
        return self.run("-rA", "-k", "default", PGMRR_TEST_URL=server.url("postgres"), **environment)

    def run_module(self, content: str, *arguments: str) -> tuple[int, str]:
        """Runs one test module; the exit code and the last line."""
        self.write("python/test_pgtap.py", content)
        return self.run(*arguments)[:2]


@pytest.fixture
def suite(tmp_path: Path, repository: Path) -> Suite:
    return Suite(tmp_path, repository)


@pytest.fixture(scope="module")
def wrong(tmp_path_factory: pytest.TempPathFactory, repository: Path, server: Server) -> str:
    """What a run of all the files of WRONG prints."""
    suite = Suite(tmp_path_factory.mktemp("wrong"), repository)
    for name, (change, _, _) in WRONG.items():
        suite.write(f"pgtap/{name}.sql", PASSING.replace(*change))
    code, _, printed = suite.run_pgtap(server)
    assert code == 1
    return printed


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_with_a_pgtap_file_fails(wrong: str, name: str) -> None:
    _, fails, reason = WRONG[name]
    failed = re.findall(rf"^FAILED .*::test_(?:file_is_|assertion)(whole)?\[default-{name}(?:-(\d))?\]", wrong, re.M)
    assert {whole or number for whole, number in failed} == fails
    assert reason in wrong


def test_each_assertion_counts(suite: Suite, server: Server) -> None:
    suite.write("pgtap/passing.sql", PASSING)
    suite.write("pgtap/skipping.sql", PASSING.replace("is(1, 1, 'one is one')", "skip('no one is here', 1)"))
    suite.write("pgtap/to_do.sql", PASSING.replace("select is(1, 1", "select todo('not yet', 1); select is(1, 2"))
    code, last, printed = suite.run_pgtap(server)
    assert (code, last) == (1, "7 passed, 2 failed"), printed  # what is skipped or left to do fails


def test_without_pgtap_every_assertion_fails(suite: Suite, server: Server, tmp_path: Path) -> None:
    suite.write("pgtap/passing.sql", PASSING)
    nothing = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path), "PATH": str(tmp_path)}
    code, last, printed = suite.run_pgtap(server, NPM_CONFIG_REGISTRY="http://127.0.0.1:9", **nothing)
    assert (code, last) == (1, "0 passed, 3 failed")
    assert "PgtapMissingError: no pgTAP from the npm registry (can't reach http://127.0.0.1:9" in printed


def test_a_suite_without_pgtap_files_fails(suite: Suite) -> None:
    assert suite.run("-k", "there_are_files")[:2] == (1, "0 passed, 1 failed")


@pytest.mark.parametrize(
    ("module", "code", "last"),
    [
        ("def test_a(): pass", 0, "1 passed, 0 failed"),
        ("def test_a(): pass\ndef test_b(): assert False", 1, "1 passed, 1 failed"),
        ("def setup_module(): 1 / 0\ndef test_a(): pass", 1, "0 passed, 1 failed"),
        ("def teardown_module(): 1 / 0\ndef test_a(): pass", 1, "1 passed, 1 failed"),
        ("import nothing_of_this_name", 1, "0 passed, 1 failed"),
        ("import pytest\ndef test_a(): pytest.skip('no')", 1, "0 passed, 0 failed, 1 skipped"),
        ("def test_a(): pass\ndef test_b(): raise KeyboardInterrupt", 1, "1 passed, 1 failed"),
        ("", 1, "0 passed, 1 failed"),
    ],
)
def test_the_last_line_and_the_exit_code(suite: Suite, module: str, code: int, last: str) -> None:
    assert suite.run_module(module) == (code, last)


def test_a_run_that_cannot_begin_fails(suite: Suite) -> None:
    assert suite.run("--no-such-option")[:2] == (1, "0 passed, 1 failed")


def test_full_adds_what_takes_longer(suite: Suite) -> None:
    module = """
import hypothesis, pytest
def test_a(): assert hypothesis.settings().max_examples <= 100
@pytest.mark.full
def test_b(): assert hypothesis.settings().max_examples == 1000
"""
    assert suite.run_module(module) == (0, "1 passed, 0 failed")
    assert suite.run_module(module, "--full", "-k", "test_b") == (0, "1 passed, 0 failed")
    assert suite.run_module(module, "--full") == (1, "1 passed, 1 failed")


@pytest.mark.parametrize(
    ("required", "outcome"), [("", pytest.skip.Exception), ("chromium,no-such-program", pytest.fail.Exception)]
)
def test_what_needs_a_missing_program_is_skipped_or_fails_where_it_is_required(
    monkeypatch: pytest.MonkeyPatch, required: str, outcome: type[BaseException]
) -> None:
    monkeypatch.setenv("PGMRR_TEST_REQUIRE", required)
    assert need("sh") == shutil.which("sh")
    with pytest.raises(outcome, match="no-such-program is missing; as root of a Debian: apt-get install"):
        need("no-such-program")
