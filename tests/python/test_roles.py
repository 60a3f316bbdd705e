"""Who may do what, object by object: decided here, read from the catalog, and tried out.

Four roles: the owner, a writer, a reader, and somebody without a membership. What is new in the data schemas
needs a line in ``WRITES``; our code goes by its schema.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from conftest import Server
from pgmrr.history import undo
from pgmrr.rates import set_by_user, set_setting
from pgmrr.sessions import open_session
from pgmrr.simulation import Parameters, simulate
from pgmrr.stripe import import_stripe

ROOT = Path(__file__).parents[2]
HANDMADE = ROOT / "tests" / "data" / "handmade"

OWNER, WRITER, READER, OUTSIDER = "pgmrr_owner", "pgmrr_writer", "pgmrr_reader", "pgmrr_test_outsider"
VERBS = ("select", "insert", "update", "delete", "truncate", "references", "trigger")
REFUSED = "42501"

# What a writer may change in the tables of the data; everything else there it may read.
DATA = {"insert", "update", "delete"}
WRITES = {
    "billing.charge": set(),
    "billing.charge_cents": DATA,
    "billing.customer": set(),
    "billing.fate_cents": DATA,
    "billing.invoice": set(),
    "billing.subscription": set(),
    "ledger.cohort_month_cents": DATA,
    "ledger.currency": DATA,
    "ledger.daily_change": set(),
    "ledger.daily_change_cents": DATA,
    "ledger.daily_term_cents": DATA,
    "ledger.history": DATA,
    "ledger.movement": set(),
    "ledger.movement_cents": DATA,
    "ledger.paying_cents": DATA,
    "ledger.price_cents": DATA,
    "ledger.true_mrr_cents": DATA,
    "meta.batch": DATA,
    "meta.coverage": {"update"},
    "meta.exchange_rate": DATA,
    "meta.setting": {"update"},
    "meta.setting_change": set(),
    "raw.absent_invoice": DATA,
    "raw.customer": DATA,
    "raw.invoice": DATA,
    "raw.rejected_row": DATA,
    "usage.session": DATA,
}
# The books of the migrations are their owner's alone.
BOOKS = {
    "meta.migration_checksum",
    "meta.procedure_checksum",
    *(f"meta.{name}" for name in ("_yoyo_log", "_yoyo_migration", "_yoyo_version", "yoyo_lock")),
}
SCHEMAS = {
    OWNER: {"raw", "billing", "usage", "ledger", "meta", "pipeline", "simulation", "kpi"},
    WRITER: {"raw", "billing", "usage", "ledger", "meta", "pipeline", "simulation", "kpi"},
    READER: {"kpi"},
    OUTSIDER: set(),
}
CALLS = {OWNER: {"pipeline", "simulation", "kpi", "meta"}, WRITER: {"pipeline", "simulation", "kpi"}, READER: {"kpi"}}

RELATIONS = """
    select n.nspname, c.oid::regclass::text, c.relkind::text,
        (select quote_ident(a.attname) from pg_attribute a where a.attrelid = c.oid and a.attnum = 1)
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = any (%s)
        and c.relkind in ('r', 'p', 'v', 'm', 'f')
"""
ROUTINES = """
    select n.nspname, p.oid::regprocedure::text, p.prokind::text, n.nspname || '.' || p.proname,
        array(select format('null::%%s', t::regtype) from unnest(p.proargtypes) t), p.prorettype = 'trigger'::regtype
    from pg_proc p
    join pg_namespace n on n.oid = p.pronamespace
    where n.nspname = any (%s)
