"""Passwords of connection strings: no message may hold one, whoever wrote it.

libpq's messages quote what they cannot read, and a password with a character that a URL must spell otherwise
(``/``, ``@``, ``:``) is taken for a port or a host. So what a URL may hold of a password is known here, and left out
of every message.
"""

import re
from urllib.parse import unquote

from psycopg import ProgrammingError, conninfo

_HIDDEN = "***"
# Our name is the password of the Compose files, for a trial on one machine.
_NO_SECRET = {"pgmrr"}
_IN_URL = re.compile(r"//[^:/@]*:(.*)@")
_AS_PARAMETER = re.compile(r"password\s*=\s*('(?:[^'\\]|\\.)*'?|[^\s&]+)", re.IGNORECASE)

_known: set[str] = set()


def keep(url: str) -> None:
    """Have no message tell what may be the password in this URL."""
    found = {*_IN_URL.findall(url), *_AS_PARAMETER.findall(url)}
    found |= {part for text in found for part in re.split(r"[/?#@:'\s]+", text)}
    try:
        parameters = conninfo.conninfo_to_dict(url)
    except (ProgrammingError, UnicodeError):
        parameters = {}
    found |= {str(value) for name, value in parameters.items() if "password" in name or "secret" in name}
    _known.update(secret for text in found for secret in (text, unquote(text)) if len(secret) > 1)
    _known.difference_update(_NO_SECRET)


def hide(message: str) -> str:
    """The message without passwords."""
    for secret in sorted(_known, key=len, reverse=True):
        message = message.replace(secret, _HIDDEN)
    return message
