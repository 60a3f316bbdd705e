"""The one flow of every import: begin, stage the files, make facts of them, make charges and ledger, report.

All of it happens, or nothing: it is one transaction.
"""

import dataclasses
import json
from collections.abc import Iterator, Sequence
from typing import Any

import psycopg

from pgmrr import rates
from pgmrr.import_report import FileReport, ImportReport, MrrEffect
from pgmrr.locks import Progress, silent, writer_lock
from pgmrr.rows import only_row
from pgmrr.sessions import explained, tidy_up
from pgmrr.staging import Input

_MANY = 1000  # versions: fewer are left to autovacuum


def import_files(
    connection: psycopg.Connection,
    source: str,
    files: Sequence[Input],
    *,
    is_truncated: bool,
    replace: bool = False,
    corrections: bool = False,
    dry_run: bool = False,
    options: dict[str, Any] | None = None,
    progress: Progress = silent,
) -> ImportReport:
    """Import files of a source: invoices, lines or periods, and customers.

    ``replace`` drops known invoices that the file's range of dates should hold and doesn't; ``corrections`` says
    that the files hold rows that were rejected before, and these only, of Stripe's files perhaps customers alone:
    they are read with the options and the columns' names of the files that these rows come from;
    ``dry_run`` only reports what would happen; ``options`` are those of ``pipeline.read_lines``. ``connection``
    must be in autocommit mode, and in no transaction.

    Raises PgmrrError where a file is not what it should be, or the database refuses.
    """
    try:
        with writer_lock(connection, progress), connection.transaction(force_rollback=dry_run):
            if corrections:
                batch = _value(connection, "select pipeline.begin_corrections(%s)", source)
                options = _read_as_before(connection, source, files, options or {})
            else:
                begin = "select pipeline.begin_batch('import', %s, %s)"
                batch = _value(connection, begin, source, is_truncated)
            if _role(files[0]) == "customers":
                _value(connection, "select pipeline.stage_no_invoices()")
            for file in files:
                file.copy_to(connection)
            progress("comparing the files with what is known")
            wanted = connection.execute(
                "select currency, rate_on from pipeline.import_files(%s, %s, %s, %s)",
                [batch, json.dumps([_described(file) for file in files]), replace, json.dumps(options or {})],
            ).fetchall()
            added = rates.add(connection, batch, wanted)
            progress("making charges and ledger")
            report = _value(connection, "select pipeline.finish_import(%s)", batch)
    except psycopg.Error as error:
        raise explained("nothing was imported", error) from error
    if not dry_run and report["batch_id"] and _stored(report) > _MANY:
        progress("tidying up")
        tidy_up(connection)
    return _report(report, files, added, is_dry_run=dry_run)


def _role(file: Input) -> str:
    """What the file holds."""
    return file.place.role


def _described(file: Input) -> dict[str, Any]:
    """What the batch keeps of the file; of files whose columns have names of their own, also these."""
    return file.description | ({} if file.place.source == "stripe" else {"map": file.place.columns})


def _read_as_before(
    connection: psycopg.Connection, source: str, files: Sequence[Input], options: dict[str, Any]
) -> dict[str, Any]:
    """Have files of corrections read as those were whose rows they correct: names their columns, returns options."""
    maps = {_role(file): file.place.columns for file in files if file.place.columns}
    query = "select pipeline.reading_of_corrections(%s, %s, %s)"
    reading = _value(connection, query, source, json.dumps(options), json.dumps(maps))
    for file in files:
        file.place = dataclasses.replace(file.place, columns=reading["maps"].get(_role(file), {}))
    return reading["options"]


def _value(connection: psycopg.Connection, query: str, *parameters: object) -> Any:
    """The single value that a function of ours returns."""
    return only_row(connection.execute(query.encode(), parameters))[0]


def _stored(report: dict[str, Any]) -> int:
    """How many versions of facts the import stored."""
    counts = (report["details"].get(role, {}) for role in ("invoices", "customers"))
    return sum(count[state] for count in counts for state in ("new", "changed") if count)


def _report(
    report: dict[str, Any], files: Sequence[Input], added: list[rates.Rate], *, is_dry_run: bool
) -> ImportReport:
    """The report of the database as an object."""
    details = report["details"]
    names = {_role(file): file.name for file in files}
    customers = names.pop("customers", None)
    return ImportReport(
        batch=None if is_dry_run else report["batch_id"],
        invoices=FileReport.of(next(iter(names.values()), "no invoices"), details["invoices"]),
        customers=FileReport.of(customers, details["customers"]) if customers else None,
        absent=details["invoices"]["absent"],
        dropped=details["invoices"]["dropped"],
        unlisted_customers=details["unlisted_customers"],
        fates=[(fate["fate"], fate["detail"], fate["invoices"]) for fate in details["fates"]],
        rates=added,
        mrr=MrrEffect(report["mrr"]) if "mrr" in report else None,
        warnings=report.get("warnings", {}),
        is_dry_run=is_dry_run,
        is_correction="corrections" in details,
        what=report["source"] if report["source"] in ("lines", "periods") else "invoices",
        unmatched_credits=report.get("unmatched_credits", 0),
        replaces_later=report.get("replaces_later", 0),
        has_rejected_rows=report["has_rejected_rows"],
        notes=list(_notes(details)),
    )


def _notes(details: dict[str, Any]) -> Iterator[str]:
    """What the service periods of lines and periods say about themselves."""
    options = details.get("options", {})
    if off := details.get("looks_off_by_a_day"):
        if options.get("end_inclusive"):
            yield f"{off:,} rows look as if their end were not a day of service: try it without --end-inclusive"
        else:
            yield f"{off:,} rows look as if their end were the last day of service: import again with --end-inclusive"
    if opened := details.get("ends_open"):
        yield f"{opened:,} rows have a start and no end, and count as one-offs: running subscriptions are periods"
    if repeated := details.get("repeats_service"):
        yield f"{repeated:,} rows have an invoice period that begins no earlier than their service: not used"
    if through := details.get("listed_through"):
        yield f"the list is taken to be complete through {through}" + (
            "" if "as_of" in options else " (--as-of DATE says otherwise)"
        )
