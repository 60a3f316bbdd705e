"""How a request becomes a response: from what is known already, from the database, or as a problem."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response

from pgmrr.web.answers import Answers
from pgmrr.web.asking import State, read_state
from pgmrr.web.guard import LOG
from pgmrr.web.http import Problem, is_known, problem_of, tag_of, takes_any
from pgmrr.web.pool import Connection, Pool

Handler = Callable[[Request], Response]


@dataclass(frozen=True)
class Made:
    """A body, its media type, and the headers beside that."""

    body: str
    type: str
    headers: Mapping[str, str] = field(default_factory=dict)


Make = Callable[[Request, Connection, State], Made]
Refuse = Callable[[Problem], Response]


def handler(
    pool: Pool,
    answers: Answers,
    make: Make,
    refuse: Refuse = Problem.response,
    always: Callable[[], Mapping[str, str]] = dict,
) -> Handler:
    """A function that answers a request with what ``make`` makes of it in one transaction.

    What was made before, and is still true, is sent again, or not at all where the client has it. Every error
    becomes a problem, which ``refuse`` shows. ``always`` gives headers of every answer: also of the one
    that a client has, for a browser takes the headers of that for those of the page.
    """

    def answer(request: Request) -> Response:
        try:
            with pool.reading() as connection:
                state = read_state(connection)
                tag = tag_of(state, request)
                headers = {
                    "ETag": tag,
                    "Cache-Control": "private, no-cache",
                    "Vary": "Accept, Authorization",
                    **always(),
                }
                if is_known(request, tag):
                    return Response(None, HTTPStatus.NOT_MODIFIED, headers)
                kept = answers.get(tag)
                if kept is None:
                    made = make(request, connection, state)
                    kept = made.body.encode(), {"Content-Type": made.type, **made.headers}
                    answers.keep(tag, *kept)
                if takes_any(request):  # only now is it sure that there is an answer
                    return Response(None, HTTPStatus.NOT_MODIFIED, headers)
                return Response(kept[0], HTTPStatus.OK, {**headers, **kept[1]})
        except Exception as error:
            problem = problem_of(error)
            if problem.status is HTTPStatus.INTERNAL_SERVER_ERROR:
                LOG.exception("%s", request.url.path.encode("unicode_escape").decode("ascii"))
            return refuse(problem)

    return answer
