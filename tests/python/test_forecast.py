"""The forecast against plain Python, against processes that are known, and against its own future.

The series of a company are written into the totals by day, from which every forecast is made.
"""

import json
import math
import random
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise, product
from statistics import fmean, stdev
from typing import NamedTuple

import psycopg
import pytest

from conftest import Server
from pgmrr.sessions import open_session
from pgmrr.simulation import Parameters, simulate

QUICK = "-c jit=off"
READER = f"{QUICK} -c role=pgmrr_reader -c default_transaction_read_only=on"
ODD_SESSION = (
    "-c enable_hashagg=off -c enable_hashjoin=off -c enable_mergejoin=off -c TimeZone=Pacific/Auckland"
    " -c min_parallel_table_scan_size=0 -c parallel_setup_cost=0 -c parallel_tuple_cost=0"
)
SIMULATE_SAAS = """
select acquired
from simulation.simulate_saas('{A}', p_companies => %s::bigint, p_months => 36, p_seed => %s::bigint)
"""
AHEAD = 6
TESTED = range(1, 7)
FIRST_ORIGIN = 3


@dataclass(frozen=True)
class Move:
    """A movement of MRR, in cents, on the first day of a month that is counted from 0."""

    month: int
    kind: str
    cents: int


def month(number: int) -> date:
    """The first day of a month, counted from January 2020."""
    return date(2020 + number // 12, number % 12 + 1, 1)


def write(connection: psycopg.Connection, moves: Iterable[Move], months: int) -> None:
    """Makes the totals those of a company whose whole life is these months."""
    totals = Counter()
    for move in moves:
        if move.month < months:
            totals[month(move.month), move.kind] += move.cents
    with connection.transaction():
        connection.execute("delete from ledger.daily_change_cents")
        connection.execute("insert into ledger.currency values ('EUR', 'EUR', 1) on conflict do nothing")
        connection.execute(
            "update meta.coverage set is_truncated = false, observed_from = %s, complete_through = %s",
            (month(0), month(months) - timedelta(1)),
        )
        connection.cursor().executemany(
            "insert into ledger.daily_change_cents values (%s, 'EUR', %s::ledger.movement_kind, 1, 0, %s, 0)",
            [(day, kind, cents) for (day, kind), cents in totals.items()],
        )


def levels_of(moves: Iterable[Move], months: int) -> list[float]:
    """MRR at the end of each month."""
    changes = [0] * months
    for move in moves:
        if move.month < months:
            changes[move.month] += move.cents
    return [sum(changes[: number + 1]) / 100 for number in range(months)]


def abc(seed: int, months: int, companies: int = 500) -> list[Move]:
    """The MRR of ABC Enterprises: who has no session in a month has churned."""
    chance = random.Random(seed)
    moves = []
    for _ in range(companies):
        hazard, price = (1 / 12, 1900) if chance.random() < 0.7 else (1 / 22, 9900)
        lived = 0
        while lived < months and chance.random() >= hazard:
            lived += 1
        if lived:
            moves.append(Move(0, "new", price))
        if 0 < lived < months:
            moves.append(Move(lived, "churn", -price))
    return moves


def growing(seed: int, months: int) -> list[Move]:
    """A company that wins more customers each month, at prices far apart, and loses 3 % of them."""
    chance = random.Random(seed)
    moves, prices = [], []
    for number in range(months):
        kept = []
        for price in prices:
            luck = chance.random()
            if luck < 0.03:
                moves.append(Move(number, "churn", -price))
                continue
            change = 0
            if luck < 0.05:
                change = round(price * chance.uniform(0.1, 0.5))
                moves.append(Move(number, "expansion", change))
            elif luck < 0.06:
                change = -round(price * chance.uniform(0.1, 0.4))
                moves.append(Move(number, "contraction", change))
            kept.append(price + change)
        for _ in range(round(15 * 1.02**number * chance.lognormvariate(0, 0.25))):
            kept.append(round(100 * chance.lognormvariate(4, 1)))
            moves.append(Move(number, "new", kept[-1]))
        prices = kept
    return moves


@pytest.fixture(scope="module")
def company(server: Server, template: str) -> Iterator[psycopg.Connection]:
    """A session in a database whose company tests write."""
    with server.databases() as create:
        url = create(template=template)
        with psycopg.connect(url, options=QUICK, autocommit=True) as connection:
            yield connection


def ask(connection: psycopg.Connection, query: str, *parameters: object) -> list[tuple]:
    """The rows of a query."""
    return connection.execute(query.encode(), parameters).fetchall()


# -- the methods, in plain Python ------------------------------------------------------------------


def naive(levels: list[float]) -> tuple[float, float, float]:
    """Level, trend and damping at the end of the series."""
    return levels[-1], 0, 1


def drift(levels: list[float]) -> tuple[float, float, float]:
    """Level, trend and damping at the end of the series."""
    return levels[-1], (levels[-1] - levels[0]) / (len(levels) - 1), 1


def holt(levels: list[float], alpha: float, beta: float, damping: float) -> tuple[float, float, list[float]]:
    """Level and trend at the end of the series, and the errors one period ahead."""
    level, trend, errors = levels[0], levels[1] - levels[0], []
    for actual in levels[1:]:
        expected = level + damping * trend
        errors.append(actual - expected)
        level, trend = expected + alpha * errors[-1], damping * trend + beta * errors[-1]
    return level, trend, errors


def damped_trend(levels: list[float]) -> tuple[float, float, float]:
    """Level, trend and damping at the end of the series, with the parameters of the least squares."""
    grid = product(range(1, 11), range(11), (0.80, 0.85, 0.90, 0.95, 0.98))
    tried = [(*holt(levels, a / 10, a * b / 100, damping), damping) for a, b, damping in grid]
    level, trend, _, damping = min(tried, key=lambda fit: math.fsum(error * error for error in fit[2]))
    return level, trend, damping


def ahead(fit: tuple[float, float, float], step: int) -> float:
    """The forecast so many periods ahead."""
    level, trend, damping = fit
    return max(level + trend * sum(damping**i for i in range(1, step + 1)), 0)


METHODS = {"naive": naive, "drift": drift, "damped_trend": damped_trend}


def movements(moves: list[Move], origin: int) -> list[float]:
    """MRR in the months after one, each kind at its rate of the six months up to it."""
    levels = levels_of(moves, origin + 1)
    first = max(origin - 5, 1)
    flow = defaultdict(float)
    for move in moves:
        if first <= move.month <= origin:
            flow[move.kind] += move.cents / 100
    gain = sum(round(flow[kind] / (origin - first + 1), 2) for kind in ("new", "reactivation", "expansion"))
    lost = (flow["contraction"] + flow["churn"]) / sum(levels[number - 1] for number in range(first, origin + 1))
    path = [levels[-1]]
    for _ in TESTED:
        path.append(path[-1] + gain + lost * path[-1])
    return path[1:]


def test_the_methods_are_those_of_plain_python(company: psycopg.Connection) -> None:
    compared = 0
    for seed in range(12):
        chance = random.Random(seed)
        levels = [1000.0]
        for number in range(20):
            levels.append(round(levels[-1] * 1.01 + chance.gauss(20 - number, 30), 2))
        for name, method in METHODS.items():
            rows = ask(
                company,
                f"select origin, level, trend, damping from kpi.forecast_{name}(%s::numeric[]) where origin > 2",
                levels,
            )
            assert [origin for origin, *_ in rows] == list(range(3, 21))
            for origin, level, trend, damping in rows:
                expected = method(levels[: origin + 1])
                assert (float(level), float(trend), float(damping)) == pytest.approx(expected, rel=1e-9, abs=1e-7)
                compared += 1
    assert compared == 12 * 3 * 18


def test_the_points_are_those_of_plain_python(company: psycopg.Connection) -> None:
    moves = growing(1, 24)
    write(company, moves, 24)
    levels = levels_of(moves, 24)
    points = ask(company, "select method, origin, step, mrr from kpi.forecast_points(%s)", AHEAD)
    assert len(points) == 4 * (23 - FIRST_ORIGIN + 1) * AHEAD
    for method, origin, step, mrr in points:
        if method == "movements":
            # Each step rounds gains and losses to cents.
            assert float(mrr) == pytest.approx(movements(moves, origin)[step - 1], abs=0.03 * step)
        else:
            assert float(mrr) == pytest.approx(ahead(METHODS[method](levels[: origin + 1]), step), abs=0.011)


def test_the_backtest_is_that_of_plain_python(company: psycopg.Connection) -> None:
    moves = growing(2, 20)
    write(company, moves, 20)
    levels = levels_of(moves, 20)
    errors = defaultdict(list)
    for method, step in product((*METHODS, "movements"), TESTED):
        for origin in range(FIRST_ORIGIN, 20 - step):
            actual = levels[origin + step]
            if method == "movements":
                point = movements(moves, origin)[step - 1]
            else:
                point = ahead(METHODS[method](levels[: origin + 1]), step)
            unit = fmean(abs(b - a) for a, b in pairwise(levels[: origin + 1]))
            errors[method, step].append((point - actual, actual, unit))

    rows = ask(
        company,
        """
        select method, periods_ahead, origins, mae, mape, mase, relative_mae, bias
        from kpi.forecast_backtest()
        where method <> 'auto'
        """,
    )
    assert len(rows) == 4 * len(TESTED)
    for method, step, origins, *figures in rows:
        found = errors[method, step]
        mae = fmean(abs(error) for error, _, _ in found)
        expected = [
            mae,
            fmean(abs(error) / actual for error, actual, _ in found),
            fmean(abs(error) / unit for error, _, unit in found),
            mae / fmean(abs(error) for error, _, _ in errors["naive", step]),
            fmean(error for error, _, _ in found),
        ]
        assert origins == len(found) == 20 - step - FIRST_ORIGIN
        assert list(map(float, figures)) == pytest.approx(expected, rel=1e-4, abs=0.1)


class Candidate(NamedTuple):
    """A method as it stands at an origin: its mean absolute error, and its lead over movements by origin."""

    mae: float
    method: str
    lead: float
    lead_error: float


def candidates(tries: list[tuple], origin: int) -> tuple[list[Candidate], int]:
    """All methods by what was known at an origin, and from how many origins that was tried."""
    errors = defaultdict(lambda: defaultdict(dict))
    for method, tried_at, step, error in tries:
        if tried_at + step <= origin:
            errors[method][tried_at][step] = abs(float(error))
    found = []
    for method, by_origin in errors.items():
        leads = [
            fmean(errors["movements"][tried_at][step] - error for step, error in steps.items())
            for tried_at, steps in by_origin.items()
        ]
        mae = fmean(error for steps in by_origin.values() for error in steps.values())
        spread = stdev(leads) / len(leads) ** 0.5 if len(leads) > 1 else 0.0
        found.append(Candidate(mae, method, fmean(leads), spread))
    return found, len(errors["movements"])


def test_auto_takes_the_method_that_plain_python_takes(company: psycopg.Connection) -> None:
    """Where MRR grows ever faster, movements, which takes the mean of six months, falls behind."""
    met: Counter[str] = Counter()
    for rate in (1.035, 1.04):
        chance = random.Random(0)
        months = range(26)
        write(company, [Move(n, "new", round(100_000 * rate**n * chance.lognormvariate(0, 0.05))) for n in months], 26)
        tries = ask(company, "select method, origin, step, error from kpi.forecast_tries")
        for origin, method, is_judged, origins in ask(
            company, "select origin, method, is_judged, origins from kpi.forecast_choice order by origin"
        ):
            found, tried_from = candidates(tries, origin)
            assert origins == tried_from
            assert is_judged == (tried_from >= 2 * max(TESTED))
            if not is_judged:
                assert method == "movements"
                continue
            [standard] = [candidate for candidate in found if candidate.method == "movements"]
            ahead_of_it = [candidate for candidate in found if candidate.lead > candidate.lead_error]
            better = [candidate for candidate in ahead_of_it if candidate.mae <= 0.9 * standard.mae]
            assert method == min([standard, *better]).method
            met["another method"] += method != "movements"
            met["hardly better"] += not better and any(candidate.mae < standard.mae for candidate in ahead_of_it)
    assert met == {"another method": 10, "hardly better": 10}


# -- what a forecast may know ----------------------------------------------------------------------

FORECASTS = """
    select p.method, p.origin, p.step, p.mrr, q.quantiles
    from kpi.forecast_points(3) p
    join (
        select s.method, s.origin, s.step, s.quantiles
        from kpi.forecast_level_spread('{3,6,9,12,15}', 3, 50, '{0.1,0.9}') s
        union all
        select 'movements', s.origin, s.step, s.quantiles
        from kpi.forecast_movement_spread('{3,6,9,12,15}', 3, 50, '{0.1,0.9}') s
    ) q
        using (method, origin, step)
    where p.origin <= 15
    order by p.method, p.origin, p.step
"""
CHOICES = "select origin, method, tries, mae from kpi.forecast_choice where origin <= 15 order by origin"


def test_changing_the_future_leaves_the_forecast_as_it_was(company: psycopg.Connection) -> None:
    moves = growing(3, 20)
    write(company, moves, 20)
    before = ask(company, FORECASTS), ask(company, CHOICES)
    assert (len(before[0]), len(before[1])) == (4 * 5 * 3, 13)
    shock = [Move(16, "churn", -100_000), Move(18, "new", 5_000_000), Move(19, "expansion", 1_000_000)]
    write(company, [*moves, *shock], 20)
    company.execute(
        "insert into ledger.daily_term_cents values (%s, 'EUR', 12, false, 1, 200000)", (month(16) + timedelta(3),)
    )
    after = ask(company, FORECASTS), ask(company, CHOICES)
    changed = ask(company, "select origin from kpi.forecast_history h cross join lateral (select h.period as origin) o")
    company.execute("delete from ledger.daily_term_cents")
    assert len(changed) == 19
    assert after == before


def test_the_same_question_has_the_same_answer_in_any_session(company: psycopg.Connection) -> None:
    write(company, growing(4, 18), 18)
    questions = (
        "select * from kpi.forecast(6, 0.8, 'movements')",
        "select * from kpi.forecast(6, 0.95, 'damped_trend')",
        "select * from kpi.forecast_backtest()",
        "select * from kpi.scenario()",
    )
    first = [ask(company, question) for question in questions]
    assert [len(rows) for rows in first] == [6, 6, 30, 6]
    with psycopg.connect(company.info.dsn, options=f"{READER} {ODD_SESSION}") as odd:
        assert [ask(odd, question) for question in questions] == first


# -- processes that are known ----------------------------------------------------------------------


@pytest.mark.parametrize("seeds", [pytest.param(40, id="40"), pytest.param(200, id="200", marks=pytest.mark.full)])
def test_on_abc_movements_beats_drift_and_its_interval_holds_what_comes(
    company: psycopg.Connection, seeds: int
) -> None:
    """From month 6 on, over seeds: MRR of months 7 to 12, and its expectation in closed form."""
    held, tried, worse = Counter(), 0, 0
    error = Counter()
    for seed in range(seeds):
        moves = abc(seed, 12)
        write(company, moves, 6)
        truth = levels_of(moves, 12)
        rows = ask(company, "select month, point, method from kpi.forecast(6)")
        bounds = {
            level: ask(company, "select low, high from kpi.forecast(6, %s::numeric)", level)
            for level in (0.5, 0.8, 0.95)
        }
        assert [(number, method) for number, _, method in rows] == [(n, "movements") for n in range(1, 7)]
        points = [float(point) for _, point, *_ in rows]
        assert points == sorted(points, reverse=True)
        drifted = ask(company, "select point from kpi.forecast(6, 0.8, 'drift')")
        for (number, point, _), (line,) in zip(rows, drifted, strict=True):
            actual = truth[5 + number]
            for level, intervals in bounds.items():
                held[level] += float(intervals[number - 1][0]) <= actual <= float(intervals[number - 1][1])
            tried += 1
            error["movements"] += abs(float(point) - actual)
            error["drift"] += abs(float(line) - actual)
        # Given who is there at month 6, small companies stay with 11/12 a month, large ones with 21/22.
        lost = Counter(-move.cents for move in moves if move.month < 6 and move.kind == "churn")
        there = Counter(move.cents for move in moves if move.kind == "new") - lost
        expected = (there[1900] * 19 * (11 / 12) ** 6) + (there[9900] * 99 * (21 / 22) ** 6)
        worse += abs(points[-1] - expected) > 0.15 * expected
    assert tried == seeds * 6
    assert error["movements"] < 0.5 * error["drift"]
    for level, tolerance in {0.5: 0.15, 0.8: 0.1, 0.95: 0.05}.items():  # within a seed the months are all but one draw
        print(f"ABC from month 6, {seeds} seeds: the {level:.0%} interval held {held[level] / tried:.1%}")
        assert held[level] / tried == pytest.approx(level, abs=tolerance)
    print(f"MAE of movements: {error['movements'] / tried:,.0f}, of drift: {error['drift'] / tried:,.0f}")
    assert worse <= seeds * 0.1


def test_on_a_growing_company_auto_is_better_than_naive(company: psycopg.Connection) -> None:
    """Three months ahead, in the backtest of 36 months: mean MAE against naive over seeds."""
    relative, held = [], []
    for seed in range(5):
        write(company, growing(seed, 36), 36)
        rows = ask(
            company,
            "select relative_mae, coverage_80, origins from kpi.forecast_backtest()"
            " where method = 'auto' and periods_ahead = 3",
        )
        assert [origins for _, _, origins in rows] == [30]
        relative.append(float(rows[0][0]))
        held.append(float(rows[0][1]))
    assert fmean(relative) < 0.9
    assert 0.6 < fmean(held) < 0.95


@pytest.mark.parametrize(
    ("seeds", "companies"), [pytest.param(3, 300, id="3"), pytest.param(20, 1000, id="20", marks=pytest.mark.full)]
)
def test_on_the_richer_company_auto_is_better_than_naive(
    server: Server, template: str, seeds: int, companies: int
) -> None:
    """Three months ahead, in the backtest of 36 months.

    Its mean error is half that of naive as far ahead. In units of naive's errors one month ahead, the MASE of the
    books, it is below 0.9 one month ahead, but not three.
    """
    error = defaultdict(list)
    with server.databases() as create:
        url = create(template=template)
        for seed in range(1, seeds + 1):
            with psycopg.connect(url, options=QUICK) as connection:
                connection.execute(SIMULATE_SAAS, (companies, seed))
                rows = ask(
                    connection,
                    "select method, periods_ahead, origins, mase, relative_mae from kpi.forecast_backtest()",
                )
                connection.rollback()
            assert {(ahead, origins) for _, ahead, origins, *_ in rows} == {(n, 33 - n) for n in range(1, 7)}
            for method, ahead, _, mase, relative in rows:
                error[method, ahead].append((float(mase), float(relative)))
    assert len(error["auto", 3]) == seeds
    mase = {key: fmean(one for one, _ in found) for key, found in error.items()}
    relative = {key: fmean(two for _, two in found) for key, found in error.items()}
    for method, ahead in product(("auto", "movements", "drift", "damped_trend", "naive"), (1, 3, 6)):
        print(f"{method} {ahead}: MASE {mase[method, ahead]:.2f}, to naive {relative[method, ahead]:.2f}")
    assert relative["auto", 3] < 0.9
    assert mase["auto", 1] < 0.9
    assert mase["auto", 3] < 0.9 * mase["naive", 3]


# -- as people use it ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def simulated(server: Server, template: str) -> Iterator[str]:
    """The URL of a database with 60 companies of ABC Enterprises over a year."""
    with server.databases() as create:
        url = create(template=template)
        with open_session(url) as connection:
            simulate(connection, Parameters(companies=60))
        yield url


def pgmrr(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pgmrr", *arguments, "--database", url], capture_output=True, text=True, check=False
    )


def test_forecast_says_why_and_how_far(simulated: str) -> None:
    done = pgmrr(simulated, "forecast", "--months", "20")
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stdout.split())
    assert "MRR to come, USD a month" in said
    assert "Of 20 months asked for, it shows 12. It rests on 11 months, through 2024-12-31" in said
    assert "auto takes movements: from 8 past periods forecasts could be judged, too few" in said
    assert "of 33 of its 80 % intervals held what came" in said


