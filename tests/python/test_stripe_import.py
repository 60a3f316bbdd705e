"""The import of a Stripe export: every row accounted for, in whatever spelling and order files come."""

import csv
import gzip
import itertools
import random
import shutil
import uuid
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

import facts
import reference
from conftest import Server
from pgmrr import csv_tokens
from pgmrr.errors import PgmrrError
from pgmrr.import_report import ImportReport
from pgmrr.sessions import open_session
from pgmrr.stripe import import_stripe
from stripe_files import Company, Table

HANDMADE = Path(__file__).parents[1] / "data" / "handmade"
REAL = Path(__file__).parents[2] / ".." / "shared" / "data" / "stripe-export"

COUNT = len(Table.read(HANDMADE / "invoices.csv").rows)

# What an import may change. Times and names of files are no content.
CONTENT = {
    "invoices": "select to_jsonb(i) - 'line_number' from raw.invoice i order by customer_id, invoice_id, batch_id",
    "customers": "select to_jsonb(c) - 'line_number' from raw.customer c order by customer_id, batch_id",
    "charges": "select to_jsonb(c) from billing.charge_cents c order by customer_id, invoice_id, basis",
    "movements": "select to_jsonb(m) from ledger.movement_cents m order by customer_id, currency, effective_on",
    "days": "select to_jsonb(d) from ledger.daily_change_cents d order by effective_on, currency, kind",
    "terms": "select to_jsonb(t) from ledger.daily_term_cents t order by starts_on, currency, months, is_renewal",
    "paying": "select to_jsonb(p) from ledger.paying_cents p order by customer_id, currency",
    "prices": """
        select to_jsonb(k) from ledger.price_cents k
        order by currency, is_only_currency, by_month, by_year, by_other, mrr
    """,
    "cohorts": """
        select to_jsonb(k) from ledger.cohort_month_cents k order by cohort, is_new, month, currency, customer_id
    """,
    "fates": """
        select to_jsonb(f) - 'last_batch_id' from billing.fate_cents f order by customer_id, currency, status, became
    """,
    "histories": "select to_jsonb(h) from ledger.history h order by customer_id",
    "coverage": "select to_jsonb(c) from meta.coverage c",
}
REST = {
    "batches": "select to_jsonb(b) from meta.batch b order by batch_id",
    "rejected": "select to_jsonb(r) from raw.rejected_row r order by batch_id, file_role, line_number",
    "absent": "select to_jsonb(a) from raw.absent_invoice a order by batch_id, customer_id, invoice_id",
    "rates": "select to_jsonb(r) from meta.exchange_rate r order by currency",
    "currencies": "select to_jsonb(c) from ledger.currency c order by currency",
}
CURRENT = """
    select to_jsonb(i) - '{line_number, batch_id, superseded_by}'::text[]
    from raw.invoice i where superseded_by is null order by customer_id, invoice_id
"""
FIGURES = ("charges", "movements", "days", "terms", "paying", "cohorts", "fates", "coverage")
# And what is kept for each customer that is known, those without an invoice included.
KEPT = (*FIGURES, "histories")


def content(connection: psycopg.Connection, *names: str) -> dict[str, list[dict]]:
    """What the tables hold, by name; by default everything."""
    queries = {**CONTENT, **REST}
    return {name: [row for (row,) in connection.execute(queries[name]).fetchall()] for name in names or queries}


def rejected(connection: psycopg.Connection) -> list[tuple]:
    """File, line, column, value and reason of each rejected row."""
    return connection.execute(
        "select file, line_number, column_name, value, reason from kpi.rejected_rows"
        " order by batch_id, file, line_number"
    ).fetchall()


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection]:
    with open_session(database) as connection:
        yield connection


@pytest.fixture
def connect(new_database: Callable[..., str], template: str) -> Iterator[Callable[[], psycopg.Connection]]:
    """A function that opens a session in a new database of ours."""
    connections = []

    def open_new() -> psycopg.Connection:
        connections.append(open_session(new_database(template=template)))
        return connections[-1]

    yield open_new
    for connection in connections:
        connection.close()


@pytest.fixture
def invoices() -> Table:
    return Table.read(HANDMADE / "invoices.csv")


# The columns of a file, and those of the facts that they become.
AMOUNTS = {
    "Subtotal": "subtotal", "Total Discount Amount": "discount", "Tax": "tax", "Exclusive Tax Amount": "exclusive_tax",
    "Inclusive Tax Amount": "inclusive_tax", "Total": "total", "Amount Due": "amount_due", "Amount Paid": "amount_paid",
    "Starting Balance": "starting_balance", "Ending Balance": "ending_balance",
}  # fmt: skip
TIMES = {
    "Date (UTC)": "issued_at", "Due Date (UTC)": "due_at", "Finalized At (UTC)": "finalized_at",
    "Paid At (UTC)": "paid_at", "Voided At (UTC)": "voided_at", "Marked Uncollectible At (UTC)": "uncollectible_at",
    "Period Start (UTC)": "period_start", "Period End (UTC)": "period_end",
    "Minimum Line Item Period Start (UTC)": "line_period_start",
    "Maximum Line Item Period End (UTC)": "line_period_end",
}  # fmt: skip


@pytest.fixture
def customers() -> Table:
    return Table.read(HANDMADE / "customers.csv")


def bring(connection: psycopg.Connection, table: Table, path: Path, **options: bool) -> ImportReport:
    """Import an invoices file alone."""
    return import_stripe(connection, table.write(path), **options)


def accounted(report: ImportReport) -> int:
    return sum(count for _, _, count in report.fates)


# -- figures --------------------------------------------------------------------------------------


def test_each_amount_and_time_is_that_of_its_column(
    connection: psycopg.Connection, invoices: Table, tmp_path: Path
) -> None:
    """Also where a row says something twice, or the same of two things: each pair of columns is made to agree once."""
    original = next(row for row in invoices.rows if row["id"] == "in_short_then")
    rows = list(invoices.rows)
    for columns, value in ((AMOUNTS, "{0},50"), (TIMES, "2025-02-{0:02} 10:00")):
        for pair in itertools.combinations(columns, 2):
            told = {name: value.format(place + 1) for place, name in enumerate(columns)}
            told[pair[0]] = told[pair[1]] = value.format(len(columns) + 1)
            rows.append({**original, **told, "id": f"in_pair_{len(rows)}", "Subscription": f"sub_pair_{len(rows)}"})
    report = bring(connection, Table(invoices.header, rows), tmp_path / "pairs.csv")
    assert report.invoices.rejected == 0

    found = {
        invoice: (amounts, times)
        for invoice, amounts, times in connection.execute(
            f"""
            select invoice_id, array[{", ".join(AMOUNTS.values())}], array[{", ".join(TIMES.values())}]
            from raw.invoice
            """.encode()
        )
    }
    for row in rows:
        amounts = [int(text.replace(",", "")) if text else None for text in (row[name] for name in AMOUNTS)]
        times = [
            datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=UTC) if text else None
            for text in (row[name] for name in TIMES)
        ]
        assert found[row["id"]] == (amounts, times), row["id"]


