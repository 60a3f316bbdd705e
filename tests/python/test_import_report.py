"""What an import tells of MRR before and after, as plain queries find it too; and dry runs, which change nothing."""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from pgmrr import rates
from pgmrr.billing import Spelling, import_lines, import_periods
from pgmrr.errors import PgmrrError
from pgmrr.history import undo
from pgmrr.import_report import ImportReport
from pgmrr.locks import WRITER_LOCK
from pgmrr.sessions import open_session
from pgmrr.staging import Place, file_at
from pgmrr.stripe import import_stripe
from stripe_files import DAY, Company, Table
from test_undo import differing, everything

HANDMADE = Path(__file__).parents[1] / "data" / "handmade"
COVERED = "select observed_from, complete_through from kpi.coverage"
KINDS = ("preexisting", "new", "reactivation", "expansion", "contraction", "rounding", "churn")


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection]:
    with open_session(database) as connection:
        yield connection


def on(connection: psycopg.Connection, first: date, last: date) -> dict[str, object]:
    """Figures of some covered days: opening and closing, sums by kind, customers, and MRR by customer."""
    sums = ", ".join(f"sum({kind})" for kind in KINDS)
    [by_kind] = connection.execute(
        f"select {sums} from kpi.mrr_daily where day between %s and %s".encode(), [first, last]
    ).fetchall()
    [(opening,)] = connection.execute("select opening from kpi.mrr_daily where day = %s", [first]).fetchall()
    [(closing, customers)] = connection.execute(
        "select closing, customers from kpi.mrr_daily where day = %s", [last]
    ).fetchall()
    by_customer = dict(connection.execute("select customer_id, kpi.mrr_at(customer_id, %s) from kpi.customer", [last]))
    return {
        "opening": opening,
        "closing": closing,
        "customers": customers,
        "kinds": dict(zip(KINDS, by_kind, strict=True)),
        "by_customer": by_customer,
    }


def compare(before: dict, after: dict, told: dict) -> int:
    """Asserts that the report tells these figures; returns how many customers changed."""
    assert [Decimal(str(amount)) for amount in told["opening"]] == [before["opening"], after["opening"]]
    assert [Decimal(str(amount)) for amount in told["closing_then"]] == [before["closing"], after["closing"]]
    assert told["customers"] == [before["customers"], after["customers"]]
    for kind in KINDS:
        pair = [Decimal(str(amount)) for amount in told["kinds"].get(kind, [0, 0])]
        assert pair == [before["kinds"][kind], after["kinds"][kind]]
    changes = {
        customer: (before["by_customer"].get(customer) or Decimal(0), mrr or Decimal(0))
        for customer, mrr in after["by_customer"].items()
    }
    changed = {customer: pair for customer, pair in changes.items() if pair[0] != pair[1]}
    expected = sorted(changed, key=lambda customer: (-abs(changed[customer][1] - changed[customer][0]), customer))[:5]
    assert [row["customer_id"] for row in told["largest"]] == expected
    for row in told["largest"]:
        assert (Decimal(str(row["before"])), Decimal(str(row["after"]))) == changed[row["customer_id"]]
    return len(changed)


def test_the_report_tells_what_queries_before_and_after_find(connection: psycopg.Connection, tmp_path: Path) -> None:
    compared: Counter = Counter()
    for seed in range(4):
        chance = random.Random(seed)
        company = Company(seed=seed)
        connection.execute("select pipeline.undo() from generate_series(1, 9)")
        rates.set_by_user(connection, "USD=1.25")
        known: Any = None
        for number in range(4):
            start = datetime(2025, 1, 1) + chance.randrange(50) * DAY
            taken_at = datetime(2025, 2, 15) + chance.randrange(100) * DAY
            export = company.export(start, datetime(2025, 7, 1), taken_at)
            for row in chance.sample(export.rows, 5):
                row["Currency"] = "usd"
            path = export.write(tmp_path / f"{seed}_{number}.csv")

            # What a dry run tells is what the import then does.
            before = everything(connection)
            told = import_stripe(connection, path, replace=number == 3, dry_run=True)
            assert differing(before, everything(connection)) == []
            assert told.batch is None
            covered = connection.execute(COVERED).fetchone()
            asked = {}
            if known:
                first = max(covered[0], date.fromisoformat(told.mrr.found["first_on"]))
                asked = on(connection, first, covered[1])
            done = import_stripe(connection, path, replace=number == 3)
            assert done.mrr == told.mrr
            assert (done.invoices, done.fates, done.warnings) == (told.invoices, told.fates, told.warnings)

            found = done.mrr.found
            now = connection.execute(COVERED).fetchone()
            assert found["closing_on"] == str(now[1])
            total = connection.execute("select kpi.mrr_total_at(%s)", [now[1]]).fetchone()[0]
            assert Decimal(str(found["closing"])).quantize(Decimal("0.000001")) == total.quantize(Decimal("0.000001"))
            if known:
                assert (found["first_on"], found["last_on"]) == (str(max(covered[0], now[0])), str(covered[1]))
                compared["customers"] += compare(asked, on(connection, max(covered[0], now[0]), covered[1]), found)
                compared["imports"] += 1
            else:
                assert found.keys() == {"currency", "closing", "closing_on"}
            known = covered
    assert compared["imports"] == 12
    assert compared["customers"] > 30


