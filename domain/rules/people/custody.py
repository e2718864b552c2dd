"""Custody in place: taking a person whom nobody holds, moving one between the custodian's places, saying where one is.

An opening and a move are granted as claims, or recorded as reports with every rule that fails as a flag. A report never
takes custody from another authority, and a presence moves whereabouts alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from pydantic import StringConstraints
from pydantic_core import PydanticCustomError

from domain.commands import DatedCommand, DualCommand, Id, Text, Time, Value, body_of
from domain.custody.state import CustodyState, Offer
from domain.events.event import Draft
from domain.events.person import CustodyOpened, MovedWithin, PresenceReported
from domain.refusals import FacilityIsOfAnotherAuthority, OriginAndDestinationAreTheSame, Refusal
from domain.register import Register
from domain.rules.belief import belief_at, head_of
from domain.rules.flags import by_another, duplicate_flags, report_flags
from domain.rules.people.capacity import Days, Override, days_of, facility_is_full, over_capacity
from domain.rules.people.person_checks import (
    basis_not_live,
    dead,
    held_by_another,
    holds_forbid,
    not_held_here,
    of_another_authority,
    use_prohibited,
    utc_date,
    whereabouts_differ,
)
from domain.rules.ruling import AnyRule, Call, Named, Rule

CUSTODIANS = ("sending", "receiving")
ANYBODY = (
    "sending",
    "escort",
    "receiving",
    "treasury-payer",
    "treasury-payee",
    "court",
    "monitor",
    "auditor",
    "counsel",
)
"""Any role that may speak of a person: the clock never states a fact, the registrar nothing about people."""

Particular = Annotated[str, StringConstraints(pattern=r"^(none|sha256:[0-9a-f]{64})$", strict=True)]


class Particulars(Value):
    """What was recorded at admission: a commitment each, or `none`."""

    reasons: Particular
    injuries: Particular
    complaints: Particular
    property: Particular
    family: Particular
    emergency_contact: Particular


class OpenCustody(DualCommand):
    """The authority that took the person opens a spell; `deprived_at` is shown and opens nothing."""

    name = "open-custody"
    person: Id
    facility: Id
    authority: Id
    basis: Id | None = None
    entry: Literal["new", "transfer-in", "return-after-error", "import"]
    deprived_at: Time
    deprived_by: Id
    supervising_authority: Id
    override: Override | None = None
    particulars: Particulars


class RecordMoveWithin(DualCommand):
    """The custodian moves the person from one of its places to another."""

    name = "record-move-within"
    person: Id
    from_facility: Id
    to_facility: Id
    reason: Literal[
        "population",
        "programme",
        "placement",
        "court-appearance",
        "medical",
        "release",
        "transit",
        "request",
        "other",
        "not-stated",
    ]
    override: Override | None = None


class ReportPresence(DatedCommand):
    """Somebody states where the person is: a registered facility, another place, or both."""

    name = "report-presence"
    person: Id
    facility: Id | None = None
    place: Text | None = None
    since: Time
    how: Literal["seen", "spoken-to", "roll", "document", "import"]

    def model_post_init(self, _context: object) -> None:
        """Nobody is present nowhere."""
        if self.facility is None and self.place is None:
            raise PydanticCustomError("place", "neither a facility nor a place is named")


@dataclass(eq=False)
class PersonIsAlreadyInCustody(Refusal):
    """The person is held, in transit or on an authorised absence; custody is opened once."""

    person: str
    status: str
    held_by: str | None
    since: datetime


@dataclass(eq=False)
class SupervisionIsMissing(Refusal):
    """The authority named does not supervise the place at that time."""

    facility: str
    supervising_authority: str


@dataclass(eq=False)
class AgreementRequiresConsentToMove(Refusal):
    """The person is held under an agreement by which a move needs the sending side's consent."""

    agreement: str


# Opening.


def _opening_names(ask: OpenCustody) -> Iterator[Named]:
    yield Named("person", ask.person)
    yield Named("facility", ask.facility)
    yield Named("authority", ask.authority)
    if ask.basis is not None:
        yield Named("basis", ask.basis, scope=ask.person)
    yield Named("authority", ask.deprived_by)
    yield Named("authority", ask.supervising_authority)


