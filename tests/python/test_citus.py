"""Laid over several servers by Citus, a database holds and tells what one server does, and works where the rows are.

Those marked ``citus`` need a cluster: PGMRR_CITUS_URL is the URL, for a superuser, of a database on the coordinator
that knows its workers (``pg_dist_node``), and these can be reached from here under the names that they have there.
Without it they are skipped.
"""

import os
import re
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo
from psycopg.rows import dict_row
from psycopg.types.string import TextLoader

from conftest import need
from pgmrr import citus
from pgmrr.database import choose
from pgmrr.distribution import distribute, tables
from pgmrr.doctor import examine
from pgmrr.errors import PgmrrError
from pgmrr.migrations import migrate

HERE = Path(__file__).resolve().parents[2]
HANDMADE = HERE / "tests" / "data" / "handmade"
CLUSTER = os.environ.get("PGMRR_CITUS_URL", "")

on_citus = pytest.mark.skipif(not CLUSTER, reason="PGMRR_CITUS_URL names no coordinator: see the head of test_citus.py")

# What a function is asked with, by the names of its parameters; others are asked with their defaults.
ARGUMENTS = {
    "p_attribute": "'currency'",
    "p_batch": "1",
    "p_boundaries": "kpi.month_boundaries()",
    "p_customer": "(select min(customer_id) from kpi.ledger)",
    "p_date": "(select complete_through from kpi.coverage)",
    "p_first_on": "(select observed_from from kpi.coverage)",
    "p_grain": "'month'",
    "p_last_on": "(select complete_through from kpi.coverage)",
    "p_months": "6",
    "p_steps": "6",
}

# When something was written, and its number, are the database's own.
OWN = {"created_at", "created_by", "changed_at", "change_id", "loaded_at"}

Both = Callable[..., None]


def pgmrr(url: str, *arguments: str) -> None:
    """Run a command on the database."""
    done = subprocess.run(
        [sys.executable, "-m", "pgmrr", *arguments, "--database", url], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def servers() -> list[tuple[str, int]]:
    """The coordinator, and its workers, as name and port."""
    with psycopg.connect(CLUSTER) as connection:
        workers = connection.execute(
            "select nodename, nodeport from pg_dist_node where groupid <> 0 and noderole = 'primary' order by groupid"
        ).fetchall()
        return [(connection.info.host, connection.info.port), *workers]


@pytest.fixture(scope="module")
def new_cluster_database() -> Iterator[Callable[[bool], str]]:
    """A function that makes a database of the cluster, or one on the coordinator alone; all are dropped in the end."""
    made: list[tuple[str, list[tuple[str, int]]]] = []

    def create(is_spread: bool) -> str:
        name = f"pgmrr_test_{uuid.uuid4().hex[:12]}"
        places = servers() if is_spread else servers()[:1]
        made.append((name, places))
        for host, port in places:
            with psycopg.connect(make_conninfo(CLUSTER, host=host, port=port), autocommit=True) as connection:
                connection.execute("set citus.enable_create_database_propagation = off")
                connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
            if is_spread:
                with psycopg.connect(make_conninfo(CLUSTER, host=host, port=port, dbname=name)) as connection:
                    connection.execute("create extension citus")
        url = make_conninfo(CLUSTER, dbname=name)
        if is_spread:
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute("select citus_set_coordinator_host(%s, %s)", places[0])
                for place in places[1:]:
                    connection.execute("select citus_add_node(%s, %s)", place)
        return url

    yield create
    for name, places in made:
        for host, port in places:
            with psycopg.connect(make_conninfo(CLUSTER, host=host, port=port), autocommit=True) as connection:
                connection.execute("set citus.enable_create_database_propagation = off")
                connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))


def rows(connection: psycopg.Connection[Any], query: str) -> list[str]:
    """The rows as text, in an order of their own; or the error's SQLSTATE."""
    try:
        found = connection.execute(query.encode()).fetchall()
    except psycopg.errors.RaiseException as error:
        return [f"error {error.sqlstate}"]
    return sorted(str({name: value for name, value in row.items() if name not in OWN}) for row in found)


def asked(connection: psycopg.Connection[Any]) -> dict[str, str]:
    """All that a database can be asked: tables of data, views and functions of ``kpi``."""
    queries = {}
    for row in connection.execute(
        """
        select schemaname || '.' || tablename as name
        from pg_tables
        where schemaname in ('raw', 'billing', 'usage', 'ledger', 'meta')
            and tablename !~ 'yoyo|checksum'
        union all
        select 'kpi.' || viewname from pg_views where schemaname = 'kpi'
        """
    ).fetchall():
        queries[row["name"]] = f"select * from {row['name']}"
    for row in connection.execute(
        """
        select
            proname as name,
            coalesce(proargnames[1:pronargs], '{}') as parameters,
            pronargs - pronargdefaults as needed
        from pg_proc
        where pronamespace = 'kpi'::regnamespace
        """
    ).fetchall():
        given = [name for name in row["parameters"] if name in ARGUMENTS]
        if set(row["parameters"][: row["needed"]]) <= ARGUMENTS.keys():
            arguments = ", ".join(f"{name} => {ARGUMENTS[name]}" for name in given)
            queries[f"kpi.{row['name']}()"] = f"select * from kpi.{row['name']}({arguments}) f"
    return queries


