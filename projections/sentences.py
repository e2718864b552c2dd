"""Every event in one plain sentence, for people who read the record.

One function a wire type; the table is complete, and a test holds it so. A sentence names authorities, places, ids and
dates, never a value of a person.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from domain.events.agreement import (
    AgreementDrafted,
    AgreementSigned,
    CustodyDaysClosed,
    FeeScheduleProposed,
    FeeScheduleSigned,
    PaymentReceived,
)
from domain.events.authority import AuthorityRegistered, AuthorityRolesSet
from domain.events.epoch import EpochOpened
from domain.events.event import Body, DualFact, Event, stream_id
from domain.events.facility import FacilityCapacityCertified, FacilityRegimeSet, FacilityRegistered
from domain.events.invoice import CustodyDaysBilled, InvoiceApproved, InvoiceIssued, InvoiceLineIssued
from domain.events.person import (
    CustodyBasisRecorded,
    CustodyOpened,
    FactCorrected,
    HandoverAccepted,
    HandoverOffered,
    HandoverRefused,
    HoldLifted,
    HoldPlaced,
    MovedWithin,
    PersonRegistered,
    PersonReleased,
    PresenceReported,
    ReleaseDateSet,
    ReleaseDeclaredErroneous,
    ReleaseOrdered,
    ReleaseVerified,
)
from domain.events.transfer import (
    ConditionEvidenced,
    TransferApproved,
    TransferCancelled,
    TransferRejected,
    TransferRequested,
)
from domain.money import Money
from projections.engine.instants import kept, shown


@dataclass(frozen=True, slots=True)
class Told:
    """An event to tell: who acts, on which subject, and the other events that a sentence may look into."""

    event: Event
    about: Sequence[Event]

    @property
    def actor(self) -> str:
        return self.event.actor.authority

    @property
    def subject(self) -> str:
        return stream_id(self.event.stream)

    @property
    def number(self) -> str:
        """The number within an invoice's stream, `invoice:PAYEE:NUMBER`."""
        return self.event.stream.rpartition(":")[2]

    def offer(self, handover: str) -> HandoverOffered | None:
        """The offer that an answer to a handover is about."""
        bodies = (event.body for event in reversed(self.about))
        return next((body for body in bodies if isinstance(body, HandoverOffered) and body.handover == handover), None)

    def named(self, event_id: str | None) -> str:
        """Another event by what it is and where it stands."""
        found = next((event for event in self.about if event.event_id == event_id), None)
        if found is None:
            return f"event {event_id}"
        return f"{found.wire.partition('.')[0]} at position {found.position}"


def sentence(event: Event, about: Sequence[Event] = ()) -> str:
    """What an event says; `about` are other events of the person, of which an answer names the offer."""
    return _SENTENCES[type(event.body)](event.body, Told(event, about))


def tells(body: type[Body]) -> bool:
    """Whether there is a sentence for such an event."""
    return body in _SENTENCES


def _reported(body: DualFact) -> str:
    return " (reported)" if body.mode == "report" else ""


def _amount(money: Money) -> str:
    return f"{money.text} {money.currency}"


def _until(day: object) -> str:
    return "with no last day" if day is None else f"until {day}"


def _epoch(body: EpochOpened, _: Told) -> str:
    return f"The ledger opens under {body.origin}"


def _authority(body: AuthorityRegistered, told: Told) -> str:
    outside = ", outside this register" if body.outside_register else ""
    return f"Authority {body.authority} of {body.state} registered by {told.actor}{outside}"


def _roles(body: AuthorityRolesSet, told: Told) -> str:
    roles = ", ".join(sorted({role.role for role in body.roles})) or "none"
    return f"Roles of {told.subject} set by {told.actor}: {roles}"


def _facility(body: FacilityRegistered, told: Told) -> str:
    return f"Place {body.facility} ({body.kind}, {body.zone}) of {body.authority} registered by {told.actor}"


def _capacity(body: FacilityCapacityCertified, told: Told) -> str:
    return f"Capacity of {told.subject} certified by {told.actor}: {body.operational_capacity} from {body.from_}"


