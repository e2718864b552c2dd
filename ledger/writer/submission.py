"""What goes into the writer and what comes out: submissions, and an outcome for each."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import msgspec

from domain.canonical import encode_trusted
from domain.commands import Command
from domain.events.event import Actor, Event
from domain.refusals import Refusal
from domain.rules.ruling import AnyRule


class Submission(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One command of one actor under its idempotency key.

    `command_hash` is the SHA-256 of the canonical command; the key is remembered for ever together with it.
    """

    by: Actor
    key: str
    rule: AnyRule
    ask: Command
    command_hash: bytes
    correlation_id: str
    expected_version: int | None = None


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The command is recorded. `position` is that of its last event; `replayed` says it was recorded before."""

    position: int
    events: tuple[Event, ...]
    told: Mapping[str, str]
    replayed: bool = False

    @property
    def version(self) -> int:
        """The version of the subject's file after the command: that of the stream its first event stands on."""
        home = self.events[0].stream
        return max(event.stream_version for event in self.events if event.stream == home)


class Refused(msgspec.Struct, frozen=True):
    """The domain said no; nothing of the command is recorded. `position` is the head it was judged at."""

    refusal: Refusal
    position: int


class Withheld(msgspec.Struct, frozen=True):
    """Nothing was wrong with this command, but another of its atomic group was refused."""

    position: int


class Foreseen(msgspec.Struct, frozen=True):
    """A dry run would have recorded this; its ids, positions and hashes are nobody's."""

    answer: Answer


Outcome = Answer | Refused | Withheld | Foreseen


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Submissions of one request; `atomic` ones are recorded all or none, and those of a `dry_run` not at all."""

    submissions: tuple[Submission, ...]
    atomic: bool = False
    dry_run: bool = False


def submission(
    rule: AnyRule,
    ask: Command,
    *,
    by: Actor,
    key: str,
    correlation_id: str | None = None,
    expected_version: int | None = None,
) -> Submission:
    """A parsed command made ready to submit."""
    data = ask.model_dump(exclude_none=True, by_alias=True)
    command_hash = hashlib.sha256(encode_trusted({"data": data, "type": rule.command.name})).digest()
    return Submission(
        by=by,
        key=key,
        rule=rule,
        ask=ask,
        command_hash=command_hash,
        correlation_id=correlation_id if correlation_id is not None else key,
        expected_version=expected_version,
    )
