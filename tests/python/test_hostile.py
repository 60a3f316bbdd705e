"""Bad input, in every place where there can be any: one clear line, exit code 1, and nothing is changed.

The commands and their parameters are read from the command line itself, so that a new one is tested as well.
"""

import contextlib
import gzip
import inspect
import io
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import psycopg
import pytest
import typer
from psycopg import conninfo, sql
from psycopg.rows import tuple_row
from rich.console import Console
from typer.models import OptionInfo

from conftest import NewDatabase, Server
from pgmrr import backup, confidential, show
from pgmrr.cli import app
from pgmrr.database import choose, reading
from pgmrr.simulation import Parameters, simulate
from test_cli import pgmrr as run_pgmrr

SQL = "x'); drop table raw.invoice; -- \" $$ %s {} \\"
TERMINAL = "\x1b[2J\x9b31m\u202e[red]x[/][link=http://x]\r\n\x07"
LONG = "ä" * 100_000
NO_NUMBERS = ["99999999999999999999", SQL, "-1", "1e309"]
NO_DAYS = ["9999-12-31", SQL, "0001-01-01", "infinity", "2024-02-30"]
PASSWORD = "s3cret"

# libpq takes what stands before an unspelled / or @ for a host or a port, and says so.
URLS = [
    f"postgresql://me:{PASSWORD}@127.0.0.1:1/x",
    f"postgresql://me:{PASSWORD}/pw@127.0.0.1:1/x",
    f"postgresql://me:{PASSWORD}@{PASSWORD}@127.0.0.1:1/x",
    f"postgresql://me@127.0.0.1:1/x?password={PASSWORD}&bogus=1",
    f"host=127.0.0.1 port=1 password='{PASSWORD}",
    f"host=127.0.0.1 port={PASSWORD} password={PASSWORD}",
    f"postgresql://me:{PASSWORD}%zz@127.0.0.1:1/x",
]

# What a terminal would obey.
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True)
class Param:
    """A parameter of a command: what it takes, and its name on the command line where it is an option."""

    name: str
    kind: type
    option: str | None
    required: bool

    def given(self, value: str) -> list[str]:
        """The words that give it a value."""
        return [f"{self.option}={value}"] if self.option else ["--", value]


@dataclass(frozen=True)
class Leaf:
    """A command, as words, and its parameters but for flags."""

    words: tuple[str, ...]
    params: list[Param]

    def beside(self, param: Param | None, tmp_path: Path) -> list[str]:
        """Something harmless for the other parameters that must be there."""
        return [
            word for other in self.params if other.required and other != param for word in harmless(other, tmp_path)
        ]


def leaves(part: typer.Typer, words: tuple[str, ...] = ()) -> Iterator[Leaf]:
    """All commands, those of groups too."""
    for group in part.registered_groups:
        yield from leaves(group.typer_instance, (*words, group.name))
    for command in part.registered_commands:
        name = command.name or command.callback.__name__.replace("_", "-")
        yield Leaf((*words, name), list(params_of(command.callback)))


def params_of(callback: Callable[..., None]) -> Iterator[Param]:
    """The parameters of a function as typer takes them."""
    hints = get_type_hints(callback, include_extras=True)
    for name, parameter in inspect.signature(callback).parameters.items():
        if get_origin(hints[name]) is not Annotated:
            continue
        annotated, info = get_args(hints[name])[:2]
        kinds = [kind for kind in (get_args(annotated) or [annotated]) if kind is not type(None)]
        kind = get_args(kinds[0])[0] if get_args(kinds[0]) else kinds[0]
        if kind is bool:
            continue
        option = None
        if isinstance(info, OptionInfo):
            # Within Annotated, what stands first is the first name.
            names = [text for text in (info.default, *(info.param_decls or ())) if str(text).startswith("--")]
            option = names[0] if names else f"--{name.replace('_', '-')}"
        yield Param(name, kind, option, parameter.default is inspect.Parameter.empty)


LEAVES = list(leaves(app))
each_command = pytest.mark.parametrize("leaf", LEAVES, ids=lambda leaf: " ".join(leaf.words))


