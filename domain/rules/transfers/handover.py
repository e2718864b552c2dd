"""Handing a person over: custody passes when the receiving side accepts, and not before.

The releasing half opens a handover and changes nothing about who is responsible; only the acceptance does. So nobody
is ever held by no one, or by two. The halves come from two authorities, two officers, two credentials, and the second
names the first by its leaf hash: it answers that offer and no other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, ClassVar

from pydantic_core import PydanticCustomError

from domain.commands import Command, DatedCommand, Digest, Id, LeafHash, Positive, Sealed, Value, body_of, code_list
from domain.custody.state import Offer, TransferState
from domain.events.event import Draft, fresh
from domain.events.person import HandoverAccepted, HandoverOffered, HandoverRefused
from domain.files.person import PersonFile
from domain.names import AgreementId, AuthorityId
from domain.refusals import NobodyConfirmsTheirOwnAct, NoHandoverIsOpen, Refusal
from domain.register import Register
from domain.rules.flags import duplicate_flags
from domain.rules.people import person_checks
from domain.rules.people.capacity import Days, Override, days_of, facility_is_full, over_capacity
from domain.rules.ruling import UNKNOWN_SCOPE, AnyRule, Call, Named, Rule, same_body
from domain.rules.transfers.reasons import HandoverRefusals, explain
from domain.rules.transfers.transfer_case import agreement_of, case_of, conditions_fail, deal, status_of


@dataclass(eq=False)
class TransferIsNotApproved(Refusal):
    """Neither approved nor under way."""

    transfer: str
    status: str


@dataclass(eq=False)
class ReceiverIsNotTheTransfersReceiver(Refusal):
    """The offer is made to another authority, or for another place, than the transfer reserved."""

    authority: str
    facility: str | None


@dataclass(eq=False)
class HandoverIsAlreadyOpen(Refusal):
    """An offer waits for its answer, or one of that id is on record with other content."""

    handover: str


@dataclass(eq=False)
class IdentityIsUnresolved(Refusal):
    """Nobody knows for certain who the person is, and the offer claims that somebody checked."""

    person: str


@dataclass(eq=False)
class ActorIsNotTheReceiver(Refusal):
    """The offer was made to another authority."""

    handover: str
    receiving: str


@dataclass(eq=False)
class AnswerIsToAnotherOffer(Refusal):
    """The answer does not name the offer that stands."""

    handover: str
    offer: str


@dataclass(eq=False)
class IdentityDoesNotMatch(Refusal):
    """The receiving officer did not find the person to be the one offered."""

    result: str


class IdentityCheck(Value):
    """How the person was identified, and the result."""

    method: Annotated[str, code_list("document", "biometric", "known-person", "photograph", "other")]
    result: Annotated[str, code_list("match", "mismatch", "not-done")]


class Side(Value):
    """One side of the handover, with the officer who stands there."""

    authority: Id
    facility: Id
    officer: Id


class Addressee(Value):
    """The side an offer is made to."""

    authority: Id
    facility: Id


class OfferHandover(DatedCommand):
    """The releasing side offers the person at a place."""

    name: ClassVar[str] = "offer-handover"
    handover: Id | None = None
    transfer: Id
    movement: Id | None = None
    manifest_revision: Positive | None = None
    place: Id
    releasing: Side
    receiving: Addressee
    identity_check: IdentityCheck
    condition: Sealed | None = None
    property_seals: tuple[Sealed, ...] = ()
    documents: tuple[Digest, ...] = ()

    def model_post_init(self, _context: object) -> None:
        """A manifest is a movement's."""
        if self.manifest_revision is not None and self.movement is None:
            raise PydanticCustomError("manifest_revision", "a manifest without its movement")

    @property
    def id_(self) -> str:
        """The id given, or the place of one to be drawn."""
        return self.handover if self.handover is not None else fresh("handover")


class AcceptHandover(DatedCommand):
    """The receiving side takes the person: from here on it has custody."""

    name: ClassVar[str] = "accept-handover"
    handover: Id
    answers: LeafHash
    offer_sha256: Digest | None = None
    receiving: Side
    place: Id
    identity_check: IdentityCheck
    condition: Sealed | None = None
    property_seals: tuple[Sealed, ...] = ()
    documents: tuple[Digest, ...] = ()
    override: Override | None = None


class RefuseHandover(Command):
    """The receiving side does not take the person, who stays with the releasing side."""

    name: ClassVar[str] = "refuse-handover"
    handover: Id
    answers: LeafHash
    offer_sha256: Digest | None = None
    reasons: HandoverRefusals
    explanation: Sealed | None = None

    def model_post_init(self, _context: object) -> None:
        """`other` is explained."""
        explain(self.reasons, self.explanation)


# The first half.


