"""The list of errors that scripts/mutate plants: each still applies, and means what it says."""

import sys
from collections import Counter
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from mutate import LIST, PROCEDURES, ListError, Mutation, Verdict, areas_in_turn, main, read, table


def test_every_error_can_be_planted() -> None:
    mutations = read(LIST)
    for mutation in mutations.all:
        original = (PROCEDURES / mutation.file).read_text(encoding="utf-8")
        assert mutation.planted_in(original) != original
    assert len(mutations.all) >= 60
    assert Counter(mutation.error for mutation in mutations.all).most_common(1)[0][1] == 1


def test_every_area_has_tests_that_are_there(repository: Path) -> None:
    mutations = read(LIST)
    assert {mutation.area for mutation in mutations.all} == mutations.suspects.keys()
    for tests in (*mutations.suspects.values(), mutations.rest):
        files = [repository / argument for argument in tests.pytest if argument.endswith(".py")]
        files += [repository / "tests" / "pgtap" / f"{name}.sql" for name in tests.pgtap]
        assert files
        for file in files:
            assert file.is_file(), file


def test_errors_are_spread_over_the_code() -> None:
    files = Counter(mutation.file.split("/")[0] for mutation in read(LIST).all if not mutation.equivalent)
    assert min(files["10_pipeline"], files["30_kpi"], files["40_kpi"]) >= 20


@pytest.mark.parametrize(
    ("mutation", "complaint"),
    [
        (Mutation("ledger", "a.sql", "<", "<=", "two places"), "2 times"),
        (Mutation("ledger", "a.sql", ">=", ">", "no place"), "0 times"),
        (Mutation("ledger", "a.sql", "1 < 2", "1 < 2", "no error"), "changes nothing"),
    ],
    ids=lambda value: value.error if isinstance(value, Mutation) else "",
)
def test_an_entry_that_cannot_be_planted_is_refused(mutation: Mutation, complaint: str) -> None:
    with pytest.raises(ListError, match=complaint):
        mutation.planted_in("select 1 < 2, 2 < 3;")


def test_areas_take_turns() -> None:
    entries = [Mutation(area, "a.sql", "", "", error) for area, error in ("a1", "a2", "b1", "a3", "b2")]
    assert [m.area + m.error for m in areas_in_turn(entries)] == ["a1", "b1", "a2", "b2", "a3"]


def test_the_table_counts_what_was_killed() -> None:
    entries = [Mutation(area, "a.sql", "", "", error) for area, error in ("a1", "a2", "b1", "b2")]
    verdicts = dict(zip(entries, map(Verdict, (True, False, True, True)), strict=True))
    assert table(verdicts).splitlines()[2:] == [
        "| a | 2 | 1 |",
        "| b | 2 | 2 |",
        "| **all** | **4** | **3** (75.0 %) |",
    ]


def test_words_that_no_error_has_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-k", "no such words"]) == 2
    assert "no such words" in capsys.readouterr().err


@pytest.mark.full
def test_a_planted_error_is_noticed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--quick", "-k", "mrr_at is a day late"]) == 0
    assert "killed    mrr: mrr_at is a day late" in capsys.readouterr().out