def _regime(body: FacilityRegimeSet, told: Told) -> str:
    since = shown(kept(body.from_))
    return f"Use of {told.subject} {body.use} from {since}, supervised by {body.supervising_authority}"


def _drafted(body: AgreementDrafted, told: Told) -> str:
    parties = " and ".join(party.authority for party in body.parties)
    return f"Agreement {body.agreement} revision {body.revision} between {parties} drafted by {told.actor}"


def _signed(body: AgreementSigned, told: Told) -> str:
    return f"Agreement {told.subject} revision {body.revision} signed by {told.actor}"


def _proposed(body: FeeScheduleProposed, told: Told) -> str:
    return f"Fee schedule {body.schedule} under {told.subject} proposed by {told.actor}: {body.payer} pays {body.payee}"


def _schedule_signed(body: FeeScheduleSigned, told: Told) -> str:
    return f"Fee schedule {body.schedule} under {told.subject} signed by {told.actor}"


def _closed(body: CustodyDaysClosed, told: Told) -> str:
    period = f"{body.period.from_} to {body.period.to}"
    return f"Period {period} under {told.subject} closed by {told.actor}: {body.person_days} custody days"


def _payment(body: PaymentReceived, told: Told) -> str:
    settles = f"invoice {told.number}" if told.event.stream.startswith("invoice:") else f"account of {told.subject}"
    return f"Payment {body.payment} of {_amount(body.amount)} received by {told.actor} for {settles}"


def _person(body: PersonRegistered, told: Told) -> str:
    return f"Person {body.person} registered by {told.actor}, identity {body.identity_status}"


def _basis(body: CustodyBasisRecorded, told: Told) -> str:
    end = "" if body.indeterminate else f", {_until(body.must_end_by)}"
    return f"Basis {body.basis} ({body.kind}) of {body.ordering_authority} recorded by {told.actor}{end}"


def _release_date(body: ReleaseDateSet, told: Told) -> str:
    return f"Release date set by {told.actor}: {body.release_due_on}"


def _hold(body: HoldPlaced, told: Told) -> str:
    acts = ", ".join(body.forbids)
    return f"Hold {body.hold} placed by {told.actor} from {shown(kept(body.effective_at))}; it forbids: {acts}"


def _lifted(body: HoldLifted, told: Told) -> str:
    return f"Hold {body.hold} lifted by {told.actor} from {shown(kept(body.effective_at))}"


def _opened(body: CustodyOpened, told: Told) -> str:
    return f"Custody opened by {told.actor} at {body.facility} for {body.authority}{_reported(body)}"


def _moved(body: MovedWithin, told: Told) -> str:
    return f"Moved by {told.actor} from {body.from_facility} to {body.to_facility}{_reported(body)}"


def _presence(body: PresenceReported, told: Told) -> str:
    return f"Presence reported by {told.actor} at {body.facility or body.place or 'a place not named'}"


def _offered(body: HandoverOffered, told: Told) -> str:
    return f"Handover {body.handover} offered by {told.actor} to {body.receiving.authority} at {body.place}"


def _accepted(body: HandoverAccepted, told: Told) -> str:
    offer = told.offer(body.handover)
    passes = "" if offer is None else f"; custody passes from {offer.releasing.authority} to {body.receiving.authority}"
    return f"Handover {body.handover} accepted by {told.actor} at {body.place}{passes}"


def _refused(body: HandoverRefused, told: Told) -> str:
    offer = told.offer(body.handover)
    stays = "" if offer is None else f"; custody stays with {offer.releasing.authority}"
    return f"Handover {body.handover} refused by {told.actor} ({', '.join(body.reasons)}){stays}"


def _ordered(body: ReleaseOrdered, told: Told) -> str:
    return f"Release {body.release} ordered by {told.actor} by {shown(kept(body.due_at))} ({body.ground})"


def _released(body: PersonReleased, told: Told) -> str:
    return f"Released by {told.actor} from {body.facility} ({body.kind}){_reported(body)}; not yet verified"


def _verified(body: ReleaseVerified, told: Told) -> str:
    return f"Release {body.release} verified by {told.actor} ({body.how})"


