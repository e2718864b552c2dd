"""Connections to PostgreSQL that answer soon: with the rows, or with the reason why there are none.

A lock, a statement and the silence of a server each have a time-out of a few seconds, so that a
command is refused at once when the database cannot take it. A connection found unfit is dropped and
the next is opened when it is asked for: service is back as soon as the database is, or its stand-in.

Of several hosts the one that takes writes is meant. A connection whose server has stopped taking them
is as unfit as one that was cut, since what is read there may be old.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from select import POLLIN, poll
from threading import BoundedSemaphore, Lock
from time import monotonic
from typing import Final

import psycopg
from psycopg.abc import RV, PQGen
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.errors import Diagnostic
from psycopg.pq import TransactionStatus
from psycopg.rows import DictRow, dict_row

from ledger.store.log import DatabaseUnreachable, Reason
from ledger.store.opening import AddressIsUnknown

CONNECTIONS_MAX: Final = 12
# For each host of the URL in turn.
CONNECT_SECONDS: Final = 2
# After a host has let somebody wait for nothing, others are told so at once, for so long.
REST_SECONDS: Final = 1
LOCK_SECONDS: Final = 2
# The server ends a statement by itself; the client stops waiting a little later, for a server that hangs.
STATEMENT_SECONDS: Final = 3
ANSWER_SECONDS: Final = 4
# After so long without a word from a process in the midst of a transaction the server breaks it off, and frees what
# it holds. A turn is spent deciding a batch; one that takes longer to decide than this is not recorded.
STANDSTILL_SECONDS: Final = 5

# A commit that waits for no disk, or not for its standby's, is less than `append` promises.
DURABLE: Final = ("on", "remote_apply")

# What the URL does not say. Keep-alives and the TCP time-out find a machine that vanished without a word.
_CONNECTION_DEFAULTS: Final = {
    "application_name": "custody",
    "connect_timeout": str(CONNECT_SECONDS),
    "keepalives_idle": "2",
    "keepalives_interval": "1",
    "keepalives_count": "2",
    "tcp_user_timeout": "3000",
}
_FOR_WRITING: Final = ("read-write", "primary")

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


def _session() -> str:
    """What a connection is set to.

    Every read of the log goes by an index: a server that knows little of the tables' sizes yet would go through whole
    ones for a few rows.
    """
    return f"""
        SET enable_seqscan = off;
        SET enable_hashjoin = off;
        SET lock_timeout = '{LOCK_SECONDS}s';
        SET statement_timeout = '{STATEMENT_SECONDS}s';
        SET idle_in_transaction_session_timeout = '{STANDSTILL_SECONDS}s';
        SET default_transaction_isolation = 'read committed';
        SELECT set_config('synchronous_commit', 'on', false)
            WHERE current_setting('synchronous_commit') NOT IN {DURABLE}
    """


def reason_of(error: psycopg.Error) -> Reason | None:
    """Why the database cannot be reached, or None if the error says something else."""
    state = error.sqlstate
    if state is None:
        # No answer of the server at all: not connected, cut off, or silent.
        return "gone" if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError) else None
    return _REASONS.get(state) or _REASONS.get(state[:3]) or _REASONS.get(state[:2])


def require_one_server(url: str) -> None:
    """Raise `AddressIsUnknown` where a URL of several hosts may lead to a standby, as each connection to it must not.

    One host alone may be a standby, for an audit that reads there.
    """
    said = conninfo_to_dict(url)
    if "," in str(said.get("host")) and said.get("target_session_attrs") not in _FOR_WRITING:
        raise AddressIsUnknown("names several hosts, and needs target_session_attrs=read-write to say which is meant")


class LogConnection(psycopg.Connection[DictRow]):
    """A connection that gives up on a silent server after `answer_seconds` (None: never), and is closed then."""

    answer_seconds: float | None = ANSWER_SECONDS
    must_take_writes = False
    """Whether a server that takes none any more makes it unfit."""

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
    def takes_writes(self) -> bool:
        """Whether the server does, as far as it has said: it says so with its answer to a statement."""
        said = (self.pgconn.parameter_status(name) for name in (b"in_hot_standby", b"default_transaction_read_only"))
        return b"on" not in said

    @property
    def is_fit(self) -> bool:
        """Open, and to a server that takes writes if it must."""
        return not self.closed and (self.takes_writes or not self.must_take_writes)

    @property
    def is_idle(self) -> bool:
        """Fit for use: between transactions, and nothing came from the server unasked, such as its farewell."""
        if not self.is_fit or self.pgconn.transaction_status != TransactionStatus.IDLE:
            return False
        # Not `select`, which knows no descriptor beyond 1,023: a server with many clients has those.
        unasked = poll()
        unasked.register(self.pgconn.socket, POLLIN)
        return not unasked.poll(0)

    def commit_durably(self) -> None:
        """End the transaction; on return it is durable, on a synchronous standby as well.

        A server that is made to stop waiting for its standby only warns: the commit stands there and for everybody to
        see, but would be lost with that server. That is no success, and raises `DatabaseUnreachable`.
        """
        warnings: list[str] = []

        def heed(notice: Diagnostic) -> None:
            if notice.severity_nonlocalized == "WARNING":
                warnings.append(notice.message_primary or "")

        self.add_notice_handler(heed)
        try:
            self.execute("COMMIT")
        finally:
            self.remove_notice_handler(heed)
        if warnings:
            raise DatabaseUnreachable("gone", f"not known to be on its standby: {'; '.join(warnings)}")

    def break_off(self) -> None:
        """End the transaction that is under way, if one is; where that fails the connection is unfit."""
        if self.pgconn.transaction_status in (TransactionStatus.INTRANS, TransactionStatus.INERROR):
            with suppress(psycopg.Error):
                self.execute("ROLLBACK")


class Connections:
    """At most `CONNECTIONS_MAX` connections to one database, opened when asked for and kept while they are fit.

    `recognise` is shown each new one, and raises if that is not the database that was meant.
    """

    def __init__(self, url: str, recognise: Callable[[LogConnection], None]) -> None:
        said = conninfo_to_dict(url)
        unsaid = {name: value for name, value in _CONNECTION_DEFAULTS.items() if name not in said}
        self._conninfo = make_conninfo(url, **unsaid)
        self.has_several_hosts = "," in str(said.get("host"))
        self._must_take_writes = said.get("target_session_attrs") in _FOR_WRITING
        self._recognise = recognise
        self._idle: list[LogConnection] = []
        self._lock = Lock()
        self._room = BoundedSemaphore(CONNECTIONS_MAX)
        self._is_closed = False
        self._rests_until = 0.0
        self._why_it_rests = ""

    def connect(self) -> LogConnection:
        """A new connection, apart from the lent ones; the caller closes it."""
        connection = LogConnection.connect(self._conninfo, row_factory=dict_row, autocommit=True)
        try:
            connection.must_take_writes = self._must_take_writes
            connection.execute(_session())
            self._recognise(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    @contextmanager
    def lend(self) -> Iterator[LogConnection]:
        if not self._room.acquire(timeout=CONNECT_SECONDS):
            raise DatabaseUnreachable("locked", f"all {CONNECTIONS_MAX} connections are in use")
        try:
            connection = self._kept() or self._connect_unless_in_vain()
            try:
                yield connection
            finally:
                self._take_back(connection)
        finally:
            self._room.release()

    def _connect_unless_in_vain(self) -> LogConnection:
        """A new connection, or the latest time-out of one, while that is fresh: not everybody need wait for it."""
        if monotonic() < self._rests_until:
            raise DatabaseUnreachable("gone", self._why_it_rests)
        try:
            return self.connect()
        except psycopg.errors.ConnectionTimeout as error:
            self._why_it_rests = str(error)
            self._rests_until = monotonic() + REST_SECONDS
            raise

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

    def forsake(self, connection: LogConnection) -> None:
        """Drop a connection whose server takes no writes, and the idle ones, which lead there as well.

        The next is opened where the address leads by then.
        """
        connection.close()
        self._drop_idle()

    def _drop_idle(self) -> None:
        with self._lock:
            while self._idle:
                self._idle.pop().close()

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
        self._drop_idle()