def test_a_dry_run_leaves_no_lock_and_takes_no_number(connection: psycopg.Connection) -> None:
    before = everything(connection)
    report = import_stripe(connection, HANDMADE / "invoices.csv", HANDMADE / "customers.csv", dry_run=True)
    assert differing(before, everything(connection)) == []
    locks = (
        "select count(*) from pg_locks where locktype = 'advisory' and ((classid::bigint << 32) + objid::bigint) = %s"
    )
    assert connection.execute(locks, [WRITER_LOCK]).fetchone() == (0,)
    assert report.batch is None
    assert list(report.lines())[-1] == "a dry run: nothing was kept"
    assert not any("nothing changed" in line or "pgmrr rejected" in line for line in report.lines())
    assert import_stripe(connection, HANDMADE / "invoices.csv", HANDMADE / "customers.csv").batch == 1


def test_a_dry_run_of_a_bad_file_fails_as_the_import_would(connection: psycopg.Connection, tmp_path: Path) -> None:
    before = everything(connection)
    path = tmp_path / "customers.csv"
    path.write_text((HANDMADE / "customers.csv").read_text())
    with pytest.raises(PgmrrError, match="is the customers file of a Stripe export, not the invoices file"):
        import_stripe(connection, path, dry_run=True)
    assert differing(before, everything(connection)) == []


def test_an_import_that_changes_nothing_that_was_known_says_so(connection: psycopg.Connection, tmp_path: Path) -> None:
    company = Company(seed=1)
    start = datetime(2025, 1, 1)
    first = company.export(start, datetime(2025, 3, 1), datetime(2025, 3, 1))
    import_stripe(connection, first.write(tmp_path / "first.csv"))
    known = {row["id"] for row in first.rows}
    newer = company.export(datetime(2025, 3, 1), datetime(2025, 7, 1), datetime(2025, 4, 1))
    newer.rows = [row for row in newer.rows if row["id"] not in known]
    lines = list(import_stripe(connection, newer.write(tmp_path / "newer.csv")).mrr.lines())
    assert len(lines) == 2
    assert lines[0].startswith("MRR on 2025-03-30: ")
    assert "which was known before, is the same" in lines[1]


def test_lines_name_days_kinds_and_customers(connection: psycopg.Connection, tmp_path: Path) -> None:
    export = Table.read(HANDMADE / "invoices.csv")
    import_stripe(connection, HANDMADE / "invoices.csv", HANDMADE / "customers.csv")
    [(customer, mrr)] = connection.execute("select customer_id, mrr from kpi.biggest_customers() limit 1").fetchall()
    for row in export.rows:
        if row["Customer"] == customer:
            row["Status"] = "void"
    report = import_stripe(connection, export.write(tmp_path / "void.csv"))
    lines = list(report.mrr.lines())
    [changed] = [line for line in lines if line.startswith("changed: ")]
    assert changed.endswith(f": {mrr:,.2f} → 0.00 (-{mrr:,.2f})")
    assert any(line.startswith("MRR on ") and "known before" in line and "→" in line for line in lines)


def test_what_cannot_be_compared_is_said(connection: psycopg.Connection, tmp_path: Path) -> None:
    export = Table.read(HANDMADE / "invoices.csv")
    for currency in ("xau", "eur"):
        for row in export.rows:
            row["Currency"] = currency
        report = import_stripe(connection, export.write(tmp_path / f"{currency}.csv"))
    assert report.mrr.found["unknown"] == "no exchange rate for XAU"
    assert report.mrr.found["closing"] > 0
    assert any("cannot be compared: no exchange rate for XAU" in line for line in report.lines())
    rates.set_by_user(connection, "XAU=0.0004")


# -- warnings -------------------------------------------------------------------------------------

