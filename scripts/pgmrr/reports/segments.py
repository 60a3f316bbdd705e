"""MRR by segment, how concentrated it is, and when it comes up for renewal."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from pgmrr import show
from pgmrr.charts import sparkline
from pgmrr.reports.report import Connection, Report, reporting_currency
from pgmrr.show import Column, Format, Kind, Row

ATTRIBUTES = Report(
    """
    select name, source, distinct_values, customers,
        case source when 'ledger' then 'active' else 'known' end as counted, example
    from kpi.attributes
    """,
    [
        Column("name", "Attribute"),
        Column("source", "Source"),
        Column("distinct_values", "Values", Kind.count),
        Column("customers", "Customers", Kind.count),
        Column("counted", "", Kind.label),
        Column("example", "Most common"),
    ],
    title="What to segment by: pgmrr segment ATTRIBUTE",
)

SEGMENTS = Report(
    """
    select segment, customers, mrr, share, arpa
    from kpi.segment(%(attribute)s, %(day)s::date)
    """,
    [
        Column("segment", "Segment"),
        Column("customers", "Customers", Kind.count),
        Column("mrr", "MRR", Kind.money),
        Column("share", "Share", Kind.share),
        Column("arpa", "ARPA", Kind.money),
    ],
    "no MRR is known on that day",
    is_clipped=True,
)

_TOTAL = Report(
    """
    select d.day, d.customers, d.closing as mrr, d.arpa
    from kpi.coverage v
    join kpi.mrr_daily d
        on d.day = coalesce(%(day)s::date, v.complete_through)
    """,
    [],
)

_TREND = Report(
    """
    select m.segment, m.month, m.closing
    from kpi.mrr_monthly_by(%(attribute)s) m
    where %(day)s::date is null
        or m.last_on <= %(day)s::date
    """,
    [],
)

CONCENTRATION = Report(
    """
    select day, customers, mrr, top_1, top_10, top_1_percent, top_1_percent_customers, herfindahl, effective_customers,
        gini
    from kpi.concentration(%(day)s::date)
    """,
    [Column("mrr", "MRR", Kind.money)],
    is_clipped=True,
)

RENEWALS = Report(
    """
    select ends_on, customer_id, name, subscription_id, term, mrr, currency, mrr_in_currency, unpaid, is_renewed,
        (select complete_through from kpi.coverage) as seen_from
    from kpi.renewals(%(first)s::date, %(last)s::date)
    """,
    [
        Column("ends_on", "Paid until"),
        Column("customer_id", "Customer"),
        Column("name", "Name"),
        Column("term", "Term", spare=2),
        Column("mrr", "MRR", Kind.money),
        Column("mrr_in_currency", "As billed", Kind.money, spare=1),
        Column("currency", "", spare=1),
        Column("unpaid", "Unpaid", Kind.money),
        Column("is_renewed", "Renewed"),
    ],
    "no paid period is known to end in that range",
    "Renewals ahead, {currency} a month",
    is_clipped=True,
)

RENEWALS_MONTHLY = Report(
    """
    select to_char(m.month, 'YYYY-MM') || case when w.is_whole then '' else '*' end as label, m.month, m.renewals,
        m.customers, m.mrr, m.share, m.annual_mrr, m.unpaid, m.renewed_mrr, v.complete_through as seen_from, w.is_whole
    from kpi.renewals_monthly(%(first)s::date, %(last)s::date) m
    cross join kpi.coverage v
    cross join lateral (
        select greatest(v.complete_through + 1, %(first)s::date) <= m.month
            and coalesce(%(last)s::date >= m.month + interval '1 month - 1 day', true) as is_whole
    ) w
    order by m.month
    """,
    [
        Column("label", "Month", Kind.label),
        Column("renewals", "Renewals", Kind.count),
        Column("customers", "Customers", Kind.count),
        Column("mrr", "MRR", Kind.money),
        Column("share", "Share", Kind.share),
        Column("annual_mrr", "Of it yearly", Kind.money),
        Column("unpaid", "Unpaid", Kind.money),
        Column("renewed_mrr", "Renewed", Kind.money),
    ],
    "no paid period is known to end in that range",
    "MRR by the month in which its paid period ends, {currency} a month",
    is_clipped=True,
)

_RENEWALS_IN_ALL = Report(
    """
    select 'All' as label, sum(m.renewals) as renewals,
        (select count(distinct r.customer_id) from kpi.renewals(%(first)s::date, %(last)s::date) r) as customers,
        sum(m.mrr) as mrr, sum(m.share) as share, sum(m.annual_mrr) as annual_mrr, sum(m.unpaid) as unpaid,
        sum(m.renewed_mrr) as renewed_mrr
    from kpi.renewals_monthly(%(first)s::date, %(last)s::date) m
    """,
    [],
)

TRAILING = Report(
    """
    select months, first_on, last_on, opening, closing, customers_opening, customers_lost, customer_churn_rate,
        gross_mrr_churn_rate, net_mrr_churn_rate, nrr, grr, quick_ratio, mrr_is_complete, churn_is_observable, note
    from kpi.retention_trailing(%(day)s::date)
    """,
    [
        Column("months", "Months", Kind.count),
        Column("first_on", "From"),
        Column("customers_opening", "Cust.", Kind.count),
        Column("customers_lost", "Lost", Kind.count),
        Column("customer_churn_rate", "Customer\nchurn", Kind.share),
        Column("gross_mrr_churn_rate", "Gross MRR\nchurn", Kind.share),
        Column("net_mrr_churn_rate", "Net MRR\nchurn", Kind.share),
        Column("nrr", "NRR", Kind.share),
        Column("grr", "GRR", Kind.share),
        Column("quick_ratio", "Quick\nratio", Kind.ratio),
    ],
    title="The last 3 and 12 months",
    is_clipped=True,
)

_MONTHS_OF_TREND = 24


def print_segments(
    connection: Connection, segments: Sequence[Row], attribute: str, day: date | None, limit: int
) -> None:
    """Print the segments with their trend, the largest ``limit`` of them, and the company below."""
    asked = {"attribute": attribute, "day": day}
    total = _TOTAL.ask(connection, asked)[0]
    trends = _trends(_TREND.ask(connection, asked))
    rows = [
        {**row, "segment": _name(row["segment"]), "trend": trends.get(row["segment"], "")} for row in segments[:limit]
    ]
    has_trend = any(len(trend) > 2 for trend in trends.values())
    columns = [*SEGMENTS.columns, *([Column("trend", "By month", Kind.label)] if has_trend else [])]
    currency = reporting_currency(connection)
    rows.append({**total, "segment": "All", "share": Decimal(1), "trend": ""})
    show.out.print(show.table(rows, columns, f"MRR by {attribute} on {total['day']}, {currency} a month"))
    if len(segments) > limit:
        show.note(f"the first {limit} of {len(segments):,} segments; --limit shows more")
    if sum(row["customers"] for row in segments) > total["customers"]:
        show.note("a customer who pays in two currencies counts in both")


def print_renewals(connection: Connection, found: Sequence[Row], first: date | None, last: date | None) -> None:
    """Print the renewals of each month and of all, as they are seen from the last covered day."""
    (total,) = _RENEWALS_IN_ALL.ask(connection, {"first": first, "last": last})
    title = f"{RENEWALS_MONTHLY.heading(connection)}, seen from {found[0]['seen_from']}"
    show.rows([*found, total], RENEWALS_MONTHLY.columns, Format.table, title)
    if not all(row["is_whole"] for row in found):
        show.paragraph("* a month of which only a part is ahead, or asked for")


def print_concentration(row: Row, currency: str) -> None:
    """Print the measures of concentration, and what each means."""
    show.out.print(
        f"[bold]Concentration on {row['day']}[/]: {show.text_of(row['mrr'], Kind.money)} {currency} a month from "
        f"{show.text_of(row['customers'], Kind.count)} customers\n"
    )
    if not row["customers"]:
        show.paragraph("Nobody pays on that day, so there is nothing to measure.")
        return
    top = row["top_1_percent_customers"]
    equals = show.text_of(row["effective_customers"], Kind.units)
    lines = [
        ("Largest customer", show.text_of(row["top_1"], Kind.share), "of MRR rests on one customer"),
        ("10 largest", show.text_of(row["top_10"], Kind.share), ""),
        ("Largest 1 %", show.text_of(row["top_1_percent"], Kind.share), f"{top:,} customer{'s' * (top != 1)}"),
        ("Herfindahl", f"{row['herfindahl']:.4f}", f"as concentrated as {equals} equal customers"),
        ("Gini", f"{row['gini']:.3f}", "0: all pay the same; near 1: one pays nearly all"),
    ]
    columns = [Column("measure", ""), Column("value", "", Kind.label), Column("meaning", "")]
    names = [column.name for column in columns]
    show.out.print(show.table([dict(zip(names, line, strict=True)) for line in lines], columns))


def print_trailing(connection: Connection, rows: Sequence[Row]) -> None:
    """Print churn and retention over the last 3 and 12 months, and why a window has no rates."""
    show.out.print(show.table(rows, TRAILING.columns, TRAILING.heading(connection)))
    for row in rows:
        if row["note"]:
            show.paragraph(f"{row['months']} months: {row['note']}.")


def _name(segment: str | None) -> str:
    return "(no value)" if segment is None else segment


def _trends(rows: Sequence[Row]) -> dict[str | None, str]:
    """The closing MRR of each segment, month by month, as a line."""
    months = sorted({row["month"] for row in rows})[-_MONTHS_OF_TREND:]
    closing: dict[str | None, dict[date, Decimal]] = {}
    for row in rows:
        closing.setdefault(row["segment"], {})[row["month"]] = row["closing"]
    return {
        segment: sparkline([by_month.get(month, Decimal(0)) for month in months])
        for segment, by_month in closing.items()
    }
