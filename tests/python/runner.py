"""A run of the command line in a forked process. This imports nothing, so that it begins at once."""

import os
import sys


def run(home: str, arguments: list[str], output: str) -> None:
    """Be ``pgmrr`` on the server in ``home``; what it says goes to the file ``output``."""
    from pgmrr.__main__ import main  # noqa: PLC0415

    os.environ.pop("DATABASE_URL", None)
    os.environ["PGMRR_HOME"] = home
    os.dup2(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.argv = ["pgmrr", *arguments]
    main()
