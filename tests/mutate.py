"""Plants errors in the SQL, one at a time, and asks whether the tests notice.

    .venv/bin/python tests/mutate.py [-k WORDS] [--log FILE]

The errors stand in ``mutations.toml``, as data. Each is planted in the code of a database of its own,
never in a file, and the tests, which copy that database, run: first the suspects of its area, then,
where these pass, the rest. An error is killed where a test fails, or where the tests don't end; it
survives where all pass. A test that kills has to pass without any error planted, since one that fails
anyway kills nothing; and an error that is no SQL is a mistake in the list.
"""

import argparse
import json
import os
import select
import shlex
import signal
import sys
import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests" / "python")]

import pgtap  # noqa: E402
from conftest import NewDatabase, Server, embedded_server  # noqa: E402
from pgmrr.migrations import migrate  # noqa: E402

PROCEDURES = ROOT / "procedures"
PGTAP = ROOT / "tests" / "pgtap"
LIST = ROOT / "tests" / "mutations.toml"
PYTEST = ["-x", "-q", "--tb=no", "--hypothesis-profile=first_failure", "-p", "no:cacheprovider"]
LONGEST_RUN = 900  # seconds; the tests of one error take a tenth of it


class ListError(Exception):
    """What is wrong with an entry of the list, and what to do about it."""


@dataclass(frozen=True)
class Mutation:
    """An error to plant: in a file of procedures/, ``text`` is replaced by ``becomes``."""

    area: str
    file: str
    text: str
    becomes: str
    error: str
    equivalent: str | None = None

    def planted_in(self, original: str) -> str:
        """The file's content with the error. Raises ListError where it can't be planted."""
        count = original.count(self.text)
        if count != 1:
            raise ListError(
                f"procedures/{self.file}: the text of `{self.error}` stands there {count} times, not once;"
                " mend the entry of tests/mutations.toml, or take it out"
            )
        if self.text == self.becomes:
            raise ListError(f"procedures/{self.file}: `{self.error}` changes nothing")
        return original.replace(self.text, self.becomes)


@dataclass(frozen=True)
class Tests:
    """What runs together: files of tests/pgtap, without their ending, and arguments of pytest."""

    pgtap: list[str]
    pytest: list[str]


@dataclass(frozen=True)
class Mutations:
    """The list: errors, and which tests run first, by area, and afterwards."""

    all: list[Mutation]
    suspects: dict[str, Tests]
    rest: Tests


@dataclass(frozen=True)
class Verdict:
    """Whether an error was noticed, and by which test."""

    killed: bool
    by: str = ""


def read(path: Path = LIST) -> Mutations:
    """The list in a file."""
    with path.open("rb") as file:
        content = tomllib.load(file)
    return Mutations(
        [Mutation(**entry) for entry in content["mutation"]],
        {area: _tests(entry) for area, entry in content["suspects"].items()},
        _tests(content["rest"]),
    )


def _tests(entry: dict[str, list[str] | str]) -> Tests:
    return Tests(entry["pgtap"], shlex.split(entry["tests"]))


