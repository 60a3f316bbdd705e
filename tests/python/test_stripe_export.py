"""Exports in the form of Stripe's own: what was imported comes out as it was, and nothing runs in a spreadsheet."""

import csv
from collections import Counter
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path

import psycopg
import pytest

from pgmrr.errors import PgmrrError
from pgmrr.sessions import open_session
from pgmrr.simulation import SaasParameters, simulate_saas
from pgmrr.stripe import import_stripe
from pgmrr.stripe_export import WrittenFile, export_stripe

ROOT = Path(__file__).parents[2]
REAL = ROOT / ".." / "shared" / "data" / "stripe-export"
HANDMADE = ROOT / "tests" / "data" / "handmade"

INVOICE_HEADER = (
    "id,Amount Due,Closed,Currency,Customer,Date (UTC),Due Date (UTC),Ending Balance,Forgiven,Paid,Paid At (UTC),"
    "Marked Uncollectible At (UTC),Voided At (UTC),Finalized At (UTC),Minimum Line Item Period Start (UTC),"
    "Maximum Line Item Period End (UTC),Period Start (UTC),Period End (UTC),Starting Balance,Subscription,Subtotal,"
    "Total Discount Amount,Applied Coupons,Tax,Tax Percent,Total,Amount Paid,Status,Exclusive Tax Amount,"
    "Inclusive Tax Amount"
)
CUSTOMER_HEADER = "id,Created (UTC),Total Spend,Payment Count,Tax Location Recognized"

# Names that a spreadsheet would run, or that a careless writer would tear apart, and how they come out.
NAMES = {
    "=1+1": "'=1+1",
    '=HYPERLINK("http://x","y")': '\'=HYPERLINK("http://x","y")',
    "+49 30 1234": "'+49 30 1234",
    "-2": "'-2",
    "@SUM(A1)": "'@SUM(A1)",
    "\t=1": "' =1",
    " =1": "' =1",
    "\r\n+1": "' +1",
    'Smith, "Jo" & Sons': 'Smith, "Jo" & Sons',
    "two\nlines": "two lines",
    "a = b": "a = b",
    "Łódź 東京": "Łódź 東京",
    "'quoted'": "'quoted'",
}


@pytest.fixture
def connection(database: str) -> psycopg.Connection:
    with open_session(database) as connection:
        yield connection


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_files_are_laid_out_as_stripes(connection: psycopg.Connection, tmp_path: Path) -> None:
    counts = simulate_saas(connection, SaasParameters(companies=40, months=12))
    written = export_stripe(connection, tmp_path)
    assert written == [
        WrittenFile(tmp_path / "invoices.csv", counts.invoices),
        WrittenFile(tmp_path / "customers.csv", 40),
    ]
    for file, header in zip(written, (INVOICE_HEADER, CUSTOMER_HEADER), strict=True):
        content = file.path.read_bytes()
        lines = content.split(b"\r\n")
        assert lines[0].decode() == header
        assert len(lines) == file.rows + 1
        assert b"\n" not in content.replace(b"\r\n", b"")
        assert lines[-1]
    dates = [datetime.strptime(row["Date (UTC)"], "%Y-%m-%d %H:%M") for row in rows(written[0].path)]
    assert dates == sorted(dates, reverse=True)
    assert {len(row["Date (UTC)"]) for row in rows(written[0].path)} == {15, 16}  # hours are not padded


def test_the_header_of_the_real_export_is_the_same() -> None:
    if not REAL.is_dir():
        pytest.skip("the real export does not lie beside the checkout")
    for name, header in (("invoices.csv", INVOICE_HEADER), ("customers.csv", CUSTOMER_HEADER)):
        assert (REAL / name).read_bytes().split(b"\r\n", 1)[0].decode() == header


def test_the_real_export_comes_out_as_it_went_in(connection: psycopg.Connection, tmp_path: Path) -> None:
    if not REAL.is_dir():
        pytest.skip("the real export does not lie beside the checkout")
    import_stripe(connection, REAL / "invoices.csv", REAL / "customers.csv")
    export_stripe(connection, tmp_path)
    assert (tmp_path / "customers.csv").read_bytes() == (REAL / "customers.csv").read_bytes()
    before, after = rows(REAL / "invoices.csv"), rows(tmp_path / "invoices.csv")
    assert len(before) == len(after) == 8075
    differences = Counter(
        (column, one["Status"], one[column], other[column])
        for one, other in zip(before, after, strict=True)
        for column in one
        if one[column] != other[column]
    )
    # That nobody tries to collect an open invoice any more, only Stripe knows.
    assert differences == {("Closed", "open", "TRUE", "FALSE"): 58, ("Closed", "draft", "TRUE", "FALSE"): 26}


def test_an_import_of_the_export_is_no_change(connection: psycopg.Connection, tmp_path: Path) -> None:
    import_stripe(connection, HANDMADE / "invoices.csv", HANDMADE / "customers.csv")
    export_stripe(connection, tmp_path)
    again = import_stripe(connection, tmp_path / "invoices.csv", tmp_path / "customers.csv")
    assert again.batch is None
    assert again.invoices.unchanged == again.invoices.rows > 30


