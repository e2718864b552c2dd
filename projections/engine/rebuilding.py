"""Rebuilding blue-green: a new generation from the log alone, beside the live one, switched in only if they agree.

The new generation reads nothing that the live one wrote, the persons' facts included. The comparison holds both at
one position, inside the transaction that switches. Whatever ends a rebuild half-way leaves the live views serving;
its tables are dropped at once, or by the next start or rebuild.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from projections.engine import lines, person_facts
from projections.engine.comparing import Comparison, compare
from projections.engine.database import Database
from projections.engine.lines import Line, names_of
from projections.engine.person_facts import Facts
from projections.engine.running import PAGE, EventSource, write_batch
from projections.engine.tables import Session
from projections.engine.view import Stretch, View

Progress = Callable[[int, int], None]
"""Told how many events are done of how many; what it raises ends the rebuild."""

ROUNDS_MAX: Final = 20
"""How often a rebuild runs after views that move on before it holds them to catch up for good."""


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
    """The new generation could not be built: a rebuild applies every event or none."""

    def __init__(self, view: str, first: int, last: int, reason: str) -> None:
        super().__init__(f"{view} can't be rebuilt: events {first} to {last}: {reason}")
        self.view = view
        self.first = first
        self.last = last


class Rebuild:
    """One rebuild of some views in one pass over the log. Used as a context: leaving it drops what was not switched."""

    def __init__(self, database: Database, source: EventSource, all_views: Mapping[str, View], names: Sequence[str]):
        self._database = database
        self._source = source
        self._views = all_views
        self._names = names
        self._facts = Facts()
        self._building: dict[str, Line] = {}

    def __enter__(self) -> Rebuild:
        folds = any(self._views[name].folds for name in self._names)
        wanted = [person_facts.NAME] if folds else []
        drop_unfinished(self._database)
        with self._database.writing() as session:
            for name in dict.fromkeys([*wanted, *self._names]):
                self._building[name] = lines.begin(session, self._views[name], is_live=False)
        return self

    def __exit__(self, *_: object) -> None:
        drop_unfinished(self._database)

    def build(self, progress: Progress) -> None:
        """Bring the new generation up to where the live one is, while that goes on."""
        for _ in range(ROUNDS_MAX):
            targets = self._targets()
            total = max(targets.values(), default=0)
            if not self._behind(targets):
                return
            while behind := self._behind(targets):
                with self._database.writing() as session:
                    self._apply(session, min(behind.values()), PAGE, targets)
                progress(min(self._behind(targets).values(), default=total), total)

    def finish(self, *, switches: Callable[[Comparison], bool]) -> list[Rebuilt]:
        """Hold the live views, bring the new generation to their position, compare, and switch those that may be."""
        finished = []
        with self._database.writing() as session:
            live = {name: self._held(session, name) for name in self._names}
            self._last_events(session, {name: line.position for name, line in live.items()})
            for name, line in live.items():
                new = self._building[name]
                comparison = compare(session, self._views[name], line.position, line.generation, new.generation)
                switched = switches(comparison)
                if switched:
                    lines.switch(session, line, new)
                generation = new.generation if switched else line.generation
                finished.append(Rebuilt(comparison=comparison, switched=switched, generation=generation))
        # From here on the new generation serves; what it replaced is dropped on leaving.
        return finished

    def _held(self, session: Session, name: str) -> Line:
        live = lines.live_lines(session)[name]
        held = lines.hold(session, name, live.generation)
        assert held is not None, "only a rebuild removes a live line, and there is one at a time"
        return held

    def _targets(self) -> dict[str, int]:
        with self._database.reading() as session:
            live = lines.live_lines(session)
        return self._reaching({name: live[name].position for name in self._names})

    def _reaching(self, targets: dict[str, int]) -> dict[str, int]:
        """How far each line is to go; the persons' facts as far as anybody who folds them."""
        folding = [position for name, position in targets.items() if self._views[name].folds]
        if folding and person_facts.NAME not in targets:
            targets[person_facts.NAME] = max(folding)
        return targets

    def _last_events(self, session: Session, targets: dict[str, int]) -> None:
        targets = self._reaching(targets)
        while behind := self._behind(targets):
            self._apply(session, min(behind.values()), PAGE, targets)

    def _behind(self, targets: Mapping[str, int]) -> dict[str, int]:
        """The lines that have not come to their target, with where they stand."""
        return {name: line.position for name, line in self._building.items() if line.position < targets[name]}

    def _apply(self, session: Session, after: int, limit: int, targets: Mapping[str, int]) -> None:
        """Apply a page to every line that stands at `after`, each no further than its target."""
        events = self._source.read_events(after, limit)
        assert events, "the log holds what a view has applied"
        facts = self._building.get(person_facts.NAME)
        facts_names = names_of(self._views[person_facts.NAME], facts.generation) if facts is not None else {}
        stretch = Stretch(events, self._facts)
        for name, line in self._building.items():
            some = events[: max(0, targets[name] - after)] if line.position == after else ()
            if not some:
                continue
            try:
                write_batch(session, self._views[name], line.generation, facts_names, stretch, some)
            except Exception as fault:
                reason = f"{type(fault).__name__}: {fault}"
                raise RebuildFailed(name, some[0].position, some[-1].position, reason) from fault
            moved = line._replace(position=some[-1].position, leaf_hash=some[-1].leaf_hash)
            lines.advance(session, moved)
            self._building[name] = moved


def drop_unfinished(database: Database) -> None:
    """Remove every line that does not serve: what a rebuild left, or what has been replaced.

    A table a transaction: whoever still reads several of them could otherwise wait for us, and we for them.
    """
    with database.reading() as session:
        gone = {line: lines.tables_of(session, line) for line in lines.lines(session) if not line.is_live}
    for line, tables in gone.items():
        for table in tables:
            with database.writing() as session:
                session.execute(f"DROP TABLE IF EXISTS {table}")
        with database.writing() as session:
            lines.forget(session, line)
