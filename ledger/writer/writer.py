"""The writer: one thread that takes all waiting commands as a batch, commits it, and only then answers.

While one batch commits, the next gathers, so nobody waits on a timer. If the commit fails the overlay is dropped and
memory stays as it was; if another process was first, or the outcome is not known, the tail is read before anything is
decided again. Start-up, following another process and recovery are the same code: `_catch_up`.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from datetime import datetime
from typing import Final

from domain.events.event import Event
from domain.register import Register
from ledger.sources import Sources
from ledger.store.leaf import read_event
from ledger.store.log import DatabaseUnreachable, EventLog, PositionMissing, PositionTaken
from ledger.writer.batch import Batch, Memory, judge
from ledger.writer.submission import Group, Outcome

COMMANDS_PER_BATCH_MAX: Final = 1_000
GROUPS_WAITING_MAX: Final = 4_096
PAGE: Final = 5_000
TRIES_MAX: Final = 100
"""How often a batch is decided again because another process was first, before its waiters are told to come back."""
FOLLOW_SECONDS: Final = 1.0
NOTHING: Final = Group(submissions=())
"""Asks for nothing; once it is answered, the register has been brought to the head."""


Waiting = tuple[Group, Future[list[Outcome]]]


class LedgerIsBusy(Exception):
    """Too much is waiting, or others are always first; nothing is recorded. Come back later."""


class LedgerIsClosed(Exception):
    """The writer has stopped; nothing is recorded."""


class Writer:
    """The one place where events are made. `submit` may be called from any thread.

    `register` is the state at the last committed position this process has read; others only read it.
    """

    def __init__(self, log: EventLog, sources: Sources | None = None) -> None:
        """Read the whole log into the register; raises `DatabaseUnreachable`."""
        self.log = log
        self.register = Register()
        self._sources = sources if sources is not None else Sources()
        self._last_recorded: datetime | None = None
        self._behind = False
        self._queue: queue.Queue[Waiting | None] = queue.Queue(GROUPS_WAITING_MAX)
        self._closing = threading.Event()
        self._entering = threading.Lock()
        self.reading = threading.Lock()
        """Held while the register changes; who reads more than one thing of it, or lists it, holds it too."""
        self._threads: list[threading.Thread] = []
        self._catch_up()

    def start(self, *, follow: bool) -> None:
        """Run the writer's thread, and with `follow` one that watches for other processes' events."""
        targets = [self._run, self._follow] if follow else [self._run]
        self._threads = [threading.Thread(target=target, name=target.__name__, daemon=True) for target in targets]
        for thread in self._threads:
            thread.start()

    def submit(self, group: Group) -> Future[list[Outcome]]:
        """Hand in a request; the future holds one outcome a submission, once they are durable or refused.

        It raises `DatabaseUnreachable` or `LedgerIsBusy` if nothing is known to be recorded: the same keys may be
        sent again. Raises `LedgerIsBusy` at once when too much is waiting.
        """
        future: Future[list[Outcome]] = Future()
        with self._entering:
            if self._closing.is_set():
                raise LedgerIsClosed
            try:
                self._queue.put_nowait((group, future))
            except queue.Full:
                raise LedgerIsBusy from None
        return future

    def close(self) -> None:
        """Answer what waits, then stop."""
        with self._entering:
            # From here on nobody enters: the thread ends when it has answered those who did.
            self._closing.set()
        if self._threads:
            self._queue.put(None)
            for thread in self._threads:
                thread.join()

    def commit(self, groups: Sequence[Group]) -> list[list[Outcome]]:
        """Judge and record one batch; what `submit`'s thread does, for callers that have the writer to themselves."""
        for _ in range(TRIES_MAX):
            if self._behind:
                self._catch_up()
            batch = self._judge(groups)
            if self._append(batch):
                return batch.outcomes
        raise LedgerIsBusy

    def _judge(self, groups: Sequence[Group]) -> Batch:
        items = [item for group in groups for item in group.submissions]
        records = self.log.remembered({(item.by.authority, item.key) for item in items})
        named = {event_id for item in items for event_id in item.rule.events(item.ask)}
        positions = self.log.positions(named) if named else {}
        brought = [event for position in positions.values() for event in self._events_at(position, 1)]
        memory = Memory(records=records, events_at=self._events_at)
        return judge(groups, self.register, self._last_recorded, memory, self._sources, brought)

    def _append(self, batch: Batch) -> bool:
        """Make the batch true, or answer False: it must be decided again on what others have recorded meanwhile."""
        if not batch.rows:
            # A refusal, too, is judged on the head; a repeat is judged on what is recorded for ever.
            self._behind = self._head() != self.register.position
            return not self._behind
        try:
            self.log.append(batch.rows, list(batch.remembered.values()))
        except PositionTaken:
            return self._settle(batch)
        except PositionMissing:
            self._head()
            raise
        except DatabaseUnreachable:
            self._behind = True
            if self._settle(batch):
                return True
            raise
        # From here on the batch is durable.
        with self.reading:
            batch.overlay.merge()
        self._last_recorded = batch.last_recorded
        return True

    def _head(self) -> int:
        """The last position. A database that ends before what was read of it is not the one to go on with.

        So it is with a stand-in that has not been sent everything, until it has.
        """
        head = self.log.head()
        if head < self.register.position:
            raise DatabaseUnreachable("gone", f"it ends at {head}, and {self.register.position} was recorded before")
        return head

    def _settle(self, batch: Batch) -> bool:
        """Read the tail after an append that failed; True if it holds this very batch, its answer having been lost."""
        self._behind = True
        self._catch_up()
        first = batch.rows[0]
        return self.log.positions([first.event_id]).get(first.event_id) == first.position

    def _catch_up(self) -> None:
        """Evolve everything recorded since the register's position, a page at a time and each page as a whole."""
        while rows := self.log.read(self.register.position, PAGE):
            tail = self.register.overlay()
            events = [read_event(row) for row in rows]
            for event in events:
                tail.evolve(event)
            with self.reading:
                tail.merge()
            self._last_recorded = events[-1].recorded_at
        self._behind = False

    def _events_at(self, first: int, count: int) -> list[Event]:
        return [read_event(row) for row in self.log.read(first - 1, count)]

    def _run(self) -> None:
        while True:
            waiting = [self._next()]
            commands = len(waiting[0][0].submissions) if waiting[0] is not None else 0
            while commands < COMMANDS_PER_BATCH_MAX:
                try:
                    item = self._queue.get_nowait()
                except queue.Empty:
                    break
                waiting.append(item)
                commands += len(item[0].submissions) if item is not None else 0
            # Whoever has gone away before the decision is not decided; from here on nobody can leave.
            self._serve([item for item in waiting if item is not None and item[1].set_running_or_notify_cancel()])
            if self._closing.is_set() and self._queue.empty():
                return

    def _next(self) -> Waiting | None:
        """What waits first; `None` when nothing does and it is time to look whether the database is back."""
        try:
            return self._queue.get(timeout=FOLLOW_SECONDS if self._behind else None)
        except queue.Empty:
            return None

    def _serve(self, waiting: Sequence[Waiting]) -> None:
        outcomes: list[list[Outcome]] = [[] for _ in waiting]
        try:
            if any(group.submissions for group, _ in waiting):
                outcomes = self.commit([group for group, _ in waiting])
            else:
                self._catch_up()
        except Exception as fault:  # noqa: BLE001 - a waiter must hear of any fault, and the thread must live on
            # One met while judging comes from one request. It is looked for by halves, so that it fails alone.
            is_of_one = not self._behind and not isinstance(fault, DatabaseUnreachable | LedgerIsBusy)
            self._behind = True
            if is_of_one and len(waiting) > 1:
                half = len(waiting) // 2
                self._serve(waiting[:half])
                self._serve(waiting[half:])
                return
            for _, future in waiting:
                future.set_exception(fault)
            return
        for (_, future), result in zip(waiting, outcomes, strict=True):
            future.set_result(result)

    def _follow(self) -> None:
        """Have the register brought to the head when another process has appended."""
        while not self._closing.is_set():
            try:
                if self.log.wait_for(self.register.position, FOLLOW_SECONDS):
                    # The next look is worth while only after this one: until then the head stays beyond.
                    self.submit(NOTHING).result()
            except Exception:  # noqa: BLE001 - each command hears of it as well; here it must not end the thread
                self._closing.wait(FOLLOW_SECONDS)
