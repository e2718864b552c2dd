"""Deciding on a request: each approval the agreement asks for, or one rejection.

An approval keeps a place for the person and is judged on everything due by then. The transfer is approved when the
last approval asked for is there; one `no` from anybody who must approve closes it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field
from pydantic_core import PydanticCustomError

from domain.commands import CivilDate, Command, Id, Sealed, Value, body_of, code_list
from domain.custody.state import TransferState
from domain.events.event import Draft
from domain.events.transfer import TransferApproved, TransferRejected
from domain.legal.case import Case
from domain.refusals import NobodyConfirmsTheirOwnAct, Refusal
from domain.register import Register
from domain.rules.people import person_checks
from domain.rules.people.capacity import Days, Override, facility_is_full, over_capacity
from domain.rules.ruling import AnyRule, Call, Named, Rule
from domain.rules.transfers.reasons import Rejection, explain
from domain.rules.transfers.transfer_case import (
    Deal,
    agreement_of,
    case_of,
    conditions_fail,
    deal,
    destination_is_elsewhere,
    outcomes,
    speaks_for,
    status_of,
)


@dataclass(eq=False)
class TransferIsNotAwaitingDecision(Refusal):
    """It is approved by all already, has ended, or counts no more."""

    transfer: str
    status: str


@dataclass(eq=False)
class ActorIsNotAnApprover(Refusal):
    """The agreement asks others for their approval, or not in that capacity."""

    transfer: str
    approvals: tuple[str, ...]


@dataclass(eq=False)
class ApprovalIsAlreadyGiven(Refusal):
    """That side has approved."""

    transfer: str
    as_: str


class Reservation(Value):
    """A place kept for local dates, both inclusive."""

    facility: Id
    from_: CivilDate = Field(alias="from")
    to: CivilDate

    def model_post_init(self, _context: object) -> None:
        """A reservation ends on or after the date on which it begins."""
        if self.to < self.from_:
            raise PydanticCustomError("window", "the reservation ends before it begins")

    @property
    def days(self) -> tuple[Days, ...]:
        """Its local dates, as capacity is asked about."""
        return (Days(self.from_, self.to),)


class ApproveTransfer(Command):
    """One of the approvals the agreement asks for; it reserves the place."""

    name: ClassVar[str] = "approve-transfer"
    transfer: Id
    as_: Annotated[str, code_list("receiving", "court")] = Field(alias="as")
    reserved: Reservation
    override: Override | None = None


class RejectTransfer(Command):
    """Somebody who must approve says no, and why."""

    name: ClassVar[str] = "reject-transfer"
    transfer: Id
    reason: Rejection
    explanation: Sealed | None = None

    def model_post_init(self, _context: object) -> None:
        """`other` is explained."""
        explain([self.reason], self.explanation)


def _capacities(register: Register, terms: Deal, call: Call) -> Iterator[str]:
    """The capacities in which the actor may approve: the receiving party's, a court's."""
    if call.by.authority == terms.receiving:
        yield "receiving"
    if "court" in speaks_for(register, terms, call):
        yield "court"


def _approve_refusals(register: Register, ask: ApproveTransfer, call: Call) -> Iterator[Refusal]:
    transfer = register.transfer(ask.transfer)
    if transfer is None or transfer.status != "requested":
        yield TransferIsNotAwaitingDecision(ask.transfer, status_of(transfer))
        return
    terms = deal(register, transfer.body.agreement, transfer.body.revision)
    if ask.as_ not in terms.terms.approvals or ask.as_ not in _capacities(register, terms, call):
        yield ActorIsNotAnApprover(ask.transfer, terms.terms.approvals)
    if any(isinstance(event.body, TransferApproved) and event.body.as_ == ask.as_ for event in transfer.approvals):
        yield ApprovalIsAlreadyGiven(ask.transfer, ask.as_)
    if call.by.authority == transfer.requested.actor.authority:
        yield NobodyConfirmsTheirOwnAct("S2")
    yield from _person_stands_in_the_way(register, ask, transfer, call)
    yield from conditions_fail(transfer.body.person, _case(register, ask, transfer, call), "approval")
    yield from destination_is_elsewhere(register, ask.reserved.facility, terms)
    yield from person_checks.use_prohibited(register, ask.reserved.facility, ask.when(call.now))
    yield from facility_is_full(
        register, ask.reserved.facility, ask.reserved.days, (transfer.body.person,), ask.override, call
    )


def _person_stands_in_the_way(
    register: Register, ask: ApproveTransfer, transfer: TransferState, call: Call
) -> Iterator[Refusal]:
    """What has become of the person, the agreement and the basis since the request."""
    request, when = transfer.body, ask.when(call.now)
    file = register.person(request.person)
    assert file is not None, "a transfer is of a person on record"
    yield from person_checks.dead(request.person, file.head)
    yield from person_checks.not_in_custody(request.person, file.head)
    yield from person_checks.holds_forbid(file.head, "depart", when, call.now)
    yield from person_checks.agreement_not_in_force(register, request.agreement, person_checks.utc_date(when))
    yield from person_checks.basis_does_not_cover(file.head, request.basis, request.window_from, request.window_to)


def _case(register: Register, ask: ApproveTransfer, transfer: TransferState, call: Call) -> Case:
    return case_of(
        register,
        transfer.body,
        transfer.evidence,
        requested_at=transfer.requested.recorded_at,
        now=call.now,
        place=ask.reserved.facility,
    )


def _approve_records(register: Register, ask: ApproveTransfer, call: Call) -> list[Draft]:
    transfer = register.transfer(ask.transfer)
    assert transfer is not None, "only what awaits a decision is approved"
    body = body_of(
        TransferApproved,
        ask,
        outcomes=outcomes(_case(register, ask, transfer, call), "approval"),
        flags=over_capacity(
            register, ask.reserved.facility, ask.reserved.days, (transfer.body.person,), ask.override, call
        ),
    )
    return [Draft(stream=f"transfer:{ask.transfer}", body=body)]


def _reject_refusals(register: Register, ask: RejectTransfer, call: Call) -> Iterator[Refusal]:
    transfer = register.transfer(ask.transfer)
    if transfer is None or transfer.status != "requested":
        yield TransferIsNotAwaitingDecision(ask.transfer, status_of(transfer))
        return
    terms = deal(register, transfer.body.agreement, transfer.body.revision)
    if not set(terms.terms.approvals).intersection(_capacities(register, terms, call)):
        yield ActorIsNotAnApprover(ask.transfer, terms.terms.approvals)
    if call.by.authority == transfer.requested.actor.authority:
        yield NobodyConfirmsTheirOwnAct("S2")


def _reject_records(_register: Register, ask: RejectTransfer, _call: Call) -> list[Draft]:
    return [Draft(stream=f"transfer:{ask.transfer}", body=body_of(TransferRejected, ask))]


RULES: tuple[AnyRule, ...] = (
    Rule(
        command=ApproveTransfer,
        subject=lambda _register, ask: f"transfer:{ask.transfer}",
        roles=("receiving", "court"),
        scope=lambda register, ask: agreement_of(register, ask.transfer),
        names=lambda ask: (Named("transfer", ask.transfer), Named("facility", ask.reserved.facility)),
        refusals=_approve_refusals,
        records=_approve_records,
    ),
    Rule(
        command=RejectTransfer,
        subject=lambda _register, ask: f"transfer:{ask.transfer}",
        roles=("receiving", "court"),
        scope=lambda register, ask: agreement_of(register, ask.transfer),
        names=lambda ask: (Named("transfer", ask.transfer),),
        refusals=_reject_refusals,
        records=_reject_records,
    ),
)
