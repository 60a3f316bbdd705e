"""Damaged files: never a traceback, never a half import, never a silently wrong number.

A good file of each source is damaged in some rows and as a whole. Either it is refused in one line and nothing
has changed; or every row is accounted for, rows that were not touched come in as they are, and of the others
none comes in with a value that the file does not hold.
"""

import csv
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from conftest import Server
from pgmrr.billing import Spelling, import_lines, import_periods
from pgmrr.errors import PgmrrError
from pgmrr.import_report import ImportReport
from pgmrr.sessions import open_session
from pgmrr.staging import Place, file_at
from pgmrr.stripe import import_stripe

ROWS = 12
Fact = tuple[str, str, str, datetime, datetime, int]
State = dict[str, list]

FACTS = """
    select coalesce(of_invoice_id, invoice_id), customer_id, currency, line_period_start at time zone 'UTC',
        line_period_end at time zone 'UTC', total
    from raw.invoice
    where superseded_by is null
"""
STATE = {
    "invoices": "select to_jsonb(i) from raw.invoice i order by 1",
    "customers": "select to_jsonb(c) from raw.customer c order by 1",
    "batches": "select to_jsonb(b) from meta.batch b order by 1",
    "rejected": "select to_jsonb(r) from raw.rejected_row r order by 1",
    "charges": "select to_jsonb(c) from billing.charge_cents c order by 1",
    "movements": "select to_jsonb(m) from ledger.movement_cents m order by 1",
    "coverage": "select to_jsonb(c) from meta.coverage c",
    "leftovers": "select relname from pg_catalog.pg_class where relnamespace = pg_my_temp_schema() order by 1",
}


@dataclass(frozen=True)
class Kind:
    """A source: how a fact is written in its file, and how the file is imported."""

    header: list[str]
    row: Callable[[Fact], list[str]]
    bring: Callable[[psycopg.Connection, Path], ImportReport]
    places: dict[str, int]  # of customer, currency, start, end and amount in a row
    trims: bool


def fact(number: int) -> Fact:
    start = datetime(2024, 1, 1) + timedelta(days=number)
    return f"in_{number}", f"cus_{number % 5}", "EUR", start, datetime(2024, 3, 1), 1000 + 137 * number


def _amount(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02}"


KINDS = {
    "stripe": Kind(
        header=[
            *("id", "Customer", "Currency", "Minimum Line Item Period Start (UTC)"),
            *("Maximum Line Item Period End (UTC)", "Total", "Subscription", "Status", "Date (UTC)"),
            *("Period Start (UTC)", "Period End (UTC)", "Amount Paid", "Note"),
        ],
        row=lambda f: [
            *(f[0], f[1], f[2], f"{f[3]:%Y-%m-%d %H:%M}", f"{f[4]:%Y-%m-%d %H:%M}", _amount(f[5])),
            *("sub", "paid", f"{f[3]:%Y-%m-%d %H:%M}", f"{f[3]:%Y-%m-%d %H:%M}", f"{f[3]:%Y-%m-%d %H:%M}"),
            *(_amount(f[5]), "a note"),
        ],
        bring=import_stripe,
        places={"customer": 1, "currency": 2, "start": 3, "end": 4, "amount": 5},
        trims=False,
    ),
    **{
        kind: Kind(
            header=["id", "customer", "currency", "start", "end", "amount", "subscription", "note"],
            row=lambda f: [*f[:3], f"{f[3]:%Y-%m-%d}", f"{f[4]:%Y-%m-%d}", _amount(f[5]), "sub", "a note"],
            bring=bring,
            places={"customer": 1, "currency": 2, "start": 3, "end": 4, "amount": 5},
            trims=True,
        )
        for kind, bring in {
            "lines": lambda connection, path: import_lines(
                connection, file_at(path, Place("lines", "lines")), spelling=Spelling()
            ),
            "periods": lambda connection, path: import_periods(
                connection, file_at(path, Place("periods", "periods")), spelling=Spelling()
            ),
        }.items()
    },
}

