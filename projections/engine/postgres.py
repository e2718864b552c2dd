"""The views in a schema of their own beside the log's tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import lru_cache
from select import POLLIN, poll
from threading import Lock
from typing import Final
from zlib import crc32

import psycopg
from psycopg.abc import RV, PQGen
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow

from projections.engine.database import Database, Reason, RebuildIsRunning, TableIsGone, ViewsUnreachable
from projections.engine.tables import Row, Table, Value, insertion, instead

SCHEMA: Final = "custody_views"
REBUILD: Final = "rebuild"
ROWS_FETCHED: Final = 5_000
COPY_ROWS_MIN: Final = 50
"""From so many rows on they are streamed; fewer are inserted sooner one by one."""
LOCK_MILLISECONDS: Final = 30_000
"""How long a statement waits for what others hold, until it is `locked`."""
ANSWER_SECONDS: Final = 35.0
"""How long a server that says nothing is waited for: longer than it waits for a lock."""
# "view" in ASCII: the class of our advisory locks in the database.
LOCKS: Final = 0x76696577

# What the URL does not say. The TCP time-outs find a machine that vanished without a word.
_CONNECTION_DEFAULTS: Final = {
    "application_name": "custody-views",
    "connect_timeout": "2",
    "keepalives_idle": "2",
    "keepalives_interval": "1",
    "keepalives_count": "2",
    "tcp_user_timeout": "5000",
}
_REASONS: Final[dict[str, Reason]] = {
    "55P03": "locked",
    "57014": "locked",
    "40P01": "locked",
    "40001": "locked",
    "53100": "full",
    "53200": "full",
    "53400": "full",
    "53300": "gone",
    "25006": "gone",
    "57P": "gone",
    "08": "gone",
    "58": "gone",
}

_TEXT: Final = 'text COLLATE "C"'


class Connection(psycopg.Connection[TupleRow]):
    """A connection that gives up on a silent server after `answer_seconds` (None: never), and is closed then."""

    answer_seconds: float | None = ANSWER_SECONDS

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        try:
            return super().wait(gen, interval, self.answer_seconds if timeout is None else timeout)
        except psycopg.OperationalError:
            # Still active: the answer may come yet, and would be taken for that of the next statement.
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                self.pgconn.finish()
            raise


class PostgresSession:
    """One transaction on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def select(self, sql: str, parameters: Sequence[Value] = ()) -> list[Row]:
        return self._connection.execute(_own_marks(sql), parameters, binary=True).fetchall()

    def each(self, sql: str) -> Iterator[Row]:
        with self._connection.cursor(name="each", binary=True) as cursor:
            cursor.itersize = ROWS_FETCHED
            yield from cursor.execute(sql)

    def execute(self, sql: str, parameters: Sequence[Value] = ()) -> None:
        self._connection.execute(_own_marks(sql), parameters)

    def execute_many(self, sql: str, rows: Sequence[Sequence[Value]]) -> None:
        with self._connection.cursor() as cursor:
            cursor.executemany(_own_marks(sql), rows)

    def insert(self, table: Table, name: str, rows: Sequence[Row]) -> None:
        if len(rows) < COPY_ROWS_MIN:
            self.execute_many(insertion(table, name), rows)
            return
        sql = f"COPY {name} ({', '.join(table.columns)}) FROM STDIN (FORMAT BINARY)"
        with self._connection.cursor() as cursor, cursor.copy(sql) as copy:
            copy.set_types(["int8" if column in table.integers else "text" for column in table.columns])
            for row in rows:
                copy.write_row(row)

    def put(self, table: Table, name: str, rows: Sequence[Row]) -> None:
        kinds = ["bigint" if column in table.integers else "text" for column in table.columns]
        arrays = ", ".join(f"?::{kind}[]" for kind in kinds)
        sql = f"INSERT INTO {name} ({', '.join(table.columns)}) SELECT * FROM unnest({arrays}) {instead(table, name)}"
        self._connection.execute(_own_marks(sql), [list(values) for values in zip(*rows, strict=True)])

    def delete(self, name: str, column: str, values: Sequence[str]) -> None:
        self._connection.execute(f"DELETE FROM {name} WHERE {column} = ANY(%s::text[])", [list(values)])

    def create(self, table: Table, name: str) -> None:
        # Names are compared byte by byte, as SQLite does: the order of a digest is that of no locale.
        kinds = [f"{column} {'bigint' if column in table.integers else _TEXT}" for column in table.columns]
        self.execute(f"CREATE TABLE IF NOT EXISTS {name} ({', '.join(kinds)}, PRIMARY KEY ({', '.join(table.key)}))")
        for columns in table.indexes:
            index = f"{name}__{'_'.join(columns)}"
            self.execute(f"CREATE INDEX IF NOT EXISTS {index} ON {name} ({', '.join(columns)})")

    def tables(self) -> set[str]:
        rows = self.select("SELECT tablename::text FROM pg_tables WHERE schemaname = ?", (SCHEMA,))
        return {str(name) for (name,) in rows}

    def hold(self, sql: str, parameters: Sequence[Value] = ()) -> list[Row]:
        return self.select(f"{sql} FOR UPDATE", parameters)


