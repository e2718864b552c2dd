"""An invoice's file: its header, days and lines as issued, its approvals, what was paid on it."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from domain.events.agreement import PaymentReceived
from domain.events.event import Event
from domain.events.invoice import CustodyDaysBilled, InvoiceApproved, InvoiceIssued, InvoiceLineIssued
from domain.money import Money
from domain.names import AuthorityId


class InvoiceFile(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One issued document and what has happened to it since."""

    body: InvoiceIssued
    issued: Event
    version: int
    claims: tuple[Event, ...] = ()
    lines: tuple[Event, ...] = ()
    approvals: tuple[Event, ...] = ()
    payments: tuple[Event, ...] = ()

    @property
    def payee(self) -> AuthorityId:
        """The authority that issued it."""
        return self.issued.actor.authority

    @property
    def open(self) -> Money:
        """What is left to pay."""
        paid = sum(item.body.amount.minor for item in self.payments if isinstance(item.body, PaymentReceived))
        return Money(self.body.total.minor - paid, self.body.total.currency)


def evolve(file: InvoiceFile | None, event: Event) -> InvoiceFile | None:
    """Fold one more event of the invoice's stream."""
    if isinstance(event.body, InvoiceIssued):
        return InvoiceFile(body=event.body, issued=event, version=event.stream_version)
    if file is None:
        return None
    file = replace(file, version=event.stream_version)
    match event.body:
        case CustodyDaysBilled():
            return replace(file, claims=(*file.claims, event))
        case InvoiceLineIssued():
            return replace(file, lines=(*file.lines, event))
        case InvoiceApproved():
            return replace(file, approvals=(*file.approvals, event))
        case PaymentReceived():
            return replace(file, payments=(*file.payments, event))
        case _:
            return file
