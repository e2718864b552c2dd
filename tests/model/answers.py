"""What a client keeps: the command it sent and the answer it was given, with all that says when and where that was.

A history is these, of all clients together. Nothing here, nor elsewhere in this folder's model, is the product's code:
the model is written from the specification alone, so that one misunderstanding is not made twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, NamedTuple

Json = dict[str, Any]


class Recorded(NamedTuple):
    """One event as an answer tells of it."""

    position: int
    event_id: str
    type: str
    stream: str
    stream_version: int
    leaf_hash: str
    flags: tuple[str, ...]


class Stated(NamedTuple):
    """What the record itself says at one position, and no answer tells: when it was written, and the event's body."""

    recorded_at: datetime
    body: Json


Record = Mapping[int, Stated]
"""By position. Where a position is not in it, only the answer is judged."""


@dataclass(frozen=True, kw_only=True)
class Answered:
    """What a client was told in the end about the command it sent under `key`: an answer, or a problem.

    `seen` is a position known to be on record before the command was last sent, `position` the ledger's when it
    answered: the command was judged at one of those from `seen` to `position`. `sent` is when the command first went
    out, `heard` when the answer came. `officer` is who asked for the authority.
    """

    authority: str
    officer: str
    key: str
    name: str
    data: Mapping[str, Any]
    sent: datetime
    heard: datetime
    seen: int
    position: int
    is_granted: bool
    document: Json
    replayed: bool = False

    @cached_property
    def events(self) -> tuple[Recorded, ...]:
        """The events of a granted command."""
        return tuple(Recorded(**{**event, "flags": tuple(event["flags"])}) for event in self.document.get("events", ()))

    @property
    def code(self) -> str | None:
        """The code of a refusal."""
        return None if self.is_granted else str(self.document["code"])

    @property
    def who(self) -> tuple[str, str]:
        """Whose key it is: keys are an authority's own."""
        return self.authority, self.key

    @property
    def is_report(self) -> bool:
        """Whether it states what has happened and asks for nothing."""
        return self.data.get("mode") == "report"
