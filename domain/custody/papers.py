"""The papers beside the person: bases, holds, transfers and offers, folded in the order of their slots.

By slot a hold stands before its lifting and an offer before its answer, whatever instants a correction gives them.
Whether an unanswered offer is open or lapsed is derived from its transfer and from the person's status (DOMAIN §4.3).
"""

from __future__ import annotations

from types import MappingProxyType

from msgspec.structs import replace

from domain.custody import transfers
from domain.custody.counting import CountedFact
from domain.custody.grounds import Grounds
from domain.custody.places import Places
from domain.custody.state import Basis, CustodyState, Hold, Offer, OfferStatus, Status, TransferState
from domain.events.event import Body, Event, stream_id
from domain.events.person import (
    CustodyBasisRecorded,
    HandoverAccepted,
    HandoverOffered,
    HandoverRefused,
    HoldLifted,
    HoldPlaced,
)
from domain.events.transfer import (
    ConditionEvidenced,
    TransferApproved,
    TransferCancelled,
    TransferRejected,
    TransferRequested,
)
from domain.names import BasisId, HandoverId, HoldId, TransferId

PAPERS: frozenset[type[Body]] = frozenset(
    {
        CustodyBasisRecorded,
        HoldPlaced,
        HoldLifted,
        HandoverOffered,
        HandoverAccepted,
        HandoverRefused,
        TransferRequested,
        ConditionEvidenced,
        TransferApproved,
        TransferRejected,
        TransferCancelled,
    }
)
"""The facts that change a paper."""

_OFFERS_LAPSE: frozenset[Status] = frozenset({"escaped", "dead", "released-unverified", "released", "outside"})


class Papers:
    """The papers of one person while they are folded; `settled` puts them into the state."""

    def __init__(self, state: CustodyState | None, grounds: Grounds, places: Places) -> None:
        self._grounds = grounds
        self._places = places
        self._bases: dict[BasisId, Basis] = dict(state.bases) if state else {}
        self._holds: dict[HoldId, Hold] = dict(state.holds) if state else {}
        self._offers: dict[HandoverId, Offer] = dict(state.offers) if state else {}
        self._transfers: dict[TransferId, TransferState] = dict(state.transfers) if state else {}
        self._ends: list[CountedFact] = []

    def take(self, fact: CountedFact, ends: bool) -> None:
        """Fold one more fact; `ends` says that it released the person or closed the file."""
        event = fact.event
        match event.body:
            case CustodyBasisRecorded() as body:
                self._bases[body.basis] = Basis(body=body, recorded=event)
            case HoldPlaced() as body:
                self._holds[body.hold] = Hold(body=body, placed=event)
            case HoldLifted() as body if body.hold in self._holds:
                held = self._holds[body.hold]
                self._holds[body.hold] = replace(held, lifted=event, lifted_at=body.effective_at)
            case HandoverOffered() as body:
                self._offers[body.handover] = Offer(body=body, recorded=event, status="open")
            case HandoverAccepted(handover=handover):
                self._answer(handover, event, "accepted")
            case HandoverRefused(handover=handover):
                self._answer(handover, event, "refused")
            case TransferRequested() as body:
                # What was recorded before and lies after it in time ended all that stood requested then.
                over = next((end for end in self._ends if end.instant > fact.instant), None)
                self._transfers[body.transfer] = transfers.requested(fact, body, over, self._places)
            case ConditionEvidenced() | TransferApproved() | TransferRejected() | TransferCancelled():
                self._evolve(TransferId(stream_id(event.stream)), event)
            case _:
                pass
        if ends:
            self._ends.append(fact)
            self._transfers = {name: transfers.ended(one, fact) for name, one in self._transfers.items()}

    def settled(self, state: CustodyState) -> CustodyState:
        """The state with these papers, each offer open or lapsed as its transfer and the person now stand."""
        offers = {name: self._judged(offer, state.status.value) for name, offer in self._offers.items()}
        return replace(
            state,
            bases=MappingProxyType(self._bases),
            holds=MappingProxyType(self._holds),
            offers=MappingProxyType(offers),
            transfers=MappingProxyType(self._transfers),
        )

    def _answer(self, handover: HandoverId, event: Event, status: OfferStatus) -> None:
        if handover in self._offers:
            self._offers[handover] = replace(self._offers[handover], status=status, answer=event)
        transfer = self._grounds.transfer(handover)
        if transfer is not None:
            self._evolve(transfer, event)

    def _evolve(self, transfer: TransferId, event: Event) -> None:
        if transfer in self._transfers:
            self._transfers[transfer] = transfers.after(self._transfers[transfer], event)

    def _judged(self, offer: Offer, status: Status) -> Offer:
        if offer.answer is not None:
            return offer
        transfer = self._transfers.get(offer.body.transfer)
        stands = transfer is not None and transfer.status in ("approved", "in-transit", "refused")
        judged: OfferStatus = "open" if stands and status not in _OFFERS_LAPSE else "lapsed"
        return offer if offer.status == judged else replace(offer, status=judged)
