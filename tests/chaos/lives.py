"""The load: whole lives, one person after the other: taken in, moved, stopped by a court, transferred, released.

Some of it is refused: it comes too early, finds the place full, is asked by the wrong side, or meets others who speak
of the same person.
"""

from __future__ import annotations

from collections.abc import Generator
from itertools import count
from random import Random
from typing import Final

from tests.chaos.asking import Ask, Life, Step, day, now
from tests.model.answers import Json
from tests.scene import (
    COURT,
    DIGEST,
    E1,
    EAST,
    EVIDENCE,
    KEEPER,
    N1,
    N2,
    NORTH,
    PLACES,
    ROLES,
    STATES,
    TERMS,
    WATCH,
    ZONES,
    basis,
    offer,
    opening,
)

CAPACITY: Final = 3
"""Few enough that the clients' persons compete for the places of E1 and some find none."""
SHARED: Final = ("shared-1", "shared-2")
"""Persons of whom every client speaks."""
CHECK: Final = {"method": "document", "result": "match"}
ALL_CHECKED: Final = dict.fromkeys(("identity", "warrants", "property", "money", "papers", "file_copy"), True)


def registry(capacity: int = CAPACITY, shared: tuple[str, ...] = SHARED) -> Life:
    """Who takes part, where people may be held, an agreement both have signed, and the persons everybody speaks of."""
    for authority, roles in ROLES.items():
        given = [{"role": role, "from": "2024-01-01"} for role in roles]
        fields = {"authority": authority, "state": STATES[authority], "legal_name": authority}
        yield Ask(KEEPER, "register-authority", {**fields, "outside_register": False})
        yield Ask(KEEPER, "set-authority-roles", {"authority": authority, "roles": given})
    for facility, authority in PLACES.items():
        state = STATES[authority]
        fields = {"facility": facility, "authority": authority, "state": state, "zone": ZONES[state]}
        fields |= {"kind": "prison", "recognised_by": DIGEST, "supervising_authority": WATCH}
        yield Ask(KEEPER, "register-facility", fields)
    yield certified(capacity)
    parties = [{"authority": NORTH, "role": "sending"}, {"authority": EAST, "role": "receiving"}]
    terms: Json = {"agreement": "a1", "revision": 1, "parties": parties, "legal_bases": ["custody-contract"]}
    drafted = yield Ask(NORTH, "draft-agreement", {**terms, "terms": TERMS, "from": day(-30), "to": day(365)})
    assert drafted is not None
    signature = {"agreement": "a1", "revision": 1, "terms_digest": drafted["told"]["terms_digest"]}
    for party in (NORTH, EAST):
        yield Ask(party, "sign-agreement", signature)
    for person in shared:
        yield from taken_in(person, N1)


def certified(capacity: int) -> Ask:
    """East certifies how many E1 may hold."""
    fields: Json = {"facility": E1, "operational_capacity": capacity, "from": day(-1), "certificate": DIGEST}
    return Ask(EAST, "certify-capacity", {**fields, "approved_by": [f"{EAST}-1", f"{EAST}-2"]})


def lives(name: str, random: Random) -> Life:
    """Persons one after the other, each with a life of its own, without end."""
    for number in count(1):
        yield from life(f"{name}-{number}", random)


def life(person: str, random: Random) -> Life:
    """One person's custody, from the register's first word to a verified release or to wherever a refusal ends it."""
    place = random.choice((N1, N2))
    yield from taken_in(person, place)
    for _ in range(random.randrange(4)):
        place = yield from spoken_of(person, place, random)
    if (yield from approved(person, place, random)) and (yield from handed_over(person, place, random)):
        yield from released(person, random)


def taken_in(person: str, place: str) -> Life:
    """Registered, with a sentence, and held."""
    known = {"person": person, "identity_status": "established", "attributes": {}, "occurred_at": now()}
    yield Ask(NORTH, "register-person", known)
    yield Ask(NORTH, "record-basis", sentence(person))
    yield Ask(NORTH, "open-custody", taking(person, place))


def sentence(person: str) -> Json:
    """The fields of an ordinary basis."""
    dated = {"valid_from": day(-10), "must_end_by": day(700), "occurred_at": now()}
    return {"person": person, **basis(f"b-{person}", **dated)}


def taking(person: str, place: str) -> Json:
    """The fields of an ordinary opening."""
    return {"person": person, **opening(place, person, deprived_at=now(), occurred_at=now())}


def spoken_of(person: str, place: str, random: Random) -> Generator[Ask, Json | None, str]:
    """A presence or a move, of this person or of one everybody speaks of; returns where this person then is."""
    shared = random.choice(SHARED)
    elsewhere = N2 if place == N1 else N1
    match random.randrange(4):
        case 0:
            yield Ask(NORTH, "report-presence", presence(person, place, "seen"))
        case 1:
            yield Ask(WATCH, "report-presence", presence(shared, random.choice((N1, N2)), "roll"))
        case 2:
            yield Ask(NORTH, "record-move-within", move(shared, *((N1, N2) if random.randrange(2) else (N2, N1))))
        case _:
            if (yield Ask(NORTH, "record-move-within", move(person, place, elsewhere))) is not None:
                return elsewhere
    return place


