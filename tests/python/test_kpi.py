"""The public surface as people use it: in psql, as a reader, in any session, on generated and on real data."""

import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
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

DAILY = "mrr_daily opens with the closing of the day before, and all kinds lead from opening to closing"
FATES = "invoice_fate has every current invoice once, and charge and one_off_revenue those that it says"

QUICK = "-c jit=off"  # compiling plans of this size costs more than running them
READER = f"{QUICK} -c role=pgmrr_reader -c default_transaction_read_only=on"
ODD_SESSIONS = {
    "auckland": "-c TimeZone=Pacific/Auckland -c DateStyle=German,DMY -c IntervalStyle=sql_standard",
    "without hashing": "-c enable_hashagg=off -c enable_hashjoin=off",
    "parallel": "-c min_parallel_table_scan_size=0 -c min_parallel_index_scan_size=0"
    " -c parallel_setup_cost=0 -c parallel_tuple_cost=0",
}

# The MRR of a risk, asked of the call that it points to ({see}, where that depends on the day).
RISKS = {
    "shrinking": "select - sum(m.change) from {see} m where m.kind in ('contraction', 'churn')",
    "concentration": "select sum(b.mrr) from kpi.biggest_customers() b",
    "open money": "select m.unpaid from kpi.mrr_monthly m order by m.month desc limit 1",
    "never paid": "select sum(n.mrr) from kpi.never_paid n",
    "currency": """
        select s.mrr
        from kpi.segment('currency') s
        where s.segment <> (select min(c.reporting_currency) from kpi.currency c)
    """,
    "renewals": "select max(r.annual_mrr) from kpi.renewals_monthly() r",
    "discounts": "select sum(c.mrr) from kpi.charge_running c where c.discount >= 0.3",
    "hidden annual MRR": "select v.hidden_annual_mrr from kpi.coverage v",
    "growth by few": """
        select sum(w.won)
        from (
            select sum(m.change) as won
            from {see} m
            where m.kind in ('new', 'reactivation', 'expansion')
            group by m.customer_id
            order by won desc
            limit 5
        ) w
    """,
    "usage": "select sum(u.mrr) from kpi.usage_at_risk() u",
    "churn unseen": "select kpi.mrr_total_at(v.complete_through) from kpi.coverage v",
    "short history": "select s.mrr from kpi.forecast_status s",
}

