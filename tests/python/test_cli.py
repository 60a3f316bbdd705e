"""The command line as people use it, on a database that holds ABC Enterprises."""

import csv
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest
from rich.console import Console

from conftest import Server
from pgmrr import reports, show
from pgmrr.__main__ import main
from pgmrr.cli.data import prepare
from pgmrr.database import Database, choose, for_chosen
from pgmrr.errors import PgmrrError
from pgmrr.show import Kind, text_of
from pgmrr.simulation import Parameters, simulate

# Every command that reads, with arguments as one would give them.
READING = [
    ["kpis"],
    ["mrr"],
    ["mrr", "2024-06-30"],
    ["mrr", "abc_000002", "2024-02-10"],
    ["mrr", "abc_000002", "2024-02-10", "--explain"],
    ["mrr", "abc_000002", "--currency", "usd"],
    ["movements", "2024-02-01", "2024-02-29"],
    ["churn"],
    ["churn", "--trailing"],
    ["cohorts"],
    ["cohorts", "--basis", "signup", "--mrr", "--absolute"],
    ["segment"],
    ["segment", "company_size", "2024-03-31"],
    ["segment", "price_band", "2030-01-01"],
    ["concentration", "2024-02-10"],
    ["renewals"],
    ["renewals", "2024-05-01", "2024-05-31", "--list"],
    ["top", "2024-03-31", "--limit", "3"],
    ["days", "2024-01-01", "2024-03-31"],
    ["days", "--grain", "week", "--threshold", "0.5"],
    ["profiles"],
    ["profiles", "2024-03-01", "2024-03-31", "--customers"],
    ["profiles", "--definitions"],
    ["unpaid"],
    ["engagement"],
    ["engagement", "2024-03-31", "--limit", "2"],
    ["coverage"],
    ["one-off"],
    ["credits"],
    ["rejected"],
    ["rejected", "--reasons"],
    ["warnings"],
    ["warnings", "--count"],
    ["batches"],
    ["restatements"],
    ["restatements", "1", "1"],
    ["mrr", "--as-of", "1"],
    ["mrr", "2024-02-10", "--as-of", "1"],
    ["settings"],
    ["fx"],
]


@dataclass(frozen=True)
class Result:
    """What a run printed, and its exit code."""

    returncode: int
    stdout: str
    stderr: str


def pgmrr(url: str, *arguments: str) -> Result:
    """Run the command line on a database, in this process: starting one takes longer than most commands."""
    out, err = io.StringIO(), io.StringIO()
    code: object = None
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setenv("DATABASE_URL", url)
        patch.setattr(sys, "argv", ["pgmrr", *arguments])
        try:
            main()
        except SystemExit as stop:
            code = stop.code
    assert isinstance(code, int)
    return Result(code, out.getvalue(), err.getvalue())


@pytest.fixture(scope="module")
def abc(server: Server, template: str) -> Iterator[str]:
    """The URL of a database that holds a small ABC Enterprises."""
    with server.databases() as create:
        url = create(template=template)
        with psycopg.connect(url, autocommit=True) as connection:
            simulate(connection, Parameters(companies=40, months=4))
        yield url


def rows_of(url: str) -> list[tuple[str, int]]:
    """How many rows each of our tables holds."""
    with psycopg.connect(url) as connection:
        tables = connection.execute(
            "select oid::regclass::text from pg_class"
            " where relkind = 'r' and relowner = 'pgmrr_owner'::regrole order by 1"
        ).fetchall()
        return [(name, connection.execute(f"select count(*) from {name}".encode()).fetchone()[0]) for (name,) in tables]


@pytest.mark.parametrize("arguments", READING, ids=" ".join)
@pytest.mark.parametrize("format_", ["table", "json", "csv"])
def test_a_reading_command_prints_data_alone_in_each_format(abc: str, arguments: list[str], format_: str) -> None:
    result = pgmrr(abc, *arguments, "--format", format_)
    assert result.returncode == 0, result.stderr
    assert "Traceback" not in result.stderr
    if format_ == "json":
        assert json.loads(result.stdout) is not None
    elif format_ == "csv":
        header, *found = list(csv.reader(io.StringIO(result.stdout)))
        assert header
        assert all(len(row) == len(header) for row in found)
    else:
        assert result.stdout or result.stderr.strip(), "an empty answer says that it is empty"


