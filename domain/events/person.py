"""What is recorded on a person's own stream: the whole record of that person's custody."""

from __future__ import annotations

from datetime import date, datetime
from typing import ClassVar

import msgspec

from domain.events.event import Body, DualFact, Fact
from domain.events.transfer import Override
from domain.names import (
    AuthorityId,
    BasisId,
    Digest,
    EventId,
    FacilityId,
    HandoverId,
    HoldId,
    MovementId,
    OfficerId,
    PersonId,
    ReleaseId,
    Sealed,
    StateCode,
    TransferId,
)


class PersonRegistered(Fact, frozen=True, kw_only=True):
    """Opens a person's file; no custody yet. `attributes` are commitments by field name."""

    wire: ClassVar[str] = "person-registered.v1"
    stream_kind: ClassVar[str] = "person"
    person: PersonId
    identity_status: str
    attributes: dict[str, Sealed]


class CustodyBasisRecorded(Fact, frozen=True, kw_only=True):
    """The legal order that justifies custody, with its end or its review date (Mandela Rule 7)."""

    wire: ClassVar[str] = "custody-basis-recorded.v1"
    stream_kind: ClassVar[str] = "person"
    basis: BasisId
    kind: str
    ordering_authority: AuthorityId
    instrument: Digest
    valid_from: date
    must_end_by: date | None = None
    indeterminate: bool
    review_due_by: date | None = None
    replaces: BasisId | None = None
    conversion: str | None = None
    grounds: Sealed | None = None


class ReleaseDateSet(Fact, frozen=True, kw_only=True):
    """The last lawful local date of custody, as the ordering State computed it."""

    wire: ClassVar[str] = "release-date-set.v1"
    stream_kind: ClassVar[str] = "person"
    release_due_on: date
    bases: tuple[BasisId, ...]
    method: str
    inputs: Digest


class HoldPlaced(Fact, frozen=True, kw_only=True):
    """A court forbids the named acts from `effective_at` on."""

    wire: ClassVar[str] = "hold-placed.v1"
    stream_kind: ClassVar[str] = "person"
    hold: HoldId
    forbids: tuple[str, ...]
    effective_at: datetime
    until: datetime | None = None
    instrument: Digest
    case: Sealed | None = None


class HoldLifted(Fact, frozen=True, kw_only=True):
    """The court ends its hold."""

    wire: ClassVar[str] = "hold-lifted.v1"
    stream_kind: ClassVar[str] = "person"
    hold: HoldId
    effective_at: datetime
    instrument: Digest


class Particulars(msgspec.Struct, gc=False, frozen=True, kw_only=True):
    """What was recorded at admission: a commitment each, or `none` (Mandela Rule 7)."""

    reasons: str
    injuries: str
    complaints: str
    property: str
    family: str
    emergency_contact: str


class CustodyOpened(DualFact, frozen=True, kw_only=True):
    """An authority takes a person nobody holds; opens a spell (ICPPED art. 17(3)(b))."""

    wire: ClassVar[str] = "custody-opened.v1"
    stream_kind: ClassVar[str] = "person"
    facility: FacilityId
    authority: AuthorityId
    basis: BasisId | None = None
    entry: str
    deprived_at: datetime
    deprived_by: AuthorityId
    supervising_authority: AuthorityId
    override: Override | None = None
    particulars: Particulars


class MovedWithin(DualFact, frozen=True, kw_only=True):
    """The custodian moves the person between its own places."""

    wire: ClassVar[str] = "moved-within.v1"
    stream_kind: ClassVar[str] = "person"
    from_facility: FacilityId
    to_facility: FacilityId
    reason: str
    override: Override | None = None


class PresenceReported(Fact, frozen=True, kw_only=True):
    """Somebody states where the person is; moves whereabouts only."""

    wire: ClassVar[str] = "presence-reported.v1"
    stream_kind: ClassVar[str] = "person"
    facility: FacilityId | None = None
    place: str | None = None
    since: datetime
    how: str


class ReleasingSide(msgspec.Struct, gc=False, frozen=True, kw_only=True):
    """The side that gives a person over, with its officer."""

    authority: AuthorityId
    facility: FacilityId
    officer: OfficerId


class ExpectedSide(msgspec.Struct, gc=False, frozen=True, kw_only=True):
    """The side an offer is made to."""

    authority: AuthorityId
    facility: FacilityId


class IdentityCheck(msgspec.Struct, gc=False, frozen=True, kw_only=True):
    """How the person was identified at the handover, and the result."""

    method: str
    result: str


