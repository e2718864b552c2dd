"""An agreement's file: revisions and their signatures, fee schedules, closed periods, money on account."""

from __future__ import annotations

from datetime import date

import msgspec
from msgspec.structs import replace

from domain.events.agreement import (
    AgreementDrafted,
    AgreementSigned,
    CustodyDaysClosed,
    FeeScheduleProposed,
    FeeScheduleSigned,
    PaymentReceived,
)
from domain.events.event import Event
from domain.events.invoice import InvoiceIssued
from domain.names import AgreementId, AuthorityId, InvoiceNumber, ScheduleId
from domain.terms import Terms, read_terms


class Revision(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One drafted revision and who has signed it, in recorded order."""

    body: AgreementDrafted
    drafted: Event
    terms: Terms | None
    signatures: tuple[Event, ...] = ()

    @property
    def is_signed(self) -> bool:
        """Whether every party has signed."""
        return {party.authority for party in self.body.parties} <= {item.actor.authority for item in self.signatures}

    def party(self, side: str) -> AuthorityId:
        """The authority on that side, `sending` or `receiving`."""
        return next(party.authority for party in self.body.parties if party.role == side)

    def side_of(self, authority: AuthorityId) -> str | None:
        """The side an authority stands on, `None` where it is no party."""
        return next((party.role for party in self.body.parties if party.authority == authority), None)


class Schedule(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One proposed fee schedule, and its signature by the other treasury once given."""

    body: FeeScheduleProposed
    proposed: Event
    signed: Event | None = None


class AgreementFile(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """All that is recorded on one agreement."""

    agreement: AgreementId
    version: int
    revisions: tuple[Revision, ...] = ()
    schedules: tuple[Schedule, ...] = ()
    closed: tuple[Event, ...] = ()
    invoices: tuple[InvoiceNumber, ...] = ()
    on_account: tuple[Event, ...] = ()

    def revision(self, number: int) -> Revision | None:
        """The revision of that number."""
        return next((item for item in self.revisions if item.body.revision == number), None)

    def in_force(self, on: date) -> Revision | None:
        """The revision in force on that UTC date: signed by all, begun and not ended; the latest such one.

        A later revision supersedes an earlier one from its own `from` on.
        """
        signed = [item for item in self.revisions if item.is_signed and item.body.from_ <= on]
        latest = max(signed, key=lambda item: item.body.revision, default=None)
        return latest if latest is not None and on <= latest.body.to else None

    def schedule(self, schedule: ScheduleId) -> Schedule | None:
        """The schedule of that id, at its latest revision."""
        return next((item for item in reversed(self.schedules) if item.body.schedule == schedule), None)


def evolve(file: AgreementFile | None, event: Event) -> AgreementFile | None:
    """Fold one more event that touches the agreement: its own stream's, and the headers of its invoices."""
    if isinstance(event.body, AgreementDrafted):
        file = file or AgreementFile(agreement=AgreementId(event.body.agreement), version=0)
        revision = Revision(body=event.body, drafted=event, terms=read_terms(event.body.terms))
        return replace(file, revisions=(*file.revisions, revision), version=event.stream_version)
    if file is None:
        return None
    if isinstance(event.body, InvoiceIssued):
        return replace(file, invoices=(*file.invoices, event.body.number))
    return replace(_own(file, event), version=event.stream_version)


def _own(file: AgreementFile, event: Event) -> AgreementFile:
    match event.body:
        case AgreementSigned(revision=number):
            revisions = tuple(
                replace(item, signatures=(*item.signatures, event)) if item.body.revision == number else item
                for item in file.revisions
            )
            return replace(file, revisions=revisions)
        case FeeScheduleProposed() as body:
            return replace(file, schedules=(*file.schedules, Schedule(body=body, proposed=event)))
        case FeeScheduleSigned(schedule=schedule):
            schedules = tuple(
                replace(item, signed=event) if item.body.schedule == schedule else item for item in file.schedules
            )
            return replace(file, schedules=schedules)
        case CustodyDaysClosed():
            return replace(file, closed=(*file.closed, event))
        case PaymentReceived():
            return replace(file, on_account=(*file.on_account, event))
        case _:
            return file
