"""What the commands about the future ask, and which columns of the answer a table shows."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from pgmrr import show
from pgmrr.reports.report import Connection, Report, reporting_currency
from pgmrr.show import Column, Kind, Row

FORECAST = Report(
    """
    select month, last_on, opening, new, reactivation, expansion, contraction, churn, point, low, high,
        %(level)s::numeric as level, method
    from kpi.forecast(%(months)s::integer, %(level)s::numeric, %(method)s)
    """,
    [
        Column("month", "#", Kind.count),
        Column("last_on", "On"),
        Column("new", "New", Kind.change),
        Column("reactivation", "Reac-\ntiv.", Kind.change),
        Column("expansion", "Expan-\nsion", Kind.change),
        Column("contraction", "Con-\ntract.", Kind.change),
        Column("churn", "Churn", Kind.change),
        Column("point", "MRR", Kind.units),
        Column("low", "Low", Kind.units),
        Column("high", "High", Kind.units),
        Column("opening", "Opening", Kind.units),
    ],
    title="MRR to come, {currency} a month",
)

SCENARIO = Report(
    """
    select month, last_on, base, better, worse, better_difference, worse_difference
    from kpi.scenario(%(months)s::integer, %(churn)s::numeric, %(new)s::numeric, %(expansion)s::numeric)
    """,
    [
        Column("month", "#", Kind.count),
        Column("last_on", "On"),
        Column("worse", "Worse", Kind.units),
        Column("worse_difference", "", Kind.change),
        Column("base", "As it goes", Kind.units),
        Column("better", "Better", Kind.units),
        Column("better_difference", "", Kind.change),
    ],
    title="MRR to come in three cases, {currency} a month",
)

BACKTEST = Report(
    """
    select method, grain, periods_ahead, origins, mae, mape, mase, relative_mae, bias, coverage_50, coverage_80,
        coverage_95, is_auto
    from kpi.forecast_backtest()
    """,
    [
        Column("periods_ahead", "Ahead", Kind.count),
        Column("grain", "", Kind.label),
        Column("method", "Method", Kind.label),
        Column("origins", "Tried", Kind.count),
        Column("mae", "MAE", Kind.units),
        Column("mape", "MAPE", Kind.share),
        Column("mase", "MASE", Kind.ratio),
        Column("relative_mae", "To\nnaive", Kind.ratio),
        Column("bias", "Bias", Kind.change),
        Column("coverage_50", "50 %\nheld", Kind.share),
        Column("coverage_80", "80 %\nheld", Kind.share),
        Column("coverage_95", "95 %\nheld", Kind.share),
        Column("is_auto", "Taken"),
    ],
    "no forecast of the past can be judged yet",
    "How good such forecasts were; MAE and bias in {currency} a month",
)

RISKS = Report(
    "select severity, risk, evidence, mrr, share, see from kpi.risks()",
    [
        Column("severity", "Severity", Kind.label),
        Column("risk", "Risk", Kind.label),
        Column("mrr", "MRR", Kind.units),
        Column("share", "Share", Kind.share),
        Column("evidence", "Evidence"),
        Column("see", "More", Kind.label),
    ],
    "no risk can be seen: there is no MRR on a covered day",
    "What could break the forecast; MRR in {currency} a month",
)

STATUS = Report("select is_possible, reach_months, explanation from kpi.forecast_status", [])

CHOICE = Report(
    """
    select c.method, c.is_judged, c.origins, c.tries, c.mae, c.movements_mae, c.naive_mae,
        c.drift_mae
    from kpi.forecast_choice c
    join kpi.forecast_status s
        on s.periods = c.origin
    """,
    [],
)

_KINDS = ("new", "reactivation", "expansion", "contraction", "churn")


def forecast_columns(rows: Sequence[Row]) -> list[Column]:
    """The columns that say something about these rows: kinds of movements where there are any."""
    silent = {name for name in _KINDS if all(not row[name] for row in rows)}
    return [column for column in FORECAST.columns if column.name not in silent | {"opening"}]


def backtest_columns(rows: Sequence[Row]) -> list[Column]:
    """The columns that fit this terminal, the grain in a heading; JSON and CSV hold all."""
    hidden = {"grain"} | ({"coverage_50", "is_auto"} if show.is_narrow(100) else set())
    ahead = Column("periods_ahead", f"{rows[0]['grain'].capitalize()}s\nahead" if rows else "Ahead", Kind.count)
    return [ahead, *(column for column in BACKTEST.columns if column.name not in hidden | {"periods_ahead"})]


def risk_columns() -> list[Column]:
    """The columns that leave room for the evidence on this terminal; JSON and CSV hold all."""
    return [column for column in RISKS.columns if not show.is_narrow(120) or column.name not in ("share", "see")]


def explain_forecast(connection: Connection, asked: Mapping[str, object], rows: Sequence[Row]) -> None:
    """Say on what a forecast rests, why its method was taken, and how well its intervals held."""
    explain_reach(connection, len(rows), asked["months"])
    if not rows:
        return
    share = show.text_of(rows[0]["level"], Kind.share)
    show.paragraph(f"Low and high: the {share} interval, if the future is like the past.")
    method = rows[0]["method"]
    if asked["method"] == "auto":
        show.paragraph(why_taken(CHOICE.ask(connection)[0], reporting_currency(connection)))
    else:
        show.paragraph(f"By {method}.")
    held = how_well_held(BACKTEST.ask(connection), method)
    if held:
        show.paragraph(f"{held} See: pgmrr forecast --backtest")


def how_well_held(tried: Sequence[Row], method: str) -> str | None:
    """How many intervals of a method held what came, of the rows of a backtest; None where none could be judged."""
    rows = [row for row in tried if row["method"] == method]
    if not rows:
        return None
    forecasts, held = sum(row["origins"] for row in rows), sum(row["origins"] * row["coverage_80"] for row in rows)
    return (
        f"In the backtest, up to {_counted(max(row['periods_ahead'] for row in rows), rows[0]['grain'])} ahead, "
        f"{held:,.0f} of {forecasts:,} of its 80 % intervals held what came."
    )


def explain_scenario(connection: Connection, asked: Mapping[str, object], rows: Sequence[Row]) -> None:
    """Say on what scenarios rest, and what the better and the worse case are."""
    explain_reach(connection, len(rows), asked["months"])
    if rows:
        show.paragraph(
            f"As it goes: each kind of movement at its recent rate. Better: losses times {asked['churn']}, new and "
            f"returning customers times {asked['new']}, expansion times {asked['expansion']}. Worse: divided by them."
        )


def explain_backtest(connection: Connection) -> None:
    """Say how to read the errors of a backtest, what auto makes of them, and on what it rests."""
    show.paragraph(
        "MASE: the error in units of the mean change of MRR from one period to the next. To naive: the error as a "
        "share of that of saying that MRR stays, as far ahead. Bias above 0 promised too much. Held: how often the "
        "interval held what came."
    )
    show.paragraph(why_taken(CHOICE.ask(connection)[0], reporting_currency(connection)))
    show.paragraph(STATUS.ask(connection)[0]["explanation"])


def explain_reach(connection: Connection, months: int, asked: object) -> None:
    """Say on what forecasts rest; on stderr where there is none."""
    status = STATUS.ask(connection)[0]
    if not status["is_possible"]:
        show.note(status["explanation"])
        return
    cut = f"Of {asked} months asked for, it shows {months}. " if asked != months else ""
    show.paragraph(cut + status["explanation"])


def _counted(number: int, grain: str) -> str:
    return f"{number} {grain}" if number == 1 else f"{number} {grain}s"


def why_taken(choice: Row, currency: str) -> str:
    """Why auto takes the method that it takes."""
    method = choice["method"]
    if not choice["is_judged"]:
        return (
            f"auto takes {method}: from {choice['origins']} past periods forecasts could be judged, too few to tell "
            "a better method from a luckier one."
        )
    error = f"{show.text_of(choice['mae'], Kind.units)} {currency}"
    why = f"auto takes {method}: in {choice['tries']:,} forecasts of the past it was off by {error} on average"
    others = [(name, choice[f"{name}_mae"]) for name in ("naive", "drift", "movements") if name != method]
    compared = [_compared(choice["mae"], mae, name) for name, mae in others if mae]
    return f"{', '.join([why, *compared])}."


def _compared(mae: Decimal, other: Decimal, name: str) -> str:
    lead = 1 - mae / other
    return f"{show.text_of(abs(lead), Kind.share)} {'less' if lead >= 0 else 'more'} than {name}"
