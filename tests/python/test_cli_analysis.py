"""What profiles, days and unpaid say beside their figures."""

from collections.abc import Iterator

import psycopg
import pytest

from conftest import Server
from pgmrr.simulation import Parameters, simulate
from test_cli import pgmrr


@pytest.fixture(scope="module")
def abc(server: Server, template: str) -> Iterator[str]:
    """The URL of a database that holds a small ABC Enterprises over six months."""
    with server.databases() as create:
        url = create(template=template)
        with psycopg.connect(url, autocommit=True) as connection:
            simulate(connection, Parameters(companies=60, months=6))
        yield url


def said(url: str, *arguments: str) -> str:
    """What a command prints, on one line."""
    return " ".join(pgmrr(url, *arguments).stdout.split())


def test_what_the_days_of_stripe_leave_out_is_counted(abc: str) -> None:
    with psycopg.connect(abc) as connection:
        [(lost, first, last)] = connection.execute(
            "select count(distinct customer_id), min(effective_on), max(effective_on) from kpi.movements()"
            " where kind = 'churn' and effective_on between '2024-02-01' and '2024-04-30'::date - 30"
        ).fetchall()
    assert lost > 1
    when = f"on {first}" if first == last else f"from {first} to {last}"
    shown = said(abc, "profiles", "2024-02-01", "2024-04-30")
    assert f"So Stripe leaves out the losses of the range before: {lost} customers {when}." in shown
    assert "leaves out" not in said(abc, "profiles", "2024-04-01", "2024-04-30")
    assert "no definition found in what was read" in shown


def test_customers_who_make_the_difference_are_whole_numbers(abc: str) -> None:
    lines = pgmrr(abc, "profiles", "2024-02-01", "2024-04-30", "--customers").stdout.splitlines()
    churned = [line for line in lines if line.startswith("Churned customers")]
    assert len(churned) > 0
    assert all("Stripe" in line and " 0 " in line and " 1 " in line and ".00" not in line for line in churned)


def test_where_most_days_change_nothing_it_is_said(abc: str) -> None:
    assert "compared by mean deviation. --grain month looks at longer stretches." in said(abc, "days")
    assert "churn is not observable" not in said(abc, "days"), "a simulation knows the whole life"


def test_unpaid_has_a_row_for_all_and_none_without_data(abc: str, database: str) -> None:
    lines = pgmrr(abc, "unpaid").stdout.splitlines()
    (total,) = [line.split() for line in lines if line.startswith("All ")]
    months = [line.split() for line in lines if line.startswith("2024-")]
    assert len(months) == 6
    assert int(total[1]) == sum(int(month[1]) for month in months)
    assert total.count("%") == 4, "paid, open, uncollectible and void"
    empty = pgmrr(database, "unpaid")
    assert (empty.stdout, empty.stderr.strip()) == ("", "no invoices")
