"""An import of a Stripe export, up to the facts, and whole, against COPY of the same file.

Up to the facts: the file is staged, each value read and judged, each row held against what is known, stored with
its line in the logged and indexed table of facts, counted and committed. COPY puts the file's text into an unlogged
table without an index, and knows nothing of what it says.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from measure import Measure, Sample, Sides
from pgmrr.importing import import_files
from pgmrr.rows import only_row
from pgmrr.sessions import open_session
from pgmrr.staging import Place, file_at
from pgmrr.stripe_export import export_stripe

if TYPE_CHECKING:
    from data import Bench

_Side = Callable[[psycopg.Connection, Path], None]
_CHUNK = 1 << 18

# Facts as the file can tell them: times to the minute.
_FACTS = """
select
    i.invoice_id, i.customer_id, i.subscription_id, i.currency, i.status,
    date_trunc('minute', i.issued_at), date_trunc('minute', i.due_at), date_trunc('minute', i.finalized_at),
    date_trunc('minute', i.paid_at), date_trunc('minute', i.voided_at), date_trunc('minute', i.uncollectible_at),
    date_trunc('minute', i.period_start), date_trunc('minute', i.period_end),
    date_trunc('minute', i.line_period_start), date_trunc('minute', i.line_period_end),
    i.subtotal, i.discount, i.tax, i.exclusive_tax, i.inclusive_tax, i.total, i.amount_due, i.amount_paid,
    i.starting_balance, i.ending_balance, trim_scale(i.tax_percent), i.coupons
from raw.invoice i
where i.superseded_by is null
order by i.invoice_id collate "C"
"""


def exported(bench: Bench) -> Path:
    """The invoices of the company of this size, as a Stripe export; written where it is not there yet."""
    directory = bench.home / f"{bench.database}-stripe"
    if not (directory / "invoices.csv").exists():
        with bench.connect() as connection:
            export_stripe(connection, directory, names=True)
    return directory / "invoices.csv"


def copy_as_text(connection: psycopg.Connection, file: Path) -> None:
    """COPY the file into a new unlogged table of text columns."""
    with file.open(encoding="utf-8", newline="") as stream:
        names = next(csv.reader(stream))
    columns = sql.SQL(", ").join(sql.SQL("{} text").format(sql.Identifier(name)) for name in names)
    with connection.cursor() as cursor, connection.transaction():
        cursor.execute(sql.SQL("create unlogged table public.file ({})").format(columns))
        with cursor.copy("copy public.file from stdin (format csv, header)") as copy, file.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                copy.write(chunk)


@contextmanager
def _fresh(bench: Bench) -> Iterator[psycopg.Connection]:
    """A session of an empty migrated database, with nothing left to write to disk."""
    with bench.empty("import") as database, open_session(bench.url(database)) as connection:
        connection.execute("checkpoint")
        yield connection


def _facts(connection: psycopg.Connection, file: Path) -> None:
    """Import the file up to the facts, as import_files does."""
    invoices = file_at(file, Place("stripe", "invoices"))
    with connection.transaction():
        (batch,) = only_row(connection.execute("select pipeline.begin_batch('import', 'stripe', true)"))
        invoices.copy_to(connection)
        connection.execute("select pipeline.import_files(%s, %s)", [batch, Jsonb([invoices.description])])


def _whole(connection: psycopg.Connection, file: Path) -> None:
    import_files(connection, "stripe", [file_at(file, Place("stripe", "invoices"))], is_truncated=True)


def _sides(bench: Bench, ours: _Side) -> Sides:
    file = exported(bench)

    def run(side: _Side, table: str) -> Sample:
        with _fresh(bench) as connection:
            seconds = bench.seconds(lambda: side(connection, file))
            return Sample(seconds, only_row(connection.execute(f"select count(*) from {table}".encode()))[0])

    def check() -> int:
        with _fresh(bench) as found, bench.connect() as expected:
            ours(found, file)
            pairs = list(zip_longest(found.execute(_FACTS), expected.execute(_FACTS)))
            for ours_row, true_row in pairs:
                assert ours_row == true_row, f"imported {ours_row} from {true_row}"
            return len(pairs)

    return Sides(ours=lambda: run(ours, "raw.invoice"), reference=lambda: run(copy_as_text, "public.file"), check=check)


@contextmanager
def _open_facts(bench: Bench) -> Iterator[Sides]:
    yield _sides(bench, _facts)


@contextmanager
def _open_whole(bench: Bench) -> Iterator[Sides]:
    yield _sides(bench, _whole)


MEASURES = [
    Measure(
        name="import",
        ours="a Stripe export, from CSV to validated facts, committed",
        reference="COPY of the same file into one unlogged table of text columns",
        better="less",
        must=6,
        aim=2,
        open=_open_facts,
        sizes=("S", "M"),
        judged_at="M",
    ),
    Measure(
        name="import_whole",
        ours="the same with charges, ledger, totals and report",
        reference="COPY of the same file into one unlogged table of text columns",
        better="less",
        must=6,
        aim=2,
        open=_open_whole,
        sizes=("M",),
        judged_at="",
        note="shown, not judged: the rebuild has a measure of its own",
    ),
]