def test_without_a_customer_file_customers_are_known_by_their_ids(
    connection: psycopg.Connection, new_database: Callable[..., str], template: str, tmp_path: Path
) -> None:
    import_stripe(connection, HANDMADE / "invoices.csv")
    assert [file.rows for file in export_stripe(connection, tmp_path)][1] > 10
    written = rows(tmp_path / "customers.csv")
    assert {row["id"] for row in written} == {row["Customer"] for row in rows(HANDMADE / "invoices.csv")}
    assert {row["Created (UTC)"] for row in written} == {""}
    with open_session(new_database(template=template)) as copy:
        report = import_stripe(copy, tmp_path / "invoices.csv", tmp_path / "customers.csv")
        assert (report.customers.new, report.customers.rejected) == (len(written), 0)
        movements = "select customer_id, effective_on, change, kind from ledger.movement order by 1, 2"
        assert copy.execute(movements).fetchall() == connection.execute(movements).fetchall()


def test_a_window_cuts_the_invoices_and_no_customer(connection: psycopg.Connection, tmp_path: Path) -> None:
    simulate_saas(connection, SaasParameters(companies=60, months=12))
    export_stripe(connection, tmp_path / "whole")
    export_stripe(connection, tmp_path / "cut", first=date(2022, 6, 1), last=date(2022, 6, 30))
    june = [row for row in rows(tmp_path / "whole" / "invoices.csv") if row["Date (UTC)"].startswith("2022-06-")]
    assert rows(tmp_path / "cut" / "invoices.csv") == june
    assert len(june) > 20
    for name in ("customers.csv",):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    first_only = export_stripe(connection, tmp_path / "first", first=date(2022, 6, 1))[0].rows
    last_only = export_stripe(connection, tmp_path / "last", last=date(2022, 6, 30))[0].rows
    assert first_only + last_only == len(rows(tmp_path / "whole" / "invoices.csv")) + len(june)


def test_no_name_runs_as_a_formula(connection: psycopg.Connection, tmp_path: Path) -> None:
    simulate_saas(connection, SaasParameters(companies=len(NAMES), months=2))
    for number, name in enumerate(NAMES, start=1):
        connection.execute("update raw.customer set name = %s where customer_id = %s", [name, f"cus_{number:06}"])
    export_stripe(connection, tmp_path, names=True)
    found = {row["id"]: row["Name"] for row in rows(tmp_path / "customers.csv")}
    assert found == {f"cus_{number:06}": name for number, name in enumerate(NAMES.values(), start=1)}
    assert (tmp_path / "customers.csv").read_bytes().count(b"\r\n") == len(NAMES)


def test_no_file_is_replaced_unasked_or_by_a_part(connection: psycopg.Connection, tmp_path: Path) -> None:
    simulate_saas(connection, SaasParameters(companies=20, months=2))
    mine = tmp_path / "customers.csv"
    mine.write_text("mine")
    with pytest.raises(PgmrrError, match=r"already holds customers\.csv") as refusal:
        export_stripe(connection, tmp_path)
    assert refusal.value.hint == "replace them: --force"
    connection.execute("drop function pipeline.stripe_customers()")
    with pytest.raises((PgmrrError, psycopg.errors.UndefinedFunction)):
        export_stripe(connection, tmp_path, force=True)
    assert mine.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [mine]


def test_force_replaces(connection: psycopg.Connection, tmp_path: Path) -> None:
    simulate_saas(connection, SaasParameters(companies=20, months=2))
    export_stripe(connection, tmp_path)
    before = (tmp_path / "invoices.csv").read_bytes()
    (tmp_path / "invoices.csv").write_text("old")
    export_stripe(connection, tmp_path, force=True)
    assert (tmp_path / "invoices.csv").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["customers.csv", "invoices.csv"]


def test_what_cannot_be_written_is_said_in_one_line(connection: psycopg.Connection, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PgmrrError, match="file") as refusal:
        export_stripe(connection, tmp_path / "file" / "in it")
    assert refusal.value.hint == "give a directory that you may write to"
    with pytest.raises(PgmrrError, match="upside down"):
        export_stripe(connection, tmp_path / "new", first=date(2024, 2, 1), last=date(2024, 1, 31))
    assert not (tmp_path / "new").exists()


def test_periods_are_no_invoices(connection: psycopg.Connection, tmp_path: Path) -> None:
    connection.execute(
        "insert into meta.batch (batch_id, kind, source, is_truncated) values (1, 'import', 'periods', false)"
    )
    with pytest.raises(PgmrrError, match="subscription periods"):
        export_stripe(connection, tmp_path)


def test_an_empty_database_gives_headers(connection: psycopg.Connection, tmp_path: Path) -> None:
    assert [file.rows for file in export_stripe(connection, tmp_path)] == [0, 0]
    assert (tmp_path / "invoices.csv").read_bytes().decode() == INVOICE_HEADER