def test_figures_of_the_handmade_export_are_those_of_the_plain_reference(connection: psycopg.Connection) -> None:
    files = HANDMADE / "invoices.csv", HANDMADE / "customers.csv"
    report = import_stripe(connection, *files)
    expected = reference.evaluate(*reference.read_stripe_export(*files))
    assert len(expected.charges) > 25
    assert facts.charges(connection) == expected.charges
    assert facts.ledger(connection) == expected.ledger
    assert facts.coverage(connection) == expected.coverage
    assert [o.invoice_id for o in facts.one_offs(connection)] == [o.invoice_id for o in expected.one_off]
    assert facts.not_counted(connection) == expected.not_counted
    assert report.batch == 1
    assert report.invoices.rows == report.invoices.new == accounted(report) == COUNT
    assert report.unlisted_customers == 1


@pytest.mark.skipif(not REAL.is_dir(), reason="the real export does not lie beside the checkout")
def test_every_invoice_of_the_real_export_is_accounted_for(connection: psycopg.Connection) -> None:
    files = REAL / "invoices.csv", REAL / "customers.csv"
    report = import_stripe(connection, *files)
    assert report.invoices.rows == report.invoices.new == accounted(report) == 8075
    assert report.customers.rows == report.customers.new == 35748
    assert report.invoices.rejected == report.customers.rejected == report.absent == 0
    assert {fate for fate, _, _ in report.fates} == {"charge", "one-off", "not counted"}
    assert all(detail for _, detail, _ in report.fates)

    expected = reference.evaluate(*reference.read_stripe_export(*files))
    assert len(expected.charges) > 8000
    assert facts.charges(connection) == expected.charges
    assert facts.ledger(connection) == expected.ledger
    assert facts.coverage(connection) == expected.coverage

    before = content(connection)
    again = import_stripe(connection, *files)
    assert again.batch is None
    assert again.invoices.unchanged == 8075
    assert content(connection) == before


def test_the_sum_names_each_fate(connection: psycopg.Connection, invoices: Table, tmp_path: Path) -> None:
    invoices.rows[3]["Total"] = "much"
    lines = list(bring(connection, invoices, tmp_path / "invoices.csv").lines())
    assert lines[0] == f"invoices.csv: {COUNT} rows: {COUNT - 1} new, 1 rejected (not an amount: 1)"
    assert "columns of the invoices not used: Closed, Forgiven, Paid" in lines
    [total] = [line for line in lines if line.startswith(f"{COUNT} invoices = ")]
    assert total.endswith("2 not counted (1 uncollectible, 1 void) + 1 rejected (1 not an amount)")


# -- spellings ------------------------------------------------------------------------------------


def shuffled(table: Table) -> Table:
    header = list(table.header)
    random.Random(1).shuffle(header)
    return Table(header, table.rows)


def with_points(table: Table) -> Table:
    return table.replaced(lambda _, value: value.replace(",", ".") if value[-3:-2] == "," else value)


def with_times(spelling: str) -> Callable[[Table], Table]:
    def respell(name: str, value: str) -> str:
        if "(UTC)" not in name or not value:
            return value
        return f"{datetime.strptime(value, '%Y-%m-%d %H:%M'):{spelling}}"

    return lambda table: table.replaced(respell)


SPELLINGS: dict[str, tuple[Callable[[Table], Table], dict]] = {
    "decimal points": (with_points, {}),
    "padded times": (with_times("%Y-%m-%d %H:%M"), {}),
    "times with seconds": (with_times("%Y-%m-%d %H:%M:%S"), {}),
    "ISO times": (with_times("%Y-%m-%dT%H:%MZ"), {}),
    "shuffled columns": (shuffled, {}),
    "a byte order mark": (lambda table: table, {"encoding": "utf-8-sig"}),
    "CR LF": (lambda table: table, {"newline": "\r\n"}),
    "CR": (lambda table: table, {"newline": "\r"}),
    "semicolons": (lambda table: table, {"delimiter": ";"}),
    "tabs": (lambda table: table, {"delimiter": "\t"}),
    "quotes everywhere": (lambda table: table, {"quoting": csv.QUOTE_ALL}),
    "all at once": (
        lambda table: shuffled(with_points(with_times("%Y-%m-%dT%H:%M:%S")(table))),
        {"newline": "\r\n", "delimiter": ";", "quoting": csv.QUOTE_ALL, "encoding": "utf-8-sig"},
    ),
}


@pytest.fixture(scope="module")
def plain(server: Server, template: str) -> Iterator[dict[str, list[dict]]]:
    """What the tables hold after an import of the hand-written export as it stands."""
    with server.databases() as create, open_session(create(template=template)) as connection:
        import_stripe(connection, HANDMADE / "invoices.csv", HANDMADE / "customers.csv")
        yield content(connection, *CONTENT)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_spelling_does_not_matter(
    connection: psycopg.Connection,
    plain: dict[str, list[dict]],
    tmp_path: Path,
    *,
    invoices: Table,
    customers: Table,
    spelling: str,
) -> None:
    respell, form = SPELLINGS[spelling]
    report = import_stripe(
        connection,
        respell(invoices).write(tmp_path / "invoices.csv", **form),
        respell(customers).write(tmp_path / "customers.csv", **form),
    )
    assert report.invoices.new == COUNT
    assert content(connection, *CONTENT) == plain


def test_capitals_in_the_names_of_columns_do_not_matter(
    connection: psycopg.Connection, plain: dict[str, list[dict]], invoices: Table, tmp_path: Path
) -> None:
    capitals = Table(
        [name.upper() for name in invoices.header],
        [{name.upper(): value for name, value in row.items()} for row in invoices.rows],
    )
    bring(connection, capitals, tmp_path / "invoices.csv")
    assert content(connection, "invoices") == {"invoices": plain["invoices"]}


