"""Who may ask: the right host, the right token. Also the headers of every answer, and the access log."""

import base64
import binascii
import hmac
import logging
import time
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pgmrr.web.http import Problem

LOG = logging.getLogger("pgmrr.serve")

# Names that a browser resolves to this machine by itself: no page elsewhere can give itself one of them.
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
}


class Guard:
    """Lets a request pass or answers it with a problem.

    ``is_loopback``: only names of this machine are served, so that no foreign page reaches it under a name of
    its own (DNS rebinding). ``token``: a request must carry it, as Bearer or as the password of Basic.
    """

    def __init__(self, app: ASGIApp, *, is_loopback: bool, token: str | None) -> None:
        self._app = app
        self._is_loopback = is_loopback
        self._token = token.encode() if token else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        status = 0

        async def finish(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            problem = self._refusal(Headers(scope=scope))
            await (problem.response() if problem else self._app)(scope, receive, finish)
        finally:
            # Without the query: it may tell more than a log should keep.
            path = scope["path"].encode("unicode_escape").decode("ascii")
            LOG.info("%s %s %s %.0f ms", scope["method"], path, status, 1000 * (time.perf_counter() - began))

    def _refusal(self, headers: Headers) -> Problem | None:
        if self._is_loopback and _name_of(headers.get("host", "")) not in _LOOPBACK:
            return Problem(
                HTTPStatus.MISDIRECTED_REQUEST,
                "this server answers to the names of its own machine alone",
                hint="ask http://127.0.0.1, or start pgmrr serve with --host and --token",
            )
        if headers.get("sec-fetch-site") == "cross-site" and headers.get("sec-fetch-mode") != "navigate":
            return Problem(HTTPStatus.FORBIDDEN, "other sites' pages may link to this, not load it")
        if self._token and not _carries(headers.get("authorization", ""), self._token):
            return Problem(
                HTTPStatus.UNAUTHORIZED,
                "the token is missing or wrong",
                hint="send it: Authorization: Bearer TOKEN",
                headers={"WWW-Authenticate": 'Bearer realm="pgmrr", Basic realm="pgmrr", charset="UTF-8"'},
            )
        return None


def _name_of(host: str) -> str:
    """The host without its port."""
    name, _, port = host.rpartition(":")
    return name.lower() if name and port.isdigit() else host.lower()


def _carries(authorization: str, token: bytes) -> bool:
    scheme, _, credentials = authorization.partition(" ")
    given = credentials.strip().encode("utf-8", "replace")
    if scheme.lower() == "basic":
        try:
            given = base64.b64decode(given, validate=True).partition(b":")[2]
        except binascii.Error:
            return False
    elif scheme.lower() != "bearer":
        return False
    return hmac.compare_digest(given, token)
