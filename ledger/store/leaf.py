"""The leaf: the stored bytes of one event, which are also what the Merkle tree hashes (TRUST §1).

Exactly the fields below, all present, as canonical JSON. The position stands outside: the index in the tree fixes it.
"""

from __future__ import annotations

import sys
from binascii import b2a_base64
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

import msgspec

from domain.canonical import encode_trusted
from domain.events import decode_body
from domain.events.event import Actor, Event
from domain.names import EventId
from ledger.store.log import Row

LEAF_BYTES_MAX: Final = 16_384
ACTORS_KEPT: Final = 4_096


class Leaf(msgspec.Struct, gc=False, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One event as it is stored. `prev` is the base64 leaf hash of the stream's event before, `""` for the first."""

    actor: Actor
    body: msgspec.Raw
    command_id: str
    correlation_id: str
    event_id: str
    occurred_at: datetime
    prev: str
    recorded_at: str
    salt: str
    signatures: tuple[msgspec.Raw, ...]
    stream: str
    stream_version: int
    type: str


class _Stated(msgspec.Struct, frozen=True, gc=False):
    """Of a leaf, what rules and views read."""

    actor: msgspec.Raw
    body: msgspec.Raw
    command_id: str
    event_id: EventId
    occurred_at: datetime
    recorded_at: datetime
    stream: str
    stream_version: int
    type: str


_DECODER = msgspec.json.Decoder(Leaf)
_STATED = msgspec.json.Decoder(_Stated)
_ACTOR = msgspec.json.Decoder(Actor)
_TIMES = msgspec.json.Encoder()


def encode_leaf(event: Event, *, correlation_id: str, prev: str, salt: bytes) -> bytes:
    """The bytes of an event that is about to be recorded; its body came through the gate."""
    return encode_trusted(
        Leaf(
            actor=event.actor,
            body=msgspec.Raw(encode_trusted(event.body)),
            command_id=event.command_id,
            correlation_id=correlation_id,
            event_id=event.event_id,
            occurred_at=event.occurred_at,
            prev=prev,
            recorded_at=recorded_text(event.recorded_at),
            salt=text64(salt),
            signatures=(),
            stream=event.stream,
            stream_version=event.stream_version,
            type=event.wire,
        )
    )


def decode_leaf(leaf: bytes) -> Leaf:
    """The fields of a stored leaf; raises `msgspec.ValidationError` where a field is missing, unknown or mistyped."""
    return _DECODER.decode(leaf)


def read_event(row: Row) -> Event:
    """The event a row holds, as rules and views read it."""
    stated = _STATED.decode(row.leaf)
    return Event(
        position=row.position,
        event_id=stated.event_id,
        stream=sys.intern(stated.stream),
        stream_version=stated.stream_version,
        actor=_actor(bytes(stated.actor)),
        occurred_at=stated.occurred_at,
        recorded_at=stated.recorded_at,
        command_id=stated.command_id,
        leaf_hash=text64(row.leaf_hash),
        body=decode_body(stated.type, stated.body),
    )


@lru_cache(maxsize=ACTORS_KEPT)
def _actor(data: bytes) -> Actor:
    """Few act, and often: all their events share one value."""
    return _ACTOR.decode(data)


def recorded_text(moment: datetime) -> str:
    """`YYYY-MM-DDTHH:MM:SS.mmmZ`."""
    text = _TIMES.encode(moment.astimezone(UTC)).decode("ascii")
    # A fraction of zero is not written, the milliseconds of a record always are.
    return f"{text[1:20]}.{text[21:24].ljust(3, '0') if text[20] == '.' else '000'}Z"


def text64(data: bytes) -> str:
    """Base64 with padding (RFC 4648 §4)."""
    return b2a_base64(data, newline=False).decode("ascii")