# What a person types, and what psql answers, whatever the session's way to write dates.
CALLS = {
    "select kpi.mrr_at('abc_000001', '2024-06-30')": "19.00",
    "select kpi.mrr_at('abc_000001', '2024-07-01')": "0.00",
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
    "select segment, mrr / customers from kpi.segment('company_size', '2024-01-31') order by 1 limit 1": (
        "large|99.0000000000000000"
    ),
    "select count(*), sum(moved) from kpi.mrr_monthly_by('company_size')": "24|0.00",
    "select count(*) from kpi.retention_by('term', '2024-04-01', '2024-06-30')": "1",
    "select count(*), max(customer_share) = 1 from kpi.cohort_retention('signup')": "12|t",
    "select customers, top_1 < 0.1 from kpi.concentration('2024-01-31')": "55|t",
    "select months, customers_opening > 0 from kpi.retention_trailing('2024-12-31') limit 1": "3|t",
    "select month = '2025-01-01', round(share, 6) from kpi.renewals_monthly('2025-01-01', '2025-01-31')": "t|1.000000",
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


def figures(url: str, options: str) -> dict[str, list[str]]:
    """Every row of every view of kpi, as a session with these options reads them."""
    with psycopg.connect(url, options=options) as connection:
        cursor = connection.cursor(binary=True)  # the session's way to write dates plays no part
        views = cursor.execute("select relname from pg_class where relnamespace = 'kpi'::regnamespace").fetchall()
        return {view: sorted(map(plain, cursor.execute(f"select * from kpi.{view}".encode()))) for (view,) in views}


def plain(row: tuple) -> str:
    """A row as text that does not depend on the session's time zone."""
    return repr([value.astimezone(UTC) if isinstance(value, datetime) else value for value in row])


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
        max_examples=20,
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

    with psycopg.connect(database, options=QUICK, autocommit=True) as connection:
        check()
    assert compared.keys() == IDENTITIES.keys()
    assert min(compared.values()) > 25


def test_identities_hold_for_the_simulation(abc: str) -> None:
    with psycopg.connect(abc, options=QUICK) as connection:
        compared = compare(connection, [date(2024, month, 15) for month in range(1, 13, 3)])
        assert min(compared.values()) >= 3
        assert compared[DAILY] == 366
        assert compared[FATES] == one(connection, "select count(*) from raw.invoice") > 400


def test_identities_hold_for_the_real_export(real: str) -> None:
    with psycopg.connect(real, options=QUICK) as connection:
        compared = compare(connection, [date(2025, 1, 1), date(2025, 2, 1), date(2025, 2, 26)])
    assert list(compared.values()) == [1544, 1541, 3, 57, 3, 2, 7 * 57, 3, 2, 3, 8075, 3]


def test_risks_say_what_the_calls_say_to_which_they_point(abc: str, real: str) -> None:
    with psycopg.connect(abc, options=READER) as connection:
        assert compare_risks(connection) == {"shrinking", "concentration", "usage"}
    with psycopg.connect(real, options=READER) as connection:
        assert compare_risks(connection) == RISKS.keys() - {"shrinking", "usage"}


def compare_risks(connection: psycopg.Connection) -> set[str]:
    """The risks whose MRR was compared; it is that of the call they point to, and such calls exist."""
    compared = set()
    for risk, mrr, see in connection.execute("select risk, mrr, see from kpi.risks()").fetchall():
        assert mrr == round(one(connection, RISKS[risk].format(see=see)), 2), risk
        for name in re.findall(r"kpi\.\w+", see):
            assert one(connection, f"select coalesce(to_regclass('{name}')::text, to_regproc('{name}')::text)"), name
        compared.add(risk)
    return compared


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


# -- the real export ------------------------------------------------------------------------------


def test_one_offs_are_no_part_of_a_customers_mrr(reader: psycopg.Connection) -> None:
    customer = "cus_Q9ZyM9Df72wBIP"
    charges = reader.execute(
        "select currency, mrr, basis::text, months, net from kpi.mrr_explain(%s, '2025-02-10')", (customer,)
    ).fetchall()
    assert charges == [("USD", Decimal("1659.00"), "term", 1, Decimal("1659.00"))]
    assert one(reader, f"select kpi.mrr_at('{customer}', '2025-02-10', 'USD')") == Decimal("1659.00")
    one_offs = reader.execute(
        "select net, reason from kpi.one_off_revenue where customer_id = %s", (customer,)
    ).fetchall()
    assert one_offs.count((Decimal("72.00"), "no subscription")) == 3


def test_the_largest_invoice_is_no_revenue_that_recurs(reader: psycopg.Connection) -> None:
    customer = "cus_RgLOYG9tQ1hPEh"
    assert one(
        reader,
        f"select net from kpi.one_off_revenue where customer_id = '{customer}' order by net desc limit 1",
    ) == Decimal("31250.00")
    everybody = reader.execute("select customer_id, mrr, unpaid from kpi.biggest_customers(null, null)").fetchall()
    assert len(everybody) == 3086
    assert everybody[0] == ("cus_R4uIG2uftIlUlx", Decimal("12500.00"), Decimal("12500.00"))
    assert customer not in {found for found, _, _ in everybody}


def test_mrr_is_unknown_outside_of_the_export(reader: psycopg.Connection) -> None:
    assert reader.execute("select observed_from, complete_through from kpi.coverage").fetchone() == (
        date(2025, 1, 1),
        date(2025, 2, 26),
    )
    assert one(reader, "select kpi.mrr_total_at('2025-03-15')") is None
    assert one(reader, "select kpi.mrr_total_at('2024-12-31')") is None
    assert one(reader, "select kpi.mrr_total_at('2025-02-26') > 0") is True


def test_the_headline_has_three_values_with_their_window(reader: psycopg.Connection) -> None:
    rows = reader.execute(
        "select kpi, value is not null, second_value is not null, first_on, last_on from kpi.headline order by place"
    ).fetchall()
    window = (date(2025, 2, 1), date(2025, 2, 26))  # churn is observable from February on
    assert rows == [(kpi, True, True, *window) for kpi in ("MRR", "Customer churn", "Quick ratio")]


def test_a_seventh_of_the_mrr_in_euros_is_unpaid(reader: psycopg.Connection) -> None:
    share = one(
        reader,
        """
        select sum(d.unpaid_change / c.factor) / sum(d.change_in_currency)
        from kpi.daily_change d
        join kpi.currency c using (currency)
        join kpi.coverage v
            on d.effective_on <= v.complete_through
        where d.currency = 'EUR'
        """,
    )
    assert round(share, 3) == Decimal("0.138")


def test_a_renewal_proves_the_month_before_the_export(reader: psycopg.Connection) -> None:
    """Nearly all of the opening comes from cycles that were billed before the export began."""
    opening, implied = reader.execute(
        """
        select m.opening, (select sum(c.mrr * y.factor) from kpi.charge c join kpi.currency y using (currency)
                           where c.basis = 'implied' and m.first_on - 1 >= c.starts_on and m.first_on - 1 < c.ends_on)
        from kpi.mrr_monthly m
        order by m.month
        limit 1
        """
    ).fetchone()
    assert opening > 200_000
    assert implied / opening > Decimal("0.9")