"""


def may(role: str, schema: str, relation: str) -> set[str]:
    """The verbs that were decided for a role on a relation."""
    if role == OWNER:
        return set(VERBS)
    if role == OUTSIDER or relation in BOOKS:
        return set()
    if schema == "kpi":
        return {"select"}
    return {"select", *WRITES[relation]} if role == WRITER else set()


@pytest.fixture(scope="module")
def abc(server: Server, template: str) -> Iterator[psycopg.Connection]:
    """A superuser's session in a database with ABC Enterprises, beside an outsider."""
    with server.databases() as create:
        url = create(template=template)
        with open_session(url) as connection:
            simulate(connection, Parameters(companies=60))
            connection.execute("call pipeline.set_rate('USD', 1.05)")
        with psycopg.connect(url, options="-c jit=off") as connection:
            connection.execute(f"create role {OUTSIDER}")  # goes with the transaction
            connection.execute("savepoint clean")
            yield connection
            connection.rollback()


def outcome(connection: psycopg.Connection, role: str, statement: str) -> str | None:
    """How the statement fails for the role: its SQLSTATE; None where it does not. What it did is taken back."""
    try:
        connection.execute(f"set local role {role}".encode())
        connection.execute(statement.encode())
    except psycopg.Error as error:
        return error.sqlstate
    finally:
        connection.execute("rollback to savepoint clean")
    return None


def relations(connection: psycopg.Connection) -> list[tuple[str, str, str, str]]:
    return connection.execute(RELATIONS, [sorted(SCHEMAS[OWNER])]).fetchall()


def routines(connection: psycopg.Connection) -> list[tuple]:
    return connection.execute(ROUTINES, [sorted(SCHEMAS[OWNER])]).fetchall()


def test_nothing_is_there_without_a_decision(abc: psycopg.Connection) -> None:
    found = {name for schema, name, *_ in relations(abc) if schema != "kpi"}
    assert found == set(WRITES) | BOOKS
    assert {schema for schema, *_ in routines(abc)} == CALLS[OWNER]
    sequences = (
        "select oid::regclass::text from pg_class where relkind = 'S' and relnamespace::regnamespace::text = any (%s)"
    )
    assert abc.execute(sequences, [sorted(SCHEMAS[OWNER])]).fetchall() == [("meta.setting_change_change_id_seq",)]


@pytest.mark.parametrize("role", [OWNER, WRITER, READER, OUTSIDER])
def test_the_catalog_says_what_was_decided(abc: psycopg.Connection, role: str) -> None:
    def has(kind: str, what: str, privilege: str) -> bool:
        query = f"select has_{kind}_privilege(%s, %s, %s)"
        return abc.execute(query.encode(), [role, what, privilege]).fetchone()[0]

    compared = 0
    for schema in SCHEMAS[OWNER]:
        assert has("schema", schema, "usage") == (schema in SCHEMAS[role]), schema
        assert has("schema", schema, "create") == (role == OWNER), schema
    for schema, name, _, _ in relations(abc):
        assert {verb for verb in VERBS if has("table", name, verb)} == may(role, schema, name), name
        compared += 1
    for schema, name, *_ in routines(abc):
        assert has("function", name, "execute") == (schema in CALLS.get(role, set())), name
        compared += 1
    for privilege in ("usage", "select", "update"):
        assert has("sequence", "meta.setting_change_change_id_seq", privilege) == (role == OWNER)
    assert compared > 200


@pytest.mark.parametrize("role", [OWNER, WRITER, READER, OUTSIDER])
def test_tables_and_views_obey(abc: psycopg.Connection, role: str) -> None:
    """Each verb, tried on each relation: refused where it was not granted, and nowhere else. A view takes no data."""
    statements = {
        "select": "select from {name} limit 0",
        "insert": "insert into {name} select * from {name} limit 0",
        "update": "update {name} set {column} = {column} where false",
        "delete": "delete from {name} where false",
        "truncate": "truncate {name} cascade",
        "drop": "drop {kind} {name} cascade",
        "alter": "alter {kind} {name} rename to mine",
    }
    wrong, tried = [], 0
    for schema, name, relkind, column in relations(abc):
        allowed = may(role, schema, name) | ({"drop", "alter"} if role == OWNER else set())
        for verb, statement in statements.items():
            if role == OWNER and (relkind == "v" or name.startswith("meta.")) and verb != "select":
                continue  # what no privilege decides: views take no data, and the record stays
            if (name == "meta.setting_change" and verb != "select") or (relkind == "v" and verb == "truncate"):
                continue  # has another answer, whoever asks: see 62_setting_changes
            words = {"name": name, "column": column, "kind": "view" if relkind == "v" else "table"}
            state = outcome(abc, role, statement.format(**words))
            tried += 1
            is_right = state is None if verb in allowed else state == REFUSED or (relkind == "v" and state is not None)
            if not is_right:
                wrong.append((name, verb, state))
    assert wrong == []
    assert tried > 80


