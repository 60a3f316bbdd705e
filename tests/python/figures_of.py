"""All figures that a database tells, as text that can be kept and compared."""

import json
from typing import Any

import psycopg

# Customers are asked on the last covered day of each month. Hints of rejected rows are words, which may be bettered.
QUERIES = {
    "ledger": "select to_jsonb(l) from kpi.ledger l",
    "mrr_monthly": "select to_jsonb(m) from kpi.mrr_monthly m",
    "mrr_explain": """
        select to_jsonb(e) || jsonb_build_object('customer_id', c.customer_id, 'day', d.day)
        from kpi.customer c
        cross join (select max(day) as day from kpi.mrr_daily group by date_trunc('month', day)) d
        cross join kpi.mrr_explain(c.customer_id, d.day) e
    """,
    "rejected_rows": "select to_jsonb(r) - 'hint' from kpi.rejected_rows r",
}

Figures = dict[str, list[dict[str, Any]]]


def figures_of(url: str) -> str:
    """The figures as JSON, amounts with all their digits."""
    with psycopg.connect(url) as connection:
        connection.execute("set timezone = 'UTC'")
        found = {
            name: [row for (row,) in connection.execute(f"select x::text from ({query}) q (x) order by 1".encode())]
            for name, query in QUERIES.items()
        }
    return json.dumps(found, indent=0)


def compared(told: str, now: str) -> tuple[Figures, Figures]:
    """What was told, and what is told now in the same columns: a later version may have added some."""
    then, today = (
        {name: [json.loads(row, parse_float=str) for row in rows] for name, rows in json.loads(figures).items()}
        for figures in (told, now)
    )
    for name, rows in then.items():
        columns = set(rows[0]) if rows else set()
        today[name] = [{column: row[column] for column in columns if column in row} for row in today[name]]
    return tuple({name: sorted(rows, key=_text) for name, rows in found.items()} for found in (then, today))


def _text(row: dict[str, Any]) -> str:
    return json.dumps(row, sort_keys=True)
