"""Turns at appending: processes that take them do not beat each other, and whoever stands still in one loses it."""

import os
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from threading import Event

import psycopg
import pytest

from ledger.store import DatabaseUnreachable, EventLog, PositionTaken
from ledger.store.log import Step
from ledger.store.postgres import connections
from ledger.store.postgres.connections import Connections
from ledger.store.postgres.turns import LOCK, Turns
from tests.ledger.store.backends import PATIENCE, TIME_OUTS, cut_all
from tests.ledger.store.samples import opened, record, row, rows
from tests.ledger.store.test_races import BATCHES, wait_until_blocked

WRITERS = 3


def test_an_append_in_a_turn_is_an_append(database_url: str) -> None:
    with opened(database_url) as log:
        with log.turn():
            assert log.head() == 0
            log.append(rows(1, 2), [record("k", first=1, count=2)])
            assert log.read(0, 10) == rows(1, 2)
        with log.turn():
            assert log.head() == 2
        log.append(rows(3, 3), [])
        assert log.check().is_sound


def write_in_turns(url: str, name: str) -> int:
    """Append batches, each decided in a turn; returns how often it was beaten."""
    beaten = 0
    for time_out in TIME_OUTS:
        setattr(connections, time_out, PATIENCE)
    with opened(url, create=False) as log:
        written = 0
        while written < BATCHES:
            with log.turn():
                head = log.head()
                version = len(log.read_stream("facility:shared")) + 1
                try:
                    log.append([row(head + 1, stream="facility:shared", version=version, by=name)], [])
                    written += 1
                except PositionTaken:
                    beaten += 1
    return beaten


def test_processes_that_take_turns_are_never_beaten(postgresql_url: str) -> None:
    with (
        opened(postgresql_url) as log,
        ProcessPoolExecutor(WRITERS, mp_context=get_context("spawn")) as processes,
    ):
        writing = [processes.submit(write_in_turns, postgresql_url, f"w{number}") for number in range(WRITERS)]
        assert [one.result(PATIENCE) for one in writing] == [0] * WRITERS
        assert log.head() == WRITERS * BATCHES


@contextmanager
def in_its_turn(log: EventLog) -> Iterator[tuple[Event, Future[None]]]:
    """A thread has the turn, until the event is set; then it appends to the head it read when the turn began."""
    has_it, goes_on = Event(), Event()

    def take() -> None:
        with log.turn():
            head = log.head()
            has_it.set()
            assert goes_on.wait(PATIENCE)
            log.append([row(head + 1, by="first")], [])

    with ThreadPoolExecutor() as threads:
        taking = threads.submit(take)
        assert has_it.wait(PATIENCE)
        try:
            yield goes_on, taking
        finally:
            goes_on.set()


def test_the_second_waits_and_reads_what_the_first_appended(postgresql_url: str) -> None:
    with opened(postgresql_url) as first, opened(postgresql_url, create=False) as second:
        with in_its_turn(first) as (goes_on, taking), ThreadPoolExecutor() as threads:

            def take() -> list[str]:
                with second.turn():
                    found = [one.event_id for one in second.read(0, 10)]
                    second.append([row(len(found) + 1, by="second")], [])
                    return found

            waiting = threads.submit(take)
            wait_until_blocked(postgresql_url, waiting)
            goes_on.set()
            assert waiting.result(PATIENCE) == ["first-1"]
        taking.result(PATIENCE)


def test_an_append_without_a_turn_is_first_all_the_same(postgresql_url: str) -> None:
    """And whoever was beaten in its turn has lost it, so that nobody waits while it reads the tail."""
    with opened(postgresql_url) as first, opened(postgresql_url, create=False) as second:
        with in_its_turn(first) as (goes_on, taking):
            second.append([row(1, by="second")], [])
            goes_on.set()
            assert isinstance(taking.exception(PATIENCE), PositionTaken)
        with first.turn():
            assert first.read(0, 10) == [row(1, by="second")]


