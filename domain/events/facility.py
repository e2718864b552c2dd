"""What is recorded about a facility: its zone, its certified capacity, its regime."""

from __future__ import annotations

from datetime import date, datetime
from typing import ClassVar

from domain.events.event import Body, Fact
from domain.names import AuthorityId, Digest, FacilityId, OfficerId, StateCode, Zone


class FacilityRegistered(Fact, frozen=True, kw_only=True):
    """A place recognised for deprivation of liberty; its zone fixes its local day (ICPPED art. 17(3)(d))."""

    wire: ClassVar[str] = "facility-registered.v1"
    stream_kind: ClassVar[str] = "facility"
    facility: FacilityId
    authority: AuthorityId
    state: StateCode
    kind: str
    zone: Zone
    recognised_by: Digest
    supervising_authority: AuthorityId


class FacilityCapacityCertified(Fact, frozen=True, kw_only=True):
    """The most persons the facility may hold from a local date on (Mandela Rule 10)."""

    wire: ClassVar[str] = "facility-capacity-certified.v1"
    stream_kind: ClassVar[str] = "facility"
    operational_capacity: int
    normal_accommodation: int | None = None
    from_: date
    certificate: Digest
    approved_by: tuple[OfficerId, ...]


class FacilityRegimeSet(Fact, frozen=True, kw_only=True):
    """Who supervises the facility and whether it may be used, from an instant on."""

    wire: ClassVar[str] = "facility-regime-set.v1"
    stream_kind: ClassVar[str] = "facility"
    supervising_authority: AuthorityId
    use: str
    from_: datetime
    ground: Digest | None = None


EVENTS: tuple[type[Body], ...] = (FacilityRegistered, FacilityCapacityCertified, FacilityRegimeSet)