@pytest.mark.parametrize("role", [READER, OUTSIDER])
def test_code_is_refused_to_who_may_not_call_it(abc: psycopg.Connection, role: str) -> None:
    wrong, tried = [], 0
    for schema, name, kind, call, arguments, is_trigger in routines(abc):
        if schema in CALLS.get(role, set()) or is_trigger:
            continue
        verb = "call" if kind == "p" else "select"
        state = outcome(abc, role, f"{verb} {call}({', '.join(arguments)})")
        tried += 1
        if state != REFUSED:
            wrong.append((name, state))
    assert wrong == []
    assert tried > 80


def test_a_reader_can_call_and_read_all_of_kpi(abc: psycopg.Connection) -> None:
    """As 60_privileges calls each function, on ABC Enterprises."""
    source = (ROOT / "tests" / "pgtap" / "60_privileges.sql").read_text(encoding="utf-8")
    calls = dict(re.findall(r"^\('(\w+)', \$\$ (.*) \$\$\)[,;]$", source, re.MULTILINE))
    assert {f"kpi.{name}" for name in calls} == {call for schema, _, _, call, *_ in routines(abc) if schema == "kpi"}
    views = [f"select * from {name}" for schema, name, *_ in relations(abc) if schema == "kpi"]
    assert len(views) > 20
    failed = {statement: outcome(abc, READER, statement) for statement in [*calls.values(), *views]}
    assert {statement: state for statement, state in failed.items() if state} == {}
    for statement in ("create view kpi.mine as select 1 as one", "create table public.mine (one integer)"):
        assert outcome(abc, READER, statement) == REFUSED


