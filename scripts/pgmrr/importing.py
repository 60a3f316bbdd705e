"""The one flow of every import: begin, stage the files, make facts of them, make charges and ledger, report.

All of it happens, or nothing: it is one transaction.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import psycopg

from pgmrr import rates
from pgmrr.import_report import FileReport, ImportReport
from pgmrr.locks import Progress, silent, writer_lock
from pgmrr.sessions import explained
from pgmrr.staging import Input

_MANY = 1000  # versions: fewer are left to autovacuum
_TIDY_UP = """
vacuum (analyze)
    raw.invoice, raw.customer, billing.charge_cents, ledger.movement_cents, ledger.daily_change_cents,
    ledger.daily_term_cents, meta.batch, meta.setting
"""


def import_files(
    connection: psycopg.Connection,
    source: str,
    files: Sequence[Input],
    *,
    is_truncated: bool,
    replace: bool = False,
    options: dict[str, Any] | None = None,
    progress: Progress = silent,
) -> ImportReport:
    """Import files of a source: the first holds invoices, lines or periods, a second one customers.

    ``replace`` drops known invoices that the file's range of dates should hold and doesn't; ``options`` are
    those of ``pipeline.read_lines``. ``connection`` must be in autocommit mode, and in no transaction.

    Raises PgmrrError where a file is not what it should be, or the database refuses.
    """
    try:
        with writer_lock(connection, progress), connection.transaction():
            begin = "select pipeline.begin_batch('import', %s, %s)"
            batch = _value(connection, begin, source, is_truncated)
            for file in files:
                file.copy_to(connection)
            progress("comparing the files with what is known")
            wanted = connection.execute(
                "select currency, rate_on from pipeline.import_files(%s, %s, %s, %s)",
                [batch, json.dumps([file.description for file in files]), replace, json.dumps(options or {})],
            ).fetchall()
            added = rates.add(connection, batch, wanted)
            progress("making charges and ledger")
            report = _value(connection, "select pipeline.finish_import(%s)", batch)
    except psycopg.Error as error:
        raise explained("nothing was imported", error) from error
    if report["batch_id"] and _stored(report) > _MANY:
        progress("tidying up")
        with suppress(psycopg.Error):  # the import is done; autovacuum does this as well
            connection.execute(_TIDY_UP)
    return _report(report, files, added)


def _value(connection: psycopg.Connection, query: str, *parameters: object) -> Any:
    """The single value that a function of ours returns."""
    return connection.execute(query.encode(), parameters).fetchone()[0]


def _stored(report: dict[str, Any]) -> int:
    """How many versions of facts the import stored."""
    counts = (report["details"].get(role, {}) for role in ("invoices", "customers"))
    return sum(count[state] for count in counts for state in ("new", "changed") if count)


def _report(report: dict[str, Any], files: Sequence[Input], added: list[rates.Rate]) -> ImportReport:
    """The report of the database as an object."""
    details = report["details"]
    facts, *others = files
    return ImportReport(
        batch=report["batch_id"],
        invoices=FileReport.of(facts.name, details["invoices"]),
        customers=FileReport.of(others[0].name, details["customers"]) if others else None,
        absent=details["invoices"]["absent"],
        dropped=details["invoices"]["dropped"],
        unlisted_customers=details["unlisted_customers"],
        fates=[(fate["fate"], fate["detail"], fate["invoices"]) for fate in details["fates"]],
        rates=added,
        notes=list(_notes(details)),
    )


def _notes(details: dict[str, Any]) -> Iterator[str]:
    """What the service periods of lines and periods say about themselves."""
    options = details.get("options", {})
    if off := details.get("looks_off_by_a_day"):
        if options.get("end_inclusive"):
            yield f"{off:,} rows look as if their end were not a day of service: try it without --end-inclusive"
        else:
            yield f"{off:,} rows look as if their end were the last day of service: then import with --end-inclusive"
    if through := details.get("listed_through"):
        yield f"the list is taken to be complete through {through}" + (
            "" if "as_of" in options else " (--as-of DATE says otherwise)"
        )
