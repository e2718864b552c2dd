"""The facts of each person, kept so that any question at (`as_of`, `known_at`) can be folded from them (DOMAIN §6.4).

This is the support view: the others that speak of persons read it, at or behind its position. Beside the facts it
keeps whom each place has ever named, which person a transfer moves, what the fold must know of the registry, and
which position every time of recording had reached.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from threading import Lock
from typing import Final, TypeVar, cast

import msgspec

from domain.custody.counting import FOLDED, Counting, count
from domain.custody.fold import Taken, fold_counting, settled, walk
from domain.custody.grounds import Grounds
from domain.custody.places import Places
from domain.custody.standing import flags_of
from domain.custody.state import CustodyState
from domain.custody.timeline import Timeline, drawn
from domain.events import decode_body
from domain.events.event import Actor, Body, Event, stream_id
from domain.events.person import FactCorrected
from domain.events.transfer import TransferRequested
from domain.known import passed
from domain.names import EventId, PersonId, TransferId
from domain.register import Register
from projections.engine.instants import kept
from projections.engine.tables import Generation, Row, Rows, Table

T = TypeVar("T")

NAME: Final = "person_facts"
EVENTS: Final = Table(
    name="person_facts_events",
    columns=("person", "position", "type", "event"),
    key=("person", "position"),
    integers=("position",),
    refs=("position",),
)
PLACES: Final = Table(name="person_facts_places", columns=("facility", "person"), key=("facility", "person"))
TRANSFERS: Final = Table(name="person_facts_transfers", columns=("transfer", "person"), key=("transfer",))
REGISTRY: Final = Table(
    name="person_facts_registry",
    columns=("position", "type", "event"),
    key=("position",),
    integers=("position",),
    refs=("position",),
)
CLOCK: Final = Table(
    name="person_facts_clock",
    columns=("recorded_at", "position"),
    key=("recorded_at",),
    integers=("position",),
    refs=("position",),
)
TABLES: Final = (EVENTS, PLACES, TRANSFERS, REGISTRY, CLOCK)

KEPT_MAX: Final = 50_000
"""How many facts of persons stay in memory for the next events, about 1 KB each; others are read back when needed."""

_REGISTRY_STREAMS: Final = ("authority:", "facility:", "agreement:")
_FACTS: Final = frozenset[type[Body]]({*FOLDED, FactCorrected})


class _Envelope(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An event as it is kept: everything but its position and type, which are columns; its body comes last."""

    event_id: str
    stream: str
    stream_version: int
    actor: Actor
    occurred_at: datetime
    recorded_at: datetime
    command_id: str
    leaf_hash: str


class _Written(_Envelope, frozen=True, kw_only=True, gc=False):
    body: Body


class _Read(_Envelope, frozen=True, kw_only=True, gc=False):
    body: msgspec.Raw


_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final = msgspec.json.Decoder(_Read)


class Subject:
    """One person as a view folds it: the facts up to some position, and what they amount to, computed once."""

    def __init__(self, person: PersonId, events: Sequence[Event], places: Places) -> None:
        self.person = person
        self.events = events
        self.places = places
        self._made: dict[Callable[[Subject], object], object] = {}

    @property
    def ref(self) -> int:
        """The position of the last fact."""
        return self.events[-1].position

    def made(self, make: Callable[[Subject], T]) -> T:
        """What a function makes of it, once for all views that ask."""
        if make not in self._made:
            self._made[make] = make(self)
        return cast("T", self._made[make])

    @cached_property
    def counting(self) -> Counting:
        """Which facts count."""
        return count(self.events, self.places)

    @cached_property
    def head(self) -> CustodyState | None:
        """What all facts amount to; `None` where none counts."""
        return settled(self._steps, self._grounds, self.places)

    @cached_property
    def _grounds(self) -> Grounds:
        return Grounds(self.counting.known, self.places, self.counting)

    @cached_property
    def _steps(self) -> Sequence[Taken]:
        """Every fact that counts, with the state before and after: head and timeline are both made of them."""
        return tuple(walk(self.counting, self._grounds, self.places))

    def at(self, instant: datetime) -> CustodyState | None:
        """What the facts amount to at an instant; `None` where none stands by then."""
        return fold_counting(self.counting, self.places, instant)

    @property
    def settled_at(self) -> datetime:
        """The instant from which on the head answers: that of the last fact that counts."""
        return self.counting.facts[-1].instant

    @cached_property
    def timeline(self) -> Timeline:
        """The whole timeline, beginnings in the future included."""
        return drawn(self._steps, self.places)

    @cached_property
    def flags(self) -> tuple[str, ...]:
        """The standing flags at the last fact."""
        return flags_of(self.counting, self.head, self.places)


