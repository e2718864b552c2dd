"""Who is in a place at an instant: the persons whose placement contains it (DOMAIN §6.5).

Placements are kept whole, so a roll of any instant is one query as long as everything known counts. What is shown
beside each person is kept for the head; for somebody with later facts, or for an earlier knowledge, it is folded.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from domain.custody.places import Places
from domain.custody.state import CustodyState
from domain.names import PersonId
from projections import standing
from projections.engine.asking import Answer, Item, Page, Reader, When
from projections.engine.instants import kept, kept_or_none, read, shown
from projections.engine.tables import Row, Rows, Table
from projections.engine.view import Batch, View
from projections.engine.views import Views
from projections.standing import Standing

PLACEMENTS: Final = Table(
    name="roll_placements",
    columns=("person", "n", "facility", "since", "until", "custodian", "opened_by", "ended_by"),
    key=("person", "n"),
    integers=("n", "opened_by", "ended_by"),
    indexes=(("facility", "since"),),
    refs=("opened_by", "ended_by"),
)
PERSONS: Final = Table(
    name="roll_persons",
    columns=("person", "settled_at", "ref", "is_absent", *standing.COLUMNS),
    key=("person",),
    integers=("ref", "is_absent"),
    refs=("ref",),
)


def apply(batch: Batch, rows: Rows) -> None:
    """Write the placements of everybody a fact is about, and how they stand."""
    subjects = batch.touched
    placements: list[Row] = [
        (
            one.person,
            n,
            placement.facility,
            kept(placement.from_),
            kept_or_none(placement.to),
            placement.custodian,
            placement.opened_by,
            placement.ended_by,
        )
        for one in subjects.values()
        for n, placement in enumerate(one.timeline.placements, start=1)
    ]
    rows.replace(PLACEMENTS, "person", batch.known_before, placements)
    persons: list[Row] = [
        (
            one.person,
            kept(one.settled_at),
            one.ref,
            int(one.head.status.value == "absent"),
            *one.made(standing.standing_columns),
        )
        for one in subjects.values()
        if one.head is not None
    ]
    rows.replace(PERSONS, "person", batch.known_before, persons)


VIEW: Final = View(name="roll", version=1, tables=(PLACEMENTS, PERSONS), apply=apply)

_JOINED: Final = (
    "SELECT p.person, p.since, p.custodian, p.opened_by, s.settled_at, s.ref, s.is_absent, "
    f"{', '.join(f's.{column}' for column in standing.COLUMNS)} "
    "FROM {roll_placements} p JOIN {roll_persons} s ON s.person = p.person "
    "WHERE p.facility = ? AND p.since <= ? AND (p.until IS NULL OR p.until > ?)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One person on a roll."""

    person: str
    since: str
    place_kept: bool
    custodian: str | None
    ref: int
    standing: Standing

    def item(self, as_of: str) -> Item:
        """The line as it is shown at an instant."""
        return {
            "person": self.person,
            "since": shown(self.since),
            "place_kept": self.place_kept,
            "custodian": self.custodian,
            "basis": self.standing.basis,
            "due": self.standing.lawful_until(as_of),
            "confidence": self.standing.confidence(as_of),
            "agreement": self.standing.agreement,
            "ref": self.ref,
        }


def roll(
    views: Views,
    when: When,
    facility: str,
    *,
    custodian: str | None = None,
    agreement: str | None = None,
    limit: int | None = None,
    after: tuple[str, str] | None = None,
) -> Answer[Page | None]:
    """Everybody in a place, by since when and id; `None` for a place that is not registered at that knowledge.

    `after` and `Page.next` are (since, person).
    """

    def question(reader: Reader) -> Page | None:
        places = reader.facts.register(reader, reader.known_at)
        if places.facility(facility) is None:
            return None
        lines = sorted(_lines(reader, facility, places), key=_order)
        found = [
            line
            for line in lines
            if custodian in (None, line.custodian)
            and agreement in (None, line.standing.agreement)
            and (after is None or _order(line) > (kept(read(after[0])), after[1]))
        ]
        some = found if limit is None else found[:limit]
        items = [line.item(reader.as_of) for line in some]
        more = len(found) > len(some)
        return Page(items=items, next=(items[-1]["since"], items[-1]["person"]) if more else None)

    return views.ask(VIEW.name, when, question)


def _order(line: Line) -> tuple[str, str]:
    return line.since, line.person


def _lines(reader: Reader, facility: str, places: Places) -> Iterator[Line]:
    """The roll: from the rows wherever they speak for the question, folded for the others."""
    unsettled: set[PersonId] = set()
    for row in reader.select(_JOINED, facility, reader.as_of, reader.as_of):
        person, since, custodian, opened_by, settled_at, ref, is_absent, *columns = row
        if int(ref or 0) > reader.known_at:
            continue
        if str(settled_at) > reader.as_of:
            unsettled.add(PersonId(str(person)))
            continue
        yield Line(
            person=str(person),
            since=str(since),
            place_kept=bool(is_absent),
            custodian=None if custodian is None else str(custodian),
            ref=int(opened_by or 0),
            standing=standing.kept_standing(columns),
        )
    if not reader.is_at_head:
        unsettled |= reader.facts.changed_after(reader, facility, reader.known_at)
    for subject in reader.facts.subjects(reader, unsettled, reader.known_at, places).values():
        line = _line(subject.person, subject.at(reader.when.instant), facility, places)
        if line is not None:
            yield line


def _line(person: str, state: CustodyState | None, facility: str, places: Places) -> Line | None:
    if state is None or state.placement is None or state.placement.value != facility:
        return None
    return Line(
        person=person,
        since=kept(state.placement.since),
        place_kept=state.status.value == "absent",
        custodian=state.custodian.value,
        ref=state.placement.ref,
        standing=standing.standing(state, places),
    )