def values_for(param: Param, tmp_path: Path) -> list[str]:
    """Hostile values for a parameter, by what it takes."""
    if param.name in ("url", "source"):
        return [*URLS, SQL]
    if param.kind is Path or param.name in ("query", "customers_query"):
        missing = (str(tmp_path / SQL / TERMINAL), "../../../../../etc", "/dev/full/x", "/dev/null", LONG[:4000])
        return [("" if param.kind is Path else "@") + path for path in missing]
    if param.kind in (int, float):
        return NO_NUMBERS
    if param.kind is datetime or param.name in ("first", "last", "as_of", "start", "day"):
        return NO_DAYS
    return [SQL + TERMINAL, SQL, LONG]


def harmless(param: Param, tmp_path: Path) -> list[str]:
    """Something for a parameter that must be there."""
    value = {Path: str(tmp_path / "none.csv"), int: "1"}.get(param.kind, "x")
    return [f"{param.option}={value}"] if param.option else [value]


@contextlib.contextmanager
def in_time(seconds: int, what: str) -> Iterator[None]:
    """A command that waits for more than it is given fails, rather than the whole run."""

    def late(*_: object) -> None:
        raise AssertionError(f"{what} takes more than {seconds} seconds")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def refused(url: str, *arguments: str, may_work: bool = True) -> None:
    """Run a command on hostile input: it fails in one clear line, or does what it should."""
    what = " ".join(arguments)[:300]
    with in_time(60, what):
        result = run_pgmrr(url, *arguments)
    printed = result.stdout + result.stderr
    assert result.returncode == 1 or (may_work and result.returncode == 0), what
    assert "Traceback" not in printed, what
    assert OBEYED.findall(printed) == [], what
    assert PASSWORD not in printed, what
    if result.returncode:
        lines = result.stderr.splitlines()
        errors = [line for line in lines if line.startswith("error: ")]
        assert len(errors) == 1, (what, result.stderr)
        after = lines[lines.index(errors[0]) + 1 :]
        assert all(line.startswith("hint: ") for line in after), (what, result.stderr)
        assert len(after) <= 1
        assert 10 < len(errors[0]) < 2100, what


def digests(url: str) -> dict[str, Any]:
    """All rows of all our tables."""
    with psycopg.connect(url) as connection:
        return backup.manifest(connection).tables


@pytest.fixture(scope="module")
def company(server: Server, template: str) -> Iterator[str]:
    """The URL of a database that holds a small ABC Enterprises, with hostile names."""
    with server.databases() as create:
        url = create(template=template)
        with psycopg.connect(url, autocommit=True) as connection:
            simulate(connection, Parameters(companies=12, months=3))
            connection.execute("update raw.customer set name = %s where customer_id = 'abc_000001'", [TERMINAL])
            connection.execute("update raw.customer set name = '=1+1|[bold]' where customer_id = 'abc_000002'")
            attributes = json.dumps({SQL: "x", TERMINAL: TERMINAL, "plan": "[red]=cmd()"})
            connection.execute("update raw.customer set attributes = attributes || %s::jsonb", [attributes])
        yield url


