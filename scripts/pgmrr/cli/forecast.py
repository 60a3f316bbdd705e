"""Commands that look ahead."""

from typing import Annotated

import typer

from pgmrr import show
from pgmrr.cli.options import As, Name, Url
from pgmrr.database import choose, reading
from pgmrr.errors import PgmrrError
from pgmrr.reports import forecast as reports
from pgmrr.show import Format

app = typer.Typer()


@app.command(epilog="Example: pgmrr forecast --months 3 --level 0.95 --method movements")
def forecast(
    months: Annotated[int, typer.Option(help="How many months ahead.")] = 6,
    level: Annotated[str, typer.Option(help="Probability that the interval holds what comes, 0 to 1.")] = "0.8",
    method: Annotated[str, typer.Option(help="auto, naive, drift, damped_trend or movements.")] = "auto",
    scenario: Annotated[bool, typer.Option("--scenario", help="Show better and worse cases side by side.")] = False,
    churn_factor: Annotated[str, typer.Option(help="Losses in the better case, as a factor.")] = "0.8",
    new_factor: Annotated[str, typer.Option(help="New customers in the better case, as a factor.")] = "1.25",
    expansion_factor: Annotated[str, typer.Option(help="Expansion in the better case, as a factor.")] = "1.25",
    backtest: Annotated[bool, typer.Option("--backtest", help="Show how good such forecasts were.")] = False,
    url: Url = None,
    name: Name = None,
    format_: As = Format.table,
) -> None:
    """Forecast MRR, with intervals that were checked on the past, or compare scenarios."""
    if scenario and backtest:
        raise PgmrrError("--scenario and --backtest are two questions", "ask one of them")
    if backtest:
        _print_backtest(url, name, format_)
        return
    if scenario:
        factors = {"churn": churn_factor, "new": new_factor, "expansion": expansion_factor}
        asked = {"months": months, **{key: _number(value, f"--{key}-factor") for key, value in factors.items()}}
        report = reports.SCENARIO
    else:
        asked = {"months": months, "level": _number(level, "--level"), "method": method}
        report = reports.FORECAST
    with reading(choose(url, name)) as connection:
        found = report.ask(connection, asked)
        columns = report.columns if scenario or format_ is not Format.table else reports.forecast_columns(found)
        if found or format_ is not Format.table:
            show.rows(found, columns, format_, report.heading(connection), report.empty)
        if format_ is not Format.table:
            return
        if scenario:
            reports.explain_scenario(connection, asked, found)
        else:
            reports.explain_forecast(connection, asked, found)


@app.command(epilog="Example: pgmrr risks --db stripe --format json")
def risks(url: Url = None, name: Name = None, format_: As = Format.table) -> None:
    """List what could break the forecast, each risk with its evidence in numbers."""
    with reading(choose(url, name)) as connection:
        found = reports.RISKS.ask(connection)
        columns = reports.risk_columns() if format_ is Format.table else reports.RISKS.columns
        show.rows(found, columns, format_, reports.RISKS.heading(connection), reports.RISKS.empty)


def _print_backtest(url: str | None, name: str | None, format_: Format) -> None:
    with reading(choose(url, name)) as connection:
        found = reports.BACKTEST.ask(connection)
        is_table = format_ is Format.table
        columns = reports.backtest_columns(found) if is_table else reports.BACKTEST.columns
        show.rows(found, columns, format_, reports.BACKTEST.heading(connection), reports.BACKTEST.empty)
        if found and is_table:
            reports.explain_backtest(connection)


def _number(text: str, option: str) -> str:
    """The text, which SQL reads as a number. Raises PgmrrError where it is none."""
    try:
        float(text)
    except ValueError:
        raise PgmrrError(f"{option} {text!r} is not a number", "write it as 0.8") from None
    return text
