"""Runs pytest and ends with one line, ``N passed, M failed``, that counts everything.

    .venv/bin/python tests/run.py [--full] [arguments of pytest]

An error counts as a failure, and so does a run that could not begin or was broken off. Exit code 0
means that something passed and nothing failed. With ``--full`` the tests marked ``full`` run too,
and Hypothesis tries ten times as many examples.
"""

import os
import sys

import pytest


class Tally:
    """A plugin that counts reports."""

    passed = 0
    failed = 0
    skipped = 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._count(report)
        self.passed += report.when == "call" and report.passed

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self._count(report)

    def _count(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        self.failed += report.failed
        self.skipped += report.skipped

    def __str__(self) -> str:
        line = f"{self.passed} passed, {self.failed} failed"
        return f"{line}, {self.skipped} skipped" if self.skipped else line


class Full:
    """A plugin for what ``--full`` adds. The variable tells the processes in which files run side by side."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        config.option.markexpr = ""
        os.environ["PGMRR_TEST_FULL"] = "1"


def main(arguments: list[str]) -> int:
    """Runs the tests; returns the exit code."""
    tally = Tally()
    plugins = [tally, Full()] if "--full" in arguments else [tally]
    status = pytest.main([argument for argument in arguments if argument != "--full"], plugins=plugins)
    if status and not tally.failed:
        tally.failed = 1
    sys.stderr.flush()
    print(tally, flush=True)
    return int(tally.failed > 0 or tally.passed == 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
