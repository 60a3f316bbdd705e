"""What people take away: tables and workbooks, read back by other programs, hold what the database says."""

import csv
import hashlib
import io
import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal, localcontext
from pathlib import Path
from typing import Any

import duckdb
import openpyxl
import psycopg
import pytest
from openpyxl.utils.escape import unescape
from psycopg import sql
from rich.console import Console

import test_docs
from conftest import NewDatabase, Server
from pgmrr import excel_export, reports, show, table_export
from pgmrr.database import choose, reading
from pgmrr.errors import PgmrrError
from pgmrr.meters import meter
from pgmrr.parquet import ParquetWriter
from pgmrr.reports.analysis import DIFFERENCES, SIGNIFICANT
from pgmrr.reports.quarantine import WARNINGS
from pgmrr.reports.segments import RENEWALS
from pgmrr.sessions import open_session
from pgmrr.simulation import Parameters, simulate
from pgmrr.stripe import import_stripe
from test_cli import pgmrr

ROOT = Path(__file__).parents[2]
HANDMADE = ROOT / "tests" / "data" / "handmade"

# Names that a spreadsheet would run, or that a careless writer would tear apart, and how CSV holds them.
NAMES = {
    "=1+1": "'=1+1",
    '=HYPERLINK("http://x","y")': '\'=HYPERLINK("http://x","y")',
    "+49 30": "'+49 30",
    "-2": "'-2",
    "@SUM(A1)": "'@SUM(A1)",
    "\tx": "'\tx",
    "\rx": "'\rx",
    "https://x.example/": "https://x.example/",
    'Smith, "Jo"\r\n& Sons': 'Smith, "Jo"\r\n& Sons',
    r"back\slash \N": r"back\slash \N",
    "東京": "東京",
}


@pytest.fixture(scope="module")
def handmade(server: Server, template: str) -> Iterator[str]:
    """The URL of a database with the handmade export, whose customers have names that bite."""
    with server.databases() as create:
        url = create(template=template)
        with open_session(url) as connection:
            import_stripe(connection, HANDMADE / "invoices.csv", HANDMADE / "customers.csv")
            ids = [row[0] for row in connection.execute("select customer_id from kpi.customer order by 1")]
            assert len(ids) > len(NAMES)
            for customer, name in zip(ids, NAMES, strict=False):
                connection.execute("update raw.customer set name = %s where customer_id = %s", [name, customer])
        yield url


