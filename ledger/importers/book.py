"""The private import table: the secret behind the keys, and which person stands for which id of a source.

It lies outside the log and the views, in a SQLite file beside the ledger's or a schema of its own on PostgreSQL, and is
never exported. A person's row is on disk before the first command that uses it.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from ledger.sources import uuid7
from ledger.store.opening import engine_of

NAMES_PER_LOOK_UP: Final = 500
CONNECT_SECONDS: Final = 2
_TABLES: Final = (
    "CREATE TABLE IF NOT EXISTS import_secret (one INTEGER PRIMARY KEY CHECK (one = 1), secret TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS import_people (source TEXT PRIMARY KEY, person TEXT NOT NULL UNIQUE)",
)


class _Connection(Protocol):
    """What the book needs of a driver: both speak DB-API, with `?` here and `%s` there."""

    def execute(self, query: Any, parameters: Any = ..., /) -> Any:
        """Run one statement."""

    def commit(self) -> None:
        """Make what was written durable."""

    def close(self) -> None:
        """Let go of the connection."""


class ImportBook:
    """The secret and the pseudonyms of one ledger; imports that run at the same time agree on them."""

    def __init__(self, connection: _Connection, mark: str) -> None:
        self._connection = connection
        self._mark = mark
        for statement in _TABLES:
            connection.execute(statement)
        connection.execute(
            f"INSERT INTO import_secret (one, secret) VALUES (1, {mark}) ON CONFLICT DO NOTHING",
            (secrets.token_hex(32),),
        )
        connection.commit()
        ((text,),) = connection.execute("SELECT secret FROM import_secret").fetchall()
        self.secret: bytes = bytes.fromhex(text)

    @classmethod
    def open(cls, database_url: str) -> ImportBook:
        """The book that belongs to the ledger at this URL, made at its first use."""
        if engine_of(database_url) == "sqlite":
            path = database_url.removeprefix("sqlite:///")
            book = path if path == ":memory:" else str(Path(path).with_suffix(".imports.db"))
            connection = sqlite3.connect(book)
            connection.execute("PRAGMA synchronous = FULL")
            return cls(connection, "?")
        import psycopg

        opened = psycopg.connect(database_url, connect_timeout=CONNECT_SECONDS)
        opened.execute("CREATE SCHEMA IF NOT EXISTS custody_imports")
        opened.execute("SET search_path TO custody_imports")
        return cls(opened, "%s")

    def persons(self, format_: str, source_ids: Iterable[str]) -> dict[str, str]:
        """A person's id for each id of the source; new ones are on disk when this returns.

        Only a keyed hash of the source's id is kept.
        """
        names = {source_id: self._name(format_, source_id) for source_id in source_ids}
        known = self._known(list(names.values()))
        new = [name for name in names.values() if name not in known]
        insert = f"INSERT INTO import_people (source, person) VALUES ({self._mark}, {self._mark})"
        for name in new:
            self._connection.execute(f"{insert} ON CONFLICT DO NOTHING", (name, uuid7()))
        self._connection.commit()
        # Another import may have been first with a name: what stands there now holds for both.
        known.update(self._known(new))
        self._connection.commit()
        return {source_id: known[name] for source_id, name in names.items()}

    def _known(self, names: Sequence[str]) -> dict[str, str]:
        known: dict[str, str] = {}
        for start in range(0, len(names), NAMES_PER_LOOK_UP):
            page = names[start : start + NAMES_PER_LOOK_UP]
            marks = ", ".join([self._mark] * len(page))
            query = f"SELECT source, person FROM import_people WHERE source IN ({marks})"
            known.update(self._connection.execute(query, page).fetchall())
        return known

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()

    def _name(self, format_: str, source_id: str) -> str:
        return hmac.new(self.secret, f"{format_}\x1f{source_id}".encode(), hashlib.sha256).hexdigest()
