"""Loads procedures/: the code of pgmrr, replaced in place under those who use it.

The files are executed in the order of their paths by ``create or replace``, in one
transaction. A file that fails waits for the others and is tried again. Where that
leads no further, what stands in the way is dropped, together with what of ours
depends on it, and the files are executed again; and in the end so is what no file
made any more. Nothing is ever dropped by CASCADE: objects of others that depend on
ours stop the load.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from pgmrr import catalog, citus
from pgmrr.catalog import CodeObject, Grant
from pgmrr.errors import PgmrrError
from pgmrr.locks import Progress, lock_views, silent, writer_lock
from pgmrr.resources import sql_directory
from pgmrr.rows import only_row
from pgmrr.sessions import explained, open_session

_RECORDED = "select files_checksum, code_checksum from meta.procedure_checksum"

_RECORD = """
insert into meta.procedure_checksum (files_checksum, code_checksum) values (%s, %s)
on conflict (is_only_row) do update
set files_checksum = excluded.files_checksum, code_checksum = excluded.code_checksum, loaded_at = default
"""

_WHO = "select session_user, current_setting('role'), current_setting('search_path')"
_ACT_AS = "select set_config('role', %s, true), set_config('search_path', %s, true)"

# What PostgreSQL answers where an object can't be replaced in place: it has another
# return type or other parameter names, a view has other columns, or it is of another kind.
_CANNOT_REPLACE = {"42P13", "42P16", "42809"}


@dataclass(frozen=True)
class LoadResult:
    """What a load did, by the objects' names with the types of their parameters.

    ``replaced`` names those whose definition changed, ``recreated`` those that had to
    be dropped and made again.
    """

    changed: bool
    created: list[str] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    recreated: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class File:
    """A file of procedures/: ``30_kpi/07_mrr_at.sql`` makes ``kpi.mrr_at``."""

    path: str
    text: str

    @property
    def makes(self) -> tuple[str, str]:
        """Schema and name of the object that the file makes."""
        folder, _, name = self.path.removesuffix(".sql").rpartition("/")
        return _without_number(folder), _without_number(name)


@dataclass(frozen=True)
class _Failure:
    file: File
    error: psycopg.Error


def load(target: psycopg.Connection | str, directory: Path | None = None, progress: Progress = silent) -> LoadResult:
    """Bring the code in the database to that in ``directory``, by default that of this installation.

    ``target`` is a URL, or a connection: then the load is part of its open transaction,
    if there is one. Does nothing where files and code are those of the last load.

    Raises PgmrrError, and changes nothing, where a file fails, where an object of
    others depends on one that would have to be dropped, or where readers don't leave
    our views for a minute.
    """
    files = read_files(directory or sql_directory("procedures"))
    if isinstance(target, str):
        with open_session(target) as connection, writer_lock(connection, progress):
            return _load(connection, files, progress)
    with writer_lock(target, progress):
        return _load(target, files, progress)


def unload(connection: psycopg.Connection, progress: Progress = silent) -> None:
    """Drop all code of ours. Raises PgmrrError where objects of others depend on it."""
    with _as_owner(connection):
        lock_views(connection, progress)
        ours = catalog.code_objects(connection)
        _drop(connection, ours, ours)
        connection.execute("delete from meta.procedure_checksum")


def differs(connection: psycopg.Connection, files: list[File]) -> str | None:
    """In what the code in the database differs from the files and from what was loaded; None where it does not."""
    with _as_owner(connection):
        recorded = connection.execute(_RECORDED).fetchone()
        files = _for_this_database(connection, files)
        code = _code_checksum(catalog.code_objects(connection))
    if recorded is None:
        return "no code was loaded"
    if recorded[0] != _files_checksum(files):
        return "the code is that of another version"
    return None if recorded[1] == code else "the code was changed by hand"


def read_files(directory: Path) -> list[File]:
    """The files of a directory like procedures/, in the order in which they are executed."""
    return [
        File(path.relative_to(directory).as_posix(), path.read_text(encoding="utf-8"))
        for path in sorted(directory.rglob("*.sql"))
    ]


def _load(connection: psycopg.Connection, files: list[File], progress: Progress) -> LoadResult:
    with _as_owner(connection):
        before = catalog.code_objects(connection)
        files = _for_this_database(connection, files)
        checksum = _files_checksum(files)
        if connection.execute(_RECORDED).fetchone() == (checksum, _code_checksum(before)):
            return LoadResult(changed=False)

        progress(f"loading {len(files)} files of procedures/")
        lock_views(connection, progress)
        grants = _replace_all(connection, files, before)
        after = catalog.code_objects(connection)
        known = {item.key for item in before}
        catalog.grant(connection, grants, [item for item in after if item.key not in known])
        connection.execute(_RECORD, [checksum, _code_checksum(after)])
        return _result(before, after)


def _for_this_database(connection: psycopg.Connection, files: list[File]) -> list[File]:
    """The files as they are executed: where tables are distributed, Citus must understand them too."""
    if not citus.is_distributed(connection):
        return files
    texts = citus.adapted({file.path: file.text for file in files})
    return [File(file.path, texts[file.path]) for file in files]


def _replace_all(connection: psycopg.Connection, files: list[File], before: list[CodeObject]) -> list[Grant]:
    """Have the code made by the files and nothing else; the grants of others on what was dropped."""
    versions = {item.key: item.version for item in before}
    grants = []
    while True:
        failures = _execute(connection, files)
        ours = catalog.code_objects(connection)
        untouched = [item for item in ours if item.version == versions.get(item.key)]
        obstacles = _obstacles(untouched, failures)
        if obstacles:
            grants += _drop(connection, obstacles, ours)
        elif failures:
            raise _explained(failures[0]) from failures[0].error
        else:
            return grants


def _execute(connection: psycopg.Connection, files: Sequence[File]) -> list[_Failure]:
    """Execute the files, failing ones again while others succeed; what fails for good."""
    while files:
        failures = []
        for file in files:
            try:
                with connection.transaction():
                    connection.execute(file.text.encode())
            except psycopg.Error as error:
                failures.append(_Failure(file, error))
                if not (error.sqlstate or "").startswith("42"):  # no other file can mend it
                    raise _explained(failures[-1]) from error
        if len(failures) == len(files):
            return failures
        files = [failure.file for failure in failures]
    return []


def _obstacles(untouched: list[CodeObject], failures: list[_Failure]) -> list[CodeObject]:
    """Objects of an earlier load that keep files from being executed, or that no file makes."""
    waiting = {failure.file.makes for failure in failures}
    irreplaceable = {failure.file.makes for failure in failures if failure.error.sqlstate in _CANNOT_REPLACE}
    return [
        item
        for item in untouched
        if (item.schema, item.name) in irreplaceable or (item.schema, item.name) not in waiting
    ]


def _drop(connection: psycopg.Connection, obstacles: list[CodeObject], ours: list[CodeObject]) -> list[Grant]:
    """Drop the objects and what of ours depends on them; the grants of others on them."""
    if not obstacles:
        return []
    known = {item.key for item in ours}

    def of_others(roots: list[CodeObject]) -> list[str]:
        dependents = catalog.dependents(connection, [item.key for item in roots])
        return [item.description for item in dependents if item.key not in known]

    others = of_others(obstacles)
    if others:
        needed = [item.identity for item in obstacles if of_others([item])]
        raise PgmrrError(
            f"{', '.join(others)} {'depends' if len(others) == 1 else 'depend'} on {', '.join(needed)},"
            " which would have to be dropped: nothing was changed",
            "drop what depends on it, run it again, and then make that anew",
        )
    dependents = catalog.dependents(connection, [item.key for item in obstacles])
    keys = {item.key for item in obstacles} | {item.key for item in dependents}
    doomed = [item for item in ours if item.key in keys]
    grants = catalog.foreign_grants(connection, doomed)
    catalog.drop(connection, doomed)
    return grants


def _result(before: list[CodeObject], after: list[CodeObject]) -> LoadResult:
    old = {item.key: item for item in before}
    new = {item.key for item in after}
    names_before = {(item.schema, item.name) for item in before}
    names_after = {(item.schema, item.name) for item in after}
    made = [item for item in after if item.key not in old]
    return LoadResult(
        changed=True,
        created=[item.identity for item in made if (item.schema, item.name) not in names_before],
        replaced=[item.identity for item in after if item.key in old and item.definition != old[item.key].definition],
        recreated=[item.identity for item in made if (item.schema, item.name) in names_before],
        dropped=[
            item.identity for item in before if item.key not in new and (item.schema, item.name) not in names_after
        ],
    )


@contextmanager
def _as_owner(connection: psycopg.Connection) -> Iterator[None]:
    """Act as pgmrr_owner in a transaction, where only what a name's schema is spelled out is found."""
    with connection.transaction():
        if not catalog.exists(connection, "meta.procedure_checksum"):
            raise PgmrrError("this database has not been migrated", "pgmrr migrate")
        user, *settings = only_row(connection.execute(_WHO))
        try:
            connection.execute(_ACT_AS, [catalog.OWNER, ""])
        except psycopg.errors.InsufficientPrivilege as error:
            raise PgmrrError(
                f"user {user} may not act as {catalog.OWNER}",
                f'as a superuser: grant {catalog.OWNER} to "{user}"',
            ) from error
        yield
        connection.execute(_ACT_AS, settings)


def _explained(failure: _Failure) -> PgmrrError:
    """The error with the file and the line in which it lies."""
    position = failure.error.diag.statement_position
    line = f":{failure.file.text.count(chr(10), 0, int(position) - 1) + 1}" if position else ""
    return explained(f"nothing was changed: procedures/{failure.file.path}{line}", failure.error)


def _files_checksum(files: list[File]) -> str:
    return _checksum([(file.path, file.text) for file in files])


def _code_checksum(objects: list[CodeObject]) -> str:
    return _checksum([(item.identity, item.definition) for item in objects])


def _checksum(parts: list[tuple[str, str]]) -> str:
    digest = hashlib.sha256()
    for name, text in sorted(parts):
        for part in (name, text):
            digest.update(hashlib.sha256(part.encode()).digest())
    return digest.hexdigest()


def _without_number(name: str) -> str:
    return re.sub(r"^\d+_", "", name)
