"""A rebuild shared out between two processes: each applies the log to half of the people.

Both write to the tables of one new generation. Whose rows are whose follows from a hash of the person's id; what is
about nobody belongs to the first half, and the registry, which every fold reads, is noted by both. Each half moves its
own position in the transaction that writes its rows, so either may end at any time and be gone on with. Help makes a
rebuild sooner and never another one: a half that a helper leaves unfinished is finished by whoever asked for help.
Once another process drives the live views the helper leaves, and the rest is built as any rebuild beside them.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from itertools import count
from time import monotonic, sleep
from typing import Final, NamedTuple, cast
from uuid import uuid4
from zlib import crc32

import msgspec

from domain.events.event import Event
from domain.names import PersonId
from projections.engine import person_facts
from projections.engine.database import Database, ViewsUnreachable
from projections.engine.driving import lines
from projections.engine.driving.applying import OwnFacts, is_alone, write_parted
from projections.engine.driving.lines import Line, Point
from projections.engine.driving.pace import Pace
from projections.engine.driving.parking import Parted
from projections.engine.instants import read
from projections.engine.person_facts import Facts, is_of_registry, persons_of
from projections.engine.source import EventSource
from projections.engine.tables import Generation, Session, Table
from projections.engine.view import Stretch, View

HALVES: Final = Table(
    name="operations_halves",
    columns=("half", "run", "position", "target", "of"),
    key=("half",),
    integers=("half", "position", "target"),
)
WORK_WORTH_HELP: Final = 90_000
"""Events times lines: below this views are rebuilt sooner than another process has started."""
PAGE: Final = 8_000
TRIES_MAX: Final = 20
"""How often a page is tried again because others were writing."""
LOOK_AGAIN_SECONDS: Final = 0.05
HELPER_SECONDS_MAX: Final = 60.0
"""How long a helper may stand still before its half is done without it."""


class Half(NamedTuple):
    """Half of the people, and how far it has come; `of` names the lines it is built in.

    `run` is drawn anew whenever somebody takes a half over: whoever had it before can write nothing more.
    """

    half: int
    run: str
    position: int
    target: int
    of: str

    def holds(self, person: PersonId) -> bool:
        """Whether the rows of a person are written with this half."""
        return crc32(person.encode()) % 2 == self.half


class HalfIsTaken(Exception):
    """Another process has taken the half over."""


def prepare(session: Session) -> None:
    """Make the table where it is missing."""
    session.create(HALVES, HALVES.name)


def named(building: Mapping[str, Line]) -> str:
    """Lines as `Half.of` names them."""
    return " ".join(sorted(f"{line.view}:{line.generation}" for line in building.values()))


def halves(session: Session) -> list[Half]:
    """The halves of the rebuild that was shared out last and is not at its end; there is at most one."""
    rows = session.select(f"SELECT {', '.join(HALVES.columns)} FROM operations_halves ORDER BY half")
    return [Half._make(cast("tuple[int, str, int, int, str]", row)) for row in rows]


def begin(session: Session, building: Mapping[str, Line], target: int) -> None:
    """Share a rebuild out, up to a position."""
    of, run = named(building), uuid4().hex
    session.insert(HALVES, HALVES.name, [(half, run, 0, target, of) for half in (0, 1)])


def give_up(session: Session) -> set[str]:
    """Share nothing any longer, and build on with none of the lines: they hold not all events up to their position.

    The views whose lines are given up so.
    """
    of = {one for half in halves(session) for one in half.of.split()}
    forget(session)
    left = {name: line for name, line in lines.building_lines(session).items() if f"{name}:{line.generation}" in of}
    for line in left.values():
        lines.retire(session, line)
    return set(left)


def forget(session: Session) -> None:
    """Share nothing any longer."""
    session.execute("DELETE FROM operations_halves")


class Pages:
    """One half, page by page: what both processes do. `building` are the lines it is built in."""

    def __init__(
        self,
        database: Database,
        source: EventSource,
        views: Mapping[str, View],
        building: Mapping[str, Line],
        half: Half,
    ) -> None:
        self._database = database
        self._source = source
        self._views = views
        self._building = building
        self._facts = Facts(source)
        # No half leaves events out, so no view needs facts of its own.
        self._own_facts = OwnFacts(source)
        self._pace = Pace(database, source, PAGE)
        self.half = half

    @property
    def is_at_target(self) -> bool:
        """Whether nothing is left to do."""
        return self.half.position >= self.half.target

    def turn(self) -> None:
        """Apply the next page in a transaction of its own. Raises `HalfIsTaken`, and what a view raises."""
        after = self.half.position
        to = min(after + self._pace.page, self.half.target)
        events = self._source.read_events(after, to - after, self._may_hold)
        claim, apply = partial(self._claim, to=to), partial(self._apply, events=events, after=after, to=to)
        write = self._pace.write_worked_out if all(map(is_alone, events)) else self._pace.write
        for tries in count(1):
            try:
                write(claim, apply)
            except ViewsUnreachable as error:
                if error.reason != "locked" or tries >= TRIES_MAX:
                    raise
            else:
                self.half = self.half._replace(position=to)
                self._pace.end()
                return

    def _may_hold(self, stream: str) -> bool:
        """Whether an event of the stream may belong here: of a transfer only its first event says whose it is."""
        kind, _, id_ = stream.partition(":")
        return kind != "person" or self.half.holds(PersonId(id_))

    def _claim(self, session: Session, to: int) -> None:
        """Move the half, if it is still ours and where we left it."""
        sql = "SELECT run, position FROM operations_halves WHERE half = ?"
        if session.hold(sql, (self.half.half,)) != [(self.half.run, self.half.position)]:
            raise HalfIsTaken
        session.execute("UPDATE operations_halves SET position = ? WHERE half = ?", (to, self.half.half))

    def _apply(self, session: Session, events: Sequence[Event], after: int, to: int) -> None:
        facts_line = self._building[person_facts.NAME]
        noted, ours = self._parted(session, events, facts_line)
        stretch = Stretch(ours, self._facts, span=(after, to))
        for name, line in self._building.items():
            some = noted if name == person_facts.NAME else ours
            shared = stretch if some is ours else Stretch(some, self._facts, span=(after, to))
            write_parted(session, self._views[name], line, facts_line, self._own_facts, shared, Parted(some))

    def _parted(
        self, session: Session, events: Sequence[Event], facts_line: Line
    ) -> tuple[Sequence[Event], Sequence[Event]]:
        """The events that the persons' facts note here, and those that every other view applies here."""
        tables = Generation(session, {table.name: table.named(facts_line.generation) for table in person_facts.TABLES})
        persons = persons_of(events, self._facts.transfers(tables, events))
        ours: list[Event] = []
        noted: list[Event] = []
        for event, person in zip(events, persons, strict=True):
            if person is None:
                # A transfer whose person is not known here is of the other half.
                is_ours = not self.half.half and not event.stream.startswith("transfer:")
            else:
                is_ours = self.half.holds(person)
            if is_ours:
                ours.append(event)
            if is_ours or is_of_registry(event):
                noted.append(event)
        return (ours if len(noted) == len(ours) else noted), ours