def assert_equal(one: str, spread: str) -> None:
    """Both hold and tell the same, to the last digit."""
    compared = 0
    with (
        psycopg.connect(one, autocommit=True, row_factory=dict_row) as left,
        psycopg.connect(spread, autocommit=True, row_factory=dict_row) as right,
    ):
        for connection in (left, right):
            connection.execute("set timezone = 'UTC'")
            for name in ("date", "timestamptz"):  # Python knows no infinity of them
                connection.adapters.register_loader(name, TextLoader)
        queries = asked(left)
        for name, query in queries.items():
            expected = rows(left, query)
            assert rows(right, query) == expected, name
            compared += len(expected)
    assert len(queries) > 100
    assert compared > 500


@pytest.fixture(scope="module")
def saas(new_cluster_database: Callable[[bool], str]) -> tuple[str, str]:
    """A simulated company, on one server; and on several, where it was laid over them when it was there."""
    urls = new_cluster_database(False), new_cluster_database(True)
    for url in urls:
        migrate(url)
        pgmrr(url, "simulate", "--profile", "saas", "--companies", "150", "--months", "18")
    distribute(urls[1])
    return urls


@pytest.fixture(scope="module")
def export(new_cluster_database: Callable[[bool], str]) -> tuple[str, str]:
    """A Stripe export, on one server; and on several, over which the tables were laid while they were empty."""
    urls = new_cluster_database(False), new_cluster_database(True)
    for url in urls:
        migrate(url)
    distribute(urls[1])
    for url in urls:
        pgmrr(
            url, "import", "stripe",
            "--invoices", str(HANDMADE / "invoices.csv"), "--customers", str(HANDMADE / "customers.csv"),
        )  # fmt: skip
    return urls


@pytest.mark.citus
@on_citus
def test_a_company_that_is_laid_over_servers_stays_what_it_was(saas: tuple[str, str]) -> None:
    one, spread = saas
    assert_equal(one, spread)
    with psycopg.connect(spread) as connection:
        assert {table.name for table in tables(connection) if not table.is_done} == set()
    assert distribute(spread) == []
    assert migrate(spread).applied == []
    with psycopg.connect(spread) as connection:
        connection.execute("call pipeline.rebuild()")
    assert_equal(one, spread)
    assert [found.check_name for found in examine(choose(spread, None)) if found.state == "wrong"] == []


@pytest.mark.citus
@on_citus
def test_what_is_done_on_several_servers_is_what_is_done_on_one(export: tuple[str, str], tmp_path: Path) -> None:
    lines = tmp_path / "lines.csv"
    header = "cust,inv,amt,cur,from,to,day\n"
    lines.write_text(
        header
        + "k1,l1,100.00,EUR,2024-01-01,2024-02-01,2024-01-01\n"
        + "k1,l2,100.00,EUR,2024-02-01,2024-03-01,2024-02-01\n"
        + "k2,l3,1200.00,EUR,2024-01-15,2025-01-15,2024-01-15\n"
        + "k3,l4,none,EUR,2024-03-10,2024-04-10,2024-03-10\n",
        encoding="utf-8",
    )
    later = tmp_path / "later.csv"
    corrected = lines.read_text(encoding="utf-8").replace("none", "70.00").replace("l2,100", "l2,90")
    later.write_text(corrected, encoding="utf-8")
    names = "customer=cust,id=inv,amount=amt,currency=cur,start=from,end=to,issued=day"
    steps: list[list[str]] = [
        [],
        ["import", "lines", str(lines), "--map", names],
        ["import", "lines", str(later), "--map", names, "--replace"],
        ["settings", "time_zone", "Asia/Tokyo"],
        ["fx", "--set", "USD=1.25"],
        ["undo", "--yes"],
        ["undo", "--yes"],
        ["undo", "--yes"],
    ]
    for step in steps:
        for url in export if step else []:
            pgmrr(url, *step)
        assert_equal(*export)
    with psycopg.connect(export[1]) as connection:
        changes = connection.execute(
            "select count(*) from meta.setting_change where not is_starting_point and name = 'time_zone'"
        ).fetchone()
    assert changes == (2,)  # there and back, each once, however many servers have a copy of the setting


