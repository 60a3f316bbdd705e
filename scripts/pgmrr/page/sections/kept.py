"""What is kept: retention by month, and of each cohort."""

from collections.abc import Mapping, Sequence

from pgmrr.page import charts
from pgmrr.page.model import Figure, Movements, Section, Switch, Table
from pgmrr.page.scope import Scope, share
from pgmrr.reports.cohorts import COHORTS
from pgmrr.reports.segments import TRAILING
from pgmrr.show import Column, Kind, Row, text_of

_MONTHLY = """
    select to_char(month, 'YYYY-MM') || case when is_whole then '' else '*' end as label, month, first_on, last_on,
        customers_opening, customers_lost, customer_churn_rate, gross_mrr_churn_rate, net_mrr_churn_rate, nrr, grr,
        quick_ratio, arpa, ltv, is_whole, note
    from kpi.retention_monthly
    where first_on <= %(last)s
        and last_on >= %(first)s
    order by month
"""

_RATES = [
    Column("customers_opening", "Customers", Kind.count),
    Column("customers_lost", "Lost", Kind.count),
    Column("customer_churn_rate", "Customer churn", Kind.share),
    Column("gross_mrr_churn_rate", "Gross MRR churn", Kind.share),
    Column("net_mrr_churn_rate", "Net MRR churn", Kind.share),
    Column("nrr", "NRR", Kind.share),
    Column("grr", "GRR", Kind.share),
    Column("quick_ratio", "Quick ratio", Kind.ratio),
]

_KEPT = {"NRR": ("nrr", "mrr"), "GRR": ("grr", "expansion")}
_LOST = {"Customer churn": ("customer_churn_rate", "churn"), "Gross MRR churn": ("gross_mrr_churn_rate", "contraction")}

_MEASURES = {"customers": "customers", "mrr": "MRR"}
_CELL = ("cohort_name", "month_number", "month", "customers", "mrr", "customer_share", "mrr_share")
_SCALES = {"share": "share", "absolute": "absolute"}


def retention(scope: Scope) -> Section:
    """What is kept, and what leaks out?"""
    monthly = scope.ask(_MONTHLY)
    known = [row for row in monthly if row["nrr"] is not None]
    trailing = TRAILING.ask(scope.connection, {"day": scope.last})
    if known:
        last = known[-1]
        says = (
            f"In {last['label'].rstrip('*')} the customers of its opening kept {share(last['nrr'])} of their MRR "
            f"(NRR), {share(last['grr'])} without what they added (GRR); {share(last['customer_churn_rate'])} of them "
            "left."
        )
    else:
        reasons = dict.fromkeys(row["note"] for row in monthly if row["note"])
        says = f"No month has rates yet: {'; '.join(reasons) or 'nobody was there at an opening'}."
    notes = [f"{row['label'].rstrip('*')}: {row['note']}." for row in monthly if row["note"] and known]
    notes += [f"The last {row['months']} months: {row['note']}." for row in trailing if row["note"]]
    return Section(
        "retention",
        "Retention and churn",
        says,
        ["kpi.retention_monthly", f"kpi.retention_trailing('{scope.last}')"],
        [
            _figure("retention", "NRR and GRR by month", known, _KEPT, 1.0),
            _figure("churn", "Customer churn and gross MRR churn by month", known, _LOST, None),
        ]
        if len(known) > 1
        else (),
        [
            Table(
                f"Retention by month; ARPA and LTV in {scope.currency}",
                [
                    Column("label", "Month", Kind.label),
                    *_RATES,
                    Column("arpa", "ARPA", Kind.money),
                    Column("ltv", "LTV", Kind.units),
                ],
                monthly,
                {"customers_lost": lambda row: Movements(row["first_on"], row["last_on"], "churn")},
                is_open=len(known) <= 1,  # a chart of a single month would say less
            ),
            Table(
                "The last 3 and 12 months",
                [Column("months", "Months", Kind.count), Column("first_on", "From", Kind.label), *_RATES],
                trailing,
            ),
        ],
        notes=notes,
    )


