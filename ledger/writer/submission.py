"""What goes into the writer and what comes out: submissions, and an outcome for each."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from domain.canonical import encode_trusted
from domain.commands import Command
from domain.events.event import Actor, Event
from domain.refusals import Refusal
from domain.rules.ruling import AnyRule


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
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


@dataclass(frozen=True, slots=True)
class Refused:
    """The domain said no; nothing of the command is recorded. `position` is the head it was judged at."""

    refusal: Refusal
    position: int


@dataclass(frozen=True, slots=True)
class Withheld:
    """Nothing was wrong with this command, but another of its atomic group was refused."""

    position: int


Outcome = Answer | Refused | Withheld


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Submissions of one request; `atomic` ones are recorded all or none."""

    submissions: tuple[Submission, ...]
    atomic: bool = False


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
