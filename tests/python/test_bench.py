"""The bench: its arithmetic, and that both sides of every measure agree, at the smallest size; no time is judged."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import main
from measure import Measure, Sample
from results import Result, exceeds_memory, exponent, ratio, spread, verdict

ROOT = Path(__file__).resolve().parents[2]


def measure(**options) -> Measure:
    return Measure(**{
        "name": "m", "ours": "", "reference": "", "better": "less", "must": 6, "aim": 2, "open": None, **options
    })  # fmt: skip


def result(ours: list[float], reference: list[float], *, size: str = "L", invoices: int = 10, **options) -> Result:
    samples = [[Sample(value, 1) for value in values] for values in (ours, reference)]
    return Result(measure(**options), size, invoices, 100, *samples, compared=1)


def test_the_ratio_is_the_median_of_the_pairs():
    one = result([2, 30, 4], [1, 10, 1])
    assert ratio(one, [one]) == 3


def test_the_spread_is_a_share_of_the_median():
    assert spread([Sample(value, 1) for value in (8, 10, 14)]) == 0.6


@pytest.mark.parametrize(
    ("better", "value", "said"),
    [
        ("less", 2.0, "aim met"),
        ("less", 6.0, "met"),
        ("less", 6.1, "missed"),
        ("more", 6.0, "aim met"),
        ("more", 2.0, "met"),
        ("more", 1.9, "missed"),
    ],
)
def test_a_ratio_is_judged_by_its_bounds(better, value, said):
    must, aim = (6, 2) if better == "less" else (2, 6)
    one = result([value], [1], better=better, must=must, aim=aim)
    assert verdict(one, [one]) == said


def test_a_ratio_is_judged_at_its_size_alone():
    one = result([100], [1], size="S")
    assert verdict(one, [one]) == ""


def test_another_measure_serves_as_reference_at_its_largest_size():
    small, large = result([5], [1], name="rebuild", invoices=10), result([50], [1], name="rebuild", invoices=100)
    refresh = result([1], [], name="refresh", reference_measure="rebuild")
    assert ratio(refresh, [small, large, refresh]) == 0.02


def test_time_that_doubles_with_the_size_grows_to_the_power_of_one():
    assert exponent([result([3], [1], invoices=10), result([30], [1], invoices=100)]) == pytest.approx(1)


def test_a_rate_that_halves_where_the_size_doubles_grows_to_the_power_of_one():
    rates = [result([8], [1], invoices=10, better="more"), result([4], [1], invoices=20, better="more")]
    assert exponent(rates) == pytest.approx(1)


def test_one_size_tells_no_growth():
    assert exponent([result([3], [1])]) is None


@pytest.mark.parametrize(("taken", "is_more"), [(None, False), (100, False), (101, True)])
def test_memory_is_bound_by_the_settings(taken, is_more):
    one = result([1], [1])
    one.ours = [Sample(1, 1, memory=taken)]
    assert exceeds_memory(one) is is_more


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        pytest.param(["--only", "more_reads"], ["more_reads"], id="a measure"),
        pytest.param(["--only", "importing"], ["import", "import_whole"], id="a module"),
        pytest.param(["--only", "reads"], ["reads"], id="a measure called as its module"),
        pytest.param(["--only", "reads", "mrr_at"], ["mrr_at", "reads"], id="two"),
        pytest.param(["--only", "refresh", "--only", "rebuild"], ["rebuild", "refresh"], id="one after the other"),
    ],
)
def test_measures_are_chosen_by_name_or_by_module(asked, names):
    assert [one.name for one in main.parse(asked).measures] == names


def test_all_measures_are_chosen_where_none_is_named():
    assert {"import", "more_reads", "refresh", "simulation"} < {one.name for one in main.parse([]).measures}


def test_an_unknown_measure_is_told_with_those_that_are_there(capsys):
    with pytest.raises(SystemExit):
        main.parse(["--only", "mrr_at", "speed"])
    assert "there is no measure speed; there are import, import_whole, more_reads, mrr_at" in capsys.readouterr().err


@pytest.mark.parametrize(
    "chosen", [["--only", "mrr_at", "simulation"], pytest.param([], marks=pytest.mark.full)], ids=["some", "all"]
)
def test_both_sides_of_every_measure_agree(tmp_path, chosen):
    command = [sys.executable, ROOT / "tests/bench/main.py", "--size", "XS", "--runs", "1"]
    done = subprocess.run(
        [*command, "--json", tmp_path / "x.json", *chosen], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    measured = json.loads((tmp_path / "x.json").read_text())["results"]
    assert len(measured) >= len(chosen[1:]) > 0 or (not chosen and len(measured) > 5)
    for one in measured:
        assert one["compared"] > 0 or one["not_run"], one
