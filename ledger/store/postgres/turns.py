"""Turns: processes that contend queue for one lock, read the tail when they have it, and append before they let it go.

The lock is the transaction's, so the database takes it back from whoever ends, breaks off or stands still with it. It
makes nothing right: an append without a turn is refused or granted by the unique index like any other.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import local
from typing import Final

import psycopg

from ledger.store.postgres.connections import Connections, LogConnection, reason_of
from ledger.store.recorded import risen

# "turn" in ASCII: the class of our advisory lock in the database.
LOCK: Final = 0x7475726E

_TAKE: Final = f"BEGIN; SELECT pg_advisory_xact_lock({LOCK}, 0)"


class _Held(local):
    """The connection on which a thread has its turn."""

    connection: LogConnection | None = None


class Turns:
    """At most one turn a thread; while it lasts the thread's statements run on its connection, in its transaction."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._held = _Held()

    @property
    def connection(self) -> LogConnection | None:
        """The connection of this thread's turn, None outside of one."""
        return self._held.connection

    @contextmanager
    def take(self) -> Iterator[None]:
        """Wait for the turn and hold it through the block, at most until `finish`; go without where it does not come.

        Each statement in it sees what was committed before that statement, the tail included.
        """
        with ExitStack() as stack:
            try:
                connection = stack.enter_context(self._connections.lend())
                is_taken = _take(connection)
            except psycopg.Error as error:
                raise risen(error, reason_of(error)) from error
            self._held.connection = connection if is_taken else None
            try:
                yield
            finally:
                self._held.connection = None
                connection.break_off()

    def finish(self) -> LogConnection | None:
        """Hand out the connection of this thread's turn, for the caller to end its transaction; None outside of one."""
        connection, self._held.connection = self._held.connection, None
        return connection


def _take(connection: LogConnection) -> bool:
    try:
        connection.execute(_TAKE)
    except psycopg.errors.LockNotAvailable:
        # A turn takes some hundredths of a second, so whoever has it stands still.
        connection.break_off()
        return False
    return True
