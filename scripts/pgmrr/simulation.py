"""Simulates a company: a pool of names from Faker, and one call of the SQL that does all else.

Two profiles: ABC Enterprises (``simulate``), and a richer company whose true MRR is kept beside the ledger that
the rules make of its invoices (``simulate_saas``).
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TypeVar

import psycopg
from faker import Faker
from psycopg.rows import class_row

from pgmrr.errors import PgmrrError
from pgmrr.locks import Progress, silent, writer_lock
from pgmrr.rows import only_row
from pgmrr.sessions import explained, tidy_up

Result = TypeVar("Result")

# Two names and a suffix make a company's name: 400 x 400 x 6 companies have names of their own.
_POOL = 400
_SUFFIXES = ["Inc", "LLC", "Ltd", "Group", "PLC", "and Sons"]

_SIMULATE = """
select batch_id, acquired, paying, invoices, sessions
from simulation.simulate_abc(
    p_names => %s,
    p_companies => %s::bigint,
    p_months => %s::bigint,
    p_seed => %s::bigint,
    p_start => %s::date,
    p_suffixes => %s
)
"""
_SIMULATE_SAAS = """
select batch_id, acquired, paying, invoices, true_changes
from simulation.simulate_saas(
    p_names => %s,
    p_companies => %s::bigint,
    p_months => %s::bigint,
    p_seed => %s::bigint,
    p_start => %s::date,
    p_suffixes => %s,
    p_unseen => %s::bigint
)
"""
_ACCURACY = """
select customers, right_customers, worst_total, worst_total_on
from simulation.accuracy()
"""


@dataclass(frozen=True)
class Parameters:
    """What to simulate: so many companies, acquired in the month that begins at ``start``, over so many months.

    The same parameters give the same data, on any machine and PostgreSQL version.
    """

    companies: int = 500
    months: int = 12
    seed: int = 42
    start: date = date(2024, 1, 1)


@dataclass(frozen=True)
class SaasParameters(Parameters):
    """What to simulate of the richer company: so many customers, who come within so many months from ``start`` on.

    ``unseen`` in a thousand changes and cancellations by the month leave no trace on invoices.
    """

    months: int = 36
    start: date = date(2022, 1, 1)
    unseen: int = 0


@dataclass(frozen=True)
class SimulationResult:
    """What was written: the batch, and how many companies, invoices and sessions.

    All companies were ``acquired``; those that were not lost within their first month are ``paying``.
    """

    batch_id: int
    acquired: int
    paying: int
    invoices: int
    sessions: int


@dataclass(frozen=True)
class SaasResult:
    """What was written of the richer company: the batch, customers, invoices, and changes of the true MRR.

    All customers were ``acquired``; those who ever paid an invoice are ``paying``.
    """

    batch_id: int
    acquired: int
    paying: int
    invoices: int
    true_changes: int


@dataclass(frozen=True)
class Accuracy:
    """How well the rules give the true MRR back.

    ``right_customers`` of ``customers`` differ from it by at most 0.05 in each currency on every day;
    ``worst_total`` is the largest difference of a day's totals as a share of the true one, and
    ``worst_total_on`` that day. Both are None where there is no MRR.
    """

    customers: int
    right_customers: int
    worst_total: Decimal | None
    worst_total_on: date | None


def simulate(
    connection: psycopg.Connection, parameters: Parameters | None = None, progress: Progress = silent
) -> SimulationResult:
    """Simulate ABC Enterprises in an empty database, in one transaction: everything, or nothing.

    ``progress`` is called with what is being done. ``connection`` must be in autocommit mode, outside of a
    transaction.

    Raises PgmrrError where a parameter is out of range, or the database holds data already.
    """
    return _run(connection, _SIMULATE, SimulationResult, parameters or Parameters(), progress)


def simulate_saas(
    connection: psycopg.Connection, parameters: SaasParameters | None = None, progress: Progress = silent
) -> SaasResult:
    """Simulate the richer company, as ``simulate`` does ABC Enterprises."""
    parameters = parameters or SaasParameters()
    return _run(connection, _SIMULATE_SAAS, SaasResult, parameters, progress, parameters.unseen)


def accuracy(connection: psycopg.Connection) -> Accuracy:
    """How well the ledger gives the true MRR of the richer company back."""
    with connection.cursor(row_factory=class_row(Accuracy)) as cursor:
        return only_row(cursor.execute(_ACCURACY))


def _run(
    connection: psycopg.Connection,
    query: str,
    result: type[Result],
    parameters: Parameters,
    progress: Progress,
    *further: int,
) -> Result:
    values = (parameters.companies, parameters.months, parameters.seed)
    if any(abs(value) >= 2**63 for value in values):
        raise PgmrrError("companies, months and seed must be numbers of 64 bits", "see: pgmrr simulate --help")

    def tell(notice: psycopg.errors.Diagnostic) -> None:
        progress(notice.message_primary or "")

    connection.add_notice_handler(tell)
    try:
        with (
            writer_lock(connection, progress),
            connection.transaction(),
            connection.cursor(row_factory=class_row(result)) as cursor,
        ):
            # Progress must arrive whatever the user's own settings are.
            cursor.execute("set local client_min_messages = notice")
            names = name_pool(parameters.seed)
            cursor.execute(query.encode(), [names, *values, parameters.start, _SUFFIXES, *further])
            written = only_row(cursor)
    except psycopg.Error as error:
        raise explained("nothing was simulated", error) from error
    finally:
        connection.remove_notice_handler(tell)
    progress("tidying up")
    tidy_up(connection)
    return written


def name_pool(seed: int) -> list[str]:
    """The names of which companies' names are made: distinct, the same for the same ``seed``."""
    faker = Faker("en_US")
    faker.seed_instance(seed)
    return [faker.unique.last_name() for _ in range(_POOL)]
