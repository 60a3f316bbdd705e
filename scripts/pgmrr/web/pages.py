"""The report as a live page, and the pages that its bars and cells lead to."""

import base64
import hashlib
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from html import escape
from urllib.parse import urlencode

from psycopg.rows import dict_row, tuple_row
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pgmrr.page import charts, content, html
from pgmrr.page.model import Figure, Movements, Page, Period, Section
from pgmrr.page.scope import Scope, scope_of
from pgmrr.web import controls, customer, movements, plain, segment
from pgmrr.web.answering import Handler, Made, Make, handler
from pgmrr.web.answers import Answers
from pgmrr.web.asking import State
from pgmrr.web.filters import LiveLinks, MovementsAsked, address_of, read_customer, read_filters, read_movements
from pgmrr.web.http import HTML, Problem, accepted
from pgmrr.web.pool import Connection, Pool

# Sections that look at days of their own, whatever days were chosen.
_OWN_DAYS = {
    "headline": "the last covered month",
    "cohorts": "all covered months",
    "forecast": "all that is known",
    "risks": "all that is known",
    "left_out": "all that was read",
}


class Pages:
    """Answers a browser's requests from the sessions of a pool."""

    def __init__(self, pool: Pool, answers: Answers) -> None:
        self._pool = pool
        self._answers = answers
        self._choices: tuple[State, controls.Choices] | None = None
        self._known: tuple[State, Mapping[content.Make, Section]] | None = None
        # Seconds of work, begun before the first page is asked for.
        threading.Thread(target=html.libraries).start()

    def routes(self) -> list[Route]:
        """The addresses of the pages."""
        return [
            Route("/", self._handler(self._report)),
            Route("/movements", self._handler(self._movements)),
            Route("/customers/{customer:path}", self._handler(self._customer)),
        ]

    def _handler(self, make: Make) -> Handler:
        return handler(self._pool, self._answers, make, problem_page, _headers)

    def _made(self, page: Page, above: str) -> Made:
        return Made(html.render(page, LiveLinks(), above), f"{HTML}; charset=utf-8")

    def _report(self, request: Request, connection: Connection, state: State) -> Made:
        accepted(request, [HTML])
        filters = read_filters(request.scope["query_string"])
        with _dictionaries(connection):
            scope, _ = scope_of(connection, filters.period)
            if scope is None:
                return self._made(_frame(connection, None, []), controls.trail({"all days": "/"}))
            above = controls.form(scope, filters, self._choices_of(scope, state))
            if filters.segment:
                page = _frame(connection, scope, segment.sections_of(scope, filters.segment))
                page = replace(page, title=f"{page.title}: {filters.segment.shown}")
            else:
                page = content.build(connection, filters.period, known=self._known_of(scope, state))
                if filters.period != Period():
                    page = replace(page, sections=[_with_own_days(section) for section in page.sections])
            return self._made(page, above)

    def _choices_of(self, scope: Scope, state: State) -> controls.Choices:
        """What there is to choose from, asked once a batch."""
        if self._choices is None or self._choices[0] != state:
            self._choices = state, controls.choices(scope)
        return self._choices[1]

    def _known_of(self, scope: Scope, state: State) -> Mapping[content.Make, Section]:
        """The sections that no choice of days changes, asked once a batch: they take longest."""
        if self._known is None or self._known[0] != state:
            self._known = state, {make: make(scope) for make in content.WITHOUT_DAYS}
        return self._known[1]

    def _movements(self, request: Request, connection: Connection, _state: State) -> Made:
        accepted(request, [HTML])
        asked = read_movements(request.scope["query_string"])
        with _dictionaries(connection):
            scope, _ = scope_of(connection, asked.period)
            way = {"Report": "/", "Movements": None}
            if scope is None:
                return self._made(_frame(connection, None, []), controls.trail(way))
            section, has_more = movements.section_of(scope, asked)
            if asked.kind:
                way["All kinds of these days"] = address_of(Movements(scope.first, scope.last))
            if asked.page > 1:
                way["Previous page"] = _page_address(scope, asked, asked.page - 1)
            if has_more:
                way["Next page"] = _page_address(scope, asked, asked.page + 1)
            return self._made(_frame(connection, scope, [section]), controls.trail(way))

    def _customer(self, request: Request, connection: Connection, _state: State) -> Made:
        accepted(request, [HTML])
        asked = read_customer(request.path_params["customer"], request.scope["query_string"])
        with _dictionaries(connection):
            scope, _ = scope_of(connection, Period())
            if scope is None:
                return self._made(_frame(connection, None, []), controls.trail({"Report": "/"}))
            name, sections = customer.sections_of(scope, asked)
            page = replace(_frame(connection, scope, sections), title=name)
            return self._made(page, controls.trail({"Report": "/", name: None}))


def problem_page(problem: Problem) -> Response:
    """A problem as a page for people."""
    lines = "".join(f"<p>{escape(line)}</p>" for line in (problem.detail, problem.hint) if line)
    title = f"{problem.status.value} {problem.title}"
    body = plain.document(title, f'{lines}\n<p><a href="/">Report</a></p>')
    headers = {**problem.headers, **plain.HEADERS, "Cache-Control": "no-store"}
    return Response(body, problem.status, headers, f"{HTML}; charset=utf-8")


def _page_address(scope: Scope, asked: MovementsAsked, page: int) -> str:
    address = address_of(Movements(scope.first, scope.last, asked.kind))
    return f"{address}&{urlencode({'page': page})}"


def _with_own_days(section: Section) -> Section:
    """The section, marked where it is not about the days that were chosen."""
    if section.key not in _OWN_DAYS:
        return section
    note = f"This section is about {_OWN_DAYS[section.key]}, whatever days are chosen."
    return replace(section, notes=[note, *section.notes])


def _frame(connection: Connection, scope: Scope | None, sections: Sequence[Section]) -> Page:
    """A page around sections. Without a scope it says what is known instead."""
    _, coverage = scope_of(connection, Period())
    batch = content.last_batch(connection)
    return Page(
        title=connection.info.dbname,
        database=connection.info.dbname,
        currency=scope.currency if scope else "–",
        first=scope.first if scope else None,
        last=scope.last if scope else None,
        batch=batch["what"] if batch else None,
        batch_at=batch["at"] if batch else None,
        explanation=f"None of these days is known. {coverage['explanation']}",
        sections=sections,
    )


@contextmanager
def _dictionaries(connection: Connection) -> Iterator[None]:
    """Rows as dictionaries, as the report wants them."""
    connection.row_factory = dict_row
    try:
        yield
    finally:
        connection.row_factory = tuple_row


@cache
def _headers() -> Mapping[str, str]:
    """What the page may do: run the two scripts that it consists of, by their hashes, and load nothing.

    Vega makes functions of expressions, which needs 'unsafe-eval'; what runs it is fixed all the same.
    """
    figure = Figure("none", "", charts.sparkline, [], {"field": "value"})
    pages = [Page("", "", "", None, None, None, None, "", [Section("", "", "", [], shown)]) for shown in ([], [figure])]
    scripts = dict.fromkeys(
        script for page in pages for script in re.findall(r"<script>(.*?)</script>", html.render(page), re.DOTALL)
    )
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" for script in scripts
    )
    policy = (
        f"default-src 'none'; script-src {hashes} 'unsafe-eval'; style-src 'unsafe-inline'; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    )
    return {"Content-Security-Policy": policy}
