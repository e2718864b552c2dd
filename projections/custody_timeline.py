"""Where a person has been, without a hole: spells in order, each gap by its name.

The whole timeline is kept a row a spell. It answers for any instant from the last fact on; an earlier instant, or an
earlier knowledge, is folded on read, as what was to come changes what a gap is called.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec

from domain.custody.local_days import midnights
from domain.custody.places import Places
from domain.custody.timeline import Gap, Spell, Timeline
from domain.custody.timeline import timeline as draw
from domain.events.event import Event
from domain.names import PersonId
from projections.engine.asking import Answer, Item, Reader, When
from projections.engine.instants import kept, kept_or_none, read, shown, shown_or_none
from projections.engine.person_facts import Subject
from projections.engine.tables import Row, Rows, Table, Value
from projections.engine.view import Batch, View
from projections.engine.views import Views
from projections.standing import text

SPELLS: Final = Table(
    name="custody_timeline_spells",
    columns=(
        "person",
        "n",
        "begins",
        "ends",
        "kind",
        "name",
        "status",
        "responsible",
        "custodian",
        "at",
        "zone",
        "midnights",
        "opened_by",
        "ended_by",
        "flags",
    ),
    key=("person", "n"),
    integers=("n", "midnights", "opened_by", "ended_by"),
    refs=("opened_by", "ended_by"),
)
PERSONS: Final = Table(
    name="custody_timeline_persons",
    columns=("person", "settled_at", "ref"),
    key=("person",),
    integers=("ref",),
    refs=("ref",),
)
IN_CUSTODY: Final = frozenset({"held", "in-transit", "absent"})
"""The statuses whose spells make a stay; the others hold nobody, so none of their midnights counts."""


def apply(batch: Batch, rows: Rows) -> None:
    """Write the timelines of everybody a fact is about."""
    subjects = batch.touched
    spells: list[Row] = [
        (one.person, n, *columns)
        for one in subjects.values()
        for n, columns in enumerate(_columns(one.timeline, one.events, one.places), start=1)
    ]
    rows.replace(SPELLS, "person", batch.known_before, spells)
    persons: list[Row] = [
        (one.person, kept(one.settled_at), one.ref) for one in subjects.values() if one.counting.facts
    ]
    rows.replace(PERSONS, "person", batch.known_before, persons)


VIEW: Final = View(name="custody_timeline", version=1, tables=(SPELLS, PERSONS), apply=apply)


def _columns(drawn: Timeline, events: Sequence[Event], places: Places) -> Iterator[tuple[Value, ...]]:
    """The spells as they are kept, from `begins` on."""
    flags = {event.position: event.flags for event in events if event.flags}
    zones = _zones(drawn, places)
    for spell, gap, zone in zip(drawn.spells, _gaps_of(drawn.spells, drawn.gaps), zones, strict=True):
        counts = spell.status in IN_CUSTODY and spell.to is not None
        yield (
            kept(spell.from_),
            kept_or_none(spell.to),
            "spell" if gap is None else "gap",
            None if gap is None else gap.name,
            spell.status,
            spell.responsible,
            spell.custodian,
            spell.at,
            zone,
            len(midnights(spell.from_, spell.to, zone)) if counts and spell.to is not None else None,
            spell.opened_by,
            spell.ended_by,
            _flags(spell, flags),
        )


def _flags(spell: Spell, flags: Mapping[int, Sequence[str]]) -> str:
    if not flags:
        return "[]"
    return text(sorted({flag for position in spell.facts for flag in flags.get(position, ())}))


def _gaps_of(spells: Iterable[Spell], gaps: Iterable[Gap]) -> Iterator[Gap | None]:
    """The gap that each spell lies in: both begin and end with the same facts."""
    remaining = list(gaps)[::-1]
    current: Gap | None = None
    for spell in spells:
        if current is not None and current.ended_by in spell.facts:
            current = None
        while remaining and remaining[-1].opened_by in spell.facts:
            current = remaining.pop()
        yield current


def _zones(drawn: Timeline, places: Places) -> Iterator[str]:
    """The zone in which each spell's midnights are counted: of its place, or of the place last left."""
    placements, zone = iter(drawn.placements), "UTC"
    coming = next(placements, None)
    for spell in drawn.spells:
        while coming is not None and coming.from_ <= spell.from_:
            zone = places.zone_of(coming.facility) or "UTC"
            coming = next(placements, None)
        yield zone


def timeline(
    views: Views,
    when: When,
    person: str,
    *,
    status: str | None = None,
    from_: datetime | None = None,
    to: datetime | None = None,
) -> Answer[list[Item] | None]:
    """The spells of a person that touch `[from_, to)`; `None` where there is no file at that instant and knowledge."""

    def question(reader: Reader) -> list[Item] | None:
        items = _timeline(reader, PersonId(person))
        return None if items is None else [item for item in items if _is_wanted(item, status, from_, to)]

    return views.ask(VIEW.name, when, question, about=f"person:{person}")


def _timeline(reader: Reader, person: PersonId) -> list[Item] | None:
    columns = ", ".join(SPELLS.columns[2:])
    for settled_at, ref in reader.select(
        "SELECT settled_at, ref FROM {custody_timeline_persons} WHERE person = ?", person
    ):
        if str(settled_at) <= reader.as_of and int(ref or 0) <= reader.known_at:
            sql = f"SELECT {columns} FROM {{custody_timeline_spells}} WHERE person = ? ORDER BY n"
            return [_item(row, reader.when.instant) for row in reader.select(sql, person)]
    places = reader.facts.register(reader, reader.known_at)
    for subject in reader.facts.subjects(reader, [person], reader.known_at, places).values():
        return _folded(subject, reader.when.instant)
    return None


def _folded(subject: Subject, instant: datetime) -> list[Item] | None:
    drawn = draw(subject.events, subject.places, instant)
    items = [_item(row, instant) for row in _columns(drawn, subject.events, subject.places)]
    return items or None


def _item(row: tuple[Value, ...], as_of: datetime) -> Item:
    begins, ends, kind, name, status, responsible, custodian, at, zone, nights, opened_by, ended_by, flags = row
    if ends is None and status in IN_CUSTODY:
        nights = len(midnights(read(str(begins)), as_of, str(zone)))
    return {
        "from": shown(str(begins)),
        "to": shown_or_none(None if ends is None else str(ends)),
        "kind": kind,
        "name": name,
        "status": status,
        "responsible": responsible,
        "custodian": custodian,
        "at": at,
        "midnights": nights,
        "opened_by": opened_by,
        "ended_by": ended_by,
        "flags": msgspec.json.decode(str(flags)),
    }


def _is_wanted(item: Item, status: str | None, from_: datetime | None, to: datetime | None) -> bool:
    begins, ends = read(str(item["from"])), item["to"]
    return (
        (status is None or item["status"] == status)
        and (to is None or begins < to)
        # One of no length touches the instant at which it stands.
        and (from_ is None or ends is None or read(str(ends)) > from_ or begins == read(str(ends)) == from_)
    )
