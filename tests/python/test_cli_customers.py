"""How cohorts, segments, concentration, renewals and trailing retention are printed."""

import csv
import io
import json
from collections.abc import Iterator
from datetime import date
from decimal import Decimal

import psycopg
import pytest
from rich.color import ColorSystem
from rich.console import Console

from conftest import Server
from pgmrr import show
from pgmrr.charts import HEAT, heat, sparkline
from pgmrr.reports.cohorts import print_triangle
from pgmrr.show import Column, Kind
from pgmrr.simulation import Parameters, simulate
from test_cli import pgmrr


@pytest.fixture(scope="module")
def abc(server: Server, template: str) -> Iterator[str]:
    """The URL of a database that holds a small ABC Enterprises over two years."""
    with server.databases() as create:
        url = create(template=template)
        with psycopg.connect(url, autocommit=True) as connection:
            simulate(connection, Parameters(companies=60, months=24))
        yield url


def printed(monkeypatch: pytest.MonkeyPatch, width: int, *arguments: object) -> list[str]:
    """What ``print_triangle`` prints on a terminal of this width without colours."""
    out = Console(file=io.StringIO(), width=width, highlight=False)
    monkeypatch.setattr(show, "out", out)
    print_triangle(*arguments)
    return [line.rstrip() for line in out.file.getvalue().splitlines()]  # type: ignore[attr-defined]  # a StringIO


def cohort(name: str, life: tuple[int, str], customers: int, share: str | None, **more: object) -> dict:
    number, month = life
    return {
        "cohort_name": name,
        "cohort": None if name == "unknown" else date.fromisoformat(f"{name}-01"),
        "month_number": number,
        "month": date.fromisoformat(f"{month}-01"),
        "cohort_customers": 1200,
        "customers": customers,
        "mrr": Decimal(customers) * 20,
        "customer_share": share and Decimal(share),
        "mrr_share": share and Decimal(share),
        "customers_at_base": 1200,
        "is_whole": True,
        "note": None,
    } | more


def test_cohorts_are_a_triangle_by_month_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        cohort("2024-01", (0, "2024-01"), 1000, "1"),
        cohort("2024-01", (1, "2024-02"), 904, "0.904"),
        cohort("2024-01", (2, "2024-03"), 1055, "1.055", is_whole=False),
        cohort("2024-02", (0, "2024-02"), 0, None, note="nothing to keep"),
        cohort("2024-02", (1, "2024-03"), 7, None, is_whole=False, note="nothing to keep"),
    ]
    assert printed(monkeypatch, 80, rows, "first_mrr", "customers", False, "EUR") == [
        "Cohorts by month of life: customers kept, in % of the first month observed",
        "Cohort  Cust.   0  1    2",
        "2024-01 1,200 100 90 106*",
        "2024-02 1,200   – –*",
        "",
        "– where the cohort was not observed yet, or had nothing to keep.",
        "* a month of which only a part is covered",
    ]
    assert printed(monkeypatch, 80, rows, "first_mrr", "mrr", True, "EUR")[:4] == [
        "Cohorts by month of life: MRR, EUR a month",
        "Cohort  Cust.      0      1       2",
        "2024-01 1,200 20,000 18,080 21,100*",
        "2024-02 1,200      0   140*",
    ]


def test_cohorts_from_before_the_history_stand_below_each_other_by_month(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        cohort("2020-05", (56, "2025-01"), 10, "1"),
        cohort("2020-05", (57, "2025-02"), 9, "0.9"),
        cohort("2025-02", (0, "2025-02"), 4, "1"),
        cohort("unknown", (0, "2025-01"), 2, "1"),
        cohort("unknown", (1, "2025-02"), 3, "1", note="1 first seen later, in no share"),
    ]
    assert printed(monkeypatch, 80, rows, "first_mrr", "customers", True, "EUR") == [
        "Cohorts by month: customers",
        "Cohort  Cust. 2025-01 2025-02",
        "2020-05 1,200      10       9",
        "2025-02 1,200               4",
        "unknown 1,200       2       3",
        "",
        "unknown: 1 first seen later, in no share",
    ]