# What may stand in a cell, and what it means: None where the row must be rejected.
AMOUNTS = {
    **dict.fromkeys(["1.234,56", "1,234.56", "(12.00)", "NaN", "1e9", "Infinity", "", "12.345", "1 234", "€5"]),
    **dict.fromkeys(["1.234", "1,234", "--5", "5-", "0x10", "1_000", "٣", "99999999999999", "9" * 400]),
    **{"7": 700, "-3,5": -350, "+12.30": 1230, "0": 0, "9999999999999.99": 999999999999999},
}
DAYS = {
    **dict.fromkeys(
        ["2025-02-30", "03/04/2024", "13.13.2024", "0000-00-00", "9999-12-31", "20240101", "now", "-infinity"]
    ),
    **dict.fromkeys(["2024-01-01 25:00", "1704067200", "2024-01-01T", "24-01-01"]),
    **{"2024-2-9": datetime(2024, 2, 9), "2024-02-29 7:05": datetime(2024, 2, 29, 7, 5)},
}
CURRENCIES = {**dict.fromkeys(["EURO", "", "€", "E R", "EU1"]), "chf": "CHF"}
CUSTOMERS = {**dict.fromkeys(["", "c" * 300]), 'Ä, "ö"\n\'': 'Ä, "ö"\n\''}


@dataclass(frozen=True)
class Damage:
    """What happened to one row: a cell was replaced, or the text of the row was broken."""

    what: str
    place: int
    value: str = ""


def damages() -> st.SearchStrategy[Damage]:
    cells = [
        st.builds(Damage, st.just(what), st.just(0), st.sampled_from(list(values)))
        for what, values in (("amount", AMOUNTS), ("start", DAYS), ("end", DAYS), ("currency", CURRENCIES))
    ]
    cells.append(st.builds(Damage, st.just("customer"), st.just(0), st.sampled_from(list(CUSTOMERS))))
    cells.append(st.builds(Damage, st.just("amount"), st.just(0), st.text(max_size=8)))
    broken = ("cut", "more", "nul", "bytes", "surrogate", "huge", "twice")
    return st.one_of(*cells, *(st.builds(Damage, st.just(what), st.integers(0, 60)) for what in broken))


WHOLE = ["as it is"] * 6 + ["CR LF", "semicolons", "cut off", "a mark", "wide", "swapped", "one quote", "no header"]


@pytest.fixture(scope="module")
def connection(server: Server, template: str) -> Iterator[psycopg.Connection]:
    with server.databases() as create, open_session(create(template=template)) as connection:
        yield connection


def state(connection: psycopg.Connection) -> State:
    return {name: connection.execute(query).fetchall() for name, query in STATE.items()}


def written(cells: list[str], delimiter: str = ",") -> bytes:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="").writerow(cells)
    return text.getvalue().encode()


def damaged(kind: Kind, number: int, damage: Damage | None, delimiter: str) -> list[bytes]:
    """The row of a fact as it stands in the file, perhaps more than once."""
    cells = kind.row(fact(number))
    if damage and damage.what in kind.places:
        cells[kind.places[damage.what]] = damage.value
    text = written(cells, delimiter)
    if damage is None or damage.what in kind.places:
        return [text]
    place = damage.place % (len(text) - len("a note"))
    match damage.what:
        case "cut":
            return [text[: max(place, 1)]]
        case "more":
            return [text + delimiter.encode() + b"more"]
        case "twice":
            return [text, text]
    inserted = {"nul": b"\0", "bytes": b"\xff", "surrogate": b"\xed\xa0\x80", "huge": b"x" * 70_000}[damage.what]
    return [text[:place] + inserted + text[place:]]


def file_of(kind: Kind, damage: dict[int, Damage], whole: str, at: int) -> bytes:
    delimiter = ";" if whole == "semicolons" else ","
    rows = [row for number in range(ROWS) for row in damaged(kind, number, damage.get(number), delimiter)]
    header = written(kind.header, delimiter)
    if whole == "wide":
        header += b"".join(f",c{n}".encode() for n in range(1000))
        rows = [row + b"," * 1000 for row in rows]
    lines = rows if whole == "no header" else [header, *rows]
    text = (b"\r\n" if whole == "CR LF" else b"\n").join(lines)
    match whole:
        case "cut off":
            return text[: at % len(text)]
        case "a mark":
            return b"\xef\xbb\xbf" + text
        case "one quote":
            place = len(header) + 1 + at % (len(text) - len(header))
            return text[:place] + b'"' + text[place:]
        case "swapped":
            return written(["id", "Created (UTC)", "Payment Count"]) + b"\ncus_1,2024-01-01 0:00,3\n"
    return text


