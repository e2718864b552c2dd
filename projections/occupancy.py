"""How many a place holds on each local day, and why that many: start + in − out = end, with the persons behind it.

The intervals in which each place counts each person are kept whole; `domain.custody.occupancy` makes the numbers of
them. Beside these stand the certified capacity, the places that approved transfers keep, and who let somebody in over
the limit (DOMAIN §6.5).
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, Literal, cast

import msgspec

from domain.custody.local_days import day_end, local_date
from domain.custody.occupancy import Interval, OccupancyDay, Presence, facilities, held_at_end, presence
from domain.custody.occupancy import occupancy as tally
from domain.custody.places import Places
from domain.custody.state import CustodyState
from domain.custody.timeline import Timeline, timeline
from domain.events.event import Event
from domain.events.person import CustodyOpened, HandoverAccepted, MovedWithin
from domain.events.transfer import Override, TransferApproved
from domain.files.facility import FacilityFile
from domain.names import FacilityId, PersonId
from projections.engine.asking import Answer, Item, Reader, When
from projections.engine.instants import kept, kept_or_none, read
from projections.engine.person_facts import Subject
from projections.engine.tables import Row, Rows, Table
from projections.engine.view import Batch, View
from projections.engine.views import Views
from projections.standing import text

PRESENCES: Final = Table(
    name="occupancy_presences",
    columns=("person", "n", "facility", "kind", "begins", "ends", "opened_by"),
    key=("person", "n"),
    integers=("n", "opened_by"),
    indexes=(("facility",),),
    refs=("opened_by",),
)
OVERRIDES: Final = Table(
    name="occupancy_overrides",
    columns=("position", "facility", "approved_by"),
    key=("position",),
    integers=("position",),
    indexes=(("facility",),),
    refs=("position",),
)
RESERVED: Final = Table(
    name="occupancy_reserved",
    columns=("facility", "person", "position"),
    key=("facility", "person"),
    integers=("position",),
    refs=("position",),
)
DAYS_MAX: Final = 366
"""The most dates one question takes."""
COLUMNS: Final = ("start", "in", "out", "end", "present", "absent", "unaccounted", "any_part", "reported")

Kind = Literal["placed", "absent", "unaccounted", "reported"]
_KINDS: Final[tuple[Kind, ...]] = ("placed", "absent", "unaccounted", "reported")
_OFFICERS: Final = msgspec.json.Decoder(list[str])


def apply(batch: Batch, rows: Rows) -> None:
    """Write where everybody a fact is about counts, and what was let in or reserved."""
    subjects = batch.touched
    presences: list[Row] = [
        (one.person, n, *columns) for one in subjects.values() for n, columns in enumerate(_intervals(one), start=1)
    ]
    rows.replace(PRESENCES, "person", batch.known_before, presences)
    rows.put(OVERRIDES, [row for event in batch.events if (row := _override(event)) is not None])
    reserved = {
        (event.body.reserved.facility, person): event.position
        for event, person in zip(batch.events, batch.persons, strict=True)
        if person is not None and isinstance(event.body, TransferApproved)
    }
    rows.put(RESERVED, [(facility, person, position) for (facility, person), position in reserved.items()])


def _intervals(subject: Subject) -> Iterator[tuple[str, str, str, str | None, int | None]]:
    drawn = subject.timeline
    opened = {(one.facility, one.from_): one.opened_by for one in drawn.placements}
    for facility in sorted(facilities(drawn)):
        place = FacilityId(facility)
        one = presence(subject.person, place, drawn)
        for kind in _KINDS:
            for interval in getattr(one, kind):
                ref = opened.get((place, interval.from_)) if kind == "placed" else None
                yield facility, kind, kept(interval.from_), kept_or_none(interval.to), ref


def _override(event: Event) -> Row | None:
    override: Override | None = None
    facility: str = ""
    match event.body:
        case CustodyOpened() as body:
            override, facility = body.override, body.facility
        case MovedWithin() as body:
            override, facility = body.override, body.to_facility
        case HandoverAccepted() as body:
            override, facility = body.override, body.receiving.facility
        case _:
            return None
    return None if override is None else (event.position, facility, text(override.approved_by))


VIEW: Final = View(name="occupancy", version=1, tables=(PRESENCES, OVERRIDES, RESERVED), apply=apply)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Placed:
    """One person at the place: the intervals that count, and which fact began each placement."""

    presence: Presence
    opened_by: Mapping[datetime, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class _House:
    """One place at one question: who was ever there, and whom it expects."""

    place: FacilityFile
    people: Mapping[PersonId, _Placed]
    expected: Mapping[PersonId, _Expected]
    overrides: Mapping[int, list[str]]
    as_of: datetime

    @property
    def zone(self) -> str:
        return self.place.body.zone

    def presences(self) -> Iterator[Presence]:
        return (one.presence for one in self.people.values())

    def waiting(self, day: date) -> tuple[list[PersonId], list[PersonId]]:
        """Those in transit there and those with a place reserved on a date; each once, and none who is held there."""
        end = day_end(day, self.zone)
        allocated, reserved = [], []
        for person, expected in self.expected.items():
            placed = self.people.get(person)
            if placed is not None and held_at_end([placed.presence], day, self.zone):
                continue
            state = expected.at(self.as_of if end is None else min(end, self.as_of))
            transfers = state.transfers.values() if state is not None else ()
            kept_places = [one for one in transfers if one.reserved and one.reserved.facility == self.place.facility]
            if any(one.status == "in-transit" for one in kept_places):
                allocated.append(person)
            elif any(
                one.status == "approved" and one.reserved is not None and one.reserved.from_ <= day <= one.reserved.to
                for one in kept_places
            ):
                reserved.append(person)
        return sorted(allocated), sorted(reserved)

    def let_in(self, day: date) -> list[Item]:
        """The overrides by which those held at the end of a date came in."""
        end = day_end(day, self.zone)
        if end is None or not self.overrides:
            return []
        found = {
            placed.opened_by[interval.from_]
            for placed in self.people.values()
            for interval in placed.presence.placed
            if interval.from_ < end and (interval.to is None or end <= interval.to)
            if placed.opened_by.get(interval.from_) in self.overrides
        }
        return [{"position": position, "approved_by": self.overrides[position]} for position in sorted(found)]


class _Expected:
    """A person with a place approved: the state at any instant, folded once between two facts."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._instants = [fact.instant for fact in subject.counting.facts]
        self._states: dict[int, CustodyState | None] = {}

    def at(self, instant: datetime) -> CustodyState | None:
        number = bisect_right(self._instants, instant)
        if number not in self._states:
            self._states[number] = self._subject.at(instant)
        return self._states[number]


