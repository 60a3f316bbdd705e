"""The rules R1 to R11 in SQL: against the plain-Python reference, and refresh, rebuild and as-of against each other.

Companies are generated. Each example lives in a transaction that is rolled back; what was compared is counted,
so that no test can pass by comparing nothing.
"""

import csv
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from itertools import groupby
from operator import add
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from psycopg.rows import namedtuple_row
from psycopg.types.datetime import DateBinaryLoader, TimestamptzBinaryLoader

import facts
from billed_lines import lined
from conftest import Server
from pgmrr.migrations import migrate
from pgmrr.server_user import server_user
from pgmrr.stripe import import_stripe
from reference import FOREVER, Charge, Invoice, Movement, Result, Settings, add_months, evaluate, read_stripe_export
from scrambles import scrambles
from strategies import Company, Draw, companies, settings
from test_reference import bill, rules_met

HANDMADE = Path(__file__).parents[1] / "data" / "handmade"
REAL = Path(__file__).parents[2] / ".." / "shared" / "data" / "stripe-export"
DEBIAN_15 = Path("/usr/lib/postgresql/15/bin")

AS_A_WRITER = "-c role=pgmrr_writer"

# What a refresh keeps, row by row. Binary values don't depend on the session's time zone and style of dates.
KEPT = {
    "charges": "select * from billing.charge_cents order by customer_id, invoice_id, basis",
    "movements": "select * from ledger.movement_cents order by customer_id, currency, effective_on",
    "days": "select * from ledger.daily_change_cents order by effective_on, currency, kind",
    "terms": "select * from ledger.daily_term_cents order by starts_on, currency, months, is_renewal",
    "paying": "select * from ledger.paying_cents order by customer_id, currency",
    "prices": "select * from ledger.price_cents order by currency, is_only_currency, by_month, by_year, by_other, mrr",
    "cohorts": "select * from ledger.cohort_month_cents order by cohort, is_new, month, currency, customer_id",
    "fates": "select * from billing.fate_cents order by customer_id, currency, status, became",
    "histories": "select * from ledger.history order by customer_id",
    "currencies": "select * from ledger.currency order by currency",
    "coverage": "select * from meta.coverage",
}

# The same, evaluated anew on the facts as they were known after a batch, or now (NULL).
EVALUATED = {
    "charges": """
        select * from pipeline.charges(null, %s)
        order by customer_id collate "C", invoice_id collate "C", basis
    """,
    "movements": """
        select * from pipeline.movements(null, %s)
        order by customer_id collate "C", currency collate "C", effective_on
    """,
}

# R10: kinds that only add, and kinds that only take away.
GAINS = {b"preexisting", b"new", b"reactivation", b"expansion"}
LOSSES = {b"contraction", b"churn"}

PLANS = {
    "no hash aggregates": {"enable_hashagg": "off"},
    "no hash joins": {"enable_hashjoin": "off"},
    "nested loops": {"enable_hashjoin": "off", "enable_mergejoin": "off", "enable_nestloop": "on"},
    "little memory": {"work_mem": "64kB", "hash_mem_multiplier": "1"},
    "parallel workers": {
        "min_parallel_table_scan_size": "0",
        "min_parallel_index_scan_size": "0",
        "parallel_setup_cost": "0",
        "parallel_tuple_cost": "0",
        "max_parallel_workers_per_gather": "2",
    },
    "Auckland": {"TimeZone": "Pacific/Auckland"},
    "German dates": {"DateStyle": "German, DMY"},
}

Rows = dict[str, list[Any]]


