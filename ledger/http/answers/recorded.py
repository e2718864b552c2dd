"""The answer to a command: where it stands in the record, or what a dry run found that it would be."""

from __future__ import annotations

from typing import Final

from domain.events.event import Event
from domain.events.person import HandoverOffered
from ledger.http.commands.routes import PREFIX
from ledger.writer.submission import Answer, Foreseen

_RESOURCES: Final = {
    "authority": "authorities",
    "facility": "facilities",
    "agreement": "agreements",
    "person": "people",
    "transfer": "transfers",
    "invoice": "invoices",
}


def answer_document(answer: Answer) -> dict[str, object]:
    """What a command is answered with: where it stands in the record, and what the caller could not know."""
    return {
        "position": answer.position,
        "events": [
            {
                "position": event.position,
                "event_id": event.event_id,
                "type": event.wire,
                "stream": event.stream,
                "stream_version": event.stream_version,
                "leaf_hash": event.leaf_hash,
                "flags": event.flags,
            }
            for event in answer.events
        ],
        "told": dict(answer.told),
    }


def foreseen_document(found: Foreseen) -> dict[str, object]:
    """What would be recorded: kinds and flags, and no id, position or hash, for those will be others."""
    return {
        "replayed": found.answer.replayed,
        "events": [{"type": event.wire, "flags": event.flags} for event in found.answer.events],
        "told": dict(found.answer.told),
    }


def location(event: Event) -> str:
    """The address of what a command's first event is about."""
    if isinstance(event.body, HandoverOffered):
        return f"{PREFIX}/handovers/{event.body.handover}"
    kind, _, id_ = event.stream.partition(":")
    return f"{PREFIX}/{_RESOURCES[kind]}/{id_.rpartition(':')[2]}"
