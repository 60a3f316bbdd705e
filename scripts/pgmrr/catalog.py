"""What of pgmrr stands in a database, and who depends on it: read from PostgreSQL's catalogs."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from pgmrr.errors import PgmrrError
from pgmrr.rows import only_row

OWNER = "pgmrr_owner"
CODE_SCHEMAS = ["pipeline", "simulation", "kpi"]
SCHEMAS = ["raw", "billing", "usage", "ledger", "meta", *CODE_SCHEMAS]

# `create or replace` writes the row anew from which `version` is taken; grants and
# comments leave it alone.
_CODE = """
select
    'pg_catalog.pg_proc'::regclass::oid as catalog,
    p.oid,
    n.nspname as schema,
    p.proname as name,
    case p.prokind when 'p' then 'procedure' when 'a' then 'aggregate' else 'function' end as kind,
    p.oid::regprocedure::text as identity,
    d.xmin::text || d.ctid::text as version,
    case when p.prokind = 'a' then '' else pg_get_functiondef(p.oid) end as definition
from pg_catalog.pg_proc p
join pg_catalog.pg_namespace n on n.oid = p.pronamespace
join pg_catalog.pg_depend d
    on d.classid = 'pg_catalog.pg_proc'::regclass
    and d.objid = p.oid
    and d.refclassid = 'pg_catalog.pg_namespace'::regclass
where n.nspname = any (%(schemas)s) and p.proowner = to_regrole(%(owner)s)
union all
select
    'pg_catalog.pg_class'::regclass::oid,
    c.oid,
    n.nspname,
    c.relname,
    'view',
    c.oid::regclass::text,
    r.xmin::text || r.ctid::text,
    concat_ws(' ', c.reloptions::text, pg_get_viewdef(c.oid))
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
join pg_catalog.pg_rewrite r on r.ev_class = c.oid and r.rulename = '_RETURN'
where n.nspname = any (%(schemas)s) and c.relkind = 'v' and c.relowner = to_regrole(%(owner)s)
order by identity
"""

# A part (a view's rule, its row type) has an internal dependency on its whole, which
# would go with it. `part` is the number of a column, or 0.
_DEPENDENTS = """
with recursive doomed (catalog, oid, part) as (
    select *, 0 from unnest(%(catalogs)s::oid[], %(oids)s::oid[])
    union
    select part_or_whole.*
    from doomed
    join pg_catalog.pg_depend d
        on d.refclassid = doomed.catalog
        and d.refobjid = doomed.oid
        and doomed.part in (0, d.refobjsubid)
    cross join lateral (
        select d.classid, d.objid, d.objsubid
        union all
        select w.refclassid, w.refobjid, w.refobjsubid
        from pg_catalog.pg_depend w
        where w.classid = d.classid and w.objid = d.objid and w.deptype = 'i'
    ) part_or_whole
),

described as (
    select
        catalog,
        oid,
        coalesce(
            (pg_identify_object(catalog, oid, part)).schema,
            (pg_identify_object_as_address(catalog, oid, part)).object_names[1]
        ) as schema,
        pg_describe_object(catalog, oid, part) as description
    from doomed
    where (catalog, oid) not in (select * from unnest(%(catalogs)s::oid[], %(oids)s::oid[]))
        and not exists (
            select from pg_catalog.pg_depend w
            where w.classid = doomed.catalog and w.objid = doomed.oid and w.deptype = 'i'
        )
)

select * from described where schema <> 'pg_toast' order by description
"""

_GRANTS = """
with privileges as (
    select p.pronamespace as namespace, p.proname as name, false as is_view, null as column_name, a.*
    from pg_catalog.pg_proc p
    cross join aclexplode(p.proacl) a
    where p.oid = any (%(oids)s)
    union all
    select c.relnamespace, c.relname, true, null, a.*
    from pg_catalog.pg_class c
    cross join aclexplode(c.relacl) a
    where c.oid = any (%(oids)s)
    union all
    select c.relnamespace, c.relname, true, t.attname, a.*
    from pg_catalog.pg_class c
    join pg_catalog.pg_attribute t on t.attrelid = c.oid
    cross join aclexplode(t.attacl) a
    where c.oid = any (%(oids)s)
)
select n.nspname as schema, p.name, p.is_view, p.column_name, p.privilege_type as privilege,
    r.rolname as grantee, p.is_grantable
from privileges p
join pg_catalog.pg_namespace n on n.oid = p.namespace
join pg_catalog.pg_roles r on r.oid = p.grantee
where r.rolname not in ('pgmrr_owner', 'pgmrr_writer', 'pgmrr_reader')
"""

_FOREIGN_SCHEMAS = """
select string_agg(n.nspname, ', ' order by n.nspname)
from pg_catalog.pg_namespace n
where n.nspname = any (%s)
    and coalesce(pg_catalog.obj_description(n.oid, 'pg_namespace'), '') not like 'pgmrr: %%'
