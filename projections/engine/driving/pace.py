"""How fast a rebuild turns its pages: as fast as it can, unless somebody else wants to write.

On an engine with one writer the live views wait while a page is written. So where a process drives them the pages are
as short as keeps that wait short, and after each the rebuild stands back until the live views have moved: it never has
more than one page's time for each of theirs, whatever is asked of the machine.
"""

from __future__ import annotations

from time import perf_counter, sleep
from typing import Final

from projections.engine import person_facts
from projections.engine.database import Database
from projections.engine.driving import lines
from projections.engine.source import EventSource

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

    def begin(self) -> None:
        """From here on others wait for the page."""
        self._began = perf_counter()

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
        """Write nothing while live views are behind the log, until they have moved."""
        head, stood = self._source.head(), self._live()
        deadline = perf_counter() + STAND_BACK_SECONDS_MAX
        while stood < head and self._live() == stood and perf_counter() < deadline:
            sleep(LOOK_AGAIN_SECONDS)

    def _live(self) -> int:
        with self._database.reading() as session:
            return min((line.position for line in lines.live_lines(session).values()), default=0)
