"""Lines of invoices and periods of subscriptions as facts: from CSV, gzip, Parquet, and the tables of a database."""

import gzip
import random
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from psycopg.types.json import Jsonb

import facts
import reference
from pgmrr import csv_tokens
from pgmrr.billing import Spelling, import_lines, import_periods, import_stripe_sync
from pgmrr.errors import PgmrrError
from pgmrr.import_report import ImportReport
from pgmrr.sessions import open_session
from pgmrr.staging import Place, Query, file_at
from pgmrr.stripe import import_stripe
from reference import add_months

HANDMADE = Path(__file__).parents[1] / "data" / "handmade"

FACTS = """
    select invoice_id, of_invoice_id, customer_id, subscription_id, currency, status, issued_at at time zone 'UTC',
        line_period_start at time zone 'UTC', line_period_end at time zone 'UTC', subtotal, discount, tax, total,
        monthly
    from raw.invoice
    where superseded_by is null
    order by customer_id, invoice_id
"""
KEYS = "select invoice_id from raw.invoice where superseded_by is null order by line_number"
EVERYTHING = """
    select to_jsonb(i) from raw.invoice i
    union all select to_jsonb(c) from raw.customer c
    union all select to_jsonb(b) from meta.batch b
    union all select to_jsonb(c) from billing.charge_cents c
    union all select to_jsonb(m) from ledger.movement_cents m
    union all select to_jsonb(r) from raw.rejected_row r
    union all select to_jsonb(v) from meta.coverage v
    order by 1
"""
EUR = Spelling(currency="EUR")


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection]:
    with open_session(database) as connection:
        yield connection


class Desk:
    """Imports texts as files."""

    def __init__(self, connection: psycopg.Connection, directory: Path) -> None:
        self.connection = connection
        self.directory = directory

    def lines(self, text: str, columns: dict[str, str] | None = None, **options: Any) -> ImportReport:
        path = self._file("lines.csv", text)
        options.setdefault("spelling", EUR)
        customers = self._customers("lines", options)
        return import_lines(
            self.connection, file_at(path, Place("lines", "lines", columns or {})), customers, **options
        )

    def periods(self, text: str, columns: dict[str, str] | None = None, **options: Any) -> ImportReport:
        path = self._file("periods.csv", text)
        options.setdefault("spelling", EUR)
        customers = self._customers("periods", options)
        place = Place("periods", "periods", columns or {})
        return import_periods(self.connection, file_at(path, place), customers, **options)

    def _customers(self, source: str, options: dict[str, Any]) -> Any:
        text = options.pop("customers", None)
        columns = options.pop("customer_columns", {})
        return file_at(self._file("customers.csv", text), Place(source, "customers", columns)) if text else None

    def _file(self, name: str, text: str) -> Path:
        path = self.directory / name
        path.write_text(text, encoding="utf-8")
        return path

    def facts(self) -> list[tuple]:
        return self.connection.execute(FACTS).fetchall()

    def keys(self) -> list[str]:
        return [key for (key,) in self.connection.execute(KEYS).fetchall()]

    def rejected(self) -> list[tuple]:
        return self.connection.execute(
            "select line_number, column_name, value, reason from kpi.rejected_rows order by batch_id, line_number"
        ).fetchall()

    def everything(self) -> list:
        return self.connection.execute(EVERYTHING).fetchall()

    def coverage(self) -> tuple:
        query = "select is_truncated, observed_from, complete_through from meta.coverage"
        return self.connection.execute(query).fetchone()


@pytest.fixture
def desk(connection: psycopg.Connection, tmp_path: Path) -> Desk:
    return Desk(connection, tmp_path)


def accounted(report: ImportReport) -> int:
    return sum(count for _, _, count in report.fates)


# -- lines ----------------------------------------------------------------------------------------


def test_a_line_is_a_fact_with_all_that_its_columns_say(desk: Desk) -> None:
    report = desk.lines(
        "No,Who,Sub,Cur,State,Issued,From,To,P1,P2,Gross,Off,VAT\n"
        "A-1,acme,s1,usd,Past Due,2024-01-02,2024-01-01,2024-02-01,2023-12-01,2024-01-01,119.00,10,19.00\n"
        "A-1,acme,,usd,Past Due,2024-01-02,,,,,5.5,,\n",
        {
            **{"id": "No", "customer": "Who", "subscription": "Sub", "currency": "Cur", "status": "State"},
            **{"issued": "Issued", "start": "From", "end": "To", "period_start": "P1", "period_end": "P2"},
            **{"amount": "Gross", "discount": "Off", "tax": "VAT"},
        },
        spelling=Spelling(),
    )
    issued, start, end = datetime(2024, 1, 2), datetime(2024, 1, 1), datetime(2024, 2, 1)
    assert desk.facts() == [
        ("A-1", "A-1", "acme", "s1", "USD", "open", issued, start, end, 11900, 1000, 1900, 10900, None),
        ("A-1#2", "A-1", "acme", None, "USD", "open", issued, None, None, 550, None, None, 550, None),
    ]
    periods = desk.connection.execute("select period_start, period_end from raw.invoice order by 1").fetchall()
    assert periods[0] == (datetime(2023, 12, 1, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC))
    assert report.fates == [("charge", "term", 1), ("one-off", "no subscription", 1)]
    # 119.00 less 10.00 less 19.00, one month.
    charges = "select basis::text, mrr, net, is_unpaid, is_renewal from billing.charge order by starts_on"
    assert desk.connection.execute(charges).fetchall() == [
        ("implied", Decimal("90.00"), None, True, True),
        ("term", Decimal("90.00"), Decimal("90.00"), True, True),
    ]


def test_what_is_not_mapped_has_a_plain_meaning(desk: Desk) -> None:
    """Paid, issued at the start, the customer for the subscription; a map alone says which columns count."""
    desk.lines(
        "id,status,tax,customer,From,To,Net\n7,void,99,acme,2024-03-01,2024-04-01,12\n",
        {"customer": "customer", "start": "FROM ", "end": "to", "amount": "Net"},
    )
    [(key, of, *rest)] = desk.facts()
    assert key == of
    assert key.startswith("line_")
    start, end = datetime(2024, 3, 1), datetime(2024, 4, 1)
    assert rest == ["acme", "acme", "EUR", "paid", start, start, end, 1200, None, None, 1200, None]
    assert desk.coverage() == (True, date(2024, 3, 2), date(2024, 2, 29))


def test_columns_with_our_names_need_no_map(desk: Desk) -> None:
    report = desk.lines("Customer,START,end,amount,colour\nacme,2024-03-01,2024-04-01,12.30,red\n")
    assert report.invoices.new == 1
    assert report.invoices.further_columns == ["colour"]
    assert "the lines have no column of taxes: totals count as net of them" in list(report.lines())


LINES = "id,customer,subscription,start,end,amount\n"


@pytest.mark.parametrize("kind", ["lines", "periods"])
def test_a_file_of_which_no_row_can_be_read_leaves_nothing(desk: Desk, kind: str) -> None:
    bring = getattr(desk, kind)
    text = "who,from,to,what\nacme,2024-01-01,2024-02-01,5\nemca,2024-01-01,2024-02-01,9\nacme,,,\n"
    swapped = {"customer": "who", "start": "from", "end": "what", "amount": "to"}
    for how in ({}, {"dry_run": True}):
        with pytest.raises(PgmrrError, match=r"no row could be read \(.*: \d.*\)") as refused:
            bring(text, swapped, **how)
        assert "Is the map right" in refused.value.hint
        assert "\n" not in refused.value.message
    assert desk.connection.execute("select count(*) from meta.batch").fetchone() == (0,)
    assert desk.rejected() == []
    # A customer that can be read is kept, and so are the reasons of all other rows.
    report = bring(text, swapped, customers="id,name\nacme,Acme\n")
    assert (report.batch, report.invoices.rejected, report.customers.new) == (1, 3, 1)
    assert len(desk.rejected()) == 3


