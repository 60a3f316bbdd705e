"""The examples in docs/metrics.md and docs/analysis.md are what the calls print.

In a fenced block, a line that begins with ``NAME=# `` is a statement for psql on the database NAME, down to
its semicolon, and one that begins with ``$ pgmrr`` is a command; what follows is its output.
"""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import pytest

from conftest import Server
from pgmrr.server import binary, client_environment
from pgmrr.sessions import open_session
from pgmrr.stripe import import_stripe

ROOT = Path(__file__).parents[2]
METRICS = ROOT / "docs" / "metrics.md"
ANALYSIS = ROOT / "docs" / "analysis.md"
COMPANIES = ROOT / "tests" / "pgtap" / "companies"
REAL = ROOT / ".." / "shared" / "data" / "stripe-export"

BLOCK = re.compile(r"^```\n(.*?)^```$", re.MULTILINE | re.DOTALL)
STATEMENT = re.compile(r"(?P<database>\w+)=# ")
COMMAND = "$ pgmrr "
NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
# What holds digits and is no figure: code and links, days and months, names of rules, numbers of lists.
NOT_A_FIGURE = re.compile(
    r"`[^`]*`|\]\([^)]*\)|\d{4}-\d\d(?:-\d\d)?|\b\d{1,2} (?:January|February|March)\b|\bR\d+\b|^\d+\. ", re.MULTILINE
)
# Prose may round what is printed to any of these.
PLACES = [Decimal(1), Decimal("0.1"), Decimal("0.01"), Decimal("0.001"), Decimal("0.0001")]


@dataclass
class Call:
    """A call and what the document says that it prints."""

    database: str
    text: str
    output: str


def calls_of(block: str) -> list[Call]:
    """The calls of a fenced block; none where it shows something else."""
    calls: list[Call] = []
    is_open = False
    for line in block.splitlines(keepends=True):
        statement = STATEMENT.match(line)
        if statement or line.startswith(COMMAND):
            calls.append(Call(statement["database"] if statement else "", line, ""))
            is_open = bool(statement) and not line.endswith(";\n")
        elif is_open:
            calls[-1].text += line
            is_open = not line.endswith(";\n")
        elif calls:
            calls[-1].output += line
    return calls


def trimmed(output: str) -> str:
    """The output without spaces at the end of its lines, and without empty lines at its end."""
    lines = "\n".join(line.rstrip() for line in output.splitlines()).strip("\n")
    return f"{lines}\n" if lines else ""


def asked(call: Call, urls: dict[str, str]) -> str:
    """What the call prints now, in the databases with these URLs."""
    if call.text.startswith(COMMAND):
        *arguments, option, database = shlex.split(call.text)[2:]
        assert option == "--db"
        command = [sys.executable, "-m", "pgmrr", *arguments]
        environment = {**os.environ, "DATABASE_URL": urls[database], "COLUMNS": "100"}
    else:
        statement = STATEMENT.sub("", call.text, count=1)
        command = [
            str(binary("psql")),
            "-X",
            "-q",
            "-P",
            "pager=off",
            "-v",
            "SHOW_CONTEXT=never",
            "-c",
            statement,
            urls[call.database],
        ]
        environment = client_environment()
    return subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=120
    ).stdout


def rendered(text: str, ask: Callable[[Call], str]) -> str:
    """The document with what its calls print now."""

    def block(match: re.Match[str]) -> str:
        calls = calls_of(match[1])
        body = "\n".join(call.text + trimmed(ask(call)) for call in calls) if calls else match[1]
        return f"```\n{body}```"

    return BLOCK.sub(block, text)


def plain(figure: str) -> Decimal:
    """A figure without its separators."""
    return Decimal(figure.replace(",", ""))


def all_calls(text: str) -> list[Call]:
    """The calls of all blocks of a document."""
    return [call for block in BLOCK.findall(text) for call in calls_of(block)]


@pytest.fixture(scope="module")
def companies(server: Server, template: str) -> Iterator[dict[str, str]]:
    """The URLs of databases that hold the companies of the tests, by the names of their files."""
    with server.databases() as create:
        urls = {}
        for file in sorted(COMPANIES.glob("*.sql")):
            urls[file.stem] = create(template=template)
            subprocess.run(
                [binary("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", file, urls[file.stem]],
                env=client_environment(),
                check=True,
                capture_output=True,
            )
        yield urls


@pytest.fixture(scope="module")
def real(server: Server, template: str) -> Iterator[str]:
    """The URL of a database with the real export, where it lies beside the checkout."""
    if not REAL.is_dir():
        pytest.skip("the real export does not lie beside the checkout")
    with server.databases() as create:
        url = create(template=template)
        with open_session(url) as connection:
            import_stripe(connection, REAL / "invoices.csv", REAL / "customers.csv")
        yield url


def test_the_examples_of_metrics_are_what_the_calls_return(companies: dict[str, str]) -> None:
    text = METRICS.read_text(encoding="utf-8")
    assert rendered(text, lambda call: asked(call, companies)) == text
    assert len(all_calls(text)) >= 30


def test_the_figures_of_the_analysis_are_what_the_commands_print(real: str) -> None:
    text = ANALYSIS.read_text(encoding="utf-8")
    assert rendered(text, lambda call: asked(call, {"stripe": real})) == text
    assert len(all_calls(text)) >= 15


def test_every_figure_of_the_analysis_stands_beside_the_call_that_prints_it() -> None:
    text = ANALYSIS.read_text(encoding="utf-8")
    checked = 0
    summary, *sections = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    for section in (summary, *sections):
        outputs = "".join(call.output for call in all_calls(text if section is summary else section))
        printed = [plain(number) for number in NUMBER.findall(outputs)]
        told = [plain(number) for number in NUMBER.findall(NOT_A_FIGURE.sub("", BLOCK.sub("", section)))]
        rounded = {figure.quantize(place, ROUND_HALF_UP) for figure in printed for place in PLACES}
        missing = [str(figure) for figure in told if figure not in rounded]
        assert missing == [], f"figures that no call prints in section {section.splitlines()[0]}"
        checked += len(told)
    assert checked > 100


def test_metrics_names_every_section_in_its_contents() -> None:
    text = METRICS.read_text(encoding="utf-8")
    headings = re.findall(r"^#{2,3} (.+)$", text, re.MULTILINE)[1:]
    anchors = [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]
    assert re.findall(r"\]\(#([^)]+)\)", text.partition("\n## ")[2].partition("\n## ")[0]) == anchors
    assert len(anchors) > 20
