"""The command that lays the tables over several servers."""

import typer

from pgmrr import show
from pgmrr.cli.options import Name, Url
from pgmrr.database import choose, writing
from pgmrr.distribution import distribute as lay

app = typer.Typer()


@app.command(epilog="Example: pgmrr distribute --database postgresql://postgres@coordinator/pgmrr")
def distribute(url: Url = None, name: Name = None) -> None:
    """Lay the tables over the servers of a Citus cluster, divided by customer.

    The database is the coordinator's, with the extension citus, and knows its workers. Nothing else changes: every
    command, view and function is used as before. Safe to run again.
    """
    database = choose(url, name)
    with writing(database):
        pass
    with show.progress() as progress:
        done = lay(database.url, progress=progress)
    divided = sum(table.is_by_customer for table in done)
    if done:
        show.note(f"{divided} tables are divided by customer, {len(done) - divided} copied to each server")
    else:
        show.note("nothing to do")