def test_lines_of_an_invoice_are_numbered_by_content_not_by_place(desk: Desk) -> None:
    rows = [
        "A,acme,s2,2024-01-01,2024-02-01,5",
        "A,acme,s1,2024-02-01,2024-03-01,5",
        "A,acme,s1,2024-01-01,2024-02-01,7",
        "A,acme,s1,2024-01-01,2024-02-01,5",
        "B,acme,s1,2024-01-01,2024-02-01,1",
    ]
    desk.lines(LINES + "\n".join(rows))
    assert desk.keys() == ["A#4", "A#3", "A#2", "A", "B"]
    again = desk.lines(LINES + "\n".join(reversed(rows)))
    assert (again.invoices.unchanged, again.invoices.new, again.invoices.changed, again.absent) == (5, 0, 0, 0)


def test_no_two_lines_have_the_same_key(desk: Desk) -> None:
    """An invoice may be called what pgmrr would call a line of another; a number may belong to two customers."""
    row = "{},{},s,2024-01-01,2024-02-01,{}"
    rows = [row.format(*cells) for cells in (("A", "x", 1), ("A", "x", 2), ("A#2", "x", 3), ("A#2", "x", 4))]
    report = desk.lines(LINES + "\n".join([*rows, row.format("A", "y", 5)]))
    assert report.invoices.new == 5
    facts = {(fact[2], fact[0]): (fact[1], fact[12]) for fact in desk.facts()}
    assert facts == {
        ("x", "A"): ("A", 100),
        ("x", "A#2"): ("A", 200),
        ("x", "A#2#1"): ("A#2", 300),
        ("x", "A#2#2"): ("A#2", 400),
        ("y", "A"): ("A", 500),
    }


def test_an_invoice_that_comes_again_replaces_all_of_its_lines(desk: Desk) -> None:
    row = "{},acme,s,2024-0{}-01,2024-0{}-01,{}"
    kept = [row.format("B", 1, 2, 9), row.format("C", 5, 6, 9)]
    desk.lines(LINES + "\n".join([row.format("A", 2, 3, 1), row.format("A", 2, 3, 2), row.format("A", 3, 4, 3), *kept]))
    report = desk.lines(LINES + "\n".join([row.format("A", 2, 3, 1), row.format("A", 3, 4, 3), *kept]))
    # A#2 was 2.00 in February and is 3.00 in March; the third line is no more.
    assert (report.invoices.changed, report.invoices.unchanged, report.absent, report.dropped) == (1, 3, 1, 1)
    assert [(fact[0], fact[12]) for fact in desk.facts()] == [("A", 100), ("A#2", 300), ("B", 900), ("C", 900)]
    [count] = desk.connection.execute("select count(*) from billing.charge where invoice_id like 'A%'").fetchone()
    assert count == 2

    # Only an unchanged line is left: what it loses is refreshed all the same.
    report = desk.lines(LINES + "\n".join([row.format("A", 2, 3, 1), *kept]))
    assert (report.invoices.changed, report.invoices.unchanged, report.dropped) == (0, 3, 1)
    [count] = desk.connection.execute("select count(*) from billing.charge where invoice_id like 'A%'").fetchone()
    assert count == 1
    before = desk.connection.execute("select to_jsonb(m) from ledger.movement_cents m order by 1").fetchall()
    desk.connection.execute("call pipeline.rebuild()")
    assert desk.connection.execute("select to_jsonb(m) from ledger.movement_cents m order by 1").fetchall() == before


def test_an_invoice_is_read_whole_or_not_at_all(desk: Desk) -> None:
    row = "{},acme,s,2024-01-01,2024-02-01,{}"
    good = LINES + "\n".join([row.format("A", 1), row.format("A", 2), row.format("B", 3)])
    desk.lines(good)
    before = desk.facts()
    report = desk.lines(LINES + "\n".join([row.format("A", "one"), row.format("A", 20), row.format("B", 3)]))
    assert (report.invoices.unchanged, report.invoices.rejected, report.absent) == (1, 2, 0)
    assert desk.facts() == before
    assert desk.rejected() == [
        (2, "amount", "one", "not an amount"),
        (3, "id", "A", "another line of its invoice was rejected"),
    ]
    # Corrected alone, the rejected rows bring the whole invoice.
    report = desk.lines(LINES + "\n".join([row.format("A", 10), row.format("A", 20)]))
    assert report.invoices.changed == 2
    assert [(fact[0], fact[12]) for fact in desk.facts()] == [("A", 1000), ("A#2", 2000), ("B", 300)]


def test_without_ids_the_same_line_is_known_again_and_its_status_may_change(desk: Desk) -> None:
    header = "customer,start,end,amount,status\n"
    rows = ["a,2024-01-01,2024-02-01,5,open", "a,2024-01-01,2024-02-01,5,open", "b,2024-01-01,2024-02-01,5,open"]
    assert desk.lines(header + "\n".join(rows)).invoices.new == 3
    assert len(set(desk.keys())) == 3
    assert desk.lines(header + "\n".join(rows)).batch is None
    report = desk.lines(header + "\n".join(reversed(rows)).replace("open", "paid"))
    assert (report.invoices.changed, report.invoices.new, len(desk.facts())) == (3, 0, 3)


def test_a_corrected_line_without_an_id_is_another_and_the_old_one_is_listed_as_absent(desk: Desk) -> None:
    header, first, last = "customer,start,end,amount\n", "a,2024-01-01,2024-02-01,1\n", "a,2024-09-01,2024-10-01,1\n"
    desk.lines(header + first + "a,2024-05-01,2024-06-01,5\n" + last)
    report = desk.lines(header + first + "a,2024-05-01,2024-06-01,6\n" + last)
    assert (report.invoices.new, report.invoices.unchanged, report.absent, report.dropped) == (1, 2, 1, 0)
    report = desk.lines(header + first + "a,2024-05-01,2024-06-01,6\n" + last, replace=True)
    assert (report.absent, report.dropped) == (1, 1)
    assert [fact[12] for fact in sorted(desk.facts(), key=lambda fact: fact[6])] == [100, 600, 100]


def test_lines_without_ids_stay_the_same_lines_when_read_with_other_options(desk: Desk) -> None:
    text = "customer,start,end,amount\na,2024-01-01,2024-01-31,5\nb,2024-02-01,2024-02-29,7\n"
    assert desk.lines(text).notes == [
        "2 rows look as if their end were the last day of service: import again with --end-inclusive"
    ]
    report = desk.lines(text, spelling=Spelling(currency="EUR", end_inclusive=True))
    assert (report.invoices.new, report.invoices.changed, report.absent) == (0, 2, 0)
    ends = {fact[8] for fact in desk.facts()}
    assert ends == {datetime(2024, 2, 1), datetime(2024, 3, 1)}


def test_what_a_file_of_lines_lacks_is_dropped_on_its_first_and_last_day_too(desk: Desk) -> None:
    header, last = "customer,start,end,amount\n", "a,2024-09-01,2024-10-01,1\n"
    desk.lines(header + "a,2024-01-01,2024-02-01,5\n" + last)
    report = desk.lines(header + "a,2024-01-01,2024-02-01,6\n" + last, replace=True)
    assert (report.invoices.new, report.absent, report.dropped) == (1, 1, 1)
    assert sorted(fact[12] for fact in desk.facts()) == [100, 600]


