"""Asking a view: the circumstances of a question, its answer, and why there may be none.

Every answer says which position it speaks for; none is silently old.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from projections.engine.instants import kept
from projections.engine.person_facts import Facts
from projections.engine.tables import Generation, Session

T = TypeVar("T")

Item = dict[str, object]
"""One row as it is shown: JSON-able values by column."""


class ViewIsBehind(Exception):
    """The view has not come to the position that the question needs; `stopped` says that it will not by itself."""

    def __init__(self, view: str, position: int, needed: int, *, stopped: bool) -> None:
        why = "has stopped" if stopped else "has come"
        super().__init__(f"{view} {why} at position {position}; {needed} is asked for")
        self.view = view
        self.position = position
        self.needed = needed
        self.stopped = stopped


class ViewIsUnknown(Exception):
    """No view has that name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no view {name}")
        self.name = name


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """The time a question speaks of, and what was known by then (DOMAIN §6.4).

    `as_of` is `now` where it is left out; `known_at` a position, or an instant for the last position recorded by then,
    or all that the view knows. `min_position` is waited for `wait` seconds at most; so is a position in `known_at`.
    """

    now: datetime
    as_of: datetime | None = None
    known_at: int | datetime | None = None
    min_position: int = 0
    wait: float = 0

    @property
    def instant(self) -> datetime:
        """The instant it asks about."""
        return self.now if self.as_of is None else self.as_of

    @property
    def needed(self) -> int:
        """The least position an answer may speak for."""
        return max(self.min_position, self.known_at if isinstance(self.known_at, int) else 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer(Generic[T]):
    """What a view says, as of which instant, and for which position."""

    value: T
    position: int
    as_of: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Part of a list; `next` is given back as `after` for what follows, `None` at the end."""

    items: list[Item]
    next: object | None


class Reader(Generation):
    """The tables of one view and of the persons' facts in one snapshot, at one question.

    `known_at` is the position the answer speaks for, `head` the one the view has come to.
    """

    def __init__(
        self, session: Session, names: Mapping[str, str], facts: Facts, when: When, *, known_at: int, head: int
    ) -> None:
        super().__init__(session, names)
        self.facts = facts
        self.when = when
        self.known_at = known_at
        self.head = head
        self.as_of = kept(when.instant)

    @property
    def is_at_head(self) -> bool:
        """Whether nothing the view knows is to be left out."""
        return self.known_at >= self.head
