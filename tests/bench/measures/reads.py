"""All reads of ``pgmrr kpis`` and of the report, warm, against DuckDB's from its charges."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
from psycopg.rows import DictRow

import duckdb_reads
import reads
from data import Bench
from measure import Measure, Sample, Sides
from pgmrr.database import Database, reading

Connection = psycopg.Connection[DictRow]
Asked = list[tuple[reads.Read, list[DictRow]]]  # each read, and the parameters of every time that it is sent


@contextmanager
def _open(bench: Bench) -> Iterator[Sides]:
    with _reading(bench) as connection, bench.duckdb() as session:
        with bench.connect() as facts:
            duckdb_reads.load(session, facts)
        asked = _asked(connection, with_peer=True)

        def peer() -> int:
            duckdb_reads.prepare(session)
            return sum(len(duckdb_reads.ask(session, read.name, one)) for read, all_ in asked for one in all_)

        def check() -> int:
            duckdb_reads.prepare(session)
            return sum(
                duckdb_reads.check_equal(
                    read.name, _ask(connection, read, one), duckdb_reads.ask(session, read.name, one)
                )
                for read, all_ in asked
                for one in all_
            )

        yield Sides(lambda: _timed(bench, lambda: _ask_all(connection, asked)), lambda: _timed(bench, peer), check)


@contextmanager
def _open_without_peer(bench: Bench) -> Iterator[Sides]:
    with _reading(bench) as connection:
        asked = _asked(connection, with_peer=False)

        def ours() -> Sample:
            return _timed(bench, lambda: _ask_all(connection, asked))

        def check() -> int:
            pairs = [(_ask(connection, read, one), _ask(connection, read, one)) for read, all_ in asked for one in all_]
            assert all(once == again for once, again in pairs), "asked twice, it answers twice"
            return sum(len(once) for once, _ in pairs)

        yield Sides(ours, ours, check)


def _asked(connection: Connection, *, with_peer: bool) -> Asked:
    """The reads that DuckDB answers too, or the others."""
    return [
        (read, connection.execute(read.asked.encode()).fetchall() if read.asked else [{}])
        for read in reads.listed()
        if (read.name not in duckdb_reads.OURS_ONLY) is with_peer
    ]


def _ask_all(connection: Connection, asked: Asked) -> int:
    return sum(len(_ask(connection, read, one)) for read, all_ in asked for one in all_)


def _ask(connection: Connection, read: reads.Read, parameters: DictRow) -> list[DictRow]:
    return connection.execute(read.sql.encode(), parameters or None).fetchall()


@contextmanager
def _reading(bench: Bench) -> Iterator[Connection]:
    """A session as the commands have it. They send each statement once, so that none is ever prepared."""
    with reading(Database(bench.url(), bench.database, None)) as connection:
        connection.prepare_threshold = None
        yield connection


def _timed(bench: Bench, call: Callable[[], int]) -> Sample:
    rows: list[int] = []
    seconds = bench.seconds(lambda: rows.append(call()))
    return Sample(seconds, rows[0])


MEASURES = [
    Measure(
        name="reads",
        ours="every read of kpis and of the report that DuckDB can answer, asked one after the other",
        reference="DuckDB: the ledger from its charges, once, and then the same reads",
        better="less",
        must=1,
        aim=0.2,
        open=_open,
        warm=True,
    ),
    Measure(
        name="reads_without_peer",
        ours="the other reads: forecasts and their backtest, risks, and the last batch in words",
        reference="the reads that DuckDB answers too, ours: how much they add",
        better="less",
        must=None,
        aim=None,
        open=_open_without_peer,
        reference_measure="reads",
        warm=True,
        note="DuckDB has no forecast with draws that can be repeated, and risks are written in words",
    ),
]
