"""Room: nobody is sent to a place that holds as many as it may, unless two officers say so (DOMAIN §3, §6.5).

Who takes up a place on a local date is held there at the end of it, on the way there, or has a place kept for that
date; each person counts once. Dates before today are read from the custody timeline, today and later ones from the
head, since nothing ends a placement there until it is recorded. Where no certificate is in force there is no limit.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Annotated, NamedTuple

from domain.commands import Id, Value, code_list
from domain.custody.local_days import local_date
from domain.custody.timeline import timeline
from domain.files.facility import FacilityFile
from domain.files.person import PersonFile
from domain.names import PersonId
from domain.refusals import FacilityIsFull, Refusal
from domain.register import Register
from domain.rules.ruling import Call
from domain.rules.two_officers import are_two_officers, second_approval_missing

_DAY = timedelta(days=1)


class Override(Value):
    """Two officers take a person in although the place is full."""

    approved_by: tuple[Id, ...]
    reason: Annotated[str, code_list("emergency", "court-order", "other")]


class Days(NamedTuple):
    """Local dates of a facility, both inclusive."""

    first: date
    last: date

    def __contains__(self, day: object) -> bool:
        """Whether that date is one of them."""
        return isinstance(day, date) and self.first <= day <= self.last


class Taken(NamedTuple):
    """The places taken at a facility: how many on every date asked about, and by whom beside them, on which dates."""

    always: int
    spans: Mapping[PersonId, tuple[Days, ...]]


def days_of(register: Register, facility: str, *instants: datetime) -> tuple[Days, ...]:
    """The local dates at `facility` of some instants, for an act that asks about those alone."""
    place = register.facility(facility)
    if place is None:
        return ()
    dates = sorted({local_date(instant, place.body.zone) for instant in instants})
    return tuple(Days(day, day) for day in dates)


def facility_is_full(
    register: Register,
    facility: str,
    days: Sequence[Days],
    newcomers: Collection[str],
    override: Override | None,
    call: Call,
) -> Iterator[Refusal]:
    """`facility-is-full` on the first of `days` on which the newcomers find no room, unless an override lifts it.

    An override is judged before: one that two officers do not stand behind is `second-approval-is-missing`, whether
    the place is full or not, and lifts nothing.
    """
    if override is not None:
        yield from second_approval_missing(override.approved_by, call)
    full = _first_full_day(register, facility, days, newcomers, call)
    if full is not None and not _lifts(override, call):
        yield full


def over_capacity(
    register: Register,
    facility: str,
    days: Sequence[Days],
    newcomers: Collection[str],
    override: Override | None,
    call: Call,
) -> tuple[str, ...]:
    """The flag `over-capacity` where an override let somebody into a full place; else no flag."""
    if not _lifts(override, call):
        return ()
    return ("over-capacity",) if _first_full_day(register, facility, days, newcomers, call) is not None else ()


def _lifts(override: Override | None, call: Call) -> bool:
    return override is not None and are_two_officers(override.approved_by, call)


def _first_full_day(
    register: Register, facility: str, days: Sequence[Days], newcomers: Collection[str], call: Call
) -> FacilityIsFull | None:
    place = register.facility(facility)
    if place is None or not place.certificates:
        return None
    today = local_date(call.now, place.body.zone)
    since = min((item.first for item in days), default=today)
    least = min(item.operational_capacity for item in place.certificates) - len(newcomers)
    # Were they all there at once, no certificate would be exceeded: nobody's dates need to be read.
    at_most = register.places_taken(facility) if since >= today else register.places_ever_taken(facility)
    if at_most <= least:
        return None
    taken = _taken_now(register, place, today) if since >= today else _taken_ever(register, place, since, today)
    arriving = {PersonId(person) for person in newcomers if not _counts_always(register, place, person, taken)}
    for day in _turning_days(place, days, taken, today):
        certificate = place.certificate_on(day)
        if certificate is None:
            continue
        there = {person for person, spans in taken.spans.items() if any(day in span for span in spans)}
        expected = taken.always + len(there | arriving)
        if expected > certificate.operational_capacity:
            return FacilityIsFull(facility, day, certificate.operational_capacity, expected)
    return None


def _turning_days(place: FacilityFile, days: Sequence[Days], taken: Taken, today: date) -> Iterator[date]:
    """The dates on which a limit can first be passed: a beginning, a new certificate, a further person.

    Between two of them the number can only fall, so a reservation of any length asks about a few dates.
    """
    begins = {today, *(item.from_ for item in place.certificates)}
    begins.update(span.first for spans in taken.spans.values() for span in spans)
    found = {item.first for item in days if item.first <= item.last}
    found.update(day for day in begins if any(day in item for item in days))
    yield from sorted(found)


def _taken_now(register: Register, place: FacilityFile, today: date) -> Taken:
    """From today on: nothing ends a placement until it is recorded, so whoever is there counts on every date."""
    spans: dict[PersonId, tuple[Days, ...]] = {}
    for person in register.bound_for(place.facility):
        file = _file(register, person)
        if not _is_placed(file, place):
            spans[person] = tuple(_kept(file, place, today))
    return Taken(sum(1 for _ in register.held_at(place.facility)), spans)


def _taken_ever(register: Register, place: FacilityFile, since: date, today: date) -> Taken:
    """On dates before today as well, read from the timelines of those about whom something was recorded since.

    Of everybody else the head has held from before `since` on: who is placed there counts on every date.
    """
    ever, bound = {*register.ever_at(place.facility)}, {*register.bound_for(place.facility)}
    lately = register.recorded_from(since - 2 * _DAY)
    changed = {person for person in ever if register.changed_last(person) >= lately}
    files = [_file(register, person) for person in changed | bound]
    spans = {file.person: (*_held_ever(register, file, place), *_kept(file, place, today)) for file in files}
    return Taken(sum(1 for person in register.held_at(place.facility) if person not in spans), spans)


def _counts_always(register: Register, place: FacilityFile, person: str, taken: Taken) -> bool:
    file = register.person(person)
    return person not in taken.spans and file is not None and _is_placed(file, place)


def _is_placed(file: PersonFile, place: FacilityFile) -> bool:
    placement = file.head.placement
    return placement is not None and placement.value == place.facility


def _file(register: Register, person: PersonId) -> PersonFile:
    file = register.person(person)
    assert file is not None, "the register lists only people it has a file of"
    return file


def _held_ever(register: Register, file: PersonFile, place: FacilityFile) -> Iterator[Days]:
    """The dates at whose end a placement there held: a departure at midnight still counts for the day it ends."""
    zone = place.body.zone
    for placement in timeline(file.events, register).placements:
        if placement.facility == place.facility:
            last = date.max if placement.to is None else local_date(placement.to, zone) - _DAY
            yield Days(local_date(placement.from_, zone), last)


def _kept(file: PersonFile, place: FacilityFile, today: date) -> Iterator[Days]:
    """What open transfers keep: from departure on a place until the person is accepted, before it the reservation."""
    for transfer in file.head.transfers.values():
        reserved = transfer.reserved
        if reserved is None or reserved.facility != place.facility:
            continue
        if transfer.status == "in-transit":
            yield Days(today, date.max)
        elif transfer.status == "approved":
            yield Days(reserved.from_, reserved.to)