@pytest.mark.parametrize(
    ("row", "column", "reason"),
    [
        ("a,2024-01-01,2024-02-01,7,-5,", "discount", "has the wrong sign"),
        ("a,2024-01-01,2024-02-01,-7,5,", "discount", "has the wrong sign"),
        ("a,2024-01-01,2024-02-01,7,,-1", "tax", "has the wrong sign"),
        ("a,2024-01-01 0:00,2024-01-01 0:01,9999999999999.99,,", "amount", "amount too large for its period"),
        ("a,,2024-02-01,7,,", "start", "missing value"),
    ],
)
def test_what_would_make_a_wrong_number_is_rejected(desk: Desk, row: str, column: str, reason: str) -> None:
    good = (
        "a,2024-01-01,2024-02-01,7,5,1\na,2024-02-01,2024-03-01,-7,-5,-1\na,2024-01-01,2024-01-31,9999999999999.99,,\n"
    )
    desk.lines("customer,start,end,amount,discount,tax\n" + good + row + "\n")
    assert [(line, where, why) for line, where, _, why in desk.rejected()] == [(5, column, reason)]


def test_a_start_without_an_end_is_said_to_be_a_one_off(desk: Desk) -> None:
    report = desk.lines("customer,start,end,amount\na,2024-01-01,,7\na,2024-01-01,2024-02-01,7\n")
    assert report.fates == [("charge", "term", 1), ("one-off", "no service period", 1)]
    assert report.notes == ["1 rows have a start and no end, and count as one-offs: running subscriptions are periods"]


def test_an_invoice_period_that_repeats_the_service_says_nothing_of_a_cycle_before(desk: Desk) -> None:
    header = "customer,start,end,amount,period_start,period_end\n"
    report = desk.lines(
        header
        + "a,2024-01-01,2024-02-01,5,2024-01-01,2024-02-01\nb,2024-01-20,2024-02-20,5,2023-12-20,2024-01-20\n"
        + "a,2024-02-01,2024-03-01,5,2024-02-01,2024-03-01\na,2024-03-01,2024-04-01,5,2024-03-01,2024-03-01\n"
        + "c,2024-02-10,2024-03-10,5,2024-02-10,2024-03-10\n"
    )
    assert report.notes == ["3 rows have an invoice period that begins no earlier than their service: not used"]
    kinds = desk.connection.execute("select customer_id, kind from kpi.ledger where kind in ('new', 'preexisting')")
    assert sorted(kinds.fetchall()) == [("a", "preexisting"), ("b", "preexisting"), ("c", "new")]


def test_the_figures_of_lines_are_those_of_the_plain_reference(desk: Desk) -> None:
    """From text to ledger by two routes: the reference is told the same lines, with keys made here."""
    chance = random.Random(11)
    rows, told = [], []
    for number in range(120):
        issued = datetime(2024, 1, 1) + timedelta(days=2 * number)
        customer, status = f"cus_{number % 9}", chance.choice(["paid", "paid", "open", "void"])
        lines = []
        for _ in range(chance.choice([1, 1, 2, 3])):
            start = issued - timedelta(days=chance.choice([0, 0, 0, 10]))
            end = chance.choice([add_months(issued, 1), add_months(issued, 12), start + timedelta(days=9)])
            cents = chance.randrange(-500, 9000)
            tax = chance.randrange(90) if cents > 0 else -chance.randrange(90)
            lines.append((chance.choice(["s1", "s2", ""]), start, end, cents, tax))
        shuffled = chance.sample(lines, len(lines))
        for sub, start, end, cents, tax in shuffled:
            cells = (f"{start:%Y-%m-%d}", f"{end:%Y-%m-%d}", f"{cents / 100:.2f}", f"{tax / 100:.2f}", status)
            rows.append(",".join([f"in_{number}", customer, sub, f"{issued:%d.%m.%Y}", *cells]))
        ordered = sorted(shuffled, key=lambda line: (line[0] or "~", *line[1:4]))
        for place, (sub, start, end, cents, tax) in enumerate(ordered, start=1):
            told.append(
                reference.Invoice(
                    invoice_id=f"in_{number}" if place == 1 else f"in_{number}#{place}",
                    of_invoice_id=f"in_{number}",
                    customer_id=customer,
                    subscription_id=sub or None,
                    currency="eur",
                    status=status,
                    issued_at=issued,
                    period_start=None,
                    period_end=None,
                    line_start=start,
                    line_end=end,
                    total=cents,
                    tax=tax,
                )
            )
    header = "id,customer,subscription,issued,start,end,amount,tax,status\n"
    report = desk.lines(header + "\n".join(rows), spelling=Spelling("EUR", dates="dmy"))
    expected = reference.evaluate(told, [])
    assert report.invoices.new == len(told) > 180
    assert len(expected.charges) > 80
    assert facts.charges(desk.connection) == expected.charges
    assert facts.ledger(desk.connection) == expected.ledger
    assert facts.coverage(desk.connection) == expected.coverage


# -- values ---------------------------------------------------------------------------------------

BAD_VALUES = [
    ("customer", "", "missing value"),
    ("customer", "c" * 300, "value is too long"),
    ("id", "", "missing value"),
    ("id", "i" * 256, "value is too long"),
    ("currency", "EURO", "not a currency of three letters"),
    ("status", "refunded", "unknown status"),
    ("start", "2025-02-30", "not a time"),
    ("start", "03/04/2025", "ambiguous date"),
    ("start", "", "missing value"),
    ("end", "1.2.2025", "ambiguous date"),
    ("end", "2024-12-31", "ends before it starts"),
    ("end", "9999-12-31", "not a time"),
    ("issued", "yesterday", "not a time"),
    ("period_start", "20250101", "not a time"),
    ("period_end", "2025-13-01", "not a time"),
    ("amount", "", "missing value"),
    ("amount", "1.234", "ambiguous amount"),
    ("amount", "1,234", "ambiguous amount"),
    ("amount", "1.234,56", "ambiguous amount"),
    ("amount", "1,234.56", "ambiguous amount"),
    ("amount", "1 234", "ambiguous amount"),
    ("amount", "0.0125", "more than two decimals"),
    ("amount", "12345.678", "more than two decimals"),
    ("amount", "(12.00)", "not an amount"),
    ("amount", "NaN", "not an amount"),
    ("amount", "1e9", "not an amount"),
    ("amount", "€ 5", "not an amount"),
    ("amount", "99999999999999", "not an amount"),
    ("discount", "5%", "not an amount"),
    ("tax", "1'000", "ambiguous amount"),
]
GOOD = {
    **{"id": "X", "customer": "acme", "subscription": "s", "currency": "EUR", "status": "paid", "issued": ""},
    **{"start": "2025-01-01", "end": "2025-02-01", "period_start": "", "period_end": ""},
    **{"amount": "10", "discount": "", "tax": ""},
}


def test_each_value_that_cannot_be_read_is_rejected_with_its_place_and_reason(desk: Desk) -> None:
    rows = [GOOD]
    rows += [{**GOOD, "id": f"bad{number}", column: value} for number, (column, value, _) in enumerate(BAD_VALUES)]
    text = "\n".join([",".join(GOOD), *(",".join(f'"{value}"' for value in row.values()) for row in rows)])
    report = desk.lines(text)
    assert (report.invoices.new, report.invoices.rejected) == (1, len(BAD_VALUES))
    assert accounted(report) == report.invoices.rows == 1 + len(BAD_VALUES)
    assert desk.rejected() == [
        (line, column, value or None, reason) for line, (column, value, reason) in enumerate(BAD_VALUES, start=3)
    ]


