"""How fast a rebuild turns its pages: as fast as it can, unless somebody else wants to write.

On an engine with one writer the live views wait while a page is written. So where a process drives them the pages are
as short as keeps that wait short, and after each the rebuild stands back until the live views have moved: it never has
more than one page's time for each of theirs, whatever is asked of the machine.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter, sleep
from typing import Final

from projections.engine import person_facts
from projections.engine.collecting import uncollected
from projections.engine.database import Database
from projections.engine.driving import lines
from projections.engine.source import EventSource
from projections.engine.tables import Deferred, Session

PAGE_FIRST: Final = 250
PAGE_MIN: Final = 25
HOLD_SECONDS_MAX: Final = 0.1
"""How long a page may keep live views from writing."""
STAND_BACK_SECONDS_MAX: Final = 0.2
LOOK_AGAIN_SECONDS: Final = 0.01


class Pace:
    """The number of events in the next page, `page`, at most `page_max`."""

    def __init__(self, database: Database, source: EventSource, page_max: int) -> None:
        self._database = database
        self._source = source
        self.page_max = page_max
        self.page = min(page_max, PAGE_FIRST) if database.has_one_writer else page_max
        self._began = perf_counter()

    @property
    def is_shared(self) -> bool:
        """Whether another process that drives the live views has to wait while a page is written."""
        return self._database.has_one_writer and bool(self._database.driven_elsewhere([person_facts.NAME]))

    def write(self, claim: Callable[[Session], None], apply: Callable[[Session], None]) -> None:
        """Apply a page in one transaction, whose `claim` raises where the page is no longer for us to write."""
        with uncollected(), self._database.writing() as session:
            self._began = perf_counter()
            claim(session)
            apply(session)

    def write_worked_out(self, claim: Callable[[Session], None], apply: Callable[[Session], None]) -> None:
        """The same for a page of which nothing is read back: others write while it is worked out."""
        with uncollected(), self._database.reading() as session:
            deferred = Deferred(session)
            apply(deferred)
        with self._database.writing() as session:
            self._began = perf_counter()
            claim(session)
            deferred.write(session)

    def end(self) -> None:
        """A page is written: let others write, where they have to wait for that."""
        if not self.is_shared:
            self.page = self.page_max
            return
        seconds = perf_counter() - self._began
        if seconds > HOLD_SECONDS_MAX:
            self.page = max(min(PAGE_MIN, self.page_max), int(self.page * HOLD_SECONDS_MAX / seconds))
        elif seconds < HOLD_SECONDS_MAX / 2:
            self.page = min(self.page_max, self.page * 2)
        self._stand_back()

    def _stand_back(self) -> None:
        """Write nothing while live views have something to apply, until they have moved."""
        head = self._source.head()
        stood, deadline = self._slowest(head), perf_counter() + STAND_BACK_SECONDS_MAX
        while stood < head and self._slowest(head) == stood and perf_counter() < deadline:
            sleep(LOOK_AGAIN_SECONDS)

    def _slowest(self, head: int) -> int:
        """Where the slowest live view stands that has something to apply; the head where none has."""
        with self._database.reading() as session:
            live = lines.live_lines(session)
        facts = live[person_facts.NAME]
        # A view that has stopped will not move, and who folds never runs ahead of the persons' facts.
        reach = facts.position if facts.error is not None else head
        behind = [line.position for line in live.values() if line.error is None and line.position < reach]
        return min(behind, default=head)
