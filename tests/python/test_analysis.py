"""Unusual days, profiles and unpaid money against plain Python, on ABC Enterprises and on the real export."""

import csv
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from statistics import mean, median

import psycopg
import pytest

from conftest import Server
from pgmrr.sessions import open_session
from pgmrr.simulation import Parameters, simulate
from pgmrr.stripe import import_stripe

REAL = Path(__file__).parents[2] / ".." / "shared" / "data" / "stripe-export"
READER = "-c jit=off -c role=pgmrr_reader -c default_transaction_read_only=on"
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def abc(server: Server, template: str) -> Iterator[psycopg.Connection]:
    """A reader's session on 200 companies of ABC Enterprises over 14 months."""
    with server.databases() as create:
        url = create(template=template)
        with open_session(url) as connection:
            simulate(connection, Parameters(companies=200, months=14, start=date(2023, 11, 1)))
        with psycopg.connect(url, options=READER) as connection:
            yield connection


@pytest.fixture(scope="module")
def real(server: Server, template: str) -> Iterator[psycopg.Connection]:
    """A reader's session on the real export, where it lies beside the checkout."""
    if not REAL.is_dir():
        pytest.skip("the real export does not lie beside the checkout")
    with server.databases() as create:
        url = create(template=template)
        with open_session(url) as connection:
            import_stripe(connection, REAL / "invoices.csv", REAL / "customers.csv")
        with psycopg.connect(url, options=READER) as connection:
            yield connection


@pytest.fixture(params=["abc", "real"])
def company(request: pytest.FixtureRequest) -> psycopg.Connection:
    """One company after the other."""
    return request.getfixturevalue(request.param)


# -- unusual days ---------------------------------------------------------------------------------


def beginning(day: date, grain: str) -> date:
    """The first day of the day's period."""
    if grain == "week":
        return day - DAY * day.weekday()
    return day.replace(day=1) if grain == "month" else day


def after(first: date, grain: str) -> date:
    """The first day of the next period."""
    if grain == "month":
        return (first + 31 * DAY).replace(day=1)
    return first + DAY * (7 if grain == "week" else 1)


@pytest.mark.parametrize("grain", ["day", "week", "month"])
def test_scores_are_those_of_plain_python(company: psycopg.Connection, grain: str) -> None:
    daily = company.execute("select day, closing - opening - preexisting from kpi.mrr_daily").fetchall()
    days, changes = Counter(), defaultdict(Fraction)
    for day, change in daily:
        days[beginning(day, grain)] += 1
        changes[beginning(day, grain)] += Fraction(change)
    whole = {first for first, count in days.items() if after(first, grain) - first == count * DAY}
    by_weekday = grain == "day" and len(daily) >= 56
    expected = {}
    for first in whole:
        like = [changes[other] for other in whole if not by_weekday or other.weekday() == first.weekday()]
        middle = median(like)
        deviations = [abs(change - middle) for change in like]
        spread = Fraction("1.4826") * median(deviations) or Fraction("1.2533") * mean(deviations)
        score = abs(changes[first] - middle) / spread if spread else None
        expected[first] = (changes[first], middle, spread, score)

    found = {
        first: values
        for first, *values in company.execute(
            "select first_on, change, expected, spread, score from kpi.period_changes(%s)", [grain]
        )
    }
    assert found.keys() == expected.keys()
    assert len(found) >= {"day": 57, "week": 7, "month": 1}[grain]
    for first, values in found.items():
        for value, exact in zip(values, expected[first], strict=True):
            assert (value is None) == (exact is None)
            assert value is None or abs(Fraction(value) - exact) < Fraction(1, 10**9)
    significant = {first for first, (*_, score) in expected.items() if score and score >= Fraction("3.5")}
    listed = company.execute("select first_on from kpi.significant_periods(%s)", [grain]).fetchall()
    assert {first for (first,) in listed} == significant


@pytest.mark.parametrize("grain", ["day", "week"])
def test_drivers_are_the_fewest_that_make_half(company: psycopg.Connection, grain: str) -> None:
    found = company.execute(
        "select first_on, last_on, deviation, drivers from kpi.significant_periods(%s, p_threshold => 1)", [grain]
    ).fetchall()
    assert len(found) >= 3
    for first, last, deviation, drivers in found:
        moved = defaultdict(Fraction)
        for customer, kind, change in company.execute(
            "select customer_id, kind, change from kpi.movements(%s, %s) where kind <> 'preexisting'", [first, last]
        ):
            moved[customer, kind] += Fraction(change)
        sizes = sorted((change / Fraction(deviation) for change in moved.values()), reverse=True)
        sizes = [size for size in sizes if size > 0]
        needed = next((count for count in range(len(sizes) + 1) if sum(sizes[:count]) >= Fraction(1, 2)), len(sizes))
        assert len(drivers) == needed
        shares = [Fraction(str(driver["share"])) for driver in drivers]
        assert all(abs(share - size) < Fraction(1, 10**9) for share, size in zip(shares, sizes[:needed], strict=True))
        for driver in drivers:
            change = moved[driver["customer_id"], driver["kind"]]
            assert abs(change - Fraction(str(driver["change"]))) < Fraction(1, 10**6)


