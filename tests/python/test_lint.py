"""The style of every file, by ``scripts/lint``."""

import subprocess
from pathlib import Path

import pytest


@pytest.mark.parametrize("language", ["python", "shell", "sql"])
def test_style(repository: Path, language: str) -> None:
    lint = subprocess.run([repository / "scripts/lint", language], capture_output=True, text=True, check=False)
    if lint.returncode != 0:
        pytest.fail(lint.stdout + lint.stderr, pytrace=False)
