"""What the document says of a read: the shape of its answer, the headers, the problems by code."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any, Final

from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from ledger.http.answers.tables import CSV, Table, table_of
from ledger.http.problems import BAD_REQUEST, MEDIA_TYPE, UNAVAILABLE, statuses

TITLE: Final = "Custody Ledger"
JSON: Final = "application/json"
OK, ACCEPTED, UNCHANGED = 200, 202, 304
SCHEMAS: Final = "#/components/schemas/"

ANYWHERE: Final = ("host-is-not-trusted", "internal-error")
OF_ANY_READ: Final = (
    "actor-is-unknown",
    "body-is-malformed",
    "code-is-not-listed",
    "projection-is-behind",
    "database-is-unreachable",
)

Responses = dict[int | str, dict[str, Any]]

SHAPES: dict[str, type] = {}
"""The shapes that answers name, by name."""

HEADERS: Final[dict[str, dict[str, Any]]] = {
    "Ledger-Position": {
        "description": "The position the answer speaks for; problems have it, too.",
        "required": True,
        "schema": {"type": "string", "pattern": "^[0-9]+$"},
    },
    "ETag": {
        "description": "The version of the entity's file, for `If-Match` and `If-None-Match`.",
        "schema": {"type": "string", "pattern": '^"[0-9]+"$'},
    },
    "Link": {"description": 'The next page, `rel="next"`.', "schema": {"type": "string"}},
    "Vary": {"description": "What the form of the answer depends on: `Accept`.", "schema": {"type": "string"}},
    "Location": {"description": "The address of what it is about.", "schema": {"type": "string"}},
    "Idempotency-Replayed": {
        "description": "`true` where the command was recorded before.",
        "schema": {"type": "string"},
    },
    "Retry-After": {"description": "Seconds to wait before asking again.", "schema": {"type": "string"}},
}
"""The headers of answers, by name."""


def headers(*names: str) -> dict[str, object]:
    """The position, which every answer tells, and those named."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in ("Ledger-Position", *names)}


def answers(
    shape: type,
    *codes: str,
    status: int = OK,
    versioned: bool = False,
    dated: bool = False,
    open_to_all: bool = False,
    also: Mapping[str, Mapping[str, Any]] | None = None,
) -> Responses:
    """The answers of one read: `shape` on success, problems by code otherwise.

    `versioned` answers bear an `ETag`; `dated` reads take times; those `open_to_all` want no actor; `also` are schemas
    of other forms of the same answer, by the media type that asks for them. A table is also given as CSV.
    """
    SHAPES[shape.__name__] = shape
    table = table_of(shape)
    named = [*(["ETag"] if versioned else []), *(["Link"] if "next" in shape.__annotations__ else [])]
    success: dict[str, Any] = {
        "description": (inspect.getdoc(shape) or "").partition("\n")[0],
        "headers": headers(*named, *(["Location"] if status == ACCEPTED else [])),
        "content": {
            JSON: {"schema": {"$ref": SCHEMAS + shape.__name__}},
            **({CSV: {"schema": _schema_of(table)}} if table is not None else {}),
            **{media: {"schema": dict(schema)} for media, schema in (also or {}).items()},
        },
    }
    general = () if open_to_all else (*OF_ANY_READ, *(("time-has-no-offset",) if dated else ()))
    if status == OK and not open_to_all:
        success["headers"] |= headers("Vary")
        general = (*general, "media-type-is-not-offered")
    found = problems((*general, *codes, *ANYWHERE))
    unchanged = {"description": "It is as the version that `If-None-Match` names.", "headers": headers("ETag")}
    return {
        status: success,
        **({UNCHANGED: unchanged} if versioned else {}),
        # A read has no body that the gate could refuse.
        **{code: answer for code, answer in found.items() if code != BAD_REQUEST},
    }


def streamed(media: str, description: str, *codes: str) -> Responses:
    """The answers of a read that is told bit by bit, as text."""
    success = {"description": description, "headers": headers(), "content": {media: {"schema": {"type": "string"}}}}
    found = problems((*OF_ANY_READ, *codes, *ANYWHERE))
    return {OK: success, **{code: answer for code, answer in found.items() if code != BAD_REQUEST}}


def _schema_of(table: Table) -> dict[str, str]:
    columns = ", ".join(f"`{name}`" for name in table.header)
    about = f"UTF-8 (RFC 4180), a line a row below a header with the columns {columns}. Lists are cells of JSON."
    return {"type": "string", "description": about}


def shape_of(content: Mapping[str, Any]) -> type:
    """The shape of an answer in JSON, from what `answers` says of its forms."""
    reference: str = content[JSON]["schema"]["$ref"]
    return SHAPES[reference.removeprefix(SCHEMAS)]


def reference(shape: type) -> dict[str, str]:
    """The schema of a shape that an answer names, for `also`."""
    SHAPES[shape.__name__] = shape
    return {"$ref": SCHEMAS + shape.__name__}


def problems(codes: Iterable[str]) -> Responses:
    """Problem answers, grouped by status, each naming its codes."""
    grouped: dict[int, list[str]] = {}
    for code in dict.fromkeys(codes):
        for status in statuses(code):
            grouped.setdefault(status, []).append(code)
    return {status: _problem(status, sorted(grouped[status])) for status in sorted(grouped)}


def _problem(status: int, codes: list[str]) -> dict[str, Any]:
    schema = {"allOf": [{"$ref": SCHEMAS + "Problem"}, {"properties": {"code": {"enum": codes}}}]}
    return {
        "description": " · ".join(f"`{code}`" for code in codes),
        "headers": headers(*(["Retry-After"] if status == UNAVAILABLE else [])),
        "content": {MEDIA_TYPE: {"schema": schema}},
    }


def summary_of(route: BaseRoute) -> None:
    """Make the first line of the route's docstring its summary, and the rest its description."""
    assert isinstance(route, APIRoute)
    first, _, rest = (inspect.getdoc(route.endpoint) or "").partition("\n")
    route.summary, route.description = first.rstrip("."), unwrapped(rest)


def unwrapped(text: str) -> str:
    """A docstring's paragraphs, each in one line."""
    return "\n\n".join(" ".join(part.split()) for part in text.strip().split("\n\n"))
