"""The log in an SQLite file: one writing process, readers beside it, each commit forced to disk."""

import json
from collections.abc import Collection, Sequence
from itertools import chain
from time import monotonic
from typing import Any, Final

from eventsourcing.persistence import InfrastructureFactory, StoredEvent
from eventsourcing.sqlite import SQLiteApplicationRecorder, SQLiteCursor, SQLiteFactory
from eventsourcing.utils import Environment, EnvType

from ledger.store.application import CREATE_TABLE, DATABASE_URL, LedgerApplication, library_environment
from ledger.store.log import (
    DatabaseUnreachable,
    LogCheck,
    LogIsMissing,
    LogIsReadOnly,
    Remembered,
    Row,
    SchemaIsUnknown,
)
from ledger.store.recorded import Batch, Parameter, Queries, RecordedLog
from ledger.store.schema import EVENTS, SCHEMA_TABLE, SCHEMA_VERSION, SQLITE_FENCES, sqlite_statements
from ledger.store.sqlite.connections import MEMORY, LogDatastore
from ledger.store.sqlite.file import WritingLock, path_of
from ledger.store.sqlite.write_back import WriteBack

ROWS_A_STATEMENT_MAX: Final = 128
# How often a waiting reader looks for what another process has appended.
POLL_SECONDS: Final = 0.02

_ROW_COLUMNS: Final = "e.rowid, l.event_id, e.topic, e.originator_id, e.originator_version, e.state, l.leaf_hash"
_RECORD_COLUMNS: Final = "i.authority, i.key, i.command_hash, i.first_position, i.count"

_QUERIES: Final = Queries(
    head="SELECT max(rowid) FROM stored_events",
    page=f"SELECT {_ROW_COLUMNS} FROM stored_events e LEFT JOIN leaves l ON l.position = e.rowid "
    "WHERE e.rowid > ? ORDER BY e.rowid LIMIT ?",
    at=f"SELECT {_ROW_COLUMNS} FROM json_each(?) asked CROSS JOIN stored_events e "
    "ON e.rowid = CAST(asked.value AS INTEGER) LEFT JOIN leaves l ON l.position = e.rowid ORDER BY e.rowid",
    stream=f"SELECT {_ROW_COLUMNS} FROM stored_events e LEFT JOIN leaves l ON l.position = e.rowid "
    "WHERE e.originator_id = ? ORDER BY e.originator_version",
    leaf_hashes="SELECT position, leaf_hash FROM leaves WHERE position > ? ORDER BY position LIMIT ?",
    positions="SELECT event_id, position FROM leaves WHERE event_id IN (SELECT value FROM json_each(?))",
    # CROSS JOIN fixes the order: the keys asked for come first, each is one look-up in the index.
    remembered=f"SELECT {_RECORD_COLUMNS} FROM json_each(?) asked CROSS JOIN idempotency i "
    "ON i.authority = json_extract(asked.value, '$[0]') AND i.key = json_extract(asked.value, '$[1]')",
    remembered_between=f"SELECT {_RECORD_COLUMNS} FROM idempotency i "
    "WHERE first_position BETWEEN ? AND ? ORDER BY first_position, authority, key",
    counts="""SELECT ifnull(max(rowid), 0), count(*),
        (SELECT count(*) FROM leaves), (SELECT count(*) FROM idempotency),
        (SELECT count(*) FROM stored_events e WHERE NOT EXISTS (SELECT 1 FROM leaves l WHERE l.position = e.rowid)),
        (SELECT count(*) FROM idempotency i
            WHERE i.count > 0 AND i.first_position + i.count - 1 > (SELECT max(rowid) FROM stored_events))
        FROM stored_events""",
)


class LogRecorder(SQLiteApplicationRecorder):
    """The library's recorder with explicit positions, and leaf hashes and idempotency records beside the events."""

    def construct_create_table_statements(self) -> list[str]:
        return sqlite_statements()

    def _insert_events(self, c: SQLiteCursor, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int]:
        batch: Batch = kwargs["batch"]
        [head] = c.sqlite_cursor.execute(_QUERIES.head).fetchone()
        batch.require_follows(head or 0)
        _insert(
            c,
            f"{EVENTS} (rowid, originator_id, originator_version, topic, state)",
            [
                (row.position, stored.originator_id, stored.originator_version, stored.topic, stored.state)
                for row, stored in zip(batch.rows, stored_events, strict=True)
            ],
        )
        batch.reach("after-events")
        _insert(
            c,
            "leaves (position, event_id, leaf_hash)",
            [(row.position, row.event_id, row.leaf_hash) for row in batch.rows],
        )
        batch.reach("after-leaves")
        _insert(
            c,
            "idempotency (authority, key, command_hash, first_position, count)",
            [
                (kept.authority, kept.key, kept.command_hash, kept.first_position, kept.count)
                for kept in batch.remembered
            ],
        )
        batch.reach("before-commit")
        return [row.position for row in batch.rows]