# -- profiles -------------------------------------------------------------------------------------


def ranges(company: psycopg.Connection) -> list[tuple[date, date]]:
    """Whole coverage, its last 40 days, its last two calendar months, and its last day."""
    [(first, last)] = company.execute("select observed_from, complete_through from kpi.coverage").fetchall()
    months = company.execute("select first_on, last_on from kpi.mrr_monthly order by month desc limit 2").fetchall()
    return [(first, last), (last - 39 * DAY, last), *months, (last, last)]


def test_profiles_are_those_of_plain_python(company: psycopg.Connection) -> None:
    """Each customer's movements in order, and the published definitions word by word."""
    [(observed_from, complete_through, observable_from)] = company.execute(
        "select observed_from, complete_through, churn_observable_from from kpi.coverage"
    ).fetchall()
    ledger = defaultdict(list)
    for customer, day, kind, change in company.execute(
        """
        select l.customer_id, l.effective_on, l.kind, sum(l.change * c.factor)
        from kpi.ledger l
        join kpi.currency c using (currency)
        group by l.customer_id, l.effective_on, l.kind
        order by l.effective_on
        """
    ):
        if day <= complete_through:
            ledger[customer].append((day, kind, Fraction(change)))

    compared = 0
    for first, last in ranges(company):
        found = {
            (metric, profile): None if value is None else Fraction(value)
            for metric, profile, value in company.execute(
                "select metric, profile, value from kpi.compare_profiles(%s, %s)", [first, last]
            )
        }
        sums = defaultdict(Fraction)
        for movements in ledger.values():
            count(sums, movements, first, last)
        for (metric, profile), value in found.items():
            start = last - 29 * DAY if profile == "stripe" else first
            if metric in ("customers_new", "customers_churned", "churned_mrr"):
                known = start >= observed_from and (metric == "customers_new" or start >= observable_from)
                assert (value is not None) == known, (metric, profile, first, last)
                assert value is None or value == sums[metric, profile]
            elif value is not None and metric != "ltv":
                exact = sums[metric, profile] / sums[metric, profile, "of"]
                assert abs(value - exact) < Fraction(1, 10**9), (metric, profile, first, last)
                assert start >= observed_from
            compared += value is not None
    assert compared > 50


def count(sums: dict, movements: list[tuple[date, str, Fraction]], first: date, last: date) -> None:
    """Add what one customer contributes to each metric and profile."""

    def mrr_at(day: date) -> Fraction:
        return sum((change for on, _, change in movements if on <= day), Fraction(0))

    def total(*kinds: str, since: date = first) -> Fraction:
        return sum((change for on, kind, change in movements if since <= on <= last and kind in kinds), Fraction(0))

    def times(*kinds: str, since: date = first) -> int:
        return sum(since <= on <= last and kind in kinds for on, kind, _ in movements)

    opening, closing = mrr_at(first - DAY), mrr_at(last)
    thirty = last - 29 * DAY
    rounded = [change for on, kind, change in movements if first <= on <= last and kind == "rounding"]
    down = -sum((change for change in rounded if change < 0), Fraction(0))
    up = sum((change for change in rounded if change > 0), Fraction(0))

    # Who is new and gone in one calendar month.
    ignored = Counter()
    ignored_mrr = Fraction(0)
    for on, kind, _ in movements:
        if kind == "new":
            gone = [(day, change) for day, what, change in movements if what == "churn" and day > on]
            if gone and beginning(gone[0][0], "month") == beginning(on, "month"):
                ignored["new"] += first <= on <= last
                ignored["churn"] += first <= gone[0][0] <= last
                ignored_mrr += -gone[0][1] if first <= gone[0][0] <= last else 0

    lost = opening > 0 and closing == 0
    left = bool(times("churn")) and not times("new", "reactivation", "preexisting")
    for profile, new, churned, mrr in (
        ("simple", times("new"), lost, -total("churn")),
        ("stripe", times("new", since=thirty), times("churn", since=thirty), -total("churn", since=thirty)),
        ("chartmogul", times("new"), left, -total("churn")),
        ("profitwell", times("new") - ignored["new"], times("churn") - ignored["churn"], -total("churn") - ignored_mrr),
    ):
        sums["customers_new", profile] += new
        sums["customers_churned", profile] += churned
        sums["churned_mrr", profile] += mrr
    sums["customer_churn_rate", "simple"] += lost
    sums["customer_churn_rate", "chartmogul"] += left
    sums["customer_churn_rate", "stripe"] += times("churn", since=thirty)
    sums["customer_churn_rate", "stripe", "of"] += (mrr_at(thirty - DAY) > 0) + times(
        "new", "preexisting", since=thirty
    )
    gross = -total("churn", "contraction")
    net = gross - total("expansion", "reactivation")
    for profile, more, less in (("simple", 0, 0), ("chartmogul", down, up)):
        sums["customer_churn_rate", profile, "of"] += opening > 0
        sums["gross_mrr_churn_rate", profile] += gross + more
        sums["net_mrr_churn_rate", profile] += net + more - less
        sums["arpa", profile] += closing
        sums["gross_mrr_churn_rate", profile, "of"] += opening
        sums["net_mrr_churn_rate", profile, "of"] += opening
        sums["arpa", profile, "of"] += closing > 0