def test_the_turn_ends_with_the_append(postgresql_url: str) -> None:
    with opened(postgresql_url) as first, opened(postgresql_url, create=False) as second, first.turn():
        first.append(rows(1, 1), [])
        with second.turn():
            second.append(rows(2, 2), [])
        assert first.head() == 2


def test_a_turn_that_does_not_come_is_done_without(postgresql_url: str) -> None:
    """Whatever holds the lock: it is for speed, and nothing stops for want of it."""
    with opened(postgresql_url) as log, psycopg.connect(postgresql_url, autocommit=True) as server:
        server.execute(f"SELECT pg_advisory_lock({LOCK}, 0)")
        with log.turn():
            log.append(rows(1, 1), [])
        assert log.head() == 1


def test_a_connection_lost_in_a_turn(postgresql_url: str) -> None:
    with opened(postgresql_url) as log, opened(postgresql_url, create=False) as other:
        with log.turn():
            cut_all(postgresql_url)
            with pytest.raises(DatabaseUnreachable, match="gone"):
                # It is read on the turn's own connection: on another it might be another server's.
                log.head()
        with log.turn():
            cut_all(postgresql_url)
            with pytest.raises(DatabaseUnreachable, match="gone"):
                log.append(rows(1, 1), [])
            other.append(rows(1, 1), [])
            assert log.head() == 1
        with log.turn():
            log.append(rows(2, 2), [])


def test_a_turn_at_a_database_that_is_gone() -> None:
    """It fails as anything else asked of the log does then, so that whoever waits is told to come back."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    turns = Turns(Connections(f"postgresql://custody@127.0.0.1:{port}/custody", lambda _connection: None))
    with pytest.raises(DatabaseUnreachable, match="gone"), turns.take():
        raise AssertionError("nobody can have it")
    assert turns.connection is None


def paused_in_its_turn(url: str, step: Step, tell: Connection) -> None:
    """A process that is stopped in its turn, says so, and when it goes on tells what became of its append."""
    with opened(url, create=False) as log:

        def stop(reached: Step) -> None:
            if reached == step:
                tell.send("stopping")
                os.kill(os.getpid(), signal.SIGSTOP)

        log.fault = stop
        with log.turn():
            head = log.head()
            try:
                log.append([row(head + 1, by="paused")], [])
                tell.send("appended")
            except (DatabaseUnreachable, PositionTaken) as error:
                tell.send(type(error).__name__)
        log.fault = None
        # And it is as good as new.
        with log.turn():
            head = log.head()
            log.append([row(head + 1, by="paused")], [])


@pytest.mark.parametrize("step", ["before", "before-commit"])
def test_a_process_that_is_stopped_in_its_turn_stops_nobody_for_long(postgresql_url: str, step: Step) -> None:
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    with opened(postgresql_url) as log:
        paused = context.Process(target=paused_in_its_turn, args=(postgresql_url, step, theirs))
        paused.start()
        # So that its end is heard of here also where it ends without a word.
        theirs.close()
        try:
            assert ours.poll(PATIENCE)
            assert ours.recv() == "stopping"
            os.waitid(os.P_PID, paused.pid or 0, os.WSTOPPED | os.WNOWAIT)
            append_in_turns(log, first=1)
            os.kill(paused.pid or 0, signal.SIGCONT)
            assert ours.poll(PATIENCE)
            assert ours.recv() in ("DatabaseUnreachable", "PositionTaken")
            paused.join(PATIENCE)
            assert paused.exitcode == 0
        finally:
            paused.kill()
            paused.join()
        assert [one.event_id for one in log.read(0, 10)] == ["north-1", "paused-2"]
        assert log.check().is_sound


def append_in_turns(log: EventLog, first: int) -> None:
    """Append one row, as a writer does whose clients come back: until the database takes it."""
    for _ in range(10):
        try:
            with log.turn():
                log.append(rows(first, first), [])
        except DatabaseUnreachable as error:
            if error.reason != "locked":
                raise
        else:
            return
    raise AssertionError("the log stood still")
