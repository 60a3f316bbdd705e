"""Answers that were given, kept while they are true."""

import threading
from collections import OrderedDict


class Answers:
    """The last answers by their ETags, which name state and request; at most ``largest`` bytes of them."""

    def __init__(self, largest: int = 64 * 2**20) -> None:
        self._largest = largest
        self._kept: OrderedDict[str, tuple[bytes, dict[str, str]]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, tag: str) -> tuple[bytes, dict[str, str]] | None:
        """Body and headers of the answer with this ETag."""
        with self._lock:
            if tag not in self._kept:
                return None
            self._kept.move_to_end(tag)
            return self._kept[tag]

    def keep(self, tag: str, body: bytes, headers: dict[str, str]) -> None:
        """Keep an answer, and let the oldest ones go for it. One that is large by itself is not kept."""
        if len(body) > self._largest // 8:
            return
        with self._lock:
            if tag in self._kept:
                return
            self._kept[tag] = body, headers
            self._bytes += len(body)
            while self._bytes > self._largest:
                _, (oldest, _) = self._kept.popitem(last=False)
                self._bytes -= len(oldest)