def _opening_refusals(register: Register, ask: OpenCustody, call: Call) -> Iterator[Refusal]:
    state, when = belief_at(register, ask.person, ask, ask.facility), ask.occurred_at
    yield from dead(ask.person, state)
    if state.in_custody:
        yield PersonIsAlreadyInCustody(ask.person, state.status.value, state.custodian.value, state.status.since)
    yield from _not_the_openers(register, ask, call)
    yield from basis_not_live(register, ask.person, head_of(register, ask.person), ask.facility, when)
    yield from use_prohibited(register, ask.facility, when)
    place = register.facility(ask.facility)
    if place is not None and place.supervisor_at(when) != ask.supervising_authority:
        yield SupervisionIsMissing(ask.facility, ask.supervising_authority)
    days = _days(register, ask.facility, ask, call)
    yield from facility_is_full(register, ask.facility, days, (ask.person,), ask.override, call)


def _not_the_openers(register: Register, ask: OpenCustody, call: Call) -> Iterator[Refusal]:
    """`facility-is-of-another-authority`: an authority opens custody in its own name and its own place."""
    if ask.authority != call.by.authority:
        yield FacilityIsOfAnotherAuthority(ask.facility, call.by.authority)
    else:
        yield from of_another_authority(register, ask.facility, call.by.authority)


def _opening_records(register: Register, ask: OpenCustody, call: Call) -> list[Draft]:
    flags = _over_capacity(register, ask.facility, ask, call)
    flags += duplicate_flags(register, ask.person, CustodyOpened, ask.occurred_at)
    if ask.mode == "report":
        state = belief_at(register, ask.person, ask, ask.facility)
        fits = state.status.value in ("none", "released-unverified", "released")
        flags += report_flags(register, state, call.by.authority, fits=fits)
    return [Draft(stream=f"person:{ask.person}", body=body_of(CustodyOpened, ask, flags=flags))]


# Moving.


def _move_refusals(register: Register, ask: RecordMoveWithin, call: Call) -> Iterator[Refusal]:
    state, actor = belief_at(register, ask.person, ask, ask.to_facility), call.by.authority
    when, to = ask.occurred_at, ask.to_facility
    yield from dead(ask.person, state)
    yield from held_by_another(register, ask.person, state, actor)
    yield from not_held_here(register, ask.person, state, actor)
    yield from whereabouts_differ(ask.person, state, ask.from_facility)
    if ask.from_facility == to:
        yield OriginAndDestinationAreTheSame(to)
    # A move keeps the custodian, so it leads to a place the custodian runs, whoever states it.
    yield from of_another_authority(register, to, state.custodian.value or actor)
    yield from holds_forbid(head_of(register, ask.person), "move", when, call.now)
    yield from _consent_missing(register, state, when)
    yield from use_prohibited(register, to, when)
    yield from facility_is_full(register, to, _days(register, to, ask, call), (ask.person,), ask.override, call)


def _consent_missing(register: Register, state: CustodyState, when: datetime) -> Iterator[Refusal]:
    """`agreement-requires-consent-to-move`: the terms under which the person was handed over in this stay ask for it.

    No consent can be recorded yet, so none is ever there. A revision that has come since counts for the move.
    """
    answers = [offer for offer in state.offers.values() if offer.status == "accepted"]
    handed_over = max(answers, key=_answered_at, default=None)
    if handed_over is None or state.stay_since is None or _answered_at(handed_over) < state.stay_since:
        return
    transfer = state.transfers.get(handed_over.body.transfer)
    file = register.agreement(transfer.body.agreement) if transfer is not None else None
    if transfer is None or file is None:
        return
    revision = file.in_force(utc_date(when)) or file.revision(transfer.body.revision)
    if revision is not None and revision.terms is not None and revision.terms.moves == "consent":
        yield AgreementRequiresConsentToMove(file.agreement)