GOOD = {
    "id": "in_good",
    "Currency": "eur",
    "Customer": "cus_1",
    "Subscription": "sub_1",
    "Date (UTC)": "2025-03-01 0:00",
    "Due Date (UTC)": "2025-03-01 0:00",
    "Minimum Line Item Period Start (UTC)": "2025-03-01 0:00",
    "Maximum Line Item Period End (UTC)": "2025-04-01 0:00",
    "Period Start (UTC)": "2025-03-01 0:00",
    "Period End (UTC)": "2025-03-01 0:00",
    "Subtotal": "110,00",
    "Total Discount Amount": "10,00",
    "Tax": "20,00",
    "Exclusive Tax Amount": "20,00",
    "Inclusive Tax Amount": "0,00",
    "Total": "120,00",
    "Starting Balance": "-30,00",
    "Ending Balance": "0,00",
    "Amount Due": "90,00",
    "Amount Paid": "90,00",
    "Status": "paid",
}
WITHIN = {"Exclusive Tax Amount": "", "Inclusive Tax Amount": "", "Total": "100,00", "Amount Due": "70,00"}
WARNED: list[tuple[dict[str, str], list[str]]] = [
    ({}, []),
    ({"Due Date (UTC)": "1970-01-01 0:00"}, ["due before it was issued"]),
    ({"Due Date (UTC)": "2025-02-28 23:59"}, ["due before it was issued"]),
    ({"Due Date (UTC)": "1970-01-01 0:00", "Status": "void"}, []),
    ({"Total": "120,01"}, ["amounts do not add up"]),
    ({"Subtotal": "120,00", "Exclusive Tax Amount": "10,00"}, []),
    ({"Exclusive Tax Amount": "10,00", "Inclusive Tax Amount": "10,00"}, ["amounts do not add up"]),
    ({"Amount Due": "91,00"}, ["amounts do not add up"]),
    ({"Amount Due": "91,00", "Ending Balance": ""}, []),
    ({"Subtotal": ""}, []),
    (WITHIN, []),
    ({**WITHIN, "Tax": "19,00", "Total": "119,00", "Amount Due": "89,00"}, []),
    ({**WITHIN, "Total": "110,00", "Amount Due": "80,00"}, ["amounts do not add up"]),
    ({"Maximum Line Item Period End (UTC)": "2028-03-01 0:00"}, []),
    ({"Maximum Line Item Period End (UTC)": "2028-03-01 0:01"}, ["service period over three years"]),
    (
        {"Period Start (UTC)": "2025-02-01 0:00", "Minimum Line Item Period Start (UTC)": "2025-02-10 0:00"},
        ["carries arrears"],
    ),
    ({"Status": "draft", "Date (UTC)": "2025-02-28 23:59"}, ["draft older than a week"]),
    ({"Status": "draft"}, []),
]


