"""The log in PostgreSQL: any number of writing processes, kept apart by one unique index on the position.

A writer inserts the positions that follow the head it knows. Of two that race, the later waits on
the index until the earlier has committed, and is then refused. So positions become visible in
their order, without the table lock that the library takes.

Nothing is repeated here. The library tries a failed insert up to ten times, which finds its own
rows where only the answer of the commit was lost, and waits minutes for a server that is gone. Its
pool, too, would back off for as long as the outage lasted; ours connects when it is asked.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from threading import Event, Lock, Thread
from typing import Any, Final

import psycopg
from eventsourcing.persistence import InfrastructureFactory, StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore, PostgresFactory
from eventsourcing.utils import Environment, EnvType
from psycopg import Cursor
from psycopg.rows import DictRow, tuple_row

from ledger.store.application import CREATE_TABLE, DATABASE_URL, LedgerApplication, library_environment
from ledger.store.log import DatabaseUnreachable, LogCheck, LogIsMissing, Remembered, Row, SchemaIsUnknown
from ledger.store.postgres.anchor import Anchor
from ledger.store.postgres.connections import DURABLE, Connections, LogConnection, reason_of, require_one_server
from ledger.store.postgres.turns import Turns
from ledger.store.recorded import Batch, HeadSignal, Parameter, Queries, RecordedLog, risen
from ledger.store.schema import EVENTS, POSTGRES_FENCES, SCHEMA_TABLE, SCHEMA_VERSION, TABLES, postgres_statements

# How long the listening thread goes without asking for the head, when no notification wakes it.
POLL_SECONDS: Final = 0.2
OLDEST_SERVER: Final = 150_000

_ROW_COLUMNS: Final = (
    "e.notification_id, l.event_id, e.topic, e.originator_id, e.originator_version, e.state, l.leaf_hash"
)
_RECORD_COLUMNS: Final = "i.authority, i.key, i.command_hash, i.first_position, i.count"
# One look-up an event, whatever the server thinks of the tables' sizes: it would go through all leaves for a few.
_ITS_LEAF: Final = "LEFT JOIN LATERAL (SELECT * FROM leaves WHERE position = e.notification_id LIMIT 1) l ON true"

_QUERIES: Final = Queries(
    head=f"SELECT max(notification_id) FROM {EVENTS}",
    # Told for both tables: a join that merges them would read the leaves from the first one on.
    page=f"SELECT {_ROW_COLUMNS} FROM (SELECT %s::bigint AS after) asked "
    f"JOIN {EVENTS} e ON e.notification_id > asked.after "
    "LEFT JOIN leaves l ON l.position = e.notification_id AND l.position > asked.after "
    "ORDER BY e.notification_id LIMIT %s",
    at=f"SELECT {_ROW_COLUMNS} FROM {EVENTS} e {_ITS_LEAF} "
    "WHERE e.notification_id = ANY(%s::bigint[]) ORDER BY e.notification_id",
    stream=f"SELECT {_ROW_COLUMNS} FROM {EVENTS} e {_ITS_LEAF} "
    "WHERE e.originator_id = %s ORDER BY e.originator_version",
    leaf_hashes="SELECT position, leaf_hash FROM leaves WHERE position > %s ORDER BY position LIMIT %s",
    positions="SELECT event_id, position FROM leaves WHERE event_id = ANY(%s)",
    remembered=f"SELECT {_RECORD_COLUMNS} FROM unnest(%s::text[], %s::text[]) AS asked(authority, key) "
    "JOIN idempotency i ON i.authority = asked.authority AND i.key = asked.key",
    remembered_between=f"SELECT {_RECORD_COLUMNS} FROM idempotency i "
    "WHERE first_position BETWEEN %s AND %s ORDER BY first_position, authority, key",
    counts=f"""SELECT coalesce(max(notification_id), 0), count(*),
        (SELECT count(*) FROM leaves), (SELECT count(*) FROM idempotency),
        (SELECT count(*) FROM {EVENTS} e
            WHERE NOT EXISTS (SELECT 1 FROM leaves l WHERE l.position = e.notification_id)),
        (SELECT count(*) FROM idempotency i
            WHERE i.count > 0 AND i.first_position + i.count - 1 > (SELECT max(notification_id) FROM {EVENTS}))
        FROM {EVENTS}""",
)

# The head is that from before the statement: of two that race, the later waits at the index and is refused there.
_INSERT_EVENTS: Final = f"""
    WITH head AS (SELECT max(notification_id) FROM {EVENTS}),
    inserted AS (
        INSERT INTO {EVENTS} (notification_id, originator_id, originator_version, topic, state)
        SELECT * FROM unnest(%s::bigint[], %s::text[], %s::bigint[], %s::text[], %b::bytea[]))
    SELECT max FROM head"""

# One notification for the batch, which PostgreSQL sends when the transaction has committed.
_INSERT_BESIDE: Final = """
    WITH hashed AS (
        INSERT INTO leaves (position, event_id, leaf_hash)
        SELECT * FROM unnest(%s::bigint[], %s::text[], %b::bytea[])),
    remembered AS (
        INSERT INTO idempotency (authority, key, command_hash, first_position, count)
        SELECT * FROM unnest(%s::text[], %s::text[], %b::bytea[], %s::bigint[], %s::integer[]))
    SELECT pg_notify(%s, '')"""


class LogDatastore(PostgresDatastore):
    """The library's datastore over our connections: any libpq URL, errors with a reason, no retry above them.

    The library's knows host, port, user and password only: no TLS, no second host.
    """

    def __init__(self, url: str) -> None:
        # The pool that the library makes of these stays unopened.
        super().__init__("", "", "", "", "", originator_id_type="text")
        self.anchor = Anchor()
        self.connections = Connections(url, self.anchor.require_in)
        self.turns = Turns(self.connections)
        with self.get_connection() as connection:
            found = connection.execute("SELECT current_schema() AS name").fetchone()
        # The library's own statements name the schema; those of the log leave it to the search path.
        self.schema = found["name"] if found else self.schema

    @contextmanager
    def get_connection(self) -> Iterator[psycopg.Connection[DictRow]]:
        with self._lent(self.turns.connection) as connection:
            yield connection

    @contextmanager
    def _lent(self, turn: LogConnection | None) -> Iterator[LogConnection]:
        """The connection of a turn, one that is lent where there is none; what the driver raises, by our names."""
        try:
            with nullcontext(turn) if turn is not None else self.connections.lend() as connection:
                try:
                    yield connection
                except psycopg.errors.ReadOnlySqlTransaction:
                    self.connections.forsake(connection)
                    raise
        except psycopg.Error as error:
            raise risen(error, reason_of(error)) from error

    @contextmanager
    def committing(self) -> Iterator[Cursor[DictRow]]:
        """A transaction that is committed at the end of the block, and with it this thread's turn, if it has one."""
        turn = self.turns.finish()
        with self._lent(turn) as connection:
            try:
                if turn is None:
                    connection.execute("BEGIN")
                yield connection.cursor()
                connection.commit_durably()
            except BaseException:
                connection.break_off()
                raise

    def register_type_adapters(self) -> None:
        """Nothing to register: the log's arrays are of plain types."""

    def close(self) -> None:
        # Also called by the library's destructor, on a datastore that never came to its connections.
        if hasattr(self, "connections"):
            self.connections.close()


