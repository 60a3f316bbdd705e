"""Backs a database up: all that is ours in it, into one file, with a manifest to hold a restored one against.

pg_dump and the manifest read one snapshot: what commits meanwhile is in neither.
"""

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import psycopg
from psycopg import sql
from psycopg.rows import tuple_row

from pgmrr import __version__, backup_file, catalog, citus
from pgmrr.backup_file import Manifest, TableContent
from pgmrr.database import Database
from pgmrr.errors import PgmrrError
from pgmrr.locks import Progress, silent
from pgmrr.programs import program_environment
from pgmrr.rows import only_row
from pgmrr.server_binaries import binary, package_version

# Rows as text are the same whoever asks, on any server.
PLAIN_TEXT = """
select
    set_config('timezone', 'UTC', true),
    set_config('datestyle', 'ISO, MDY', true),
    set_config('intervalstyle', 'postgres', true),
    set_config('bytea_output', 'hex', true),
    set_config('extra_float_digits', '1', true)
"""

# Our session waits while pg_dump works.
_UNHURRIED = """
select set_config(name, '0', true)
from pg_catalog.pg_settings
where name in ('statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout')
"""

# The sum does not depend on the order of the rows, and unlike an exclusive or it counts equal ones.
_FINGERPRINT = sql.SQL("""
select
    count(*) as rows,
    coalesce(sum(('x' || left(encode(sha256(convert_to(t::text, 'UTF8')), 'hex'), 16))::bit(64)::bigint), 0)::text
        as digest
from {} t""")

_TABLES = """
select n.nspname, c.relname
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where n.nspname = any (%s) and c.relkind = 'r'
order by 1, 2
"""

_OBJECTS = sql.SQL("""
select n.nspname || '.' || o.kind as kind, count(*) as number
from (
    select
        relnamespace as namespace,
        case relkind when 'r' then 'tables' when 'v' then 'views' when 'i' then 'indexes' else 'others' end as kind
    from pg_catalog.pg_class
    where relkind <> 't'
    union all
    select pronamespace, 'routines'
    from pg_catalog.pg_proc
) o
join pg_catalog.pg_namespace n on n.oid = o.namespace
where n.nspname in ({})
group by 1
order by 1
""")

# Whoever owns something in our schemas, or was given something.
_ROLES = """
with ours as (
    select oid as namespace from pg_catalog.pg_namespace where nspname = any (%s)
),

privileges as (
    select nspowner as owner, nspacl as acl from ours join pg_catalog.pg_namespace n on n.oid = ours.namespace
    union all
    select relowner, relacl from ours join pg_catalog.pg_class on relnamespace = ours.namespace
    union all
    select proowner, proacl from ours join pg_catalog.pg_proc on pronamespace = ours.namespace
    union all
    select null, attacl
    from ours
    join pg_catalog.pg_class c on c.relnamespace = ours.namespace
    join pg_catalog.pg_attribute a on a.attrelid = c.oid
    where a.attacl is not null
    union all
    select typowner, typacl from ours join pg_catalog.pg_type on typnamespace = ours.namespace
)

select rolname
from pg_catalog.pg_roles
where oid in (
    select owner from privileges
    union all
    select a.grantee from privileges cross join aclexplode(acl) a
)
order by rolname
"""

_MIGRATIONS = "select migration_id, checksum from meta.migration_checksum order by migration_id"
_CODE = "select files_checksum from meta.procedure_checksum"
_COVERED = "select observed_from::text, complete_through::text from meta.coverage"
_MRR = "select kpi.mrr_total_at(%s)::text, (select min(reporting_currency) from ledger.currency)"

# Of the cluster, or of what the next server may lack.
_LEFT_OUT = ["--no-tablespaces", "--no-security-labels", "--no-publications", "--no-subscriptions"]

ENGLISH = {"LC_ALL": "C"}

_REASON = re.compile(r"(?:error|ERROR|FATAL|fatal): +(.*)")