AMOUNTS: dict[str | None, dict[str, int]] = {
    None: {"1234.56": 123456, "1234,5": 123450, "-3": -300, " 7.00 ": 700, "104.4000": 10440, "104,400000": 10440},
    "comma": {"1.234,56": 123456, "1.234": 123400, "1'234,5": 123450, "-1.234.567": -123456700, "1,50": 150},
    "point": {"1,234.56": 123456, "1,234": 123400, "1234.5000": 123450, "+12.3": 1230},
    "plain": {"1234.560": 123456, "10.0": 1000, "-0.05": -5, "7": 700},
}
NO_AMOUNTS: dict[str | None, list[str]] = {
    None: ["1.234", "12.3456", "1,234.56"],
    "comma": ["1.5", "1,234.5", "1.23.456", "1234.567", "1,2345", ".5"],
    "point": ["1,5", "1.234,5", "12,34", "1.2345", "5."],
    "plain": ["1,234", "1,5", "1.005", "1 234", "1e3"],
}


@pytest.mark.parametrize("decimal", AMOUNTS)
def test_amounts_are_read_as_the_file_writes_them_or_not_at_all(desk: Desk, decimal: str | None) -> None:
    texts = [*AMOUNTS[decimal], *NO_AMOUNTS[decimal]]
    rows = [f'{number},acme,s,2024-01-01,2024-02-01,"{text}"' for number, text in enumerate(texts)]
    report = desk.lines(LINES + "\n".join(rows), spelling=Spelling("EUR", decimal=decimal))
    assert report.invoices.rejected == len(NO_AMOUNTS[decimal])
    found = desk.connection.execute("select total from raw.invoice order by line_number").fetchall()
    assert [total for (total,) in found] == list(AMOUNTS[decimal].values())


DATES: dict[str | None, dict[str, datetime]] = {
    None: {
        "2024-02-29": datetime(2024, 2, 29),
        "2024-2-9 7:05": datetime(2024, 2, 9, 7, 5),
        "2024-02-09T07:05:30Z": datetime(2024, 2, 9, 7, 5, 30),
        "2024-02-09 07:05:30.25+00": datetime(2024, 2, 9, 7, 5, 30, 250000),
        "2024-02-09 00:30:00+05:30": datetime(2024, 2, 8, 19),
        "2024-02-09 00:30-0800": datetime(2024, 2, 9, 8, 30),
    },
    "dmy": {
        "3.4.2024": datetime(2024, 4, 3),
        "03/04/2024 10:00": datetime(2024, 4, 3, 10),
        "2024-04-03": datetime(2024, 4, 3),
    },
    "mdy": {"03/04/2024": datetime(2024, 3, 4), "3-4-2024": datetime(2024, 3, 4)},
}
NO_DATES = {
    None: ["03/04/2024", "2024-02-30", "2024-02-09 07:05:30+25:00"],
    "dmy": ["04/13/2024", "31.11.2024", "3.4.24", "3/4-2024"],
    "mdy": ["13/04/2024"],
}


@pytest.mark.parametrize("order", DATES)
def test_dates_are_read_in_the_order_that_is_given_or_not_at_all(desk: Desk, order: str | None) -> None:
    texts = [*DATES[order], *NO_DATES[order]]
    rows = [f"{number},acme,s,{text},2025-01-01,1" for number, text in enumerate(texts)]
    report = desk.lines(LINES + "\n".join(rows), spelling=Spelling("EUR", dates=order))
    assert report.invoices.rejected == len(NO_DATES[order])
    query = "select line_period_start at time zone 'UTC' from raw.invoice order by line_number"
    assert [start for (start,) in desk.connection.execute(query)] == list(DATES[order].values())


def test_a_day_is_a_day_of_the_reporting_time_zone(desk: Desk) -> None:
    desk.connection.execute("call pipeline.set_setting('time_zone', 'America/New_York')")
    desk.lines(LINES + "A,acme,s,2024-03-01,2024-04-01,31\n")
    assert desk.facts()[0][7:9] == (datetime(2024, 3, 1, 5), datetime(2024, 4, 1, 4))
    assert desk.connection.execute("select starts_on, ends_on, basis::text, months from billing.charge").fetchall() == [
        (date(2024, 3, 1), date(2024, 4, 1), "term", 1)
    ]


def test_an_inclusive_end_is_the_last_day_of_service(desk: Desk) -> None:
    rows = [
        "A,a,s,2024-01-01,2024-01-31,10",
        "B,a,s,2024-02-01,2024-02-29 23:59:59,10",
        "C,a,s,2024-03-01,2024-03-31 00:00,10",
    ]
    report = desk.lines(LINES + "\n".join(rows), spelling=Spelling("EUR", end_inclusive=True))
    assert report.notes == []
    ends = desk.connection.execute("select ends_on, basis::text from billing.charge order by starts_on").fetchall()
    assert ends == [(date(2024, 2, 1), "term"), (date(2024, 3, 1), "term"), (date(2024, 4, 1), "term")]


@pytest.mark.parametrize(
    ("ends", "inclusive", "off"),
    [
        (["2024-02-01", "2024-03-01", "2024-04-01"], False, None),
        (["2024-01-31", "2024-02-29", "2024-03-31"], False, 3),
        (["2024-01-31 23:59:59", "2024-02-29 23:59", "2024-03-15"], False, 2),
        (["2024-02-01", "2024-03-01", "2024-03-31"], False, None),
        (["2024-02-01", "2024-03-01", "2024-03-07"], True, 2),
        (["2024-01-17", "2024-02-13", "2024-03-07"], False, None),
    ],
)
def test_ends_that_look_off_by_a_day_are_said_to(desk: Desk, ends: list[str], inclusive: bool, off: int | None) -> None:
    rows = [f"{n},a,s,2024-0{n}-01,{end},10" for n, end in enumerate(ends, start=1)]
    report = desk.lines(LINES + "\n".join(rows), spelling=Spelling("EUR", end_inclusive=inclusive))
    assert [note.split()[0] for note in report.notes] == ([str(off)] if off else [])
    assert all("--end-inclusive" in note for note in report.notes)


# -- maps and options -----------------------------------------------------------------------------

