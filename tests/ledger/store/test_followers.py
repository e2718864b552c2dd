"""The log is the library's: its own readers, runners and applications see every event once, in order."""

from collections.abc import Iterator

import psycopg
import pytest
from eventsourcing.application import Application
from eventsourcing.compressor import ZlibCompressor
from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import JSONTranscoder, Tracking
from eventsourcing.postgres import PostgresDatastore, PostgresTrackingRecorder
from eventsourcing.projection import Projection, ProjectionRunner
from eventsourcing.system import NotificationLogReader
from psycopg.conninfo import conninfo_to_dict

from ledger.store import EventLog, Row, engine_of
from ledger.store.application import LedgerApplication, library_environment
from ledger.store.mapper import LeafEvent, LeafMapper
from tests.ledger.store.samples import opened, record, rows

PATIENCE = 60


@pytest.fixture
def log(database_url: str) -> Iterator[EventLog]:
    with opened(database_url) as log:
        yield log


def as_the_library_sees(row: Row) -> LeafEvent:
    return LeafEvent(row.stream, row.stream_version, row.type, row.leaf)


class Stored(Application[str]):
    """An application of the library with nothing of ours but the mapper; its name gives the table's prefix."""

    name = "stored"


def stock_environment(url: str) -> dict[str, str]:
    shared = {"MAPPER_TOPIC": "ledger.store.mapper:LeafMapper", "ORIGINATOR_ID_TYPE": "text", "CREATE_TABLE": "no"}
    if engine_of(url) == "sqlite":
        return shared | {"PERSISTENCE_MODULE": "eventsourcing.sqlite", "SQLITE_DBNAME": url.removeprefix("sqlite:///")}
    server = {name: str(value) for name, value in conninfo_to_dict(url).items()}
    return shared | {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": server["dbname"],
        "POSTGRES_HOST": server["host"],
        "POSTGRES_PORT": server.get("port", "5432"),
        "POSTGRES_USER": server["user"],
        "POSTGRES_PASSWORD": server.get("password", ""),
    }


@pytest.mark.parametrize("is_ours", [True, False], ids=["our application", "the library's"])
def test_the_notification_log_reader_sees_every_event_once(log: EventLog, database_url: str, is_ours: bool) -> None:
    log.append(rows(1, 7), [record("k", first=1)])
    log.append(rows(8, 25), [])
    kind, environment = (
        (LedgerApplication, library_environment(database_url)) if is_ours else (Stored, stock_environment(database_url))
    )
    with kind(environment) as application:
        reader = NotificationLogReader(application.notification_log)
        notifications = list(reader.read(start=1))
        assert [one.id for one in notifications] == list(range(1, 26))
        assert list(map(application.mapper.to_domain_event, notifications)) == [
            as_the_library_sees(row) for row in rows(1, 25)
        ]
        log.append(rows(26, 30), [])
        assert [one.id for one in reader.read(start=26)] == list(range(26, 31))
        assert list(application.events.get("person:p9")) == [as_the_library_sees(rows(9, 9)[0])]
        assert application.recorder.max_notification_id() == 30


class SeenEvents(PostgresTrackingRecorder):
    """A view that keeps what it was shown in memory and its place in the database."""

    def __init__(self, datastore: PostgresDatastore, *, tracking_table_name: str) -> None:
        super().__init__(datastore, tracking_table_name=tracking_table_name)
        self.seen: list[tuple[int, DomainEventProtocol[str]]] = []


class Watching(Projection[SeenEvents]):
    def process_event(self, domain_event: DomainEventProtocol[str], tracking: Tracking) -> None:
        self.view.insert_tracking(tracking)
        self.view.seen.append((tracking.notification_id, domain_event))


def test_the_projection_runner_sees_every_event_once(postgresql_url: str) -> None:
    with opened(postgresql_url) as log:
        log.append(rows(1, 600), [])
        with ProjectionRunner(
            application_class=LedgerApplication,
            projection_class=Watching,
            view_class=SeenEvents,
            env=library_environment(postgresql_url),
        ) as runner:
            runner.wait(600, timeout=PATIENCE)
            for position in range(601, 611):
                log.append(rows(position, position), [])
            runner.wait(610, timeout=PATIENCE)
            assert runner.view.seen == [(row.position, as_the_library_sees(row)) for row in rows(1, 610)]


