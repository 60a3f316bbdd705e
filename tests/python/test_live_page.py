"""The live page: filters, the way from a bar to the charges of a customer, and what it may do in a browser."""

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from html import escape, unescape
from pathlib import Path

import httpx
import psycopg
import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect
from psycopg.rows import dict_row
from starlette.testclient import TestClient

import browser as chromium
from conftest import NewDatabase, Server
from pgmrr.page import content
from pgmrr.page.model import Customer, Period
from pgmrr.sessions import open_session
from pgmrr.show import Kind, text_of
from pgmrr.simulation import Parameters, simulate
from pgmrr.web.app import create_app
from pgmrr.web.filters import Segment, address_of
from pgmrr.web.pool import Pool
from pgmrr.web.segment import COMPANY_ALONE

ODD_NAME = '<script>document.title="run"</script>'
ODD_ID = "a/b c?d=é&%2F<#"
SERIOUS = ("serious", "critical")
FEBRUARY = "from=2024-02-01&to=2024-02-29"

# One of each kind of page that the report does not have, and a scheme to see it in.
PAGES = {
    "/?segment=company_size%3Dlarge": "light",
    f"/movements?{FEBRUARY}": "light",
    "/customers/abc_000002?date=2024-01-01": "dark",
    "/customers/nobody": "light",
    "/api": "dark",
}


@pytest.fixture(scope="module")
def abc(server: Server, template: str) -> Iterator[str]:
    """The URL of a database that holds a small ABC Enterprises; each name is odd."""
    with server.databases() as create:
        url = create(template=template)
        with open_session(url) as connection:
            simulate(connection, Parameters(companies=40, months=6))
            connection.execute("update raw.customer set name = %s || customer_id", [ODD_NAME])
            connection.execute("update raw.customer set customer_id = %s where customer_id = 'abc_000040'", [ODD_ID])
        yield url


@pytest.fixture(scope="module")
def reader(abc: str) -> Iterator[psycopg.Connection]:
    """A reader's session."""
    options = "-c role=pgmrr_reader -c jit=off"
    with psycopg.connect(abc, options=options, autocommit=True, row_factory=dict_row) as connection:
        yield connection


@pytest.fixture(scope="module")
def address(abc: str) -> Iterator[str]:
    """Where the site is served to browsers."""
    app = create_app(Pool(abc, 30), is_loopback=True, token=None)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="on"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture(scope="module")