def test_cohorts_by_signup_show_of_whom_their_shares_are(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        cohort("2024-01", (0, "2024-01"), 300, "1", customers_at_base=300),
        cohort("2024-01", (1, "2024-02"), 330, "1.1", customers_at_base=300),
        cohort("2024-02", (0, "2024-02"), 0, None, customers_at_base=0),
    ]
    assert printed(monkeypatch, 80, rows, "signup", "customers", False, "EUR") == [
        "Cohorts by month of life: customers with MRR, in % of the first month observed",
        "Cohort  Cust. Paying   0   1",
        "2024-01 1,200    300 100 110",
        "2024-02 1,200      0   –",
        "",
        "– where the cohort was not observed yet, or had nothing to keep.",
        "Paying: customers with MRR in the first month observed, who are the 100 %.",
        "above 100: signed up earlier, pays only now",
    ]
    assert printed(monkeypatch, 80, rows, "signup", "customers", True, "EUR")[:2] == [
        "Cohorts by month of life: customers",
        "Cohort  Cust.   0   1",
    ]


@pytest.mark.parametrize("width", [40, 60, 80, 120])
@pytest.mark.parametrize("arguments", [("customers", False), ("customers", True), ("mrr", False), ("mrr", True)])
def test_a_triangle_fits_the_terminal(monkeypatch: pytest.MonkeyPatch, width: int, arguments: tuple[str, bool]) -> None:
    rows = [
        cohort("2020-01", (n, f"{2020 + n // 12}-{n % 12 + 1:02}"), 1_900_000 - 1000 * n, "0.995") for n in range(60)
    ]
    lines = printed(monkeypatch, width, rows, "first_mrr", *arguments, "EUR")
    assert max(len(line) for line in lines) <= width
    (headings,) = [line for line in lines if line.startswith("Cohort ")]
    numbers = [int(number) for number in headings.split()[2:]]
    assert (numbers[0], numbers[-1]) == (0, 59)
    assert numbers == sorted(set(numbers))
    assert f"{len(numbers)} of 60 months fit here; --format csv has all of them." in " ".join(lines)


def test_cohorts_in_csv_are_what_sql_says(abc: str) -> None:
    rows = list(csv.DictReader(io.StringIO(pgmrr(abc, "cohorts", "--format", "csv").stdout)))
    with psycopg.connect(abc) as connection:
        expected = connection.execute(
            "select cohort_name, month_number, customers, mrr, round(customer_share, 6) from kpi.cohort_retention()"
        ).fetchall()
    found = [
        (r["cohort_name"], int(r["month_number"]), int(r["customers"]), Decimal(r["mrr"]), Decimal(r["customer_share"]))
        for r in rows
    ]
    assert found == expected
    assert len(found) == 24


def test_segments_add_up_to_all(abc: str) -> None:
    shown = pgmrr(abc, "segment", "company_size", "2024-06-30").stdout.splitlines()
    assert shown[0].startswith("MRR by company_size on 2024-06-30, USD a month")
    assert shown[1].split() == ["Segment", "Customers", "MRR", "Share", "ARPA", "By", "month"]
    figures = {line.split()[0]: line.split() for line in shown[2:]}
    assert figures.keys() == {"large", "small", "All"}
    assert len(figures["small"][-1]) == 6, "a bar a month"
    customers, mrr = (
        {name: Decimal(words[place].replace(",", "")) for name, words in figures.items()} for place in (1, 2)
    )
    assert customers["large"] + customers["small"] == customers["All"] > 0
    assert mrr["large"] + mrr["small"] == mrr["All"] > 0


def test_only_so_many_segments_are_shown(abc: str) -> None:
    result = pgmrr(abc, "segment", "company_size", "--limit", "1")
    assert len(result.stdout.splitlines()) == 4  # title, heading, the largest, all
    assert "the first 1 of 2 segments; --limit shows more" in result.stderr


