"""The three headline KPIs."""

from collections.abc import Sequence

from pgmrr.page import charts
from pgmrr.page.model import Card, Figure, Section, Table
from pgmrr.page.scope import Scope, counted, share
from pgmrr.reports import HEADLINE, headline_line
from pgmrr.show import Column, Kind, Row

_MRR = """
    select day, closing
    from kpi.mrr_daily
    where day between %(first)s and %(last)s
        and (%(last)s::date - day) %% %(step)s = 0
    order by day
"""

_KEPT = """
    select last_on as day, customer_churn_rate, quick_ratio
    from kpi.retention_monthly
    order by month
"""

_USED = """
    select last_on as day, sessions_per_customer
    from kpi.engagement_monthly
    order by month
"""

# The series of each KPI: a question, and the column of its answer.
_SERIES = {
    "MRR": (_MRR, "closing"),
    "Customer churn": (_KEPT, "customer_churn_rate"),
    "Quick ratio": (_KEPT, "quick_ratio"),
    "Engagement": (_USED, "sessions_per_customer"),
}


def headline(scope: Scope) -> Section:
    """How healthy is the business? Over the last covered month."""
    rows = HEADLINE.ask(scope.connection)
    window = rows[0]
    days = (window["last_on"] - window["first_on"]).days + 1
    lines = [headline_line(row) for row in rows]
    return Section(
        "headline",
        "Health of the business",
        f"In {counted(days, 'day')}, from {window['first_on']} to {window['last_on']}, {_in_words(scope, rows)}.",
        ["kpi.headline"],
        cards=[
            Card(
                row["kpi"],
                *_number_and_unit(line["value"], row["unit"]),
                _against(row, line["change"]),
                line["second"],
                row["meaning"],
                _sparkline(scope, row["kpi"]),
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


def _in_words(scope: Scope, rows: Sequence[Row]) -> str:
    """What MRR did and who left, as far as it is known."""
    mrr, churn = rows[0], rows[1]
    grown = mrr["change"]
    if grown is None:
        said = [f"MRR came to {scope.money(mrr['value'])}; by how much it grew cannot be told"]
    elif grown == 0:
        said = [f"MRR stayed at {scope.money(mrr['value'])}"]
    else:
        way = "rose" if grown > 0 else "fell"
        said = [f"MRR {way} by {share(abs(grown))} to {scope.money(mrr['value'])}"]
    if mrr["second_value"] is not None:
        said.append(f"the customers of its opening brought {share(mrr['second_value'])} of what they had before (NRR)")
    if churn["value"] is not None:
        said.append(f"{share(churn['value'])} of the customers left")
    return ", ".join([*said[:-1], f"and {said[-1]}"]) if len(said) > 1 else said[0]


def _number_and_unit(value: str, unit: str) -> tuple[str, str]:
    """``11,780.00 USD`` apart; a share keeps its sign."""
    if unit in ("share", "ratio"):
        return value, ""
    number, _, words = value.partition(" ")
    return number, words


def _against(row: Row, change: str) -> str:
    """The change, and against what."""
    return f"{change} against the month before" if row["kpi"] != "MRR" and row["change"] is not None else change


def _sparkline(scope: Scope, kpi: str) -> Figure | None:
    """The series of a KPI; None where it has less than two values."""
    question, column = _SERIES[kpi]
    rows = scope.ask(question, step=scope.step)
    known = [{"day": row["day"], "value": row[column]} for row in rows if row[column] is not None]
    if len(known) < 2:
        return None
    name = kpi.lower().replace(" ", "_")
    label = f"{kpi}, from {known[0]['day']} to {known[-1]['day']}"
    return Figure(f"headline_{name}", label, charts.sparkline, known, {"field": "value"}, size="small")
