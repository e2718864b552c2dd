"""Events that a view leaves out: parked because it can't apply them, or skipped because somebody decided so.

An event that can't be applied is parked together with the later events of its stream, which might build on it; the
view goes on with every other stream. What a generation has left out stands in `operations_left_out`. A decision to
skip an event is kept for ever in `operations_skipped`, with who took it and why, and holds for every generation.

A view that folds leaves out what the persons' facts leave out: it could not fold them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Final, Literal, NamedTuple, cast

from projections.engine.driving.lines import Line
from projections.engine.instants import kept, shown, shown_or_none
from projections.engine.source import Recorded
from projections.engine.tables import Session, Table, Value

Kind = Literal["parked", "skipped"]

LEFT_OUT: Final = Table(
    name="operations_left_out",
    columns=("view", "generation", "position", "stream", "kind", "error", "first_seen", "attempts"),
    key=("view", "generation", "position"),
    integers=("generation", "position", "attempts"),
)
SKIPPED: Final = Table(
    name="operations_skipped",
    columns=("view", "position", "stream", "authority", "officer", "reason", "decided_at", "lifted_at"),
    key=("view", "position", "decided_at"),
    integers=("position",),
)
STREAMS_PARKED_MAX: Final = 100
"""A view that can't apply events of more streams than that is at fault itself, and stops."""
FACTS_LEFT_IT_OUT: Final = "the persons' facts leave it out"


class LeftOut(NamedTuple):
    """An event that one generation of a view has left out.

    `error` says why it could not be applied; it is `None` for one that only follows in the stream of such an event,
    and for a skipped one. `attempts` counts how often it was tried.
    """

    view: str
    generation: int
    position: int
    stream: str
    kind: Kind
    error: str | None
    first_seen: str
    attempts: int

    def of_facts(self, view: str) -> LeftOut:
        """The same as a view that folds has to leave it out, because the persons' facts do."""
        return self._replace(view=view, error=FACTS_LEFT_IT_OUT if self.error is not None else None)

    def document(self) -> dict[str, object]:
        """It as JSON shows it."""
        return {
            "position": self.position,
            "stream": self.stream,
            "error": self.error,
            "first_seen": shown(self.first_seen),
            "attempts": self.attempts,
        }


class Skipped(NamedTuple):
    """A decision to leave an event out of a view; `lifted_at` is set once the event was applied after all."""

    view: str
    position: int
    stream: str
    authority: str
    officer: str
    reason: str
    decided_at: str
    lifted_at: str | None

    def document(self) -> dict[str, object]:
        """It as JSON shows it."""
        told = {name: getattr(self, name) for name in ("position", "stream", "authority", "officer", "reason")}
        return {**told, "decided_at": shown(self.decided_at), "lifted_at": shown_or_none(self.lifted_at)}


@dataclass(frozen=True)
class Aside:
    """What a line leaves out, by position."""

    events: Mapping[int, LeftOut] = field(default_factory=dict)

    @cached_property
    def positions(self) -> frozenset[int]:
        """Where they stand."""
        return frozenset(self.events)

    @cached_property
    def streams(self) -> frozenset[str]:
        """The streams that are parked."""
        return frozenset(one.stream for one in self.events.values() if one.kind == "parked")

    def after(self, more: Iterable[LeftOut]) -> Aside:
        """The same once more has been left out."""
        return Aside({**self.events, **{one.position: one for one in more}})


NOTHING_ASIDE: Final = Aside()


@dataclass(frozen=True)
class Parted:
    """Some events as a line takes them: those to apply, and those to leave out.

    `positions` is all that the line has left out by then, which no fold of its may read.
    """

    applied: Sequence[Recorded]
    left_out: Sequence[LeftOut] = ()
    positions: frozenset[int] = frozenset()


def part(line: Line, events: Sequence[Recorded], own: Aside, facts: Aside, decided: Aside, now: datetime) -> Parted:
    """Part the events: what stands in a parked stream, what the facts leave out, and what was decided is left out."""
    if not (own.events or facts.events or decided.events):
        return Parted(events)
    applied: list[Recorded] = []
    left_out: list[LeftOut] = []
    for event in events:
        before = decided.events.get(event.position)
        from_facts = facts.events.get(event.position)
        if before is not None:
            left_out.append(before._replace(generation=line.generation))
        elif from_facts is not None:
            left_out.append(from_facts.of_facts(line.view)._replace(generation=line.generation, first_seen=kept(now)))
        elif event.stream in own.streams:
            left_out.append(parked(line, event, None, now))
        else:
            applied.append(event)
    positions = own.positions.union(one.position for one in left_out)
    return Parted(applied, left_out, positions)


