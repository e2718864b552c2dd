"""What a view is: its tables, and how a batch of events changes them.

`View` is what each module of `projections/` ends with; one runner drives them all.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter
from typing import Final

from domain.events.event import Event
from domain.names import PersonId
from domain.register import Register
from projections.engine.person_facts import Facts, Subject, is_fact, persons_of
from projections.engine.tables import Generation, Rows, Table

_POSITION: Final = attrgetter("position")


class Stretch:
    """Events that follow each other, and what the views that apply them share.

    Each person they are about is loaded once and folded once, whichever view asks first. A view that leaves events out
    has a stretch of its own, without them: `left_out` are their positions, and no person is folded with one of them.
    Where the events are of some people alone, `span` says after which position they come and up to which they are all.
    """

    def __init__(
        self,
        events: Sequence[Event],
        facts: Facts,
        left_out: frozenset[int] = frozenset(),
        span: tuple[int, int] | None = None,
    ) -> None:
        self.events = events
        self._span = span
        self._facts = facts
        self._left_out = left_out
        self._persons: Sequence[PersonId | None] | None = None
        self._histories: Mapping[PersonId, Sequence[Event]] | None = None
        self._register: Register | None = None
        self._subjects: dict[tuple[int, int], Mapping[PersonId, Subject]] = {}

    def persons(self, tables: Generation) -> Sequence[PersonId | None]:
        """Whom each event is about, `None` where it is about nobody."""
        if self._persons is None:
            self._persons = persons_of(self.events, self._facts.transfers(tables, self.events))
        return self._persons

    def register(self, tables: Generation) -> Register:
        """Authorities, facilities and agreements, at least as far as the persons' facts had come when it was asked."""
        if self._register is None:
            self._register = self._facts.register(tables)
        return self._register

    def subjects(self, tables: Generation, first: int, last: int) -> Mapping[PersonId, Subject]:
        """Everybody whom a fact at those positions is about, by id, as known at the last of them."""
        found = self._subjects.get((first, last))
        if found is None:
            found = self._subjects[first, last] = self._folding(tables, first, last)
        return found

    def _folding(self, tables: Generation, first: int, last: int) -> dict[PersonId, Subject]:
        register, histories = self.register(tables), self._all_histories(tables)
        touched = {person: histories[person] for person in self._touched(tables, first, last)}
        if last < self.events[-1].position:
            touched = {
                person: [event for event in history if event.position <= last] for person, history in touched.items()
            }
        return {person: Subject(person, history, register) for person, history in touched.items()}

    def _touched(self, tables: Generation, first: int, last: int) -> list[PersonId]:
        named = zip(self.events, self.persons(tables), strict=True)
        return sorted(
            {
                person
                for event, person in named
                if person is not None and first <= event.position <= last and is_fact(event)
            }
        )

    def _all_histories(self, tables: Generation) -> Mapping[PersonId, Sequence[Event]]:
        if self._histories is None:
            found = self._facts.histories(tables, self.events, self.persons(tables), self._span)
            if self._left_out:
                found = {
                    person: [event for event in history if event.position not in self._left_out]
                    for person, history in found.items()
                }
            self._histories = found
        return self._histories


class Batch:
    """Some events of a stretch as one view applies them."""

    def __init__(self, stretch: Stretch, events: Sequence[Event], tables: Generation) -> None:
        self.events = events
        self._stretch = stretch
        self._tables = tables

    @property
    def first(self) -> int:
        """The position of the first event."""
        return self.events[0].position

    @property
    def last(self) -> int:
        """The position of the last event."""
        return self.events[-1].position

    @property
    def persons(self) -> Sequence[PersonId | None]:
        """Whom each event is about, `None` where it is about nobody."""
        start = bisect_left(self._stretch.events, self.first, key=_POSITION)
        return self._stretch.persons(self._tables)[start : start + len(self.events)]

    @property
    def register(self) -> Register:
        """Authorities, facilities and agreements, up to the batch at least: what is read of them says its position."""
        return self._stretch.register(self._tables)

    @cached_property
    def touched(self) -> Mapping[PersonId, Subject]:
        """Everybody whom a fact among the events is about, by id, as known after the last of them."""
        return self._stretch.subjects(self._tables, self.first, self.last)

    @cached_property
    def known_before(self) -> Sequence[PersonId]:
        """Those of them about whom there were facts before: nobody else has rows that were made of facts."""
        return [person for person, subject in self.touched.items() if subject.events[0].position < self.first]


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One view. `folds`: it reads the persons' facts, and so never runs ahead of them.

    `apply` writes what a batch changes, in the transaction that also moves the view's position. It reads no clock: the
    same events give the same rows. `version` is raised whenever the rows of a log would come out otherwise; the view
    is then made anew from the log.
    """

    name: str
    version: int
    tables: tuple[Table, ...]
    apply: Callable[[Batch, Rows], None]
    folds: bool = True

    def __post_init__(self) -> None:
        assert all(table.name.startswith(f"{self.name}_") for table in self.tables), "a table bears its view's name"
