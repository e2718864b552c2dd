"""What somebody with the owner's rights over the database can do: change rows by hand, make the tree anew."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any

import msgspec
import psycopg

from domain.canonical import encode
from ledger.store import EventLog, Remembered, Row, engine_of, open_log
from ledger.store.leaf import text64
from ledger.store.merkle import leaf_hash
from ledger.store.schema import fences_down

Leaf = dict[str, Any]
Value = int | str | bytes

POSITION = {"sqlite": "rowid", "postgresql": "notification_id"}


class Intruder:
    """A connection of one's own to the log's database, with the fences down."""

    def __init__(self, url: str) -> None:
        self.engine = engine_of(url)
        self.position = POSITION[self.engine]
        self._url = url
        self.run(*((statement, ()) for statement in fences_down(self.engine)))

    def run(self, *statements: tuple[str, Sequence[object]]) -> list[list[Any]]:
        """Run statements with `?` for parameters in one transaction; the rows of each."""
        found = []
        if self.engine == "sqlite":
            with closing(sqlite3.connect(self._url.removeprefix("sqlite:///"))) as file, file:
                return [file.execute(statement, parameters).fetchall() for statement, parameters in statements]
        with psycopg.connect(self._url) as connection:
            for statement, parameters in statements:
                cursor = connection.execute(statement.replace("?", "%s").encode(), parameters)
                found.append(cursor.fetchall() if cursor.description else [])
        return found

    def change(self, table: str, column: str, row: str, how: Callable[[Any], Value]) -> Callable[[], None]:
        """Change one column of the one row that a condition on other columns names; the answer puts it back."""
        [[(before,)]] = self.run((f"SELECT {column} FROM {table} WHERE {row}", ()))
        self._set(table, column, row, how(before))
        return lambda: self._set(table, column, row, before)

    def _set(self, table: str, column: str, row: str, value: Value) -> None:
        self.run((f"UPDATE {table} SET {column} = ? WHERE {row}", (value,)))


def another(value: Value) -> Value:
    """The value with one byte changed: in the middle of a text or of bytes, the second lowest of a number."""
    if isinstance(value, int):
        return value ^ 256
    middle = len(value) // 2
    if isinstance(value, str):
        return value[:middle] + ("x" if value[middle] != "x" else "y") + value[middle + 1 :]
    return value[:middle] + bytes([value[middle] ^ 1]) + value[middle + 1 :]


def made_anew(
    log: EventLog, change: Callable[[int, Leaf], Leaf] = lambda _, leaf: leaf, more: Sequence[Leaf] = ()
) -> EventLog:
    """A log in memory with leaves changed and leaves added, and everything that hangs on them made to fit.

    Versions, `prev`, leaf hashes, answers to offers and idempotency records are those of the new leaves: nothing but
    the laws can tell.
    """
    leaves = [change(row.position, msgspec.json.decode(row.leaf)) for row in log.read(0, 100_000)]
    hashes: dict[str, str] = {}
    ends: dict[str, tuple[int, str]] = {}
    rows: list[Row] = []
    before = [row.leaf_hash for row in log.read(0, 100_000)]
    for index, leaf in enumerate([*leaves, *more]):
        version, prev = ends.get(leaf["stream"], (0, ""))
        answers = {"answers": hashes.get(leaf["body"].get("answers"), leaf["body"].get("answers"))}
        body = {**leaf["body"], **(answers if "answers" in leaf["body"] else {})}
        data = encode({**leaf, "body": body, "stream_version": version + 1, "prev": prev})
        digest = leaf_hash(data)
        ends[leaf["stream"]] = (version + 1, text64(digest))
        if index < len(before):
            hashes[text64(before[index])] = text64(digest)
        rows.append(Row(index + 1, leaf["event_id"], leaf["type"], leaf["stream"], version + 1, data, digest))
    anew = open_log("sqlite:///:memory:", create=True)
    anew.append(rows, _records([*leaves, *more]))
    return anew


def _records(leaves: Sequence[Leaf]) -> list[Remembered]:
    found: list[Remembered] = []
    for position, leaf in enumerate(leaves, start=1):
        key = (leaf["actor"]["authority"], leaf["command_id"])
        if found and (found[-1].authority, found[-1].key) == key:
            one = found.pop()
            found.append(Remembered(*key, one.command_hash, one.first_position, one.count + 1))
        else:
            found.append(Remembered(*key, bytes(32), position, 1))
    return found