class PostgresDatabase(Database):
    """The views' schema of one database; connections are opened when asked for and kept while they are fit."""

    has_one_writer = False

    def __init__(self, url: str) -> None:
        said = conninfo_to_dict(url)
        unsaid = {name: value for name, value in _CONNECTION_DEFAULTS.items() if name not in said}
        self._conninfo = make_conninfo(url, **unsaid)
        self._idle: list[Connection] = []
        self._owner: Connection | None = None
        self._owned: set[str] = set()
        self._lock = Lock()
        self._is_closed = False
        self._rebuilds = False

    def reading(self) -> AbstractContextManager[PostgresSession]:
        return self._transaction("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")

    def writing(self) -> AbstractContextManager[PostgresSession]:
        return self._transaction("BEGIN ISOLATION LEVEL READ COMMITTED")

    @contextmanager
    def preparing(self) -> Iterator[PostgresSession]:
        with self.writing() as session:
            # Two that make the same table at once would not both find it missing and go on.
            session.execute("SELECT pg_advisory_xact_lock(?::int, 0)", (LOCKS,))
            session.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
            yield session

    def owned(self, views: Iterable[str]) -> set[str]:
        with self._lock, self._risen():
            owner = self._owning()
            self._owned.update(view for view in views if view not in self._owned and _locked(owner, view))
            return set(self._owned)

    def driven_elsewhere(self, views: Iterable[str]) -> set[str]:
        held = self._held()
        return {view for view in views if view not in self._owned and _number(view) in held}

    def is_rebuilding(self) -> bool:
        return _number(REBUILD) in self._held()

    def _held(self) -> set[int]:
        """The numbers of the locks that any process has."""
        sql = (
            "SELECT objid::bigint::bit(32)::int FROM pg_locks l JOIN pg_database d ON d.oid = l.database "
            "WHERE locktype = 'advisory' AND classid = ?::oid AND objsubid = 2 AND granted "
            "AND datname = current_database()"
        )
        with self.reading() as session:
            return {int(number) for (number,) in session.select(sql, (LOCKS,)) if number is not None}

    @contextmanager
    def rebuilding(self) -> Iterator[None]:
        with self._risen(), self._connect() as connection:
            if not _locked(connection, REBUILD):
                raise RebuildIsRunning
            self._rebuilds = True
            try:
                yield
            finally:
                self._rebuilds = False
                _unlock(connection)

    def _owning(self) -> Connection:
        """The connection that holds the locks. They go with it, so it is asked first whether it still stands."""
        if self._owner is not None:
            try:
                self._owner.execute("SELECT 1")
            except psycopg.Error:
                self._owner.close()
            else:
                return self._owner
        self._owned.clear()
        self._owner = self._connect()
        return self._owner

    def let_go(self) -> None:
        with self._lock:
            self._close_owner()

    def _close_owner(self) -> None:
        self._owned.clear()
        if self._owner is not None:
            _unlock(self._owner)
            self._owner.close()
            self._owner = None

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
            self._close_owner()
            while self._idle:
                self._idle.pop().close()

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[PostgresSession]:
        with self._risen():
            connection = self._take()
            # Two generations of a long view are held against each other for as long as that takes.
            connection.answer_seconds = None if self._rebuilds else ANSWER_SECONDS
            try:
                connection.execute(begin)
                yield PostgresSession(connection)
                connection.execute("COMMIT")
            except BaseException:
                with suppress(psycopg.Error):
                    connection.execute("ROLLBACK")
                raise
            finally:
                self._give_back(connection)

    @contextmanager
    def _risen(self) -> Iterator[None]:
        """What the driver raises, called by what it means here."""
        try:
            yield
        except psycopg.errors.UndefinedTable as error:
            raise TableIsGone(str(error)) from error
        except psycopg.Error as error:
            reason = _reason_of(error)
            if reason is None:
                raise
            raise ViewsUnreachable(reason, str(error).strip() or type(error).__name__) from error

    def _take(self) -> Connection:
        with self._lock:
            if self._is_closed:
                raise ViewsUnreachable("gone", "the views are closed")
            while self._idle:
                connection = self._idle.pop()
                if _is_fit(connection):
                    return connection
                connection.close()
        return self._connect()

    def _give_back(self, connection: Connection) -> None:
        with self._lock:
            if _is_fit(connection) and not self._is_closed:
                self._idle.append(connection)
            else:
                connection.close()

    def _connect(self) -> Connection:
        connection = Connection.connect(self._conninfo, autocommit=True)
        connection.execute(
            f"SET search_path = {SCHEMA}; SET lock_timeout = {LOCK_MILLISECONDS}; SET synchronous_commit = off"
        )
        return connection


def _is_fit(connection: Connection) -> bool:
    """Whether it is between transactions, and nothing came from the server unasked, such as its farewell."""
    if connection.closed or connection.pgconn.transaction_status != TransactionStatus.IDLE:
        return False
    # Not `select`, which knows no descriptor beyond 1,023: a server with many clients has those.
    unasked = poll()
    unasked.register(connection.pgconn.socket, POLLIN)
    return not unasked.poll(0)


def _number(name: str) -> int:
    """The number of a view's lock, or of that of rebuilding."""
    return crc32(name.encode()) - 2**31


def _locked(connection: Connection, name: str) -> bool:
    found = connection.execute("SELECT pg_try_advisory_lock(%s::int, %s::int)", [LOCKS, _number(name)]).fetchone()
    return bool(found and found[0])


def _unlock(connection: Connection) -> None:
    """Let go of every lock at once; those of a lost connection go with it, when the server notices."""
    with suppress(psycopg.Error):
        connection.execute("SELECT pg_advisory_unlock_all()")


def _reason_of(error: psycopg.Error) -> Reason | None:
    state = error.sqlstate
    if state is None:
        return "gone" if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError) else None
    return _REASONS.get(state) or _REASONS.get(state[:3]) or _REASONS.get(state[:2])


@lru_cache(maxsize=1024)
def _own_marks(sql: str) -> str:
    """The statement with the driver's marks for parameters."""
    return sql.replace("?", "%s")
