"""Letting a person go: ordered, recorded by the custodian, verified by somebody else, or declared an error.

A release stops custody and closes nothing; the file stays open until another authority than the one that recorded the
release confirms it. One release has one id: the order's where there is an order, else its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, StringConstraints
from pydantic_core import PydanticCustomError

from domain.commands import Command, DatedCommand, Digest, DualCommand, Flag, Id, Sealed, Time, Value, body_of
from domain.custody.local_days import local_date
from domain.custody.release_day import release_day
from domain.custody.state import Basis, CustodyState, Release, ReleaseOrder
from domain.events.event import Draft, fresh
from domain.events.person import PersonReleased, ReleaseDeclaredErroneous, ReleaseOrdered, ReleaseVerified
from domain.iso3166 import is_recognised
from domain.names import BasisId
from domain.refusals import NobodyConfirmsTheirOwnAct, OccurredAtIsBeforeTheLastFact, Refusal, ReleaseIsUnknown
from domain.register import Register
from domain.rules.belief import belief_at, file_of, head_of, standing_at, zone_of
from domain.rules.flags import duplicate_flags, report_flags
from domain.rules.people.closed_days import closed_days
from domain.rules.people.person_checks import (
    dead,
    held_by_another,
    holds_forbid,
    not_held_here,
    not_in_custody,
    whereabouts_differ,
)
from domain.rules.ruling import AnyRule, Call, Named, Rule


def _recognised(state: str) -> str:
    if not is_recognised(state):
        raise PydanticCustomError("code-is-not-listed", "a code of no State")
    return state


State = Annotated[str, StringConstraints(max_length=8, strict=True), AfterValidator(_recognised)]


class OrderRelease(Command):
    """A court, or the State that ordered custody, orders the release by `due_at`; `bases` are those it ends."""

    name = "order-release"
    person: Id
    release: Id | None = None
    ground: Literal["basis-ended", "court-order", "enforcement-terminated", "parole", "deportation", "agreement-ended"]
    bases: tuple[Id, ...]
    due_at: Time
    conditions: Sealed | None = None
    instrument: Digest


class Checks(Value):
    """What was checked before the person left."""

    identity: Flag
    warrants: Flag
    property: Flag
    money: Flag
    papers: Flag
    file_copy: Flag


class RecordRelease(DualCommand):
    """The custodian lets the person go from `facility`."""

    name = "record-release"
    person: Id
    release: Id | None = None
    facility: Id
    kind: Literal["at-liberty", "deported", "to-authority", "not-stated"]
    to_authority: Id | None = None
    to_state: State | None = None
    checks: Checks


class VerifyRelease(DatedCommand):
    """Somebody outside the authority that recorded the release confirms it."""

    name = "verify-release"
    person: Id
    release: Id
    how: Literal["seen", "spoken-to", "document", "departure-proof"]
    evidence: Digest


class DeclareReleaseErroneous(Command):
    """The release was without lawful ground."""

    name = "declare-release-erroneous"
    person: Id
    release: Id
    reason: Literal["wrong-person", "wrong-date", "order-missed", "hold-missed", "other"]
    instrument: Digest | None = None


@dataclass(eq=False)
class ActorMayNotOrderRelease(Refusal):
    """Neither a court, nor of the State by whose order the person is in custody."""

    authority: str


@dataclass(eq=False)
class ReleaseIsAlreadyOrdered(Refusal):
    """An order waits to be carried out, or one of that id is on record with other content."""

    release: str


@dataclass(eq=False)
class AnotherBasisStands(Refusal):
    """Custody is still justified by grounds that this release does not end."""

    bases: tuple[str, ...]


@dataclass(eq=False)
class ReleaseIsNotDue(Refusal):
    """No order and no release date is reached; `release_day` is the day on which one is, where a date is set."""

    person: str
    release_day: date | None


@dataclass(eq=False)
class ReleaseChecksAreIncomplete(Refusal):
    """Not everything was checked before the person left."""

    checks: tuple[str, ...]


@dataclass(eq=False)
class ReleaseIsAlreadyRecorded(Refusal):
    """The person was released under that id before; another release has another id."""

    release: str


@dataclass(eq=False)
class PersonIsNotReleased(Refusal):
    """The person is not released, or not by this release."""

    person: str
    status: str


@dataclass(eq=False)
class ReleaseIsDeclaredErroneous(Refusal):
    """The release stands as an error."""

    release: str


@dataclass(eq=False)
class ReleaseIsAlreadyVerified(Refusal):
    """The release is confirmed and the file closed by it."""

    release: str


# The order.


def _order_refusals(register: Register, ask: OrderRelease, call: Call) -> Iterator[Refusal]:
    head, when = head_of(register, ask.person), ask.when(call.now)
    live = head.live_bases(local_date(when, zone_of(register, head, None)))
    yield from dead(ask.person, head)
    yield from not_in_custody(ask.person, head)
    if not _may_order(register, live, call):
        yield ActorMayNotOrderRelease(call.by.authority)
    if head.order is not None:
        yield ReleaseIsAlreadyOrdered(head.order.body.release)
    if ask.release is not None and register.knows("release", f"{ask.person}/{ask.release}"):
        yield ReleaseIsAlreadyOrdered(ask.release)
    yield from _another_basis(live, ask.bases)
    yield from holds_forbid(head, "release", when, call.now)


def _may_order(register: Register, live: tuple[Basis, ...], call: Call) -> bool:
    actor = register.authority(call.by.authority)
    assert actor is not None, "roles are read before the rules"
    ordering = (register.authority(basis.body.ordering_authority) for basis in live)
    is_ordering_state = any(authority is not None and authority.state == actor.state for authority in ordering)
    return is_ordering_state or actor.holds("court", call.today, None)


def _another_basis(live: tuple[Basis, ...], ended: tuple[str, ...]) -> Iterator[Refusal]:
    standing = tuple(basis.body.basis for basis in live if basis.body.basis not in ended)
    if standing:
        yield AnotherBasisStands(standing)


def _order_records(_register: Register, ask: OrderRelease, _call: Call) -> list[Draft]:
    draws = () if ask.release else ("release",)
    body = body_of(ReleaseOrdered, ask, release=ask.release or fresh("release"))
    return [Draft(stream=f"person:{ask.person}", body=body, draws=draws)]


# The release.


def _release_refusals(register: Register, ask: RecordRelease, call: Call) -> Iterator[Refusal]:
    state, actor = belief_at(register, ask.person, ask, ask.facility), call.by.authority
    head, when = head_of(register, ask.person), ask.occurred_at
    yield from dead(ask.person, state)
    yield from held_by_another(register, ask.person, state, actor)
    yield from not_held_here(register, ask.person, state, actor)
    yield from whereabouts_differ(ask.person, state, ask.facility)
    day = local_date(when, zone_of(register, head, ask.facility))
    live = head.live_bases(day)
    papers = _papers(register, ask, state)
    due_on = _release_day(register, papers, live)
    is_due = _order_is_due(papers.order, when) or (due_on is not None and due_on <= day)
    if not is_due and (live or not head.bases):
        yield ReleaseIsNotDue(ask.person, due_on)
    yield from _another_basis(live, _bases_ended(papers))
    yield from holds_forbid(head, "release", when, call.now)
    unchecked = tuple(name for name in Checks.model_fields if not getattr(ask.checks, name))
    if unchecked:
        yield ReleaseChecksAreIncomplete(unchecked)


def _papers(register: Register, ask: RecordRelease, state: CustodyState) -> CustodyState:
    """Where the order and the date are read: at the head, unless custody has changed since the release.

    A paper that reached the register a little after the release it covers is one the release may lean on; the papers
    of a later stay are not.
    """
    head = head_of(register, ask.person)
    return head if head.last_change is None or ask.occurred_at >= head.last_change else state


def _order_is_due(order: ReleaseOrder | None, when: datetime) -> bool:
    return order is not None and order.body.due_at <= when


def _release_day(register: Register, papers: CustodyState, live: tuple[Basis, ...]) -> date | None:
    """The working day on which the date in force lets the person go; `None` where no date is set."""
    if papers.release_date is None:
        return None
    detained = any(basis.body.kind == "detainer" for basis in live)
    return release_day(papers.release_date.body.release_due_on, closed_days(register, papers), detained=detained)


def _bases_ended(papers: CustodyState) -> tuple[BasisId, ...]:
    """The grounds that come to their end with this release: the open order's, else those of the date in force."""
    if papers.order is not None:
        return papers.order.body.bases
    return papers.release_date.body.bases if papers.release_date is not None else ()


