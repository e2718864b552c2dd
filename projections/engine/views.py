"""All views of one ledger: opened together, driven by one runner, asked through one door.

`open_views` is what the rest of the house comes for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Event as Signal
from threading import Lock
from time import monotonic
from typing import Final, Literal, TypeVar

from domain.events.event import Event
from domain.register import Register
from projections.engine import lines, person_facts
from projections.engine.asking import Answer, Reader, ViewIsBehind, ViewIsUnknown, When
from projections.engine.comparing import Comparison, digest
from projections.engine.database import Database, RebuildIsRunning, TableIsGone, open_database
from projections.engine.instants import read, shown, shown_or_none, utc_now
from projections.engine.lines import Line, names_of
from projections.engine.person_facts import Facts
from projections.engine.rebuilding import Progress, Rebuild, Rebuilt, drop_unfinished
from projections.engine.running import UNREADABLE, EventSource, Runner
from projections.engine.tables import Session
from projections.engine.view import View

STALLED_AFTER: Final = timedelta(seconds=30)
"""A view that is behind and has not moved for that long is stalled; until then it is slow."""
SWITCHES_MAX: Final = 5
UNKNOWN: Final = "?"

State = Literal["current", "behind", "stalled", "stopped"]
Trend = Literal["falling", "steady", "growing"]
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewStatus:
    """How far a view has come. `rate` is in events a second; `building` the position of a rebuild under way."""

    view: str
    position: int
    head: int
    state: State
    trend: Trend
    rate: int
    advanced_at: str | None
    error: str | None
    error_position: int | None
    generation: int
    building: int | None

    @property
    def lag(self) -> int:
        """How many events it has yet to apply."""
        return max(0, self.head - self.position)

    def document(self) -> dict[str, object]:
        """The status as JSON shows it."""
        return {
            "view": self.view,
            "position": self.position,
            "head": self.head,
            "lag": self.lag,
            "state": self.state,
            "trend": self.trend,
            "rate": self.rate,
            "advanced_at": self.advanced_at,
            "error": self.error,
            "error_position": self.error_position,
            "generation": self.generation,
            "building": self.building,
        }


def open_views(
    url: str, source: EventSource, views: Mapping[str, View], *, clock: Callable[[], datetime] = utc_now
) -> Views:
    """Open the views beside the log that `url` names, making what is missing.

    A view that was made from another log, or by another version of its module, is made anew. So is whatever folds it.
    Raises `ViewsUnreachable`.
    """
    database = open_database(url)
    try:
        _prepare(database, source, views)
    except BaseException:
        database.close()
        raise
    return Views(database, source, views, clock)


class Views:
    """The views of one ledger. Any number of threads ask; one drives them (`run`)."""

    def __init__(
        self, database: Database, source: EventSource, views: Mapping[str, View], clock: Callable[[], datetime]
    ) -> None:
        self.database = database
        self._source = source
        self._views = views
        self._clock = clock
        self._facts: dict[int, Facts] = {}
        self._lock = Lock()
        self._runner = Runner(database, source, views, self._facts_of, clock)

    # Driving.

    def run(self, stop: Signal) -> None:
        """Follow the log until told to stop. It blocks, and outlives any outage."""
        self._runner.run(stop)

    def catch_up(self) -> None:
        """Bring every view to the head as it is now; those that stopped are tried once more."""
        self._runner.catch_up()

    def status(self, name: str | None = None) -> list[ViewStatus]:
        """How far each view has come, or one of them."""
        if name is not None and name not in self._views:
            raise ViewIsUnknown(name)
        head = self._source.head()
        with self.database.reading() as session:
            found = lines.lines(session)
        building = {line.view: line.position for line in found if not line.is_live}
        live = {line.view: line for line in found if line.is_live}
        names = [name] if name is not None else list(self._views)
        return [self._status(live[name], head, building.get(name)) for name in names]

    def position(self, name: str) -> int:
        """The position a view has come to."""
        return self._line(name).position

    def wait_until(self, name: str, position: int, seconds: float) -> bool:
        """Wait until a view has come to a position, `seconds` at most; whether it has."""
        return self._runner.moves.wait(lambda: self._line(name).position >= position, seconds)

    # Proving.

    def rebuild(
        self, names: Sequence[str] = (), *, force: bool = False, progress: Progress | None = None
    ) -> list[Rebuilt]:
        """Make views anew from the log alone, beside the live ones; all of them where none is named.

        One that equals the live view is switched in; one that differs only with `force`. Raises `RebuildIsRunning`,
        and `RebuildFailed` where an event can't be applied; the live views serve on either way.
        """
        return self._rebuilt(names, lambda comparison: force or comparison.is_equal, progress)

    def verify(self, names: Sequence[str] = (), *, progress: Progress | None = None) -> list[Comparison]:
        """Make views anew from the log alone and hold the live ones against them, without a switch."""
        return [result.comparison for result in self._rebuilt(names, lambda _: False, progress)]

    def digest(self, name: str) -> str:
        """SHA-256 in hex over the view's rows in the order of their keys."""
        line = self._line(name)
        with self.database.reading() as session:
            return digest(session, self._views[name], line.generation)

    # Asking.

    def ask(self, name: str, when: When, question: Callable[[Reader], T]) -> Answer[T]:
        """Put a question to a view in one snapshot; waits as `when` allows, then raises `ViewIsBehind`."""
        deadline = monotonic() + when.wait
        switches = 0
        while True:
            try:
                return self._answer(name, when, question)
            except TableIsGone:
                switches += 1
                if switches > SWITCHES_MAX:
                    raise
            except ViewIsBehind as behind:
                if behind.stopped or not self.wait_until(name, behind.needed, deadline - monotonic()):
                    raise

    def register(self, when: When) -> Answer[Register]:
        """Authorities, facilities and agreements as the views know them; nothing of persons and invoices."""
        return self.ask(person_facts.NAME, when, lambda reader: reader.facts.register(reader, reader.known_at))

    def close(self) -> None:
        """Let go of the database."""
        self.database.close()

    def _answer(self, name: str, when: When, question: Callable[[Reader], T]) -> Answer[T]:
        view, support = self._views[name], self._views[person_facts.NAME]
        with self.database.reading() as session:
            live = lines.live_lines(session)
            line, facts_line = live[name], live[person_facts.NAME]
            names = {**names_of(support, facts_line.generation), **names_of(view, line.generation)}
            reader = Reader(
                session, names, self._facts_of(facts_line.generation), when, known_at=line.position, head=line.position
            )
            reader.known_at = self._known_at(reader, line, facts_line, when)
            value = question(reader)
        return Answer(value=value, position=reader.known_at, as_of=shown(reader.as_of))

    def _known_at(self, reader: Reader, line: Line, facts_line: Line, when: When) -> int:
        """The position the answer speaks for; raises `ViewIsBehind` where the view has not come that far."""
        needed, known_at = when.needed, line.position
        if isinstance(when.known_at, int):
            known_at = when.known_at
        elif when.known_at is not None:
            known_at = reader.facts.position_at(reader, when.known_at)
            beyond = self._source.read_events(facts_line.position, 1)
            if beyond and beyond[0].recorded_at <= when.known_at:
                known_at = beyond[0].position
        needed = max(needed, known_at)
        if line.position < needed:
            raise ViewIsBehind(line.view, line.position, needed, stopped=line.error is not None)
        return known_at

    def _rebuilt(
        self, names: Sequence[str], switches: Callable[[Comparison], bool], progress: Progress | None
    ) -> list[Rebuilt]:
        for name in names:
            if name not in self._views:
                raise ViewIsUnknown(name)
        wanted = [name for name in self._views if not names or name in names]
        with self.database.rebuilding(), Rebuild(self.database, self._source, self._views, wanted) as rebuild:
            rebuild.build(progress or (lambda _done, _total: None))
            return rebuild.finish(switches=switches)

    def _line(self, name: str) -> Line:
        if name not in self._views:
            raise ViewIsUnknown(name)
        with self.database.reading() as session:
            return lines.live_lines(session)[name]

    def _facts_of(self, generation: int) -> Facts:
        with self._lock:
            if generation not in self._facts:
                self._facts = {generation: Facts()}
            return self._facts[generation]

    def _status(self, line: Line, head: int, building: int | None) -> ViewStatus:
        lag = max(0, head - line.position)
        error = line.error or (self._runner.outage if lag else None)
        return ViewStatus(
            view=line.view,
            position=line.position,
            head=head,
            state=self._state(line, lag),
            trend=_trend(line, lag),
            rate=line.rate,
            advanced_at=shown_or_none(line.advanced_at),
            error=error,
            error_position=line.error_position,
            generation=line.generation,
            building=building,
        )

    def _state(self, line: Line, lag: int) -> State:
        if line.error is not None:
            return "stopped"
        if not lag:
            return "current"
        waiting = [event.recorded_at for event in self._readable(line.position)]
        moved = [read(line.advanced_at)] if line.advanced_at is not None else []
        since = max([*waiting, *moved], default=self._clock())
        return "stalled" if self._clock() - since > STALLED_AFTER else "behind"

    def _readable(self, after: int) -> Sequence[Event]:
        try:
            return self._source.read_events(after, 1)
        except UNREADABLE:
            return ()