def generated(examples: int) -> hypothesis_settings:
    """Few examples are always the same ones, many are new ones each time."""
    return hypothesis_settings(
        max_examples=examples,
        deadline=None,
        derandomize=examples < 1000,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


def few_or_many(few: int, many: int) -> pytest.MarkDecorator:
    """Runs a test on few examples always, and on many with ``--full``."""
    return pytest.mark.parametrize("examples", [few, pytest.param(many, marks=pytest.mark.full)])


@pytest.fixture(scope="module")
def connection(server: Server, template: str) -> Iterator[psycopg.Connection]:
    """A writer's session on a database without data."""
    with (
        server.databases() as create,
        psycopg.connect(create(template=template), autocommit=True, options=AS_A_WRITER) as connection,
    ):
        yield connection


# --------------------------------------------------------------------------------------- what is generated


@st.composite
def crowds(draw: Draw) -> Company:
    """Some companies as one, with the history that they share: it begins with one of their invoices."""
    invoices, customers = [], []
    for number, company in enumerate(draw(st.lists(companies(), min_size=1, max_size=4))):
        customers += [replace(c, customer_id=f"{c.customer_id}_{number}") for c in company.customers]
        invoices += [
            replace(i, customer_id=f"{i.customer_id}_{number}", invoice_id=f"{i.invoice_id}_{number}")
            for i in company.invoices
        ]
    issued = sorted(invoice.issued_at for invoice in invoices)
    first = issued[draw(st.integers(0, len(issued) // 2))]
    return Company([invoice for invoice in invoices if invoice.issued_at >= first], customers)


@st.composite
def deliveries(draw: Draw) -> list[Company]:
    """A crowd as it arrives: in batches, in any order, some invoices first in another version.

    One or two batches touch a customer; the others may move the beginning of the history under it.
    """
    crowd = draw(st.one_of(crowds(), lined(crowds())))
    batches = [Company([], []) for _ in range(draw(st.integers(2, 4)))]
    some = st.lists(st.integers(0, len(batches) - 1), min_size=1, max_size=2)
    touching = {customer_id: draw(some) for customer_id in sorted({i.customer_id for i in crowd.invoices})}
    for invoice in crowd.invoices:
        places = st.sampled_from(touching[invoice.customer_id])
        last, earlier = draw(places), draw(places)
        batches[last].invoices.append(invoice)
        if earlier < last:
            batches[earlier].invoices.append(_as_it_was(draw, invoice))
    for customer in crowd.customers:
        for place in set(touching.get(customer.customer_id, [0])):
            payments = draw(st.sampled_from([customer.payment_count, 0, 9]))
            batches[place].customers.append(replace(customer, payment_count=payments))
    return batches


def _as_it_was(draw: Draw, invoice: Invoice) -> Invoice:
    """An earlier version of an invoice: not yet paid or void, of another amount, for another time."""
    later = invoice.line_end if invoice.line_end in (None, FOREVER) else add_months(invoice.line_end, 1)
    return draw(
        st.sampled_from(
            [
                replace(invoice, status="draft"),
                replace(invoice, status="open", amount_paid=0),
                replace(invoice, status="void"),
                replace(invoice, total=invoice.total + 700),
                replace(invoice, line_end=later),
                replace(invoice, subscription_id=None),
            ]
        )
    )


def facts_after(batches: list[Company]) -> Company:
    """The facts in force after some batches: of each invoice and customer the last version."""
    invoices = {invoice.invoice_id: invoice for batch in batches for invoice in batch.invoices}
    customers = {customer.customer_id: customer for batch in batches for customer in batch.customers}
    return Company(list(invoices.values()), list(customers.values()))


# ------------------------------------------------------------------------------------------ what is compared


def bring_in(connection: psycopg.Connection, company: Company, report: Settings) -> Result:
    """Settings and facts in one batch; returns what the reference makes of them."""
    expected = evaluate(company.invoices, company.customers, report)
    is_complete = report.history == "complete"
    facts.choose(connection, report)
    facts.bring_in(
        connection,
        company.invoices,
        company.customers,
        report,
        expected.coverage.observed_from if is_complete else None,
    )
    return expected


def compare(connection: psycopg.Connection, expected: Result) -> Counter[str]:
    """Asserts that the database says what the reference says; returns how many rows were compared."""
    charges, ledger = facts.charges(connection), facts.ledger(connection)
    assert charges == expected.charges
    assert ledger == expected.ledger
    assert facts.coverage(connection) == expected.coverage
    assert facts.one_offs(connection) == expected.one_off
    assert facts.not_counted(connection) == expected.not_counted
    return Counter(
        charges=len(charges),
        implied=sum(charge.basis == "implied" for charge in charges),
        movements=len(ledger),
        one_offs=len(expected.one_off),
        not_counted=len(expected.not_counted),
    )


class EndlessDate(DateBinaryLoader):
    """Dates of charges that go on are infinite."""

    def load(self, data: bytes) -> date:
        return FOREVER.date() if data == b"\x7f\xff\xff\xff" else super().load(data)


class EndlessTime(TimestamptzBinaryLoader):
    """And so are their times."""

    def load(self, data: bytes) -> datetime:
        return FOREVER.replace(tzinfo=UTC) if data == b"\x7f" + 7 * b"\xff" else super().load(data)


def rows(connection: psycopg.Connection, query: str, *parameters: object) -> list[Any]:
    cursor = connection.cursor(binary=True, row_factory=namedtuple_row)
    cursor.adapters.register_loader("date", EndlessDate)
    cursor.adapters.register_loader("timestamptz", EndlessTime)
    return cursor.execute(query.encode(), parameters).fetchall()


def kept(connection: psycopg.Connection) -> Rows:
    """What the refresh keeps."""
    return {name: rows(connection, query) for name, query in KEPT.items()}


def evaluated(connection: psycopg.Connection, batch: int | None) -> Rows:
    """Charges and movements as the functions make them of the facts known after a batch."""
    return {name: rows(connection, query, batch) for name, query in EVALUATED.items()}


@contextmanager
def under(connection: psycopg.Connection, options: Mapping[str, str]) -> Iterator[None]:
    """Other settings of the session, for a part of the present transaction."""
    with connection.transaction(force_rollback=True):
        for name, value in options.items():
            connection.execute("select set_config(%s, %s, true)", (name, value))
        yield


# ------------------------------------------------------------------------------------- SQL and the reference


def test_the_hand_written_export_comes_out_as_computed_by_hand(connection: psycopg.Connection) -> None:
    export = Company(*read_stripe_export(HANDMADE / "invoices.csv", HANDMADE / "customers.csv"))
    with connection.transaction(force_rollback=True):
        bring_in(connection, export, Settings())
        assert as_computed_by_hand("expected_charges.csv", facts.charges(connection)) == 30
        assert as_computed_by_hand("expected_ledger.csv", facts.ledger(connection)) == 38
        set_aside = {(x.invoice_id, "not counted", x.status, "") for x in facts.not_counted(connection)}
        set_aside |= {
            (x.invoice_id, "one-off", x.reason, str(x.possible_replacement).lower()) for x in facts.one_offs(connection)
        }
    assert set_aside == {tuple(row.values()) for row in by_hand_in("expected_set_aside.csv")}
    assert len(set_aside) == 5


def as_computed_by_hand(name: str, computed: list[Charge] | list[Movement]) -> int:
    """Asserts that charges or movements are those of a file in every column; returns how many there are."""
    by_hand = by_hand_in(name)
    as_text = [{column: text(column, getattr(row, column)) for column in by_hand[0]} for row in computed]
    assert sorted(as_text, key=repr) == sorted(by_hand, key=repr)
    return len(as_text)


def by_hand_in(name: str) -> list[dict[str, str]]:
    with (HANDMADE / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def text(column: str, value: object) -> str:
    """A value of the reference as the files write it."""
    if value is None:
        return ""
    if column in ("net", "mrr", "unmatched", "change", "balance"):
        return f"{Decimal(value) / 100:.2f}"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:%Y-%m-%d %H:%M}" if isinstance(value, datetime) else str(value)


# The floors are half of what an example compares on average, of charges, movements, balances and totals by day:
# other versions of Hypothesis generate other companies. There are 24 rules that a company can meet, 22 by its lines.
# Hypothesis repeats itself, most of all where stories are short: `different` is the least share of other companies.
# With --full, these are more than 10,000: 0.65 * 5,200 + 0.97 * 7,000 = 10,170.
GENERATED = {
    "stories": (crowds(), (4, 4, 7, 7), 22, Fraction("0.65"), 2600),
    "scrambles": (scrambles(), (18, 19, 29, 27), 22, Fraction("0.97"), 4400),
    "lines of stories": (lined(crowds()), (8, 6, 8, 8), 19, Fraction("0.65"), 2600),
    "lines of scrambles": (lined(scrambles()), (30, 25, 35, 35), 19, Fraction("0.97"), 2600),
}


@pytest.mark.parametrize(
    ("kind", "examples"),
    [(kind, 100) for kind in GENERATED]
    + [pytest.param(kind, many, marks=pytest.mark.full) for kind, (*_, many) in GENERATED.items()],
)
def test_generated_companies_come_out_as_the_reference_says(
    connection: psycopg.Connection, kind: str, examples: int
) -> None:
    company, floors, rules, different, _ = GENERATED[kind]
    compared, met, seen = Counter(), Counter(), set()

    @generated(examples)
    @given(company, settings())
    def check(company: Company, report: Settings) -> None:
        with connection.transaction(force_rollback=True):
            expected = bring_in(connection, company, report)
            compared.update(compare(connection, expected))
            compared.update(identities(stored := kept(connection)))
            seen.add(hash(repr((company, report))))
            compared["invoices"] += charges_repeat_what_invoices_state(stored["charges"], company.invoices)
        met.update(rules_met(company, expected))

    check()
    print(f"{len(seen)} different companies:", dict(compared))
    assert len(seen) >= different * examples
    for name, floor in zip(("charges", "movements", "balances", "totals"), floors, strict=True):
        assert compared[name] >= floor * examples, name
    assert compared["charges"] == compared["invoices"]
    assert compared["one_offs"] > examples / 4
    assert sum(count >= examples / 50 for count in met.values()) >= rules


def charges_repeat_what_invoices_state(charges: list[Any], invoices: list[Invoice]) -> int:
    """What a charge says of its invoice, which the reference leaves to the invoice."""
    by_id = {invoice.invoice_id: invoice for invoice in invoices}
    for charge in charges:
        invoice = by_id[charge.invoice_id]
        has_period = None not in (invoice.period_start, invoice.period_end)
        assert charge.issued_at.astimezone(UTC) == invoice.issued_at.replace(tzinfo=UTC)
        assert charge.is_unpaid == (invoice.status in ("open", "draft"))
        assert charge.is_renewal == (has_period and invoice.period_start < invoice.period_end)
        assert charge.basis in (b"term", b"implied") or charge.amount == charge.net
    return len(charges)


@pytest.mark.parametrize(
    ("invoices", "mrr"),
    [
        pytest.param(
            [
                bill(36500, ("2025-01-03 0:00", "2026-01-03 0:00")),
                bill(-30495, ("2025-03-04 0:00", "2026-01-03 0:00")),  # 305.00 unused: 0.05 is left
            ],
            [3042, -3041],
            id="a swap that leaves 0.05 is a credit",
        ),
        pytest.param(
            [
                bill(36500, ("2025-01-03 0:00", "2026-01-03 0:00")),
                bill(-30494, ("2025-03-04 0:00", "2026-01-03 0:00")),
            ],
            [3042, 6],
            id="a swap that leaves 0.06 is a swap",
        ),
        pytest.param(
            [
                bill(36500, ("2025-01-03 0:00", "2026-01-03 0:00")),
                bill(3100, ("2025-02-03 0:00", "2025-03-03 0:00")),  # 334.00 unused
                bill(-30000, ("2025-03-04 0:00", "2026-01-03 0:00")),
            ],
            [3042, 36500, 0],
            id="what a restart has cut cannot be swapped",
        ),
        pytest.param(
            [
                bill(36500, ("2025-01-03 0:00", "2026-01-03 0:00")),
                bill(0, ("2025-03-04 0:00", "2026-01-03 0:00")),
                bill(32600, ("2025-04-04 0:00", "2026-04-04 0:00")),  # 274.00 unused
            ],
            [3042, 0, 5000],
            id="a change for nothing is no swap",
        ),
        pytest.param(
            [bill(3900, ("2025-03-01 0:00", "2025-04-01 0:00"), ("2025-02-01 0:00", "2025-03-01 0:00"))],
            [3900, 3900],
            id="a renewal proves a cycle of 28 days",
        ),
        pytest.param(
            [bill(3900, ("2025-03-01 0:00", "2025-04-01 0:00"), ("2025-02-01 0:01", "2025-03-01 0:00"))],
            [3900],
            id="a renewal proves no cycle of a minute less",
        ),
        pytest.param(
            [
                bill(0, ("2025-02-01 6:00", "2025-02-15 0:00")),
                bill(3900, ("2025-03-01 0:00", "2025-04-01 0:00"), ("2025-02-01 0:00", "2025-03-01 0:00")),
            ],
            [0, 3900],
            id="a renewal proves no cycle of which a free part is known",
        ),
        pytest.param(
            [
                bill(1000, ("2025-01-10 0:00", "2025-02-10 0:00")),
                bill(-1500, ("2025-01-25 12:00", "2025-02-10 0:00"), ("2025-01-10 0:00", "2025-01-25 12:00")),
                bill(1300, ("2025-01-28 0:00", "2025-02-10 0:00"), ("2025-01-10 0:00", "2025-01-28 0:00")),
                bill(-500, ("2025-02-05 0:00", "2025-02-10 0:00"), ("2025-01-10 0:00", "2025-02-05 0:00")),
            ],
            [1000, -1000, 3100, -3100],
            id="an earlier credit counts with what it took",
        ),
        pytest.param(
            [
                bill(1000, ("2025-01-05 0:00", "2025-02-05 0:00"), of_invoice_id="in_a"),
                bill(12000, ("2025-01-10 0:00", "2026-01-10 0:00"), of_invoice_id="in_b"),
            ],
            [1000, 1000],
            id="the lines of a month and of a year are plans side by side",
        ),
        pytest.param(
            [
                bill(1000, ("2025-01-05 0:00", "2025-02-05 0:00"), of_invoice_id="in_a"),
                bill(-500, ("2025-01-20 12:00", "2025-02-05 0:00"), of_invoice_id="in_b"),
                bill(1000, ("2025-01-20 12:00", "2025-02-05 0:00"), invoice_id="in_b#2", of_invoice_id="in_b"),
            ],
            [1000, -1000, 2000],
            id="a line for what is unused and one for what remains are a step",
        ),
        pytest.param(
            [
                bill(
                    900,
                    ("2025-02-05 0:00", "2025-03-05 0:00"),
                    ("2025-01-05 0:00", "2025-02-05 0:00"),
                    of_invoice_id="in_a",
                ),
                bill(
                    24000,
                    ("2025-02-05 0:00", "2026-02-05 0:00"),
                    ("2025-01-05 0:00", "2025-02-05 0:00"),
                    invoice_id="in_a#2",
                    of_invoice_id="in_a",
                ),
            ],
            [2900, 900, 2000],
            id="a renewal by two lines proves a cycle of both",
        ),
        pytest.param(
            [bill(0, ("2025-02-05 0:00", "2025-02-20 0:00"), monthly=700, of_invoice_id="in_a")],
            [700],
            id="what is listed a month is worth that, however long it runs",
        ),
    ],
)
def test_corners_come_out_as_computed_by_hand(
    connection: psycopg.Connection, invoices: list[Invoice], mrr: list[int]
) -> None:
    with connection.transaction(force_rollback=True):
        compare(connection, bring_in(connection, Company(invoices, []), Settings()))
        charges = sorted(facts.charges(connection), key=lambda charge: charge.starts_at)
        assert [charge.mrr for charge in charges] == mrr


def test_an_implied_cycle_tells_how_a_customer_began_before_a_new_plan_of_that_day(
    connection: psycopg.Connection,
) -> None:
    new = bill(1000, ("2025-01-05 12:00", "2025-02-05 12:00"), subscription_id="sub_0")
    renewed = bill(3900, ("2025-02-05 0:00", "2025-03-05 0:00"), ("2025-01-05 0:00", "2025-02-05 0:00"))
    report = Settings(observed_from=date(2025, 1, 1))
    with connection.transaction(force_rollback=True):
        compare(connection, bring_in(connection, Company([new, renewed], []), report))
        assert facts.ledger(connection)[0].kind == "preexisting"


# --------------------------------------------------------------------------------- refresh, rebuild and as-of


@few_or_many(80, 600)
def test_batches_in_any_order_leave_what_a_rebuild_makes(connection: psycopg.Connection, examples: int) -> None:
    compared = Counter()

    @generated(examples)
    @given(deliveries(), settings())
    def check(batches: list[Company], report: Settings) -> None:
        with connection.transaction(force_rollback=True):
            facts.choose(connection, report)
            after = {}
            for batch in batches:
                covered_from = first_service_on(batch, report)
                number = facts.bring_in(connection, batch.invoices, batch.customers, report, covered_from)
                after[number] = kept(connection)
            refreshed = after[number]
            compared.update(identities(refreshed))

            known = facts_after(batches)
            expected = evaluate(known.invoices, known.customers, report)
            assert facts.charges(connection) == expected.charges
            assert facts.ledger(connection) == expected.ledger
            if report.history == "truncated":
                assert facts.coverage(connection) == expected.coverage

            for _ in "rebuilt", "rebuilt again":
                connection.execute("call pipeline.rebuild()")
                assert kept(connection) == refreshed
            compared.update({name: len(table) for name, table in refreshed.items()})

            for number, then in after.items():
                as_of = evaluated(connection, number)
                assert as_of == {name: then[name] for name in as_of}
                compared["as of"] += sum(map(len, as_of.values()))
            assert evaluated(connection, None) == as_of

    check()
    assert compared["coverage"] == examples
    assert min(compared[name] for name in ("charges", "movements", "days", "balances", "totals")) > 4 * examples
    assert min(compared["terms"], compared["currencies"]) > examples
    assert compared["as of"] > 20 * examples


def first_service_on(batch: Company, report: Settings) -> date | None:
    """The day on which a complete history begins, as far as a batch tells."""
    starts = [invoice.line_start for invoice in batch.invoices if invoice.line_start]
    return report.day(min(starts)) if report.history == "complete" and starts else None


def test_refreshing_some_customers_of_the_real_export_changes_nothing(real: psycopg.Connection) -> None:
    before = kept(real)
    assert [len(before[name]) for name in ("charges", "movements")] == [11612, 7053]
    identities(before)
    with real.transaction(force_rollback=True):
        some = "select array(select customer_id from raw.customer where hashtext(customer_id) % 50 = 0)"
        [customers] = real.execute(some).fetchone()
        assert len(customers) > 500
        real.execute("call pipeline.refresh(%s)", (customers,))
        assert kept(real) == before
        real.execute("call pipeline.rebuild()")
        assert kept(real) == before


def test_a_rebuild_mends_what_is_wrong_and_writes_nothing_else(connection: psycopg.Connection) -> None:
    """Also a charge and a movement of a customer who has no invoices, and totals from nothing."""
    export = Company(*read_stripe_export(HANDMADE / "invoices.csv", HANDMADE / "customers.csv"))
    with connection.transaction(force_rollback=True):
        bring_in(connection, export, Settings())
        before, places = kept(connection), places_of_rows(connection)
        assert len(places) > 100
        connection.execute("call pipeline.rebuild()")
        assert places_of_rows(connection) == places

        for fault in FAULTS:
            assert connection.execute(fault.encode()).rowcount > 0
        broken, left = kept(connection), places_of_rows(connection)
        assert all(broken[name] != before[name] for name in ("charges", "movements", "days", "terms"))
        connection.execute("call pipeline.rebuild()")
        assert kept(connection) == before
        assert places & left <= places_of_rows(connection)

        for table in TABLES_KEPT:
            connection.execute(f"delete from {table}".encode())
        connection.execute("call pipeline.rebuild()")
        assert kept(connection) == before


TABLES_KEPT = (
    "billing.charge_cents",
    "ledger.movement_cents",
    "ledger.daily_change_cents",
    "ledger.daily_term_cents",
)
FAULTS = (
    "update billing.charge_cents set mrr = mrr + 1 where invoice_id = 'in_renewal_2'",
    "delete from billing.charge_cents where ctid = (select max(c.ctid) from billing.charge_cents c)",
    """
    insert into billing.charge_cents
    select (jsonb_populate_record(c, '{"customer_id": "cus_nobody"}')).*
    from billing.charge_cents c
    limit 1
    """,
    "update ledger.movement_cents set kind = 'expansion' where kind = 'new'",
    "insert into ledger.movement_cents values ('cus_nobody', 'EUR', '2025-01-15', 'new', 1, 100, 100, 0)",
    "update ledger.daily_change_cents d set change = change + 1 where d.kind = 'churn'",
    "delete from ledger.daily_term_cents d where d.is_renewal",
)


def places_of_rows(connection: psycopg.Connection) -> set[tuple[Any, ...]]:
    """Where each row lies that the refresh keeps: a row that is written comes to lie elsewhere."""
    query = " union all ".join(f"select '{table}', ctid::text from {table}" for table in TABLES_KEPT)
    return set(connection.execute(query.encode()).fetchall())


# ------------------------------------------------------------------------------------------------- identities


def identities(tables: Rows) -> Counter[str]:
    """Asserts what must hold within what a refresh keeps; returns how many figures were compared."""
    charges, movements = defaultdict(list), defaultdict(dict)
    for charge in tables["charges"]:
        charges[charge.customer_id, charge.currency].append(charge)
    for movement in tables["movements"]:
        movements[movement.customer_id, movement.currency][movement.effective_on] = movement
        assert movement.change > 0 or movement.kind not in GAINS
        assert movement.change < 0 or movement.kind not in LOSSES
        assert (movement.change == 0) == (movement.kind == b"unpaid")
    assert movements.keys() <= charges.keys()
    return Counter(
        balances=sum(balances_are_sums_of_charges(own, movements[key]) for key, own in charges.items()),
        customers=customers_are_gained_and_lost(tables["movements"]),
        totals=days_are_totals_of_movements(tables) + terms_are_totals_of_charges(tables),
    )


def balances_are_sums_of_charges(charges: list[Any], movements: dict[date, Any]) -> int:
    """R9 on each day on which anything happens, for one customer in one currency."""
    days = {charge.starts_on for charge in charges} | {charge.ends_on for charge in charges} | movements.keys()
    days.discard(FOREVER.date())
    balance = unpaid = 0
    for day in sorted(days):
        in_force = [charge for charge in charges if charge.starts_on <= day < charge.ends_on]
        if movement := movements.get(day):
            balance += movement.change
            unpaid += movement.unpaid_change
            assert movement.balance == balance
        assert balance == max(0, sum(charge.mrr for charge in in_force))
        assert unpaid == max(0, min(balance, sum(charge.mrr for charge in in_force if charge.is_unpaid)))
    goes_on = any(charge.ends_on == FOREVER.date() for charge in charges)
    assert goes_on or (balance, unpaid) == (0, 0)  # where every charge ends
    return len(days)


def customers_are_gained_and_lost(movements: list[Any]) -> int:
    """A customer counts while any of its balances is positive, over all currencies."""
    balances, counted = defaultdict(dict), Counter()
    by_day = sorted(movements, key=lambda movement: (movement.customer_id, movement.effective_on))
    for (customer_id, _), together in groupby(by_day, key=lambda m: (m.customer_id, m.effective_on)):
        for movement in together:
            balances[customer_id][movement.currency] = movement.balance
            counted[customer_id] += movement.customers
        assert counted[customer_id] == any(balances[customer_id].values())
    return len(movements)


def days_are_totals_of_movements(tables: Rows) -> int:
    totals = defaultdict(lambda: [0, 0, 0, 0])
    for m in tables["movements"]:
        added = 1, m.customers, m.change, m.unpaid_change
        totals[m.effective_on, m.currency, m.kind] = list(map(add, totals[m.effective_on, m.currency, m.kind], added))
    assert {tuple(day[:3]): list(day[3:]) for day in tables["days"]} == totals
    assert {row.currency for row in tables["currencies"]} == {day.currency for day in tables["days"]}
    return len(totals)


def terms_are_totals_of_charges(tables: Rows) -> int:
    totals = defaultdict(lambda: [0, 0])
    for c in tables["charges"]:
        if c.basis == b"term":
            key = c.starts_on, c.currency, c.months, c.is_renewal
            totals[key] = list(map(add, totals[key], (1, max(c.mrr, 0))))
    assert {tuple(term[:4]): list(term[4:]) for term in tables["terms"]} == totals
    [coverage] = tables["coverage"]
    assert coverage.longest_term_months == max((months for _, _, months, _ in totals), default=None)
    return len(totals)


# ---------------------------------------------------------------------------- plans, sessions and versions


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_figures_do_not_depend_on_the_plan_or_the_session(
    connection: psycopg.Connection, plan: Mapping[str, str]
) -> None:
    compared, gathered = Counter(), 0

    @generated(10)
    @given(crowds(), settings())
    def check(company: Company, report: Settings) -> None:
        nonlocal gathered
        with connection.transaction(force_rollback=True):
            bring_in(connection, company, report)
            before = kept(connection)
            with under(connection, plan):
                assert evaluated(connection, None) == {name: before[name] for name in EVALUATED}
                explained = [rows(connection, f"explain {query}", None) for query in EVALUATED.values()]
                gathered += str(explained).count("Gather")
                connection.execute("call pipeline.rebuild()")
                assert kept(connection) == before
            compared.update({name: len(table) for name, table in before.items()})

    check()
    assert min(compared["charges"], compared["movements"]) > 50
    assert (gathered > 0) == ("parallel_setup_cost" in plan)


@pytest.fixture(scope="module")
def postgres_15() -> Iterator[psycopg.Connection]:
    """A session on Debian's PostgreSQL 15, with our migrations and code."""
    if not DEBIAN_15.is_dir():
        pytest.skip("PostgreSQL 15 is not installed")
    with TemporaryDirectory(prefix="pgmrr-test-", ignore_cleanup_errors=True) as directory:
        home = Path(directory)
        home.chmod(0o711)  # where root runs the tests, the server's user gets through
        data, log = home / "data", home / "data" / "server.log"
        data.mkdir()
        user = server_user(home, data)
        user.own(data)
        pg_ctl = [DEBIAN_15 / "pg_ctl", "--pgdata", data, "--wait", "--silent"]
        initdb = "--username=postgres --auth=trust --encoding=UTF8 --locale=C --no-sync"
        assert user.run([*pg_ctl, "init", "--options", initdb], capture_output=True).returncode == 0
        options = f"-k {data} -c listen_addresses= -c fsync=off"
        assert user.run([*pg_ctl, "start", "--log", log, "--options", options]).returncode == 0
        try:
            with Server(f"postgresql://postgres@/postgres?host={data}").databases() as create:
                url = create()
                migrate(url)
                with psycopg.connect(url, autocommit=True, options=AS_A_WRITER) as connection:
                    yield connection
        finally:
            user.run([*pg_ctl, "stop", "--mode", "immediate"])


@few_or_many(80, 400)
def test_postgresql_15_says_what_the_reference_says(postgres_15: psycopg.Connection, examples: int) -> None:
    assert postgres_15.info.server_version // 10000 == 15
    compared = Counter()

    @generated(examples)
    @given(crowds(), settings())
    def check(company: Company, report: Settings) -> None:
        with postgres_15.transaction(force_rollback=True):
            compared.update(compare(postgres_15, bring_in(postgres_15, company, report)))

    check()
    assert min(compared["charges"], compared["movements"]) > 4 * examples


# -------------------------------------------------------------------------------------------- the real export


@pytest.fixture(scope="module")
def real(server: Server, template: str) -> Iterator[psycopg.Connection]:
    """A writer's session on the real export, where it lies beside the checkout."""
    if not REAL.is_dir():
        pytest.skip("the real export does not lie beside the checkout")
    with (
        server.databases() as create,
        psycopg.connect(create(template=template), autocommit=True) as connection,
    ):
        import_stripe(connection, REAL / "invoices.csv", REAL / "customers.csv")
        connection.execute("set role pgmrr_writer")
        yield connection


def test_the_real_export_comes_out_as_the_reference_says(real: psycopg.Connection) -> None:
    expected = evaluate(*read_stripe_export(REAL / "invoices.csv", REAL / "customers.csv"))
    compared = compare(real, expected)
    assert compared["charges"] + compared["one_offs"] + compared["not_counted"] == 8075 + compared["implied"]


@pytest.mark.parametrize(
    ("invoice_id", "mrr"),
    [
        pytest.param("in_1Qs6U2AFeGZf0UoOcllQ5SLm", "39.00", id="a seat added in mid-cycle"),
        pytest.param("in_1QpPaUAFeGZf0UoOoulu1Wnv", "59.00", id="from monthly to annual"),
        pytest.param("in_1QpTj8AFeGZf0UoOiGfcQr1u", "117.00", id="from annual to monthly"),
    ],
)
def test_worked_examples_of_the_methodology(real: psycopg.Connection, invoice_id: str, mrr: str) -> None:
    query = "select mrr from billing.charge where invoice_id = %s and basis <> 'implied'"
    assert real.execute(query, (invoice_id,)).fetchall() == [(Decimal(mrr),)]
