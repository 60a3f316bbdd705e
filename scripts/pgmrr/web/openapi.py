"""The API's own description, as OpenAPI 3.1, made from the catalog."""

import re
from collections.abc import Mapping
from typing import Any

from pgmrr import __version__
from pgmrr.web.http import CSV, JSON, PROBLEM
from pgmrr.web.surface import Endpoint, Parameter
from pgmrr.web.values import json_value, parameter_schema, schema_of

LARGEST_PAGE = 10_000
USUAL_PAGE = 100

_DESCRIPTION = """\
Every public view and function of schema `kpi`, read-only. Rates and shares are numbers from 0 to 1, days are days of
the reporting time zone, MRR is an amount a month in the reporting currency unless a description says otherwise. null
is unknown, or without meaning.

Amounts are JSON numbers with every digit that PostgreSQL has: read them as decimals where cents count."""

_PROBLEMS = {
    "400": "A parameter is unknown, missing, given twice or malformed.",
    "404": "There is no such endpoint.",
    "406": "It does not come as any type of Accept.",
    "422": "The parameters can be read, and there is no answer to them; code is the SQLSTATE.",
    "503": "The database does not answer, all sessions are busy, or the time limit has passed.",
}

_PROBLEM_SCHEMA = {
    "type": "object",
    "description": "RFC 9457. code is the SQLSTATE of the database's error, hint what to do about it.",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "hint": {"type": "string"},
    },
}


def document(surface: Mapping[str, Endpoint], needs_token: bool) -> dict[str, Any]:
    """The OpenAPI document of the surface."""
    problems = dict(_PROBLEMS)
    made: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": "pgmrr",
            "version": __version__,
            "summary": "Revenue metrics from billing data.",
            "description": _DESCRIPTION,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "tags": [
            {"name": "functions", "description": "Functions of kpi: figures for what one asks."},
            {"name": "views", "description": "Views of kpi: figures without parameters."},
        ],
        "components": {"schemas": {"Problem": _PROBLEM_SCHEMA}},
    }
    if needs_token:
        made["components"]["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer"},
            "basic": {"type": "http", "scheme": "basic", "description": "For browsers: the token is the password."},
        }
        made["security"] = [{"bearer": []}, {"basic": []}]
        problems["401"] = "The token is missing or wrong."
    made["components"]["responses"] = {
        f"Problem{status}": {
            "description": description,
            "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status, description in problems.items()
    }
    refused = {status: {"$ref": f"#/components/responses/Problem{status}"} for status in sorted(problems)}
    made["paths"] = {f"/api/{endpoint.name}": {"get": _operation(endpoint, refused)} for endpoint in surface.values()}
    return made


def _operation(endpoint: Endpoint, refused: Mapping[str, Any]) -> dict[str, Any]:
    first_sentence = re.split(r"(?<=[a-z0-9)])[.;:] ", endpoint.comment, maxsplit=1)[0].rstrip(".")
    return {
        "operationId": endpoint.name,
        "summary": first_sentence,
        "description": endpoint.comment,
        "tags": ["functions" if endpoint.is_function else "views"],
        "parameters": [*map(_parameter, endpoint.parameters), *_paging(endpoint)],
        "responses": {
            "200": {
                "description": "The value." if endpoint.is_scalar else "A page of rows.",
                "headers": {
                    "ETag": {
                        "description": "Changes with the last batch and the code. Send it as If-None-Match.",
                        "schema": {"type": "string"},
                    },
                },
                "content": {
                    JSON: {"schema": _answer(endpoint)},
                    CSV: {"schema": {"type": "string", "description": "A header, and the rows."}},
                },
            },
            "304": {"description": "Nothing has changed since the ETag of If-None-Match."},
            **refused,
        },
    }


def _parameter(parameter: Parameter) -> dict[str, Any]:
    schema = parameter_schema(parameter.type)
    if parameter.default is not None:
        schema["default"] = json_value(parameter.type, parameter.default)
    made: dict[str, Any] = {
        "name": parameter.name,
        "in": "query",
        "required": parameter.is_required,
        "description": f"{parameter.argument} {parameter.type}",
        "schema": schema,
    }
    if parameter.example is not None:
        made["example"] = json_value(parameter.type, parameter.example)
    return made


def _paging(endpoint: Endpoint) -> list[dict[str, Any]]:
    paging = {
        "limit": ("How many rows at most.", {"minimum": 1, "maximum": LARGEST_PAGE, "default": USUAL_PAGE}),
        "offset": ("How many rows to pass over.", {"minimum": 0, "maximum": 2**31 - 1, "default": 0}),
    }
    return [
        {
            "name": name,
            "in": "query",
            "required": False,
            "description": description,
            "schema": {"type": "integer", **bounds},
        }
        for name, (description, bounds) in paging.items()
        if endpoint.pages_by(name)
    ]


def _answer(endpoint: Endpoint) -> dict[str, Any]:
    if endpoint.is_scalar:
        value = {**schema_of(endpoint.columns[0].type), "description": endpoint.comment}
        return {
            "type": "object",
            "required": ["value"],
            "additionalProperties": False,
            "properties": {"value": value},
        }
    row = {
        column.name: {
            **schema_of(column.type),
            **({"description": column.comment} if column.comment else {}),
        }
        for column in endpoint.columns
    }
    return {
        "type": "object",
        "required": ["rows", "next"],
        "additionalProperties": False,
        "properties": {
            "rows": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": list(row),
                    "additionalProperties": False,
                    "properties": row,
                },
            },
            "next": {"type": ["string", "null"], "format": "uri-reference", "description": "The next page."},
        },
    }
