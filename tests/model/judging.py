"""Judging a history: could each answer have been given at its position, and is the record itself whole?

Granted commands are taken in the order of their positions, and each must be one the model grants on what stands before
it. A refusal has no position of its own; it must be right at one of those the ledger stood at between the command's
sending and its answer, so that *no* is as current as *yes*. The time a command was judged at lies between the two as
well.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from tests.model import money, rules
from tests.model.answers import Answered, Record
from tests.model.asked import Call
from tests.model.effects import Expected, expected, is_late, take
from tests.model.papers import FACTS
from tests.model.people import instant
from tests.model.standing import NOBODYS
from tests.model.world import Authority, World

CLOCKS = {"late", "day-precision"}
"""Flags that follow from when an event was recorded, which no answer tells."""
MILLISECOND = timedelta(milliseconds=1)
"""What the record keeps of a time is cut to this."""
TAKING_IN = ("open-custody", "record-move-within", "accept-handover")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One answer that the model would not have given. `should` is what it would have said instead."""

    kind: str
    answered: Answered
    should: str
    others: tuple[Answered, ...] = ()

    @property
    def sentence(self) -> str:
        """It in words."""
        who = f"{self.answered.authority}'s {self.answered.name} ({self.answered.key})"
        said = "was granted" if self.answered.is_granted else f"was refused with {self.answered.code}"
        return f"{who} {said}: {self.kind}; {self.should}"

    @property
    def same(self) -> tuple[str, str, tuple[str, str]]:
        """What two findings share if they are of the same fault."""
        return self.kind, self.should, self.answered.who


