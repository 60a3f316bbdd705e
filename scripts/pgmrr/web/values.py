"""What stands in a URL, checked before it reaches the database, and the types of PostgreSQL as JSON Schema."""

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any
from urllib.parse import unquote_plus

Schema = dict[str, Any]

_INTEGERS = {"smallint": 15, "integer": 31, "bigint": 63}
_LARGEST_NUMBER = 10**15
_LONGEST_TEXT = 1000

_SCHEMAS: Mapping[str, Schema] = {
    "boolean": {"type": "boolean"},
    "smallint": {"type": "integer", "format": "int32"},
    "integer": {"type": "integer", "format": "int32"},
    "bigint": {"type": "integer", "format": "int64"},
    "numeric": {"type": "number"},
    "text": {"type": "string"},
    "date": {"type": "string", "format": "date"},
    "timestamp with time zone": {"type": "string", "format": "date-time"},
}


class MalformedError(Exception):
    """Something in a URL cannot be read. The message names it and says how to write it."""


def schema_of(type_: str) -> Schema:
    """The JSON Schema of a value of this type in an answer. Every value may be NULL: unknown, or without meaning."""
    if type_.endswith("[]"):
        return {"type": ["array", "null"], "items": schema_of(type_.removesuffix("[]"))}
    if type_ in ("jsonb", "json"):
        return {}
    known = _SCHEMAS.get(type_, {"type": "string"})
    return {**known, "type": [known["type"], "null"]}


def parameter_schema(type_: str) -> Schema:
    """The JSON Schema of a value of this type in a URL."""
    if type_ in _INTEGERS:
        largest = 2 ** _INTEGERS[type_] - 1
        return {**_SCHEMAS[type_], "minimum": -largest, "maximum": largest}
    if type_ == "numeric":
        return {"type": "number", "minimum": -_LARGEST_NUMBER, "maximum": _LARGEST_NUMBER}
    if type_ == "text":
        return {"type": "string", "maxLength": _LONGEST_TEXT, "pattern": "^[^\\x00]*$"}
    return dict(_SCHEMAS.get(type_, {"type": "string"}))


def json_value(type_: str, text: str) -> Any:
    """A value of a URL as its JSON Schema has it."""
    if type_ in _INTEGERS:
        return int(text)
    if type_ == "numeric":
        return float(text)
    return text == "true" if type_ == "boolean" else text


def read_query(query: bytes) -> dict[str, str]:
    """The parameters of a query string. Raises MalformedError where one is given twice, or is no UTF-8."""
    found: dict[str, str] = {}
    for part in query.decode("ascii", "replace").split("&"):
        name, _, value = part.partition("=")
        if not part:
            continue
        try:
            name, value = (unquote_plus(text, errors="strict") for text in (name, value))
        except UnicodeDecodeError:
            raise MalformedError(f"{name}: write it as percent-encoded UTF-8") from None
        if name in found:
            raise MalformedError(f"{name}: it is given twice")
        found[name] = value
    return found


def check_value(name: str, type_: str, text: str) -> None:
    """Raise MalformedError where the text is no value of this type, as the API's document describes it."""
    problem = None
    if type_ == "date":
        problem = None if _is_day(text) else "a day is written as 2024-06-30"
    elif type_ in _INTEGERS:
        problem = _integer_problem(text, 2 ** _INTEGERS[type_] - 1)
    elif type_ == "numeric":
        problem = _number_problem(text)
    elif type_ == "boolean":
        problem = None if text in ("true", "false") else "it is true or false"
    elif "\0" in text:
        problem = "a text holds no NUL character"
    elif len(text) > _LONGEST_TEXT:
        problem = f"a text has at most {_LONGEST_TEXT:,} characters"
    if problem:
        raise MalformedError(f"{name}: {problem}")


def whole_number(name: str, text: str, smallest: int, largest: int) -> int:
    """The whole number that the text is. Raises MalformedError where it is none, or out of range."""
    if _integer_problem(text, largest) or int(text) < smallest:
        raise MalformedError(f"{name}: it is a whole number from {smallest} to {largest:,}")
    return int(text)


def _is_day(text: str) -> bool:
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _integer_problem(text: str, largest: int) -> str | None:
    if not re.fullmatch(r"-?[0-9]{1,19}", text) or abs(int(text)) > largest:
        return f"it is a whole number of at most {largest:,}"
    return None


def _number_problem(text: str) -> str | None:
    written = re.fullmatch(r"-?[0-9]{1,100}(\.[0-9]{1,100})?([eE][-+]?[0-9]{1,3})?", text)
    if not written or abs(Decimal(text)) > _LARGEST_NUMBER:
        return f"it is a number of at most {_LARGEST_NUMBER:,}, as 0.8"
    return None