def _release_lacks(register: Register, ask: RecordRelease, _call: Call) -> Iterator[Refusal]:
    """An id given is that of the order to be carried out; without an order it is a new one."""
    if ask.release is None:
        return
    order = _papers(register, ask, belief_at(register, ask.person, ask, ask.facility)).order
    if order is not None:
        if order.body.release != ask.release:
            yield ReleaseIsUnknown(ask.release)
    elif any(
        isinstance(event.body, PersonReleased) and event.body.release == ask.release
        for event in file_of(register, ask.person).events
    ):
        yield ReleaseIsAlreadyRecorded(ask.release)


def _release_records(register: Register, ask: RecordRelease, call: Call) -> list[Draft]:
    state = belief_at(register, ask.person, ask, ask.facility)
    order = _papers(register, ask, state).order
    known = ask.release or (order.body.release if order is not None else None)
    flags = duplicate_flags(register, ask.person, PersonReleased, ask.occurred_at)
    if ask.mode == "report":
        flags += report_flags(register, state, call.by.authority, fits=state.status.value == "held")
    body = body_of(PersonReleased, ask, release=known or fresh("release"), flags=flags)
    return [Draft(stream=f"person:{ask.person}", body=body, draws=() if known else ("release",))]


def _release_names(ask: RecordRelease) -> Iterator[Named]:
    yield Named("person", ask.person)
    yield Named("facility", ask.facility)
    if ask.to_authority is not None:
        yield Named("authority", ask.to_authority)


