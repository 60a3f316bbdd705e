"""Cohorts, segments and concentration as SQL finds them, against plain Python that looks at each customer."""

from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings

import facts
import groups
import reference
from conftest import Server
from pgmrr.sessions import open_session
from pgmrr.simulation import Parameters, simulate
from pgmrr.stripe import import_stripe
from strategies import Company, companies, settings

REAL = Path(__file__).parents[2] / ".." / "shared" / "data" / "stripe-export"
QUICK = "-c jit=off"  # compiling plans of this size costs more than running them

COHORTS = """
select cohort, month, cohort_customers, customers, mrr, customer_share, mrr_share
from kpi.cohort_retention(%s)
"""
SEGMENTS = "select segment, customers, mrr, share from kpi.segment(%s, %s)"
WATERFALL = """
select segment, opening, preexisting, new, reactivation, expansion, contraction, rounding, churn, moved, closing,
    customers_opening, customers_lost, customers, kept, losses
from kpi.waterfall_by(%s, array[%s, %s + 1]::date[])
"""
CONCENTRATION = """
select customers, mrr, top_1, top_10, top_1_percent, herfindahl, gini from kpi.concentration(%s)
"""
FIGURES = (
    *("opening", "preexisting", "new", "reactivation", "expansion", "contraction", "rounding", "churn", "moved"),
    *("closing", "customers_opening", "customers_lost", "customers", "kept", "losses"),
)
BUILT_IN = ("currency", "term", "price_band")


@pytest.fixture(scope="module")
def abc(server: Server, template: str) -> Iterator[str]:
    """The URL of a database with 80 companies of ABC Enterprises over a year."""
    with server.databases() as create:
        url = create(template=template)
        with open_session(url) as connection:
            simulate(connection, Parameters(companies=80))
        yield url


@pytest.fixture(scope="module")
def real(server: Server, template: str) -> Iterator[str]:
    """The URL of a database with the real export, where it lies beside the checkout."""
    if not REAL.is_dir():
        pytest.skip("the real export does not lie beside the checkout")
    with server.databases() as create:
        url = create(template=template)
        with open_session(url) as connection:
            import_stripe(connection, REAL / "invoices.csv", REAL / "customers.csv")
        yield url


def rounded(value: Decimal | Fraction | int | None) -> Decimal | None:
    """To twelve decimals: SQL divides to about twenty, fractions to none."""
    if value is None:
        return None
    fraction = Fraction(value)
    return round(Decimal(fraction.numerator) / Decimal(fraction.denominator), 12)


def compare(connection: psycopg.Connection, attributes: tuple[str, ...], days: list[date]) -> Counter:
    """How many rows of each kind were compared; they all agree."""
    company = groups.read(connection)
    compared: Counter = Counter()
    for basis in ("first_mrr", "signup"):
        found = {
            (row[0], row[1]): (row[2], row[3], *map(rounded, row[4:])) for row in connection.execute(COHORTS, (basis,))
        }
        expected = {key: (*row[:2], *map(rounded, row[2:])) for key, row in company.cohorts(basis).items()}
        assert found == expected, basis
        compared[basis] += len(found)
    for attribute in attributes:
        for day in days:
            found = {row[0]: (row[1], rounded(row[2])) for row in connection.execute(SEGMENTS, (attribute, day))}
            expected = {key: (count, rounded(mrr)) for key, (count, mrr) in company.segments(attribute, day).items()}
            assert found == expected, (attribute, day)
            compared[attribute] += len(found)
        for first, last in pairwise(days):
            rows = connection.execute(WATERFALL, (attribute, first + timedelta(1), last))
            found = {row[0]: dict(zip(FIGURES, map(rounded, row[1:]), strict=True)) for row in rows}
            expected = {
                segment: {name: rounded(figures[name]) for name in FIGURES}
                for segment, figures in company.waterfall(attribute, first + timedelta(1), last).items()
            }
            assert found == expected, (attribute, first, last)
            compared["waterfall"] += len(found)
    for day in days:
        [row] = connection.execute(CONCENTRATION, (day,)).fetchall()
        expected = company.concentration(day)
        if expected is None:
            assert row == (0, 0, None, None, None, None, None)
        else:
            assert tuple(map(rounded, row)) == tuple(map(rounded, expected)), day
        compared["concentration"] += 1
    return compared


def test_the_simulation_in_groups(abc: str) -> None:
    with psycopg.connect(abc, options=QUICK) as connection:
        days = [date(2024, 1, 1), date(2024, 2, 29), date(2024, 6, 15), date(2024, 6, 30), date(2024, 12, 31)]
        compared = compare(connection, (*BUILT_IN, "company_size"), days)
    assert compared == {
        "first_mrr": 12, "signup": 12, "currency": 5, "term": 5, "price_band": 10, "company_size": 10, "waterfall": 24,
        "concentration": 5,
    }  # fmt: skip


def test_the_real_export_in_groups(real: str) -> None:
    with psycopg.connect(real, options=QUICK) as connection:
        days = [date(2025, 1, 1), date(2025, 1, 31), date(2025, 2, 26)]
        compared = compare(connection, BUILT_IN, days)
    # Five cohorts' months by first MRR; by signup, two of each month before the last and one of that.
    assert compared == {
        "first_mrr": 5, "signup": 117, "currency": 6, "term": 9, "price_band": 21, "waterfall": 24, "concentration": 3,
    }  # fmt: skip


def test_generated_companies_in_groups(database: str) -> None:
    compared: Counter = Counter()

    @hypothesis_settings(
        max_examples=50,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(companies(), settings())
    def check(company: Company, report: reference.Settings) -> None:
        covered = reference.evaluate(company.invoices, company.customers, report).coverage
        with connection.transaction(force_rollback=True):
            # A rate that leaves fractions without end.
            connection.execute("insert into meta.exchange_rate values ('USD', 1.0411, '2025-01-01', 'user')")
            facts.choose(connection, report)
            facts.bring_in(
                connection,
                company.invoices,
                company.customers,
                report,
                covered.observed_from if report.history == "complete" else None,
            )
            if covered.observed_from > covered.complete_through:
                return
            span = (covered.complete_through - covered.observed_from).days
            days = sorted({covered.observed_from + timedelta(span * part // 4) for part in range(5)})
            compared.update(compare(connection, BUILT_IN, days))

    with psycopg.connect(database, options=QUICK, autocommit=True) as connection:
        check()
    assert compared.keys() == {"first_mrr", "signup", *BUILT_IN, "waterfall", "concentration"}
    assert min(compared.values()) > 50
