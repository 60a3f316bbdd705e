"""The loader of procedures/, on code of a few lines."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from conftest import Files, NewDatabase, Server, schema_dump
from pgmrr import locks, procedures
from pgmrr.errors import PgmrrError
from pgmrr.migrations import migrate
from pgmrr.procedures import LoadResult

TWICE = """create or replace function kpi.twice(p_value integer)
returns integer
language sql
immutable
parallel safe
return p_value * 2;

comment on function kpi.twice(integer) is 'Twice the value.';
grant execute on function kpi.twice(integer) to pgmrr_reader;
"""

DAILY = """create or replace view kpi.daily as
select
    d.day,
    kpi.twice(d.day) as value
from generate_series(1, 3) d (day);

comment on view kpi.daily is 'Twice the day.';
grant select on kpi.daily to pgmrr_reader;
"""

TOTAL = """create or replace function kpi.total()
returns bigint
language sql
stable
parallel safe
begin atomic
    select sum(d.value) from kpi.daily d;
end;
"""

LAST = """create or replace function kpi.last()
returns integer
language plpgsql
stable
set search_path = ''
as $$
begin
    return (select d.value from kpi.daily d order by d.day desc limit 1);
end;
$$;
"""


class Code:
    """A database, and files to load into it."""

    def __init__(self, url: str, files: Files) -> None:
        self.url = url
        self.files = files
        self.write = files.write
        self.remove = files.remove

    def load(self, **options: object) -> LoadResult:
        return procedures.load(self.url, self.files.directory, **options)

    def query(self, query: str) -> list[tuple]:
        """The rows of a query, as a superuser."""
        with psycopg.connect(self.url) as connection:
            cursor = connection.execute(query)
            return cursor.fetchall() if cursor.description else []

    def value(self, expression: str) -> object:
        """The one value of an expression."""
        return self.query(f"select {expression}")[0][0]


@pytest.fixture
def code(new_database: NewDatabase, toy_migrations: Files, toy_procedures: Files) -> Code:
    """Four objects that build on each other, loaded."""
    toy_procedures.write("30_kpi/01_twice.sql", TWICE)
    toy_procedures.write("30_kpi/02_daily.sql", DAILY)
    toy_procedures.write("30_kpi/03_total.sql", TOTAL)
    toy_procedures.write("30_kpi/04_last.sql", LAST)
    code = Code(new_database(), toy_procedures)
    migrate(code.url, toy_migrations.directory, procedures_directory=toy_procedures.directory)
    return code


@pytest.fixture
def analyst(server: Server) -> Iterator[str]:
    """A role of somebody who builds on our views."""
    with server.connect() as connection:
        connection.execute("create role pgmrr_test_analyst")
        yield "pgmrr_test_analyst"
        for (name,) in connection.execute("select datname from pg_database where datallowconn").fetchall():
            with server.connect(name) as inside:
                inside.execute("drop owned by pgmrr_test_analyst")
        connection.execute("drop role pgmrr_test_analyst")


@pytest.fixture
def same_as_fresh(new_database: NewDatabase, toy_migrations: Files) -> Callable[[Code], None]:
    """A check that a database looks as if its code had been loaded into an empty one."""

    def check(code: Code) -> None:
        fresh = new_database()
        migrate(fresh, toy_migrations.directory, procedures_directory=code.files.directory)
        assert schema_dump(code.url) == schema_dump(fresh)

    return check


@contextmanager
def refused(code: Code, message: str) -> Iterator[None]:
    """An error that names something and leaves the database as it was."""
    before = schema_dump(code.url)
    with pytest.raises(PgmrrError, match=message):
        yield
    assert schema_dump(code.url) == before


# -- what is loaded ---------------------------------------------------------------------


def test_code_is_loaded_once(code: Code) -> None:
    assert code.value("kpi.total()") == 12
    before = code.query("select *, xmin from meta.procedure_checksum")
    assert code.load() == LoadResult(changed=False)
    assert code.query("select *, xmin from meta.procedure_checksum") == before


def test_everything_belongs_to_the_owner(code: Code) -> None:
    owners = code.query(
        "select relowner::regrole::text from pg_class where relnamespace = 'kpi'::regnamespace"
        " union select proowner::regrole::text from pg_proc where pronamespace = 'kpi'::regnamespace"
    )
    assert owners == [("pgmrr_owner",)]


def test_a_result_names_what_was_made(code: Code) -> None:
    code.write("30_kpi/05_new.sql", "create or replace view kpi.new as select 1 as one;")
    code.write("30_kpi/01_twice.sql", TWICE.replace("p_value * 2", "p_value + p_value"))
    code.remove("30_kpi/04_last.sql")
    assert code.load() == LoadResult(
        changed=True, created=["kpi.new"], replaced=["kpi.twice(integer)"], dropped=["kpi.last()"]
    )


def test_line_ends_make_no_difference(code: Code) -> None:
    code.write("30_kpi/01_twice.sql", TWICE.replace("\n", "\r\n"))
    assert not code.load().changed


def test_a_file_may_need_a_later_one(code: Code, same_as_fresh: Callable[[Code], None]) -> None:
    code.write("30_kpi/00_first.sql", "create or replace view kpi.first as select kpi.third() as third;")
    code.write("30_kpi/07_second.sql", "create or replace view kpi.second as select kpi.twice(4) as eight;")
    code.write(
        "30_kpi/08_third.sql",
        "create or replace function kpi.third() returns integer language sql stable"
        " return (select s.eight from kpi.second s);",
    )
    assert code.load().created == ["kpi.first", "kpi.second", "kpi.third()"]
    assert code.value("third from kpi.first") == 8
    same_as_fresh(code)


def test_code_changed_by_hand_is_mended(code: Code) -> None:
    code.query("create or replace function kpi.twice(p_value integer) returns integer language sql return 7")
    assert code.load().replaced == ["kpi.twice(integer)"]
    code.query("drop function kpi.last()")
    assert code.load().created == ["kpi.last()"]
    code.query("set role pgmrr_owner; create function kpi.by_hand() returns integer language sql return 7")
    assert code.load().dropped == ["kpi.by_hand()"]
    assert code.value("kpi.total()") == 12


# -- what can be replaced is replaced ---------------------------------------------------


def test_a_changed_body_keeps_the_object(code: Code, same_as_fresh: Callable[[Code], None]) -> None:
    oids = "'kpi.twice(integer)'::regprocedure, 'kpi.daily'::regclass, 'kpi.total()'::regprocedure"
    oids = f"array[{oids.replace(',', '::oid,')}::oid]"
    before = code.value(oids)
    code.write("30_kpi/01_twice.sql", TWICE.replace("p_value * 2", "p_value * 3"))
    code.write("30_kpi/02_daily.sql", DAILY.replace("(1, 3)", "(1, 2)"))
    assert code.load().replaced == ["kpi.daily", "kpi.twice(integer)"]
    assert code.value("kpi.total()") == 9
    assert code.value(oids) == before
    same_as_fresh(code)


def test_a_further_column_keeps_the_view(code: Code, same_as_fresh: Callable[[Code], None]) -> None:
    code.write("30_kpi/02_daily.sql", DAILY.replace(" as value", " as value, 'x' as further"))
    result = code.load()
    assert (result.replaced, result.recreated) == (["kpi.daily"], [])
    same_as_fresh(code)


def test_what_no_longer_needs_a_dropped_object_is_kept(code: Code, same_as_fresh: Callable[[Code], None]) -> None:
    oid = code.value("'kpi.total()'::regprocedure::oid")
    code.remove("30_kpi/02_daily.sql")
    code.remove("30_kpi/04_last.sql")
    code.write("30_kpi/03_total.sql", TOTAL.replace("sum(d.value) from kpi.daily d", "5"))
    result = code.load()
    assert (result.recreated, result.dropped) == ([], ["kpi.daily", "kpi.last()"])
    assert code.value("'kpi.total()'::regprocedure::oid") == oid
    same_as_fresh(code)


# -- what can't be replaced is made anew, with what depends on it --------------------------

SIGNATURES = {
    "return type": ("01_twice", TWICE.replace("returns integer", "returns bigint")),
    "parameter name": ("01_twice", TWICE.replace("p_value", "p_number")),
    "parameter type": (
        "01_twice",
        TWICE.replace("(p_value integer)", "(p_value numeric)").replace("(integer)", "(numeric)"),
    ),
    "further parameter": (
        "01_twice",
        TWICE.replace("(p_value integer)", "(p_value integer, p_more text default null)").replace(
            "(integer)", "(integer, text)"
        ),
    ),
    "dropped column": ("02_daily", DAILY.replace("    d.day,\n", "").replace("select d.day", "select 1")),
    "renamed column": ("02_daily", DAILY.replace("d.day,", "d.day as number,")),
    "type of a column": ("02_daily", DAILY.replace("kpi.twice(d.day) as", "kpi.twice(d.day)::numeric as")),
    "function to procedure": (
        "04_last",
        "create or replace procedure kpi.last() language plpgsql as $$ begin end; $$;",
    ),
    "function to view": ("04_last", "create or replace view kpi.last as select 1 as last;"),
}


@pytest.mark.parametrize("change", SIGNATURES)
def test_another_signature(code: Code, same_as_fresh: Callable[[Code], None], change: str) -> None:
    name, text = SIGNATURES[change]
    code.write("30_kpi/03_total.sql", TOTAL.replace("sum(d.value)", "count(d.value)"))
    code.write("30_kpi/04_last.sql", LAST.replace("order by d.day desc", ""))
    code.write(f"30_kpi/{name}.sql", text)
    result = code.load()
    assert any(name[3:] in identity for identity in result.recreated)
    assert code.value("kpi.total()") == 3
    same_as_fresh(code)


def test_code_before_and_after_a_change_of_signature_need_not_fit(
    code: Code, same_as_fresh: Callable[[Code], None]
) -> None:
    """The file of an earlier object uses a column that a later one brings; its own rows change, too."""
    code.write("30_kpi/02_daily.sql", "create or replace view kpi.daily as select 'a' as name, 1 as number;")
    code.write(
        "30_kpi/01_twice.sql",
        "create or replace function kpi.twice() returns setof kpi.daily language sql stable"
        " begin atomic select d.name, d.number from kpi.daily d; end;",
    )
    code.write("30_kpi/03_total.sql", TOTAL.replace("d.value", "d.number"))
    code.write("30_kpi/04_last.sql", LAST.replace("d.value", "d.number").replace("d.day", "d.name"))
    code.load()
    assert code.value("number from kpi.twice()") == 1
    same_as_fresh(code)


def test_a_function_with_the_parameters_that_were_its_columns(
    code: Code, same_as_fresh: Callable[[Code], None]
) -> None:
    code.write(
        "30_kpi/05_rows.sql",
        "create or replace function kpi.rows() returns table (number integer) language sql return 1;",
    )
    code.load()
    code.write(
        "30_kpi/05_rows.sql",
        "create or replace function kpi.rows(p_number integer) returns integer language sql return p_number;",
    )
    assert code.load().recreated == ["kpi.rows(integer)"]
    same_as_fresh(code)


# -- others ---------------------------------------------------------------------------


def test_views_and_grants_of_others_survive(code: Code, analyst: str) -> None:
    code.query(f"""
        create schema bi authorization {analyst};
        grant usage on schema kpi to {analyst};
        grant select on kpi.daily to {analyst} with grant option;
        grant execute on function kpi.total() to {analyst};
        set role {analyst};
        create view bi.dashboard as select d.day, d.value, kpi.total() as total from kpi.daily d;
        create materialized view bi.snapshot as select kpi.last() as last;
    """)
    grants = "(select relacl from pg_class where oid = 'kpi.daily'::regclass)"
    before = code.value(grants)
    oid = code.value("'bi.dashboard'::regclass::oid")
    code.write("30_kpi/01_twice.sql", TWICE.replace("p_value * 2", "p_value * 5"))
    code.write("30_kpi/02_daily.sql", DAILY.replace(" as value", " as value, 1 as further"))
    code.load()
    assert code.value("'bi.dashboard'::regclass::oid") == oid
    assert code.query(f"set role {analyst}; select * from bi.dashboard") == []  # psycopg shows the first result
    with psycopg.connect(code.url) as connection:
        connection.execute(f"set role {analyst}")
        assert connection.execute("select * from bi.dashboard where day = 3").fetchall() == [(3, 15, 30)]
    assert code.value(grants) == before


DEPENDENTS = {
    "view bi.dashboard": "create view bi.dashboard as select * from kpi.daily",
    "materialized view bi.snapshot": "create materialized view bi.snapshot as select * from kpi.daily",
    r"function bi.f\(\)": "create function bi.f() returns bigint language sql return kpi.total()",
    r"function bi.g\(\)": "create function bi.g() returns setof kpi.daily language sql as 'select 1, 2'",
    "column day of table bi.rows": "create table bi.rows (day kpi.daily)",
    "default value for column n of table bi.totals": "create table bi.totals (n bigint default kpi.total())",
    "constraint small on table bi.n": "create table bi.n (n int constraint small check (n < kpi.total()))",
    "view kpi.guest": "create view kpi.guest as select * from kpi.daily",
}


@pytest.mark.parametrize("dependent", DEPENDENTS)
def test_what_of_others_stands_in_the_way_is_named(code: Code, dependent: str) -> None:
    """kpi.daily gets other columns, and so kpi.total() must be made anew."""
    code.query(f"create schema bi; {DEPENDENTS[dependent]}")
    code.write("30_kpi/02_daily.sql", DAILY.replace("d.day,", "d.day as number,"))
    code.remove("30_kpi/04_last.sql")
    with refused(code, f"^{dependent} depends on kpi.daily, which would have to be dropped"):
        code.load()
    assert code.value("kpi.total()") == 12
    code.query("drop schema bi cascade; drop view if exists kpi.guest")
    assert code.load().recreated == ["kpi.daily", "kpi.total()"]


def test_a_dropped_object_of_ours_that_others_need_is_named(code: Code) -> None:
    code.query("create schema bi; create view bi.a as select kpi.last(); create view bi.b as select * from bi.a")
    code.remove("30_kpi/04_last.sql")
    with refused(code, r"^view bi.a, view bi.b depend on kpi.last\(\), which would have to be dropped"):
        code.load()


def test_grants_of_others_survive_a_recreation(code: Code, analyst: str) -> None:
    code.query(f"""
        grant select on kpi.daily to {analyst} with grant option;
        grant select (value) on kpi.daily to {analyst};
        grant select (day) on kpi.daily to {analyst};
        grant execute on function kpi.twice(integer) to {analyst};
        grant execute on function kpi.total() to {analyst};
        grant execute on function kpi.last() to public;
    """)
    code.write("30_kpi/01_twice.sql", TWICE.replace("integer)", "numeric)"))
    code.write("30_kpi/02_daily.sql", DAILY.replace("d.day,", "d.day as number,"))
    code.write("30_kpi/04_last.sql", LAST.replace("returns integer", "returns numeric").replace("d.day", "1"))
    code.load()

    def may(kind: str, thing: str, privilege: str) -> object:
        return code.value(f"has_{kind}_privilege('{analyst}', {thing}, '{privilege}')")

    assert may("table", "'kpi.daily'", "select with grant option")
    assert may("column", "'kpi.daily', 'value'", "select")
    assert may("function", "'kpi.twice(numeric)'", "execute")
    assert may("function", "'kpi.total()'", "execute")
    # What everybody may do is for the files to say.
    assert code.value("proacl from pg_proc where oid = 'kpi.last()'::regprocedure") is None


def test_what_others_made_in_our_schemas_is_theirs(code: Code, analyst: str) -> None:
    code.query(f"""
        grant usage, create on schema kpi to {analyst};
        grant select on kpi.daily to {analyst};
        set role {analyst};
        create view kpi.guest as select d.day from kpi.daily d;
        create function kpi.guest() returns integer language sql return 1;
    """)
    code.write("30_kpi/01_twice.sql", TWICE.replace("p_value * 2", "p_value * 5"))
    assert code.load() == LoadResult(changed=True, replaced=["kpi.twice(integer)"])
    assert code.value("kpi.guest() + count(*)::integer from kpi.guest") == 4


# -- errors ---------------------------------------------------------------------------


def test_a_syntax_error_is_shown_by_file_and_line(code: Code) -> None:
    code.write("30_kpi/04_last.sql", "-- A line\n-- and another.\ncreate or replace functon kpi.last();")
    with refused(code, r"procedures/30_kpi/04_last.sql:3: syntax error .*\(SQLSTATE 42601\)"):
        code.load()


def test_an_unknown_column_is_shown_by_file_and_line(code: Code) -> None:
    code.write("30_kpi/03_total.sql", TOTAL.replace("d.value", "d.worth"))
    with refused(code, r'procedures/30_kpi/03_total.sql:7: .*"?d.worth"? does not exist \(SQLSTATE 42703\)'):
        code.load()


def test_any_other_error_is_shown_by_file(code: Code) -> None:
    code.write("30_kpi/05_wrong.sql", "select 1 / 0;")
    with refused(code, r"procedures/30_kpi/05_wrong.sql: division by zero \(SQLSTATE 22012\)"):
        code.load()


def test_two_files_of_one_object_that_differ_are_an_error(code: Code) -> None:
    code.write("30_kpi/05_twice.sql", TWICE.replace("returns integer", "returns bigint"))
    with refused(code, "procedures/30_kpi/05_twice.sql: cannot change return type"):
        code.load()


def test_a_database_without_migrations_is_refused(new_database: NewDatabase, toy_procedures: Files) -> None:
    with pytest.raises(PgmrrError, match="has not been migrated"):
        procedures.load(new_database(), toy_procedures.directory)


def test_who_may_not_act_as_the_owner_is_told_so(code: Code, server: Server, analyst: str) -> None:
    code.query(f"alter role {analyst} login; grant usage on schema meta to {analyst}")
    url = server.url(conninfo_to_dict(code.url)["dbname"], user=analyst)
    with pytest.raises(PgmrrError, match=f"user {analyst} may not act as pgmrr_owner") as raised:
        procedures.load(url, code.files.directory)
    assert raised.value.hint == f'as a superuser: grant pgmrr_owner to "{analyst}"'


def test_a_load_is_part_of_the_open_transaction(code: Code) -> None:
    code.write("30_kpi/01_twice.sql", TWICE.replace("p_value * 2", "p_value * 5"))
    with psycopg.connect(code.url, autocommit=True) as connection:
        before = "select current_user, current_setting('search_path'), current_setting('statement_timeout')"
        connection.execute("set statement_timeout = '77s'")
        with connection.transaction(force_rollback=True):
            settings = connection.execute(before).fetchone()
            assert procedures.load(connection, code.files.directory).changed
            assert connection.execute("select kpi.total()").fetchone() == (30,)
            assert connection.execute(before).fetchone() == settings
    assert code.value("kpi.total()") == 12


# -- readers and writers meanwhile --------------------------------------------------------

QUERIES = [
    "begin; select * from kpi.daily; select * from kpi.other; commit",
    "begin; select * from kpi.other; select * from kpi.daily; commit",
    "select kpi.total(), kpi.last()",
    "select d.value, kpi.twice(d.day) from kpi.daily d",
    "begin isolation level repeatable read; select * from kpi.daily; select kpi.total(); commit",
    "prepare q as select kpi.last(), d.day from kpi.daily d; execute q; deallocate q",
    "do $$ begin perform kpi.total(); perform kpi.twice(2); perform kpi.last(); end $$",
]


def test_readers_see_no_error_while_code_is_replaced(code: Code) -> None:
    done = threading.Event()

    def read(query: str) -> int:
        runs = 0
        with psycopg.connect(code.url, autocommit=True) as connection:
            connection.execute("set role pgmrr_reader")
            connection.execute("set statement_timeout = '20s'")
            while not done.is_set():
                connection.execute(query)
                runs += 1
        return runs

    code.write("30_kpi/05_other.sql", "create or replace view kpi.other as select 1 as one;")
    code.load()
    code.query("grant execute on all functions in schema kpi to pgmrr_reader")
    code.query("grant select on all tables in schema kpi to pgmrr_reader")
    with ThreadPoolExecutor(len(QUERIES)) as pool:
        readers = [pool.submit(read, query) for query in QUERIES]
        try:
            for n in range(30):
                code.write("30_kpi/01_twice.sql", TWICE.replace("p_value * 2", f"p_value * {n}"))
                code.write("30_kpi/02_daily.sql", DAILY.replace("(1, 3)", f"(1, 3 + {n})"))
                code.write("30_kpi/03_total.sql", TOTAL.replace("sum(d.value)", f"sum(d.value) + {n}"))
                code.write("30_kpi/04_last.sql", LAST.replace("limit 1", f"limit 1 offset {n}"))
                code.load()
        finally:
            done.set()
        runs = [reader.result() for reader in readers]
    assert min(runs) > 30


def test_a_reader_between_two_views_is_no_victim(code: Code) -> None:
    """It has read one view and reads the next while all are being replaced: the load gives way."""
    code.write("30_kpi/05_other.sql", "create or replace view kpi.other as select 1 as one;")
    code.load()
    code.write("30_kpi/01_twice.sql", TWICE.replace("p_value * 2", "p_value * 5"))
    waiting = threading.Event()
    messages = []

    def progress(message: str) -> None:
        messages.append(message)
        if "waiting for session" in message:
            waiting.set()

    with ThreadPoolExecutor(1) as pool, psycopg.connect(code.url) as reader:
        reader.execute("select * from kpi.other")
        load = pool.submit(code.load, progress=progress)
        assert waiting.wait(20)
        assert reader.execute("select sum(value) from kpi.daily").fetchone() == (12,)
        assert not load.done()
        reader.commit()
        assert load.result(20).replaced == ["kpi.twice(integer)"]
        assert f"waiting for session {reader.info.backend_pid}" in messages[1]
        assert "which reads kpi.other" in messages[1]


def test_a_reader_who_does_not_leave_is_named(code: Code) -> None:
    with psycopg.connect(code.url) as reader, psycopg.connect(code.url) as writer:
        reader.execute("select * from kpi.daily")
        with pytest.raises(PgmrrError, match=f"session {reader.info.backend_pid} of .* reading kpi.daily"):
            locks.lock_views(writer, patience=0)
        assert writer.execute("select count(*) from kpi.daily").fetchone() == (3,)


def test_two_loads_at_once_load_once(code: Code) -> None:
    code.write("30_kpi/01_twice.sql", TWICE.replace("p_value * 2", "p_value * 5"))
    with ThreadPoolExecutor(2) as pool:
        loads = [pool.submit(code.load) for _ in range(2)]
        assert sorted(load.result().changed for load in loads) == [False, True]


def test_a_load_waits_for_another_writer_and_says_so(code: Code) -> None:
    code.write("30_kpi/01_twice.sql", TWICE.replace("p_value * 2", "p_value * 5"))
    messages = []
    told = threading.Event()

    def progress(message: str) -> None:
        messages.append(message)
        told.set()

    with ThreadPoolExecutor(1) as pool, psycopg.connect(code.url) as writer:
        writer.execute("select pg_advisory_xact_lock(%s)", [locks.WRITER_LOCK])
        load = pool.submit(code.load, progress=progress)
        assert told.wait(20)
        assert not load.done()
        writer.commit()
        assert load.result(20).changed
        session = f"session {writer.info.backend_pid}"
        assert messages[0] == f"waiting for another writer of this database ({session})"
