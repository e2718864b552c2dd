"""The anchor: by the last event that this process knows, a server is recognised as one that has the same log.

A process keeps in memory what it has read. Should a server take over that was not sent all of it, or that has recorded
something else since, then whatever is decided on that memory is wrong. So each new connection is asked for the event.
"""

from ledger.store.log import DatabaseUnreachable, Row
from ledger.store.postgres.connections import LogConnection


class Anchor:
    """The highest position that was read or appended, and the hash of the leaf that stands there."""

    def __init__(self) -> None:
        self._position = 0
        self._leaf_hash = b""

    def drop(self, row: Row) -> None:
        """Hold on to this row if it is the highest so far."""
        # Threads that meet here may leave the lower of two rows, which is as good a mark.
        if row.position > self._position:
            self._position, self._leaf_hash = row.position, row.leaf_hash

    def require_in(self, connection: LogConnection) -> None:
        """Raise `DatabaseUnreachable` if the server has not got the row, or another in its place."""
        position, leaf_hash = self._position, self._leaf_hash
        if not position:
            return
        found = connection.execute("SELECT leaf_hash FROM leaves WHERE position = %s", [position]).fetchone()
        if found is None:
            raise DatabaseUnreachable("gone", f"it has not got position {position}, which was recorded before")
        if found["leaf_hash"] != leaf_hash:
            raise DatabaseUnreachable(
                "gone", f"position {position} is another event than was recorded before; start this process again"
            )
