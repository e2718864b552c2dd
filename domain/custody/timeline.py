"""A person's time in custody without a hole: spells, placements, stays, gaps, unaccounted intervals (DOMAIN §6.1–3).

All intervals are half-open; no `to` means open. Zero-length ones are kept: they show what was recorded, count as in and
out of their place that day, and hold no midnight.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import msgspec
from msgspec.structs import replace

from domain.custody.counting import CountedFact, count
from domain.custody.fold import Taken, walk
from domain.custody.grounds import Grounds
from domain.custody.local_days import count_midnights
from domain.custody.places import Places
from domain.custody.state import CustodyState, Status
from domain.events.event import Event
from domain.names import AuthorityId, FacilityId

GapName = Literal["leg", "stop", "reported", "escaped", "released-unverified", "unknown-to-source"]


class Spell(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The longest time with one status, responsible, custodian and whereabouts; `facts` are the positions behind it."""

    from_: datetime
    to: datetime | None
    status: Status
    responsible: AuthorityId | None
    custodian: AuthorityId | None
    at: str
    file: Literal["open", "closed"]
    opened_by: int
    ended_by: int | None
    facts: tuple[int, ...]


class Placement(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A run of spells in one facility under one custodian; the place is kept over absences.

    `midnights` counts an open placement up to the `as_of` of the timeline, and is `None` where that was not given.
    """

    facility: FacilityId
    custodian: AuthorityId | None
    from_: datetime
    to: datetime | None
    opened_by: int
    ended_by: int | None
    midnights: int | None


class Stay(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Continuous custody, whoever the custodian."""

    from_: datetime
    to: datetime | None
    opened_by: int
    ended_by: int | None


class Gap(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A part of a stay outside every placement, or the time between two stays; it always has a name."""

    name: GapName
    from_: datetime
    to: datetime | None
    opened_by: int
    ended_by: int | None


class Unaccounted(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Time in which the register could not say where the person was, by its cause; `anchor` is the cause's position."""

    cause: str
    anchor: int
    from_: datetime
    to: datetime | None


class Timeline(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """All of it, each kind in order."""

    spells: tuple[Spell, ...] = ()
    placements: tuple[Placement, ...] = ()
    stays: tuple[Stay, ...] = ()
    gaps: tuple[Gap, ...] = ()
    unaccounted: tuple[Unaccounted, ...] = ()


def timeline(
    events: Sequence[Event], places: Places, as_of: datetime | None = None, known_at: int | None = None
) -> Timeline:
    """The timeline of a person's events as true at `as_of` and known at position `known_at`.

    Without `as_of` it holds every fact, and unaccounted intervals that are still to begin.
    """
    counting = count(events, places, known_at)
    return drawn(walk(counting, Grounds(counting.known, places, counting), places, as_of), places, as_of)


def drawn(steps: Iterable[Taken], places: Places, as_of: datetime | None = None) -> Timeline:
    """The timeline of the steps of a walk, which went up to `as_of`."""
    drawing = _Drawing(places, as_of)
    for fact, before, after in steps:
        drawing.take(fact, before, after)
    return drawing.done()


Begun = tuple[CountedFact, CustodyState]
"""What goes on: the fact that began it, and the state after that."""


@dataclass(slots=True)
class _Drawing:
    """A timeline while it is drawn, fact by fact; the last spell and the last placement are added when they end."""

    places: Places
    as_of: datetime | None
    spells: list[Spell] = field(default_factory=list)
    placements: list[Placement] = field(default_factory=list)
    stays: list[Stay] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    unaccounted: list[Unaccounted] = field(default_factory=list)
    held: Begun | None = None
    facts: list[int] = field(default_factory=list)
    placed: Begun | None = None

    def take(self, fact: CountedFact, before: CustodyState | None, after: CustodyState) -> None:
        # Where a fact moved nothing it is one more behind the spell; all else is as the fact before left it.
        if after is not before:
            if before is None or not _is_held_alike(before, after):
                self._end_spell(fact.instant, fact.event.position)
                self.held = fact, after
            self._stay(fact, before, after)
            self._placement(fact, before, after)
            self._gap(fact, before, after)
            self._causes(fact, before, after)
        self.facts.append(fact.event.position)

    def done(self) -> Timeline:
        self._end_spell(None, None)
        self._end_placement(None, None)
        return Timeline(
            spells=tuple(self.spells),
            placements=tuple(self.placements),
            stays=tuple(self.stays),
            # Time outside custody is a gap only between two stays; the last one may never be followed by another.
            gaps=tuple(gap for gap in self.gaps if gap.to is not None or (self.stays and self.stays[-1].to is None)),
            unaccounted=tuple(self._begun()),
        )

    def _end_spell(self, to: datetime | None, ended_by: int | None) -> None:
        if self.held is None:
            return
        fact, state = self.held
        self.spells.append(
            Spell(
                from_=fact.instant,
                to=to,
                status=state.status.value,
                responsible=state.responsible.value,
                custodian=state.custodian.value,
                at=state.at.value,
                file=state.file,
                opened_by=fact.event.position,
                ended_by=ended_by,
                facts=tuple(self.facts),
            )
        )
        self.facts.clear()

    def _stay(self, fact: CountedFact, before: CustodyState | None, after: CustodyState) -> None:
        was, now = before is not None and before.stay_since is not None, after.stay_since is not None
        if was and not now:
            self.stays[-1] = replace(self.stays[-1], to=fact.instant, ended_by=fact.event.position)
        if now and not was:
            self.stays.append(Stay(from_=fact.instant, to=None, opened_by=fact.event.position, ended_by=None))

    def _placement(self, fact: CountedFact, before: CustodyState | None, after: CustodyState) -> None:
        was, now = before.placement if before is not None else None, after.placement
        if was is now or was == now:
            return
        self._end_placement(fact.instant, fact.event.position)
        if now is not None:
            self.placed = fact, after

    def _end_placement(self, to: datetime | None, ended_by: int | None) -> None:
        if self.placed is None:
            return
        fact, state = self.placed
        assert state.placement is not None, "a placement begins with one"
        facility = state.placement.value
        until = to or self.as_of
        self.placements.append(
            Placement(
                facility=facility,
                custodian=state.custodian.value,
                from_=fact.instant,
                to=to,
                opened_by=fact.event.position,
                ended_by=ended_by,
                midnights=None
                if until is None
                else count_midnights(fact.instant, until, self.places.zone_of(facility) or "UTC"),
            )
        )
        self.placed = None

    def _gap(self, fact: CountedFact, before: CustodyState | None, after: CustodyState) -> None:
        name, position = self._gap_name(fact, after), fact.event.position
        is_open = bool(self.gaps) and self.gaps[-1].to is None
        if is_open and self.gaps[-1].name == name:
            return
        # A gap between two stays keeps the name of what ended the first, also while the file is closed.
        if is_open and after.stay_since is None and before is not None and before.stay_since is None:
            return
        if is_open:
            self.gaps[-1] = replace(self.gaps[-1], to=fact.instant, ended_by=position)
        if name is not None:
            self.gaps.append(Gap(name=name, from_=fact.instant, to=None, opened_by=position, ended_by=None))

    def _gap_name(self, fact: CountedFact, after: CustodyState) -> GapName | None:
        if after.stay_since is None:
            if not self.stays:
                return None
            if after.status.value == "escaped":
                return "escaped"
            return "unknown-to-source" if fact.event.imported else "released-unverified"
        if after.placement is not None:
            return None
        kind = after.at.value.partition(":")[0]
        return "leg" if kind == "leg" else "stop" if kind == "stop" else "reported"

    def _causes(self, fact: CountedFact, before: CustodyState | None, after: CustodyState) -> None:
        known = before.causes if before is not None else ()
        for cause in known:
            if cause not in after.causes:
                self._resolve(cause.anchor, cause.code, fact.instant)
        for cause in after.causes:
            if cause not in known:
                self.unaccounted.append(
                    Unaccounted(cause=cause.code, anchor=cause.anchor, from_=cause.unaccounted_from, to=None)
                )

    def _resolve(self, anchor: int, code: str, instant: datetime) -> None:
        self.unaccounted = [
            replace(one, to=instant) if (one.anchor, one.cause, one.to) == (anchor, code, None) else one
            for one in self.unaccounted
        ]

    def _begun(self) -> list[Unaccounted]:
        """Those whose grace ran out before they were resolved, and, with `as_of`, by then."""
        return [
            one
            for one in self.unaccounted
            if (one.to is None or one.from_ < one.to) and (self.as_of is None or one.from_ <= self.as_of)
        ]


def _is_held_alike(one: CustodyState, other: CustodyState) -> bool:
    """Whether two states make one spell; where the person is changes most often, and is looked at first."""
    return (
        one.at.value == other.at.value
        and one.status.value == other.status.value
        and one.custodian.value == other.custodian.value
        and one.responsible.value == other.responsible.value
        and one.file_open == other.file_open
    )
