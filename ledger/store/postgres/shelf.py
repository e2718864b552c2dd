"""The last picture of a register in a PostgreSQL database: one row in a schema of its own, apart from the log.

Any of several processes may write it; the one of the latest position stays.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psycopg
from psycopg import sql

from ledger.store.postgres.connections import Connections, LogConnection
from ledger.store.snapshots import SCHEMA

ANSWER_SECONDS: Final = 15
"""How long a picture may be on its way; it is many times as long as a batch."""
_NAME = sql.Identifier(SCHEMA)
_MAKE = sql.SQL("CREATE SCHEMA IF NOT EXISTS {0}").format(_NAME)
_TABLE = sql.SQL(
    """CREATE TABLE IF NOT EXISTS {0}.snapshot (
        log text PRIMARY KEY, position bigint NOT NULL, data bytea NOT NULL)"""
).format(_NAME)
_LOAD = sql.SQL("SELECT data FROM {0}.snapshot WHERE log = current_schema()").format(_NAME)
_SAVE = sql.SQL(
    """INSERT INTO {0}.snapshot AS kept VALUES (current_schema(), %s, %s)
    ON CONFLICT (log) DO UPDATE SET position = excluded.position, data = excluded.data
    WHERE kept.position <= excluded.position"""
).format(_NAME)


class PostgresShelf:
    """The row of the log in the current schema of the database at `url`."""

    def __init__(self, url: str) -> None:
        # Nothing is decided on what stands here, so any server that the address leads to will do.
        self._connections = Connections(url, lambda _connection: None)

    def load(self) -> bytes | None:
        """See `Shelf`."""
        try:
            with self._connection() as connection:
                found = connection.execute(_LOAD, binary=True).fetchone()
        except _Missing:
            return None
        return bytes(found["data"]) if found is not None else None

    def save(self, data: bytes, position: int) -> None:
        """See `Shelf`."""
        with self._connection() as connection:
            try:
                connection.execute(_SAVE, (position, data))
            except _Missing:
                connection.execute(_MAKE)
                connection.execute(_TABLE)
                connection.execute(_SAVE, (position, data))

    @contextmanager
    def _connection(self) -> Iterator[LogConnection]:
        try:
            with self._connections.connect() as connection:
                connection.execute(f"SET statement_timeout = '{ANSWER_SECONDS}s'")
                connection.answer_seconds = ANSWER_SECONDS + 1
                yield connection
        except _Missing:
            raise
        except psycopg.Error as error:
            raise OSError(str(error)) from error


_Missing = (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName)
