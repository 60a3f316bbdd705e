"""Readers and writers at once: no deadlock, no error, and no reader ever sees a half of anything.

A file of invoices charges every customer the same price, which is in the file's name. So whoever sees customers
with different prices, or other prices than those of the last import, has seen a half import.
"""

import csv
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from itertools import cycle
from multiprocessing import get_context
from pathlib import Path
from shutil import copytree

import psycopg
import pytest

from conftest import NewDatabase
from identities import IDENTITIES
from pgmrr import procedures, rates
from pgmrr.history import undo
from pgmrr.migrations import migrate
from pgmrr.resources import sql_directory
from pgmrr.sessions import open_session
from pgmrr.stripe import import_stripe
from stripe_files import INVOICE_HEADER

AS_A_READER = "-c role=pgmrr_reader"

CUSTOMERS = 40
PRICES = [19, 23, 29, 31]
DAYS = [date(2025, 1, 31), date(2025, 2, 1), date(2025, 2, 14), date(2025, 3, 14), date(2025, 3, 31)]
PRICED_ON = date(2025, 2, 14)

# What the customers pay on a day when all of them pay the price of the last file that was imported.
WHOLE_IMPORT = """
with price as (
    select regexp_replace(b.files, '\\D', '', 'g')::numeric as price
    from kpi.batches b
    where b.kind = 'import'
    order by b.batch_id desc
    limit 1
)
select
    count(*),
    count(*) filter (
        where kpi.mrr_at(u.customer_id, %(priced_on)s) = p.price
            and kpi.mrr_total_at(%(priced_on)s) = p.price * %(many)s
    )
from price p
cross join kpi.customer u
"""

LEDGER = """
select count(*), count(*) filter (where l.change = d.change and l.customers = d.customers)
from (
    select effective_on, currency, kind, sum(change) as change, sum(customers) as customers
    from kpi.ledger
    group by effective_on, currency, kind
) l
full join (
    select effective_on, currency, kind, change_in_currency as change, customers
    from kpi.daily_change
    where kind <> 'unpaid'
) d
    using (effective_on, currency, kind)
"""

MONTHS = """
select
    count(*),
    count(*) filter (
        where m.opening + m.preexisting + m.new + m.reactivation + m.expansion + m.contraction + m.rounding + m.churn
            = m.closing
            and m.opening = coalesce(m.closing_before, m.opening)
            and m.closing = kpi.mrr_total_at(m.last_on)
    )
from (select w.*, lag(w.closing) over (order by w.month) as closing_before from kpi.mrr_monthly w) m
"""

# Readers see schema kpi alone.
IN_ONE_STATEMENT = {
    **{name: query for name, query in IDENTITIES.items() if "billing." not in query},
    "an import is whole": WHOLE_IMPORT,
    "the ledger adds up to the totals by day": LEDGER,
    "the waterfall by month leads from closing to closing": MONTHS,
}

# The MRR of a day, told in several ways by the statements of one transaction.
IN_ONE_TRANSACTION = [
    "select kpi.mrr_total_at(%(priced_on)s)",
    "select sum(kpi.mrr_at(u.customer_id, %(priced_on)s)) from kpi.customer u",
    "select d.closing from kpi.mrr_daily d where d.day = %(priced_on)s",
    "select sum(m.change) from kpi.movements(null, %(priced_on)s) m",
    "select sum(b.mrr) from kpi.biggest_customers(%(priced_on)s, 1000) b",
    "select sum(regexp_replace(b.files, '\\D', '', 'g')::numeric * %(many)s) from kpi.batches b"
    " where b.batch_id = (select max(i.batch_id) from kpi.batches i where i.kind = 'import')",
]

QUESTIONS = [*IN_ONE_STATEMENT, "in one transaction all ways tell the same MRR"]

PARAMETERS = {"days": DAYS, "priced_on": PRICED_ON, "many": CUSTOMERS}


