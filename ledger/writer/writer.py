"""The writer: one thread that takes all waiting commands as a batch, commits it, and only then answers.

While one batch commits, the next gathers, so nobody waits on a timer. If the commit fails the overlay is dropped and
memory stays as it was; if another process was first, or the outcome is not known, the tail is read before anything is
decided again. Start-up, following another process and recovery are the same code: `_catch_up`.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from datetime import datetime
from time import perf_counter
from typing import Final, Protocol

from domain.events.event import Event
from domain.resident import Resident
from ledger.observing.writing import WriterWatch
from ledger.sources import Sources
from ledger.store.leaf import read_event
from ledger.store.log import DatabaseUnreachable, EventLog, PositionMissing, PositionTaken
from ledger.store.snapshots import Snapshots
from ledger.writer.batch import Batch, Memory, judge
from ledger.writer.contention import Contention
from ledger.writer.submission import Answer, Group, Outcome

COMMANDS_PER_BATCH_MAX: Final = 1_000
GROUPS_WAITING_MAX: Final = 4_096
PAGE: Final = 5_000
PEOPLE_KEPT: Final = 4_096
"""How many people's files stay in memory, those that changed last: what happens to a person comes in bursts."""
PICTURE_EVERY: Final = 50_000
PICTURE_AT_THE_END: Final = 1_000
"""How many events the register's last picture may be behind, while the ledger runs and when it stops."""
TRIES_MAX: Final = 100
"""How often a batch is decided again because another process was first, before its waiters are told to come back."""
FOLLOW_SECONDS: Final = 1.0
GATHER_SECONDS: Final = 0.02
"""How long others' batches are let gather before they are read: each look costs as much as many events."""


class Waiter(Protocol):
    """Who is answered by the writer's thread: once, in the way a `Future` is, and in no time."""

    def set_running_or_notify_cancel(self) -> bool:
        """False if nobody waits any more: then the request is not decided."""

    def set_result(self, result: list[Outcome], /) -> None:
        """One outcome a submission; those recorded are durable."""

    def set_exception(self, exception: Exception, /) -> None:
        """Nothing is known to be recorded."""


Waiting = tuple[Group, Waiter]


class LedgerIsBusy(Exception):
    """Too much is waiting, or others are always first; nothing is recorded. Come back later."""


class LedgerIsClosed(Exception):
    """The writer has stopped; nothing is recorded."""


