"""The log in an SQLite file: one writing process, readers beside it, each commit forced to disk.

The library's pool and transaction are replaced. Its pool sets neither `synchronous` nor a lock
time-out of two seconds, and its writer lock is never released when a connection cannot be opened;
its transaction leaves a failed commit open on a connection that goes back to the pool. After
either, the log would not serve again when the disk is back.
"""

import fcntl
import json
import os
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from time import monotonic
from typing import IO, Any, Final
from urllib.parse import quote

from eventsourcing.persistence import (
    ConnectionPoolClosedError,
    ConnectionUnavailableError,
    InfrastructureFactory,
    StoredEvent,
)
from eventsourcing.sqlite import (
    SQLiteApplicationRecorder,
    SQLiteConnection,
    SQLiteConnectionPool,
    SQLiteCursor,
    SQLiteDatastore,
    SQLiteFactory,
)
from eventsourcing.utils import Environment, EnvType

from ledger.store.application import CREATE_TABLE, DATABASE_URL, LedgerApplication, library_environment
from ledger.store.log import (
    AlreadyServed,
    DatabaseUnreachable,
    LogCheck,
    LogIsMissing,
    LogIsReadOnly,
    Reason,
    Remembered,
    Row,
    SchemaIsUnknown,
)
from ledger.store.recorded import Batch, Parameter, Queries, RecordedLog, risen
from ledger.store.schema import EVENTS, SCHEMA_TABLE, SCHEMA_VERSION, SQLITE_FENCES, sqlite_statements

LOCK_SECONDS: Final = 2
ROWS_A_STATEMENT_MAX: Final = 128
CACHE_KIB: Final = 65_536
"""The indexes of a long log are asked at random; what of them is in memory is not read for each command."""
CHECKPOINT_PAGES: Final = 8_192
"""A page that many batches change is written back once for all of them: 32 MiB of changes gather before."""
MEMORY: Final = ":memory:"
# How often a waiting reader looks for what another process has appended.
POLL_SECONDS: Final = 0.02

_ROW_COLUMNS: Final = "e.rowid, l.event_id, e.topic, e.originator_id, e.originator_version, e.state, l.leaf_hash"
_RECORD_COLUMNS: Final = "i.authority, i.key, i.command_hash, i.first_position, i.count"

_QUERIES: Final = Queries(
    head="SELECT max(rowid) FROM stored_events",
    page=f"SELECT {_ROW_COLUMNS} FROM stored_events e LEFT JOIN leaves l ON l.position = e.rowid "
    "WHERE e.rowid > ? ORDER BY e.rowid LIMIT ?",
    at=f"SELECT {_ROW_COLUMNS} FROM json_each(?) asked CROSS JOIN stored_events e "
    "ON e.rowid = CAST(asked.value AS INTEGER) LEFT JOIN leaves l ON l.position = e.rowid ORDER BY e.rowid",
    stream=f"SELECT {_ROW_COLUMNS} FROM stored_events e LEFT JOIN leaves l ON l.position = e.rowid "
    "WHERE e.originator_id = ? ORDER BY e.originator_version",
    leaf_hashes="SELECT position, leaf_hash FROM leaves WHERE position > ? ORDER BY position LIMIT ?",
    positions="SELECT event_id, position FROM leaves WHERE event_id IN (SELECT value FROM json_each(?))",
    # CROSS JOIN fixes the order: the keys asked for come first, each is one look-up in the index.
    remembered=f"SELECT {_RECORD_COLUMNS} FROM json_each(?) asked CROSS JOIN idempotency i "
    "ON i.authority = json_extract(asked.value, '$[0]') AND i.key = json_extract(asked.value, '$[1]')",
    remembered_between=f"SELECT {_RECORD_COLUMNS} FROM idempotency i "
    "WHERE first_position BETWEEN ? AND ? ORDER BY first_position, authority, key",
    counts="""SELECT ifnull(max(rowid), 0), count(*),
        (SELECT count(*) FROM leaves), (SELECT count(*) FROM idempotency),
        (SELECT count(*) FROM stored_events e WHERE NOT EXISTS (SELECT 1 FROM leaves l WHERE l.position = e.rowid)),
        (SELECT count(*) FROM idempotency i
            WHERE i.count > 0 AND i.first_position + i.count - 1 > (SELECT max(rowid) FROM stored_events))
        FROM stored_events""",
)


