"""``start.sh`` and ``build.sh``: what they hand on, and the one line they say where something is missing.

``start.sh`` runs in a checkout whose ``build.sh`` does nothing and whose ``pgmrr`` prints what it was
given; Docker is a script that answers as Docker does.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp

import pytest

PGMRR = """#!/bin/sh
echo "pgmrr $* in $PWD on ${DATABASE_URL:-its own server} with ${PGPASSWORD:-no password}"
"""

DOCKER = """#!/bin/bash
case $* in
    info) [ -z "$COMPLAINT" ] || { echo "$COMPLAINT" >&2; exit 1; } ;;
    "compose version") [ -z "$NO_COMPOSE" ] ;;
    *"up --detach db") [ -z "$REFUSAL" ] || { echo "Error: $REFUSAL" >&2; exit 1; } ;;
    *"ps --quiet db") echo c1 ;;
    inspect*c1) echo "${STATE:-running healthy}" ;;
    *"exec -T db printenv POSTGRES_PASSWORD") echo 'se:cr@t' ;;
    *"port db 5432") echo 127.0.0.1:54329 ;;
    *) echo "unexpected: docker $*" >&2; exit 1 ;;
esac
"""


@pytest.fixture
def directory() -> Iterator[Path]:
    """An empty directory that every user may enter."""
    path = Path(mkdtemp()).resolve()
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def checkout(directory: Path, repository: Path) -> Path:
    """A checkout with start.sh, and the programs that it calls in ``bin``."""
    checkout = directory / "a checkout"
    (checkout / ".venv/bin").mkdir(parents=True)
    (checkout / "bin").mkdir()
    shutil.copy(repository / "start.sh", checkout)
    executable(checkout / "build.sh", "#!/bin/sh\n")
    executable(checkout / ".venv/bin/pgmrr", PGMRR)
    executable(checkout / "bin/docker", DOCKER)
    return checkout


def executable(path: Path, content: str) -> None:
    path.write_text(content)
    path.chmod(0o755)


def run(program: Path, *arguments: str, **environment: str) -> tuple[str, str]:
    """What the program prints, without Docker's progress, and its last line of errors."""
    clean = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "PYTHON")}
    path = f"{program.resolve().parent / 'bin'}:{os.environ['PATH']}"
    done = subprocess.run(
        [program, *arguments],
        env={**clean, "PATH": path, **environment},
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
    )
    lines = done.stderr.splitlines()
    assert (done.returncode != 0) == any(line.startswith("error: ") for line in lines), done.stderr
    return done.stdout.strip(), lines[-1] if lines else ""


def test_start_hands_its_arguments_on(checkout: Path) -> None:
    printed, _ = run(checkout / "start.sh", "--stripe", "my export")
    assert printed == "pgmrr start --stripe my export in / on its own server with no password"


def test_start_works_through_links(checkout: Path, directory: Path) -> None:
    (directory / "one").symlink_to("a checkout/start.sh")
    (directory / "two").symlink_to(directory / "one")
    assert run(directory / "two")[0] == "pgmrr start in / on its own server with no password"


def test_start_explains_itself(checkout: Path) -> None:
    (checkout / "build.sh").unlink()
    printed, _ = run(checkout / "start.sh", "--help")
    assert printed.startswith("./start.sh [--docker] [--stripe DIR]")


@pytest.mark.parametrize(("arguments", "database"), [((), "abc"), (("--stripe", "x"), "stripe")])
def test_docker_is_one_more_server(checkout: Path, arguments: tuple[str, ...], database: str) -> None:
    printed, said = run(checkout / "start.sh", "--docker", *arguments)
    url = f"postgresql://postgres@127.0.0.1:54329/{database}"
    assert printed == f"pgmrr {' '.join(['start', *arguments])} in / on {url} with se:cr@t"
    assert said == f"the database is at {url}"


