"""The API: every public view and function, as SQL says it, to those who may ask, and without a way to write."""

import base64
import csv
import io
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import schemathesis
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from schemathesis.generation import GenerationMode
from starlette.testclient import TestClient

from conftest import Server
from pgmrr.csv_safety import safe_text
from pgmrr.sessions import open_session
from pgmrr.simulation import Parameters, simulate
from pgmrr.web.app import create_app
from pgmrr.web.index import example_url
from pgmrr.web.pool import Pool
from pgmrr.web.surface import Endpoint, read_surface
from pgmrr.web.values import parameter_schema
from test_cli import pgmrr

HOME = "http://127.0.0.1"

# Names that a spreadsheet or a browser might run.
NAMES = {"abc_000001": '=HYPERLINK("http://example.com")', "abc_000002": "<script>alert(1)</script>"}

# What schemathesis holds a response against. Not that everything of the right type is accepted: a text may name
# no attribute, and two days may be upside down.
CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "unsupported_method",
    "allow_header_conformance",
]

PUBLIC = """
select c.relname from pg_class c where c.relnamespace = 'kpi'::regnamespace and c.relkind = 'v'
union all
select p.proname from pg_proc p
where p.pronamespace = 'kpi'::regnamespace and obj_description(p.oid) like '%Example: select%'
"""


@pytest.fixture(scope="module")
def abc(server: Server, template: str) -> Iterator[str]:
    """The URL of a database that holds a small ABC Enterprises, with two odd names."""
    with server.databases() as create:
        url = create(template=template)
        with open_session(url) as connection:
            simulate(connection, Parameters(companies=40, months=6))
            for customer, name in NAMES.items():
                connection.execute("update raw.customer set name = %s where customer_id = %s", [name, customer])
        yield url


@contextmanager
def serving(url: str, *, timeout: float = 30, is_loopback: bool = True, token: str | None = None) -> Iterator[Any]:
    """A client of an application on a database."""
    app = create_app(Pool(url, timeout), is_loopback=is_loopback, token=token)
    with TestClient(app, base_url=HOME) as client:
        yield client


@pytest.fixture(scope="module")
def api(abc: str) -> Iterator[TestClient]:
    """A client of the API on ABC Enterprises."""
    with serving(abc) as client:
        yield client


@pytest.fixture(scope="module")
def reader(abc: str) -> Iterator[psycopg.Connection]:
    """A reader's session on ABC Enterprises."""
    with psycopg.connect(abc, options="-c role=pgmrr_reader -c jit=off", autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="module")
def surface(reader: psycopg.Connection) -> dict[str, Endpoint]:
    """All endpoints."""
    return read_surface(reader)


def exact(text: str) -> Any:
    """JSON with numbers as decimals."""
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


def all_rows(api: TestClient, address: str) -> list[dict[str, Any]]:
    """The rows of all pages."""
    rows: list[dict[str, Any]] = []
    next_: str | None = address
    while next_:
        answer = api.get(next_)
        assert answer.status_code == 200, answer.text
        page = exact(answer.text)
        rows += page["rows"]
        next_ = page["next"]
    return rows


def plain(rows: list[dict[str, Any]]) -> Counter[str]:
    """Rows as a multiset."""
    return Counter(json.dumps(row, default=str) for row in rows)


# -- every figure ---------------------------------------------------------------------------------


def test_every_public_view_and_function_has_an_endpoint(
    api: TestClient, reader: psycopg.Connection, surface: dict[str, Endpoint]
) -> None:
    public = {name for (name,) in reader.execute(PUBLIC.encode())}
    paths = api.get("/api/openapi.json").json()["paths"]
    assert {f"/api/{name}" for name in public} == set(paths)
    assert public == set(surface)
    assert len(public) > 65
    index = api.get("/api")
    assert index.headers["content-type"] == "text/html; charset=utf-8"
    assert set(re.findall(r'href="/api/([a-z_0-9]+)[?"]', index.text)) == public


