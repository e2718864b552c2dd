"""The target of each fact: what it makes of the status, of who answers and of where the person is (DOMAIN §4.4).

Every fact is taken from any state; nothing is refused. A granted claim has its full effect whatever a later belief
puts before it. A report by another authority than the custodian moves whereabouts alone, and begins a cause.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import TypeVar

from msgspec.structs import replace

from domain.custody.counting import CountedFact
from domain.custody.grounds import Grounds
from domain.custody.places import Places
from domain.custody.state import (
    Cause,
    CustodyState,
    Release,
    ReleaseDate,
    ReleaseOrder,
    Status,
    Step,
)
from domain.events.person import (
    CustodyOpened,
    HandoverAccepted,
    MovedWithin,
    PersonReleased,
    PresenceReported,
    ReleaseDateSet,
    ReleaseDeclaredErroneous,
    ReleaseOrdered,
    ReleaseVerified,
)
from domain.names import AuthorityId, BasisId, FacilityId

GRACE: Mapping[str, timedelta] = MappingProxyType({"contradicted": timedelta(hours=24)})
"""How long a cause may last before the person is unaccounted (DOMAIN §6.3)."""

STAY: frozenset[Status] = frozenset({"held", "in-transit", "absent"})

T = TypeVar("T")


def unopened(fact: CountedFact, grounds: Grounds) -> CustodyState:
    """The file as a person's earliest fact finds it: nobody holds, the authority that registered the person answers."""
    ref, since = fact.event.position, fact.instant
    registrar = (grounds.registration() or fact.event).actor.authority
    return CustodyState(
        status=Step("none", since, ref),
        responsible=Step(registrar, since, ref),
        custodian=Step(None, since, ref),
        at=Step("not-in-custody", since, ref),
        file_open=True,
        last_responsible=registrar,
    )


def target(state: CustodyState, fact: CountedFact, grounds: Grounds, places: Places) -> CustodyState:
    """The state after a fact; one that moves nothing of custody leaves it as it is."""
    match fact.event.body:
        case CustodyOpened() as body:
            return _opened(state, fact, body, places)
        case MovedWithin() as body:
            return _moved(state, fact, body, places)
        case HandoverAccepted() as body:
            return _accepted(state, fact, body, grounds)
        case PresenceReported() as body:
            return _seen(state, fact, body)
        case ReleaseDateSet() as body:
            return replace(state, release_date=ReleaseDate(body=body, recorded=fact.event))
        case ReleaseOrdered() as body if body.release not in state.releases:
            return replace(state, order=ReleaseOrder(body=body, recorded=fact.event))
        case PersonReleased() as body:
            return _released(state, fact, body, places)
        case ReleaseVerified() as body:
            return _verified(state, fact, body, grounds)
        case ReleaseDeclaredErroneous() as body:
            return _declared(state, fact, body, grounds)
        case _:
            return state


def _take(
    state: CustodyState,
    fact: CountedFact,
    *,
    status: Status,
    at: str,
    responsible: AuthorityId | None,
    custodian: AuthorityId | None,
    place: FacilityId | None = None,
    basis: BasisId | None = None,
    contradicted: bool = False,
) -> CustodyState:
    """Let a custody fact take its target: it resolves every cause begun before it."""
    kept = state.placement is not None and state.placement.value == place and state.custodian.value == custodian
    placed = state.placement if kept else Step(place, fact.instant, fact.event.position) if place is not None else None
    return replace(
        state,
        status=_step(state.status, status, fact),
        responsible=_step(state.responsible, responsible, fact),
        custodian=_step(state.custodian, custodian, fact),
        at=_step(state.at, at, fact),
        file_open=status != "released",
        placement=placed,
        stay_since=(state.stay_since or fact.instant) if status in STAY else None,
        last_facility=place or state.last_facility,
        last_custodian=custodian or state.last_custodian,
        last_responsible=responsible or state.last_responsible,
        causes=(),
        basis=(basis or state.basis) if status in STAY else None,
        contradicted=contradicted,
        last_change=fact.instant,
    )


def _step(held: Step[T], value: T, fact: CountedFact) -> Step[T]:
    return held if held.value == value else Step(value, fact.instant, fact.event.position)


def _opened(state: CustodyState, fact: CountedFact, body: CustodyOpened, places: Places) -> CustodyState:
    custodian, at = state.custodian.value, f"facility:{body.facility}"
    if body.mode == "claim" or custodian is None:
        # Granted when nobody held, it takes custody also from one whom a later belief puts there.
        taken = state.status.value in STAY and custodian not in (None, body.authority)
        return _take(
            state,
            fact,
            status="held",
            at=at,
            responsible=body.authority,
            custodian=body.authority,
            place=body.facility,
            basis=body.basis,
            contradicted=taken,
        )
    if _is_anothers(state, fact, places):
        return _reported(state, fact, body.facility)
    return _held_by_same(state, fact, body.facility, basis=body.basis)


def _moved(state: CustodyState, fact: CountedFact, body: MovedWithin, places: Places) -> CustodyState:
    if state.custodian.value is None and state.last_custodian is None:
        mover, at = fact.event.actor.authority, f"facility:{body.to_facility}"
        return _take(state, fact, status="held", at=at, responsible=mover, custodian=mover, place=body.to_facility)
    opened = _reopened(state, fact)
    if body.mode == "claim":
        return replace(_held_by_same(opened, fact, body.to_facility), contradicted=not state.file_open)
    if _is_anothers(opened, fact, places):
        return _reported(opened, fact, body.to_facility)
    held = _held_by_same(opened, fact, body.to_facility)
    return held if state.file_open else _contradicting(held, fact)


