"""Packages of the npm registry, without npm: fetched once, checked by their hash, kept in the user's cache."""

import base64
import hashlib
import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

import platformdirs

from make_venv import download


def package(tarball: str, sha512: str) -> bytes:
    """The file ``@scope/name/-/name-version.tgz`` of the registry, which must have this hash (base64).

    Raises OSError where it can't be had, or is another.
    """
    cached = platformdirs.user_cache_path("pgmrr") / Path(tarball).name
    if cached.is_file() and _hash(content := cached.read_bytes()) == sha512:
        return content
    content = download(f"{_registry().rstrip('/')}/{tarball}")
    if _hash(content) != sha512:
        raise OSError(f"{tarball} is not the file it should be")
    with suppress(OSError):  # without a cache, the next run downloads it again
        cached.parent.mkdir(parents=True, exist_ok=True)
        unfinished = cached.with_name(f"{cached.name}.{os.getpid()}")
        unfinished.write_bytes(content)
        unfinished.replace(cached)
    return content


def _hash(content: bytes) -> str:
    return base64.b64encode(hashlib.sha512(content).digest()).decode()


def _registry() -> str:
    """The npm registry of this machine's settings."""
    if npm := shutil.which("npm"):
        configured = subprocess.run([npm, "config", "get", "registry"], stdout=subprocess.PIPE, check=False)
        if configured.stdout.startswith(b"http"):
            return configured.stdout.decode().strip()
    return os.environ.get("NPM_CONFIG_REGISTRY", "https://registry.npmjs.org")