def persons_of(events: Sequence[Event], transfers: Mapping[str, PersonId]) -> list[PersonId | None]:
    """The person whose fact each event is, `None` where it is nobody's."""
    found: list[PersonId | None] = []
    for event in events:
        kind, _, id_ = event.stream.partition(":")
        found.append(PersonId(id_) if kind == "person" else transfers.get(id_) if kind == "transfer" else None)
    return found


def is_fact(event: Event) -> bool:
    """Whether the fold of a person reads this event, or a correction in it."""
    return type(event.body) in _FACTS


class Facts:
    """The support view's tables of one generation, and what has been read from them or is about to be written.

    The registry is kept in memory and read on from where it stood, so one `Facts` serves every thread of a process.
    So do the latest persons' facts, for the one thread that brings the views up: what it has just applied it need not
    read back, and nothing at all where it began with the first event and no more than `kept_max` facts have come.
    """

    def __init__(self, kept_max: int = KEPT_MAX) -> None:
        self._register = Register()
        self._read_to = 0
        self._lock = Lock()
        self._kept_max = kept_max
        self._kept: dict[PersonId, list[Event]] = {}
        self._kept_count = 0
        self._kept_to = 0
        self._keeps_all = True

    def transfers(self, tables: Generation, events: Iterable[Event]) -> dict[str, PersonId]:
        """Transfer id → person, for the transfers that these events are about."""
        found: dict[str, PersonId] = {}
        asked: set[str] = set()
        for event in events:
            if isinstance(event.body, TransferRequested):
                found[event.body.transfer] = event.body.person
            elif event.stream.startswith("transfer:"):
                asked.add(stream_id(event.stream))
        sql = "SELECT transfer, person FROM {person_facts_transfers} WHERE transfer IN ({marks})"
        for transfer, person in tables.select_among(sql, sorted(asked - found.keys())):
            found[TransferId(str(transfer))] = PersonId(str(person))
        return found

    def of(
        self, tables: Generation, persons: Iterable[PersonId], up_to: int | None = None
    ) -> dict[PersonId, list[Event]]:
        """The facts of each person up to a position, in recorded order; whoever has none is left out."""
        sql = (
            "SELECT person, position, type, event FROM {person_facts_events} "
            "WHERE person IN ({marks}) AND position <= ? ORDER BY person, position"
        )
        limit = 2**62 if up_to is None else up_to
        found: dict[PersonId, list[Event]] = defaultdict(list)
        for person, *rest in tables.select_among(sql, sorted(persons), limit):
            found[PersonId(str(person))].append(_event(*rest))
        return found

    def histories(
        self, tables: Generation, events: Sequence[Event], persons: Sequence[PersonId | None]
    ) -> dict[PersonId, Sequence[Event]]:
        """All facts, up to the last event, of everybody whom a fact among the events is about.

        `persons` says whom each event is about. The tables must have come to the event before the first.
        """
        if self._kept_to != events[0].position - 1:
            self._forget(events[0].position - 1)
        added: dict[PersonId, list[Event]] = {}
        for event, person in zip(events, persons, strict=True):
            if person is not None and type(event.body) in _FACTS:
                added.setdefault(person, []).append(event)
        unread = [] if self._keeps_all else [person for person in added if person not in self._kept]
        earlier = self.of(tables, unread, self._kept_to)
        for person, new in added.items():
            before = self._kept.pop(person, None)
            if before is None:
                before = earlier.get(person, [])
                self._kept_count += len(before)
            # Whoever is named last stands last, and is dropped last.
            self._kept[person] = [*before, *new]
            self._kept_count += len(new)
        self._kept_to = events[-1].position
        found: dict[PersonId, Sequence[Event]] = {person: self._kept[person] for person in added}
        if self._kept_count > self._kept_max:
            self._drop_oldest()
        return found

    def _forget(self, position: int) -> None:
        self._kept.clear()
        self._kept_count, self._kept_to, self._keeps_all = 0, position, position == 0

    def _drop_oldest(self) -> None:
        self._keeps_all = False
        for person in list(self._kept):
            # Well below the limit, so that not every page has somebody to drop.
            if self._kept_count <= self._kept_max // 2:
                return
            self._kept_count -= len(self._kept.pop(person))

    def subjects(
        self, tables: Generation, persons: Iterable[PersonId], up_to: int, places: Places
    ) -> dict[PersonId, Subject]:
        """The same, ready to fold."""
        return {person: Subject(person, events, places) for person, events in self.of(tables, persons, up_to).items()}

    def changed_after(self, tables: Generation, facility: str, position: int) -> set[PersonId]:
        """Those whom any fact has ever named at the place and of whom something was recorded after the position."""
        ever = tables.select("SELECT person FROM {person_facts_places} WHERE facility = ?", facility)
        sql = "SELECT DISTINCT person FROM {person_facts_events} WHERE person IN ({marks}) AND position > ?"
        found = tables.select_among(sql, (str(person) for (person,) in ever), position)
        return {PersonId(str(person)) for (person,) in found}

    def position_at(self, tables: Generation, instant: datetime) -> int:
        """The last position recorded at or before an instant; 0 where nothing was."""
        sql = "SELECT max(position) FROM {person_facts_clock} WHERE recorded_at <= ?"
        [(position,)] = tables.select(sql, kept(instant))
        return cast("int | None", position) or 0

    def register(self, tables: Generation, known_at: int | None = None) -> Register:
        """Authorities, facilities and agreements as known at a position; it serves the fold as its `Places`."""
        with self._lock:
            for event in self._registry(tables, self._read_to):
                self._register.evolve(event)
                self._read_to = event.position
            if known_at is None or known_at >= self._read_to:
                return self._register
        past = Register()
        for event in self._registry(tables, 0, known_at):
            past.evolve(event)
        return past

    def _registry(self, tables: Generation, after: int, up_to: int = 2**62) -> list[Event]:
        sql = (
            "SELECT position, type, event FROM {person_facts_registry} "
            "WHERE position > ? AND position <= ? ORDER BY position"
        )
        return [_event(*row) for row in tables.select(sql, after, up_to)]