def _trend(line: Line, lag: int) -> Trend:
    if lag > line.lag_before:
        return "growing"
    return "falling" if line.lag_after < line.lag_before else "steady"


def _prepare(database: Database, source: EventSource, views: Mapping[str, View]) -> None:
    with database.preparing() as session:
        lines.prepare(session)
        stale = _stale(session, source, views)
        for line in stale.values():
            lines.retire(session, line)
        for name in views.keys() - lines.live_lines(session).keys():
            lines.begin(session, views[name], is_live=True)
    try:
        with database.rebuilding():
            drop_unfinished(database)
    except RebuildIsRunning:
        # What is unfinished is being worked on.
        return


def _stale(session: Session, source: EventSource, views: Mapping[str, View]) -> dict[str, Line]:
    """The live lines that cannot go on: of no view we know, of another version, of another log."""
    live = lines.live_lines(session)
    at = {position: _leaf_hash(source, position) for position in {line.position for line in live.values()}}
    stale = {
        name: line
        for name, line in live.items()
        if name not in views
        or views[name].version != line.version
        or at[line.position] not in (UNKNOWN, line.leaf_hash)
    }
    if person_facts.NAME in stale or person_facts.NAME not in live:
        stale.update({name: line for name, line in live.items() if name in views and views[name].folds})
    return stale


def _leaf_hash(source: EventSource, position: int) -> str:
    """The leaf hash of the event at a position, empty where there is none."""
    try:
        events = source.read_events(position - 1, 1) if position else ()
    except UNREADABLE:
        # Whose log it is cannot be told by an event that cannot be read.
        return UNKNOWN
    return events[0].leaf_hash if events else ""
