"""The Grafana dashboard: each of its queries runs as a reader, and returns rows of the shape that its panel needs."""

import json
import re
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from conftest import Server
from pgmrr.sessions import open_session
from pgmrr.simulation import Parameters, simulate
from pgmrr.stripe import import_stripe

ROOT = Path(__file__).parents[2]
HANDMADE = ROOT / "tests" / "data" / "handmade"
DASHBOARD = json.loads((ROOT / "docs" / "grafana" / "pgmrr.json").read_text(encoding="utf-8"))
VARIABLES = {item["name"]: item for item in DASHBOARD["templating"]["list"]}
PANELS = {panel["title"]: panel for panel in DASHBOARD["panels"]}
FROM, TO = "2023-11-22T00:00:00Z", "2026-11-22T00:00:00Z"
READER = "-c role=pgmrr_reader -c default_transaction_read_only=on -c jit=off"


@pytest.fixture(scope="module")
def companies(server: Server, template: str) -> Iterator[dict[str, str]]:
    """The URLs of databases with ABC Enterprises, with the handmade export, and without data."""
    with server.databases() as create:
        urls = {name: create(template=template) for name in ("abc", "handmade", "empty")}
        with open_session(urls["abc"]) as connection:
            simulate(connection, Parameters(companies=60, months=8))
        with open_session(urls["handmade"]) as connection:
            import_stripe(connection, HANDMADE / "invoices.csv", HANDMADE / "customers.csv")
        yield urls


def asked(url: str, query: str, **values: str) -> tuple[list[str], list[dict[str, Any]]]:
    """The columns and rows of a query, its macros and variables replaced as Grafana does."""
    query = re.sub(r"\$__timeFilter\(([^)]+)\)", rf"\1 BETWEEN '{FROM}' AND '{TO}'", query)
    query = query.replace("$__timeFrom()", f"'{FROM}'").replace("$__timeTo()", f"'{TO}'")
    for name, value in values.items():
        quoted = "'" + value.replace("'", "''") + "'"
        query = query.replace(f"${{{name}:sqlstring}}", quoted)
    assert "$" not in query
    with psycopg.connect(url, options=READER, row_factory=dict_row) as connection:
        cursor = connection.execute(query.encode())
        rows = cursor.fetchall()
        assert cursor.description
        return [column.name for column in cursor.description], rows


def options(url: str, variable: str) -> list[str]:
    """What a variable offers, the first of which Grafana chooses."""
    columns, rows = asked(url, VARIABLES[variable]["query"])
    return [row[columns[0]] for row in rows]


def query_of(panel: dict[str, Any]) -> str:
    (target,) = panel["targets"]
    return target["rawSql"]


@pytest.mark.parametrize("title", PANELS)
def test_a_panel_gets_rows_of_its_shape(companies: dict[str, str], title: str) -> None:
    panel = PANELS[title]
    found = 0
    for url in companies.values():
        for currency in options(url, "currency") or ["EUR"]:
            for attribute in options(url, "attribute")[:2] or ["currency"]:
                columns, rows = asked(url, query_of(panel), currency=currency, attribute=attribute)
                found += len(rows)
                if panel["targets"][0]["format"] == "time_series":
                    check_series(columns, rows)
                if panel["type"] == "stat":
                    assert len(columns) == 1
                    assert len(rows) <= 1
                for override in panel["fieldConfig"]["overrides"]:
                    name = override["matcher"]["options"]
                    assert name in columns or "\\" in name, f"{name} is formatted, and no column"
    assert found > 0


def check_series(columns: list[str], rows: list[dict[str, Any]]) -> None:
    """Time comes first and goes up; then perhaps the name of the series; then numbers."""
    assert columns[0] == "time"
    times = [row["time"] for row in rows]
    assert times == sorted(times)
    assert all(isinstance(time, datetime) and time.tzinfo for time in times)
    series = columns[1:]
    if "metric" in series:
        assert series[0] == "metric"
        assert all(isinstance(row["metric"], str) for row in rows)
        assert len({(row["time"], row["metric"]) for row in rows}) == len(rows)
        series = series[1:]
    else:
        assert len(set(times)) == len(times)
    assert series
    assert all(row[name] is None or isinstance(row[name], Decimal | int) for row in rows for name in series)


def test_the_figures_are_those_of_the_calls(companies: dict[str, str]) -> None:
    url = companies["handmade"]
    with psycopg.connect(url) as connection:
        for currency in options(url, "currency"):
            _, rows = asked(url, query_of(PANELS["MRR by ${attribute}"]), currency=currency, attribute="term")
            last = max(row["time"] for row in rows)
            total = sum(row["MRR"] for row in rows if row["time"] == last)
            (known,) = connection.execute(
                "select kpi.mrr_total_at(complete_through, %s) from kpi.coverage", [currency]
            ).fetchone()
            _, (shown,) = asked(url, query_of(PANELS["MRR now"]), currency=currency)
            assert round(total, 6) == round(known, 6) == round(shown["MRR"], 6)
        assert len(options(url, "currency")) == 2
        assert options(url, "currency")[0] == "EUR", "the reporting currency comes first"


def test_the_kinds_of_the_waterfall_are_all_there(companies: dict[str, str]) -> None:
    url = companies["handmade"]
    columns, rows = asked(url, query_of(PANELS["What moved MRR"]), currency="EUR")
    with psycopg.connect(url) as connection:
        moved = connection.execute("select sum(closing - opening) from kpi.mrr_monthly").fetchone()[0]
    assert sum(row[name] for row in rows for name in columns[1:]) == moved
    assert len(rows) == 3


def test_significant_days_are_annotations(companies: dict[str, str]) -> None:
    (annotation,) = DASHBOARD["annotations"]["list"]
    assert annotation["rawQuery"] == annotation["target"]["rawSql"]
    columns, rows = asked(companies["abc"], annotation["rawQuery"])
    assert columns == ["time", "text", "tags"]
    assert len(rows) > 0
    assert all(isinstance(row["time"], datetime) and "instead of" in row["text"] for row in rows)


def test_every_panel_says_what_it_shows_and_has_a_place_of_its_own() -> None:
    assert len(PANELS) == len(DASHBOARD["panels"]) == len({panel["id"] for panel in DASHBOARD["panels"]})
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        assert panel["description"].endswith(".")
        assert panel["datasource"]["uid"] == "${datasource}"
        place = panel["gridPos"]
        squares = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not squares & taken
        assert place["x"] + place["w"] <= 24
        taken |= squares
