"""Taking batches back: the database is as if the last batch had never been, whatever it was."""

import random
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import psycopg
import pytest
from hypothesis import given

import facts
from conftest import Server
from pgmrr import rates
from pgmrr.errors import PgmrrError
from pgmrr.history import undo
from pgmrr.sessions import open_session
from pgmrr.simulation import Parameters, SaasParameters, simulate, simulate_saas
from pgmrr.stripe import import_stripe
from reference import Settings
from strategies import settings
from stripe_files import DAY, Company, Table
from test_pipeline import connection as pipeline_connection  # noqa: F401
from test_pipeline import deliveries, few_or_many, first_service_on, generated

HANDMADE = Path(__file__).parents[1] / "data" / "handmade"

TABLES = """
    select c.oid::regclass::text
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    where n.nspname in ('meta', 'raw', 'billing', 'ledger', 'usage', 'simulation')
        and c.relkind = 'r'
        and c.relname !~ '^(_yoyo|yoyo_|migration_checksum$|procedure_checksum$|setting_change$)'
    order by 1
"""


def everything(connection: psycopg.Connection) -> dict[str, list[str]]:
    """Every row of every table of ours, as text, but for the books and the record of settings: nothing undoes it."""
    tables = [table for (table,) in connection.execute(TABLES).fetchall()]
    assert len(tables) >= 14
    query = "select to_jsonb(t)::text from {} t order by 1"
    return {table: [row for (row,) in connection.execute(query.format(table).encode())] for table in tables}


def recorded(connection: psycopg.Connection) -> set[str]:
    """The record of settings and rates, which only grows: taking back is a change, too."""
    return {row for (row,) in connection.execute("select to_jsonb(c)::text from meta.setting_change c").fetchall()}


def differing(before: dict[str, list[str]], after: dict[str, list[str]]) -> list[str]:
    """The tables that differ: shorter to read than their rows."""
    return [table for table in before if before[table] != after[table]]


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection]:
    with open_session(database) as connection:
        yield connection


def test_an_empty_database_has_nothing_to_take_back(connection: psycopg.Connection) -> None:
    before = everything(connection)
    assert undo(connection) is None
    assert everything(connection) == before


def test_only_the_last_batch_is_taken_back(connection: psycopg.Connection) -> None:
    with pytest.raises(PgmrrError, match="batch 1 is not the last one"):
        undo(connection, 1)
    rates.set_by_user(connection, "USD=1.25")
    rates.set_by_user(connection, "USD=1.5")
    before = everything(connection)
    for batch in (1, 3):
        with pytest.raises(PgmrrError, match=f"batch {batch} is not the last one"):
            undo(connection, batch)
    assert everything(connection) == before
    assert undo(connection, 2)["details"]["new"]["per_euro"] == 1.5


def test_batches_of_every_kind_are_taken_back_one_by_one(connection: psycopg.Connection, tmp_path: Path) -> None:
    company = Company(seed=3)
    start = datetime(2025, 1, 1)
    invoices = company.export(start, start + 60 * DAY, start + 61 * DAY).write(tmp_path / "invoices.csv")
    newer = company.export(start + 30 * DAY, start + 120 * DAY, start + 121 * DAY)
    newer.rows[3]["Total"] = "much"
    for row in newer.rows[5:9]:
        row["Currency"] = "usd"
    newer_path = newer.write(tmp_path / "newer.csv")
    customers = Table(
        ["id", "Name", "Created (UTC)", "Payment Count"],
        [
            {"id": f"cus_{number:02}", "Name": f"C{number}", "Created (UTC)": "2024-05-01 0:00", "Payment Count": "9"}
            for number in range(40)
        ],
    ).write(tmp_path / "customers.csv")
    steps = [
        lambda: rates.set_by_user(connection, "GBP=0.8"),
        lambda: import_stripe(connection, invoices),
        lambda: rates.set_by_user(connection, "GBP=0.9"),
        lambda: rates.set_setting(connection, "time_zone", "America/New_York"),
        lambda: import_stripe(connection, invoices, customers),
        lambda: import_stripe(connection, newer_path, customers, replace=True),
        lambda: rates.set_setting(connection, "reporting_currency", "USD"),
        lambda: rates.set_setting(connection, "counted_statuses", "paid"),
        lambda: rates.set_setting(connection, "observed_from", "2025-02-01"),
        lambda: rates.set_setting(connection, "rounding_tolerance", "0.5"),
        lambda: rates.set_setting(connection, "implied_cycles", "false"),
        lambda: import_stripe(connection, HANDMADE / "invoices.csv"),
        lambda: rates.set_setting(connection, "observed_from", None),
    ]
    states = [everything(connection)]
    for step in steps:
        step()
        states.append(everything(connection))
        assert differing(states[-2], states[-1])
    undone = []
    for before in reversed(states[:-1]):
        record = recorded(connection)
        undone.append(undo(connection)["kind"])
        assert differing(before, everything(connection)) == []
        assert record <= recorded(connection)
        assert undone[-1] == "import" or record < recorded(connection)
    assert undone.count("settings") == 7
    assert undone.count("import") == 4
    assert undone.count("rates") == 2


