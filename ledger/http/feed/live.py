"""The end of the log as this process tells it: one thread waits for new events, and wakes every stream.

Streams that keep up are told the same bytes, made once. One that is further behind than the newest `RECENT_MAX` events
reads the log for itself, a page at a time, until it has caught up. So what is kept in memory has a bound, whatever the
number of streams and however slow their readers; and with no stream open nothing is read at all.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from itertools import islice
from typing import Final

import structlog
from starlette.requests import Request

from ledger.http.feed.envelopes import Form, encoded, origin_of
from ledger.store.log import DatabaseUnreachable, EventLog, PositionMissing, Row
from ledger.writer.writer import LedgerIsBusy

STREAMS_MAX: Final = 100
"""Streams open in one process; each may hold one page, so this bounds their memory, too."""
RECENT_MAX: Final = 1_000
READ_MAX: Final = 500
PAGE: Final = 100
WAIT_SECONDS: Final = 0.25
GATHER_SECONDS: Final = 0.02
"""How long the thread rests after it has told something: while many are recorded, they are told in groups."""
AGAIN_SECONDS: Final = 0.5
"""How long it rests when the database is gone."""
_log = structlog.get_logger()


class Told:
    """One event, and its frame in each form that was asked for, each made once."""

    __slots__ = ("_frames", "_row", "_source", "position")

    def __init__(self, row: Row, source: str) -> None:
        self.position = row.position
        self._row, self._source = row, source
        self._frames: dict[Form, bytes] = {}

    def frame(self, form: Form) -> bytes:
        """The event as a block of a stream (HTML, *Server-sent events*): its position, its type, one line of data."""
        frame = self._frames.get(form)
        if frame is None:
            data = encoded(self._row, form, self._source)
            frame = b"id: %d\nevent: %s\ndata: %s\n\n" % (self.position, self._row.type.encode(), data)
            self._frames[form] = frame
        return frame


class Follower:
    """One stream's place among those to be woken; used in the event loop that made it."""

    def __init__(self, form: Form) -> None:
        self.form = form
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()

    def wake(self) -> None:
        """There is something to look at. May be called from any thread."""
        # A loop that is closed, or closes just now, has nobody who follows.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._news.set)

    def look(self) -> None:
        """What comes from here on is news."""
        self._news.clear()

    async def news(self, seconds: float) -> bool:
        """Whether there was news since `look`, or comes within so many seconds."""
        try:
            await asyncio.wait_for(self._news.wait(), seconds)
        except TimeoutError:
            return False
        return True


class LiveLog:
    """The newest events of one log, and those who follow them. `stop` ends every stream; `close` also the thread."""

    def __init__(self, log: EventLog) -> None:
        self._events = log
        self._changed = threading.Condition()
        self._followers: set[Follower] = set()
        self._recent: deque[Told] = deque(maxlen=RECENT_MAX)
        self._position = 0
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    @cached_property
    def source(self) -> str:
        """The origin of the log, which its events name as their source."""
        return origin_of(self._events)

    @property
    def streams(self) -> int:
        """How many streams are open."""
        return len(self._followers)

    @property
    def is_stopped(self) -> bool:
        """Whether every stream has been told to end."""
        return self._stopping.is_set()

    @contextmanager
    def follower(self, form: Form) -> Iterator[Follower]:
        """A place among those who are woken; raises `LedgerIsBusy` where all are taken, or the process stops."""
        follower = Follower(form)
        with self._changed:
            if len(self._followers) >= STREAMS_MAX or self.is_stopped:
                raise LedgerIsBusy
            self._followers.add(follower)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="live-log", daemon=True)
                self._thread.start()
            self._changed.notify_all()
        try:
            yield follower
        finally:
            with self._changed:
                self._followers.discard(follower)

    def recent(self, after: int) -> Sequence[Told] | None:
        """Up to a page behind `after`: empty if nothing is, None if that must be read from the log."""
        with self._changed:
            if after >= self._position:
                return ()
            oldest = self._position - len(self._recent) + 1
            if after + 1 < oldest:
                return None
            return list(islice(self._recent, after + 1 - oldest, after + 1 - oldest + PAGE))

    def read(self, after: int, form: Form) -> Sequence[Told]:
        """A page behind `after` from the log, which is known to go on there; its frames are made on the way."""
        rows = self._events.read(after, PAGE)
        if not rows:
            raise PositionMissing(after + 1)
        return self._made(rows, {form})

    def stop(self) -> None:
        """End every stream, and let none begin; does not wait."""
        self._stopping.set()
        with self._changed:
            self._changed.notify_all()
            self._wake()

    def close(self) -> None:
        """The same, and wait for the thread."""
        self.stop()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self.is_stopped:
            with self._changed:
                self._changed.wait_for(lambda: self._followers or self.is_stopped)
            # Nobody has followed for a while, so what lies between is news to nobody.
            self._unless_unreachable(self._jump)
            while self._followers and not self.is_stopped:
                self._unless_unreachable(self._advance)

    def _unless_unreachable(self, act: Callable[[], None]) -> None:
        try:
            act()
        except DatabaseUnreachable:
            self._stopping.wait(AGAIN_SECONDS)
        except Exception as error:  # noqa: BLE001  the thread must still be there when that is over
            _log.error("the log cannot be followed", error=type(error).__name__)
            self._stopping.wait(AGAIN_SECONDS)

    def _advance(self) -> None:
        """Wait, read on, tell it, and rest. Whoever is too far behind for that is left to read for himself."""
        if not self._events.wait_for(self._position, WAIT_SECONDS):
            return
        try:
            rows = self._events.read(self._position, READ_MAX)
            has_more = len(rows) == READ_MAX
            if has_more and self._events.head() > self._position + RECENT_MAX:
                self._jump()
                return
            told = self._made(rows, {follower.form for follower in list(self._followers)})
        except DatabaseUnreachable:
            raise
        except Exception as error:  # noqa: BLE001  a hole, or bytes that are no leaf: each stream meets it, and ends there
            _log.error("the log cannot be told", after=self._position, error=type(error).__name__)
            self._jump()
            return
        with self._changed:
            self._recent.extend(told)
            self._position += len(told)
            self._wake()
        if not has_more:
            self._stopping.wait(GATHER_SECONDS)

    def _jump(self) -> None:
        """Go to the head, and leave what lies between to those who want it."""
        head = self._events.head()
        with self._changed:
            self._recent.clear()
            self._position = head
            self._wake()

    def _made(self, rows: Sequence[Row], forms: set[Form]) -> list[Told]:
        told = [Told(row, self.source) for row in rows]
        for form in forms:
            for one in told:
                one.frame(form)
        return told

    def _wake(self) -> None:
        for follower in self._followers:
            follower.wake()


def live_of(request: Request) -> LiveLog:
    """The end of the log that the application serves."""
    live: LiveLog = request.app.state.live
    return live