def _answered_at(offer: Offer) -> datetime:
    assert offer.answer is not None, "an accepted offer has an answer"
    return offer.answer.occurred_at


def _move_records(register: Register, ask: RecordMoveWithin, call: Call) -> list[Draft]:
    flags = _over_capacity(register, ask.to_facility, ask, call)
    flags += duplicate_flags(register, ask.person, MovedWithin, ask.occurred_at)
    if ask.mode == "report":
        state = belief_at(register, ask.person, ask, ask.to_facility)
        flags += report_flags(register, state, call.by.authority, fits=state.status.value == "held")
    return [Draft(stream=f"person:{ask.person}", body=body_of(MovedWithin, ask, flags=flags))]


def _over_capacity(
    register: Register, facility: str, ask: OpenCustody | RecordMoveWithin, call: Call
) -> tuple[str, ...]:
    if ask.override is None:
        return ()
    return over_capacity(register, facility, _days(register, facility, ask, call), (ask.person,), ask.override, call)


def _days(register: Register, facility: str, ask: DualCommand, call: Call) -> tuple[Days, ...]:
    """The local dates on which room is asked for: of the fact, and of now."""
    return days_of(register, facility, ask.occurred_at, call.now)


# Presence.


def _presence_names(ask: ReportPresence) -> Iterator[Named]:
    yield Named("person", ask.person)
    if ask.facility is not None:
        yield Named("facility", ask.facility)


def _presence_refusals(_register: Register, _ask: ReportPresence, _call: Call) -> Iterator[Refusal]:
    return iter(())


def _presence_records(register: Register, ask: ReportPresence, call: Call) -> list[Draft]:
    flags = duplicate_flags(register, ask.person, PresenceReported, ask.occurred_at)
    flags += _presence_flags(register, ask, call)
    return [Draft(stream=f"person:{ask.person}", body=body_of(PresenceReported, ask, flags=flags))]


def _presence_flags(register: Register, ask: ReportPresence, call: Call) -> tuple[str, ...]:
    """None at the place on record, whoever reports it. Elsewhere it contradicts.

    Where another than the custodian says so, somebody else may have the person: then the ground for custody, and
    what forbids handing the person over, are looked at too.
    """
    state, actor = belief_at(register, ask.person, ask, ask.facility), call.by.authority
    on_record = state.placement.value if state.status.value == "held" and state.placement is not None else None
    if ask.facility is not None and ask.facility == on_record:
        return ()
    flags = report_flags(register, state, actor, fits=False)
    if not by_another(register, state, actor):
        return flags
    head = head_of(register, ask.person)
    doubts = [
        *basis_not_live(register, ask.person, head, ask.facility or state.last_facility, ask.occurred_at),
        *holds_forbid(head, "hand-over", ask.occurred_at, call.now),
    ]
    return (*flags, *(doubt.code for doubt in doubts))


def _person(_register: Register, ask: OpenCustody | RecordMoveWithin | ReportPresence) -> str:
    return ask.person


def _home(_register: Register, ask: OpenCustody | RecordMoveWithin | ReportPresence) -> str:
    return f"person:{ask.person}"


RULES: tuple[AnyRule, ...] = (
    Rule(
        command=OpenCustody,
        subject=_home,
        roles=CUSTODIANS,
        names=_opening_names,
        person=_person,
        place=lambda ask: ask.facility,
        timed=True,
        refusals=_opening_refusals,
        records=_opening_records,
    ),
    Rule(
        command=RecordMoveWithin,
        subject=_home,
        roles=CUSTODIANS,
        names=lambda ask: [
            Named("person", ask.person),
            Named("facility", ask.from_facility),
            Named("facility", ask.to_facility),
        ],
        person=_person,
        place=lambda ask: ask.to_facility,
        timed=True,
        refusals=_move_refusals,
        records=_move_records,
    ),
    Rule(
        command=ReportPresence,
        subject=_home,
        roles=ANYBODY,
        names=_presence_names,
        person=_person,
        place=lambda ask: ask.facility,
        refusals=_presence_refusals,
        records=_presence_records,
    ),
)
