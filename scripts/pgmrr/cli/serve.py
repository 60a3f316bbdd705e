"""The command that serves figures over HTTP."""

import ipaddress
import logging
import socket
from typing import TYPE_CHECKING, Annotated

import typer

from pgmrr import show
from pgmrr.cli.options import Name, Url
from pgmrr.database import Database, choose, reading
from pgmrr.errors import PgmrrError

if TYPE_CHECKING:
    from starlette.applications import Starlette

app = typer.Typer()


@app.command(epilog="Example: pgmrr serve --db stripe --port 8321")
def serve(
    host: Annotated[str, typer.Option(help="The address to listen on; other than loopback needs a token.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 takes a free one.")] = 8321,
    token: Annotated[
        str | None, typer.Option(envvar="PGMRR_TOKEN", help="What requests must carry: Authorization: Bearer TOKEN.")
    ] = None,
    timeout: Annotated[float, typer.Option(min=0.1, help="Time limit of a question, in seconds.")] = 30,
    url: Url = None,
    name: Name = None,
) -> None:
    """Serve the report as a live page and every figure as JSON, until Ctrl-C.

    Everything is read as pgmrr_reader, in read-only transactions. Prefer PGMRR_TOKEN to --token: other users of
    the machine can see the arguments of a command.
    """
    is_loopback = _is_loopback(host)
    if not is_loopback and not token:
        raise PgmrrError(f"{host} is reached by others, and there is no token", "set one: PGMRR_TOKEN=… pgmrr serve")
    if token is not None and not (token and token.isascii() and token.isprintable() and " " not in token):
        raise PgmrrError("a token is made of printable ASCII characters without blanks", "openssl rand -hex 32")
    database = choose(url, name)
    made = _application(database, is_loopback, token, timeout)
    with _listening(host, port) as listener:
        address = f"http://{_in_url(host)}:{listener.getsockname()[1]}"
        show.note(f"serving {database.shown}; Ctrl-C ends it")
        if made.state.has_pages:
            show.note(f"the page: {address}/")
        else:
            show.note("no page: it needs the packages of ./build.sh report, or pip install 'pgmrr[report]'")
        show.note(f"the API:  {address}/api")
        _run(made, listener)
    show.note("stopped")


def _application(database: Database, is_loopback: bool, token: str | None, timeout: float) -> "Starlette":
    try:
        import uvicorn  # noqa: F401, PLC0415  an extra that most users do without

        from pgmrr.web.app import create_app  # noqa: PLC0415
        from pgmrr.web.pool import Pool  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("pgmrr"):
            raise
        raise PgmrrError(
            f"pgmrr serve needs the package {error.name}",
            "install it: ./build.sh api in a checkout, or pip install 'pgmrr[api]'",
        ) from None
    with reading(database) as connection:  # starts the embedded server, and explains what is missing
        connection.execute("select from kpi.coverage")
    pool = Pool(database.url, timeout)
    if not pool.becomes_reader():
        show.note("this login may not become pgmrr_reader: it reads with its own rights")
    return create_app(pool, is_loopback=is_loopback, token=token)


def _run(made: "Starlette", listener: socket.socket) -> None:
    import uvicorn  # noqa: PLC0415  an extra that most users do without

    log = logging.getLogger("pgmrr.serve")
    log.setLevel(logging.INFO)
    log.addHandler(logging.StreamHandler())
    config = uvicorn.Config(
        made, log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=3, lifespan="on"
    )
    try:
        uvicorn.Server(config).run(sockets=[listener])
    except KeyboardInterrupt:  # uvicorn has stopped, and passes it on
        return


def _listening(host: str, port: int) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address, family=family)
    except OSError as error:
        raise PgmrrError(
            f"cannot listen on {host}, port {port}: {error.strerror or error}",
            "choose another: --port 0 takes a free one",
        ) from None


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
