"""The reads that are measured are those that people wait for."""

from collections.abc import Callable

import psycopg
import pytest

import reads
from pgmrr.database import Database, reading
from pgmrr.sessions import open_session
from pgmrr.simulation import Parameters, SaasParameters, simulate, simulate_saas


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda session: simulate(session, Parameters(companies=40)), id="with sessions"),
        pytest.param(
            lambda session: simulate_saas(session, SaasParameters(companies=40, months=14)), id="with attributes"
        ),
    ],
)
def test_kpis_and_report_send_what_the_list_says_and_nothing_twice(
    database: str, make: Callable[[psycopg.Connection], object]
) -> None:
    with open_session(database) as session:
        make(session)
    with reading(Database(database, "", None)) as connection:
        listed = {read: read.calls(connection) for read in reads.listed()}
    for sender in ("kpis", "report"):
        expected = [call for read, calls in listed.items() if sender in read.senders for call in calls]
        sent = reads.sent(database, sender)
        assert sorted(sent, key=str) == sorted(expected, key=str)
        assert len(sent) > 4