def test_differences_add_up(company: psycopg.Connection) -> None:
    compared = customers = 0
    for first, last in ranges(company):
        differences = defaultdict(Decimal)
        for metric, profile, numerator, simple in company.execute(
            "select metric, profile, numerator, simple_numerator from kpi.profile_differences(%s, %s)", [first, last]
        ):
            differences[metric, profile] += numerator - simple
            customers += 1
        found = {
            (metric, profile): numerator
            for metric, profile, numerator in company.execute(
                "select metric, profile, numerator from kpi.compare_profiles(%s, %s) where metric <> 'ltv'",
                [first, last],
            )
        }
        for (metric, profile), numerator in found.items():
            simple = found[metric, "simple"]
            if profile != "simple" and numerator is not None and simple is not None:
                assert differences[metric, profile] == numerator - simple
                compared += 1
    assert compared > 30
    assert customers > 0


# -- unpaid money ---------------------------------------------------------------------------------


def test_billed_money_is_that_of_the_file(real: psycopg.Connection) -> None:
    [(rate,)] = real.execute("select factor from kpi.currency where currency = 'USD'").fetchall()
    expected = defaultdict(lambda: defaultdict(Fraction))
    with (REAL / "invoices.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            total = Fraction(row["Total"].replace(",", ".")) * (Fraction(rate) if row["Currency"] == "usd" else 1)
            month = expected["-".join(part.zfill(2) for part in row["Date (UTC)"].split(" ")[0].split("-"))[:7]]
            month["invoices"] += 1
            if total > 0:
                month[row["Status"]] += total
                month[f"invoices_{row['Status']}"] += 1
            elif total < 0 and row["Status"] != "void":
                month["credited"] += total
    names = ["invoices", "paid", "open", "uncollectible", "void", "draft", "credited"]
    names += [f"invoices_{name}" for name in names[1:-1]]
    found = {
        month: dict(zip(names, values, strict=True))
        for month, *values in real.execute(
            f"select to_char(month, 'YYYY-MM'), {', '.join(names)} from kpi.billing_health_monthly".encode()
        )
    }
    assert found.keys() == expected.keys() == {"2024-12", "2025-01", "2025-02"}
    for month, values in found.items():
        for name, value in values.items():
            assert abs(Fraction(value) - expected[month][name]) < Fraction(1, 10**9), (month, name)
    assert sum(values["invoices"] for values in found.values()) == 8075
    for shares in real.execute(
        "select paid_share, open_share, uncollectible_share, late_share, void_share, draft_share"
        " from kpi.billing_health_monthly"
    ):
        assert all(0 <= share <= 1 for share in shares)
        assert abs(sum(shares[:3]) - 1) < Decimal("1e-15")


def test_who_never_paid_has_no_paid_invoice_in_the_file(real: psycopg.Connection) -> None:
    with (REAL / "invoices.csv").open(newline="", encoding="utf-8") as file:
        paid = {
            row["Customer"]
            for row in csv.DictReader(file)
            if row["Status"] == "paid" and Fraction(row["Total"].replace(",", ".")) > 0
        }
    found = real.execute("select customer_id, mrr from kpi.never_paid").fetchall()
    assert len(found) == 26
    assert found[0] == ("cus_R4uIG2uftIlUlx", Decimal("12500.00"))
    assert paid.isdisjoint(customer for customer, _ in found)
    assert len(paid) > 3000