@pytest.fixture(autouse=True)
def nowhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No command starts a server, becomes another program or writes beside the tests; no name is cut on the screen."""
    monkeypatch.setenv("PGMRR_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "400")
    monkeypatch.chdir(tmp_path)  # where a report goes that was not told
    monkeypatch.setattr(confidential, "_known", set())

    def become(program: str, *_: object) -> None:
        raise SystemExit(0)

    monkeypatch.setattr(os, "execve", become)


def test_there_are_commands_to_test() -> None:
    assert len(LEAVES) > 40
    assert {("import", "lines"), ("backup",), ("restore",), ("settings",)} <= {leaf.words for leaf in LEAVES}
    assert sum(len(leaf.params) for leaf in LEAVES) > 150
    assert {param.option for leaf in LEAVES for param in leaf.params} >= {None, "--map", "--db", "--into", "--set"}


def try_all(url: str, leaf: Leaf, tmp_path: Path, most: int) -> int:
    """Each parameter in turn, beside harmless values where others must be there; how many were tried."""
    tried = 0
    for param in leaf.params:
        if param.name != "url":
            for value in values_for(param, tmp_path)[:most]:
                refused(url, *leaf.words, *leaf.beside(param, tmp_path), *param.given(value))
                tried += 1
    return tried


def test_hostile_arguments_change_nothing(company: str, tmp_path: Path) -> None:
    before = digests(company)
    assert sum(try_all(company, leaf, tmp_path, most=1) for leaf in LEAVES) > 100
    assert digests(company) == before


@pytest.mark.full
@each_command
def test_more_hostile_arguments_change_nothing(company: str, leaf: Leaf, tmp_path: Path) -> None:
    before = digests(company)
    try_all(company, leaf, tmp_path, most=10)
    assert digests(company) == before


def fails_without_telling(leaf: Leaf, urls: list[str], tmp_path: Path) -> None:
    for url in urls:
        refused(url, *leaf.words, *leaf.beside(None, tmp_path), may_work=False)


CONNECTING = [
    leaf
    for leaf in LEAVES
    if leaf.words not in (("url",), ("psql",)) and any(param.name == "url" for param in leaf.params)
]


def test_a_password_in_a_url_is_never_told(tmp_path: Path) -> None:
    """Of any command that cannot connect, or cannot even read the URL."""
    assert len(CONNECTING) > 30
    for leaf in CONNECTING:
        fails_without_telling(leaf, URLS[:1], tmp_path)
    kpis = next(leaf for leaf in LEAVES if leaf.words == ("kpis",))
    fails_without_telling(kpis, URLS, tmp_path)


@pytest.mark.full
@pytest.mark.parametrize("leaf", CONNECTING, ids=lambda leaf: " ".join(leaf.words))
def test_a_password_in_any_url_is_never_told(leaf: Leaf, tmp_path: Path) -> None:
    fails_without_telling(leaf, URLS, tmp_path)


def test_a_password_is_kept_nowhere(new_database: NewDatabase, tmp_path: Path) -> None:
    """Neither in yoyo's log, nor in the history of batches, nor as the name of a session."""
    url = conninfo.make_conninfo(new_database(), password=PASSWORD)
    path = tmp_path / "lines.csv"
    path.write_bytes(HEADER + GOOD)
    assert run_pgmrr(url, *LINES, str(path)).returncode == 0
    query = "select 'c2' as customer, date '2024-01-01' as start, date '2024-02-01' as end, 10.00 as amount"
    assert run_pgmrr(url, *LINES, "--from-query", query, "--source", url).returncode == 0
    with reading(choose(url, None)) as connection:
        connection.row_factory = tuple_row
        stored = [
            connection.execute(sql.SQL("select t::text from {} t").format(sql.Identifier(*name.split(".")))).fetchall()
            for name in backup.manifest(connection).tables
        ]
        [(session,)] = connection.execute(
            "select application_name from pg_stat_activity where pid = pg_backend_pid()"
        ).fetchall()
    assert len(stored) > 15
    assert "_yoyo_log" in str(list(digests(url)))
    assert "c2" in str(stored)
    assert PASSWORD not in str(stored)
    assert session == "pgmrr"


def test_a_password_of_a_source_is_never_told(database: str) -> None:
    for url in URLS[:2]:
        refused(database, "import", "lines", "--from-query=select 1", "--source", url, may_work=False)


def test_the_url_is_told_without_its_password() -> None:
    result = run_pgmrr(f"postgresql://me:{PASSWORD}@db.example.com/x", "url")
    assert result.returncode == 0
    assert conninfo.conninfo_to_dict(result.stdout.strip()) == {
        "user": "me",
        "host": "db.example.com",
        "dbname": "x",
    }
    assert PASSWORD not in result.stdout + result.stderr


def test_psql_gets_a_password_by_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    became = []

    class BecomeError(Exception):
        pass

    def become(program: str, arguments: list[str], environment: dict[str, str]) -> None:
        became.append((arguments, environment))
        raise BecomeError

    monkeypatch.setattr(os, "execve", become)
    monkeypatch.setattr("shutil.which", lambda _: "/usr/bin/psql")
    with pytest.raises(BecomeError):
        run_pgmrr(f"postgresql://me:{PASSWORD}@127.0.0.1:1/x", "psql", "-c", "select 1")
    [(arguments, environment)] = became
    assert arguments == ["/usr/bin/psql", "-c", "select 1", "--dbname="]
    assert (environment["PGPASSWORD"], environment["PGDATABASE"], environment["PGPORT"]) == (PASSWORD, "x", "1")


# -- what the data hold -------------------------------------------------------------------------


