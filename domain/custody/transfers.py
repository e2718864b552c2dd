"""A transfer's states, folded by slot: what its own stream says, what handovers make of it, what ends it (DOMAIN §4.1).

A fact takes the target of its column from any open state; a closed transfer changes no more, except that an acceptance
once granted completes it whatever a later belief puts before.
"""

from __future__ import annotations

from msgspec.structs import replace

from domain.custody.counting import CountedFact
from domain.custody.places import Places
from domain.custody.state import TransferState, TransferStatus
from domain.events.event import Event
from domain.events.person import HandoverAccepted, HandoverRefused
from domain.events.transfer import (
    ConditionEvidenced,
    TransferApproved,
    TransferCancelled,
    TransferRejected,
    TransferRequested,
)


def requested(fact: CountedFact, body: TransferRequested, ended: CountedFact | None, places: Places) -> TransferState:
    """A transfer as its request opens it; `ended` is what, recorded before, ended all that stood at a later instant."""
    return TransferState(
        body=body,
        requested=fact.event,
        status="requested" if ended is None else "ended",
        approvals_required=places.approvals_required(body.agreement, body.revision),
        closed=None if ended is None else ended.event,
    )


def after(transfer: TransferState, event: Event) -> TransferState:
    """The transfer after one more fact of its stream, or the answer to an offer made under it."""
    match event.body:
        case HandoverAccepted():
            return _closed(transfer, "completed", event)
        case ConditionEvidenced():
            return replace(transfer, evidence=(*transfer.evidence, event))
        case _ if not transfer.is_open:
            return transfer
        case TransferApproved():
            return _approved(transfer, event, event.body)
        case TransferRejected():
            return _closed(transfer, "rejected", event)
        case TransferCancelled():
            return _closed(transfer, "cancelled", event)
        case HandoverRefused():
            return replace(transfer, status="refused")
        case _:
            return transfer


def ended(transfer: TransferState, fact: CountedFact) -> TransferState:
    """The transfer after a release, or another end of custody: over, if it stood requested at that instant."""
    if not transfer.is_open or transfer.requested.occurred_at > fact.instant:
        return transfer
    return _closed(transfer, "ended", fact.event)


def _approved(transfer: TransferState, event: Event, body: TransferApproved) -> TransferState:
    approvals = (*transfer.approvals, event)
    given = {approval.body.as_ for approval in approvals if isinstance(approval.body, TransferApproved)}
    last = transfer.status == "requested" and given.issuperset(transfer.approvals_required)
    return replace(
        transfer,
        approvals=approvals,
        status="approved" if last else transfer.status,
        reserved=body.reserved,
    )


def _closed(transfer: TransferState, status: TransferStatus, event: Event) -> TransferState:
    return replace(transfer, status=status, closed=event)