def inserts_of(text: str) -> list[str]:
    """The statements that fill the charges and the ledger."""
    without_comments = re.sub(r"--.*", "", text)
    return re.findall(r"insert into (?:billing\.charge_cents|ledger\.movement_cents)[^;]*;", without_comments)


def plan(connection: psycopg.Connection[Any], query: str) -> str:
    """The plan of a query, as text."""
    return "\n".join(row[0] for row in connection.execute(f"explain (costs off) {query}".encode()).fetchall())


@pytest.mark.citus
@on_citus
def test_a_backup_of_several_servers_is_restored_on_one_and_on_several(
    saas: tuple[str, str], new_cluster_database: Callable[[bool], str], tmp_path: Path
) -> None:
    pgmrr(saas[1], "backup", str(tmp_path / "saas.pgmrr"))
    alone, spread = new_cluster_database(False), new_cluster_database(True)
    for url in (alone, spread):
        pgmrr(url, "restore", str(tmp_path / "saas.pgmrr"))
    distribute(spread)
    for url in (alone, spread):
        assert_equal(saas[0], url)
        pgmrr(url, "doctor")


@pytest.mark.citus
@on_citus
def test_mrr_of_a_customer_is_asked_of_one_part(saas: tuple[str, str]) -> None:
    with psycopg.connect(saas[1]) as connection:
        [body] = connection.execute("select prosrc from pg_proc where oid = 'kpi.mrr_at(text,date,text)'::regprocedure")
        values = {"p_customer": "'cus_000001'", "p_date": "date '2023-01-15'", "p_currency": "null::text"}
        query = re.sub(r"\bp_[a-z]+\b", lambda found: values[found[0]], body[0])
        shown = plan(connection, query)
    assert shown.count("Task Count: 1\n") == 1
    assert "Distributed Subplan" not in shown
    assert re.search(r"history_\d+", shown)
    assert "movement_cents" not in shown


@pytest.mark.citus
@on_citus
def test_charges_and_movements_are_made_where_the_rows_are(saas: tuple[str, str]) -> None:
    with psycopg.connect(saas[1]) as connection:
        [body] = connection.execute(
            "select prosrc from pg_proc where oid = 'pipeline.apply_rules_anew(text[])'::regprocedure"
        )
        [customers] = connection.execute(
            """
            select array_agg(customer_id)
            from (select distinct customer_id from raw.invoice) c
            group by pipeline.part_of(customer_id)
            order by count(*) desc
            limit 1
            """
        )
        assert len(customers[0]) > 5
        [[parts]] = connection.execute(
            "select count(*) from pg_dist_shard where logicalrelid = 'billing.charge_cents'::regclass"
        )
        inserts = inserts_of(body[0])
        assert len(inserts) == 2
        for insert in inserts:
            some = connection.execute("select quote_literal(%s::text[])", [customers[0]]).fetchone()
            shown = plan(connection, re.sub(r"\bp_customers\b", str(some and some[0]), insert))
            # One task a part, though the customers are all of one: the others find none of them, and write nothing.
            assert shown.startswith(f"Custom Scan (Citus Adaptive)\n  Task Count: {parts}\n")
            assert "->  Insert on" in shown
            assert not re.search("pull to coordinator|repartition|Distributed Subplan", shown)


@pytest.mark.citus
@on_citus
@pytest.mark.parametrize("procedure", ["keep_histories", "update_paying"])
def test_what_is_kept_of_each_customer_is_made_where_the_rows_are(saas: tuple[str, str], procedure: str) -> None:
    with psycopg.connect(saas[1]) as connection:
        parts = connection.execute(
            "select count(*) from pg_dist_shard where logicalrelid = 'ledger.history'::regclass"
        ).fetchone()
        body = connection.execute(
            "select prosrc from pg_proc where oid = %s::regprocedure", [f"pipeline.{procedure}(text[])"]
        ).fetchone()
        assert parts and body
        [insert] = re.findall(r"insert into ledger\.[^;]*;", body[0])
        shown = plan(connection, insert.replace("p_customers", "null::text[]").replace("v_day", "date '2023-01-15'"))
    assert f"Task Count: {parts[0]}\n" in shown
    assert "->  Insert on" in shown
    assert not re.search("pull to coordinator|repartition|Distributed Subplan", shown)