class LogRecorder(PostgresApplicationRecorder):
    """The library's recorder with explicit positions, and leaf hashes and idempotency records beside the events."""

    def __init__(self, datastore: LogDatastore) -> None:
        super().__init__(datastore, events_table_name=EVENTS)
        self._log_datastore = datastore

    def create_table(self) -> None:
        with self.datastore.transaction(commit=True) as cursor:
            for statement in postgres_statements():
                cursor.execute(statement)

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int]:
        batch: Batch = kwargs["batch"]
        with self._log_datastore.committing() as cursor:
            self._insert_stored_events(cursor, stored_events, **kwargs)
            self._insert_beside(cursor, batch)
            batch.reach("before-commit")
        return [row.position for row in batch.rows]

    def _insert_stored_events(self, curs: Cursor[DictRow], stored_events: Sequence[StoredEvent], **kwargs: Any) -> None:
        batch: Batch = kwargs["batch"]
        found = curs.execute(
            _INSERT_EVENTS,
            [
                [row.position for row in batch.rows],
                [stored.originator_id for stored in stored_events],
                [stored.originator_version for stored in stored_events],
                [stored.topic for stored in stored_events],
                [stored.state for stored in stored_events],
            ],
        ).fetchone()
        batch.require_follows((found and found["max"]) or 0)
        batch.reach("after-events")

    def _insert_beside(self, cursor: Cursor[DictRow], batch: Batch) -> None:
        cursor.execute(
            _INSERT_BESIDE,
            [
                [row.position for row in batch.rows],
                [row.event_id for row in batch.rows],
                [row.leaf_hash for row in batch.rows],
                [record.authority for record in batch.remembered],
                [record.key for record in batch.remembered],
                [record.command_hash for record in batch.remembered],
                [record.first_position for record in batch.remembered],
                [record.count for record in batch.remembered],
                self.channel_name,
            ],
        )
        batch.reach("after-leaves")


