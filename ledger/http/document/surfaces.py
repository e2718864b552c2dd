"""What all commands share in the document: headers, the form of an answer, a problem, a batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal

from ledger.http.answers.entities import Shape

Json = dict[str, Any]
KEY_PATTERN: Final = "^[A-Za-z0-9._:-]{1,64}$"


class RecordedEvent(Shape, frozen=True, kw_only=True):
    """One recorded event: where it stands, and the leaf hash by which an answer names it."""

    position: int
    event_id: str
    type: str
    stream: str
    stream_version: int
    leaf_hash: str
    flags: tuple[str, ...]


class Recorded(Shape, frozen=True, kw_only=True):
    """What a command is answered with; `told` holds what the caller could not know."""

    position: int
    events: tuple[RecordedEvent, ...]
    told: dict[str, str]


class RecordedItem(Shape, frozen=True, kw_only=True):
    """The result of one command of a batch that is recorded; `replayed` says that it was before."""

    status: Literal[201]
    replayed: bool
    position: int
    events: tuple[RecordedEvent, ...]
    told: dict[str, str]


class ForeseenEvent(Shape, frozen=True, kw_only=True):
    """An event that would be recorded; it has no id, position or hash yet."""

    type: str
    flags: tuple[str, ...]


class ForeseenItem(Shape, frozen=True, kw_only=True):
    """The result of one command of a dry run that would be recorded; `replayed` if one before it has the same key."""

    status: Literal[200]
    replayed: bool
    events: tuple[ForeseenEvent, ...]
    told: dict[str, str]


ANSWERS: Final = (Recorded, RecordedItem, ForeseenItem)

PROBLEM: Final[Json] = {
    "type": "object",
    "description": "A problem document (RFC 9457), with the data a person needs to go on; never what was sent.",
    "properties": {
        "type": {"type": "string", "description": "Where the code is explained."},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "pattern": "^[a-z0-9-]+$"},
        "detail": {"type": "string"},
        "correlation_id": {"type": "string"},
    },
    "required": ["type", "title", "status", "code", "detail", "correlation_id"],
    "examples": [
        {
            "type": "/problems/person-is-unknown",
            "title": "Person is unknown",
            "status": 404,
            "code": "person-is-unknown",
            "detail": "No person of that id, or none the actor has a part in.",
            "correlation_id": "0195a1b2-0000-7000-8000-000000000001",
            "person": "p1",
        }
    ],
}


def _header(name: str, description: str, pattern: str, *, required: bool = False, example: str) -> Json:
    schema = {"type": "string", "pattern": pattern}
    return {
        "name": name,
        "in": "header",
        "required": required,
        "description": description,
        "schema": schema,
        "example": example,
    }


PARAMETERS: Final[dict[str, Json]] = {
    "CustodyActor": _header(
        "Custody-Actor",
        "Who acts, while there are no keys: AUTHORITY/OFFICER.",
        "^[a-z0-9][a-z0-9-]{0,63}/[a-z0-9][a-z0-9-]{0,63}$",
        required=True,
        example="north/officer-1",
    ),
    "IdempotencyKey": _header(
        "Idempotency-Key",
        "Makes the command safe to send again: the same key with the same command is answered as before.",
        KEY_PATTERN,
        required=True,
        example="a1b2-0001",
    ),
    "IfMatch": _header(
        "If-Match",
        "The version of the subject's file the caller has seen; 412 if it has moved.",
        '^(\\*|"[0-9]{1,15}")$',
        example='"3"',
    ),
    "IfNoneMatch": _header(
        "If-None-Match",
        "The version of the entity the caller has, or several, or `*`: 304 instead of what they have already.",
        r'^(\*|[ ,]*((W/)?"[!#-~]*" *(,[ ,]*|$))*)$',
        example='"3"',
    ),
    "CorrelationId": _header(
        "Correlation-Id",
        "Follows a chain of requests; it stands in the event. The key, if left out.",
        KEY_PATTERN,
        example="case-77",
    ),
    "Prefer": _header(
        "Prefer",
        "`wait=S` waits S seconds, 10 at most, for `min_position`; not at all while a dozen readers wait.",
        "wait=[0-9]{1,4}",
        example="wait=5",
    ),
}


def batch_item(names: list[str], model: Callable[[str], str]) -> Json:
    """One command of a batch: its key, its name, its fields with those that a route has in its path."""
    return {
        "oneOf": [
            {
                "type": "object",
                "properties": {
                    "key": {"type": "string", "pattern": KEY_PATTERN},
                    "type": {"const": name},
                    "data": {"$ref": f"#/components/schemas/{model(name)}"},
                },
                "required": ["key", "type", "data"],
                "additionalProperties": False,
            }
            for name in names
        ]
    }


def batch_results(schemas: str) -> Json:
    """The results of a batch."""
    names = (RecordedItem.__name__, ForeseenItem.__name__, "Problem")
    one = {"anyOf": [{"$ref": schemas + name} for name in names]}
    return {
        "type": "object",
        "properties": {"results": {"type": "array", "items": one}, "position": {"type": "integer"}},
        "required": ["results", "position"],
        "additionalProperties": False,
    }
