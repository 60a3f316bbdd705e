"""The parts of HTTP that the API and the pages share: errors, what a client accepts, and tags of answers."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus

import psycopg
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from pgmrr import __version__
from pgmrr.web.asking import State
from pgmrr.web.pool import AwayError, BusyError
from pgmrr.web.values import MalformedError

JSON = "application/json"
CSV = "text/csv"
HTML = "text/html"
PROBLEM = "application/problem+json"

_DATA_PROBLEMS = ("MR", "22", "P0")  # of ours, of values, and raised on purpose
_CONNECTION = ("08", "57P")
_TIMEOUT = "57014"
_NO_RESOURCES = "53"


class Problem(Exception):
    """An error as RFC 9457 has it. ``code`` is an SQLSTATE, ``hint`` what to do about it."""

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        code: str | None = None,
        hint: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.code = code
        self.hint = hint
        self.headers = dict(headers or {})

    @property
    def title(self) -> str:
        """The name of the status in RFC 9110; older Pythons have an older one of 422."""
        return "Unprocessable Content" if self.status == HTTPStatus.UNPROCESSABLE_ENTITY else self.status.phrase

    def response(self) -> Response:
        """It as ``application/problem+json``."""
        members = {
            "type": "about:blank",
            "title": self.title,
            "status": self.status.value,
            "detail": self.detail,
            "code": self.code,
            "hint": self.hint,
        }
        body = json.dumps({name: value for name, value in members.items() if value is not None}, ensure_ascii=False)
        return Response(body, self.status, {**self.headers, "Cache-Control": "no-store"}, PROBLEM)


def problem_of(error: Exception) -> Problem:
    """Any error that a request ends with, as a problem."""
    made = Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "this is an error of pgmrr", hint="the server's log tells more")
    match error:
        case Problem():
            made = error
        case MalformedError():
            made = Problem(HTTPStatus.BAD_REQUEST, str(error))
        case BusyError():
            made = Problem(
                HTTPStatus.SERVICE_UNAVAILABLE, "all sessions are busy", hint="ask again", headers={"Retry-After": "5"}
            )
        case AwayError():
            made = _away(None)
        case HTTPException():
            status = HTTPStatus(error.status_code)
            made = Problem(status, _DETAILS.get(status, error.detail), headers=error.headers)
        case psycopg.Error():
            made = _problem_of_database(error)
    return made


_DETAILS = {
    HTTPStatus.NOT_FOUND: "there is nothing at this address; /api lists what there is",
    HTTPStatus.METHOD_NOT_ALLOWED: "everything here is read with GET",
}


def _problem_of_database(error: psycopg.Error) -> Problem:
    code, diagnosis = error.sqlstate, error.diag
    detail = ". ".join(part for part in (diagnosis.message_primary, diagnosis.message_detail) if part)
    is_lost = code is None and isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    if is_lost or (code or "").startswith(_CONNECTION):
        return _away(code)
    if code is None:
        return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, str(error))
    if code == _TIMEOUT:
        return Problem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "the answer took longer than the time limit",
            code,
            "ask for less, or start pgmrr serve with a longer --timeout",
        )
    if code.startswith(_NO_RESOURCES):
        return Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, code)
    if code.startswith(_DATA_PROBLEMS):
        return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, code, diagnosis.message_hint)
    return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, detail, code, diagnosis.message_hint)


def _away(code: str | None) -> Problem:
    return Problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "the database does not answer",
        code,
        "pgmrr up starts the embedded server; of your own one, check that it runs and lets you in",
        {"Retry-After": "5"},
    )


def accepted(request: Request, offered: Sequence[str]) -> str:
    """The first of the offered media types that the client likes best. Raises Problem where it takes none."""
    accept = request.headers.get("accept", "").strip() or "*/*"
    ranges = [_media_range(part) for part in accept.split(",") if part.strip()]
    liked = {type_: _quality(type_, ranges) for type_ in offered}
    best = max(offered, key=lambda type_: liked[type_])  # the first of equals
    if not liked[best]:
        raise Problem(HTTPStatus.NOT_ACCEPTABLE, f"this comes as {' or '.join(offered)}")
    return best


def _media_range(text: str) -> tuple[str, float]:
    type_, *parameters = (part.strip().lower() for part in text.split(";"))
    quality = 1.0
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name == "q":
            try:
                quality = min(max(float(value), 0.0), 1.0)
            except ValueError:
                quality = 0.0
    return type_, quality


def _quality(type_: str, ranges: Sequence[tuple[str, float]]) -> float:
    """What the most specific range says about the type."""
    for wanted in (type_, type_.split("/", maxsplit=1)[0] + "/*", "*/*"):
        for range_, quality in ranges:
            if range_ == wanted:
                return quality
    return 0.0


def tag_of(state: State, request: Request) -> str:
    """The ETag of the answer to a request: it begins with the last batch, and changes with all code."""
    asked = [request.url.path, request.url.query, request.headers.get("accept", "")]
    digest = hashlib.sha256("\n".join([__version__, state.data, state.code, *asked]).encode()).hexdigest()
    return f'"{state.batch}-{digest[:24]}"'


def is_known(request: Request, tag: str) -> bool:
    """Whether the client has the answer with this ETag already (If-None-Match; the comparison is weak)."""
    known = [part.strip().removeprefix("W/") for part in request.headers.get("if-none-match", "").split(",")]
    return tag in known


def takes_any(request: Request) -> bool:
    """Whether any answer will do that the client has already: If-None-Match: *."""
    return request.headers.get("if-none-match", "").strip() == "*"