def test_endpoints_say_what_sql_says(api: TestClient, reader: psycopg.Connection, surface: dict[str, Endpoint]) -> None:
    """Of every view, and of the call that a function's COMMENT shows: all rows and columns, every digit."""
    compared = 0
    for endpoint in surface.values():
        call = endpoint.example or f"select * from kpi.{endpoint.name}"
        columns = {column.name for column in reader.execute(call.encode()).description or ()}
        [(told,)] = reader.execute(f"select coalesce(json_agg(r), '[]')::text from ({call}) r".encode()).fetchall()
        expected = exact(told)
        if endpoint.is_scalar:
            answer = api.get(example_url(endpoint))
            assert answer.status_code == 200, answer.text
            assert exact(answer.text) == {"value": expected[0][endpoint.name]}
        else:
            rows = all_rows(api, example_url(endpoint))
            assert plain([{name: row[name] for name in row if name in columns} for row in rows]) == plain(expected), (
                call
            )
        compared += len(expected)
    assert compared > 2500


def test_pages_hold_every_row_once(api: TestClient, surface: dict[str, Endpoint]) -> None:
    several = 0
    for endpoint in surface.values():
        if endpoint.is_scalar or not endpoint.pages_by("limit"):
            continue
        address = example_url(endpoint)
        whole = all_rows(api, f"{address}{'&' if '?' in address else '?'}limit=10000")[:40]
        by_seven = all_rows(api, f"{address}{'&' if '?' in address else '?'}limit=7") if len(whole) < 40 else []
        if by_seven:
            assert by_seven == whole, endpoint.name
            several += len(whole) > 7
    assert several >= 10
    charges = all_rows(api, "/api/charge?limit=10000")
    assert len(charges) > 100
    assert all_rows(api, "/api/charge?limit=37") == charges
    assert all_rows(api, "/api/movements?limit=11") == all_rows(api, "/api/movements?limit=10000")


def test_the_limit_of_a_function_is_its_own(api: TestClient) -> None:
    assert [row["rank"] for row in all_rows(api, "/api/biggest_customers?limit=3")] == [1, 2, 3]


def test_what_is_unknown_is_null(api: TestClient) -> None:
    assert api.get("/api/mrr_at?customer=nobody&date=2024-02-10").json() == {"value": None}
    assert api.get("/api/mrr_total_at?date=2030-01-01").json() == {"value": None}
    answer = api.get("/api/mrr_total_at?date=2030-01-01", headers={"Accept": "text/csv"})
    assert answer.text == 'mrr_total_at\n""\n'


def test_new_code_is_served_at_once(database: str) -> None:
    with serving(database) as api, open_session(database) as connection:
        assert api.get("/api/answer").status_code == 404
        old = api.get("/api/openapi.json").headers["etag"]
        connection.execute("create function kpi.answer() returns integer language sql stable return 42")
        connection.execute("comment on function kpi.answer() is 'The answer. Example: select kpi.answer().'")
        connection.execute("grant execute on function kpi.answer() to pgmrr_reader")
        assert api.get("/api/answer").json() == {"value": 42}
        again = api.get("/api/openapi.json", headers={"If-None-Match": old})
        assert again.status_code == 200
        assert "/api/answer" in again.json()["paths"]


# -- as the document says -------------------------------------------------------------------------