@dataclass(slots=True, kw_only=True)
class Judge:
    """One pass over a history. `whole` says that nothing has been left out of it, `record` what else is known of it."""

    world: World
    record: Record = field(default_factory=dict)
    whole: bool = True
    waiting: list[Answered] = field(default_factory=list)
    """Refusals for which no position has been found yet at which they were right."""

    def granted(self, answered: Answered) -> Iterator[Finding]:
        """Judge a granted command that stands right behind the world, then make it true."""
        world = self.world
        yield from self._in_its_place(answered)
        times = self._times(answered)
        codes = [rules.verdict(world, answered, now) for now in times]
        if None not in codes:
            yield _finding("it must not be", answered, f"the model refuses it with {codes[0]}")
        yield from self._as_expected(answered, times[0])
        yield from self._as_written(answered, times[0])
        take(world, answered, times[0])
        yield from self._laws(answered)
        self.waiting = [refused for refused in self.waiting if not is_right(world, refused)]

    def _times(self, answered: Answered) -> list[datetime]:
        """When it may have been judged: the record says so exactly, the client knows two bounds."""
        stated = self.record.get(answered.events[0].position)
        return [answered.sent, answered.heard] if stated is None else [stated.recorded_at]

    def overdue(self, position: int) -> Iterator[Finding]:
        """The refusals that were right nowhere, now that the record goes on at `position`."""
        for refused in [refused for refused in self.waiting if refused.position < position]:
            self.waiting.remove(refused)
            codes = sorted({str(rules.verdict(self.world, refused, now)) for now in (refused.sent, refused.heard)})
            said = " or ".join("grants it" if code == "None" else f"refuses it with {code}" for code in codes)
            yield _finding("it is right nowhere from its sending to its answer", refused, f"the model {said}")

    def _in_its_place(self, answered: Answered) -> Iterator[Finding]:
        world, events = self.world, answered.events
        positions = [event.position for event in events]
        if positions != list(range(positions[0], positions[0] + len(events))):
            yield _finding("its events do not follow one another", answered, f"they stand at {positions}")
        if positions[0] <= world.position:
            yield _finding("its position is taken", answered, f"the next free one is {world.position + 1}")
        if self.whole and positions[0] > world.position + 1:
            yield _finding("a position is missing before it", answered, f"nothing stands at {world.position + 1}")
        for event in events:
            if event.event_id in world.event_ids:
                yield _finding("its event stands elsewhere too", answered, event.event_id)
        if self.whole and positions[-1] != answered.document["position"]:
            yield _finding("its position is not that of its last event", answered, f"that stands at {positions[-1]}")

    def _as_expected(self, answered: Answered, now: datetime) -> Iterator[Finding]:
        events, should = answered.events, expected(self.world, answered, now)
        found = [Expected(_kind(event.type), event.stream, frozenset(event.flags) - CLOCKS) for event in events]
        if found != should:
            yield _finding(f"it told of {_told(found)}", answered, f"it records {_told(should)}")
        call = Call(self.world, answered.authority, answered.officer, answered.data, now)
        told = money.told(call, answered.name)
        if any(answered.document["told"].get(name) != value for name, value in told.items()):
            yield _finding(f"it told {answered.document['told']}", answered, f"it tells {told}")
        seen: dict[str, int] = defaultdict(int)
        for event in events:
            seen[event.stream] += 1
            version = self.world.versions[event.stream] + seen[event.stream]
            if self.whole and event.stream_version != version:
                sentence = f"{event.stream} is at version {version} then, not at {event.stream_version}"
                yield _finding("a version is missing or doubled", answered, sentence)

    def _as_written(self, answered: Answered, now: datetime) -> Iterator[Finding]:
        """What the record has of it: written between its sending and its answer, late or not, and the amounts."""
        call = Call(self.world, answered.authority, answered.officer, answered.data, now)
        stated = [self.record[event.position] for event in answered.events if event.position in self.record]
        if len(stated) < len(answered.events):
            return
        if not answered.sent - MILLISECOND <= now <= answered.heard:
            yield _finding("it was recorded at another time", answered, f"between sending and answer, not at {now}")
        for event, item in zip(answered.events, stated, strict=True):
            should_be_late = is_late(_kind(event.type), self._when(call, event.position, answered), now)
            if should_be_late != ("late" in event.flags):
                yield _finding("it is late or not", answered, f"{event.type} is {'' if should_be_late else 'not '}late")
            if item.recorded_at != now:
                yield _finding("its events have several times", answered, f"{now}, not {item.recorded_at}")
        for body, item in zip(money.bodies(call, answered.name), stated, strict=False):
            wrong = {name: item.body.get(name) for name, value in body.items() if not _says(item.body.get(name), value)}
            if wrong:
                should = ", ".join(f"{name} is {body[name]}" for name in wrong)
                yield _finding(f"the record says {wrong}", answered, should)

    def _when(self, call: Call, position: int, answered: Answered) -> datetime:
        """When the fact of one event happened: of a correction's replacement, as it says itself."""
        is_replacement = answered.name == "correct-fact" and position != answered.events[0].position
        return instant(answered.data["replacement"]["occurred_at"]) if is_replacement else call.at

    def _laws(self, answered: Answered) -> Iterator[Finding]:
        """What holds whatever the rules say: custody passes by acceptance, and no place holds more than it may."""
        for event in answered.events:
            kind, _, id_ = event.stream.partition(":")
            person = self.world.people.get(id_) if kind == "person" else None
            if person is None or answered.name not in FACTS or answered.name == "accept-handover":
                continue
            at = next(at for at in reversed(range(len(person.facts))) if person.facts[at].position == event.position)
            before, now = person.standings[at - 1] if at else NOBODYS, person.standings[at]
            passed = None not in (before.custodian, now.custodian) and before.custodian != now.custodian
            if before.is_in_custody and passed:
                sentence = f"{id_} is {before.custodian}'s, not {now.custodian}'s"
                yield _finding("one person has two holders", answered, sentence)
        if answered.name not in TAKING_IN or answered.is_report:
            return
        call = Call(self.world, answered.authority, answered.officer, answered.data, answered.heard)
        data = answered.data
        named = {data.get("facility"), data.get("to_facility"), data.get("receiving", {}).get("facility")}
        # One of an earlier day may leave the person where reports, which nothing stops, have put too many.
        if (facility := call.person.now.place) is not None and facility in named:
            place = self.world.facilities[facility]
            capacity = place.capacity(place.day(answered.heard))
            if capacity is not None and len(place.held) > capacity:
                yield _finding("a place holds more than it may", answered, f"{facility} has {capacity} places")


