"""What holds for every migration, every file of code, and every object of ours in the database."""

import re
from collections import Counter
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from conftest import Server
from pgmrr.catalog import CODE_SCHEMAS, SCHEMAS
from pgmrr.procedures import File, read_files

ROOT = Path(__file__).parents[2]
CODE = [file for file in read_files(ROOT / "procedures") if file.path != "90_privileges.sql"]
MIGRATIONS = sorted(file for file in (ROOT / "migrations").glob("*.sql") if not file.name.endswith(".rollback.sql"))
SQL_FILES = sorted([*(ROOT / "procedures").rglob("*.sql"), *(ROOT / "migrations").glob("*.sql")])

each_code_file = pytest.mark.parametrize("file", CODE, ids=lambda file: file.path)
each_migration = pytest.mark.parametrize("migration", MIGRATIONS, ids=lambda file: file.name)
each_sql_file = pytest.mark.parametrize("path", SQL_FILES, ids=lambda file: file.name)

# Comments, strings, quoted names, the marks around bodies, and the places of names in format().
NOT_CODE = re.compile(r"""--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|"[^"]*"|\$\w*\$|%I\b""", re.DOTALL)


def code_of(text: str) -> str:
    """The text without comments, with empty strings and empty quoted names, its lines kept."""
    return NOT_CODE.sub(lambda match: match[0][0] * 2 * (match[0][0] in "'\"") + "\n" * match[0].count("\n"), text)


def header_of(text: str) -> str:
    """The comment with which a file begins."""
    return "\n".join(takewhile(lambda line: line.startswith("--"), text.splitlines()))


# -- the files --------------------------------------------------------------------------------


def test_there_is_something_to_check() -> None:
    assert len(CODE) > 50
    assert len(MIGRATIONS) >= 5


@each_sql_file
def test_a_file_begins_by_saying_what_it_is_about(path: Path) -> None:
    if path.name.endswith(".rollback.sql"):
        return
    assert re.match(r"-- \S", path.read_text(encoding="utf-8"))


