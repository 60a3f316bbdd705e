"""The refresh after 1,000 changed invoices, which should cost the same however large the company is."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from math import log

import duckdb
from psycopg import Connection

import duckdb_rules
from data import COMPANIES, Bench
from measure import Measure, Sample, Sides
from pgmrr.rows import only_row
from transfer import FACTS, fill

# A batch with another amount of one invoice each of a thousand customers; returns the customers.
CHANGE = """
with batch as materialized (
    select pipeline.begin_batch('simulation', 'simulation', false) as batch_id
),
customer as materialized (
    select c.customer_id
    from raw.customer c
    cross join batch b
    where c.superseded_by is null
        and exists (select from billing.charge_cents h where h.customer_id = c.customer_id)
    order by hashtextextended(c.customer_id, b.batch_id), c.customer_id
    limit 1000
),
chosen as materialized (
    select distinct on (i.customer_id) i as version
    from customer c
    join raw.invoice i
        on i.customer_id = c.customer_id
        and i.superseded_by is null
        and i.subscription_id is not null
    cross join batch b
    order by i.customer_id, hashtextextended(i.invoice_id, b.batch_id), i.invoice_id
),
superseded as (
    update raw.invoice i
    set superseded_by = b.batch_id
    from chosen c
    cross join batch b
    where i.customer_id = (c.version).customer_id
        and i.invoice_id = (c.version).invoice_id
        and i.batch_id = (c.version).batch_id
),
changed as (
    insert into raw.invoice
    select new.*
    from chosen c
    cross join batch b
    cross join jsonb_populate_record(
        c.version, jsonb_build_object('batch_id', b.batch_id, 'total', (c.version).total + 100)
    ) new
    returning customer_id
)
select array_agg(c.customer_id)
from changed c
"""


def _change(connection: Connection) -> list[str]:
    (customers,) = only_row(connection.execute(CHANGE))
    return customers


@contextmanager
def _open(bench: Bench) -> Iterator[Sides]:
    with bench.copy("refresh") as database, bench.connect(database) as connection:

        def ours() -> Sample:
            customers = _change(connection)
            seconds = bench.seconds(lambda: connection.execute("call pipeline.refresh(%s)", [customers]))
            return Sample(seconds, len(customers))

        def check() -> int:
            path = bench.home / f"{database}.duckdb"
            path.unlink(missing_ok=True)
            try:
                with closing(duckdb.connect(str(path))) as session:
                    for table, query in FACTS.items():
                        fill(session, connection, table, query, bench.home)
                    duckdb_rules.rebuild(session)
                    return duckdb_rules.hold_equal(session, connection, bench.home)
            finally:
                path.unlink(missing_ok=True)

        ours()  # a new copy is not in memory
        yield Sides(ours, ours, check)


MEASURE = Measure(
    name="refresh",
    ours="call pipeline.refresh(customers) after 1,000 changed invoices of as many customers",
    reference="our rebuild at the largest size",
    better="less",
    must=0.01,
    aim=0.01,
    open=_open,
    growth=log(1.5) / log(COMPANIES["L"] / COMPANIES["S"]),  # at L at most 1.5 times S
    reference_measure="rebuild",
    note="All rows are compared with what DuckDB makes of the changed facts.",
)
