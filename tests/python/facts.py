"""The reference's facts in a database: brought in batch by batch, and read back in the reference's own terms.

    choose(connection, report)                                   # the settings
    batch = bring_in(connection, invoices, customers, report)    # facts, charges, ledger, coverage
    charges(connection) == evaluate(invoices, customers, report).charges

Times of the reference are naive UTC, its money is cents, and its currencies are in lower case.
"""

from collections.abc import Iterable
from dataclasses import astuple
from datetime import UTC, date, datetime
from decimal import Decimal

from psycopg import Connection

from reference import FOREVER, Charge, Coverage, Customer, Invoice, Movement, NotCounted, OneOff, Settings

INVOICE_COLUMNS = """
    batch_id, invoice_id, customer_id, subscription_id, currency, status, issued_at, period_start, period_end,
    line_period_start, line_period_end, total, exclusive_tax, inclusive_tax, tax, amount_paid, of_invoice_id, monthly
"""
CUSTOMER_COLUMNS = "batch_id, is_listed, customer_id, created_at, payment_count"

SUPERSEDE = """
update {table} old
set superseded_by = new.batch_id
from {table} new
where new.batch_id = %s
    and old.superseded_by is null
    and old.batch_id < new.batch_id
    and {same}
"""

CHARGES = """
select
    c.customer_id,
    c.subscription_id,
    lower(c.currency),
    c.invoice_id,
    c.basis::text,
    c.starts_at at time zone 'UTC',
    case when isfinite(c.ends_at) then c.ends_at at time zone 'UTC' else %s end,
    c.starts_on,
    case when isfinite(c.ends_on) then c.ends_on else %s end,
    c.net,
    c.months,
    c.mrr,
    c.unmatched,
    c.carries_arrears,
    case when v.note = 'shorter than a day' then v.note end
from billing.charge_cents c
join billing.charge v using (customer_id, invoice_id, basis)
order by c.customer_id, c.subscription_id, c.currency, c.starts_at, c.invoice_id, c.basis::text
"""

LEDGER = """
select m.customer_id, lower(m.currency), m.effective_on, m.change, m.balance, m.kind::text
from ledger.movement_cents m
where m.change <> 0
order by m.customer_id, m.effective_on, m.currency
"""

ONE_OFFS = """
select r.invoice_id, r.customer_id, lower(r.currency), r.status, (r.net * 100)::bigint, r.reason,
    r.is_possible_replacement
from kpi.one_off_revenue r
order by r.invoice_id
"""

NOT_COUNTED = """
select f.invoice_id, f.detail
from kpi.invoice_fate f
where f.fate = 'not counted'
order by f.invoice_id
"""


def choose(connection: Connection, report: Settings) -> None:
    """Sets the settings of the rules, and a rate for the dollar. Facts must be brought in afterwards."""
    connection.execute(
        """
        update meta.setting
        set time_zone = %s, counted_statuses = %s, rounding_tolerance = %s, implied_cycles = %s, observed_from = %s
        """,
        (
            report.time_zone,
            list(report.counted_statuses),
            Decimal(report.rounding_tolerance_cents) / 100,
            report.implied,
            report.observed_from,
        ),
    )
    connection.execute(
        """
        insert into meta.exchange_rate (currency, per_euro, rate_on, source) values ('USD', 1.25, '2025-01-01', 'user')
        on conflict do nothing
        """
    )


def bring_in(
    connection: Connection,
    invoices: Iterable[Invoice],
    customers: Iterable[Customer],
    report: Settings,
    covered_from: date | None = None,
) -> int:
    """Writes new versions of invoices and customers as one batch, and refreshes the customers it touches.

    ``covered_from`` is the first day of a complete history. Returns the number of the batch.
    """
    invoices, customers = list(invoices), list(customers)
    is_truncated = report.history == "truncated"
    batch = connection.execute(
        "select pipeline.begin_batch('import', %s, %s)",
        ("stripe" if is_truncated else "simulation", is_truncated),
    ).fetchone()[0]
    listed = {customer.customer_id for customer in customers}
    _copy(connection, f"raw.invoice ({INVOICE_COLUMNS})", ((batch, *_invoice(i)) for i in invoices))
    _copy(connection, f"raw.customer ({CUSTOMER_COLUMNS})", ((batch, True, *_utc(astuple(c))) for c in customers))
    connection.execute(
        SUPERSEDE.format(
            table="raw.invoice", same="(new.customer_id, new.invoice_id) = (old.customer_id, old.invoice_id)"
        ),
        (batch,),
    )
    connection.execute(SUPERSEDE.format(table="raw.customer", same="new.customer_id = old.customer_id"), (batch,))
    # As an import does: who is known from invoices alone is a customer too.
    connection.execute(
        """
        insert into raw.customer (customer_id, batch_id, is_listed)
        select distinct i.customer_id, i.batch_id, false
        from raw.invoice i
        where i.batch_id = %s
            and not exists (
                select from raw.customer c where c.customer_id = i.customer_id and c.superseded_by is null
            )
        """,
        (batch,),
    )
    issued = _utc(invoice.issued_at for invoice in invoices)
    connection.execute(
        """
        update meta.batch
        set first_invoice_at = %s, last_invoice_at = %s, as_of = %s, covered_from = %s, covered_through = %s
        where batch_id = %s
        """,
        (
            min(issued, default=None),
            max(issued, default=None),
            max(issued, default=None),
            covered_from,
            report.complete_through,
            batch,
        ),
    )
    touched = listed | {invoice.customer_id for invoice in invoices}
    connection.execute("call pipeline.refresh(%s::text[])", (sorted(touched),))
    return batch


def charges(connection: Connection) -> list[Charge]:
    """The stored charges, in the reference's order."""
    return [Charge(*row) for row in connection.execute(CHARGES, (FOREVER, FOREVER.date()))]


def ledger(connection: Connection) -> list[Movement]:
    """The stored changes of MRR, in the reference's order."""
    return [Movement(*row) for row in connection.execute(LEDGER)]


def coverage(connection: Connection) -> Coverage:
    """The stored coverage."""
    query = "select observed_from, complete_through, longest_term_months from meta.coverage"
    return Coverage(*connection.execute(query).fetchone())


def one_offs(connection: Connection) -> list[OneOff]:
    """The invoices that count but do not recur, in the reference's order."""
    return [OneOff(*row) for row in connection.execute(ONE_OFFS)]


def not_counted(connection: Connection) -> list[NotCounted]:
    """The invoices whose status does not count, in the reference's order."""
    return [NotCounted(*row) for row in connection.execute(NOT_COUNTED)]


def _invoice(invoice: Invoice) -> list[object]:
    """The values of INVOICE_COLUMNS after the batch, which stand in the order of the reference's attributes."""
    values = _utc("infinity" if value == FOREVER else value for value in astuple(invoice))
    values[3] = invoice.currency.upper()
    return values


def _utc(values: Iterable[object]) -> list[object]:
    """Naive times with their time zone, all else as it is."""
    return [value.replace(tzinfo=UTC) if isinstance(value, datetime) else value for value in values]


def _copy(connection: Connection, target: str, rows: Iterable[Iterable[object]]) -> None:
    with connection.cursor().copy(f"copy {target} from stdin") as copy:
        for row in rows:
            copy.write_row(row)