def test_parameters_are_described_as_the_catalog_has_them(api: TestClient) -> None:
    paths = api.get("/api/openapi.json").json()["paths"]
    described = {found["name"]: found for found in paths["/api/mrr_at"]["get"]["parameters"]}
    assert {name: found["required"] for name, found in described.items()} == {
        "customer": True,
        "date": True,
        "currency": False,
    }
    assert described["date"]["schema"] == {"type": "string", "format": "date"}
    assert described["date"]["example"] == "2024-06-30"
    months = next(found for found in paths["/api/forecast"]["get"]["parameters"] if found["name"] == "months")
    assert months["schema"] == {**parameter_schema("integer"), "default": 6}
    row = paths["/api/mrr_monthly"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    closing = row["properties"]["rows"]["items"]["properties"]["closing"]
    assert closing["type"] == ["number", "null"]
    assert closing["description"]


def test_the_api_is_what_its_document_says(abc: str) -> None:
    """Schemathesis: whatever is asked, right or wrong, the answer is one that the document names."""
    app = create_app(Pool(abc, 30), is_loopback=False, token=None)
    schema = schemathesis.openapi.from_asgi("/api/openapi.json", app)
    checks = schemathesis.checks.CHECKS.get_by_names(CHECKS)
    answered: Counter[int] = Counter()

    def ask(case: schemathesis.Case) -> None:
        answered[int(case.call_and_validate(checks=checks).status_code)] += 1

    examples = hypothesis_settings(
        max_examples=50 if os.environ.get("PGMRR_TEST_FULL") else 2,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    operations = [found.ok() for found in schema.get_all_operations()]
    for operation in operations:
        for mode in GenerationMode:
            examples(given(operation.as_strategy(generation_mode=mode))(ask))()
    assert len(operations) > 65
    assert answered[200] > 65
    assert answered[400] > 65
    assert set(answered) <= {200, 400, 405, 422}


# -- what is refused ------------------------------------------------------------------------------

REFUSED = {
    "/api/nothing": (404, None, "no such view or function"),
    "/api/draw?path=1&key=1": (404, None, "no such view or function"),  # a building block
    "/nothing/at/all": (404, None, "/api lists"),
    "/api/mrr_at?customer=a": (400, None, "date: it is missing"),
    "/api/mrr_at?customer=a&date=today": (400, None, "date: a day is written as 2024-06-30"),
    "/api/mrr_at?customer=a&date=2024-02-30": (400, None, "date:"),
    "/api/mrr_at?customer=a%00&date=2024-02-01": (400, None, "NUL"),
    "/api/mrr_at?customer=%ff&date=2024-02-01": (400, None, "UTF-8"),
    "/api/mrr_at?customer=a&customer=b&date=2024-02-01": (400, None, "twice"),
    "/api/mrr_at?customer=a&date=2024-02-01&limit=1": (400, None, "limit: there is no such parameter"),
    "/api/mrr_monthly?limit=0": (400, None, "limit: it is a whole number from 1"),
    "/api/mrr_monthly?limit=10001": (400, None, "limit:"),
    "/api/mrr_monthly?offset=-1": (400, None, "offset:"),
    "/api/mrr_monthly?nonsense=1": (400, None, "there is limit, offset"),
    "/api/forecast?months=1.5": (400, None, "months:"),
    "/api/forecast?months=9999999999": (400, None, "months:"),
    "/api/forecast?level=NaN": (400, None, "level:"),
    "/api/forecast?months=0": (422, "MR004", "month"),
    "/api/segment?attribute=nothing": (422, "MR004", "unknown attribute"),
    "/api/movements?from=2024-03-01&to=2024-02-01": (422, "MR006", "upside down"),
    "/api/mrr_at?customer=abc_000001&date=2024-02-01&currency=XXX": (422, "MR005", "XXX"),
}


@pytest.mark.parametrize("address", REFUSED)
def test_an_error_is_a_problem_that_names_itself(api: TestClient, address: str) -> None:
    status, code, part = REFUSED[address]
    answer = api.get(address)
    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, problem["status"], problem.get("code")) == (status, status, code)
    assert part in problem["detail"]
    assert {"type", "title"} <= set(problem)
    assert code is None or problem["hint"]


def test_only_get_is_served(api: TestClient) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
        answer = api.request(method, "/api/mrr_monthly")
        assert answer.status_code == 405
        assert "GET" in answer.headers["allow"]
        assert answer.headers["content-type"] == "application/problem+json"
    assert api.head("/api/mrr_monthly").status_code == 200


def test_only_json_and_csv_are_served(api: TestClient) -> None:
    assert api.get("/api/headline", headers={"Accept": "image/png"}).status_code == 406
    assert api.get("/api/headline", headers={"Accept": "text/csv;q=0, application/json;q=0"}).status_code == 406
    for accept, type_ in {
        "": "application/json",
        "*/*": "application/json",
        "text/html, */*;q=0.1": "application/json",
        "text/*": "text/csv",
        "application/json;q=0.5, text/csv": "text/csv",
    }.items():
        answer = api.get("/api/headline", headers={"Accept": accept})
        assert answer.headers["content-type"].split(";")[0] == type_


INJECTIONS = [
    "'; drop schema kpi cascade; --",
    "$$; delete from raw.customer; $$",
    "%(page.limit)s {} %s",
    "x' union select set_config('role', 'none', false) --",
]


def test_no_text_reaches_sql_but_as_a_value(
    api: TestClient, reader: psycopg.Connection, surface: dict[str, Endpoint]
) -> None:
    before = reader.execute("select count(*), sum(m.change) from kpi.ledger m").fetchall()
    asked = 0
    for endpoint in surface.values():
        example = {found.name: found.example for found in endpoint.parameters if found.example is not None}
        for parameter in endpoint.parameters:
            if parameter.type != "text":
                continue
            for text in INJECTIONS:
                answer = api.get(f"/api/{endpoint.name}", params={**example, parameter.name: text})
                assert answer.status_code in (200, 422), answer.text
                assert answer.status_code == 200 or answer.json()["code"].startswith("MR")
                asked += 1
    assert asked >= 40
    assert reader.execute("select count(*), sum(m.change) from kpi.ledger m").fetchall() == before


def test_the_session_is_a_reader_that_cannot_write(abc: str) -> None:
    pool = Pool(abc, 30)
    assert pool.becomes_reader()
    refusals = (psycopg.errors.ReadOnlySqlTransaction, psycopg.errors.InsufficientPrivilege)
    for write in ("delete from raw.customer", "delete from kpi.balance", "create temporary table t ()"):
        with pytest.raises(refusals), pool.reading() as connection:
            connection.execute(write.encode())
    with pool.reading() as connection:
        assert connection.execute(
            "select current_user, current_setting('transaction_read_only'), current_setting('transaction_isolation')"
        ).fetchone() == ("pgmrr_reader", "on", "repeatable read")
    pool.close()


def test_a_login_that_may_not_become_a_reader_reads_with_its_own_rights(server: Server, abc: str) -> None:
    name = psycopg.conninfo.conninfo_to_dict(abc)["dbname"]
    with server.connect(str(name)) as connection:
        connection.execute("create role pgmrr_test_guest login password 'guest'")
        try:
            connection.execute("grant usage on schema kpi to pgmrr_test_guest")
            connection.execute("grant select on kpi.batches, kpi.customer_count to pgmrr_test_guest")
            pool = Pool(server.url(str(name), user="pgmrr_test_guest", password="guest"), 30)
            assert not pool.becomes_reader()
            with TestClient(create_app(pool, is_loopback=True, token=None), base_url=HOME) as api:
                assert api.get("/api/customer_count").json()["rows"][0]["known"] == 40
                refused = api.get("/api/mrr_monthly")
                assert (refused.status_code, refused.json()["code"]) == (500, "42501")
        finally:
            connection.execute("drop owned by pgmrr_test_guest")
            connection.execute("drop role pgmrr_test_guest")


def test_what_takes_too_long_is_ended(abc: str) -> None:
    with serving(abc, timeout=0.05) as api, open_session(abc) as connection, connection.transaction():
        connection.execute("lock table ledger.movement_cents in access exclusive mode")
        answer = api.get("/api/movements")
    assert (answer.status_code, answer.json()["code"]) == (503, "57014")
    assert "time limit" in answer.json()["detail"]


def test_sessions_that_are_all_busy_are_waited_for_and_then_refused(abc: str) -> None:
    pool = Pool(abc, 30, size=1, patience=0.1)
    with TestClient(create_app(pool, is_loopback=True, token=None), base_url=HOME) as api:
        with pool.reading():
            busy = api.get("/api/headline")
        assert (busy.status_code, busy.headers["retry-after"]) == (503, "5")
        assert api.get("/api/headline").status_code == 200


def test_a_database_that_went_away_is_told_and_found_again(server: Server, database: str) -> None:
    with serving(database) as api:
        assert api.get("/api/headline").status_code == 200
        name = psycopg.conninfo.conninfo_to_dict(database)["dbname"]
        with server.connect() as connection:
            connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s and pid <> pg_backend_pid()",
                [name],
            )
        assert api.get("/api/headline").status_code == 200
    with serving("postgresql://nobody@127.0.0.1:1/nothing") as api:
        answer = api.get("/api/headline")
        assert answer.status_code == 503
        assert answer.json()["detail"] == "the database does not answer"


