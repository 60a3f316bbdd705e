"""The report as people see it: in a browser, in light and dark, by keyboard, on paper, and held against SQL."""

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import combinations
from math import dist
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import psycopg
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row

from browser import DRAWN, opened
from browser import browser as browsing
from conftest import Server
from pgmrr.database import Database, reading
from pgmrr.page import charts, content, drawing, html
from pgmrr.page.model import Customer, Links, Movements, Period, Target
from pgmrr.page.model import Page as Content
from pgmrr.page.palette import DARK, LIGHT
from pgmrr.sessions import open_session
from pgmrr.show import Kind, text_of
from pgmrr.simulation import Parameters, simulate
from pgmrr.stripe import import_stripe
from test_cli import pgmrr

REAL = Path(__file__).parents[2] / ".." / "shared" / "data" / "stripe-export"

HOSTILE = "<script>alert(1)</script>"

SECTIONS = [
    "Health of the business",
    "MRR over time",
    "Why MRR moved",
    "Retention and churn",
    "Cohorts",
    "Days that stand out",
    "Biggest customers",
    "Concentration",
    "Segments",
    "Forecast",
    "Risks",
    "What was left out",
]

# The cells of a table, by its caption.
CELLS = """(start) => {
    const table = [...document.querySelectorAll("table")].find((found) => found.caption.textContent.startsWith(start));
    return [...table.tBodies[0].rows].map((row) => [...row.cells].map((cell) => cell.textContent));
}"""

MARKS = """(plot) => plot.querySelectorAll(
    ".role-mark path, .role-mark rect, .role-mark line, .role-mark text"
).length"""

# Words of charts that reach beyond their place, where they would be cut.
CUT = """() => [...document.querySelectorAll(".plot")].flatMap((plot) => {
    const place = plot.getBoundingClientRect();
    return [...plot.querySelectorAll("text")].filter((text) => {
        const box = text.getBoundingClientRect();
        const isSeen = box.width > 0 && Number(getComputedStyle(text).opacity) > 0;
        return isSeen && (box.right > place.right + 1 || box.left < place.left - 1);
    }).map((text) => text.textContent);
})"""

LEGEND = """(plot) => [...plot.querySelectorAll(".role-legend-label text")].map((text) => text.textContent)"""

# What the page shows, and the call that says it.
TABLES = {
    "MRR at the end of each month": (
        "select to_char(month, 'YYYY-MM') as label, closing, unpaid, unpaid / closing, customers, growth, arpa, arr"
        " from kpi.mrr_monthly order by month",
        (Kind.label, Kind.units, Kind.units, Kind.share, Kind.count, Kind.growth, Kind.money, Kind.units),
    ),
    "From opening to closing": (
        "select to_char(month, 'YYYY-MM'), opening, new, churn, closing from kpi.mrr_monthly order by month",
        (Kind.label, Kind.units, Kind.change, Kind.change, Kind.units),
    ),
    "Retention by month": (
        "select to_char(month, 'YYYY-MM'), customers_opening, customers_lost, customer_churn_rate,"
        " gross_mrr_churn_rate, net_mrr_churn_rate, nrr, grr, quick_ratio, arpa, ltv"
        " from kpi.retention_monthly order by month",
        (Kind.label, *[Kind.count] * 2, *[Kind.share] * 5, Kind.ratio, Kind.money, Kind.units),
    ),
    "Significant days": (
        "select day, change, expected, score, compared_with from kpi.significant_days() order by day",
        (Kind.label, Kind.change, Kind.change, Kind.ratio, Kind.label),
    ),
    "The 10 biggest customers": (
        "select rank, customer_id, name, mrr, share, cumulative_share, unpaid, customer_since"
        " from kpi.biggest_customers('2024-12-31', 10)",
        (Kind.count, Kind.text, Kind.text, Kind.money, Kind.share, Kind.share, Kind.money, Kind.label),
    ),
    "MRR by company size": (
        "select segment, customers, mrr, share, arpa from kpi.segment('company_size')",
        (Kind.text, Kind.count, Kind.money, Kind.share, Kind.money),
    ),
    "MRR to come": (
        "select a.last_on, a.point, a.low, a.high, b.low, b.high, a.method"
        " from kpi.forecast(6, 0.8) a join kpi.forecast(6, 0.95) b using (month) order by month",
        (Kind.label, *[Kind.units] * 5, Kind.label),
    ),
    "How good such forecasts were": (
        "select periods_ahead, method, origins, mae, mape, bias, coverage_80, coverage_95 from kpi.forecast_backtest()",
        (Kind.count, Kind.label, Kind.count, Kind.units, Kind.share, Kind.change, Kind.share, Kind.share),
    ),
    "What could break the forecast": (
        "select severity, risk, evidence, mrr, share, see from kpi.risks()",
        (Kind.label, Kind.label, Kind.text, Kind.units, Kind.share, Kind.text),
    ),
    "What became of the invoices": (
        "select fate, detail, currency, count(*), sum(total) from kpi.invoice_fate group by 1, 2, 3 order by 1, 2, 3",
        (Kind.text, Kind.text, Kind.label, Kind.count, Kind.money),
    ),
}