def price_list(directory: Path, price: int) -> Path:
    """A file in which all customers pay this price in February; some begin earlier, and some leave in March."""
    path = directory / f"prices_{price}.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, INVOICE_HEADER)
        writer.writeheader()
        for number in range(CUSTOMERS):
            for month, amount in ((1, price - number % 3), (2, price), (3, price + number % 5)):
                if (month, number % 2) == (1, 0) or (month, number % 4) == (3, 1):
                    continue
                start, end = f"2025-{month:02}-01 0:00", f"2025-{month + 1:02}-01 0:00"
                writer.writerow(
                    {
                        "id": f"in_{number}_{month}",
                        "Customer": f"cus_{number}",
                        "Subscription": f"sub_{number}",
                        "Currency": "eur",
                        "Status": "paid",
                        "Date (UTC)": start,
                        "Minimum Line Item Period Start (UTC)": start,
                        "Maximum Line Item Period End (UTC)": end,
                        "Period Start (UTC)": start,
                        "Period End (UTC)": start,
                        "Total": f"{amount},00",
                        "Amount Paid": f"{amount},00",
                    }
                )
    return path


@dataclass(frozen=True)
class Load:
    """How many readers ask, how many seconds they pause between two questions at most, and for how long it goes on.

    ``least`` is how often each writer is to have written in the end.
    """

    readers: int
    pause: float
    seconds: float
    least: int


@dataclass
class Traffic:
    """Sessions that read and write one database at the same time."""

    url: str
    files: list[Path]
    code: list[Path]
    load: Load

    def __post_init__(self) -> None:
        self.done = Counter[str]()
        self.compared = Counter[str]()
        self._stopped = threading.Event()

    def run(self) -> None:
        """Run as long as the load says, and until all have done their work and every reader has asked everything.

        Raises the first error of any of them.
        """
        writers = [self.imports, self.takes_back, self.rebuilds, self.sets, self.migrates, self.reloads, self.vacuums]
        readers = range(self.load.readers)
        wanted = {writer.__name__: self.load.least for writer in writers}
        wanted |= {f"reader {number}": len(QUESTIONS) for number in readers}
        with ThreadPoolExecutor(len(wanted)) as pool:
            tasks = [pool.submit(self._repeat, writer.__name__, writer()) for writer in writers]
            tasks += [pool.submit(self._repeat, f"reader {number}", self._reads(number)) for number in readers]
            end = time.monotonic() + self.load.seconds
            try:
                while not any(task.done() for task in tasks):
                    if time.monotonic() > end and all(self.done[name] >= wanted[name] for name in wanted):
                        break
                    time.sleep(0.1)
            finally:
                self._stopped.set()
            for task in tasks:
                task.result()

    def _repeat(self, name: str, steps: Iterator[None]) -> None:
        for _ in steps:
            self.done[name] += 1
            if self._stopped.is_set():
                return

    # -- readers -------------------------------------------------------------------------

    def _reads(self, number: int) -> Iterator[None]:
        """Ask one question after another, in a session that keeps its prepared statements."""
        chance = random.Random(number)
        offset = number % len(QUESTIONS)
        with psycopg.connect(self.url, autocommit=True, prepare_threshold=1, options=AS_A_READER) as connection:
            for question in cycle([*QUESTIONS[offset:], *QUESTIONS[:offset]]):
                if question in IN_ONE_STATEMENT:
                    compared, agreed = connection.execute(IN_ONE_STATEMENT[question], PARAMETERS).fetchone()
                    assert compared == agreed, question
                    self.compared[question] += compared
                else:
                    with connection.transaction():
                        connection.execute("set transaction isolation level repeatable read, read only")
                        told = [connection.execute(query, PARAMETERS).fetchone()[0] for query in IN_ONE_TRANSACTION]
                        assert len(set(told)) == 1, told
                        self.compared[question] += len(told)
                yield
                time.sleep(chance.random() * self.load.pause)

    # -- writers -------------------------------------------------------------------------

    def imports(self) -> Iterator[None]:
        with open_session(self.url) as connection:
            for file in cycle(self.files):
                import_stripe(connection, file, complete_history=True)
                yield

    def takes_back(self) -> Iterator[None]:
        with open_session(self.url) as connection:
            while True:
                if connection.execute("select count(*) from kpi.batches").fetchone()[0] > 2:
                    undo(connection)
                    yield
                time.sleep(0.2)

    def rebuilds(self) -> Iterator[None]:
        with open_session(self.url) as connection:
            while True:
                connection.execute("call pipeline.rebuild()")
                yield
                time.sleep(0.2)

    def sets(self) -> Iterator[None]:
        with open_session(self.url) as connection:
            for tolerance in cycle(["0.02", "0.05"]):
                rates.set_setting(connection, "rounding_tolerance", tolerance)
                yield
                time.sleep(0.2)

    def migrates(self) -> Iterator[None]:
        while True:
            migrate(self.url)
            yield
            time.sleep(0.2)

    def reloads(self) -> Iterator[None]:
        for directory in cycle(self.code):
            procedures.load(self.url, directory)
            yield
            time.sleep(0.5)

    def vacuums(self) -> Iterator[None]:
        with open_session(self.url) as connection:
            while True:
                connection.execute("vacuum (analyze)")
                yield
                time.sleep(0.2)