def test_a_simulation_is_taken_back(connection: psycopg.Connection) -> None:
    before = everything(connection)
    simulate(connection, Parameters(companies=20, months=3))
    assert len(differing(before, everything(connection))) > 8
    assert undo(connection)["kind"] == "simulation"
    assert everything(connection) == before


def test_a_simulation_is_taken_back_with_its_truth(connection: psycopg.Connection) -> None:
    before = everything(connection)
    simulate_saas(connection, SaasParameters(companies=20, months=6))
    assert "ledger.true_mrr_cents" in differing(before, everything(connection))
    undo(connection)
    assert everything(connection) == before


def test_an_import_that_fails_or_repeats_leaves_the_batch_before_as_the_last(
    connection: psycopg.Connection, tmp_path: Path
) -> None:
    import_stripe(connection, HANDMADE / "invoices.csv", HANDMADE / "customers.csv")
    before = everything(connection)
    import_stripe(connection, HANDMADE / "invoices.csv", HANDMADE / "customers.csv")
    assert everything(connection) == before
    bad = Table.read(HANDMADE / "invoices.csv")
    bad.rows[0]["Currency"] = "xxx"
    with pytest.raises(PgmrrError, match="no exchange rate for XXX"):
        import_stripe(connection, bad.write(tmp_path / "bad.csv"))
    assert everything(connection) == before
    assert undo(connection)["batch_id"] == 1


# The exports of a company overlap, come in any order, drop drafts that were deleted, and hold broken rows.
@few_or_many(5, 60)
def test_exports_in_any_order_are_taken_back(server: Server, template: str, tmp_path: Path, examples: int) -> None:
    taken_back = rejected = elsewhere = 0
    with server.databases() as create, open_session(create(template=template)) as connection:
        for seed in range(examples):
            chance = random.Random(seed)
            company = Company(seed=seed)
            states = [everything(connection)]
            for number in range(4):
                first = datetime(2025, 1, 1) + chance.randrange(60) * DAY
                export = company.export(first, datetime(2025, 7, 1), first + chance.randrange(20, 150) * DAY)
                for row in chance.sample(export.rows, min(2, len(export.rows))):
                    row[chance.choice(["Total", "Customer", "id"])] = chance.choice(["", "1.234,56"])
                path = export.write(tmp_path / f"{seed}_{number}.csv")
                import_stripe(connection, path, replace=chance.random() < 0.5)
                states.append(everything(connection))
                rejected += len(states[-1]["raw.rejected_row"])
            elsewhere += connection.execute(
                "select count(*) from raw.absent_invoice where noted_by <> batch_id"
            ).fetchone()[0]
            for before in reversed(states[:-1]):
                undo(connection)
                assert differing(before, everything(connection)) == []
                taken_back += 1
    assert taken_back > 3 * examples
    assert rejected > examples
    assert elsewhere > 0


@few_or_many(20, 300)
def test_generated_batches_are_taken_back(
    pipeline_connection: psycopg.Connection,  # noqa: F811
    examples: int,
) -> None:
    taken_back = 0

    @generated(examples)
    @given(deliveries(), settings())
    def check(batches: list, report: Settings) -> None:
        nonlocal taken_back
        connection = pipeline_connection
        with connection.transaction(force_rollback=True):
            facts.choose(connection, report)
            connection.execute("call pipeline.rebuild()")
            states = [everything(connection)]
            for batch in batches:
                covered_from = first_service_on(batch, report)
                facts.bring_in(connection, batch.invoices, batch.customers, report, covered_from)
                states.append(everything(connection))
            for before in reversed(states[:-1]):
                connection.execute("select pipeline.undo()")
                assert differing(before, everything(connection)) == []
                taken_back += 1

    check()
    assert taken_back >= 2 * examples