def test_lines_are_numbered_as_in_the_file_whatever_is_quoted(
    connection: psycopg.Connection, invoices: Table, tmp_path: Path
) -> None:
    for row, coupons in zip(
        invoices.rows[:4], ["two\nlines", 'a "quoted" one', "three\r\n\r\nlines", "Ä, ö; \\n \\u0000"], strict=False
    ):
        row["Applied Coupons"] = coupons
    bring(connection, invoices, tmp_path / "invoices.csv")
    found = connection.execute(
        "select invoice_id, line_number, coupons from raw.invoice order by line_number"
    ).fetchall()
    expected = [2, 4, 5, 8, *range(9, COUNT + 5)]
    assert [line for _, line, _ in found] == expected
    assert [invoice for invoice, _, _ in found] == [row["id"] for row in invoices.rows]
    assert [text for _, _, text in found[:4]] == [
        "two\nlines",
        'a "quoted" one',
        "three\n\nlines",
        "Ä, ö; \\n \\u0000",
    ]


def test_blank_lines_are_no_rows(connection: psycopg.Connection, invoices: Table, tmp_path: Path) -> None:
    path = tmp_path / "invoices.csv"
    header, *rows = invoices.text().split("\n")
    path.write_text("\n".join(["", "", header, "", *rows, "", ""]))
    assert import_stripe(connection, path).invoices.new == COUNT
    assert connection.execute("select min(line_number), max(line_number) from raw.invoice").fetchone() == (5, COUNT + 4)


def test_optional_columns_may_be_missing(connection: psycopg.Connection, invoices: Table, tmp_path: Path) -> None:
    required = {
        header
        for (header,) in connection.execute(
            "select header from pipeline.file_columns()"
            " where source = 'stripe' and file_role = 'invoices' and is_required"
        )
    }
    few = Table([name for name in invoices.header if name in required], invoices.rows)
    assert len(few.header) == len(required) == 12
    assert bring(connection, few, tmp_path / "invoices.csv").invoices.new == COUNT
    assert connection.execute("select count(*) from raw.invoice where tax is null").fetchone() == (COUNT,)


# -- rejected rows --------------------------------------------------------------------------------

BAD_VALUES = [
    ("id", "", "missing value"),
    ("id", "i" * 300, "value is too long"),
    ("Customer", "", "missing value"),
    ("Customer", "c" * 5000, "value is too long"),
    ("Subscription", "ü" * 200, "value is too long"),
    ("Currency", "", "missing value"),
    ("Currency", "€", "not a currency of three letters"),
    ("Status", "", "missing value"),
    ("Status", "pending", "unknown status"),
    ("Date (UTC)", "", "missing value"),
    ("Date (UTC)", "2025-02-30 9:56", "not a time"),
    ("Date (UTC)", "27.02.2025 9:56", "not a time"),
    ("Due Date (UTC)", "soon", "not a time"),
    ("Paid At (UTC)", "2025-02-27 25:00", "not a time"),
    ("Voided At (UTC)", "infinity", "not a time"),
    ("Marked Uncollectible At (UTC)", "now", "not a time"),
    ("Finalized At (UTC)", "2025-13-01", "not a time"),
    ("Minimum Line Item Period Start (UTC)", "02/27/2025", "not a time"),
    ("Maximum Line Item Period End (UTC)", "2025-02-29", "not a time"),
    ("Period Start (UTC)", "0", "not a time"),
    ("Period End (UTC)", "-", "not a time"),
    ("Total", "", "missing value"),
    ("Total", "1.234,56", "not an amount"),
    ("Total", "1,234.56", "not an amount"),
    ("Total", "(12.00)", "not an amount"),
    ("Total", "NaN", "not an amount"),
    ("Total", "1e9", "not an amount"),
    ("Total", "12,345", "not an amount"),
    ("Amount Due", "Infinity", "not an amount"),
    ("Amount Paid", "€ 5", "not an amount"),
    ("Subtotal", "5 ", "not an amount"),
    ("Total Discount Amount", "5%", "not an amount"),
    ("Tax", "-", "not an amount"),
    ("Exclusive Tax Amount", "0x10", "not an amount"),
    ("Inclusive Tax Amount", "1_000", "not an amount"),
    ("Starting Balance", "99999999999999", "not an amount"),
    ("Ending Balance", "none", "not an amount"),
    ("Tax Percent", "19%", "not a percentage"),
]


def test_each_value_that_cannot_be_read_is_rejected_with_its_place_and_reason(
    connection: psycopg.Connection, invoices: Table, tmp_path: Path
) -> None:
    good = invoices.rows
    bad = [{**good[0], "id": f"in_bad_{number}", column: value} for number, (column, value, _) in enumerate(BAD_VALUES)]
    table = Table(invoices.header, [row for pair in itertools.zip_longest(bad, good) for row in pair if row])
    report = bring(connection, table, tmp_path / "invoices.csv")
    assert report.invoices.new == COUNT
    assert report.invoices.rejected == len(BAD_VALUES)
    assert sum(report.invoices.reasons.values()) == len(BAD_VALUES)
    assert accounted(report) == report.invoices.rows == COUNT + len(BAD_VALUES)

    expected = [
        ("invoices.csv", table.rows.index(row) + 2, column, value[:1000] or None, reason)
        for row, (column, value, reason) in zip(bad, BAD_VALUES, strict=True)
    ]
    assert rejected(connection) == expected
    [(row,)] = connection.execute("select content from raw.rejected_row where value = 'pending'").fetchall()
    assert set(row) == set(invoices.header)
    assert row["Customer"] == good[0]["Customer"]
    assert row["Due Date (UTC)"] is None


