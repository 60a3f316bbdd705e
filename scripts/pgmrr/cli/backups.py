"""Commands that back a database up and restore it."""

from pathlib import Path
from typing import Annotated

import typer

from pgmrr import backup as backing
from pgmrr import restore as restoring
from pgmrr import show
from pgmrr.backup_file import Manifest
from pgmrr.cli.options import Name, Url
from pgmrr.database import choose, reading

app = typer.Typer()


@app.command(epilog="Example: pgmrr backup abc.pgmrr")
def backup(
    file: Annotated[Path, typer.Argument(help="The file to write.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file where it exists.")] = False,
    url: Url = None,
    name: Name = None,
) -> None:
    """Back up all of pgmrr in the database, in one file, with what is needed to prove that it came back.

    Others may read and write meanwhile: the file holds the database as it was at one moment. It is an archive of
    pg_dump with a manifest behind it, and readable by you alone.
    """
    database = choose(url, name)
    with show.progress() as progress, reading(database) as connection:
        manifest = backing.back_up(connection, database, file, overwrite=overwrite, progress=progress)
    show.note(f"{file}: {_told(manifest)}")


@app.command(epilog="Example: pgmrr restore abc.pgmrr --into copy")
def restore(
    file: Annotated[Path, typer.Argument(help="A file that pgmrr backup wrote.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check the file and say what it holds; change nothing.")
    ] = False,
    url: Url = None,
    into: Annotated[
        str | None, typer.Option("--into", "--db", help="Database on the embedded server. [default: abc]")
    ] = None,
) -> None:
    """Restore a backup into an empty database, compare it with what was backed up, and migrate it.

    The database may be one of the embedded server, which is made where it is missing, or one of your own server.
    All comes back or nothing. Restore only files that you trust: a backup holds code.
    """
    database = choose(url, into)
    if dry_run:
        show.note(f"{file} is whole: {_told(restoring.check(file))}")
        return
    with show.progress() as progress:
        done = restoring.restore(database, file, progress)
    show.note(f"{database.shown} holds what was backed up: {_told(done.manifest)}")
    for role in sorted(set(done.roles) - {"pgmrr_owner", "pgmrr_writer", "pgmrr_reader"}):
        show.note(f"made the role {role}, to which something is granted; it cannot log in until you let it")
    for migration in done.migrated:
        show.note(f"applied {migration}")


def _told(manifest: Manifest) -> str:
    return (
        f"{manifest.rows:,} rows of {len(manifest.tables)} tables, {manifest.shown_mrr}; "
        f"made by pgmrr {manifest.pgmrr} on PostgreSQL {manifest.postgresql} at {manifest.made_at}"
    )
