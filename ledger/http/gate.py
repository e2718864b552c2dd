"""The way in: what must hold of a request before any rule is asked (TRUST §13, API §1)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final, Literal
from urllib.parse import parse_qsl

from starlette.types import Receive, Scope

from domain import strict_json
from domain.events.event import Actor
from domain.names import AuthorityId, OfficerId
from domain.refusals import ActorIsUnknown, BodyIsMalformed, IdempotencyKeyIsMissing
from domain.register import Register
from ledger.sources import uuid7

Headers = Mapping[bytes, bytes]

JSON: Final = b"application/json"
NDJSON: Final = b"application/x-ndjson"
_ID = rb"[a-z0-9][a-z0-9-]{0,63}"
_ACTOR = re.compile(rb"(%b)/(%b)" % (_ID, _ID))
_KEY = re.compile(r"[A-Za-z0-9._:-]{1,64}", re.ASCII)
_VERSION = re.compile(r'"(\d{1,15})"', re.ASCII)
_LENGTH_DIGITS = 20
ACTORS_KEPT: Final = 4_096


class BodyIsTooLarge(Exception):
    """More was sent than a command or a batch may have; the rest was not read."""


class MediaTypeIsNotSupported(Exception):
    """The body is not declared to be of a kind that is read here, in UTF-8."""


class ClientHasGone(Exception):
    """Nobody is there any more to be answered."""


def headers_of(scope: Scope) -> Headers:
    """A request's headers by their names in lower case; of one that is given twice, the first."""
    return dict(reversed(scope["headers"]))


def media_type_of(headers: Headers, *kinds: bytes) -> bytes:
    """Which of `kinds` the body is declared to be; else, or in another charset, `MediaTypeIsNotSupported`."""
    given = headers.get(b"content-type", b"")
    if given in kinds:
        return given
    kind, *parameters = [part.strip() for part in given.lower().split(b";")]
    if kind not in kinds or any(item.replace(b'"', b"") != b"charset=utf-8" for item in parameters if item):
        raise MediaTypeIsNotSupported
    return kind


async def read_body(headers: Headers, receive: Receive, bytes_max: int) -> bytes:
    """The body, counted while it is read; raises `BodyIsTooLarge` as soon as it is longer than it may be."""
    declared = headers.get(b"content-length", b"")
    if declared.isdigit() and int(declared[:_LENGTH_DIGITS]) > bytes_max:
        raise BodyIsTooLarge
    chunks: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientHasGone
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size > bytes_max:
            raise BodyIsTooLarge
        chunks.append(chunk)
        more = message.get("more_body", False)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def read_command(body: bytes) -> dict[str, object]:
    """One command's fields; raises `BodyIsMalformed` or `BodyIsTooLarge`."""
    try:
        return strict_json.parse(body)
    except strict_json.Malformed as error:
        raise _refusal(error) from None


def read_batch(body: bytes, top: Literal["array", "lines"]) -> list[dict[str, object]]:
    """The commands of a batch; raises `BodyIsMalformed` or `BodyIsTooLarge`."""
    try:
        return strict_json.parse(body, top=top)
    except strict_json.Malformed as error:
        raise _refusal(error) from None


def _refusal(error: strict_json.Malformed) -> Exception:
    return BodyIsTooLarge() if error.reason == "too-large" else BodyIsMalformed(error.reason)


def flags_of(query: bytes, known: Iterable[str] = ()) -> dict[str, bool]:
    """The `true` and `false` of a query, each of them known and given once at most; what was given is not told."""
    try:
        given = parse_qsl(query.decode("ascii"), keep_blank_values=True, strict_parsing=True) if query else []
    except ValueError:
        raise BodyIsMalformed("schema", ("/",)) from None
    flags = dict.fromkeys(known, False)
    if len(dict(given)) < len(given) or not dict(given).keys() <= flags.keys():
        raise BodyIsMalformed("schema", ("/",))
    for name, value in given:
        if value not in ("true", "false"):
            raise BodyIsMalformed("schema", (f"/{name}",))
        flags[name] = value == "true"
    return flags


def actor_of(headers: Headers, register: Register) -> Actor:
    """Who asks, as `Custody-Actor: AUTHORITY/OFFICER` says while there are no keys (API §5); else `ActorIsUnknown`."""
    actor = _named(headers.get(b"custody-actor", b""))
    if actor is None or register.authority(actor.authority) is None:
        raise ActorIsUnknown
    return actor


@lru_cache(ACTORS_KEPT)
def _named(given: bytes) -> Actor | None:
    named = _ACTOR.fullmatch(given)
    if named is None:
        return None
    authority, officer = named[1].decode(), named[2].decode()
    return Actor(authority=AuthorityId(authority), officer=OfficerId(officer), credential=f"none:{authority}/{officer}")


def key_of(value: object) -> str:
    """An idempotency key: 1 to 64 of `[A-Za-z0-9._:-]`; none at all is `IdempotencyKeyIsMissing`."""
    if value is None or value == "":
        raise IdempotencyKeyIsMissing
    if not isinstance(value, str) or _KEY.fullmatch(value) is None:
        raise BodyIsMalformed("schema", ("/Idempotency-Key",))
    return value


def key_in(headers: Headers) -> str:
    """The idempotency key of a request."""
    return key_of(headers.get(b"idempotency-key", b"").decode("latin-1"))


def expected_version(headers: Headers) -> int | None:
    """The version `If-Match` names, `None` where it is not given or is `*`."""
    given = headers.get(b"if-match", b"*").decode("latin-1").strip()
    if given == "*":
        return None
    found = _VERSION.fullmatch(given)
    if found is None:
        raise BodyIsMalformed("schema", ("/If-Match",))
    return int(found[1])


def correlation_in(scope: Scope, headers: Headers) -> str:
    """The one id of a request, in its problems as in its lines of log: the caller's, else made when first asked for."""
    state: dict[str, str] = scope.setdefault("state", {})
    if "correlation_id" not in state:
        state["correlation_id"] = correlation_of(headers) or uuid7()
    return state["correlation_id"]


def correlation_of(headers: Headers) -> str | None:
    """The id under which the caller follows a chain of requests, where one of the form of a key is given."""
    given = headers.get(b"correlation-id")
    if given is None:
        return None
    text = given.decode("latin-1")
    return text if _KEY.fullmatch(text) else None