# The low byte is the primary code. A file that was moved or turned read-only counts as gone.
_REASONS: Final[dict[int, Reason]] = {
    sqlite3.SQLITE_BUSY: "locked",
    sqlite3.SQLITE_LOCKED: "locked",
    sqlite3.SQLITE_PROTOCOL: "locked",
    sqlite3.SQLITE_FULL: "full",
    sqlite3.SQLITE_CANTOPEN: "gone",
    sqlite3.SQLITE_IOERR: "gone",
    sqlite3.SQLITE_READONLY: "gone",
}

# A quota or a size limit is not ENOSPC: SQLite then speaks of a failed write.
_WRITES_THAT_FAILED: Final = frozenset(
    (
        sqlite3.SQLITE_IOERR_WRITE,
        sqlite3.SQLITE_IOERR_FSYNC,
        sqlite3.SQLITE_IOERR_TRUNCATE,
        sqlite3.SQLITE_IOERR_SHMSIZE,
    )
)


def reason_of(error: sqlite3.Error) -> Reason | None:
    """Why the database cannot be reached, or None if the error says something else."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    if code in _WRITES_THAT_FAILED:
        return "full"
    return _REASONS.get(code & 0xFF)


class LogConnection(SQLiteConnection):
    """A connection whose write transactions lock first, and which comes out of each with none open."""

    @contextmanager
    def transaction(self, *, commit: bool) -> Iterator[SQLiteCursor]:
        cursor = self.cursor()
        try:
            # A deferred transaction would fail at once, not wait, where it turns from reading to writing.
            cursor.execute("BEGIN IMMEDIATE" if commit else "BEGIN")
            yield cursor
            if commit:
                self.commit()
        finally:
            cursor.sqlite_cursor.close()
            self._leave()

    def _leave(self) -> None:
        if not self._sqlite_conn.in_transaction:
            return
        try:
            self.rollback()
        except sqlite3.Error:
            # The pool drops closed connections; SQLite undoes the transaction when the file is read next.
            self.close()
            raise


class LogPool(SQLiteConnectionPool):
    """Connections with the log's durability; a log in memory has one, which its threads take in turn."""

    def __init__(self, db_name: str, *, is_memory: bool) -> None:
        super().__init__(
            db_name=db_name,
            lock_timeout=LOCK_SECONDS,
            pool_size=1 if is_memory else 8,
            max_overflow=0 if is_memory else 24,
            pool_timeout=30 if is_memory else LOCK_SECONDS,
        )
        self.is_memory = is_memory

    def _create_connection(self) -> LogConnection:
        connection = sqlite3.connect(
            self.db_name, timeout=LOCK_SECONDS, isolation_level=None, check_same_thread=False, uri=True
        )
        try:
            [mode] = connection.execute("PRAGMA journal_mode=WAL").fetchone()
            assert mode == ("memory" if self.is_memory else "wal"), f"journal mode is {mode}"
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
            connection.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")
        except BaseException:
            connection.close()
            raise
        connection.row_factory = sqlite3.Row
        return LogConnection(sqlite_conn=connection, max_age=self.max_age)

    def put_connection(self, conn: SQLiteConnection) -> None:
        try:
            super().put_connection(conn)
        except ConnectionPoolClosedError:
            conn.close()

    def close(self) -> None:
        # The library's closes also what another thread is reading from, and SQLite crashes on that.
        with self._put_condition:
            self._closed = True
            while self._pool:
                self._pool.popleft().close()


