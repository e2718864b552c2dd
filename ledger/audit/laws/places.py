"""The law of places: L5, the roster identity (DOMAIN §6.7).

Who is in a place is worked out from the spells, as runs of being held or absent there, and held name by name against
the placements from which views count occupancy. A place's figures are sums over persons; so what holds for each person
at each knowledge holds for every place at every position, and the days of a place are counted for the present alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Final

from domain.custody.local_days import day_end, local_date
from domain.custody.occupancy import OccupancyDay, Presence, occupancy, presence
from domain.custody.places import Places
from domain.names import FacilityId, PersonId
from ledger.audit.findings import Finding
from ledger.audit.laws.lives import Held, Life, text

NAMES_MAX: Final = 20
"""How many ids a finding lists."""


def one_person_counts_once(life: Life) -> Iterator[Finding]:
    """L5 for one person at one knowledge: the places by the spells are the placements."""
    by_spells = life.held
    placed: list[Held] = [(one.facility, one.from_, one.to) for one in life.timeline.placements]
    if by_spells != placed:
        yield life.wrong("L5", f"held {_shown(by_spells)}", f"counted {_shown(placed)}")


def _shown(held: Sequence[Held]) -> str:
    spans = (f"at {place} from {text(from_)} to {text(to) if to else 'now'}" for place, from_, to in held)
    return ", ".join(spans) or "nowhere"


@dataclass(slots=True)
class Rosters:
    """Every place's comings and goings, gathered person by person; `days` then judges them date by date."""

    places: Places
    _held: dict[FacilityId, list[tuple[PersonId, datetime, datetime | None]]] = field(default_factory=dict)
    _presences: dict[FacilityId, list[Presence]] = field(default_factory=dict)

    def take(self, life: Life) -> None:
        """Add one person's present life."""
        for place, from_, to in life.held:
            self._held.setdefault(place, []).append((life.person, from_, to))
        for place in {one.facility for one in life.timeline.placements}:
            self._presences.setdefault(place, []).append(presence(life.person, place, life.timeline))

    def facilities(self) -> list[FacilityId]:
        """The places that ever counted somebody."""
        return sorted({*self._held, *self._presences})

    def dates(self, facility: FacilityId) -> tuple[date, date]:
        """The local date of the first arrival, and the one after the last change."""
        zone = self.places.zone_of(facility) or "UTC"
        instants = [at for _, from_, to in self._held.get(facility, ()) for at in (from_, to) if at is not None]
        instants += [at.from_ for one in self._presences.get(facility, ()) for at in one.placed]
        return local_date(min(instants), zone), local_date(max(instants), zone) + timedelta(days=1)

    def days(self, facility: FacilityId) -> Iterator[tuple[OccupancyDay, list[Finding]]]:
        """Each of the place's dates, with what breaks it."""
        held, presences = self._held.get(facility, []), self._presences.get(facility, [])
        zone = self.places.zone_of(facility) or "UTC"
        first, last = self.dates(facility)
        by_spells = _Headcount(held)
        by_placements = _Headcount([(one.person, at.from_, at.to) for one in presences for at in one.placed])
        before = 0
        known: set[PersonId] = set()
        for row in occupancy(presences, zone, first, last):
            end = day_end(row.date, zone)
            assert end is not None, "a date that is counted has an end"
            came, went = by_spells.pass_to(end)
            by_placements.pass_to(end)
            differing = by_spells.names.keys() ^ by_placements.names.keys()
            figures = (before, came, went, len(by_spells.names))
            yield row, list(_day(facility, row, end, figures, sorted(differing - known)))
            before, known = len(by_spells.names), set(differing)


def dates_between(first: date, last: date, zone: str) -> int:
    """How many local dates there are from `first` to `last`, both included; a zone may skip one."""
    dates = (first + timedelta(days=index) for index in range((last - first).days + 1))
    return sum(day_end(day, zone) is not None for day in dates)


class _Headcount:
    """Who is in a place as days go by; a person in twice counts twice, and shows as such in `names`."""

    def __init__(self, held: Sequence[tuple[PersonId, datetime, datetime | None]]) -> None:
        self._came = sorted((from_, person) for person, from_, _ in held)
        self._went = sorted((to, person) for person, _, to in held if to is not None)
        self._in = self._out = 0
        self.names: dict[PersonId, int] = {}

    def pass_to(self, end: datetime) -> tuple[int, int]:
        """Go on to the end of a day; how many came and went within `[last end, end)`.

        Whoever leaves at the very end is still counted for the day, and goes the next.
        """
        came, went = self._in, self._out
        while self._in < len(self._came) and self._came[self._in][0] < end:
            person = self._came[self._in][1]
            self.names[person] = self.names.get(person, 0) + 1
            self._in += 1
        while self._out < len(self._went) and self._went[self._out][0] < end:
            person = self._went[self._out][1]
            self.names[person] = self.names.get(person, 0) - 1
            if not self.names[person]:
                del self.names[person]
            self._out += 1
        return self._in - came, self._out - went


def _day(
    facility: FacilityId,
    row: OccupancyDay,
    end: datetime,
    figures: tuple[int, int, int, int],
    differing: list[PersonId],
) -> Iterator[Finding]:
    """`figures` are start, in, out and end as the spells have them."""

    def wrong(expected: str, found: str) -> Finding:
        subject = f"facility:{facility} on {row.date.isoformat()}"
        return Finding(law="L5", subject=subject, instant=text(end), expected=expected, found=found)

    counted = (row.start, row.in_, row.out, row.end)
    if counted != figures:
        names = ("start", "in", "out", "end")
        yield wrong(_figures(names, figures), _figures(names, counted))
    if row.start + row.in_ - row.out != row.end:
        yield wrong(f"start + in − out = {row.start + row.in_ - row.out}", f"end = {row.end}")
    if row.present + row.absent + row.unaccounted != row.end:
        yield wrong(f"present + absent + unaccounted = {row.end}", f"{row.present + row.absent + row.unaccounted}")
    if differing:
        more = "" if len(differing) <= NAMES_MAX else f" and {len(differing) - NAMES_MAX} more"
        yield wrong("the same persons by spells and by placements", f"in one alone: {_names(differing)}{more}")


def _figures(names: Sequence[str], values: Sequence[int]) -> str:
    return ", ".join(f"{name} {value}" for name, value in zip(names, values, strict=True))


def _names(persons: Sequence[PersonId]) -> str:
    return " ".join(persons[:NAMES_MAX])
