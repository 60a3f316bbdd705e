"""How much private memory the server's processes and this one take while something runs."""

import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

_PAUSE = 0.02  # seconds between two looks


class Peak:
    """Watches from ``with`` to its end; ``bytes`` is then the peak above what was there at the beginning.

    Private memory is that of no file and not shared, RssAnon: what work_mem and the like bound. None where
    the system does not tell it.
    """

    def __init__(self, postmaster: int | None) -> None:
        """Watch the process ``postmaster`` with all below it, and this process with all below it."""
        self._roots = [psutil.Process(), *([psutil.Process(postmaster)] if postmaster else [])]
        self._end = threading.Event()
        self.bytes: int | None = None

    def __enter__(self) -> "Peak":
        self._before = self._now()
        self._highest = self._before
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()
        self._highest = max(self._highest, self._now())
        if self._before:
            self.bytes = self._highest - self._before

    def _watch(self) -> None:
        while not self._end.wait(_PAUSE):
            self._highest = max(self._highest, self._now())

    def _now(self) -> int:
        return sum(_private(process) for process in self._processes())

    def _processes(self) -> Iterator[psutil.Process]:
        for root in self._roots:
            with suppress(psutil.Error):
                yield root
                yield from root.children(recursive=True)


def _private(process: psutil.Process) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) * 1024
    return 0