@pytest.mark.citus
@on_citus
def test_what_became_of_invoices_is_counted_where_the_rows_are(saas: tuple[str, str]) -> None:
    """The counts alone come to the coordinator: each server groups its own invoices."""
    with psycopg.connect(saas[1]) as connection:
        parts = connection.execute(
            "select count(*) from pg_dist_shard where logicalrelid = 'raw.invoice'::regclass"
        ).fetchone()
        body = connection.execute(
            "select prosrc from pg_proc where oid = 'pipeline.fates(text[])'::regprocedure"
        ).fetchone()
        assert parts and body
        counting = body[0].rpartition("return query")[2].partition(";")[0]
        shown = plan(connection, counting.replace("p_customers", "null::text[]"))
    assert f"Task Count: {parts[0]}\n" in shown
    coordinator, _, task = shown.partition("->  Task")
    assert "Aggregate" in task
    assert "Aggregate" not in coordinator
    assert not re.search("pull to coordinator|repartition|Distributed Subplan", shown)


@pytest.mark.citus
@on_citus
def test_totals_by_day_are_added_up_where_the_rows_are(saas: tuple[str, str]) -> None:
    with psycopg.connect(saas[1]) as connection:
        [parts] = connection.execute(
            "select count(*) from pg_dist_shard where logicalrelid = 'ledger.movement_cents'::regclass"
        )
        [body] = connection.execute(
            "select prosrc from pg_proc where oid = 'pipeline.changes_by_day(text[])'::regprocedure"
        )
        adding_up = body[0].partition("return query")[2].partition(";")[0]
        shown = plan(connection, adding_up.replace("p_customers", "null::text[]"))
    assert f"Task Count: {parts[0]}\n" in shown
    assert re.search(r"Task\n(?:.*\n)+? +-> +(?:Hash|Group)Aggregate", shown)
    assert "Distributed Subplan" not in shown


@pytest.mark.citus
@on_citus
def test_tables_are_divided_alike(saas: tuple[str, str]) -> None:
    with psycopg.connect(saas[1]) as connection:
        laid = connection.execute(
            "select citus_table_type, count(*), count(distinct colocation_id) from citus_tables group by 1 order by 1"
        ).fetchall()
        by_customer = sum(table.is_by_customer for table in tables(connection))
    assert [(kind, alike) for kind, _, alike in laid] == [("distributed", 1), ("reference", 1)]
    assert dict((kind, count) for kind, count, _ in laid)["distributed"] == by_customer == 10


def test_a_server_without_citus_is_refused_in_a_line(new_database: Callable[..., str]) -> None:
    url = new_database()
    migrate(url)
    with pytest.raises(PgmrrError, match=r"^database \S+ has no extension citus$") as error:
        distribute(url)
    assert "create extension citus" in str(error.value.hint)


def procedures() -> dict[str, str]:
    root = HERE / "procedures"
    return {path.relative_to(root).as_posix(): path.read_text(encoding="utf-8") for path in root.rglob("*.sql")}


def test_functions_that_read_tables_keep_their_query_as_text_for_citus() -> None:
    texts = procedures()
    adapted = citus.adapted(texts)
    kept = [path for path, text in texts.items() if re.search(r"\n(?:stable|volatile)\n[^$]*?\nbegin atomic\n", text)]
    assert len(kept) > 50
    assert [path for path in kept if "begin atomic" in adapted[path]] == []
    assert [path for path in kept if "set search_path = ''\nas $query$" not in adapted[path]] == []
    assert [path for path, text in adapted.items() if re.search(r"\bselect\s+from\b", text)] == []


def test_what_a_refresh_inserts_stands_in_its_statements_for_citus() -> None:
    adapted = citus.adapted(procedures())
    [rules] = [text for path, text in adapted.items() if path.endswith("_apply_rules_anew.sql")]
    inserts = inserts_of(rules)
    assert len(inserts) == 2
    for insert in inserts:
        assert not re.search(r"\bpipeline\.(?:charges|movements|priced_charges|service_periods)\(", insert)
        assert set(re.findall(r"\bp_[a-z]+\b", insert)) == {"p_customers"}
        # Each table that is divided is asked for the customers at hand alone: so Citus knows the part.
        read = re.findall(r"\b(?:from|join) (?:raw\.invoice|raw\.customer|billing\.charge_cents) ", insert)
        chosen = re.findall(r"\b\w+\.customer_id = any\(\(*p_customers\b", insert)
        assert len(read) == len(chosen) > 1


def test_the_cluster_to_try_is_one_that_compose_reads(repository: Path) -> None:
    file = repository / "docker-compose.citus.yml"
    program = need("docker-compose")
    done = subprocess.run([program, "--file", str(file), "config"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    text = file.read_text(encoding="utf-8")
    assert re.findall(r"^ {2}([a-z0-9]+):$", text[text.index("services:") :], re.MULTILINE)[:4] == [
        "coordinator", "worker1", "worker2", "cluster",
    ]  # fmt: skip
    assert re.findall(r"^ {6}- \"(\S+?):", text, re.MULTILINE) == ["127.0.0.1"]
