"""The log is the library's: its own readers, runners and applications see every event once, in order."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from eventsourcing.application import Application
from eventsourcing.compressor import ZlibCompressor
from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import IntegrityError, JSONTranscoder, Tracking
from eventsourcing.postgres import PostgresDatastore, PostgresFactory, PostgresTrackingRecorder
from eventsourcing.projection import Projection, ProjectionRunner
from eventsourcing.system import NotificationLogReader
from psycopg.conninfo import conninfo_to_dict

from ledger.store import EventLog, Row, engine_of
from ledger.store.application import LedgerApplication, library_environment
from ledger.store.mapper import LeafEvent, LeafMapper
from tests.ledger.http.house import House, house_at
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


def watching(url: str, projection: type[Watching] = Watching) -> ProjectionRunner[LedgerApplication, SeenEvents]:
    """The library's own runner over our log."""
    return ProjectionRunner(
        application_class=LedgerApplication,
        projection_class=projection,
        view_class=SeenEvents,
        env=library_environment(url),
    )


def test_the_projection_runner_sees_every_event_once(postgresql_url: str) -> None:
    with opened(postgresql_url) as log:
        log.append(rows(1, 600), [])
        with watching(postgresql_url) as runner:
            runner.wait(600, timeout=PATIENCE)
            for position in range(601, 611):
                log.append(rows(position, position), [])
            runner.wait(610, timeout=PATIENCE)
            assert runner.view.seen == [(row.position, as_the_library_sees(row)) for row in rows(1, 610)]


def test_the_projection_runner_goes_on_where_it_stopped(postgresql_url: str) -> None:
    def run_to(position: int) -> list[int]:
        with watching(postgresql_url) as runner:
            runner.wait(position, timeout=PATIENCE)
            return [position for position, _ in runner.view.seen]

    with opened(postgresql_url) as log:
        log.append(rows(1, 20), [])
        assert run_to(20) == list(range(1, 21))
        log.append(rows(21, 30), [])
        assert run_to(30) == list(range(21, 31))


COMMANDS = 150


def recorded_by(house: House, name: str) -> None:
    for number in range(COMMANDS):
        fields = {"authority": f"{name}-{number}", "state": "NO", "legal_name": name, "outside_register": False}
        house.do("keeper", "register-authority", **fields)


def read_to(application: LedgerApplication, position: int) -> list[tuple[int, DomainEventProtocol[str]]]:
    """What a reader of the library sees that asks again and again behind the last it has."""
    reader = NotificationLogReader(application.notification_log)
    found: list[tuple[int, DomainEventProtocol[str]]] = []
    while len(found) < position:
        page = list(reader.read(start=len(found) + 1))
        found.extend((one.id, application.mapper.to_domain_event(one)) for one in page)
    return found


def test_followers_of_the_library_see_every_event_once_while_commands_are_recorded(database_url: str) -> None:
    """A reader on either engine, and beside it a runner on PostgreSQL, which has subscriptions."""
    with (
        house_at(database_url, run_views=False) as house,
        LedgerApplication(library_environment(database_url)) as application,
        ThreadPoolExecutor() as threads,
    ):
        last = house.head + 2 * COMMANDS
        reading = threads.submit(read_to, application, last)
        recording = [threads.submit(recorded_by, house, name) for name in ("left", "right")]
        if engine_of(database_url) == "postgresql":
            with watching(database_url) as runner:
                runner.wait(last, timeout=PATIENCE)
                seen = list(runner.view.seen)
        else:
            seen = []
        for one in recording:
            one.result(PATIENCE)
        read = reading.result(PATIENCE)
        log = [(row.position, as_the_library_sees(row)) for row in house.service.log.read(0, 10_000)]
    assert len(log) == last
    assert read == log
    assert seen in (log, [])
    assert bool(seen) == (engine_of(database_url) == "postgresql")


class Stumbling(Watching):
    """Cannot take one event, until that is put right."""

    stumbles = True

    def process_event(self, domain_event: DomainEventProtocol[str], tracking: Tracking) -> None:
        if self.stumbles and tracking.notification_id == 5:
            raise Stumbled
        super().process_event(domain_event, tracking)


class Stumbled(Exception):
    """What a projection raises that cannot take an event."""


def test_a_runner_that_stops_at_an_event_goes_on_with_it(postgresql_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library's runner ends on any exception; what it has taken is tracked, and is not taken again."""
    with opened(postgresql_url) as log:
        log.append(rows(1, 9), [])
        with pytest.raises(Stumbled), watching(postgresql_url, Stumbling) as runner:
            runner.run_forever(timeout=PATIENCE)
        assert [position for position, _ in runner.view.seen] == [1, 2, 3, 4]
        monkeypatch.setattr(Stumbling, "stumbles", False)
        with watching(postgresql_url, Stumbling) as runner:
            runner.wait(9, timeout=PATIENCE)
            assert [position for position, _ in runner.view.seen] == [5, 6, 7, 8, 9]


def test_a_follower_that_begins_anew_needs_a_new_name(postgresql_url: str) -> None:
    """The library's tracking never goes backwards under one name."""
    with opened(postgresql_url) as log, LedgerApplication(library_environment(postgresql_url)) as application:
        log.append(rows(1, 3), [])
        assert isinstance(application.factory, PostgresFactory)
        view = application.factory.tracking_recorder(SeenEvents)
        view.create_table()
        view.insert_tracking(Tracking(application.name, 3))
        for position in (1, 3):
            with pytest.raises(IntegrityError):
                view.insert_tracking(Tracking(application.name, position))
        assert view.max_tracking_id(application.name) == 3
        view.insert_tracking(Tracking(f"{application.name}-2", 1))


def test_a_page_holds_more_than_the_librarys_ten(log: EventLog, database_url: str) -> None:
    log.append(rows(1, 30), [])
    with LedgerApplication(library_environment(database_url)) as application:
        assert [one.id for one in application.notification_log.select(1, 5_000)] == list(range(1, 31))
    with Stored(stock_environment(database_url)) as stock, pytest.raises(ValueError, match="section size 10"):
        stock.notification_log.select(1, 30)


def test_what_is_stored_names_no_python_path(log: EventLog, database_url: str) -> None:
    log.append(rows(1, 3), [])
    with LedgerApplication(library_environment(database_url)) as application:
        [*notifications] = application.notification_log.select(1, 10)
        assert {one.topic for one in notifications} == {"person-registered.v1"}
        assert [one.state for one in notifications] == [row.leaf for row in rows(1, 3)]


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
