"""The reads of ``pgmrr kpis`` and of the report, warm, against DuckDB's from its charges."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

import psycopg
from psycopg.rows import DictRow

import duckdb_reads
import reads
from data import Bench
from measure import Measure, Sample, Sides
from pgmrr.database import Database, reading

Connection = psycopg.Connection[DictRow]
Answer = Sequence[duckdb_reads.Row]
Asked = list[tuple[reads.Read, DictRow]]  # what is asked, in order, with the parameters


def _against_duckdb(wanted: list[reads.Read]) -> Callable[[Bench], AbstractContextManager[Sides]]:
    """Both sides answer the reads."""

    @contextmanager
    def open_(bench: Bench) -> Iterator[Sides]:
        with _reading(bench) as connection, bench.duckdb() as session:
            with bench.connect() as facts:
                duckdb_reads.load(session, facts)
            asked = _asked(connection, wanted)

            def ours() -> list[Answer]:
                return [_ask(connection, read, parameters) for read, parameters in asked]

            def theirs() -> list[Answer]:
                duckdb_reads.prepare(session)
                return [duckdb_reads.ask(session, read.name, parameters) for read, parameters in asked]

            yield Sides(lambda: _sample(ours), lambda: _sample(theirs), lambda: _compared_rows(asked, ours(), theirs()))

    return open_


@contextmanager
def _alone(bench: Bench) -> Iterator[Sides]:
    """Only ours has an answer, which must be the same when it is asked for again."""
    with _reading(bench) as connection:
        asked = _asked(connection, [read for read in reads.listed() if read.name in duckdb_reads.OURS_ONLY])
        answers: list[Answer] = []

        def ours() -> list[Answer]:
            answers[:] = [_ask(connection, read, parameters) for read, parameters in asked]
            return answers

        yield Sides(lambda: _sample(ours), lambda: _sample(ours), lambda: _compared_rows(asked, list(answers), ours()))


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


def _ask(connection: Connection, read: reads.Read, parameters: DictRow) -> Answer:
    return connection.execute(read.sql.encode(), parameters or None).fetchall()


def _sample(ask: Callable[[], list[Answer]]) -> Sample:
    """How long it takes to fetch all answers, one after the other."""
    started = time.perf_counter()
    answers = ask()
    return Sample(time.perf_counter() - started, sum(map(len, answers)))


def _compared_rows(asked: Asked, ours: list[Answer], others: list[Answer]) -> int:
    """Raise AssertionError where answers differ; how many rows they have."""
    return sum(
        duckdb_reads.check_equal(read.name, our, other)
        for (read, _), our, other in zip(asked, ours, others, strict=True)
    )


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
        sizes=("M", "L"),
        reference_measure="reads",
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
