"""Standing flags and confidence: how far the register's present belief can be relied on (DOMAIN §3, §6.2).

They are recomputed at every instant and knowledge and come and go, unlike the flags recorded in an event. A granted
claim whose ground was corrected afterwards stands; it is listed here.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from domain.custody.counting import CountedFact, Counting, count
from domain.custody.fold import fold, fold_counting
from domain.custody.places import Places
from domain.custody.state import Confidence, CustodyState
from domain.events.event import DualFact, Event, stream_id
from domain.events.person import (
    CustodyBasisRecorded,
    CustodyOpened,
    FactCorrected,
    HandoverAccepted,
    HandoverOffered,
    HandoverRefused,
    HoldLifted,
    HoldPlaced,
    PersonReleased,
    ReleaseDateSet,
    ReleaseDeclaredErroneous,
    ReleaseOrdered,
    ReleaseVerified,
)
from domain.events.transfer import TransferApproved, TransferCancelled, TransferRejected, TransferRequested

Named = tuple[str, str]


def confidence(state: CustodyState, instant: datetime) -> Confidence:
    """How sure the register is at that instant; the gravest doubt names it."""
    if state.unaccounted(instant):
        return "unaccounted"
    if state.contradicted:
        return "contradicted"
    return "one-sided" if _is_one_sided(state) else "confirmed"


def standing_flags(
    events: Sequence[Event], places: Places, as_of: datetime | None = None, known_at: int | None = None
) -> tuple[str, ...]:
    """The standing flags of a person's events, sorted; without `as_of` they are judged at the last fact."""
    counting = count(events, places, known_at)
    return flags_of(counting, fold_counting(counting, places, as_of), places, as_of)


def flags_of(
    counting: Counting, state: CustodyState | None, places: Places, as_of: datetime | None = None
) -> tuple[str, ...]:
    """The same of facts that have been counted and folded already, up to `as_of`."""
    facts = [fact for fact in counting.facts if as_of is None or fact.instant <= as_of]
    if state is None:
        return ()
    instant = as_of if as_of is not None else facts[-1].instant
    flags = {
        "one-sided": _is_one_sided(state),
        "custody-contradicted": state.contradicted,
        "under-hold": bool(state.holds_at(instant)),
        "corrected": any(named.occurred_at <= instant for named, _ in _corrected(counting)),
        "ground-corrected": bool(_on_corrected_ground(facts, counting, places)),
    }
    return tuple(sorted(flag for flag, stands in flags.items() if stands))


def corrected_grounds(
    events: Sequence[Event], places: Places, known_at: int | None = None
) -> tuple[tuple[int, int], ...]:
    """Each granted claim that stands on a fact corrected since: its position, then the position of that fact."""
    counting = count(events, places, known_at)
    return _on_corrected_ground(counting.facts, counting, places)


def _is_one_sided(state: CustodyState) -> bool:
    return state.open_offer is not None or state.at.value.startswith("reported:")


def _corrected(counting: Counting) -> list[tuple[Event, Event]]:
    """The facts that counting corrections have taken away, each with its correction."""
    return [
        (event, counting.corrected_by[event.event_id])
        for event in counting.known
        if event.event_id in counting.corrected_by and not isinstance(event.body, FactCorrected)
    ]


def _on_corrected_ground(
    facts: Sequence[CountedFact], counting: Counting, places: Places
) -> tuple[tuple[int, int], ...]:
    corrected = _corrected(counting)
    if not corrected:
        return ()
    replacements = {by.body.replacement for _, by in corrected if isinstance(by.body, FactCorrected)}
    found = set()
    for fact in facts:
        claim = fact.event
        # Only what was corrected after the grant was its ground; a replacement was granted by nobody.
        since = [named for named, by in corrected if named.position < claim.position < by.position]
        if not since or not _is_claim(claim) or claim.event_id in replacements:
            continue
        refs = _custody_refs(claim, counting.known, places)
        for named in since:
            if named.position in refs or _defined(named) & _named(claim):
                found.add((claim.position, named.position))
    return tuple(sorted(found))


def _is_claim(event: Event) -> bool:
    return event.body.mode == "claim" if isinstance(event.body, DualFact) else bool(_named(event))


def _custody_refs(claim: Event, known: Sequence[Event], places: Places) -> set[int]:
    """The positions of the facts that made custody what it was when the claim was granted."""
    if not isinstance(claim.body, (DualFact, HandoverOffered, TransferRequested)):
        return set()
    state = fold(known, places, claim.occurred_at, claim.position - 1)
    if state is None:
        return set()
    refs = {state.status.ref, state.custodian.ref}
    return refs | {state.placement.ref} if state.placement is not None else refs


def _defined(event: Event) -> set[Named]:
    """The id under which others name this event."""
    match event.body:
        case CustodyBasisRecorded(basis=name):
            return {("basis", name)}
        case HoldPlaced(hold=name):
            return {("hold", name)}
        case HandoverOffered(handover=name):
            return {("offer", name)}
        case ReleaseOrdered(release=name):
            return {("order", name)}
        case PersonReleased(release=name):
            return {("release", name)}
        case TransferRequested(transfer=name):
            return {("request", name)}
        case TransferApproved():
            return {("approval", stream_id(event.stream))}
        case _:
            return set()


def _named(event: Event) -> set[Named]:
    """The ids of the facts that a claim stands on."""
    match event.body:
        case HandoverAccepted(handover=name) | HandoverRefused(handover=name):
            return {("offer", name)}
        case HandoverOffered(transfer=name):
            return {("request", name), ("approval", name)}
        case TransferRequested(basis=name):
            return {("basis", name)}
        case TransferApproved() | TransferRejected() | TransferCancelled():
            return {("request", stream_id(event.stream))}
        case CustodyOpened(basis=basis) if basis is not None:
            return {("basis", basis)}
        case ReleaseOrdered(bases=bases) | ReleaseDateSet(bases=bases):
            return {("basis", basis) for basis in bases}
        case PersonReleased(release=name):
            return {("order", name)}
        case ReleaseVerified(release=name) | ReleaseDeclaredErroneous(release=name):
            return {("release", name)}
        case HoldLifted(hold=name):
            return {("hold", name)}
        case _:
            return set()