class PostgresLogFactory(PostgresFactory):
    """Builds the log's recorder over the database that `CUSTODY_DATABASE_URL` names."""

    def __init__(self, env: Environment | EnvType | None) -> None:
        # The library's own constructor reads host, port, name, user and password one by one.
        InfrastructureFactory.__init__(self, env)
        self.datastore: LogDatastore = LogDatastore(self.env[DATABASE_URL])

    def application_recorder(self) -> LogRecorder:
        recorder = LogRecorder(self.datastore)
        if self.env_create_table():
            recorder.create_table()
        return recorder


class HeadListener:
    """A thread that hears of every append, by LISTEN and by asking now and then, and survives an outage."""

    def __init__(self, connections: Connections, channel: str, signal: HeadSignal) -> None:
        self._connections = connections
        self._channel = channel
        self._signal = signal
        self._closing = Event()
        self._thread = Thread(target=self._run, name="custody-listen", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                with self._connections.connect() as connection:
                    self._follow(connection)
            except (psycopg.Error, DatabaseUnreachable):
                # The next round asks for the head first: what was appended meanwhile is not missed.
                self._closing.wait(POLL_SECONDS)

    def _follow(self, connection: LogConnection) -> None:
        # A standby that is read from has no notifications and is only asked.
        if connection.takes_writes:
            connection.execute(f'LISTEN "{self._channel}"')
        # From a server that takes no writes any more there is nothing to hear.
        while connection.is_fit and not self._closing.is_set():
            found = connection.execute(_QUERIES.head).fetchone()
            self._signal.announce((found and found["max"]) or 0)
            for _ in connection.notifies(timeout=POLL_SECONDS, stop_after=1):
                pass

    def close(self) -> None:
        self._closing.set()
        self._thread.join()


class PostgresLog(RecordedLog):
    """The log in a PostgreSQL database; several may be open on one, each in its own process."""

    engine = "postgresql"
    queries = _QUERIES

    def __init__(self, application: LedgerApplication) -> None:
        super().__init__(application)
        assert isinstance(application.factory, PostgresLogFactory)
        self._datastore: LogDatastore = application.factory.datastore
        self._listener: HeadListener | None = None
        self._listener_lock = Lock()
        # Up to here the log is known to be on the standby, too.
        self._durable = 0

    @classmethod
    def open(cls, url: str, *, create: bool) -> "PostgresLog":
        """See `open_log`."""
        require_one_server(url)
        application = LedgerApplication({**library_environment(url), CREATE_TABLE: "yes" if create else "no"})
        try:
            log = cls(application)
            log._require_schema()
        except BaseException:
            application.close()
            raise
        return log

    def _require_schema(self) -> None:
        [(database, found)] = self._select("SELECT current_database(), to_regclass(%s) IS NOT NULL", SCHEMA_TABLE)
        if not found:
            raise LogIsMissing(f"the database {database}")
        [(version,)] = self._select(f"SELECT version FROM {SCHEMA_TABLE}")
        if version != SCHEMA_VERSION:
            raise SchemaIsUnknown(version, SCHEMA_VERSION)

    def _select(self, query: str, *parameters: Parameter) -> list[tuple[Any, ...]]:
        with self._datastore.get_connection() as connection, connection.cursor(row_factory=tuple_row) as cursor:
            return cursor.execute(query, parameters, binary=True).fetchall()

    def _names(self, names: Collection[str]) -> Parameter:
        return list(names)

    def _pairs(self, pairs: Collection[tuple[str, str]]) -> list[Parameter]:
        return [[authority for authority, _ in pairs], [key for _, key in pairs]]

    def append(self, rows: Sequence[Row], remembered: Sequence[Remembered]) -> None:
        super().append(rows, remembered)
        if rows:
            self._durable = rows[-1].position
            self._datastore.anchor.drop(rows[-1])

    def read(self, after: int, limit: int) -> list[Row]:
        rows = super().read(after, limit)
        if rows:
            self._datastore.anchor.drop(rows[-1])
        return rows

    def turn(self) -> AbstractContextManager[None]:
        return self._datastore.turns.take()

    def confirm(self, position: int) -> None:
        if position <= self._durable:
            return
        # What is committed later is on the standby no earlier. A message in the write-ahead log that nobody reads.
        with self._datastore.committing() as cursor:
            cursor.execute("SELECT pg_logical_emit_message(true, 'custody', '')")
        self._durable = max(self._durable, position)

    def wait_for(self, after: int, timeout: float) -> bool:
        with self._listener_lock:
            if self._listener is None and not self._signal.is_closed:
                self._listener = HeadListener(self._datastore.connections, EVENTS, self._signal)
        return self._signal.wait(after, timeout)

    def check(self) -> LogCheck:
        # Apart from the lent connections, as counting everything takes longer than those may.
        try:
            with self._datastore.connections.connect() as connection:
                connection.answer_seconds = None
                connection.execute("SET statement_timeout = 0")
                return self._inspect(connection.cursor(row_factory=tuple_row))
        except psycopg.Error as error:
            raise risen(error, reason_of(error)) from error

    def _inspect(self, cursor: Cursor[tuple[Any, ...]]) -> LogCheck:
        problems: list[str] = []
        warnings = list(self._doubts(cursor))
        tables = [list(TABLES)]
        fences = cursor.execute(
            "SELECT tgname FROM pg_trigger WHERE tgrelid = ANY(%s::regclass[]) AND tgenabled <> 'D'", tables
        ).fetchall()
        problems += [f"the fence {fence} is down" for fence in POSTGRES_FENCES if (fence,) not in fences]
        broken = cursor.execute(
            "SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = ANY(%s::regclass[]) AND NOT indisvalid",
            tables,
        ).fetchall()
        problems += [f"the index {name} is invalid" for (name,) in broken]
        [[size]] = cursor.execute(
            "SELECT sum(pg_total_relation_size(t))::bigint FROM unnest(%s::regclass[]) AS t", tables
        ).fetchall()
        [[version]] = cursor.execute(f"SELECT version FROM {SCHEMA_TABLE}").fetchall()
        [counts] = cursor.execute(_QUERIES.counts).fetchall()
        return self._check_of(counts, schema_version=version, bytes_on_disk=size, problems=problems, warnings=warnings)

    def _doubts(self, cursor: Cursor[tuple[Any, ...]]) -> Iterator[str]:
        """The server's settings under which an acknowledged event might not survive."""
        names = ["server_version_num", "fsync", "full_page_writes", "synchronous_commit", "synchronous_standby_names"]
        # What each would be without our own session's settings.
        asked = "SELECT name, reset_val FROM pg_settings WHERE name = ANY(%s)"
        settings: dict[str, str] = dict(cursor.execute(asked, [names]).fetchall())
        if int(settings["server_version_num"]) < OLDEST_SERVER:
            yield f"the server is older than PostgreSQL {OLDEST_SERVER // 10_000}"
        for name in ("fsync", "full_page_writes"):
            if settings[name] != "on":
                yield f"{name} is {settings[name]}"
        if settings["synchronous_commit"] not in DURABLE:
            yield f"synchronous_commit is {settings['synchronous_commit']}, which this service overrules"
        if self._datastore.connections.has_several_hosts and not settings["synchronous_standby_names"]:
            yield "synchronous_standby_names is empty: there are several hosts, and no commit waits for a standby"

    def close(self) -> None:
        super().close()
        with self._listener_lock:
            if self._listener is not None:
                self._listener.close()
                self._listener = None
