"""The public surface as people use it: in psql, as a reader, in any session, on generated and on real data."""

import subprocess
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings

import facts
import reference
from conftest import Server
from identities import IDENTITIES
from pgmrr.server import binary, client_environment
from pgmrr.sessions import open_session
from pgmrr.simulation import Parameters, simulate
from pgmrr.stripe import import_stripe
from strategies import Company, companies, settings

REAL = Path(__file__).parents[2] / ".." / "shared" / "data" / "stripe-export"

READER = "-c role=pgmrr_reader -c default_transaction_read_only=on"
ODD_SESSIONS = {
    "auckland": "-c TimeZone=Pacific/Auckland -c DateStyle=German,DMY -c IntervalStyle=sql_standard",
    "without hashing": "-c enable_hashagg=off -c enable_hashjoin=off",
    "parallel": "-c min_parallel_table_scan_size=0 -c min_parallel_index_scan_size=0"
    " -c parallel_setup_cost=0 -c parallel_tuple_cost=0",
}

# What a person types, and what psql answers, whatever the session's way to write dates.
CALLS = {
    "select kpi.mrr_at('abc_000001', '2024-06-30')": "19.00",
    "select kpi.mrr_at('abc_000001', '2024-07-01')": "0",
    "select kpi.mrr_at('nobody', '2024-06-30') is null": "t",
    "select kpi.mrr_total_at('2025-01-01') is null": "t",
    "select kpi.mrr_total_at('2024-12-31') = closing from kpi.mrr_daily where day = '2024-12-31'": "t",
    "select invoice_id, mrr, basis, months from kpi.mrr_explain('abc_000001', '2024-06-30')": (
        "in_abc_000001_006|19.00|term|1"
    ),
    "select count(*), min(kind), max(kind) from kpi.movements('2024-01-01', '2024-01-31')": "55|new|new",
    "select distinct kind from kpi.movements('2024-02-01')": "churn",
    "select last_on - first_on from kpi.retention('2024-04-01', '2024-06-30')": "90",
    "select count(*) from kpi.biggest_customers('2024-06-30', 20)": "20",
    "select count(*) from kpi.biggest_customers('2024-06-30')": "10",
    "select count(*) from kpi.mrr_monthly": "12",
    "select count(*) from kpi.mrr_daily": "366",
    "select string_agg(kpi, ', ' order by place) from kpi.headline": "MRR, Customer churn, Engagement",
    "select complete_through - observed_from from kpi.coverage": "365",
    "select known, ever_with_mrr, counted_on = '2024-12-31' from kpi.customer_count": "60|55|t",
}


@pytest.fixture(scope="module")
def abc(server: Server, template: str) -> Iterator[str]:
    """The URL of a database with 60 companies of ABC Enterprises over a year."""
    with server.databases() as create:
        url = create(template=template)
        with open_session(url) as connection:
            simulate(connection, Parameters(companies=60))
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


@pytest.fixture
def reader(real: str) -> Iterator[psycopg.Connection]:
    """A reader's session on the real export."""
    with psycopg.connect(real, options=READER) as connection:
        yield connection


def one(connection: psycopg.Connection, query: str) -> object:
    """The only value of a query's only row."""
    [(value,)] = connection.execute(query.encode()).fetchall()
    return value


def figures(url: str, options: str) -> dict[str, list[tuple]]:
    """Every row of every view of kpi, as a session with these options reads them."""
    with psycopg.connect(url, options=options) as connection:
        cursor = connection.cursor(binary=True)  # no output format of the session plays a part
        views = cursor.execute(
            "select relname from pg_class where relnamespace = 'kpi'::regnamespace order by relname"
        ).fetchall()
        return {
            view: cursor.execute(f'select v.* from kpi.{view} v order by v::text collate "C"').fetchall()
            for (view,) in views
        }


# -- as people use it -----------------------------------------------------------------------------


@pytest.mark.parametrize("session", ["", ODD_SESSIONS["auckland"]], ids=["default", "auckland"])
def test_calls_with_untyped_literals_work_in_psql(abc: str, session: str) -> None:
    psql = subprocess.run(
        [
            *(binary("psql"), "--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--set=ON_ERROR_STOP=1"),
            *(argument for call in CALLS for argument in ("--command", call)),
            abc,
        ],
        env={**client_environment(), "PGOPTIONS": f"{READER} {session}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert psql.stderr == ""
    answers = psql.stdout.splitlines()
    assert dict(zip(CALLS, answers, strict=True)) == CALLS


@pytest.mark.parametrize("options", ODD_SESSIONS.values(), ids=ODD_SESSIONS)
@pytest.mark.parametrize("company", ["abc", "real"])
def test_figures_do_not_depend_on_how_the_session_is_set_up(
    request: pytest.FixtureRequest, company: str, options: str
) -> None:
    url = request.getfixturevalue(company)
    expected = figures(url, READER)
    assert sum(map(len, expected.values())) > 1000
    assert figures(url, f"{READER} {options}") == expected


def test_a_reader_is_refused_what_is_not_public(abc: str) -> None:
    with psycopg.connect(abc, options="-c role=pgmrr_reader", autocommit=True) as connection:
        for statement in ("select from raw.invoice", "call pipeline.rebuild()", "delete from kpi.balance"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement.encode())


# -- identities -----------------------------------------------------------------------------------


def test_identities_hold_for_generated_companies(database: str) -> None:
    compared = Counter()

    @hypothesis_settings(
        max_examples=25,
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
            compared.update(compare(connection, days_within(covered)))

    with psycopg.connect(database, autocommit=True) as connection:
        check()
    assert compared.keys() == IDENTITIES.keys()
    assert min(compared.values()) > 25


def test_identities_hold_for_the_simulation(abc: str) -> None:
    with psycopg.connect(abc, options=READER) as connection:
        compared = compare(connection, [date(2024, month, 15) for month in range(1, 13)])
    assert compared == {}


def test_identities_hold_for_the_real_export(reader: psycopg.Connection) -> None:
    compared = compare(reader, [date(2025, 1, 1), date(2025, 2, 1), date(2025, 2, 26)])
    assert compared == {}


def days_within(covered: reference.Coverage) -> list[date]:
    """The first and the last covered day, and two between them."""
    days = (covered.complete_through - covered.observed_from).days
    return [covered.observed_from + timedelta(days * part // 3) for part in range(4)]


def compare(connection: psycopg.Connection, days: list[date]) -> dict[str, int]:
    """How many figures each identity compared; they all agree."""
    compared = {}
    for name, query in IDENTITIES.items():
        compared[name], agreed = connection.execute(query.encode(), {"days": days}).fetchone()
        assert agreed == compared[name], name
    return compared
