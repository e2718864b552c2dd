"""The register: every file, and the one table that says which files an event touches.

Rules read it and never write it. An overlay is a register over another: what a batch decides is evolved there first
and merged only once it is durable, so that memory never runs ahead of the disk.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from typing import TypeVar

from domain.custody.state import Offer, TransferState
from domain.events.event import Event, stream_id
from domain.events.invoice import CustodyDaysBilled, InvoiceIssued
from domain.events.transfer import TransferRequested
from domain.files import agreement, authority, facility, invoice, person
from domain.files.agreement import AgreementFile, Schedule
from domain.files.authority import AuthorityFile
from domain.files.facility import FacilityFile
from domain.files.invoice import InvoiceFile
from domain.files.person import PersonFile
from domain.known import Key, named, passed, seats
from domain.names import (
    AgreementId,
    AuthorityId,
    EventId,
    FacilityId,
    HandoverId,
    PersonId,
    ScheduleId,
    TransferId,
)

File = AuthorityFile | FacilityFile | AgreementFile | PersonFile | InvoiceFile
F = TypeVar("F", bound=File)

PERSONAL = ("person", "transfer")
"""The kinds of stream whose events are a person's alone."""


class Register:
    """Read access to every file; `evolve` folds one more event in, `overlay` and `merge` bound a batch."""

    def __init__(self, below: Register | None = None) -> None:
        self._below = below
        self._files: dict[Key, File] = {}
        self._origins: dict[Key, tuple[Event, ...]] = {}
        self._events: dict[EventId, Event] = {}
        self._streams: dict[str, tuple[int, str]] = {}
        self._members: dict[Key, dict[str, bool]] = {}
        self._counts: dict[Key, int] = {}
        self._lasting = array("Q")
        self._days: list[tuple[date, int]] = []
        self._day: date = below._day if below is not None else date.min
        self.position: int = below.position if below is not None else 0

    # Files.

    def authority(self, id_: str) -> AuthorityFile | None:
        """The file of an authority."""
        return self._file(("authority", id_), AuthorityFile)

    def facility(self, id_: str) -> FacilityFile | None:
        """The file of a facility."""
        return self._file(("facility", id_), FacilityFile)

    def agreement(self, id_: str) -> AgreementFile | None:
        """The file of an agreement."""
        return self._file(("agreement", id_), AgreementFile)

    def person(self, id_: str) -> PersonFile | None:
        """The file of a person."""
        return self._file(("person", id_), PersonFile)

    def invoice(self, number: str) -> InvoiceFile | None:
        """The file of an invoice; series are unique in the register, so a number names one."""
        return self._file(("invoice", number), InvoiceFile)

    # What lies within a file, found by its own id.

    def transfer(self, id_: str) -> TransferState | None:
        """A transfer as its person's file has it; `None` if no such id was ever requested, or it counts no more."""
        file = self.person_of("transfer", id_)
        return file.head.transfers.get(TransferId(id_)) if file is not None else None

    def offer(self, id_: str) -> Offer | None:
        """A handover's offer with its standing, as the person's file has it."""
        file = self.person_of("handover", id_)
        return file.head.offers.get(HandoverId(id_)) if file is not None else None

    def schedule(self, agreement_id: str, id_: str) -> Schedule | None:
        """A fee schedule of an agreement."""
        file = self.agreement(agreement_id)
        return file.schedule(ScheduleId(id_)) if file is not None else None

    def person_of(self, kind: str, id_: str) -> PersonFile | None:
        """The file of the person a `transfer`, `handover` or `hold` id is about."""
        origin = self.origins(kind, id_)
        return self.person(person_of_event(origin[0])) if origin else None

    def origins(self, kind: str, id_: str) -> tuple[Event, ...]:
        """The events that recorded this id first: one, or one a person of a group act; empty if it is not known.

        `id_` of a basis or a release is `PERSON/ID`, of a schedule `AGREEMENT/ID`, of a revision `AGREEMENT/NUMBER`.
        An id once recorded stays known, also when its event counts no more.
        """
        key, register = (kind, id_), self
        while (found := register._origins.get(key)) is None:
            if register._below is None:
                return register._origins_away(key)
            register = register._below
        return found

    def knows(self, kind: str, id_: str) -> bool:
        """Whether an id of that kind is known; scoped as in `origins`."""
        key, register = (kind, id_), self
        while key not in register._origins:
            if register._below is None:
                return register._is_away(key)
            register = register._below
        return True

    def recorded_first(self, kind: str, id_: str) -> int | None:
        """The position that recorded this id first, `None` if it is not known; scoped as in `origins`."""
        origins = self.origins(kind, id_)
        return origins[0].position if origins else None

    def ids(self, kind: str) -> list[str]:
        """Every id of that kind that was ever recorded, sorted; scoped as in `origins`."""
        own = {id_ for found, id_ in self._origins if found == kind}
        return sorted(own.union(self._below.ids(kind)) if self._below is not None else own)

    def version(self, stream: str) -> int:
        """The version of a stream: how many events it has; 0 for one that does not exist."""
        return self.end_of(stream)[0]

    def end_of(self, stream: str) -> tuple[int, str]:
        """Version and leaf hash of a stream's last event, `(0, "")` for one that does not exist."""
        register = self
        while (found := register._streams.get(stream)) is None:
            if register._below is None:
                return register._end_away(stream)
            register = register._below
        return found

    def event(self, event_id: str) -> Event | None:
        """A recorded event that the command at hand names; the ledger brings it in before the command is judged."""
        found = self._events.get(EventId(event_id))
        if found is not None or self._below is None:
            return found
        return self._below.event(event_id)

    # When something changed.

    def recorded_from(self, day: date) -> int:
        """The first position recorded on that UTC date or later; one beyond the last where there is none."""
        found = self._below.recorded_from(day) if self._below is not None else 1
        if self._below is not None and found <= self._below.position:
            return found
        at = bisect_left(self._days, (day, 0))
        return self._days[at][1] if at < len(self._days) else self.position + 1

    def changed_last(self, person_id: PersonId) -> int:
        """The position of the last event that touched the file of a known person."""
        key, register = ("person", person_id), self
        while (found := register._files.get(key)) is None and register._below is not None:
            register = register._below
        if isinstance(found, PersonFile):
            return found.events[-1].position
        return register._changed_last_away(person_id)

    # Who stands where.

    def places_taken(self, facility_id: str) -> int:
        """How many are placed in the facility at the head or have a place kept there; one who is both counts twice."""
        return self._count(("held", facility_id)) + self._count(("bound", facility_id))

    def places_ever_taken(self, facility_id: str) -> int:
        """No fewer than were ever named in the facility or have a place kept there: a bound that is quick to tell."""
        register: Register | None = self
        bound = 0
        while register is not None:
            bound += sum(len(register._members.get((kind, facility_id), ())) for kind in ("ever", "bound"))
            register = register._below
        return bound

    def held_at(self, facility_id: str) -> Iterator[PersonId]:
        """Those placed in the facility at the head."""
        return (PersonId(item) for item in self._member_ids(("held", facility_id)))

    def bound_for(self, facility_id: str) -> Iterator[PersonId]:
        """Those with an approved or departed transfer that keeps a place there."""
        return (PersonId(item) for item in self._member_ids(("bound", facility_id)))

    def ever_at(self, facility_id: str) -> Iterator[PersonId]:
        """Those whom any custody fact ever named there."""
        return (PersonId(item) for item in self._member_ids(("ever", facility_id)))

    def under(self, agreement_id: str) -> Iterator[PersonId]:
        """Those with a transfer, open or not, under the agreement."""
        return (PersonId(item) for item in self._member_ids(("under", agreement_id)))

    def people(self) -> Iterator[PersonId]:
        """Everybody in the register."""
        return (PersonId(item) for item in self._member_ids(("people", "")))

    # What the fold of a person asks of the registry (`domain.custody.places.Places`).

    def zone_of(self, facility: FacilityId) -> str | None:
        """The IANA zone of a facility, `None` where it is not registered."""
        file = self.facility(facility)
        return file.body.zone if file is not None else None

    def answers_for(self, actor: AuthorityId, custodian: AuthorityId) -> bool:
        """Whether `actor` is `custodian` or runs it (its parent, at any height)."""
        current: AuthorityId | None = custodian
        seen: set[AuthorityId] = set()
        while current is not None and current not in seen:
            if current == actor:
                return True
            seen.add(current)
            file = self.authority(current)
            current = file.parent if file is not None else None
        return False

    def approvals_required(self, agreement_id: AgreementId, revision: int) -> tuple[str, ...]:
        """The approvals the terms of that revision ask for."""
        file = self.agreement(agreement_id)
        found = file.revision(revision) if file is not None else None
        return found.terms.approvals if found is not None and found.terms is not None else ("receiving",)

    # Growth.

    def overlay(self) -> Register:
        """A register over this one that takes changes and leaves this one as it is."""
        return Register(self)

    def bring(self, events: Iterable[Event]) -> None:
        """Make recorded events readable by `event`."""
        self._events.update({event.event_id: event for event in events})

    def evolve(self, event: Event) -> None:
        """Fold one more recorded event into every file it touches."""
        self._streams[event.stream] = (event.stream_version, event.leaf_hash)
        if self._below is not None:
            self._events[event.event_id] = event
        if (day := event.recorded_at.date()) > self._day:
            self._day = day
            self._days.append((day, event.position))
        kind = event.stream.partition(":")[0]
        if kind not in PERSONAL:
            self._lasting.append(event.position)
        for key in TOUCHED[kind](self, event):
            self._evolve_file(key, event)
        for key in named(event):
            self._origins[key] = (*self.origins(*key), event)
        self.position = event.position

    def merge(self) -> None:
        """Hand everything to the register below: from here on it is what everybody reads."""
        below = self._below
        assert below is not None, "only an overlay can be merged"
        below._files.update(self._files)
        below._origins.update(self._origins)
        below._streams.update(self._streams)
        if below._below is not None:
            below._events.update(self._events)
        for key, change in self._counts.items():
            below._counts[key] = below._counts.get(key, 0) + change
        for key, changes in self._members.items():
            members = below._members.setdefault(key, {})
            if below._below is not None:
                members.update(changes)
            else:
                _apply(members, changes)
        below._lasting.extend(self._lasting)
        below._days.extend(self._days)
        below._day = self._day
        below.position = self.position
        below._takes(self)

    # What is not in memory; `domain.resident` has files that are not.

    def _file_away(self, _key: Key) -> File | None:
        return None

    def _origins_away(self, _key: Key) -> tuple[Event, ...]:
        return ()

    def _is_away(self, _key: Key) -> bool:
        return False

    def _changed_last_away(self, person_id: PersonId) -> int:
        raise AssertionError(f"nothing is known of {person_id}")

    def _end_away(self, _stream: str) -> tuple[int, str]:
        return (0, "")

    def _takes(self, _overlay: Register) -> None:
        """What a register notes of an overlay that has been merged into it."""

    def _file(self, key: Key, kind: type[F]) -> F | None:
        register = self
        while (found := register._files.get(key)) is None:
            if register._below is None:
                found = register._file_away(key)
                break
            register = register._below
        assert found is None or isinstance(found, kind)
        return found

    def _evolve_file(self, key: Key, event: Event) -> None:
        match key[0]:
            case "person":
                self._evolve_person(PersonId(key[1]), event)
                return
            case "authority":
                evolved: File | None = authority.evolve(self.authority(key[1]), event)
            case "facility":
                evolved = facility.evolve(self.facility(key[1]), event)
            case "agreement":
                evolved = agreement.evolve(self.agreement(key[1]), event)
            case _:
                evolved = invoice.evolve(self.invoice(key[1]), event)
        if evolved is not None:
            self._files[key] = evolved

    def _evolve_person(self, id_: PersonId, event: Event) -> None:
        before = self.person(id_)
        after = person.evolve(before, event, self)
        self._files[("person", id_)] = after
        if before is None or before.head is not after.head:
            self._seat(id_, seats(before) if before is not None else frozenset(), seats(after))
        for key in passed(event):
            self._members.setdefault(key, {})[id_] = True

    def _seat(self, id_: PersonId, before: frozenset[Key], after: frozenset[Key]) -> None:
        """Note who has come and gone where; the counts follow each coming and going."""
        for key in before - after:
            members = self._members.setdefault(key, {})
            if self._below is None:
                members.pop(id_, None)
            else:
                members[id_] = False
            self._counts[key] = self._counts.get(key, 0) - 1
        for key in after - before:
            self._members.setdefault(key, {})[id_] = True
            self._counts[key] = self._counts.get(key, 0) + 1

    def _count(self, key: Key) -> int:
        below = self._below._count(key) if self._below is not None else 0
        return below + self._counts.get(key, 0)

    def _member_ids(self, key: Key) -> Iterator[str]:
        changes = self._members.get(key, {})
        if self._below is not None:
            yield from (item for item in self._below._member_ids(key) if item not in changes)
        yield from (item for item, present in changes.items() if present)


