"""Runs the tests on several versions of PostgreSQL, one after the other, and prints a line for each.

scripts/test-versions calls it.
"""

import os
import subprocess
import sys
from itertools import takewhile

import servers
from pgmrr.server_binaries import package_version

EMBEDDED = package_version().split(".", maxsplit=1)[0]


def main(arguments: list[str]) -> int:
    """Runs the tests on the versions that are named first, or on all; the exit code."""
    named = list(takewhile(str.isdecimal, arguments))
    known = [*servers.PACKAGES, EMBEDDED]
    if unknown := [version for version in named if version not in known]:
        print(f"error: no PostgreSQL {', '.join(unknown)} to be had, only {', '.join(known)}", file=sys.stderr)
        return 2
    results = dict(run(version, arguments[len(named) :]) for version in named or known)
    for release, line in results.items():
        print(f"PostgreSQL {release}: {line}")
    return 0 if all(", 0 failed" in line for line in results.values()) else 1


def run(version: str, arguments: list[str]) -> tuple[str, str]:
    """The exact release, and the last line that its tests print; what they print before goes to stderr."""
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PGMRR_TEST_URL")}
    if version == EMBEDDED:
        return _number(package_version()), _last_line(arguments, environment)
    with servers.programs(version) as programs:
        environment["PGMRR_TEST_PROGRAMS"] = str(programs)
        return _number(servers.PACKAGES[version][0]), _last_line(arguments, environment)


def _number(release: str) -> str:
    """The number of PostgreSQL's release in that of the package's."""
    return ".".join(release.split(".")[:2])


def _last_line(arguments: list[str], environment: dict[str, str]) -> str:
    last = ""
    with subprocess.Popen(["scripts/test", *arguments], env=environment, stdout=subprocess.PIPE, text=True) as tests:
        for line in tests.stdout or ():
            print(line, end="", file=sys.stderr, flush=True)
            last = line.strip()
    return last


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
