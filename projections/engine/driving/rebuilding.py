"""Rebuilding blue-green: a new generation from the log alone, beside the live one, switched in only if they agree.

The new generation reads nothing that the live one wrote, the persons' facts included. It is compared in one snapshot
in which both stand at one position; the live views move on meanwhile, and serve on whatever ends a rebuild half-way.
What it has built by then stays, and the next rebuild of the view goes on from there.

A rebuild is strict: it applies every event, save those that somebody has decided to skip. A retry is a rebuild that
also leaves out what the live generation has parked, but for the streams it is to try.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from itertools import count
from typing import Final

from projections.engine import person_facts
from projections.engine.database import Database, RebuildIsRunning, ViewsUnreachable
from projections.engine.driving import lines, parking, sharing
from projections.engine.driving.applying import OwnFacts, is_alone, not_the_event, readable, write_parted
from projections.engine.driving.comparing import Comparison, compare
from projections.engine.driving.goal import Goal, Task, aim, asides_of
from projections.engine.driving.lines import Line
from projections.engine.driving.pace import Pace
from projections.engine.driving.parking import NOTHING_ASIDE, Aside
from projections.engine.driving.running import PAGE
from projections.engine.person_facts import Facts
from projections.engine.source import EventSource, Recorded, read_page, told
from projections.engine.tables import Session
from projections.engine.view import Stretch, View

Progress = Callable[[int, int], None]
"""Told how many events are done of how many; what it raises ends the rebuild."""

ROUNDS_MAX: Final = 20
"""How often a rebuild runs after views that move on before it holds them to catch up for good."""
TRIES_MAX: Final = 20
"""How often a page is tried again because others were writing."""
LOOKS_MAX: Final = 50
"""How often it looks for a snapshot in which the live view has not moved on before it holds it to compare."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """What became of one view: the comparison, and whether the new generation serves now."""

    comparison: Comparison
    switched: bool
    generation: int

    def document(self) -> dict[str, object]:
        """The result as JSON shows it."""
        return {**self.comparison.document(), "switched": self.switched, "generation": self.generation}


class RebuildFailed(Exception):
    """The new generation could not be built: what must be applied can't be. What comes before it is kept."""

    def __init__(self, view: str, first: int, last: int, reason: str) -> None:
        events = f"event {first}" if first == last else f"events {first} to {last}"
        super().__init__(f"{view} can't be rebuilt: {events}: {reason}")
        self.view = view
        self.first = first
        self.last = last
        self.reason = reason


