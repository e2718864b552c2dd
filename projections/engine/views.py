"""All views of one ledger: opened together, driven by one runner, asked through one door.

`open_views` is what the rest of the house comes for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from threading import Event as Signal
from threading import Lock, Semaphore
from time import monotonic
from typing import Final, TypeVar

from domain.events.event import Event
from domain.register import Register
from projections.engine import person_facts
from projections.engine.asking import Answer, Reader, ViewIsBehind, ViewIsUnknown, When
from projections.engine.database import Database, RebuildIsRunning, TableIsGone, open_database
from projections.engine.driving import lines, parking, sharing
from projections.engine.driving.comparing import Comparison, digest
from projections.engine.driving.goal import Task
from projections.engine.driving.lines import Line, names_of
from projections.engine.driving.parking import LeftOut, Skipped
from projections.engine.driving.rebuilding import Progress, Rebuild, RebuildFailed, Rebuilt, drop_retired
from projections.engine.driving.running import Runner
from projections.engine.driving.status import STALLED_AFTER, State, ViewStatus, eta_seconds, trend_of
from projections.engine.instants import kept, read, shown, shown_or_none, utc_now
from projections.engine.person_facts import FactIsUnreadable, Facts
from projections.engine.source import UNREADABLE, EventSource
from projections.engine.tables import Session
from projections.engine.view import View

SWITCHES_MAX: Final = 5
WAITING_MAX: Final = 12
"""How many may wait for a view together: each keeps a thread that other readers may need."""

T = TypeVar("T")


class EventIsNotParked(Exception):
    """The view has not parked that event, so there is nothing to retry or to skip."""

    def __init__(self, view: str, position: int, why: str = "it is not parked") -> None:
        super().__init__(f"{view}, event {position}: {why}")
        self.view = view
        self.position = position


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
        self._room = Semaphore(WAITING_MAX)
        self._runner = Runner(database, source, views, self._facts_of, clock)

    # Driving.

    def run(self, stop: Signal, tell: Callable[[str], None] | None = None) -> None:
        """Follow the log until told to stop. It blocks, and outlives any outage; `tell` hears what matters of it."""
        if tell is not None:
            self._runner.tell = tell
        self._runner.run(stop)

    def catch_up(self) -> None:
        """Bring every view to the head as it is now; those that stopped are tried once more."""
        self._runner.catch_up()

    def status(self, name: str | None = None) -> list[ViewStatus]:
        """How far each view has come, or one of them."""
        if name is not None and name not in self._views:
            raise ViewIsUnknown(name)
        head, names = self._source.head(), [name] if name is not None else list(self._views)
        with self.database.reading() as session:
            live, building = lines.live_lines(session), lines.building_lines(session)
            first = {one: parking.first_parked(session, live[one]) for one in names}
        driven = set(names) if self._runner.is_running else self.database.driven_elsewhere(names)
        runs = bool(building) and self.database.is_rebuilding()
        return [
            self._status(live[one], building.get(one), first[one], head, driven=one in driven, runs=runs)
            for one in names
        ]

    def left_out(self, name: str) -> tuple[list[LeftOut], list[Skipped]]:
        """The events that a view has parked, those alone that could not be applied; and all that was ever skipped."""
        line = self._line(name)
        with self.database.reading() as session:
            events = parking.aside_of(session, line).events.values()
            return [one for one in events if one.error is not None], parking.decisions(session, name)

    def position(self, name: str) -> int:
        """The position a view has come to."""
        return self._line(name).position

    def parked(self, name: str) -> int:
        """How many events a view has parked."""
        return self._line(name).parked

    def wait_until(self, name: str, position: int, seconds: float) -> bool:
        """Wait until a view has come to a position, `seconds` at most; whether it has.

        Where too many wait already, it is not waited for.
        """
        if not self._room.acquire(blocking=False):
            return self._line(name).position >= position
        try:
            return self._runner.moves.wait(lambda: self._line(name).position >= position, seconds)
        finally:
            self._room.release()

    # Proving.

    def rebuild(
        self,
        names: Sequence[str] = (),
        *,
        force: bool = False,
        afresh: bool = False,
        progress: Progress | None = None,
    ) -> list[Rebuilt]:
        """Make views anew from the log alone, beside the live ones; all of them where none is named.

        One that equals the live view is switched in; one that differs only with `force`. One that was interrupted goes
        on from where it was, unless `afresh`. Raises `RebuildIsRunning`, and `RebuildFailed` where an event can't be
        applied that nobody has decided to skip; the live views serve on either way.
        """
        task = Task(names=self._named(names), afresh=afresh)
        return self._rebuilt(task, lambda comparison: force or comparison.is_equal, progress)

    def assist(self, task: str) -> None:
        """Do a part of a rebuild that another process runs: what the source there was asked to help with."""
        sharing.assist(self.database, self._source, self._views, task)

    def verify(self, names: Sequence[str] = (), *, progress: Progress | None = None) -> list[Comparison]:
        """Make views anew from the log alone and hold the live ones against them, without a switch."""
        task = Task(names=self._named(names))
        return [result.comparison for result in self._rebuilt(task, lambda _: False, progress)]

    def retry(self, name: str, position: int | None = None, *, progress: Progress | None = None) -> list[Rebuilt]:
        """Make a view anew with the events it has parked in their place, or with the stream of one of them.

        It is switched in if they can be applied, and raises `RebuildFailed` if not; what else is parked stays so. An
        event that was skipped is tried if it is named, and the decision is lifted. The persons' facts are made anew
        together with every view that folds them. Raises `EventIsNotParked`.
        """
        line = self._line(name)
        with self.database.reading() as session:
            aside = parking.aside_of(session, line).events
            of_facts = self._parked_by_facts(session, name)
        if position is None:
            streams = {one.stream for one in aside.values() if one.kind == "parked" and one.stream not in of_facts}
            return self._retried(self._retry_of(name, streams), progress) if streams else []
        one = aside.get(position)
        if one is None:
            raise EventIsNotParked(name, position)
        if one.stream in of_facts:
            raise EventIsNotParked(name, position, f"the persons' facts leave it out; retry {person_facts.NAME}")
        lifted = position if one.kind == "skipped" else None
        return self._retried(self._retry_of(name, [one.stream], lifted=lifted), progress)

    def skip(
        self,
        name: str,
        position: int,
        *,
        authority: str,
        officer: str,
        reason: str,
        progress: Progress | None = None,
    ) -> list[Rebuilt]:
        """Decide that a view leaves out an event that it could not apply, for ever, and try the rest of its stream.

        The decision stands also where the rest can't be applied, which raises `RebuildFailed`; what was parked then
        stays parked. Nothing is decided where this raises `EventIsNotParked` or `RebuildIsRunning`.
        """
        line = self._line(name)
        with self.database.reading() as session:
            one = parking.aside_of(session, line).events.get(position)
            of_facts = self._parked_by_facts(session, name)
        if one is None or one.kind == "skipped":
            raise EventIsNotParked(name, position)
        if one.stream in of_facts:
            raise EventIsNotParked(name, position, f"the persons' facts leave it out; skip it in {person_facts.NAME}")
        if one.error is None:
            raise EventIsNotParked(name, position, "it was not tried, it only follows another in its stream")
        now = kept(self._clock())
        decided = Skipped(name, position, one.stream, authority, officer, reason, now, lifted_at=None)
        return self._retried(self._retry_of(name, [one.stream], decided=decided), progress)

    def digest(self, name: str) -> str:
        """SHA-256 in hex over the view's rows in the order of their keys."""
        line = self._line(name)
        with self.database.reading() as session:
            return digest(session, self._views[name], line.generation)

    # Asking.

    def ask(self, name: str, when: When, question: Callable[[Reader], T], *, about: str | None = None) -> Answer[T]:
        """Put a question to a view in one snapshot; waits as `when` allows, then raises `ViewIsBehind`.

        `about` is the stream that the question is about: once the view has parked an event of it, no answer that the
        event would change is given. Nor is one that would need an event which can't be read from the log any more.
        """
        deadline = monotonic() + when.wait
        switches = 0
        while True:
            try:
                return self._answer(name, when, question, about)
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

    def _answer(self, name: str, when: When, question: Callable[[Reader], T], about: str | None) -> Answer[T]:
        view, support = self._views[name], self._views[person_facts.NAME]
        with self.database.reading() as session:
            live = lines.live_lines(session)
            line, facts_line = live[name], live[person_facts.NAME]
            names = {**names_of(support, facts_line.generation), **names_of(view, line.generation)}
            reader = Reader(
                session, names, self._facts_of(facts_line.generation), when, known_at=line.position, head=line.position
            )
            reader.known_at = self._known_at(reader, line, facts_line, when)
            parked = parking.parked_of(session, line, about) if about is not None else None
            if parked is not None and parked <= reader.known_at:
                raise ViewIsBehind(name, parked - 1, parked, stopped=True)
            try:
                value = question(reader)
            except FactIsUnreadable as fault:
                raise ViewIsBehind(name, fault.position - 1, fault.position, stopped=True) from fault
        return Answer(value=value, position=reader.known_at, as_of=shown(reader.as_of))

    def _known_at(self, reader: Reader, line: Line, facts_line: Line, when: When) -> int:
        """The position the answer speaks for; raises `ViewIsBehind` where the view has not come that far."""
        needed, known_at = when.needed, line.position
        if isinstance(when.known_at, int):
            known_at = when.known_at
        elif when.known_at is not None:
            known_at = reader.facts.position_at(reader, when.known_at)
            beyond = self._readable(facts_line.position)
            if beyond and beyond[0].recorded_at <= when.known_at:
                known_at = beyond[0].position
        needed = max(needed, known_at)
        if line.position < needed:
            raise ViewIsBehind(line.view, line.position, needed, stopped=line.error is not None)
        return known_at

    def _named(self, names: Sequence[str]) -> list[str]:
        for name in names:
            if name not in self._views:
                raise ViewIsUnknown(name)
        return [name for name in self._views if not names or name in names]

    def _rebuilt(self, task: Task, switches: Callable[[Comparison], bool], progress: Progress | None) -> list[Rebuilt]:
        rebuild = Rebuild(self.database, self._source, self._views, task, self._clock)
        with self.database.rebuilding(), rebuild:
            rebuild.build(progress or (lambda _done, _total: None))
            return rebuild.finish(switches=switches)

    def _retry_of(
        self, name: str, streams: Iterable[str], *, decided: Skipped | None = None, lifted: int | None = None
    ) -> Task:
        folding = [one for one in self._views if self._views[one].folds] if name == person_facts.NAME else []
        return Task(names=[name, *folding], tried=frozenset(streams), decided=decided, lifted=lifted)

    def _retried(self, task: Task, progress: Progress | None) -> list[Rebuilt]:
        try:
            return self._rebuilt(task, lambda _: True, progress)
        except RebuildFailed as failed:
            with self.database.writing() as session:
                line = lines.live_lines(session)[failed.view]
                parking.note_failure(session, line, failed.first, failed.reason)
            raise

    def _parked_by_facts(self, session: Session, name: str) -> frozenset[str]:
        """The streams that a view leaves out because the persons' facts do."""
        if name == person_facts.NAME or not self._views[name].folds:
            return frozenset()
        return parking.aside_of(session, lines.live_lines(session)[person_facts.NAME]).streams

    def _line(self, name: str) -> Line:
        if name not in self._views:
            raise ViewIsUnknown(name)
        with self.database.reading() as session:
            return lines.live_lines(session)[name]

    def _facts_of(self, generation: int) -> Facts:
        with self._lock:
            if generation not in self._facts:
                self._facts = {generation: Facts(self._source)}
            return self._facts[generation]

    def _status(
        self, line: Line, building: Line | None, parked: LeftOut | None, head: int, *, driven: bool, runs: bool
    ) -> ViewStatus:
        lag = max(0, head - line.position)
        error, error_position = line.error, line.error_position
        if error is None and parked is not None:
            error, error_position = parked.error, parked.position
        if error is None and lag:
            error = self._runner.outage
        rest = max(0, line.position - building.position) if building is not None else 0
        return ViewStatus(
            view=line.view,
            position=line.position,
            head=head,
            state=self._state(line, lag),
            trend=trend_of(line, lag),
            rate=line.rate,
            eta_seconds=eta_seconds(lag, line.rate) if lag and trend_of(line, lag) != "growing" else None,
            advanced_at=shown_or_none(line.advanced_at),
            driven=driven,
            parked=line.parked,
            skipped=line.skipped,
            error=error,
            error_position=error_position,
            generation=line.generation,
            building=building.position if building is not None else None,
            building_rate=building.rate if building is not None else None,
            building_eta_seconds=eta_seconds(rest, building.rate) if building is not None and runs else None,
            building_runs=building is not None and runs,
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


def _prepare(database: Database, source: EventSource, views: Mapping[str, View]) -> None:
    with database.preparing() as session:
        lines.prepare(session)
        parking.prepare(session)
        sharing.prepare(session)
        stale = _stale(session, source, views)
        for line in stale:
            lines.retire(session, line)
        if any(line.role == "building" for line in stale):
            sharing.give_up(session)
        for name in views.keys() - lines.live_lines(session).keys():
            lines.begin(session, views[name], "live")
    try:
        with database.rebuilding():
            drop_retired(database)
    except RebuildIsRunning:
        # Whoever rebuilds drops them too.
        return


def _stale(session: Session, source: EventSource, views: Mapping[str, View]) -> list[Line]:
    """The lines that cannot go on: of no view we know, of another version, of another log.

    What was being built to take a line's place goes with it: of another log it may hold events beyond its position.
    """
    live = lines.live_lines(session)
    stale = {
        name
        for name, line in live.items()
        if name not in views or views[name].version != line.version or not lines.is_of_log(source, line)
    }
    if person_facts.NAME in stale or person_facts.NAME not in live:
        stale |= {name for name in live if name in views and views[name].folds}
    return [line for line in lines.lines(session) if line.role != "retired" and line.view in stale]
