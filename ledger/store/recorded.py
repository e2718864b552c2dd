"""What the log is on either engine: contiguous batches, paged reads with holes refused, and waiting.

The engines differ in their SQL, their recorder and how they hear of another process's append.
Everything that a caller can observe is decided here, once.
"""

from abc import abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, starmap, zip_longest
from threading import Condition
from typing import Any, Final

from eventsourcing import persistence
from eventsourcing.persistence import IntegrityError

from ledger.store.application import LedgerApplication
from ledger.store.log import (
    DatabaseUnreachable,
    Engine,
    EventLog,
    LogCheck,
    PositionMissing,
    PositionTaken,
    Reason,
    Remembered,
    Row,
    SchemaIsUnknown,
    Step,
)
from ledger.store.mapper import LeafEvent
from ledger.store.schema import SCHEMA_VERSION

# A list travels as one JSON text on SQLite, as an array on PostgreSQL.
Parameter = int | str | list[str]

_LIBRARY_ERRORS: Final[Mapping[str, type[persistence.PersistenceError]]] = {
    "InterfaceError": persistence.InterfaceError,
    "DataError": persistence.DataError,
    "OperationalError": persistence.OperationalError,
    "IntegrityError": persistence.IntegrityError,
    "InternalError": persistence.InternalError,
    "ProgrammingError": persistence.ProgrammingError,
    "NotSupportedError": persistence.NotSupportedError,
    "DatabaseError": persistence.DatabaseError,
}


def risen(error: Exception, reason: Reason | None) -> Exception:
    """What a driver's error is called above the driver.

    With a `reason` it is `DatabaseUnreachable`, which the library's own retry loops do not know and
    so do not repeat; otherwise the library's error of the same PEP 249 name.
    """
    if reason is not None:
        return DatabaseUnreachable(reason, str(error).strip() or type(error).__name__)
    for kind in type(error).__mro__:
        if kind.__name__ in _LIBRARY_ERRORS:
            return _LIBRARY_ERRORS[kind.__name__](str(error))
    return persistence.PersistenceError(str(error))