class Shared:
    """A rebuild that is shared out, as the process that was asked for it runs it."""

    def __init__(
        self,
        database: Database,
        source: EventSource,
        views: Mapping[str, View],
        building: dict[str, Line],
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._source = source
        self._views = views
        self._building = building
        self._clock = clock
        self._began = clock()
        self._run = ""

    def run(self, progress: Callable[[int, int], None], *, with_help: bool) -> None:
        """Bring both halves to their target, the second with the help of another process, and the lines with them.

        Raises `HalfIsTaken`, and what a view raises.
        """
        first, second = self._taken()
        helper = self._source.help(msgspec.json.encode(second).decode()) if with_help else None
        try:
            own = self._pages(first)
            while not own.is_at_target:
                own.turn()
                self._note(progress)
            if helper is not None:
                self._await(helper, progress)
        finally:
            if helper is not None:
                stop(helper)
        _, second = self._taken()
        rest = self._pages(second)
        while not rest.is_at_target:
            rest.turn()
            self._note(progress)
        with self._database.writing() as session:
            self._ours(session)
            self._move(session, second.target, second.target)
            forget(session)

    def _await(self, helper: subprocess.Popen[bytes], progress: Callable[[int, int], None]) -> None:
        """Wait until a helper has ended, or stands still."""
        stands_at, since = self._note(progress), monotonic()
        while helper.poll() is None and monotonic() - since < HELPER_SECONDS_MAX:
            sleep(LOOK_AGAIN_SECONDS)
            position = self._note(progress)
            if position > stands_at:
                stands_at, since = position, monotonic()

    def _taken(self) -> list[Half]:
        """Both halves, taken over from whoever had them: from here on nobody else writes to them."""
        self._run = uuid4().hex
        with self._database.writing() as session:
            session.execute("UPDATE operations_halves SET run = ?", (self._run,))
            return self._ours(session)

    def _ours(self, session: Session) -> list[Half]:
        """Both halves, if nobody has taken them over since."""
        found = halves(session)
        if [half.run for half in found] != [self._run, self._run]:
            raise HalfIsTaken
        return found

    def _pages(self, half: Half) -> Pages:
        return Pages(self._database, self._source, self._views, self._building, half)

    def _note(self, progress: Callable[[int, int], None]) -> int:
        """Note how far the halves have come together, for whoever watches the lines; 0 while that can't be told."""
        before = dict(self._building)
        try:
            with self._database.writing() as session:
                found = self._ours(session)
                position = sum(half.position for half in found) // 2
                self._move(session, position, found[0].target)
        except ViewsUnreachable as error:
            if error.reason != "locked":
                raise
            # A page takes long to be written; how far it brings us is noted after it.
            self._building.update(before)
            return 0
        progress(position, found[0].target)
        return position

    def _move(self, session: Session, position: int, target: int) -> None:
        behind = {name: line for name, line in self._building.items() if line.position < position}
        if not behind:
            return
        now, stored = self._clock(), self._source.stored(position)
        assert stored is not None, "the log holds what was applied"
        for name, line in behind.items():
            began = self._began if line.advanced_at is None else read(line.advanced_at)
            moved = line.moved(Point(position, stored.leaf_hash), began=began, ended=now, head=target)
            self._building[name] = moved
            lines.record(session, moved)


def stop(helper: subprocess.Popen[bytes]) -> None:
    """End a helper, if it has not ended."""
    helper.kill()
    helper.wait()
    if helper.stdin is not None:
        # One that ended at once has left in the pipe what it was told.
        with suppress(BrokenPipeError):
            helper.stdin.close()


def assist(database: Database, source: EventSource, views: Mapping[str, View], task: str) -> None:
    """What a helper does: bring its half to the target, unless live views need the second processor before."""
    half = msgspec.json.decode(task, type=Half)
    with database.reading() as session:
        building = lines.building_lines(session)
    of = {name: line for name, line in building.items() if f"{name}:{line.generation}" in half.of.split()}
    in_order = {name: of[name] for name in views if name in of}
    pages = Pages(database, source, views, in_order, half)
    while not pages.is_at_target and not database.driven_elsewhere([person_facts.NAME]):
        pages.turn()
