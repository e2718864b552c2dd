"""The load of corrections and of late reports: what was told is declared wrong, replaced, contradicted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Any, Final, NamedTuple

from tests.chaos import lives
from tests.chaos.asking import Ask, Life
from tests.model.answers import Json
from tests.model.papers import FACTS
from tests.model.people import instant
from tests.scene import AUDIT, E1, EAST, N1, N2, NORTH, WATCH

MENDED: Final = set(FACTS) - {"order-release"}
"""The facts that are corrected."""
ENVELOPE: Final = ("person", "occurred_at", "mode")
SHIFTS: Final = tuple(timedelta(hours=hours) for hours in (-100, -30, -5, -1, 0, 0, 1, 3, 26, 80))
"""How much earlier or later the right instant is than the wrong one."""
EARLIER: Final = SHIFTS[:3]
AT_ONCE: Final = (timedelta(0),)
UNKNOWN: Final = "e-unknown"


class Fact(NamedTuple):
    """One fact as it was told: the command, and the id of its event."""

    ask: Ask
    event_id: str


@dataclass(slots=True)
class Told:
    """What all clients have told together, by person: facts, and the corrections of them."""

    facts: dict[str, list[Fact]] = field(default_factory=lambda: defaultdict(list))
    corrections: dict[str, list[Fact]] = field(default_factory=lambda: defaultdict(list))
    beside: list[Fact] = field(default_factory=list)
    """What has a remedy of its own."""

    def take(self, person: str, ask: Ask, answer: Json) -> None:
        """Keep what a granted command has told."""
        fact = Fact(ask, answer["events"][0]["event_id"])
        if ask.name in MENDED:
            self.facts[person].append(fact)
        elif ask.name == "correct-fact":
            self.corrections[person].append(fact)
            if len(answer["events"]) > 1:
                wrong = self._named(person, ask.data["corrects"])
                given = ask.data["replacement"]
                right = {**wrong.ask.data, **given["body"], "occurred_at": given["occurred_at"]}
                self.facts[person].append(Fact(wrong.ask._replace(data=right), answer["events"][1]["event_id"]))
        elif ask.name in ("place-hold", "issue-invoice", "sign-agreement"):
            self.beside.append(fact)

    def has_a_remedy(self, ask: Ask) -> bool:
        """Whether a correction names what is put right otherwise."""
        return ask.name == "correct-fact" and any(fact.event_id == ask.data["corrects"] for fact in self.beside)

    def _named(self, person: str, event_id: str) -> Fact:
        return next(fact for fact in self.facts[person] if fact.event_id == event_id)

    def of(self, person: str, ask: Ask) -> Generator[Ask, Json | None, Json | None]:
        """Ask, and keep what is told of the person."""
        answer = yield ask
        if answer is not None:
            self.take(person, ask, answer)
        return answer

    def mended(self, person: str, random: Random) -> Life:
        """One or two corrections of what was told of a person."""
        for _ in range(random.randint(1, 2)):
            yield from self.of(person, self.correction(person, random))

    def correction(self, person: str, random: Random) -> Ask:
        """A fact of the person declared wrong, or a correction undone; sometimes as it must not be."""
        facts, corrections = self.facts[person], self.corrections[person]
        if self.beside and random.randrange(20) == 0:
            fact = random.choice(self.beside)
            return Ask(fact.ask.by, "correct-fact", {"corrects": fact.event_id, "reason": "did-not-occur"})
        if corrections and random.randrange(4) == 0:
            fact = random.choice(corrections)
            reason = "did-not-occur" if random.randrange(5) else "incorrect-data"
            return self._signed(fact, {"reason": reason}, random)
        if not facts or random.randrange(30) == 0:
            return Ask(EAST, "correct-fact", {"corrects": UNKNOWN, "reason": "did-not-occur"})
        fact = random.choice(facts)
        match random.randrange(8):
            case 0 | 1:
                return self._signed(fact, {"reason": "did-not-occur"}, random)
            case 2:
                return self._signed(fact, {"reason": "duplicate", "kept": random.choice(facts).event_id}, random)
            case 3 if random.randrange(4) == 0:
                return self._signed(fact, {"reason": "incorrect-data"}, random)
            case _:
                return self._signed(fact, {"reason": "incorrect-data", "replacement": right(fact, random)}, random)

    def accepted(self, person: str, random: Random, shifts: Sequence[timedelta]) -> Ask:
        """The last acceptance of the person told again, at another instant or at the same."""
        fact = next(fact for fact in reversed(self.facts[person]) if fact.ask.name == "accept-handover")
        given = {"body": body_of(fact), **shifted(fact.ask.data["occurred_at"], random, shifts)}
        signer = {"authority": NORTH, "officer": f"{NORTH}-1"}
        fields: Json = {"corrects": fact.event_id, "reason": "incorrect-data", "replacement": given}
        return Ask(fact.ask.by, "correct-fact", {**fields, "countersigned_by": signer})

    def _signed(self, fact: Fact, fields: Json, random: Random) -> Ask:
        """Countersigned by who may, most of the time."""
        name = fact.ask.name
        if name == "correct-fact":
            # An undoing is countersigned as the correction was.
            signer = fact.ask.data.get("countersigned_by", {"authority": AUDIT})["authority"]
        else:
            signer = (NORTH if fact.ask.by == EAST else EAST) if name == "accept-handover" else AUDIT
        if random.randrange(8) == 0:
            signer = random.choice((AUDIT, NORTH, EAST, WATCH, "nobody"))
        if random.randrange(20):
            fields = {**fields, "countersigned_by": {"authority": signer, "officer": f"{signer}-1"}}
        return Ask(fact.ask.by, "correct-fact", {"corrects": fact.event_id, **fields})

    def late(self, person: str, random: Random) -> Ask:
        """A report of what happened around something told before, or is said to have."""
        around = random.choice(self.facts[person]).ask.data["occurred_at"]
        at = shifted(around, random)
        by, place = random.choice(((NORTH, N1), (NORTH, N2), (EAST, E1)))
        told = [fact.ask.data for fact in self.facts[person] if fact.ask.by == EAST]
        if told and random.randrange(2):
            place = next((data[name] for data in told for name in ("to_facility", "place") if name in data), E1)
            by = EAST
        match random.randrange(4):
            case 0:
                seen = {**lives.presence(person, place, "seen"), **at}
                return Ask(random.choice((by, WATCH)), "report-presence", seen)
            case 1:
                taken = lives.taking(person, N1) | {"facility": place, "authority": by, "deprived_by": by}
                return Ask(by, "open-custody", {**taken, **at, "mode": "report"})
            case 2:
                origin = random.choice((N1, E1, place))
                return Ask(by, "record-move-within", {**lives.move(person, origin, place), **at, "mode": "report"})
            case _:
                release = f"l-{person}-{random.randrange(10**6)}"
                freed = {**lives.release_from(person, release, place), **at, "mode": "report"}
                if random.randrange(2):
                    freed["checks"] = {**freed["checks"], "money": False}
                return Ask(by, "record-release", freed)


def shifted(instant_: str, random: Random, shifts: Sequence[timedelta] = SHIFTS) -> dict[str, str]:
    """Another instant, some hours from a given one."""
    at = instant(instant_) + random.choice(shifts)
    return {"occurred_at": at.isoformat(timespec="milliseconds")}


def body_of(fact: Fact) -> dict[str, Any]:
    """What an event says of a fact."""
    return {name: value for name, value in fact.ask.data.items() if name not in ENVELOPE}


def right(fact: Fact, random: Random) -> dict[str, Any]:
    """What stands in place of a wrong fact: another instant, sometimes another place, now and then another thing."""
    data, body = fact.ask.data, body_of(fact)
    if fact.ask.name == "record-move-within" and random.randrange(3) == 0:
        body["to_facility"] = random.choice((N1, N2) if fact.ask.by == NORTH else (E1, body["from_facility"]))
    if "release" in body and random.randrange(8) == 0:
        body["release"] = "r-another"
    return {"body": body, **shifted(data["occurred_at"], random)}
