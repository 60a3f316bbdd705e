"""Rejected rows: why, written as their file had them, corrected, and followed until an import brings them."""

import ast
import csv
import io
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest
from psycopg.rows import dict_row

from pgmrr.billing import Spelling, import_lines, import_periods
from pgmrr.errors import PgmrrError
from pgmrr.history import undo
from pgmrr.import_report import ImportReport
from pgmrr.quarantine import Corrections, corrections
from pgmrr.reports.quarantine import REJECTED_WHOLE
from pgmrr.sessions import open_session
from pgmrr.staging import Input, Place, file_at
from pgmrr.stripe import import_stripe
from stripe_files import Table
from test_stripe_import import CURRENT, FIGURES, content
from test_undo import differing, everything

ROOT = Path(__file__).parents[2]
HANDMADE = ROOT / "tests" / "data" / "handmade"
COUNT = len(Table.read(HANDMADE / "invoices.csv").rows)


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection]:
    with open_session(database) as connection:
        yield connection


@pytest.fixture
def invoices() -> Table:
    return Table.read(HANDMADE / "invoices.csv")


def open_rows(connection: psycopg.Connection) -> list[tuple]:
    """Batch, line and reason of each row that is still missing."""
    query = "select batch_id, line_number, reason from kpi.rejected_rows order by 1, file_role, 2"
    return connection.execute(query).fetchall()


def written(connection: psycopg.Connection, role: str | None = None) -> Corrections:
    with connection.cursor(row_factory=dict_row) as cursor:
        return corrections(cursor.execute(REJECTED_WHOLE.question.encode()).fetchall(), role)