def write(events: Sequence[Event], persons: Sequence[PersonId | None], rows: Rows) -> None:
    """Keep what a batch of events adds; `persons` says whom each is about."""
    facts: list[Row] = []
    registry: list[Row] = []
    places: dict[Row, None] = {}
    clock: dict[datetime, int] = {}
    for event, person in zip(events, persons, strict=True):
        clock[event.recorded_at] = event.position
        if person is None:
            if event.stream.startswith(_REGISTRY_STREAMS):
                registry.append((event.position, event.wire, _text(event)))
            continue
        if type(event.body) not in _FACTS:
            continue
        facts.append((person, event.position, event.wire, _text(event)))
        for kind, place in passed(event):
            if kind == "ever":
                places[place, person] = None
    rows.insert(EVENTS, facts)
    rows.insert(REGISTRY, registry)
    rows.put(PLACES, list(places))
    rows.put(
        TRANSFERS,
        [(event.body.transfer, event.body.person) for event in events if isinstance(event.body, TransferRequested)],
    )
    rows.put(CLOCK, [(kept(recorded_at), position) for recorded_at, position in clock.items()])


def _text(event: Event) -> str:
    return _ENCODER.encode(
        _Written(
            event_id=event.event_id,
            stream=event.stream,
            stream_version=event.stream_version,
            actor=event.actor,
            occurred_at=event.occurred_at,
            recorded_at=event.recorded_at,
            command_id=event.command_id,
            leaf_hash=event.leaf_hash,
            body=event.body,
        )
    ).decode()


def _event(position: object, wire: object, text: object) -> Event:
    assert isinstance(position, int)
    envelope = _DECODER.decode(str(text))
    return Event(
        position=position,
        event_id=EventId(envelope.event_id),
        stream=envelope.stream,
        stream_version=envelope.stream_version,
        actor=envelope.actor,
        occurred_at=envelope.occurred_at,
        recorded_at=envelope.recorded_at,
        command_id=envelope.command_id,
        leaf_hash=envelope.leaf_hash,
        body=decode_body(str(wire), envelope.body),
    )
