"""The style and the static checks of every file, by ``scripts/lint``; and that these find what they are for."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest


@pytest.mark.parametrize("language", ["python", "shell", "sql"])
def test_style(repository: Path, language: str) -> None:
    lint = subprocess.run([repository / "scripts/lint", language], capture_output=True, text=True, check=False)
    if lint.returncode != 0:
        pytest.fail(lint.stdout + lint.stderr, pytrace=False)


def broken(repository: Path, *arguments: object) -> set[str]:
    """The rules of squawk that files break."""
    command = [Path(sys.executable).with_name("squawk"), "--reporter=json", *map(str, arguments)]
    found = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
    return {finding["rule_name"] for finding in json.loads(found.stdout)}


def test_a_migration_that_breaks_or_blocks_readers_is_found(repository: Path, tmp_path: Path) -> None:
    migration = tmp_path / "0099_careless.sql"
    migration.write_text(
        "alter table raw.invoice drop column total;\n"
        "alter table raw.customer rename column name to title;\n"
        "alter table raw.invoice alter column tax type numeric;\n"
        "create index on raw.invoice (total);\n"
    )
    expected = {"ban-drop-column", "renaming-column", "changing-column-type", "require-concurrent-index-creation"}
    assert expected - broken(repository, "--config=.squawk.toml", migration) == set()


def test_no_rule_about_migrations_is_left_out_that_none_breaks(repository: Path, tmp_path: Path) -> None:
    left_out = set(tomllib.loads((repository / ".squawk.toml").read_text())["excluded_rules"])
    nothing = tmp_path / "squawk.toml"
    nothing.write_text('pg_version = "15.0"\nassume_in_transaction = true\n')
    migrations = [path for path in (repository / "migrations").glob("*.sql") if ".rollback." not in path.name]
    assert left_out - broken(repository, f"--config={nothing}", *migrations) == set()
