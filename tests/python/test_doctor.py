"""`pgmrr doctor`: all is well where it is, and each check finds the fault that it is there for."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.rows import dict_row

from conftest import NewDatabase, Server
from pgmrr import structure
from pgmrr.database import choose
from pgmrr.doctor import CHECKS, Finding, examine
from pgmrr.errors import PgmrrError
from pgmrr.sessions import open_session, tidy_up
from pgmrr.simulation import Parameters, simulate
from pgmrr.stripe import import_stripe

HERE = Path(__file__).parents[2]
HANDMADE = HERE / "tests" / "data" / "handmade"
REAL = HERE / ".." / "shared" / "data" / "stripe-export"

# What depends on the server, and on how its tests are set up.
NOTES = {"server settings", "disk space"}

SOURCES = {
    "invariants": "kpi.invariants",
    "recomputed": "pipeline.check_recomputed()",
    "storage": "pipeline.check_storage()",
    "privileges": "pipeline.check_privileges()",
}

# How to break what a check is there for, and what of it the example tells. All of it past the triggers.
FAULTS = {
    "customers of invoices": ("delete from raw.customer where customer_id = 'cus_ada'", "cus_ada"),
    "customers of the ledger": (
        "update ledger.movement_cents set customer_id = 'x' where customer_id = 'cus_bob'",
        "x",
    ),
    "invoices of charges": (
        "update raw.invoice set subscription_id = 'other' where invoice_id = 'in_renewal_2'",
        "in_renewal_2 of cus_ada",
    ),
    "fates of invoices": (
        "delete from billing.charge_cents where invoice_id = 'in_renewal_2'",
        "in_renewal_2 of cus_ada",
    ),
    "versions in order": ("update raw.invoice set superseded_by = 2 where invoice_id = 'in_void'", "in_void"),
    "batches of facts": ("delete from meta.batch", "batch 1"),
    "batches are whole": (
        "delete from raw.invoice where invoice_id = 'in_void'",
        "batch 1 says (invoices, customers, rejected rows, sessions) = {33,16,0,0} and has {32,16,0,0}",
    ),
    "rejected rows": (
        """
        insert into raw.rejected_row (batch_id, file_role, line_number, reason, content)
        values (1, 'invoices', 7, 'not an amount', '{}')
        """,
        "batch 1, invoices, line 7: not an amount",
    ),
    "settings": ("update meta.setting set time_zone = 'Mars/Olympus'", "time_zone"),
    "record of settings": ("update meta.setting set rounding_tolerance = 0.1", "rounding_tolerance"),
    "exchange rates": ("update meta.exchange_rate set per_euro = 2", "USD"),
    "balances": ("update ledger.movement_cents set balance = balance + 1 where customer_id = 'cus_bob'", "cus_bob on"),
    "charges in force": (
        "update billing.charge_cents set mrr = mrr + 1000 where ends_on > '2025-03-09' and mrr > 0",
        "cus_",
    ),
    "customers gained and lost": (
        "update ledger.movement_cents set customers = 0 where customer_id = 'cus_ada' and customers = 1",
        "cus_ada",
    ),
    "totals by day": ("delete from ledger.daily_change_cents where effective_on = '2025-02-21'", "2025-02-21"),
    "terms by day": ("update ledger.daily_term_cents set mrr = mrr + 1 where starts_on = '2025-02-01'", "2025-02-01"),
    "customers paying": ("update ledger.paying_cents set mrr = mrr + 1", "cus_"),
    "cohorts by month": ("update ledger.cohort_month_cents set lost = lost + 1", "cohort "),
    "fates by customer": ("update billing.fate_cents set became = 'days' where became = 'term'", "cus_"),
    "histories": ("delete from ledger.history where customer_id = 'cus_ada'", "cus_ada"),
    "waterfall by day": (
        "update ledger.daily_change_cents set change = change - 100 where effective_on = '2025-02-21'",
        "2025-02-21",
    ),
    # The view itself: its figures come from those of the days, which it could sum up otherwise.
    "waterfall by month": (
        """
        do $$
        begin
            execute replace(
                pg_get_functiondef('kpi.waterfall(date[])'::regprocedure), 'sum(d.churn)', 'sum(d.churn) + 1'
            );
        end
        $$
        """,
        "2025-01",
    ),
    "coverage": ("update meta.coverage set complete_through = '2025-03-10'", "stored 2025-01-02 to 2025-03-10"),
    "charges as the rules make them": (
        "update billing.charge_cents set net = net + 1 where invoice_id = 'in_renewal_2'",
        "in_renewal_2 of cus_ada",
    ),
    "ledger as the rules make it": (
        "update ledger.movement_cents set kind = 'reactivation' where customer_id = 'cus_ada' and kind = 'preexisting'",
        "cus_ada on 2024-12-01",
    ),
    "indexes, constraints, triggers": (
        "update pg_index set indisvalid = false where indexrelid = 'raw.invoice_pkey'::regclass",
        "raw.invoice_pkey",
    ),
    "owner": ("alter function kpi.mrr_at owner to pgmrr_writer", "kpi.mrr_at(text,date,text) belongs to pgmrr_writer"),
    "roles": ("grant pgmrr_writer to pgmrr_reader", "pgmrr_reader"),
    "privileges": ("grant select on raw.invoice to pgmrr_reader", "pgmrr_reader may select raw.invoice"),
    "statistics": (
        """
        create table usage.made_later as select n, repeat('x', 100) as x from generate_series(1, 2000) n;
        alter table usage.made_later owner to pgmrr_owner
        """,
        "usage.made_later",
    ),
}
# Elsewhere in this file: they need another server, or more than a transaction.
TESTED_APART = {"server", "server settings", "dead rows"}

OTHER_FAULTS = {
    "indexes, constraints, triggers": (
        "alter table meta.setting disable trigger setting_is_recorded",
        "setting_is_recorded on meta.setting",
    ),
    "batches are whole": ("update meta.batch set details = details - 'fates'", "batch 1 was not finished"),
    "exchange rates": ("delete from ledger.currency where currency = 'USD'", "USD"),
    "settings": ("delete from meta.setting", "settings have one row"),
    "versions in order": (
        "insert into raw.customer (customer_id, batch_id, is_listed) values ('cus_ada', 2, true)",
        "cus_ada",
    ),
    "fates of invoices": ("update raw.invoice set status = 'void' where invoice_id = 'in_renewal_2'", "in_renewal_2"),
    "privileges": (
        "revoke execute on function kpi.mrr_at from pgmrr_reader",
        "pgmrr_reader may not execute kpi.mrr_at",
    ),
    "roles": ("alter role pgmrr_reader login", "pgmrr_reader"),
    "roles: attributes": ("alter role pgmrr_writer createrole", "pgmrr_writer"),
    "roles: memberships": ("grant pg_execute_server_program to pgmrr_writer", "pgmrr_writer"),
    "roles: memberships of memberships": (
        "create role pgmrr_test_x; grant pgmrr_owner to pgmrr_test_x; grant pgmrr_test_x to pgmrr_reader",
        "pgmrr_reader",
    ),
    "privileges: columns": (
        "grant update (changed_by) on meta.setting_change to pgmrr_writer",
        "pgmrr_writer may update meta.setting_change.changed_by",
    ),
    "privileges: sequences": (
        "grant usage on sequence meta.setting_change_change_id_seq to public",
        "pgmrr_reader may usage meta.setting_change_change_id_seq",
    ),
    "waterfall by day": (
        "update ledger.daily_change_cents set customers = customers + 1 where effective_on = '2025-02-21'",
        "2025-02-21",
    ),
}


@pytest.fixture(scope="module")
def handmade(server: Server, template: str) -> Iterator[str]:
    """The URL of a database with the handmade export."""
    with server.databases() as create:
        url = create(template=template)
        with open_session(url) as connection:
            import_stripe(connection, HANDMADE / "invoices.csv", HANDMADE / "customers.csv")
            tidy_up(connection)
        yield url


@pytest.fixture
def broken(handmade: str) -> Iterator[psycopg.Connection]:
    """A superuser's transaction in which no trigger fires, and which is rolled back."""
    with psycopg.connect(handmade, options="-c jit=off", row_factory=dict_row) as connection:
        connection.execute("set session_replication_role = replica")
        yield connection
        connection.rollback()


