"""The rules in DuckDB, which the bench holds the rebuild against: equal to the cent, in parts written alike.

All four tables that a rebuild makes are compared, in all of their columns.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date

import duckdb
import psycopg
import pytest
from duckdb import DuckDBPyConnection
from hypothesis import given
from hypothesis import strategies as st

from billed_lines import lined
from conftest import Server
from duckdb_rules import hold_equal, rebuild
from pgmrr.sessions import open_session
from pgmrr.simulation import Parameters, SaasParameters, simulate, simulate_saas
from pgmrr.stripe import import_stripe
from pgmrr.stripe_export import export_stripe
from reference import Settings, read_stripe_export
from scrambles import scrambles
from strategies import Company, Draw, companies, settings
from test_pipeline import HANDMADE, REAL, bring_in, few_or_many, generated
from transfer import FACTS, fill

KINDS = {
    "stories": companies(),
    "scrambles": scrambles(),
    "lines of stories": lined(companies()),
    "lines of scrambles": lined(scrambles()),
}


@pytest.fixture(scope="module")
def session() -> Iterator[DuckDBPyConnection]:
    """DuckDB in memory, that uses one core: what these tests compute is small."""
    with duckdb.connect(config={"threads": 1}) as session:
        yield session


@pytest.fixture
def connection(server: Server, template: str) -> Iterator[psycopg.Connection]:
    """A session on a database without data."""
    with server.databases() as create, open_session(create(template=template)) as connection:
        yield connection


def compare(session: DuckDBPyConnection, connection: psycopg.Connection) -> int:
    """Computes all of it in DuckDB from the database's facts, and asserts that it is the same; how many rows?"""
    for table, query in FACTS.items():
        fill(session, connection, table, query)
    rebuild(session)
    return hold_equal(session, connection)


def test_abc_enterprises_is_the_same(session, connection):
    simulate(connection, Parameters(companies=100))
    assert compare(session, connection) > 900


def test_customers_that_several_processors_share_are_the_same(session, connection):
    simulate(connection, Parameters(companies=2400, months=3))
    (shared,) = connection.execute("select count(distinct customer_id) from raw.invoice").fetchone()
    assert shared > 2000
    assert compare(session, connection) > 10_000
    connection.execute("delete from billing.charge_cents where customer_id like '%7'")
    connection.execute(
        "update ledger.movement_cents set change = change + 1 where customer_id like '%8' and change > 0"
    )
    connection.execute("delete from billing.fate_cents where customer_id like '%9'")
    connection.execute("call pipeline.rebuild()")
    assert compare(session, connection) > 10_000
    broken = connection.execute("select check_name, example from kpi.invariants where wrong > 0").fetchall()
    assert broken == []


def test_the_richer_company_is_the_same_and_so_is_a_truncated_export_of_it(
    session, connection, new_database, template, tmp_path
):
    simulate_saas(connection, SaasParameters(companies=400))
    assert compare(session, connection) > 6000
    export_stripe(connection, tmp_path, first=date(2023, 7, 1), last=date(2024, 3, 31))
    with open_session(new_database(template=template)) as importing:
        import_stripe(importing, tmp_path / "invoices.csv", tmp_path / "customers.csv")
        assert compare(session, importing) > 1000
        (implied,) = session.execute("select count(*) from charge where basis = 'implied'").fetchone()
        assert implied > 100


def test_the_hand_written_export_is_the_same(session, connection):
    bring_in(
        connection, Company(*read_stripe_export(HANDMADE / "invoices.csv", HANDMADE / "customers.csv")), Settings()
    )
    assert compare(session, connection) > 30 + 38


def test_the_real_export_is_the_same(session, connection):
    if not REAL.is_dir():
        pytest.skip("the real export does not lie beside the checkout")
    import_stripe(connection, REAL / "invoices.csv", REAL / "customers.csv")
    assert compare(session, connection) > 7989


@st.composite
def many(draw: Draw, companies: st.SearchStrategy[Company]) -> Company:
    """A dozen companies as one: they cost both sides as much as one of them."""
    invoices, customers = [], []
    for number in range(12):
        company = draw(companies)
        customers += [replace(c, customer_id=f"{c.customer_id}.{number}") for c in company.customers]
        invoices += [
            replace(i, customer_id=f"{i.customer_id}.{number}", invoice_id=f"{i.invoice_id}.{number}")
            for i in company.invoices
        ]
    return Company(invoices, customers)


@few_or_many(2, 100)
@pytest.mark.parametrize("kind", KINDS)
def test_generated_companies_are_the_same(session, connection, kind, examples):
    compared = []

    @generated(examples)
    @given(many(KINDS[kind]), settings())
    def check(company: Company, report: Settings) -> None:
        with connection.transaction(force_rollback=True):
            bring_in(connection, company, report)
            compared.append(compare(session, connection))

    check()
    assert sum(compared) > 100 * examples
