"""How much private memory the server's processes and this one take while something runs."""

import os
import threading
from contextlib import suppress
from pathlib import Path

_PAUSE = 0.05  # seconds between two looks


class Peak:
    """Watches from ``with`` to its end; ``bytes`` is then the peak above what was there at the beginning.

    Private memory is that of no file and not shared, RssAnon: what work_mem and the like bound. None where
    the system does not tell it.
    """

    def __init__(self, postmaster: int | None) -> None:
        """Watch this process and the process ``postmaster``, with all that they started."""
        self._roots = [os.getpid(), *([postmaster] if postmaster else [])]
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
        return sum(_private(process) for root in self._roots for process in _family(root))


def _family(root: int) -> list[int]:
    """The process and all below it. Walking the tree is cheaper than looking at all processes of the machine."""
    found = [root]
    for process in found:
        with suppress(OSError):
            for children in Path(f"/proc/{process}/task").glob("*/children"):
                found.extend(map(int, children.read_text().split()))
    return found


def _private(process: int) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{process}/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) * 1024
    return 0