def _erroneous(body: ReleaseDeclaredErroneous, told: Told) -> str:
    return f"Release {body.release} declared erroneous by {told.actor} ({body.reason})"


def _corrected(body: FactCorrected, told: Told) -> str:
    by = f", countersigned by {body.countersigned_by.authority}" if body.countersigned_by is not None else ""
    return f"Corrected by {told.actor}: {told.named(body.corrects)} ({body.reason}){by}"


def _requested(body: TransferRequested, told: Told) -> str:
    to = "" if body.to_facility is None else f" to {body.to_facility}"
    return (
        f"Transfer {body.transfer} of {body.person} from {body.from_facility}{to} "
        f"under {body.agreement} requested by {told.actor}"
    )


def _evidenced(body: ConditionEvidenced, told: Told) -> str:
    return f"Condition {body.condition} of {body.rule_set} for {told.subject} evidenced by {told.actor}: {body.outcome}"


def _approved(body: TransferApproved, told: Told) -> str:
    place = f"{body.reserved.facility} from {body.reserved.from_} to {body.reserved.to}"
    return f"Transfer {told.subject} approved by {told.actor} as {body.as_}; a place kept at {place}"


def _rejected(body: TransferRejected, told: Told) -> str:
    return f"Transfer {told.subject} rejected by {told.actor} ({body.reason})"


def _cancelled(body: TransferCancelled, told: Told) -> str:
    return f"Transfer {told.subject} cancelled by {told.actor} ({body.reason})"


def _invoice(body: InvoiceIssued, told: Told) -> str:
    period = f"{body.period.from_} to {body.period.to}"
    return (
        f"Invoice {body.number} under {body.agreement} for {period} issued by {told.actor}: "
        f"{_amount(body.total)}, due {body.due_date}"
    )


def _billed(body: CustodyDaysBilled, told: Told) -> str:
    return f"Invoice {told.number} bills {body.days} custody days of {body.person} at {body.facility}"


def _line(body: InvoiceLineIssued, told: Told) -> str:
    per = "" if body.per == 1 else f" / {body.per}"
    arithmetic = f"{body.quantity} x {body.rate}{per} = {_amount(body.amount)}"
    return f"Invoice {told.number} line {body.line}: {arithmetic}"


def _invoice_approved(body: InvoiceApproved, told: Told) -> str:
    officer = f"{told.actor}/{told.event.actor.officer}"
    return f"Invoice {told.number} approved by {officer} as payable: {_amount(body.payable)}"


_SENTENCES: Final[Mapping[type[Body], Callable[[Any, Told], str]]] = {
    EpochOpened: _epoch,
    AuthorityRegistered: _authority,
    AuthorityRolesSet: _roles,
    FacilityRegistered: _facility,
    FacilityCapacityCertified: _capacity,
    FacilityRegimeSet: _regime,
    AgreementDrafted: _drafted,
    AgreementSigned: _signed,
    FeeScheduleProposed: _proposed,
    FeeScheduleSigned: _schedule_signed,
    CustodyDaysClosed: _closed,
    PaymentReceived: _payment,
    PersonRegistered: _person,
    CustodyBasisRecorded: _basis,
    ReleaseDateSet: _release_date,
    HoldPlaced: _hold,
    HoldLifted: _lifted,
    CustodyOpened: _opened,
    MovedWithin: _moved,
    PresenceReported: _presence,
    HandoverOffered: _offered,
    HandoverAccepted: _accepted,
    HandoverRefused: _refused,
    ReleaseOrdered: _ordered,
    PersonReleased: _released,
    ReleaseVerified: _verified,
    ReleaseDeclaredErroneous: _erroneous,
    FactCorrected: _corrected,
    TransferRequested: _requested,
    ConditionEvidenced: _evidenced,
    TransferApproved: _approved,
    TransferRejected: _rejected,
    TransferCancelled: _cancelled,
    InvoiceIssued: _invoice,
    CustodyDaysBilled: _billed,
    InvoiceLineIssued: _line,
    InvoiceApproved: _invoice_approved,
}
