"""The three headline KPIs."""

from collections.abc import Sequence

from pgmrr.page import charts
from pgmrr.page.model import Card, Figure, Section, Table
from pgmrr.page.scope import Scope
from pgmrr.reports import HEADLINE, headline_line
from pgmrr.show import Column, Kind, Row

_SERIES = {
    "MRR": "select day, closing as value from kpi.mrr_daily where day between %(first)s and %(last)s order by day",
    "Customer churn": "select last_on as day, customer_churn_rate as value from kpi.retention_monthly order by month",
    "Quick ratio": "select last_on as day, quick_ratio as value from kpi.retention_monthly order by month",
    "Engagement": "select last_on as day, sessions_per_customer as value from kpi.engagement_monthly order by month",
}


def headline(scope: Scope) -> Section:
    """How healthy is the business? Over the last covered month."""
    rows = HEADLINE.ask(scope.connection)
    window = rows[0]
    days = (window["last_on"] - window["first_on"]).days + 1
    lines = [headline_line(row) for row in rows]
    facts = "; ".join(f"{line['kpi']} {line['value']} ({line['change']})" for line in lines)
    return Section(
        "headline",
        "Health of the business",
        f"{days} days, from {window['first_on']} to {window['last_on']}: {facts}.",
        ["kpi.headline"],
        cards=[
            Card(
                row["kpi"],
                line["value"],
                line["change"],
                line["second"],
                row["meaning"],
                _sparkline(row["kpi"], scope.ask(_SERIES[row["kpi"]])),
            )
            for row, line in zip(rows, lines, strict=True)
        ],
        tables=[
            Table(
                "The three KPIs",
                [
                    Column("kpi", "KPI"),
                    Column("value", "Value", Kind.number),
                    Column("change", "Change", Kind.number),
                    Column("second", "Beside it", Kind.number),
                ],
                lines,
            )
        ],
    )


def _sparkline(kpi: str, rows: Sequence[Row]) -> Figure | None:
    """The series of a KPI; None where it has less than two values."""
    known = [row for row in rows if row["value"] is not None]
    if len(known) < 2:
        return None
    name = kpi.lower().replace(" ", "_")
    label = f"{kpi}, from {known[0]['day']} to {known[-1]['day']}"
    return Figure(f"headline_{name}", label, charts.sparkline, known, {"field": "value"}, is_small=True)
