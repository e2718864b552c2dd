"""The load: clients that send mixed commands over HTTP and keep every answer.

A client writes lives, one person after the other: taken in, moved, stopped by a court, transferred, handed over,
released. Some of it is refused. Each command has a key of its own, and where the connection broke before the answer
came, the same command goes out again under the same key: whether the first one was recorded is for the ledger to know.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random
from threading import Condition
from time import sleep
from typing import Any, Final, NamedTuple

import httpx2

from tests.chaos.killing import Killable
from tests.ledger.http.serving import PATIENCE
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

Json = dict[str, Any]
GRANTED, UNAVAILABLE, FAILED = 201, 503, 500
TRIES_MAX: Final = 50
CAPACITY: Final = 3
"""Few enough that the clients' persons compete for the places of E1 and some find none."""
SHARED: Final = ("shared-1", "shared-2")
"""Persons of whom every client speaks."""
ASKED_AGAIN: Final = 12
"""One granted command in so many is sent once more, and must be given the answer it was given before."""
CHECK: Final = {"method": "document", "result": "match"}
ALL_CHECKED: Final = dict.fromkeys(("identity", "warrants", "property", "money", "papers", "file_copy"), True)


class Ask(NamedTuple):
    """One command: who asks, at which address below `/v1`, with which body."""

    by: str
    path: str
    body: Json


Life = Generator[Ask, Json | None, None]
"""Commands of which each may depend on the answers before it: it is sent the answer, `None` where it was refused."""
Step = Generator[Ask, Json | None, bool]
"""A stretch of a life; returns whether the life goes on after it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What a client was told in the end about the command it sent under `key`: an answer, or a problem."""

    authority: str
    key: str
    is_granted: bool
    document: Json


@dataclass(slots=True)
class Heard:
    """How many answers the clients have heard together, and how many clients are at work."""

    at_work: int
    answers: int = 0
    _changed: Condition = field(default_factory=Condition)

    def answer(self) -> None:
        """One more answer."""
        with self._changed:
            self.answers += 1
            self._changed.notify_all()

    def leave(self) -> None:
        """A client has ended, for whatever reason."""
        with self._changed:
            self.at_work -= 1
            self._changed.notify_all()

    def wait_for(self, answers: int) -> None:
        """Wait until so many answers have been heard, or nobody is left to hear one."""
        with self._changed:
            self._changed.wait_for(lambda: self.answers >= answers or not self.at_work)


@dataclass(slots=True, kw_only=True)
class Client:
    """One client. `answers` has whatever it was told, in order."""

    name: str
    server: Killable
    heard: Heard
    random: Random
    answers: list[Answered] = field(default_factory=list)
    unheard: int = 0
    """How many tries ended in a broken connection."""
    recorded_unheard: int = 0
    """How many of the commands behind them turned out to have been recorded all the same."""

    def run(self, life: Life, commands_max: int) -> None:
        """Live a life to its end, or as far as `commands_max` commands reach."""
        try:
            with httpx2.Client(timeout=PATIENCE) as http:
                told: Json | None = None
                for number in range(commands_max):
                    try:
                        ask = next(life) if number == 0 else life.send(told)
                    except StopIteration:
                        return
                    answered = self._settle(http, ask, f"{self.name}.{number}")
                    told = answered.document if answered.is_granted else None
                    if answered.is_granted and self.random.randrange(ASKED_AGAIN) == 0:
                        self._settle(http, ask, answered.key)
        finally:
            self.heard.leave()

    def _settle(self, http: httpx2.Client, ask: Ask, key: str) -> Answered:
        """Send until there is an answer."""
        headers = {"Custody-Actor": f"{ask.by}/{ask.by}-1", "Idempotency-Key": key}
        is_answered = bool(self.answers) and self.answers[-1].key == key
        is_unheard = False
        for _ in range(TRIES_MAX):
            address = self.server.address()
            try:
                response = http.post(f"{address}/v1{ask.path}", json=ask.body, headers=headers)
            except httpx2.TransportError:
                self.unheard += 1
                is_unheard = not is_answered
                continue
            if response.status_code == UNAVAILABLE:
                sleep(int(response.headers["Retry-After"]))
                continue
            assert response.status_code < FAILED, response.text
            answered = Answered(
                authority=ask.by,
                key=key,
                is_granted=response.status_code == GRANTED,
                document=response.json(),
            )
            self.answers.append(answered)
            self.recorded_unheard += is_unheard and response.headers.get("Idempotency-Replayed") == "true"
            self.heard.answer()
            return answered
        raise AssertionError(f"{key}: no answer to {ask.path} in {TRIES_MAX} tries")


