"""The simulation of ABC Enterprises: as the methodology says, and the same everywhere.

Statistical tests take a fixed seed, so they pass or fail for good. Each asks whether the p-value of a
chi-square lies within [ALPHA / 2, 1 - ALPHA / 2]: neither further from what is expected than chance
explains in one of a thousand samples, nor closer.
"""

import hashlib
import math
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path
from subprocess import DEVNULL

import psycopg
import pytest

import abc_reference
from conftest import NewDatabase, Server, known_settings
from pgmrr.errors import PgmrrError
from pgmrr.migrations import migrate
from pgmrr.server_user import server_user
from pgmrr.simulation import Parameters, SimulationResult, name_pool, simulate

ALPHA = 0.001
COMPANIES = 6000
MONTHS = 12
START = date(2024, 1, 1)
TYPICAL = {"small": 5, "large": 10}
PRICE = {"small": 1900, "large": 9900}

# A run of 200 companies over 14 months from 2023-12 on with seed 7, and the SHA-256 of all that it wrote.
FIXED_RUN = "select * from simulation.simulate_abc('{Lee,Walker,Hill}', 200, 14, 7, '2023-12-01')"
FIXED_SHA256 = "1919245efdfe44a97fcba54e41d928e4a5005b936272e52b30da481394c6e4e6"

DEBIAN_15 = Path("/usr/lib/postgresql/15/bin")

CUSTOMERS = """
select customer_id, name, created_at, payment_count, total_spend, attributes ->> 'company_size', is_listed
from raw.customer
order by customer_id
"""
INVOICES = """
select
    customer_id, invoice_id, subscription_id, currency, status, issued_at, finalized_at, paid_at, period_start,
    period_end, line_period_start, line_period_end, subtotal, total, amount_due, amount_paid
from raw.invoice
order by customer_id, invoice_id
"""
SESSIONS = "select customer_id, session_number, created_at from usage.session order by customer_id, session_number"
MOVEMENTS = """
select customer_id, currency, effective_on, kind::text, customers, change, balance
from ledger.movement_cents
order by customer_id, currency, effective_on
"""
BATCHES = """
select batch_id, kind, source, is_truncated, as_of, first_invoice_at, last_invoice_at, covered_from, covered_through
from meta.batch
"""


def reading(url: str) -> psycopg.Connection:
    """A session that reads times as UTC."""
    return psycopg.connect(url, options="-c TimeZone=UTC -c DateStyle=ISO")


def writing(url: str, settings: str = "") -> psycopg.Connection:
    """A session in autocommit mode with ``settings`` as in PGOPTIONS."""
    return psycopg.connect(url, autocommit=True, options=known_settings(url, settings))


def fingerprint(url: str) -> str:
    """SHA-256 of all that a simulation wrote, in the order of the keys."""
    digest = hashlib.sha256()
    with reading(url) as connection:
        for query in (CUSTOMERS, INVOICES, SESSIONS, MOVEMENTS, BATCHES):
            for row in connection.execute(query):
                digest.update("|".join(map(str, row)).encode() + b"\n")
    return digest.hexdigest()


# What is expected of chance -----------------------------------------------------------------------------


