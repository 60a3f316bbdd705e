"""Brings a database to the newest migration, or back, by yoyo, and its code with it.

yoyo decides what is pending and keeps its books in schema ``meta``. Here is what it
lacks: pending migrations, their marks and the code commit together or not at all;
the content of what was applied is kept, and an edited file is refused; one run at a
time, whose lock goes with it where it is killed.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from glob import escape
from pathlib import Path
from typing import Literal

import psycopg
from yoyo import read_migrations
from yoyo.exceptions import BadMigration
from yoyo.migrations import Migration, MigrationList

from pgmrr import catalog, procedures
from pgmrr.books import open_books, run_migration
from pgmrr.errors import PgmrrError
from pgmrr.locks import Progress, lock_views, silent, writer_lock
from pgmrr.resources import sql_directory
from pgmrr.rows import only_row
from pgmrr.sessions import open_session

_APPLIED = "select migration_id, applied_at_utc at time zone 'UTC' from meta._yoyo_migration"
_RECORDED = "select migration_id, checksum from meta.migration_checksum"
_RECORD = """
insert into meta.migration_checksum (migration_id, checksum) values (%s, %s)
on conflict (migration_id) do update set checksum = excluded.checksum, recorded_at = default
"""

# What the first run made before there was an owner to make it.
_NOT_YET_THE_OWNERS = """
select c.oid::regclass::text
from pg_catalog.pg_class c
where c.relnamespace = to_regnamespace('meta')
    and c.relkind = 'r'
    and c.relowner <> to_regrole('pgmrr_owner')
    and pg_has_role(c.relowner, 'usage')
"""

_OURS_MADE_BY_OTHERS = """
select string_agg(pg_describe_object(o.catalog, o.oid, 0), ', ' order by o.oid)
from (
    select c.tableoid as catalog, c.oid, c.relnamespace as namespace, c.relowner as owner
    from pg_catalog.pg_class c
    where c.relkind in ('r', 'p', 'v', 'm', 'f')
    union all
    select p.tableoid, p.oid, p.pronamespace, p.proowner
    from pg_catalog.pg_proc p
) o
join pg_catalog.pg_namespace n on n.oid = o.namespace
where n.nspname = any (%s)
    and n.nspname <> 'meta'
    and o.owner is distinct from to_regrole('pgmrr_owner')
"""

_OUR_SCHEMAS = """
select n.tableoid, n.oid, n.nspname
from pg_catalog.pg_namespace n
where n.nspname = any (%s)
order by n.nspname
"""

_FORGET_THE_OWNER = """
do $forget$
begin
    if to_regrole('pgmrr_owner') is not null then
        alter default privileges for role pgmrr_owner grant execute on functions to public;
        execute format('revoke create on database %I from pgmrr_owner', current_database());
    end if;
end
$forget$
"""


# New tables are empty, and new rules may say otherwise: what follows from the facts is made anew. By the owner, who
# loaded the code: Citus lets one user alone change a table in a transaction.
_REBUILD = """
set local role pgmrr_owner;
do $rebuild$
begin
    if to_regclass('meta.batch') is not null and to_regprocedure('pipeline.rebuild()') is not null then
        if exists (select from meta.batch where source is not null) then
            call pipeline.rebuild();
        end if;
    end if;
