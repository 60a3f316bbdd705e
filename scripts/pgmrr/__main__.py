"""Run the command line; tell errors in a line."""

import os
import sys

import psycopg
import typer

from pgmrr.cli import app
from pgmrr.database import for_chosen
from pgmrr.errors import PgmrrError
from pgmrr.sessions import explained

_UsageError = typer.BadParameter.__mro__[1]


def main() -> None:
    """Run ``pgmrr`` with this process's arguments; exit code 1 after an error of the user's."""
    try:
        code = app(standalone_mode=False)
    except PgmrrError as error:
        _fail(error.message, error.hint)
    except _UsageError as error:
        _fail(error.format_message(), f"{_command(error)} --help")
    except psycopg.Error as error:
        told = explained(None, error)
        _fail(told.message, told.hint)
    except OSError as error:
        if isinstance(error, BrokenPipeError):  # the reader of our output has gone
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(141)
        _fail(str(error))
    except (KeyboardInterrupt, typer.Abort):
        print("stopped; nothing half done was kept", file=sys.stderr)
        sys.exit(130)
    sys.exit(code if isinstance(code, int) else 0)


def _command(error: Exception) -> str:
    context = getattr(error, "ctx", None)
    return context.command_path if context else "pgmrr"


def _fail(message: str, hint: str | None = None) -> None:
    print(f"error: {' '.join(message.split())}", file=sys.stderr)
    if hint:
        print(f"hint: {for_chosen(' '.join(hint.split()))}", file=sys.stderr)
    sys.exit(1)


if __name__ == "__main__":
    main()
