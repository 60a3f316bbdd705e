"""Runs that are cut short leave what was there before, or what they were to make; and the next run succeeds.

PGMRR_TEST_SEED=7 .venv/bin/python tests/run.py --full -s tests/python/test_crash.py
"""

import os
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest

from conftest import need
from crash import Scene, Tally, Way, moments

SEED = int(os.environ.get("PGMRR_TEST_SEED", "20261122"))
KILLED = [Way.runner_killed, Way.server_killed]
OTHERS = [Way.session_killed, Way.connection_lost, Way.statement_cancelled]
ALL = ["migrate", "import", "refresh", "undo", "rebuild", "simulate", "rollback", "upgrade"]

DISK = 320 * 2**20


def cut_short(scene: Scene, name: str, ways: Sequence[Way], count: int, chance: random.Random) -> Tally:
    """Cut runs of an operation short in each way, at so many moments."""
    tally = Tally()
    for way in ways:
        for moment in moments(count, chance):
            restart_at_once = chance.random() < 0.5
            for attempt in range(4):
                trial = scene.cut_short(name, way, moment / 2**attempt, restart_at_once=restart_at_once)
                if trial.was_running:  # else it was faster than the one that was measured: that proves nothing
                    break
            tally.add(name, way, trial)
    return tally


def test_a_run_that_is_killed_leaves_all_or_nothing(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    with Scene.opened(tmp_path, ["import", "undo"], size=60) as scene:
        tallies = [cut_short(scene, name, KILLED, 1, chance) for name in scene.operations]
    print(f"seed {SEED}", *tallies, sep="\n")
    assert sum(tally.total("moments") for tally in tallies) == 8
    assert sum(tally.total("running") for tally in tallies) >= 6


@pytest.mark.full
@pytest.mark.parametrize("name", ALL)
def test_a_run_cut_short_in_any_way_leaves_all_or_nothing(tmp_path: Path, name: str) -> None:
    chance = random.Random(f"{SEED} {name}")
    with Scene.opened(tmp_path, [name], size=300) as scene:
        killed = cut_short(scene, name, KILLED, 13, chance)
        print(f"seed {SEED}\n{killed}", flush=True)
        others = cut_short(scene, name, OTHERS, 2, chance)
        print(others, flush=True)
    assert len(ALL) * killed.total("moments") >= 200
    assert killed.total("running") >= 22
    assert killed.total("writing") >= 4
    assert killed.total("moments") > killed.total("done")
    assert others.total("running") >= 4


def test_a_time_limit_ends_a_reading_command_in_a_line(database: str) -> None:
    with psycopg.connect(database) as writer:
        writer.execute("lock table meta.coverage")
        run = subprocess.run(
            [sys.executable, "-m", "pgmrr", "coverage"],
            env={**os.environ, "DATABASE_URL": database, "PGOPTIONS": "-c statement_timeout=500"},
            capture_output=True,
            text=True,
            check=False,
        )
    assert run.returncode == 1
    assert run.stderr == "error: canceling statement due to statement timeout (SQLSTATE 57014)\n"


# -- a full disk ------------------------------------------------------------------------


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of its own, of a few hundred megabytes."""
    mount, unmount = need("mount"), need("umount")
    with TemporaryDirectory(prefix="pgmrr-test-", ignore_cleanup_errors=True) as place:
        options = ["-t", "tmpfs", "-o", f"size={DISK},mode=0711", "pgmrr-test"]
        mounted = subprocess.run([mount, *options, place], capture_output=True, text=True, check=False)
        if mounted.returncode:
            reason = f"only who may mount a file system can test a full one: {mounted.stderr.strip()}"
            if "mount" in os.environ.get("PGMRR_TEST_REQUIRE", "").split(","):
                pytest.fail(reason)
            pytest.skip(reason)
        try:
            yield Path(place)
        finally:
            subprocess.run([unmount, place], check=True)


@pytest.mark.full
def test_a_full_disk_costs_nothing_but_the_run(small_disk: Path, tmp_path: Path) -> None:
    with Scene.opened(tmp_path, ["migrate", "import", "refresh"], 300, home=small_disk / "home") as scene:
        refused = []
        for free in [2**16, 2**18, 2**19, 2**20]:
            for name in scene.operations:
                is_done, said = scene.fill_up(name, free)
                if not is_done:
                    assert "No space left on device" in said
                    refused.append(name)
        print(f"of 12 runs on an almost full disk {len(refused)} were refused: {refused}")
        assert len(refused) >= 6
        for name in scene.operations:
            is_done, said = scene.fill_up(name, 2**22, no_log=True)
            assert not is_done
            # The server goes down, or refuses before it has to.
            assert "the connection to the database was lost" in said or "No space left on device" in said
