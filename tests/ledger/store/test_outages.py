"""A database that is locked, full or gone answers so, loses nothing acknowledged, and serves again when it is back.

The time-outs are a few seconds each and are waited out here; nothing is measured.
"""

import os
import resource
import signal
import socket
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from ledger.store import (
    AlreadyServed,
    DatabaseUnreachable,
    EventLog,
    LogIsReadOnly,
    engine_of,
    open_log,
)
from ledger.store.log import Reason, Step
from ledger.store.postgres import connections
from ledger.store.postgres import log as postgres_log
from ledger.store.postgres.connections import Connections
from ledger.store.sqlite.log import SQLiteLog
from tests.engines import Server, wheel_server
from tests.ledger.store.backends import PATIENCE, cut_all, path_of, standing_still, stops_backends, wait_for_end
from tests.ledger.store.samples import opened, record, row, rows


@contextmanager
def unreachable(reason: Reason) -> Iterator[None]:
    with pytest.raises(DatabaseUnreachable) as refused:
        yield
    assert refused.value.reason == reason, refused.value


@contextmanager
def held_by_another(url: str) -> Iterator[None]:
    """Another program keeps the log's tables locked."""
    if engine_of(url) == "sqlite":
        other = sqlite3.connect(path_of(url), isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        yield
        other.close()
    else:
        with psycopg.connect(url) as server:
            server.execute("LOCK TABLE stored_events IN EXCLUSIVE MODE")
            yield


def serves_again(log: EventLog, first: int) -> None:
    """As a writer goes on: it reads the tail, then appends after it."""
    assert log.head() == first - 1
    log.append([row(first)], [record(f"after-{first}", first=first)])
    assert log.read(first - 1, 10) == [row(first)]
    assert log.check().is_sound


def test_a_locked_database(database_url: str) -> None:
    with opened(database_url) as log:
        log.append(rows(1, 2), [])
        with held_by_another(database_url):
            with unreachable("locked"):
                log.append(rows(3, 3), [])
            assert log.read(0, 10) == rows(1, 2)
        serves_again(log, 3)


def test_a_table_that_cannot_even_be_read(postgresql_url: str) -> None:
    with opened(postgresql_url) as log, psycopg.connect(postgresql_url) as server:
        log.append(rows(1, 2), [])
        server.execute("LOCK TABLE stored_events IN ACCESS EXCLUSIVE MODE")
        with unreachable("locked"):
            log.read(0, 10)
        server.rollback()
        serves_again(log, 3)


# PostgreSQL: the connection is lost, at rest and in the middle.


def test_connections_lost_at_rest_are_not_noticed(postgresql_url: str) -> None:
    with opened(postgresql_url) as log, ThreadPoolExecutor(6) as threads:
        log.append(rows(1, 1), [])
        list(threads.map(lambda _: log.read(0, 10), range(50)))
        cut_all(postgresql_url)
        assert list(threads.map(lambda _: log.read(0, 10), range(50))) == [rows(1, 1)] * 50
        cut_all(postgresql_url)
        serves_again(log, 2)


@pytest.mark.parametrize("step", ["after-events", "after-leaves", "before-commit"])
def test_a_connection_lost_during_an_append(postgresql_url: str, step: Step) -> None:
    with opened(postgresql_url) as log:
        log.append(rows(1, 2), [])
        log.fault = lambda reached: cut_all(postgresql_url) if reached == step else None
        with unreachable("gone"):
            log.append(rows(3, 4), [record("k", first=3, count=2)])
        log.fault = None
        assert log.remembered([("no-kv", "k")]) == {}
        serves_again(log, 3)


@stops_backends
@pytest.mark.usefixtures("patient_server")
def test_the_answer_of_a_commit_is_lost(postgresql_url: str) -> None:
    """The backend stands still until the client has given up, then finds COMMIT in its socket and commits.

    The writer, which was told nothing, finds its own events by their ids.
    """
    with opened(postgresql_url) as log, psycopg.connect(postgresql_url, autocommit=True) as server:
        with standing_still(log, server, "before-commit") as backend, unreachable("gone"):
            log.append(rows(1, 2), [record("k", first=1, count=2)])
        wait_for_end(server, backend[0])
        assert log.head() == 2
        assert log.positions(["north-1", "north-2"]) == {"north-1": 1, "north-2": 2}
        assert log.remembered_between(1, 2) == [record("k", first=1, count=2)]
        serves_again(log, 3)


@stops_backends
def test_a_server_that_falls_silent(postgresql_url: str) -> None:
    with opened(postgresql_url) as log, psycopg.connect(postgresql_url, autocommit=True) as server:
        log.append(rows(1, 2), [])
        with standing_still(log, server, "after-events") as backend:
            with unreachable("gone"):
                log.append(rows(3, 4), [])
            assert log.read(0, 10) == rows(1, 2)
        wait_for_end(server, backend[0])
        serves_again(log, 3)


def test_waiting_survives_a_lost_connection(postgresql_url: str) -> None:
    with opened(postgresql_url) as log, opened(postgresql_url, create=False) as other, ThreadPoolExecutor() as threads:
        other.append(rows(1, 1), [])
        assert log.wait_for(0, PATIENCE)
        waiting = threads.submit(log.wait_for, 1, PATIENCE)
        cut_all(postgresql_url)
        other.append(rows(2, 2), [])
        assert waiting.result(PATIENCE)


def test_an_append_of_which_no_notification_came_is_heard_of(postgresql_url: str) -> None:
    with opened(postgresql_url) as log, psycopg.connect(postgresql_url, autocommit=True) as server:
        log.append(rows(1, 1), [])
        assert log.wait_for(0, PATIENCE)
        server.execute("INSERT INTO stored_events SELECT 2, 'person:p2', 1, topic, state FROM stored_events")
        assert log.wait_for(1, PATIENCE)


def test_a_notification_is_heard_at_once(postgresql_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not only when the head is asked for, which takes longer than the test waits."""
    monkeypatch.setattr(postgres_log, "POLL_SECONDS", PATIENCE)
    with opened(postgresql_url) as log, opened(postgresql_url, create=False) as other:
        other.append(rows(1, 1), [])
        assert log.wait_for(0, PATIENCE / 2)
        for position in range(2, 5):
            other.append(rows(position, position), [])
            assert log.wait_for(position - 1, PATIENCE / 2)
        with ThreadPoolExecutor() as threads:
            closing = threads.submit(log.close)
            # It listens until its connection is cut.
            while not closing.done():
                cut_all(postgresql_url)


@pytest.fixture
def own_server() -> Iterator[Server]:
    with wheel_server() as server:
        yield server


def test_a_server_that_stops_and_comes_back(own_server: Server) -> None:
    url = own_server.create_database()
    with opened(url) as log, opened(url, create=False) as other, ThreadPoolExecutor() as threads:
        log.append(rows(1, 2), [])
        assert other.wait_for(1, PATIENCE)
        waiting = threads.submit(other.wait_for, 3, PATIENCE)
        own_server.stop()
        calls: list[Callable[[], object]] = [
            log.head,
            lambda: log.read(0, 10),
            lambda: log.append(rows(3, 3), []),
            lambda: log.remembered([("no-kv", "k")]),
            log.check,
            lambda: open_log(url),
        ]
        for call in calls:
            with unreachable("gone"):
                call()
        own_server.start()
        serves_again(log, 3)
        serves_again(log, 4)
        assert waiting.result(PATIENCE)


def test_a_host_that_says_nothing_keeps_only_the_first_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes connections and never speaks: who asks right after somebody waited in vain is told so at once."""
    monkeypatch.setattr(connections, "REST_SECONDS", PATIENCE)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        asked = Connections(f"postgresql://127.0.0.1:{port}/custody", lambda _: None)
        silent.settimeout(PATIENCE)
        for _ in range(3):
            with pytest.raises((psycopg.OperationalError, DatabaseUnreachable), match="timeout"), asked.lend():
                pass
        silent.accept()[0].close()
        silent.settimeout(0)
        with pytest.raises(BlockingIOError):
            silent.accept()


@contextmanager
def many_descriptors() -> Iterator[None]:
    """More files are open than `select` has numbers for, as in a server with a thousand clients."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(2_048, limits[1]), limits[1]))
    taken = [os.open(os.devnull, os.O_RDONLY) for _ in range(1_024)]
    try:
        yield
    finally:
        for descriptor in taken:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_a_connection_opened_beside_a_thousand_others(postgresql_url: str) -> None:
    with many_descriptors(), opened(postgresql_url) as log:
        serves_again(log, 1)


def test_a_server_that_takes_no_writes_any_more(postgresql_url: str) -> None:
    """As a primary does that has become a standby."""
    name = conninfo_to_dict(postgresql_url)["dbname"]
    with opened(postgresql_url) as log:
        administer(postgresql_url, f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
        cut_all(postgresql_url)
        with unreachable("gone"):
            log.append(rows(1, 1), [])
        administer(postgresql_url, f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
        cut_all(postgresql_url)
        serves_again(log, 1)


def administer(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True, options="-c default_transaction_read_only=off") as server:
        server.execute(statement)


@pytest.mark.parametrize("table", ["stored_events", "leaves", "idempotency"])
def test_a_full_disk_on_postgresql(postgresql_url: str, table: str) -> None:
    with opened(postgresql_url) as log, psycopg.connect(postgresql_url, autocommit=True) as server:
        log.append(rows(1, 2), [])
        server.execute(
            "CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'could not extend file: no space left' USING ERRCODE = '53100'; END $$"
        )
        server.execute(f"CREATE TRIGGER full_disk BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION fill()")
        with unreachable("full"):
            log.append(rows(3, 4), [record("k", first=3, count=2)])
        assert log.read(0, 10) == rows(1, 2)
        server.execute(f"DROP TRIGGER full_disk ON {table}")
        serves_again(log, 3)


# SQLite: one writing process, a file that fills, a file that goes.


def test_a_second_writing_process_is_refused(sqlite_url: str) -> None:
    with opened(sqlite_url) as log, ProcessPoolExecutor(1, mp_context=get_context("spawn")) as processes:
        log.append(rows(1, 2), [])
        refusal = processes.submit(opening_fails, sqlite_url).result(PATIENCE)
        assert refusal is not None
        assert f"already served by process {os.getpid()}" in refusal
        with pytest.raises(AlreadyServed):
            open_log(sqlite_url)
        log.close()
        assert processes.submit(opening_fails, sqlite_url).result(PATIENCE) is None


def opening_fails(url: str) -> str | None:
    try:
        with opened(url, create=False):
            return None
    except AlreadyServed as refused:
        return str(refused)


def test_other_processes_read_beside_the_writer(sqlite_url: str) -> None:
    with opened(sqlite_url) as log, ProcessPoolExecutor(1, mp_context=get_context("spawn")) as processes:
        log.append(rows(1, 2), [])
        reading = processes.submit(read_beside, sqlite_url, 5)
        for position in range(3, 6):
            log.append(rows(position, position), [])
        assert reading.result(PATIENCE) == rows(1, 5)


def read_beside(url: str, until: int) -> list[object]:
    seen: list[object] = []
    with opened(url, create=False, exclusive=False) as log:
        while len(seen) < until and log.wait_for(len(seen), PATIENCE):
            seen += log.read(len(seen), 2)
    return seen


def test_a_reader_beside_the_writer_does_not_append(sqlite_url: str) -> None:
    with opened(sqlite_url), opened(sqlite_url, create=False, exclusive=False) as reader:
        with pytest.raises(LogIsReadOnly):
            reader.append(rows(1, 1), [])
        assert reader.head() == 0


def test_the_file_is_forced_to_disk(sqlite_url: str) -> None:
    with opened(sqlite_url) as log:
        assert isinstance(log, SQLiteLog)
        modes = [log._select(f"PRAGMA {name}") for name in ("journal_mode", "synchronous")]
        assert modes == [[("wal",)], [(2,)]]


def test_a_file_that_was_moved_away_takes_nothing(sqlite_url: str) -> None:
    path = path_of(sqlite_url)
    elsewhere = path.with_name("elsewhere.db")
    with opened(sqlite_url) as log:
        log.append(rows(1, 2), [])
        path.rename(elsewhere)
        with unreachable("gone"):
            log.append(rows(3, 3), [])
        with unreachable("gone"):
            log.read(0, 10)
        path.touch()
        with unreachable("gone"):
            log.append(rows(3, 3), [])
        elsewhere.rename(path)
        serves_again(log, 3)


def test_a_file_that_goes_during_an_append(sqlite_url: str) -> None:
    path = path_of(sqlite_url)
    elsewhere = path.with_name("elsewhere.db")
    with opened(sqlite_url) as log:
        log.append(rows(1, 2), [])

        def move_away(step: Step) -> None:
            if step == "before-commit":
                path.rename(elsewhere)

        log.fault = move_away
        with unreachable("gone"):
            log.append(rows(3, 3), [])
        log.fault = None
        elsewhere.rename(path)
        serves_again(log, 3)


def test_a_full_disk_on_sqlite(sqlite_url: str) -> None:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as processes:
        acknowledged, after = processes.submit(fill_the_disk, sqlite_url).result(PATIENCE)
    assert acknowledged > 0
    assert after == acknowledged
    with opened(sqlite_url, create=False) as log:
        assert [one.position for one in log.read(0, 100_000)] == list(range(1, acknowledged + 2))
        assert log.check().is_sound


def fill_the_disk(url: str) -> tuple[int, int]:
    """Append until the process may write no longer file; then with room again. The head before and after the end."""
    with opened(url) as log:
        _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, most))
        acknowledged = 0
        with unreachable("full"):
            while True:
                log.append(rows(acknowledged + 1, acknowledged + 20), [record(f"k{acknowledged}", first=1)])
                acknowledged += 20
        head = log.head()
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
        log.append([row(head + 1)], [])
    return acknowledged, head


def test_a_disk_that_is_full_when_it_is_opened(sqlite_url: str) -> None:
    with opened(sqlite_url) as log:
        log.append(rows(1, 2), [])
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as processes:
        processes.submit(open_on_a_full_disk, sqlite_url).result(PATIENCE)
    with opened(sqlite_url, create=False) as log:
        assert log.read(0, 10) == rows(1, 2)


def open_on_a_full_disk(url: str) -> None:
    """And again once there is room: the first try has let the lock go."""
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, most))
    with unreachable("full"):
        open_log(url)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    open_log(url).close()


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with unreachable("gone"):
        open_log(f"sqlite:///{tmp_path / 'nowhere' / 'custody.db'}", create=True)
