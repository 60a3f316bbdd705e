"""Makes a virtual environment with pip in it, on a machine that may have nothing but Python.

    python3 scripts/make_venv.py DIRECTORY

A bare Debian has no pip, no ensurepip and no certificates: there, pip's own wheel is fetched
from the package index by the standard library alone and checked against the hash below. Where
the ``venv`` module is missing as well, uv makes the environment.
"""

import configparser
import hashlib
import html
import importlib.util
import os
import re
import ssl
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urljoin
from urllib.request import urlopen

PIP_WHEEL = "pip-25.3-py3-none-any.whl"
PIP_SHA256 = "9655943313a94722b7774661c21049070f6bbb0a1516bf02f7c8d5d9201514cd"


def make(directory: str) -> None:
    """Makes the environment, in place of whatever is at ``directory``."""
    if has_module("venv") and has_module("ensurepip"):
        run(sys.executable, "-m", "venv", "--clear", directory)
        return
    with tempfile.TemporaryDirectory() as scratch:
        pip = [sys.executable, "-m", "pip"] if has_module("pip") else [sys.executable, fetch_pip(scratch)]
        if has_module("venv"):
            run(sys.executable, "-m", "venv", "--clear", "--without-pip", directory)
        else:
            run(*pip, "install", "--quiet", "--target", scratch, "uv")
            run(f"{scratch}/bin/uv", "venv", "--quiet", "--clear", "--python", sys.executable, directory)
        run(*pip, "--python", f"{directory}/bin/python", "install", "--quiet", "pip")


def run(*command: str) -> None:
    """Runs a command that explains its own failure; ends the program where it fails."""
    if code := subprocess.run(command, check=False).returncode:
        sys.exit(code)


def has_module(name: str) -> bool:
    """Whether this interpreter has the module: distributions leave some of the standard library out."""
    return importlib.util.find_spec(name) is not None


def fetch_pip(directory: str) -> str:
    """Downloads pip's wheel into ``directory``; returns the path by which Python runs it."""
    page_url = f"{index_url().rstrip('/')}/pip/"
    links = re.findall(r'href="([^"]+)"', download(page_url).decode())
    link = next((link for link in links if PIP_WHEEL in link), None)
    if link is None:
        raise OSError(f"the package index {page_url} has no {PIP_WHEEL}")
    content = download(urljoin(page_url, html.unescape(link)))
    if hashlib.sha256(content).hexdigest() != PIP_SHA256:
        raise OSError(f"{PIP_WHEEL} from {page_url} is not the file it should be")
    wheel = Path(directory, PIP_WHEEL)
    wheel.write_bytes(content)
    return str(wheel / "pip")


def index_url() -> str:
    """The package index that pip's settings name, PyPI by default."""
    config = configparser.RawConfigParser()
    config.read(
        [
            "/etc/xdg/pip/pip.conf",
            "/etc/pip.conf",
            Path("~/.pip/pip.conf").expanduser(),
            Path("~/.config/pip/pip.conf").expanduser(),
            os.environ.get("PIP_CONFIG_FILE", ""),
        ]
    )
    configured = config.get("global", "index-url", fallback="https://pypi.org/simple")
    return os.environ.get("PIP_INDEX_URL", configured)


def download(url: str) -> bytes:
    """The content at ``url``, for callers who check what they got by its hash.

    So it needs no certificates: a bare Debian has none. Raises OSError.
    """
    try:
        with urlopen(url, timeout=60) as response:
            return response.read()
    except URLError as error:
        if not isinstance(error.reason, ssl.SSLCertVerificationError):
            raise OSError(f"can't reach {url}: {error}") from error
    with urlopen(url, timeout=60, context=ssl._create_unverified_context()) as response:
        return response.read()


if __name__ == "__main__":
    try:
        make(sys.argv[1])
    except OSError as error:
        sys.exit(f"error: {error}")
