"""The simulation of ABC Enterprises: how many sessions a second it makes and writes."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

import psycopg
from psycopg.errors import QueryCanceled

from data import Bench
from measure import Measure, Sample, Sides
from pgmrr.rows import only_row

# At L the million of the methodology.
_COMPANIES = {"XS": 400, "S": 2_000, "M": 100_000, "L": 1_000_000, "XL": 1_000_000}

_SIMULATE = "select simulation.simulate_abc('{Lee,Walker,Moore}', %s)"
_BEGINS = "writing sessions"
_ENDS = "making charges and ledger"

# As many rows as the simulation makes, with nothing to work out: keys ascend as there.
_CONSTANT_ROWS = """
insert into usage.session (customer_id, session_number, created_at, batch_id)
select 'abc_0000001', n.number, '2024-01-01 00:00:00Z', 1
from generate_series(1, %s::bigint) n (number)
"""

_SESSIONS = """
select sum(m.sessions)::bigint from simulation.abc_months(%s, 12, 42, '2024-01-01') m
"""


@contextmanager
def _open(bench: Bench) -> Iterator[Sides]:
    companies = _COMPANIES[bench.size]
    with bench.empty("simulation") as database, bench.connect(database) as connection:
        (sessions,) = only_row(connection.execute(_SESSIONS, [companies]))
    yield Sides(
        ours=lambda: _simulated(bench, companies, sessions),
        reference=lambda: _constant(bench, sessions),
        check=lambda: _check(bench, sessions),
    )


def _simulated(bench: Bench, companies: int, sessions: int) -> Sample:
    """Time the step that makes and writes sessions; what follows it is the rebuild's measure, and is not run."""
    moments: dict[str, float] = {}
    with bench.empty("simulated") as database, bench.connect(database) as connection:

        def note(diagnostic: psycopg.errors.Diagnostic) -> None:
            moments[diagnostic.message_primary or ""] = perf_counter()
            if diagnostic.message_primary == _ENDS:
                connection.cancel()

        connection.add_notice_handler(note)
        try:
            connection.execute(_SIMULATE, [companies])
        except QueryCanceled:
            assert _ENDS in moments, "the simulation was ended before its sessions were written"
    return Sample(value=sessions / (moments[_ENDS] - moments[_BEGINS]), rows=sessions)


def _constant(bench: Bench, sessions: int) -> Sample:
    with bench.empty("constant") as database, bench.connect(database) as connection:
        seconds = bench.seconds(lambda: connection.execute(_CONSTANT_ROWS, [sessions]))
    return Sample(value=sessions / seconds, rows=sessions)


def _check(bench: Bench, sessions: int) -> int:
    """The simulation writes the sessions that are counted here; shown on a company small enough to be whole."""
    few = min(_COMPANIES[bench.size], 400)
    with bench.empty("checked") as database, bench.connect(database) as connection:
        connection.execute(_SIMULATE, [few])
        (written,) = only_row(connection.execute("select count(*) from usage.session"))
        (expected,) = only_row(connection.execute(_SESSIONS, [few]))
    assert 0 < written == expected <= sessions, f"{written} sessions were written, {expected} drawn"
    return int(written)


MEASURE = Measure(
    name="simulation",
    ours="simulation.simulate_abc: sessions a second of the step that draws and writes them",
    reference="insert … select of as many constant rows into the same table, keys ascending",
    better="more",
    must=0.7,
    aim=0.9,
    open=_open,
)
