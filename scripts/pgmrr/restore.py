"""Restores a backup, in one transaction of psql: the roles it needs, its dump, and the proof that all of it came back.

Where anything fails, or a table does not hold what the manifest says, nothing is left. A transaction that ends
without our word, because this process was killed, is one that fails.
"""

import json
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from shutil import copyfileobj
from typing import IO, Any

import psycopg
from psycopg import sql

from pgmrr import backup_file, catalog, migrations
from pgmrr.backup import ENGLISH, PLAIN_TEXT, fingerprint, objects, said_by
from pgmrr.backup_file import Manifest
from pgmrr.database import Database, writing
from pgmrr.errors import PgmrrError
from pgmrr.locks import Progress, silent, writer_lock
from pgmrr.programs import program_environment
from pgmrr.rows import only_row
from pgmrr.server_binaries import binary
from pgmrr.sessions import tidy_up

_CLUSTER = Path(__file__).with_name("restore.sql")
_OLDEST_SERVER = 15

# pg_restore writes it for any server, and servers before PostgreSQL 17 do not know it.
_UNKNOWN_BEFORE_17 = b"SET transaction_timeout = 0;\n"
_HEADER_LINES = 60

_SCHEMAS = "select string_agg(nspname, ', ' order by nspname) from pg_catalog.pg_namespace where nspname = any (%s)"
# Before PostgreSQL 16, who may create roles may become a member of any.
_MAY_OWN = """
select
    coalesce(pg_has_role(to_regrole('pgmrr_owner')::oid, 'member'), true)
    or current_setting('server_version_num')::integer < 160000 and rolcreaterole,
    rolname
from pg_catalog.pg_roles
where rolname = current_user
"""
_MISSING_ROLES = """
select role from unnest(%s::text[]) role where not exists (select from pg_catalog.pg_roles where rolname = role)
"""

_OTHER_ROWS = sql.SQL("""
    if exists (select from ({fingerprint}) f where f.rows <> {rows} or f.digest <> {digest}) then
        raise exception using message = {message};
    end if;""")
_OTHER_OBJECTS = sql.SQL("""
    if (select jsonb_object_agg(o.kind, o.number) from ({objects}) o) is distinct from {expected}::jsonb then
        raise exception using message = 'the restored schemas hold other objects than were backed up';
    end if;""")
_OTHER_MRR = sql.SQL("""
    if kpi.mrr_total_at({day}) is distinct from {total}::numeric then
        raise exception using message = 'the restored MRR is not what was backed up';
    end if;""")

# What pgmrr distribute gives to readers, whom one server needs not let see the rows.
_RIGHTS_ON_SEVERAL_SERVERS = sql.SQL("""
revoke select on all tables in schema {schemas} from pgmrr_reader;
revoke usage on schema {schemas} from pgmrr_reader;
""")


@dataclass(frozen=True)
class Restored:
    """What came back: the backup's manifest, the roles that were made, the migrations that came after it."""

    manifest: Manifest
    roles: list[str]
    migrated: list[str]


def restore(database: Database, path: Path, progress: Progress = silent) -> Restored:
    """Restore the backup at ``path`` into a database that holds none of our schemas, and migrate it to this version.

    Raises PgmrrError, and leaves nothing behind, where the file is damaged or of a newer pgmrr, where the database
    has schemas with our names, and where what was restored is not what was backed up.
    """
    manifest = check(path, progress)
    with _made(database), writing(database) as connection, writer_lock(connection, progress):
        _refuse(connection)
        roles = [role for (role,) in connection.execute(_MISSING_ROLES, [manifest.roles]).fetchall()]
        progress("restoring and comparing with what was backed up")
        _run(database, path, _before(roles), _after(manifest), connection.info.server_version)
    try:
        migrated = migrations.migrate(database.url, progress=progress).applied
    except PgmrrError as error:
        raise PgmrrError(
            f"the backup is restored, but could not be brought to this version of pgmrr: {error.message}",
            error.hint or "when that is mended: pgmrr migrate",
        ) from error
    with suppress(psycopg.Error), writing(database) as connection:  # autovacuum does this as well
        progress("tidying up")
        tidy_up(connection)
    return Restored(manifest, roles, migrated)


def check(path: Path, progress: Progress = silent) -> Manifest:
    """The manifest of a whole backup that this version can restore."""
    progress(f"checking {path}")
    manifest = backup_file.read(path)
    here = migrations.checksums()
    for name, checksum in manifest.migrations.items():
        if here.get(name) != checksum:
            what = "is another here" if name in here else "is unknown here"
            raise PgmrrError(
                f"{path} was made by another pgmrr ({manifest.pgmrr}): migration {name} {what}", "upgrade pgmrr"
            )
    return manifest