def now() -> str:
    """This instant, cut to what the register keeps of one."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def day(delta: int) -> str:
    """The civil date in UTC so many days from now."""
    return (datetime.now(UTC).date() + timedelta(days=delta)).isoformat()


def registry() -> Life:
    """Who takes part, where people may be held, an agreement both have signed, and the persons everybody speaks of."""
    for authority, roles in ROLES.items():
        given = [{"role": role, "from": "2024-01-01"} for role in roles]
        fields = {"authority": authority, "state": STATES[authority], "legal_name": authority}
        yield Ask(KEEPER, "/authorities", {**fields, "outside_register": False})
        yield Ask(KEEPER, f"/authorities/{authority}/roles", {"roles": given})
    for facility, authority in PLACES.items():
        state = STATES[authority]
        fields = {"facility": facility, "authority": authority, "state": state, "zone": ZONES[state]}
        fields |= {"kind": "prison", "recognised_by": DIGEST, "supervising_authority": WATCH}
        yield Ask(KEEPER, "/facilities", fields)
    certified = {"operational_capacity": CAPACITY, "from": day(-30), "certificate": DIGEST}
    yield Ask(EAST, f"/facilities/{E1}/capacity", {**certified, "approved_by": [f"{EAST}-1", f"{EAST}-2"]})
    parties = [{"authority": NORTH, "role": "sending"}, {"authority": EAST, "role": "receiving"}]
    terms: Json = {"agreement": "a1", "revision": 1, "parties": parties, "legal_bases": ["custody-contract"]}
    drafted = yield Ask(NORTH, "/agreements", {**terms, "terms": TERMS, "from": day(-30), "to": day(365)})
    assert drafted is not None
    signature = {"revision": 1, "terms_digest": drafted["told"]["terms_digest"]}
    for party in (NORTH, EAST):
        yield Ask(party, "/agreements/a1/signatures", signature)
    for person in SHARED:
        yield from taken_in(person, N1)


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
    yield Ask(NORTH, "/people", known)
    sentence = basis(f"b-{person}", valid_from=day(-10), must_end_by=day(700), occurred_at=now())
    yield Ask(NORTH, f"/people/{person}/bases", sentence)
    opened = opening(place, person, deprived_at=now(), occurred_at=now())
    yield Ask(NORTH, f"/people/{person}/custody", opened)


def spoken_of(person: str, place: str, random: Random) -> Generator[Ask, Json | None, str]:
    """A presence or a move, of this person or of one everybody speaks of; returns where this person then is."""
    shared = random.choice(SHARED)
    elsewhere = N2 if place == N1 else N1
    match random.randrange(4):
        case 0:
            seen = {"facility": place, "since": now(), "how": "seen", "occurred_at": now()}
            yield Ask(NORTH, f"/people/{person}/presences", seen)
        case 1:
            counted = {"facility": random.choice((N1, N2)), "since": now(), "how": "roll", "occurred_at": now()}
            yield Ask(WATCH, f"/people/{shared}/presences", counted)
        case 2:
            yield Ask(NORTH, f"/people/{shared}/moves", move(N1, N2) if random.randrange(2) else move(N2, N1))
        case _:
            if (yield Ask(NORTH, f"/people/{person}/moves", move(place, elsewhere))) is not None:
                return elsewhere
    return place


def move(origin: str, destination: str) -> Json:
    """The fields of an ordinary move."""
    return {"from_facility": origin, "to_facility": destination, "reason": "population", "occurred_at": now()}


def approved(person: str, place: str, random: Random) -> Step:
    """A transfer asked for, evidenced and approved. It may come too early, or find the place full."""
    transfer = f"t-{person}"
    fields: Json = {"transfer": transfer, "person": person, "agreement": "a1", "revision": 1, "basis": f"b-{person}"}
    fields |= {"rule_sets": ["custody-contract"], "purpose": "custody-contract", "responsibility_after": "sending"}
    fields |= {"from_facility": place, "to_facility": E1, "window_from": day(0), "window_to": day(14)}
    if (yield Ask(NORTH, "/transfers", fields)) is None:
        return False
    approval = {"as": "receiving", "reserved": {"facility": E1, "from": day(0), "to": day(14)}}
    for by, rule_set, condition in EVIDENCE:
        if random.randrange(8) == 0:
            yield Ask(EAST, f"/transfers/{transfer}/approvals", approval)
        shown = {"rule_set": rule_set, "condition": condition, "outcome": "met", "evidence": DIGEST}
        yield Ask(by, f"/transfers/{transfer}/conditions", shown)
    return (yield Ask(EAST, f"/transfers/{transfer}/approvals", approval)) is not None


def handed_over(person: str, place: str, random: Random) -> Step:
    """Offered and accepted, sometimes against a court's hold, by the wrong side, or to be turned away."""
    handover = f"h-{person}"
    releasing = {"authority": NORTH, "facility": place, "officer": f"{NORTH}-1"}
    if random.randrange(3) == 0:
        held = {"hold": f"o-{person}", "persons": [person], "forbids": ["hand-over"], "instrument": DIGEST}
        yield Ask(COURT, "/holds", {**held, "effective_at": now()})
        yield Ask(NORTH, "/handovers", offer(handover, f"t-{person}", releasing=releasing, occurred_at=now()))
        yield Ask(COURT, f"/holds/o-{person}/lifting", {"effective_at": now(), "instrument": DIGEST})
    offered = yield Ask(NORTH, "/handovers", offer(handover, f"t-{person}", releasing=releasing, occurred_at=now()))
    if offered is None:
        return False
    answers = offered["events"][0]["leaf_hash"]
    receiving = {"authority": EAST, "facility": E1, "officer": f"{EAST}-2"}
    accepted: Json = {"answers": answers, "receiving": receiving, "place": E1, "identity_check": CHECK}
    accepted |= {"property_seals": [], "documents": [], "occurred_at": now()}
    if random.randrange(5) == 0:
        yield Ask(NORTH, f"/handovers/{handover}/acceptance", accepted)
    if random.randrange(5) == 0:
        yield Ask(EAST, f"/handovers/{handover}/refusal", {"answers": answers, "reasons": ["papers-missing"]})
        return False
    return (yield Ask(EAST, f"/handovers/{handover}/acceptance", accepted)) is not None


def released(person: str, random: Random) -> Life:
    """Ordered by a court, recorded by the holder, verified by somebody else, whatever the holder tries first."""
    release = f"r-{person}"
    order = {"release": release, "ground": "court-order", "bases": [f"b-{person}"], "due_at": now()}
    yield Ask(COURT, f"/people/{person}/release-orders", {**order, "instrument": DIGEST, "occurred_at": now()})
    left: Json = {"release": release, "facility": E1, "kind": "at-liberty", "checks": ALL_CHECKED}
    yield Ask(EAST, f"/people/{person}/releases", {**left, "occurred_at": now()})
    verified = {"how": "spoken-to", "evidence": DIGEST, "occurred_at": now()}
    for by in (EAST, WATCH) if random.randrange(3) == 0 else (WATCH,):
        yield Ask(by, f"/people/{person}/releases/{release}/verification", verified)
