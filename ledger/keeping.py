"""Keeping the views: a process that follows the log beside whoever writes it, and decides nothing.

It opens the log to read and builds no register, so it is there at once. On SQLite it looks for what was appended a few
dozen times a second; PostgreSQL tells it. Any number of such processes may run: one drives each view, the others stand
by until that one ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from threading import Event
from typing import Final

from ledger.service import LedgerIsEmpty, LogEvents
from ledger.sources import utc_now
from ledger.store import EventLog, open_log
from ledger.store.log import DatabaseUnreachable
from projections import Views, ViewsUnreachable, open_views

AWAY_SECONDS: Final = 1.0
"""How long it waits before it tries again to open a database that is away."""


Beside = Callable[[EventLog, Views], AbstractContextManager[object]]


def keep_views(
    url: str, stop: Event, tell: Callable[[str], None], beside: Beside = lambda _log, _views: nullcontext()
) -> None:
    """Follow the log that the URL names with every view, until told to stop; what an operator should know is told.

    `beside` is entered with the log and the views as long as they are open. It outlives any outage of the database,
    also one that it begins in. Raises `LogIsMissing`, `LedgerIsEmpty` and `SchemaIsUnknown`.
    """
    is_away = False
    while not stop.is_set():
        try:
            with _opened(url, beside) as views:
                views.run(stop, tell)
        except (DatabaseUnreachable, ViewsUnreachable) as error:
            if not is_away:
                tell(f"{error}; trying again until it is there")
            is_away = True
            stop.wait(AWAY_SECONDS)


@contextmanager
def _opened(url: str, beside: Beside) -> Iterator[Views]:
    log = open_log(url, exclusive=False)
    try:
        if not log.head():
            raise LedgerIsEmpty
        views = open_views(url, LogEvents(log), clock=utc_now)
        try:
            with beside(log, views):
                yield views
        finally:
            views.close()
    finally:
        log.close()
