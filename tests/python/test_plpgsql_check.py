"""What plpgsql_check, an extension of PostgreSQL that analyses PL/pgSQL, says of our code.

It plans each statement against the tables that are there. Those of an import are temporary: so the
code is analysed in a transaction that has staged the files of a source, once for each source.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg.rows import class_row

import servers
from conftest import Server, need
from pgmrr.catalog import CODE_SCHEMAS
from pgmrr.migrations import migrate

# Code that works on rows as one source alone has them.
ROUTINES_OF = {
    "stripe": {"pipeline.read_stripe_invoices"},
    "lines": {"pipeline.read_lines", "pipeline.note_service"},
    "periods": {"pipeline.read_periods"},
}

# What is said of which routine, and why that is no fault.
ACCEPTED = {
    ("pipeline.counts_of_file", "routine is marked as VOLATILE, should be STABLE"): (
        "the statement that it executes, which cannot be analysed, reads a temporary table"
    ),
}

# Faults of several kinds, and what must be said of them.
FAULTS = """
    alter function pipeline.begin_batch(text, text, boolean, jsonb) stable;
    create function pipeline.misspells() returns bigint language plpgsql stable as
        $$ begin return (select max(b.bach_id) from meta.batch b); end; $$;
    create function pipeline.injects(p_table text) returns void language plpgsql as
        $$ begin execute 'truncate ' || p_table; end; $$;
    create function pipeline.forgets(p_used integer, p_unused integer) returns integer language plpgsql immutable as
        $$ begin if p_used > 0 then return 1; end if; end; $$;
    create function pipeline.converts() returns numeric language plpgsql as
        $$ begin return 1; end; $$;
"""
SAID_OF_FAULTS = {
    ("pipeline.begin_batch", "INSERT is not allowed in a non volatile function"),
    ("pipeline.misspells", "column b.bach_id does not exist"),
    ("pipeline.injects", "text type variable is not sanitized"),
    ("pipeline.forgets", 'unused parameter "p_unused"'),
    ("pipeline.forgets", "control reached end of function without RETURN"),
    ("pipeline.converts", "routine is marked as VOLATILE, should be IMMUTABLE"),
    ("pipeline.converts", "target type is different type than source type"),
}

FINDINGS = """
    select
        n.nspname || '.' || p.proname as routine,
        c.message,
        concat_ws(' ', 'line ' || c.lineno, c.level, c.detail, c.context, left(c.query, 200)) as detail
    from pg_proc p
    join pg_namespace n on n.oid = p.pronamespace
    join pg_language l on l.oid = p.prolang
    cross join lateral analyser.plpgsql_check_function_tb(
        p.oid::regprocedure, fatal_errors := false, all_warnings := true
    ) c
    where l.lanname = 'plpgsql'
        and n.nspname = any (%s)
"""


@dataclass(frozen=True)
class Finding:
    """Something that the analyser has to say."""

    routine: str
    message: str
    detail: str

    @property
    def key(self) -> tuple[str, str]:
        return self.routine, self.message


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """The URL of a database with our code and the analyser, on a server of the version that has it."""
    library = Path(need("plpgsql_check"))
    with servers.started(library.parents[1] / "bin") as url, Server(url).databases() as create:
        database = create()
        migrate(database)
        with psycopg.connect(database) as connection:
            connection.execute("create schema analyser")
            connection.execute("create extension plpgsql_check schema analyser")
        yield database


@pytest.fixture(scope="module")
def found(database: str) -> set[Finding]:
    """All that is said of our code."""
    return set().union(*(findings(database, source) for source in ROUTINES_OF))


def findings(database: str, source: str, change: str = "select") -> set[Finding]:
    """What is said of the code after a change, as an import from the source runs it.

    In a session of its own: plpgsql_check 2.3 can crash where temporary tables were made anew.
    """
    of_others = set().union(*(routines for other, routines in ROUTINES_OF.items() if other != source))
    with psycopg.connect(database) as connection, connection.cursor(row_factory=class_row(Finding)) as cursor:
        stage(connection, source)
        connection.execute(change.encode())
        found = cursor.execute(FINDINGS, [CODE_SCHEMAS]).fetchall()
        connection.rollback()
    return {finding for finding in found if finding.routine not in of_others}


def stage(connection: psycopg.Connection, source: str) -> None:
    """Makes the temporary tables of an import from the source, whose files have all columns and no rows."""
    batch = connection.execute("select pipeline.begin_batch('import', %s, true)", [source]).fetchone()
    connection.execute(
        """
        select pipeline.stage_file(f.file_role, 'a file', f.header, p_source := f.source)
        from (
            select
                c.source,
                c.file_role,
                array_agg(case c.source when 'stripe' then c.header else c.column_name end) as header
            from pipeline.file_columns() c
            where c.source = %s
            group by c.source, c.file_role
        ) f
        """,
        [source],
    )
    if source == "stripe":
        connection.execute("call pipeline.read_stripe_invoices()")
    else:
        connection.execute(f"""call pipeline.read_{source}('{{"currency": "EUR"}}')""".encode())
    connection.execute("call pipeline.group_read_rows()")
    connection.execute("call pipeline.read_customers()")
    connection.execute("call pipeline.keep_rejected_rows(%s, 'customers')", batch)
    connection.execute("call pipeline.remember_mrr('{}')")


def test_nothing_is_said_that_was_not_accepted(found: set[Finding]) -> None:
    assert [finding for finding in found if finding.key not in ACCEPTED] == []


def test_what_was_accepted_is_still_said(found: set[Finding]) -> None:
    assert ACCEPTED.keys() - {finding.key for finding in found} == set()


def test_faults_are_found(database: str) -> None:
    said = {finding.key for finding in findings(database, "stripe", FAULTS)}
    assert SAID_OF_FAULTS - said == set()