def test_rows_that_cannot_be_told_apart_cost_no_other_row(
    connection: psycopg.Connection, invoices: Table, tmp_path: Path
) -> None:
    header, *rows = invoices.text().encode().split(b"\n")
    broken = {
        3: (rows[3].rsplit(b",", 2)[0], "too few fields"),
        6: (rows[6] + b",more,and more", "too many fields"),
        9: (rows[9].replace(b"cus_", b'"cus_'), "broken quoting"),
        12: (rows[12].replace(b"cus_", b'"cu"s_'), "broken quoting"),
        15: (rows[15].replace(b"cus_", b"cu\0s_"), "contains a NUL character"),
        18: (rows[18].replace(b"cus_", b"cu\xffs_"), "not valid UTF-8"),
        21: (rows[21].replace(b"cus_", b"c" * (csv_tokens.LONGEST_LINE + 1)), "line is too long"),
        24: (b"\xed\xa0\x80", "not valid UTF-8"),
        27: (b"oops", "too few fields"),
        30: (b'"', "broken quoting"),
    }
    for place, (text, _) in broken.items():
        rows[place] = text
    path = tmp_path / "invoices.csv"
    path.write_bytes(b"\n".join([header, *rows]))
    report = import_stripe(connection, path)
    assert report.invoices.new == COUNT - len(broken)
    assert [(line, reason) for _, line, _, _, reason in rejected(connection)] == [
        (place + 2, reason) for place, (_, reason) in broken.items()
    ]
    assert {column for _, _, column, _, _ in rejected(connection)} == {None}
    content_of = dict(connection.execute("select line_number, content from raw.rejected_row").fetchall())
    assert content_of[5]["id"] == invoices.rows[3]["id"]
    assert content_of[5]["the row as it stands"] == rows[3].decode()
    assert "cu\\x00s_" in content_of[17]["the row as it stands"]
    assert "cu\\xffs_" in content_of[20]["the row as it stands"]
    lines = connection.execute("select invoice_id, line_number from raw.invoice order by line_number").fetchall()
    assert lines == [(row["id"], place + 2) for place, row in enumerate(invoices.rows) if place not in broken]


def test_a_quote_that_never_ends_costs_one_row(connection: psycopg.Connection, invoices: Table, tmp_path: Path) -> None:
    header, *rows = invoices.text().split("\n")
    rows[0] = rows[0].replace(",paid,", ',"paid,')
    path = tmp_path / "invoices.csv"
    path.write_text("\n".join([header, *(row.replace('"', "").replace(",00", ".00") for row in rows)]))
    path.write_text(path.read_text().replace("in_", "in_x", 1).replace(",paid,", ',"paid,', 1))
    report = import_stripe(connection, path)
    assert report.invoices.reasons["broken quoting"] == 1
    assert report.invoices.rows == COUNT


def test_of_rows_with_the_same_id_the_first_one_counts(
    connection: psycopg.Connection, invoices: Table, tmp_path: Path
) -> None:
    first = invoices.rows[0]
    invoices.rows += [{**first, "Total": "77,00"}, first]
    report = bring(connection, invoices, tmp_path / "invoices.csv")
    assert report.invoices.reasons == {"duplicate id in this file": 2}
    assert [(line, column, value) for _, line, column, value, _ in rejected(connection)] == [
        (COUNT + 2, "id", first["id"]),
        (COUNT + 3, "id", first["id"]),
    ]
    total = connection.execute("select total from billing.invoice where invoice_id = %s", [first["id"]]).fetchall()
    assert total == [(Decimal(first["Total"].replace(",", ".")),)]
    again = bring(connection, invoices, tmp_path / "invoices.csv")
    assert again.batch is None


def test_a_rejected_row_comes_in_when_it_is_corrected(
    connection: psycopg.Connection, connect: Callable, invoices: Table, tmp_path: Path
) -> None:
    right = invoices.rows[5]["Total"]
    invoices.rows[5]["Total"] = "EUR 12"
    assert bring(connection, invoices, tmp_path / "invoices.csv").invoices.rejected == 1
    invoices.rows[5]["Total"] = right
    report = bring(connection, invoices, tmp_path / "invoices.csv", replace=True)
    assert (report.batch, report.invoices.new, report.invoices.unchanged, report.absent) == (2, 1, COUNT - 1, 0)
    other = connect()
    bring(other, invoices, tmp_path / "invoices.csv")
    assert content(connection, *FIGURES) == content(other, *FIGURES)


def test_a_rejected_row_of_a_known_invoice_leaves_it_as_it_was(
    connection: psycopg.Connection, invoices: Table, tmp_path: Path
) -> None:
    bring(connection, invoices, tmp_path / "invoices.csv")
    before = connection.execute(CURRENT).fetchall()
    invoices.rows[5]["Total"] = "EUR 12"
    report = bring(connection, invoices, tmp_path / "invoices.csv", replace=True)
    assert (report.invoices.rejected, report.absent, report.dropped) == (1, 0, 0)
    assert connection.execute(CURRENT).fetchall() == before


def test_customers_are_rejected_in_the_same_way(
    connection: psycopg.Connection, customers: Table, tmp_path: Path
) -> None:
    bad = [("Created (UTC)", "yesterday", "not a time"), ("Payment Count", "-1", "not a whole number")]
    bad += [("Total Spend", "1 000", "not an amount"), ("id", "", "missing value")]
    for row, (column, value, _) in zip(customers.rows[:4], bad, strict=True):
        row[column] = value
    customers.rows.append(customers.rows[7])
    report = import_stripe(connection, HANDMADE / "invoices.csv", customers.write(tmp_path / "customers.csv"))
    assert report.customers.rejected == 5
    assert rejected(connection) == [
        *(
            ("customers.csv", 2 + place, column, value or None, reason)
            for place, (column, value, reason) in enumerate(bad)
        ),
        ("customers.csv", len(customers.rows) + 1, "id", customers.rows[7]["id"], "duplicate id in this file"),
    ]
    assert report.unlisted_customers >= 1


# -- files refused whole --------------------------------------------------------------------------