@dataclass(frozen=True)
class Report:
    """A report of a database, as it is and as a file."""

    url: str
    content: Content
    file: Path

    @property
    def address(self) -> str:
        return self.file.as_uri()


def report_of(url: str, file: Path, **options: str) -> Report:
    with reading(Database(url, "", None)) as connection:
        page = content.build(connection, Period(), **options)
    file.write_text(html.render(page), encoding="utf-8")
    return Report(url, page, file)


@pytest.fixture(scope="module")
def abc(server: Server, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Report]:
    """The report of 60 companies of ABC Enterprises."""
    with server.databases() as create:
        url = create(template=template)
        with open_session(url) as connection:
            simulate(connection, Parameters(companies=60))
        yield report_of(url, tmp_path_factory.mktemp("abc") / "report.html", title="ABC Enterprises")


@pytest.fixture(scope="module")
def handmade(
    server: Server, template: str, repository: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Report]:
    """The report of the export made by hand, in which a customer has a name that is a program."""
    directory = tmp_path_factory.mktemp("handmade")
    for name in ("invoices.csv", "customers.csv"):
        text = (repository / "tests/data/handmade" / name).read_text(encoding="utf-8")
        assert "cus_dora" in text
        text = text.replace("cus_dora", HOSTILE).replace(",TRUE", ",</script><img src=x>")
        (directory / name).write_text(text, encoding="utf-8")
    with server.databases() as create:
        url = create(template=template)
        with open_session(url) as connection:
            import_stripe(connection, directory / "invoices.csv", directory / "customers.csv")
        yield report_of(url, directory / "report.html", title=f"</title>{HOSTILE}")


