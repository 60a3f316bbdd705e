"""The report of one segment: what kpi knows by segment, and, said plainly, what it does not."""

from collections.abc import Sequence

from pgmrr.page import charts
from pgmrr.page.model import Figure, Section, Table
from pgmrr.page.scope import Scope, counted, share
from pgmrr.reports.segments import SEGMENTS
from pgmrr.show import Column, Kind, Row, text_of
from pgmrr.web.filters import Segment

# Sections of the report that have no figures by segment.
COMPANY_ALONE = (
    "Health of the business",
    "Cohorts",
    "Days that stand out",
    "Biggest customers",
    "Concentration",
    "Forecast",
    "Risks",
    "What was left out",
)

_MONTHLY = """
    select to_char(month, 'YYYY-MM') || case when is_whole then '' else '*' end as label, last_on as day, opening,
        preexisting, new, reactivation, expansion, contraction, rounding, churn, moved, closing, customers, is_whole
    from kpi.mrr_monthly_by(%(attribute)s)
    where segment is not distinct from %(segment)s::text
        and first_on <= %(last)s
        and last_on >= %(first)s
    order by month
"""

_KEPT = """
    select first_on, last_on, customers_opening, customers_lost, customer_churn_rate, gross_mrr_churn_rate,
        net_mrr_churn_rate, nrr, grr, quick_ratio
    from kpi.retention_by(%(attribute)s, %(first)s::date, %(last)s::date)
    where segment is not distinct from %(segment)s::text
"""

_RATES = [
    Column("first_on", "From", Kind.label),
    Column("last_on", "Through", Kind.label),
    Column("customers_opening", "Customers", Kind.count),
    Column("customers_lost", "Lost", Kind.count),
    Column("customer_churn_rate", "Customer churn", Kind.share),
    Column("gross_mrr_churn_rate", "Gross MRR churn", Kind.share),
    Column("net_mrr_churn_rate", "Net MRR churn", Kind.share),
    Column("nrr", "NRR", Kind.share),
    Column("grr", "GRR", Kind.share),
    Column("quick_ratio", "Quick ratio", Kind.ratio),
]


def sections_of(scope: Scope, segment: Segment) -> list[Section]:
    """The sections of a segment, and one that names what cannot be told of it. Error MR004: no such attribute."""
    monthly = scope.ask(_MONTHLY, attribute=segment.attribute, segment=segment.value)
    company = Section(
        "company",
        "Not known by segment",
        f"{', '.join(COMPANY_ALONE)}: kpi has these of the whole company alone, so they are not shown here.",
        ["kpi.attributes"],
    )
    return [_now(scope, segment, monthly), _waterfall(scope, segment, monthly), _retention(scope, segment), company]


def _now(scope: Scope, segment: Segment, monthly: Sequence[Row]) -> Section:
    """How much of the company's MRR is it?"""
    found = SEGMENTS.ask(scope.connection, {"attribute": segment.attribute, "day": scope.last})
    here = [row for row in found if row["segment"] == segment.value]
    if here:
        [row] = here
        says = (
            f"On {scope.last}, {counted(row['customers'], 'customer')} of {segment.shown} bring "
            f"{scope.money(row['mrr'])} a month, {share(row['share'])} of MRR; ARPA is "
            f"{text_of(row['arpa'], Kind.money)} {scope.currency}."
        )
    else:
        says = f"On {scope.last} no customer of {segment.shown} has MRR."
    return Section(
        "mrr",
        "MRR of the segment",
        says,
        [
            f"kpi.segment({_quoted(segment.attribute)}, '{scope.last}')",
            f"kpi.mrr_monthly_by({_quoted(segment.attribute)})",
        ],
        [
            Figure(
                "mrr",
                f"MRR of {segment.shown} at the end of each month",
                charts.month_ends,
                [{"day": row["day"], "closing": row["closing"]} for row in monthly],
                {"currency": scope.currency},
                caption="At the end of each month.",
            )
        ]
        if len(monthly) > 1
        else (),
    )


def _waterfall(scope: Scope, segment: Segment, monthly: Sequence[Row]) -> Section:
    """Why did it move?"""
    call = f"kpi.mrr_monthly_by({_quoted(segment.attribute)})"
    if not monthly:
        return Section("waterfall", "Why MRR moved", f"{segment.shown} had no MRR in these days.", [call])
    present = charts.kinds_of(monthly)
    bars = [
        {"month": row["label"], "kind": kind, "change": row[kind], "place": charts.KINDS.index(kind)}
        for row in monthly
        for kind in present
        if row[kind]
    ]
    first, last = monthly[0], monthly[-1]
    has_moved = any(row["moved"] for row in monthly)
    notes = ["Moved: what customers brought who changed to this segment, less what those took who left it."]
    return Section(
        "waterfall",
        "Why MRR moved",
        f"From {scope.money(first['opening'])} at the opening of {first['label'].rstrip('*')} to "
        f"{scope.money(last['closing'])} at the closing of {last['label'].rstrip('*')}.",
        [call],
        [
            Figure(
                "waterfall",
                f"Changes of the MRR of {segment.shown} by month and kind",
                charts.waterfall,
                bars,
                {"currency": scope.currency, "months": [row["label"] for row in monthly]},
                caption="Without what moved between segments, which the table has." if has_moved else None,
            )
        ]
        if bars
        else (),
        [
            Table(
                f"From opening to closing, {scope.currency} a month",
                [
                    Column("label", "Month", Kind.label),
                    Column("opening", "Opening", Kind.units),
                    *(Column(kind, kind.capitalize(), Kind.change) for kind in present),
                    *([Column("moved", "Moved", Kind.change)] if has_moved else []),
                    Column("closing", "Closing", Kind.units),
                    Column("customers", "Customers", Kind.count),
                ],
                monthly,
                more=None if all(row["is_whole"] for row in monthly) else "* a month of which only a part is covered",
            )
        ],
        notes=notes if has_moved else (),
    )


def _retention(scope: Scope, segment: Segment) -> Section:
    """What was kept of those who were there at the opening?"""
    seen_from = scope.coverage["churn_observable_from"]
    first = seen_from if seen_from and scope.first < seen_from <= scope.last else scope.first
    rows = scope.ask(_KEPT, attribute=segment.attribute, segment=segment.value, first=first)
    call = f"kpi.retention_by({_quoted(segment.attribute)}, '{first}', '{scope.last}')"
    known = [row for row in rows if row["nrr"] is not None]
    if known:
        [row] = known
        says = (
            f"From {first} to {scope.last}, {share(row['customer_churn_rate'])} of the customers of the opening left; "
            f"NRR is {share(row['nrr'])}, GRR {share(row['grr'])}."
        )
    else:
        says = (
            "The rates of these days cannot be told: nobody of the segment was there at their opening, or churn was "
            "not observable in all of them."
        )
    table = Table(f"Retention of {segment.shown} from {first} to {scope.last}", _RATES, rows, is_open=True)
    notes = [f"Churn cannot be seen before {first}."] if first != scope.first else ()
    return Section("retention", "Retention and churn", says, [call], tables=[table] if rows else (), notes=notes)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
