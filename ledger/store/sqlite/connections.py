"""Connections to one SQLite file: each commit forced to disk, writes wait for their turn, and the file stays the same.

The library's pool and transaction are replaced. Its pool sets neither `synchronous` nor a lock
time-out of two seconds, and its writer lock is never released when a connection cannot be opened;
its transaction leaves a failed commit open on a connection that goes back to the pool. After
either, the log would not serve again when the disk is back.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote

from eventsourcing.persistence import ConnectionPoolClosedError, ConnectionUnavailableError
from eventsourcing.sqlite import SQLiteConnection, SQLiteConnectionPool, SQLiteCursor, SQLiteDatastore

from ledger.store.log import DatabaseUnreachable, Reason
from ledger.store.recorded import risen

LOCK_SECONDS: Final = 2
CACHE_KIB: Final = 65_536
"""The indexes of a long log are asked at random; what of them is in memory is not read for each command."""
CHECKPOINT_PAGES: Final = 32_768
"""Where a commit itself writes back, because `WriteBack` has not come to it."""
MEMORY: Final = ":memory:"

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

    def write_back(self) -> None:
        """Copy what the write-ahead log holds into the file, as far as no reader is in the way; commits go on."""
        with self._lent() as connection:
            connection.cursor().execute("PRAGMA wal_checkpoint(PASSIVE)")

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
