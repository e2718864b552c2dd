"""The leaf: the stored bytes of one event, which are also what the Merkle tree hashes (TRUST §1).

Exactly the fields below, all present, as canonical JSON. The position stands outside: the index in the tree fixes it.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Final

import msgspec

from domain.canonical import encode_trusted
from domain.events import decode_body
from domain.events.event import Actor, Event
from domain.names import EventId
from ledger.store.log import Row

LEAF_BYTES_MAX: Final = 16_384


class Leaf(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
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


_DECODER = msgspec.json.Decoder(Leaf)


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
    leaf = _DECODER.decode(row.leaf)
    return Event(
        position=row.position,
        event_id=EventId(leaf.event_id),
        stream=leaf.stream,
        stream_version=leaf.stream_version,
        actor=leaf.actor,
        occurred_at=leaf.occurred_at,
        recorded_at=datetime.fromisoformat(leaf.recorded_at),
        command_id=leaf.command_id,
        leaf_hash=text64(row.leaf_hash),
        body=decode_body(leaf.type, leaf.body),
    )


def recorded_text(moment: datetime) -> str:
    """`YYYY-MM-DDTHH:MM:SS.mmmZ`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def text64(data: bytes) -> str:
    """Base64 with padding (RFC 4648 §4)."""
    return base64.b64encode(data).decode("ascii")