def occupancy(views: Views, when: When, facility: str, first: date, last: date) -> Answer[list[Item] | None]:
    """The rows of a place for local dates, both inclusive; `None` for a place not registered at that knowledge."""
    assert (last - first).days < DAYS_MAX, "the edge bounds the range"

    def question(reader: Reader) -> list[Item] | None:
        house = _house(reader, facility)
        if house is None:
            return None
        days = tally(house.presences(), house.zone, first, last)
        return [_item(day, house) for day in days]

    return views.ask(VIEW.name, when, question)


def persons(views: Views, when: When, facility: str, day: date) -> Answer[dict[str, list[str]] | None]:
    """Column → the persons behind its number on a local date, by id; one who counts twice stands there twice."""

    def question(reader: Reader) -> dict[str, list[str]] | None:
        house = _house(reader, facility)
        if house is None:
            return None
        behind: dict[str, list[str]] = {column: [] for column in COLUMNS}
        for person in sorted(house.people):
            for row in tally([house.people[person].presence], house.zone, day, day):
                for column, number in _numbers(row).items():
                    behind[column] += [person] * number
        allocated, reserved = house.waiting(day)
        return {**behind, "allocated": [*allocated], "reserved": [*reserved]}

    return views.ask(VIEW.name, when, question)


def today(views: Views, when: When, facility: str) -> Answer[date | None]:
    """The local date of a place at the instant asked about."""

    def question(reader: Reader) -> date | None:
        place = reader.facts.register(reader, reader.known_at).facility(facility)
        return None if place is None else local_date(when.instant, place.body.zone)

    return views.ask(VIEW.name, when, question)