class Writer:
    """The one place where events are made. `submit` may be called from any thread.

    `register` is the state at the last committed position this process has read; others only read it.
    """

    def __init__(self, log: EventLog, sources: Sources | None = None, snapshots: Snapshots | None = None) -> None:
        """Bring the register to the head, from its last picture where there is one; raises `DatabaseUnreachable`."""
        self.log = log
        self._snapshots = snapshots
        self._sources = sources if sources is not None else Sources()
        self._last_recorded: datetime | None = None
        picture = snapshots.load() if snapshots is not None else None
        if picture is None:
            self.register = Resident(self._recall)
        else:
            self.register = Resident.restored(self._recall, picture)
            [last] = self._recall([picture.position])
            self._last_recorded = last.recorded_at
        self._pictured = self.register.position
        self._behind = False
        self.contention = Contention()
        self.watch = WriterWatch()
        self._queue: queue.SimpleQueue[Waiting | None] = queue.SimpleQueue()
        self._closing = threading.Event()
        self._entering = threading.Lock()
        self._evolving = threading.RLock()
        """Held by the thread on whose account the register changes, from the state that is judged to its merge."""
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
        self.enter(group, future)
        return future

    def enter(self, group: Group, waiter: Waiter) -> None:
        """The same, for who brings something lighter than a future to be answered through."""
        with self._entering:
            if self._closing.is_set():
                raise LedgerIsClosed
            if self._queue.qsize() >= GROUPS_WAITING_MAX:
                raise LedgerIsBusy
            self._queue.put((group, waiter))

    @property
    def waiting(self) -> int:
        """How many requests wait to be decided."""
        return self._queue.qsize()

    def close(self) -> None:
        """Answer what waits, then stop."""
        with self._entering:
            # From here on nobody enters: the thread ends when it has answered those who did.
            self._closing.set()
        if self._threads:
            self._queue.put(None)
            for thread in self._threads:
                thread.join()

    def commit(self, groups: Sequence[Group], more: Callable[[], list[Group]] = list) -> list[list[Outcome]]:
        """Judge and record one batch; what `submit`'s thread does, for callers that have the writer to themselves.

        `more` is asked for what joins the batch after a turn was waited for; outcomes stand in the order of all groups.
        """
        for _ in range(TRIES_MAX):
            if self._behind:
                self._catch_up()
            # While a turn is waited for, `_follow` reads what the others record in theirs.
            with self.contention.turn(self.log), self._evolving:
                if self.contention.takes_turns:
                    self._catch_up()
                    self.contention.begins_at(self.register.position)
                    groups = [*groups, *more()]
                batch = self._judge(groups)
                if self._append(batch):
                    self.contention.ends_at(self.register.position)
                    self.watch.judged(groups, batch.outcomes)
                    return batch.outcomes
        raise LedgerIsBusy

    def _judge(self, groups: Sequence[Group]) -> Batch:
        items = [item for group in groups for item in group.submissions]
        records = self.log.remembered({(item.by.authority, item.key) for item in items})
        named = {event_id for item in items for event_id in item.rule.events(item.ask)}
        positions = self.log.positions(named) if named else {}
        behind = {at for one in records.values() for at in range(one.first_position, one.first_position + one.count)}
        events = {event.position: event for event in self._recall(sorted(behind.union(positions.values())))}
        brought = [events[position] for position in positions.values()]
        memory = Memory(records=records, events=events)
        return judge(groups, self.register, self._last_recorded, memory, self._sources, brought)

    def _append(self, batch: Batch) -> bool:
        """Make the batch true, or answer False: it must be decided again on what others have recorded meanwhile."""
        if not batch.rows:
            # A refusal, too, is judged on the head; a repeat is judged on what is recorded for ever.
            self._behind = self._head() != self.register.position
            if not self._behind:
                self.log.confirm(max((told.position for told in _answers(batch)), default=0))
            return not self._behind
        began = perf_counter()
        try:
            self.log.append(batch.rows, list(batch.remembered.values()))
        except PositionTaken:
            self.contention.beaten()
            self.watch.beaten(batch.rows[0].position)
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
        self.watch.committed(len(batch.rows), batch.rows[-1].position, perf_counter() - began)
        with self.reading:
            batch.overlay.merge()
            self.register.put_away(PEOPLE_KEPT)
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
        is_there = self.log.positions([first.event_id]).get(first.event_id) == first.position
        if is_there:
            self.log.confirm(batch.rows[-1].position)
        return is_there

    def _catch_up(self) -> None:
        """Evolve everything recorded since the register's position, a page at a time and each page as a whole."""
        with self._evolving:
            is_at_head = False
            while not is_at_head:
                rows = self.log.read(self.register.position, PAGE)
                self._evolve([read_event(row) for row in rows])
                is_at_head = len(rows) < PAGE
            self._behind = False
            self.watch.caught_up(self.register.position)

    def _evolve(self, events: Sequence[Event]) -> None:
        if not events:
            return
        tail = self.register.overlay()
        for event in events:
            tail.evolve(event)
        with self.reading:
            tail.merge()
            self.register.put_away(PEOPLE_KEPT)
        self._last_recorded = events[-1].recorded_at

    def _recall(self, positions: Sequence[int]) -> list[Event]:
        return [read_event(row) for row in self.log.read_at(positions)] if positions else []

    def _run(self) -> None:
        while True:
            first = self._next()
            waiting = [first] if first is not None and _stays(first) else []
            self._gather(waiting)
            self._serve(waiting)
            if self._closing.is_set() and self._queue.empty():
                self._keep_picture(PICTURE_AT_THE_END)
                return
            self._keep_picture(PICTURE_EVERY)

    def _keep_picture(self, behind: int) -> None:
        """Have the next start fold less, where the last picture is that many events behind."""
        if self._snapshots is None or self.register.position - self._pictured < behind:
            return
        self._pictured = self.register.position
        try:
            with self._evolving:
                picture = self.register.picture()
            self._snapshots.save(picture)
        except Exception as fault:  # noqa: BLE001 - the next start takes longer, nothing else; the thread must live on
            self.watch.not_pictured(fault)

    def _gather(self, waiting: list[Waiting]) -> list[Group]:
        """Let what else waits join the batch, as far as it reaches; returns what has joined."""
        joined: list[Group] = []
        commands = sum(len(group.submissions) for group, _ in waiting)
        while commands < COMMANDS_PER_BATCH_MAX:
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                break
            if item is not None and _stays(item):
                waiting.append(item)
                joined.append(item[0])
                commands += len(item[0].submissions)
        return joined

    def _next(self) -> Waiting | None:
        """What waits first; `None` when nothing does and it is time to look whether the database is back."""
        try:
            return self._queue.get(timeout=FOLLOW_SECONDS if self._behind else None)
        except queue.Empty:
            return None

    def _serve(self, waiting: list[Waiting]) -> None:
        outcomes: list[list[Outcome]] = [[] for _ in waiting]
        try:
            if any(group.submissions for group, _ in waiting):
                outcomes = self.commit([group for group, _ in waiting], lambda: self._gather(waiting))
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
            self.watch.failed(fault)
            for _, future in waiting:
                future.set_exception(fault)
            return
        for (_, future), result in zip(waiting, outcomes, strict=True):
            future.set_result(result)

    def _follow(self) -> None:
        """Bring the register to the head when another process has appended."""
        while not self._closing.is_set():
            try:
                if self.log.wait_for(self.register.position, FOLLOW_SECONDS):
                    if not self.contention.takes_turns:
                        self._closing.wait(GATHER_SECONDS)
                    self._catch_up()
            except Exception:  # noqa: BLE001 - each command hears of it as well; here it must not end the thread
                self._closing.wait(FOLLOW_SECONDS)


def _answers(batch: Batch) -> list[Answer]:
    return [told for outcomes in batch.outcomes for told in outcomes if isinstance(told, Answer)]


def _stays(item: Waiting) -> bool:
    """Whoever has gone away before the decision is not decided; from here on nobody can leave."""
    return item[1].set_running_or_notify_cancel()
