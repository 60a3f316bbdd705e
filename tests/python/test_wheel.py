"""The wheel, installed away from the checkout and read-only, does the whole job."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

pytestmark = pytest.mark.full


@pytest.fixture(scope="module")
def wheel(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    directory = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", directory, repository)
    (built,) = directory.glob("pgmrr-*.whl")
    return built


def run(*command: object, **environment: str) -> str:
    """Run a command; what it printed."""
    done = subprocess.run(
        [str(part) for part in command],
        env={name: value for name, value in {**os.environ, **environment}.items() if name != "DATABASE_URL"},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_holds_all_sql(wheel: Path, repository: Path) -> None:
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if name.endswith(".sql")}
    expected = {
        f"pgmrr/{file.relative_to(repository).as_posix()}"
        for folder in ("migrations", "procedures")
        for file in (repository / folder).rglob("*.sql")
    }
    assert len(expected) > 80
    assert expected <= inside


def test_the_wheel_holds_what_the_page_is_made_of(wheel: Path, repository: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())
    files = [file for file in (repository / "scripts/pgmrr/page").iterdir() if file.suffix in (".css", ".html", ".js")]
    assert len(files) == 3
    assert {f"pgmrr/page/{file.name}" for file in files} <= inside


def test_an_installed_wheel_goes_from_nothing_to_figures(wheel: Path) -> None:
    with TemporaryDirectory(prefix="pgmrr-test-", ignore_cleanup_errors=True) as name:
        directory = Path(name)
        directory.chmod(0o711)  # where root runs the tests, the server's user gets through
        run(sys.executable, "-m", "venv", directory / "venv")
        run(directory / "venv/bin/python", "-m", "pip", "install", "--quiet", wheel)
        run("chmod", "-R", "a-w", directory / "venv")
        pgmrr, home = directory / "venv/bin/pgmrr", str(directory / "home")
        try:
            run(pgmrr, "up", PGMRR_HOME=home)
            run(pgmrr, "migrate", PGMRR_HOME=home)
            run(pgmrr, "simulate", "--companies", "50", "--months", "3", PGMRR_HOME=home)
            shown = run(pgmrr, "kpis", PGMRR_HOME=home)
        finally:
            run(pgmrr, "down", PGMRR_HOME=home)
            run("chmod", "-R", "u+w", directory / "venv")
    assert "50 customers are known" in shown
    assert "2024-03" in shown
