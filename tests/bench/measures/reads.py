"""The reads of ``pgmrr kpis`` and of the report, warm, against DuckDB's from its charges."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import psycopg
from psycopg.rows import DictRow

import duckdb_reads
import reads
from data import Bench
from measure import Measure, Sample, Sides
from pgmrr.database import Database, reading

Connection = psycopg.Connection[DictRow]
Asked = list[tuple[reads.Read, DictRow]]  # what is asked, in order, with the parameters


def _against_duckdb(wanted: list[reads.Read]) -> Callable[[Bench], AbstractContextManager[Sides]]:
    """Both sides answer the reads."""

    @contextmanager
    def open_(bench: Bench) -> Iterator[Sides]:
        with _reading(bench) as connection, bench.duckdb() as session:
            with bench.connect() as facts:
                duckdb_reads.load(session, facts)
            asked = _asked(connection, wanted)

            def theirs() -> Iterator[list[duckdb_reads.Row]]:
                duckdb_reads.prepare(session)
                return (duckdb_reads.ask(session, read.name, parameters) for read, parameters in asked)

            def check() -> int:
                pairs = zip(asked, _ours(connection, asked), theirs(), strict=True)
                return sum(duckdb_reads.check_equal(read.name, our, their) for (read, _), our, their in pairs)

            yield Sides(lambda: _timed(bench, lambda: _ours(connection, asked)), lambda: _timed(bench, theirs), check)

    return open_


@contextmanager
def _alone(bench: Bench) -> Iterator[Sides]:
    """Only ours has an answer, which must be the same when it is asked for again."""
    with _reading(bench) as connection:
        asked = _asked(connection, [read for read in reads.listed() if read.name in duckdb_reads.OURS_ONLY])

        def ours() -> Sample:
            return _timed(bench, lambda: _ours(connection, asked))

        def check() -> int:
            pairs = zip(asked, _ours(connection, asked), _ours(connection, asked), strict=True)
            return sum(duckdb_reads.check_equal(read.name, once, again) for (read, _), once, again in pairs)

        yield Sides(ours, ours, check)


@contextmanager
def _reading(bench: Bench) -> Iterator[Connection]:
    """A session as the commands have it. They send each statement once, so that none is ever prepared."""
    with reading(Database(bench.url(), bench.database, None)) as connection:
        connection.prepare_threshold = None
        yield connection


def _asked(connection: Connection, wanted: list[reads.Read]) -> Asked:
    return [
        (read, parameters)
        for read in wanted
        for parameters in (connection.execute(read.asked.encode()).fetchall() if read.asked else [{}])
    ]


def _ours(connection: Connection, asked: Asked) -> Iterator[list[DictRow]]:
    return (connection.execute(read.sql.encode(), parameters or None).fetchall() for read, parameters in asked)


def _timed(bench: Bench, answers: Callable[[], Iterator[list[duckdb_reads.Row]]]) -> Sample:
    """All answers, fetched one after the other."""
    rows: list[int] = []
    seconds = bench.seconds(lambda: rows.extend(len(answer) for answer in answers()))
    return Sample(seconds, sum(rows))


MEASURES = [
    Measure(
        name="reads",
        ours="every read of kpis and of the report that DuckDB answers too, one after the other",
        reference="DuckDB: the ledger from its charges, once, and then the same reads",
        better="less",
        must=1,
        aim=0.2,
        open=_against_duckdb([read for read in reads.listed() if read.name not in duckdb_reads.OURS_ONLY]),
        warm=True,
    ),
    Measure(
        name="reads_without_peer",
        ours="the other reads of the two: forecasts with their backtest, risks, and the last batch",
        reference="the reads that DuckDB answers too, ours: how much these add",
        better="less",
        must=None,
        aim=None,
        open=_alone,
        reference_measure="reads",
        warm=True,
        note="DuckDB cannot repeat the draws of a forecast, and risks are written in words",
    ),
    Measure(
        name="more_reads",
        ours="what other commands and pages ask: segments by month, renewals, billing, engagement, one-offs",
        reference="DuckDB: the ledger from its charges, once, and then the same reads",
        better="less",
        must=None,
        aim=None,
        open=_against_duckdb(duckdb_reads.more()),
        warm=True,
    ),
]
