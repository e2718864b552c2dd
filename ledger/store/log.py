"""The event log: numbered leaves, appended by compare-and-append, never changed.

Positions are 1, 2, 3 … in commit order, with no hole and no reuse. A batch becomes true as a
whole or not at all. `EventLog` is the contract that both engines keep; the values and the
exceptions beside it are all that the rest of the house needs to know of the store.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Literal, NamedTuple

import msgspec

Step = Literal["before", "after-events", "after-leaves", "before-commit", "after-commit"]
Reason = Literal["locked", "full", "gone"]
Engine = Literal["sqlite", "postgresql"]


class Row(NamedTuple):
    """One recorded event. `leaf` is the canonical JSON that was hashed, byte for byte; `type` its wire name."""

    position: int
    event_id: str
    type: str
    stream: str
    stream_version: int
    leaf: bytes
    leaf_hash: bytes


class Remembered(msgspec.Struct, gc=False, frozen=True):
    """An idempotency record: the command that `authority` sent under `key`, and the events that answered it.

    `count` may be 0 for a command that changed nothing; `first_position` is then the position that was next.
    """

    authority: str
    key: str
    command_hash: bytes
    first_position: int
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LogCheck:
    """What an inspection of the database found.

    `problems` say what is wrong with the log; `warnings` name settings of the server under which an
    acknowledged event might not survive a crash, or an old version of it.
    """

    engine: Engine
    schema_version: int
    head: int
    events: int
    leaves: int
    remembered: int
    bytes_on_disk: int
    problems: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def is_sound(self) -> bool:
        return not self.problems


class PositionTaken(Exception):
    """Somebody else appended first. Nothing of the batch is recorded: read the tail, decide again."""

    def __init__(self, position: int) -> None:
        super().__init__(f"position {position} is taken: another writer has appended")
        self.position = position


class PositionMissing(Exception):
    """The log has a hole, or an append would make one. Nothing may be concluded from what comes after it."""

    def __init__(self, position: int) -> None:
        super().__init__(f"position {position} is missing from the log")
        self.position = position


class DatabaseUnreachable(Exception):
    """The database is locked, full or gone, so nothing of the batch is known to be recorded.

    It may be recorded all the same, when the connection was lost while the commit was under way:
    the caller reads the tail and matches event ids before its next append.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"the database is {reason}: {detail}")
        self.reason = reason
        self.detail = detail


class LogIsMissing(Exception):
    """There is no ledger at the address: no file, or a database without the log's tables."""

    def __init__(self, address: str) -> None:
        super().__init__(f"there is no ledger in {address}; `custody db init` makes one")
        self.address = address


class SchemaIsUnknown(Exception):
    """The tables were made by another version of this program."""

    def __init__(self, found: int, known: int) -> None:
        super().__init__(f"the log's tables have schema version {found}, this program knows {known}")
        self.found = found
        self.known = known


class AlreadyServed(Exception):
    """Another process holds the SQLite file for writing; there is room for one."""

    def __init__(self, path: str, holder: str) -> None:
        super().__init__(
            f"{path} is already served by process {holder or 'unknown'}; "
            "stop it first, or use PostgreSQL for several writers"
        )
        self.path = path
        self.holder = holder


class LogIsReadOnly(Exception):
    """An append was asked of a log that was opened beside its writer (`exclusive=False` on SQLite)."""


class EventLog(ABC):
    """The log of one ledger. One thread appends; any number of threads read.

    Any method may raise `DatabaseUnreachable`, within a few seconds of being called, and works again
    by itself once the database is back. Every other exception is a fault of ours.

    `fault`, where set, is called with the name of each step that an append reaches. It exists for
    tests that break an append there, by raising or by ending the process, and is None in service.
    """

    fault: Callable[[Step], None] | None = None

    @abstractmethod
    def head(self) -> int:
        """The last position, 0 if the log is empty."""

    @abstractmethod
    def append(self, rows: Sequence[Row], remembered: Sequence[Remembered]) -> None:
        """Record a batch in one transaction; durable on return.

        Events, leaf hashes and idempotency records are recorded together or not at all. The rows'
        positions follow the head one by one. Not retried here, ever: a commit whose answer was lost
        must be looked for, not sent again.

        Raises `PositionTaken` when another writer was first, or when one of the keys is remembered
        already (look the keys up again, too: a command that changed nothing takes no position);
        `PositionMissing` when the rows would leave a hole; `DatabaseUnreachable` as it says itself.
        """

    def turn(self) -> AbstractContextManager[None]:
        """A turn at appending, for processes that would otherwise beat each other: waited for on entering the block.

        Of all that take turns one has it, until its `append` has ended either way or the block has, and reads the head
        that it appends to. A turn makes appends faster and never right: `append` raises what it raises, as others may
        append without one. The turn is this thread's alone and is not nested; it is lost by whoever stands still in
        it for several seconds, whose `append` then raises `DatabaseUnreachable`. Where it does not come soon the block
        is run without it. An engine with one writer has nothing to wait for.
        """
        return nullcontext()

    def confirm(self, position: int) -> None:  # noqa: B027  # an engine without standbys has nothing to do
        """Return once everything up to `position`, which was read, is as durable as what an append has returned from.

        For whoever tells of an append without having made it. A database may show a commit that its standby has not
        got: one that an operator made it stop waiting for, or that was under way when it crashed.
        """

    @abstractmethod
    def read(self, after: int, limit: int) -> list[Row]:
        """The rows at `after` + 1 and up, at most `limit`. A hole among them raises `PositionMissing`."""

    @abstractmethod
    def read_at(self, positions: Sequence[int]) -> list[Row]:
        """The rows at exactly these positions, given in order. One that is not there raises `PositionMissing`."""

    @abstractmethod
    def scan(self, after: int, limit: int) -> list[Row]:
        """For an audit: the rows at positions above `after` as they stand, holes passed over and nothing judged.

        What no writer of ours wrote is handed out too: a field may be of another type than `Row` says, event id and
        leaf hash are None where the row of the leaf is gone, and text that is no UTF-8 holds U+FFFD.
        """

    @abstractmethod
    def read_stream(self, stream: str) -> list[Row]:
        """All rows of one stream, by stream version; empty for an unknown one."""

    @abstractmethod
    def leaf_hashes(self, after: int, limit: int) -> list[bytes]:
        """The leaf hashes at `after` + 1 and up, without the leaves. A hole raises `PositionMissing`."""

    @abstractmethod
    def positions(self, event_ids: Collection[str]) -> dict[str, int]:
        """Where these events stand; an unknown id is left out."""

    @abstractmethod
    def remembered(self, keys: Collection[tuple[str, str]]) -> dict[tuple[str, str], Remembered]:
        """The records under these pairs of authority and key, in one indexed look-up; unknown ones are left out."""

    @abstractmethod
    def remembered_between(self, first: int, last: int) -> list[Remembered]:
        """The records whose `first_position` lies in the closed range, by position, as they stand (see `scan`)."""

    @abstractmethod
    def wait_for(self, after: int, timeout: float) -> bool:
        """Wait until the head is likely beyond `after`: True then, False after `timeout` seconds or on close."""

    @abstractmethod
    def check(self) -> LogCheck:
        """Inspect tables, fences, counts, holes and the engine's settings. Reads everything: not for every minute."""

    @abstractmethod
    def close(self) -> None:
        """Let go of connections, threads and the writing lock, and wake who waits. May be called twice."""
