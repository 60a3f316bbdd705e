"""The application: API and pages behind one guard."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response

from pgmrr.web.answers import Answers
from pgmrr.web.api import Api
from pgmrr.web.guard import Guard
from pgmrr.web.http import problem_of
from pgmrr.web.pool import Pool


def create_app(pool: Pool, *, is_loopback: bool, token: str | None) -> Starlette:
    """The application that asks the sessions of ``pool``, which it closes in the end."""

    @asynccontextmanager
    async def until_the_end(_app: Starlette) -> AsyncIterator[None]:
        yield
        pool.close()

    answers = Answers()
    return Starlette(
        routes=Api(pool, answers, needs_token=token is not None).routes(),
        middleware=[Middleware(Guard, is_loopback=is_loopback, token=token)],
        exception_handlers={HTTPException: _refused},
        lifespan=until_the_end,
    )


def _refused(_request: Request, error: Exception) -> Response:
    return problem_of(error).response()