def cohorts(scope: Scope) -> Section:
    """How well is each month's intake kept?"""
    rows = COHORTS.ask(scope.connection, {"basis": "first_mrr"})
    rows = [{**row, "month": f"{row['month']:%Y-%m}{'' if row['is_whole'] else '*'}"} for row in rows]
    # Cohorts that began before the history have no month 0 to stand below each other by.
    firsts = {row["cohort_name"]: row for row in reversed(rows)}
    axis = "month_number" if all(row["month_number"] == 0 for row in firsts.values()) else "month"
    aged = [row for row in rows if row["is_whole"] and row["customer_share"] is not None and row["month_number"]]
    if aged:
        oldest = max(aged, key=lambda row: (row["month_number"], row["cohort_customers"]))
        says = (
            f"Of cohort {oldest['cohort_name']} ({oldest['cohort_customers']:,} customers), "
            f"{share(oldest['customer_share'])} of the customers and {share(oldest['mrr_share'])} of the MRR are there "
            f"at the end of {oldest['month']}, month {oldest['month_number']} of its life."
        )
    else:
        says = "No cohort was observed for a whole month after its first: what is kept cannot be told yet."
    notes = [f"{name}: {note}." for name, note in dict.fromkeys((r["cohort_name"], r["note"]) for r in rows) if note]
    if rows and not all(row["is_whole"] for row in rows):
        notes.insert(0, f"The last cell of each row is as of {scope.coverage['complete_through']}, within the month.")
    return Section(
        "cohorts",
        "Cohorts",
        says,
        ["kpi.cohort_retention()"],
        [
            Figure(
                "cohorts",
                f"Heat map of {len(firsts)} cohorts by month of the first MRR: what is kept, month by month",
                charts.cohorts,
                [{name: row[name] for name in _CELL} for row in rows],
                {"axis": axis, "axis_title": "Month of life" if axis == "month_number" else None},
                caption="A row is the customers who began to pay in a month; the stronger the colour of a cell, the "
                "more is kept. Shares are in percent of the first month observed.",
                widest=max(60, 16 + 9 * len({row[axis] for row in rows})),
                switches=[
                    Switch("measure", "Measure", list(_MEASURES.items())),
                    Switch("scale", "Shown as", list(_SCALES.items())),
                ],
            )
        ]
        if rows
        else (),
        [_triangle(rows, axis, measure, scale, scope.currency) for measure in _MEASURES for scale in _SCALES]
        if rows
        else (),
        notes=notes,
    )


def _figure(
    name: str, label: str, rows: Sequence[Row], lines: Mapping[str, tuple[str, str]], reference: float | None
) -> Figure:
    points = [
        {
            "day": row["month"],
            "month": row["label"],
            "metric": metric,
            "value": row[column],
            "target": Movements(row["first_on"], row["last_on"]),
        }
        for metric, (column, _) in lines.items()
        for row in rows
        if row[column] is not None
    ]
    series = {metric: colour for metric, (_, colour) in lines.items()}
    return Figure(name, label, charts.rates, points, {"series": series, "reference": reference})


def _triangle(rows: Sequence[Row], axis: str, measure: str, scale: str, currency: str) -> Table:
    """A row a cohort, a column a month."""
    field = measure if scale == "absolute" else {"customers": "customer_share", "mrr": "mrr_share"}[measure]
    kind = Kind.share if scale == "share" else Kind.count if measure == "customers" else Kind.units
    columns = sorted({row[axis] for row in rows})
    lines: dict[str, dict[str, str]] = {}
    for row in rows:
        line = lines.setdefault(row["cohort_name"], {"cohort": row["cohort_name"], **{str(c): "" for c in columns}})
        line[str(row[axis])] = text_of(row[field], kind)
    what = {"customers": "customers", "mrr": "MRR" if scale == "share" else f"MRR, {currency} a month"}[measure]
    return Table(
        f"Cohorts by month {'of life' if axis == 'month_number' else ''}: {what}"
        + (" kept, of the first month observed" if scale == "share" else ""),
        [Column("cohort", "Cohort", Kind.label), *(Column(str(c), str(c), Kind.number) for c in columns)],
        list(lines.values()),
        when={"measure": measure, "scale": scale},
    )
