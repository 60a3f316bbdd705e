"""What docs/operations.md and SECURITY.md say can be done is done here."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from conftest import NewDatabase, Server
from pgmrr.locks import writer_lock
from pgmrr.simulation import Parameters, simulate
from test_cli import pgmrr

DOCS = Path(__file__).parents[2] / "docs"
OPERATIONS = (DOCS / "operations.md").read_text(encoding="utf-8")
SECURITY = (DOCS.parent / "SECURITY.md").read_text(encoding="utf-8")


def queries(section: str) -> list[str]:
    """The statements of a section's SQL."""
    text = re.split(r"^## ", OPERATIONS.partition(f"\n## {section}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
    blocks = re.findall(r"^```sql\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [statement.strip() for block in blocks for statement in block.split(";\n") if statement.strip()]


@pytest.fixture(scope="module")
def company(server: Server, template: str) -> Iterator[str]:
    """The URL of a database that holds a small ABC Enterprises."""
    with server.databases() as create:
        url = create(template=template)
        with psycopg.connect(url, autocommit=True) as connection:
            simulate(connection, Parameters(companies=20, months=3))
        yield url


def test_what_a_reader_watches_he_may_ask(company: str) -> None:
    asked = {}
    with psycopg.connect(company) as connection:
        connection.execute("set role pgmrr_reader")
        for query in queries("Watch"):
            asked[query] = connection.execute(query.encode()).fetchall()
    assert len(asked) == 8
    found = list(asked.values())
    assert found[0][0][0] > 0, "the simulated year has long ended"
    assert [row[1] for row in found[3]] == ["simulation"]
    assert [rows for query, rows in asked.items() if "kpi.invariants" in query] == [[]]


def test_the_query_of_the_invariants_finds_a_wrong_total(company: str) -> None:
    [query] = [query for query in queries("Watch") if "kpi.invariants" in query]
    with psycopg.connect(company) as connection:
        connection.execute(
            "update ledger.daily_change_cents set change = change + 1"
            " where effective_on = (select max(effective_on) from ledger.daily_change_cents)"
        )
        found = connection.execute(query.encode()).fetchall()
        connection.rollback()
    assert ("totals by day", 1) in [(name, wrong) for name, wrong, *_ in found]


def test_the_one_writer_is_found(company: str) -> None:
    [query] = [query for query in queries("Watch") if "482804232818" in query]
    with psycopg.connect(company, autocommit=True) as writer, psycopg.connect(company) as monitor:
        assert monitor.execute(query.encode()).fetchall() == []
        with writer_lock(writer):
            [found] = monitor.execute(query.encode()).fetchall()
        assert found[0] == writer.info.backend_pid


def test_the_roles_can_be_made_as_it_says(company: str) -> None:
    with psycopg.connect(company) as connection:
        for statement in queries("Roles"):
            connection.execute(statement.encode())
        connection.execute("set role analyst")
        assert connection.execute("select kpi.mrr_total_at('2024-02-01') > 0").fetchone() == (True,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("select from raw.invoice")
        connection.rollback()  # the roles go with it


def test_the_commands_of_back_up_and_restore_do_what_it_says(
    company: str, new_database: NewDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = OPERATIONS.partition("\n## Back up and restore\n")[2].partition("\n## ")[0]
    commands = [shlex.split(line, comments=True)[1:] for line in re.findall(r"^    (pgmrr .*)$", text, re.MULTILINE)]
    assert [command[0] for command in commands] == ["backup", "restore", "restore", "restore"]
    backup, check, _, elsewhere = commands
    target = new_database()
    for command in (backup, check):
        done = pgmrr(company, *command)
        assert done.returncode == 0, done.stderr
        assert "MRR" in done.stderr
    assert elsewhere[2] == "--database"
    done = pgmrr(company, *elsewhere[:3], target)
    assert done.returncode == 0, done.stderr
    assert pgmrr(target, "mrr", "--format=csv").stdout == pgmrr(company, "mrr", "--format=csv").stdout
    again = pgmrr(company, *elsewhere[:3], target)
    assert (again.returncode, "not empty" in again.stderr) == (1, True)


def test_commands_and_options_that_are_named_exist(company: str) -> None:
    spans = re.findall(r"`(pgmrr [^`]+)`", OPERATIONS + SECURITY)
    spans += re.findall(r"^    (pgmrr .*)$", OPERATIONS, re.MULTILINE)
    named = {tuple(shlex.split(span, comments=True)[1:]) for span in spans}
    known = 0
    for words in named:
        command = words[:1]
        if command == ("doctor",):
            continue  # has a document and tests of its own
        told = pgmrr(company, *command, "--help")
        assert told.returncode == 0, words
        for option in (word for word in words if word.startswith("--")):
            assert option in told.stdout, words
            known += 1
    assert known > 5


def test_links_lead_to_files() -> None:
    links = re.findall(r"\]\((?!https?://)([^)#]+)", OPERATIONS)
    assert [link for link in links if link != "doctor.md" and not (DOCS / link).exists()] == []