"""


@dataclass(frozen=True)
class CodeObject:
    """A ``function``, ``procedure``, ``aggregate`` or ``view`` of ours.

    ``identity`` names it with the types of its parameters, ``version`` changes
    whenever it is made again, ``definition`` only where that makes a difference.
    """

    catalog: int
    oid: int
    schema: str
    name: str
    kind: str
    identity: str
    version: str
    definition: str

    @property
    def key(self) -> tuple[int, int]:
        """What PostgreSQL itself knows the object by, until it is dropped."""
        return self.catalog, self.oid


@dataclass(frozen=True)
class Dependent:
    """Something that PostgreSQL would have to drop along, ours or not."""

    catalog: int
    oid: int
    schema: str
    description: str

    @property
    def key(self) -> tuple[int, int]:
        """As in CodeObject."""
        return self.catalog, self.oid


@dataclass(frozen=True)
class Grant:
    """A privilege on an object of our code, or on a column of it, that somebody else gave to a role."""

    schema: str
    name: str
    is_view: bool
    column_name: str | None
    privilege: str
    grantee: str
    is_grantable: bool


def exists(connection: psycopg.Connection, *tables: str) -> bool:
    """Whether all these tables, each with its schema, exist."""
    return all(only_row(connection.execute("select to_regclass(%s) is not null", [table]))[0] for table in tables)


def refuse_foreign_schemas(connection: psycopg.Connection) -> None:
    """Raise PgmrrError where one of our schemas exists that pgmrr did not make."""
    foreign = only_row(connection.execute(_FOREIGN_SCHEMAS, [SCHEMAS]))[0]
    if foreign:
        raise PgmrrError(
            f"this database already has schemas that pgmrr did not make: {foreign}",
            "give pgmrr a database of its own: create database pgmrr",
        )


def refuse_other_encoding(connection: psycopg.Connection) -> None:
    """Raise PgmrrError where the database cannot hold every name: it is not in UTF-8."""
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise PgmrrError(
            f"the database is in {encoding}, and pgmrr needs UTF8",
            "make another one: create database pgmrr encoding 'UTF8' template template0",
        )


def code_objects(connection: psycopg.Connection) -> list[CodeObject]:
    """All code of ours: what pgmrr_owner owns in the code schemas. What others made there is not ours."""
    with connection.cursor(row_factory=class_row(CodeObject)) as cursor:
        return cursor.execute(_CODE, {"schemas": CODE_SCHEMAS, "owner": OWNER}).fetchall()


def dependents(connection: psycopg.Connection, roots: Iterable[tuple[int, int]]) -> list[Dependent]:
    """Everything that depends on the roots (catalog, oid), directly or not, without the roots."""
    catalogs, oids = zip(*roots, strict=True)
    with connection.cursor(row_factory=class_row(Dependent)) as cursor:
        return cursor.execute(_DEPENDENTS, {"catalogs": list(catalogs), "oids": list(oids)}).fetchall()


def drop(connection: psycopg.Connection, objects: Sequence[CodeObject]) -> None:
    """Drop the objects, those that depend on others first; never by CASCADE."""
    while objects:
        blocked = []
        for item in objects:
            try:
                with connection.transaction():
                    connection.execute(f"drop {item.kind} {item.identity}".encode())
            except psycopg.errors.DependentObjectsStillExist as error:
                blocked.append(item)
                reason = error
        if len(blocked) == len(objects):
            raise reason
        objects = blocked


def foreign_grants(connection: psycopg.Connection, objects: Iterable[CodeObject]) -> list[Grant]:
    """What roles other than ours may do with the objects, as somebody granted it."""
    with connection.cursor(row_factory=class_row(Grant)) as cursor:
        return cursor.execute(_GRANTS, {"oids": [item.oid for item in objects]}).fetchall()


def grant(connection: psycopg.Connection, grants: Iterable[Grant], objects: Sequence[CodeObject]) -> None:
    """Give the privileges on those of the objects that have the name they were given on."""
    for given in grants:
        for item in objects:
            if (item.schema, item.name, item.kind == "view") == (given.schema, given.name, given.is_view):
                _grant(connection, given, item)


def _grant(connection: psycopg.Connection, given: Grant, item: CodeObject) -> None:
    column = sql.SQL("({})").format(sql.Identifier(given.column_name)) if given.column_name else sql.SQL("")
    command = sql.SQL("grant {privilege} {column} on {kind} {item} to {grantee} {option}").format(
        privilege=sql.SQL(given.privilege),
        column=column,
        kind=sql.SQL({"view": "table", "procedure": "procedure"}.get(item.kind, "function")),
        item=sql.SQL(item.identity),
        grantee=sql.Identifier(given.grantee),
        option=sql.SQL("with grant option" if given.is_grantable else ""),
    )
    with suppress(psycopg.errors.UndefinedColumn), connection.transaction():  # a view may have lost it
        connection.execute(command)
