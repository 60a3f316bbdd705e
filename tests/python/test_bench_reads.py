"""DuckDB answers the reads of kpis and of the report as ours do, from the charges on, in parts likewise."""

from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import psycopg
import pytest

import duckdb_reads
import reads
from pgmrr.database import Database, reading
from pgmrr.rates import set_setting
from pgmrr.sessions import open_session
from pgmrr.simulation import Parameters, SaasParameters, simulate, simulate_saas
from pgmrr.stripe import import_stripe

REAL = Path(__file__).parents[2] / ".." / "shared" / "data" / "stripe-export"

Make = Callable[[psycopg.Connection], object]


def real_export(session: psycopg.Connection) -> None:
    if not REAL.is_dir():
        pytest.skip("the real export does not lie beside the checkout")
    import_stripe(session, REAL / "invoices.csv", REAL / "customers.csv")


def half_of_the_real_export(session: psycopg.Connection) -> None:
    """Every other invoice, so that what is kept for the reads is kept for customers who come and who change."""
    if not REAL.is_dir():
        pytest.skip("the real export does not lie beside the checkout")
    header, *lines = (REAL / "invoices.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    with TemporaryDirectory() as directory:
        half = Path(directory) / "invoices.csv"
        half.write_text(header + "".join(lines[::2]), encoding="utf-8")
        import_stripe(session, half, REAL / "customers.csv")


def other_settings(session: psycopg.Connection) -> None:
    """Other days, and other invoices."""
    set_setting(session, "time_zone", "Pacific/Auckland")
    set_setting(session, "counted_statuses", "paid")


@pytest.mark.parametrize(
    ("stages", "rows"),
    [
        pytest.param([lambda session: simulate_saas(session, SaasParameters(companies=150))], 4_500, id="saas"),
        pytest.param([lambda session: simulate(session, Parameters(companies=60))], 1_200, id="sessions"),
        pytest.param([real_export, other_settings], 3_400, id="real export"),
        pytest.param(
            [half_of_the_real_export, real_export], 2_000, id="real export in two parts", marks=pytest.mark.full
        ),
    ],
)
def test_duckdb_answers_every_read_as_ours(database: str, stages: Sequence[Make], rows: int) -> None:
    for change in stages:
        with open_session(database) as session:
            change(session)
        assert compared_rows(database) > rows


def compared_rows(database: str) -> int:
    """Compare the answers to all reads; how many rows they have."""
    compared = 0
    with duckdb.connect() as peer, reading(Database(database, "", None)) as connection:
        with psycopg.connect(database) as facts:
            duckdb_reads.load(peer, facts)
        duckdb_reads.prepare(peer)
        for read in [*reads.listed(), *duckdb_reads.more()]:
            if read.name in duckdb_reads.OURS_ONLY:
                continue
            for asked in connection.execute(read.asked.encode()).fetchall() if read.asked else [{}]:
                ours = connection.execute(read.sql.encode(), asked or None).fetchall()
                compared += duckdb_reads.check_equal(read.name, ours, duckdb_reads.ask(peer, read.name, asked))
    return compared


def test_every_read_has_an_answer_of_duckdb_or_a_reason_why_not() -> None:
    listed = {read.name for read in [*reads.listed(), *duckdb_reads.more()]}
    assert duckdb_reads.answered() | set(duckdb_reads.OURS_ONLY) == listed
    assert not duckdb_reads.answered() & set(duckdb_reads.OURS_ONLY)


ROW = {"day": date(2024, 1, 31), "mrr": Decimal("1234567.89"), "share": Decimal("0.25"), "kinds": [{"kind": "new"}]}


@pytest.mark.parametrize(
    "theirs",
    [
        pytest.param([{**ROW, "mrr": Decimal("1234567.90")}], id="a cent"),
        pytest.param([{**ROW, "share": 0.25 + 1e-9}], id="a share"),
        pytest.param([{**ROW, "share": None}], id="nothing"),
        pytest.param([{**ROW, "kinds": [{"kind": "churn"}]}], id="a word within"),
        pytest.param([{**ROW, "more": 1}], id="a column"),
        pytest.param([ROW, ROW], id="a row"),
    ],
)
def test_a_difference_is_found(theirs: list[duckdb_reads.Row]) -> None:
    with pytest.raises(AssertionError, match=r"read"):
        duckdb_reads.check_equal("read", [ROW], theirs)


def test_what_is_equal_but_for_the_last_digit_is_equal() -> None:
    assert duckdb_reads.check_equal("read", [ROW], [{**ROW, "share": 0.25, "mrr": 1234567.89}]) == 1
