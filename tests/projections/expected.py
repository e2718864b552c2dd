"""What the views must answer, computed from events by the domain alone: never by the views' own code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from domain.custody.fold import fold
from domain.custody.local_days import local_date
from domain.custody.occupancy import Presence, facilities, presence
from domain.custody.occupancy import occupancy as tally
from domain.custody.occupancy import roll as on_roll
from domain.custody.places import Places
from domain.custody.release_day import last_lawful_date
from domain.custody.standing import confidence
from domain.custody.state import CustodyState, Step
from domain.custody.timeline import timeline
from domain.events.event import Event
from domain.names import FacilityId, PersonId

Row = dict[str, Any]
People = Mapping[str, Sequence[Event]]


def text(instant: datetime | None) -> str | None:
    """The instants of these tests have no fraction."""
    return None if instant is None else instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def custody(events: Sequence[Event], places: Places, as_of: datetime, known_at: int) -> Row | None:
    """The columns of `current_custody` that speak of the state."""
    state = fold(events, places, as_of, known_at)
    if state is None:
        return None
    begun = [cause for cause in state.causes if cause.unaccounted_from <= as_of]
    first = min(begun, key=lambda cause: (cause.unaccounted_from, cause.code), default=None)
    return {
        "status": step(state.status),
        "responsible": step(state.responsible),
        "custodian": step(state.custodian),
        "at": step(state.at),
        "basis": state.basis,
        "lawful_until": lawful_until(state, places, as_of),
        "confidence": confidence(state, as_of),
        "unaccounted": None if first is None else {"cause": first.code, "since": text(first.unaccounted_from)},
        "file": state.file,
    }


def step(value: Step[Any]) -> Row:
    return {"value": value.value, "since": text(value.since), "ref": value.ref}


def lawful_until(state: CustodyState, places: Places, as_of: datetime) -> str | None:
    """The last date the bases reach on the local date, or the release date where that is earlier."""
    facility = state.placement.value if state.placement is not None else state.last_facility
    zone = (places.zone_of(facility) if facility is not None else None) or "UTC"
    lawful = last_lawful_date(state.bases.values(), local_date(as_of, zone))
    release = state.release_date.body.release_due_on if state.release_date is not None else None
    dates = [day for day in (lawful, release) if day is not None]
    return min(dates).isoformat() if dates else None


def spells(events: Sequence[Event], places: Places, as_of: datetime, known_at: int) -> list[Row]:
    """The columns of `custody_timeline` that a spell has by itself."""
    return [
        {
            "from": text(spell.from_),
            "to": text(spell.to),
            "status": spell.status,
            "responsible": spell.responsible,
            "custodian": spell.custodian,
            "at": spell.at,
            "opened_by": spell.opened_by,
            "ended_by": spell.ended_by,
        }
        for spell in timeline(events, places, as_of, known_at).spells
    ]


def presences(people: People, places: Places, facility: str, as_of: datetime, known_at: int) -> list[Presence]:
    """How the place counts everybody."""
    found = []
    for person, events in people.items():
        drawn = timeline(events, places, as_of, known_at)
        if facility in facilities(drawn):
            found.append(presence(PersonId(person), FacilityId(facility), drawn))
    return found


def roll(people: People, places: Places, facility: str, as_of: datetime, known_at: int) -> list[str]:
    """The persons on the roll."""
    return list(on_roll(presences(people, places, facility, as_of, known_at), as_of))


def occupancy(
    people: People,
    places: Places,
    facility: str,
    first: date,
    last: date,
    as_of: datetime,
    known_at: int,
) -> list[Row]:
    """The numbers of each date."""
    zone = places.zone_of(FacilityId(facility)) or "UTC"
    rows = tally(presences(people, places, facility, as_of, known_at), zone, first, last)
    return [
        {
            "date": row.date.isoformat(),
            "start": row.start,
            "in": row.in_,
            "out": row.out,
            "end": row.end,
            "present": row.present,
            "absent": row.absent,
            "unaccounted": row.unaccounted,
            "any_part": row.any_part,
            "reported": row.reported,
        }
        for row in rows
    ]
