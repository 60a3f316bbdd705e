"""Servers of other versions than the embedded one, and the command that runs the tests on them."""

import platform
import subprocess
from pathlib import Path

import pytest

import pgtap
import servers
from conftest import Server
from pgmrr.migrations import migrate


def test_a_version_that_cannot_be_had_is_named(repository: Path) -> None:
    command = [repository / "scripts/test-versions", "14", "18"]
    refused = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.splitlines()[-1] == "error: no PostgreSQL 14 to be had, only 15, 16, 17, 18"


@pytest.mark.full
@pytest.mark.parametrize("version", servers.PACKAGES)
def test_the_catalog_is_as_it_should_be_on_each_version(version: str, repository: Path) -> None:
    """PostgreSQL stores bodies of functions in another way in each version, and that file reads them."""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        pytest.skip("servers of other versions are to be had for Linux on x86-64 alone")
    with (
        servers.programs(version) as programs,
        servers.started(programs) as url,
        Server(url).databases() as create,
    ):
        database = create()
        migrate(database)
        pgtap.install(database)
        with Server(url).connect() as connection:
            assert connection.info.server_version // 10000 == int(version)
        outcome = pgtap.run(repository / "tests/pgtap/61_catalog.sql", database)
    assert outcome.problems == []
    assert [str(assertion) for assertion in outcome.assertions.values() if not assertion.passed] == []
    assert len(outcome.assertions) == outcome.plan
