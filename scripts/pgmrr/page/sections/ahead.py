"""What may come, and what could break it."""

from pgmrr.page import charts
from pgmrr.page.model import Figure, Section, Table
from pgmrr.page.scope import Scope
from pgmrr.reports.forecast import BACKTEST, CHOICE, RISKS, STATUS, how_well_held, why_taken
from pgmrr.show import Column, Kind

_MONTHS = 6

_FORECAST = """
    select narrow.month, narrow.last_on as day, narrow.method, narrow.point, narrow.low as low_80,
        narrow.high as high_80, wide.low as low_95, wide.high as high_95
    from kpi.forecast(%(months)s, 0.8, %(method)s) narrow
    join kpi.forecast(%(months)s, 0.95, %(method)s) wide
        on wide.month = narrow.month
    order by narrow.month
"""

_HISTORY = """
    select day, closing
    from kpi.mrr_daily
    where day >= (select complete_through from kpi.coverage) - 365
    order by day
"""


def forecast(scope: Scope) -> Section:
    """What may MRR be in the months ahead?"""
    (status,) = STATUS.ask(scope.connection)
    calls = [f"kpi.forecast({_MONTHS}, 0.8)", "kpi.forecast_backtest()", "kpi.forecast_status"]
    if not status["is_possible"]:
        return Section("forecast", "Forecast", status["explanation"], calls)
    # What auto takes, asked once for all that follows.
    (choice,) = CHOICE.ask(scope.connection)
    rows = scope.ask(_FORECAST, months=_MONTHS, method=choice["method"])
    history = scope.ask(_HISTORY)
    now, last = history[-1], rows[-1]
    start = {"day": now["day"], **dict.fromkeys(("point", "low_80", "high_80", "low_95", "high_95"), now["closing"])}
    says = (
        f"If the future is like the past, MRR will be {scope.money(last['point'])} on {last['day']}: with a "
        f"probability of 80 % between {scope.money(last['low_80'])} and {scope.money(last['high_80'])}."
    )
    tried = BACKTEST.ask(scope.connection)
    names = {"auto": "as taken (auto)", "naive": "MRR stays (naive)"}
    errors = [
        {**row, "method": names[row["method"]]} for row in tried if row["method"] in names and row["mape"] is not None
    ]
    return Section(
        "forecast",
        "Forecast",
        says,
        calls,
        [
            Figure(
                "forecast",
                f"MRR to come, through {last['day']}: {scope.money(last['point'])}, 80 % interval from "
                f"{scope.money(last['low_80'])} to {scope.money(last['high_80'])}",
                charts.forecast,
                [start, *rows],
                {"currency": scope.currency, "history": history},
                caption="Line: what was. Dashed: the forecast, in its 80 % and 95 % intervals. "
                "The axis does not begin at zero.",
            ),
            *(
                [
                    Figure(
                        "backtest",
                        f"Mean error of forecasts of the past, by {errors[0]['grain']}s ahead",
                        charts.backtest,
                        errors,
                        {"grain": errors[0]["grain"].capitalize()},
                        caption="How far such forecasts of the past were off, beside saying that MRR stays.",
                    )
                ]
                if errors
                else []
            ),
        ],
        [
            Table(
                f"MRR to come, {scope.currency} a month",
                [
                    Column("day", "On", Kind.label),
                    Column("point", "Forecast", Kind.units),
                    Column("low_80", "80 % low", Kind.units),
                    Column("high_80", "80 % high", Kind.units),
                    Column("low_95", "95 % low", Kind.units),
                    Column("high_95", "95 % high", Kind.units),
                    Column("method", "Method", Kind.label),
                ],
                rows,
            ),
            Table(
                f"How good such forecasts were; MAE and bias in {scope.currency} a month",
                [
                    Column(
                        "periods_ahead", f"{tried[0]['grain'].capitalize()}s ahead" if tried else "Ahead", Kind.count
                    ),
                    Column("method", "Method", Kind.label),
                    Column("origins", "Tried", Kind.count),
                    Column("mae", "MAE", Kind.units),
                    Column("mape", "MAPE", Kind.share),
                    Column("bias", "Bias", Kind.change),
                    Column("coverage_80", "80 % intervals that held", Kind.share),
                    Column("coverage_95", "95 % intervals that held", Kind.share),
                ],
                tried,
            ),
        ],
        notes=[
            *(filter(None, [how_well_held(tried, rows[0]["method"])])),
            why_taken(choice, scope.currency),
            status["explanation"],
        ],
    )


def risks(scope: Scope) -> Section:
    """What could break it?"""
    rows = RISKS.ask(scope.connection)
    high = [row["risk"] for row in rows if row["severity"] == "high"]
    if not rows:
        says = "No risk can be seen: there is no MRR on a covered day."
    elif high:
        says = f"{len(rows)} found, {len(high)} of them high: {', '.join(high)}."
    else:
        says = f"{len(rows)} found, none of them high."
    return Section(
        "risks",
        "Risks",
        says,
        ["kpi.risks()"],
        tables=[
            Table(
                f"What could break the forecast; MRR in {scope.currency} a month",
                [
                    Column("severity", "Severity", Kind.label),
                    Column("risk", "Risk", Kind.label),
                    Column("evidence", "Evidence"),
                    Column("mrr", "MRR", Kind.units),
                    Column("share", "Share", Kind.share),
                    Column("see", "More"),
                ],
                rows,
                is_open=True,
            )
        ]
        if rows
        else (),
    )