def test_a_piped_table_keeps_to_its_columns_and_cuts_no_word(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    columns = [Column("id", "Customer"), Column("mrr", "MRR", Kind.money), Column("who", "Half of\nit")]
    rows = [{"id": "cus_0123456789", "mrr": Decimal(1234567), "who": "new +2,712: " + "some one, " * 9}]
    printed_at = {}
    for width in (50, 20):
        monkeypatch.setenv("COLUMNS", str(width))
        monkeypatch.setattr(show, "out", Console(width=width, highlight=False))
        show.rows(rows, columns, show.Format.table)
        printed_at[width] = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert max(len(line) for line in printed_at[50]) <= 50
    assert printed_at[50][0].strip() == "Half of"
    assert printed_at[50][1].split() == ["Customer", "MRR", "it"]
    assert printed_at[50][2].startswith("cus_0123456789 1,234,567.00 new +2,712:"), "the first line, not the last"
    assert len(printed_at[50]) > 4
    assert printed_at[20][2].startswith("cus_0123456789 1,234,567.00 ")
    assert "…" not in "".join(printed_at[20])


def test_attributes_are_listed_without_one(abc: str) -> None:
    found = json.loads(pgmrr(abc, "segment", "--format", "json").stdout)
    assert [row["name"] for row in found] == ["currency", "price_band", "term", "company_size"]
    assert found[3] == {
        "name": "company_size",
        "source": "customer",
        "distinct_values": 2,
        "customers": 60,
        "counted": "known",
        "example": "small",
    }
    assert {row["counted"] for row in found[:3]} == {"active"}


def test_concentration_says_what_its_measures_mean(abc: str) -> None:
    shown = pgmrr(abc, "concentration", "2024-01-31").stdout
    (row,) = json.loads(pgmrr(abc, "concentration", "2024-01-31", "--format", "json").stdout)
    assert f"{row['top_1'] * 100:.1f} %" in shown
    assert f"as concentrated as {row['effective_customers']:.0f} equal customers" in shown
    assert f"{row['gini']:.3f}" in shown
    assert 0 < row["top_1"] < row["top_10"] < 1


def test_churn_ends_with_the_last_3_and_12_months(abc: str) -> None:
    shown = pgmrr(abc, "churn").stdout
    trailing = shown[shown.index("The last 3 and 12 months") :].splitlines()
    found = json.loads(pgmrr(abc, "churn", "--trailing", "--format", "json").stdout)
    assert [(row["months"], row["first_on"]) for row in found] == [(3, "2025-10-01"), (12, "2025-01-01")]
    for row in found:
        (line,) = [line for line in trailing if line.split()[:1] == [str(row["months"])]]
        assert f"{row['nrr'] * 100:.1f} %" in line


def test_renewals_of_a_month_are_those_of_its_customers(abc: str) -> None:
    months = json.loads(pgmrr(abc, "renewals", "--format", "json").stdout)
    single = json.loads(pgmrr(abc, "renewals", "--list", "--format", "json").stdout)
    assert [row["month"] for row in months] == ["2026-01-01"]
    assert months[0]["renewals"] == len(single) > 0
    assert months[0]["mrr"] == sum(row["mrr"] for row in single)


def test_renewals_say_from_when_they_are_seen_and_what_they_add_up_to(abc: str) -> None:
    (month,) = json.loads(pgmrr(abc, "renewals", "--format", "json").stdout)
    shown = pgmrr(abc, "renewals").stdout
    assert "a month, seen from 2025-12-31 Month " in " ".join(shown.split())
    line, total = shown.splitlines()[-2:]
    assert line.split()[0] == "2026-01"
    assert total.split() == ["All", *line.split()[1:]]
    assert total.split()[1] == f"{month['renewals']}"
    cut = pgmrr(abc, "renewals", "2026-01-01", "2026-01-15").stdout
    assert "2026-01* " in cut
    assert cut.splitlines()[-1].rstrip() == "* a month of which only a part is ahead, or asked for"
    assert "a month, seen from 2025-12-31 Paid until" in " ".join(pgmrr(abc, "renewals", "--list").stdout.split())


def test_the_biggest_customers_are_those_of_a_day(abc: str) -> None:
    assert pgmrr(abc, "top").stdout.splitlines()[0].rstrip() == "Biggest customers, USD a month, on 2025-12-31"
    assert pgmrr(abc, "top", "2024-06-30").stdout.splitlines()[0].rstrip().endswith(", on 2024-06-30")


@pytest.mark.parametrize(
    ("values", "bars"),
    [
        ([], ""),
        ([0, 0], "  "),
        ([1], "█"),
        ([0, 1, 50, 100], " ▁▅█"),
        ([7, 7, 7], "███"),
    ],
)
def test_a_sparkline_reaches_from_nothing_to_the_largest(values: list[int], bars: str) -> None:
    assert sparkline([Decimal(value) for value in values]) == bars


@pytest.mark.parametrize("colours", [None, ColorSystem.EIGHT_BIT, ColorSystem.STANDARD])
def test_what_is_kept_is_green_and_what_is_lost_is_red(colours: ColorSystem | None) -> None:
    """However few colours the terminal has, none comes back once the scale has left it."""
    scale = [heat(Decimal(percent) / 100).bgcolor for percent in range(0, 181)]
    seen = [colour.downgrade(colours).number if colours else colour.number for colour in scale]
    distinct = list(dict.fromkeys(seen))
    assert [colour for colour, before in zip(seen, [None, *seen], strict=False) if colour != before] == distinct
    assert distinct == ([9, 11, 10] if colours is ColorSystem.STANDARD else list(HEAT))
    assert set(seen[:51]) == {distinct[0]}, "a half or less"
    assert set(seen[100:]) == {distinct[-1]}, "all or more"
