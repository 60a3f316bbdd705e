"""Takes batches back; what that means, SQL decides (``pipeline.undo``)."""

from typing import Any

import psycopg

from pgmrr.locks import Progress, silent, writer_lock
from pgmrr.rows import only_row
from pgmrr.sessions import explained, tidy_up


def undo(
    connection: psycopg.Connection, batch: int | None = None, progress: Progress = silent
) -> dict[str, Any] | None:
    """Take the last batch back, as if it had never been, and return it; None where there is none.

    Where ``batch`` is given, only if it is the last one. ``connection`` must be in autocommit mode, and in no
    transaction.

    Raises PgmrrError where another batch is the last one.
    """
    try:
        with writer_lock(connection, progress), connection.transaction():
            progress("taking the last batch back")
            undone: dict[str, Any] | None
            (undone,) = only_row(connection.execute("select pipeline.undo(%s)", [batch]))
    except psycopg.Error as error:
        raise explained("nothing was taken back", error) from error
    if undone and undone["source"]:
        progress("tidying up")
        tidy_up(connection)
    return undone