def back_up(
    connection: psycopg.Connection[Any],
    database: Database,
    path: Path,
    *,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Manifest:
    """Write a backup of the database to ``path``: a whole one, readable by its owner alone, or none.

    ``connection`` reads the database in one ``repeatable read`` transaction. Raises PgmrrError where there is
    nothing of ours, where ``path`` exists and is not to be overwritten, and where pg_dump fails.
    """
    if not overwrite and os.path.lexists(path):
        raise PgmrrError(f"{path} exists already", "name another file, or replace it: --overwrite")
    _refuse_newer_server(connection)
    connection.row_factory = tuple_row
    if not catalog.exists(connection, "meta.batch", "meta.migration_checksum"):
        raise PgmrrError("there is nothing to back up: this database holds nothing of pgmrr", "see: pgmrr migrate")
    catalog.refuse_foreign_schemas(connection)
    connection.execute(_UNHURRIED)
    snapshot = only_row(connection.execute("select pg_export_snapshot()"))[0]
    progress("counting what there is")
    content = manifest(connection)
    try:
        with _replacing(path, overwrite=overwrite) as file:
            progress("dumping the database")
            _dump(database, snapshot, file)
            progress("checking the file")
            backup_file.finish(file, content)
    except OSError as error:
        raise PgmrrError(f"{path}: {error.strerror}", "name a file in a directory that you may write to") from None
    return backup_file.read(path)


def fingerprint(schema: str, table: str) -> sql.Composed:
    """The query of a table's number of rows and their digest."""
    return _FINGERPRINT.format(sql.Identifier(schema, table))


def manifest(connection: psycopg.Connection[Any]) -> Manifest:
    """What the database holds, as the open transaction sees it."""
    connection.execute(PLAIN_TEXT)
    observed_from, complete_through = connection.execute(_COVERED).fetchone() or (None, None)
    total, currency = _total(connection, complete_through)
    code = connection.execute(_CODE).fetchone()
    return Manifest(
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        pgmrr=__version__,
        postgresql=connection.info.parameter_status("server_version") or "",
        migrations=dict(connection.execute(_MIGRATIONS).fetchall()),
        code=code and code[0],
        roles=[role for (role,) in connection.execute(_ROLES, [catalog.SCHEMAS]).fetchall()],
        tables={
            f"{schema}.{table}": TableContent(*only_row(connection.execute(fingerprint(schema, table))))
            for schema, table in connection.execute(_TABLES, [catalog.SCHEMAS]).fetchall()
        },
        objects=dict(connection.execute(objects()).fetchall()),
        observed_from=observed_from,
        complete_through=complete_through,
        total_mrr=total,
        currency=currency,
        is_distributed=citus.is_distributed(connection),
    )


def objects() -> sql.Composed:
    """The query that counts what our schemas hold, by schema and kind."""
    return _OBJECTS.format(sql.SQL(", ").join(map(sql.Literal, catalog.SCHEMAS)))


def said_by(program: str, output: str) -> PgmrrError:
    """The error of a program that gave up with ``output``."""
    if "No space left on device" in output:
        return PgmrrError(f"{program}: no space left on the disk", "free some space, and run it again")
    reasons = _REASON.findall(output) or output.strip().splitlines() or ["it said nothing"]
    return PgmrrError(f"{program} failed: {reasons[0]}")


def major_version() -> int:
    """The version of PostgreSQL whose pg_dump and psql are at hand, as 18."""
    return int(package_version().split(".")[0])


def _refuse_newer_server(connection: psycopg.Connection[Any]) -> None:
    server = connection.info.server_version // 10000
    if server > major_version():
        raise PgmrrError(
            f"the server is PostgreSQL {server}, newer than the pg_dump of this pgmrr ({major_version()})",
            "upgrade pgmrr, or use the pg_dump of the server",
        )


def _total(connection: psycopg.Connection[Any], day: str | None) -> tuple[str | None, str | None]:
    """MRR on the day, and its currency. Where it cannot be told, for want of a rate, a backup is made nevertheless."""
    if day is None:
        return None, None
    try:
        with connection.transaction():
            return only_row(connection.execute(_MRR, [day]))
    except psycopg.Error:
        return None, None


def _dump(database: Database, snapshot: str, file: BinaryIO) -> None:
    """Have pg_dump write what is ours to ``file``."""
    environment, where = program_environment(database)
    options = ["--format=custom", f"--snapshot={snapshot}", "--no-password", *_LEFT_OUT]
    schemas = [f"--schema={schema}" for schema in catalog.SCHEMAS]
    result = subprocess.run(
        [binary("pg_dump"), *options, *schemas, f"--dbname={where}"],
        env=environment | ENGLISH,
        stdin=subprocess.DEVNULL,
        stdout=file,
        stderr=subprocess.PIPE,
        check=False,
    )
    if result.returncode:
        raise said_by("pg_dump", result.stderr.decode(errors="replace"))


@contextmanager
def _replacing(path: Path, *, overwrite: bool) -> Iterator[BinaryIO]:
    """A new file that takes the place of ``path`` when all is done, and vanishes where it is not."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)  # with mode 0600
    part = Path(name)
    try:
        with os.fdopen(descriptor, "w+b") as file:
            yield file
        if overwrite:
            part.replace(path)
        else:
            _link(part, path)
        with suppress(OSError):  # not all file systems know how
            _sync(path.parent)
    finally:
        part.unlink(missing_ok=True)


def _link(part: Path, path: Path) -> None:
    """Give the file its name, unless somebody else has taken it meanwhile."""
    try:
        path.hardlink_to(part)
    except FileExistsError:
        raise PgmrrError(f"{path} exists already", "name another file, or replace it: --overwrite") from None
    except OSError:  # a file system without links
        part.replace(path)


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
