"""The rules in SQL against the reference in plain Python, which knows the methodology and nothing of the SQL."""

import csv
import os
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import permutations
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import facts
import strategies
from conftest import NewDatabase, Server
from reference import Result, Settings, evaluate, read_stripe_export
from strategies import Company

# Many more with scripts/test --full, which raises the default of 100.
EXAMPLES = max(120, settings().max_examples)
STORED = {
    "billing.charge_cents": "customer_id, invoice_id, basis",
    "ledger.movement_cents": "customer_id, currency, effective_on",
    "ledger.daily_change_cents": "effective_on, currency, kind",
    "ledger.daily_term_cents": "starts_on, currency, months, is_renewal",
    "ledger.currency": "currency",
    "meta.coverage": "is_only_row",
}


@pytest.fixture(scope="module")
def connection(server: Server, template: str) -> Iterator[psycopg.Connection]:
    """A session on a database without data, in which each example is rolled back."""
    with server.databases() as create, psycopg.connect(create(template=template)) as opened:
        yield opened


def stored(connection: psycopg.Connection) -> dict[str, list[tuple]]:
    """All that a refresh keeps."""
    return {
        table: connection.execute(f"select * from {table} order by {key}".encode()).fetchall()
        for table, key in STORED.items()
    }


def assert_equal(connection: psycopg.Connection, expected: Result) -> int:
    """Assert that what is stored is what the reference says; how many rows were compared."""
    charges, ledger = facts.charges(connection), facts.ledger(connection)
    assert charges == expected.charges
    assert ledger == expected.ledger
    assert facts.coverage(connection) == expected.coverage
    assert facts.not_counted(connection) == expected.not_counted
    assert facts.one_offs(connection) == expected.one_off
    return len(charges) + len(ledger)


def first_start(expected: Result) -> date | None:
    """The first day of a complete history, which a simulation or an import notes."""
    return expected.coverage.observed_from


def test_generated_companies_come_out_as_the_reference_says(connection: psycopg.Connection) -> None:
    compared = 0

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(strategies.companies(), strategies.settings())
    def check(company: Company, report: Settings) -> None:
        nonlocal compared
        expected = evaluate(company.invoices, company.customers, report)
        try:
            facts.choose(connection, report)
            facts.bring_in(connection, company.invoices, company.customers, report, first_start(expected))
            compared += assert_equal(connection, expected)
        finally:
            connection.rollback()

    check()
    assert compared > 3 * EXAMPLES