def _offer_refusals(register: Register, ask: OfferHandover, call: Call) -> Iterator[Refusal]:
    file = register.person_of("transfer", ask.transfer)
    assert file is not None, "the transfer is looked up before the rules"
    person, head = file.person, file.head
    yield from person_checks.dead(person, head)
    yield from person_checks.held_by_another(register, person, head, call.by.authority)
    # A body that runs the custodian may act for it, and names either; nobody is offered in a third one's name.
    yield from person_checks.held_by_another(register, person, head, AuthorityId(ask.releasing.authority))
    yield from person_checks.not_in_custody(person, head)
    yield from person_checks.whereabouts_differ(person, head, ask.releasing.facility)
    transfer = register.transfer(ask.transfer)
    if transfer is None or transfer.status not in ("approved", "in-transit", "refused"):
        yield TransferIsNotApproved(ask.transfer, status_of(transfer))
        return
    yield from _receiver_is_another(register, ask, transfer)
    open_offer = head.open_offer
    if open_offer is not None:
        yield HandoverIsAlreadyOpen(open_offer.body.handover)
    if ask.handover is not None and register.knows("handover", ask.handover):
        yield HandoverIsAlreadyOpen(ask.handover)
    yield from person_checks.holds_forbid(head, "hand-over", ask.occurred_at, call.now)
    yield from person_checks.basis_not_live(register, person, head, ask.releasing.facility, ask.occurred_at)
    yield from _conditions_fail(register, ask, transfer, call)
    if file.identity_status == "unresolved" and ask.identity_check.result != "not-done":
        yield IdentityIsUnresolved(person)


def _receiver_is_another(register: Register, ask: OfferHandover, transfer: TransferState) -> Iterator[Refusal]:
    terms = deal(register, transfer.body.agreement, transfer.body.revision)
    reserved = transfer.reserved.facility if transfer.reserved is not None else None
    is_receiver = register.answers_for(terms.receiving, AuthorityId(ask.receiving.authority))
    if not is_receiver or ask.receiving.facility != reserved:
        yield ReceiverIsNotTheTransfersReceiver(terms.receiving, reserved)


def _conditions_fail(register: Register, ask: OfferHandover, transfer: TransferState, call: Call) -> Iterator[Refusal]:
    """Everything due by now is judged again; without a movement the person departs when offered."""
    case = case_of(
        register,
        transfer.body,
        transfer.evidence,
        requested_at=transfer.requested.recorded_at,
        now=call.now,
        place=transfer.reserved.facility if transfer.reserved is not None else None,
        departs_at=ask.occurred_at,
    )
    yield from conditions_fail(transfer.body.person, case, "offer")


def _offer_records(register: Register, ask: OfferHandover, _call: Call) -> list[Draft]:
    file = register.person_of("transfer", ask.transfer)
    assert file is not None, "only a person on record is offered"
    flags = ("identity-unresolved",) if file.identity_status == "unresolved" else ()
    body = body_of(HandoverOffered, ask, handover=ask.id_, flags=flags)
    draws = () if ask.handover is not None else ("handover",)
    return [Draft(stream=f"person:{file.person}", body=body, draws=draws)]


def _offer_names(ask: OfferHandover) -> Iterable[Named]:
    yield Named("transfer", ask.transfer)
    if ask.movement is not None:
        yield Named("movement", ask.movement)
    yield Named("facility", ask.place)
    for side in (ask.releasing, ask.receiving):
        yield Named("authority", side.authority)
        yield Named("facility", side.facility)


# The second half.


def _open_offer(register: Register, handover: str) -> Offer | None:
    offer = register.offer(handover)
    return offer if offer is not None and offer.status == "open" else None


def _accept_refusals(register: Register, ask: AcceptHandover, call: Call) -> Iterator[Refusal]:
    file = _offered(register, ask.handover)
    yield from person_checks.dead(file.person, file.head)
    offer = _open_offer(register, ask.handover)
    if offer is None or file.head.status.value not in ("held", "in-transit"):
        yield NoHandoverIsOpen(ask.handover)
        return
    yield from _not_the_receiver(ask.handover, offer, call.by.authority, ask.receiving.authority)
    yield from person_checks.of_another_authority(register, ask.receiving.facility, call.by.authority)
    yield from _own_act(ask, offer, call)
    yield from _answers_another(ask, offer)
    when, place = ask.occurred_at, ask.receiving.facility
    yield from person_checks.holds_forbid(file.head, "hand-over", when, call.now)
    agreement = _agreement(register, ask.handover)
    yield from person_checks.agreement_not_in_force(register, agreement, person_checks.utc_date(when))
    yield from person_checks.basis_not_live(register, file.person, file.head, place, when)
    if ask.identity_check.result != "match":
        yield IdentityDoesNotMatch(ask.identity_check.result)
    yield from person_checks.use_prohibited(register, place, when)
    yield from facility_is_full(register, place, _days(register, ask, call), (file.person,), ask.override, call)


def _not_the_receiver(handover: str, offer: Offer, *authorities: str) -> Iterator[Refusal]:
    """`actor-is-not-the-receiver`: who acts, or who is named as receiving, is not the one the offer was made to."""
    receiving = offer.body.receiving.authority
    if any(authority != receiving for authority in authorities):
        yield ActorIsNotTheReceiver(handover, receiving)


