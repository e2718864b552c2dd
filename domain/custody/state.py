"""Where a person's custody stands: the value the fold produces and every rule and view reads.

Three step functions of time lie beside the status: who is legally responsible, who holds the person, where the person
is. Each carries since when it holds and the position of the event that made it so.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from types import MappingProxyType
from typing import Any, Generic, Literal, TypeVar

import msgspec

from domain.events.event import Event
from domain.events.person import (
    CustodyBasisRecorded,
    HandoverOffered,
    HoldPlaced,
    PersonReleased,
    ReleaseDateSet,
    ReleaseOrdered,
)
from domain.events.transfer import Reserved, TransferRequested
from domain.names import AuthorityId, BasisId, FacilityId, HandoverId, HoldId, ReleaseId, TransferId

Status = Literal[
    "none", "held", "in-transit", "absent", "escaped", "released-unverified", "released", "dead", "outside"
]
TransferStatus = Literal[
    "requested", "approved", "in-transit", "refused", "completed", "returned", "rejected", "cancelled", "ended"
]
OfferStatus = Literal["open", "accepted", "refused", "lapsed"]
Confidence = Literal["confirmed", "one-sided", "contradicted", "unaccounted"]


T = TypeVar("T", covariant=True)


class Step(msgspec.Struct, Generic[T], frozen=True, gc=False):
    """One value of a step function of time: what holds, since when, by which position."""

    value: T
    since: datetime
    ref: int


class Basis(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One recorded ground for custody; `body.must_end_by` is its last valid local date, none where indeterminate."""

    body: CustodyBasisRecorded
    recorded: Event

    def is_valid_on(self, day: date) -> bool:
        """Whether it justifies custody on that local date."""
        return self.body.valid_from <= day and (self.body.must_end_by is None or day <= self.body.must_end_by)


class ReleaseDate(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The release date in force."""

    body: ReleaseDateSet
    recorded: Event


class ReleaseOrder(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A release ordered and not yet carried out."""

    body: ReleaseOrdered
    recorded: Event


class Release(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The latest release that moved the status, and what became of it."""

    body: PersonReleased
    recorded: Event
    verified: Event | None = None
    erroneous: Event | None = None


class Offer(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One handover: the offer and its answer.

    `status` is the answer alone; whether an unanswered offer is lapsed because of its transfer or the person's status
    is already worked in (derived, so it opens again when that ends).
    """

    body: HandoverOffered
    recorded: Event
    status: OfferStatus
    answer: Event | None = None


class Hold(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A hold by a court and, once lifted, the instant from which it no longer binds."""

    body: HoldPlaced
    placed: Event
    lifted: Event | None = None
    lifted_at: datetime | None = None

    def in_force_at(self, instant: datetime) -> bool:
        """Whether it forbids its acts at that instant."""
        if instant < self.body.effective_at or (self.body.until is not None and instant >= self.body.until):
            return False
        return self.lifted_at is None or instant < self.lifted_at


class TransferState(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One transfer of the person, folded by slot (DOMAIN §4.1).

    `approvals_required` are the roles whose approval the agreement's terms ask for; `closed` is the event that ended
    or completed it.
    """

    body: TransferRequested
    requested: Event
    status: TransferStatus
    approvals: tuple[Event, ...] = ()
    evidence: tuple[Event, ...] = ()
    approvals_required: tuple[str, ...] = ("receiving",)
    reserved: Reserved | None = None
    departed: bool = False
    closed: Event | None = None

    @property
    def is_open(self) -> bool:
        """Whether it still stands: requested, approved, in transit or refused."""
        return self.status in ("requested", "approved", "in-transit", "refused")


class Cause(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A reason why the register may not know where a person is (DOMAIN §6.3); unaccounted from `begins` + grace on."""

    code: str
    anchor: int
    begins: datetime
    unaccounted_from: datetime


_NONE: Mapping[Any, Any] = MappingProxyType({})


class CustodyState(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a person's counting facts amount to at one instant and one knowledge.

    `placement` is the facility that counts the person (while held or absent), with since and ref; `None` otherwise.
    `stay_since` is when the present stay began. `responsible` and `custodian` are `None` while the file is closed;
    `last_responsible` and `last_custodian` are those to whom a contradicting fact hands it back. `release` is the
    latest release that moved the status, `releases` all of them. `causes` are those begun and not resolved, `basis` the
    ground cited for the present stay. `last_change` is the instant of the latest fact of DOMAIN §4.4 that took effect:
    an opening, move, acceptance, release, verification or declaration of error, but no presence, no report by another
    authority than the custodian, and not the registration.
    """

    status: Step[Status]
    responsible: Step[AuthorityId | None]
    custodian: Step[AuthorityId | None]
    at: Step[str]
    file_open: bool
    placement: Step[FacilityId] | None = None
    stay_since: datetime | None = None
    last_facility: FacilityId | None = None
    last_custodian: AuthorityId | None = None
    last_responsible: AuthorityId | None = None
    bases: Mapping[BasisId, Basis] = _NONE
    release_date: ReleaseDate | None = None
    order: ReleaseOrder | None = None
    release: Release | None = None
    releases: Mapping[ReleaseId, Release] = _NONE
    offers: Mapping[HandoverId, Offer] = _NONE
    holds: Mapping[HoldId, Hold] = _NONE
    transfers: Mapping[TransferId, TransferState] = _NONE
    causes: tuple[Cause, ...] = ()
    basis: BasisId | None = None
    contradicted: bool = False
    last_change: datetime | None = None

    @property
    def file(self) -> Literal["open", "closed"]:
        """The file as views show it."""
        return "open" if self.file_open else "closed"

    @property
    def is_dead(self) -> bool:
        """Whether the person has died."""
        return self.status.value == "dead"

    @property
    def in_custody(self) -> bool:
        """Whether somebody deprives the person of liberty: held, in transit or absent, the file being open."""
        return self.file_open and self.status.value in ("held", "in-transit", "absent")

    @property
    def open_offer(self) -> Offer | None:
        """The offer that waits for an answer, if one does."""
        return next((offer for offer in self.offers.values() if offer.status == "open"), None)

    def live_bases(self, day: date) -> tuple[Basis, ...]:
        """The bases that justify custody on that local date, in recorded order."""
        return tuple(basis for basis in self.bases.values() if basis.is_valid_on(day))

    def holds_at(self, instant: datetime) -> tuple[Hold, ...]:
        """The holds in force at that instant."""
        return tuple(hold for hold in self.holds.values() if hold.in_force_at(instant))

    def unaccounted(self, instant: datetime) -> tuple[Cause, ...]:
        """The causes whose grace is over at that instant: while there is one, the person is unaccounted."""
        return tuple(cause for cause in self.causes if cause.unaccounted_from <= instant)
