"""The act that recorded a fact: whoever would correct the fact needs a role that this act is asked for with."""

from __future__ import annotations

from types import ModuleType

from domain.events.agreement import (
    AgreementDrafted,
    AgreementSigned,
    CustodyDaysClosed,
    FeeScheduleProposed,
    FeeScheduleSigned,
    PaymentReceived,
)
from domain.events.authority import AuthorityRegistered, AuthorityRolesSet
from domain.events.event import Body, Event, stream_id
from domain.events.facility import FacilityCapacityCertified, FacilityRegimeSet, FacilityRegistered
from domain.events.invoice import CustodyDaysBilled, InvoiceApproved, InvoiceIssued, InvoiceLineIssued
from domain.events.person import (
    CustodyBasisRecorded,
    CustodyOpened,
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
from domain.register import Register
from domain.rules import agreement, registry
from domain.rules.money import closing, fee_schedule, invoicing, payment
from domain.rules.people import custody, hold, person, release
from domain.rules.ruling import AnyRule, Roles
from domain.rules.transfers import approval, handover, transfer

REGISTERED_AND_AGREED: tuple[ModuleType, ...] = (registry, agreement, fee_schedule)
PERSONAL: tuple[ModuleType, ...] = (person, hold, transfer, approval, handover, custody, release)
BILLED: tuple[ModuleType, ...] = (closing, invoicing, payment)
"""The modules of every act but the correction itself, in the order of the subjects."""

_RULE_OF = {rule.command: rule for module in (*REGISTERED_AND_AGREED, *PERSONAL, *BILLED) for rule in module.RULES}
ACTS: dict[type[Body], AnyRule] = {
    AuthorityRegistered: _RULE_OF[registry.RegisterAuthority],
    AuthorityRolesSet: _RULE_OF[registry.SetAuthorityRoles],
    FacilityRegistered: _RULE_OF[registry.RegisterFacility],
    FacilityCapacityCertified: _RULE_OF[registry.CertifyCapacity],
    FacilityRegimeSet: _RULE_OF[registry.SetFacilityRegime],
    AgreementDrafted: _RULE_OF[agreement.DraftAgreement],
    AgreementSigned: _RULE_OF[agreement.SignAgreement],
    FeeScheduleProposed: _RULE_OF[fee_schedule.ProposeFeeSchedule],
    FeeScheduleSigned: _RULE_OF[fee_schedule.SignFeeSchedule],
    PersonRegistered: _RULE_OF[person.RegisterPerson],
    CustodyBasisRecorded: _RULE_OF[person.RecordBasis],
    ReleaseDateSet: _RULE_OF[person.SetReleaseDate],
    HoldPlaced: _RULE_OF[hold.PlaceHold],
    HoldLifted: _RULE_OF[hold.LiftHold],
    TransferRequested: _RULE_OF[transfer.RequestTransfer],
    ConditionEvidenced: _RULE_OF[transfer.EvidenceCondition],
    TransferCancelled: _RULE_OF[transfer.CancelTransfer],
    TransferApproved: _RULE_OF[approval.ApproveTransfer],
    TransferRejected: _RULE_OF[approval.RejectTransfer],
    HandoverOffered: _RULE_OF[handover.OfferHandover],
    HandoverAccepted: _RULE_OF[handover.AcceptHandover],
    HandoverRefused: _RULE_OF[handover.RefuseHandover],
    CustodyOpened: _RULE_OF[custody.OpenCustody],
    MovedWithin: _RULE_OF[custody.RecordMoveWithin],
    PresenceReported: _RULE_OF[custody.ReportPresence],
    ReleaseOrdered: _RULE_OF[release.OrderRelease],
    PersonReleased: _RULE_OF[release.RecordRelease],
    ReleaseVerified: _RULE_OF[release.VerifyRelease],
    ReleaseDeclaredErroneous: _RULE_OF[release.DeclareReleaseErroneous],
    CustodyDaysClosed: _RULE_OF[closing.ClosePeriod],
    InvoiceIssued: _RULE_OF[invoicing.IssueInvoice],
    CustodyDaysBilled: _RULE_OF[invoicing.IssueInvoice],
    InvoiceLineIssued: _RULE_OF[invoicing.IssueInvoice],
    InvoiceApproved: _RULE_OF[invoicing.ApproveInvoice],
    PaymentReceived: _RULE_OF[payment.RecordPayment],
}
"""By the kind of fact; a correction has the act of the fact it corrects, the opening of an epoch none."""


def roles_of(register: Register, fact: Event) -> Roles:
    """One of these was asked for when the fact was recorded; empty where no command recorded it."""
    if isinstance(fact.body, FacilityRegimeSet):
        place = register.facility(stream_id(fact.stream))
        assert place is not None, "a regime is that of a registered place"
        return registry.roles_of_regime(place, fact.body)
    act = ACTS.get(type(fact.body))
    if act is None:
        return ()
    assert isinstance(act.roles, tuple), "the roles of no other act depend on the register"
    return act.roles
