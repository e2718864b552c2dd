"""The facts of each person, kept so that any question at (`as_of`, `known_at`) can be folded from them (DOMAIN §6.4).

This is the support view: the others that speak of persons read it, at or behind its position. Beside the facts it
keeps whom each place has ever named, which person a transfer moves, what the fold must know of the registry, and
which position every time of recording had reached.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from threading import Lock
from typing import Final, cast

import msgspec

from domain.custody.counting import FOLDED, Counting, count
from domain.custody.fold import fold_counting
from domain.custody.places import Places
from domain.custody.standing import standing_flags
from domain.custody.state import CustodyState
from domain.custody.timeline import Timeline, timeline
from domain.events import decode_body
from domain.events.event import Actor, Event, stream_id
from domain.events.person import FactCorrected
from domain.events.transfer import TransferRequested
from domain.names import EventId, PersonId, TransferId
from domain.register import Register, passed
from projections.engine.instants import kept
from projections.engine.tables import Generation, Row, Rows, Table

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

_REGISTRY_STREAMS: Final = frozenset({"authority", "facility", "agreement"})
_NOWHERE: Final = frozenset[tuple[str, str]]()


class _Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """An event as it is kept: everything but its position and type, which are columns."""

    event_id: str
    stream: str
    stream_version: int
    actor: Actor
    occurred_at: datetime
    recorded_at: datetime
    command_id: str
    leaf_hash: str
    body: msgspec.Raw


_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final = msgspec.json.Decoder(_Envelope)


class Subject:
    """One person as a view folds it: the facts up to some position, and what they amount to, computed once."""

    def __init__(self, person: PersonId, events: Sequence[Event], places: Places) -> None:
        self.person = person
        self.events = events
        self.places = places

    @property
    def ref(self) -> int:
        """The position of the last fact."""
        return self.events[-1].position

    @cached_property
    def counting(self) -> Counting:
        """Which facts count."""
        return count(self.events, self.places)

    @cached_property
    def head(self) -> CustodyState | None:
        """What all facts amount to; `None` where none counts."""
        return fold_counting(self.counting, self.places)

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
        return timeline(self.events, self.places)

    @cached_property
    def flags(self) -> tuple[str, ...]:
        """The standing flags at the last fact."""
        return standing_flags(self.events, self.places)


def person_of(event: Event, transfers: Mapping[str, PersonId]) -> PersonId | None:
    """The person whose fact this event is, `None` where it is nobody's."""
    kind, _, id_ = event.stream.partition(":")
    if kind == "person":
        return PersonId(id_)
    return transfers.get(id_) if kind == "transfer" else None


def is_fact(event: Event) -> bool:
    """Whether the fold of a person reads this event, or a correction in it."""
    return type(event.body) in FOLDED or isinstance(event.body, FactCorrected)


class Facts:
    """The support view's tables of one generation, and the registry that has been read from them.

    The registry is kept in memory and read on from where it stood, so one `Facts` serves every thread of a process.
    """

    def __init__(self) -> None:
        self._register = Register()
        self._read_to = 0
        self._lock = Lock()

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


def write(events: Sequence[Event], rows: Rows, transfers: Mapping[str, PersonId]) -> None:
    """Keep what a batch of events adds; `transfers` are those its events are about."""
    facts: list[Row] = []
    registry: list[Row] = []
    places: dict[Row, None] = {}
    clock: dict[str, int] = {}
    for event in events:
        clock[kept(event.recorded_at)] = event.position
        if event.stream.partition(":")[0] in _REGISTRY_STREAMS:
            registry.append((event.position, event.wire, _text(event)))
        person = person_of(event, transfers)
        if person is None or not is_fact(event):
            continue
        facts.append((person, event.position, event.wire, _text(event)))
        for kind, place in passed(event) if type(event.body) in FOLDED else _NOWHERE:
            if kind == "ever":
                places[place, person] = None
    rows.insert(EVENTS, facts)
    rows.insert(REGISTRY, registry)
    rows.put(PLACES, list(places))
    rows.put(
        TRANSFERS,
        [(event.body.transfer, event.body.person) for event in events if isinstance(event.body, TransferRequested)],
    )
    rows.put(CLOCK, list(clock.items()))


def _text(event: Event) -> str:
    return _ENCODER.encode(
        _Envelope(
            event_id=event.event_id,
            stream=event.stream,
            stream_version=event.stream_version,
            actor=event.actor,
            occurred_at=event.occurred_at,
            recorded_at=event.recorded_at,
            command_id=event.command_id,
            leaf_hash=event.leaf_hash,
            body=msgspec.Raw(_ENCODER.encode(event.body)),
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
