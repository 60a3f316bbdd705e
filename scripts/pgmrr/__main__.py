"""Run the command line; tell errors in a line."""

import os
import signal
import sys
from typing import Any

import psycopg
import typer

from pgmrr.cli import app
from pgmrr.confidential import hide
from pgmrr.database import for_chosen
from pgmrr.errors import PgmrrError
from pgmrr.sessions import explained
from pgmrr.show import printable

_LONGEST = 2000  # characters of a message

_UsageError: Any = typer.BadParameter.__mro__[1]


def main() -> None:
    """Run ``pgmrr`` with this process's arguments; exit code 1 after an error of the user's."""
    _refuse_what_is_no_text()
    signal.signal(signal.SIGTERM, _terminate)
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


def _terminate(*_: object) -> None:
    """End like after Ctrl-C, so that unfinished files go, too; by the exit code of this signal."""
    sys.exit(143)


def _in_a_line(text: str) -> str:
    """The text in one line, without passwords, and not longer than anybody reads."""
    line = printable(hide(" ".join(text.split())))
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST // 2]} … {line[-_LONGEST // 2 :]}"


def _refuse_what_is_no_text() -> None:
    """PostgreSQL takes UTF-8 alone; what is no such text came as surrogates, which nothing can encode."""
    for text in (*sys.argv[1:], os.environ.get("DATABASE_URL", "")):
        try:
            text.encode()
        except UnicodeEncodeError:
            _fail(f"{text!r} is not text in UTF-8", "write it, or rename the file, in UTF-8")


def _command(error: Exception) -> str:
    context = getattr(error, "ctx", None)
    return context.command_path if context else "pgmrr"


def _fail(message: str, hint: str | None = None) -> None:
    print(f"error: {_in_a_line(message)}", file=sys.stderr)
    if hint:
        print(f"hint: {for_chosen(_in_a_line(hint))}", file=sys.stderr)
    sys.exit(1)


if __name__ == "__main__":
    main()