def test_the_projection_runner_goes_on_where_it_stopped(postgresql_url: str) -> None:
    def run_to(position: int) -> list[int]:
        with ProjectionRunner(
            application_class=LedgerApplication,
            projection_class=Watching,
            view_class=SeenEvents,
            env=library_environment(postgresql_url),
        ) as runner:
            runner.wait(position, timeout=PATIENCE)
            return [position for position, _ in runner.view.seen]

    with opened(postgresql_url) as log:
        log.append(rows(1, 20), [])
        assert run_to(20) == list(range(1, 21))
        log.append(rows(21, 30), [])
        assert run_to(30) == list(range(21, 31))


def test_one_notification_a_batch(postgresql_url: str) -> None:
    """The library's channel, so that its subscriptions are woken; heard by a listener that is none of ours."""
    with opened(postgresql_url) as log, psycopg.connect(postgresql_url, autocommit=True) as listener:
        listener.execute("LISTEN stored_events")
        log.append(rows(1, 500), [record("k", first=1)])
        log.append(rows(501, 502), [])
        heard = list(listener.notifies(timeout=PATIENCE, stop_after=2))
        assert len(heard) == 2
        assert list(listener.notifies(timeout=0)) == []


def test_nothing_enters_past_the_log(log: EventLog, database_url: str) -> None:
    """An event saved through the library would have no leaf hash."""
    with LedgerApplication(library_environment(database_url)) as application, pytest.raises(KeyError, match="batch"):
        application.save(as_the_library_sees(rows(1, 1)[0]))
    assert log.head() == 0


def test_the_librarys_database_functions_stay_off(postgresql_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With them it numbers events from a sequence, and publishes them out of order (`eventsourcing` 9.5.6)."""
    monkeypatch.setenv("POSTGRES_ENABLE_DB_FUNCTIONS", "yes")
    with opened(postgresql_url) as log, psycopg.connect(postgresql_url) as server:
        log.append(rows(1, 3), [])
        assert log.read(0, 10) == rows(1, 3)
        assert server.execute("SELECT proname FROM pg_proc WHERE proname LIKE 'es_%'").fetchall() == []
        assert server.execute("SELECT relname FROM pg_class WHERE relkind = 'S'").fetchall() == []


def test_an_append_takes_no_table_lock(postgresql_url: str) -> None:
    with opened(postgresql_url) as log, psycopg.connect(postgresql_url, autocommit=True) as server:
        modes: list[tuple[str]] = []

        def look(step: str) -> None:
            if step == "before-commit":
                modes.extend(server.execute("SELECT DISTINCT mode FROM pg_locks WHERE relation IS NOT NULL").fetchall())

        log.fault = look
        log.append(rows(1, 3), [])
        assert ("RowExclusiveLock",) in modes
        assert ("ExclusiveLock",) not in modes


def test_sqlite_has_no_subscriptions(sqlite_url: str) -> None:
    """So a follower there pages through the notification log, and `wait_for` wakes it."""
    with (
        opened(sqlite_url),
        LedgerApplication(library_environment(sqlite_url)) as application,
        pytest.raises(NotImplementedError),
    ):
        application.recorder.subscribe()


def test_leaves_are_neither_compressed_nor_encrypted() -> None:
    with pytest.raises(ValueError, match="as they were hashed"):
        LeafMapper(JSONTranscoder(), compressor=ZlibCompressor())


def test_the_mapper_is_exact() -> None:
    event = as_the_library_sees(rows(1, 1)[0])
    mapper = LeafMapper(JSONTranscoder())
    stored = mapper.to_stored_event(event)
    assert (stored.topic, stored.state) == (event.type, event.leaf)
    assert mapper.to_domain_event(stored) == event
