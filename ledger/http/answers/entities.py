"""Entities as the register has them at the head, each with the version of its file.

What was recorded stands in them unchanged, beside the position and the leaf hash of the event that recorded it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

from domain.custody.state import CustodyState, Offer, Release, Step, TransferState
from domain.events.authority import Role
from domain.events.event import Event
from domain.events.facility import FacilityCapacityCertified, FacilityRegimeSet
from domain.events.transfer import Reserved
from domain.files.agreement import AgreementFile, Revision, Schedule
from domain.files.authority import AuthorityFile
from domain.files.facility import FacilityFile
from domain.files.person import PersonFile


class Shape(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"from_": "from"}):
    """Part of an answer; every field is always there, `null` where there is nothing to say."""


class Link(Shape, frozen=True, kw_only=True):
    """Where a command about an entity is sent."""

    href: str


Links = dict[str, Link]
"""The commands that the reader may try next with an entity, as far as can be seen: by name, in what is read alone."""


class Stated(Shape, frozen=True, kw_only=True):
    """One recorded event: who stated it when, and its body as recorded."""

    position: int
    event_id: str
    type: str
    leaf_hash: str
    authority: str
    officer: str
    occurred_at: datetime
    recorded_at: datetime
    body: Any


class Cell(Shape, frozen=True, kw_only=True):
    """A state: what holds, since when, by which position."""

    value: str | None
    since: datetime
    ref: int


class Authority(Shape, frozen=True, kw_only=True):
    """A public body, the State it is of, and the roles it holds."""

    authority: str
    state: str
    parent: str | None
    legal_name: str
    outside_register: bool
    roles: tuple[Role, ...]
    version: int


class Facility(Shape, frozen=True, kw_only=True):
    """A place, with its capacity certificates and regimes in the order in which they were recorded."""

    facility: str
    authority: str
    state: str
    kind: str
    zone: str
    recognised_by: str
    supervising_authority: str
    certificates: tuple[FacilityCapacityCertified, ...]
    regimes: tuple[FacilityRegimeSet, ...]
    version: int


class AgreementRevision(Shape, frozen=True, kw_only=True):
    """One draft of an agreement, and who has signed it."""

    revision: int
    is_signed: bool
    drafted: Stated
    signatures: tuple[Stated, ...]


class FeeSchedule(Shape, frozen=True, kw_only=True):
    """One proposed price list, and its signature by the other treasury."""

    schedule: str
    proposed: Stated
    signed: Stated | None


class Agreement(Shape, frozen=True, kw_only=True):
    """An agreement with everything recorded on it."""

    agreement: str
    revisions: tuple[AgreementRevision, ...]
    schedules: tuple[FeeSchedule, ...]
    closed_periods: tuple[Stated, ...]
    invoices: tuple[str, ...]
    version: int


class Transfer(Shape, frozen=True, kw_only=True):
    """A transfer from its request to its end."""

    transfer: str
    person: str
    agreement: str
    purpose: str
    status: str
    requested: Stated
    evidence: tuple[Stated, ...]
    approvals_required: tuple[str, ...]
    approvals: tuple[Stated, ...]
    reserved: Reserved | None
    closed: Stated | None
    version: int


class Handover(Shape, frozen=True, kw_only=True):
    """A handover: the offer, which its answer must name by `leaf_hash`, and the answer."""

    handover: str
    transfer: str
    person: str
    status: str
    leaf_hash: str
    offered: Stated
    answer: Stated | None
    version: int


class HoldOn(Shape, frozen=True, kw_only=True):
    """A court's hold on a person."""

    hold: str
    in_force: bool
    placed: Stated
    lifted: Stated | None


class ReleaseOf(Shape, frozen=True, kw_only=True):
    """A release, and what became of it."""

    release: str
    released: Stated
    verified: Stated | None
    declared_erroneous: Stated | None


class Standing(Shape, frozen=True, kw_only=True):
    """A transfer or a handover of a person, and how it stands."""

    id: str
    status: str


class Person(Shape, frozen=True, kw_only=True):
    """A person's file at the head: custody, grounds, holds, and what is under way."""

    person: str
    registered_by: str | None
    identity_status: str | None
    file: str
    status: Cell
    responsible: Cell
    custodian: Cell
    at: Cell
    basis: str | None
    bases: tuple[Stated, ...]
    release_date: Stated | None
    release_order: Stated | None
    releases: tuple[ReleaseOf, ...]
    holds: tuple[HoldOn, ...]
    transfers: tuple[Standing, ...]
    handovers: tuple[Standing, ...]
    flags: tuple[str, ...]
    version: int


class AuthorityInFull(Authority, frozen=True, kw_only=True):
    """A public body by itself, with what the reader may do next."""

    links: Links = msgspec.field(name="_links")


class FacilityInFull(Facility, frozen=True, kw_only=True):
    """A place by itself, with what the reader may do next."""

    links: Links = msgspec.field(name="_links")


class AgreementInFull(Agreement, frozen=True, kw_only=True):
    """An agreement by itself, with what the reader may do next."""

    links: Links = msgspec.field(name="_links")