# -- who may ask ----------------------------------------------------------------------------------


def test_on_loopback_only_the_names_of_this_machine_are_served(api: TestClient) -> None:
    for host in ("127.0.0.1:8321", "localhost", "LOCALHOST:1", "[::1]:8321", "[::1]"):
        assert api.get("/api/headline", headers={"Host": host}).status_code == 200
    for host in ("rebound.example.com", "rebound.example.com:8321", "127.0.0.1.example.com", "localhost.", ""):
        assert api.get("/api/headline", headers={"Host": host}).status_code == 421


def test_other_sites_may_link_and_not_load(api: TestClient) -> None:
    cross = {"Sec-Fetch-Site": "cross-site"}
    assert api.get("/api/headline", headers={**cross, "Sec-Fetch-Mode": "no-cors"}).status_code == 403
    assert api.get("/api", headers={**cross, "Sec-Fetch-Mode": "navigate"}).status_code == 200
    answer = api.get("/api/headline", headers={"Origin": "http://example.com"})
    assert not [name for name in answer.headers if name.startswith("access-control-")]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


def test_a_token_opens_and_nothing_else_does(abc: str) -> None:
    token = "t0ken:with-colon"
    with serving(abc, is_loopback=False, token=token) as api:
        basic = base64.b64encode(f"anyone:{token}".encode()).decode()
        for right in (f"Bearer {token}", f"bearer {token}", f"Basic {basic}"):
            assert api.get("/api/headline", headers={"Authorization": right}).status_code == 200
        for wrong in ("", "Bearer", "Bearer wrong", f"Bearer {token}x", token, "Basic", "Basic !", "Basic d3Jvbmc6"):
            answer = api.get("/api/headline", headers={"Authorization": wrong})
            assert answer.status_code == 401
            assert "Bearer" in answer.headers["www-authenticate"]
            assert token not in answer.text
        assert api.get("/api/openapi.json").status_code == 401
        described = api.get("/api/openapi.json", headers={"Authorization": f"Bearer {token}"}).json()
        assert "401" in described["paths"]["/api/headline"]["get"]["responses"]