def p_value(chi_square: float, freedom: int) -> float:
    """The probability of a chi-square at least as large: the closed form for whole degrees of freedom."""
    half = chi_square / 2
    if freedom % 2:
        terms = [
            math.exp(-half + (k - 0.5) * math.log(half) - math.lgamma(k + 0.5)) for k in range(1, freedom // 2 + 1)
        ]
        return math.erfc(math.sqrt(half)) + math.fsum(terms)
    return math.fsum(math.exp(-half + k * math.log(half) - math.lgamma(k + 1)) for k in range(freedom // 2))


def assert_plausible(chi_square: float, freedom: int) -> None:
    """Assert that chance explains so much deviation, and so little."""
    p = p_value(chi_square, freedom)
    assert ALPHA / 2 <= p <= 1 - ALPHA / 2, (
        f"chi-square {chi_square:.1f} with {freedom} degrees of freedom: p = {p:.6f}"
    )


def assert_distributed(observed: Counter, probabilities: Mapping[object, float]) -> None:
    """Assert that the observations have these probabilities, which are all there are."""
    assert math.isclose(sum(probabilities.values()), 1)
    assert set(observed) <= set(probabilities)
    expected = {value: observed.total() * share for value, share in probabilities.items()}
    assert min(expected.values()) >= 5, "too few observations for a chi-square"
    assert_plausible(
        sum((observed[value] - count) ** 2 / count for value, count in expected.items()), len(expected) - 1
    )


def assert_independent(pairs: Counter) -> None:
    """Assert that the one member of the pairs tells nothing about the other."""
    rows, columns = Counter(), Counter()
    for (row, column), count in pairs.items():
        rows[row] += count
        columns[column] += count
    expected = {(r, c): rows[r] * columns[c] / pairs.total() for r in rows for c in columns}
    assert min(expected.values()) >= 5, "too few observations for a chi-square"
    assert_plausible(
        sum((pairs[pair] - count) ** 2 / count for pair, count in expected.items()),
        (len(rows) - 1) * (len(columns) - 1),
    )


@pytest.mark.parametrize(
    ("chi_square", "freedom", "p"),
    [
        (3.841, 1, 0.05),
        (5.991, 2, 0.05),
        (11.345, 3, 0.01),
        (31.264, 11, 0.001),
        (135.807, 100, 0.01),
        (0.297, 4, 0.99),
    ],
)
def test_p_values_are_those_of_the_tables(chi_square: float, freedom: int, p: float) -> None:
    assert p_value(chi_square, freedom) == pytest.approx(p, rel=0.003)


@dataclass(frozen=True)
class World:
    """A simulated world, as its sessions alone show it.

    ``size`` by customer; ``usage``: sessions by month of each customer; ``moments``: when in its month each
    session was, 0 <= x < 1, by customer, in the order of their numbers.
    """

    url: str
    size: dict[str, str]
    usage: dict[str, list[int]]
    moments: dict[str, list[float]]

    def lived(self, customer: str) -> int:
        """How many months the customer stayed: those before its first one without a session."""
        return [*self.usage[customer], 0].index(0)


@pytest.fixture(scope="module")
def world(server: Server, template: str) -> Iterator[World]:
    with server.databases() as create:
        url = create(template=template)
        with writing(url) as connection:
            connection.execute(
                "select simulation.simulate_abc('{Lee,Walker}', %s, %s, 2024, %s)", [COMPANIES, MONTHS, START]
            )
        starts = [abc_reference.month_start(START, month) for month in range(1, MONTHS + 2)]
        with reading(url) as connection:
            size = dict(connection.execute("select customer_id, attributes ->> 'company_size' from billing.customer"))
            usage = {customer: [0] * MONTHS for customer in size}
            moments = {customer: [] for customer in size}
            for customer, _, created_at in connection.execute(SESSIONS):
                month = (created_at.year - START.year) * 12 + created_at.month - START.month
                usage[customer][month] += 1
                length = starts[month + 1] - starts[month]
                moments[customer].append((created_at - starts[month]) / length)
        yield World(url, size, usage, moments)


def test_seven_of_ten_companies_are_small(world: World) -> None:
    assert len(world.size) == COMPANIES
    assert_distributed(Counter(world.size.values()), {"small": 0.7, "large": 0.3})


@pytest.mark.parametrize("size", ["small", "large"])
def test_sessions_a_month_are_typical_plus_or_minus_a_uniform_integer(world: World, size: str) -> None:
    typical = TYPICAL[size]
    observed = Counter(
        sessions
        for customer, months in world.usage.items()
        if world.size[customer] == size
        for sessions in months[: world.lived(customer) + 1]
    )
    probabilities = {sessions: 1 / (2 * typical + 2) for sessions in range(2 * typical + 1)}
    probabilities[typical] *= 2  # both + 0 and - 0
    assert_distributed(observed, probabilities)


@pytest.mark.parametrize("size", ["small", "large"])
def test_customers_churn_with_the_probability_of_a_month_without_a_session(world: World, size: str) -> None:
    churn = 1 / (2 * TYPICAL[size] + 2)
    observed = Counter(world.lived(customer) for customer in world.usage if world.size[customer] == size)
    probabilities = {month: (1 - churn) ** month * churn for month in range(MONTHS)}
    probabilities[MONTHS] = (1 - churn) ** MONTHS
    assert_distributed(observed, probabilities)


def test_nothing_happens_after_churn(world: World) -> None:
    churned = [customer for customer in world.usage if world.lived(customer) < MONTHS]
    assert len(churned) > COMPANIES / 2
    assert not any(any(world.usage[customer][world.lived(customer) :]) for customer in churned)


def test_a_month_has_an_invoice_where_it_has_a_session(world: World) -> None:
    used = {
        (customer, abc_reference.month_start(START, month))
        for customer, months in world.usage.items()
        for month, sessions in enumerate(months, start=1)
        if sessions
    }
    with reading(world.url) as connection:
        billed = set(connection.execute("select customer_id, issued_at from billing.invoice"))
        counted = connection.execute("select count(*) from billing.invoice").fetchone()[0]
    assert len(billed) == counted == len(used) > 3 * COMPANIES
    assert billed == used


def test_mrr_is_19_for_a_small_and_99_for_a_large_company_alive(world: World) -> None:
    with reading(world.url) as connection:
        mrr = [
            connection.execute(
                "select coalesce(sum(change), 0) from ledger.movement where effective_on <= %s",
                [abc_reference.month_start(START, month).date()],
            ).fetchone()[0]
            for month in range(1, MONTHS + 1)
        ]
    alive = [Counter(world.size[c] for c, usage in world.usage.items() if usage[month]) for month in range(MONTHS)]
    assert [month * 100 for month in mrr] == [sum(PRICE[size] * n for size, n in a.items()) for a in alive]
    assert alive[-1].total() > 0


def test_sessions_are_spread_evenly_over_their_month(world: World) -> None:
    observed = Counter(int(moment * 100) for moments in world.moments.values() for moment in moments)
    assert observed.total() > 40 * COMPANIES
    assert_distributed(observed, {hundredth: 0.01 for hundredth in range(100)})


def test_sessions_resolve_microseconds(world: World) -> None:
    with reading(world.url) as connection:
        query = "select extract(microsecond from created_at)::integer % 10, count(*) from usage.session group by 1"
        observed = Counter(dict(connection.execute(query)))
    assert_distributed(observed, {digit: 0.1 for digit in range(10)})


def test_the_moment_of_a_session_tells_nothing_about_the_next_one(world: World) -> None:
    assert_independent(
        Counter(
            (int(moment * 10), int(next_moment * 10))
            for moments in world.moments.values()
            for moment, next_moment in pairwise(moments)
        )
    )


def test_the_sessions_of_a_month_tell_nothing_about_the_next_one(world: World) -> None:
    assert_independent(
        Counter(
            (months[0], months[1])
            for customer, months in world.usage.items()
            if world.size[customer] == "small" and months[0]
        )
    )


def test_size_tells_nothing_about_whether_usage_is_above_the_typical(world: World) -> None:
    changes = {customer: world.usage[customer][0] - TYPICAL[world.size[customer]] for customer in world.size}
    assert_independent(Counter((world.size[customer], change > 0) for customer, change in changes.items() if change))


def test_size_tells_nothing_about_when_sessions_are(world: World) -> None:
    assert_independent(
        Counter(
            (world.size[customer], int(moment * 20))
            for customer, moments in world.moments.items()
            for moment in moments
        )
    )


def test_the_size_of_a_company_tells_nothing_about_the_next_one(world: World) -> None:
    assert_independent(Counter(pairwise(world.size[customer] for customer in sorted(world.size))))


def test_neighbouring_keys_draw_independently(database: str) -> None:
    """Over many seeds: one hash alone would pass for most of them, and fail here by far."""
    query = """
    select one.seed, one.fraction < 0.5, next.fraction < 0.5, count(*)
    from (
        select seed, key, simulation.random_fraction(seed, key) as fraction
        from generate_series(1, 400) seed
        cross join generate_series(1, 1000, 2) key
    ) one
    cross join lateral (select simulation.random_fraction(one.seed, one.key + 1) as fraction) next
    group by 1, 2, 3
    """
    with reading(database) as connection:
        counts = {row[:3]: row[3] for row in connection.execute(query)}
    assert sum(counts.values()) == 400 * 500
    quarters = [counts[seed, one, other] for seed in range(1, 401) for one in (True, False) for other in (True, False)]
    # Each seed by itself: four equally likely quarters, 3 degrees of freedom.
    assert_plausible(sum((count - 125) ** 2 / 125 for count in quarters), 3 * 400)


# The same everywhere ------------------------------------------------------------------------------------


def test_the_hash_is_the_one_that_postgresql_defines(database: str) -> None:
    pairs = [(key, seed) for key in (0, 1, -1, 2**31, -(2**40), 2**63 - 1) for seed in (0, 1, -1, 42, 2**62 + 5)]
    with reading(database) as connection:
        for key, seed in pairs:
            drawn = connection.execute(
                "select hashint8extended(%(key)s::bigint, %(seed)s::bigint),"
                " simulation.random_integer(%(seed)s::bigint, %(key)s::bigint, 1000),"
                " simulation.random_fraction(%(seed)s::bigint, %(key)s::bigint)",
                {"key": key, "seed": seed},
            ).fetchone()
            assert drawn == (
                abc_reference.hashint8extended(key, seed),
                abc_reference.integer(seed, key, 1000),
                abc_reference.fraction(seed, key),
            )


@pytest.mark.parametrize(
    ("companies", "months", "seed", "start"),
    [
        (300, 12, 42, START),
        (60, 30, -7, date(2023, 11, 1)),  # a leap year's and a year's end
        (120, 3, 0, date(1999, 12, 1)),
        (1, 120, 2**63 - 1, date(2199, 12, 1)),
        (200, 1, -(2**63), date(1900, 1, 1)),
    ],
)
def test_sql_writes_what_plain_python_says(database: str, companies: int, months: int, seed: int, start: date) -> None:
    with writing(database) as connection:
        counts = connection.execute(
            "select * from simulation.simulate_abc('{Lee,Walker}', %s, %s, %s, %s)", [companies, months, seed, start]
        ).fetchone()
    expected = list(abc_reference.simulate(companies, months, seed, start))
    first = abc_reference.month_start(start, 1)
    customers = [(c.customer_id, first, len(c.sessions), len(c.sessions) * c.price, c.size, True) for c in expected]
    invoices = [expected_invoice(c, month, start) for c in expected for month in range(1, len(c.sessions) + 1)]
    sessions = [
        (c.customer_id, month * 100 + number, moment)
        for c in expected
        for month, moments in enumerate(c.sessions, start=1)
        for number, moment in enumerate(moments, start=1)
    ]
    with reading(database) as connection:
        assert [(row[0], *row[2:]) for row in connection.execute(CUSTOMERS)] == customers
        assert connection.execute(INVOICES).fetchall() == invoices
        assert connection.execute(SESSIONS).fetchall() == sessions
    paying = sum(bool(c.sessions) for c in expected)
    assert counts == (1, companies, paying, len(invoices), len(sessions))


def expected_invoice(company: abc_reference.Company, month: int, start: date) -> tuple:
    """A row of INVOICES."""
    begins, ends = (abc_reference.month_start(start, month + ahead) for ahead in (0, 1))
    period_start = abc_reference.month_start(start, max(month - 1, 1))
    return (
        *(company.customer_id, f"in_{company.customer_id}_{month:03}", f"sub_{company.customer_id}"),
        *("USD", "paid", begins, begins, begins, period_start, begins, begins, ends),
        *[company.price] * 4,
    )


@pytest.mark.parametrize(
    "settings",
    [
        "",
        "-c TimeZone=America/New_York -c DateStyle=German,DMY -c extra_float_digits=-5",
        "-c work_mem=64kB -c temp_buffers=800kB",
        "-c work_mem=256MB -c enable_hashagg=off -c enable_nestloop=off -c enable_material=off",
        "-c max_parallel_workers_per_gather=4 -c parallel_setup_cost=0 -c parallel_tuple_cost=0"
        " -c min_parallel_table_scan_size=0 -c min_parallel_index_scan_size=0 -c debug_parallel_query=on",
        "-c plan_cache_mode=force_generic_plan -c jit_above_cost=0",
    ],
)
def test_the_data_do_not_depend_on_plan_workers_memory_or_session(database: str, settings: str) -> None:
    with writing(database, settings) as connection:
        connection.execute(FIXED_RUN)
    assert fingerprint(database) == FIXED_SHA256


def test_parallel_workers_draw_the_same(world: World) -> None:
    draws = """
    select
        count(*),
        sum(simulation.random_integer(hashtext(customer_id), session_number, 1000000)),
        sum(simulation.random_fraction(hashtext(customer_id), session_number)::numeric)
    from usage.session
    """
    eager = """
    set max_parallel_workers_per_gather = 2;
    set parallel_setup_cost = 0;
    set parallel_tuple_cost = 0;
    set min_parallel_table_scan_size = 0;
    """
    with reading(world.url) as connection:
        connection.execute("set max_parallel_workers_per_gather = 0")
        alone = connection.execute(draws).fetchone()
        connection.execute(eager)
        plan = "\n".join(line for (line,) in connection.execute(f"explain (analyze) {draws}"))
        together = connection.execute(draws).fetchone()
    assert "Workers Launched" in plan
    assert together == alone


def test_rows_are_made_in_the_order_of_the_keys_without_a_sort(database: str) -> None:
    query = """
    explain (costs off)
    insert into usage.session (customer_id, session_number, created_at, batch_id)
    select m.customer_id, m.month * 100 + s.session, m.starts_at, 1
    from simulation.abc_months(100000, 12, 42, '2024-01-01') m
    cross join lateral generate_series(1, m.sessions) s (session)
    """
    with reading(database) as connection:
        plan = "\n".join(line for (line,) in connection.execute(query))
    assert "Nested Loop" in plan
    assert "Sort" not in plan
    assert "Hash" not in plan
    assert "simulation." not in plan, "a function was not inlined"


def test_the_data_are_the_same_on_postgresql_15() -> None:
    if not (DEBIAN_15 / "postgres").exists():
        pytest.skip(f"needs PostgreSQL 15 in {DEBIAN_15}")
    with tempfile.TemporaryDirectory(prefix="pgmrr15") as directory:
        home = Path(directory)
        user = server_user(home / "data", home / "data")
        user.own(home)
        data, options = home / "data", f"-c listen_addresses='' -c unix_socket_directories={home} -c fsync=off"
        for command in (
            [DEBIAN_15 / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C"],
            [DEBIAN_15 / "pg_ctl", "-D", data, "-w", "-l", home / "log", "-o", options, "start"],
        ):
            result = user.run(command, stdout=DEVNULL, stderr=DEVNULL)
            assert result.returncode == 0, command
        try:
            server = Server(f"postgresql:///postgres?host={home}&user=postgres")
            server.create_database("fifteen")
            url = server.url("fifteen")
            migrate(url)
            with writing(url) as connection:
                assert connection.info.server_version // 10000 == 15
                connection.execute(FIXED_RUN)
            assert fingerprint(url) == FIXED_SHA256
        finally:
            user.run([DEBIAN_15 / "pg_ctl", "-D", data, "-m", "immediate", "stop"], stdout=DEVNULL, stderr=DEVNULL)


# By Python ----------------------------------------------------------------------------------------------


def test_simulate_tells_acquired_and_paying_companies_apart(database: str) -> None:
    said = []
    with writing(database) as connection:
        result = simulate(connection, progress=said.append)
        counted = connection.execute(
            """
            select
                (select count(*) from billing.customer),
                (select count(distinct customer_id) from billing.invoice where amount_paid > 0),
                (select count(*) from billing.invoice),
                (select count(*) from usage.session)
            """
        ).fetchone()
        details = connection.execute("select details from meta.batch").fetchone()[0]
    assert result == SimulationResult(1, *counted)
    assert result.acquired == 500 > result.paying
    assert {key: details[key] for key in ("companies", "months", "seed", "start")} == {
        "companies": 500,
        "months": 12,
        "seed": 42,
        "start": "2024-01-01",
    }
    assert said[0] == "simulating 500 companies over 12 months"
    assert "writing sessions" in said
    assert said[-1] == "tidying up"


def test_simulate_leaves_statistics_behind(database: str) -> None:
    with writing(database) as connection:
        result = simulate(connection, Parameters(companies=50))
        known = connection.execute(
            "select reltuples, relallvisible > 0 from pg_class where oid = 'usage.session'::regclass"
        ).fetchone()
    assert known == (result.sessions, True)


def test_each_company_has_a_name_of_its_own(database: str) -> None:
    pool = name_pool(42)
    with writing(database) as connection:
        simulate(connection, Parameters(companies=1000, months=1))
        names = [name for (name,) in connection.execute("select name from billing.customer")]
        # With the prime step of simulate_abc, as many companies as there are combinations.
        query = """
        select count(distinct simulation.abc_name(99 + 2147483647 * place, %s, '{Inc,Ltd}'))
        from generate_series(1::bigint, 100 * 100 * 2) place
        """
        assert connection.execute(query, [pool[:100]]).fetchone() == (20_000,)
    assert len(set(names)) == len(names) == 1000
    for name in names:
        first, second = name.split(" ")[0].split("-")
        assert {first, second} <= set(pool)


def test_the_pool_of_names_depends_on_the_seed_alone() -> None:
    pool = name_pool(42)
    assert len(set(pool)) == len(pool) == 400
    assert pool[:3] == ["Fowler", "Johnson", "Hill"]
    assert name_pool(42) == pool != name_pool(43)


def test_different_seeds_give_different_worlds(new_database: NewDatabase, template: str) -> None:
    prints = set()
    for seed in (1, 2):
        url = new_database(template=template)
        with writing(url) as connection:
            connection.execute("select simulation.simulate_abc('{Lee,Walker}', 50, 3, %s)", [seed])
        prints.add(fingerprint(url))
    assert len(prints) == 2


def test_more_companies_and_months_leave_those_before_as_they_were(new_database: NewDatabase, template: str) -> None:
    sessions = []
    for companies, months in ((40, 4), (80, 9)):
        url = new_database(template=template)
        with writing(url) as connection:
            connection.execute("select simulation.simulate_abc('{Lee,Walker}', %s, %s)", [companies, months])
        with reading(url) as connection:
            rows = connection.execute(SESSIONS).fetchall()
        sessions.append([row for row in rows if row[0] <= "abc_000040" and row[2] < datetime(2024, 5, 1, tzinfo=UTC)])
    assert sessions[0] == sessions[1]
    assert len(sessions[0]) > 500


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (Parameters(companies=0), "companies must be 1 to 10,000,000, not 0"),
        (Parameters(months=121), "months must be 1 to 120, not 121"),
        (Parameters(start=date(2024, 1, 2)), "start must be the first day of a month"),
        (Parameters(seed=2**63), "numbers of 64 bits"),
    ],
)
def test_simulate_refuses_what_is_out_of_range(database: str, parameters: Parameters, message: str) -> None:
    with writing(database) as connection:
        with pytest.raises(PgmrrError) as refusal:
            simulate(connection, parameters)
        assert connection.execute("select count(*) from meta.batch").fetchone() == (0,)
        lock = connection.execute(
            "select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()"
        )
        assert lock.fetchone() == (0,)
    assert message in refusal.value.message
    assert refusal.value.hint


def test_simulate_refuses_a_database_that_holds_data_and_names_reset(database: str) -> None:
    with writing(database) as connection:
        simulate(connection, Parameters(companies=5))
        before = fingerprint(database)
        with pytest.raises(PgmrrError, match="needs an empty database") as refusal:
            simulate(connection, Parameters(companies=5, seed=1))
    assert "MR003" in refusal.value.message
    assert "pgmrr reset --yes" in refusal.value.hint
    assert fingerprint(database) == before


def test_a_writer_of_ours_may_simulate(database: str) -> None:
    with writing(database) as connection:
        connection.execute("set role pgmrr_writer")
        assert connection.execute(FIXED_RUN).fetchone()[1] == 200
        connection.execute("reset role")
    assert fingerprint(database) == FIXED_SHA256


@pytest.mark.parametrize("time_zone", ["America/New_York", "Pacific/Auckland"])
def test_whole_days_are_covered_in_every_time_zone(database: str, time_zone: str) -> None:
    with writing(database) as connection:
        simulate(connection, Parameters(companies=60, months=3, start=START))
        connection.execute("select pipeline.lock()")
        connection.execute("call pipeline.set_setting('time_zone', %s)", [time_zone])
        first, last, closing, left = connection.execute(
            """
            select v.observed_from, v.complete_through, d.closing, d.customers_churned
            from kpi.coverage v
            join kpi.mrr_daily d on d.day = v.complete_through
            """
        ).fetchone()
        paying = connection.execute(
            "select sum(total) from billing.invoice where issued_at = '2024-03-01 00:00+00'"
        ).fetchone()[0]
    # Midnight UTC is the evening before in New York, and noon in Auckland.
    assert str(first) == {"America/New_York": "2023-12-31", "Pacific/Auckland": "2024-01-01"}[time_zone]
    assert str(last) == {"America/New_York": "2024-03-30", "Pacific/Auckland": "2024-03-31"}[time_zone]
    assert closing == paying > 0
    assert left == 0
