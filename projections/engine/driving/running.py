"""Following the log: every view is brought up in pages, by the same code whether it catches up or follows live.

Each view's rows and position are written in one transaction, so an event counts once, however often a process dies.
A view that meets an event it can't apply parks it and goes on with every other stream (`parking`). One that meets too
many is at fault itself and stops; it is tried again after a restart, a rebuild, or when it is asked to catch up.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from threading import Condition, Lock
from threading import Event as Signal
from time import monotonic
from typing import Final

from projections.engine import person_facts
from projections.engine.collecting import uncollected
from projections.engine.database import Database, TableIsGone, ViewsUnreachable
from projections.engine.driving import lines, parking
from projections.engine.driving.applying import OwnFacts, not_the_event, readable, write_parted
from projections.engine.driving.lines import Line
from projections.engine.driving.parking import NOTHING_ASIDE, STREAMS_PARKED_MAX, Aside
from projections.engine.person_facts import Facts
from projections.engine.source import EventSource, Recorded, read_page, told
from projections.engine.tables import Session
from projections.engine.view import Stretch, View

PAGE: Final = 4_000
FOLLOW_SECONDS: Final = 1.0
OUTAGE_SECONDS: Final = 0.5
POLL_SECONDS: Final = 0.02
TOGETHER_MAX: Final = 500
"""A page of more events is applied view by view, as it would keep other writers waiting for too long."""
OTHERS_SECONDS: Final = 10.0
"""How long catching up waits for the views that another process drives."""


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


@dataclass(frozen=True, slots=True)
class Work:
    """A page of the log for lines that stand right before it, and what they share."""

    facts_line: Line
    stretch: Stretch
    page: Sequence[Recorded]

    @property
    def after(self) -> int:
        """The position before the page."""
        return self.page[0].position - 1


class Runner:
    """Drives the live lines that this process owns; one thread at a time. `tell` is told what an operator should know.

    `outage` is why it can't at present, `None` while it can; `is_running` whether a thread follows the log with it.
    """

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
        self._asides: dict[str, tuple[int, Aside]] = {}
        self._decided: Mapping[str, Aside] = {}
        self._own_facts = OwnFacts(source)
        self._not_the_event = not_the_event(source)
        self._head = 0
        self._owned: set[str] | None = None
        self.moves = Moves()
        self.outage: str | None = None
        self.is_running = False
        self.tell: Callable[[str], None] = lambda _text: None

    def run(self, stop: Signal) -> None:
        """Follow the log until told to stop; outlives any outage of either database."""
        self._stopped.clear()
        self.is_running = True
        while not stop.is_set():
            try:
                moved = self.step()
                self._note_outage(None)
                if not moved:
                    self._await_more(stop)
            except Exception as fault:  # noqa: BLE001 - whatever befalls the databases, the thread must be there when they are back
                # Any other exception's message may quote an event, and what is told goes to the log.
                why = f": {fault}" if isinstance(fault, ViewsUnreachable) else ""
                self._note_outage(f"{type(fault).__name__}{why}")
                stop.wait(OUTAGE_SECONDS)
        self.is_running = False

    def _await_more(self, stop: Signal) -> None:
        """Wait until the log has more, `FOLLOW_SECONDS` at most; told to stop, no longer than `POLL_SECONDS`."""
        deadline = monotonic() + FOLLOW_SECONDS
        while not stop.is_set() and (remaining := deadline - monotonic()) > 0:
            if self._source.wait_for(self._head, min(remaining, POLL_SECONDS)):
                return

    def catch_up(self) -> None:
        """Bring every view to the head as it is now; those that stopped are tried once more.

        A process that does no more than this owns nothing afterwards: whoever follows the log need not wait for it.
        """
        self._catch_up()
        if not self.is_running:
            self._database.let_go()

    def _catch_up(self) -> None:
        self._stopped.clear()
        target = self._source.head()
        while self.step(target):
            pass
        deadline = monotonic() + OTHERS_SECONDS
        while self._views.keys() - self._database.owned(self._views) and (remaining := deadline - monotonic()) > 0:
            if self.moves.wait(lambda: self._have_reached(target), min(remaining, OUTAGE_SECONDS)):
                return
            # Whoever drives the others may have ended, and left them to us.
            while self.step(target):
                pass

    def step(self, target: int | None = None) -> bool:
        """Apply one page to every view that is behind; whether any moved."""
        with self._turn, uncollected():
            self._head = self._source.head()
            return self._step(self._head if target is None else min(target, self._head))

    def _step(self, target: int) -> bool:
        live = self._look()
        if not self._are_ours(live):
            self._leave()
            return False
        facts_line = live[person_facts.NAME]
        owned = self._owned_now()
        ours = [line for line in live.values() if line.view in owned and self._goes_on(line, target)]
        ours.sort(key=lambda line: (line.position, self._order[line.view]))
        facts_at, moved = facts_line.position, False
        for position, members in groupby(ours, key=lambda line: line.position):
            group = list(members)
            # Who folds never runs ahead of the persons' facts, which come first in their own group.
            leads = any(not self._follows_facts(line) for line in group)
            reach = min(position + PAGE, target if leads else min(target, facts_at))
            page = read_page(self._source, position, reach - position)
            if not page:
                continue
            stretch = Stretch(readable(page), self._facts_of(facts_line.generation))
            work = Work(facts_line, stretch, page)
            came_to = self._together(group, work, facts_at) or self._one_by_one(group, work, facts_at)
            moved = moved or max(came_to.values()) > position
            facts_at = came_to.get(person_facts.NAME, facts_at)
        if moved:
            self.moves.announce()
        return moved

    def _follows_facts(self, line: Line) -> bool:
        return line.view != person_facts.NAME and self._views[line.view].folds

    def _together(self, group: Sequence[Line], work: Work, facts_at: int) -> dict[str, int] | None:
        """Apply a short page to all views of a group in one transaction; `None` where it can't be done so.

        While others write, too, a view waits for its turn; so all of them wait once.
        """
        if len(work.page) > TOGETHER_MAX:
            return None
        came_to: dict[str, int] = {}
        asides = dict(self._asides)
        try:
            with self._database.writing() as session:
                for line in group:
                    events = self._reached(line, work, facts_at)
                    came_to[line.view], more = self._write(session, line, work, events)
                    # Who folds has to know at once what the facts have left out.
                    self._keep_aside(line, more)
                    facts_at = came_to.get(person_facts.NAME, facts_at)
        except self._not_the_event as fault:
            self._asides = asides
            if isinstance(fault, TableIsGone):
                return dict.fromkeys((line.view for line in group), work.after)
            raise
        except Exception:  # noqa: BLE001 - which view it was, and which event, is found out one by one
            self._asides = asides
            return None
        return came_to

    def _one_by_one(self, group: Sequence[Line], work: Work, facts_at: int) -> dict[str, int]:
        came_to: dict[str, int] = {}
        for line in group:
            came_to[line.view] = self._advance(line, work, self._reached(line, work, facts_at))
            facts_at = came_to.get(person_facts.NAME, facts_at)
        return came_to

    def _reached(self, line: Line, work: Work, facts_at: int) -> Sequence[Recorded]:
        """The part of a page that a view may apply."""
        return work.page[: max(0, facts_at - work.after)] if self._follows_facts(line) else work.page

    def _advance(self, line: Line, work: Work, events: Sequence[Recorded]) -> int:
        """Apply the events, or leave out what can't be applied; the position the line has come to."""
        if not events:
            return line.position
        try:
            with self._database.writing() as session:
                came_to, more = self._write(session, line, work, events)
        except TableIsGone:
            # A rebuild has switched a generation away; the next step reads which one serves.
            return line.position
        except self._not_the_event:
            raise
        except Exception as fault:  # noqa: BLE001 - whatever a view raises is about the event; the other views go on
            if len(events) == 1:
                return self._park(line, events[0], fault)
        else:
            self._keep_aside(line, more)
            return came_to
        half = len(events) // 2
        came_to = self._advance(line, work, events[:half])
        if came_to < events[half - 1].position:
            return came_to
        return self._advance(line._replace(position=came_to), work, events[half:])

    def _write(
        self, session: Session, line: Line, work: Work, events: Sequence[Recorded]
    ) -> tuple[int, Sequence[parking.LeftOut]]:
        """Write what the events change; the position the line has come to, and what it has left out of them."""
        if not events:
            return line.position, ()
        began, view = self._clock(), self._views[line.view]
        facts_aside = self._aside(work.facts_line) if self._follows_facts(line) else NOTHING_ASIDE
        decided = self._decided.get(line.view, NOTHING_ASIDE)
        held = lines.hold(session, line.view, line.generation)
        if held is None or held.role != "live" or held.position != line.position:
            # Another process has moved it or switched it away; the next step reads where it stands.
            return (held.position if held is not None else line.position), ()
        if not lines.serves(session, work.facts_line):
            return line.position, ()
        parted = parking.part(line, events, self._aside(line), facts_aside, decided, began)
        write_parted(session, view, line, work.facts_line, self._own_facts, work.stretch, parted)
        counted = parking.add(session, held, parted.left_out)
        lines.record(session, counted.moved(events[-1], began=began, ended=self._clock(), head=self._head))
        return events[-1].position, parted.left_out

    def _park(self, line: Line, event: Recorded, fault: Exception) -> int:
        """Leave out an event that can't be applied; the position the line has come to."""
        aside, now = self._aside(line), self._clock()
        told_of = f"{line.view} can't apply event {event.position} of {event.stream} ({type(fault).__name__})"
        if len(aside.streams) >= STREAMS_PARKED_MAX:
            return self._stop(line, event, fault)
        more = [parking.parked(line, event, told(fault), now)]
        with self._database.writing() as session:
            held = lines.hold(session, line.view, line.generation)
            if held is None or held.role != "live" or held.position != event.position - 1:
                return held.position if held is not None else line.position
            counted = parking.add(session, held, more)
            lines.record(session, counted.moved(event, began=now, ended=now, head=self._head))
        self._keep_aside(line, more)
        self.tell(f"{told_of}; it is parked with what follows it there: custody projections status {line.view}")
        return event.position

    def _stop(self, line: Line, event: Recorded, fault: Exception) -> int:
        self._stopped.add((line.view, line.generation))
        why = f"events of {STREAMS_PARKED_MAX} streams are parked, and the next can't be applied either"
        with self._database.writing() as session:
            held = lines.hold(session, line.view, line.generation)
            if held is not None:
                lines.record(session, held._replace(error=f"{why}: {told(fault)}", error_position=event.position))
        self.moves.announce()
        self.tell(f"{line.view} has stopped at event {event.position}: {why}")
        return line.position

    def _look(self) -> dict[str, Line]:
        """The live lines, and what is left out of them."""
        with self._database.reading() as session:
            live = lines.live_lines(session)
            self._decided = parking.decided(session)
            for line in live.values():
                # A generation only ever leaves out more: as many are the same ones.
                if len(self._aside(line).events) != line.left_out:
                    self._asides[line.view] = (line.generation, parking.aside_of(session, line))
        return live

    def _aside(self, line: Line) -> Aside:
        generation, aside = self._asides.get(line.view, (line.generation, NOTHING_ASIDE))
        return aside if generation == line.generation else NOTHING_ASIDE

    def _keep_aside(self, line: Line, more: Sequence[parking.LeftOut]) -> None:
        if more:
            self._asides[line.view] = (line.generation, self._aside(line).after(more))

    def _are_ours(self, live: Mapping[str, Line]) -> bool:
        """Whether no other version of this program, begun on the same database, has made views anew for itself."""
        return all(name in live and live[name].version == view.version for name, view in self._views.items())

    def _leave(self) -> None:
        if self._owned is not None:
            self.tell("another version of this program has made views anew for itself; they are left to it")
            self._owned = None
        self._database.let_go()

    def _owned_now(self) -> set[str]:
        owned = self._database.owned(self._views)
        if owned != self._owned:
            others = ", ".join(sorted(self._views.keys() - owned))
            told_of = f"{len(owned)} views; another process drives {others}" if others else "all views"
            self.tell(f"process {os.getpid()} drives {told_of}")
            self._owned = owned
        return owned

    def _note_outage(self, outage: str | None) -> None:
        if outage is not None and self.outage is None:
            self.tell(f"can't go on: {outage}; trying again until it can")
        if outage is None and self.outage is not None:
            self.tell("goes on")
        self.outage = outage

    def _goes_on(self, line: Line, target: int) -> bool:
        return line.position < target and (line.view, line.generation) not in self._stopped

    def _have_reached(self, position: int) -> bool:
        with self._database.reading() as session:
            found = lines.live_lines(session).values()
        return all(line.position >= position or line.error is not None for line in found)