def test_a_user_who_is_a_writer_can_do_the_work_and_nothing_else(server: Server, database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("create role pgmrr_test_clerk login in role pgmrr_writer")
    try:
        url = psycopg.conninfo.make_conninfo(database, user="pgmrr_test_clerk")
        with open_session(url) as clerk:
            clerk.execute("set client_min_messages = error")  # vacuum tells whose tables these are
            simulate(clerk, Parameters(companies=5))
            assert undo(clerk)["kind"] == "simulation"
            import_stripe(clerk, HANDMADE / "invoices.csv", HANDMADE / "customers.csv")
            set_setting(clerk, "rounding_tolerance", "0.01")
            set_by_user(clerk, "USD=1.2")
            clerk.execute("call pipeline.rebuild()")
            assert undo(clerk)["kind"] == "rates"
            query = "select name, changed_by, acted_as from kpi.setting_changes where not is_starting_point"
            assert set(clerk.execute(query).fetchall()) == {
                (name, "pgmrr_test_clerk", "pgmrr_test_clerk") for name in ("rounding_tolerance", "USD")
            }
            for statement in (
                "drop table raw.invoice",
                "truncate meta.batch",
                "delete from meta.setting",
                "delete from meta.setting_change",
                "create or replace view kpi.session as select 1 as one",
                "create function pipeline.mine() returns integer language sql return 1",
                "alter table meta.setting disable trigger all",
                "drop trigger setting_is_recorded on meta.setting",
                "alter function kpi.mrr_at owner to pgmrr_test_clerk",
                "grant pgmrr_owner to pgmrr_test_clerk",
                "set role pgmrr_owner",
                "set session_replication_role = replica",
            ):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    clerk.execute(statement.encode())
    finally:
        with server.connect() as connection:
            connection.execute("drop role pgmrr_test_clerk")


# -- the rights of the owner, lent ----------------------------------------------------------------

# Domains called like types, tables called like ours, functions called like those of the system, whose
# use would tell who uses them. All that a session can make of its own comes before an empty search_path.
TRAP = """
    create table pg_temp.caught (who text);
    grant insert on pg_temp.caught to public;
    create function pg_temp.trap() returns boolean language plpgsql as $trap$
    begin
        insert into pg_temp.caught values (current_user);
        return true;
    end
    $trap$;
    create function pg_temp.now() returns pg_catalog.timestamptz language sql
        as 'select pg_catalog.now() where pg_temp.trap()';
    create function pg_temp.to_jsonb(anyelement) returns pg_catalog.jsonb language sql
        as 'select pg_catalog.to_jsonb($1) where pg_temp.trap()';
    create domain pg_temp.date as pg_catalog.date check (pg_temp.trap());
    create domain pg_temp.text as pg_catalog.text check (pg_temp.trap());
    create domain pg_temp.jsonb as pg_catalog.jsonb check (pg_temp.trap());
    create domain pg_temp.timestamptz as pg_catalog.timestamptz check (pg_temp.trap());
    create view pg_temp.batch as select pg_temp.trap() as batch_id;
    create view pg_temp.setting as select pg_temp.trap() as time_zone;
    create view pg_temp.pg_class as select pg_temp.trap() as oid;
    set search_path = pg_temp, pg_catalog, kpi, pipeline, meta;
"""

LENT = """
    select array[
        (select kpi.mrr_total_as_of(1, '2025-02-10')::pg_catalog.text),
        (select sum(m.closing)::pg_catalog.text from kpi.mrr_monthly_as_of(1) m),
        (select count(*)::pg_catalog.text from kpi.restatements(1, 2))
    ]
"""


def caught(url: str, role: str, statement: str) -> tuple[object, set[str]]:
    """What a statement answers a role that laid the trap, and as whom its traps were called."""
    with psycopg.connect(url, options=f"-c role={role}") as connection:
        connection.execute(TRAP.encode())
        cursor = connection.execute(statement.encode())
        answer = cursor.fetchone()[0] if cursor.description else None
        found = connection.execute("select distinct who::pg_catalog.text from pg_temp.caught").fetchall()
    return answer, {who for (who,) in found}


def test_what_runs_with_the_owners_rights_cannot_be_turned_by_the_caller(database: str, tmp_path: Path) -> None:
    text = (HANDMADE / "invoices.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    partly = tmp_path / "invoices.csv"
    partly.write_text("".join(line for line in text if "in_renewal_2" not in line), encoding="utf-8")
    with open_session(database) as connection:
        import_stripe(connection, partly, HANDMADE / "customers.csv")
        import_stripe(connection, HANDMADE / "invoices.csv", HANDMADE / "customers.csv")
        expected = connection.execute(LENT).fetchone()[0]
    assert None not in expected
    assert expected[-1] != "0"

    assert caught(database, READER, LENT) == (expected, set())
    change = "update meta.setting set rounding_tolerance = {}"
    assert OWNER not in caught(database, WRITER, change.format("0.02"))[1]
    with open_session(database) as connection:
        recorded = "select new_value, acted_as from kpi.setting_changes order by change_id desc limit 1"
        assert connection.execute(recorded).fetchone() == ("0.02", WRITER)
        # The trap does catch: with an empty search_path a domain in pg_temp comes before the type.
        connection.execute("alter function meta.record_setting_change() set search_path = ''")
    assert OWNER in caught(database, WRITER, change.format("0.03"))[1]