def test_reading_changes_nothing(abc: str) -> None:
    before = rows_of(abc)
    for arguments in READING:
        assert pgmrr(abc, *arguments).returncode == 0
    assert rows_of(abc) == before
    assert len(before) > 10
    assert sum(count for _, count in before) > 500


def test_kpis_fit_80_columns_without_colour(abc: str) -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "pgmrr", "kpis"],
        env={**os.environ, "DATABASE_URL": abc, "COLUMNS": "80"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout
    lines = shown.splitlines()
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in shown
    for expected in ("MRR", "Customer churn", "Engagement", "2024-01", "2024-04", "40 customers are known"):
        assert expected in shown


def test_kpis_in_json_are_what_sql_says(abc: str) -> None:
    printed = json.loads(pgmrr(abc, "kpis", "--format", "json").stdout)
    with psycopg.connect(abc) as connection:
        monthly = connection.execute(
            "select month::text, opening, closing, customers from kpi.mrr_monthly order by month"
        ).fetchall()
        headline = connection.execute("select kpi, round(value, 6) from kpi.headline order by place").fetchall()
    assert [
        (row["month"], Decimal(str(row["opening"])), Decimal(str(row["closing"])), row["customers"])
        for row in printed["monthly"]
    ] == [(month, opening, closing, customers) for month, opening, closing, customers in monthly]
    assert [(row["kpi"], Decimal(str(row["value"]))) for row in printed["headline"]] == headline
    assert len(monthly) == 4


def test_a_customers_mrr_is_the_sum_of_its_explanation(abc: str) -> None:
    customers = [row["customer_id"] for row in json.loads(pgmrr(abc, "top", "2024-02-10", "--format", "json").stdout)]
    assert len(customers) == 10
    for customer in customers[:3]:
        (answer,) = json.loads(pgmrr(abc, "mrr", customer, "2024-02-10", "--format", "json").stdout)
        charges = json.loads(pgmrr(abc, "mrr", customer, "2024-02-10", "--explain", "--format", "json").stdout)
        assert answer["mrr"] == sum(charge["mrr"] for charge in charges) > 0


def test_unknown_mrr_is_told_apart_from_none(abc: str) -> None:
    outside = pgmrr(abc, "mrr", "2026-01-01")
    assert "–" in outside.stdout
    assert "MRR is known from 2024-01-01 to 2024-04-30" in " ".join(outside.stderr.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["mrr", "nobody"], "there is no customer 'nobody'"),
        (["mrr", "abc_000001", "2024-13-01"], "'2024-13-01' is not a day"),
        (["mrr", "--explain"], "--explain needs a customer"),
        (["mrr", "--currency", "CHF", "2024-02-01"], "no exchange rate for CHF"),
        (["movements", "2024-03-01", "2024-02-01"], "upside down"),
        (["movements", "yesterday"], "'yesterday'"),
        (["cohorts", "--basis", "birthday"], "'--basis'"),
        (["segment", "colour"], "unknown attribute: colour"),
        (["segment", "term", "today"], "'today'"),
        (["concentration", "2024-02-30"], "'2024-02-30'"),
        (["renewals", "2024-03-01", "2024-02-01"], "upside down"),
        (["days", "2024-03-01", "2024-02-01"], "upside down"),
        (["days", "--threshold", "0"], "the threshold must be above 0"),
        (["days", "--threshold", "nan"], "the threshold must be above 0"),
        (["days", "--grain", "year"], "'--grain'"),
        (["profiles", "2024-03-01", "2024-02-01"], "upside down"),
        (["profiles", "--customers", "--definitions"], "are two lists"),
        (["unpaid", "--limit", "0"], "'--limit'"),
        (["engagement", "today"], "'today'"),
        (["top", "--limit", "0"], "'--limit'"),
        (["simulate"], "this one holds data"),
        (["simulate", "--start", "soon"], "'soon' is not a day"),
        (["simulate", "--profile", "saas"], "this one holds data"),
        (["simulate", "--profile", "bank"], "'--profile'"),
        (["export", "stripe", "there", "--from", "soon"], "'soon' is not a day"),
        (["export", "stripe", "there", "--from", "2024-02-02", "--through", "2024-02-01"], "upside down"),
        (["import", "stripe", "--invoices", "nowhere.csv"], "nowhere.csv: No such file or directory"),
        (["start", "--stripe", "nowhere"], "there is no directory nowhere"),
        (["settings", "bogus", "1"], "unknown setting"),
        (["settings", "time_zone", "Mars"], "time_zone cannot be Mars"),
        (["fx", "--set", "USD=much"], "is no exchange rate"),
        (["reset"], "this drops all data"),
        (["migrate", "--rollback", "0"], "'--rollback'"),
        (["migrate", "--rollback", "1"], "with the data in it"),
        (["kpis", "--format", "xml"], "'--format'"),
        (["nonsense"], "No such command"),
        (["undo"], "this takes the last batch back"),
        (["restatements", "7"], "there is no batch 7"),
        (["restatements", "1", "7"], "there is no batch 7"),
        (["mrr", "--as-of", "7"], "there is no batch 7"),
        (["mrr", "abc_000001", "2024-02-10", "--as-of", "1"], "--as-of is for the company"),
        (["rejected", "--csv", "-"], "no rows were rejected"),
        (["rejected", "--only", "invoices"], "--only says which rows to write"),
        (["import", "stripe"], "--invoices is missing"),
        (["import", "stripe", "--customers", "x.csv"], "--invoices is missing"),
        (["import", "stripe", "--invoices", "x.csv", "--corrections", "--replace"], "they neither replace"),
        (["import", "stripe", "--invoices", "x.csv", "--dry-run"], "No such file or directory"),
        (["kpis", "--database", "postgresql://u:secret@127.0.0.1:1/x"], "cannot connect"),
        (["kpis", "--database", "what=ever"], "cannot be read"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_gets_one_line_and_exit_code_1(abc: str, arguments: list[str], message: str) -> None:
    before = rows_of(abc)
    result = pgmrr(abc, *arguments)
    assert result.returncode == 1
    assert result.stdout == ""
    errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert message in errors[0]
    assert "Traceback" not in result.stderr
    assert "secret" not in result.stderr
    assert rows_of(abc) == before


def test_a_database_without_our_schema_is_told_so(server: Server, new_database: Callable[..., str]) -> None:
    result = pgmrr(new_database(), "kpis")
    assert result.returncode == 1
    assert result.stderr.splitlines()[1] == "hint: bring it up to date: pgmrr migrate"


def test_an_empty_database_answers(database: str) -> None:
    for arguments in (
        *(["kpis"], ["mrr"], ["churn"], ["top"], ["movements"], ["coverage"], ["engagement"]),
        *(["cohorts"], ["segment"], ["segment", "term"], ["concentration"], ["renewals"], ["churn", "--trailing"]),
        *(["days"], ["days", "--grain", "month"], ["profiles"], ["profiles", "--customers"], ["unpaid"]),
    ):
        result = pgmrr(database, *arguments)
        assert result.returncode == 0, result.stderr
    assert "There are no invoices yet." in pgmrr(database, "coverage").stdout


def test_a_setting_is_changed_and_listed(database: str) -> None:
    result = pgmrr(database, "settings", "time_zone", "Europe/Berlin", "--format", "json")
    assert result.returncode == 0, result.stderr
    assert {row["name"]: row["value"] for row in json.loads(result.stdout)}["time_zone"] == "Europe/Berlin"


def test_every_command_shows_an_example() -> None:
    shown = pgmrr("", "--help").stdout
    commands = [line.split()[0] for line in shown.split("Commands:")[1].splitlines() if line.strip()]
    assert len(commands) > 20
    for command in commands:
        text = " ".join(pgmrr("", command, "--help").stdout.split())
        assert "Example: " in text, command
        assert f"pgmrr {command}" in text.split("Example: ")[1], command


@pytest.mark.parametrize(
    ("value", "kind", "shown"),
    [
        (None, Kind.money, "–"),
        (Decimal("1234567.005"), Kind.money, "1,234,567.01"),
        (Decimal("-0.004"), Kind.money, "0.00"),
        (Decimal("-0.005"), Kind.money, "-0.01"),
        (Decimal("0.0749512"), Kind.growth, "+7.5 %"),
        (Decimal("-0.0005"), Kind.growth, "-0.1 %"),
        (Decimal(0), Kind.change, "0"),
        (Decimal("1250.5"), Kind.change, "+1,251"),
        (12345, Kind.count, "12,345"),
        (True, Kind.text, "yes"),
    ],
)
def test_figures_are_rounded_half_away_from_zero(value: object, kind: Kind, shown: str) -> None:
    assert text_of(value, kind) == shown


def monthly(url: str) -> list[tuple]:
    """MRR by month."""
    with psycopg.connect(url) as connection:
        return connection.execute("select month, opening, closing, customers from kpi.mrr_monthly").fetchall()


def test_a_rollback_and_a_migration_make_the_ledger_anew(database: str, repository: Path) -> None:
    names = sorted(file.stem for file in (repository / "migrations").glob("*.sql") if ".rollback" not in file.name)

    def down_and_up(first: str) -> None:
        """Undo the migrations from the named one on, and do them again."""
        steps = str(len(names) - names.index(first))
        assert pgmrr(database, "migrate", "--rollback", steps, "--yes").returncode == 0
        assert pgmrr(database, "migrate").returncode == 0

    with psycopg.connect(database, autocommit=True) as connection:
        simulate(connection, Parameters(companies=30, months=3))
    before = monthly(database)
    assert len(before) == 3
    assert before[-1][2] > 0
    for first in ("0005_ledger", "0004_current_facts_and_charges"):
        down_and_up(first)
        assert monthly(database) == before
    # Without the facts nothing is known, rather than an MRR of 0.
    down_and_up("0003_versions_of_facts")
    assert monthly(database) == []
    assert "There are no invoices yet." in pgmrr(database, "coverage").stdout


def test_a_richer_company_goes_out_as_a_stripe_export_and_comes_back(
    database: str, new_database: Callable[..., str], template: str, tmp_path: Path
) -> None:
    simulated = pgmrr(database, "simulate", "--profile", "saas", "--companies", "80", "--months", "18")
    assert simulated.returncode == 0, simulated.stderr
    said = " ".join(simulated.stderr.split())
    assert "80 customers acquired" in said
    assert "the rules give the true MRR of" in said
    written = pgmrr(database, "export", "stripe", str(tmp_path))
    assert written.returncode == 0, written.stderr
    assert written.stdout == ""
    assert "customers.csv:80rows" in "".join(written.stderr.split())
    again = pgmrr(database, "export", "stripe", str(tmp_path))
    assert (again.returncode, "--force" in again.stderr) == (1, True)
    assert pgmrr(database, "export", "stripe", str(tmp_path), "--force", "--names").returncode == 0
    files = ["--invoices", str(tmp_path / "invoices.csv"), "--customers", str(tmp_path / "customers.csv")]
    copy = new_database(template=template)
    assert pgmrr(copy, "import", "stripe", *files, "--complete-history").returncode == 0
    # The name that it had before is the same option.
    assert "the same files as before" in pgmrr(copy, "import", "stripe", *files, "--complete").stderr
    assert re.findall(r"--complete\S*", pgmrr(copy, "import", "stripe", "--help").stdout) == ["--complete-history"]
    queries = (
        "select count(*), sum(total), sum(amount_paid) from billing.invoice",
        "select count(*), sum(payment_count), min(name) from billing.customer",
    )
    for query in queries:
        with psycopg.connect(database) as one, psycopg.connect(copy) as other:
            assert one.execute(query).fetchone() == other.execute(query).fetchone()


def test_two_starts_at_once_both_succeed(new_database: Callable[..., str]) -> None:
    url = new_database()
    starts = [
        subprocess.Popen(
            [sys.executable, "-m", "pgmrr", "start"],
            env={**os.environ, "DATABASE_URL": url},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    printed = [start.communicate(timeout=120) for start in starts]
    assert [start.returncode for start in starts] == [0, 0], printed
    assert printed[0][0] == printed[1][0]
    assert "500 customers are known" in printed[0][0]


def test_a_setting_that_nothing_supports_is_refused(database: str, repository: Path) -> None:
    export = repository / "tests/data/handmade"
    arguments = ["--invoices", str(export / "invoices.csv"), "--customers", str(export / "customers.csv")]
    assert pgmrr(database, "import", "stripe", *arguments).returncode == 0
    for day in ("2020-01-01", "2030-01-01"):
        refused = pgmrr(database, "settings", "observed_from", day)
        assert refused.returncode == 1
        assert f"observed_from cannot be {day}" in refused.stderr


def test_an_import_says_what_it_lacks(database: str, repository: Path, tmp_path: Path) -> None:
    with (repository / "tests/data/handmade/invoices.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    kept = [name for name in rows[0] if "Tax" not in name]
    bare = tmp_path / "bare.csv"
    with bare.open("w", newline="") as file:
        writer = csv.DictWriter(file, kept, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    said = " ".join(pgmrr(database, "import", "stripe", "--invoices", str(bare)).stderr.split())
    assert "no column of taxes" in said
    assert "no customer file" in said


@pytest.mark.parametrize(
    ("name", "hint", "shown"),
    [
        ("stripe", "Start over: pgmrr reset --yes", "Start over: pgmrr reset --db stripe --yes"),
        ("stripe", "see: pgmrr import stripe --invoices F", "see: pgmrr import stripe --db stripe --invoices F"),
        ("abc", "Start over: pgmrr reset --yes", "Start over: pgmrr reset --yes"),
    ],
)
def test_hints_name_the_database_that_was_meant(name: str, hint: str, shown: str) -> None:
    choose(None, name)
    try:
        assert for_chosen(hint) == shown
    finally:
        choose(None, None)


def test_a_database_named_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://elsewhere/x")
    assert choose("postgresql://elsewhere/x", "mine").server is not None
    choose(None, None)
    with pytest.raises(PgmrrError, match="both --database and --db"):
        choose("postgresql://given/x", "mine")


def test_large_figures_are_printed_in_thousands(monkeypatch: pytest.MonkeyPatch) -> None:
    row = dict.fromkeys(("opening", "closing", "new", "preexisting", "reactivation", "expansion"), Decimal(12345678))
    row |= dict.fromkeys(("contraction", "churn"), Decimal(-2345678))
    row |= {"rounding": Decimal("0.26")}
    row |= {"label": "2025-02*", "growth": Decimal("0.0749"), "customers": 12345}
    narrow = Console(width=80, file=io.StringIO())
    monkeypatch.setattr(show, "out", narrow)
    narrow.print(reports._monthly_table([row], "EUR"))
    printed = narrow.file.getvalue()  # type: ignore[attr-defined]  # a StringIO, made above
    assert "million EUR" in printed
    assert "2025-02*" in printed
    assert "12.3" in printed
    assert "…" not in printed


@pytest.mark.parametrize("runs", [False, True])
def test_a_server_is_said_to_be_started_only_where_it_is(
    database: str, capsys: pytest.CaptureFixture[str], *, runs: bool
) -> None:
    server = SimpleNamespace(
        status=lambda: SimpleNamespace(running=runs), start=lambda: None, ensure_database=lambda _: None
    )
    prepare(Database(database, "abc", server))
    assert ("starting the server" in capsys.readouterr().err) is not runs


def test_rejected_rows_go_out_and_come_back_corrected_and_are_taken_back(database: str, tmp_path: Path) -> None:
    handmade = Path(__file__).parents[1] / "data" / "handmade" / "invoices.csv"
    good = list(csv.reader(io.StringIO(handmade.read_text(encoding="utf-8"))))
    bad = [list(row) for row in good]
    total = good[0].index("Total")
    bad[3][total] = "1.234,56"
    files = {name: tmp_path / f"{name}.csv" for name in ("bad", "out", "missing/out")}
    files["bad"].write_text("".join(",".join(f'"{cell}"' for cell in row) + "\n" for row in bad), encoding="utf-8")

    dry = pgmrr(database, "import", "stripe", "--invoices", str(files["bad"]), "--dry-run")
    assert dry.returncode == 0
    assert dry.stderr.splitlines()[-1] == "a dry run: nothing was kept"
    assert pgmrr(database, "batches").stderr.startswith("no batches yet")
    assert pgmrr(database, "import", "stripe", "--invoices", str(files["bad"])).returncode == 0
    shown = json.loads(pgmrr(database, "rejected", "--format", "json").stdout)
    assert [(row["file"], row["line_number"], row["column_name"], row["value"], row["reason"]) for row in shown] == [
        ("bad.csv", 4, "Total", "1.234,56", "not an amount")
    ]
    assert shown[0]["hint"] == "Write digits with at most two decimals: 1234.56 or 1234,56."

    assert list(csv.reader(io.StringIO(pgmrr(database, "rejected", "--csv", "-").stdout))) == [bad[0], bad[3]]
    refused = pgmrr(database, "rejected", "--csv", str(files["missing/out"]))
    assert refused.returncode == 1
    assert "No such file or directory" in refused.stderr
    assert pgmrr(database, "rejected", "--csv", str(files["out"])).returncode == 0
    written = files["out"].read_text()
    files["out"].write_text("half corrected")
    refused = pgmrr(database, "rejected", "--csv", str(files["out"]))
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "already exists" in refused.stderr
    assert "--force" in refused.stderr
    assert files["out"].read_text() == "half corrected"
    assert pgmrr(database, "rejected", "--csv", str(files["out"]), "--force").returncode == 0
    assert files["out"].read_text() == written
    files["out"].write_text(files["out"].read_text().replace("1.234,56", good[3][total]))
    again = pgmrr(database, "import", "stripe", "--corrections", "--invoices", str(files["out"]))
    assert again.returncode == 0, again.stderr
    assert pgmrr(database, "rejected").stderr == "no rows were rejected\n"
    listed = json.loads(pgmrr(database, "batches", "--format", "json").stdout)
    assert [row["summary"] for row in listed] == [
        f"{len(good) - 1} invoices, {len(good) - 2} new, 1 rejected",
        "corrections: 1 invoices, 1 new",
    ]

    assert "batch 2, import stripe" in pgmrr(database, "undo").stderr
    assert "taken back: batch 2, import stripe" in pgmrr(database, "undo", "--yes").stderr
    assert len(json.loads(pgmrr(database, "rejected", "--format", "json").stdout)) == 1
    assert "taken back: batch 1" in pgmrr(database, "undo", "--yes").stderr
    assert "nothing to take back" in pgmrr(database, "undo", "--yes").stderr


def test_restatements_name_months_customers_and_invoices(database: str, tmp_path: Path) -> None:
    handmade = Path(__file__).parents[1] / "data" / "handmade" / "invoices.csv"
    assert pgmrr(database, "import", "stripe", "--invoices", str(handmade)).returncode == 0
    top = json.loads(pgmrr(database, "top", "--limit", "1", "--format", "json").stdout)[0]
    rows = list(csv.DictReader(io.StringIO(handmade.read_text(encoding="utf-8"))))
    voided = [row for row in rows if row["Customer"] == top["customer_id"]]
    for row in voided:
        row["Status"] = "void"
    with (tmp_path / "void.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    assert pgmrr(database, "import", "stripe", "--invoices", str(tmp_path / "void.csv")).returncode == 0

    found = json.loads(pgmrr(database, "restatements", "--format", "json").stdout)
    assert {row["customer_id"] for row in found} == {top["customer_id"]}
    assert {invoice for row in found for invoice in row["invoice_ids"]} <= {row["id"] for row in voided}
    assert found[-1]["change"] == -top["mrr"]
    table = pgmrr(database, "restatements", "1", "2").stdout
    assert "Restated months" in table
    assert voided[0]["id"] in table
    before, after = (json.loads(pgmrr(database, "mrr", "--as-of", batch, "--format", "json").stdout) for batch in "12")
    assert before[-1]["closing"] - after[-1]["closing"] == pytest.approx(top["mrr"])
    assert after == json.loads(pgmrr(database, "mrr", "--format", "json").stdout)
    backwards = pgmrr(database, "restatements", "2", "1")
    assert backwards.returncode == 1
    assert "error: batch 2 comes after batch 1" in backwards.stderr
