"""Runs a pgTAP file by psql and reads what it printed (the Test Anything Protocol)."""

import os
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from pgmrr.server import binary, client_environment
from pgtap_source import script

SCHEMA = "tap"

_PLAN = re.compile(r"^1\.\.(\d+)")
_RESULT = re.compile(r"^(?P<not>not )?ok (?P<number>\d+)(?: - (?P<text>.*?))?(?: # (?P<directive>TODO|SKIP)\b.*)?$")


@dataclass
class Assertion:
    """One line ``ok`` or ``not ok``, with the comments below it."""

    passed: bool
    text: str
    directive: str | None = None
    comments: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        """The sentence that was asserted, and why it failed."""
        return "\n".join([self.text, *self.comments])


@dataclass
class Outcome:
    """What a file printed: its assertions by number, and what kept it from being a whole run."""

    plan: int | None = None
    assertions: dict[int, Assertion] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def planned(file: Path) -> int:
    """How many assertions the file announces by ``select plan(N)``; 0 where it doesn't."""
    plan = re.search(r"^\s*select\s+plan\((\d+)\)", file.read_text(), re.MULTILINE | re.IGNORECASE)
    return int(plan[1]) if plan else 0


def install(url: str) -> None:
    """Puts pgTAP into the schema ``tap`` of a database, for every role to call.

    Raises PgtapMissingError where pgTAP can't be had.
    """
    with psycopg.connect(url) as connection:
        connection.execute(f"create schema {SCHEMA}; set local search_path = {SCHEMA}, public")
        connection.execute(script())
        connection.execute(f"grant usage on schema {SCHEMA} to public")
        connection.execute(f"grant execute on all routines in schema {SCHEMA} to public")


def run(file: Path, url: str, settings: str = "") -> Outcome:
    """Runs the file in a database that has pgTAP; ``settings`` as in PGOPTIONS (``-c name=value …``)."""
    options = f"{os.environ.get('PGOPTIONS', '')} {settings} -c search_path={SCHEMA},public"
    psql = subprocess.run(
        [
            *(binary("psql"), "--no-psqlrc", "--quiet", "--no-align", "--tuples-only"),
            *("--pset=pager=off", "--set=ON_ERROR_STOP=1", f"--file={file}", url),
        ],
        capture_output=True,
        text=True,
        check=False,
        env={**client_environment(), "PGOPTIONS": options},
    )
    outcome = read(psql.stdout)
    if psql.returncode != 0:
        outcome.problems.append(f"psql ended with code {psql.returncode}: {psql.stderr.strip()}")
    return outcome


def read(output: str) -> Outcome:
    """The outcome that a file's output tells. Each deviation from the protocol is a problem."""
    outcome = Outcome()
    last = None
    for line in output.splitlines():
        if plan := _PLAN.match(line):
            if outcome.plan is not None:
                outcome.problems.append(f"a second plan: {line}")
            outcome.plan = int(plan[1])
        elif result := _RESULT.match(line):
            number = int(result["number"])
            if number != len(outcome.assertions) + 1:
                outcome.problems.append(f"out of order: {line}")
            last = Assertion(not result["not"], result["text"] or "", result["directive"])
            outcome.assertions[number] = last
        elif line.startswith("Bail out!"):
            outcome.problems.append(line)
        elif line.startswith("#") and last:
            last.comments.append(line)
    if not outcome.plan:
        outcome.problems.append("no plan")
    elif outcome.plan != len(outcome.assertions):
        outcome.problems.append(f"{outcome.plan} assertions planned, {len(outcome.assertions)} run")
    return outcome
