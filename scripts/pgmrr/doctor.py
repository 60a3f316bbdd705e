"""Examines a database: does everything that is stored fit together, and is the code the one that was installed?

What SQL can tell, it tells (``kpi.invariants``, ``pipeline.check_…``); here stand the checks that need the
files of this installation, or the disk. Nothing is changed.
"""

import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

import psycopg

from pgmrr import catalog, migrations, procedures, structure
from pgmrr.database import Database, reading
from pgmrr.errors import PgmrrError
from pgmrr.locks import Progress, silent
from pgmrr.resources import sql_directory
from pgmrr.server import EmbeddedServer
from pgmrr.sessions import open_session

SAMPLE = 1000  # customers for whom the rules are evaluated again

_INVARIANTS = """
select check_name, is_note, meaning, compared, wrong, example, hint
from kpi.invariants
order by place
"""

_EXAMINED = """
select c.check_name, c.is_note, c.meaning, f.compared, f.wrong, f.example, c.hint
from kpi.checks c
join (
    select check_name, compared, wrong, example from pipeline.check_recomputed(%s)
    union all
    select check_name, compared, wrong, example from pipeline.check_storage()
    union all
    select check_name, compared, wrong, example from pipeline.check_privileges()
) f using (check_name)
order by c.place
"""

_SIZE = "select pg_database_size(current_database()) as bytes"


@dataclass(frozen=True)
class Check:
    """A check that the runner makes itself: its name, what must hold, and what to do where it does not."""

    name: str
    meaning: str
    hint: str
    is_note: bool = False

    def found(self, compared: int, wrong: list[str]) -> "Finding":
        """Its result, from the names of what is wrong."""
        return Finding(
            self.name, self.meaning, compared, len(wrong), ", ".join(wrong[:5]) or None, self.hint, self.is_note
        )


MIGRATIONS = Check(
    "migrations",
    "Each migration of this installation is applied, and is the one that was applied.",
    "pgmrr migrate; where a file was edited, put it back first: pgmrr migrate --list.",
)
CODE = Check(
    "code",
    "Functions, procedures and views are those of this installation, and nobody changed them since they were loaded.",
    "pgmrr migrate loads the code again; pgmrr doctor --thorough names what differs.",
)
STRUCTURE = Check(
    "structure",
    "Tables, columns, constraints, indexes, triggers and privileges of the data are those that the migrations made.",
    "Put it back as migrations/ makes it, or restore a backup into another database, which makes all of it anew.",
)
FIGURES = Check(
    "figures",
    "The checks below can be made: all that they read is there, and what it should be.",
    "pgmrr migrate; where a setting is wrong, set it; where a table or a column is missing, restore a backup.",
)
DISK = Check(
    "disk space",
    "The disk of the embedded server has room for the database once more, which a rebuild may need.",
    "Free some space, or move the data: PGMRR_HOME names their directory.",
    is_note=True,
)
CHECKS = (MIGRATIONS, CODE, STRUCTURE, FIGURES, DISK)


@dataclass(frozen=True)
class Finding:
    """What a check found: how many things it compared, how many of these are wrong, and one of them."""

    check_name: str
    meaning: str
    compared: int
    wrong: int
    example: str | None
    hint: str
    is_note: bool = False

    @property
    def state(self) -> Literal["ok", "note", "wrong"]:
        """``wrong`` where a figure may be, or somebody may do what he should not; ``note`` where it is worth a look."""
        if not self.wrong:
            return "ok"
        return "note" if self.is_note else "wrong"

    def row(self) -> dict[str, Any]:
        """As the command prints it."""
        return {"state": self.state, **asdict(self)}


def examine(database: Database, *, thorough: bool = False, progress: Progress = silent) -> Iterator[Finding]:
    """What each check finds, in order.

    The rules are evaluated again for some customers, or, if ``thorough``, for all; and where the code differs, it
    is then loaded in a transaction that is rolled back, to name what would change. Everything else only reads.

    Raises PgmrrError where the database was never migrated, or the user may not look into it.
    """
    with reading(database):  # explains what cannot be reached
        pass
    try:
        with open_session(database.url) as connection:
            if not catalog.exists(connection, "meta.procedure_checksum"):
                raise PgmrrError("this database has not been migrated", "pgmrr migrate")
        progress("comparing migrations and code with this installation")
        migrated = _migrations(database)
        yield migrated
        yield _code(database, thorough=thorough, progress=progress)
        if not migrated.wrong:  # else it is that of another version
            yield _structure(database)
        yield from _figures(database, thorough=thorough, progress=progress)
        if database.server:
            yield _disk(database, database.server)
    except psycopg.errors.InsufficientPrivilege as error:
        raise PgmrrError(
            f"this user may not look into everything: {error.diag.message_primary}",
            "run it as a member of pgmrr_owner; a reader can ask: select * from kpi.invariants",
        ) from None


def _migrations(database: Database) -> Finding:
    states = migrations.list_migrations(database.url)
    wrong = [
        f"{state.id} ({'pending' if state.applied_at is None else state.checksum})"
        for state in states
        if state.applied_at is None or state.checksum != "ok"
    ]
    return MIGRATIONS.found(len(states), wrong)


def _code(database: Database, *, thorough: bool, progress: Progress) -> Finding:
    files = procedures.read_files(sql_directory("procedures"))
    with open_session(database.url) as connection:
        if not thorough:
            connection.execute("set default_transaction_read_only = on")
        differs = procedures.differs(connection, files)
        made = {(item.schema, item.name) for item in catalog.code_objects(connection)}
        needed = {file.makes for file in files if "/" in file.path}
        wrong = [f"{schema}.{name} is missing" for schema, name in sorted(needed - made)]
        wrong += [f"{schema}.{name} is not of this installation" for schema, name in sorted(made - needed)]
        if differs and thorough:
            with connection.transaction(force_rollback=True):
                loaded = procedures.load(connection, progress=progress)
                wrong += [f"{name} was changed" for name in (*loaded.replaced, *loaded.recreated)]
    if differs and not wrong:
        wrong = [differs]
    return CODE.found(len(needed | made), wrong)


def _structure(database: Database) -> Finding:
    made = structure.expected()
    with reading(database) as connection:
        return STRUCTURE.found(len(made), structure.differences(made, structure.found(connection)))


def _figures(database: Database, *, thorough: bool, progress: Progress) -> Iterator[Finding]:
    """The checks that SQL makes, in one transaction."""
    found: list[Finding] = []
    wrong = []
    with reading(database) as connection:
        for what, query, parameters in (
            ("comparing what is stored", _INVARIANTS, None),
            ("evaluating the rules again", _EXAMINED, [None if thorough else SAMPLE]),
        ):
            progress(what)
            try:
                with connection.transaction():
                    found += [Finding(**row) for row in connection.execute(query.encode(), parameters)]
            except psycopg.errors.InsufficientPrivilege:
                raise
            except psycopg.DatabaseError as error:  # something that it reads is missing or is no longer what it was
                wrong.append(str(error.diag.message_primary))
    yield FIGURES.found(2, wrong)
    yield from found


def _disk(database: Database, server: EmbeddedServer) -> Finding:
    with reading(database) as connection:
        [row] = connection.execute(_SIZE).fetchall()
    free = shutil.disk_usage(server.status().data_directory).free
    megabytes = f"{free // 1024**2:,} MB free, the database has {row['bytes'] // 1024**2:,} MB"
    return DISK.found(1, [megabytes] if free < row["bytes"] else [])