def rows_of(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


def current(connection: psycopg.Connection) -> list[str]:
    return [str(row) for (row,) in connection.execute(CURRENT).fetchall()]


# -- reasons --------------------------------------------------------------------------------------


def reasons_in_sql() -> set[str]:
    """What the readers in SQL give as the second element of `problem`, or return from a function of that name."""
    found = set()
    for path in (ROOT / "procedures" / "10_pipeline").glob("*.sql"):
        text = re.sub(r"--[^\n]*", "", path.read_text(encoding="utf-8"))
        found |= set(re.findall(r"array\[\s*(?:'\w+'|null),\s*'([^']+)'\s*\]", text))
        if path.stem.endswith("_problem"):
            found |= set(re.findall(r"(?:then|else) '([^']+)'", text))
    return found


def reasons_in_python() -> set[str]:
    """What the tokeniser says of a row: the third argument of a Row, or what it assigns to ``problem``."""
    tree = ast.parse((ROOT / "scripts" / "pgmrr" / "csv_tokens.py").read_text(encoding="utf-8"))
    spoken: list[ast.AST] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Row":
            spoken += node.args[2:3]
        if isinstance(node, ast.Assign) and any(
            isinstance(name, ast.Name) and name.id == "problem" for target in node.targets for name in ast.walk(target)
        ):
            spoken.append(node.value)
    constants = (part for node in spoken for part in ast.walk(node) if isinstance(part, ast.Constant))
    return {str(part.value) for part in constants if isinstance(part.value, str) and " " in part.value}


def test_the_list_of_reasons_is_what_readers_say_and_nothing_else(connection: psycopg.Connection) -> None:
    listed = {reason for (reason,) in connection.execute("select reason from kpi.reject_reasons")}
    assert len(reasons_in_python()) == 6
    assert len(reasons_in_sql()) >= 10
    assert reasons_in_sql() | reasons_in_python() == listed


def test_every_reason_has_its_meaning_and_hint(connection: psycopg.Connection) -> None:
    rows = connection.execute("select reason, meaning, hint from kpi.reject_reasons").fetchall()
    assert len({reason for reason, _, _ in rows}) == len(rows)
    assert all(text.endswith(".") or "pgmrr " in text for _, *texts in rows for text in texts)


# -- corrections ----------------------------------------------------------------------------------


def break_rows(table: Table) -> Table:
    """A copy with rows that are broken in every way by which their correction is found."""
    broken = Table(list(table.header), [dict(row) for row in table.rows])
    broken.rows[1]["Total"] = "1.234,56"
    broken.rows[2]["id"] = ""
    broken.rows[3]["id"] = broken.rows[0]["id"]
    broken.rows[4]["Status"] = "pending"
    broken.rows[5]["Customer"] = ""
    return broken


def test_rows_are_written_as_the_file_had_them(connection: psycopg.Connection, invoices: Table, tmp_path: Path) -> None:
    broken = break_rows(invoices)
    broken.rows[1]["Applied Coupons"] = 'two\nlines, "quoted"'
    broken.header.append("note; of ours")
    broken.rows[4]["note; of ours"] = "Ä, ö"
    import_stripe(connection, broken.write(tmp_path / "invoices.csv", delimiter=";"))
    made = written(connection)
    assert (made.role, made.rows, made.not_kept) == ("invoices", 5, [])
    assert rows_of(made.text) == [
        broken.header,
        *([row.get(name, "") for name in broken.header] for row in broken.rows[1:6]),
    ]


def test_broken_rows_are_written_with_all_their_fields(
    connection: psycopg.Connection, invoices: Table, tmp_path: Path
) -> None:
    header, *lines = invoices.text().split("\n")
    lines[2] += ",surplus"
    lines[4] = lines[4].rsplit(",", 2)[0]
    lines[6] = lines[6].replace(",", ',"x"y,', 1)
    path = tmp_path / "invoices.csv"
    path.write_text("\n".join([header, *lines]))
    assert import_stripe(connection, path).invoices.rejected == 3
    _, surplus, short, quoted = rows_of(written(connection).text)
    whole = [[row.get(name, "") for name in invoices.header] for row in invoices.rows]
    assert surplus == [*whole[2], "surplus"]
    assert short == whole[4][:-2]
    assert quoted[0] == whole[6][0]

    fixed = Table(invoices.header, [invoices.rows[place] for place in (2, 4, 6)]).write(tmp_path / "fixed.csv")
    assert import_stripe(connection, fixed, corrections=True).invoices.new == 3
    assert open_rows(connection) == []


def test_corrections_make_the_database_what_a_good_file_would_have_made(
    connection: psycopg.Connection, invoices: Table, tmp_path: Path
) -> None:
    import_stripe(connection, HANDMADE / "invoices.csv", HANDMADE / "customers.csv")
    good, facts = content(connection, *FIGURES), current(connection)
    undo(connection)

    bad = break_rows(invoices).write(tmp_path / "bad.csv")
    report = import_stripe(connection, bad, HANDMADE / "customers.csv")
    assert report.invoices.rejected == len(open_rows(connection)) == 5
    assert content(connection, *FIGURES) != good
    before = everything(connection)

    fixed = Table(invoices.header, invoices.rows[1:6])
    report = import_stripe(connection, fixed.write(tmp_path / "fixed.csv"), corrections=True)
    assert (report.invoices.new, report.invoices.rejected, report.absent) == (5, 0, 0)
    assert open_rows(connection) == []
    assert content(connection, *FIGURES) == good
    assert current(connection) == facts

    undo(connection)
    assert differing(before, everything(connection)) == []


def test_some_rows_can_be_corrected_now_and_others_later(
    connection: psycopg.Connection, invoices: Table, tmp_path: Path
) -> None:
    import_stripe(connection, break_rows(invoices).write(tmp_path / "bad.csv"))
    fixed = Table(invoices.header, [dict(row) for row in invoices.rows[1:5]])
    fixed.rows[3]["Status"] = "waiting"
    import_stripe(connection, fixed.write(tmp_path / "fixed.csv"), corrections=True)
    # Rejected again: once, as it is now. What no one touched stays.
    assert open_rows(connection) == [(1, 7, "missing value"), (2, 5, "unknown status")]
    rest = Table(invoices.header, invoices.rows[4:6])
    assert import_stripe(connection, rest.write(tmp_path / "rest.csv"), corrections=True).invoices.new == 2
    assert open_rows(connection) == []
    assert len(current(connection)) == COUNT


def test_a_file_of_corrections_takes_nothing_else_in(
    connection: psycopg.Connection, invoices: Table, tmp_path: Path
) -> None:
    import_stripe(connection, break_rows(invoices).write(tmp_path / "bad.csv"))
    before = content(connection, *FIGURES)
    other = dict(invoices.rows[9], Total="9999,00")
    unknown = dict(invoices.rows[8], id="in_unknown")
    unchanged = dict(invoices.rows[7])
    path = Table(invoices.header, [other, unknown, unchanged]).write(tmp_path / "others.csv")
    report = import_stripe(connection, path, corrections=True)
    assert report.invoices.reasons == {"corrects no rejected row": 2}
    assert (report.invoices.unchanged, report.absent) == (1, 0)
    assert content(connection, *FIGURES) == before
    assert len(open_rows(connection)) == 7


def test_corrections_need_rows_to_correct(connection: psycopg.Connection) -> None:
    import_stripe(connection, HANDMADE / "invoices.csv")
    before = everything(connection)
    with pytest.raises(PgmrrError, match="no rejected rows of stripe are waiting") as refused:
        import_stripe(connection, HANDMADE / "invoices.csv", corrections=True)
    assert "without --corrections" in refused.value.hint
    assert everything(connection) == before


def test_corrections_keep_a_complete_history_complete(
    connection: psycopg.Connection, invoices: Table, tmp_path: Path
) -> None:
    import_stripe(connection, HANDMADE / "invoices.csv", complete_history=True)
    good = content(connection, *FIGURES)
    undo(connection)
    import_stripe(connection, break_rows(invoices).write(tmp_path / "bad.csv"), complete_history=True)
    fixed = Table(invoices.header, invoices.rows[1:6])
    import_stripe(connection, fixed.write(tmp_path / "fixed.csv"), corrections=True)
    assert content(connection, *FIGURES) == good


def test_customers_can_be_corrected_alone(connection: psycopg.Connection, invoices: Table, tmp_path: Path) -> None:
    good = Table.read(HANDMADE / "customers.csv")
    bad = Table(good.header, [dict(row) for row in good.rows])
    bad.rows[0]["Created (UTC)"] = "yesterday"
    bad.rows[1]["Payment Count"] = "many"
    import_stripe(connection, HANDMADE / "invoices.csv", HANDMADE / "customers.csv")
    figures = content(connection, *FIGURES)
    undo(connection)

    import_stripe(connection, HANDMADE / "invoices.csv", bad.write(tmp_path / "customers.csv"))
    before = everything(connection)
    made = written(connection)
    assert (made.role, made.rows) == ("customers", 2)
    fixed = Table(good.header, good.rows[:2]).write(tmp_path / "fixed.csv")
    report = import_stripe(connection, None, fixed, corrections=True)
    assert (report.customers.rows, report.customers.rejected, report.invoices.rows) == (2, 0, 0)
    assert open_rows(connection) == []
    assert content(connection, *FIGURES) == figures
    undo(connection)
    assert differing(before, everything(connection)) == []


def test_two_kinds_of_rows_are_two_files(connection: psycopg.Connection, invoices: Table, tmp_path: Path) -> None:
    customers = Table.read(HANDMADE / "customers.csv")
    customers.rows[0]["Created (UTC)"] = "yesterday"
    with pytest.raises(PgmrrError, match="no rows were rejected"):
        written(connection)
    import_stripe(
        connection,
        break_rows(invoices).write(tmp_path / "invoices.csv"),
        customers.write(tmp_path / "customers.csv"),
    )
    with pytest.raises(PgmrrError, match="of customers and invoices, which have different columns"):
        written(connection)
    assert written(connection, "customers").rows == 1
    assert written(connection, "invoices").rows == 5
    with pytest.raises(PgmrrError, match="no rows of lines were rejected"):
        written(connection, "lines")


def test_rows_that_were_not_kept_whole_are_named(
    connection: psycopg.Connection, invoices: Table, tmp_path: Path
) -> None:
    invoices.rows[0] |= {"Total": "much", "Applied Coupons": "x" * 20_000}
    invoices.rows[1]["Total"] = "much"
    import_stripe(connection, invoices.write(tmp_path / "invoices.csv"))
    made = written(connection)
    assert made.rows == 1
    assert [(row["file"], row["line_number"]) for row in made.not_kept] == [("invoices.csv", 2)]


# -- lines and periods ----------------------------------------------------------------------------

MAP = {"id": "No", "customer": "Account", "start": "From", "end": "To", "amount": "Net"}
LINES = Table(
    ["Account", "No", "From", "To", "Net", "Remark"],
    [
        {"Account": "a", "No": "1", "From": "2025-01-01", "To": "2025-02-01", "Net": "10.00", "Remark": "x"},
        {"Account": "a", "No": "1", "From": "2025-01-01", "To": "2025-02-01", "Net": "5.00", "Remark": ""},
        {"Account": "b", "No": "2", "From": "2025-01-05", "To": "2025-02-05", "Net": "20.00", "Remark": "y; z"},
        {"Account": "c", "No": "3", "From": "2025-01-09", "To": "2025-02-09", "Net": "30.00", "Remark": ""},
        {"Account": "c", "No": "4", "From": "2025-02-09", "To": "2025-03-09", "Net": "30.00", "Remark": ""},
    ],
)
EUR = Spelling(currency="EUR")


@pytest.mark.parametrize("kind", ["lines", "periods"])
def test_lines_and_periods_are_corrected_as_well(connection: psycopg.Connection, tmp_path: Path, kind: str) -> None:
    bring = {"lines": import_lines, "periods": import_periods}[kind]

    def place(name: str) -> Input:
        return file_at(tmp_path / name, Place(kind, kind, MAP))

    good = Table(LINES.header, LINES.rows if kind == "lines" else LINES.rows[1:])
    good.write(tmp_path / "good.csv")
    bring(connection, place("good.csv"), spelling=EUR)
    figures, facts = content(connection, *FIGURES), current(connection)
    assert len(facts) == len(good.rows)
    undo(connection)

    bad = Table(good.header, [dict(row) for row in good.rows])
    bad.rows[-5 if kind == "lines" else -4]["Net"] = "1.234"
    bad.rows[-2]["To"] = "2024-01-01"
    bad.write(tmp_path / "bad.csv")
    report = bring(connection, place("bad.csv"), spelling=EUR)
    # Of an invoice with two lines, neither is taken without the other.
    assert report.invoices.rejected == (3 if kind == "lines" else 2)
    before = everything(connection)
    made = written(connection)
    assert made.role == kind
    assert rows_of(made.text)[0] == good.header

    broken = [tuple(row) for row in rows_of(made.text)[1:]]
    rows = [row for row, was in zip(good.rows, bad.rows, strict=True) if tuple(was.values()) in broken]
    assert len(rows) == report.invoices.rejected
    Table(good.header, rows).write(tmp_path / "fixed.csv")
    told = bring(connection, place("fixed.csv"), spelling=EUR, corrections=True, dry_run=True)
    assert differing(before, everything(connection)) == []
    # Nothing need be said again; what is said otherwise is refused.
    plain = file_at(tmp_path / "fixed.csv", Place(kind, kind))
    for other in ({"spelling": Spelling("USD")}, {"spelling": Spelling(end_inclusive=True)}):
        with pytest.raises(PgmrrError, match="read with other options") as refused:
            bring(connection, plain, corrections=True, **other)
        assert '"currency": "EUR"' in refused.value.hint
    with pytest.raises(PgmrrError, match="another map"):
        bring(connection, file_at(tmp_path / "fixed.csv", Place(kind, kind, {**MAP, "amount": "No"})), corrections=True)
    assert differing(before, everything(connection)) == []
    done = bring(connection, plain, corrections=True)
    assert done.invoices == told.invoices
    assert (done.invoices.rejected, done.absent) == (0, 0)
    assert open_rows(connection) == []
    assert current(connection) == facts
    assert content(connection, *FIGURES) == figures
    undo(connection)
    assert differing(before, everything(connection)) == []


def test_lines_without_ids_are_corrected_by_their_other_columns(connection: psycopg.Connection, tmp_path: Path) -> None:
    columns = {name: header for name, header in MAP.items() if name != "id"}
    good = Table([name for name in LINES.header if name != "No"], LINES.rows)
    for name, net in (("good", "20.00"), ("bad", "1.234"), ("fixed", "20.00")):
        rows = [dict(row) for row in good.rows]
        rows[2]["Net"] = net
        path = Table(good.header, rows[2:3] if name == "fixed" else rows).write(tmp_path / f"{name}.csv")
        lines = file_at(path, Place("lines", "lines", columns))
        report = import_lines(connection, lines, spelling=EUR, corrections=name == "fixed")
        assert report.invoices.rejected == (name == "bad")
        if name == "good":
            facts = current(connection)
            undo(connection)
        assert len(open_rows(connection)) == (name == "bad")
    assert current(connection) == facts


# -- newer exports --------------------------------------------------------------------------------


def test_a_newer_export_that_has_the_row_is_its_correction(
    connection: psycopg.Connection, invoices: Table, tmp_path: Path
) -> None:
    import_stripe(connection, break_rows(invoices).write(tmp_path / "bad.csv"))
    import_stripe(connection, HANDMADE / "invoices.csv")
    assert open_rows(connection) == []
    assert len(current(connection)) == COUNT


def test_the_same_broken_export_again_shows_its_rows_once(
    connection: psycopg.Connection, invoices: Table, tmp_path: Path
) -> None:
    broken = break_rows(invoices)
    import_stripe(connection, broken.write(tmp_path / "bad.csv"))
    rows, before = open_rows(connection), everything(connection)
    assert import_stripe(connection, tmp_path / "bad.csv").batch is None
    assert everything(connection) == before

    broken.rows.append(dict(broken.rows[-1], id="in_another"))
    import_stripe(connection, broken.write(tmp_path / "bad.csv"))
    assert open_rows(connection) == [(2, line, reason) for _, line, reason in rows]


def test_an_older_export_does_not_correct_what_a_newer_one_said(
    connection: psycopg.Connection, invoices: Table, tmp_path: Path
) -> None:
    newest = max(invoices.rows, key=lambda row: row["Paid At (UTC)"] or row["Date (UTC)"])
    broken = Table(invoices.header, [dict(row) for row in invoices.rows])
    broken.rows[0 if broken.rows[0]["id"] != newest["id"] else 1]["Total"] = "much"
    import_stripe(connection, broken.write(tmp_path / "newer.csv"))
    assert len(open_rows(connection)) == 1
    cutoff = sorted(row["Date (UTC)"] for row in invoices.rows)[len(invoices.rows) // 2]
    rejected = connection.execute("select row_id from kpi.rejected_rows").fetchone()[0]
    older = [
        row
        for row in invoices.rows
        if row["id"] == rejected or max(row["Paid At (UTC)"], row["Finalized At (UTC)"], row["Date (UTC)"]) < cutoff
    ]
    for row in older:
        for name in ("Paid At (UTC)", "Finalized At (UTC)", "Voided At (UTC)", "Marked Uncollectible At (UTC)"):
            row[name] = ""
        row["Date (UTC)"] = min(row["Date (UTC)"], cutoff)
    import_stripe(connection, Table(invoices.header, older).write(tmp_path / "older.csv"))
    as_of = [moment for (moment,) in connection.execute("select as_of from meta.batch order by batch_id")]
    assert as_of[1] < as_of[0]
    assert [row[0] for row in open_rows(connection)] == [1]


def test_corrections_do_not_hide_what_an_older_export_has(
    connection: psycopg.Connection, invoices: Table, tmp_path: Path
) -> None:
    """The dates of a few corrected rows span others that the file of corrections never held."""
    rows = sorted(invoices.rows, key=lambda row: row["Date (UTC)"])
    first, middle, last = rows[0], rows[len(rows) // 2], rows[-1]
    bad = Table(invoices.header, [dict(first, Total="much"), dict(last, Total="much"), rows[-2]])
    import_stripe(connection, bad.write(tmp_path / "bad.csv"))
    fixed = Table(invoices.header, [first, last])
    import_stripe(connection, fixed.write(tmp_path / "fixed.csv"), corrections=True)
    report = import_stripe(connection, Table(invoices.header, [first, middle]).write(tmp_path / "older.csv"))
    assert (report.invoices.new, report.invoices.older) == (1, 0)
    absent = (
        "select count(*) from raw.absent_invoice a join meta.batch b using (batch_id) where b.details ? 'corrections'"
    )
    assert connection.execute(absent).fetchone() == (0,)


def test_rows_that_were_read_in_several_ways_are_told_apart(connection: psycopg.Connection, tmp_path: Path) -> None:
    path = tmp_path / "lines.csv"

    def bring(text: str, spelling: Spelling, **how: bool) -> ImportReport:
        path.write_text("id,customer,start,end,amount\n" + text, encoding="utf-8")
        return import_lines(connection, file_at(path, Place("lines", "lines")), spelling=spelling, **how)

    # Ends that are and are not a day of service: 31 days both, so a month both.
    inclusive = Spelling("EUR", end_inclusive=True)
    assert bring("a,a,2024-01-01,2024-01-31,1\nb,b,2024-01-01,2024-01-31,x\n", inclusive).invoices.rejected == 1
    one = "c,c,2024-01-01,2024-02-01,1\nd,d,2024-01-01,2024-02-01,x\ne,e,03/04/2024,03/05/2024,1\n"
    assert bring(one, Spelling("EUR")).invoices.rejected == 2
    with pytest.raises(PgmrrError, match="read in different ways"):
        bring("b,b,2024-01-01,2024-01-31,2\n", Spelling(), corrections=True)
    assert bring("b,b,2024-01-01,2024-01-31,2\n", Spelling(end_inclusive=True), corrections=True).invoices.new == 1
    # What only settles what could not be told may be added.
    assert bring("e,e,03/04/2024,03/05/2024,1\n", Spelling(dates="dmy"), corrections=True).invoices.new == 1
    assert bring("d,d,2024-01-01,2024-02-01,3\n", Spelling(), corrections=True).invoices.new == 1
    found = connection.execute("select invoice_id, mrr, ends_on::text from billing.charge order by 1").fetchall()
    assert found == [
        ("a", Decimal("1.00"), "2024-02-01"),
        ("b", Decimal("2.00"), "2024-02-01"),
        ("c", Decimal("1.00"), "2024-02-01"),
        ("d", Decimal("3.00"), "2024-02-01"),
        ("e", Decimal("1.00"), "2024-05-03"),
    ]


def test_rejected_rows_are_pointed_at_only_where_they_wait(
    connection: psycopg.Connection, invoices: Table, tmp_path: Path
) -> None:
    broken = Table(invoices.header, [dict(row) for row in invoices.rows])
    broken.rows[1]["Total"] = "1.234,56"
    bad = broken.write(tmp_path / "bad.csv")
    hint = "see the rejected rows: pgmrr rejected"
    for batch in (1, None):
        report = import_stripe(connection, bad)
        assert (report.batch, report.invoices.rejected) == (batch, 1)
        assert hint in list(report.lines())
    fixed = Table(invoices.header, [invoices.rows[1]]).write(tmp_path / "fixed.csv")
    assert hint not in list(import_stripe(connection, fixed, corrections=True).lines())
    report = import_stripe(connection, bad)
    assert (report.batch, report.invoices.rejected) == (None, 1)
    assert open_rows(connection) == []
    assert hint not in list(report.lines())