end
$rebuild$;
reset role;
"""


@dataclass(frozen=True)
class MigrateResult:
    """The migrations that a run applied, in order, and whether it loaded the code."""

    applied: list[str]
    procedures_loaded: bool


Checksum = Literal["ok", "edited", "missing", "unrecorded"]


@dataclass(frozen=True)
class MigrationState:
    """A migration in the directory or in the database.

    ``applied_at`` is None while it is pending. ``checksum`` is ``edited`` where the
    file is not the one that was applied, ``missing`` where there is no file, and
    ``unrecorded`` where pgmrr has not applied or seen it yet.
    """

    id: str
    applied_at: datetime | None
    checksum: Checksum


def migrate(
    url: str,
    directory: Path | None = None,
    progress: Progress = silent,
    procedures_directory: Path | None = None,
) -> MigrateResult:
    """Apply the pending migrations and load the code, in one transaction.

    The directories are by default those of this installation. ``progress`` hears what
    is done and waited for. Writes nothing where nothing is new.

    Raises PgmrrError, and changes nothing, where the database holds schemas of others
    with our names, an applied migration was edited or is missing, or anything fails.
    """
    files = _read(directory)
    with (
        open_session(url) as connection,
        writer_lock(connection, progress),
        open_books(connection, progress) as yoyo,
    ):
        states = _refuse_changed(connection, files)
        applied = {state.id for state in states if state.applied_at}
        _load(migration for migration in files if migration.id not in applied)
        pending = yoyo.to_apply(files)
        if pending:
            lock_views(connection, progress)
        for migration in pending:
            progress(f"applying {migration.id}")
            run_migration(yoyo, migration, "apply", yoyo.mark_one)
        unrecorded = {state.id for state in states if state.checksum == "unrecorded"}
        _record(connection, [migration for migration in files if migration.id in unrecorded])
        _hand_over(connection)
        loaded = procedures.load(connection, procedures_directory, progress)
        if pending or loaded.changed:
            connection.execute(_REBUILD)
    return MigrateResult([migration.id for migration in pending], loaded.changed)


def rollback(url: str, steps: int, directory: Path | None = None, progress: Progress = silent) -> list[str]:
    """Undo the last ``steps`` applied migrations, newest first, in one transaction; their names.

    All code is dropped before, since it is that of the newest migration; the next
    ``migrate`` loads it again.

    Raises PgmrrError, and changes nothing, as ``migrate`` does, and where objects of
    others depend on ours.
    """
    if steps < 1:
        raise PgmrrError(f"cannot roll back {steps} migrations", "pgmrr migrate --rollback 1")
    files = _read(directory)
    with open_session(url) as connection, writer_lock(connection, progress):
        catalog.refuse_foreign_schemas(connection)
        if not catalog.exists(connection, "meta._yoyo_migration"):
            return []
        with open_books(connection, progress) as yoyo:
            _refuse_changed(connection, files)
            _load(files)
            chosen = yoyo.to_rollback(files)[:steps]
            if chosen:
                procedures.unload(connection, progress)
            for migration in chosen:
                progress(f"rolling back {migration.id}")
                run_migration(yoyo, migration, "rollback", yoyo.unmark_one)
                connection.execute("delete from meta.migration_checksum where migration_id = %s", [migration.id])
    return [migration.id for migration in chosen]


def list_migrations(url: str, directory: Path | None = None) -> list[MigrationState]:
    """All migrations of the directory and of the database, in order. Changes nothing, makes nothing."""
    files = _read(directory)
    with open_session(url) as connection:
        connection.execute("set default_transaction_read_only = on")
        catalog.refuse_foreign_schemas(connection)
        return _states(connection, files)


def checksums(directory: Path | None = None) -> dict[str, str]:
    """The content of each migration of this installation, by its name: what an applied one must have been."""
    return {migration.id: _checksum(migration) for migration in _read(directory)}


def reset(url: str, progress: Progress = silent) -> list[str]:
    """Drop everything of ours in the database, the data too; the names of the dropped schemas.

    The roles stay: they belong to the cluster, and other databases may use them.
    Raises PgmrrError, and drops nothing, where a schema with one of our names is not
    ours, holds objects of others, or objects of others depend on ours.
    """
    with open_session(url) as connection, writer_lock(connection, progress), connection.transaction():
        catalog.refuse_foreign_schemas(connection)
        lock_views(connection, progress)
        schemas = connection.execute(_OUR_SCHEMAS, [catalog.SCHEMAS]).fetchall()
        if not schemas:
            return []
        names = [name for *_, name in schemas]
        _refuse_objects_of_others(connection, [(classid, oid) for classid, oid, _ in schemas])
        progress(f"dropping schemas {', '.join(names)}")
        connection.execute(f"drop schema {', '.join(names)} cascade".encode())
        connection.execute(_FORGET_THE_OWNER)
        return names


def _read(directory: Path | None) -> MigrationList:
    """The migrations, each with a rollback. What they say is not looked at: taking SQL apart takes long."""
    directory = directory or sql_directory("migrations")
    migrations = read_migrations(escape(str(directory)))
    for migration in migrations:
        if not Path(migration.path).with_suffix(".rollback.sql").is_file():
            raise PgmrrError(
                f"migration {migration.id} has no rollback",
                f"write {directory / migration.id}.rollback.sql",
            )
    if not migrations:
        raise PgmrrError(f"there are no migrations in {directory}")
    return migrations


def _load(migrations: Iterable[Migration]) -> None:
    """Take apart what is to be run. Raises PgmrrError where it cannot be, or cannot run in a transaction."""
    for migration in migrations:
        try:
            migration.load()
        except BadMigration as error:
            raise PgmrrError(f"migration {migration.id} cannot be read: {error}") from error
        if not migration.use_transactions:
            raise PgmrrError(
                f"migration {migration.id} asks to run without a transaction, but all pending migrations run in one",
                f"remove the line `-- transactional: false` from {migration.path}",
            )


def _states(connection: psycopg.Connection, files: MigrationList) -> list[MigrationState]:
    applied: dict[str, datetime] = {}
    recorded: dict[str, str] = {}
    if catalog.exists(connection, "meta._yoyo_migration"):
        applied = dict(connection.execute(_APPLIED).fetchall())
    if catalog.exists(connection, "meta.migration_checksum"):
        recorded = dict(connection.execute(_RECORDED).fetchall())
    content = {migration.id: _checksum(migration) for migration in files}

    def state(name: str) -> MigrationState:
        checksum: Checksum
        if name not in content:
            checksum = "missing"
        elif name not in applied or name not in recorded:
            checksum = "unrecorded"
        else:
            checksum = "ok" if recorded[name] == content[name] else "edited"
        return MigrationState(name, applied.get(name), checksum)

    return [state(name) for name in sorted(content.keys() | applied.keys())]


def _refuse_changed(connection: psycopg.Connection, files: MigrationList) -> list[MigrationState]:
    states = _states(connection, files)
    for state in states:
        if state.checksum == "edited":
            raise PgmrrError(
                f"migration {state.id} was edited after it was applied",
                "put the file back and write a new migration, or start over: pgmrr reset --yes",
            )
        if state.checksum == "missing":
            raise PgmrrError(
                f"migration {state.id} is applied to this database, but has no file here",
                "upgrade pgmrr, or put the file back, or start over: pgmrr reset --yes",
            )
    return states


def _record(connection: psycopg.Connection, migrations: Iterable[Migration]) -> None:
    for migration in migrations:
        connection.execute(_RECORD, [migration.id, _checksum(migration)])


def _hand_over(connection: psycopg.Connection) -> None:
    """Give the books to pgmrr_owner, so that whoever may act as pgmrr_owner can migrate."""
    for (table,) in connection.execute(_NOT_YET_THE_OWNERS).fetchall():
        connection.execute(f"alter table {table} owner to pgmrr_owner".encode())


def _refuse_objects_of_others(connection: psycopg.Connection, schemas: list[tuple[int, int]]) -> None:
    inside = only_row(connection.execute(_OURS_MADE_BY_OTHERS, [catalog.SCHEMAS]))[0]
    outside = ", ".join(
        item.description for item in catalog.dependents(connection, schemas) if item.schema not in catalog.SCHEMAS
    )
    if inside or outside:
        raise PgmrrError(
            f"nothing was dropped: objects of others lie in our schemas: {inside}"
            if inside
            else f"nothing was dropped: objects of others depend on ours: {outside}",
            "drop them or move them away, and run it again",
        )


def _checksum(migration: Migration) -> str:
    """SHA-256 of the file. Reading it as text makes all line ends one."""
    return hashlib.sha256(Path(migration.path).read_text(encoding="utf-8").encode()).hexdigest()