READING = [
    ["top", "2024-03-31"],
    ["movements"],
    ["mrr", "abc_000001", "2024-02-10"],
    ["mrr", "abc_000001", "2024-02-10", "--explain"],
    ["segment"],
    ["segment", SQL],
    ["segment", TERMINAL],
    ["segment", "plan"],
    ["engagement"],
    ["risks"],
    ["renewals", "--list"],
]


@pytest.mark.parametrize("arguments", READING, ids=lambda arguments: " ".join(arguments)[:30].encode("unicode_escape"))
def test_names_are_shown_and_not_obeyed(company: str, arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither by the terminal nor as markup; as JSON and CSV they are what they were."""
    monkeypatch.setattr(show, "out", Console(highlight=False, width=400))
    for format_ in ("table", "json"):
        result = run_pgmrr(company, *arguments, "--format", format_)
        assert result.returncode == 0, result.stderr
        assert OBEYED.findall(result.stdout + result.stderr) == []
        if format_ == "json":
            json.loads(result.stdout)
    if arguments[0] == "top":
        assert "=1+1|[bold]" in run_pgmrr(company, *arguments, "--limit=50").stdout
        assert r"\x1b[2J\x9b31m\u202e[red]x[/]" in run_pgmrr(company, *arguments, "--limit=50").stdout
        names = [
            row["name"] for row in json.loads(run_pgmrr(company, *arguments, "--limit=50", "--format=json").stdout)
        ]
        assert {TERMINAL, "=1+1|[bold]"} <= set(names)


def test_csv_on_a_terminal_is_not_obeyed_and_elsewhere_is_exact(
    company: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    arguments = ["top", "2024-03-31", "--limit=50", "--format=csv"]
    assert TERMINAL.replace("\r\n", "") in run_pgmrr(company, *arguments).stdout.replace("\r\n", "")

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    show.print_csv([{"name": TERMINAL}], ["name"])
    assert OBEYED.findall(screen.getvalue()) == []


# -- files ------------------------------------------------------------------------------------------


LINES = ["import", "lines", "--currency=EUR"]
HEADER = b"customer,start,end,amount\n"
GOOD = b"c1,2024-01-01,2024-02-01,10.00\n"
FILES = {
    "nothing": b"",
    "nul": b"\0" * 4096,
    "no text": os.urandom(4096),
    "header alone": HEADER,
    "gzip of nothing": gzip.compress(b""),
    "gzip cut short": gzip.compress(HEADER + GOOD * 1000)[:-20],
    "gzip with noise": b"\x1f\x8b" + b"\xff" * 500,
    "parquet of noise": b"PAR1" + b"\xff" * 500 + b"PAR1",
    "parquet of nothing": b"PAR1",
    "zip": b"PK\x03\x04" + b"\0" * 100,
    "many columns": b",".join(b"c%d" % n for n in range(20_000)) + b"\n1\n",
    "sql columns": b'"x\') ; drop table raw.invoice; --","$$","%s","{}"\n1,2,3,4\n',
    "the same column": b"customer,customer,start,end,amount\na,b,2024-01-01,2024-02-01,1\n",
}


def test_a_hostile_file_is_refused_in_a_line(database: str, tmp_path: Path) -> None:
    before = digests(database)
    for name, content in FILES.items():
        path = tmp_path / f"{name}.csv"
        path.write_bytes(content)
        refused(database, *LINES, str(path), may_work=False)
    refused(database, "import", "stripe", "--invoices", str(path), may_work=False)
    assert digests(database) == before


VALUES = [
    ("0001-01-01", "0001-02-01", "10"),
    ("9999-11-30", "9999-12-31", "10"),
    ("infinity", "-infinity", "10"),
    ("2024-01-01", "2024-02-01", "1e400"),
    ("2024-01-01", "2024-02-01", "NaN"),
    ("2024-01-01", "2024-02-01", "Infinity"),
    ("2024-01-01", "2024-02-01", "99999999999999999999999999"),
    ("2024-01-01", "2024-02-01", "92233720368547758.07"),
    ("2024-01-01", "2024-02-01", SQL.replace('"', "")),
    ("294276-12-31", "294277-01-01", "10"),
]


@pytest.mark.full
@pytest.mark.parametrize("values", VALUES, ids=lambda values: ",".join(values)[:40].encode("unicode_escape"))
def test_a_value_at_the_limits_is_set_aside_or_counted(
    database: str, values: tuple[str, str, str], tmp_path: Path
) -> None:
    path = tmp_path / "one.csv"
    path.write_text(f"customer,start,end,amount\nc0,{','.join(values)}\n" + GOOD.decode())
    assert run_pgmrr(database, *LINES, "--complete-history", str(path)).returncode == 0
    for command in ("kpis", "coverage", "movements", "rejected", "forecast", "risks", "cohorts", "renewals"):
        refused(database, command)


def test_values_at_the_limits_are_set_aside_or_counted(database: str, tmp_path: Path) -> None:
    """The good row among them counts, and every figure can be told."""
    every = tmp_path / "all.csv"
    rows = "".join(f"c{place},{','.join(values)}\n" for place, values in enumerate(VALUES))
    every.write_text("customer,start,end,amount\n" + rows + GOOD.decode())
    assert run_pgmrr(database, *LINES, str(every)).returncode == 0
    for command in ("kpis", "movements", "rejected"):
        refused(database, command)
    with psycopg.connect(database) as connection:
        query = "select count(*) filter (where customer_id = 'c1'), count(*) from raw.invoice"
        [(good, rows_in)] = connection.execute(query).fetchall()
        [(set_aside,)] = connection.execute("select count(*) from raw.rejected_row").fetchall()
    assert good >= 1
    assert rows_in + set_aside == len(VALUES) + 1
    assert set_aside >= 6


def test_rejected_rows_come_back_as_they_were(database: str, tmp_path: Path) -> None:
    """As CSV to correct and import again: a formula must stay what the file said, or the correction would change it."""
    hostile = ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\t=1", TERMINAL.replace("\r\n", ""), SQL.replace('"', "")]
    path = tmp_path / "in.csv"
    rows = "".join(f'"{name}",never,2024-02-01,10\n' for name in hostile)
    path.write_text("customer,start,end,amount\n" + rows + GOOD.decode())
    assert run_pgmrr(database, *LINES, str(path)).returncode == 0
    assert run_pgmrr(database, "rejected", "--csv", str(tmp_path / "out.csv")).returncode == 0
    text = (tmp_path / "out.csv").read_text(encoding="utf-8")
    assert text.splitlines()[0] == "customer,start,end,amount"
    assert sorted(line.split(",never")[0].strip('"') for line in text.splitlines()[1:]) == sorted(hostile)
    (tmp_path / "out.csv").write_text(text.replace("never", "2024-01-01"))
    done = run_pgmrr(database, *LINES, "--corrections", str(tmp_path / "out.csv"))
    assert done.returncode == 0, done.stderr
    with psycopg.connect(database) as connection:
        found = {name for (name,) in connection.execute("select customer_id from billing.customer")}
    assert found == {*hostile, "c1"}


@pytest.mark.parametrize("kind", ["one line", pytest.param("one field", marks=pytest.mark.full)])
def test_a_bomb_is_read_in_bounded_memory(kind: str, database: str, tmp_path: Path) -> None:
    """96 MB in some hundred KB of gzip; the process that reads them may take 48 MB more than one that reads none."""
    path = tmp_path / "bomb.csv.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(HEADER + (b'"' if kind == "one field" else b""))
        for _ in range(96):
            file.write(b"a" * (1 << 20))
    assert path.stat().st_size < 4 << 20
    before = digests(database)
    program = (
        "import resource, sys\n"
        "from pgmrr.__main__ import main\n"
        "begun = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try:\n    main()\n"
        "finally:\n    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - begun) // 1024)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *LINES, "--dry-run", str(path)],
        env=os.environ | {"DATABASE_URL": database},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr
    assert int(done.stdout.split()[-1]) < 48
    assert digests(database) == before


# -- the network ------------------------------------------------------------------------------------


def test_compose_publishes_ports_on_this_machine_alone(repository: Path) -> None:
    text = (repository / "docker-compose.yml").read_text(encoding="utf-8")
    published = re.findall(r"^ {4}ports:\n((?: {6}- .*\n)+)", text, re.MULTILINE)
    ports = [port for block in published for port in re.findall(r"- \"?([^\"\n]+)", block)]
    assert len(re.findall(r"^ *ports:", text, re.MULTILINE)) == len(published) >= 1
    assert ports
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []
    assert "network_mode" not in text