def _apply(members: dict[str, bool], changes: dict[str, bool]) -> None:
    for item, present in changes.items():
        if present:
            members[item] = True
        else:
            members.pop(item, None)


def person_of_event(event: Event) -> str:
    """The person an event of a person's stream, or a transfer's request, is about."""
    body = event.body
    return body.person if isinstance(body, TransferRequested) else stream_id(event.stream)


def _transfer(register: Register, event: Event) -> tuple[Key, ...]:
    if isinstance(event.body, TransferRequested):
        return (("person", event.body.person),)
    origin = register.origins("transfer", stream_id(event.stream))
    return (("person", person_of_event(origin[0])),) if origin else ()


def _invoice(_register: Register, event: Event) -> tuple[Key, ...]:
    home = ("invoice", event.stream.rpartition(":")[2])
    match event.body:
        case InvoiceIssued(agreement=agreement_id):
            return (home, ("agreement", agreement_id))
        case CustodyDaysBilled(person=person_id):
            return (home, ("person", person_id))
        case _:
            return (home,)


def _own(_register: Register, event: Event) -> tuple[Key, ...]:
    kind, _, id_ = event.stream.partition(":")
    return ((kind, id_),)


def _nothing(_register: Register, _event: Event) -> tuple[Key, ...]:
    return ()


TOUCHED: Mapping[str, Callable[[Register, Event], tuple[Key, ...]]] = {
    "epoch": _nothing,
    "authority": _own,
    "facility": _own,
    "agreement": _own,
    "person": _own,
    "transfer": _transfer,
    "invoice": _invoice,
}
"""Kind of stream → the files an event on it touches, its home first."""