class HandoverOffered(Fact, frozen=True, kw_only=True):
    """First half of a handover: custody still lies with the releasing side."""

    wire: ClassVar[str] = "handover-offered.v1"
    stream_kind: ClassVar[str] = "person"
    handover: HandoverId
    transfer: TransferId
    movement: MovementId | None = None
    manifest_revision: int | None = None
    place: FacilityId
    releasing: ReleasingSide
    receiving: ExpectedSide
    identity_check: IdentityCheck
    condition: Sealed | None = None
    property_seals: tuple[Sealed, ...]
    documents: tuple[Digest, ...]


class HandoverAccepted(Fact, frozen=True, kw_only=True):
    """Second half: custody passes now, legal responsibility as the transfer says."""

    wire: ClassVar[str] = "handover-accepted.v1"
    stream_kind: ClassVar[str] = "person"
    handover: HandoverId
    answers: str
    offer_sha256: Digest | None = None
    receiving: ReleasingSide
    place: FacilityId
    identity_check: IdentityCheck
    condition: Sealed | None = None
    property_seals: tuple[Sealed, ...]
    documents: tuple[Digest, ...]
    override: Override | None = None


class HandoverRefused(Fact, frozen=True, kw_only=True):
    """The receiving side declines; the person stays with the releasing side."""

    wire: ClassVar[str] = "handover-refused.v1"
    stream_kind: ClassVar[str] = "person"
    handover: HandoverId
    answers: str
    offer_sha256: Digest | None = None
    reasons: tuple[str, ...]
    explanation: Sealed | None = None


class ReleaseOrdered(Fact, frozen=True, kw_only=True):
    """A court or the ordering State orders the release by `due_at`."""

    wire: ClassVar[str] = "release-ordered.v1"
    stream_kind: ClassVar[str] = "person"
    release: ReleaseId
    ground: str
    bases: tuple[BasisId, ...]
    due_at: datetime
    conditions: Sealed | None = None
    instrument: Digest


class ReleaseChecks(msgspec.Struct, gc=False, frozen=True, kw_only=True):
    """What was checked before the person left."""

    identity: bool
    warrants: bool
    property: bool
    money: bool
    papers: bool
    file_copy: bool


class PersonReleased(DualFact, frozen=True, kw_only=True):
    """The custodian lets the person go; custody days stop, the file stays open until the release is verified."""

    wire: ClassVar[str] = "person-released.v1"
    stream_kind: ClassVar[str] = "person"
    release: ReleaseId
    facility: FacilityId
    kind: str
    to_authority: AuthorityId | None = None
    to_state: StateCode | None = None
    checks: ReleaseChecks


class ReleaseVerified(Fact, frozen=True, kw_only=True):
    """Somebody outside the recording authority confirms the release; closes the file (ICPPED art. 21)."""

    wire: ClassVar[str] = "release-verified.v1"
    stream_kind: ClassVar[str] = "person"
    release: ReleaseId
    how: str
    evidence: Digest


class ReleaseDeclaredErroneous(Fact, frozen=True, kw_only=True):
    """The release was without lawful ground: it closes nothing."""

    wire: ClassVar[str] = "release-declared-erroneous.v1"
    stream_kind: ClassVar[str] = "person"
    release: ReleaseId
    reason: str
    instrument: Digest | None = None


class Countersignature(msgspec.Struct, gc=False, frozen=True, kw_only=True):
    """The officer of the other side (or of an auditor) who confirms a correction."""

    authority: AuthorityId
    officer: OfficerId


class FactCorrected(Fact, frozen=True, kw_only=True):
    """Declares an earlier event wrong: `did-not-occur`, `incorrect-data` with its replacement, or `duplicate`."""

    wire: ClassVar[str] = "fact-corrected.v1"
    stream_kind: ClassVar[str] = "person"
    corrects: EventId
    reason: str
    replacement: EventId | None = None
    kept: EventId | None = None
    countersigned_by: Countersignature | None = None
    explanation: Sealed | None = None


EVENTS: tuple[type[Body], ...] = (
    PersonRegistered,
    CustodyBasisRecorded,
    ReleaseDateSet,
    HoldPlaced,
    HoldLifted,
    CustodyOpened,
    MovedWithin,
    PresenceReported,
    HandoverOffered,
    HandoverAccepted,
    HandoverRefused,
    ReleaseOrdered,
    PersonReleased,
    ReleaseVerified,
    ReleaseDeclaredErroneous,
    FactCorrected,
)
