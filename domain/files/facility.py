"""A facility's file: its zone, its capacity certificates, its regime."""

from __future__ import annotations

from datetime import date, datetime

import msgspec
from msgspec.structs import replace

from domain.events.event import Event
from domain.events.facility import FacilityCapacityCertified, FacilityRegimeSet, FacilityRegistered
from domain.names import AuthorityId, FacilityId


class FacilityFile(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One registered place; certificates and regimes in recorded order."""

    body: FacilityRegistered
    version: int
    certificates: tuple[FacilityCapacityCertified, ...] = ()
    regimes: tuple[FacilityRegimeSet, ...] = ()

    @property
    def facility(self) -> FacilityId:
        """Its id."""
        return self.body.facility

    @property
    def authority(self) -> AuthorityId:
        """The authority that runs it."""
        return self.body.authority

    def certificate_on(self, day: date) -> FacilityCapacityCertified | None:
        """The certificate in force on that local date: the latest `from` reached, of two equal ones the later."""
        reached = [item for item in self.certificates if item.from_ <= day]
        return max(reversed(reached), key=lambda item: item.from_, default=None)

    def regime_at(self, instant: datetime) -> FacilityRegimeSet | None:
        """The regime in force at that instant; `None` before the first: use permitted, supervision as registered."""
        reached = [item for item in self.regimes if item.from_ <= instant]
        return max(reversed(reached), key=lambda item: item.from_, default=None)

    def is_prohibited_at(self, instant: datetime) -> bool:
        """Whether the place takes nobody in at that instant."""
        regime = self.regime_at(instant)
        return regime is not None and regime.use == "prohibited"

    def supervisor_at(self, instant: datetime) -> AuthorityId:
        """Who supervises it at that instant; the registration's counts for all time before the first regime."""
        regime = self.regime_at(instant)
        return self.body.supervising_authority if regime is None else regime.supervising_authority


def evolve(file: FacilityFile | None, event: Event) -> FacilityFile | None:
    """Fold one more event of the facility's stream."""
    match event.body:
        case FacilityRegistered() as body:
            return FacilityFile(body=body, version=event.stream_version)
        case FacilityCapacityCertified() as body if file is not None:
            return replace(file, certificates=(*file.certificates, body), version=event.stream_version)
        case FacilityRegimeSet() as body if file is not None:
            return replace(file, regimes=(*file.regimes, body), version=event.stream_version)
        case _:
            return file
