"""The way in: what must hold of a request before any rule is asked (TRUST §13, API §1)."""

from __future__ import annotations

import re
from typing import Final

from starlette.requests import Request

from domain import strict_json
from domain.events.event import Actor
from domain.names import AuthorityId, OfficerId
from domain.refusals import ActorIsUnknown, BodyIsMalformed, IdempotencyKeyIsMissing
from domain.register import Register

_ID = r"[a-z0-9][a-z0-9-]{0,63}"
_ACTOR = re.compile(rf"({_ID})/({_ID})", re.ASCII)
_KEY = re.compile(r"[A-Za-z0-9._:-]{1,64}", re.ASCII)
_VERSION = re.compile(r'"(\d{1,15})"', re.ASCII)


class BodyIsTooLarge(Exception):
    """More was sent than a command or a batch may have; the rest was not read."""


class MediaTypeIsNotSupported(Exception):
    """The body is not declared to be JSON in UTF-8."""


def check_media_type(request: Request) -> None:
    """Raise `MediaTypeIsNotSupported` unless the body is `application/json`, its charset absent or UTF-8."""
    kind, *parameters = [part.strip() for part in request.headers.get("content-type", "").lower().split(";")]
    if kind != "application/json" or any(item.replace('"', "") != "charset=utf-8" for item in parameters if item):
        raise MediaTypeIsNotSupported


async def read_body(request: Request, bytes_max: int) -> bytes:
    """The body, counted while it is read; raises `BodyIsTooLarge` as soon as it is longer than it may be."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared[:20]) > bytes_max:
        raise BodyIsTooLarge
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > bytes_max:
            raise BodyIsTooLarge
        chunks.append(chunk)
    return b"".join(chunks)


def read_command(body: bytes) -> dict[str, object]:
    """One command's fields; raises `BodyIsMalformed` or `BodyIsTooLarge`."""
    try:
        return strict_json.parse(body)
    except strict_json.Malformed as error:
        raise _refusal(error) from None


def read_batch(body: bytes) -> list[dict[str, object]]:
    """The commands of a batch; raises `BodyIsMalformed` or `BodyIsTooLarge`."""
    try:
        return strict_json.parse(body, top="array")
    except strict_json.Malformed as error:
        raise _refusal(error) from None


def _refusal(error: strict_json.Malformed) -> Exception:
    return BodyIsTooLarge() if error.reason == "too-large" else BodyIsMalformed(error.reason)


def actor_of(request: Request, register: Register) -> Actor:
    """Who asks, as `Custody-Actor: AUTHORITY/OFFICER` says while there are no keys (API §5); else `ActorIsUnknown`."""
    named = _ACTOR.fullmatch(request.headers.get("custody-actor", ""))
    if named is None or register.authority(named[1]) is None:
        raise ActorIsUnknown
    return Actor(authority=AuthorityId(named[1]), officer=OfficerId(named[2]), credential=f"none:{named[1]}/{named[2]}")


def key_of(value: object) -> str:
    """An idempotency key: 1 to 64 of `[A-Za-z0-9._:-]`; none at all is `IdempotencyKeyIsMissing`."""
    if value is None or value == "":
        raise IdempotencyKeyIsMissing
    if not isinstance(value, str) or _KEY.fullmatch(value) is None:
        raise BodyIsMalformed("schema", ("/Idempotency-Key",))
    return value


def expected_version(request: Request) -> int | None:
    """The version `If-Match` names, `None` where it is not given or is `*`."""
    given = request.headers.get("if-match")
    if given is None or given.strip() == "*":
        return None
    found = _VERSION.fullmatch(given.strip())
    if found is None:
        raise BodyIsMalformed("schema", ("/If-Match",))
    return int(found[1])


CORRELATION_HEADER: Final = "correlation-id"


def correlation_of(request: Request) -> str | None:
    """The id under which the caller follows a chain of requests, where one of the form of a key is given."""
    given = request.headers.get(CORRELATION_HEADER, "")
    return given if _KEY.fullmatch(given) else None