@pytest.mark.parametrize(
    ("environment", "error"),
    [
        ({"COMPLAINT": "Cannot connect to the Docker daemon"}, r"Docker is not running; .*: (sudo sys|open)"),
        ({"COMPLAINT": "permission denied"}, r".* may not use Docker; .*: sudo usermod -aG docker "),
        ({"NO_COMPOSE": "1", "PATH": "/bin:/usr/bin"}, r"Docker has no compose command; .*: sudo apt-get"),
        (
            {"REFUSAL": "port is already allocated"},
            r"the port of the database is taken; .*: PGMRR_PORT=54330 ",
        ),
        ({"REFUSAL": "no such image"}, r"Docker could not start the database; .*: docker compose .* up db"),
        ({"STATE": "exited unhealthy"}, r"the database in Docker is exited unhealthy; .*: .* logs db"),
        ({"DATABASE_URL": "postgresql://a"}, r"both DATABASE_URL and --docker .*: unset DATABASE_URL"),
    ],
)
def test_what_docker_lacks_is_said_in_a_line(checkout: Path, environment: dict[str, str], error: str) -> None:
    if "PATH" in environment:  # with the tools of the system, but no docker-compose
        for tool in ("bash", "dirname", "id", "uname"):
            (checkout / "bin" / tool).symlink_to(shutil.which(tool))
        environment = {**environment, "PATH": str(checkout / "bin")}
    printed, said = run(checkout / "start.sh", "--docker", **environment)
    assert printed == ""
    assert re.match(f"error: {error}", said), said


@pytest.fixture
def unbuilt(directory: Path, repository: Path) -> Path:
    """A checkout with what build.sh needs, and no .venv."""
    for name in ("build.sh", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(repository / name, directory)
    shutil.copytree(repository / "scripts", directory / "scripts")
    for name in ("migrations", "procedures", "bin"):
        (directory / name).mkdir()
    return directory


def test_an_old_python_is_refused(unbuilt: Path) -> None:
    executable(unbuilt / "python", '#!/bin/sh\n[ "$1" = --version ] && echo Python 3.10.12')
    _, said = run(unbuilt / "build.sh", PYTHON=str(unbuilt / "python"))
    assert said.startswith("error: pgmrr needs Python 3.11 or newer, and here is Python 3.10.12; to mend it: ")


def test_no_python_is_refused(unbuilt: Path) -> None:
    _, said = run(unbuilt / "build.sh", PYTHON="/nowhere/python")
    assert said.startswith("error: pgmrr needs Python 3.11 or newer, and here is no /nowhere/python; ")


def test_a_checkout_of_somebody_else_is_refused(unbuilt: Path) -> None:
    somebody = {"user": "nobody"} if os.geteuid() == 0 else {}
    unbuilt.chmod(0o555)
    done = subprocess.run([unbuilt / "build.sh"], **somebody, capture_output=True, text=True, check=False, cwd="/")
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(r"error: \w+ may not write in (.*); to mend it: sudo chown -R \w+ \"\1\"\n", done.stderr)
    unbuilt.chmod(0o755)


@pytest.mark.full
def test_an_unreachable_index_is_named(unbuilt: Path) -> None:
    nowhere = {"PIP_INDEX_URL": "http://127.0.0.1:9", "PIP_RETRIES": "1", "PIP_CONFIG_FILE": os.devnull}
    _, said = run(unbuilt / "build.sh", **nowhere)
    assert said.startswith("error: the package index can't be reached; to mend it: check the network ")


@pytest.mark.full
def test_a_build_is_repeated_only_when_something_changed(unbuilt: Path) -> None:
    installing = "installing pgmrr into .venv (half a minute the first time) …"
    assert run(unbuilt / "build.sh") == ("", installing)
    assert run(unbuilt / "build.sh") == ("", "")

    with (unbuilt / "pyproject.toml").open("a") as project:
        project.write("# changed\n")
    assert run(unbuilt / "build.sh") == ("", installing)
    assert run(unbuilt / "build.sh") == ("", "")

    moved = unbuilt.rename(f"{unbuilt}-moved")
    try:
        assert run(moved / "build.sh") == ("", installing)
        assert (moved / ".venv/bin/pgmrr").read_text().startswith(f"#!{moved}/.venv/bin/python")
    finally:
        moved.rename(unbuilt)