def found(connection: psycopg.Connection, check: str) -> dict:
    """What a check of SQL finds."""
    asked = connection.execute("select asked_of from kpi.checks where check_name = %s", [check]).fetchone()
    query = f"select compared, wrong, example from {SOURCES[asked['asked_of']]} where check_name = %s"
    return connection.execute(query.encode(), [check]).fetchone()


def pgmrr(url: str, *arguments: str) -> subprocess.CompletedProcess:
    """What the command line prints."""
    command = [sys.executable, "-m", "pgmrr", *arguments, "--database", url]
    return subprocess.run(command, capture_output=True, text=True, check=False)


# -- where all is well ----------------------------------------------------------------------------


def abc(connection: psycopg.Connection) -> None:
    simulate(connection, Parameters(companies=60))


def real(connection: psycopg.Connection) -> None:
    if not REAL.is_dir():
        pytest.skip("the real export does not lie beside the checkout")
    import_stripe(connection, REAL / "invoices.csv", REAL / "customers.csv")


def handmade_and_more(connection: psycopg.Connection) -> None:
    """Versions, a void invoice that was known as paid, a dropped one, settings, a rate."""
    import_stripe(connection, HANDMADE / "invoices.csv", HANDMADE / "customers.csv")
    connection.execute("call pipeline.set_setting('time_zone', 'Pacific/Auckland')")
    connection.execute("call pipeline.set_setting('counted_statuses', 'paid,open')")
    connection.execute("call pipeline.set_rate('USD', 1.2)")