def meaning(kind: Kind, number: int, damage: Damage | None) -> Fact | None:
    """The only fact that may come of a row; None where it must be rejected."""
    key, customer, currency, start, end, amount = fact(number)
    if damage is None:
        return key, customer, currency, start, end, amount
    given = damage.value.strip(" ") if kind.trims else damage.value
    match damage.what:
        case "amount":
            amount = AMOUNTS[damage.value] if damage.value in AMOUNTS else _plain_amount(given)
        case "start":
            start = DAYS[given]
        case "end":
            end = DAYS[given]
        case "currency":
            currency = CURRENCIES[given]
        case "customer":
            customer = CUSTOMERS[given]
    found = (key, customer, currency, start, end, amount)
    if None in found or (kind.trims and end < start):
        return None
    return found


def _plain_amount(text: str) -> int | None:
    """An amount with up to two decimals, or more that are zeros, but not three digits behind the sign."""
    match = re.fullmatch(r"([+-]?)([0-9]{1,13})(?:[.,]([0-9]{1,2}|[0-9]{2}0{2,20}))?", text)
    if not match:
        return None
    cents = int(match[2]) * 100 + int(((match[3] or "") + "00")[:2])
    return -cents if match[1] == "-" else cents


@pytest.mark.parametrize("source", KINDS)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    damage=st.dictionaries(st.integers(0, ROWS - 1), damages(), max_size=5),
    whole=st.sampled_from(WHOLE),
    at=st.integers(0, 2000),
)
def test_a_damaged_file_is_refused_or_every_row_of_it_is_accounted_for(
    connection: psycopg.Connection, source: str, *, damage: dict[int, Damage], whole: str, at: int
) -> None:
    kind = KINDS[source]
    with TemporaryDirectory() as directory, connection.transaction(force_rollback=True):
        path = Path(directory) / "file.csv"
        path.write_bytes(file_of(kind, damage, whole, at))
        before = state(connection)
        try:
            report = kind.bring(connection, path)
        except PgmrrError as error:
            event("refused")
            assert "\n" not in error.message
            assert state(connection) == before
            assert whole not in ("as it is", "CR LF", "semicolons", "a mark") or not sound(kind, damage)
            return
        event("imported")
        check_sums(report)
        check_facts(connection, kind, damage, whole)
        imported = state(connection)
        again = kind.bring(connection, path)
        assert again.batch is None
        assert (again.invoices.rows, again.fates) == (report.invoices.rows, report.fates)
        assert state(connection) == imported


def sound(kind: Kind, damage: dict[int, Damage]) -> bool:
    """Whether some row of the file can be read."""
    return any(number not in damage or meaning(kind, number, damage[number]) for number in range(ROWS))


def check_sums(report: ImportReport) -> None:
    rows = report.invoices
    assert rows.rows == rows.new + rows.rejected
    assert rows.rows == sum(count for _, _, count in report.fates)
    assert rows.rejected == sum(rows.reasons.values())


def check_facts(connection: psycopg.Connection, kind: Kind, damage: dict[int, Damage], whole: str) -> None:
    found: dict[str, list[Fact]] = {}
    for row in connection.execute(FACTS).fetchall():
        # Within a cell, a quote is what it is.
        key, customer, *rest = (
            (row[0].replace('"', ""), row[1].replace('"', ""), *row[2:]) if whole == "one quote" else row
        )
        found.setdefault(key, []).append((key, customer, *rest))
    for number in range(ROWS):
        done = damage.get(number)
        facts_of_row = found.pop(fact(number)[0], [])
        expected = meaning(kind, number, done)
        if expected and whole == "one quote":
            expected = (expected[0], expected[1].replace('"', ""), *expected[2:])
        assert all(row == expected for row in facts_of_row), (done, facts_of_row)
        if whole in ("as it is", "CR LF", "semicolons", "a mark") and (done is None or done.what in kind.places):
            assert bool(facts_of_row) == (expected is not None), (done, facts_of_row)
    assert found == {}


@pytest.mark.parametrize("source", KINDS)
def test_the_good_file_comes_in_whole(connection: psycopg.Connection, tmp_path: Path, source: str) -> None:
    """What the damage is done to is without fault."""
    path = tmp_path / "file.csv"
    path.write_bytes(file_of(KINDS[source], {}, "as it is", 0))
    with connection.transaction(force_rollback=True):
        report = KINDS[source].bring(connection, path)
        assert (report.invoices.new, report.invoices.rejected) == (ROWS, 0)
        found = connection.execute(FACTS).fetchall()
        assert sorted(found) == sorted(fact(number) for number in range(ROWS))
