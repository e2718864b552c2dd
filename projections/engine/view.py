"""What a view is: its tables, and how a batch of events changes them.

`View` is what each module of `projections/` ends with; one runner drives them all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from domain.events.event import Event
from domain.names import PersonId
from domain.register import Register
from projections.engine.person_facts import Facts, Subject, is_fact, person_of
from projections.engine.tables import Generation, Rows, Table


class Stretch:
    """Events that follow each other, and what the views that apply them share.

    Each person they are about is loaded once and folded once, whichever view asks first.
    """

    def __init__(self, events: Sequence[Event], facts: Facts) -> None:
        self.events = events
        self.facts = facts
        self.transfers: Mapping[str, PersonId] | None = None
        self._earlier: dict[PersonId, list[Event]] = {}
        self._subjects: dict[tuple[PersonId, int], Subject] = {}

    def persons(self, tables: Generation) -> Mapping[str, PersonId]:
        """Transfer id → person, for the transfers that the events are about."""
        if self.transfers is None:
            self.transfers = self.facts.transfers(tables, self.events)
        return self.transfers

    def subjects(self, tables: Generation, persons: Sequence[PersonId], up_to: int) -> dict[PersonId, Subject]:
        """Those persons as known at a position within it."""
        known = {person: self._subjects.get((person, up_to)) for person in persons}
        missing = [person for person, subject in known.items() if subject is None]
        if missing:
            for person, events in self._facts_of(tables, missing, up_to).items():
                subject = Subject(person, events, self.facts.register(tables))
                self._subjects[person, up_to] = known[person] = subject
        return {person: subject for person, subject in known.items() if subject is not None}

    def _facts_of(self, tables: Generation, persons: Sequence[PersonId], up_to: int) -> dict[PersonId, list[Event]]:
        before = self.events[0].position - 1
        unread = [person for person in persons if person not in self._earlier]
        earlier = self.facts.of(tables, unread, before)
        self._earlier.update({person: earlier.get(person, []) for person in unread})
        transfers = self.persons(tables)
        found = {person: list(self._earlier[person]) for person in persons}
        for event in self.events:
            if event.position > up_to:
                break
            person = person_of(event, transfers)
            if person in found and is_fact(event):
                found[person].append(event)
        return {person: events for person, events in found.items() if events}


class Batch:
    """Some events of a stretch as one view applies them."""

    def __init__(self, stretch: Stretch, events: Sequence[Event], tables: Generation) -> None:
        self.events = events
        self._stretch = stretch
        self._tables = tables

    @property
    def last(self) -> int:
        """The position of the last event."""
        return self.events[-1].position

    def transfers(self) -> Mapping[str, PersonId]:
        """Transfer id → person, for the transfers that the events are about."""
        return self._stretch.persons(self._tables)

    def register(self) -> Register:
        """Authorities, facilities and agreements, up to the batch at least: what is read of them says its position."""
        return self._stretch.facts.register(self._tables)

    def touched(self) -> dict[PersonId, Subject]:
        """Everybody whom a fact among the events is about, as known after the last of them."""
        transfers = self.transfers()
        persons = dict.fromkeys(
            person for event in self.events if is_fact(event) and (person := person_of(event, transfers)) is not None
        )
        return self._stretch.subjects(self._tables, sorted(persons), self.last)


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