class FirstFailure:
    """A plugin for pytest that remembers the first test that fails, and whether any passes."""

    name: str | None = None
    passed = False

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._note(report)
        self.passed |= report.when == "call" and report.passed

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self._note(report)

    def _note(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if report.failed and self.name is None:
            self.name = report.nodeid


class Laboratory:
    """A server on which errors are planted: in the code of a database that all tests then copy."""

    def __init__(self, server: Server, databases: NewDatabase) -> None:
        self._server = server
        self._new_database = databases
        self._sound = databases()
        migrate(self._sound)
        self._sound_with_pgtap = self._copy(self._sound)
        pgtap.install(self._sound_with_pgtap)

    def verdict(self, tests: Tests, mutation: Mutation | None = None) -> Verdict:
        """Whether one of these tests fails with the error planted; the first one is the last to run."""
        verdict = Verdict(False)
        for sound, names, run in (
            (self._sound_with_pgtap, tests.pgtap, self._run_pgtap),
            (self._sound, tests.pytest, self._run_pytest),
        ):
            if names and not verdict.killed:
                url = self._copy(sound)
                if mutation:
                    self._plant(url, mutation)
                verdict = run(names, url)
                self._server.drop_database(conninfo_to_dict(url)["dbname"])
        return verdict

    def _copy(self, url: str) -> str:
        return self._new_database(template=conninfo_to_dict(url)["dbname"])

    def _plant(self, url: str, mutation: Mutation) -> None:
        text = mutation.planted_in((PROCEDURES / mutation.file).read_text(encoding="utf-8"))
        try:
            with psycopg.connect(url) as connection:
                connection.execute("set role pgmrr_owner; set search_path = ''")
                connection.execute(text.encode())
        except psycopg.Error as error:
            raise ListError(f"procedures/{mutation.file}: `{mutation.error}` is no SQL: {error}") from error

    def _run_pgtap(self, names: list[str], url: str) -> Verdict:
        """Runs files of tests/pgtap, each of which leaves the database as it was."""
        for name in names:
            outcome = pgtap.run(PGTAP / f"{name}.sql", url)
            failed = [number for number, assertion in outcome.assertions.items() if not assertion.passed]
            if failed or outcome.problems:
                number = failed[0] if failed else len(outcome.assertions) + 1
                return Verdict(True, f"{name}.sql, assertion {number}")
        return Verdict(False)

    def _run_pytest(self, tests: list[str], template: str) -> Verdict:
        """Runs pytest in a fork, which has imported already what takes long to import."""
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.setpgid(0, 0)
            nothing = os.open(os.devnull, os.O_RDWR)
            for stream in (0, 1, 2):
                os.dup2(nothing, stream)
            os.environ["PGMRR_TEST_URL"] = self._server.url("postgres")
            os.environ["PGMRR_TEST_TEMPLATE"] = conninfo_to_dict(template)["dbname"]
            first = FirstFailure()
            try:
                status = pytest.main([*PYTEST, *tests], plugins=[first])
                os.write(writer, json.dumps([int(status), first.passed, first.name]).encode())
            finally:
                os._exit(0)
        os.close(writer)
        with os.fdopen(reader) as answers:
            if not select.select([answers], [], [], LONGEST_RUN)[0]:
                os.killpg(child, signal.SIGKILL)
                os.waitpid(child, 0)
                return Verdict(True, "tests that do not end")
            os.waitpid(child, 0)
            status, passed, failed = json.loads(answers.read() or "[3, false, null]")
        if status == 0 and passed:
            return Verdict(False)
        if failed is None:
            raise ListError(f"pytest could not run {shlex.join(tests)}, and ended with code {status}")
        return Verdict(True, failed)


def judge(laboratory: Laboratory, mutation: Mutation, mutations: Mutations, is_quick: bool) -> Verdict:
    """Whether the tests notice the error; those of its area alone, where it has to be quick."""
    verdict = laboratory.verdict(mutations.suspects[mutation.area], mutation)
    return verdict if verdict.killed or is_quick else laboratory.verdict(mutations.rest, mutation)


def killer(verdict: Verdict) -> Tests:
    """The test that noticed an error, to be run alone."""
    if "::" in verdict.by:
        return Tests([], [verdict.by])
    return Tests([verdict.by.split(".sql")[0]] if ".sql" in verdict.by else [], [])


def areas_in_turn(mutations: list[Mutation]) -> list[Mutation]:
    """The same, so ordered that a run that is broken off has looked at every area."""
    met: Counter[str] = Counter()
    turns = []
    for mutation in mutations:
        turns.append((met[mutation.area], mutation))
        met[mutation.area] += 1
    return [mutation for _, mutation in sorted(turns, key=lambda turn: turn[0])]


def table(verdicts: dict[Mutation, Verdict]) -> str:
    """Errors planted and killed by area, as a table in Markdown."""
    lines = ["| area | planted | killed |", "| --- | ---: | ---: |"]
    for area in sorted({mutation.area for mutation in verdicts}):
        of_area = [verdict.killed for mutation, verdict in verdicts.items() if mutation.area == area]
        lines.append(f"| {area} | {len(of_area)} | {sum(of_area)} |")
    killed = sum(verdict.killed for verdict in verdicts.values())
    lines.append(f"| **all** | **{len(verdicts)}** | **{killed}** ({100 * killed / max(len(verdicts), 1):.1f} %) |")
    return "\n".join(lines)


def logged(log: Path | None) -> dict[str, Verdict]:
    """The errors that an earlier run saw killed, by what was planted; what survived is asked again."""
    if log is None or not log.exists():
        return {}
    entries = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    return {json.dumps(entry["planted"]): Verdict(True, entry["by"]) for entry in entries if entry["killed"]}


def run(mutations: Mutations, chosen: list[Mutation], log: Path | None, is_quick: bool) -> dict[Mutation, Verdict]:
    """Plants one error after the other; prints what becomes of each."""
    verdicts: dict[Mutation, Verdict] = {}
    known = logged(log)
    passing: set[str] = set()
    with embedded_server() as server, server.databases() as databases:
        with server.connect() as connection:  # queries of tests that were broken off end as well
            connection.execute("alter system set client_connection_check_interval = '5s'")
            connection.execute("select pg_reload_conf()")
        laboratory = Laboratory(server, databases)
        for mutation in chosen:
            planted = [mutation.file, mutation.text, mutation.becomes]
            verdict = known.get(json.dumps(planted))
            if verdict is None:
                verdict = judge(laboratory, mutation, mutations, is_quick)
                if verdict.killed and verdict.by not in passing:
                    if laboratory.verdict(killer(verdict)).killed:
                        raise ListError(f"{verdict.by} fails without any error planted, too")
                    passing.add(verdict.by)
                if log:
                    with log.open("a", encoding="utf-8") as file:
                        file.write(json.dumps({"planted": planted, "killed": verdict.killed, "by": verdict.by}) + "\n")
            verdicts[mutation] = verdict
            said = f"killed    {mutation.area}: {mutation.error}\n          by {verdict.by.rpartition('/')[2]}"
            print(said if verdict.killed else f"SURVIVED  {mutation.area}: {mutation.error}", flush=True)
    return verdicts


def main(arguments: list[str]) -> int:
    """Runs what was asked for; returns the exit code."""
    parser = argparse.ArgumentParser(description="Plants errors in the SQL and asks whether the tests notice.")
    parser.add_argument(
        "-k", metavar="WORDS", default="", help="only errors whose area, file or sentence has these words"
    )
    parser.add_argument("--log", type=Path, metavar="FILE", help="keep verdicts in this file, and go on from there")
    parser.add_argument("--quick", action="store_true", help="ask only the tests of an error's own area")
    asked = parser.parse_args(arguments)
    mutations = read()
    of_interest = [m for m in mutations.all if asked.k in f"{m.area} {m.file} {m.error}"]
    chosen = areas_in_turn([mutation for mutation in of_interest if not mutation.equivalent])
    if not chosen:
        print(f"error: no error of tests/mutations.toml has `{asked.k}` in it", file=sys.stderr)
        return 2
    try:
        verdicts = run(mutations, chosen, asked.log, asked.quick)
    except ListError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"\n{table(verdicts)}\n")
    print(f"{len(of_interest) - len(chosen)} more change no figure; the list says why.")
    return int(not all(verdict.killed for verdict in verdicts.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
