"""What is recorded about a transfer: its request, the evidence for its conditions, its decision."""

from __future__ import annotations

from datetime import date
from typing import ClassVar

import msgspec

from domain.events.event import Body, Fact
from domain.names import AgreementId, BasisId, Digest, FacilityId, OfficerId, PersonId, Sealed, TransferId


class TransferRequested(Fact, frozen=True, kw_only=True):
    """The sending side asks to move one person; `outcomes` are those of the conditions judged at the request."""

    wire: ClassVar[str] = "transfer-requested.v1"
    stream_kind: ClassVar[str] = "transfer"
    transfer: TransferId
    person: PersonId
    agreement: AgreementId
    revision: int
    rule_sets: tuple[str, ...]
    basis: BasisId
    from_facility: FacilityId
    to_facility: FacilityId | None = None
    purpose: str
    window_from: date
    window_to: date
    responsibility_after: str
    outcomes: dict[str, str]


class ConditionEvidenced(Fact, frozen=True, kw_only=True):
    """One authority's evidence for one condition; its latest record counts (DOMAIN §5.2)."""

    wire: ClassVar[str] = "condition-evidenced.v1"
    stream_kind: ClassVar[str] = "transfer"
    rule_set: str
    condition: str
    outcome: str
    evidence: Digest
    opened_fields: tuple[str, ...]


class Override(msgspec.Struct, gc=False, frozen=True, kw_only=True):
    """Two officers lift the limit of a full facility."""

    approved_by: tuple[OfficerId, ...]
    reason: str


class Reserved(msgspec.Struct, gc=False, frozen=True, kw_only=True, rename={"from_": "from"}):
    """A place kept for local dates `from` to `to`, both inclusive."""

    facility: FacilityId
    from_: date
    to: date


class TransferApproved(Fact, frozen=True, kw_only=True):
    """One approval the agreement asks for, `as` receiving or court; it reserves a place."""

    wire: ClassVar[str] = "transfer-approved.v1"
    stream_kind: ClassVar[str] = "transfer"
    as_: str
    outcomes: dict[str, str]
    reserved: Reserved
    override: Override | None = None


class TransferRejected(Fact, frozen=True, kw_only=True):
    """An approving role closes the transfer."""

    wire: ClassVar[str] = "transfer-rejected.v1"
    stream_kind: ClassVar[str] = "transfer"
    reason: str
    explanation: Sealed | None = None


class TransferCancelled(Fact, frozen=True, kw_only=True):
    """The transfer is closed before departure and its place is free again."""

    wire: ClassVar[str] = "transfer-cancelled.v1"
    stream_kind: ClassVar[str] = "transfer"
    reason: str
    fault: str
    explanation: Sealed | None = None


EVENTS: tuple[type[Body], ...] = (
    TransferRequested,
    ConditionEvidenced,
    TransferApproved,
    TransferRejected,
    TransferCancelled,
)
