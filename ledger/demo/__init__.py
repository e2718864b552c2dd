"""A ledger with something in it, for looking around: `seed` makes and fills it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from ledger.demo.story import Story
from ledger.store import open_log


def seed(
    url: str, people: int, now: datetime, progress: Callable[[int, int], None] = lambda _done, _total: None
) -> None:
    """Make a ledger at `url` and tell the story of `people` persons up to `now`; raises what `open_log` raises.

    `progress` is told how many acts are done of how many; what it raises ends the story half told.
    """
    log = open_log(url, create=True)
    try:
        Story(people=people, now=now.astimezone(UTC)).tell(log, progress)
    finally:
        log.close()