def site(address: str) -> Iterator[httpx.Client]:
    """A client without a browser."""
    with httpx.Client(base_url=address, timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser."""
    with chromium.browser() as started:
        yield started


class Visit:
    """A page in a browser, what its console said, and which other hosts it asked."""

    def __init__(self, context: BrowserContext, address: str) -> None:
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page: Page = context.new_page()
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        context.on("request", lambda request: request.url.startswith(address) or self.asked.append(request.url))

    def _hear(self, message: object) -> None:
        if getattr(message, "type", "") == "error":
            self.said.append(getattr(message, "text", ""))


@contextmanager
def visit(browser: Browser, address: str, **options: object) -> Iterator[Visit]:
    """A visit to the site, in which nothing is said and nobody else asked."""
    context = browser.new_context(base_url=address, **options)
    try:
        visited = Visit(context, address)
        yield visited
        assert visited.said == []
        assert visited.asked == []
    finally:
        context.close()


def cells(page: Page, section: str) -> list[list[str]]:
    """The rows of the first table of a section, with signs as SQL writes them."""
    rows = page.locator(f"#{section} table").first.locator("tbody tr").all()
    return [[text.replace("−", "-") for text in row.locator("th, td").all_text_contents()] for row in rows]


def words(answer: str) -> str:
    """What a page says, without its tags."""
    return unescape(re.sub(r"<[^>]*>", "", answer.partition("<script>")[0])).replace("\u00a0", " ")


# -- filters --------------------------------------------------------------------------------------


def test_the_form_chooses_days_and_segment_and_the_url_holds_them(
    browser: Browser, address: str, reader: psycopg.Connection
) -> None:
    with visit(browser, address) as visited:
        page = visited.page
        page.goto("/")
        page.locator("input[name=from]").fill("2024-02-01")
        page.locator("input[name=to]").fill("2024-04-30")
        page.locator("select[name=segment]").select_option(label="large")
        page.get_by_role("button", name="Show").click()
        page.wait_for_url("**segment=company_size%3Dlarge**")
        assert "from=2024-02-01&to=2024-04-30" in page.url
        assert page.locator("select[name=segment]").input_value() == "company_size=large"
        page.locator("#waterfall summary").click()
        shown = cells(page, "waterfall")
        months = reader.execute(
            "select to_char(month, 'YYYY-MM') as month, opening, churn, closing, customers"
            " from kpi.mrr_monthly_by('company_size')"
            " where segment = 'large' and month between '2024-02-01' and '2024-04-01' order by month"
        ).fetchall()
        assert shown == [
            [
                row["month"],
                text_of(row["opening"], Kind.units),
                text_of(row["churn"], Kind.change),
                text_of(row["closing"], Kind.units),
                text_of(row["customers"], Kind.count),
            ]
            for row in months
        ]
        assert len(shown) == 3
        page.locator("#figure-waterfall").scroll_into_view_if_needed()
        expect(page.locator("#figure-waterfall .mark-rect path")).to_have_count(
            sum(1 for row in months if row["churn"])
        )


def test_all_of_it_works_without_scripts(browser: Browser, address: str) -> None:
    with visit(browser, address, java_script_enabled=False) as visited:
        page = visited.page
        page.goto("/")
        page.locator("select[name=segment]").select_option(label="small")
        page.get_by_role("button", name="Show").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("company size: small")
        page.goto("/")
        page.locator("#waterfall summary").click()
        page.locator("#waterfall table a").first.click()
        expect(page.get_by_role("heading", level=2)).to_contain_text("Movements")
        page.locator("#movements table a").first.click()
        expect(page.get_by_role("heading", level=2).first).to_contain_text("MRR on 20")


def test_days_are_marked_where_a_section_has_its_own(site: httpx.Client) -> None:
    narrowed, whole = site.get("/?from=2024-02-10&to=2024-05-20").text, site.get("/").text
    assert narrowed.count("whatever days are chosen") == 5
    assert whole.count("whatever days are chosen") == 0
    assert 'name="from" value="2024-02-10"' in narrowed
    assert "2024-02-10 to 2024-05-20" in words(narrowed)


def test_what_is_not_known_by_segment_is_named_and_not_shown(site: httpx.Client, reader: psycopg.Connection) -> None:
    titles = [section.title for section in content.build(reader, Period()).sections]
    assert set(COMPANY_ALONE) < set(titles)
    assert set(titles) - set(COMPANY_ALONE) == {"MRR over time", "Why MRR moved", "Retention and churn", "Segments"}
    answer = site.get("/?segment=company_size%3Dlarge&from=2024-02-01").text
    page = words(answer)
    assert f"{', '.join(COMPANY_ALONE)}: kpi has these of the whole company alone" in page
    assert re.findall(r"<h2[^>]*>(.*?)</h2>", answer.partition("<script>")[0]) == [
        "MRR of the segment",
        "Why MRR moved",
        "Retention and churn",
        "Not known by segment",
    ]
    [kept] = reader.execute(
        "select * from kpi.retention_by('company_size', '2024-02-01') where segment = 'large'"
    ).fetchall()
    [now] = reader.execute("select * from kpi.segment('company_size') where segment = 'large'").fetchall()
    assert f"NRR is {text_of(kept['nrr'], Kind.share)}" in page
    assert f"bring {text_of(now['mrr'], Kind.units)} USD a month, {text_of(now['share'], Kind.share)} of MRR" in page


def test_a_segment_of_nobody_and_one_with_odd_letters_are_told(site: httpx.Client) -> None:
    odd = Segment("company_size", 'a=b&"<b>')
    page = site.get("/", params={"segment": odd.written})
    assert page.status_code == 200
    assert "had no MRR in these days" in page.text
    assert "a=b&amp;&quot;&lt;b&gt;</option>" in page.text
    assert "<b>" not in page.text
    without = site.get("/", params={"segment": "company_size"})
    assert "company size: (no value)" in without.text


def test_mrr_is_converted_by_kpi_and_the_rule_is_told(
    new_database: NewDatabase, template: str, repository: Path
) -> None:
    url = new_database(template=template)
    with open_session(url) as connection:
        connection.execute((repository / "tests/pgtap/companies/complete.sql").read_bytes())
        [(expected,)] = connection.execute("select round(kpi.mrr_total_at('2024-03-31', 'USD'), 2)").fetchall()
    with TestClient(create_app(Pool(url, 30), is_loopback=True, token=None), base_url="http://127.0.0.1") as site:
        answer = site.get("/?to=2024-03-31&currency=usd").text
        page = words(answer)
        assert f"MRR on 2024-03-31 in USD: {expected} USD a month." in page
        assert "Everything below is in EUR, the reporting currency." in page
        assert '<option value="USD" selected>' in answer
        unknown = site.get("/?currency=XXX")
        assert unknown.status_code == 422
        assert "XXX" in unknown.text
        customer = words(site.get("/customers/fay?date=2024-03-10&currency=USD").text)
        assert "MRR on 2024-03-10 is 35.00 USD a month." in customer


# -- from a bar to the charges --------------------------------------------------------------------


def test_a_bar_leads_to_movements_and_these_to_the_charges(
    browser: Browser, address: str, reader: psycopg.Connection
) -> None:
    with visit(browser, address) as visited:
        page = visited.page
        page.goto("/")
        page.locator("#figure-waterfall").scroll_into_view_if_needed()
        page.locator("#figure-waterfall path[aria-label*='month: 2024-02'][aria-label*='kind: churn']").click(
            force=True
        )
        page.wait_for_url(f"**/movements?{FEBRUARY}&kind=churn")
        moved = reader.execute(
            "select customer_id, name, change from kpi.movements('2024-02-01', '2024-02-29') where kind = 'churn'"
        ).fetchall()
        assert [row[1:5] for row in cells(page, "movements")] == [
            [row["customer_id"], row["name"], "churn", text_of(row["change"], Kind.change_cents)] for row in moved
        ]
        assert len(moved) > 1
        page.locator("#movements table a").first.click()
        page.wait_for_url("**/customers/**")
        customer = moved[0]["customer_id"]
        expect(page.locator("#explained")).to_contain_text("It changed on this day: churn")
        before = reader.execute("select * from kpi.mrr_explain(%s, '2024-01-31')", [customer]).fetchall()
        [shown] = cells(page, "explained")
        assert len(before) == 1
        assert shown[0] == before[0]["invoice_id"]
        assert [before[0]["basis"], str(before[0]["starts_on"]), str(before[0]["ends_on"])] == shown[1:4]
        expect(page.locator("#figure-trajectory svg")).to_be_visible()
        page.get_by_role("link", name="Report").click()
        expect(page.get_by_role("heading", name="Why MRR moved")).to_be_visible()


def test_pages_of_movements_hold_each_once(new_database: NewDatabase, template: str) -> None:
    url = new_database(template=template)
    with open_session(url) as connection:
        simulate(connection, Parameters(companies=130, months=2))
        [(movements,)] = connection.execute("select count(*) from kpi.movements()").fetchall()
    with TestClient(create_app(Pool(url, 30), is_loopback=True, token=None), base_url="http://127.0.0.1") as site:
        links: list[str] = []
        next_: str | None = "/movements"
        pages = 0
        while next_:
            page = unescape(site.get(next_).text)
            links += re.findall(r'href="(/customers/[^"]*)"', page)
            found = re.search(r'href="([^"]*)">Next page', page)
            next_ = found[1] if found else None
            pages += 1
        assert pages == 2
        assert len(links) == len(set(links)) == movements > 100


def test_a_customer_is_found_by_any_id(address: str) -> None:
    answer = httpx.get(f"{address}{address_of(Customer(ODD_ID, date(2024, 1, 1)))}")
    assert answer.status_code == 200
    assert f"<td>{escape(ODD_ID)}</td>" in answer.text


# -- what it may do -------------------------------------------------------------------------------


def test_names_are_shown_and_never_run(browser: Browser, address: str) -> None:
    with visit(browser, address) as visited:
        for path in ("/customers/abc_000002", f"/movements?{FEBRUARY}", "/"):
            visited.page.goto(path)
            assert ODD_NAME in (visited.page.text_content("body") or "")
            assert visited.page.title() != "run"


def test_a_script_that_is_not_the_page_s_own_does_not_run(browser: Browser, address: str) -> None:
    context = browser.new_context(base_url=address)
    try:
        page = context.new_page()
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.goto("/customers/abc_000002")
        page.evaluate(
            """() => {
                const script = document.createElement("script");
                script.textContent = "document.title = 'run'";
                document.body.append(script);
            }"""
        )
        assert page.title() != "run"
        assert any("Content Security Policy" in text for text in said)
    finally:
        context.close()


@pytest.mark.parametrize("path", PAGES)
def test_axe_finds_nothing_serious(path: str, browser: Browser, address: str) -> None:
    options = {"color_scheme": PAGES[path], "viewport": {"width": 1000, "height": 900}}
    with visit(browser, address, **options) as visited:
        visited.page.goto(path)
        found = Axe().run(visited.page).response["violations"]
        visited.said.clear()  # a missing page is an error in the console, rightly
    assert [(rule["id"], rule["nodes"][0]["html"]) for rule in found if rule["impact"] in SERIOUS] == []


@pytest.mark.parametrize(
    ("path", "status", "part"),
    [
        ("/customers/nobody", 404, "there is no customer"),
        ("/customers/", 404, "there is no customer"),
        ("/?from=yesterday", 400, "a day is written as 2024-06-30"),
        ("/?from=2024-05-01&to=2024-02-01", 400, "upside down"),
        ("/?colour=blue", 400, "there is no such parameter"),
        ("/movements?kind=nothing", 400, "kind: it is one of"),
        ("/?segment=nothing%3D1", 422, "unknown attribute"),
        ("/?from=2030-01-01", 200, "None of these days is known."),
        ("/movements?from=2030-01-01", 200, "None of these days is known."),
    ],
)
def test_an_error_is_a_page(site: httpx.Client, path: str, status: int, part: str) -> None:
    answer = site.get(path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert part in unescape(answer.text)


def test_an_empty_database_says_so(database: str) -> None:
    with TestClient(create_app(Pool(database, 30), is_loopback=True, token=None), base_url="http://127.0.0.1") as site:
        for path in ("/", "/movements", "/customers/any"):
            assert site.get(path).status_code == 200
            assert "None of these days is known" in site.get(path).text


def test_a_page_is_made_once(site: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    first = site.get("/?from=2024-03-01")
    # Other days ask nothing anew of what no day changes.
    monkeypatch.setattr(content, "WITHOUT_DAYS", None)
    other = site.get("/?from=2024-04-01").text
    assert "From 2024-04-01 to 2024-06-30: " in words(other)
    assert other.count("kpi.forecast_backtest()") == 1
    monkeypatch.setattr(content, "build", lambda *_, **__: pytest.fail("it was made again"))
    assert site.get("/?from=2024-03-01").content == first.content
    known = site.get("/?from=2024-03-01", headers={"If-None-Match": first.headers["etag"]})
    assert known.status_code == 304
    policy = first.headers["content-security-policy"]
    assert known.headers["content-security-policy"] == policy
    assert re.search(r"script-src( 'sha256-[^']*'){2,3} 'unsafe-eval';", policy)