# -- answers that are known -----------------------------------------------------------------------


def test_an_answer_is_sent_again_only_where_it_has_changed(database: str) -> None:
    with serving(database) as api, open_session(database) as connection:
        first = api.get("/api/settings")
        tag = first.headers["etag"]
        known = api.get("/api/settings", headers={"If-None-Match": f'"other", W/{tag}'})
        assert (known.status_code, known.content, known.headers["etag"]) == (304, b"", tag)
        assert api.get("/api/settings").content == first.content
        # The asterisk is for any answer; where there is none, the problem is told.
        anything = {"If-None-Match": "*"}
        assert [api.get(path, headers=anything).status_code for path in ("/api/settings", "/api/nothing")] == [304, 404]
        other = [
            api.get("/api/settings?limit=1").headers["etag"],
            api.get("/api/settings", headers={"Accept": "text/csv"}).headers["etag"],
            api.get("/api/batches").headers["etag"],
        ]
        assert len({tag, *other}) == 4
        connection.execute("call pipeline.set_setting('time_zone', 'Europe/Berlin')")
        changed = api.get("/api/settings", headers={"If-None-Match": tag})
        assert changed.status_code == 200
        assert "Europe/Berlin" in changed.text
        [(batch,)] = connection.execute("select max(batch_id) from meta.batch").fetchall()
        assert changed.headers["etag"].startswith(f'"{batch}-')


# -- CSV ------------------------------------------------------------------------------------------


def test_csv_holds_what_json_holds(api: TestClient, surface: dict[str, Endpoint]) -> None:
    compared = 0
    for endpoint in surface.values():
        address = example_url(endpoint)
        answer = api.get(address, headers={"Accept": "text/csv"})
        assert answer.headers["content-type"] == "text/csv; charset=utf-8; header=present"
        assert answer.headers.get("link") == api.get(address).headers.get("link")
        header, *lines = csv.reader(io.StringIO(answer.text))
        assert header == [column.name for column in endpoint.columns]
        told = json.loads(api.get(address).text, parse_float=str, parse_int=str)
        rows = [{endpoint.name: told["value"]}] if endpoint.is_scalar else told["rows"]
        for line, row in zip(lines, rows, strict=True):
            scalars = [value for value in row.values() if not isinstance(value, dict | list)]
            cells = [cell for cell, value in zip(line, row.values(), strict=True) if not isinstance(value, dict | list)]
            assert cells == [
                "" if value is None else str(value).lower() if isinstance(value, bool) else _disarmed(value, number)
                for value, number in zip(
                    scalars,
                    [
                        column.type != "text"
                        for column in endpoint.columns
                        if not isinstance(row[column.name], dict | list)
                    ],
                    strict=True,
                )
            ]
            compared += 1
    assert compared > 500


def _disarmed(value: str, is_number: bool) -> str:
    return value if is_number else safe_text(value)


def test_a_name_is_no_formula_and_a_loss_is_a_number(api: TestClient) -> None:
    answer = api.get("/api/customer?limit=1", headers={"Accept": "text/csv"})
    [customer] = csv.DictReader(io.StringIO(answer.text))
    assert (customer["customer_id"], customer["name"]) == ("abc_000001", f"'{NAMES['abc_000001']}")
    lost = csv.DictReader(io.StringIO(api.get("/api/movements?limit=1000", headers={"Accept": "text/csv"}).text))
    assert min(Decimal(row["change"]) for row in lost) < 0


