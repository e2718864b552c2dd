"""Replay: the state rebuilt from events alone, in a register of its own, as of any instant and any position.

Nothing of a view is read here. `replay` answers what the events amount to; `ledger/audit/views.py` holds the views
against it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from domain.custody.standing import confidence
from domain.custody.state import CustodyState, Step
from domain.custody.timeline import Timeline, timeline
from domain.names import PersonId
from ledger.audit.findings import Progress, quiet
from ledger.audit.laws.lives import text
from ledger.audit.record import Record, read_record
from ledger.store.log import EventLog

Row = dict[str, object]
"""One row as JSON shows it: instants as RFC 3339 in UTC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What the first `position` events amount to at `as_of`: a row a person, by id; one person's with the timeline.

    `timeline` is `None` where everybody was asked for.
    """

    position: int
    as_of: str
    people: list[Row]
    timeline: list[Row] | None = None

    def document(self) -> Mapping[str, object]:
        """The same as JSON shows it."""
        shown: dict[str, object] = {"position": self.position, "as_of": self.as_of, "people": self.people}
        return shown if self.timeline is None else {**shown, "timeline": self.timeline}


def replay(
    log: EventLog,
    *,
    to: int | None = None,
    as_of: datetime | None = None,
    person: str | None = None,
    progress: Progress = quiet,
) -> Replayed:
    """Rebuild everybody's custody, or one person's, from the first `to` events, as true at `as_of`.

    Left out, `to` is the head and `as_of` the time at which its event was recorded: no clock is read. A person of whom
    nothing is recorded by then has no row.
    """
    record = read_record(log, to=to, progress=progress)
    instant = as_of if as_of is not None else _last_recorded(record)
    people = [PersonId(person)] if person is not None else sorted(record.people)
    rows = (custody_row(one, record, instant) for one in people)
    return Replayed(
        position=record.position,
        as_of=text(instant),
        people=[row for row in rows if row is not None],
        timeline=None if person is None else timeline_rows(PersonId(person), record, instant),
    )


def _last_recorded(record: Record) -> datetime:
    assert record.recorded_at is not None, "an empty log has nothing to replay"
    return record.recorded_at


def custody_row(person: PersonId, record: Record, instant: datetime) -> Row | None:
    """A person's custody at an instant, `None` before the file opens."""
    file = record.register.person(person)
    state = file.at(instant, record.register) if file is not None and file.end is not None else None
    return None if state is None else state_row(person, state, instant)


def state_row(person: str, state: CustodyState, instant: datetime) -> Row:
    """A folded state as a row."""
    causes = sorted((cause.unaccounted_from, cause.code) for cause in state.unaccounted(instant))
    return {
        "person": person,
        "status": _step(state.status),
        "responsible": _step(state.responsible),
        "custodian": _step(state.custodian),
        "at": _step(state.at),
        "basis": state.basis,
        "confidence": confidence(state, instant),
        "unaccounted": {"cause": causes[0][1], "since": text(causes[0][0])} if causes else None,
        "file": state.file,
    }


def _step(step: Step[str] | Step[str | None]) -> Row:
    return {"value": step.value, "since": text(step.since), "ref": step.ref}


def timeline_rows(person: PersonId, record: Record, instant: datetime) -> list[Row]:
    """A person's spells up to an instant."""
    return spell_rows(timeline(record.people.get(person, []), record.register, instant))


def spell_rows(drawn: Timeline) -> list[Row]:
    """Spells as rows, in order."""
    return [
        {
            "from": text(spell.from_),
            "to": None if spell.to is None else text(spell.to),
            "status": spell.status,
            "responsible": spell.responsible,
            "custodian": spell.custodian,
            "at": spell.at,
            "opened_by": spell.opened_by,
            "ended_by": spell.ended_by,
        }
        for spell in drawn.spells
    ]
