"""The register: every file, and the one table that says which files an event touches.

Rules read it and never write it. An overlay is a register over another: what a batch decides is evolved there first
and merged only once it is durable, so that memory never runs ahead of the disk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from domain.custody.state import Offer, TransferState
from domain.events.agreement import AgreementDrafted, FeeScheduleProposed, PaymentReceived
from domain.events.authority import AuthorityRegistered
from domain.events.event import Event, stream_id
from domain.events.facility import FacilityRegistered
from domain.events.invoice import CustodyDaysBilled, InvoiceIssued
from domain.events.person import (
    CustodyBasisRecorded,
    CustodyOpened,
    HandoverAccepted,
    HandoverOffered,
    HoldPlaced,
    MovedWithin,
    PersonRegistered,
    PersonReleased,
    PresenceReported,
    ReleaseOrdered,
)
from domain.events.transfer import TransferRequested
from domain.files import agreement, authority, facility, invoice, person
from domain.files.agreement import AgreementFile, Schedule
from domain.files.authority import AuthorityFile
from domain.files.facility import FacilityFile
from domain.files.invoice import InvoiceFile
from domain.files.person import PersonFile
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

Key = tuple[str, str]
File = AuthorityFile | FacilityFile | AgreementFile | PersonFile | InvoiceFile
F = TypeVar("F", bound=File)


class Register:
    """Read access to every file; `evolve` folds one more event in, `overlay` and `merge` bound a batch."""

    def __init__(self, below: Register | None = None) -> None:
        self._below = below
        self._files: dict[Key, File] = {}
        self._origins: dict[Key, tuple[Event, ...]] = {}
        self._events: dict[EventId, Event] = {}
        self._streams: dict[str, tuple[int, str]] = {}
        self._members: dict[Key, dict[str, bool]] = {}
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
        found = self._origins.get((kind, id_))
        if found is not None:
            return found
        return self._below.origins(kind, id_) if self._below is not None else ()

    def knows(self, kind: str, id_: str) -> bool:
        """Whether an id of that kind is known; scoped as in `origins`."""
        return bool(self.origins(kind, id_))

    def ids(self, kind: str) -> list[str]:
        """Every id of that kind that was ever recorded, sorted; scoped as in `origins`."""
        own = {id_ for found, id_ in self._origins if found == kind}
        return sorted(own.union(self._below.ids(kind)) if self._below is not None else own)

    def version(self, stream: str) -> int:
        """The version of a stream: how many events it has; 0 for one that does not exist."""
        return self.end_of(stream)[0]

    def end_of(self, stream: str) -> tuple[int, str]:
        """Version and leaf hash of a stream's last event, `(0, "")` for one that does not exist."""
        found = self._streams.get(stream)
        if found is not None:
            return found
        return self._below.end_of(stream) if self._below is not None else (0, "")

    def event(self, event_id: str) -> Event | None:
        """A recorded event that the command at hand names; the ledger brings it in before the command is judged."""
        found = self._events.get(EventId(event_id))
        if found is not None or self._below is None:
            return found
        return self._below.event(event_id)

    # Who stands where.

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
        for key in touched(self, event):
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
        for key, changes in self._members.items():
            members = below._members.setdefault(key, {})
            if below._below is not None:
                members.update(changes)
            else:
                _apply(members, changes)
        below.position = self.position

    def _file(self, key: Key, kind: type[F]) -> F | None:
        found = self._files.get(key)
        if found is None:
            return self._below._file(key, kind) if self._below is not None else None
        assert isinstance(found, kind)
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
        seats_before = seats(before) if before is not None else frozenset()
        seats_after = seats(after)
        for key in seats_before - seats_after:
            self._members.setdefault(key, {})[id_] = False
        for key in (seats_after - seats_before) | passed(event):
            self._members.setdefault(key, {})[id_] = True

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


def seats(file: PersonFile) -> frozenset[Key]:
    """The places a person takes up now: the placement, and what open transfers keep; and that the person is known."""
    head = file.head
    taken: set[Key] = {("people", "")}
    if head.placement is not None:
        taken.add(("held", head.placement.value))
    for transfer in head.transfers.values():
        if transfer.status in ("approved", "in-transit") and transfer.reserved is not None:
            taken.add(("bound", transfer.reserved.facility))
    return frozenset(taken)


def passed(event: Event) -> frozenset[Key]:
    """The facilities and the agreement that this event ties a person to for good."""
    match event.body:
        case CustodyOpened(facility=place):
            return frozenset({("ever", place)})
        case MovedWithin(from_facility=origin, to_facility=place):
            return frozenset({("ever", origin), ("ever", place)})
        case HandoverAccepted(receiving=side):
            return frozenset({("ever", side.facility)})
        case PresenceReported(facility=place) if place is not None:
            return frozenset({("ever", place)})
        case TransferRequested(agreement=agreement_id):
            return frozenset({("under", agreement_id)})
        case _:
            return frozenset()


def person_of_event(event: Event) -> str:
    """The person an event of a person's stream, or a transfer's request, is about."""
    body = event.body
    return body.person if isinstance(body, TransferRequested) else stream_id(event.stream)


def _transfer(register: Register, event: Event) -> Iterator[Key]:
    origin = (event,) if isinstance(event.body, TransferRequested) else register.origins(*event.stream.split(":", 1))
    if origin:
        yield ("person", person_of_event(origin[0]))


def _invoice(_register: Register, event: Event) -> Iterator[Key]:
    yield ("invoice", event.stream.rpartition(":")[2])
    match event.body:
        case InvoiceIssued(agreement=agreement_id):
            yield ("agreement", agreement_id)
        case CustodyDaysBilled(person=person_id):
            yield ("person", person_id)


def _own(_register: Register, event: Event) -> Iterator[Key]:
    kind, _, id_ = event.stream.partition(":")
    yield (kind, id_)


TOUCHED: dict[str, Callable[[Register, Event], Iterator[Key]]] = {
    "authority": _own,
    "facility": _own,
    "agreement": _own,
    "person": _own,
    "transfer": _transfer,
    "invoice": _invoice,
}
"""Kind of stream → the files an event on it touches. An epoch's opening touches none."""


def touched(register: Register, event: Event) -> Iterator[Key]:
    """The files that `event` changes, its home first."""
    rule = TOUCHED.get(event.stream.partition(":")[0])
    return rule(register, event) if rule is not None else iter(())


def named(event: Event) -> tuple[Key, ...]:
    """The ids this event makes known for ever, with the scope they are unique in."""
    home = stream_id(event.stream)
    match event.body:
        case TransferRequested(transfer=id_):
            return (("transfer", id_),)
        case HandoverOffered(handover=id_):
            return (("handover", id_),)
        case HoldPlaced(hold=id_):
            return (("hold", id_),)
        case ReleaseOrdered(release=id_) | PersonReleased(release=id_):
            return (("release", f"{home}/{id_}"),)
        case FeeScheduleProposed(schedule=id_, series=series, facilities=places):
            return (("schedule", f"{home}/{id_}"), ("series", series), *(("priced", place) for place in places))
        case InvoiceIssued(number=number):
            return (("invoice", number),)
        case AuthorityRegistered():
            return (("authority", home),)
        case FacilityRegistered():
            return (("facility", home),)
        case AgreementDrafted(revision=number):
            return (("agreement", home), ("revision", f"{home}/{number}"))
        case PersonRegistered():
            return (("person", home),)
        case CustodyBasisRecorded(basis=id_):
            return (("basis", f"{home}/{id_}"),)
        case PaymentReceived(payment=id_):
            return (("payment", id_),)
        case _:
            return ()