@dataclass(frozen=True, slots=True)
class Batch:
    """What one append records beside the library's stored events, and the step it has reached."""

    rows: Sequence[Row]
    remembered: Sequence[Remembered]
    reach: Callable[[Step], None]

    def require_follows(self, head: int) -> None:
        """Compare-and-append: the rows begin right after `head`, the last committed position."""
        if self.rows and self.rows[0].position <= head:
            raise PositionTaken(self.rows[0].position)
        if self.rows and self.rows[0].position > head + 1:
            raise PositionMissing(head + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Queries:
    """One engine's text for each read of the log; the columns stand in the order of `Row` and `Remembered`."""

    head: str
    page: str
    at: str
    stream: str
    leaf_hashes: str
    positions: str
    remembered: str
    remembered_between: str
    counts: str


class HeadSignal:
    """The highest position that this process has heard of, and the threads that wait for a higher one."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._head = 0
        self._is_closed = False

    def announce(self, head: int) -> None:
        with self._changed:
            if head > self._head:
                self._head = head
                self._changed.notify_all()

    def wait(self, after: int, timeout: float) -> bool:
        """True once the head is beyond `after`; False after `timeout` seconds, or on close."""
        with self._changed:
            self._changed.wait_for(lambda: self._head > after or self._is_closed, timeout)
            return self._head > after

    def close(self) -> None:
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    @property
    def is_closed(self) -> bool:
        return self._is_closed


class RecordedLog(EventLog):
    """The log over one application of the library; an engine adds its queries and how to run them."""

    engine: Engine
    queries: Queries

    def __init__(self, application: LedgerApplication) -> None:
        self.application = application
        self._signal = HeadSignal()

    @abstractmethod
    def _select(self, query: str, *parameters: Parameter) -> list[tuple[Any, ...]]:
        """The rows that a query gives, as plain tuples."""

    def _select_as_stored(self, query: str, *parameters: Parameter) -> list[tuple[Any, ...]]:
        """The same for an audit: a text that an intruder left without meaning is no reason to fail."""
        return self._select(query, *parameters)

    @abstractmethod
    def _names(self, names: Collection[str]) -> Parameter:
        """A list of names as one parameter of this engine."""

    @abstractmethod
    def _pairs(self, pairs: Collection[tuple[str, str]]) -> list[Parameter]:
        """A list of pairs as the parameters of this engine."""

    def head(self) -> int:
        [(head,)] = self._select(self.queries.head)
        return head or 0

    def append(self, rows: Sequence[Row], remembered: Sequence[Remembered]) -> None:
        if not rows and not remembered:
            return
        for earlier, later in pairwise(rows):
            if later.position != earlier.position + 1:
                raise PositionMissing(earlier.position + 1)
        self._reach("before")
        to_stored = self.application.mapper.to_stored_event
        stored = [to_stored(LeafEvent(row.stream, row.stream_version, row.type, row.leaf)) for row in rows]
        batch = Batch(rows, remembered, self._reach)
        try:
            self.application.recorder.insert_events(stored, batch=batch)
        except IntegrityError as conflict:
            # The engine names the unique index that it met first, and a racing append to the same
            # stream meets that of the stream's versions. What decides is what the log holds now.
            if self._is_beaten(batch):
                raise PositionTaken(rows[0].position if rows else self.head() + 1) from conflict
            raise
        # From here on the batch is durable.
        self._reach("after-commit")
        if rows:
            self._signal.announce(rows[-1].position)

    def _reach(self, step: Step) -> None:
        if self.fault is not None:
            self.fault(step)

    def _is_beaten(self, batch: Batch) -> bool:
        if batch.rows and self.head() >= batch.rows[0].position:
            return True
        return bool(self.remembered([(record.authority, record.key) for record in batch.remembered]))

    def read(self, after: int, limit: int) -> list[Row]:
        rows = list(map(Row._make, self._select(self.queries.page, after, limit)))
        for position, row in enumerate(rows, after + 1):
            # An event without its leaf hash is as good as none: the two were recorded together.
            if row.position != position or row.leaf_hash is None:
                raise PositionMissing(position)
        return rows

    def read_at(self, positions: Sequence[int]) -> list[Row]:
        rows = list(map(Row._make, self._select(self.queries.at, self._names([str(asked) for asked in positions]))))
        for position, row in zip_longest(positions, rows):
            if row is None or row.position != position or row.leaf_hash is None:
                raise PositionMissing(position)
        return rows

    def scan(self, after: int, limit: int) -> list[Row]:
        return list(map(Row._make, self._select_as_stored(self.queries.page, after, limit)))

    def read_stream(self, stream: str) -> list[Row]:
        rows = list(map(Row._make, self._select(self.queries.stream, stream)))
        for row in rows:
            if row.leaf_hash is None:
                raise PositionMissing(row.position)
        return rows

    def leaf_hashes(self, after: int, limit: int) -> list[bytes]:
        found = self._select(self.queries.leaf_hashes, after, limit)
        for position, row in enumerate(found, after + 1):
            if row[0] != position:
                raise PositionMissing(position)
        return [leaf_hash for _, leaf_hash in found]

    def positions(self, event_ids: Collection[str]) -> dict[str, int]:
        if not event_ids:
            return {}
        return dict(self._select(self.queries.positions, self._names(event_ids)))

    def remembered(self, keys: Collection[tuple[str, str]]) -> dict[tuple[str, str], Remembered]:
        if not keys:
            return {}
        found = starmap(Remembered, self._select(self.queries.remembered, *self._pairs(keys)))
        return {(record.authority, record.key): record for record in found}

    def remembered_between(self, first: int, last: int) -> list[Remembered]:
        return list(starmap(Remembered, self._select_as_stored(self.queries.remembered_between, first, last)))

    def _check_of(
        self,
        counts: tuple[int, ...],
        *,
        schema_version: int,
        bytes_on_disk: int,
        problems: list[str],
        warnings: list[str],
    ) -> LogCheck:
        """The counts and laws that hold on either engine, added to what the engine found itself."""
        head, events, leaves, remembered, unmatched, beyond = counts
        if schema_version != SCHEMA_VERSION:
            problems.append(str(SchemaIsUnknown(schema_version, SCHEMA_VERSION)))
        if events != head:
            problems.append(f"{head - events} positions up to {head} are missing")
        if leaves != events or unmatched:
            problems.append(f"{events} events, {leaves} leaf hashes, {unmatched} events without one")
        if beyond:
            problems.append(f"{beyond} idempotency records name positions beyond {head}")
        return LogCheck(
            engine=self.engine,
            schema_version=schema_version,
            head=head,
            events=events,
            leaves=leaves,
            remembered=remembered,
            bytes_on_disk=bytes_on_disk,
            problems=tuple(problems),
            warnings=tuple(warnings),
        )

    def close(self) -> None:
        self._signal.close()
        self.application.close()
