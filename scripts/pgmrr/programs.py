"""PostgreSQL's own programs on a database: its password goes by the environment, never on a command line."""

import os

from psycopg import pq

from pgmrr.database import Database
from pgmrr.errors import PgmrrError
from pgmrr.server import client_environment


def program_environment(database: Database) -> tuple[dict[str, str], str]:
    """The environment in which a program of libpq reaches the database, and its argument for ``--dbname``.

    A command line can be read by every user of the machine. So what libpq has a variable for goes by that, and
    the argument holds the rest: timeouts and the like. Raises PgmrrError for a secret that has no variable.
    """
    # As psycopg does: what the URL of the user's own server leaves out comes from his PG* variables.
    environment = client_environment() if database.server else dict(os.environ)
    rest = []
    for option in pq.Conninfo.parse(database.url.encode()):
        if option.val is None or option.keyword == b"fallback_application_name":
            continue
        name, value = option.keyword.decode(), option.val.decode()
        if option.envvar:
            environment[option.envvar.decode()] = value
        elif option.dispchar:  # libpq's mark of what is not to be shown
            raise PgmrrError(
                f"{name} in the database URL cannot be handed to psql or pg_dump without being seen",
                "leave it out of the URL, and name a service instead: postgresql:///?service=NAME",
            )
        else:
            quoted = value.replace("\\", "\\\\").replace("'", "\\'")
            rest.append(f"{name}='{quoted}'")
    environment.setdefault("PGAPPNAME", "pgmrr")
    return environment, " ".join(rest)