def test_forecast_prints_rows_for_programs(simulated: str) -> None:
    rows = json.loads(pgmrr(simulated, "forecast", "--months", "3", "--format", "json").stdout)
    assert [row["last_on"] for row in rows] == ["2025-01-31", "2025-02-28", "2025-03-31"]
    for row in rows:
        assert row["low"] <= row["point"] <= row["high"]
        assert row["point"] == pytest.approx(row["opening"] + row["churn"])
    scenario = pgmrr(simulated, "forecast", "--scenario", "--months", "2", "--format", "csv").stdout.splitlines()
    assert scenario[0] == "month,last_on,base,better,worse,better_difference,worse_difference"
    assert len(scenario) == 3
    backtest = json.loads(pgmrr(simulated, "forecast", "--backtest", "--format", "json").stdout)
    assert Counter(row["method"] for row in backtest) == dict.fromkeys(
        ("auto", "naive", "drift", "damped_trend", "movements"), 6
    )


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--months", "0"], "a forecast takes one month or more, not 0"),
        (["--level", "1"], "the level of an interval is between 0 and 1, not 1"),
        (["--level", "high"], "--level 'high' is not a number"),
        (["--method", "tea"], "there is no method 'tea'"),
        (["--scenario", "--new-factor", "-1"], "a factor is above 0"),
        (["--scenario", "--backtest"], "--scenario and --backtest are two questions"),
    ],
)
def test_bad_questions_get_one_clear_line(simulated: str, arguments: list[str], error: str) -> None:
    done = pgmrr(simulated, "forecast", *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert error in done.stderr
    assert "Traceback" not in done.stderr


def test_without_data_there_is_a_reason(database: str) -> None:
    for command in (["forecast"], ["forecast", "--scenario"]):
        done = pgmrr(database, *command)
        assert (done.returncode, done.stdout) == (0, "")
        assert "There is no covered day yet: nothing to forecast." in done.stderr
    assert "no risk can be seen" in pgmrr(database, "risks").stderr


def test_the_backtest_says_how_to_read_it(simulated: str) -> None:
    said = " ".join(pgmrr(simulated, "forecast", "--backtest").stdout.split())
    assert "MASE: the error in units of the mean change of MRR" in said
    assert "auto takes movements: from 8 past periods" in said
    assert said.endswith("It rests on 11 months, through 2024-12-31, and reaches 12 months ahead.")


def test_scenarios_say_what_better_means(simulated: str) -> None:
    said = " ".join(pgmrr(simulated, "forecast", "--scenario", "--churn-factor", "0.5").stdout.split())
    assert "Better: losses times 0.5, new and returning customers times 1.25, expansion times 1.25." in said


def test_risks_say_what_abc_shows(simulated: str) -> None:
    rows = json.loads(pgmrr(simulated, "risks", "--format", "json").stdout)
    severities = [row["severity"] for row in rows]
    assert severities == sorted(severities, key=["high", "medium", "low"].index)
    evidence = {row["risk"]: row["evidence"] for row in rows}
    assert evidence.keys() == {"shrinking", "concentration", "usage"}
    assert evidence["shrinking"].endswith("0 won; 0 new customers came.")
    biggest = pgmrr(simulated, "top", "--format", "json").stdout
    ten = sum(row["mrr"] for row in json.loads(biggest))
    assert [row["mrr"] for row in rows if row["risk"] == "concentration"] == [ten]
