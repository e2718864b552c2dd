"""The views in a SQLite file of their own; in memory, one connection that threads take in turn."""

from __future__ import annotations

import fcntl
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from threading import Lock
from typing import IO, Final

from projections.engine.database import MEMORY, Database, Reason, RebuildIsRunning, ViewsUnreachable
from projections.engine.tables import Row, Table, Value, insertion, instead

LOCK_SECONDS: Final = 5
LOOK_AGAIN_SECONDS: Final = 0.01
LOOKS_MAX: Final = 3
OWNER: Final = "owner"
REBUILD: Final = "rebuild"

PAGE_BYTES: Final = 8192
PRAGMAS: Final = (
    "synchronous = NORMAL",
    "cache_size = -65536",
    "temp_store = MEMORY",
    # 32 MiB: a page that is written again soon goes into the file once.
    "wal_autocheckpoint = 4096",
)

_REASONS: Final[dict[int, Reason]] = {
    sqlite3.SQLITE_BUSY: "locked",
    sqlite3.SQLITE_LOCKED: "locked",
    sqlite3.SQLITE_PROTOCOL: "locked",
    sqlite3.SQLITE_FULL: "full",
    sqlite3.SQLITE_CANTOPEN: "gone",
    sqlite3.SQLITE_IOERR: "gone",
    sqlite3.SQLITE_READONLY: "gone",
    sqlite3.SQLITE_CORRUPT: "gone",
    sqlite3.SQLITE_NOTADB: "gone",
}
_WRITES_THAT_FAILED: Final = frozenset(
    (
        sqlite3.SQLITE_IOERR_WRITE,
        sqlite3.SQLITE_IOERR_FSYNC,
        sqlite3.SQLITE_IOERR_TRUNCATE,
        sqlite3.SQLITE_IOERR_SHMSIZE,
    )
)


