"""The wild load: anybody asks anything about a few persons, at any time and however little it fits.

What is known of earlier answers is used most of the time, so that much is granted; the rest is guessed. Several clients
at once race for the same persons and the same places, and nearly every refusal of the slice comes up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Final

from tests.chaos import lives
from tests.chaos.asking import Ask, Life, day, now
from tests.chaos.fees import Account, guessed, heard
from tests.chaos.mending import Told
from tests.model.answers import Json
from tests.model.conditions import HEARD
from tests.scene import (
    AUDIT,
    COURT,
    DIGEST,
    E1,
    E2,
    EAST,
    EVIDENCE,
    KEEPER,
    N1,
    N2,
    NORTH,
    PLACES,
    STATES,
    TERMS,
    THIRD,
    WATCH,
    ZONES,
    basis,
)

PEOPLE: Final = tuple(f"wild-{number}" for number in range(1, 9))
ANYBODY: Final = (NORTH, EAST, COURT, WATCH, AUDIT, THIRD)
PLACES_ASKED: Final = (N1, N2, E1, E2)
ACTS: Final = ("depart", "hand-over", "release", "move")
SHIFTS_SECONDS: Final = (-2, -1, -1, 600)
"""How much earlier than now, or later, something is said to have happened now and then."""
UNKNOWN: Final = "nowhere"
SENTENCE: Final = {"valid_from": "2025-01-01", "must_end_by": day(100)}


@dataclass(slots=True)
class Known:
    """What the clients have been told together: by person, the transfer, the offer and the release that came last."""

    capacity: int = lives.CAPACITY
    """About how many E1 is certified for."""
    place: dict[str, str] = field(default_factory=dict)
    transfer: dict[str, str] = field(default_factory=dict)
    offer: dict[str, tuple[str, str]] = field(default_factory=dict)
    release: dict[str, str] = field(default_factory=dict)
    hold: dict[str, str] = field(default_factory=dict)
    stage: dict[str, str] = field(default_factory=dict)
    """By person, the last command that led anywhere."""
    told: Told = field(default_factory=Told)
    accounts: list[Account] = field(default_factory=list)

    def take(self, person: str, ask: Ask, answer: Json) -> None:
        """Remember what a granted command says."""
        data = ask.data
        self.told.take(person, ask, answer)
        if ask.name in FITTING:
            self.stage[person] = ask.name
        match ask.name:
            case "open-custody":
                self.place[person] = data["facility"]
            case "record-move-within":
                self.place[person] = data["to_facility"]
            case "accept-handover":
                self.place[person] = data["receiving"]["facility"]
            case "request-transfer":
                self.transfer[person] = data["transfer"]
            case "offer-handover":
                self.offer[person] = (data["handover"], answer["events"][0]["leaf_hash"])
            case "order-release":
                self.release[person] = data["release"]
            case "place-hold":
                self.hold[person] = data["hold"]


def wild(name: str, random: Random, known: Known, people: tuple[str, ...] = PEOPLE, *, is_plain: bool = False) -> Life:
    """One client's share of it, without end; a plain one speaks neither of money nor of what was told wrongly."""
    number = 0
    for person in people:
        # The first thing each client does, so that the rest speaks of somebody; all but one of them repeat it. The last
        # person is known without a ground to hold them.
        yield Ask(NORTH, "register-person", {"person": person, "identity_status": "established", "attributes": {}})
        if person != people[-1]:
            yield Ask(NORTH, "record-basis", {"person": person, **basis(f"b-{person}", **SENTENCE)})
    while True:
        person = random.choice(people)
        number += 1
        guess = Guess(name=f"{name}-{number}", person=person, random=random, known=known, is_plain=is_plain)
        ask = guess.ask()
        answer = yield ask
        if ask.hears:
            for account in known.accounts:
                heard(account, ask.data["number"], answer)
        if answer is not None and "events" in answer:
            known.take(guess.person, ask, answer)


