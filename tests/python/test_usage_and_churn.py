"""Whether falling sessions tell of churn: no relation is claimed where there is none, and a true one is found."""

import math
import random
from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from fractions import Fraction

import psycopg
import pytest

from conftest import Server
from pgmrr.sessions import open_session
from pgmrr.simulation import Parameters, simulate

ERROR_RATE = Fraction(5, 100)

SIMULATE = """
select acquired
from simulation.simulate_abc('{A}', p_companies => %s::bigint, p_months => 12, p_seed => %s::bigint)
"""

# Who leaves keeps one session of the last month: sessions then tell of churn, one month ahead.
FADE = """
delete from usage.session s
using (
    select customer_id, date_trunc('month', max(created_at)) as last_month
    from usage.session
    group by customer_id
) l
where l.customer_id = s.customer_id
    and date_trunc('month', s.created_at) = l.last_month
    and l.last_month < %s
    and s.session_number > (
        select min(f.session_number)
        from usage.session f
        where f.customer_id = s.customer_id
            and date_trunc('month', f.created_at) = l.last_month
    )
"""


@pytest.fixture(scope="module")
def empty(server: Server, template: str) -> Iterator[str]:
    """The URL of a database without data."""
    with server.databases() as create:
        yield create(template=template)


@pytest.fixture(scope="module")
def abc(server: Server, template: str) -> Iterator[str]:
    """The URL of a database with 200 companies of ABC Enterprises over a year."""
    with server.databases() as create:
        url = create(template=template)
        with open_session(url) as connection:
            simulate(connection, Parameters(companies=200))
        yield url


@pytest.mark.parametrize(
    ("seeds", "companies"), [pytest.param(40, 60, id="40"), pytest.param(200, 60, id="200", marks=pytest.mark.full)]
)
def test_no_relation_is_claimed_more_often_than_one_time_in_twenty(empty: str, seeds: int, companies: int) -> None:
    """In ABC's rules, sessions are independent from month to month."""
    claims = judged = 0
    for seed in range(1, seeds + 1):
        with psycopg.connect(empty, options="-c jit=off") as connection:
            connection.execute(SIMULATE, [companies, seed])
            [(months, is_related)] = connection.execute(
                "select customer_months, is_related from kpi.usage_and_churn()"
            ).fetchall()
            connection.rollback()
        assert months > companies
        judged += is_related is not None
        claims += bool(is_related)
    assert judged == seeds
    assert claims <= seeds * ERROR_RATE


def test_a_relation_that_is_there_is_found(abc: str) -> None:
    """Customers who leave have one session in their last month."""
    with psycopg.connect(abc, options="-c jit=off") as connection:
        connection.execute(FADE, ["2024-12-01 00:00 UTC"])
        [(is_related, odds, low, statement)] = connection.execute(
            "select is_related, odds_ratio, odds_ratio_low, statement from kpi.usage_and_churn()"
        ).fetchall()
        connection.rollback()
    assert is_related
    assert odds > low > 2
    assert statement.startswith("Customers whose sessions fell churn more often.")