class SQLiteSession:
    """One transaction on one connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def select(self, sql: str, parameters: Sequence[Value] = ()) -> list[Row]:
        return self._connection.execute(sql, parameters).fetchall()

    def each(self, sql: str) -> Iterator[Row]:
        yield from self._connection.execute(sql)

    def execute(self, sql: str, parameters: Sequence[Value] = ()) -> None:
        self._connection.execute(sql, parameters)

    def execute_many(self, sql: str, rows: Sequence[Sequence[Value]]) -> None:
        self._connection.executemany(sql, rows)

    def insert(self, table: Table, name: str, rows: Sequence[Row]) -> None:
        self.execute_many(insertion(table, name), rows)

    def put(self, table: Table, name: str, rows: Sequence[Row]) -> None:
        self.execute_many(f"{insertion(table, name)} {instead(table, name)}", rows)

    def delete(self, name: str, column: str, values: Sequence[str]) -> None:
        self.execute_many(f"DELETE FROM {name} WHERE {column} = ?", [(value,) for value in values])

    def create(self, table: Table, name: str) -> None:
        kinds = [f"{column} {'INTEGER' if column in table.integers else 'TEXT'}" for column in table.columns]
        kinds.append(f"PRIMARY KEY ({', '.join(table.key)})")
        # One integer is the number of the row itself, and rows in that order are added fastest.
        is_numbered = len(table.key) == 1 and table.key[0] in table.integers
        shape = "" if is_numbered else " WITHOUT ROWID"
        self.execute(f"CREATE TABLE IF NOT EXISTS {name} ({', '.join(kinds)}){shape}")
        for columns in table.indexes:
            index = f"{name}__{'_'.join(columns)}"
            self.execute(f"CREATE INDEX IF NOT EXISTS {index} ON {name} ({', '.join(columns)})")

    def tables(self) -> set[str]:
        return {str(name) for (name,) in self.select("SELECT name FROM sqlite_master WHERE type = 'table'")}

    def hold(self, sql: str, parameters: Sequence[Value] = ()) -> list[Row]:
        # A writing transaction keeps every other writer out already.
        return self.select(sql, parameters)


class SQLiteDatabase(Database):
    """One file, or memory where `path` is `None`.

    The locks are files beside it. They stay when the locks go: deleting one would let two in.
    """

    has_one_writer = True

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._owner: IO[str] | None = None
        self._idle: list[sqlite3.Connection] = []
        self._lock = Lock()
        self._turn = Lock()
        self._is_closed = False
        if path is None:
            self._idle.append(self._connect())

    def reading(self) -> AbstractContextManager[SQLiteSession]:
        return self._transaction("BEGIN")

    def writing(self) -> AbstractContextManager[SQLiteSession]:
        # A deferred transaction would fail at once where it turns from reading to writing.
        return self._transaction("BEGIN IMMEDIATE")

    def preparing(self) -> AbstractContextManager[SQLiteSession]:
        return self.writing()

    def owned(self, views: Iterable[str]) -> set[str]:
        with self._lock:
            if self._path is not None and self._owner is None and not self._is_closed:
                self._owner = _locked(self._lock_file(OWNER))
            return set(views) if self._path is None or self._owner is not None else set()

    def let_go(self) -> None:
        with self._lock:
            self._close_owner()

    def _close_owner(self) -> None:
        if self._owner is not None:
            self._owner.close()
            self._owner = None

    def driven_elsewhere(self, views: Iterable[str]) -> set[str]:
        return set(views) if self._path is not None and self._owner is None and self._is_held(OWNER) else set()

    def is_rebuilding(self) -> bool:
        return self._turn.locked() if self._path is None else self._is_held(REBUILD)

    def _lock_file(self, name: str) -> Path:
        assert self._path is not None, "memory is of one process"
        return self._path.with_name(f"{self._path.name}.{name}.lock")

    def _is_held(self, name: str) -> bool:
        # Shared, so that of several that look none takes another for the holder.
        with self._lock_file(name).open("a") as file:
            return not _has_locked(file, fcntl.LOCK_SH)

    @contextmanager
    def rebuilding(self) -> Iterator[None]:
        if self._path is None:
            if not self._turn.acquire(blocking=False):
                raise RebuildIsRunning
            try:
                yield
            finally:
                self._turn.release()
            return
        lock = _locked(self._lock_file(REBUILD))
        if lock is None:
            raise RebuildIsRunning
        with lock:
            yield

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
            self._close_owner()
            while self._idle:
                self._idle.pop().close()

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[SQLiteSession]:
        try:
            with self._lock if self._path is None else nullcontext():
                connection = self._take()
                try:
                    connection.execute(begin)
                    yield SQLiteSession(connection)
                    connection.commit()
                except BaseException:
                    self._undo(connection)
                    raise
                finally:
                    self._give_back(connection)
        except sqlite3.Error as error:
            reason = _reason_of(error)
            if reason is None:
                raise
            raise ViewsUnreachable(reason, str(error)) from error

    def _undo(self, connection: sqlite3.Connection) -> None:
        try:
            connection.rollback()
        except sqlite3.Error:
            # SQLite undoes the transaction when the file is read next.
            connection.close()

    def _take(self) -> sqlite3.Connection:
        if self._is_closed:
            raise ViewsUnreachable("gone", "the views are closed")
        try:
            return self._idle.pop()
        except IndexError:
            return self._connect()

    def _give_back(self, connection: sqlite3.Connection) -> None:
        if self._is_closed:
            connection.close()
        elif _is_open(connection):
            self._idle.append(connection)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            MEMORY if self._path is None else self._path,
            timeout=LOCK_SECONDS,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=512,
        )
        # The size of a page is fixed by the first write; rows of some hundred bytes want larger ones than are usual.
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        _write_ahead(connection)
        for pragma in PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
        return connection


def _locked(path: Path) -> IO[str] | None:
    """The open lock file, to be closed by who holds the lock; `None` where somebody else has it."""
    file = path.open("a")
    for _ in range(LOOKS_MAX):
        if _has_locked(file, fcntl.LOCK_EX):
            return file
        # Perhaps by somebody who only looks whether it is held.
        time.sleep(LOOK_AGAIN_SECONDS)
    file.close()
    return None


def _has_locked(file: IO[str], kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Put a new file into WAL mode; of several that do it at once SQLite makes none wait, so they wait here."""
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if _reason_of(error) != "locked" or time.monotonic() >= deadline:
                connection.close()
                raise
            time.sleep(LOOK_AGAIN_SECONDS)
        else:
            return


def _is_open(connection: sqlite3.Connection) -> bool:
    try:
        return not connection.in_transaction
    except sqlite3.ProgrammingError:
        return False


def _reason_of(error: sqlite3.Error) -> Reason | None:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    return "full" if code in _WRITES_THAT_FAILED else _REASONS.get(code & 0xFF)
