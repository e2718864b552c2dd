"""Asking to move a person from one State to another: the request, the evidence for it, and calling it off.

A request is judged on what can be known at once; what must be shown comes as evidence, each from an authority that may
speak to it. Nothing here moves anybody: the transfer is a dossier until both halves of a handover stand.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field
from pydantic_core import PydanticCustomError

from domain.commands import CivilDate, Code, Command, Digest, Id, Positive, Sealed, body_of, code_list
from domain.events.event import Draft, fresh
from domain.events.transfer import ConditionEvidenced, TransferCancelled, TransferRequested
from domain.legal.case import Case
from domain.legal.judging import may_evidence, may_waive
from domain.legal.rule_sets import Condition, may_be_cited
from domain.names import AgreementId
from domain.refusals import AgreementIsNotInForce, OriginAndDestinationAreTheSame, Refusal, TransferIsClosed
from domain.register import Register
from domain.rules.people import person_checks
from domain.rules.ruling import UNKNOWN_SCOPE, AnyRule, Call, Named, Rule, same_body
from domain.rules.transfers.reasons import Cancellation, Fault, explain
from domain.rules.transfers.transfer_case import (
    Deal,
    agreement_of,
    case_of,
    conditions_fail,
    deal,
    destination_is_elsewhere,
    outcomes,
    rule_sets_of,
    speaks_for,
    status_of,
)


@dataclass(eq=False)
class TransferIsAlreadyRequested(Refusal):
    """A transfer of that id is on record, with other content."""

    transfer: str


@dataclass(eq=False)
class AuthoritiesAreNotParties(Refusal):
    """The one who asks is not the sending party of the agreement."""

    agreement: str
    authority: str


@dataclass(eq=False)
class RuleSetIsNotAllowedByTheAgreement(Refusal):
    """A set is cited that the agreement does not list, or whose conditions the register does not know."""

    rule_sets: tuple[str, ...]


@dataclass(eq=False)
class AnotherTransferIsOpen(Refusal):
    """One person has one open transfer."""

    transfer: str


@dataclass(eq=False)
class ConditionIsNotInTheRuleSet(Refusal):
    """The transfer is not judged by a condition of that name."""

    rule_set: str
    condition: str


@dataclass(eq=False)
class ActorMayNotEvidenceThisCondition(Refusal):
    """The condition is computed, or others are heard on it."""

    rule_set: str
    condition: str
    by: tuple[str, ...]


@dataclass(eq=False)
class ConditionCannotBeWaived(Refusal):
    """Nobody may waive the condition, or not the one who asks."""

    rule_set: str
    condition: str


@dataclass(eq=False)
class ActorMayNotCancelIt(Refusal):
    """Neither a party of the agreement nor a court."""

    transfer: str


Purpose = Annotated[
    str,
    code_list("enforcement", "custody-contract", "court-appearance", "medical", "security", "population", "other"),
]


class RequestTransfer(Command):
    """The sending side asks to move one person under an agreement, within a window of dates."""

    name: ClassVar[str] = "request-transfer"
    transfer: Id | None = None
    person: Id
    agreement: Id
    revision: Positive
    rule_sets: Annotated[tuple[Code, ...], Field(min_length=1)]
    basis: Id
    from_facility: Id
    to_facility: Id | None = None
    purpose: Purpose
    window_from: CivilDate
    window_to: CivilDate
    responsibility_after: Annotated[str, code_list("sending", "receiving")]

    def model_post_init(self, _context: object) -> None:
        """A window ends on or after the date on which it begins."""
        if self.window_to < self.window_from:
            raise PydanticCustomError("window", "the window ends before it begins")

    @property
    def id_(self) -> str:
        """The id given, or the place of one to be drawn."""
        return self.transfer if self.transfer is not None else fresh("transfer")


class EvidenceCondition(Command):
    """One authority shows, denies or waives one condition."""

    name: ClassVar[str] = "evidence-condition"
    transfer: Id
    rule_set: Code
    condition: Code
    outcome: Annotated[str, code_list("met", "not-met", "waived")]
    evidence: Digest


class CancelTransfer(Command):
    """A side, or a court, closes the transfer before departure."""

    name: ClassVar[str] = "cancel-transfer"
    transfer: Id
    reason: Cancellation
    fault: Fault
    explanation: Sealed | None = None

    def model_post_init(self, _context: object) -> None:
        """`other` is explained."""
        explain([self.reason], self.explanation)


# Requesting.


def _request_refusals(register: Register, ask: RequestTransfer, call: Call) -> Iterator[Refusal]:
    if ask.transfer is not None and register.knows("transfer", ask.transfer):
        yield TransferIsAlreadyRequested(ask.transfer)
    file = register.person(ask.person)
    assert file is not None, "the person is looked up before the rules"
    head, actor, when = file.head, call.by.authority, ask.when(call.now)
    yield from person_checks.dead(ask.person, head)
    yield from person_checks.held_by_another(register, ask.person, head, actor)
    yield from person_checks.not_in_custody(ask.person, head)
    yield from person_checks.whereabouts_differ(ask.person, head, ask.from_facility)
    if ask.from_facility == ask.to_facility:
        yield OriginAndDestinationAreTheSame(ask.from_facility)
    terms = deal(register, ask.agreement, ask.revision)
    if actor != terms.sending:
        yield AuthoritiesAreNotParties(ask.agreement, actor)
    if ask.to_facility is not None:
        yield from destination_is_elsewhere(register, ask.to_facility, terms)
        yield from person_checks.use_prohibited(register, ask.to_facility, when)
    yield from _revision_not_in_force(register, ask)
    listed = terms.revision.body.legal_bases
    not_allowed = tuple(code for code in ask.rule_sets if code not in listed or not may_be_cited(code))
    if not_allowed:
        yield RuleSetIsNotAllowedByTheAgreement(not_allowed)
    yield from person_checks.basis_does_not_cover(head, ask.basis, ask.window_from, ask.window_to)
    for transfer_id, transfer in head.transfers.items():
        if transfer.is_open:
            yield AnotherTransferIsOpen(transfer_id)
    yield from conditions_fail(ask.person, _case(register, ask, call), "request")


def _revision_not_in_force(register: Register, ask: RequestTransfer) -> Iterator[Refusal]:
    """The agreement holds all through the window, and the revision cited is the one it begins under."""
    in_force = list(
        person_checks.agreement_not_in_force(register, AgreementId(ask.agreement), ask.window_from, ask.window_to)
    )
    yield from in_force
    file = register.agreement(ask.agreement)
    revision = file.in_force(ask.window_from) if file is not None else None
    if not in_force and (revision is None or revision.body.revision != ask.revision):
        yield AgreementIsNotInForce(ask.agreement, ask.window_from)


def _case(register: Register, ask: RequestTransfer, call: Call) -> Case:
    return case_of(register, _body(ask), (), requested_at=call.now, now=call.now, place=ask.to_facility)


def _body(ask: RequestTransfer, **outcomes_: object) -> TransferRequested:
    return body_of(TransferRequested, ask, **{"transfer": ask.id_, "outcomes": {}, **outcomes_})


def _request_records(register: Register, ask: RequestTransfer, call: Call) -> list[Draft]:
    body = _body(ask, outcomes=outcomes(_case(register, ask, call), "request"))
    draws = () if ask.transfer is not None else ("transfer",)
    return [Draft(stream=f"transfer:{ask.id_}", body=body, draws=draws)]


def _request_names(ask: RequestTransfer) -> Iterable[Named]:
    yield Named("person", ask.person)
    yield Named("agreement", ask.agreement)
    yield Named("revision", str(ask.revision), ask.agreement)
    yield Named("basis", ask.basis, ask.person)
    yield Named("facility", ask.from_facility)
    if ask.to_facility is not None:
        yield Named("facility", ask.to_facility)


# Evidence.


def _evidence_refusals(register: Register, ask: EvidenceCondition, call: Call) -> Iterator[Refusal]:
    transfer = register.transfer(ask.transfer)
    if transfer is None or not transfer.is_open:
        yield TransferIsClosed(ask.transfer, status_of(transfer))
        return
    terms = deal(register, transfer.body.agreement, transfer.body.revision)
    condition = next(
        (
            rule_set.condition(ask.condition)
            for rule_set in rule_sets_of(transfer, terms)
            if rule_set.code == ask.rule_set
        ),
        None,
    )
    if condition is None:
        yield ConditionIsNotInTheRuleSet(ask.rule_set, ask.condition)
        return
    yield from _not_heard(register, ask, terms, condition, call)


def _not_heard(
    register: Register, ask: EvidenceCondition, terms: Deal, condition: Condition, call: Call
) -> Iterator[Refusal]:
    sides = speaks_for(register, terms, call)
    if not may_evidence(condition, sides):
        heard = tuple(dict.fromkeys((*condition.by, *condition.waived_by)))
        yield ActorMayNotEvidenceThisCondition(ask.rule_set, ask.condition, heard)
    if ask.outcome == "waived" and not may_waive(condition, sides):
        yield ConditionCannotBeWaived(ask.rule_set, ask.condition)


def _evidence_records(_register: Register, ask: EvidenceCondition, _call: Call) -> list[Draft]:
    return [Draft(stream=f"transfer:{ask.transfer}", body=body_of(ConditionEvidenced, ask, opened_fields=()))]


# Calling it off.


def _cancel_refusals(register: Register, ask: CancelTransfer, call: Call) -> Iterator[Refusal]:
    transfer = register.transfer(ask.transfer)
    if transfer is None or not transfer.is_open:
        yield TransferIsClosed(ask.transfer, status_of(transfer))
        return
    terms = deal(register, transfer.body.agreement, transfer.body.revision)
    is_party = call.by.authority in (terms.sending, terms.receiving)
    if not is_party and "court" not in speaks_for(register, terms, call):
        yield ActorMayNotCancelIt(ask.transfer)


def _cancel_records(_register: Register, ask: CancelTransfer, _call: Call) -> list[Draft]:
    return [Draft(stream=f"transfer:{ask.transfer}", body=body_of(TransferCancelled, ask))]


RULES: tuple[AnyRule, ...] = (
    Rule(
        command=RequestTransfer,
        subject=lambda _register, ask: f"transfer:{ask.id_}",
        roles=("sending",),
        scope=lambda register, ask: (
            AgreementId(ask.agreement) if register.knows("agreement", ask.agreement) else UNKNOWN_SCOPE
        ),
        names=_request_names,
        brings=lambda ask: Named("transfer", ask.transfer) if ask.transfer is not None else None,
        same=same_body(("outcomes",)),
        refusals=_request_refusals,
        records=_request_records,
    ),
    Rule(
        command=EvidenceCondition,
        subject=lambda _register, ask: f"transfer:{ask.transfer}",
        roles=("sending", "receiving", "court"),
        scope=lambda register, ask: agreement_of(register, ask.transfer),
        names=lambda ask: (Named("transfer", ask.transfer),),
        refusals=_evidence_refusals,
        records=_evidence_records,
    ),
    Rule(
        command=CancelTransfer,
        subject=lambda _register, ask: f"transfer:{ask.transfer}",
        roles=("sending", "receiving", "court"),
        scope=lambda register, ask: agreement_of(register, ask.transfer),
        names=lambda ask: (Named("transfer", ask.transfer),),
        refusals=_cancel_refusals,
        records=_cancel_records,
    ),
)
