"""A customer's MRR on a day: how many calls a second."""

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory

from data import Bench
from measure import Measure, NotHere, Sample, Sides
from pgmrr.rows import only_row

_SAMPLE = 10_000

# One row a customer, made by another route than kpi.mrr_at, in a schema that goes again.
_REFERENCE = """
drop schema if exists bench_of_mrr_at cascade;
create schema bench_of_mrr_at;
create table bench_of_mrr_at.customer_mrr as
select
    c.customer_id,
    coalesce(m.mrr, 0) as mrr
from kpi.customer c
left join kpi.mrr_by_customer((select v.complete_through from kpi.coverage v)) m
    on m.customer_id = c.customer_id
order by c.customer_id;
alter table bench_of_mrr_at.customer_mrr alter column mrr set not null;
alter table bench_of_mrr_at.customer_mrr add constraint customer_mrr_pkey primary key (customer_id);
"""

# Known customers, and as many names that nobody has.
_CHECK = """
with asked as (
    select k.customer_id
    from bench_of_mrr_at.customer_mrr k
    order by hashtextextended(k.customer_id, 1)
    limit %(sample)s
)
select
    count(*),
    count(*) filter (
        where kpi.mrr_at(a.customer_id || n.suffix, v.complete_through) is distinct from k.mrr
    )
from asked a
cross join (values (''), (' nobody')) n (suffix)
cross join kpi.coverage v
left join bench_of_mrr_at.customer_mrr k
    on k.customer_id = a.customer_id || n.suffix
"""


@contextmanager
def _open(bench: Bench) -> Iterator[Sides]:
    pgbench = which("pgbench")
    if pgbench is None:
        raise NotHere(
            "pgbench is missing; Debian has it in its package postgresql-contrib (apt install postgresql-contrib)"
        )
    with bench.connect() as connection, TemporaryDirectory() as directory:
        connection.execute(_REFERENCE)
        connection.execute("vacuum (analyze) bench_of_mrr_at.customer_mrr, ledger.history, meta.coverage")
        customers, digits, day = only_row(
            connection.execute(
                "select count(*), max(length(k.customer_id)) - 4, v.complete_through::text"
                " from bench_of_mrr_at.customer_mrr k cross join kpi.coverage v group by v.complete_through"
            )
        )
        # The simulation numbers its customers.
        key = f"'cus_' || lpad(:number::text, {digits}, '0')"

        def script(name: str, statement: str) -> Path:
            path = Path(directory) / name
            path.write_text(f"\\set number random(1, {customers})\n{statement};\n")
            return path

        ours = script("ours.sql", f"select kpi.mrr_at({key}, '{day}')")
        reference = script(
            "reference.sql", f"select k.mrr from bench_of_mrr_at.customer_mrr k where k.customer_id = {key}"
        )
        try:
            yield Sides(
                ours=lambda: _calls(pgbench, bench, ours),
                reference=lambda: _calls(pgbench, bench, reference),
                check=lambda: _check(bench),
            )
        finally:
            connection.execute("drop schema bench_of_mrr_at cascade")


def _calls(pgbench: str, bench: Bench, script: Path) -> Sample:
    """Calls a second of two prepared sessions; connecting is not timed."""
    length = {"XS": ["--transactions", "200"], "S": ["--time", "1"]}.get(bench.size, ["--time", "3"])
    clients = str(min(2, os.cpu_count() or 1))
    run = subprocess.run(
        [
            *[pgbench, "--no-vacuum", "--protocol=prepared", f"--client={clients}", f"--jobs={clients}"],
            *[*length, f"--file={script}", bench.url()],
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    rate = re.search(r"^tps = ([0-9.]+) \(without", run.stdout, re.MULTILINE)
    done = re.search(r"actually processed: (\d+)", run.stdout)
    assert run.returncode == 0 and rate and done, run.stderr or run.stdout
    return Sample(value=float(rate[1]), rows=int(done[1]))


def _check(bench: Bench) -> int:
    with bench.connect() as connection:
        compared, wrong = only_row(connection.execute(_CHECK, {"sample": _SAMPLE}))
    assert compared > 0 and wrong == 0, f"{wrong} of {compared} customers have another MRR than their row says"
    return int(compared)


MEASURE = Measure(
    name="mrr_at",
    ours="kpi.mrr_at(customer, day), prepared, random customers: calls a second of pgbench",
    reference="look-up by primary key in a table with one row for each customer, in the same way",
    better="more",
    must=0.7,
    aim=0.9,
    open=_open,
)