def test_the_figures_are_those_of_plain_python(abc: str) -> None:
    """Counts by looking at each customer's sessions and MRR, the ratio by the published formulas."""
    with psycopg.connect(abc, options="-c jit=off") as connection:
        sessions = defaultdict(int)
        for customer, month in connection.execute(
            "select customer_id, date_trunc('month', used_on::timestamp)::date from kpi.session"
        ):
            sessions[customer, month] += 1
        mrr = {
            (customer, day): value
            for customer, day, value in connection.execute(
                """
                select c.customer_id, d.day, kpi.mrr_at(c.customer_id, d.day)
                from kpi.customer c
                cross join (
                    select generate_series(date '2024-01-01', '2024-12-01', '1 month')::date
                    union
                    select (generate_series(date '2024-01-01', '2024-12-01', '1 month') + '1 month - 1 day')::date
                ) d (day)
                """
            )
        }
        last_day = {
            first: last
            for first, last in connection.execute(
                "select m::date, (m + '1 month - 1 day')::date"
                " from generate_series(date '2024-01-01', '2024-12-01', '1 month') m"
            )
        }
        cursor = connection.cursor()
        cursor.execute("select * from kpi.usage_and_churn()")
        answer = dict(zip((column.name for column in cursor.description), cursor.fetchone(), strict=True))
        rows = set(
            connection.execute(
                "select churn_month, customer_id, sessions_before, sessions, fell, churned from kpi.usage_changes()"
            )
        )

    expected = set()
    strata = defaultdict(lambda: [0, 0, 0, 0])
    for month in range(3, 13):
        before, now, after = (date(2024, number, 1) for number in (month - 2, month - 1, month))
        for customer in {customer for customer, _ in mrr}:
            if not (mrr[customer, before] and mrr[customer, last_day[now]] and sessions[customer, before]):
                continue
            fell = sessions[customer, now] * 2 <= sessions[customer, before]
            churned = not mrr[customer, last_day[after]]
            expected.add((after, customer, sessions[customer, before], sessions[customer, now], fell, churned))
            strata[after, math.floor(math.log2(mrr[customer, last_day[now]]))][2 * (not fell) + (not churned)] += 1
    assert len(expected) > 1000
    assert rows == expected

    a, b, c, d = (sum(counts[place] for counts in strata.values()) for place in range(4))
    found = [answer[name] for name in ("fell_churned", "fell_stayed", "steady_churned", "steady_stayed")]
    assert found == [a, b, c, d]
    assert answer["customer_months"] == a + b + c + d == len(expected)

    odds, low, high, chi_squared = _mantel_haenszel(list(strata.values()))
    assert answer["method"] == "Mantel-Haenszel"
    assert math.isclose(answer["odds_ratio"], odds, rel_tol=1e-12)
    assert math.isclose(answer["odds_ratio_low"], low, rel_tol=1e-6)
    assert math.isclose(answer["odds_ratio_high"], high, rel_tol=1e-6)
    assert math.isclose(answer["chi_squared"], chi_squared, rel_tol=1e-12)
    assert answer["is_related"] is False


def test_chance_alone_passes_the_test_about_one_time_in_twenty() -> None:
    """The rule in plain Python on 2,000 companies without a relation, for what it would do on very many."""
    dice = random.Random(1)
    claims = 0
    for _ in range(2_000):
        strata = []
        for risk in (0.083, 0.045) * 5:
            counts = [0, 0, 0, 0]
            for _ in range(20):
                counts[2 * (dice.random() > 0.235) + (dice.random() > risk)] += 1
            strata.append(counts)
        try:
            odds, low, high, chi_squared = _mantel_haenszel(strata)
        except ZeroDivisionError:
            continue
        claims += chi_squared > 3.8415 and not low <= 1 <= high
        assert low <= odds <= high
    assert 0 < claims <= 2_000 * ERROR_RATE


def _mantel_haenszel(strata: list[list[int]]) -> tuple[float, float, float, float]:
    """Odds ratio, its 95 % interval by Robins, Breslow and Greenland, and chi-squared with continuity correction."""
    ratio_over = ratio_under = excess = variance = 0
    terms = [Fraction(0)] * 3
    for a, b, c, d in strata:
        n = a + b + c + d
        p, q, r, s = Fraction(a + d, n), Fraction(b + c, n), Fraction(a * d, n), Fraction(b * c, n)
        ratio_over += r
        ratio_under += s
        terms = [terms[0] + p * r, terms[1] + p * s + q * r, terms[2] + q * s]
        excess += a - Fraction((a + b) * (a + c), n)
        if n > 1:
            variance += Fraction((a + b) * (c + d) * (a + c) * (b + d), n * n * (n - 1))
    error = math.sqrt(
        terms[0] / (2 * ratio_over**2) + terms[1] / (2 * ratio_over * ratio_under) + terms[2] / (2 * ratio_under**2)
    )
    odds = float(ratio_over / ratio_under)
    chi_squared = max(abs(excess) - Fraction(1, 2), 0) ** 2 / variance
    return odds, odds * math.exp(-1.959964 * error), odds * math.exp(1.959964 * error), float(chi_squared)