@contextmanager
def _made(database: Database) -> Iterator[None]:
    """Make the database where the embedded server lacks it; and then drop it again where nothing comes of it."""
    if not database.server:
        yield
        return
    database.server.start()
    is_new = database.server.ensure_database(database.name)
    try:
        yield
    except BaseException:
        if is_new:
            database.server.drop_database(database.name)
        raise


def _refuse(connection: psycopg.Connection) -> None:
    version = connection.info.server_version // 10000
    if version < _OLDEST_SERVER:
        raise PgmrrError(f"the server is PostgreSQL {version}, and pgmrr needs {_OLDEST_SERVER} or newer")
    catalog.refuse_other_encoding(connection)
    may_own, user = only_row(connection.execute(_MAY_OWN))
    if not may_own:
        raise PgmrrError(
            f"user {user} may not act as pgmrr_owner, which this server has already",
            f'as a superuser: grant pgmrr_owner to "{user}"',
        )
    taken = only_row(connection.execute(_SCHEMAS, [catalog.SCHEMAS]))[0]
    if taken:
        raise PgmrrError(
            f"the database is not empty: it has the schemas {taken}",
            "restore into another one: --into NAME makes it on the embedded server, --database URL names one of yours",
        )


def _before(roles: list[str]) -> bytes:
    """What comes before the dump. A role that is missing cannot be granted to, or own anything."""
    make = sql.SQL("").join(sql.SQL("create role {} nologin;\n").format(sql.Identifier(role)) for role in roles)
    return b"begin;\n" + make.as_bytes(None) + _CLUSTER.read_bytes()


def _after(manifest: Manifest) -> bytes:
    """What comes after the dump: the proof."""
    checks = [
        _OTHER_ROWS.format(
            fingerprint=fingerprint(*name.split(".", 1)),
            rows=table.rows,
            digest=table.digest,
            message=f"table {name} holds other rows than were backed up",
        )
        for name, table in manifest.tables.items()
    ]
    checks.append(_OTHER_OBJECTS.format(objects=objects(), expected=json.dumps(manifest.objects)))
    if manifest.total_mrr is not None:
        checks.append(_OTHER_MRR.format(day=manifest.complete_through, total=manifest.total_mrr))
    body = sql.SQL("do {}").format(
        sql.Literal(f"begin perform 1 from ({PLAIN_TEXT}) s;{sql.SQL('').join(checks).as_string(None)} end")
    )
    rights: sql.Composable = sql.SQL("")
    if manifest.is_distributed:
        rights = _RIGHTS_ON_SEVERAL_SERVERS.format(
            schemas=sql.SQL(", ").join(map(sql.Identifier, sorted(set(catalog.SCHEMAS) - set(catalog.CODE_SCHEMAS))))
        )
    return body.as_bytes(None) + b";\n" + rights.as_bytes(None) + b"commit;\n"


def _run(database: Database, path: Path, before: bytes, after: bytes, server_version: int) -> None:
    """Have psql execute what comes before, the dump as pg_restore spells it out, and what comes after."""
    environment, where = program_environment(database)
    restoring = [binary("pg_restore"), "--file=-", path.absolute()]
    executing = [
        binary("psql"),
        "--no-psqlrc",
        "--quiet",
        "--no-password",
        "--set=ON_ERROR_STOP=1",
        f"--dbname={where}",
    ]
    with (
        tempfile.TemporaryFile() as complaints,
        tempfile.TemporaryFile() as errors,
        _child(restoring, stdout=subprocess.PIPE, stderr=complaints, env=environment | ENGLISH) as source,
        _child(executing, stdin=subprocess.PIPE, stderr=errors, env=environment | ENGLISH) as psql,
    ):
        dump, script = source.stdout, psql.stdin
        assert dump and script
        with suppress(BrokenPipeError):  # psql gave up, and tells why
            script.write(before)
            _copy(dump, script, keep_all=server_version >= 170000)
            if source.wait() == 0:
                script.write(after)
            script.flush()
        with suppress(BrokenPipeError):
            script.close()
        if psql.wait():
            raise said_by("nothing was restored: psql", _text(errors))
        if source.wait():
            raise said_by("nothing was restored: pg_restore", _text(complaints))


@contextmanager
def _child(
    command: list[Any],
    *,
    stderr: IO[bytes],
    env: dict[str, str],
    stdin: int = subprocess.DEVNULL,
    stdout: int = subprocess.DEVNULL,
) -> Iterator[subprocess.Popen[bytes]]:
    """A program that does not outlive us."""
    with subprocess.Popen(command, stdin=stdin, stdout=stdout, stderr=stderr, env=env) as child:
        try:
            yield child
        finally:
            if child.poll() is None:
                child.kill()


def _copy(source: IO[bytes], target: IO[bytes], *, keep_all: bool) -> None:
    for line in islice(source, _HEADER_LINES):
        if keep_all or line != _UNKNOWN_BEFORE_17:
            target.write(line)
    copyfileobj(source, target, 1024 * 1024)


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")