def _own_act(ask: AcceptHandover, offer: Offer, call: Call) -> Iterator[Refusal]:
    """S1: two authorities, two credentials, and no officer on both sides, whoever holds the pen."""
    releasing, offered_by = offer.body.releasing, offer.recorded.actor
    if (
        call.by.authority in (releasing.authority, offered_by.authority)
        or call.by.credential == offered_by.credential
        or {call.by.officer, ask.receiving.officer} & {releasing.officer, offered_by.officer}
    ):
        yield NobodyConfirmsTheirOwnAct("S1")


def _answers_another(ask: AcceptHandover | RefuseHandover, offer: Offer) -> Iterator[Refusal]:
    """`answer-is-to-another-offer`; no offer is signed, so an answer that binds itself to a signature fits none."""
    if ask.answers != offer.recorded.leaf_hash or ask.offer_sha256 is not None:
        yield AnswerIsToAnotherOffer(ask.handover, offer.recorded.leaf_hash)


def _days(register: Register, ask: AcceptHandover, call: Call) -> tuple[Days, ...]:
    return days_of(register, ask.receiving.facility, ask.occurred_at, call.now)


def _accept_records(register: Register, ask: AcceptHandover, call: Call) -> list[Draft]:
    person = _offered(register, ask.handover).person
    days = _days(register, ask, call)
    flags = over_capacity(register, ask.receiving.facility, days, (person,), ask.override, call)
    flags += duplicate_flags(register, person, HandoverAccepted, ask.occurred_at)
    return [Draft(stream=f"person:{person}", body=body_of(HandoverAccepted, ask, flags=flags))]


def _accept_names(ask: AcceptHandover) -> Iterable[Named]:
    yield Named("handover", ask.handover)
    yield Named("authority", ask.receiving.authority)
    yield Named("facility", ask.receiving.facility)
    yield Named("facility", ask.place)


def _refuse_refusals(register: Register, ask: RefuseHandover, call: Call) -> Iterator[Refusal]:
    offer = _open_offer(register, ask.handover)
    if offer is None:
        yield NoHandoverIsOpen(ask.handover)
        return
    yield from _not_the_receiver(ask.handover, offer, call.by.authority)
    yield from _answers_another(ask, offer)


def _refuse_records(register: Register, ask: RefuseHandover, _call: Call) -> list[Draft]:
    person = _offered(register, ask.handover).person
    return [Draft(stream=f"person:{person}", body=body_of(HandoverRefused, ask))]


# Whom a handover is about.


def _offered(register: Register, handover: str) -> PersonFile:
    file = register.person_of("handover", handover)
    assert file is not None, "the handover is looked up before the rules"
    return file


def _stream(register: Register, kind: str, id_: str) -> str:
    file = register.person_of(kind, id_)
    return f"person:{file.person}" if file is not None else "person:"


def _person(register: Register, kind: str, id_: str) -> str | None:
    file = register.person_of(kind, id_)
    return file.person if file is not None else None


def _agreement(register: Register, handover: str) -> AgreementId:
    """The agreement of the transfer that the first offer under this id was made for."""
    origin = register.origins("handover", handover)
    body = origin[0].body if origin else None
    return agreement_of(register, body.transfer) if isinstance(body, HandoverOffered) else UNKNOWN_SCOPE


def _offered_at(register: Register, handover: str) -> datetime | None:
    offer = register.offer(handover)
    return offer.recorded.occurred_at if offer is not None else None


RULES: tuple[AnyRule, ...] = (
    Rule(
        command=OfferHandover,
        subject=lambda register, ask: _stream(register, "transfer", ask.transfer),
        roles=("sending",),
        scope=lambda register, ask: agreement_of(register, ask.transfer),
        names=_offer_names,
        brings=lambda ask: Named("handover", ask.handover) if ask.handover is not None else None,
        same=same_body(),
        person=lambda register, ask: _person(register, "transfer", ask.transfer),
        place=lambda ask: ask.place,
        timed=True,
        refusals=_offer_refusals,
        records=_offer_records,
    ),
    Rule(
        command=AcceptHandover,
        subject=lambda register, ask: _stream(register, "handover", ask.handover),
        roles=("receiving",),
        scope=lambda register, ask: _agreement(register, ask.handover),
        names=_accept_names,
        person=lambda register, ask: _person(register, "handover", ask.handover),
        place=lambda ask: ask.place,
        timed=True,
        not_before=lambda register, ask: _offered_at(register, ask.handover),
        refusals=_accept_refusals,
        records=_accept_records,
    ),
    Rule(
        command=RefuseHandover,
        subject=lambda register, ask: _stream(register, "handover", ask.handover),
        roles=("receiving",),
        scope=lambda register, ask: _agreement(register, ask.handover),
        names=lambda ask: (Named("handover", ask.handover),),
        refusals=_refuse_refusals,
        records=_refuse_records,
    ),
)
