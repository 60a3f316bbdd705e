"""A virtual environment on a machine that has nothing but Python."""

import hashlib
import http.server
import subprocess
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

import make_venv


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The directory of a package index that pip's settings name."""
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=tmp_path)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        settings = tmp_path / "pip.conf"
        settings.write_text(f"[global]\nindex-url = http://127.0.0.1:{server.server_port}/simple/\n")
        monkeypatch.setenv("PIP_CONFIG_FILE", str(settings))
        monkeypatch.delenv("PIP_INDEX_URL", raising=False)
        page = tmp_path / "simple/pip/index.html"
        page.parent.mkdir(parents=True)
        page.write_text(f'<a href="../../files/{make_venv.PIP_WHEEL}#sha256=x&amp;y">a wheel</a>')
        (tmp_path / "files").mkdir()
        yield tmp_path
        server.shutdown()


def test_pip_comes_from_the_index_of_its_settings(index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (index / "files" / make_venv.PIP_WHEEL).write_bytes(b"pip")
    monkeypatch.setattr(make_venv, "PIP_SHA256", hashlib.sha256(b"pip").hexdigest())
    assert make_venv.fetch_pip(str(tmp_path)) == f"{tmp_path / make_venv.PIP_WHEEL}/pip"
    assert (tmp_path / make_venv.PIP_WHEEL).read_bytes() == b"pip"


def test_another_file_of_this_name_is_refused(index: Path, tmp_path: Path) -> None:
    (index / "files" / make_venv.PIP_WHEEL).write_bytes(b"something else")
    with pytest.raises(OSError, match="is not the file it should be"):
        make_venv.fetch_pip(str(tmp_path))


def test_an_index_without_pip_is_named(index: Path, tmp_path: Path) -> None:
    (index / "simple/pip/index.html").write_text("")
    with pytest.raises(OSError, match=r"the package index http.*/simple/pip/ has no pip-"):
        make_venv.fetch_pip(str(tmp_path))


def test_the_environment_overrides_the_settings(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://example.org/simple")
    assert make_venv.index_url() == "https://example.org/simple"


@pytest.mark.full
@pytest.mark.parametrize("missing", [["ensurepip"], ["ensurepip", "pip"], ["ensurepip", "pip", "venv"]], ids=" ".join)
def test_an_environment_without_what_debian_leaves_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: list[str]
) -> None:
    has_module: Callable[[str], bool] = make_venv.has_module
    monkeypatch.setattr(make_venv, "has_module", lambda name: name not in missing and has_module(name))
    make_venv.make(str(tmp_path / "venv"))
    subprocess.run([tmp_path / "venv/bin/python", "-m", "pip", "--version"], check=True)