def other_code(directory: Path) -> Path:
    """Our code with another body and with a further column: to load ours again drops the view that has it."""
    copytree(sql_directory("procedures"), directory)
    for name, old, new in (
        ("30_kpi/12_mrr_total_at.sql", "        0\n    )", "        0 * 1\n    )"),
        ("30_kpi/20_mrr_daily.sql", "from balanced b;", ",\n    b.closing as as_well\nfrom balanced b;"),
    ):
        text = (directory / name).read_text(encoding="utf-8")
        assert text.count(old) == 1
        (directory / name).write_text(text.replace(old, new), encoding="utf-8")
    return directory


@pytest.mark.parametrize(
    "load",
    [
        pytest.param(Load(readers=8, pause=0.1, seconds=10, least=3), id="8 readers"),
        pytest.param(Load(readers=50, pause=1, seconds=240, least=30), id="50 readers", marks=pytest.mark.full),
    ],
)
def test_readers_and_writers_at_once(new_database: NewDatabase, template: str, tmp_path: Path, load: Load) -> None:
    url = new_database(template=template)
    files = [price_list(tmp_path, price) for price in PRICES]
    with open_session(url) as connection:
        import_stripe(connection, files[-1], complete_history=True)
    traffic = Traffic(url, files, [other_code(tmp_path / "procedures"), sql_directory("procedures")], load)
    begun = time.monotonic()
    try:
        traffic.run()
    finally:
        reads = sum(done for name, done in traffic.done.items() if name.startswith("reader"))
        wrote = {name: done for name, done in traffic.done.items() if not name.startswith("reader")}
        print(f"{time.monotonic() - begun:.0f} s, {load.readers} readers: {reads:,} reads; {wrote}")
    assert all(traffic.compared[question] > 0 for question in QUESTIONS)
    with psycopg.connect(url) as connection:
        query = "select deadlocks from pg_stat_database where datname = current_database()"
        assert connection.execute(query).fetchone() == (0,)


@pytest.mark.parametrize("processes", [10])
def test_migrations_run_once_where_many_start_them(new_database: NewDatabase, processes: int) -> None:
    url = new_database()
    context = get_context("forkserver")
    runs = [context.Process(target=migrate, args=[url]) for _ in range(processes)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert [run.exitcode for run in runs] == [0] * processes
    with psycopg.connect(url) as connection:
        names = [file.stem for file in sorted(sql_directory("migrations").glob("*.sql")) if "rollback" not in file.stem]
        query = "select migration_id from meta._yoyo_log where operation = 'apply' order by migration_id"
        assert [name for (name,) in connection.execute(query)] == names
        assert connection.execute("select count(*) from meta.yoyo_lock").fetchone() == (0,)