REFUSED = {
    "no map": ("Account,From\nx,1\n", {}, EUR, "does not say which of its columns is customer, start, end, amount"),
    "no such column": ("a,b\nx,1\n", {"customer": "c"}, EUR, "has no column c"),
    "no such name": ("a,b\nx,1\n", {"kustomer": "a"}, EUR, "a map of lines knows no kustomer"),
    "two meanings": ("a,b\nx,1\n", {"start": "a", "end": "A"}, EUR, "a column has one meaning"),
    "a column twice": ("a,a\nx,1\n", {"customer": "a"}, EUR, "has more than one column a"),
    "our name twice": (
        "customer,start,end,amount,Amount\nx,2024-01-01,2024-02-01,1,2\n",
        {},
        EUR,
        "has more than one column amount",
    ),
    "no currency": (
        "customer,start,end,amount\nx,2024-01-01,2024-02-01,1\n",
        {},
        Spelling(),
        "nothing says the currency",
    ),
    "no such currency": (
        "customer,start,end,amount\nx,2024-01-01,2024-02-01,1\n",
        {},
        Spelling("EURO"),
        "currency = EURO",
    ),
    "no rows": ("customer,start,end,amount\n", {}, EUR, "has no rows below its header"),
    "too many columns": (",".join(f"c{n}" for n in range(1001)) + "\nx\n", {}, EUR, "has 1001 columns"),
    "a Stripe export": ((HANDMADE / "invoices.csv").read_text(), {}, EUR, "does not say which of its columns is"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_file_and_a_map_that_do_not_fit_are_refused_whole(desk: Desk, what: str) -> None:
    text, columns, spelling, message = REFUSED[what]
    with pytest.raises(PgmrrError) as refused:
        desk.lines(text, columns, spelling=spelling)
    assert message in refused.value.message
    assert "\n" not in refused.value.message
    assert refused.value.hint
    assert desk.connection.execute("select count(*) from meta.batch").fetchone() == (0,)


def test_wide_rows_that_no_table_holds_are_refused_in_one_line(desk: Desk) -> None:
    names = [f"c{n}" for n in range(990)]
    text = ",".join(["customer", "start", "end", "amount", *names]) + "\n"
    with pytest.raises(PgmrrError, match=r"lines\.csv has 994 columns, more than a row can hold"):
        desk.lines(text + ",".join(["x", "2024-01-01", "2024-02-01", "1", *(["0123456789012345"] * 990)]) + "\n")


# -- other sources --------------------------------------------------------------------------------


def test_an_invoice_of_another_source_is_not_counted_twice(desk: Desk) -> None:
    import_stripe(desk.connection, HANDMADE / "invoices.csv")
    known = "select customer_id, invoice_id from raw.invoice order by 1, 2 limit 1"
    customer, invoice = desk.connection.execute(known).fetchone()
    before = desk.facts()
    rows = [f"{invoice},{customer},s,2025-01-05,2025-02-05,{amount}" for amount in (1, 2)]
    report = desk.lines(LINES + "\n".join([*rows, "new,someone,s,2025-01-05,2025-02-05,3"]))
    assert (report.invoices.new, report.invoices.reasons, report.absent) == (1, {"known from another source": 2}, 0)
    assert [fact for fact in desk.facts() if fact[0] != "new"] == before

    again = import_stripe(desk.connection, HANDMADE / "invoices.csv", replace=True)
    assert (again.absent, again.dropped) == (0, 0)
    assert len(desk.facts()) == len(before) + 1


def test_customers_come_with_every_source(desk: Desk) -> None:
    report = desk.lines(
        LINES + "A,acme,s,2024-01-01,2024-02-01,1\nB,solo,s,2024-01-01,2024-02-01,1\n",
        customers="Key,Company,Since,Plan,id\nacme,Acme Ltd,05.03.2020,gold,7\n,Nobody,,,\nbeta,Beta,2021-01-01,,8\n",
        customer_columns={"id": "Key", "name": "Company", "created": "Since"},
        spelling=Spelling("EUR", dates="dmy"),
    )
    assert (report.customers.new, report.customers.rejected, report.unlisted_customers) == (2, 1, 1)
    query = "select customer_id, name, created_at::date, attributes, is_listed from billing.customer order by 1"
    assert desk.connection.execute(query).fetchall() == [
        ("acme", "Acme Ltd", date(2020, 3, 5), {"Plan": "gold", "id": "7"}, True),
        ("beta", "Beta", date(2021, 1, 1), {"id": "8"}, True),
        ("solo", None, None, {}, False),
    ]
    assert report.customers.further_columns == ["Plan", "id"]


def test_stripes_customers_need_no_map(desk: Desk) -> None:
    report = desk.periods(
        "customer,start,end,amount\ncus_kim,2024-01-01,2024-02-01,1\n",
        customers=(HANDMADE / "customers.csv").read_text(),
    )
    assert report.customers.new == 15
    query = "select created_at is not null, payment_count from billing.customer where customer_id = 'cus_kim'"
    assert desk.connection.execute(query).fetchone() == (True, 2)


# -- periods --------------------------------------------------------------------------------------

PERIODS = "customer,start,end,amount\n"


def test_a_period_states_its_amount_a_month(desk: Desk) -> None:
    report = desk.periods(
        "id,customer,start,end,amount,currency,subscription,status\n"
        "p1,acme,2024-01-01,2024-06-16,50,USD,s1,draft\np2,beta,2024-02-01,2024-03-01,20.5,,,\n",
        as_of=date(2024, 5, 1),
    )
    first, last, second, end = datetime(2024, 1, 1), datetime(2024, 6, 16), datetime(2024, 2, 1), datetime(2024, 3, 1)
    assert desk.facts() == [
        ("p1", "p1", "acme", "s1", "USD", "draft", first, first, last, None, None, None, 5000, 5000),
        ("p2", "p2", "beta", "beta", "EUR", "paid", second, second, end, None, None, None, 2050, 2050),
    ]
    assert report.notes == ["the list is taken to be complete through 2024-05-01"]
    assert desk.coverage() == (False, date(2024, 1, 1), date(2024, 5, 1))
    assert not [line for line in report.lines() if "taxes" in line]


def test_a_period_that_changes_stays_the_same_period(desk: Desk) -> None:
    rows = ["a,2024-01-01,2024-04-01,5", "a,2024-01-01,2024-04-01,6", "b,2024-01-01,2024-02-01,5"]
    desk.periods(PERIODS + "\n".join(rows))
    assert len(set(desk.keys())) == 3
    assert desk.periods(PERIODS + "\n".join(rows)).batch is None
    rows = ["b,2024-01-01,2024-03-01,5", "a,2024-01-01,2024-04-01,6", "a,2024-01-01,2024-04-01,5"]
    report = desk.periods(PERIODS + "\n".join(rows))
    assert (report.invoices.changed, report.invoices.unchanged, report.invoices.new) == (1, 2, 0)


def test_a_list_of_periods_is_whole(desk: Desk) -> None:
    second = "b,2024-06-01,2024-09-01,5\n"
    desk.periods(PERIODS + "a,2024-01-02,2024-03-01,5\n" + second)
    report = desk.periods(PERIODS + second)
    assert (report.invoices.unchanged, report.absent, report.dropped) == (1, 1, 0)
    report = desk.periods(PERIODS + second, replace=True)
    assert (report.absent, report.dropped, len(desk.facts())) == (1, 1, 1)


def test_of_periods_with_the_same_id_the_first_one_counts(desk: Desk) -> None:
    text = "id,customer,start,end,amount\np,a,2024-01-01,2024-02-01,1\np,a,2024-01-01,2024-02-01,2\nq,a,x,,1\n"
    report = desk.periods(text)
    assert desk.rejected() == [(3, "id", "p", "duplicate id in this file"), (4, "start", "x", "not a time")]
    assert (report.invoices.new, desk.facts()[0][12]) == (1, 100)


def test_a_period_without_an_end_still_runs(desk: Desk) -> None:
    report = desk.periods(PERIODS + "a,2024-01-01,,50\nb,2024-01-01,2024-03-01,20\nc,2024-02-01,infinity,30\n")
    ends = "select customer_id, line_period_end = 'infinity' from raw.invoice order by 1"
    assert desk.connection.execute(ends).fetchall() == [("a", True), ("b", False), ("c", True)]
    assert report.fates == [("charge", "listed", 3)]
    assert desk.coverage() == (False, date(2024, 1, 1), date(2024, 3, 1))
    query = "select kpi.mrr_total_at(d) from unnest(%s::date[]) d"
    days = ["2024-01-31", "2024-02-29", "2024-03-01", "2024-03-02"]
    assert [mrr for (mrr,) in desk.connection.execute(query, [days])] == [70, 100, 80, None]

    # It ends: the same period, and the list tells of more days.
    report = desk.periods(PERIODS + "a,2024-01-01,2024-05-01,50\nb,2024-01-01,2024-03-01,20\nc,2024-02-01,,30\n")
    assert (report.invoices.changed, report.invoices.unchanged, report.invoices.new) == (1, 2, 0)
    days = ["2024-04-30", "2024-05-01", "2024-05-02"]
    assert [mrr for (mrr,) in desk.connection.execute(query, [days])] == [80, 30, None]


@pytest.mark.parametrize(
    ("rows", "through"),
    [
        (["a,2024-01-01,2024-04-01,5", "b,2024-02-01,2024-03-01,5"], date(2024, 2, 1)),
        (["a,2024-01-01,2024-04-01,5", "b,2024-02-01,,5", "c,2024-02-01,2199-01-01,5"], date(2024, 4, 1)),
        (["a,2024-01-01,,5", "b,2024-05-01,,5", "c,2199-02-01,,5"], date(2024, 5, 1)),
        (["a,2024-01-01,2024-04-01,5", "b,2999-02-01,2999-03-01,5"], date(2024, 1, 1)),
        (["a,2024-01-01,2199-04-01,5"], date(2024, 1, 1)),
    ],
)
def test_a_list_is_complete_through_its_last_start(desk: Desk, rows: list[str], through: date) -> None:
    rows = [row.replace("2999", "2199") for row in rows]
    report = desk.periods(PERIODS + "\n".join(rows))
    assert desk.coverage() == (False, date(2024, 1, 1), through)
    assert report.notes == [f"the list is taken to be complete through {through} (--as-of DATE says otherwise)"]


def test_another_day_moves_the_coverage_of_the_same_list(desk: Desk) -> None:
    text = PERIODS + "a,2024-01-01,2024-04-01,5\n"
    desk.periods(text)
    report = desk.periods(text, as_of=date(2024, 3, 31))
    assert (report.batch, report.invoices.unchanged) == (2, 1)
    assert desk.coverage() == (False, date(2024, 1, 1), date(2024, 3, 31))
    assert desk.periods(text, as_of=date(2024, 3, 31)).batch is None


def test_lines_may_be_a_complete_history(desk: Desk) -> None:
    text = LINES + "A,a,s,2024-01-01,2024-02-01,1\nB,a,s,2024-02-01,2024-03-01,1\n"
    desk.lines(text, complete_history=True)
    assert desk.coverage() == (False, date(2024, 1, 1), date(2024, 1, 31))


# -- compressed, Parquet --------------------------------------------------------------------------


def test_a_compressed_file_is_the_same_file(desk: Desk, tmp_path: Path) -> None:
    text = LINES + "A,a,s,2024-01-01,2024-02-01,1\n"
    plain = desk.lines(text)
    path = tmp_path / "lines.csv.gz"
    path.write_bytes(gzip.compress(text.encode()))
    again = import_lines(desk.connection, file_at(path, Place("lines", "lines")), spelling=EUR)
    assert (plain.batch, again.batch, again.invoices.unchanged) == (1, None, 1)


def parquet(path: Path, query: str) -> Path:
    with duckdb.connect() as session:
        session.execute("set timezone = 'Asia/Tokyo'")
        session.execute(f"copy ({query}) to '{path}' (format parquet)")
    return path


TYPED = """
    select * from (values
        ('A', 'acme', 's', date '2024-01-01', timestamptz '2024-02-01 00:00+00', 1234.560::decimal(12, 3), 1.5::double),
        ('B', 'acme', null, date '2024-01-05', null, 7::integer, null),
        ('C', 'acme', 's', date '2024-02-01', timestamptz '2024-03-01 00:00:00+00', 0.125, null),
        ('D', 'ac' || chr(0) || 'me', 's', date '2024-02-01', null, 1, null)
    ) as t (id, customer, subscription, start, "end", amount, tax)
"""


def test_parquet_is_read_by_its_types(desk: Desk, tmp_path: Path) -> None:
    path = parquet(tmp_path / "lines[1].parquet", TYPED)
    report = import_lines(desk.connection, file_at(path, Place("lines", "lines")), spelling=EUR)
    start, end, later = datetime(2024, 1, 1), datetime(2024, 2, 1), datetime(2024, 1, 5)
    assert desk.facts() == [
        ("A", "A", "acme", "s", "EUR", "paid", start, start, end, 123456, None, 150, 123456, None),
        ("B", "B", "acme", None, "EUR", "paid", later, later, None, 700, None, None, 700, None),
    ]
    assert desk.rejected() == [
        (3, "amount", "0.125", "more than two decimals"),
        (4, None, None, "contains a NUL character"),
    ]
    again = import_lines(desk.connection, file_at(path, Place("lines", "lines")), spelling=EUR)
    assert (report.batch, again.batch) == (1, None)


def test_a_damaged_parquet_file_is_refused(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "lines.parquet"
    path.write_bytes(b"PAR1" + b"garbled" * 100)
    with pytest.raises(PgmrrError, match="cannot be read as Parquet") as refused:
        import_lines(desk.connection, file_at(path, Place("lines", "lines")), spelling=EUR)
    assert "\n" not in refused.value.message


def test_without_the_extra_one_line_names_it(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = parquet(tmp_path / "lines.parquet", "select 1 as customer")
    monkeypatch.setitem(__import__("sys").modules, "duckdb", None)
    with pytest.raises(PgmrrError, match=r"lines\.parquet is a Parquet file, which needs an extra") as refused:
        import_lines(desk.connection, file_at(path, Place("lines", "lines")), spelling=EUR)
    assert refused.value.hint == "install it: pip install 'pgmrr[parquet]'"


# -- the tables of another database ---------------------------------------------------------------


@pytest.fixture
def shop(new_database: Callable[..., str]) -> str:
    """A database of somebody's own, with invoice lines in a table."""
    url = new_database()
    with open_session(url) as session:
        session.execute("""
            create table line (id int, customer text, sub text, starts date, ends timestamptz, amount numeric(12, 4));
            insert into line values
            (1, 'acme', 's', '2024-01-01', '2024-02-01 00:00+00', 10),
            (1, E'ac\\n"me,', null, '2024-01-01', null, 2.5),
            (2, 'acme', 's', '2024-02-01', '2024-02-29 19:00-05', 10.005)
        """)
        name = conninfo_to_dict(url)["dbname"]
        session.execute(f"alter database {name} set timezone = 'Asia/Tokyo'")
        session.execute(f"alter database {name} set datestyle = 'German'")
    return url


QUERY = """
    select id, customer, sub as subscription, starts as start, ends as "end", amount from line order by 1, 2 -- all;
"""


def test_a_query_is_read_as_a_file_is(desk: Desk, shop: str) -> None:
    report = import_lines(desk.connection, Query(QUERY, shop, Place("lines", "lines")), spelling=EUR)
    assert (report.invoices.new, report.invoices.rejected) == (2, 1)
    start, end = datetime(2024, 1, 1), datetime(2024, 2, 1)
    assert desk.facts() == [
        ("1", "1", 'ac\n"me,', None, "EUR", "paid", start, start, None, 250, None, None, 250, None),
        ("1", "1", "acme", "s", "EUR", "paid", start, start, end, 1000, None, None, 1000, None),
    ]
    assert desk.rejected() == [(3, "amount", "10.0050", "more than two decimals")]
    again = import_lines(desk.connection, Query(QUERY, shop, Place("lines", "lines")), spelling=EUR)
    assert again.batch is None


WRONG_QUERIES = {
    "select 1; drop table line": "cannot insert multiple commands into a prepared statement",
    "selec 1": "syntax error",
    "select * from nowhere": 'relation "nowhere" does not exist',
    "create table x ()": "returns no columns",
    "delete from line returning customer, starts as start, ends as end, amount": "the query failed at the source",
    "select 1 as customer": "does not say which of its columns is start, end, amount",
    "select customer, starts as start, ends as end, amount from line where false": "returns no rows",
    "select customer, starts as start, ends as end, 1 / (id - 2) as amount from line": "division by zero",
    "": "returns no columns",
}


@pytest.mark.parametrize("query", WRONG_QUERIES)
def test_a_wrong_query_changes_nothing_here_or_there(desk: Desk, shop: str, query: str) -> None:
    with pytest.raises(PgmrrError) as refused:
        import_lines(desk.connection, Query(query, shop, Place("lines", "lines")), spelling=EUR)
    assert WRONG_QUERIES[query] in refused.value.message
    assert "\n" not in refused.value.message
    assert desk.connection.execute("select count(*) from meta.batch").fetchone() == (0,)
    with open_session(shop) as session:
        assert session.execute("select count(*) from line").fetchone() == (3,)


def test_a_source_out_of_reach_is_said_to_be_so_without_its_password(desk: Desk) -> None:
    query = Query("select 1", "postgresql://me:secret@127.0.0.1:1/x", Place("lines", "lines"))
    with pytest.raises(PgmrrError, match="cannot connect to the source") as refused:
        import_lines(desk.connection, query, spelling=EUR)
    assert "secret" not in refused.value.message


# -- the tables of Stripe's sync engine -----------------------------------------------------------

# As the engine's migrations make them, without the columns that nobody here reads.
SYNC_ENGINE = """
    create schema stripe;
    create type stripe.invoice_status as enum ('draft', 'open', 'paid', 'uncollectible', 'void', 'deleted');
    create table stripe.customers (
        id text primary key, object text, address jsonb, email text, metadata jsonb, name text, created integer,
        currency text, deleted boolean default false not null, updated_at timestamptz default now() not null
    );
    create table stripe.subscriptions (id text primary key, customer text references stripe.customers);
    create table stripe.invoices (
        id text primary key, object text, currency text, lines jsonb, period_end integer, period_start integer,
        status stripe.invoice_status, total bigint, created integer, tax integer,
        customer text references stripe.customers, subscription text references stripe.subscriptions
    );
"""


def epoch(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def item(amount: int, start: str, end: str, **fields: Any) -> dict[str, Any]:
    return {"object": "line_item", "amount": amount, "period": {"start": epoch(start), "end": epoch(end)}, **fields}


def invoice(key: str, created: str, *items: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A row of the engine's invoices."""
    row = {"id": key, "customer": "cus_1", "currency": "eur", "status": "paid", "tax": None, "created": epoch(created)}
    row |= {"period_start": epoch(created), "period_end": epoch(created), "total": sum(i["amount"] for i in items)}
    has_more = fields.pop("has_more", False)
    return {**row, "lines": {"object": "list", "data": list(items), "has_more": has_more}, **fields}


INVOICES = [
    # A renewal with a seat that was added ten days before the end of the last month, and a fee.
    invoice(
        "in_1",
        "2024-02-01T00:00",
        item(2900, "2024-02-01", "2024-03-01", subscription="sub_1", type="subscription", discount_amounts=None),
        item(967, "2024-01-22", "2024-02-01", subscription="sub_1", type="invoiceitem", proration=True),
        item(5000, "2024-02-01", "2024-02-01", subscription=None, type="invoiceitem", proration=False),
        period_start=epoch("2024-01-01"),
    ),
    # Discounts, inclusive and exclusive taxes, as older and as newer versions of the API write them.
    invoice(
        "in_2",
        "2024-02-02T10:30",
        item(
            *(11900, "2024-02-02T10:30", "2024-03-02T10:30"),
            subscription="sub_2",
            discount_amounts=[{"amount": 1000, "discount": "di_1"}, {"amount": 90, "discount": "di_2"}],
            tax_amounts=[{"amount": 1700, "inclusive": True}, {"amount": 500, "inclusive": False}],
        ),
        item(
            *(10000, "2024-02-02T10:30", "2024-03-02T10:30"),
            parent={"type": "subscription_item_details", "subscription_item_details": {"subscription": "sub_3"}},
            taxes=[{"amount": 1600, "tax_behavior": "inclusive"}, {"amount": 7, "tax_behavior": "exclusive"}],
        ),
        status="open",
    ),
    invoice("in_3", "2024-02-03T00:00", item(1500, "2024-02-03", "2024-03-03", subscription="sub_4"), currency="jpy"),
    invoice("in_4", "2024-02-04T00:00", item(1230, "2024-02-04", "2024-03-04", subscription="sub_5"), currency="kwd"),
    invoice(
        "in_5",
        "2024-02-05T00:00",
        *[item(100, "2024-02-05", "2024-03-05", subscription="sub_6")] * 2,
        has_more=True,
    ),
    invoice("in_6", "2024-02-06T00:00", total=2380, tax=380, lines=None),
    invoice("in_7", "2024-02-07T00:00", item(100, "2024-02-07", "2024-03-07", subscription="sub_7"), status="deleted"),
    invoice("in_8", "2024-03-01T00:00", item(100, "2024-03-01", "2024-04-01", subscription="sub_8"), status="void"),
    invoice("in_9", "2024-03-02T00:00", item(100, "2024-03-02", "2024-04-02", subscription="sub_9"), customer=None),
]


@pytest.fixture
def sync_engine(new_database: Callable[..., str]) -> str:
    url = new_database()
    with open_session(url) as session:
        session.execute(SYNC_ENGINE)
        session.execute("""
            insert into stripe.customers (id, address, email, metadata, name, created, currency)
            values ('cus_1', '{"country": "PT"}', 'a@example.com', '{"tier": "gold"}', null, 1700000000, 'eur')
        """)
        for row in INVOICES:
            query = "insert into stripe.invoices select * from jsonb_populate_record(null::stripe.invoices, %s)"
            session.execute(query, [Jsonb(row)])
    return url


def test_the_tables_of_the_sync_engine_come_in_line_by_line(desk: Desk, sync_engine: str) -> None:
    desk.connection.execute("call pipeline.set_rate('KWD', 0.33)")
    report = import_stripe_sync(desk.connection, sync_engine, complete_history=True)
    found = desk.connection.execute("""
        select invoice_id, subscription_id, currency, status, total, coalesce(tax, 0)
        from raw.invoice
        order by line_number
    """).fetchall()
    assert found == [
        ("in_1#2", "sub_1", "EUR", "paid", 2900, 0),
        ("in_1", "sub_1", "EUR", "paid", 967, 0),
        ("in_1#3", None, "EUR", "paid", 5000, 0),
        ("in_2", "sub_2", "EUR", "open", 10810, 1700),
        ("in_2#2", "sub_3", "EUR", "open", 10000, 1600),
        ("in_3", "sub_4", "JPY", "paid", 150000, 0),
        ("in_4", "sub_5", "KWD", "paid", 123, 0),
        ("in_6", None, "EUR", "paid", 2380, 380),
        ("in_8", "sub_8", "EUR", "void", 100, 0),
    ]
    assert desk.rejected() == [
        *((line, "amount", "the table holds only a part of its lines", "not an amount") for line in (8, 9)),
        (12, "customer", None, "missing value"),
    ]
    [times] = desk.connection.execute("""
        select array[issued_at, line_period_start, line_period_end, period_start, period_end] from raw.invoice
        where invoice_id = 'in_2'
    """).fetchone()
    moment = datetime(2024, 2, 2, 10, 30, tzinfo=UTC)
    assert times == [moment, moment, datetime(2024, 3, 2, 10, 30, tzinfo=UTC), moment, moment]
    customers = "select name, created_at, attributes from billing.customer"
    assert desk.connection.execute(customers).fetchall() == [
        (
            "a@example.com",
            datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC),
            {"country": "PT", "currency": "EUR", "metadata": '{"tier": "gold"}'},
        )
    ]
    origins = "select distinct file, batch_id from kpi.charge"
    assert desk.connection.execute(origins).fetchall() == [("the lines of the sync engine", 2)]
    # The proration: 9.67 for 10 of 31 days. In_2 less discounts and inclusive taxes: 119 - 10.90 - 17, 100 - 16.
    charges = "select invoice_id, basis::text, mrr from billing.charge order by 1"
    assert desk.connection.execute(charges).fetchall() == [
        ("in_1", "proration", Decimal("29.98")),
        ("in_1#2", "term", Decimal("29.00")),
        ("in_2", "term", Decimal("91.10")),
        ("in_2#2", "term", Decimal("84.00")),
        ("in_3", "term", Decimal("1500.00")),
        ("in_4", "term", Decimal("1.23")),
    ]
    assert accounted(report) == report.invoices.rows == 12
    fates = {(fate, detail) for fate, detail, _ in report.fates}
    assert {("one-off", "no subscription"), ("not counted", "void"), ("rejected", "not an amount")} <= fates
    assert import_stripe_sync(desk.connection, sync_engine, complete_history=True).batch is None


def test_an_invoice_that_the_engine_learns_more_of_is_replaced(desk: Desk, sync_engine: str) -> None:
    desk.connection.execute("call pipeline.set_rate('KWD', 0.33)")
    import_stripe_sync(desk.connection, sync_engine)
    with open_session(sync_engine) as session:
        session.execute("""
            update stripe.invoices set lines = jsonb_set(lines, '{has_more}', 'false') where id = 'in_5';
            update stripe.invoices set status = 'paid' where id = 'in_2';
            update stripe.invoices set lines = lines #- '{data, 1}' where id = 'in_1'
        """)
    report = import_stripe_sync(desk.connection, sync_engine)
    assert (report.invoices.new, report.invoices.rejected, report.dropped) == (2, 1, 1)
    counts = "select of_invoice_id, count(*) from billing.invoice group by 1 order by 1"
    assert desk.connection.execute(counts).fetchall() == [
        *[("in_1", 2), ("in_2", 2), ("in_3", 1), ("in_4", 1), ("in_5", 2), ("in_6", 1), ("in_8", 1)]
    ]


def test_a_database_without_the_engines_tables_is_said_to_be_so(desk: Desk, shop: str) -> None:
    with pytest.raises(PgmrrError, match=r'in the schema billing of .*: relation "invoices" does not exist') as refused:
        import_stripe_sync(desk.connection, shop, schema="billing")
    assert "--schema" in refused.value.hint


# -- the documentation ----------------------------------------------------------------------------


def test_every_reason_of_a_rejection_is_documented(repository: Path) -> None:
    readers = sorted((repository / "procedures" / "10_pipeline").glob("*_read_*.sql"))
    readers += (repository / "procedures" / "10_pipeline").glob("*_reject_ids_of_other_sources.sql")
    problems = (repository / "procedures" / "10_pipeline").glob("*_problem.sql")
    reasons = {
        *(reason for file in readers for reason in re.findall(r"array\['\w+', '([^']+)'\]", file.read_text())),
        *(reason for file in problems for reason in re.findall(r"(?:then|else) '([^']+)'\n", file.read_text())),
        *re.findall(
            r'"((?:too|broken|not|contains|line)[^"]+)"\)?(?: if|,|$|\n)', Path(csv_tokens.__file__).read_text()
        ),
    }
    assert len(reasons) > 15
    text = (repository / "docs" / "sources.md").read_text()
    assert {reason for reason in reasons if f"`{reason}`" not in text} == set()


# -- the command line -----------------------------------------------------------------------------


def pgmrr(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "pgmrr", *arguments], capture_output=True, text=True, check=False)


def test_the_command_line_imports_lines_and_periods(database: str, shop: str, tmp_path: Path) -> None:
    lines, query, periods, customers = (tmp_path / name for name in ("l.csv", "q.sql", "p.csv", "c.csv"))
    lines.write_text('No,Who,"From, day",To,Sum\n77,acme,1.2.2024,29.2.2024,"1.000,50"\n')
    customers.write_text("Who,Tier\nacme,gold\n")
    done = pgmrr(
        *("import", "lines", str(lines), "--database", database, "--currency", "eur", "--dates", "dmy"),
        *("--decimal", "comma", "--end-inclusive", "--complete-history", "--replace"),
        *("--map", 'id=No,customer=Who,"start=From, day"', "--map", "end=To,amount=Sum"),
        *("--customers", str(customers), "--map-customers", "id=Who"),
    )
    assert (done.returncode, done.stdout) == (0, "")
    assert "l.csv: 1 rows: 1 new" in done.stderr

    query.write_text(QUERY)
    url = ("--database", database, "--source", shop, "--currency", "EUR")
    done = pgmrr("import", "lines", "--from-query", f"@{query}", *url, "--customers-query", "select 'acme' as id")
    assert done.returncode == 0
    assert "the query: 3 rows: 2 new, 1 rejected (more than two decimals: 1)" in done.stderr

    periods.write_text("customer,start,end,amount\nzeta,2024-02-01,2024-05-01,30\n")
    arguments = ("import", "periods", str(periods), "--database", database, "--currency", "EUR")
    done = pgmrr(*arguments, "--as-of", "2024-04-30")
    assert (done.returncode, "the list is taken to be complete through 2024-04-30" in done.stderr) == (0, True)
    with open_session(database) as connection:
        found = connection.execute(
            "select customer_id, starts_on, ends_on, mrr from billing.charge order by 1"
        ).fetchall()
    assert ("acme", date(2024, 2, 1), date(2024, 3, 1), Decimal("1000.50")) in found


MISUSED = {
    ("lines",): "the lines are to come from a file or from a query",
    ("lines", "f", "--from-query", "select 1"): "the lines are to come from a file or from a query",
    ("lines", "--from-query", "select 1"): "nothing says where the query runs",
    ("lines", "nowhere.csv"): "nowhere.csv: No such file or directory",
    ("lines", "nowhere.csv", "--source", "x"): "--source names the database of a query",
    ("lines", "nowhere.csv", "--map", "customer"): "--map cannot be read at 'customer'",
    ("lines", "nowhere.csv", "--map", "a=b,a=c"): "--map names a twice",
    ("lines", "--from-query", "@nowhere.sql", "--source", "x"): "nowhere.sql cannot be read",
    ("lines", "pyproject.toml", "--map-customers", "id=a"): "--map-customers is for customers, and there are none",
    ("periods", "nowhere.csv", "--as-of", "2025-02-30"): "'2025-02-30' is not a day",
    ("periods", "nowhere.csv", "--dates", "ymd"): "Invalid value for '--dates'",
    ("stripe-sync",): "Missing option '--source'",
}


@pytest.mark.parametrize("arguments", MISUSED, ids=" ".join)
def test_misuse_is_told_in_one_line(database: str, repository: Path, arguments: tuple[str, ...]) -> None:
    command = [sys.executable, "-m", "pgmrr", "import", *arguments, "--database", database]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=repository)
    assert done.returncode == 1
    assert MISUSED[arguments] in done.stderr
    assert [line.split(":")[0] for line in done.stderr.splitlines()] == ["error", "hint"]
