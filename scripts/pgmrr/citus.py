"""The code of pgmrr as a database needs it whose tables Citus has distributed.

PostgreSQL reads a function in FROM as if its query stood there. Citus reads a statement before that happens, and
refuses what it did not see; and the dependencies that PostgreSQL keeps for a parsed body (``begin atomic``) look
like circles to it. So there, functions that read tables keep their query as text, which is planned when they are
called; and where a statement must run where the rows are, the query of the function stands in its place.
"""

import re
from dataclasses import dataclass

import psycopg

from pgmrr.rows import only_row

# Whether Citus is installed, and whether it knows our tables; the second only where it is.
_INSTALLED = "select to_regclass('pg_catalog.pg_dist_partition') is not null"
_DISTRIBUTED = """
select exists (
    select from pg_catalog.pg_dist_partition p where p.logicalrelid = to_regclass('raw.invoice')
)
"""

_SERVERS = """
select distinct s.nodename, s.nodeport
from citus_shards s
where s.table_name = 'raw.invoice'::regclass
order by s.nodename, s.nodeport
"""

# The head of a function of ours whose query is parsed when it is made, and the query.
_FUNCTION = re.compile(
    r"^create or replace function (?P<name>[a-z_]+\.[a-z_0-9]+)\((?P<parameters>.*?)\)\n"
    r"returns (?P<returns>.*?)\n(?P<head>language sql\n(?:stable|volatile)\n.*?)"
    r"(?:begin atomic\n(?P<query>.*?)\nend|return (?P<expression>.*?));$",
    re.MULTILINE | re.DOTALL,
)
# Citus keeps what a subquery returns, and cannot keep rows without a column.
_NO_COLUMN = re.compile(r"\bselect(\s+from)\b")
_NAME = re.compile(r"^ *([a-z_0-9]+) ", re.MULTILINE)
_PARAMETER = re.compile(r"\b(p_[a-z_0-9]+) ([a-z ]+?(?:\[\])?)(?: default ([^,]+?))?\s*(?:,|$)")
# A call in FROM whose arguments are variables, and a statement that inserts what it returns.
_CALL = re.compile(
    r"\b(?P<join>from|join) (?P<name>[a-z_]+\.[a-z_0-9]+)\((?P<arguments>[a-z_0-9(): \[\],]*?)\) (?P<alias>[a-z_]+)\b"
)
_INSERT = re.compile(r"(?P<begin>\binsert into [^;]*?)(?P<call>\bfrom [a-z_]+\.[a-z_0-9]+\([a-z_0-9, ]*\) [a-z_]+);")
# A step of a query. Citus would try what becomes of the query with each step in the place of its name, in vain.
_STEP = re.compile(r"^( *(?:with )?[a-z_]+ as)(?: (?:not )?materialized)? \($", re.MULTILINE)
# Where a customer's rows are, as Citus tells it; as text, so that a backup can be restored where there is no Citus.
_PART = (
    "return 0::bigint;",
    "as $query$select pg_catalog.get_shard_id_for_distribution_column('raw.customer', p_customer)$query$;",
)
# What makes a customer's charges there.
_RULES = ("call pipeline.apply_rules(", "call pipeline.apply_rules_anew(")
# The query must stand in the statement, so that Citus inserts where the rows are: it cannot see into a function.
_MANY = ("_of_many(p_customers)", "(p_customers)")


def is_installed(connection: psycopg.Connection | psycopg.Cursor) -> bool:
    """Whether the database has the extension Citus."""
    return bool(only_row(connection.execute(_INSTALLED))[0])


def is_distributed(connection: psycopg.Connection | psycopg.Cursor) -> bool:
    """Whether Citus has distributed the tables of pgmrr in the database."""
    return is_installed(connection) and bool(only_row(connection.execute(_DISTRIBUTED))[0])


def servers(url: str) -> list[str]:
    """The servers that hold the parts of our tables, as name and port; none where they are not distributed."""
    with psycopg.connect(url, fallback_application_name="pgmrr") as connection:
        if not is_distributed(connection):
            return []
        return [f"{name}:{port}" for name, port in connection.execute(_SERVERS).fetchall()]


@dataclass(frozen=True)
class _Query:
    """The query of a function: its parameters with their types and defaults, and its columns."""

    text: str
    parameters: list[tuple[str, str, str]]
    columns: list[str]

    def called_with(self, arguments: list[str]) -> str:
        """The query with the arguments in the place of the parameters."""
        given = dict(zip((name for name, *_ in self.parameters), arguments, strict=False))
        values = {name: f"({given.get(name, default)})::{type_}" for name, type_, default in self.parameters}
        text = _STEP.sub(r"\1 materialized (", self.text)
        return re.sub(r"\bp_[a-z_0-9]+\b", lambda found: values.get(found[0], found[0]), text)


def adapted(texts: dict[str, str]) -> dict[str, str]:
    """The files, by their paths, as they are loaded where tables are distributed."""
    queries = {}
    for text in texts.values():
        for found in _FUNCTION.finditer(text):
            if found["query"] and found["returns"].startswith("table"):
                parameters = _PARAMETER.findall(found["parameters"])
                queries[found["name"]] = _Query(
                    found["query"].rstrip("; \n"), parameters, _NAME.findall(found["returns"].removeprefix("table ("))
                )
    return {path: _adapted(text, queries) for path, text in texts.items()}


def _adapted(text: str, queries: dict[str, _Query]) -> str:
    expanded = _expanded(text.replace(*_PART).replace(*_RULES).replace(*_MANY), queries)
    return _NO_COLUMN.sub(r"select 1\1", _FUNCTION.sub(_with_text, expanded))


def _with_text(found: re.Match[str]) -> str:
    if found["expression"] and "select" not in found["expression"]:
        return found[0]  # it reads no table
    query = found["query"] or f"    select {found['expression']};"
    return (
        f"create or replace function {found['name']}({found['parameters']})\nreturns {found['returns']}\n"
        f"{found['head']}set search_path = ''\nas $query$\n{query}\n$query$;"
    )


def _expanded(text: str, queries: dict[str, _Query]) -> str:
    """The text with queries in the place of the functions from which a statement inserts."""

    def query_of(call: re.Match[str]) -> str:
        query = queries.get(call["name"])
        if query is None:
            return call[0]
        arguments = [argument.strip() for argument in call["arguments"].split(",") if argument.strip()]
        inner = _CALL.sub(query_of, query.called_with(arguments))
        return f"{call['join']} (\n{inner}\n) {call['alias']} ({', '.join(query.columns)})"

    def statement_of(statement: re.Match[str]) -> str:
        call = _CALL.search(statement["call"])
        if call is None or call["name"] not in queries:
            return statement[0]
        # Citus inserts where the rows are, if the customer comes from a table and through no step of a query.
        alias, chosen = call["alias"], call["arguments"]
        return "\n".join(
            [
                statement["begin"].replace(f"{alias}.customer_id", "k.customer_id") + "from (",
                f"select r.customer_id from raw.invoice r where r.customer_id = any({chosen}) group by r.customer_id",
                f") k join {query_of(call).removeprefix('from ')}",
                f"on {alias}.customer_id = k.customer_id;",
            ]
        )

    return _INSERT.sub(statement_of, text)
