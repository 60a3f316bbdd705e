"""Tables and all that belongs to them: what the migrations of this installation make, and what a database has.

What they make is written down, a part a line, as any supported server spells it; a test compares it with what
they really make.
"""

import re
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import tuple_row

from pgmrr import citus
from pgmrr.catalog import CODE_SCHEMAS, SCHEMAS

_MADE = Path(__file__).with_name("structure.txt")
_PART = re.compile(r"_\d{5,}\b")
_QUERY = Path(__file__).with_suffix(".sql")


def expected() -> dict[str, str]:
    """What the migrations make: how each part is defined."""
    lines = _MADE.read_text(encoding="utf-8").splitlines()
    return {part: definition for part, _, definition in (line.partition(": ") for line in lines)}


def found(connection: psycopg.Connection[Any]) -> dict[str, str]:
    """What the database has, as the open transaction sees it; names are spelled with their schemas from now on."""
    connection.execute("set local search_path = ''")
    with connection.cursor(row_factory=tuple_row) as cursor:
        schemas = list(set(SCHEMAS) - set(CODE_SCHEMAS))
        parts: dict[str, str] = dict(cursor.execute(_QUERY.read_bytes(), {"schemas": schemas}))
        is_distributed = citus.is_distributed(cursor)
    if not is_distributed:
        return parts
    # There, tables have parts, named after them with a number, and readers may read what the metrics are made of.
    given = re.compile(r"privileges of pgmrr_reader on (?!.*\.setting_change)")
    return {part: text for part, text in parts.items() if not _PART.search(part) and not given.match(part)}


def differences(made: dict[str, str], here: dict[str, str]) -> list[str]:
    """In what a database differs from what was made. An index that only speeds something up is no difference."""
    own_indexes = {part for part in here if part.startswith("index ") and "UNIQUE" not in here[part]}
    return [
        *(f"{part} is missing" for part in sorted(made.keys() - here.keys())),
        *(f"{part} is not of this installation" for part in sorted(here.keys() - made.keys() - own_indexes)),
        *(f"{part} was changed" for part in sorted(made.keys() & here.keys()) if made[part] != here[part]),
    ]
