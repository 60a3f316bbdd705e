"""Figures as reported after a batch: those that were shown then, and what later batches made of them."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal

import psycopg
import pytest
from hypothesis import given

import facts
from conftest import Server
from reference import Settings
from strategies import settings
from test_pipeline import deliveries, few_or_many, first_service_on, generated

FACTORS = {"EUR": Decimal(1), "USD": Decimal(1) / Decimal("1.25")}
EVERY_COLUMN = "select m.* from {} m order by m.month"
TOTALS = "select d::date, {}(%sd::date) from generate_series(%%s::date, %%s::date, interval '1 day') d order by d"
MOVEMENTS = """
    select m.customer_id, m.currency, m.effective_on, m.kind::text, m.change
    from pipeline.movements(null, %s) m
    where m.change <> 0
"""
CHARGES = """
    select c.customer_id, c.invoice_id, c.currency, c.starts_on, least(c.ends_on, date '9999-12-31'), c.mrr
    from pipeline.charges(null, %s) c
    where c.starts_on < c.ends_on
"""


@pytest.fixture(scope="module")
def connection(server: Server, template: str) -> Iterator[psycopg.Connection]:
    """A session on a database without data, which reads as a reader does."""
    with (
        server.databases() as create,
        psycopg.connect(create(template=template), autocommit=True) as connection,
    ):
        yield connection


def as_reader(connection: psycopg.Connection, query: str, *parameters: object) -> list[tuple]:
    with connection.transaction():
        connection.execute("set local role pgmrr_reader")
        found = connection.execute(query.encode(), parameters).fetchall()
        connection.execute("set local role none")
        return found


def bring_in(connection: psycopg.Connection, batches: list, report: Settings) -> list[int]:
    """Brings the batches in, in one reporting currency, and returns their numbers."""
    facts.choose(connection, report)
    connection.execute("update meta.setting set reporting_currency = 'EUR'")
    return [
        facts.bring_in(connection, batch.invoices, batch.customers, report, first_service_on(batch, report))
        for batch in batches
    ]


@few_or_many(8, 400)
def test_figures_as_of_a_batch_are_those_that_were_shown_after_it(
    connection: psycopg.Connection, examples: int
) -> None:
    compared = Counter()

    @generated(examples)
    @given(deliveries(), settings())
    def check(batches: list, report: Settings) -> None:
        with connection.transaction(force_rollback=True):
            shown = {}
            facts.choose(connection, report)
            for batch in batches:
                [number] = bring_in(connection, [batch], report)
                [(first, last)] = as_reader(connection, "select observed_from, complete_through from kpi.coverage")
                days = (first or date(2025, 1, 1)) - timedelta(1), (last or date(2025, 1, 1)) + timedelta(1)
                shown[number] = (
                    as_reader(connection, EVERY_COLUMN.format("kpi.mrr_monthly")),
                    days,
                    as_reader(connection, (TOTALS % "").format("kpi.mrr_total_at"), *days),
                )
            for number, (monthly, days, totals) in shown.items():
                assert as_reader(connection, EVERY_COLUMN.format(f"kpi.mrr_monthly_as_of({number})")) == monthly
                last = days[1] if (days[1] - days[0]).days < 40 else days[0] + timedelta(3)
                wanted = [(day, total) for day, total in totals if day <= last or day >= days[1] - timedelta(2)]
                for day, total in wanted[:4] + wanted[-3:]:
                    asked = as_reader(connection, "select kpi.mrr_total_as_of(%s, %s)", number, day)
                    assert asked == [(total,)]
                    compared["unknown" if total is None else "totals"] += 1
                compared["months"] += len(monthly)

    check()
    assert compared["months"] > 10 * examples
    assert compared["totals"] > 4 * examples
    assert compared["unknown"] > 3 * examples


def balance(movements: list[tuple], day: date) -> dict[str, Decimal]:
    """MRR of each customer on a day, in euros."""
    balances: dict[str, Decimal] = defaultdict(Decimal)
    for customer, currency, effective_on, _, change in movements:
        if effective_on <= day:
            balances[customer] += Decimal(change) / 100 * FACTORS[currency]
    return balances


def by_kind(movements: list[tuple], first: date, last: date) -> Counter:
    """Change of MRR by customer and kind within some days, in euros."""
    sums: Counter = Counter()
    for customer, currency, effective_on, kind, change in movements:
        if first <= effective_on <= last:
            sums[customer, kind] += Decimal(change) / 100 * FACTORS[currency]
    return sums


def in_force(charges: list[tuple], day: date) -> Counter:
    sums: Counter = Counter()
    for customer, invoice, currency, starts_on, ends_on, mrr in charges:
        if starts_on <= day < ends_on:
            sums[customer, invoice, currency] += mrr
    return sums


@few_or_many(24, 300)
def test_restatements_are_what_plain_python_finds_to_differ(connection: psycopg.Connection, examples: int) -> None:
    compared = Counter()

    @generated(examples)
    @given(deliveries(), settings())
    def check(batches: list, report: Settings) -> None:
        with connection.transaction(force_rollback=True):
            numbers = bring_in(connection, batches, report)
            for before, after in [(numbers[0], numbers[-1]), (numbers[-2], numbers[-1])]:
                found = as_reader(connection, "select * from kpi.restatements(%s, %s)", before, after)
                compared.update(compare(connection, before, after, found))
            assert as_reader(connection, "select * from kpi.restatements()") == found

    check()
    assert compared["rows"] > 4 * examples
    assert compared["unchanged"] > 4 * examples
    assert compared["kinds"] > 4 * examples
    assert compared["invoices"] > 4 * examples


def compare(connection: psycopg.Connection, before: int, after: int, found: list[tuple]) -> Counter:
    """Asserts that restatements are all differences there are, and no other; returns what was compared."""
    compared: Counter = Counter()
    periods = {row[0]: (row[1], row[2]) for row in found}
    coverages = [connection.execute("select * from pipeline.coverage_at(%s)", [n]).fetchone() for n in (before, after)]
    (_, _, *one), (_, _, *two) = coverages
    if None in (*one, *two) or max(one[0], two[0]) > min(one[1], two[1]):
        assert found == []
        return compared
    first, last = max(one[0], two[0]), min(one[1], two[1])
    movements = [connection.execute(MOVEMENTS, [n]).fetchall() for n in (before, after)]
    charges = [connection.execute(CHARGES, [n]).fetchall() for n in (before, after)]
    rows = {(row[0], row[3]): row for row in found}
    assert len(rows) == len(found)
    month = first
    while month <= last:
        end = min((month.replace(day=1) + timedelta(32)).replace(day=1) - timedelta(1), last)
        assert periods.get(month.replace(day=1), (month, end)) == (month, end)
        balances = [balance(m, end) for m in movements]
        kinds = [by_kind(m, month, end) for m in movements]
        days = [month + timedelta(n) for n in range((end - month).days + 1)]
        differing = defaultdict(set)
        forces = {day: [in_force(c, day) for c in charges] for day in [month - timedelta(1), *days]}
        for day in days:
            for key in forces[day][0].keys() | forces[day][1].keys():
                difference = forces[day][1][key] - forces[day][0][key]
                yesterday = forces[day - timedelta(1)]
                if difference or yesterday[1][key] != yesterday[0][key]:
                    differing[key[0]].add(key[1])
        for key in forces[month - timedelta(1)][0].keys() | forces[month - timedelta(1)][1].keys():
            if forces[month - timedelta(1)][0][key] != forces[month - timedelta(1)][1][key]:
                differing[key[0]].add(key[1])
        for customer in balances[0].keys() | balances[1].keys():
            changed = {
                kind: kinds[1][customer, kind] - kinds[0][customer, kind]
                for _, kind in kinds[0].keys() | kinds[1].keys()
                if kinds[1][customer, kind] != kinds[0][customer, kind]
            }
            was, now = balances[0][customer], balances[1][customer]
            row = rows.pop((month.replace(day=1), customer), None)
            if was == now and not changed:
                assert row is None
                compared["unchanged"] += 1
                continue
            assert (row[5], row[6], row[7]) == (was, now, now - was)
            assert {kind: Decimal(str(value)) for kind, value in row[8].items()} == changed
            assert set(row[9]) == differing[customer]
            compared["rows"] += 1
            compared["kinds"] += len(changed)
            compared["invoices"] += len(row[9])
        totals = as_reader(
            connection,
            "select kpi.mrr_total_as_of(%s, %s), kpi.mrr_total_as_of(%s, %s)",
            *(before, end, after, end),
        )[0]
        assert sum(row[7] for row in found if row[0] == month.replace(day=1)) == totals[1] - totals[0]
        month = end + timedelta(1)
    assert rows == {}
    return compared


def test_no_batch_has_no_figures(connection: psycopg.Connection) -> None:
    for batch in ("0", "99", "null"):
        query = (
            f"select kpi.mrr_total_as_of({batch}, '2025-01-01'), (select count(*) from kpi.mrr_monthly_as_of({batch}))"
        )
        assert as_reader(connection, query.format(batch)) == [(None, 0)]
    assert as_reader(connection, "select * from kpi.restatements()") == []
    assert as_reader(connection, "select * from kpi.restatements(3, 99)") == []
    with pytest.raises(psycopg.Error) as error:
        as_reader(connection, "select * from kpi.restatements(2, 1)")
    assert error.value.sqlstate == "MR006"
    assert error.value.diag.message_hint
