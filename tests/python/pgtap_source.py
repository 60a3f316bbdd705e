"""pgTAP for a server that has no extensions of ours: fetched, checked, and given as one SQL script."""

import io
import subprocess
import tarfile
import tempfile
from pathlib import Path

import npm

VERSION = "1.3.5"
TARBALL = "@electric-sql/pglite-pgtap/-/pglite-pgtap-0.0.15.tgz"
SHA512 = "WWyw8E/V69RbkEpWBAsZX/Jd9GnTLu7p4mNy54fAsjcmJ5NX3xYm4S8YOKGEcOEAQnaGb+gixPQq/2SO3rT3DQ=="


class PgtapMissingError(Exception):
    """pgTAP could not be had; the message says from where it was tried and why that failed."""


def script() -> str:
    """The SQL that makes pgTAP's functions in the first schema of the search path.

    Comes from the cache, the npm registry, or a package of Debian. Raises PgtapMissingError.
    """
    try:
        return _unpack(npm.package(TARBALL, SHA512))
    except (OSError, tarfile.TarError, KeyError) as from_npm:
        try:
            return _from_debian()
        except (OSError, subprocess.CalledProcessError, IndexError) as from_debian:
            message = f"no pgTAP from the npm registry ({from_npm}), none from Debian ({from_debian!r})"
            raise PgtapMissingError(message) from from_npm


def _unpack(package: bytes) -> str:
    """The script within the tarball within the npm package."""
    return _member(
        _member(package, "package/dist/pgtap.tar.gz"),
        f"share/postgresql/extension/pgtap--{VERSION}.sql",
    ).decode()


def _member(archive: bytes, name: str) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return tar.extractfile(name).read()  # a plain file, as the hash proves


def _from_debian() -> str:
    """The script within Debian's newest package of pgTAP, unpacked without installing it."""
    with tempfile.TemporaryDirectory() as directory:

        def run(*command: str) -> str:
            return subprocess.run(command, cwd=directory, capture_output=True, text=True, check=True).stdout

        found = run("apt-cache", "search", "--names-only", "^postgresql-[0-9]+-pgtap$")
        newest = sorted(line.split()[0] for line in found.splitlines())[-1]
        run("apt-get", "download", newest)
        run("sh", "-c", "dpkg -x ./*.deb .")
        return next(Path(directory).glob("usr/share/postgresql/*/extension/pgtap.sql")).read_text()