def _accepted(state: CustodyState, fact: CountedFact, body: HandoverAccepted, grounds: Grounds) -> CustodyState:
    receiver, request = body.receiving, grounds.request(body.handover)
    opened = _reopened(state, fact)
    passes = request is not None and request.responsibility_after == "receiving"
    return _take(
        opened,
        fact,
        status="held",
        at=f"facility:{receiver.facility}",
        responsible=receiver.authority if passes else opened.responsible.value,
        custodian=receiver.authority,
        place=receiver.facility,
        basis=request.basis if request is not None else None,
        contradicted=not state.file_open,
    )


def _seen(state: CustodyState, fact: CountedFact, body: PresenceReported) -> CustodyState:
    on_record = state.placement.value if state.status.value == "held" and state.placement is not None else None
    if on_record is not None and body.facility == on_record:
        # The place on record: it fits whoever reports it, and ends a contradiction.
        return replace(state, at=_step(state.at, f"facility:{on_record}", fact), causes=(), contradicted=False)
    return _reported(_reopened(state, fact), fact, body.facility or body.place or "not-stated")


def _released(state: CustodyState, fact: CountedFact, body: PersonReleased, places: Places) -> CustodyState:
    opened = _reopened(state, fact)
    if body.mode == "report" and _is_anothers(opened, fact, places):
        return _reported(opened, fact, "at-liberty")
    # A declaration of error that a later belief puts before its release holds from the release on.
    known = state.releases.get(body.release)
    erroneous = known.erroneous if known is not None and known.recorded.position == fact.event.position else None
    at = _released_to(body) if erroneous is None else "at-liberty-in-error"
    freed = replace(_let_go(opened, fact, at, contradicted=not state.file_open), order=None)
    return _with_release(freed, Release(body=body, recorded=fact.event, erroneous=erroneous))


def _verified(state: CustodyState, fact: CountedFact, body: ReleaseVerified, grounds: Grounds) -> CustodyState:
    known = state.releases.get(body.release)
    counts = known is not None or grounds.release_after(body.release, fact) is not None
    if not counts or grounds.declared_erroneous(body.release, fact.instant):
        return state
    closed = _take(state, fact, status="released", at=state.at.value, responsible=None, custodian=None)
    return closed if known is None else _with_release(closed, replace(known, verified=fact.event))


def _declared(state: CustodyState, fact: CountedFact, body: ReleaseDeclaredErroneous, grounds: Grounds) -> CustodyState:
    release = state.releases.get(body.release) or grounds.release_after(body.release, fact)
    if release is None:
        return state
    freed = _let_go(_reopened(state, fact), fact, "at-liberty-in-error")
    return _with_release(freed, replace(release, erroneous=fact.event))


def _held_by_same(
    state: CustodyState, fact: CountedFact, facility: FacilityId, basis: BasisId | None = None
) -> CustodyState:
    """Held at a place, under those who answered and held before."""
    return _take(
        state,
        fact,
        status="held",
        at=f"facility:{facility}",
        responsible=state.responsible.value,
        custodian=state.custodian.value,
        place=facility,
        basis=basis,
    )


def _let_go(state: CustodyState, fact: CountedFact, at: str, contradicted: bool = False) -> CustodyState:
    return _take(
        state,
        fact,
        status="released-unverified",
        at=at,
        responsible=state.responsible.value,
        custodian=state.custodian.value,
        contradicted=contradicted,
    )


def _released_to(body: PersonReleased) -> str:
    match body.kind:
        case "at-liberty":
            return "at-liberty"
        case "deported" if body.to_state is not None:
            return f"deported:{body.to_state}"
        case "to-authority" if body.to_authority is not None:
            return f"outside:{body.to_authority}"
        case _:
            return "unknown"


def _with_release(state: CustodyState, release: Release) -> CustodyState:
    return replace(state, release=release, releases=MappingProxyType({**state.releases, release.body.release: release}))


def _is_anothers(state: CustodyState, fact: CountedFact, places: Places) -> bool:
    custodian = state.custodian.value
    return custodian is not None and not places.answers_for(fact.event.actor.authority, custodian)


def _reopened(state: CustodyState, fact: CountedFact) -> CustodyState:
    """The file open again, under the last who answered and held."""
    if state.file_open:
        return state
    return replace(
        state,
        file_open=True,
        responsible=_step(state.responsible, state.last_responsible, fact),
        custodian=_step(state.custodian, state.last_custodian, fact),
    )


def _reported(state: CustodyState, fact: CountedFact, place: str) -> CustodyState:
    """Whereabouts as somebody states them; status, custodian, responsible and placement stay."""
    return _contradicting(replace(state, at=_step(state.at, f"reported:{place}", fact)), fact)


def _contradicting(state: CustodyState, fact: CountedFact) -> CustodyState:
    # What an importer states is the source's, a finding about nobody: it begins no cause.
    if fact.event.imported:
        return replace(state, contradicted=True)
    try:
        unaccounted_from = fact.instant + GRACE["contradicted"]
    except OverflowError:
        unaccounted_from = fact.instant
    cause = Cause(
        code="contradicted", anchor=fact.event.position, begins=fact.instant, unaccounted_from=unaccounted_from
    )
    return replace(state, causes=(*state.causes, cause), contradicted=True)
