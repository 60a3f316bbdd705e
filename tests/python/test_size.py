"""How much memory an import of a large file takes: the runner streams it, whatever its size."""

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from conftest import NewDatabase
from pgmrr.sessions import open_session
from pgmrr.simulation import SaasParameters, simulate_saas
from pgmrr.stripe_export import export_stripe

GIGABYTE = 2**30
MOST_MEMORY = 200 * 2**20

# Runs the command line, and tells on its last line how much memory it had at most, in bytes. Where there is
# /proc, it knows: getrusage counts what the parent had when it was forked.
MEASURED = """
import pathlib, re, resource
from pgmrr.__main__ import main
try:
    main()
finally:
    status = pathlib.Path("/proc/self/status")
    if status.exists():
        print(int(re.search(r"VmHWM:\\s+(\\d+) kB", status.read_text())[1]) * 1024)
    else:
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def repeated(source: Path, target: Path, size: int) -> int:
    """Write the rows of ``source`` again and again, each time with other ids, up to ``size`` bytes.

    Returns how many rows that makes.
    """
    header, _, body = source.read_bytes().partition(b"\r\n")
    rows = 0
    with target.open("wb") as file:
        file.write(header)
        while file.tell() < size:
            copy = body
            for prefix in (b"in_", b"cus_", b"sub_"):
                copy = copy.replace(prefix, prefix + str(rows).encode() + b"_")
            file.write(b"\r\n" + copy)
            rows += body.count(b"\r\n") + 1
    return rows


def imported(database: str, invoices: Path) -> tuple[str, int]:
    """What an import says, and how much memory the runner had at most, in bytes."""
    result = subprocess.run(
        [sys.executable, "-c", MEASURED, "import", "stripe", "--invoices", str(invoices)],
        env={**os.environ, "DATABASE_URL": database},
        capture_output=True,
        text=True,
        check=True,
    )
    return result.stderr, int(result.stdout.splitlines()[-1])


def large_file(url: str, tmp_path: Path, size: int) -> tuple[Path, int]:
    """An export of a simulated company, repeated up to ``size`` bytes, and how many rows it has."""
    with open_session(url) as connection:
        simulate_saas(connection, SaasParameters(companies=1000, months=24))
        export_stripe(connection, tmp_path / "export")
    large = tmp_path / "invoices.csv"
    return large, repeated(tmp_path / "export" / "invoices.csv", large, size)


def counted(url: str) -> int:
    with psycopg.connect(url) as connection:
        return connection.execute("select count(*) from raw.invoice where superseded_by is null").fetchone()[0]


def test_memory_does_not_grow_with_the_file(new_database: NewDatabase, template: str, tmp_path: Path) -> None:
    large, rows = large_file(new_database(template=template), tmp_path, 24 * 2**20)
    copy = new_database(template=template)
    _, most = imported(copy, large)
    assert counted(copy) == rows > 50_000
    assert most < MOST_MEMORY


@pytest.mark.full
def test_a_gigabyte_is_imported_with_little_memory(new_database: NewDatabase, template: str, tmp_path: Path) -> None:
    large, rows = large_file(new_database(template=template), tmp_path, GIGABYTE)
    assert large.stat().st_size >= GIGABYTE
    copy = new_database(template=template)
    _, most = imported(copy, large)
    assert counted(copy) == rows > 2_000_000
    assert most < MOST_MEMORY, f"{most / 2**20:.0f} MB"
    print(f"{large.stat().st_size:,} bytes, {rows:,} rows: the runner had at most {most / 2**20:.0f} MB")
