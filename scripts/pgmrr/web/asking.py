"""Asks an endpoint's view or function. Names come from the catalog alone; values are bound, never spliced."""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass

from psycopg import sql

from pgmrr.csv_safety import safe_text
from pgmrr.web.pool import Connection
from pgmrr.web.surface import Endpoint

# What an answer depends on besides the request. The code's rows in the catalog are written anew whenever it is
# loaded; a batch number may come again after a reset, but not at the same time.
_STATE = """
select
    coalesce(b.batch_id, 0) as batch,
    concat_ws(' ', current_database(), extract(epoch from b.created_at)) as data,
    md5(concat(
        (
            select string_agg(format('%s %s', p.oid, p.xmin), ' ' order by p.oid)
            from pg_catalog.pg_proc p
            join pg_catalog.pg_namespace n on n.oid = p.pronamespace
            where n.nspname in ('kpi', 'pipeline')
        ),
        (
            select string_agg(format('%s %s', r.oid, r.xmin), ' ' order by r.oid)
            from pg_catalog.pg_rewrite r
            join pg_catalog.pg_class c on c.oid = r.ev_class
            where c.relnamespace = 'kpi'::regnamespace
        )
    )) as code
from (select 1) always
left join lateral (
    select l.batch_id, l.created_at from kpi.batches l order by l.batch_id desc limit 1
) b on true
"""


@dataclass(frozen=True)
class State:
    """The last batch (0 before the first), what tells its data from others', and what changes with the code."""

    batch: int
    data: str
    code: str


@dataclass(frozen=True)
class Page:
    """Which rows of an answer: ``limit`` of them after the first ``offset``."""

    limit: int
    offset: int


@dataclass(frozen=True)
class Answer:
    """Rows, each in its final spelling, and whether there are more after them."""

    rows: list[str]
    has_more: bool


def read_state(connection: Connection) -> State:
    """The state of what this transaction sees."""
    row = connection.execute(_STATE).fetchone()
    assert row is not None
    return State(*row)


def ask_value(connection: Connection, endpoint: Endpoint, given: Mapping[str, str]) -> str:
    """The value of a function, as JSON."""
    query = sql.SQL("select coalesce(to_json({call})::text, 'null')").format(call=_call(endpoint, given))
    row = connection.execute(query, _values(endpoint, given)).fetchone()
    assert row is not None
    return row[0]


def ask_rows(connection: Connection, endpoint: Endpoint, given: Mapping[str, str], page: Page) -> Answer:
    """A page of rows, each as a JSON object. PostgreSQL writes it, so that numbers keep every digit."""
    query = sql.SQL("select row_to_json(page)::text from ({page}) page").format(page=_page(endpoint, given))
    rows = [text for (text,) in connection.execute(query, _page_values(endpoint, given, page))]
    return Answer(rows[: page.limit], len(rows) > page.limit)


def ask_csv(connection: Connection, endpoint: Endpoint, given: Mapping[str, str], page: Page) -> Answer:
    """A page of rows as lines of CSV, the header first. Values are written as in JSON, NULL is empty.

    Text that a spreadsheet may take for a formula is disarmed by ``safe_text``; numbers are left alone.
    """
    if endpoint.is_scalar:
        query = sql.SQL("select to_json({call}) #>> '{{}}'").format(call=_call(endpoint, given))
        found = connection.execute(query, _values(endpoint, given)).fetchall()
    else:
        columns = sql.SQL(", ").join(
            sql.SQL("to_json(page.{name}) #>> '{{}}'").format(name=sql.Identifier(column.name))
            for column in endpoint.columns
        )
        query = sql.SQL("select {columns} from ({page}) page").format(columns=columns, page=_page(endpoint, given))
        found = connection.execute(query, _page_values(endpoint, given, page)).fetchall()
    is_text = [column.type == "text" for column in endpoint.columns]
    rows = [
        csv_line([safe_text(value) if value and text else value for value, text in zip(row, is_text, strict=True)])
        for row in found
    ]
    header = csv_line([column.name for column in endpoint.columns])
    return Answer([header, *rows[: page.limit]], len(rows) > page.limit)


def csv_line(values: list[str | None]) -> str:
    """A line of a CSV file, with its line feed."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(values)
    return buffer.getvalue()


def _call(endpoint: Endpoint, given: Mapping[str, str]) -> sql.Composed:
    """The call of a function by the names of the parameters that are given; the others have their defaults."""
    arguments = sql.SQL(", ").join(
        sql.SQL("{name} => {value}::{type}").format(
            name=sql.Identifier(parameter.argument),
            value=sql.Placeholder(parameter.name),
            type=sql.SQL(parameter.type),
        )
        for parameter in endpoint.parameters
        if parameter.name in given
    )
    return sql.SQL("kpi.{name}({arguments})").format(name=sql.Identifier(endpoint.name), arguments=arguments)


def _page(endpoint: Endpoint, given: Mapping[str, str]) -> sql.Composed:
    """One page of the rows, and the row after it, which tells that there are more.

    The order must be the same for every page. A function has an order of its own, by meaning, and keeps it; a
    view is ordered by all its columns, from the first: equal rows are the same row.
    """
    columns = [sql.Identifier(column.name) for column in endpoint.columns]
    if endpoint.is_function:
        source = sql.SQL("{call} with ordinality as answer ({columns}, place_of_row)").format(
            call=_call(endpoint, given), columns=sql.SQL(", ").join(columns)
        )
        order: sql.Composable = sql.SQL("place_of_row")
    else:
        source = sql.SQL("kpi.{name} answer").format(name=sql.Identifier(endpoint.name))
        order = sql.SQL(", ").join(
            sql.SQL("answer.{column}").format(column=column)
            for column, described in zip(columns, endpoint.columns, strict=True)
            if described.type != "json"  # it has no order
        )
    return sql.SQL(
        "select {columns} from {source} order by {order} limit %(page.limit)s offset %(page.offset)s"
    ).format(
        columns=sql.SQL(", ").join(sql.SQL("answer.{column}").format(column=column) for column in columns),
        source=source,
        order=order,
    )


def _values(endpoint: Endpoint, given: Mapping[str, str]) -> dict[str, object]:
    return {parameter.name: given[parameter.name] for parameter in endpoint.parameters if parameter.name in given}


def _page_values(endpoint: Endpoint, given: Mapping[str, str], page: Page) -> dict[str, object]:
    return {**_values(endpoint, given), "page.limit": page.limit + 1, "page.offset": page.offset}