class LogDatastore(SQLiteDatastore):
    """Transactions on one database file, which must stay the file that was opened.

    On POSIX a deleted or replaced file stays open and takes every commit, and none would be seen
    again. So each transaction asks first whether the path still leads to the same file.
    """

    def __init__(self, path: Path | None, *, create: bool) -> None:
        name = MEMORY if path is None else f"file:{quote(str(path))}?mode={'rwc' if create else 'rw'}"
        super().__init__(name, originator_id_type="text")
        self.pool = LogPool(name, is_memory=path is None)
        self.path = path
        self._identity: tuple[int, int] | None = None

    @contextmanager
    def transaction(self, *, commit: bool) -> Iterator[SQLiteCursor]:
        try:
            with self._lent() as connection, connection.transaction(commit=commit) as cursor:
                self._require_same_file()
                yield cursor
                if commit:
                    self._require_same_file()
        except sqlite3.Error as error:
            raise risen(error, reason_of(error)) from error

    @contextmanager
    def _lent(self) -> Iterator[SQLiteConnection]:
        # As neither reader nor writer to the pool, whose writer lock outlives a connection that fails to open.
        try:
            connection = self.pool.get_connection()
        except ConnectionUnavailableError as error:
            raise DatabaseUnreachable("locked", "all connections are in use") from error
        except ConnectionPoolClosedError as error:
            raise DatabaseUnreachable("gone", "the log is closed") from error
        try:
            yield connection
        finally:
            self.pool.put_connection(connection)

    def _require_same_file(self) -> None:
        if self.path is None:
            return
        try:
            status = os.stat(self.path)
        except OSError as error:
            raise DatabaseUnreachable("gone", f"{self.path}: {error.strerror}") from error
        identity = (status.st_dev, status.st_ino)
        if self._identity is None:
            self._identity = identity
        if self._identity != identity:
            raise DatabaseUnreachable("gone", f"{self.path} is not the file that was opened")


class LogRecorder(SQLiteApplicationRecorder):
    """The library's recorder with explicit positions, and leaf hashes and idempotency records beside the events."""

    def construct_create_table_statements(self) -> list[str]:
        return sqlite_statements()

    def _insert_events(self, c: SQLiteCursor, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int]:
        batch: Batch = kwargs["batch"]
        [head] = c.sqlite_cursor.execute(_QUERIES.head).fetchone()
        batch.require_follows(head or 0)
        _insert(
            c,
            f"{EVENTS} (rowid, originator_id, originator_version, topic, state)",
            [
                (row.position, stored.originator_id, stored.originator_version, stored.topic, stored.state)
                for row, stored in zip(batch.rows, stored_events, strict=True)
            ],
        )
        batch.reach("after-events")
        _insert(
            c,
            "leaves (position, event_id, leaf_hash)",
            [(row.position, row.event_id, row.leaf_hash) for row in batch.rows],
        )
        batch.reach("after-leaves")
        _insert(
            c,
            "idempotency (authority, key, command_hash, first_position, count)",
            [
                (kept.authority, kept.key, kept.command_hash, kept.first_position, kept.count)
                for kept in batch.remembered
            ],
        )
        batch.reach("before-commit")
        return [row.position for row in batch.rows]