@pytest.mark.parametrize("company", [abc, handmade_and_more, real])
def test_a_database_made_by_pgmrr_is_well(
    company: Callable[[psycopg.Connection], None], template: str, new_database: NewDatabase
) -> None:
    url = new_database(template=template)
    with open_session(url) as connection:
        company(connection)
        tidy_up(connection)
    results = list(examine(choose(url, None), thorough=True))
    assert [result.row() for result in results if result.wrong and result.check_name not in NOTES] == []
    assert {r.check_name for r in results if r.compared == 0} <= {"rejected rows"}
    assert len({r.check_name for r in results}) == len(results) > 30
    assert all(r.meaning and r.hint for r in results)


def test_an_empty_database_is_well(database: str) -> None:
    assert [r for r in examine(choose(database, None)) if r.state == "wrong"] == []


# -- where it is not ------------------------------------------------------------------------------


def test_every_check_has_a_fault_here(handmade: str) -> None:
    with psycopg.connect(handmade) as connection:
        names = {name for (name,) in connection.execute("select check_name from kpi.checks")}
    assert names == set(FAULTS) | TESTED_APART


@pytest.mark.parametrize(
    ("check", "statement", "example"),
    [
        pytest.param(check.partition(":")[0], *fault, id=f"{check}-{number}")
        for number, faults in enumerate((FAULTS, OTHER_FAULTS))
        for check, fault in faults.items()
    ],
)
def test_a_check_finds_its_fault(broken: psycopg.Connection, check: str, statement: str, example: str) -> None:
    before = found(broken, check)
    assert (before["wrong"], before["example"]) == (0, None)
    for part in [statement] if "$$" in statement else statement.split(";"):
        broken.execute(part.encode())
    after = found(broken, check)
    assert after["wrong"] > 0
    assert after["compared"] >= after["wrong"] - 1
    assert example in after["example"]


def test_a_sample_is_others_each_time_and_all_are_compared_without_one(handmade: str) -> None:
    query = "select compared from pipeline.check_recomputed(%s) where check_name = 'charges as the rules make them'"
    with psycopg.connect(handmade) as connection:
        whole = connection.execute(query, [None]).fetchone()[0]
        assert whole == len((HANDMADE / "expected_charges.csv").read_text().splitlines()) - 1
        assert connection.execute(query, [1000]).fetchone()[0] == whole
        assert connection.execute(query, [3]).fetchone()[0] < whole