@pytest.fixture(scope="module")
def real(server: Server, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Report]:
    """The report of the real export."""
    if not REAL.exists():
        pytest.skip(f"the real export is not at {REAL}")
    with server.databases() as create:
        url = create(template=template)
        with open_session(url) as connection:
            import_stripe(connection, REAL / "invoices.csv", REAL / "customers.csv")
        yield report_of(url, tmp_path_factory.mktemp("real") / "report.html")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium."""
    with browsing() as started:
        yield started


@pytest.fixture(scope="module")
def page(browser: Browser, abc: Report) -> Iterator[Page]:
    """The report of ABC Enterprises, drawn."""
    with opened(browser, abc.address) as found:
        yield found.page


# -- it opens -------------------------------------------------------------------------------------


@pytest.mark.parametrize("company", ["abc", "handmade"])
def test_a_report_needs_nothing_but_its_file(company: str, browser: Browser, request: pytest.FixtureRequest) -> None:
    report: Report = request.getfixturevalue(company)
    with opened(browser, report.address, width=400) as found:
        assert found.said == []
        assert found.asked == []
        assert found.page.locator("h2").all_text_contents() == SECTIONS
        marks = {
            figure.get_attribute("id"): figure.locator(".plot").evaluate(MARKS)
            for figure in found.page.locator("figure").all()
        }
        assert len(marks) == len(drawing.figures(report.content)) > 10
        assert [name for name, number in marks.items() if number == 0] == []
        too_wide = found.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert too_wide == 0


@pytest.mark.parametrize("width", [400, 1600])
@pytest.mark.parametrize("company", ["abc", "real"])
def test_no_word_of_a_chart_is_cut(company: str, width: int, browser: Browser, request: pytest.FixtureRequest) -> None:
    report: Report = request.getfixturevalue(company)
    with opened(browser, report.address, width=width) as found:
        assert found.said == []
        assert found.page.locator(".plot text").count() > 50
        assert found.page.evaluate(CUT) == []


@pytest.mark.parametrize("zone", ["America/Los_Angeles", "Pacific/Auckland"])
def test_the_pointer_is_told_the_day_and_its_figures(zone: str, browser: Browser, abc: Report) -> None:
    with psycopg.connect(abc.url) as connection:
        days = connection.execute("select day::text, closing from kpi.mrr_daily").fetchall()
    context = browser.new_context(timezone_id=zone)
    try:
        page = context.new_page()
        page.goto(abc.address)
        page.wait_for_function(DRAWN)
        plot = page.locator("#figure-mrr .plot")
        plot.scroll_into_view_if_needed()
        box = plot.bounding_box()
        assert box
        for right in (400, 420):
            page.mouse.move(box["x"] + right, box["y"] + 150)
        tip = page.locator("#vg-tooltip-element.visible")
        tip.wait_for()
        told = dict(zip(tip.locator(".key").all_inner_texts(), tip.locator(".value").all_inner_texts(), strict=True))
        assert (told["Day"], told["MRR"]) in [(day, text_of(closing, Kind.money)) for day, closing in days]
    finally:
        context.close()


def test_a_month_in_which_nothing_moved_has_its_place(abc: Report) -> None:
    with psycopg.connect(abc.url) as connection:
        months = connection.execute("select to_char(month, 'YYYY-MM') from kpi.mrr_monthly order by month").fetchall()
    [waterfall] = [figure for figure in drawing.figures(abc.content) if figure.name == "waterfall"]
    moved = {row["month"] for row in waterfall.rows}
    assert moved < {month for (month,) in months}
    spec = drawing.specification(waterfall)
    axes = [layer["encoding"]["x"] for layer in spec["layer"] if "x" in layer["encoding"]]
    assert [axis["scale"]["domain"] for axis in axes] == [[month for (month,) in months]]


def test_lines_are_named(page: Page) -> None:
    lines = {name: page.locator(f"#figure-{name} .plot").evaluate(LEGEND) for name in ("retention", "churn")}
    assert lines == {"retention": ["NRR", "GRR"], "churn": ["Customer churn", "Gross MRR churn"]}


def test_a_company_of_one_customer_and_one_day(browser: Browser, server: Server, template: str, tmp_path: Path) -> None:
    (tmp_path / "periods.csv").write_text("who,from,to,mrr\nalone,2024-01-01,,50\n", encoding="utf-8")
    with server.databases() as create:
        url = create(template=template)
        columns = "customer=who,start=from,end=to,amount=mrr"
        made = pgmrr(
            url, "import", "periods", str(tmp_path / "periods.csv"), "--map", columns, "--currency", "EUR",
            "--as-of", "2024-01-01",
        )  # fmt: skip
        assert made.returncode == 0, made.stderr
        report = report_of(url, tmp_path / "report.html")
    with opened(browser, report.address) as found:
        assert found.said == []
        said = dict(
            zip(
                found.page.locator("h2").all_text_contents(),
                found.page.locator("section > .says").all_inner_texts(),
                strict=True,
            )
        )
        assert list(said) == SECTIONS
        assert said["Health of the business"].startswith("In 1 day, ")
        assert said["MRR over time"] == "On 2024-01-01, 1 customer brought 50 EUR a month."
        assert said["Concentration"] == "A single customer brings all MRR."
        # What remains of the charts has something to show.
        plots = found.page.locator(".plot").all()
        assert [plot.evaluate(MARKS) > 0 for plot in plots] == [True] * 2


def test_the_real_export_is_told_as_sql_has_it(browser: Browser, real: Report) -> None:
    with psycopg.connect(real.url, row_factory=dict_row) as connection:
        [mrr] = connection.execute(
            "select closing, unpaid, customers from kpi.mrr_daily order by day desc limit 1"
        ).fetchall()
        segments = connection.execute("select segment, mrr from kpi.segment('price_band')").fetchall()
        movements = connection.execute("select new, churn, closing from kpi.mrr_monthly order by month").fetchall()
    with opened(browser, real.address) as found:
        said = found.page.locator("#mrr .says").inner_text()
        assert f"{mrr['customers']:,} customers brought {text_of(mrr['closing'], Kind.units)} EUR a month" in said
        assert f"{text_of(mrr['unpaid'], Kind.units)} EUR" in said
        shown = found.page.evaluate(CELLS, "MRR by price band")
        assert [(row[0], row[2]) for row in shown] == [
            (row["segment"], text_of(row["mrr"], Kind.money)) for row in segments
        ]
        head = found.page.locator("#waterfall thead th").all_text_contents()
        rows = [dict(zip(head, row, strict=True)) for row in found.page.evaluate(CELLS, "From opening to closing")]
        assert [(row["New"], row["Churn"].replace("−", "-"), row["Closing"]) for row in rows] == [
            (
                text_of(row["new"], Kind.change),
                text_of(row["churn"], Kind.change).replace("−", "-"),
                text_of(row["closing"], Kind.units),
            )
            for row in movements
        ]
        assert "The last cell of each row is as of 2025-02-26" in found.page.locator("#cohorts").inner_text()


def test_text_of_the_data_is_shown_and_not_run(browser: Browser, handmade: Report) -> None:
    with opened(browser, handmade.address) as found:
        assert found.page.title() == f"</title>{HOSTILE}: revenue report"
        assert HOSTILE in found.page.locator("#biggest table").text_content()
        assert any(HOSTILE in caption for caption in found.page.locator("#biggest figcaption").all_text_contents())
        assert "</script><img src=x>" in found.page.locator("#segments").text_content()
        assert found.page.locator("img").count() == 0
        assert found.said == []


def test_a_company_without_data_is_told_so_in_a_line(database: str, tmp_path: Path) -> None:
    result = pgmrr(database, "report", "-o", str(tmp_path / "report.html"))
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr.splitlines()[-2:] == [
        "error: there is nothing to report: There are no invoices yet.",
        "hint: bring data in: pgmrr import --help",
    ]
    assert not (tmp_path / "report.html").exists()


# -- its figures ----------------------------------------------------------------------------------


@pytest.mark.parametrize("caption", TABLES)
def test_figures_equal_sql(caption: str, page: Page, abc: Report) -> None:
    query, kinds = TABLES[caption]
    with psycopg.connect(abc.url) as connection:
        rows = connection.execute(query.encode()).fetchall()
    expected = [[text_of(value, kind) for value, kind in zip(row, kinds, strict=True)] for row in rows]
    shown = [[cell.replace("−", "-") for cell in row[: len(kinds)]] for row in page.evaluate(CELLS, caption)]
    assert len(expected) > 0
    assert shown == [[cell.replace("−", "-") for cell in row] for row in expected]


def test_headlines_equal_sql(page: Page, abc: Report) -> None:
    with psycopg.connect(abc.url, row_factory=dict_row) as connection:
        rows = connection.execute("select kpi, value, unit from kpi.headline order by place").fetchall()
    kinds = {"share": Kind.share, "sessions per customer": Kind.ratio}
    expected = [(row["kpi"], text_of(row["value"], kinds.get(row["unit"], Kind.money))) for row in rows]
    cards = page.locator(".card").all()
    shown = [
        (card.locator("h3").inner_text(), card.locator(".value").inner_text().split("\u00a0")[0]) for card in cards
    ]
    assert len(expected) == 3
    assert [(kpi, value.removesuffix(f" {row['unit']}")) for (kpi, value), row in zip(shown, rows, strict=True)] == (
        expected
    )


def rows_in(spec: dict, field: str) -> list[dict]:
    """The rows of a specification that have this field."""
    found = [*spec.get("datasets", {}).values(), spec.get("data", {}).get("values", [])]
    rows = [row for rows in found for row in rows if field in row]
    return rows + [row for layer in spec.get("layer", []) for row in rows_in(layer, field)]


def test_charts_hold_what_the_tables_hold(abc: Report) -> None:
    figures = {figure.name: drawing.specification(figure) for figure in drawing.figures(abc.content)}
    with psycopg.connect(abc.url, row_factory=dict_row) as connection:
        days = connection.execute("select day, closing from kpi.mrr_daily order by day").fetchall()
        kinds = connection.execute(
            "select to_char(effective_on, 'YYYY-MM') as month, kind, sum(change) as change"
            " from kpi.movements() group by 1, 2 order by 1, 2"
        ).fetchall()
    drawn = rows_in(figures["mrr"], "closing")
    assert [(row["day"], row["closing"]) for row in drawn] == [
        (row["day"].isoformat(), float(row["closing"])) for row in days
    ]
    bars = rows_in(figures["waterfall"], "kind")
    assert sorted((row["month"], row["kind"], row["change"]) for row in bars) == [
        (row["month"], row["kind"], float(row["change"])) for row in kinds
    ]


def test_cohorts_switch_between_customers_and_mrr_shares_and_amounts(page: Page, abc: Report) -> None:
    with psycopg.connect(abc.url) as connection:
        [first] = connection.execute(
            "select customer_share, mrr_share, customers, mrr from kpi.cohort_retention() where month_number = 11"
        ).fetchall()
    texts = """() => [...document.querySelectorAll("#figure-cohorts .mark-text.role-mark text")]
        .map((text) => text.textContent)"""
    figure = page.locator("#figure-cohorts")
    page.locator("#cohorts summary").click()
    seen = {}
    for measure in ("mrr", "customers"):
        for scale in ("absolute", "share"):
            figure.locator(f"input[value={measure}]").check()
            figure.locator(f"input[value={scale}]").check()
            table = page.locator("#cohorts .table:visible")
            assert table.count() == 1
            seen[measure, scale] = (table.locator("td").last.inner_text(), page.evaluate(texts)[-1])
    shares = {"customers": first[0], "mrr": first[1]}
    for measure, share in shares.items():
        assert seen[measure, "share"] == (text_of(share, Kind.share), text_of(share * 100, Kind.units))
    assert seen["customers", "absolute"] == (str(first[2]), str(first[2]))
    assert seen["mrr", "absolute"][0] == text_of(first[3], Kind.units)
    assert len({drawn for _, drawn in seen.values()}) == 4


def test_a_section_that_cannot_say_it_says_why(handmade: Report) -> None:
    sections = {section.title: section for section in handmade.content.sections}
    assert list(sections) == SECTIONS
    said = [sections["Retention and churn"].says, *sections["Retention and churn"].notes]
    assert any("churn is not observable yet" in text for text in said)
    assert all(section.says and section.calls for section in sections.values())
    (mrr,) = (figure for figure in drawing.figures(handmade.content) if figure.name == "mrr")
    (shade,) = rows_in(drawing.specification(mrr), "reason")
    assert shade["reason"].startswith("churn cannot be seen before")


def test_a_period_is_clipped_to_what_is_known(abc: Report) -> None:
    with reading(Database(abc.url, "", None)) as connection:
        page = content.build(connection, Period(date(2024, 3, 1), date(2030, 1, 1)))
        nothing = content.build(connection, Period(date(2030, 1, 1), None))
    assert (page.first, page.last) == (date(2024, 3, 1), date(2024, 12, 31))
    mrr = next(figure for figure in drawing.figures(page) if figure.name == "mrr")
    assert mrr.rows[0]["day"] == date(2024, 3, 1)
    assert nothing.sections == []


def test_charts_do_not_grow_with_the_customers(abc: Report) -> None:
    assert max(len(figure.rows) for figure in drawing.figures(abc.content)) <= 366
    assert max(len(table.rows) for section in abc.content.sections for table in section.tables) <= 50


def test_what_takes_long_is_asked_once(abc: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    execute = psycopg.Connection.execute

    def noting(connection: psycopg.Connection, query: Any, *arguments: Any, **options: Any) -> Any:
        asked.append(query.decode() if isinstance(query, bytes) else query)
        return execute(connection, query, *arguments, **options)

    monkeypatch.setattr(psycopg.Connection, "execute", noting)
    with reading(Database(abc.url, "", None)) as connection:
        content.build(connection, Period())
    dear = ("kpi.forecast_backtest", "kpi.forecast_choice", "kpi.attributes", "kpi.risks", "kpi.invoice_fate")
    assert {name: sum(name in question for question in asked) for name in dear} == dict.fromkeys(dear, 1)


# -- in the hands of people -----------------------------------------------------------------------


def test_the_keyboard_walks_through(browser: Browser, abc: Report) -> None:
    focused = """() => {
        const at = document.activeElement;
        const ring = getComputedStyle(at.matches(".switch input") ? at.nextElementSibling : at);
        return [at.tagName, at.type || at.textContent.slice(0, 30), ring.outlineStyle !== "none"];
    }"""
    with opened(browser, abc.address) as found:
        walked = []
        for _ in range(80):
            found.page.keyboard.press("Tab")
            walked.append(tuple(found.page.evaluate(focused)))
            if len(walked) > 1 and walked[-1][0] == "BODY":
                break
        assert walked[0][1] == "Skip to the figures"
        assert [step for step in walked if step[0] != "BODY" and not step[2]] == []
        tags = [tag for tag, _, _ in walked]
        assert tags.count("A") == 1 + len(SECTIONS)
        assert tags.count("SUMMARY") == found.page.locator("summary").count()
        assert tags.count("INPUT") == 3  # theme, measure and scale: arrows choose within each
        found.page.locator("input[value=customers]").focus()
        found.page.keyboard.press("ArrowRight")
        assert found.page.locator("input[value=mrr]").is_checked()


def test_the_theme_follows_the_system_and_the_switch(browser: Browser, abc: Report) -> None:
    surface = "() => getComputedStyle(document.body).backgroundColor"
    light, dark = (f"rgb{tuple(bytes.fromhex(colours['surface'][1:]))}" for colours in (LIGHT, DARK))
    with opened(browser, abc.address, scheme="dark") as found:
        seen = [found.page.evaluate(surface)]
        for theme in ("light", "dark", "auto"):
            found.page.locator(f"input[value={theme}]").check()
            seen.append(found.page.evaluate(surface))
        assert seen == [dark, light, dark, dark]
        line = "() => getComputedStyle(document.querySelector('#figure-mrr .mark-line path')).stroke"
        assert found.page.evaluate(line) == f"rgb{tuple(bytes.fromhex(DARK['mrr'][1:]))}"
        found.page.emulate_media(media="print")
        assert found.page.evaluate(surface) == light


def test_axe_finds_nothing_serious_in_light_and_dark(page: Page) -> None:
    page.evaluate("document.querySelectorAll('details').forEach((details) => { details.open = true; })")
    for scheme, options in (("light", {}), ("dark", {"runOnly": ["cat.color"]})):  # all else is the same in the dark
        page.emulate_media(color_scheme=scheme)
        violations = Axe().run(page, options=options).response["violations"]
        assert [
            (scheme, violation["id"], [node["html"][:120] for node in violation["nodes"][:3]])
            for violation in violations
            if violation["impact"] in ("serious", "critical")
        ] == []


def test_on_paper_all_is_open_and_drawn(browser: Browser, abc: Report, tmp_path: Path) -> None:
    with opened(browser, abc.address) as found:
        closed = "() => document.querySelectorAll('details:not([open])').length"
        assert found.page.evaluate(closed) > 0
        found.page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert found.page.evaluate(closed) == 0
        printed = found.page.pdf(path=str(tmp_path / "report.pdf"), format="A4")
        assert printed.startswith(b"%PDF-")


def linear(colour: str) -> list[float]:
    """Red, green and blue as amounts of light."""
    parts = [value / 255 for value in bytes.fromhex(colour[1:])]
    return [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]


def times(matrix: Sequence[Sequence[float]], light: Sequence[float]) -> list[float]:
    return [sum(a * b for a, b in zip(row, light, strict=True)) for row in matrix]


def contrast(one: str, other: str) -> float:
    """As WCAG defines it."""
    dark, light = sorted(times([[0.2126, 0.7152, 0.0722]], linear(colour))[0] for colour in (one, other))
    return (light + 0.05) / (dark + 0.05)


# What is seen without one of the three kinds of cones: Machado, Oliveira and Fernandes, 2009.
VISION = {
    "all cones": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}
XYZ = [
    [0.4124 / 0.95047, 0.3576 / 0.95047, 0.1805 / 0.95047],
    [0.2126, 0.7152, 0.0722],
    [0.0193 / 1.08883, 0.1192 / 1.08883, 0.9505 / 1.08883],
]


def difference(one: str, other: str, vision: Sequence[Sequence[float]]) -> float:
    """How far apart two colours look, in CIE L*a*b*."""
    points = []
    for colour in (one, other):
        seen = [min(max(part, 0), 1) for part in times(vision, linear(colour))]
        x, y, z = (part ** (1 / 3) if part > 0.008856 else 7.787 * part + 16 / 116 for part in times(XYZ, seen))
        points.append((116 * y - 16, 500 * (x - y), 200 * (y - z)))
    return dist(*points)


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_text_and_marks_can_be_told_from_the_page(colours: dict[str, str]) -> None:
    least = {**dict.fromkeys(("ink", "muted", "link"), 4.5), **dict.fromkeys(charts.KINDS, 3)}
    least |= dict.fromkeys(("mrr", "unpaid", "mark", "focus"), 3)
    found = {name: contrast(colours[name], colours["surface"]) for name in least}
    assert {name: value for name, value in found.items() if value < least[name]} == {}


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_kinds_can_be_told_apart_with_any_colour_vision(colours: dict[str, str], vision: str) -> None:
    kinds = [kind for kind in charts.KINDS if kind != "rounding"]  # cents, and no bar that is seen
    found = {
        pair: difference(colours[pair[0]], colours[pair[1]], VISION[vision])
        for pair in [*combinations(kinds, 2), ("mrr", "unpaid")]
    }
    assert len(found) == 16
    assert {pair: value for pair, value in found.items() if value < 15} == {}


# -- beside the page ------------------------------------------------------------------------------


def test_the_command_writes_the_page_and_its_charts(abc: Report, tmp_path: Path) -> None:
    result = pgmrr(abc.url, "report", "-o", str(tmp_path / "out.html"), "--charts", str(tmp_path / "charts"))
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == [str(tmp_path / "out.html"), str(tmp_path / "charts")]
    assert f"<h1>{conninfo_to_dict(abc.url)['dbname']}</h1>" in (tmp_path / "out.html").read_text(encoding="utf-8")
    names = {figure.name for figure in drawing.figures(abc.content)}
    assert {file.stem for file in (tmp_path / "charts").glob("*.png")} == names
    assert {file.stem for file in (tmp_path / "charts").glob("*.svg")} == names
    for file in (tmp_path / "charts").iterdir():
        data = file.read_bytes()
        if file.suffix == ".png":
            assert data.startswith(b"\x89PNG\r\n\x1a\n")
            assert int.from_bytes(data[16:20], "big") > 500  # pixels wide
        else:
            assert b"var(--" not in data
            assert len(list(ElementTree.fromstring(data).iter("{http://www.w3.org/2000/svg}path"))) > 0


@pytest.mark.parametrize("package", ["altair", "vl_convert"])
def test_a_missing_package_is_named_with_what_installs_it(
    package: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for module in [name for name in sys.modules if name.partition(".page")[:2] == ("pgmrr", ".page")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, package, None)
    result = pgmrr("postgresql://nowhere.invalid/x", "report", "-o", str(tmp_path / "report.html"))
    assert result.returncode == 1
    assert result.stderr.splitlines() == [
        f"error: the report needs the package {package}",
        "hint: install it: ./build.sh report in a checkout, else pip install 'pgmrr[report]'",
    ]


def test_a_directory_that_is_not_there_is_named_before_anything_is_asked(tmp_path: Path) -> None:
    result = pgmrr("postgresql://nowhere.invalid/x", "report", "-o", str(tmp_path / "missing/report.html"))
    assert result.returncode == 1
    assert result.stderr.splitlines() == [
        f"error: there is no directory {tmp_path}/missing",
        f"hint: make it: mkdir -p {tmp_path}/missing",
    ]


class Everywhere(Links):
    """Links that lead somewhere."""

    def url(self, target: Target) -> str | None:
        match target:
            case Movements(first, last, kind):
                return f"/movements?from={first}&to={last}&kind={kind}"
            case Customer(customer_id, day):
                return f"/customers/{customer_id}?on={day}"


def test_a_live_page_leads_to_movements_and_customers(abc: Report) -> None:
    live = html.render(abc.content, Everywhere(), controls="<form id=controls></form>")
    assert '<a href="/movements?from=2024-02-01&amp;to=2024-02-29&amp;kind=churn">' in live
    assert '"href":"/movements?from=2024-02-01&to=2024-02-29&kind=churn"' in live
    assert re.search(r'<a href="/customers/abc_\d+\?on=2024-12-31">', live)
    assert "<form id=controls></form>" in live
    assert "/movements?" not in abc.file.read_text(encoding="utf-8")
