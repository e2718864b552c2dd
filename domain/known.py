"""What an event makes known for good: the ids it names first, the places and agreements it ties a person to.

Beside them stand the seats a person takes up at the head, which come and go.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from domain.events.agreement import AgreementDrafted, FeeScheduleProposed, PaymentReceived
from domain.events.authority import AuthorityRegistered
from domain.events.event import Body, Event, stream_id
from domain.events.facility import FacilityRegistered
from domain.events.invoice import InvoiceIssued
from domain.events.person import (
    CustodyBasisRecorded,
    CustodyOpened,
    HandoverAccepted,
    HandoverOffered,
    HoldPlaced,
    MovedWithin,
    PersonRegistered,
    PersonReleased,
    PresenceReported,
    ReleaseOrdered,
)
from domain.events.transfer import TransferRequested
from domain.files.person import PersonFile
from domain.names import FacilityId

Key = tuple[str, str]


def seats(file: PersonFile) -> frozenset[Key]:
    """The places a person takes up now: the placement, and what open transfers keep; and that the person is known."""
    head = file.head
    taken: set[Key] = {("people", "")}
    if head.placement is not None:
        taken.add(("held", head.placement.value))
    for transfer in head.transfers.values():
        if transfer.status in ("approved", "in-transit") and transfer.reserved is not None:
            taken.add(("bound", transfer.reserved.facility))
    return frozenset(taken)


def _ever(*places: FacilityId | None) -> tuple[Key, ...]:
    return tuple(("ever", place) for place in places if place is not None)


TIES: Mapping[type[Body], Callable[[Any], tuple[Key, ...]]] = {
    CustodyOpened: lambda body: _ever(body.facility),
    MovedWithin: lambda body: _ever(body.from_facility, body.to_facility),
    HandoverAccepted: lambda body: _ever(body.receiving.facility),
    PresenceReported: lambda body: _ever(body.facility),
    TransferRequested: lambda body: (("under", body.agreement),),
}
"""Body → the facilities and the agreement that a fact ties its person to for good."""


def passed(event: Event) -> tuple[Key, ...]:
    """The facilities and the agreement that this event ties a person to for good."""
    ties = TIES.get(type(event.body))
    return ties(event.body) if ties is not None else ()


NAMED: Mapping[type[Body], Callable[[str, Any], tuple[Key, ...]]] = {
    AuthorityRegistered: lambda home, _body: (("authority", home),),
    FacilityRegistered: lambda home, _body: (("facility", home),),
    AgreementDrafted: lambda home, body: (("agreement", home), ("revision", f"{home}/{body.revision}")),
    PersonRegistered: lambda home, _body: (("person", home),),
    CustodyBasisRecorded: lambda home, body: (("basis", f"{home}/{body.basis}"),),
    HoldPlaced: lambda _home, body: (("hold", body.hold),),
    TransferRequested: lambda _home, body: (("transfer", body.transfer),),
    HandoverOffered: lambda _home, body: (("handover", body.handover),),
    ReleaseOrdered: lambda home, body: (("release", f"{home}/{body.release}"),),
    PersonReleased: lambda home, body: (("release", f"{home}/{body.release}"),),
    FeeScheduleProposed: lambda home, body: (
        ("schedule", f"{home}/{body.schedule}"),
        ("series", body.series),
        *(("priced", place) for place in body.facilities),
    ),
    InvoiceIssued: lambda _home, body: (("invoice", body.number),),
    PaymentReceived: lambda _home, body: (("payment", body.payment),),
}
"""Body → the ids it makes known for ever, with the scope they are unique in; given the id of its stream."""


def named(event: Event) -> tuple[Key, ...]:
    """The ids this event makes known for ever, with the scope they are unique in."""
    names = NAMED.get(type(event.body))
    return names(stream_id(event.stream), event.body) if names is not None else ()
