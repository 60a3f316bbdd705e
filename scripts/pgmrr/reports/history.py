"""What the commands about batches and figures as reported ask."""

from pgmrr.errors import PgmrrError
from pgmrr.reports.report import Connection, Report
from pgmrr.show import Column, Kind

BATCHES = Report(
    """
    select batch_id, kind, source, created_at, created_by, files, summary, details
    from kpi.batches
    order by batch_id
    """,
    [
        Column("batch_id", "Batch", Kind.count),
        Column("kind", "Kind"),
        Column("source", "Source"),
        Column("created_at", "Written", Kind.label),
        Column("created_by", "By"),
        Column("files", "Files"),
        Column("summary", "What it did"),
    ],
    "no batches yet: pgmrr simulate, or pgmrr import stripe",
)

LAST_BATCH = Report(
    """
    select batch_id, kind, source, created_at, files, summary
    from kpi.batches
    order by batch_id desc
    limit 1
    """,
    [],
)

RESTATED_MONTHS = Report(
    """
    select
        month,
        last_on,
        count(*) as customers,
        sum(change) as change,
        kpi.mrr_total_as_of(%(first)s::bigint, last_on) as mrr_before,
        kpi.mrr_total_as_of(%(last)s::bigint, last_on) as mrr_after
    from kpi.restatements(%(first)s::bigint, %(last)s::bigint)
    group by month, last_on
    order by month
    """,
    [
        Column("month", "Month"),
        Column("last_on", "On"),
        Column("mrr_before", "MRR before", Kind.money),
        Column("mrr_after", "MRR after", Kind.money),
        Column("change", "Change", Kind.change_cents),
        Column("customers", "Customers", Kind.count),
    ],
    "no month was restated",
    "Restated months, {currency} a month",
)

RESTATEMENTS = Report(
    """
    select month, first_on, last_on, customer_id, name, mrr_before, mrr_after, change, kinds, invoice_ids
    from kpi.restatements(%(first)s::bigint, %(last)s::bigint)
    """,
    [
        Column("month", "Month"),
        Column("customer_id", "Customer"),
        Column("name", "Name"),
        Column("mrr_before", "MRR before", Kind.money),
        Column("mrr_after", "MRR after", Kind.money),
        Column("change", "Change", Kind.change_cents),
        Column("kinds", "By kind"),
        Column("invoice_ids", "Through invoices"),
    ],
    "no month was restated",
    "Through which customers and invoices",
)

# The batches that a question without them means: the last one with facts, and the one before.
COMPARED = Report(
    """
    select
        coalesce(%(last)s::bigint, max(b.batch_id)) as last,
        coalesce(
            %(first)s::bigint,
            max(b.batch_id) filter (where b.batch_id < coalesce(%(last)s::bigint, l.batch_id))
        ) as first
    from kpi.batches b
    cross join (select max(m.batch_id) as batch_id from kpi.batches m where m.source is not null) l
    where b.source is not null
    """,
    [],
)

MONTHLY_AS_OF = Report(
    """
    select
        to_char(month, 'YYYY-MM') || case when is_whole then '' else '*' end as label,
        month, first_on, last_on, opening, preexisting, new, reactivation, expansion, contraction, rounding, churn,
        closing, unpaid, customers_opening, customers_preexisting, customers_new, customers_reactivated,
        customers_churned, customers, growth, arpa, arr, is_whole, mrr_is_complete, churn_is_observable
    from kpi.mrr_monthly_as_of(%(batch)s::bigint)
    order by month
    """,
    [],
    "no month is covered",
)

TOTAL_AS_OF = Report(
    """
    select
        %(batch)s::bigint as batch_id,
        %(day)s::date as day,
        kpi.mrr_total_as_of(%(batch)s::bigint, %(day)s::date) as mrr,
        coalesce((select min(reporting_currency) from kpi.currency), 'EUR') as currency
    """,
    [
        Column("batch_id", "As of batch", Kind.count),
        Column("day", "Day"),
        Column("mrr", "MRR", Kind.money),
        Column("currency", "Cur."),
    ],
)

_KNOWN_BATCH = Report("select batch_id from kpi.batches where batch_id = %(batch)s::bigint", [])


def require_batch(connection: Connection, batch: int | None) -> None:
    """Raise PgmrrError where there is no such batch; None stands for whichever there is."""
    if batch is not None and not _KNOWN_BATCH.ask(connection, {"batch": batch}):
        raise PgmrrError(f"there is no batch {batch}", "see them: pgmrr batches")
