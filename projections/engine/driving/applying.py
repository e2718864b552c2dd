"""Applying events to one generation of a view: live or being built, whole or half of the people, it is all the same.

What is raised meanwhile is about an event, unless `not_the_event` names it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, cast

from domain.events.event import Event
from domain.register import PERSONAL
from projections.engine import person_facts
from projections.engine.database import TableIsGone, ViewsUnreachable
from projections.engine.driving.lines import Line, names_of
from projections.engine.driving.parking import Parted
from projections.engine.person_facts import Facts
from projections.engine.source import EventSource, Recorded, Unreadable
from projections.engine.tables import Rows, Session
from projections.engine.view import Batch, Stretch, View

OWN_FACTS_KEPT_MAX: Final = 10_000

_ALONE: Final = tuple(f"{kind}:" for kind in PERSONAL)
"""What the streams begin with whose events are a person's alone."""


def not_the_event(source: EventSource) -> tuple[type[Exception], ...]:
    """What may be raised while an event is applied and says nothing about it: facts are read from the log, too."""
    return (ViewsUnreachable, TableIsGone, MemoryError, *source.outages)


class EventCannotBeRead(Exception):
    """The event is stored, and this program does not understand it."""


class OwnFacts:
    """For each view that leaves events out, what it has read of the persons' facts: it folds others than the rest."""

    def __init__(self, source: EventSource) -> None:
        self._source = source
        self._facts: dict[str, tuple[tuple[int, int], Facts]] = {}

    def of(self, line: Line, facts_line: Line) -> Facts:
        """Those of one generation of a view, which alone knows what it has left out, from one of the facts."""
        generations = (line.generation, facts_line.generation)
        found = self._facts.get(line.view)
        if found is None or found[0] != generations:
            found = self._facts[line.view] = (generations, Facts(self._source, OWN_FACTS_KEPT_MAX))
        return found[1]


def write_parted(
    session: Session, view: View, line: Line, facts_line: Line, facts: OwnFacts, stretch: Stretch, parted: Parted
) -> None:
    """Write what some events change in one generation of a view, those aside that it leaves out.

    `stretch` is shared by the views that leave nothing out. Raises `EventCannotBeRead`.
    """
    if not parted.applied:
        return
    last, some = parted.applied[-1], readable(parted.applied)
    if isinstance(last, Unreadable):
        raise EventCannotBeRead(last.error)
    if parted.positions:
        stretch = Stretch(some, facts.of(line, facts_line), parted.positions)
    facts_names = {table.name: table.named(facts_line.generation) for table in person_facts.TABLES}
    rows = Rows(session, {**facts_names, **names_of(view, line.generation)})
    view.apply(Batch(stretch, some, rows), rows)


def is_alone(event: Recorded) -> bool:
    """Whether no view, to apply the event, reads back what it has written of the same page."""
    return event.stream.startswith(_ALONE)


def readable(page: Sequence[Recorded]) -> Sequence[Event]:
    """The events of a page that can be read: only its last may be one that can't."""
    some = page[:-1] if page and isinstance(page[-1], Unreadable) else page
    return cast("Sequence[Event]", some)