def zipped(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(HANDMADE / "invoices.csv", "invoices.csv")


def missing(*names: str) -> Callable[[Path], object]:
    def write(path: Path) -> None:
        table = Table.read(HANDMADE / "invoices.csv")
        Table([name for name in table.header if name not in names], table.rows).write(path)

    return write


REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty": (lambda path: path.write_bytes(b""), "is empty"),
    "a mark": (lambda path: path.write_bytes(b"\xef\xbb\xbf"), "is empty"),
    "blank": (lambda path: path.write_bytes(b"\n \n\r\n"), "is empty"),
    "header only": (
        lambda path: (
            Table.read(HANDMADE / "invoices.csv")
            .__class__(Table.read(HANDMADE / "invoices.csv").header, [])
            .write(path)
        ),
        "has no rows below its header",
    ),
    "binary": (lambda path: path.write_bytes(bytes(range(256)) * 50), "is a binary file, not a CSV file"),
    "zip": (zipped, "is a zip archive or an Excel workbook, not a CSV file"),
    "gzip twice": (
        lambda path: path.write_bytes(gzip.compress(gzip.compress((HANDMADE / "invoices.csv").read_bytes()))),
        "is compressed by gzip: unpack it first",
    ),
    "gzip cut off": (
        lambda path: path.write_bytes(gzip.compress((HANDMADE / "invoices.csv").read_bytes())[:-200]),
        "is compressed by gzip, and damaged",
    ),
    "gzip garbled": (
        lambda path: path.write_bytes(b"\x1f\x8b" + b"garbled" * 100),
        "is compressed by gzip, and damaged",
    ),
    "UTF-16": (
        lambda path: path.write_bytes((HANDMADE / "invoices.csv").read_text().encode("utf-16")),
        "is UTF-16, not UTF-8",
    ),
    "one long line": (lambda path: path.write_bytes(b"x" * 3_000_000), "is no CSV file: its first line does not end"),
    "a web page": (
        lambda path: path.write_text("<!doctype html>\n<title>Sign in</title>\n"),
        "is no invoices file of a Stripe export: it lacks id, Customer, Subscription, Currency",
    ),
    "two columns fewer": (
        missing("Total", "Minimum Line Item Period Start (UTC)"),
        "is no invoices file of a Stripe export: it lacks Minimum Line Item Period Start (UTC), Total",
    ),
    "the other file": (
        lambda path: shutil.copy(HANDMADE / "customers.csv", path),
        "is the customers file of a Stripe export, not the invoices file",
    ),
    "a column twice": (
        lambda path: Table(
            [*Table.read(HANDMADE / "invoices.csv").header, "TOTAL"], Table.read(HANDMADE / "invoices.csv").rows
        ).write(path),
        "has more than one column total",
    ),
    "a directory": (lambda path: path.mkdir(), "Is a directory"),
    "nothing": (lambda path: None, "No such file or directory"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_wrong_file_is_refused_whole(connection: psycopg.Connection, tmp_path: Path, what: str) -> None:
    make, message = REFUSED[what]
    path = tmp_path / "file.csv"
    make(path)
    before = content(connection)
    with pytest.raises(PgmrrError, match=r"file\.csv") as refused:
        import_stripe(connection, path)
    assert message in refused.value.message
    assert "\n" not in refused.value.message
    assert refused.value.hint
    assert content(connection) == before


def test_swapped_files_are_told_apart(connection: psycopg.Connection) -> None:
    with pytest.raises(PgmrrError, match=r"customers\.csv is the customers file") as refused:
        import_stripe(connection, HANDMADE / "customers.csv", HANDMADE / "invoices.csv")
    assert "SQLSTATE MR002" in refused.value.message
    assert "--customers" in refused.value.hint
    with pytest.raises(
        PgmrrError, match=r"invoices\.csv is the invoices file of a Stripe export, not the customers file"
    ):
        import_stripe(connection, HANDMADE / "invoices.csv", HANDMADE / "invoices.csv")
    assert content(connection, "batches") == {"batches": []}


def test_simulated_and_imported_data_do_not_mix(connection: psycopg.Connection) -> None:
    connection.execute("select pipeline.begin_batch('simulation', 'simulation', false)")
    with pytest.raises(PgmrrError, match=r"do not mix.*MR007"):
        import_stripe(connection, HANDMADE / "invoices.csv")


# -- again, newer, older --------------------------------------------------------------------------


def test_the_same_files_again_change_nothing(
    connection: psycopg.Connection, invoices: Table, customers: Table, tmp_path: Path
) -> None:
    invoices.rows[7]["Total"] = "much"
    customers.rows[2]["Total Spend"] = "much"
    files = invoices.write(tmp_path / "invoices.csv"), customers.write(tmp_path / "customers.csv")
    first = import_stripe(connection, *files)
    before = content(connection)
    again = import_stripe(connection, *files)
    assert content(connection) == before
    assert (first.batch, again.batch) == (1, None)
    assert (again.invoices.unchanged, again.invoices.rejected, again.invoices.new) == (COUNT - 1, 1, 0)
    assert again.fates == first.fates
    assert list(again.lines())[-1] == "the same files as before: nothing changed"


def test_a_newer_export_adds_versions_of_what_changed(
    connection: psycopg.Connection, connect: Callable, tmp_path: Path
) -> None:
    company = Company(seed=3)
    first = company.export(datetime(2025, 1, 1), datetime(2025, 3, 1), datetime(2025, 3, 1))
    later = company.export(datetime(2025, 1, 1), datetime(2025, 4, 1), datetime(2025, 4, 1))
    bring(connection, first, tmp_path / "first.csv")
    report = bring(connection, later, tmp_path / "later.csv")

    known = {row["id"]: row for row in first.rows}
    changed = [row["id"] for row in later.rows if row["id"] in known and known[row["id"]] != row]
    assert len(changed) > 5
    assert report.invoices.changed == len(changed)
    assert report.invoices.new == len([row for row in later.rows if row["id"] not in known])
    versions = connection.execute(
        "select invoice_id from raw.invoice group by invoice_id having count(*) = 2 order by invoice_id"
    ).fetchall()
    assert [invoice for (invoice,) in versions] == sorted(changed)
    assert connection.execute("select distinct superseded_by from raw.invoice where batch_id = 1").fetchall() in (
        [(None,), (2,)],
        [(2,), (None,)],
    )
    absent = {row["id"] for row in first.rows} - {row["id"] for row in later.rows}
    assert report.absent == len(absent) > 0
    assert report.dropped == 0

    # As it was known after the first batch.
    then = "select count(*), sum(mrr) from pipeline.charges(null, 1)"
    other = connect()
    bring(other, first, tmp_path / "first.csv")
    assert connection.execute(then).fetchall() == other.execute(then).fetchall()


@pytest.mark.parametrize(("column", "value"), [("Status", "void"), ("Voided At (UTC)", "2025-02-01 10:00")])
def test_an_invoice_is_changed_where_a_single_column_is(
    connection: psycopg.Connection, invoices: Table, tmp_path: Path, column: str, value: str
) -> None:
    bring(connection, invoices, tmp_path / "before.csv")
    invoices.rows[3][column] = value
    report = bring(connection, invoices, tmp_path / "after.csv")
    assert (report.invoices.changed, report.invoices.unchanged) == (1, COUNT - 1)


def test_an_older_export_never_overwrites_a_newer_one(connection: psycopg.Connection, tmp_path: Path) -> None:
    company = Company(seed=6)
    span = datetime(2025, 1, 1), datetime(2025, 4, 1)
    bring(connection, company.export(*span, datetime(2025, 4, 1)), tmp_path / "newer.csv")
    before = content(connection, *FIGURES, "absent"), connection.execute(CURRENT).fetchall()
    report = bring(connection, company.export(*span, datetime(2025, 2, 20)), tmp_path / "older.csv")
    assert report.invoices.older > 5
    assert report.invoices.new == report.invoices.changed == report.absent == 0
    assert (content(connection, *FIGURES, "absent"), connection.execute(CURRENT).fetchall()) == before


def test_what_an_older_export_has_is_absent_in_the_newer_one(connection: psycopg.Connection, tmp_path: Path) -> None:
    company = Company(seed=5)
    span = datetime(2025, 1, 1), datetime(2025, 4, 1)
    newer, older = company.export(*span, datetime(2025, 4, 1)), company.export(*span, datetime(2025, 2, 20))
    bring(connection, newer, tmp_path / "newer.csv")
    report = bring(connection, older, tmp_path / "older.csv")
    deleted = {row["id"] for row in older.rows} - {row["id"] for row in newer.rows}
    assert report.invoices.new == len(deleted) > 0
    listed = connection.execute("select batch_id, invoice_id, is_dropped from raw.absent_invoice").fetchall()
    assert sorted(listed) == [(1, invoice, False) for invoice in sorted(deleted)]


def test_an_unchanged_invoice_counts_as_seen_by_the_newer_export(
    connection: psycopg.Connection, invoices: Table, tmp_path: Path
) -> None:
    """Its version stays that of the first batch; an export between the two must not change it."""
    late = {**invoices.rows[0], "id": "in_late", "Paid At (UTC)": "2025-04-01 0:00"}
    between = {**invoices.rows[0], "id": "in_between", "Paid At (UTC)": "2025-03-20 0:00"}
    changed = [{**row, "Total": "1,00"} if row["id"] == "in_replacement" else row for row in invoices.rows]
    bring(connection, invoices, tmp_path / "first.csv")
    bring(connection, Table(invoices.header, [*invoices.rows, late]), tmp_path / "last.csv")
    report = bring(connection, Table(invoices.header, [*changed, between]), tmp_path / "between.csv")
    assert (report.invoices.older, report.invoices.changed, report.invoices.new) == (1, 0, 1)
    total = connection.execute("select total from billing.invoice where invoice_id = 'in_replacement'").fetchone()
    assert total == (Decimal("31250.00"),)


WINDOWS = {
    "winter": (datetime(2025, 1, 1), datetime(2025, 3, 1), datetime(2025, 3, 1)),
    "spring": (datetime(2025, 2, 1), datetime(2025, 5, 1), datetime(2025, 5, 1)),
    "summer": (datetime(2025, 4, 1), datetime(2025, 6, 15), datetime(2025, 6, 15)),
}


@pytest.mark.parametrize(("seed", "replace"), [(3, False), (5, True)], ids=["keep", "replace"])
def test_overlapping_exports_may_arrive_in_any_order(
    connect: Callable, tmp_path: Path, seed: int, replace: bool
) -> None:
    company = Company(seed=seed)
    files = {name: company.export(*window).write(tmp_path / f"{name}.csv") for name, window in WINDOWS.items()}
    results = []
    for order in itertools.permutations(files):
        connection = connect()
        for name in order:
            import_stripe(connection, files[name], replace=replace)
        facts_and_figures = connection.execute(CURRENT).fetchall(), content(connection, *KEPT)
        connection.execute("call pipeline.rebuild()")
        assert content(connection, *KEPT) == facts_and_figures[1], order
        absent = connection.execute(
            "select b.files -> 0 ->> 'name', a.invoice_id from raw.absent_invoice a join meta.batch b using (batch_id)"
            " order by 1, 2"
        ).fetchall()
        results.append((order, facts_and_figures, absent))
    (_, expected, absent), *others = results
    assert len(expected[0]) > 60
    assert len(expected[1]["charges"]) > 50
    for order, found, listed in others:
        assert found == expected, order
        if not replace:
            assert listed == absent, order
    assert absent


def test_a_company_that_exports_every_day_has_what_a_rebuild_makes(
    connection: psycopg.Connection, tmp_path: Path
) -> None:
    """Also of those whose last term ends on the day that is newly covered, of whom no file says anything new."""
    company = Company(seed=8)
    due = 0
    for day in range(30):
        until = datetime(2025, 3, 1) + timedelta(days=day)
        known = connection.execute("select customer_id, next_on from ledger.paying_cents").fetchall()
        written = bring(connection, company.export(datetime(2025, 1, 1), until, until), tmp_path / f"{day}.csv")
        covered_to, touched = connection.execute(
            """
            select c.complete_through, array(select i.customer_id from raw.invoice i where i.batch_id = %s)
            from meta.coverage c
            """,
            [written.batch],
        ).fetchone()
        due += len([customer for customer, next_on in known if next_on == covered_to and customer not in touched])
        kept = content(connection, *KEPT)
        connection.execute("call pipeline.rebuild()")
        assert content(connection, *KEPT) == kept, until
    assert due > 5


def test_absent_invoices_are_listed_and_dropped_on_demand(
    connection: psycopg.Connection, connect: Callable, invoices: Table, tmp_path: Path
) -> None:
    bring(connection, invoices, tmp_path / "all.csv")
    kept = [row for row in invoices.rows if row["id"] not in ("in_renewal_2", "in_days")]
    fewer = Table(invoices.header, kept)
    report = bring(connection, fewer, tmp_path / "fewer.csv")
    assert (report.batch, report.absent, report.dropped) == (2, 2, 0)
    assert "known invoices that this file lacks: 2 (--replace drops them)" in report.lines()
    assert connection.execute("select count(*) from billing.invoice").fetchone() == (COUNT,)
    assert bring(connection, fewer, tmp_path / "fewer.csv").batch is None

    report = bring(connection, fewer, tmp_path / "fewer.csv", replace=True)
    assert (report.batch, report.absent, report.dropped) == (3, 2, 2)
    other = connect()
    bring(other, fewer, tmp_path / "fewer.csv")
    assert content(connection, *FIGURES) == content(other, *FIGURES)
    then = connection.execute("select count(*) from pipeline.charges(null, 2)").fetchone()[0]
    assert then == connection.execute("select count(*) + 2 from billing.charge").fetchone()[0]
    assert bring(connection, fewer, tmp_path / "fewer.csv", replace=True).batch is None


def test_at_the_ends_of_the_range_of_a_file_nothing_is_dropped(
    connection: psycopg.Connection, invoices: Table, tmp_path: Path
) -> None:
    """The range may begin and end within that minute: what is missing there is listed only."""
    by_time = sorted(invoices.rows, key=lambda row: datetime.strptime(row["Date (UTC)"], "%Y-%m-%d %H:%M"))
    first, second, *_, last_but_one, last = by_time
    second["Date (UTC)"], last_but_one["Date (UTC)"] = first["Date (UTC)"], last["Date (UTC)"]
    bring(connection, invoices, tmp_path / "all.csv")
    kept = [row for row in invoices.rows if row["id"] not in (second["id"], last_but_one["id"])]
    report = bring(connection, Table(invoices.header, kept), tmp_path / "fewer.csv", replace=True)
    assert (report.absent, report.dropped) == (2, 0)
    assert connection.execute("select count(*) from billing.invoice").fetchone() == (COUNT,)


def test_what_lies_outside_of_the_range_of_a_file_is_not_absent(
    connection: psycopg.Connection, invoices: Table, tmp_path: Path
) -> None:
    bring(connection, invoices, tmp_path / "all.csv")
    february = [row for row in invoices.rows if row["Date (UTC)"].startswith("2025-02")]
    report = bring(connection, Table(invoices.header, february), tmp_path / "february.csv", replace=True)
    assert (report.absent, report.dropped) == (0, 0)
    assert report.invoices.unchanged == len(february) > 5
    assert report.batch == 2


# -- customers ------------------------------------------------------------------------------------


def test_further_columns_become_attributes_by_their_own_names(
    connection: psycopg.Connection, customers: Table, tmp_path: Path
) -> None:
    customers.header += ["Name", "plan (metadata)", 'It\'s 100%, "ok" {x}', ""]
    customers.rows[0] |= {"Name": "Kim & Co", "plan (metadata)": "pro", 'It\'s 100%, "ok" {x}': "a'b", "": "z"}
    report = import_stripe(connection, HANDMADE / "invoices.csv", customers.write(tmp_path / "customers.csv"))
    assert report.customers.further_columns == [
        "Tax Location Recognized",
        "plan (metadata)",
        'It\'s 100%, "ok" {x}',
        "column 9",
    ]
    [(name, attributes, spend, payments)] = connection.execute(
        "select name, attributes, total_spend, payment_count from billing.customer where customer_id = 'cus_kim'"
    ).fetchall()
    assert (name, spend, payments) == ("Kim & Co", Decimal("40.50"), 2)
    assert attributes == {
        "Tax Location Recognized": "FALSE",
        "plan (metadata)": "pro",
        'It\'s 100%, "ok" {x}': "a'b",
        "column 9": "z",
    }
    [(others,)] = connection.execute("select attributes from billing.customer where customer_id = 'cus_lea'").fetchall()
    assert others == {"Tax Location Recognized": "TRUE"}


def test_a_customer_file_may_come_later(connection: psycopg.Connection, connect: Callable) -> None:
    first = import_stripe(connection, HANDMADE / "invoices.csv")
    listed = connection.execute("select count(*), bool_or(is_listed) from billing.customer").fetchone()
    assert listed == (first.unlisted_customers, False)
    second = import_stripe(connection, HANDMADE / "invoices.csv", HANDMADE / "customers.csv")
    assert (second.batch, second.customers.new, second.invoices.unchanged) == (2, 15, COUNT)
    other = connect()
    import_stripe(other, HANDMADE / "invoices.csv", HANDMADE / "customers.csv")
    assert content(connection, *FIGURES) == content(other, *FIGURES)
    assert connection.execute("select count(*) from billing.customer where not is_listed").fetchone() == (1,)


def test_customers_of_an_older_file_do_not_overwrite(
    connection: psycopg.Connection, customers: Table, tmp_path: Path
) -> None:
    import_stripe(connection, HANDMADE / "invoices.csv", HANDMADE / "customers.csv")
    before = content(connection, "customers", *FIGURES)
    older = Table.read(HANDMADE / "invoices.csv")
    older.rows = [row for row in older.rows if row["Date (UTC)"] < "2025-01-20"]
    for row in older.rows:
        row["Paid At (UTC)"] = row["Finalized At (UTC)"] = row["Voided At (UTC)"] = ""
        row["Marked Uncollectible At (UTC)"] = ""
    customers.rows = [{**row, "Payment Count": "0"} for row in customers.rows if row["Created (UTC)"] < "2025-01-15"]
    report = import_stripe(
        connection, older.write(tmp_path / "invoices.csv"), customers.write(tmp_path / "customers.csv")
    )
    assert report.customers.older > 5
    assert report.customers.new == report.customers.changed == 0
    assert content(connection, "customers", *FIGURES) == before


def test_more_payments_of_a_customer_change_how_it_began(
    connection: psycopg.Connection, customers: Table, tmp_path: Path
) -> None:
    """R10: created before the export and paid more often than is visible: a reactivation."""
    import_stripe(connection, HANDMADE / "invoices.csv", HANDMADE / "customers.csv")
    kind = "select kind::text from ledger.movement_cents where customer_id = 'cus_fay' order by effective_on limit 1"
    assert connection.execute(kind).fetchone() == ("new",)
    for row in customers.rows:
        if row["id"] == "cus_fay":
            row["Payment Count"] = "9"
    report = import_stripe(connection, HANDMADE / "invoices.csv", customers.write(tmp_path / "customers.csv"))
    assert (report.customers.changed, report.invoices.unchanged) == (1, COUNT)
    assert connection.execute(kind).fetchone() == ("reactivation",)


# -- coverage, currencies, rights -----------------------------------------------------------------


def test_a_complete_history_is_covered_from_its_first_service(
    connection: psycopg.Connection, invoices: Table, tmp_path: Path
) -> None:
    bring(connection, invoices, tmp_path / "invoices.csv", complete_history=True)
    found = connection.execute("select is_truncated, observed_from, complete_through from meta.coverage").fetchone()
    assert found == (False, date(2025, 1, 1), date(2025, 3, 9))
    assert not connection.execute("select from billing.charge where basis = 'implied'").fetchall()
    connection.execute("call pipeline.set_setting('time_zone', 'America/Los_Angeles')")
    found = connection.execute("select observed_from, complete_through from meta.coverage").fetchone()
    assert found == (date(2025, 1, 1), date(2025, 3, 9))
    connection.execute("call pipeline.set_setting('time_zone', 'Pacific/Auckland')")
    found = connection.execute("select observed_from, complete_through from meta.coverage").fetchone()
    assert found == (date(2025, 1, 1), date(2025, 3, 9))
    before = content(connection)
    assert bring(connection, invoices, tmp_path / "invoices.csv", complete_history=True).batch is None
    assert content(connection) == before


def test_a_currency_without_a_rate_stops_the_import_until_it_is_set(
    connection: psycopg.Connection, invoices: Table, tmp_path: Path
) -> None:
    for row in invoices.rows:
        row["Currency"] = {"eur": "eur", "usd": "xyz"}[row["Currency"]]
    with pytest.raises(PgmrrError, match=r"no exchange rate for XYZ.*MR005") as refused:
        bring(connection, invoices, tmp_path / "invoices.csv")
    assert refused.value.hint == "Set it, in units for one euro: pgmrr fx --set XYZ=RATE"
    assert content(connection, "batches", "invoices") == {"batches": [], "invoices": []}
    connection.execute("call pipeline.set_rate('xyz', 2)")
    report = bring(connection, invoices, tmp_path / "invoices.csv")
    assert (report.batch, report.rates) == (2, [])


def test_rates_are_of_the_last_covered_day_of_the_first_import(
    connection: psycopg.Connection, invoices: Table, tmp_path: Path
) -> None:
    report = bring(connection, invoices, tmp_path / "invoices.csv")
    assert [(rate.currency, rate.rate_on) for rate in report.rates] == [("USD", date(2025, 3, 7))]
    [details] = connection.execute("select details -> 'rates' from meta.batch").fetchone()
    assert details["USD"]["source"] == "ECB"

    later = [{**row, "id": row["id"] + "_2"} for row in invoices.rows]
    for row in later:
        row["Currency"] = "chf"
        row["Date (UTC)"] = row["Date (UTC)"].replace("2025-", "2026-")
    report = bring(connection, Table(invoices.header, later), tmp_path / "later.csv")
    assert [(rate.currency, rate.rate_on) for rate in report.rates] == [("CHF", date(2025, 3, 7))]


def test_a_company_with_one_currency_needs_no_rate(
    connection: psycopg.Connection, invoices: Table, tmp_path: Path
) -> None:
    for row in invoices.rows:
        row["Currency"] = "XYZ"
    report = bring(connection, invoices, tmp_path / "invoices.csv")
    assert report.rates == []
    assert connection.execute("select currency, reporting_currency, factor from ledger.currency").fetchall() == [
        ("XYZ", "XYZ", 1)
    ]


def test_figures_do_not_depend_on_how_the_session_is_set_up(
    connection: psycopg.Connection, plain: dict[str, list[dict]]
) -> None:
    connection.execute("set timezone = 'Pacific/Auckland'; set datestyle = 'German, DMY'; set enable_hashagg = off")
    import_stripe(connection, HANDMADE / "invoices.csv", HANDMADE / "customers.csv")
    connection.execute("set timezone = 'UTC'; set datestyle = 'ISO'")
    assert content(connection, *CONTENT) == plain


def test_a_writer_may_import(server: Server, database: str) -> None:
    name = f"import_{uuid.uuid4().hex[:8]}"
    with open_session(database) as owner:
        owner.execute(f"create role {name} login in role pgmrr_writer")
    try:
        with open_session(server.url(conninfo_to_dict(database)["dbname"], user=name)) as writer:
            assert import_stripe(writer, HANDMADE / "invoices.csv", HANDMADE / "customers.csv").batch == 1
            assert import_stripe(writer, HANDMADE / "invoices.csv", HANDMADE / "customers.csv").batch is None
            writer.execute("call pipeline.set_rate('USD', 1.25)")
            writer.execute("call pipeline.set_setting('implied_cycles', 'false')")
    finally:
        with open_session(database) as owner:
            owner.execute(f"drop role {name}")


def test_an_import_by_hand_does_the_same(
    connection: psycopg.Connection, plain: dict[str, list[dict]], invoices: Table, customers: Table
) -> None:
    """As the header of pipeline.import_files shows it."""
    with connection.transaction(), connection.cursor() as cursor:
        assert cursor.execute("select pipeline.begin_batch('import', 'stripe', true)").fetchone() == (1,)
        for role, table in (("invoices", invoices), ("customers", customers)):
            query = "select pipeline.stage_file(%s, 'a file', %s)"
            [statement] = cursor.execute(query, [role, table.header]).fetchone()
            with cursor.copy(statement) as copy:
                copy.write(table.text().partition("\n")[2])
        wanted = cursor.execute("select currency, rate_on from pipeline.import_files(1)").fetchall()
        assert [currency for currency, _ in wanted] == ["USD"]
        cursor.execute("call pipeline.add_rate(1, 'USD', 1.0857, '2025-03-07')")
        [report] = cursor.execute("select pipeline.finish_import(1)").fetchone()
    assert report["batch_id"] == 1
    assert [file["rows"] for file in report["files"]] == [COUNT, 15]
    assert content(connection, *CONTENT) == plain


# -- all or nothing -------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", ["reading customers.csv", "comparing", "making charges"])
def test_a_kill_at_any_moment_leaves_the_state_before(
    database: str, invoices: Table, tmp_path: Path, phase: str
) -> None:
    with open_session(database) as connection:
        bring(connection, Table(invoices.header, invoices.rows[:20]), tmp_path / "some.csv")
        before = content(connection)
    victim = open_session(database)

    def kill(message: str) -> None:
        if message.startswith(phase):
            with open_session(database) as other:
                other.execute("select pg_terminate_backend(%s, 5000)", [victim.info.backend_pid])

    with pytest.raises(PgmrrError, match="the connection to the database was lost"):
        import_stripe(victim, HANDMADE / "invoices.csv", HANDMADE / "customers.csv", progress=kill)
    assert victim.closed
    with open_session(database) as connection:
        assert content(connection) == before
        assert import_stripe(connection, HANDMADE / "invoices.csv", HANDMADE / "customers.csv").batch == 2


def test_readers_see_the_old_state_until_the_import_is_done(database: str, connection: psycopg.Connection) -> None:
    seen = []

    def look(message: str) -> None:
        with open_session(database) as reader:
            seen.append(reader.execute("select count(*) from ledger.movement").fetchone()[0])

    import_stripe(connection, HANDMADE / "invoices.csv", progress=look)
    assert len(seen) >= 3
    assert set(seen) == {0}


def test_two_imports_at_once_come_one_after_the_other(database: str, invoices: Table, tmp_path: Path) -> None:
    first, second = open_session(database), open_session(database)
    said = []
    with first, second:
        with first.transaction():
            first.execute("select pipeline.lock()")
            second.execute("set lock_timeout = '300ms'")
            with pytest.raises(PgmrrError, match="nothing was imported"):
                bring(second, invoices, tmp_path / "invoices.csv", progress=said.append)
        assert bring(second, invoices, tmp_path / "invoices.csv").batch == 1
    assert said[0].startswith("waiting for another writer")
