"""The application: API and pages behind one guard."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from pgmrr.web.answers import Answers
from pgmrr.web.api import Api
from pgmrr.web.guard import Guard
from pgmrr.web.http import problem_of
from pgmrr.web.pool import Pool


def create_app(pool: Pool, *, is_loopback: bool, token: str | None) -> Starlette:
    """The application that asks the sessions of ``pool``, which it closes in the end.

    ``state.has_pages`` tells whether there is a live page: it needs the packages of the report.
    """

    @asynccontextmanager
    async def until_the_end(_app: Starlette) -> AsyncIterator[None]:
        yield
        pool.close()

    answers = Answers()
    api = Api(pool, answers, needs_token=token is not None)
    pages = page_routes(pool, answers)
    app = Starlette(
        routes=[*api.routes(), *(pages or [Route("/", _to_the_api)])],
        middleware=[Middleware(Guard, is_loopback=is_loopback, token=token)],
        exception_handlers={HTTPException: _refused},
        lifespan=until_the_end,
    )
    app.state.has_pages = pages is not None
    return app


def page_routes(pool: Pool, answers: Answers) -> list[Route] | None:
    """The addresses of the live page; None where the packages that draw it are missing."""
    try:
        from pgmrr.web.pages import Pages  # noqa: PLC0415  an extra that the API does without
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("pgmrr"):
            raise
        return None
    return Pages(pool, answers).routes()


def _to_the_api(_request: Request) -> Response:
    return RedirectResponse("/api", HTTPStatus.SEE_OTHER)


def _refused(_request: Request, error: Exception) -> Response:
    return problem_of(error).response()