def _insert(cursor: SQLiteCursor, into: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert the rows by few statements: each one lets another thread have the interpreter, and must get it back.

    Their lengths are powers of two, so that all of them stay prepared.
    """
    done = 0
    while rest := len(rows) - done:
        count = min(ROWS_A_STATEMENT_MAX, 1 << rest.bit_length() - 1)
        some = rows[done : done + count]
        places = f"({', '.join('?' * len(some[0]))})"
        statement = f"INSERT INTO {into} VALUES {', '.join([places] * count)}"
        cursor.execute(statement, tuple(chain.from_iterable(some)))
        done += count


class SQLiteLogFactory(SQLiteFactory):
    """Builds the log's recorder over the file that `CUSTODY_DATABASE_URL` names."""

    application_recorder_class = LogRecorder

    def __init__(self, env: Environment | EnvType | None) -> None:
        # The library's own constructor reads a database name and builds its own pool from it.
        InfrastructureFactory.__init__(self, env)
        self.datastore: LogDatastore = LogDatastore(path_of(self.env[DATABASE_URL]), create=self.env_create_table())


class SQLiteLog(RecordedLog):
    """The log in a file (or in memory). Opened not `exclusive`, it reads beside the writing process."""

    engine = "sqlite"
    queries = _QUERIES

    def __init__(self, application: LedgerApplication, lock: WritingLock | None, *, is_exclusive: bool) -> None:
        super().__init__(application)
        assert isinstance(application.factory, SQLiteLogFactory)
        self._datastore = application.factory.datastore
        self._lock = lock
        self._is_exclusive = is_exclusive
        self._write_back = WriteBack(self._datastore.write_back) if lock is not None else None

    @classmethod
    def open(cls, url: str, *, create: bool, exclusive: bool) -> "SQLiteLog":
        """See `open_log`."""
        path = path_of(url)
        if path is None:
            create = exclusive = True
        elif not create and not path.exists():
            raise LogIsMissing(str(path))
        assert exclusive or not create, "who creates the log is its writer"
        lock = WritingLock(path) if path is not None and exclusive else None
        application: LedgerApplication | None = None
        try:
            application = LedgerApplication({**library_environment(url), CREATE_TABLE: "yes" if create else "no"})
            log = cls(application, lock, is_exclusive=exclusive)
            log._require_schema(str(path or MEMORY))
        except BaseException:
            if application is not None:
                application.close()
            if lock is not None:
                lock.release()
            raise
        return log

    def _require_schema(self, address: str) -> None:
        if not self._select("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", SCHEMA_TABLE):
            raise LogIsMissing(address)
        [(version,)] = self._select(f"SELECT version FROM {SCHEMA_TABLE}")
        if version != SCHEMA_VERSION:
            raise SchemaIsUnknown(version, SCHEMA_VERSION)

    def append(self, rows: Sequence[Row], remembered: Sequence[Remembered]) -> None:
        if not self._is_exclusive:
            raise LogIsReadOnly("this log was opened beside its writer, to read")
        super().append(rows, remembered)
        if self._write_back is not None:
            self._write_back.committed(len(rows))

    def _select(self, query: str, *parameters: Parameter) -> list[tuple[Any, ...]]:
        with self._datastore.transaction(commit=False) as cursor:
            # Plain tuples: the library's rows by name cost more than reading them.
            cursor.sqlite_cursor.row_factory = None
            return cursor.sqlite_cursor.execute(query, parameters).fetchall()

    def _select_as_stored(self, query: str, *parameters: Parameter) -> list[tuple[Any, ...]]:
        with self._datastore.transaction(commit=False) as cursor:
            connection = cursor.sqlite_cursor.connection
            cursor.sqlite_cursor.row_factory = None
            connection.text_factory = lambda data: data.decode("utf-8", "replace")
            try:
                return cursor.sqlite_cursor.execute(query, parameters).fetchall()
            finally:
                connection.text_factory = str

    def _names(self, names: Collection[str]) -> Parameter:
        return json.dumps(list(names))

    def _pairs(self, pairs: Collection[tuple[str, str]]) -> list[Parameter]:
        return [json.dumps(list(pairs))]

    def wait_for(self, after: int, timeout: float) -> bool:
        deadline = monotonic() + timeout
        while True:
            try:
                self._signal.announce(self.head())
            except DatabaseUnreachable:
                if self._signal.is_closed:
                    return False
                raise
            remaining = max(0, deadline - monotonic())
            if self._signal.wait(after, min(remaining, POLL_SECONDS)):
                return True
            if not remaining or self._signal.is_closed:
                return False

    def check(self) -> LogCheck:
        problems = [text for (text,) in self._select("PRAGMA integrity_check") if text != "ok"]
        standing = {name for (name,) in self._select("SELECT name FROM sqlite_master WHERE type = 'trigger'")}
        problems += [f"the fence {fence} is down" for fence in SQLITE_FENCES if fence not in standing]
        [(version,)] = self._select(f"SELECT version FROM {SCHEMA_TABLE}")
        [(size,)] = self._select("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")
        [counts] = self._select(self.queries.counts)
        return self._check_of(counts, schema_version=version, bytes_on_disk=size, problems=problems, warnings=[])

    def close(self) -> None:
        if self._write_back is not None:
            self._write_back.close()
        super().close()
        if self._lock is not None:
            self._lock.release()