@pytest.fixture(scope="module")
def exported(handmade: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with all tables of it in all formats."""
    directory = tmp_path_factory.mktemp("takeaway") / "tables"
    result = pgmrr(handmade, "export", "tables", str(directory))
    assert (result.returncode, result.stdout) == (0, ""), result.stderr
    return directory


def manifest(directory: Path) -> dict[str, Any]:
    return json.loads((directory / "manifest.json").read_text(encoding="utf-8"))


def asked(url: str, call: str) -> list[tuple]:
    with psycopg.connect(url, options="-c jit=off -c timezone=UTC") as connection:
        return connection.execute(f"select * from {call}".encode()).fetchall()


def comparable(value: Any) -> Any:
    """What differs between readers only in its spelling."""
    if isinstance(value, str) and value[:1] in "{[":
        try:
            return comparable(json.loads(value))
        except ValueError:
            return value
    if isinstance(value, list | dict):
        return json.dumps(value, default=lambda v: v.isoformat() if isinstance(v, date) else float(v), sort_keys=True)
    return value


def as_stored(value: Any, type_: str) -> Any:
    """What Parquet holds of a value: times in UTC, and of more than 38 digits those 38."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=None)
    if isinstance(value, Decimal) and (places := re.search(r",(\d+)\)$", type_)):
        with localcontext(prec=100):
            return value.quantize(Decimal(1).scaleb(-int(places[1])), ROUND_HALF_UP)
    return value


def as_rows(rows: list[tuple]) -> list[list[Any]]:
    """The rows in an order of their own: a view need not have one."""
    return sorted(([comparable(value) for value in row] for row in rows), key=repr)


def test_every_table_of_the_catalog_is_written(handmade: str, exported: Path) -> None:
    with psycopg.connect(handmade) as connection:
        views = {row[0] for row in connection.execute("select viewname from pg_views where schemaname = 'kpi'")}
    tables = manifest(exported)["tables"]
    assert {table["name"] for table in tables if table["kind"] == "view"} == views
    functions = {table["name"] for table in tables if table["kind"] == "function"}
    assert {"cohort_retention", "forecast", "movements", "retention", "risks"} <= functions
    assert len(tables) == len(views) + len(functions) == len({table["name"] for table in tables}) > 50
    assert {path.name for path in exported.iterdir()} == {
        "manifest.json",
        *(f"{table['name']}.{format_}" for table in tables for format_ in table_export.FORMATS),
    }


def test_the_manifest_tells_what_the_files_are(handmade: str, exported: Path) -> None:
    told = manifest(exported)
    ((batch, currency, through),) = asked(
        handmade,
        "(select max(b.batch_id), (select min(reporting_currency) from kpi.currency), "
        "(select complete_through from kpi.coverage) from kpi.batches b) told",
    )
    assert (told["batch"], told["reporting_currency"]) == (batch, currency)
    assert told["coverage"]["complete_through"] == str(through)
    assert datetime.fromisoformat(told["read_at"]) >= datetime.fromisoformat(told["batch_at"])
    for table in told["tables"]:
        assert table["meaning"], table["name"]
        assert all(column["type"] and column["parquet_type"] for column in table["columns"])
        assert table["kind"] == "function" or all(column["meaning"] for column in table["columns"])
        for file in table["files"]:
            content = (exported / file["file"]).read_bytes()
            assert (file["bytes"], file["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())


def test_parquet_holds_every_row_exactly(handmade: str, exported: Path) -> None:
    compared = 0
    for table in manifest(exported)["tables"]:
        # DuckDB's driver wants a further package for times with a zone; in UTC they are these.
        found = duckdb.sql(
            f"select columns(* exclude ({', '.join(times)})), {', '.join(f'{name}::timestamp' for name in times)} "
            f"from '{exported / table['name']}.parquet'"
            if (times := [column["name"] for column in table["columns"] if column["type"].startswith("timestamp")])
            else f"select * from '{exported / table['name']}.parquet'"
        ).fetchall()
        names = [column["name"] for column in table["columns"]]
        order = [place for place, name in enumerate(names) if name not in times]
        order += [names.index(name) for name in times]
        known = [
            tuple(as_stored(row[place], table["columns"][place]["parquet_type"]) for place in order)
            for row in asked(handmade, table["call"])
        ]
        assert as_rows(found) == as_rows(known), table["name"]
        assert len(found) == table["rows"]
        compared += len(found)
    assert compared > 500


def test_parquet_has_types_and_no_floats(exported: Path) -> None:
    described = duckdb.sql(f"describe select * from '{exported}/mrr_monthly.parquet'").fetchall()
    types = {name: type_ for name, type_, *_ in described}
    assert (types["month"], types["is_whole"], types["customers"]) == ("DATE", "BOOLEAN", "BIGINT")
    assert types["closing"].startswith("DECIMAL(38,")
    batches = duckdb.sql(f"describe select * from '{exported}/batches.parquet'").fetchall()
    assert dict(row[:2] for row in batches)["created_at"] == "TIMESTAMP WITH TIME ZONE"
    every = {column["parquet_type"] for table in manifest(exported)["tables"] for column in table["columns"]}
    assert not any("DOUBLE" in type_ or "FLOAT" in type_ for type_ in every)


def test_json_lines_and_csv_hold_the_rows_of_parquet(exported: Path) -> None:
    quoted = 0
    for table in manifest(exported)["tables"]:
        with (exported / f"{table['name']}.csv").open(encoding="utf-8", newline="") as file:
            header, *in_csv = list(csv.reader(file))
        text = (exported / f"{table['name']}.jsonl").read_text(encoding="utf-8")
        in_json = [json.loads(line, parse_float=str, parse_int=str) for line in text.split("\n")[:-1]]
        assert header == [column["name"] for column in table["columns"]]
        assert len(in_csv) == len(in_json) == table["rows"], table["name"]
        for one, other in zip(in_csv, in_json, strict=True):
            for cell, (name, value), column in zip(one, other.items(), table["columns"], strict=True):
                assert name == column["name"]
                if value is None:
                    assert cell == ""
                elif isinstance(value, bool):
                    assert cell == str(value).lower()
                elif isinstance(value, list | dict):
                    assert json.loads(cell, parse_float=str, parse_int=str) == value
                else:
                    assert cell in (value, f"'{value}")
                    assert cell == value or column["type"] == "text"
                    quoted += cell != value
    assert quoted >= sum(safe != name for name, safe in NAMES.items())


def test_no_name_runs_as_a_formula_in_csv(handmade: str, exported: Path) -> None:
    with (exported / "customer.csv").open(encoding="utf-8", newline="") as file:
        written = {row["name"] for row in csv.DictReader(file)}
    assert set(NAMES.values()) <= written
    shown = pgmrr(handmade, "movements", "--format", "csv").stdout
    assert "'=1+1" in shown
    assert ",=1+1" not in shown
    assert re.search(r",-\d+\.\d\d", shown), "a negative amount stays a number"


def test_lists_of_decimals_stay_exact(tmp_path: Path) -> None:
    from pgmrr.parquet import ParquetWriter  # noqa: PLC0415

    writer = ParquetWriter(tmp_path / "it's [1].parquet", [("a", "numeric[]"), ("b", "numeric"), ("c", "text[]")])
    rows = [
        ("[1.2345678901234567890123, null]", "-0.0000000000000000000001", '["a, b", "null", null]'),
        ("[]", None, None),
        (None, "12345678901234567890.5", "[]"),
    ]
    for row in rows:
        writer.write(row)
    types = writer.finish()
    writer.close()
    # 20 digits before the point leave room for 18 behind it.
    assert types == ["DECIMAL(38,22)[]", "DECIMAL(38,18)", "VARCHAR[]"]
    path = str(tmp_path / "it''s [[]1].parquet")
    assert duckdb.sql(f"select * from read_parquet('{path}')").fetchall() == [
        ([Decimal("1.2345678901234567890123"), None], Decimal(0), ["a, b", "null", None]),
        ([], None, None),
        (None, Decimal("12345678901234567890.5"), []),
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["it's [1].parquet"]


def test_only_an_earlier_export_is_replaced(handmade: str, tmp_path: Path) -> None:
    directory = tmp_path / "new" / "tables"
    some = ["export", "tables", str(directory), "--format", "csv", "--only", "coverage"]
    assert pgmrr(handmade, *some, "--only", "kpi.customer").returncode == 0
    before = (directory / "coverage.csv").read_bytes()
    again = pgmrr(handmade, *some)
    assert (again.returncode, again.stderr.count("\n")) == (1, 2)
    assert "is not empty" in again.stderr.replace("\n", " ")
    (directory / "notes.txt").write_text("mine")
    (directory / "coverage.csv").write_text("damaged")
    assert pgmrr(handmade, *some, "--overwrite").returncode == 0
    assert (directory / "coverage.csv").read_bytes() == before
    assert {path.name for path in directory.iterdir()} == {"coverage.csv", "manifest.json", "notes.txt"}

    (directory / "mrr_daily.csv").write_text("mine too")
    foreign = pgmrr(handmade, *some, "--only", "mrr_daily", "--overwrite")
    assert foreign.returncode == 1
    assert "mrr_daily.csv is not of an earlier export" in foreign.stderr
    (directory / "manifest.json").write_text('{"tables": [{"files": [{"file": "../new.txt"}, {"file": "notes.txt"}]}]}')
    (tmp_path / "new" / "new.txt").write_text("outside")
    assert pgmrr(handmade, *some, "--overwrite").returncode == 1, "this manifest does not name coverage.csv"
    assert (tmp_path / "new" / "new.txt").exists()
    (directory / "manifest.json").write_text("[]")
    assert "is not the manifest of an export" in pgmrr(handmade, *some, "--overwrite").stderr


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["tables", "{}/file"], "is a file"),
        (["tables", "{}/file/in it"], "file is a file"),
        (["tables"], "no directory is named"),
        (["tables", "{}/new", "--format", "csv,xml"], "'xml' is not a format"),
        (["tables", "{}/new", "--only", "customers"], "no table 'customers'"),
        (["excel", "{}/file"], "does not end by .xlsx"),
        (["excel", "{}/no/book.xlsx"], "No such file or directory"),
        (["excel", "{}/here.xlsx"], "already exists"),
    ],
)
def test_what_cannot_be_written_is_said_in_a_line(
    handmade: str, tmp_path: Path, arguments: list[str], reason: str
) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "here.xlsx").write_text("mine")
    result = pgmrr(handmade, "export", *(argument.format(tmp_path) for argument in arguments))
    assert (result.returncode, result.stdout) == (1, "")
    assert reason in result.stderr
    assert [line.partition(":")[0] for line in result.stderr.splitlines()] == ["error", "hint"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "here.xlsx"]