@dataclass(slots=True, kw_only=True)
class Guess:
    """One command about one person. `name` makes the ids that it brings its own."""

    name: str
    person: str
    random: Random
    known: Known
    is_plain: bool = False

    def ask(self) -> Ask:
        """The command."""
        is_plain = self.is_plain
        if not is_plain and self.known.accounts and self._one_in(12):
            ask = guessed(self.name, self.random, self.known.accounts)
        elif not is_plain and self._one_in(12):
            ask = self.mended()
        else:
            fitting = FITTING.get(self.known.stage.get(self.person, ""), (Guess.opened,))
            maker = self.random.choice(fitting if self.random.randrange(2) else MAKERS)
            ask = maker(self)
        is_of_now = "occurred_at" in ask.data and not {"effective_at", "mode"} & set(ask.data)
        if is_of_now and self._one_in(25):
            ask = ask._replace(data={**ask.data, "occurred_at": now(self.random.choice(SHIFTS_SECONDS))})
        if not self._one_in(16) or self.known.told.has_a_remedy(ask):
            return ask
        return ask._replace(by=self.random.choice(ANYBODY), officer="")

    def _one_in(self, times: int) -> bool:
        return self.random.randrange(times) == 0

    @property
    def _place(self) -> str:
        known = self.known.place.get(self.person, N1)
        return self.random.choice(PLACES_ASKED) if self._one_in(6) else known

    @property
    def _holder(self) -> str:
        return PLACES[self.known.place.get(self.person, N1)]

    @property
    def _transfer(self) -> str:
        if self._one_in(15):
            return self.known.transfer.get(self.random.choice(PEOPLE), UNKNOWN)
        return self.known.transfer.get(self.person, UNKNOWN)

    @property
    def _release(self) -> str:
        return self.known.release.get(self.person, UNKNOWN) if not self._one_in(10) else f"r-{self.name}"

    def registered(self) -> Ask:
        """The person, again and again: an equal command is a repeat, another is refused."""
        fields: Json = {"person": self.person, "identity_status": "established", "attributes": {}}
        if self._one_in(4):
            fields["identity_status"] = "claimed"
        return Ask(NORTH, "register-person", fields)

    def sentenced(self) -> Ask:
        """A basis: the one on record, or another that has ended, ends before it begins or has no end."""
        fields: Json = {"person": self.person, **basis(f"b-{self.person}", **SENTENCE)}
        match self.random.randrange(6):
            case 0:
                fields |= {"basis": f"b-{self.name}", "must_end_by": "2024-01-01"}
            case 1:
                fields |= {"basis": f"b-{self.name}", "must_end_by": "2025-02-01"}
            case 2:
                fields["basis"] = f"b-{self.name}"
                del fields["must_end_by"]
            case 3:
                fields["kind"] = "remand"
        return Ask(NORTH, "record-basis", fields)

    def opened(self) -> Ask:
        """Custody opened by somebody, in one of its places."""
        place = self.random.choice((*PLACES_ASKED, N1, N1))
        fields = lives.taking(self.person, place)
        match self.random.randrange(20):
            case 0:
                fields["supervising_authority"] = EAST
            case 1:
                fields["facility"] = UNKNOWN
            case 2 | 3:
                del fields["basis"]
        return Ask(PLACES[place], "open-custody", fields)

    def seen(self) -> Ask:
        """A presence, wherever."""
        fields = lives.presence(self.person, self.random.choice(PLACES_ASKED), "seen")
        return Ask(self.random.choice((NORTH, EAST, WATCH)), "report-presence", fields)

    def moved(self) -> Ask:
        """A move by the holder from where the person is believed to be."""
        to = self.random.choice((N1, N2) if self._holder == NORTH else (E1, E2))
        return Ask(self._holder, "record-move-within", lives.move(self.person, self._place, to))

    def held_back(self) -> Ask:
        """A court's hold on one act, or on two, of this person or of two."""
        hold = self.known.hold.get(self.person, UNKNOWN) if self._one_in(5) else f"o-{self.name}"
        persons = list(dict.fromkeys([self.person, self.random.choice(PEOPLE)]))
        acts = self.random.sample(ACTS, self.random.randrange(1, 3))
        fields: Json = {"hold": hold, "persons": persons, "forbids": acts, "instrument": DIGEST}
        return Ask(COURT, "place-hold", {**fields, **dict.fromkeys(("effective_at", "occurred_at"), now())})

    def let_go_on(self) -> Ask:
        """That hold lifted."""
        hold = self.known.hold.get(self.person, UNKNOWN)
        fields: Json = {"hold": hold, "instrument": DIGEST}
        return Ask(COURT, "lift-hold", {**fields, **dict.fromkeys(("effective_at", "occurred_at"), now())})

    def requested(self) -> Ask:
        """A transfer to E1, or to somewhere it cannot lead."""
        changes: Json = {}
        match self.random.randrange(16):
            case 0:
                changes = {"to_facility": self.random.choice((N2, "t-1", self._place))}
            case 1:
                changes = {"window_to": day(900)}
            case 2:
                changes = {"responsibility_after": "receiving"}
            case 3:
                changes = {"rule_sets": ["ets-112"]}
            case 4:
                changes = {"revision": 2}
            case 5:
                changes = {"window_to": day(200)}
        transfer = self._transfer if self._one_in(10) else f"t-{self.name}"
        return Ask(NORTH, "request-transfer", lives.request(transfer, self.person, self._place, **changes))

    def evidenced(self) -> Ask:
        """Evidence for or against, or on what nobody is heard."""
        by, rule_set, condition = self.random.choice(EVIDENCE)
        outcome = "met" if not self._one_in(12) else self.random.choice(("not-met", "waived"))
        if self._one_in(12):
            rule_set, condition = self.random.choice((*HEARD, ("ets-112", "six-months-remain")))
        return Ask(by, "evidence-condition", lives.evidence(self._transfer, rule_set, condition, outcome))

    def approved(self) -> Ask:
        """An approval."""
        fields = lives.approval(self._transfer)
        if self._one_in(10):
            fields["reserved"] = {**fields["reserved"], "facility": self.random.choice((E2, N1))}
        if self._one_in(10):
            fields["as"] = "court"
        return Ask(EAST, "approve-transfer", fields)

    def turned_down(self) -> Ask:
        """A rejection or a cancellation."""
        if self._one_in(2):
            return Ask(EAST, "reject-transfer", {"transfer": self._transfer, "reason": "no-space"})
        by = self.random.choice((NORTH, EAST, COURT))
        return Ask(by, "cancel-transfer", {"transfer": self._transfer, "reason": "medical", "fault": "none"})

    def offered(self) -> Ask:
        """An offer."""
        handover = self.known.offer.get(self.person, (UNKNOWN, ""))[0] if self._one_in(10) else f"h-{self.name}"
        fields = lives.offering(handover, self._transfer, self._place)
        if self._one_in(12):
            fields["receiving"] = {"authority": EAST, "facility": E2}
        return Ask(NORTH, "offer-handover", fields)

    def answered(self) -> Ask:
        """The offer accepted or refused; sometimes another offer is named, or the wrong officer stands there."""
        handover, leaf_hash = self.known.offer.get(self.person, (UNKNOWN, "A" * 43 + "="))
        if self._one_in(10):
            leaf_hash = (
                "A" * 43 + "="
                if self._one_in(2)
                else self.known.offer.get(self.random.choice(PEOPLE), ("", leaf_hash))[1]
            )
        if self._one_in(5):
            fields: Json = {"handover": handover, "answers": leaf_hash, "reasons": ["no-space"]}
            return Ask(EAST, "refuse-handover", fields)
        fields = lives.acceptance(handover, leaf_hash)
        match self.random.randrange(7):
            case 0:
                fields["receiving"] = {**fields["receiving"], "officer": f"{NORTH}-1"}
            case 1:
                fields["identity_check"] = {"method": "document", "result": "mismatch"}
            case 2:
                fields["receiving"] = {**fields["receiving"], "facility": self.random.choice((E2, N1))}
        return Ask(EAST, "accept-handover", fields)

    def ordered(self) -> Ask:
        """An order of release, sometimes one that leaves the ground for custody standing."""
        fields = lives.order(self.person, f"r-{self.name}")
        if self._one_in(6):
            fields["bases"] = []
        return Ask(COURT, "order-release", fields)

    def released(self) -> Ask:
        """A release by the holder."""
        fields = lives.release_from(self.person, self._release, self._place)
        if self._one_in(5):
            fields["checks"] = {**fields["checks"], "money": False}
        return Ask(self._holder, "record-release", fields)

    def settled(self) -> Ask:
        """A release verified, or declared an error."""
        if self._one_in(4):
            fields: Json = {"person": self.person, "release": self._release, "reason": "wrong-person"}
            return Ask(self.random.choice((EAST, COURT)), "declare-release-erroneous", {**fields, "occurred_at": now()})
        by = self.random.choice((WATCH, WATCH, COURT, self._holder))
        return Ask(by, "verify-release", lives.verification(self.person, self._release))

    def mended(self) -> Ask:
        """A correction or a late report, of this person or of one with an account."""
        if self.known.accounts and self._one_in(2):
            self.person = self.random.choice(self.known.accounts).person
        told = self.known.told
        if told.facts[self.person] and self._one_in(2):
            return told.late(self.person, self.random)
        return told.correction(self.person, self.random)

    def registry(self) -> Ask:
        """Something about bodies and places."""
        match self.random.randrange(7):
            case 0:
                fields: Json = {"authority": THIRD, "state": STATES[THIRD], "outside_register": False}
                return Ask(KEEPER, "register-authority", {**fields, "legal_name": self.random.choice((THIRD, EAST))})
            case 1:
                combined = (("sending", "receiving", "treasury-payee"), ("receiving", "treasury-payer"))
                roles = self.random.choice((*combined, ("sending", "court"), ("receiving",)))
                given = [{"role": role, "from": "2024-01-01"} for role in roles]
                return Ask(KEEPER, "set-authority-roles", {"authority": THIRD, "roles": given})
            case 2:
                fields = {"facility": self.random.choice((E2, f"f-{self.name}")), "kind": "prison", "authority": THIRD}
                fields |= {"zone": ZONES["SE"], "state": self.random.choice(("SE", "NO"))}
                recognised = {"recognised_by": DIGEST, "supervising_authority": WATCH}
                return Ask(KEEPER, "register-facility", {**fields, **recognised})
            case 3 | 4:
                ask = lives.certified(max(1, self.known.capacity + self.random.randrange(-2, 3)))
                officers = [[f"{EAST}-1", f"{EAST}-2"], [f"{EAST}-2", f"{EAST}-3"]][self._one_in(4)]
                changes: Json = {"approved_by": officers, "from": day(-2) if self._one_in(4) else day(-1)}
                return ask._replace(data={**ask.data, **changes})
            case 5:
                digest = {"agreement": self.random.choice(("a1", "a2")), "revision": 1, "terms_digest": DIGEST}
                return Ask(self.random.choice((NORTH, THIRD)), "sign-agreement", digest)
            case _:
                return drafted(self.random)


