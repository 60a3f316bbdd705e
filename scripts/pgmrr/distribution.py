"""Lays the tables of pgmrr over the servers of a Citus cluster."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg.rows import class_row

from pgmrr import citus, migrations, procedures
from pgmrr.catalog import CODE_SCHEMAS, SCHEMAS
from pgmrr.errors import PgmrrError
from pgmrr.locks import Progress, silent, writer_lock
from pgmrr.rows import only_row
from pgmrr.sessions import explained, open_session

_TABLES = Path(__file__).with_suffix(".sql")

# The servers that can hold rows, and whether the coordinator is among those that Citus knows.
_SERVERS = """
select
    count(*) filter (where groupid <> 0 and shouldhaveshards) as workers,
    count(*) filter (where groupid = 0) as coordinators
from pg_catalog.pg_dist_node
where noderole = 'primary' and isactive
"""

# Citus asks a worker as the role that asks the coordinator: so the owner, who loads the code and changes tables, may
# log in to the workers, without a password and as far as their pg_hba.conf lets it. The schemas are made beforehand,
# since Citus makes what is in them from another session.
_PREPARE_WORKER = """
do $roles$
declare
    v_role text;
    v_schema text;
begin
    perform set_config('citus.enable_ddl_propagation', 'off', true);
    foreach v_role in array array['pgmrr_owner', 'pgmrr_writer', 'pgmrr_reader'] loop
        if to_regrole(v_role) is null then
            execute format('create role %I', v_role);
        end if;
    end loop;
    alter role pgmrr_owner login;
    foreach v_schema in array array['raw', 'billing', 'usage', 'ledger', 'meta', 'pipeline', 'simulation', 'kpi'] loop
        execute format('create schema if not exists %I authorization pgmrr_owner', v_schema);
    end loop;
end
$roles$
"""

# To a worker a view is only its query: its owner lends no rights there. So who may read the metrics may read the rows.
_RIGHTS = """
set local role pgmrr_owner;
grant usage on schema raw, billing, usage, ledger, meta to pgmrr_reader;
grant select on {tables} to pgmrr_reader;
reset role;
"""

# A copy that is made is no change: the triggers that write changes down come to it afterwards.
_TRIGGERS = """
select t.tgname, pg_get_triggerdef(t.oid)
from pg_catalog.pg_trigger t
where t.tgrelid = %s::regclass and not t.tgisinternal
order by t.tgname
"""

_DIVIDE = "select create_distributed_table(%s, 'customer_id', colocate_with => %s)"
_COPY = "select create_reference_table(%s)"


@dataclass(frozen=True)
class Table:
    """A table: whether its rows are divided by customer, or copied to each server; and whether they are already."""

    name: str
    is_by_customer: bool
    is_done: bool


def tables(connection: psycopg.Connection) -> list[Table]:
    """The tables that are laid over the servers, in the order in which that is done."""
    with connection.cursor(row_factory=class_row(Table)) as cursor:
        schemas = sorted(set(SCHEMAS) - set(CODE_SCHEMAS))
        return cursor.execute(_TABLES.read_bytes(), {"schemas": schemas}).fetchall()


def distribute(url: str, progress: Progress = silent) -> list[Table]:
    """Lay the tables over the servers, with their rows; those that were not before.

    The tables in one transaction, and then the code anew: meanwhile there are no metrics to read. Where that is
    cut short, run it again. Raises PgmrrError, and changes nothing, where the database is not ready for it.
    """
    pending = [state.id for state in migrations.list_migrations(url) if state.applied_at is None]
    if pending:
        raise PgmrrError(f"migration {pending[0]} is not applied", "pgmrr migrate")
    with open_session(url) as connection, writer_lock(connection, progress), _explained():
        _refuse_unready(connection)
        all_tables = tables(connection)
        left = [table for table in all_tables if not table.is_done]
        progress("preparing the workers")
        _on_workers(connection, _PREPARE_WORKER)
        if left:
            with connection.transaction():
                _lay(connection, left, progress)
            # With the tables Citus brought the roles along, as they are here.
            _on_workers(connection, _PREPARE_WORKER)
        with connection.transaction():
            connection.execute(_RIGHTS.format(tables=", ".join(table.name for table in all_tables)).encode())
        procedures.load(connection, progress=progress)
        # A worker that came later has no copies yet.
        connection.execute("select replicate_reference_tables('block_writes')")
    return left


def _refuse_unready(connection: psycopg.Connection) -> None:
    if not citus.is_installed(connection):
        raise PgmrrError(
            f"database {connection.info.dbname} has no extension citus",
            "on a server with Citus 14 (shared_preload_libraries = 'citus'), in this database: create extension citus",
        )
    workers, coordinators = only_row(connection.execute(_SERVERS))
    if not coordinators:
        raise PgmrrError(
            "this server does not know under which name the workers reach it",
            f"select citus_set_coordinator_host('NAME', {connection.info.port})",
        )
    if not workers:
        raise PgmrrError("there is no worker to lay tables on", "select citus_add_node('NAME', 5432)")
    if not only_row(connection.execute("select rolsuper from pg_roles where rolname = current_user"))[0]:
        raise PgmrrError(
            f"user {connection.info.user} may not prepare the workers",
            "distribute as a superuser; what comes after needs none",
        )


def _lay(connection: psycopg.Connection, left: list[Table], progress: Progress) -> None:
    """Lay the tables while no code stands on them, and load the code again."""
    if not citus.is_distributed(connection):
        connection.execute("set citus.enable_ddl_propagation = on")
    # The copies of settings and rates keep their triggers, which write to one record.
    connection.execute("set local citus.enable_unsafe_triggers = on")
    connection.execute("set local citus.multi_shard_modify_mode = 'sequential'")
    connection.execute("set local client_min_messages = warning")
    procedures.unload(connection, progress)
    for table in left:
        progress(f"{'dividing' if table.is_by_customer else 'copying'} {table.name}")
        if table.is_by_customer:
            like = "none" if table.name == "raw.customer" else "raw.customer"
            connection.execute(_DIVIDE, [table.name, like])
        else:
            triggers = connection.execute(_TRIGGERS, [table.name]).fetchall()
            for trigger, _ in triggers:
                connection.execute(f'drop trigger "{trigger}" on {table.name}'.encode())
            connection.execute(_COPY, [table.name])
            for _, definition in triggers:
                connection.execute(definition.encode())


def _on_workers(connection: psycopg.Connection, command: str) -> None:
    """Run the command on each worker, one after the other."""
    nodes = connection.execute(
        "select nodename, nodeport, success, result from run_command_on_workers(%s, parallel => false)", [command]
    ).fetchall()
    for name, port, success, result in nodes:
        if not success:
            raise PgmrrError(f"worker {name}:{port} refused: {result}", "the hint of PostgreSQL, in the worker's log")


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        raise explained("nothing was changed", error) from error
