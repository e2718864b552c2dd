"""A person's file and its ground: who it is about, by what order custody is lawful, until which date it may last.

Registering takes nobody into custody. A basis always ends, or says when it is reviewed; the release date may be
earlier than the last lawful date and never later, and is not put off while the ground stays the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Literal

from domain.closed_lists import BasisKind
from domain.commands import CivilDate, Command, Digest, FieldName, Flag, Id, Sealed, body_of
from domain.custody.local_days import local_date
from domain.custody.release_day import last_lawful_date
from domain.events.event import Draft, fresh
from domain.events.person import CustodyBasisRecorded, PersonRegistered, ReleaseDateSet
from domain.names import BasisId
from domain.refusals import BasisIsNotLive, Refusal
from domain.register import Register
from domain.rules.belief import head_of, zone_of
from domain.rules.people.person_checks import dead
from domain.rules.ruling import AnyRule, Call, Named, Rule

ORDERING = ("sending", "court")


class RegisterPerson(Command):
    """A person enters the register; `attributes` are commitments by field, never the values."""

    name = "register-person"
    person: Id | None = None
    identity_status: Literal["established", "claimed", "unresolved"]
    attributes: dict[FieldName, Sealed]


class RecordBasis(Command):
    """The legal order that justifies custody."""

    name = "record-basis"
    person: Id
    basis: Id | None = None
    kind: BasisKind
    ordering_authority: Id
    instrument: Digest
    valid_from: CivilDate
    must_end_by: CivilDate | None = None
    indeterminate: Flag
    review_due_by: CivilDate | None = None
    replaces: Id | None = None
    conversion: Literal["continued", "converted"] | None = None
    grounds: Sealed | None = None


class SetReleaseDate(Command):
    """The last lawful local date of custody, as the ordering State computed it."""

    name = "set-release-date"
    person: Id
    release_due_on: CivilDate
    bases: tuple[Id, ...]
    method: Literal["sentence", "court-order", "treaty-conversion", "good-time", "other"]
    inputs: Digest


@dataclass(eq=False)
class IdentityIsAlreadyRegistered(Refusal):
    """The file of that id says something else."""

    person: str


@dataclass(eq=False)
class BasisIsAlreadyRecorded(Refusal):
    """The person has another basis of that id."""

    basis: str


@dataclass(eq=False)
class BasisHasNoEnd(Refusal):
    """Custody ends by a date, or is reviewed by one."""

    person: str


@dataclass(eq=False)
class BasisEndsBeforeItStarts(Refusal):
    """No day lies between the first and the last day of the basis."""

    valid_from: date
    must_end_by: date


@dataclass(eq=False)
class ConvertedSentenceIsLonger(Refusal):
    """A sentence carried on or converted elsewhere ends no later than the one it replaces."""

    replaces: str
    must_end_by: date


@dataclass(eq=False)
class ReleaseDateIsAfterEveryBasisEnds(Refusal):
    """Custody would outlast its ground."""

    person: str
    last_lawful_date: date


@dataclass(eq=False)
class ReleaseDateWouldLengthenCustody(Refusal):
    """Nothing about the ground has changed since the earlier date was set."""

    person: str
    release_due_on: date


def _person_refusals(register: Register, ask: RegisterPerson, _call: Call) -> Iterator[Refusal]:
    if ask.person is not None and register.knows("person", ask.person):
        yield IdentityIsAlreadyRegistered(ask.person)


def _person_records(_register: Register, ask: RegisterPerson, _call: Call) -> list[Draft]:
    person = ask.person or fresh("person")
    draws = () if ask.person else ("person",)
    return [Draft(stream=f"person:{person}", body=body_of(PersonRegistered, ask, person=person), draws=draws)]


def _basis_refusals(register: Register, ask: RecordBasis, _call: Call) -> Iterator[Refusal]:
    if ask.basis is not None and register.knows("basis", f"{ask.person}/{ask.basis}"):
        yield BasisIsAlreadyRecorded(ask.basis)
    if ask.must_end_by is None and not (ask.indeterminate and ask.review_due_by is not None):
        yield BasisHasNoEnd(ask.person)
    if ask.must_end_by is not None and ask.must_end_by < ask.valid_from:
        yield BasisEndsBeforeItStarts(ask.valid_from, ask.must_end_by)
    if ask.replaces is not None and ask.conversion is not None:
        replaced = head_of(register, ask.person).bases.get(BasisId(ask.replaces))
        limit = replaced.body.must_end_by if replaced is not None else None
        if limit is not None and (ask.must_end_by is None or ask.must_end_by > limit):
            yield ConvertedSentenceIsLonger(ask.replaces, limit)


def _basis_records(_register: Register, ask: RecordBasis, _call: Call) -> list[Draft]:
    basis = ask.basis or fresh("basis")
    draws = () if ask.basis else ("basis",)
    return [Draft(stream=f"person:{ask.person}", body=body_of(CustodyBasisRecorded, ask, basis=basis), draws=draws)]


def _basis_names(ask: RecordBasis) -> Iterator[Named]:
    yield Named("person", ask.person)
    yield Named("authority", ask.ordering_authority)
    if ask.replaces is not None:
        yield Named("basis", ask.replaces, scope=ask.person)


def _release_date_refusals(register: Register, ask: SetReleaseDate, call: Call) -> Iterator[Refusal]:
    head = head_of(register, ask.person)
    day = local_date(ask.when(call.now), zone_of(register, head, None))
    yield from dead(ask.person, head)
    live = head.live_bases(day)
    if not live:
        yield BasisIsNotLive(ask.person, day)
    last = last_lawful_date(head.bases.values(), day)
    if last is not None and ask.release_due_on > last:
        yield ReleaseDateIsAfterEveryBasisEnds(ask.person, last)
    in_force = head.release_date
    if in_force is None or ask.release_due_on <= in_force.body.release_due_on:
        return
    if not any(basis.recorded.position > in_force.recorded.position for basis in head.bases.values()):
        yield ReleaseDateWouldLengthenCustody(ask.person, in_force.body.release_due_on)


def _release_date_records(_register: Register, ask: SetReleaseDate, _call: Call) -> list[Draft]:
    return [Draft(stream=f"person:{ask.person}", body=body_of(ReleaseDateSet, ask))]


RULES: tuple[AnyRule, ...] = (
    Rule(
        command=RegisterPerson,
        subject=lambda _register, ask: f"person:{ask.person or fresh('person')}",
        roles=("sending",),
        brings=lambda ask: Named("person", ask.person) if ask.person is not None else None,
        refusals=_person_refusals,
        records=_person_records,
    ),
    Rule(
        command=RecordBasis,
        subject=lambda _register, ask: f"person:{ask.person}",
        roles=ORDERING,
        names=_basis_names,
        brings=lambda ask: Named("basis", ask.basis, scope=ask.person) if ask.basis is not None else None,
        refusals=_basis_refusals,
        records=_basis_records,
    ),
    Rule(
        command=SetReleaseDate,
        subject=lambda _register, ask: f"person:{ask.person}",
        roles=ORDERING,
        names=lambda ask: [
            Named("person", ask.person),
            *(Named("basis", basis, scope=ask.person) for basis in ask.bases),
        ],
        refusals=_release_date_refusals,
        records=_release_date_records,
    ),
)