class TransferInFull(Transfer, frozen=True, kw_only=True):
    """A transfer by itself, with what the reader may do next."""

    links: Links = msgspec.field(name="_links")


class HandoverInFull(Handover, frozen=True, kw_only=True):
    """A handover by itself, with what the reader may do next."""

    links: Links = msgspec.field(name="_links")


class PersonInFull(Person, frozen=True, kw_only=True):
    """A person's file by itself, with what the reader may do next."""

    links: Links = msgspec.field(name="_links")


T = TypeVar("T")


def stated(event: Event) -> Stated:
    """An event as part of an answer."""
    return Stated(
        position=event.position,
        event_id=event.event_id,
        type=event.wire,
        leaf_hash=event.leaf_hash,
        authority=event.actor.authority,
        officer=event.actor.officer,
        occurred_at=event.occurred_at,
        recorded_at=event.recorded_at,
        body=event.body,
    )


def _maybe(event: Event | None) -> Stated | None:
    return stated(event) if event is not None else None


def _all(events: Sequence[Event]) -> tuple[Stated, ...]:
    return tuple(stated(event) for event in events)


def _cell(step: Step[T]) -> Cell:
    value = str(step.value) if step.value is not None else None
    return Cell(value=value, since=step.since.astimezone(UTC), ref=step.ref)


def authority(file: AuthorityFile) -> Authority:
    """An authority's file as it is answered."""
    return Authority(
        authority=file.authority,
        state=file.state,
        parent=file.parent,
        legal_name=file.legal_name,
        outside_register=file.outside_register,
        roles=file.roles,
        version=file.version,
    )


def facility(file: FacilityFile) -> Facility:
    """A facility's file as it is answered."""
    body = file.body
    return Facility(
        facility=body.facility,
        authority=body.authority,
        state=body.state,
        kind=body.kind,
        zone=body.zone,
        recognised_by=body.recognised_by,
        supervising_authority=body.supervising_authority,
        certificates=file.certificates,
        regimes=file.regimes,
        version=file.version,
    )


def agreement(file: AgreementFile) -> Agreement:
    """An agreement's file as it is answered."""
    return Agreement(
        agreement=file.agreement,
        revisions=tuple(_revision(item) for item in file.revisions),
        schedules=tuple(_schedule(item) for item in file.schedules),
        closed_periods=_all(file.closed),
        invoices=file.invoices,
        version=file.version,
    )


def _revision(item: Revision) -> AgreementRevision:
    return AgreementRevision(
        revision=item.body.revision,
        is_signed=item.is_signed,
        drafted=stated(item.drafted),
        signatures=_all(item.signatures),
    )


def _schedule(item: Schedule) -> FeeSchedule:
    return FeeSchedule(schedule=item.body.schedule, proposed=stated(item.proposed), signed=_maybe(item.signed))


def transfer(state: TransferState, version: int) -> Transfer:
    """A transfer as it is answered; `version` is that of its own stream."""
    body = state.body
    return Transfer(
        transfer=body.transfer,
        person=body.person,
        agreement=body.agreement,
        purpose=body.purpose,
        status=state.status,
        requested=stated(state.requested),
        evidence=_all(state.evidence),
        approvals_required=state.approvals_required,
        approvals=_all(state.approvals),
        reserved=state.reserved,
        closed=_maybe(state.closed),
        version=version,
    )


def handover(offer: Offer, person_id: str, version: int) -> Handover:
    """A handover as it is answered; `version` is that of the person's stream, where both halves stand."""
    return Handover(
        handover=offer.body.handover,
        transfer=offer.body.transfer,
        person=person_id,
        status=offer.status,
        leaf_hash=offer.recorded.leaf_hash,
        offered=stated(offer.recorded),
        answer=_maybe(offer.answer),
        version=version,
    )


def person(file: PersonFile, flags: tuple[str, ...], now: datetime) -> Person:
    """A person's file as it is answered; holds are in force or not at `now`."""
    head: CustodyState = file.head
    return Person(
        person=file.person,
        registered_by=file.registered_by,
        identity_status=file.identity_status,
        file=head.file,
        status=_cell(head.status),
        responsible=_cell(head.responsible),
        custodian=_cell(head.custodian),
        at=_cell(head.at),
        basis=head.basis,
        bases=_all([basis.recorded for basis in head.bases.values()]),
        release_date=_maybe(head.release_date.recorded if head.release_date is not None else None),
        release_order=_maybe(head.order.recorded if head.order is not None else None),
        releases=tuple(_release(item) for item in head.releases.values()),
        holds=tuple(
            HoldOn(
                hold=item.body.hold,
                in_force=item.in_force_at(now),
                placed=stated(item.placed),
                lifted=_maybe(item.lifted),
            )
            for item in head.holds.values()
        ),
        transfers=tuple(Standing(id=id_, status=item.status) for id_, item in head.transfers.items()),
        handovers=tuple(Standing(id=id_, status=item.status) for id_, item in head.offers.items()),
        flags=flags,
        version=file.version,
    )


def _release(item: Release) -> ReleaseOf:
    return ReleaseOf(
        release=item.body.release,
        released=stated(item.recorded),
        verified=_maybe(item.verified),
        declared_erroneous=_maybe(item.erroneous),
    )