@pytest.mark.parametrize(
    ("package", "arguments"), [("duckdb", ["tables", "{}/x"]), ("xlsxwriter", ["excel", "{}/x.xlsx"])]
)
def test_a_missing_extra_is_named(
    handmade: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str, arguments: list[str]
) -> None:
    monkeypatch.setitem(__import__("sys").modules, package, None)
    result = pgmrr(handmade, "export", *(argument.format(tmp_path) for argument in arguments))
    assert result.returncode == 1
    assert re.search(r"needs an extra\nhint: install it: pip install 'pgmrr\[(parquet|excel)\]'", result.stderr)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_where_the_disk_or_the_database_fails(
    handmade: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class FullDisk(table_export._Csv):
        def write(self, row: Any) -> None:
            raise OSError(28, "No space left on device", str(self.path))

    with reading(choose(handmade, None)) as connection:
        monkeypatch.setitem(table_export._WRITERS, "csv", FullDisk)
        with pytest.raises(PgmrrError, match="No space left on device"):
            table_export.export_tables(connection, tmp_path / "full", formats=["csv", "parquet"])
        monkeypatch.undo()
        monkeypatch.setattr(table_export.Table, "call", property(lambda table: "kpi.none"))
        monkeypatch.setattr(table_export.Table, "query", property(lambda table: sql.SQL("select 1 / 0")))
        with pytest.raises(PgmrrError, match="nothing was exported: division by zero"):
            table_export.export_tables(connection, tmp_path / "failed", formats=["csv"])
    assert list(tmp_path.iterdir()) == []


def test_an_empty_database_gives_headers_and_an_explanation(database: str, tmp_path: Path) -> None:
    with reading(choose(database, None)) as connection:
        only = ["customer", "forecast", "movements", "mrr_monthly"]
        written = table_export.export_tables(connection, tmp_path / "tables", only=only)
        excel_export.export_excel(connection, tmp_path / "book.xlsx")
    assert [(table.name, table.rows) for table in written] == [(name, 0) for name in only]
    assert (tmp_path / "tables" / "customer.csv").read_text().startswith("customer_id,")
    assert manifest(tmp_path / "tables")["batch"] is None
    assert duckdb.sql(f"select * from '{tmp_path}/tables/mrr_monthly.parquet'").fetchall() == []
    texts = [cell.value for row in openpyxl.load_workbook(tmp_path / "book.xlsx")["Summary"] for cell in row]
    ((explanation,),) = asked(database, "(select explanation from kpi.coverage) told")
    assert explanation in texts


@pytest.fixture(scope="module")
def book(handmade: str, tmp_path_factory: pytest.TempPathFactory) -> openpyxl.Workbook:
    """The workbook of the handmade export."""
    path = tmp_path_factory.mktemp("excel") / "book.xlsx"
    result = pgmrr(handmade, "export", "excel", str(path))
    assert result.returncode == 0, result.stderr
    return openpyxl.load_workbook(path)


def table_of(book: openpyxl.Workbook, sheet: str, first: str) -> list[dict[str, openpyxl.cell.Cell]]:
    """The rows below the heading ``first``, down to an empty one."""
    rows = iter(book[sheet].iter_rows())
    headings = next([cell.value for cell in row] for row in rows if row[0].value == first)
    found = []
    for row in rows:
        if row[0].value is None:
            break
        found.append({str(heading): cell for heading, cell in zip(headings, row, strict=True) if heading})
    return found


def figures(cells: list[openpyxl.cell.Cell]) -> list[Any]:
    """The values as the database has them; openpyxl leaves control characters escaped."""
    values = (unescape(cell.value) if isinstance(cell.value, str) else cell.value for cell in cells)
    return [value.date() if isinstance(value, datetime) else value for value in values]


def test_the_sheets_hold_what_the_database_says(handmade: str, book: openpyxl.Workbook) -> None:
    assert book.sheetnames == [
        "Summary", "Waterfall", "Retention", "Cohorts", "Segments", "Biggest customers", "Forecast", "Definitions"
    ]  # fmt: skip
    compared = 0
    for sheet, first, headings, query in (
        (
            "Waterfall",
            "Month",
            ["Month", "Opening, EUR", "New, EUR", "Churn, EUR", "Closing, EUR", "Growth", "Customers, closing"],
            "(select month, opening, new, churn, closing, growth, customers from kpi.mrr_monthly order by month) q",
        ),
        (
            "Retention",
            "Month",
            ["Month", "Customers, lost", "Customer churn", "NRR", "GRR", "Quick ratio", "LTV, EUR", "Note"],
            "(select month, customers_lost, customer_churn_rate, nrr, grr, quick_ratio, ltv, note"
            " from kpi.retention_monthly order by month) q",
        ),
        (
            "Biggest customers",
            "Rank",
            ["Rank", "Customer", "Name", "MRR, EUR", "Share of MRR", "Customer since"],
            "(select rank, customer_id, name, mrr, share, customer_since from kpi.biggest_customers(null, 100)) q",
        ),
    ):
        written = [figures([row[heading] for heading in headings]) for row in table_of(book, sheet, first)]
        known = [
            [float(value) if isinstance(value, Decimal) else value for value in row] for row in asked(handmade, query)
        ]
        assert written == [[pytest.approx(v) if isinstance(v, float) else v for v in row] for row in known], sheet
        compared += len(known)
    assert compared >= 10


def test_the_cohorts_are_triangles_of_what_the_database_says(handmade: str, book: openpyxl.Workbook) -> None:
    known = asked(handmade, "kpi.cohort_retention()")
    with psycopg.connect(handmade) as connection:
        total = sum(
            row[0] for row in connection.execute("select customers + mrr from kpi.cohort_retention()").fetchall()
        )
    sheet = book["Cohorts"]
    starts = [row[0].row for row in sheet.iter_rows() if row[0].value == "Cohort"]
    assert len(starts) == len(sheet.conditional_formatting) == 4
    sums, cells = [], 0
    for start in starts:
        numbers = []
        for row in sheet.iter_rows(min_row=start + 1, min_col=3):
            if sheet.cell(row[0].row, 1).value is None:
                break
            numbers += [cell.value for cell in row if cell.value is not None]
        sums.append(sum(numbers))
        cells += len(numbers)
    assert sums[0] + sums[2] == pytest.approx(float(total))
    shares = [row for row in known if row is not None]
    assert len(shares) * 2 < cells <= len(shares) * 4


def test_cells_are_numbers_and_days_and_text_is_text(book: openpyxl.Workbook) -> None:
    (row, *_) = table_of(book, "Waterfall", "Month")
    assert (row["Month"].number_format, row["Closing, EUR"].number_format) == ("yyyy-mm", "#,##0.00")
    assert row["Growth"].number_format == "0.0 %"
    assert isinstance(row["Closing, EUR"].value, int | float)
    names = {row["Name"].value: row["Name"] for row in table_of(book, "Biggest customers", "Rank")}
    biting = set(NAMES) & set(names)
    assert len(biting) >= 2
    assert {names[name].data_type for name in biting} == {"s"}
    types = {cell.data_type for sheet in book for row in sheet.iter_rows() for cell in row}
    assert "f" not in types
    assert not any(cell.hyperlink for sheet in book for row in sheet.iter_rows() for cell in row)
    for sheet in ("Waterfall", "Retention", "Biggest customers", "Definitions"):
        assert book[sheet].freeze_panes
        assert book[sheet].page_setup.orientation == "landscape"


def test_every_view_and_its_columns_are_defined(handmade: str, book: openpyxl.Workbook) -> None:
    defined = {row["Name"].value: row for row in table_of(book, "Definitions", "Name")}
    with psycopg.connect(handmade) as connection:
        columns = connection.execute(
            "select table_name || '.' || column_name from information_schema.columns where table_schema = 'kpi'"
        ).fetchall()
        assert {f"kpi.{name}" for (name,) in columns} <= set(defined)
        assert len(columns) > 300
        call = defined["kpi.mrr_monthly.closing"]["SQL call"].value
        assert len(connection.execute(call.encode()).fetchall()) > 1
    assert all(row["Definition"].value and row["Unit or type"].value for row in defined.values())


def test_a_plot_is_as_high_as_the_figures(server: Server, new_database: NewDatabase, template: str) -> None:
    url = new_database(template=template)
    with open_session(url) as connection:
        simulate(connection, Parameters(companies=40, months=4))
    result = pgmrr(url, "mrr", "--plot")
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    plot = lines[1:13]
    top, at = next((int(line.split()[0].replace(",", "")), 12 - n) for n, line in enumerate(plot) if "┤" in line)
    days = [amount for (amount,) in asked(url, "(select closing from kpi.mrr_daily order by day) q")]
    each = int(re.search(r"A column is (\d+) days", result.stdout)[1])
    start = plot[0].index("┤" if "┤" in plot[0] else "│") + 1
    columns = [[line.ljust(80)[start + place] for line in plot] for place in range(-(-len(days) // each))]
    drawn = [sum(" ▁▂▃▄▅▆▇█".index(sign) for sign in column) / 8 for column in columns]
    known = [days[min((place + 1) * each, len(days)) - 1] for place in range(len(columns))]
    assert drawn == [pytest.approx(float(amount) / top * at, abs=1 / 15) for amount in known]
    assert len(known) > 50
    assert pgmrr(url, "mrr", "abc_000001", "--plot").returncode == 0
    assert "--plot draws all days" in pgmrr(url, "mrr", "--plot", "--as-of", "1").stderr


def test_uncovered_days_are_marked_in_a_plot(handmade: str) -> None:
    shown = pgmrr(handmade, "mrr", "--plot").stdout.splitlines()
    bottom = shown[12]
    # 2025-01-02 to 2025-03-09 are covered: of the 45 columns of two days each, the first 34.
    assert re.fullmatch(r"\s*[┤│][^·]{34}·{11}", bottom), bottom


def test_the_examples_of_the_docs_are_what_psql_prints(new_database: NewDatabase, template: str) -> None:
    url = new_database(template=template)
    with open_session(url) as connection:
        simulate(connection)
    text = (ROOT / "docs" / "bi.md").read_text(encoding="utf-8")
    assert test_docs.rendered(text, lambda call: test_docs.asked(call, {"abc": url})) == text
    assert len(test_docs.all_calls(text)) == 4
    with psycopg.connect(url) as connection:
        kinds = connection.execute(
            "select kind, count(*), sum(change) from kpi.movements() group by kind order by 3"
        ).fetchall()
    assert all(re.search(rf"│ {kind} +│ +{count} │ +{mrr} │", text) for kind, count, mrr in kinds)
    assert len(kinds) == 2


def test_completion_offers_the_names_of_the_database(handmade: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for words, place, offered in (
        ("pgmrr segment cur", "2", ["currency"]),
        ("pgmrr settings time", "2", ["time_zone"]),
        ("pgmrr export tables x --only mrr_mon", "5", ["mrr_monthly"]),
        ("pgmrr expo", "1", ["export"]),
    ):
        monkeypatch.setenv("_PGMRR_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", words)
        monkeypatch.setenv("COMP_CWORD", place)
        shown = pgmrr(handmade)
        assert shown.stdout.split() == offered, words
        assert shown.stderr == ""
    monkeypatch.setenv("COMP_WORDS", "pgmrr segment cur")
    monkeypatch.setenv("COMP_CWORD", "2")
    nowhere = pgmrr("postgresql:///none?host=/nonexistent")
    assert (nowhere.stdout.strip(), nowhere.stderr) == ("", "")


def test_long_work_shows_rows_and_rate_on_a_terminal_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for is_terminal in (True, False):
        written = io.StringIO()
        console = Console(file=written, force_terminal=is_terminal, width=100, color_system=None)
        monkeypatch.setattr(show, "err", console)
        with show.progress() as progress:
            watch = meter(progress, "reading x.csv [1]", 100)
            watch(5_000, 50)
            if is_terminal:
                progress._moving.refresh()
            meter(progress, "a part of it", is_part=True)(7)
            progress("making [charges]")
        shown = written.getvalue()
        if is_terminal:
            assert re.search(r"reading x.csv \[1\].*5,000 rows, [\d,]+/s", shown)
        else:
            assert shown == "reading x.csv [1]\nmaking [charges]\n"


def test_figures_fit_80_columns_without_colour(handmade: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    for command in (["kpis"], ["unpaid"], ["churn"], ["mrr", "--plot"]):
        shown = pgmrr(handmade, *command).stdout
        assert len(shown.splitlines()) > 5
        assert max(len(line.rstrip()) for line in shown.splitlines()) <= 80, command
        assert "\x1b" not in shown


def test_a_table_that_is_too_wide_gives_up_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    columns = [show.Column(name, name, show.Kind.label) for name in ("one", "two", "three")]
    rows = [{"one": "1" * 30, "two": "2" * 30, "three": "3" * 30}]
    for width, fitting in ((100, columns), (80, columns[:2]), (20, columns[:1])):
        monkeypatch.setattr(show, "out", Console(width=width))
        assert show.fitting(rows, columns, columns[:2], columns[:1]) == fitting


# What takes as much room in a list as real data do.
LONG = {
    "invoice_id": "in_" + "1" * 24,
    "customer_id": "cus_" + "2" * 14,
    "name": "Ramirez-Christian Incorporated",
    "kind": "reactivation",
    "currency": "USD",
    "status": "uncollectible",
    "term": "half-year",
    "reason": "no subscription",
    "warning": "amounts do not add up",
    "detail": "subtotal less discount is not the total",
    "metric": "Customer churn rate",
    "profile": "ChartMogul",
    "compared_with": "days of February",
    "who": "reactivation +1,026: " + "cus_" + "3" * 14,
    "events": "reactivation 2024-12-01",
    "is_renewed": False,
    "is_possible_replacement": False,
}


@pytest.mark.parametrize(
    "report",
    [
        reports.MOVEMENTS,
        reports.BIGGEST,
        reports.ONE_OFF,
        reports.CREDITS,
        WARNINGS,
        RENEWALS,
        SIGNIFICANT,
        DIFFERENCES,
    ],
    ids=["movements", "top", "one-off", "credits", "warnings", "renewals", "days", "profiles"],
)
def test_lists_fit_80_columns_and_cut_nothing(
    report: reports.Report, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    by_kind = {show.Kind.share: Decimal("0.98"), show.Kind.count: 3, show.Kind.number: 3, show.Kind.ratio: Decimal(12)}
    by_kind |= dict.fromkeys((show.Kind.money, show.Kind.change), Decimal("4231.55"))
    row = {c.name: LONG.get(c.name, by_kind.get(c.kind, date(2025, 2, 26))) for c in report.columns}
    for width in ("80", "200"):
        monkeypatch.setenv("COLUMNS", width)
        monkeypatch.setattr(show, "out", Console(highlight=False))
        show.rows([row], report.columns, show.Format.table)
        shown = capsys.readouterr().out
        assert max(len(line.rstrip()) for line in shown.splitlines()) <= int(width), shown
        assert "…" not in shown
        kept = [column for column in report.columns if width == "200" or not column.spare]
        words = [word for column in kept for word in show.text_of(row[column.name], column.kind).split()]
        assert [word for word in words if word not in shown] == []


def test_ctrl_c_within_parquet_stops_like_anywhere_else(tmp_path: Path) -> None:
    class Interrupted:
        def execute(self, *_: object) -> None:
            raise RuntimeError("Query interrupted")

        def close(self) -> None:
            pass

    writer = ParquetWriter(tmp_path / "x.parquet", [("a", "text")])
    writer.write(["1"])
    writer._session.close()
    writer._session = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        writer.finish()
    writer.close()
    assert list(tmp_path.iterdir()) == []


# A shell that runs tests in the background has them ignore SIGINT.
_LISTENING = """
import signal
from pgmrr.__main__ import main
signal.signal(signal.SIGINT, signal.default_int_handler)
main()
"""


@pytest.mark.parametrize(("signal_", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_export_that_is_stopped_leaves_nothing(
    handmade: str, tmp_path: Path, signal_: signal.Signals, code: int
) -> None:
    holding = tmp_path / "exports"
    running = subprocess.Popen(
        [sys.executable, "-c", _LISTENING, "export", "tables", str(holding / "x"), "--database", handmade],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not (holding.exists() and any(holding.iterdir())) and running.poll() is None:
        time.sleep(0.01)
    running.send_signal(signal_)
    _, told = running.communicate(timeout=60)
    assert "Traceback" not in told
    assert running.returncode == code, told
    assert list(holding.iterdir()) == []
