"""A ledger with something in it, for looking around: `seed` makes and fills it."""

from __future__ import annotations

from datetime import UTC, datetime

from ledger.demo.story import Story
from ledger.store import open_log


def seed(url: str, people: int, now: datetime) -> None:
    """Make a ledger at `url` and tell the story of `people` persons up to `now`; raises what `open_log` raises."""
    log = open_log(url, create=True)
    try:
        Story(people=people, now=now.astimezone(UTC)).tell(log)
    finally:
        log.close()
