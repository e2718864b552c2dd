"""A batch: waiting commands judged one after the other on an overlay, and the rows that follow from them.

Nothing here is true yet. The overlay and the outcomes hold only if the rows are appended right behind the position
the batch was judged on; otherwise all of it is dropped and judged again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from domain.events.event import Event
from domain.refusals import IdempotencyKeyWasUsedForAnotherBody, Refusal
from domain.register import Register
from domain.rules.ruling import Call, decide, repeated
from ledger.sources import Sources
from ledger.store.log import Remembered, Row
from ledger.writer.stamp import stamp
from ledger.writer.submission import Answer, Foreseen, Group, Outcome, Refused, Submission, Withheld

Key = tuple[str, str]


@dataclass(slots=True, kw_only=True)
class Batch:
    """What one attempt amounts to: one list of outcomes a group, and what must be appended for them to hold."""

    overlay: Register
    last_recorded: datetime | None
    outcomes: list[list[Outcome]] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    remembered: dict[Key, Remembered] = field(default_factory=dict)
    answers: dict[Key, Answer] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What the log remembers of the keys in a batch, and the events behind those records, by position."""

    records: Mapping[Key, Remembered]
    events: Mapping[int, Event]

    def events_of(self, record: Remembered) -> tuple[Event, ...]:
        """The events that answered the command first."""
        return tuple(self.events[at] for at in range(record.first_position, record.first_position + record.count))


def judge(
    groups: Sequence[Group],
    register: Register,
    last_recorded: datetime | None,
    memory: Memory,
    sources: Sources,
    brought: Iterable[Event] = (),
) -> Batch:
    """Judge every group in order; each sees what those before it did. `brought` are the events commands name."""
    overlay = register.overlay()
    overlay.bring(brought)
    batch = Batch(overlay=overlay, last_recorded=last_recorded)
    for group in groups:
        if group.dry_run:
            batch.outcomes.append(_foresee(group, batch, memory, sources))
        else:
            batch.outcomes.append(_judge_group(group, batch, memory, sources))
    return batch


def _judge_group(group: Group, batch: Batch, memory: Memory, sources: Sources) -> list[Outcome]:
    if group.atomic:
        return _judge_atomic(group, batch, memory, sources)
    return [_judge_one(item, batch, memory, sources) for item in group.submissions]


def _attempt(batch: Batch) -> Batch:
    """Room to judge in as if behind `batch`, which stays as it is."""
    return Batch(
        overlay=batch.overlay.overlay(),
        last_recorded=batch.last_recorded,
        remembered=dict(batch.remembered),
        answers=dict(batch.answers),
    )


def _foresee(group: Group, batch: Batch, memory: Memory, sources: Sources) -> list[Outcome]:
    """What would come of a group: each is judged after those before it, and then all of it is dropped."""
    head = batch.overlay.position
    outcomes = _judge_group(group, _attempt(batch), memory, sources)
    return [
        Foreseen(outcome) if isinstance(outcome, Answer) and outcome.position > head else outcome
        for outcome in outcomes
    ]


def _judge_atomic(group: Group, batch: Batch, memory: Memory, sources: Sources) -> list[Outcome]:
    attempt = _attempt(batch)
    outcomes: list[Outcome] = []
    for item in group.submissions:
        outcome = _judge_one(item, attempt, memory, sources)
        if isinstance(outcome, Refused):
            position = batch.overlay.position
            refused = Refused(outcome.refusal, position)
            return [refused if other is item else Withheld(position) for other in group.submissions]
        outcomes.append(outcome)
    attempt.overlay.merge()
    batch.rows += attempt.rows
    batch.remembered, batch.answers = attempt.remembered, attempt.answers
    batch.last_recorded = attempt.last_recorded
    return outcomes


def _judge_one(item: Submission, batch: Batch, memory: Memory, sources: Sources) -> Outcome:
    try:
        seen = _seen(item, batch, memory)
        if seen is not None:
            return seen
        clock = sources.now()
        now = clock if batch.last_recorded is None else max(clock, batch.last_recorded)
        call = Call(by=item.by, now=now, command_id=item.key, expected_version=item.expected_version)
        before = repeated(item.rule, batch.overlay, item.ask, call)
        if before:
            return Answer(position=before[-1].position, events=before, told=item.rule.tells(before), replayed=True)
        drafts = decide(item.rule, batch.overlay, item.ask, call)
        stamped = stamp(drafts, item, now, batch.overlay, sources)
    except Refusal as refusal:
        # Where it was raised is of no interest, and would keep this whole batch in memory.
        return Refused(refusal.with_traceback(None), batch.overlay.position)
    events = tuple(event for _, event in stamped)
    for row, event in stamped:
        batch.rows.append(row)
        batch.overlay.evolve(event)
    batch.last_recorded = now
    answer = Answer(position=events[-1].position, events=events, told=item.rule.tells(events))
    key = (item.by.authority, item.key)
    batch.answers[key] = answer
    batch.remembered[key] = Remembered(*key, item.command_hash, events[0].position, len(events))
    return answer


def _seen(item: Submission, batch: Batch, memory: Memory) -> Answer | None:
    """The first answer to this key, if it was used for the same command; another body is refused."""
    key = (item.by.authority, item.key)
    record = batch.remembered.get(key) or memory.records.get(key)
    if record is None:
        return None
    if record.command_hash != item.command_hash:
        raise IdempotencyKeyWasUsedForAnotherBody(item.key)
    answer = batch.answers.get(key)
    events = answer.events if answer is not None else memory.events_of(record)
    return Answer(position=events[-1].position, events=events, told=item.rule.tells(events), replayed=True)
