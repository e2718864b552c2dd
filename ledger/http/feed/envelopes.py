"""One event as it is told outside: the document of the log, and the same in an envelope of CloudEvents 1.0.

The envelope's attributes are what a broker sorts and routes by. Its data are the whole document, so that whoever has
the envelope can also check the leaf: nothing is left out on the way.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from domain.canonical import encode_trusted
from domain.events.epoch import EpochOpened
from ledger.http.accepting import preferred
from ledger.store.leaf import decode_leaf, read_event, text64
from ledger.store.log import EventLog, Row

Form = Literal["document", "cloudevent"]

JSON: Final = "application/json"
CLOUD_EVENT: Final = "application/cloudevents+json"
CLOUD_EVENTS: Final = "application/cloudevents-batch+json"
SPEC_VERSION: Final = "1.0"
FORMS: Final[dict[str, Form]] = {JSON: "document", CLOUD_EVENT: "cloudevent", CLOUD_EVENTS: "cloudevent"}


def asked_form(accept: str) -> Form:
    """The form that an `Accept` header asks for; the document, where it names none of ours."""
    return FORMS[preferred(accept, tuple(FORMS))]


def event_document(row: Row) -> dict[str, object]:
    """Every field of the leaf, the position and the leaf hash in base64."""
    fields: dict[str, object] = msgspec.structs.asdict(decode_leaf(row.leaf))
    return {**fields, "position": row.position, "leaf_hash": text64(row.leaf_hash)}


def cloud_event(row: Row, source: str) -> dict[str, object]:
    """The event in structured mode (CloudEvents 1.0.2, JSON format 1.0.2); `source` is the origin of its log.

    Source and id together are unique, as they must be: an event id stands once in a log. The extension attributes have
    lower-case names, as the specification wants.
    """
    data = event_document(row)
    return {
        "specversion": SPEC_VERSION,
        "id": row.event_id,
        "source": source,
        "type": row.type,
        "subject": row.stream,
        "time": data["recorded_at"],
        "datacontenttype": JSON,
        "position": row.position,
        "streamversion": row.stream_version,
        "leafhash": data["leaf_hash"],
        "correlationid": data["correlation_id"],
        "data": data,
    }


def encoded(row: Row, form: Form, source: str) -> bytes:
    """The event in that form, as one line of JSON."""
    return encode_trusted(event_document(row) if form == "document" else cloud_event(row, source))


def origin_of(log: EventLog) -> str:
    """The origin under which the log was opened, from its first event."""
    [first] = log.read(0, 1)
    body = read_event(first).body
    assert isinstance(body, EpochOpened), "a log begins with its epoch"
    return body.origin
