"""An event: a body that states one fact, in the envelope that says who stated it and when.

A body is complete in itself and kept for ever. An optional field is `None` when absent and is then left out of the
stored bytes; a field without a default is always written, as `null` where its type allows it. `flags` is always
written, sorted.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Literal

import msgspec

from domain.names import AuthorityId, EventId, OfficerId

Mode = Literal["claim", "report"]
Precision = Literal["minute", "day"]


class Body(
    msgspec.Struct,
    # Here and below: a frozen value never leads back to itself, so the collector of cycles need not walk it.
    gc=False,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    forbid_unknown_fields=True,
    rename={"from_": "from", "as_": "as"},
):
    """What one event states. Subclasses name their wire type (`handover-accepted.v1`) and the kind of their stream."""

    wire: ClassVar[str]
    stream_kind: ClassVar[str]


class Fact(Body, frozen=True, kw_only=True):
    """A body with the two fields every fact may carry."""

    flags: tuple[str, ...]
    precision: Precision | None = None


class DualFact(Fact, frozen=True, kw_only=True):
    """A fact of a dual command: `mode` says whether it was granted as a claim or recorded as a report."""

    mode: Mode


class Actor(msgspec.Struct, gc=False, frozen=True, kw_only=True):
    """Who acts: an officer, for an authority, under the credential that admitted the request."""

    authority: AuthorityId
    credential: str
    officer: OfficerId


class Event(msgspec.Struct, gc=False, frozen=True, kw_only=True):
    """One recorded event as the rules and the views read it.

    `position` is its place in the whole log, from 1 without gaps; `stream_version` its place in `stream`
    (`kind:id`). `occurred_at` is what the actor claims, `recorded_at` what the register knows. `leaf_hash` is the
    base64 RFC 9162 leaf hash by which an answer names the event.
    """

    position: int
    event_id: EventId
    stream: str
    stream_version: int
    actor: Actor
    occurred_at: datetime
    recorded_at: datetime
    command_id: str
    leaf_hash: str
    body: Body

    @property
    def wire(self) -> str:
        """The wire type, as in `handover-accepted.v1`."""
        return self.body.wire

    @property
    def flags(self) -> tuple[str, ...]:
        """The recorded flags; an event without any says so with an empty tuple."""
        return self.body.flags if isinstance(self.body, Fact) else ()

    @property
    def imported(self) -> bool:
        """Whether an importer stated it: such a fact begins no cause and anchors no duty (DOMAIN §6.3)."""
        return (
            self.actor.credential.startswith("import:")
            or "inferred" in self.flags
            or getattr(self.body, "entry", None) == "import"
        )


class Draft(msgspec.Struct, gc=False, frozen=True, kw_only=True):
    """An event that follows from a granted command and is not yet recorded.

    `stream` and `body` may hold places for ids the ledger draws once the command is granted (`fresh`), and
    `NEXT_EVENT` for the id of the draft that follows. `occurred_at` is `None` where the command's own time holds.
    """

    stream: str
    body: Body
    occurred_at: datetime | None = None
    draws: tuple[str, ...] = ()


def fresh(name: str) -> str:
    """A place for an id drawn at the grant; the same name within one command stands for the same id.

    A draft that holds such a place lists it in `draws`. It begins with a character that no text from outside may
    hold (TRUST §13.8), so nothing a caller writes is ever taken for one.
    """
    return f"\0{name}"


NEXT_EVENT = EventId(fresh("next-event"))


def stream_id(stream: str) -> str:
    """The id within a stream's name: `p1` of `person:p1`."""
    return stream.partition(":")[2]