def is_right(world: World, refused: Answered) -> bool:
    """Whether the model refuses a command just so, where the world now stands, and tells the same amount."""
    is_same = any(rules.verdict(world, refused, now) == refused.code for now in (refused.sent, refused.heard))
    return is_same and money.is_told_rightly(world, refused)


def genesis(position: int, registrar: str, state: str, today: date) -> World:
    """The world right after the first commit: one registrar, and nothing it has registered."""
    world = World(position=position)
    world.authorities[registrar] = Authority(state, [("registrar", None, today, None)])
    world.versions[f"authority:{registrar}"] = 2
    return world


def judge(
    history: Sequence[Answered],
    opened: int,
    registrar: str,
    state: str,
    *,
    record: Record | None = None,
    whole: bool = True,
) -> Finding | None:
    """The first answer, in the order of the positions, that the model would not have given."""
    first_sent = min((answered.sent for answered in history), default=datetime.now(UTC))
    world = genesis(opened, registrar, state, first_sent.astimezone(UTC).date())
    bench = Judge(world=world, record=record or {}, whole=whole)
    makers, repeats = _sorted_out(history)
    refusals = sorted((item for item in history if not item.is_granted), key=lambda item: item.seen, reverse=True)
    for maker in makers:
        _activate(bench, refusals, maker.events[0].position)
        found = next(bench.overdue(maker.events[0].position), None) or next(bench.granted(maker), None)
        if found is not None:
            return found
        for repeat in repeats.get(maker.events[0].position, ()):
            if (finding := _repeat(world, maker, repeat)) is not None:
                return finding
    bench.waiting += [refused for refused in refusals if not is_right(world, refused)]
    return next(bench.overdue(max((item.position for item in history), default=0) + 1), None)


def _activate(bench: Judge, refusals: list[Answered], position: int) -> None:
    """Look at the refusals that may have been given before `position` was taken; `refusals` has the earliest last."""
    while refusals and refusals[-1].seen < position:
        refused = refusals.pop()
        if not is_right(bench.world, refused):
            bench.waiting.append(refused)


def _sorted_out(history: Sequence[Answered]) -> tuple[list[Answered], dict[int, list[Answered]]]:
    """The commands that made the events, by position, and the repeats that were told of them again."""
    at: dict[int, list[Answered]] = defaultdict(list)
    for answered in history:
        if answered.is_granted:
            at[answered.events[0].position].append(answered)
    makers, repeats = [], {}
    for position in sorted(at):
        told = sorted(at[position], key=lambda item: (item.replayed, item.sent))
        makers.append(told[0])
        repeats[position] = told[1:]
    return makers, repeats


def _repeat(world: World, maker: Answered, repeat: Answered) -> Finding | None:
    """A repeat is told what was told before, and only to whom it may be one."""
    if repeat.document != maker.document:
        return _finding("the repeat is told something else", repeat, f"{maker.key} was told first", maker)
    if not repeat.replayed and repeat.who != maker.who:
        return _finding("its position is taken", repeat, f"{maker.key} stands there", maker)
    is_same_command = (repeat.name, repeat.data) == (maker.name, maker.data)
    if not (repeat.who == maker.who and is_same_command) and rules.repeated(world, repeat) is not maker:
        return _finding("it is no repeat", repeat, f"{maker.key} is another command", maker)
    return None


def _finding(kind: str, answered: Answered, should: str, *others: Answered) -> Finding:
    return Finding(kind=kind, answered=answered, should=should, others=others)


def _kind(wire: str) -> str:
    return wire.rpartition(".v")[0]


def _told(events: Sequence[Expected]) -> str:
    return ", ".join(f"{event.type} on {event.stream} {sorted(event.flags) or ''}".rstrip() for event in events)


def _says(found: object, should: object) -> bool:
    """Whether what is on record says what it should; of an object, the fields that follow from the rules."""
    if isinstance(should, dict) and isinstance(found, dict):
        return all(_says(found.get(name), value) for name, value in should.items())
    return found == should
