"""Following the log: every view is brought up in pages, by the same code whether it catches up or follows live.

Each view's rows and position are written in one transaction, so an event counts once, however often a process dies.
A view that meets an event it can't apply stops there and says so; the others go on. It is tried again after a
restart, a rebuild, or when it is asked to catch up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from itertools import groupby
from threading import Condition, Lock
from threading import Event as Signal
from time import monotonic, perf_counter
from typing import Final, Protocol

import msgspec

from domain.events.event import Event
from projections.engine import lines, person_facts
from projections.engine.database import Database, ViewsUnreachable
from projections.engine.instants import kept
from projections.engine.lines import Line, names_of
from projections.engine.person_facts import Facts
from projections.engine.tables import Rows, Session
from projections.engine.view import Batch, Stretch, View

PAGE: Final = 4_000
FOLLOW_SECONDS: Final = 1.0
OUTAGE_SECONDS: Final = 0.5
POLL_SECONDS: Final = 0.05
ERROR_CHARACTERS_MAX: Final = 500
OTHERS_SECONDS: Final = 10.0
"""How long catching up waits for the views that another process drives."""

# What a stored event raises that this program cannot read. Anything else is an outage.
UNREADABLE: Final = (KeyError, ValueError, msgspec.MsgspecError)


class EventSource(Protocol):
    """What the views need of the log."""

    def read_events(self, after: int, limit: int) -> Sequence[Event]:
        """The events at `after` + 1 and up, at most `limit`, without a hole."""

    def head(self) -> int:
        """The last position."""

    def wait_for(self, after: int, timeout: float) -> bool:
        """Wait until the head is likely beyond `after`, `timeout` seconds at most."""


class Moves:
    """Who waits for a view to move in this process; a move by another process is looked for."""

    def __init__(self) -> None:
        self._changed = Condition()

    def announce(self) -> None:
        """Wake everybody who waits."""
        with self._changed:
            self._changed.notify_all()

    def wait(self, reached: Callable[[], bool], seconds: float) -> bool:
        """Wait until `reached` says so, `seconds` at most."""
        deadline = monotonic() + seconds
        while not reached():
            remaining = deadline - monotonic()
            if remaining <= 0:
                return False
            with self._changed:
                self._changed.wait(min(remaining, POLL_SECONDS))
        return True


def write_batch(
    session: Session,
    view: View,
    generation: int,
    facts_names: Mapping[str, str],
    stretch: Stretch,
    some: Sequence[Event],
) -> None:
    """Write what some events of a stretch change in one generation of a view."""
    rows = Rows(session, {**facts_names, **names_of(view, generation)})
    view.apply(Batch(stretch, some, rows), rows)


class Runner:
    """Drives the live lines that this process owns; one thread at a time."""

    def __init__(
        self,
        database: Database,
        source: EventSource,
        views: Mapping[str, View],
        facts_of: Callable[[int], Facts],
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._source = source
        self._views = views
        self._order = {name: number for number, name in enumerate(views)}
        self._facts_of = facts_of
        self._clock = clock
        self._turn = Lock()
        self._stopped: set[tuple[str, int]] = set()
        self._head = 0
        self.moves = Moves()
        self.outage: str | None = None

    def run(self, stop: Signal) -> None:
        """Follow the log until told to stop; outlives any outage of either database."""
        self._stopped.clear()
        while not stop.is_set():
            try:
                if not self.step():
                    self._source.wait_for(self._head, FOLLOW_SECONDS)
                self.outage = None
            except Exception as fault:  # noqa: BLE001 - whatever befalls the databases, the thread must be there when they are back
                self.outage = f"{type(fault).__name__}: {fault}"
                stop.wait(OUTAGE_SECONDS)

    def catch_up(self) -> None:
        """Bring every view to the head as it is now; those that stopped are tried once more."""
        self._stopped.clear()
        target = self._source.head()
        while self.step(target):
            pass
        deadline = monotonic() + OTHERS_SECONDS
        for name in self._views.keys() - self._database.owned(self._views):
            self.moves.wait(partial(self._has_reached, name, target), deadline - monotonic())

    def step(self, target: int | None = None) -> bool:
        """Apply one page to every view that is behind; whether any moved."""
        with self._turn:
            self._head = self._source.head()
            return self._step(self._head if target is None else min(target, self._head))

    def _step(self, target: int) -> bool:
        live = self._live()
        facts_line = live[person_facts.NAME]
        owned = self._database.owned(self._views)
        ours = [line for line in live.values() if line.view in owned and self._goes_on(line, target)]
        ours.sort(key=lambda line: (line.position, self._order[line.view]))
        facts_at, moved = facts_line.position, False
        for position, members in groupby(ours, key=lambda line: line.position):
            group = list(members)
            # Who folds never runs ahead of the persons' facts, which come first in their own group.
            leads = any(line.view == person_facts.NAME or not self._views[line.view].folds for line in group)
            reach = min(position + PAGE, target if leads else min(target, facts_at))
            events = self._read(position, reach - position, group)
            if not events:
                continue
            stretch = Stretch(events, self._facts_of(facts_line.generation))
            for line in group:
                some = self._allowed(line, events, facts_at)
                came_to = self._advance(line, facts_line.generation, stretch, some)
                moved = moved or came_to > position
                if line.view == person_facts.NAME:
                    facts_at = came_to
        if moved:
            self.moves.announce()
        return moved

    def _allowed(self, line: Line, events: Sequence[Event], facts_at: int) -> Sequence[Event]:
        if line.view == person_facts.NAME or not self._views[line.view].folds:
            return events
        return events[: max(0, facts_at - line.position)]

    def _read(self, after: int, limit: int, group: Sequence[Line]) -> Sequence[Event]:
        """A page; where it holds an event nobody can read, what stands before it, or nothing and the views stopped."""
        if limit <= 0:
            return ()
        try:
            return self._source.read_events(after, limit)
        except UNREADABLE as fault:
            if limit > 1:
                return self._read(after, limit // 2, group)
            for line in group:
                self._stop(line, after + 1, fault)
            return ()

    def _advance(self, line: Line, facts: int, stretch: Stretch, events: Sequence[Event]) -> int:
        """Apply the events, as many as can be; the position the line has come to."""
        if not events:
            return line.position
        try:
            return self._commit(line, facts, stretch, events)
        except ViewsUnreachable:
            raise
        except Exception as fault:  # noqa: BLE001 - whatever a view raises is about the event; the other views go on
            if len(events) == 1:
                self._stop(line, events[0].position, fault)
                return line.position
        half = len(events) // 2
        came_to = self._advance(line, facts, stretch, events[:half])
        if came_to < events[half - 1].position:
            return came_to
        return self._advance(line._replace(position=came_to), facts, stretch, events[half:])

    def _commit(self, line: Line, facts: int, stretch: Stretch, events: Sequence[Event]) -> int:
        began, view = perf_counter(), self._views[line.view]
        facts_names = names_of(self._views[person_facts.NAME], facts)
        with self._database.writing() as session:
            held = lines.hold(session, line.view, line.generation)
            if held is None or not held.is_live or held.position != line.position:
                # Another process has moved it or switched it away; the next step reads where it stands.
                return held.position if held is not None else line.position
            write_batch(session, view, line.generation, facts_names, stretch, events)
            seconds = max(perf_counter() - began, 1e-6)
            lines.advance(
                session,
                held._replace(
                    position=events[-1].position,
                    leaf_hash=events[-1].leaf_hash,
                    advanced_at=kept(self._clock()),
                    rate=int(len(events) / seconds),
                    lag_before=max(0, self._head - held.position),
                    lag_after=max(0, self._head - events[-1].position),
                ),
            )
        return events[-1].position

    def _stop(self, line: Line, position: int, fault: Exception) -> None:
        self._stopped.add((line.view, line.generation))
        with self._database.writing() as session:
            lines.note_error(session, line, position, f"{type(fault).__name__}: {fault}"[:ERROR_CHARACTERS_MAX])
        self.moves.announce()

    def _live(self) -> dict[str, Line]:
        with self._database.reading() as session:
            return lines.live_lines(session)

    def _goes_on(self, line: Line, target: int) -> bool:
        return line.position < target and (line.view, line.generation) not in self._stopped

    def _has_reached(self, name: str, position: int) -> bool:
        line = self._live()[name]
        return line.position >= position or line.error is not None
