"""How many a facility holds on each local day and why that many; who is there at an instant (DOMAIN §6.5).

Start + in − out = end, the end being the persons placed there when the day ends. Whoever came and left within the day
counts in, out and in `any_part`. The work is linear in the placements given, not in persons times days.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from itertools import accumulate

import msgspec

from domain.custody.local_days import day_end, day_start
from domain.custody.timeline import Timeline
from domain.names import FacilityId, PersonId


class Interval(msgspec.Struct, frozen=True, gc=False):
    """Half-open time; without `to` it is open."""

    from_: datetime
    to: datetime | None


class Presence(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One person as one facility counts it: placed there, absent from it, unaccounted, or only reported to be there."""

    person: PersonId
    placed: tuple[Interval, ...] = ()
    absent: tuple[Interval, ...] = ()
    unaccounted: tuple[Interval, ...] = ()
    reported: tuple[Interval, ...] = ()


class OccupancyDay(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One facility on one local date: `end` = `present` + `absent` + `unaccounted`; `reported` is never part of it."""

    date: date
    start: int
    in_: int
    out: int
    end: int
    present: int
    absent: int
    unaccounted: int
    any_part: int
    reported: int


def facilities(timeline: Timeline) -> frozenset[str]:
    """Every place that held the person or is reported to; a reported one may be no facility of the register."""
    reported = (spell.at.partition(":")[2] for spell in timeline.spells if spell.at.startswith("reported:"))
    return frozenset({*(placement.facility for placement in timeline.placements), *reported})


def presence(person: PersonId, facility: FacilityId, timeline: Timeline) -> Presence:
    """What a person's timeline says about one facility."""
    return Presence(
        person=person,
        placed=tuple(Interval(one.from_, one.to) for one in timeline.placements if one.facility == facility),
        absent=tuple(Interval(one.from_, one.to) for one in timeline.spells if one.status == "absent"),
        unaccounted=tuple(Interval(one.from_, one.to) for one in timeline.unaccounted),
        reported=tuple(Interval(one.from_, one.to) for one in timeline.spells if one.at == f"reported:{facility}"),
    )


def roll(presences: Iterable[Presence], instant: datetime) -> tuple[PersonId, ...]:
    """The persons whose placement contains the instant, in the order of their ids."""
    return tuple(
        sorted(
            one.person
            for one in presences
            if any(at.from_ <= instant and (at.to is None or instant < at.to) for at in one.placed)
        )
    )


def held_at_end(presences: Iterable[Presence], day: date, zone: str) -> tuple[PersonId, ...]:
    """The persons behind `end` of a local date, in the order of their ids; nobody where the zone skips it."""
    end = day_end(day, zone)
    if end is None:
        return ()
    return tuple(
        sorted(
            one.person
            for one in presences
            if any(at.from_ < end and (at.to is None or end <= at.to) for at in one.placed)
        )
    )


def occupancy(presences: Iterable[Presence], zone: str, first: date, last: date) -> tuple[OccupancyDay, ...]:
    """The rows of one facility for the local dates `first` to `last`; a date that the zone skips has none.

    An open placement counts on every day asked for: ask no later than the timelines speak.
    """
    days = [first + timedelta(days=day) for day in range((last - first).days + 1)]
    ends = [(day, end) for day in days if (end := day_end(day, zone)) is not None]
    if not ends:
        return ()
    tally = _Tally(day_start(first, zone), [end for _, end in ends])
    for one in presences:
        tally.add(one)
    return tuple(tally.row(index, day) for index, (day, _) in enumerate(ends))


Range = tuple[int, int]


class _Tally:
    """Counts by day, kept as differences until a row is asked for. Day i is `[bounds[i], bounds[i + 1])`."""

    def __init__(self, start: datetime, ends: Sequence[datetime]) -> None:
        self._bounds = [start, *ends]
        size = len(self._bounds) + 1
        self._in, self._out = [0] * size, [0] * size
        self._changes = {column: [0] * size for column in ("placed", "absent", "unaccounted", "any_part", "reported")}
        self._sums: dict[str, list[int]] = {}

    def add(self, one: Presence) -> None:
        placed: list[Range] = []
        parts: list[Range] = []
        for at in one.placed:
            held = low, high = self._midnights(at)
            placed.append(held)
            parts.append(self._days(at, held))
            self._crossing(self._in, low)
            if at.to is not None:
                self._crossing(self._out, high)
        self._count("placed", placed)
        if one.unaccounted or one.absent:
            lost = _both(placed, [self._midnights(at) for at in one.unaccounted])
            away = _both(placed, [self._midnights(at) for at in one.absent])
            self._count("unaccounted", lost)
            # Absent and unaccounted at once counts as unaccounted alone.
            self._count("absent", away)
            self._count("absent", _both(away, lost), -1)
        self._count("any_part", _joined(parts) if len(parts) > 1 else parts)
        if one.reported:
            self._count("reported", [self._midnights(at) for at in one.reported])

    def row(self, index: int, day: date) -> OccupancyDay:
        if not self._sums:
            self._sums = {column: list(accumulate(changes)) for column, changes in self._changes.items()}
        # Bound 0 is the end of the day before the first; day `index` ends at bound `index + 1`.
        at_end = {column: sums[index + 1] for column, sums in self._sums.items()}
        return OccupancyDay(
            date=day,
            start=self._sums["placed"][index],
            in_=self._in[index],
            out=self._out[index],
            end=at_end["placed"],
            present=at_end["placed"] - at_end["absent"] - at_end["unaccounted"],
            absent=at_end["absent"],
            unaccounted=at_end["unaccounted"],
            any_part=self._sums["any_part"][index],
            reported=at_end["reported"],
        )

    def _midnights(self, at: Interval) -> Range:
        """The bounds b with from < b ≤ to, as a half-open range."""
        after = bisect_right(self._bounds, at.to) if at.to is not None else len(self._bounds)
        return bisect_right(self._bounds, at.from_), after

    def _days(self, at: Interval, midnights: Range) -> Range:
        """The days of which the interval covers any part, the instant of a zero-length one included."""
        low, high = midnights
        first, over = max(low - 1, 0), len(self._bounds) - 1
        if at.to is None:
            return first, over
        if at.to == at.from_:
            return first, first + 1 if 0 < low <= over else first
        # A day that begins as the interval ends is no part of it.
        return first, min(high - 1 if high and self._bounds[high - 1] == at.to else high, over)

    def _crossing(self, counts: list[int], after: int) -> None:
        """Count on the day before the bound `after`, if it is one of ours."""
        if 0 < after < len(self._bounds):
            counts[after - 1] += 1

    def _count(self, column: str, ranges: Iterable[Range], by: int = 1) -> None:
        changes = self._changes[column]
        for low, high in ranges:
            if low < high:
                changes[low] += by
                changes[high] -= by


def _both(some: Sequence[Range], others: Sequence[Range]) -> list[Range]:
    """What lies in a range of both, each index once."""
    return _joined((max(a, c), min(b, d)) for a, b in some for c, d in others)


def _joined(ranges: Iterable[Range]) -> list[Range]:
    joined: list[Range] = []
    for low, high in sorted(one for one in ranges if one[0] < one[1]):
        if joined and low <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], high)
        else:
            joined.append((low, high))
    return joined