class Rebuild:
    """One rebuild of some views in one pass over the log, under the right to rebuild.

    Used as a context: leaving it after `finish` drops what was not switched; left in any other way it keeps what was
    built.
    """

    def __init__(
        self,
        database: Database,
        source: EventSource,
        all_views: Mapping[str, View],
        task: Task,
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._source = source
        self._views = all_views
        self._task = task
        self._clock = clock
        self._pace = Pace(database, source, PAGE)
        self._facts = Facts(source)
        self._own_facts = OwnFacts(source)
        self._not_the_event = not_the_event(source)
        self._building: dict[str, Line] = {}
        self._goal = Goal()
        self._is_finished = False

    def __enter__(self) -> Rebuild:
        drop_retired(self._database)
        folds = any(self._views[name].folds for name in self._task.names)
        wanted = dict.fromkeys([*([person_facts.NAME] if folds else []), *self._task.names])
        with self._database.writing() as session:
            if self._task.decided is not None:
                # It stands from here on, whatever comes of the rebuild.
                parking.skip(session, self._task.decided)
            asides = asides_of(session, self._views, self._task, wanted)
            found = self._of_halves(session, lines.building_lines(session), asides)
            for name in wanted:
                line = found.get(name)
                facts = self._building.get(person_facts.NAME)
                if line is None or not self._goes_on(session, line, asides[name], facts):
                    if line is not None:
                        lines.retire(session, line)
                    line = lines.begin(session, self._views[name], "building")
                self._building[name] = line
        return self

    def __exit__(self, *_raised: object) -> None:
        if not self._is_finished:
            return
        with self._database.writing() as session:
            unused = lines.building_lines(session)
            for name in self._building.keys() & unused.keys():
                lines.retire(session, unused[name])
        drop_retired(self._database, self._pace)

    @property
    def position(self) -> int:
        """How far it has come, which is not 0 where it goes on with an earlier one."""
        return min(line.position for line in self._building.values())

    def build(self, progress: Progress) -> None:
        """Bring the new generation to where the live views are, page by page. Raises `RebuildFailed`."""
        self._build_shared(progress)
        for _ in range(ROUNDS_MAX):
            with self._database.reading() as session:
                self._goal = aim(session, self._views, self._task)
            total = max(self._goal.targets.values(), default=0)
            progress(min(self._behind().values(), default=total), total)
            if not self._behind():
                return
            while behind := self._behind():
                self._turn_page(min(behind.values()))
                progress(min(self._behind().values(), default=total), total)

    def finish(self, *, switches: Callable[[Comparison], bool]) -> list[Rebuilt]:
        """Compare each view at one position, then bring all to where the live ones are and switch those that may be."""
        comparisons = {name: self._compared(name) for name in self._task.names}
        finished = []
        with self._database.writing() as session:
            live = {name: self._held(session, name) for name in self._task.names}
            self._come_up(session)
            for name, line in live.items():
                new, comparison = self._building[name], comparisons[name]
                switched = switches(comparison)
                if switched:
                    lines.switch(session, line, new)
                    if self._task.lifted is not None:
                        parking.lift(session, name, self._task.lifted, self._clock())
                generation = new.generation if switched else line.generation
                finished.append(Rebuilt(comparison=comparison, switched=switched, generation=generation))
        # From here on the new generation serves; what it replaced is dropped on leaving.
        self._is_finished = True
        return finished

    def _goes_on(self, session: Session, line: Line, aside: Aside, facts: Line | None) -> bool:
        """Whether a line that an earlier rebuild has left is one that this rebuild would have made up to there."""
        view = self._views[line.view]
        if self._task.afresh or line.version != view.version or not lines.is_of_log(self._source, line):
            return False
        if line.view != person_facts.NAME and view.folds and (facts is None or facts.position < line.position):
            return False
        left_out = parking.aside_of(session, line).positions
        return left_out == frozenset(position for position in aside.positions if position <= line.position)

    def _of_halves(
        self, session: Session, found: Mapping[str, Line], asides: Mapping[str, Aside]
    ) -> Mapping[str, Line]:
        """The lines that earlier rebuilds have left, without those of a shared one that this one can't go on with."""
        shared = sharing.halves(session)
        if not shared:
            return found
        wanted = {name: found[name] for name in asides if name in found}
        if shared[0].of == sharing.named(wanted) and not any(aside.events for aside in asides.values()):
            facts = wanted[person_facts.NAME]
            if all(self._goes_on(session, line, asides[name], facts) for name, line in wanted.items()):
                return found
        left = sharing.give_up(session)
        return {name: line for name, line in found.items() if name not in left}

    def _build_shared(self, progress: Progress) -> None:
        """Go on with a rebuild that is shared out, or share out a long one; what fails is begun again, alone."""
        helps = not self._database.driven_elsewhere([person_facts.NAME])
        with self._database.writing() as session:
            self._goal = aim(session, self._views, self._task)
            if not sharing.halves(session):
                target = min(self._goal.targets.values())
                begun = any(line.position for line in self._building.values())
                aside = any(aside.events for aside in self._goal.asides.values())
                if begun or aside or not helps or target * len(self._building) < sharing.WORK_WORTH_HELP:
                    return
                sharing.begin(session, self._building, target)
        shared = sharing.Shared(self._database, self._source, self._views, self._building, self._clock)
        try:
            shared.run(progress, with_help=helps)
        except self._not_the_event:
            raise
        except sharing.HalfIsTaken as taken:
            # The right to rebuild was lost, and whoever has it now goes on with these lines.
            raise RebuildIsRunning from taken
        except Exception:  # noqa: BLE001 - which view it was, and which event, is found out page by page
            with self._database.writing() as session:
                sharing.give_up(session)
                for name in self._building:
                    self._building[name] = lines.begin(session, self._views[name], "building")

    def _behind(self) -> dict[str, int]:
        """The lines that have not come to their target, with where they stand."""
        targets = self._goal.targets
        return {name: line.position for name, line in self._building.items() if line.position < targets[name]}

    def _turn_page(self, after: int) -> None:
        """Apply a page in a transaction of its own; of one that fails, as much as can be. Raises `RebuildFailed`."""
        for tries in count(1):
            before, limit = dict(self._building), self._pace.page
            try:
                self._write_page(self._read_page(after, limit))
            except RebuildFailed:
                self._building = before
                if limit == 1:
                    raise
                self._pace.page = self._pace.page_max = limit // 2
            except ViewsUnreachable as error:
                self._building = before
                if error.reason != "locked" or tries >= TRIES_MAX:
                    raise
            else:
                self._pace.end()
                return

    def _write_page(self, page: Sequence[Recorded]) -> None:
        """Apply a page; others write meanwhile, but for the moment in which what it changes is written."""
        if self._pace.is_shared:
            page = _alike(page)
        before = dict(self._building)
        claim, apply = partial(_hold, building=before), partial(self._apply, page=page)
        if all(map(is_alone, page)):
            try:
                self._pace.write_worked_out(claim, apply)
            except self._not_the_event:
                raise
            except (RebuildFailed, RebuildIsRunning):
                raise
            except Exception:  # noqa: BLE001 - which view's rows can't be written is found out where each writes its own
                self._building = dict(before)
            else:
                return
        self._pace.write(claim, apply)

    def _come_up(self, session: Session) -> None:
        """Apply within this transaction what the live views have applied by now."""
        _hold(session, self._building)
        self._goal = aim(session, self._views, self._task)
        while behind := self._behind():
            self._apply(session, self._read_page(min(behind.values()), PAGE))

    def _read_page(self, after: int, limit: int) -> Sequence[Recorded]:
        """The next events after a position at which lines stand, no further than where another line stands."""
        ahead = [line.position - after for line in self._building.values() if line.position > after]
        page = read_page(self._source, after, min([limit, *ahead]))
        assert page, "the log holds what a view has applied"
        return page

    def _apply(self, session: Session, page: Sequence[Recorded]) -> None:
        """Apply a page to every line that stands right before it, each no further than its target."""
        after = page[0].position - 1
        stretch = Stretch(readable(page), self._facts)
        for name, line in self._building.items():
            some = page[: max(0, self._goal.targets[name] - after)] if line.position == after else ()
            if some:
                self._building[name] = self._applied(session, line, stretch, some)

    def _applied(self, session: Session, line: Line, stretch: Stretch, some: Sequence[Recorded]) -> Line:
        began, aside = self._clock(), self._goal.asides[line.view]
        parted = parking.part(line, some, NOTHING_ASIDE, NOTHING_ASIDE, aside, began)
        parted = replace(parted, positions=aside.positions)
        try:
            facts = self._building.get(person_facts.NAME, line)
            write_parted(session, self._views[line.view], line, facts, self._own_facts, stretch, parted)
        except self._not_the_event:
            raise
        except Exception as fault:
            raise RebuildFailed(line.view, some[0].position, some[-1].position, told(fault)) from fault
        counted = parking.add(session, line, parted.left_out)
        moved = counted.moved(some[-1], began=began, ended=self._clock(), head=self._goal.targets[line.view])
        lines.record(session, moved)
        return moved

    def _compared(self, name: str) -> Comparison:
        """The live generation held against the new one, in a snapshot in which both stand at one position."""
        view, generation = self._views[name], self._building[name].generation
        for _ in range(LOOKS_MAX):
            self.build(lambda _done, _total: None)
            with self._database.writing() as session:
                self._held(session, name)
                self._come_up(session)
            with self._database.reading() as session:
                live = lines.live_lines(session)[name]
                # Unless the live view has moved on between the two transactions.
                if live.position == self._building[name].position:
                    return compare(session, view, live.position, live.generation, generation)
        with self._database.writing() as session:
            live = self._held(session, name)
            self._come_up(session)
            return compare(session, view, live.position, live.generation, generation)

    def _held(self, session: Session, name: str) -> Line:
        live = lines.live_lines(session)[name]
        held = lines.hold(session, name, live.generation)
        assert held is not None, "only a rebuild removes a live line, and there is one at a time"
        return held


def _hold(session: Session, building: Mapping[str, Line]) -> None:
    """Keep the lines where we left them. Raises `RebuildIsRunning` where whoever has the right now has moved them."""
    for line in building.values():
        held = lines.hold(session, line.view, line.generation)
        if held is None or (held.role, held.position) != ("building", line.position):
            raise RebuildIsRunning


def _alike(page: Sequence[Recorded]) -> Sequence[Recorded]:
    """The beginning of a page that is alone, or is not: so that others wait as long as they must, and no longer."""
    first = is_alone(page[0])
    return page[: next((n for n, event in enumerate(page) if is_alone(event) != first), len(page))]


def drop_retired(database: Database, pace: Pace | None = None) -> None:
    """Remove every line that serves no longer, and what was being built in vain.

    One that somebody reads for long is left to whoever comes here next: it does no harm where it is.
    """
    with database.reading() as session:
        gone = {line: lines.tables_of(session, line) for line in lines.lines(session) if line.role == "retired"}
    for line, tables in gone.items():
        try:
            _drop(database, line, tables, pace)
        except ViewsUnreachable as error:
            if error.reason != "locked":
                raise


def _drop(database: Database, line: Line, tables: Sequence[str], pace: Pace | None) -> None:
    """A table a transaction: whoever still reads several of them could otherwise wait for us, and we for them."""
    for table in tables:
        with database.writing() as session:
            session.execute(f"DROP TABLE IF EXISTS {table}")
        if pace is not None:
            pace.end()
    with database.writing() as session:
        parking.forget(session, line)
        lines.forget(session, line)
