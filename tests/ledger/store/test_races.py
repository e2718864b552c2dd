"""Writers that race: each position is taken once, none is left out, and no reader sees one before its predecessor."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from multiprocessing import get_context
from typing import Any

import psycopg
import pytest

from ledger.store import EventLog, PositionTaken, Row, engine_of
from ledger.store.log import Step
from ledger.store.sqlite import connections as sqlite_connections
from tests.ledger.store.samples import opened, row

WRITERS = 3
BATCHES = 40
PATIENCE = 120


def write(log: EventLog, name: str) -> int:
    """Append batches of one to three rows, each decided again until it is in; returns how often it was beaten.

    All writers share one stream besides their own, so that they also race for its versions.
    """
    beaten = 0
    for number in range(BATCHES):
        while True:
            head = log.head()
            version = len(log.read_stream("facility:shared")) + 1
            batch = [row(head + 1, stream="facility:shared", version=version, by=name)]
            batch += [row(head + 1 + more, by=name) for more in range(1, number % 3 + 1)]
            try:
                log.append(batch, [])
            except PositionTaken:
                beaten += 1
            else:
                break
    return beaten


def write_in_a_process(url: str, name: str) -> int:
    with opened(url, create=False) as log:
        return write(log, name)


def follow(log: EventLog, until: int) -> list[Row]:
    """Read the log as it grows: `read` raises should a position appear before the one below it."""
    seen: list[Row] = []
    while len(seen) < until:
        assert log.wait_for(len(seen), PATIENCE)
        seen += log.read(len(seen), 7)
    return seen


@contextmanager
def logs_of_writers(url: str) -> Iterator[list[EventLog]]:
    """One log for all on SQLite, where one process writes; a log each, with connections of its own, on PostgreSQL."""
    with ExitStack() as stack:
        first = stack.enter_context(opened(url))
        others = [
            stack.enter_context(opened(url, create=False)) if engine_of(url) == "postgresql" else first
            for _ in range(WRITERS - 1)
        ]
        yield [first, *others]


def assert_nothing_lost(log: EventLog, seen: list[list[Row]]) -> None:
    written = log.read(0, 100_000)
    assert [one.position for one in written] == list(range(1, TOTAL + 1))
    assert Counter(one.event_id.split("-")[0] for one in written) == {f"w{n}": TOTAL // WRITERS for n in range(WRITERS)}
    shared = log.read_stream("facility:shared")
    assert [one.stream_version for one in shared] == list(range(1, WRITERS * BATCHES + 1))
    assert all(followed == written for followed in seen)
    assert log.check().is_sound


TOTAL = WRITERS * sum(number % 3 + 1 for number in range(BATCHES))


def test_threads_race(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Whoever waits for the file comes again at times of its own, and may miss every gap for seconds.
    monkeypatch.setattr(sqlite_connections, "LOCK_SECONDS", PATIENCE)
    with logs_of_writers(database_url) as logs, ThreadPoolExecutor() as threads:
        following = [threads.submit(follow, log, TOTAL) for log in {id(log): log for log in logs}.values()]
        writing = [threads.submit(write, log, f"w{number}") for number, log in enumerate(logs)]
        for one in writing:
            one.result(PATIENCE)
        assert_nothing_lost(logs[0], [one.result(PATIENCE) for one in following])


def test_processes_race(postgresql_url: str) -> None:
    with (
        opened(postgresql_url) as log,
        ThreadPoolExecutor() as threads,
        ProcessPoolExecutor(WRITERS - 1, mp_context=get_context("spawn")) as processes,
    ):
        following = threads.submit(follow, log, TOTAL)
        writing: list[Future[int]] = [
            processes.submit(write_in_a_process, postgresql_url, f"w{number}") for number in range(1, WRITERS)
        ]
        writing.append(threads.submit(write, log, "w0"))
        for one in writing:
            one.result(PATIENCE)
        assert_nothing_lost(log, [following.result(PATIENCE)])


class Failed(Exception):
    """The earlier of two appends breaks off before its commit."""


@pytest.mark.usefixtures("patient_server")
@pytest.mark.parametrize("fails", [False, True], ids=["the earlier commits", "the earlier fails"])
def test_the_later_of_two_waits_for_the_earlier(postgresql_url: str, fails: bool) -> None:
    """Staged: the first has inserted and not committed while the second inserts the same position."""
    with (
        opened(postgresql_url) as first,
        opened(postgresql_url, create=False) as second,
        ThreadPoolExecutor() as threads,
    ):
        racing: list[Future[None]] = []

        def let_the_other_in(step: Step) -> None:
            if step == "before-commit":
                racing.append(threads.submit(second.append, [row(1, by="second")], []))
                wait_until_blocked(postgresql_url, racing[0])
                if fails:
                    raise Failed

        first.fault = let_the_other_in
        if fails:
            with pytest.raises(Failed):
                first.append([row(1, by="first")], [])
            racing[0].result(PATIENCE)
        else:
            first.append([row(1, by="first")], [])
            assert isinstance(racing[0].exception(PATIENCE), PositionTaken)
        assert first.read(0, 10) == second.read(0, 10) == [row(1, by="second" if fails else "first")]


def wait_until_blocked(url: str, append: Future[Any], waiting: int = 1) -> None:
    """Return when so many backends wait for another's transaction; an append that does not wait is a failure."""
    with psycopg.connect(url, autocommit=True) as server:
        blocked = 0
        while blocked < waiting:
            assert not append.done(), append
            [blocked] = server.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            ).fetchone() or (0,)


GATE = 1


@pytest.mark.usefixtures("patient_server")
def test_batches_over_the_same_streams_in_another_order_do_not_lock_each_other_out(postgresql_url: str) -> None:
    """Staged: the first is held between two of its rows, while the second begins with the stream that it ends with."""
    with (
        opened(postgresql_url) as first,
        opened(postgresql_url, create=False) as second,
        psycopg.connect(postgresql_url, autocommit=True) as server,
        ThreadPoolExecutor() as threads,
    ):
        server.execute(
            "CREATE FUNCTION wait_at_the_gate() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN PERFORM pg_advisory_xact_lock({GATE}); RETURN NEW; END $$"
        )
        server.execute(
            "CREATE TRIGGER gate BEFORE INSERT ON stored_events FOR EACH ROW "
            "WHEN (NEW.originator_id = 'person:gate') EXECUTE FUNCTION wait_at_the_gate()"
        )
        server.execute(f"SELECT pg_advisory_lock({GATE})")
        streams = ("person:a", "person:gate", "person:b")
        batch = [row(position, stream=stream, by="first") for position, stream in enumerate(streams, 1)]
        earlier = threads.submit(first.append, batch, [])
        wait_until_blocked(postgresql_url, earlier)
        later = threads.submit(second.append, [row(1, stream="person:b", by="second")], [])
        wait_until_blocked(postgresql_url, later, waiting=2)
        server.execute(f"SELECT pg_advisory_unlock({GATE})")
        earlier.result(PATIENCE)
        assert isinstance(later.exception(PATIENCE), PositionTaken)
        assert second.read(0, 10) == batch