def _numbers(row: OccupancyDay) -> dict[str, int]:
    numbers = (
        row.start, row.in_, row.out, row.end, row.present, row.absent, row.unaccounted, row.any_part, row.reported,
    )  # fmt: skip
    return dict(zip(COLUMNS, numbers, strict=True))


def _item(row: OccupancyDay, house: _House) -> Item:
    allocated, reserved = house.waiting(row.date)
    certificate = house.place.certificate_on(row.date)
    capacity = None if certificate is None else certificate.operational_capacity
    over_by = 0 if capacity is None else max(0, row.end - capacity)
    return {
        "date": row.date.isoformat(),
        **_numbers(row),
        "allocated": len(allocated),
        "reserved": len(reserved),
        "capacity": capacity,
        "free": None if capacity is None else capacity - row.end - len(allocated) - len(reserved),
        "over_by": over_by,
        "overrides": house.let_in(row.date) if over_by else [],
    }


def _house(reader: Reader, facility: str) -> _House | None:
    places = reader.facts.register(reader, reader.known_at)
    place = places.facility(facility)
    if place is None:
        return None
    people = dict(_from_rows(reader, facility))
    if not reader.is_at_head:
        changed = reader.facts.changed_after(reader, facility, reader.known_at)
        people = {person: placed for person, placed in people.items() if person not in changed}
        for subject in reader.facts.subjects(reader, changed, reader.known_at, places).values():
            drawn = timeline(subject.events, places, reader.when.instant)
            if facility in facilities(drawn):
                people[subject.person] = _placed(subject.person, facility, drawn)
    overrides = reader.select("SELECT position, approved_by FROM {occupancy_overrides} WHERE facility = ?", facility)
    return _House(
        place=place,
        people=people,
        expected=_expected(reader, facility, places),
        overrides={cast("int", position): _OFFICERS.decode(str(officers)) for position, officers in overrides},
        as_of=reader.when.instant,
    )


def _from_rows(reader: Reader, facility: str) -> Iterator[tuple[PersonId, _Placed]]:
    """Everybody the rows place there, as it stood at the instant asked about."""
    intervals: dict[PersonId, dict[Kind, list[Interval]]] = defaultdict(lambda: {kind: [] for kind in _KINDS})
    opened: dict[PersonId, dict[datetime, int]] = defaultdict(dict)
    sql = (
        "SELECT person, kind, begins, ends, opened_by FROM {occupancy_presences} "
        "WHERE facility = ? AND begins <= ? ORDER BY person, n"
    )
    for person, kind, begins, ends, opened_by in reader.select(sql, facility, reader.as_of):
        who = PersonId(str(person))
        from_ = read(str(begins))
        # What ends later was still open then.
        to = None if ends is None or str(ends) > reader.as_of else read(str(ends))
        intervals[who][cast("Kind", kind)].append(Interval(from_, to))
        if isinstance(opened_by, int):
            opened[who][from_] = opened_by
    for who, by_kind in intervals.items():
        yield who, _Placed(presence=_presence(who, by_kind), opened_by=opened[who])


def _presence(person: PersonId, by_kind: Mapping[Kind, Iterable[Interval]]) -> Presence:
    return Presence(
        person=person,
        placed=tuple(by_kind["placed"]),
        absent=tuple(by_kind["absent"]),
        unaccounted=tuple(by_kind["unaccounted"]),
        reported=tuple(by_kind["reported"]),
    )


def _placed(person: PersonId, facility: str, drawn: Timeline) -> _Placed:
    place = FacilityId(facility)
    opened = {one.from_: one.opened_by for one in drawn.placements if one.facility == place}
    return _Placed(presence=presence(person, place, drawn), opened_by=opened)


def _expected(reader: Reader, facility: str, places: Places) -> dict[PersonId, _Expected]:
    rows = reader.select("SELECT person FROM {occupancy_reserved} WHERE facility = ?", facility)
    who = [PersonId(str(person)) for (person,) in rows]
    subjects = reader.facts.subjects(reader, who, reader.known_at, places)
    return {person: _Expected(subject) for person, subject in subjects.items()}
