"""Where the facts of each person stand, so that any question at (`as_of`, `known_at`) can be folded (DOMAIN §6.4).

This is the support view: the others that speak of persons read it, at or behind its position. The facts themselves
are read from the log, which never changes them. Beside their positions it keeps whom each place has ever named, which
person a transfer moves, where the fold finds what it must know of the registry, and which position every time of
recording had reached.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from threading import Lock
from typing import Final, TypeVar, cast

from domain.custody.counting import FOLDED, Counting, count
from domain.custody.fold import Taken, fold_counting, settled, walk
from domain.custody.grounds import Grounds
from domain.custody.places import Places
from domain.custody.standing import flags_of
from domain.custody.state import CustodyState
from domain.custody.timeline import Timeline, drawn
from domain.events.event import Body, Event, stream_id
from domain.events.person import FactCorrected
from domain.events.transfer import TransferRequested
from domain.known import passed
from domain.names import PersonId, TransferId
from domain.register import Register
from projections.engine.instants import kept
from projections.engine.source import UNREADABLE, EventSource
from projections.engine.tables import Generation, Row, Rows, Table

T = TypeVar("T")

NAME: Final = "person_facts"
EVENTS: Final = Table(
    name="person_facts_events",
    columns=("person", "position"),
    key=("person", "position"),
    integers=("position",),
    refs=("position",),
)
PLACES: Final = Table(name="person_facts_places", columns=("facility", "person"), key=("facility", "person"))
TRANSFERS: Final = Table(name="person_facts_transfers", columns=("transfer", "person"), key=("transfer",))
REGISTRY: Final = Table(
    name="person_facts_registry", columns=("position",), key=("position",), integers=("position",), refs=("position",)
)
CLOCK: Final = Table(
    name="person_facts_clock",
    columns=("recorded_at", "position"),
    key=("recorded_at",),
    integers=("position",),
    refs=("position",),
    rises="position",
)
TABLES: Final = (EVENTS, PLACES, TRANSFERS, REGISTRY, CLOCK)

READ_AT_ONCE: Final = 2_000
"""How many events one query asks the log for."""
KEPT_MAX: Final = 50_000
"""How many facts of persons stay in memory for the next events, about 1 KB each; others are read back when needed."""

_REGISTRY_STREAMS: Final = ("authority:", "facility:", "agreement:")
_FACTS: Final = frozenset[type[Body]]({*FOLDED, FactCorrected})


class FactIsUnreadable(Exception):
    """A fact that was read before can't be read from the log any more."""

    def __init__(self, position: int) -> None:
        super().__init__(f"event {position} can't be read any more")
        self.position = position


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


def is_of_registry(event: Event) -> bool:
    """Whether the fold of anybody may ask for what this event says of an authority, a facility or an agreement."""
    return event.stream.startswith(_REGISTRY_STREAMS)


class Facts:
    """The support view's tables of one generation, and what has been read from them or is about to be written.

    What stands at the positions they name is read from `source`. The registry is kept in memory and read on from where
    it stood, so one `Facts` serves every thread of a process. So do the latest persons' facts, for the one thread that
    brings the views up: what it has just applied it need not read back, and nothing at all where it began with the
    first event and no more than `kept_max` facts have come.
    """

    def __init__(self, source: EventSource, kept_max: int = KEPT_MAX) -> None:
        self._source = source
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
        sql = "SELECT position, person FROM {person_facts_events} WHERE person IN ({marks}) AND position <= ?"
        limit = 2**62 if up_to is None else up_to
        whose = {cast("int", row[0]): PersonId(str(row[1])) for row in tables.select_among(sql, persons, limit)}
        found: dict[PersonId, list[Event]] = defaultdict(list)
        for event in self._read(sorted(whose)):
            found[whose[event.position]].append(event)
        return found

    def histories(
        self,
        tables: Generation,
        events: Sequence[Event],
        persons: Sequence[PersonId | None],
        span: tuple[int, int] | None = None,
    ) -> dict[PersonId, Sequence[Event]]:
        """All facts, up to the last event, of everybody whom a fact among the events is about.

        `persons` says whom each event is about. The tables must have come to the event before the first. Where the
        events are of some people alone, `span` says after which position they come and up to which they are all.
        """
        after, to = span if span is not None else (events[0].position - 1, events[-1].position)
        if self._kept_to != after:
            self._forget(after)
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
        self._kept_to = to
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

    def _registry(self, tables: Generation, after: int, up_to: int = 2**62) -> Iterator[Event]:
        sql = "SELECT position FROM {person_facts_registry} WHERE position > ? AND position <= ? ORDER BY position"
        return self._read([cast("int", position) for (position,) in tables.select(sql, after, up_to)])

    def _read(self, positions: Sequence[int]) -> Iterator[Event]:
        """The events at some positions, in their order. Raises `FactIsUnreadable`."""
        for first in range(0, len(positions), READ_AT_ONCE):
            some = positions[first : first + READ_AT_ONCE]
            try:
                yield from self._source.read_at(some)
            except UNREADABLE as fault:
                raise FactIsUnreadable(self._unreadable(some)) from fault

    def _unreadable(self, positions: Sequence[int]) -> int:
        for position in positions[:-1]:
            try:
                self._source.read_at([position])
            except UNREADABLE:
                return position
        return positions[-1]


def write(events: Sequence[Event], persons: Sequence[PersonId | None], rows: Rows) -> None:
    """Keep what a batch of events adds; `persons` says whom each is about."""
    facts: list[Row] = []
    registry: list[Row] = []
    places: dict[Row, None] = {}
    clock: dict[datetime, int] = {}
    for event, person in zip(events, persons, strict=True):
        clock[event.recorded_at] = event.position
        if person is None:
            if is_of_registry(event):
                registry.append((event.position,))
            continue
        if type(event.body) not in _FACTS:
            continue
        facts.append((person, event.position))
        for kind, place in passed(event):
            if kind == "ever":
                places[place, person] = None
    rows.insert(EVENTS, facts)
    rows.put(REGISTRY, registry)
    rows.put(PLACES, list(places))
    rows.put(
        TRANSFERS,
        [(event.body.transfer, event.body.person) for event in events if isinstance(event.body, TransferRequested)],
    )
    rows.put(CLOCK, [(kept(recorded_at), position) for recorded_at, position in sorted(clock.items())])
