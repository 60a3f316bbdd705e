"""The JSON API: one endpoint for every public view and function of ``kpi``."""

import json
import threading
from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.routing import Route

from pgmrr.web import openapi, plain
from pgmrr.web.answering import Handler, Made, Make, handler
from pgmrr.web.answers import Answers
from pgmrr.web.asking import Page, State, ask_csv, ask_rows, ask_value
from pgmrr.web.http import CSV, HTML, JSON, Problem, accepted
from pgmrr.web.index import index
from pgmrr.web.pool import Connection, Pool
from pgmrr.web.surface import Endpoint, read_surface
from pgmrr.web.values import MalformedError, check_value, read_query, whole_number


class Api:
    """Answers requests from the sessions of a pool.

    ``needs_token`` is for the description alone: the guard asks for it.
    """

    def __init__(self, pool: Pool, answers: Answers, needs_token: bool) -> None:
        self._pool = pool
        self._answers = answers
        self._needs_token = needs_token
        self._surface: Mapping[str, Endpoint] = {}
        self._code = ""
        self._lock = threading.Lock()

    def routes(self) -> list[Route]:
        """The addresses of the API."""
        return [
            Route("/api", handler(self._pool, self._answers, self._index, always=lambda: plain.HEADERS)),
            Route("/api/openapi.json", self._handler(self._document)),
            Route("/api/{name}", self._handler(self._ask)),
        ]

    def surface(self, connection: Connection, state: State) -> Mapping[str, Endpoint]:
        """The public views and functions; read again where the code has changed."""
        with self._lock:
            if state.code != self._code:
                self._surface, self._code = read_surface(connection), state.code
            return self._surface

    def _handler(self, make: Make) -> Handler:
        return handler(self._pool, self._answers, make)

    def _index(self, request: Request, connection: Connection, state: State) -> Made:
        accepted(request, [HTML])
        return Made(index(self.surface(connection, state).values()), f"{HTML}; charset=utf-8")

    def _document(self, request: Request, connection: Connection, state: State) -> Made:
        accepted(request, [JSON])
        made = openapi.document(self.surface(connection, state), self._needs_token)
        return Made(json.dumps(made, ensure_ascii=False, indent=1), JSON)

    def _ask(self, request: Request, connection: Connection, state: State) -> Made:
        surface = self.surface(connection, state)
        endpoint = surface.get(request.path_params["name"])
        if endpoint is None:
            raise Problem(HTTPStatus.NOT_FOUND, "there is no such view or function", hint="/api lists all of them")
        type_ = accepted(request, [JSON, CSV])
        given, page = read_request(endpoint, request.scope["query_string"])
        if endpoint.is_scalar and type_ == JSON:
            return Made(f'{{"value": {ask_value(connection, endpoint, given)}}}\n', JSON)
        ask = ask_rows if type_ == JSON else ask_csv
        answer = ask(connection, endpoint, given, page)
        next_ = _next_page(request.url.path, endpoint, given, page) if answer.has_more else None
        links = {"Link": f'<{next_}>; rel="next"'} if next_ else {}
        if type_ == CSV:
            return Made("".join(answer.rows), f"{CSV}; charset=utf-8; header=present", links)
        rows = ",\n".join(answer.rows)
        return Made(f'{{"rows": [{rows}], "next": {json.dumps(next_)}}}\n', JSON, links)


def read_request(endpoint: Endpoint, query: bytes) -> tuple[dict[str, str], Page]:
    """The parameters of a request, and the page that it asks for.

    Raises MalformedError where one is unknown, missing, or cannot be read.
    """
    given = read_query(query)
    limit, offset = openapi.USUAL_PAGE if endpoint.pages_by("limit") else openapi.LARGEST_PAGE, 0
    if endpoint.pages_by("limit") and "limit" in given:
        limit = whole_number("limit", given.pop("limit"), 1, openapi.LARGEST_PAGE)
    if endpoint.pages_by("offset") and "offset" in given:
        offset = whole_number("offset", given.pop("offset"), 0, 2**31 - 1)
    known = {parameter.name: parameter for parameter in endpoint.parameters}
    for name, text in given.items():
        if name not in known:
            listed = ", ".join([*known, *(other for other in ("limit", "offset") if endpoint.pages_by(other))])
            raise MalformedError(f"{name}: there is no such parameter; there is {listed or 'none'}")
        check_value(name, known[name].type, text)
    for parameter in endpoint.parameters:
        if parameter.is_required and parameter.name not in given:
            raise MalformedError(f"{parameter.name}: it is missing")
    return given, Page(limit, offset)


def _next_page(path: str, endpoint: Endpoint, given: Mapping[str, str], page: Page) -> str:
    paging = {"offset": str(page.offset + page.limit)}
    if endpoint.pages_by("limit"):
        paging = {"limit": str(page.limit), **paging}
    return f"{path}?{urlencode({**given, **paging})}"