def test_a_stated_amount_a_month_may_be_for_years(connection: psycopg.Connection, tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    path.write_text(
        "id,customer,start,end,amount\nfive,a,2020-01-01,2025-01-01,10\nruns,b,2020-01-01,,10\nmonth,c,2024-01-01,2024-02-01,1\n"
    )
    periods = import_periods(connection, file_at(path, Place("periods", "periods")), spelling=Spelling("EUR"))
    assert (periods.invoices.new, periods.warnings) == (3, {})
    undo(connection)
    path.write_text("id,customer,start,end,amount\nfive,a,2020-01-01,2025-01-01,10\nyear,b,2020-01-01,2021-01-01,10\n")
    lines = import_lines(connection, file_at(path, Place("lines", "lines")), spelling=Spelling("EUR"))
    assert lines.warnings == {"service period over three years": 1}


def test_warnings_are_those_that_the_rows_were_written_for(connection: psycopg.Connection, tmp_path: Path) -> None:
    rows = [
        {**GOOD, "id": f"in_{place:02}", "Customer": f"cus_{place:02}", "Subscription": f"sub_{place:02}", **changes}
        for place, (changes, _) in enumerate(WARNED)
    ]
    last = {**GOOD, "id": "in_last", "Customer": "cus_last", "Date (UTC)": "2025-03-08 0:00", "Due Date (UTC)": ""}
    usd = {**GOOD, "id": "in_usd", "Customer": "cus_00", "Subscription": "sub_00", "Currency": "usd"}
    once = {**GOOD, "id": "in_once", "Customer": "cus_01", "Subscription": "", "Currency": "usd"}
    report = import_stripe(connection, Table(list(GOOD), [*rows, last, usd, once]).write(tmp_path / "invoices.csv"))
    expected = [(warning, f"in_{place:02}") for place, (_, named) in enumerate(WARNED) for warning in named]
    found = connection.execute("select warning, invoice_id, customer_id, detail, batch_id from kpi.warnings").fetchall()
    assert sorted((warning, invoice) for warning, invoice, *_ in found if invoice) == sorted(expected)
    assert len(expected) == 9
    assert [row for row in found if row[1] is None] == [("two currencies of a customer", None, "cus_00", "EUR, USD", 1)]
    assert report.warnings == Counter(warning for warning, *_ in found)
    assert any(line.startswith("warnings: amounts do not add up: 4, ") for line in report.lines())

    # A customer file that does not list them says that they are missing; the facts stay as they are.
    customers = Table(
        ["id", "Created (UTC)", "Payment Count"],
        [{"id": row["Customer"], "Created (UTC)": "2025-01-01", "Payment Count": "1"} for row in rows],
    ).write(tmp_path / "customers.csv")
    report = import_stripe(connection, tmp_path / "invoices.csv", customers)
    missing = connection.execute("select customer_id from kpi.warnings where warning like 'customer is missing%'")
    assert missing.fetchall() == [("cus_last",)]
    assert report.warnings == {}

    # In a later file the young draft is old, and what was put right is no longer warned of.
    rows[4]["Total"] = "120,00"
    late = {**last, "id": "in_late", "Date (UTC)": "2025-03-08 0:01"}
    report = import_stripe(connection, Table(list(GOOD), [*rows, last, usd, once, late]).write(tmp_path / "later.csv"))
    drafts = connection.execute(
        "select invoice_id from kpi.warnings where warning = 'draft older than a week' order by 1"
    ).fetchall()
    assert drafts == [("in_16",), ("in_17",)]
    assert connection.execute("select count(*) from kpi.warnings where invoice_id = 'in_04'").fetchone() == (0,)


# -- words ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("source", "bring"), [("lines", import_lines), ("periods", import_periods)])
def test_what_a_source_brings_is_called_by_its_word(
    connection: psycopg.Connection, tmp_path: Path, source: str, bring: Callable[..., ImportReport]
) -> None:
    path = tmp_path / "file.csv"
    path.write_text("id,customer,start,end,amount,note\na,a,2024-01-01,2024-02-01,1,x\n")
    report = bring(connection, file_at(path, Place(source, source)), spelling=Spelling("EUR"))
    said = "\n".join(report.lines())
    assert f"1 {source} = 1 charges" in said
    assert f"columns of the {source} not used: note" in said
    assert "invoices" not in said
    summary, words = connection.execute("select b.summary, c.explanation from kpi.batches b, kpi.coverage c").fetchone()
    assert summary == f"1 {source}, 1 new"
    if source == "lines":
        assert words == "The lines cover less than one whole day."


def test_credits_that_find_nothing_are_said(connection: psycopg.Connection, tmp_path: Path) -> None:
    path = tmp_path / "lines.csv"
    path.write_text(
        "id,customer,subscription,start,end,amount\n"
        "a,a,s,2024-01-01,2024-03-01,20\nb,a,s,2024-02-01,2024-03-01,-5\nc,c,t,2024-02-01,2024-03-01,-7\n"
    )
    report = import_lines(connection, file_at(path, Place("lines", "lines")), spelling=Spelling("EUR"))
    listed = connection.execute("select invoice_id, unmatched from kpi.unmatched_credits").fetchall()
    assert listed == [("c", Decimal("7.00"))]
    assert report.unmatched_credits == 1
    assert any("found no MRR to take away, or too little: 1 (" in line for line in report.lines())
    again = import_lines(connection, file_at(path, Place("lines", "lines")), spelling=Spelling("EUR"))
    assert again.unmatched_credits == 0


def test_lines_that_replace_what_a_later_file_said_are_counted(connection: psycopg.Connection, tmp_path: Path) -> None:
    path = tmp_path / "lines.csv"
    later = "id,customer,start,end,amount\na,a,2024-01-01,2024-02-01,1\nb,b,2024-01-02,2024-02-02,2\n"

    def bring(text: str) -> ImportReport:
        path.write_text(text)
        return import_lines(connection, file_at(path, Place("lines", "lines")), spelling=Spelling("EUR"))

    assert bring(later + "c,c,2024-03-01,2024-04-01,3\n").replaces_later == 0
    older = bring(later.replace(",2\n", ",9\n"))
    assert (older.invoices.changed, older.replaces_later) == (1, 1)
    assert any(line.startswith("1 lines replace what a file with later dates said") for line in older.lines())
    newer = bring(later + "c,c,2024-03-01,2024-04-01,3\n")
    assert (newer.invoices.changed, newer.replaces_later) == (1, 0)
