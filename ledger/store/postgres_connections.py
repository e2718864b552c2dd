"""Connections to PostgreSQL that answer soon: with the rows, or with the reason why there are none.

A lock, a statement and the silence of a server each have a time-out of a few seconds, so that a
command is refused at once when the database cannot take it. A connection found unfit is dropped and
the next is opened when it is asked for: service is back as soon as the database is.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from select import select
from threading import BoundedSemaphore, Lock
from typing import Final

import psycopg
from psycopg.abc import RV, PQGen
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import TransactionStatus
from psycopg.rows import DictRow, dict_row

from ledger.store.log import DatabaseUnreachable, Reason

CONNECTIONS_MAX: Final = 12
CONNECT_SECONDS: Final = 2
# The server ends a statement by itself; the client stops waiting a little later, for a server that hangs.
ANSWER_SECONDS: Final = 4

_SESSION: Final = """
    SET lock_timeout = '2s';
    SET statement_timeout = '3s';
    SET idle_in_transaction_session_timeout = '10s';
    SET default_transaction_isolation = 'read committed';
    SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'
"""

# What the URL does not say. Keep-alives and the TCP time-out find a machine that vanished without a word.
_CONNECTION_DEFAULTS: Final = {
    "application_name": "custody",
    "connect_timeout": str(CONNECT_SECONDS),
    "keepalives_idle": "2",
    "keepalives_interval": "1",
    "keepalives_count": "2",
    "tcp_user_timeout": "3000",
}

# By SQLSTATE, whole or by its class. A server that refuses writes is not the primary any more.
_REASONS: Final[dict[str, Reason]] = {
    "55P03": "locked",  # lock not available within lock_timeout
    "57014": "locked",  # statement_timeout
    "40P01": "locked",  # deadlock
    "40001": "locked",
    "53100": "full",
    "53200": "full",
    "53400": "full",
    "53300": "gone",  # too many connections
    "25P03": "gone",  # idle in transaction
    "25006": "gone",  # read-only
    "57P": "gone",  # shut down, crashed, starting up
    "08": "gone",
    "58": "gone",  # input/output error
}


def reason_of(error: psycopg.Error) -> Reason | None:
    """Why the database cannot be reached, or None if the error says something else."""
    state = error.sqlstate
    if state is None:
        # No answer of the server at all: not connected, cut off, or silent.
        return "gone" if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError) else None
    return _REASONS.get(state) or _REASONS.get(state[:3]) or _REASONS.get(state[:2])


class LogConnection(psycopg.Connection[DictRow]):
    """A connection that gives up on a silent server after `answer_seconds` (None: never), and is closed then."""

    answer_seconds: float | None = ANSWER_SECONDS

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        if timeout is not None:
            return super().wait(gen, interval, timeout)
        try:
            return super().wait(gen, interval, self.answer_seconds)
        except psycopg.OperationalError:
            # Still active: the answer may come yet, and would be taken for that of the next statement.
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                self.pgconn.finish()
            raise

    @property
    def is_idle(self) -> bool:
        """Fit for use: between transactions, and nothing came from the server unasked, such as its farewell."""
        if self.closed or self.pgconn.transaction_status != TransactionStatus.IDLE:
            return False
        unasked, _, _ = select([self.pgconn.socket], [], [], 0)
        return not unasked


class Connections:
    """At most `CONNECTIONS_MAX` connections to one database, opened when asked for and kept while they are fit."""

    def __init__(self, url: str) -> None:
        said = conninfo_to_dict(url)
        unsaid = {name: value for name, value in _CONNECTION_DEFAULTS.items() if name not in said}
        self._conninfo = make_conninfo(url, **unsaid)
        self._idle: list[LogConnection] = []
        self._lock = Lock()
        self._room = BoundedSemaphore(CONNECTIONS_MAX)
        self._is_closed = False

    def connect(self) -> LogConnection:
        """A new connection, apart from the lent ones; the caller closes it."""
        connection = LogConnection.connect(self._conninfo, row_factory=dict_row, autocommit=True)
        try:
            connection.execute(_SESSION)
        except BaseException:
            connection.close()
            raise
        return connection

    @contextmanager
    def lend(self) -> Iterator[LogConnection]:
        if not self._room.acquire(timeout=CONNECT_SECONDS):
            raise DatabaseUnreachable("locked", f"all {CONNECTIONS_MAX} connections are in use")
        try:
            connection = self._kept() or self.connect()
            try:
                yield connection
            finally:
                self._take_back(connection)
        finally:
            self._room.release()

    def _kept(self) -> LogConnection | None:
        with self._lock:
            if self._is_closed:
                raise DatabaseUnreachable("gone", "the log is closed")
            while self._idle:
                connection = self._idle.pop()
                if connection.is_idle:
                    return connection
                connection.close()
        return None

    def _take_back(self, connection: LogConnection) -> None:
        with self._lock:
            if connection.is_idle and not self._is_closed:
                self._idle.append(connection)
            else:
                connection.close()

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
            for connection in self._idle:
                connection.close()
            self._idle.clear()