def _insert(cursor: SQLiteCursor, into: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert the rows by few statements: each one lets another thread have the interpreter, and must get it back.

    Their lengths are powers of two, so that all of them stay prepared.
    """
    done = 0
    while rest := len(rows) - done:
        count = min(ROWS_A_STATEMENT_MAX, 1 << rest.bit_length() - 1)
        some = rows[done : done + count]
        places = f"({', '.join('?' * len(some[0]))})"
        statement = f"INSERT INTO {into} VALUES {', '.join([places] * count)}"
        cursor.execute(statement, tuple(chain.from_iterable(some)))
        done += count


class SQLiteLogFactory(SQLiteFactory):
    """Builds the log's recorder over the file that `CUSTODY_DATABASE_URL` names."""

    application_recorder_class = LogRecorder

    def __init__(self, env: Environment | EnvType | None) -> None:
        # The library's own constructor reads a database name and builds its own pool from it.
        InfrastructureFactory.__init__(self, env)
        self.datastore = LogDatastore(path_of(self.env[DATABASE_URL]), create=self.env_create_table())


def path_of(url: str) -> Path | None:
    """The file that `sqlite:///PATH` names, made absolute; None for the log in memory."""
    name = url.removeprefix("sqlite:///")
    return None if name == MEMORY else Path(name).resolve()


class WritingLock:
    """The right to append to one SQLite file, held by one open log on the machine until it is let go.

    A lock file stands beside the database, as SQLite's own locks would be lost with any other
    descriptor of the database file. It stays when the lock goes: deleting it would let two in.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.with_name(path.name + ".lock")
        try:
            self._file: IO[str] = self.path.open("a+", encoding="ascii")
        except OSError as error:
            raise DatabaseUnreachable("gone", f"{self.path}: {error.strerror}") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.seek(0)
            holder = self._file.read().strip()
            self._file.close()
            raise AlreadyServed(str(path), holder) from None
        self._file.truncate(0)
        self._file.write(str(os.getpid()))
        self._file.flush()

    def release(self) -> None:
        self._file.close()


class SQLiteLog(RecordedLog):
    """The log in a file (or in memory). Opened not `exclusive`, it reads beside the writing process."""

    engine = "sqlite"
    queries = _QUERIES

    def __init__(self, application: LedgerApplication, lock: WritingLock | None, *, is_exclusive: bool) -> None:
        super().__init__(application)
        assert isinstance(application.factory, SQLiteLogFactory)
        self._datastore = application.factory.datastore
        self._lock = lock
        self._is_exclusive = is_exclusive

    @classmethod
    def open(cls, url: str, *, create: bool, exclusive: bool) -> "SQLiteLog":
        """See `open_log`."""
        path = path_of(url)
        if path is None:
            create = exclusive = True
        elif not create and not path.exists():
            raise LogIsMissing(str(path))
        assert exclusive or not create, "who creates the log is its writer"
        lock = WritingLock(path) if path is not None and exclusive else None
        application: LedgerApplication | None = None
        try:
            application = LedgerApplication({**library_environment(url), CREATE_TABLE: "yes" if create else "no"})
            log = cls(application, lock, is_exclusive=exclusive)
            log._require_schema(str(path or MEMORY))
        except BaseException:
            if application is not None:
                application.close()
            if lock is not None:
                lock.release()
            raise
        return log

    def _require_schema(self, address: str) -> None:
        if not self._select("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", SCHEMA_TABLE):
            raise LogIsMissing(address)
        [(version,)] = self._select(f"SELECT version FROM {SCHEMA_TABLE}")
        if version != SCHEMA_VERSION:
            raise SchemaIsUnknown(version, SCHEMA_VERSION)

    def append(self, rows: Sequence[Row], remembered: Sequence[Remembered]) -> None:
        if not self._is_exclusive:
            raise LogIsReadOnly("this log was opened beside its writer, to read")
        super().append(rows, remembered)

    def _select(self, query: str, *parameters: Parameter) -> list[tuple[Any, ...]]:
        with self._datastore.transaction(commit=False) as cursor:
            # Plain tuples: the library's rows by name cost more than reading them.
            cursor.sqlite_cursor.row_factory = None
            return cursor.sqlite_cursor.execute(query, parameters).fetchall()

    def _select_as_stored(self, query: str, *parameters: Parameter) -> list[tuple[Any, ...]]:
        with self._datastore.transaction(commit=False) as cursor:
            connection = cursor.sqlite_cursor.connection
            cursor.sqlite_cursor.row_factory = None
            connection.text_factory = lambda data: data.decode("utf-8", "replace")
            try:
                return cursor.sqlite_cursor.execute(query, parameters).fetchall()
            finally:
                connection.text_factory = str

    def _names(self, names: Collection[str]) -> Parameter:
        return json.dumps(list(names))

    def _pairs(self, pairs: Collection[tuple[str, str]]) -> list[Parameter]:
        return [json.dumps(list(pairs))]

    def wait_for(self, after: int, timeout: float) -> bool:
        deadline = monotonic() + timeout
        while True:
            try:
                self._signal.announce(self.head())
            except DatabaseUnreachable:
                if self._signal.is_closed:
                    return False
                raise
            remaining = max(0, deadline - monotonic())
            if self._signal.wait(after, min(remaining, POLL_SECONDS)):
                return True
            if not remaining or self._signal.is_closed:
                return False

    def check(self) -> LogCheck:
        problems = [text for (text,) in self._select("PRAGMA integrity_check") if text != "ok"]
        standing = {name for (name,) in self._select("SELECT name FROM sqlite_master WHERE type = 'trigger'")}
        problems += [f"the fence {fence} is down" for fence in SQLITE_FENCES if fence not in standing]
        [(version,)] = self._select(f"SELECT version FROM {SCHEMA_TABLE}")
        [(size,)] = self._select("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")
        [counts] = self._select(self.queries.counts)
        return self._check_of(counts, schema_version=version, bytes_on_disk=size, problems=problems, warnings=[])

    def close(self) -> None:
        super().close()
        if self._lock is not None:
            self._lock.release()
