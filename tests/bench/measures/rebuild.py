"""The full rebuild, from the versions of the facts to charges, ledger and totals by day."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

import duckdb_rules
from data import Bench
from measure import Measure, Sample, Sides
from pgmrr.rows import only_row

KEPT_FOR_READERS = [
    "billing.fate_cents", "ledger.paying_cents", "ledger.price_cents", "ledger.cohort_month_cents", "ledger.history"
]  # fmt: skip
MADE = ", ".join([table.ours for table in duckdb_rules.TABLES.values()] + KEPT_FOR_READERS)


@contextmanager
def _open(bench: Bench) -> Iterator[Sides]:
    with bench.copy("rebuild") as database, bench.connect(database) as connection, closing(bench.duckdb()) as session:

        def ours() -> Sample:
            connection.execute(f"truncate {MADE}")
            connection.execute("checkpoint")
            seconds = bench.seconds(lambda: connection.execute("call pipeline.rebuild()"))
            (rows,) = only_row(connection.execute("select count(*) from billing.charge_cents"))
            return Sample(seconds, rows)

        def reference() -> Sample:
            duckdb_rules.forget(session)
            seconds = bench.seconds(lambda: duckdb_rules.rebuild(session))
            (rows,) = only_row(session.execute("select count(*) from charge"))
            return Sample(seconds, rows)

        yield Sides(ours, reference, lambda: duckdb_rules.hold_equal(session, connection, bench.home))


MEASURE = Measure(
    name="rebuild",
    ours="call pipeline.rebuild(), logged and indexed, into empty tables",
    reference="the same rules in DuckDB, from its table of invoices on disk to tables on disk",
    better="less",
    must=6,
    aim=2,
    open=_open,
    growth=1.1,
    note="What an earlier run made is dropped on both sides before the clock starts; all rows are compared.",
)
