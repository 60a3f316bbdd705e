"""What of schema ``kpi`` is public, read from PostgreSQL's catalog.

Public is what ``pgmrr_reader`` may read or call; of functions, those whose COMMENT shows an example of a call.
The others are building blocks of these: their parameters are arrays of periods and the like.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

_VIEWS = """
select
    c.relname as name,
    coalesce(obj_description(c.oid, 'pg_class'), '') as comment,
    json_agg(
        json_build_object(
            'name', a.attname,
            'type', format_type(a.atttypid, null),
            'comment', coalesce(col_description(c.oid, a.attnum), '')
        )
        order by a.attnum
    ) as columns
from pg_catalog.pg_class c
join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
where c.relnamespace = 'kpi'::regnamespace
    and c.relkind = 'v'
    and has_table_privilege('pgmrr_reader', c.oid, 'select')
group by c.oid, c.relname
order by c.relname
"""

_FUNCTIONS = """
select
    p.proname as name,
    obj_description(p.oid, 'pg_proc') as comment,
    p.proretset as returns_table,
    format_type(p.prorettype, null) as returns,
    (
        select json_agg(
            json_build_object(
                'name', a.name,
                'type', format_type(a.type, null),
                'mode', coalesce(a.mode, 'i'),
                'default', pg_get_function_arg_default(p.oid, a.place::integer),
                'is_required', a.place <= p.pronargs - p.pronargdefaults
            )
            order by a.place
        )
        from unnest(p.proargnames, coalesce(p.proallargtypes, p.proargtypes::oid[]), p.proargmodes)
            with ordinality as a (name, type, mode, place)
    ) as arguments
from pg_catalog.pg_proc p
where p.pronamespace = 'kpi'::regnamespace
    and p.prokind = 'f'
    and has_function_privilege('pgmrr_reader', p.oid, 'execute')
    and obj_description(p.oid, 'pg_proc') like '%Example: %'
order by p.proname
"""

_EXAMPLE = re.compile(r"Example: (select .*?)\.?$", re.DOTALL)
_LITERAL = re.compile(r"'((?:[^']|'')*)'|([^\s,()]+)")


@dataclass(frozen=True)
class Column:
    """A column of an answer: its ``type`` as PostgreSQL writes it, and its COMMENT, which gives the unit."""

    name: str
    type: str
    comment: str = ""


@dataclass(frozen=True)
class Parameter:
    """A parameter of a function, called ``name`` over HTTP and ``p_name`` in SQL.

    ``default`` and ``example`` are as one writes them in a URL; None where there is none.
    """

    name: str
    type: str
    is_required: bool
    default: str | None
    example: str | None

    @property
    def argument(self) -> str:
        """Its name in SQL."""
        return f"p_{self.name}"


@dataclass(frozen=True)
class Endpoint:
    """A view or a function of ``kpi``. Its answer is one value, or rows of ``columns``."""

    name: str
    comment: str
    parameters: Sequence[Parameter]
    columns: Sequence[Column]
    is_function: bool
    is_scalar: bool

    @property
    def example(self) -> str:
        """The call that the COMMENT shows; empty for a view."""
        found = _EXAMPLE.search(self.comment)
        return found[1] if found and self.is_function else ""

    def pages_by(self, name: str) -> bool:
        """Whether ``limit`` or ``offset`` is about pages here: a function's own parameter goes first."""
        return not self.is_scalar and all(parameter.name != name for parameter in self.parameters)


def read_surface(connection: psycopg.Connection[Any]) -> dict[str, Endpoint]:
    """Every public view and function, by name."""
    with connection.cursor(row_factory=dict_row) as cursor:
        views = [_view(row) for row in cursor.execute(_VIEWS)]
        functions = [_function(row) for row in cursor.execute(sql.SQL(_FUNCTIONS))]
    return {endpoint.name: endpoint for endpoint in sorted([*views, *functions], key=lambda found: found.name)}


def _view(row: dict[str, Any]) -> Endpoint:
    return Endpoint(row["name"], row["comment"], [], [Column(**column) for column in row["columns"]], False, False)


def _function(row: dict[str, Any]) -> Endpoint:
    arguments = row["arguments"] or []
    inputs = [argument for argument in arguments if argument["mode"] in "ib"]
    examples = _example_arguments(row["comment"], row["name"], [argument["name"] for argument in inputs])
    columns = [Column(argument["name"], argument["type"]) for argument in arguments if argument["mode"] in "to"]
    return Endpoint(
        row["name"],
        row["comment"],
        [
            Parameter(
                argument["name"].removeprefix("p_"),
                argument["type"],
                argument["is_required"],
                _literal(argument["default"]),
                examples.get(argument["name"]),
            )
            for argument in inputs
        ],
        columns or [Column(row["name"], row["returns"], row["comment"])],
        True,
        not row["returns_table"],
    )


def _example_arguments(comment: str, name: str, parameters: Iterable[str]) -> dict[str, str | None]:
    """The arguments of the call that a COMMENT shows, by parameter."""
    call = re.search(rf"Example: .*?kpi\.{re.escape(name)}\(((?:'(?:[^']|'')*'|[^')])*)\)", comment, re.DOTALL)
    given = _LITERAL.finditer(call[1]) if call else ()
    return dict(zip(parameters, (_literal(literal[0]) for literal in given), strict=False))


def _literal(expression: str | None) -> str | None:
    """What a constant of SQL says, without its quotes and type; None for NULL, and for what is no constant."""
    found = re.fullmatch(r"'((?:[^']|'')*)'(?:::.+)?|(-?[\d.]+|true|false)(?:::.+)?", expression or "")
    if not found:
        return None
    return found[1].replace("''", "'") if found[1] is not None else found[2]