def test_dead_rows_are_found(template: str, new_database: NewDatabase) -> None:
    with psycopg.connect(new_database(template=template), autocommit=True) as connection:
        connection.execute("alter table usage.session set (autovacuum_enabled = off)")
        connection.execute("insert into usage.session select 'x', n, now(), 1 from generate_series(1, 20000) n")
        connection.execute("delete from usage.session where session_number > 100")
        connection.execute("select pg_stat_force_next_flush()")
        connection.execute("select 1")
        query = "select wrong, example from pipeline.check_storage() where check_name = 'dead rows'"
        assert connection.execute(query).fetchone() == (1, "usage.session")
        connection.execute("vacuum usage.session")
        assert connection.execute(query).fetchone() == (0, None)


def test_settings_of_the_server_are_those_of_a_new_session(handmade: str) -> None:
    """Whatever this one set for itself: jit is as the user, the database or the server has it."""
    query = "select wrong, example from pipeline.check_storage() where check_name = 'server settings'"
    with psycopg.connect(handmade, options="-c jit=off") as connection:
        connection.execute("set jit = on")
        assert "jit" not in (connection.execute(query).fetchone()[1] or "")
    with psycopg.connect(handmade, options="-c jit=on") as connection:
        connection.execute("set jit = off")
        assert "jit = on" in connection.execute(query).fetchone()[1]


# -- what the runner checks itself ----------------------------------------------------------------


def result(url: str, name: str, *, thorough: bool = False) -> Finding:
    """What a check of the runner's finds."""
    return next(r for r in examine(choose(url, None), thorough=thorough) if r.check_name == name)


