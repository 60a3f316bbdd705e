"""Commands for the server, its databases, and the schema in them."""

import os
import shutil
from typing import Annotated, NoReturn

import typer

from pgmrr import __version__, migrations, show
from pgmrr.cli.options import As, Name, Url
from pgmrr.database import Database, choose, reading, without_password, writing
from pgmrr.errors import PgmrrError
from pgmrr.programs import program_environment
from pgmrr.server import EmbeddedServer
from pgmrr.show import Column, Format, Kind

app = typer.Typer()


@app.command(epilog="Example: pgmrr up --db abc")
def up(url: Url = None, name: Name = None) -> None:
    """Start the embedded server and make the database, where needed."""
    database = choose(url, name)
    database.ensure_running()
    if database.server is None:
        with reading(database):
            show.note(f"your server answers: {database.shown}")
    else:
        show.note(f"the server runs: {database.shown}")


@app.command(epilog="Example: pgmrr down")
def down() -> None:
    """Stop the embedded server. The data stay."""
    server = EmbeddedServer()
    show.note("the server is stopped" if server.stop() else "the server was not running")


@app.command(epilog="Example: pgmrr status --format json")
def status(format_: As = Format.table) -> None:
    """Tell whether the embedded server runs, and where its data are. Changes nothing."""
    server = EmbeddedServer()
    found = server.status()
    facts = {
        "running": found.running,
        "pid": found.pid,
        "version": found.version,
        "data": str(found.data_directory),
        "socket": str(found.socket_directory),
        "port": found.port,
        "log": str(found.log_file),
    }
    if format_ is Format.json:
        show.print_json(facts)
    elif format_ is Format.csv:
        show.print_csv([facts], list(facts))
    else:
        for label, value in facts.items():
            typer.echo(f"{label:<8} {show.text_of(value, Kind.text)}")


@app.command(epilog='Example: psql "$(pgmrr url)"')
def url(url: Url = None, name: Name = None) -> None:
    """Print the URL of the database, without its password."""
    database = choose(url, name)
    shown = without_password(database.url)
    if shown != database.url:
        show.note("the password is left out: PGPASSWORD or ~/.pgpass can hold it")
    typer.echo(shown)


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    epilog="Example: pgmrr psql -c 'select * from kpi.headline'",
)
def psql(context: typer.Context, url: Url = None, name: Name = None) -> None:
    """Open psql on the database; further arguments go to psql."""
    database = choose(url, name)
    if database.server:
        database.ensure_running()
        database.server.psql(database.name, context.args)
    _own_psql(database, context.args)


@app.command(epilog="Example: pgmrr migrate --list")
def migrate(
    list_: Annotated[bool, typer.Option("--list", help="List the migrations; change nothing.")] = False,
    rollback: Annotated[int | None, typer.Option(min=1, help="Undo the last N migrations.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Yes, drop the data that the rollback drops.")] = False,
    url: Url = None,
    name: Name = None,
    format_: As = Format.table,
) -> None:
    """Bring schema and code of the database up to date."""
    database = choose(url, name)
    if list_:
        with reading(database):  # explains what cannot be reached
            pass
        found = [
            {"migration": state.id, "applied_at": state.applied_at, "checksum": state.checksum}
            for state in migrations.list_migrations(database.url)
        ]
        columns = [
            Column("migration", "Migration"),
            Column("applied_at", "Applied"),
            Column("checksum", "Checksum"),
        ]
        show.rows(found, columns, format_, empty="no migrations")
        return
    if rollback and not yes:
        raise PgmrrError(
            f"this drops what the last {rollback} migrations made in {database.shown}, with the data in it",
            f"if you mean it: pgmrr migrate --rollback {rollback} --yes",
        )
    database.ensure_running()
    with writing(database):
        pass
    with show.progress() as progress:
        if rollback:
            for undone in migrations.rollback(database.url, rollback, progress=progress):
                show.note(f"rolled back {undone}")
            return
        done = migrations.migrate(database.url, progress=progress)
    for applied in done.applied:
        show.note(f"applied {applied}")
    if done.procedures_loaded:
        show.note("loaded procedures")
    if not done.applied and not done.procedures_loaded:
        show.note("nothing to do")


@app.command(epilog="Example: pgmrr reset --yes")
def reset(
    yes: Annotated[bool, typer.Option("--yes", help="Yes, drop all data of pgmrr in this database.")] = False,
    url: Url = None,
    name: Name = None,
) -> None:
    """Drop everything of pgmrr in the database, the data too, and start over empty."""
    database = choose(url, name)
    if not yes:
        raise PgmrrError(f"this drops all data of pgmrr in {database.shown}", "if you mean it: pgmrr reset --yes")
    with writing(database):
        pass
    with show.progress() as progress:
        migrations.reset(database.url, progress=progress)
        migrations.migrate(database.url, progress=progress)
    show.note("the database is empty")


@app.command(epilog="Example: pgmrr version")
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


def _own_psql(database: Database, arguments: list[str]) -> NoReturn:
    program = shutil.which("psql")
    if program is None:
        raise PgmrrError("psql is not installed", "install it, e.g. apt-get install postgresql-client")
    environment, where = program_environment(database)
    os.execve(program, [program, *arguments, f"--dbname={where}"], environment)
