"""A ledger opened to be asked, whether or not somebody serves it at the same time.

Where nobody does, the views are brought to the head first. Beside a server they are read as that keeps them; an answer
that is older than the log is given all the same, and the command ends as `BEHIND`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final

from ledger.cli.exits import CommandFailed, ExitCode
from ledger.cli.terminal import say

if TYPE_CHECKING:
    from ledger.settings import Settings
    from ledger.store import EventLog
    from projections import Views, When

BEHIND_SECONDS: Final = 5.0
"""How long a view that another process drives is waited for."""
EVENTS_WORTH_SAYING: Final = 5_000


@dataclass(slots=True, kw_only=True)
class Ledger:
    """An open log and its views; `now` is the instant the command was run.

    `behind` has the position and the head for each view that was asked while it lagged, `parked` how many events each
    leaves out that was asked.
    """

    log: EventLog
    views: Views
    now: datetime
    behind: dict[str, tuple[int, int]] = field(default_factory=dict)
    parked: dict[str, int] = field(default_factory=dict)

    def when(self, view: str, *, as_of: datetime | None = None, known_at: int | datetime | None = None) -> When:
        """The circumstances of a question to that view, after giving it the time to come up with the log."""
        from projections import When

        head = self.log.head()
        needed = min(known_at, head) if isinstance(known_at, int) else head
        if not self.views.wait_until(view, needed, BEHIND_SECONDS):
            self.behind[view] = (self.views.position(view), head)
        if parked := self.views.parked(view):
            self.parked[view] = parked
        return When(now=self.now, as_of=as_of, known_at=known_at)


@contextmanager
def opened_log(settings: Settings) -> Iterator[EventLog]:
    """The log alone, read beside whoever writes it; raises `LedgerIsEmpty`."""
    from ledger.service import LedgerIsEmpty
    from ledger.store import open_log

    log = open_log(settings.database_url.get_secret_value(), exclusive=False)
    try:
        if not log.head():
            raise LedgerIsEmpty
        yield log
    finally:
        log.close()


@contextmanager
def opened(settings: Settings) -> Iterator[Ledger]:
    """The log and the views. Raises `CommandFailed` at the end if an answer was behind."""
    from ledger.service import LedgerIsEmpty, LogEvents
    from ledger.sources import utc_now
    from projections import open_views

    url = settings.database_url.get_secret_value()
    log, drives = _open(url)
    try:
        head = log.head()
        if not head:
            raise LedgerIsEmpty
        views = open_views(url, LogEvents(log, url), clock=utc_now)
        try:
            if drives:
                if head - min(status.position for status in views.status()) > EVENTS_WORTH_SAYING:
                    say("Bringing the views up with the log …")
                views.catch_up()
            ledger = Ledger(log=log, views=views, now=utc_now())
            yield ledger
        finally:
            views.close()
    finally:
        log.close()
    for view, (position, last) in ledger.behind.items():
        raise CommandFailed(
            ExitCode.BEHIND,
            f"this answer is not of today: {view} stands at position {position} of {last}",
            next_="custody projections status",
        )
    for view, count in ledger.parked.items():
        raise CommandFailed(
            ExitCode.BEHIND,
            f"this answer leaves out {count} events that {view} has parked",
            next_=f"custody projections status {view}",
        )


def _open(url: str) -> tuple[EventLog, bool]:
    """The log, and whether it is for this process to bring the views up."""
    from ledger.store import AlreadyServed, open_log

    try:
        return open_log(url), True
    except AlreadyServed:
        return open_log(url, exclusive=False), False