@pytest.mark.parametrize(
    ("statement", "example"),
    [
        ("drop view kpi.setting_changes", "kpi.setting_changes is missing"),
        (
            "set role pgmrr_owner; create view kpi.mine as select 1 as one",
            "kpi.mine is not of this installation",
        ),
        ("update meta.procedure_checksum set files_checksum = ''", "the code is that of another version"),
        ("delete from meta.procedure_checksum", "no code was loaded"),
    ],
)
def test_code_that_is_not_of_this_installation_is_found(database: str, statement: str, example: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute(statement.encode())
    assert example in result(database, "code").example


def test_code_that_was_changed_by_hand_is_found_named_and_left_alone(database: str) -> None:
    changed = "create or replace function pipeline.rate(p_currency text) returns numeric language sql stable return 1"
    with psycopg.connect(database) as connection:
        connection.execute(changed.encode())
    assert result(database, "code").example == "the code was changed by hand"
    assert result(database, "code", thorough=True).example == "pipeline.rate(text) was changed"
    with psycopg.connect(database) as connection:
        assert connection.execute("select pipeline.rate('USD')").fetchone() == (1,)


def test_migrations_that_are_pending_or_edited_are_found(database: str) -> None:
    assert result(database, "migrations").wrong == 0
    with psycopg.connect(database) as connection:
        connection.execute("update meta.migration_checksum set checksum = 'x' where migration_id like '0003%'")
        connection.execute("delete from meta._yoyo_migration where migration_id like '0008%'")
    assert result(database, "migrations").example == ("0003_versions_of_facts (edited), 0008_setting_changes (pending)")


def test_what_the_migrations_make_is_written_down(handmade: str) -> None:
    """Where a migration came in: write the lines that this shows into scripts/pgmrr/structure.txt."""
    with psycopg.connect(handmade) as connection:
        lines = [f"{part}: {definition}" for part, definition in structure.found(connection).items()]
    assert (HERE / "scripts" / "pgmrr" / "structure.txt").read_text(encoding="utf-8").splitlines() == lines
    assert len(lines) > 300


@pytest.mark.parametrize(
    ("statement", "example"),
    [
        (
            "alter index ledger.movement_pkey set (fillfactor = 50)",
            "index ledger.movement_pkey on ledger.movement_cents was changed",
        ),
        (
            "alter table ledger.movement_cents drop constraint movement_leaves_no_negative_balance",
            "constraint movement_leaves_no_negative_balance on ledger.movement_cents is missing",
        ),
        (
            "drop trigger setting_is_recorded on meta.setting",
            "trigger setting_is_recorded on meta.setting is missing",
        ),
        (
            "alter table meta.setting enable replica trigger setting_is_recorded",
            "trigger setting_is_recorded on meta.setting was changed",
        ),
        (
            "create trigger mine before insert on raw.invoice execute function meta.refuse_change()",
            "trigger mine on raw.invoice is not of this installation",
        ),
        (
            "create rule mine as on insert to raw.invoice do instead nothing",
            "rule mine on raw.invoice is not of this installation",
        ),
        (
            "alter function meta.record_setting_change() security invoker",
            "routine meta.record_setting_change() was changed",
        ),
        ("alter table raw.invoice alter currency drop not null", "column raw.invoice.currency was changed"),
        ("alter table ledger.movement_cents enable row level security", "table ledger.movement_cents was changed"),
        ("alter table ledger.daily_change_cents set unlogged", "table ledger.daily_change_cents was changed"),
        (
            "create or replace view billing.subscription as select s.* from (table billing.subscription) s limit 1",
            "rule _RETURN on billing.subscription was changed",
        ),
        (
            "grant select (total) on raw.invoice to pgmrr_reader",
            "privileges of pgmrr_reader on raw.invoice.total is not of this installation",
        ),
        ("revoke insert on raw.invoice from pgmrr_writer", "privileges of pgmrr_writer on raw.invoice was changed"),
        ("create index mine on raw.invoice (paid_at)", None),
    ],
)
def test_a_structure_that_no_migration_made_is_found(broken: psycopg.Connection, statement: str, example: str) -> None:
    broken.execute(statement.encode())
    assert structure.differences(structure.expected(), structure.found(broken)) == [example] * bool(example)


def test_what_cannot_be_asked_is_told_beside_the_rest(database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("drop function pipeline.check_recomputed")
    results = {r.check_name: r for r in examine(choose(database, None))}
    assert "pipeline.check_recomputed" in results["figures"].example
    assert results["code"].wrong == 1
    assert results["balances"].state == "ok"


# -- the command ----------------------------------------------------------------------------------


def test_the_command_tells_what_is_wrong_and_what_to_do(database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("select pipeline.begin_batch('rates')")
        connection.execute(
            "insert into raw.rejected_row (batch_id, file_role, line_number, reason, content)"
            " values (1, 'invoices', 7, 'not an amount', '{}')"
        )
    noted = pgmrr(database, "doctor", "--format", "json")
    assert noted.returncode == 0, noted.stderr
    assert "rejected rows" in {row["check_name"] for row in json.loads(noted.stdout) if row["state"] == "note"}
    with psycopg.connect(database) as connection:
        connection.execute("grant select on raw.invoice to public")
    told = pgmrr(database, "doctor")
    assert told.returncode == 1
    assert "note: rejected rows: 1 of 1." in told.stdout
    assert "wrong: privileges: " in told.stdout
    assert "may select raw.invoice" in told.stdout
    assert "What to do: revoke what is too much." in told.stdout
    assert "wrong: structure: " in told.stdout
    assert "privileges of PUBLIC on raw.invoice is not of this installation" in told.stdout
    assert "2 wrong" in told.stderr


def test_who_may_not_look_is_told(server: Server, database: str, new_database: NewDatabase) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("create role pgmrr_test_visitor login in role pgmrr_reader")
    try:
        with pytest.raises(PgmrrError, match="may not"):
            list(examine(choose(_as(database, "pgmrr_test_visitor"), None)))
    finally:
        with server.connect() as connection:
            connection.execute("drop role pgmrr_test_visitor")
    with pytest.raises(PgmrrError, match="has not been migrated"):
        list(examine(choose(new_database(), None)))


def _as(url: str, user: str) -> str:
    return psycopg.conninfo.make_conninfo(url, user=user)


# -- its page -------------------------------------------------------------------------------------


def test_the_page_lists_every_check_as_it_is(handmade: str) -> None:
    with psycopg.connect(handmade) as connection:
        rows = connection.execute("select check_name, is_note, meaning, hint from kpi.checks order by place").fetchall()
    rows = [(c.name, c.is_note, c.meaning, c.hint) for c in CHECKS] + rows
    table = [f"| {name}{' (note)' * is_note} | {meaning} | {hint} |" for name, is_note, meaning, hint in rows]
    page = (HERE / "docs" / "doctor.md").read_text(encoding="utf-8").splitlines()
    assert [line for line in page if line.startswith("| ")][2:] == [line.replace("\n", " ") for line in table]