def drafted(random: Random) -> Ask:
    """An agreement drafted that nobody signs, by one who is no party, between bodies of one State, or out of turn."""
    agreement, revision = random.choice((("a1", 3), ("a2", 1), ("a2", 1)))
    sending, receiving = random.choice(((NORTH, EAST), (EAST, THIRD)))
    parties = [{"authority": sending, "role": "sending"}, {"authority": receiving, "role": "receiving"}]
    fields: Json = {"agreement": agreement, "revision": revision, "parties": parties, "terms": TERMS}
    fields |= {"legal_bases": ["custody-contract"], "from": "2026-01-01", "to": "2027-01-01"}
    return Ask(random.choice((sending, THIRD)), "draft-agreement", fields)


Maker = Callable[[Guess], Ask]
FITTING: Final[dict[str, tuple[Maker, ...]]] = {
    "open-custody": (Guess.requested, Guess.requested, Guess.moved, Guess.ordered),
    "request-transfer": (Guess.evidenced, Guess.evidenced, Guess.evidenced, Guess.approved),
    "approve-transfer": (Guess.offered,),
    "offer-handover": (Guess.answered,),
    "refuse-handover": (Guess.offered, Guess.turned_down),
    "accept-handover": (Guess.moved, Guess.ordered, Guess.ordered),
    "order-release": (Guess.released,),
    "record-release": (Guess.settled, Guess.settled, Guess.opened),
    "verify-release": (Guess.opened, Guess.settled),
    "declare-release-erroneous": (Guess.opened, Guess.settled),
    "cancel-transfer": (Guess.requested,),
    "reject-transfer": (Guess.requested,),
}
"""After a command that led somewhere, what leads on from there."""
MAKERS: Final[tuple[Maker, ...]] = (
    Guess.registered,
    Guess.sentenced,
    Guess.opened,
    Guess.seen,
    Guess.moved,
    Guess.held_back,
    Guess.let_go_on,
    Guess.let_go_on,
    Guess.requested,
    Guess.evidenced,
    Guess.approved,
    Guess.turned_down,
    Guess.offered,
    Guess.answered,
    Guess.ordered,
    Guess.released,
    Guess.settled,
    Guess.registry,
    Guess.registry,
)