@each_sql_file
def test_a_file_is_laid_out_like_all_others(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    code = code_of(text)
    assert "\t" not in text
    assert "\r" not in text
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
    assert re.findall(r"[ ]+$", text, re.MULTILINE) == []
    assert re.findall(r".*[A-Z].*", code) == [], "keywords and names are in lower case"
    assert re.findall(r"^(?:    )* {1,3}\S.*", code, re.MULTILINE) == [], "lines are indented by four spaces"


@each_code_file
def test_a_file_makes_the_one_object_that_it_is_named_after(file: File) -> None:
    assert re.fullmatch(r"(10_pipeline|20_simulation|30_kpi|40_kpi)/\d\d_[a-z_]+\.sql", file.path)
    code = code_of(file.text)
    made = re.findall(r"^create or replace (?:function|procedure|view) (\w+)\.(\w+)", code, re.MULTILINE)
    assert made == [file.makes]
    assert len(re.findall(r"^(?:create|alter|drop)\b", code, re.MULTILINE)) == 1


@each_code_file
def test_a_file_holds_the_comment_and_the_privileges_of_its_object(file: File) -> None:
    schema, name = file.makes
    code = code_of(file.text)
    others = set(re.findall(r"^comment on \w+ (?:column )?(\w+\.\w+)", code, re.MULTILINE)) - {f"{schema}.{name}"}
    assert re.search(rf"^comment on (?:function|procedure|view) {schema}\.{name}\b", code, re.MULTILINE)
    assert others == set()
    assert re.search(rf"^grant (?:execute|select)\b[^;]* {schema}\.{name}\b", code, re.MULTILINE)


@each_code_file
def test_a_routine_states_its_attributes_in_one_order(file: File) -> None:
    code = code_of(file.text)
    if "create or replace view" in code:
        return
    is_function = "create or replace function" in code
    head = code[: re.search(r"^(?:begin atomic|return\b|as\b)", code, re.MULTILINE).start()]
    attributes = re.findall(
        r"^(returns|language|immutable|stable|volatile|parallel|security|set)\b", head, re.MULTILINE
    )
    order = ["returns", "language", "volatility", "parallel", "security", "set"]
    kinds = ["volatility" if a in ("immutable", "stable", "volatile") else a for a in attributes]
    assert kinds == sorted(kinds, key=order.index)
    assert "language" in kinds
    if is_function:
        assert {"returns", "volatility", "parallel"} <= set(kinds)


@each_code_file
def test_a_routine_finds_its_names_wherever_it_is_called(file: File) -> None:
    """By an empty search_path, by names bound at creation, or by what its header says."""
    code = code_of(file.text)
    is_bound = re.search(r"^(?:create or replace view|begin atomic|return\b)", code, re.MULTILINE)
    has_path = re.search(r"^set search_path = (?:''|pg_catalog, pg_temp)$", file.text, re.MULTILINE)
    assert is_bound or has_path or "search_path" in header_of(file.text)


def test_migrations_are_numbered_without_gaps() -> None:
    assert [file.name[:5] for file in MIGRATIONS] == [f"{n:04}_" for n in range(1, len(MIGRATIONS) + 1)]
    assert all(re.fullmatch(r"\d{4}_[a-z_]+\.sql", file.name) for file in MIGRATIONS)


def test_every_migration_has_a_rollback_and_every_rollback_a_migration() -> None:
    rollbacks = {file.name.removesuffix(".rollback.sql") for file in (ROOT / "migrations").glob("*.rollback.sql")}
    assert rollbacks == {file.stem for file in MIGRATIONS}


@each_migration
def test_a_migration_depends_on_the_one_before(migration: Path) -> None:
    number = MIGRATIONS.index(migration)
    depends = re.findall(r"^-- depends: (.*)$", migration.read_text(encoding="utf-8"), re.MULTILINE)
    assert depends == [MIGRATIONS[number - 1].stem] * (number > 0)


@each_migration
def test_a_migration_leaves_the_transaction_to_yoyo(migration: Path) -> None:
    code = code_of(migration.read_text(encoding="utf-8"))
    assert re.findall(r"^(?:begin|commit|rollback|start transaction)\s*;", code, re.MULTILINE) == []
    assert re.findall(r"from stdin|^\\|transactional", code, re.MULTILINE) == []
    assert re.findall(r"^(set local role pgmrr_owner|reset role);", code, re.MULTILINE) == [
        "set local role pgmrr_owner",
        "reset role",
    ]


@each_migration
def test_a_migration_makes_no_code(migration: Path) -> None:
    """But for what triggers call: it must be there as long as its table is."""
    code = code_of(migration.read_text(encoding="utf-8"))
    assert re.findall(r"create (?:or replace )?(?:procedure|rule)\b", code) == []
    assert re.findall(r"create (?:or replace )?function \w+\.\w+\(.*\)\n(?!returns trigger\n)", code) == []
    assert set(re.findall(r"create (?:or replace )?function (\w+)", code)) <= {"meta"}
    assert re.findall(r"create (?:or replace )?view (?:kpi|pipeline|simulation)\b", code) == []


# -- the database -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def catalog(server: Server, template: str) -> Iterator[psycopg.Connection]:
    """A session in a database with our migrations and code; it changes nothing."""
    url = server.url(template)
    assert conninfo_to_dict(url)["dbname"] == template
    with psycopg.connect(url) as connection:
        connection.read_only = True
        yield connection


RELATIONS = """
    select c.*, n.nspname, c.oid::regclass::text as name
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = any (%(schemas)s)
        and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
        and c.relname !~ '^_?yoyo_'
"""
ROUTINES = """
    select p.*, n.nspname, p.oid::regprocedure::text as name
    from pg_proc p
    join pg_namespace n on n.oid = p.pronamespace
    where n.nspname = any (%(schemas)s)
"""


def ask(catalog: psycopg.Connection, query: str, *schemas: str) -> list[tuple]:
    """The rows of a query over ``relation``, ``routine`` and our ``schemas``, by default all of them."""
    with catalog.transaction():
        return catalog.execute(
            f"with relation as ({RELATIONS}), routine as ({ROUTINES}) {query}".encode(),
            {"schemas": list(schemas or SCHEMAS)},
        ).fetchall()


def test_the_catalog_is_not_empty(catalog: psycopg.Connection) -> None:
    [(relations, routines)] = ask(catalog, "select (select count(*) from relation), (select count(*) from routine)")
    assert relations > 30
    assert routines > 20


def test_every_object_has_a_comment(catalog: psycopg.Connection) -> None:
    without = ask(
        catalog,
        """
        select 'schema', nspname from pg_namespace
        where nspname = any (%(schemas)s) and obj_description(oid, 'pg_namespace') is null
        union all
        select 'relation', name from relation
        where relkind <> 'S' and obj_description(oid, 'pg_class') is null
        union all
        select 'column', format('%%s.%%s', name, attname) from relation join pg_attribute on attrelid = oid
        where relkind <> 'S' and attnum > 0 and not attisdropped and col_description(oid, attnum) is null
        union all
        select 'routine', name from routine where obj_description(oid, 'pg_proc') is null
        union all
        select 'type', t.oid::regtype::text from pg_type t join pg_namespace n on n.oid = t.typnamespace
        where nspname = any (%(schemas)s)
            and t.typtype in ('e', 'd', 'r')
            and obj_description(t.oid, 'pg_type') is null
        """,
    )
    assert without == []


def test_every_object_belongs_to_the_owner(catalog: psycopg.Connection) -> None:
    others = ask(
        catalog,
        """
        select nspname, nspowner::regrole::text from pg_namespace
        where nspname = any (%(schemas)s) and nspowner <> 'pgmrr_owner'::regrole
        union all
        select name, relowner::regrole::text from relation where relowner <> 'pgmrr_owner'::regrole
        union all
        select name, proowner::regrole::text from routine where proowner <> 'pgmrr_owner'::regrole
        """,
    )
    assert others == []


def test_constraints_have_names_of_their_own(catalog: psycopg.Connection) -> None:
    """None that PostgreSQL gave: movement_change_check, movement_customer_id_fkey."""
    constraints = ask(
        catalog,
        "select k.conname from pg_constraint k join relation on relation.oid = k.conrelid"
        " where k.contype in ('c', 'f', 'u', 'x')",
    )
    assert len(constraints) > 10
    assert [name for (name,) in constraints if re.search(r"_(check|fkey|key|excl)\d*$", name)] == []


def test_no_function_of_the_public_surface_is_overloaded(catalog: psycopg.Connection) -> None:
    names = Counter(name for (name,) in ask(catalog, "select proname from routine", "kpi"))
    assert {name for name, times in names.items() if times > 1} == set()


def test_parameters_are_told_from_columns_by_their_names(catalog: psycopg.Connection) -> None:
    parameters = ask(
        catalog,
        """
        select r.name, a.name
        from routine r
        cross join unnest(r.proargnames, r.proargmodes) a (name, mode)
        where coalesce(a.mode, 'i') in ('i', 'b', 'v')
        """,
    )
    assert len(parameters) > 20
    assert [found for found in parameters if not found[1].startswith("p_")] == []


def test_public_functions_only_read(catalog: psycopg.Connection) -> None:
    labels = ask(catalog, "select name, prokind, provolatile, proparallel from routine", "kpi")
    assert len(labels) > 5
    assert [found for found in labels if found[1] != "f" or found[2] not in "si" or found[3] != "s"] == []


WRITES = re.compile(
    r"\b(?:insert into|update \w|delete from|truncate|merge into|create temporary|create temp|copy|execute"
    r"|pg_advisory\w*|nextval|set_config|analyze|gen_random_uuid|clock_timestamp|pg_relation_size)\b",
    re.IGNORECASE,
)


def test_functions_are_volatile_where_they_write_and_nowhere_else(catalog: psycopg.Connection) -> None:
    """Or where they ask what changes meanwhile, or call one that does. Volatile ones run in no parallel worker."""
    routines = ask(
        catalog,
        """
        select nspname || '.' || proname, name, provolatile, proparallel, pg_get_functiondef(oid)
        from routine where prokind = 'f'
        """,
        *CODE_SCHEMAS,
    )
    volatile = {call for call, _, label, _, _ in routines if label == "v"}
    assert len(volatile) > 2
    wrong = []
    for call, name, label, parallel, definition in routines:
        body = code_of(definition)
        calls = {other for other in volatile - {call} if re.search(rf"\b{re.escape(other)}\(", body)}
        writes = bool(WRITES.search(body) or calls)
        if writes != (label == "v") or parallel != ("u" if label == "v" else "s"):
            wrong.append((name, label, parallel))
    assert wrong == []


def test_code_runs_with_the_rights_of_the_caller(catalog: psycopg.Connection) -> None:
    """But for the figures of past versions, which a reader may ask for and not see, for the record of settings,
    in which a writer may cause rows and not forge them, and for the tables that take files, which a writer may have
    made where no other is; each says so, in its header and its comment."""
    exempt = {
        "kpi.mrr_total_as_of", "kpi.mrr_monthly_as_of", "kpi.restatements", "meta.record_setting_change",
        "pipeline.make_staging_table", "pipeline.drop_staging_table",
    }  # fmt: skip
    found = ask(
        catalog,
        """
        select
            nspname || '.' || proname,
            obj_description(oid, 'pg_proc'),
            prosqlbody is not null or proconfig @> array['search_path=pg_catalog, pg_temp']
        from routine where prosecdef
        """,
    )
    assert {name for name, _, _ in found} == exempt
    headers = {".".join(file.makes): header_of(file.text) for file in CODE}
    assert [name for name, comment, _ in found if "rights of its owner" not in headers.get(name, comment)] == []
    assert [name for name, _, is_bound in found if not is_bound] == []


def test_what_runs_with_the_rights_of_the_owner_takes_no_type_of_the_callers(catalog: psycopg.Connection) -> None:
    """Types and tables are looked for in pg_temp first, an empty search_path or not, unless it is named last.

    A body of text is read when it runs: with a domain pg_temp.date that has a check, a reader would have code of
    his own run as the owner. So pg_temp is last in whatever such a function calls, directly or not.
    """
    routines = {
        name: (is_definer, is_text, path, code_of(definition))
        for name, is_definer, is_text, path, definition in ask(
            catalog,
            """
            select
                nspname || '.' || proname,
                prosecdef,
                prosqlbody is null,
                (select s from unnest(proconfig) s where s like 'search_path=%%'),
                pg_get_functiondef(oid)
            from routine
            """,
        )
    }
    reached = {name for name, (is_definer, *_) in routines.items() if is_definer}
    waiting = list(reached)
    while waiting:
        *_, body = routines[waiting.pop()]
        called = {name for name in routines if re.search(rf"\b{re.escape(name)}\(", body)} - reached
        reached |= called
        waiting += called
    assert len(reached) > 10
    open_to_pg_temp = [
        name for name in reached if routines[name][1] and routines[name][2] != "search_path=pg_catalog, pg_temp"
    ]
    assert open_to_pg_temp == []


def test_public_has_nothing(catalog: psycopg.Connection) -> None:
    open_to_all = ask(
        catalog,
        """
        select nspname::text, privilege_type
        from pg_namespace cross join aclexplode(nspacl)
        where nspname = any (%(schemas)s) and grantee = 0
        union all
        select name, privilege_type from relation cross join aclexplode(relacl) where grantee = 0
        union all
        select name, privilege_type
        from routine cross join aclexplode(coalesce(proacl, acldefault('f', proowner)))
        where grantee = 0
        """,
    )
    assert open_to_all == []


def test_a_reader_may_read_and_call_kpi_and_nothing_else(catalog: psycopg.Connection) -> None:
    reads = {
        found
        for (found,) in ask(
            catalog,
            "select name from relation where has_table_privilege('pgmrr_reader', oid, 'select')"
            " union all select name from routine where has_function_privilege('pgmrr_reader', oid, 'execute')"
            " and has_schema_privilege('pgmrr_reader', nspname, 'usage')",
        )
    }
    public = {name for (name,) in ask(catalog, "select name from relation union all select name from routine", "kpi")}
    assert reads == public
    writes = ask(
        catalog,
        "select name from relation where relkind <> 'S' and has_table_privilege('pgmrr_reader', oid,"
        " 'insert, update, delete, truncate, references, trigger')",
    )
    assert writes == []
    entered = ask(
        catalog,
        "select nspname from pg_namespace where nspname = any (%(schemas)s)"
        " and has_schema_privilege('pgmrr_reader', oid, 'usage, create') order by nspname",
    )
    assert entered == [("kpi",)]