def test_any_order_of_batches_leaves_what_a_rebuild_makes(connection: psycopg.Connection) -> None:
    compared = 0

    @settings(max_examples=EXAMPLES // 3, deadline=None, suppress_health_check=list(HealthCheck))
    @given(strategies.companies(), st.randoms(use_true_random=False))
    def check(company: Company, random) -> None:
        nonlocal compared
        report = Settings()
        expected = evaluate(company.invoices, company.customers, report)
        shuffled = list(company.invoices)
        random.shuffle(shuffled)
        cut = random.randint(0, len(shuffled))
        try:
            facts.choose(connection, report)
            for part in (shuffled[:cut], shuffled[cut:]):
                if part:
                    facts.bring_in(connection, part, company.customers, report)
            refreshed = stored(connection)
            assert_equal(connection, expected)
            connection.execute("call pipeline.rebuild()")
            assert stored(connection) == refreshed
            compared += len(refreshed["billing.charge_cents"]) + len(refreshed["ledger.movement_cents"])
        finally:
            connection.rollback()

    check()
    assert compared > EXAMPLES


def test_what_was_known_after_a_batch_can_be_told_later(connection: psycopg.Connection) -> None:
    compared = 0

    @settings(max_examples=EXAMPLES // 6, deadline=None, suppress_health_check=list(HealthCheck))
    @given(strategies.companies(), st.integers(0, 12))
    def check(company: Company, cut: int) -> None:
        nonlocal compared
        report = Settings()
        known = []
        try:
            facts.choose(connection, report)
            for part in (company.invoices[:cut], company.invoices[cut:]):
                if part:
                    batch = facts.bring_in(connection, part, company.customers, report)
                    known.append((batch, stored(connection)))
            for batch, then in known:
                columns = "customer_id, currency, effective_on, kind, customers, change, balance, unpaid_change"
                told = connection.execute(
                    f"select {columns} from pipeline.movements(null, %s) order by customer_id, currency, effective_on",
                    [batch],
                ).fetchall()
                assert sorted(told) == sorted(then["ledger.movement_cents"])
                compared += len(told)
        finally:
            connection.rollback()

    check()
    assert compared > EXAMPLES // 6


@pytest.fixture(scope="module")
def handmade(repository: Path) -> Path:
    """The directory of the export whose every figure was computed by hand."""
    return repository / "tests/data/handmade"


def cents(text: str) -> int | None:
    return int(Decimal(text) * 100) if text else None


def test_the_handmade_export_comes_out_as_computed_by_hand(connection: psycopg.Connection, handmade: Path) -> None:
    invoices, customers = read_stripe_export(handmade / "invoices.csv", handmade / "customers.csv")
    try:
        facts.choose(connection, Settings())
        facts.bring_in(connection, invoices, customers, Settings())
        charges = [
            (
                *(c.invoice_id, c.basis, c.customer_id, c.subscription_id, c.currency),
                *(f"{c.starts_at:%Y-%m-%d %H:%M}", f"{c.ends_at:%Y-%m-%d %H:%M}", str(c.starts_on), str(c.ends_on)),
                *(c.net, c.months, c.mrr, c.unmatched, c.carries_arrears, c.note or ""),
            )
            for c in facts.charges(connection)
        ]
        ledger = [
            (m.customer_id, m.currency, str(m.effective_on), m.change, m.balance, m.kind)
            for m in facts.ledger(connection)
        ]
        set_aside = [(o.invoice_id, "one-off", o.possible_replacement) for o in facts.one_offs(connection)]
        set_aside += [(n.invoice_id, "not counted", None) for n in facts.not_counted(connection)]
    finally:
        connection.rollback()

    with (handmade / "expected_charges.csv").open(newline="") as file:
        expected = [
            (
                *[row[name] for name in list(row)[:9]],
                *(cents(row["net"]), int(row["months"]) if row["months"] else None, cents(row["mrr"])),
                *(cents(row["unmatched"]), row["carries_arrears"] == "true", row["note"]),
            )
            for row in csv.DictReader(file)
        ]
    assert sorted(charges, key=repr) == sorted(expected, key=repr)
    assert len(expected) == 30
    with (handmade / "expected_ledger.csv").open(newline="") as file:
        expected = [
            (r["customer_id"], r["currency"], r["effective_on"], cents(r["change"]), cents(r["balance"]), r["kind"])
            for r in csv.DictReader(file)
        ]
    assert sorted(ledger) == sorted(expected)
    assert {kind for *_, kind in ledger} == {
        *("preexisting", "new", "reactivation", "expansion", "contraction", "rounding", "churn")
    }
    with (handmade / "expected_set_aside.csv").open(newline="") as file:
        expected = [
            (r["invoice_id"], r["fate"], r["possible_replacement"] == "true" if r["fate"] == "one-off" else None)
            for r in csv.DictReader(file)
        ]
    assert sorted(set_aside) == sorted(expected)


@pytest.mark.parametrize(
    "plan",
    [
        ["enable_hashagg = off", "enable_hashjoin = off"],
        ["enable_sort = off", "work_mem = '64kB'"],
        [
            *("min_parallel_table_scan_size = 0", "min_parallel_index_scan_size = 0"),
            *("parallel_setup_cost = 0", "parallel_tuple_cost = 0", "max_parallel_workers_per_gather = 2"),
        ],
        ["timezone = 'Pacific/Auckland'", "datestyle = 'German'"],
        ["extra_float_digits = -15", "intervalstyle = 'sql_standard'"],
    ],
    ids=lambda plan: plan[0].split(" = ")[0],
)
def test_figures_do_not_depend_on_plan_or_session(
    connection: psycopg.Connection, handmade: Path, plan: list[str]
) -> None:
    invoices, customers = read_stripe_export(handmade / "invoices.csv", handmade / "customers.csv")
    expected = evaluate(invoices, customers, Settings())
    try:
        for setting in plan:
            connection.execute(f"set local {setting}".encode())
        facts.choose(connection, Settings())
        facts.bring_in(connection, invoices, customers, Settings())
        # Dates come back in the session's style, which the driver cannot read.
        connection.execute("set local datestyle = 'ISO'")
        assert assert_equal(connection, expected) == 68
    finally:
        connection.rollback()


def test_overlapping_windows_of_an_export_arrive_in_any_order(
    new_database: NewDatabase, template: str, handmade: Path
) -> None:
    invoices, customers = read_stripe_export(handmade / "invoices.csv", handmade / "customers.csv")
    ordered = sorted(invoices, key=lambda invoice: (invoice.issued_at, invoice.invoice_id))
    windows = [ordered[:16], ordered[8:26], ordered[20:]]
    states = []
    for order in permutations(windows):
        with psycopg.connect(new_database(template=template)) as opened:
            facts.choose(opened, Settings())
            for window in order:
                facts.bring_in(opened, window, customers, Settings())
            states.append(stored(opened))
            opened.execute("call pipeline.rebuild()")
            assert stored(opened) == states[-1]
    assert len(states) == 6
    assert all(state == states[0] for state in states)
    assert len(states[0]["billing.charge_cents"]) == 30


@pytest.fixture(scope="module")
def real_export(repository: Path) -> Path:
    """A real export beside the checkout."""
    directory = Path(os.environ.get("PGMRR_REAL_EXPORT") or repository.parent / "shared/data/stripe-export")
    if not directory.is_dir():
        pytest.skip("no real export lies beside the checkout")
    return directory


def test_the_real_export_comes_out_as_the_reference_says(connection: psycopg.Connection, real_export: Path) -> None:
    invoices, customers = read_stripe_export(real_export / "invoices.csv", real_export / "customers.csv")
    expected = evaluate(invoices, customers, Settings())
    try:
        facts.choose(connection, Settings())
        facts.bring_in(connection, invoices, customers, Settings())
        assert assert_equal(connection, expected) == 18587
        examples = {
            charge.invoice_id: Decimal(charge.mrr) / 100
            for charge in facts.charges(connection)
            if charge.basis != "implied"
        }
    finally:
        connection.rollback()
    assert examples["in_1Qs6U2AFeGZf0UoOcllQ5SLm"] == Decimal("39.00")  # a seat added in mid-cycle
    assert examples["in_1QpPaUAFeGZf0UoOoulu1Wnv"] == Decimal("59.00")  # from monthly to annual
    assert examples["in_1QpTj8AFeGZf0UoOiGfcQr1u"] == Decimal("117.00")  # from annual to monthly
    assert expected.coverage.observed_from == date(2025, 1, 1)
    assert expected.coverage.complete_through == date(2025, 2, 26)


def test_statistics_that_take_full_tables_for_empty_do_no_harm(connection: psycopg.Connection, handmade: Path) -> None:
    invoices, customers = read_stripe_export(handmade / "invoices.csv", handmade / "customers.csv")
    many = [
        invoice.__class__(
            **{
                **vars(invoice),
                **{name: f"{getattr(invoice, name)}_{n}" for name in ("invoice_id", "customer_id")},
                "subscription_id": invoice.subscription_id and f"{invoice.subscription_id}_{n}",
            }
        )
        for n in range(150)
        for invoice in invoices
    ]
    try:
        facts.choose(connection, Settings())
        connection.execute(
            "update pg_class set reltuples = 0, relpages = 1000"
            " where relnamespace in ('raw'::regnamespace, 'billing'::regnamespace, 'ledger'::regnamespace)"
        )
        # Nested loops would take hours here; the statement would be cancelled.
        connection.execute("set local statement_timeout = '60s'")
        facts.bring_in(connection, many, customers, Settings())
        assert len(facts.charges(connection)) == 30 * 150
    finally:
        connection.rollback()


def test_times_are_utc_whatever_the_session_says(connection: psycopg.Connection) -> None:
    try:
        connection.execute("set local timezone = 'Pacific/Auckland'")
        read = connection.execute("select pipeline.parse_time('2025-02-27 9:56')").fetchone()[0]
    finally:
        connection.rollback()
    assert read == datetime(2025, 2, 27, 9, 56, tzinfo=UTC)