def presence(person: str, facility: str, how: str) -> Json:
    """The fields of a presence."""
    return {"person": person, "facility": facility, "since": now(), "how": how, "occurred_at": now()}


def move(person: str, origin: str, destination: str) -> Json:
    """The fields of an ordinary move."""
    places = {"from_facility": origin, "to_facility": destination}
    return {"person": person, **places, "reason": "population", "occurred_at": now()}


def request(transfer: str, person: str, place: str, **changes: object) -> Json:
    """The fields of an ordinary request."""
    fields: Json = {"transfer": transfer, "person": person, "agreement": "a1", "revision": 1, "basis": f"b-{person}"}
    fields |= {"rule_sets": ["custody-contract"], "purpose": "custody-contract", "responsibility_after": "sending"}
    fields |= {"from_facility": place, "to_facility": E1, "window_from": day(0), "window_to": day(14)}
    return {**fields, "occurred_at": now(), **changes}


def evidence(transfer: str, rule_set: str, condition: str, outcome: str = "met") -> Json:
    """The fields of a piece of evidence."""
    shown = {"rule_set": rule_set, "condition": condition, "outcome": outcome, "evidence": DIGEST}
    return {"transfer": transfer, **shown}


def approval(transfer: str) -> Json:
    """The fields of an ordinary approval, which keeps a place in E1 for two weeks."""
    return {"transfer": transfer, "as": "receiving", "reserved": {"facility": E1, "from": day(0), "to": day(14)}}


def approved(person: str, place: str, random: Random) -> Step:
    """A transfer asked for, evidenced and approved. It may come too early, or find the place full."""
    transfer = f"t-{person}"
    if (yield Ask(NORTH, "request-transfer", request(transfer, person, place))) is None:
        return False
    for by, rule_set, condition in EVIDENCE:
        if random.randrange(8) == 0:
            yield Ask(EAST, "approve-transfer", approval(transfer))
        yield Ask(by, "evidence-condition", evidence(transfer, rule_set, condition))
    return (yield Ask(EAST, "approve-transfer", approval(transfer))) is not None


def offering(handover: str, transfer: str, place: str) -> Json:
    """The fields of an ordinary offer."""
    releasing = {"authority": NORTH, "facility": place, "officer": f"{NORTH}-1"}
    return offer(handover, transfer, releasing=releasing, occurred_at=now())


def acceptance(handover: str, answers: str) -> Json:
    """The fields of an ordinary acceptance of the offer with that leaf hash."""
    receiving = {"authority": EAST, "facility": E1, "officer": f"{EAST}-2"}
    fields: Json = {"handover": handover, "answers": answers, "receiving": receiving, "place": E1}
    return {**fields, "identity_check": CHECK, "property_seals": [], "documents": [], "occurred_at": now()}


def handed_over(person: str, place: str, random: Random) -> Step:
    """Offered and accepted, sometimes against a court's hold, by the wrong side, or to be turned away."""
    handover, transfer = f"h-{person}", f"t-{person}"
    if random.randrange(3) == 0:
        held = {"hold": f"o-{person}", "persons": [person], "forbids": ["hand-over"], "instrument": DIGEST}
        yield Ask(COURT, "place-hold", {**held, "effective_at": now()})
        yield Ask(NORTH, "offer-handover", offering(handover, transfer, place))
        yield Ask(COURT, "lift-hold", {"hold": f"o-{person}", "effective_at": now(), "instrument": DIGEST})
    offered = yield Ask(NORTH, "offer-handover", offering(handover, transfer, place))
    if offered is None:
        return False
    answers = offered["events"][0]["leaf_hash"]
    if random.randrange(5) == 0:
        yield Ask(NORTH, "accept-handover", acceptance(handover, answers))
    if random.randrange(5) == 0:
        turned_away = {"handover": handover, "answers": answers, "reasons": ["papers-missing"]}
        yield Ask(EAST, "refuse-handover", turned_away)
        return False
    return (yield Ask(EAST, "accept-handover", acceptance(handover, answers))) is not None


def order(person: str, release: str) -> Json:
    """The fields of a court's order of release, due at once."""
    fields: Json = {"person": person, "release": release, "ground": "court-order", "bases": [f"b-{person}"]}
    return {**fields, "due_at": now(), "instrument": DIGEST, "occurred_at": now()}


def release_from(person: str, release: str, facility: str) -> Json:
    """The fields of an ordinary release."""
    left: Json = {"person": person, "release": release, "facility": facility, "kind": "at-liberty"}
    return {**left, "checks": ALL_CHECKED, "occurred_at": now()}


def verification(person: str, release: str) -> Json:
    """The fields of an ordinary verification."""
    return {"person": person, "release": release, "how": "spoken-to", "evidence": DIGEST, "occurred_at": now()}


def released(person: str, random: Random) -> Life:
    """Ordered by a court, recorded by the holder, verified by somebody else, whatever the holder tries first."""
    release = f"r-{person}"
    yield Ask(COURT, "order-release", order(person, release))
    yield Ask(EAST, "record-release", release_from(person, release, E1))
    for by in (EAST, WATCH) if random.randrange(3) == 0 else (WATCH,):
        yield Ask(by, "verify-release", verification(person, release))
