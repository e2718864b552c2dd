"""A running ledger in one process: log, writer and views, opened together and stopped in order.

HTTP and the command line both stand on it, so that whatever either does is done by the same parts.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Final

from ledger.log_events import LogEvents
from ledger.settings import Settings, check_start
from ledger.sources import Sources
from ledger.store import EventLog, engine_of, open_log
from ledger.store.snapshots import open_snapshots
from ledger.writer.writer import Writer
from projections import Views, open_views

__all__ = ["LedgerIsEmpty", "LogEvents", "Service", "open_service"]

LOOK_AGAIN_SECONDS: Final = 0.02
WAITING_MAX: Final = 12
"""How many may wait for the register together: each keeps a thread that other readers may need."""


class LedgerIsEmpty(Exception):
    """The database has the log's tables and no first commit yet."""

    def __init__(self) -> None:
        super().__init__(
            "the ledger is empty; open it with "
            "`custody db init --origin HOST/custody/EPOCH --registrar ID --state CODE --officer ID`"
        )


@dataclass(slots=True, kw_only=True)
class Service:
    """What `open_service` opened; `close` it once."""

    settings: Settings
    sources: Sources
    log: EventLog
    writer: Writer
    views: Views
    _stop: threading.Event = field(default_factory=threading.Event)
    _room: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(WAITING_MAX))
    _running: threading.Thread | None = None

    def run_views(self) -> None:
        """Follow the log with every view this process can own, until `close`."""
        self._running = threading.Thread(target=self.views.run, args=(self._stop,), name="views", daemon=True)
        self._running.start()

    def reached(self, position: int, seconds: float) -> bool:
        """Whether the register stands at `position` or beyond, `seconds` from now at the latest.

        Where too many wait already, it is not waited for.
        """
        if self.writer.register.position < position and self._room.acquire(blocking=False):
            try:
                deadline = time.monotonic() + seconds
                while self.writer.register.position < position and time.monotonic() < deadline:
                    if self._stop.wait(LOOK_AGAIN_SECONDS):
                        break
            finally:
                self._room.release()
        return self.writer.register.position >= position

    def close(self) -> None:
        """Answer what is being recorded, then stop every thread and let the database go."""
        self.writer.close()
        self._stop.set()
        if self._running is not None:
            self._running.join()
        self.views.close()
        self.log.close()


def open_service(
    settings: Settings, sources: Sources | None = None, run_views: bool = True, log: EventLog | None = None
) -> Service:
    """Open the ledger that the settings name, as the one writer where the engine has room for one.

    `log` is an open log to take over, as that of a ledger in memory must be. Raises `StartRefused`, `LedgerIsEmpty`,
    and what `open_log` raises.
    """
    check_start(settings)
    url = settings.database_url.get_secret_value()
    sources = sources if sources is not None else Sources()
    log = log if log is not None else open_log(url)
    try:
        if not log.head():
            raise LedgerIsEmpty
        writer = Writer(log, sources, open_snapshots(log, url))
        views = open_views(url, LogEvents(log, url), clock=sources.now)
    except BaseException:
        log.close()
        raise
    # On SQLite this process is the only one that writes, so there is nobody to follow.
    writer.start(follow=engine_of(url) == "postgresql")
    service = Service(settings=settings, sources=sources, log=log, writer=writer, views=views)
    if run_views:
        service.run_views()
    return service