def test_without_the_packages_of_the_report_the_api_is_there(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name == "pgmrr.web.pages" or name.startswith("pgmrr.page")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "altair", None)
    with serving(database) as api:
        assert not api.app.state.has_pages
        assert api.get("/", follow_redirects=False).headers["location"] == "/api"
        assert api.get("/api/coverage").status_code == 200


# -- the document ---------------------------------------------------------------------------------


def test_the_examples_of_the_document_are_what_is_answered(database: str, repository: Path) -> None:
    """The company is the one that ./start.sh simulates."""
    with open_session(database) as connection:
        simulate(connection, Parameters())
    text = (repository / "docs" / "api.md").read_text(encoding="utf-8")
    examples = re.findall(r"^```\n\$ curl (.*)\n((?:.*\n)*?)```$", text, re.MULTILINE)
    assert len(examples) == 6
    with serving(database) as api:
        for call, shown in examples:
            *options, address = shlex.split(call)
            headers = dict(option.split(": ") for option in options if ": " in option)
            answer = api.get(address.removeprefix(f"{HOME}:8321"), headers=headers)
            assert answer.text.rstrip("\n") == shown.rstrip("\n"), call


# -- the command ----------------------------------------------------------------------------------


def pgmrr_serve(url: str, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    """The command as a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "pgmrr", "serve", "--port", "0", *arguments],
        env={**os.environ, "DATABASE_URL": url, "PYTHONPATH": "scripts", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_command_serves_until_ctrl_c_and_logs_no_query(abc: str) -> None:
    token = "unspeakable"
    process = pgmrr_serve(abc, PGMRR_TOKEN=token)
    assert process.stderr
    try:
        address = next(found[0] for line in process.stderr if (found := re.search(r"http://\S+:\d+", line)))
        answer = httpx.get(
            f"{address}/api/mrr_at",
            params={"customer": "abc_000002", "date": "2024-01-31"},
            headers={"Authorization": f"Bearer {token}"},
        )
        assert set(answer.json()) == {"value"}
        assert "server" not in answer.headers
        assert httpx.get(f"{address}/api/headline?token={token}").status_code == 401
    finally:
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "GET /api/mrr_at 200" in told
    assert "GET /api/headline 401" in told
    assert token not in told
    assert "abc_000002" not in told
    assert told.endswith("stopped\n")


def test_the_command_ends_what_runs(abc: str) -> None:
    """Ctrl-C while a question is being answered."""
    process = pgmrr_serve(abc, "--timeout", "600")
    assert process.stderr
    with open_session(abc) as connection, connection.transaction():
        connection.execute("lock table ledger.movement_cents in access exclusive mode")
        address = next(found[0] for line in process.stderr if (found := re.search(r"http://\S+:\d+", line)))
        asking = threading.Thread(target=lambda: _ask_in_vain(f"{address}/api/movements"))
        asking.start()
        with psycopg.connect(abc, autocommit=True) as watching:
            waiting = (
                "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query like '%movements%'"
            )
            while process.poll() is None and watching.execute(waiting.encode()).fetchone() == (0,):
                time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
        asking.join(timeout=30)
    assert process.returncode == 0


def _ask_in_vain(address: str) -> None:
    with pytest.raises(httpx.HTTPError):
        httpx.get(address, timeout=60).raise_for_status()


def test_what_cannot_be_served_is_one_line(abc: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for arguments, part in {
            ("--host", "0.0.0.0"): "there is no token",
            ("--port", port): f"cannot listen on 127.0.0.1, port {port}",
            ("--token", "two words"): "a token is made of",
            ("--host", "no.such.host.invalid", "--token", "x"): "cannot listen on no.such.host.invalid",
        }.items():
            refused = pgmrr(abc, "serve", *arguments)
            assert refused.returncode == 1
            [line] = [line for line in refused.stderr.splitlines() if line.startswith("error: ")]
            assert part in line
    monkeypatch.setitem(sys.modules, "uvicorn", None)  # an installation without the extra
    refused = pgmrr(abc, "serve")
    assert refused.returncode == 1
    assert refused.stderr.startswith("error: pgmrr serve needs the package uvicorn\n")
    assert "./build.sh api" in refused.stderr
