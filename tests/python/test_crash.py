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


def cut_short(scene: Scene, chance: random.Random, ways: Sequence[Way], count: int, tally: Tally) -> None:
    """Cut each operation short at so many moments in each way."""
    for name in scene.operations:
        for way in ways:
            for moment in moments(count, chance):
                restart_at_once = chance.random() < 0.5
                trial = scene.cut_short(name, way, moment, restart_at_once=restart_at_once)
                if not trial.was_running:  # it was faster than the one that was measured: that proves nothing
                    trial = scene.cut_short(name, way, moment / 2, restart_at_once=restart_at_once)
                tally.add(name, way, trial)


def test_a_run_that_is_killed_leaves_all_or_nothing(tmp_path: Path) -> None:
    tally = Tally()
    with Scene.opened(tmp_path, ["migrate", "import", "refresh", "undo"], size=60) as scene:
        cut_short(scene, random.Random(SEED), KILLED, 1, tally)
    print(f"seed {SEED}\n{tally}")
    assert tally.total("moments") == 8
    assert tally.total("running") >= 6


@pytest.mark.full
def test_runs_cut_short_in_every_way_leave_all_or_nothing(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    killed, others = Tally(), Tally()
    try:
        with Scene.opened(tmp_path, ALL, size=300) as scene:
            cut_short(scene, chance, KILLED, 13, killed)
            cut_short(scene, chance, OTHERS, 4, others)
    finally:
        print(f"seed {SEED}\n{killed}\n{others}")
    assert killed.total("moments") >= 200
    assert killed.total("running") >= 180
    assert killed.total("writing") >= 100
    assert killed.total("moments") > killed.total("done") > 0
    assert others.total("writing") >= 40


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
            pytest.skip(f"only who may mount a file system can test a full one: {mounted.stderr.strip()}")
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
        assert len(refused) >= 6
        for name in scene.operations:
            is_done, said = scene.fill_up(name, 2**22, no_log=True)
            assert not is_done
            assert "the connection to the database was lost" in said