def parked(line: Line, event: Recorded, error: str | None, now: datetime) -> LeftOut:
    """An event as it is parked."""
    tried = int(error is not None)
    return LeftOut(line.view, line.generation, event.position, event.stream, "parked", error, kept(now), tried)


def prepare(session: Session) -> None:
    """Make the tables where they are missing."""
    for table in (LEFT_OUT, SKIPPED):
        session.create(table, table.name)


def aside_of(session: Session, line: Line) -> Aside:
    """What a line has left out."""
    if not line.left_out:
        return NOTHING_ASIDE
    sql = f"SELECT {', '.join(LEFT_OUT.columns)} FROM operations_left_out WHERE view = ? AND generation = ?"
    found = [_left_out(row) for row in session.select(f"{sql} ORDER BY position", (line.view, line.generation))]
    return Aside({one.position: one for one in found})


def first_parked(session: Session, line: Line) -> LeftOut | None:
    """The first event that a line could not apply."""
    events = aside_of(session, line).events.values() if line.parked else ()
    return next((one for one in events if one.error is not None), None)


def parked_of(session: Session, line: Line, stream: str) -> int | None:
    """The position of the first event of a stream that a line has parked."""
    events = aside_of(session, line).events.values() if line.parked else ()
    return next((one.position for one in events if one.stream == stream and one.kind == "parked"), None)


def add(session: Session, line: Line, more: Sequence[LeftOut]) -> Line:
    """Record what a line leaves out; the line with it counted, which is for the caller to record."""
    if more:
        session.insert(LEFT_OUT, LEFT_OUT.name, [cast("tuple[Value, ...]", one) for one in more])
    count = sum(one.kind == "parked" for one in more)
    return line._replace(parked=line.parked + count, skipped=line.skipped + len(more) - count)


def note_failure(session: Session, line: Line, position: int, error: str) -> None:
    """Record that an event of a line was tried once more, in vain."""
    session.execute(
        "UPDATE operations_left_out SET error = ?, attempts = attempts + 1 "
        "WHERE view = ? AND generation = ? AND position = ?",
        (error, line.view, line.generation, position),
    )


def forget(session: Session, line: Line) -> None:
    """Forget what a line left out that is no more; decisions stay."""
    session.execute("DELETE FROM operations_left_out WHERE view = ? AND generation = ?", (line.view, line.generation))


def skip(session: Session, decision: Skipped) -> None:
    """Keep a decision."""
    session.insert(SKIPPED, SKIPPED.name, [cast("tuple[Value, ...]", decision)])


def lift(session: Session, view: str, position: int, now: datetime) -> None:
    """Record that an event which was skipped is applied from now on."""
    session.execute(
        "UPDATE operations_skipped SET lifted_at = ? WHERE view = ? AND position = ? AND lifted_at IS NULL",
        (kept(now), view, position),
    )


def decisions(session: Session, view: str | None = None) -> list[Skipped]:
    """Every decision ever taken, of one view or of all, in the order of the events."""
    sql = f"SELECT {', '.join(SKIPPED.columns)} FROM operations_skipped"
    rows = session.select(f"{sql} ORDER BY view, position, decided_at")
    found = [Skipped._make(cast("tuple[str, int, str, str, str, str, str, str | None]", row)) for row in rows]
    return [one for one in found if view in (None, one.view)]


def decided(session: Session) -> Mapping[str, Aside]:
    """What is to be left out of each view as it was decided."""
    found: dict[str, dict[int, LeftOut]] = defaultdict(dict)
    for one in decisions(session):
        if one.lifted_at is None:
            row = LeftOut(one.view, 0, one.position, one.stream, "skipped", None, one.decided_at, 0)
            found[one.view][one.position] = row
    return {view: Aside(events) for view, events in found.items()}


def _left_out(row: tuple[Value, ...]) -> LeftOut:
    return LeftOut._make(cast("tuple[str, int, int, str, Kind, str | None, str, int]", row))