# What becomes of it.


def _released_by(head: CustodyState, release: str) -> Release | None:
    """The release of that id, if it is the one by which the person is released."""
    latest = head.release
    is_released = head.status.value in ("released-unverified", "released")
    return latest if is_released and latest is not None and latest.body.release == release else None


def _verify_refusals(register: Register, ask: VerifyRelease, call: Call) -> Iterator[Refusal]:
    head = head_of(register, ask.person)
    release = _released_by(head, ask.release)
    if release is None:
        yield PersonIsNotReleased(ask.person, head.status.value)
        return
    if release.erroneous is not None:
        yield ReleaseIsDeclaredErroneous(ask.release)
    if release.recorded.actor.authority == call.by.authority:
        yield NobodyConfirmsTheirOwnAct("S3")
    if release.verified is not None:
        yield ReleaseIsAlreadyVerified(ask.release)


def _verify_records(register: Register, ask: VerifyRelease, _call: Call) -> list[Draft]:
    flags = duplicate_flags(register, ask.person, ReleaseVerified, ask.occurred_at)
    return [Draft(stream=f"person:{ask.person}", body=body_of(ReleaseVerified, ask, flags=flags))]


def _declare_refusals(register: Register, ask: DeclareReleaseErroneous, call: Call) -> Iterator[Refusal]:
    head = head_of(register, ask.person)
    release = _released_by(head, ask.release)
    if release is None:
        yield PersonIsNotReleased(ask.person, head.status.value)
        return
    declared_at = standing_at(register, file_of(register, ask.person), ask, ask.when(call.now), None)
    if declared_at < release.recorded.occurred_at:
        yield OccurredAtIsBeforeTheLastFact(ask.person, release.recorded.occurred_at)
    if release.erroneous is not None:
        yield ReleaseIsDeclaredErroneous(ask.release)


def _declare_records(register: Register, ask: DeclareReleaseErroneous, call: Call) -> list[Draft]:
    flags = duplicate_flags(register, ask.person, ReleaseDeclaredErroneous, ask.when(call.now))
    return [Draft(stream=f"person:{ask.person}", body=body_of(ReleaseDeclaredErroneous, ask, flags=flags))]


def _addressed(ask: VerifyRelease | DeclareReleaseErroneous) -> list[Named]:
    return [Named("person", ask.person), Named("release", ask.release, scope=ask.person)]


def _person(_register: Register, ask: RecordRelease | VerifyRelease | DeclareReleaseErroneous) -> str:
    return ask.person


def _home(_register: Register, ask: OrderRelease | RecordRelease | VerifyRelease | DeclareReleaseErroneous) -> str:
    return f"person:{ask.person}"


RULES: tuple[AnyRule, ...] = (
    Rule(
        command=OrderRelease,
        subject=_home,
        roles=("sending", "court"),
        names=lambda ask: [
            Named("person", ask.person),
            *(Named("basis", basis, scope=ask.person) for basis in ask.bases),
        ],
        brings=lambda ask: Named("release", ask.release, scope=ask.person) if ask.release is not None else None,
        refusals=_order_refusals,
        records=_order_records,
    ),
    Rule(
        command=RecordRelease,
        subject=_home,
        roles=("sending", "receiving"),
        names=_release_names,
        lacks=_release_lacks,
        person=_person,
        place=lambda ask: ask.facility,
        timed=True,
        refusals=_release_refusals,
        records=_release_records,
    ),
    Rule(
        command=VerifyRelease,
        subject=_home,
        roles=("monitor", "sending", "court", "counsel"),
        names=_addressed,
        person=_person,
        timed=True,
        refusals=_verify_refusals,
        records=_verify_records,
    ),
    Rule(
        command=DeclareReleaseErroneous,
        subject=_home,
        roles=("court", "sending", "receiving"),
        names=_addressed,
        person=_person,
        refusals=_declare_refusals,
        records=_declare_records,
    ),
)
