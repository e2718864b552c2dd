"""A database that goes away under a running writer: nobody is told what is not so, nobody waits for ever."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from ledger.store import DatabaseUnreachable, Row, engine_of
from ledger.store.log import EventLog, Step
from ledger.store.schema import fences_down
from ledger.writer import writer as writer_module
from ledger.writer.submission import Answer, Outcome
from ledger.writer.writer import Writer
from tests.engines import EXTERNAL_SERVER, Server, wheel_server
from tests.ledger.store.backends import path_of, standing_still, stops_backends, wait_for_end
from tests.ledger.writer.stage import PATIENCE, memory_equals_disk, opened, person, registering, wait_until
from tests.scene import ANN, NORTH, Scene, registry

STEPS: tuple[Step, ...] = ("before", "after-events", "after-leaves", "before-commit", "after-commit")


@dataclass(frozen=True, kw_only=True)
class Place:
    """A database and the hands that take it away and bring it back."""

    url: str
    take_away: Callable[[], None]
    bring_back: Callable[[], None]


@pytest.fixture(scope="module")
def own_server() -> Iterator[Server]:
    """A server that the tests of this module may stop."""
    if EXTERNAL_SERVER in os.environ:
        pytest.skip("a server that the environment names is not ours to stop")
    with wheel_server() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """An empty database of either engine: a file that is moved away, a server that is stopped."""
    if request.param == "sqlite":
        path, elsewhere = tmp_path / "custody.db", tmp_path / "elsewhere.db"
        return Place(
            url=f"sqlite:///{path}",
            take_away=lambda: _moved(path, elsewhere),
            bring_back=lambda: _moved(elsewhere, path),
        )
    server: Server = request.getfixturevalue("own_server")
    return Place(url=server.create_database(), take_away=server.stop, bring_back=server.start)


def _moved(path: Path, to: Path) -> None:
    path.rename(to)


@pytest.fixture(autouse=True)
def _look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "FOLLOW_SECONDS", 0.05)


def outcome_of(future: Future[list[Outcome]]) -> Outcome:
    (outcome,) = future.result(PATIENCE)
    return outcome


@pytest.mark.parametrize("step", STEPS)
def test_it_goes_at_each_moment_of_a_commit(place: Place, step: Step) -> None:
    with opened(place.url) as log:
        scene = registry(Scene(log))
        writer = Writer(log, scene.sources)
        writer.start(follow=engine_of(place.url) == "postgresql")
        head = log.head()

        def take_away(reached: Step) -> None:
            if reached == step:
                log.fault = None
                place.take_away()
                if step == "after-commit":
                    raise DatabaseUnreachable("gone", "the answer of the commit was lost")

        log.fault = take_away
        for key in ("again", "meanwhile"):
            with pytest.raises(DatabaseUnreachable) as refused:
                outcome_of(writer.submit(registering(scene, f"p-{key}", key)))
            assert refused.value.reason == "gone"
            assert writer.register.position == head
        place.bring_back()
        committed = step == "after-commit"
        # Nobody asks for anything, and memory comes to equal the disk all the same.
        wait_until(lambda: writer.register.position == head + committed)
        memory_equals_disk(scene, writer.register)
        answers = [outcome_of(writer.submit(registering(scene, f"p-{key}", key))) for key in ("again", "meanwhile")]
        assert [(answer.position, answer.replayed) for answer in answers if isinstance(answer, Answer)] == [
            (head + 1, committed),
            (head + 2, False),
        ]
        writer.close()
        memory_equals_disk(scene, writer.register)


def test_it_goes_under_load(place: Place) -> None:
    """Everybody who waits is answered; what was acknowledged is there once, and the rest can be sent again."""
    with opened(place.url) as log:
        scene = registry(Scene(log))
        writer = Writer(log, scene.sources)
        head, appends = log.head(), 0

        def take_away_later(step: Step) -> None:
            nonlocal appends
            appends += step == "after-leaves"
            if appends == 3:
                log.fault = None
                place.take_away()

        log.fault = take_away_later
        # A first batch waits for the thread, the others gather while it runs.
        groups = [registering(scene, f"p-{n}", f"k{n}") for n in range(2_500)]
        futures = [writer.submit(group) for group in groups]
        writer.start(follow=engine_of(place.url) == "postgresql")
        failed = [isinstance(future.exception(PATIENCE), DatabaseUnreachable) for future in futures]
        assert 0 < sum(failed) < len(failed)
        first = [None if fails else outcome_of(future) for future, fails in zip(futures, failed, strict=True)]
        place.bring_back()
        second = [outcome_of(future) for future in [writer.submit(group) for group in groups]]
        writer.close()
        for before, after in zip(first, second, strict=True):
            assert isinstance(after, Answer)
            assert before is None or (isinstance(before, Answer) and before.events == after.events and after.replayed)
        assert log.head() == head + len(groups)
        memory_equals_disk(scene, writer.register)


@stops_backends
@pytest.mark.usefixtures("patient_server")
def test_a_commit_that_lands_after_its_waiter_was_told_nothing_is_known(postgresql_url: str) -> None:
    """The server is slower than our patience; the key finds what it did, and nobody builds on what is not there."""
    with opened(postgresql_url) as log, psycopg.connect(postgresql_url, autocommit=True) as server:
        scene = registry(Scene(log))
        head = log.head()
        with standing_still(log, server, "before-commit") as backend:
            with pytest.raises(DatabaseUnreachable):
                scene.writer.commit([registering(scene, ANN, "late")])
            log.fault = None
            assert scene.register.position == head
        wait_for_end(server, backend[0])
        assert log.head() == head + 1
        # Its position is taken by the very commit that came late.
        assert scene.do(NORTH, "register-person", key="next", **person("p-next")).position == head + 2
        late = scene.do(NORTH, "register-person", key="late", **person(ANN))
        assert (late.position, late.replayed) == (head + 1, True)
        memory_equals_disk(scene)


FULL_AT = ("stored_events", "leaves", "idempotency", "the commit")


@pytest.mark.parametrize("where", FULL_AT)
def test_a_disk_that_is_full_at_each_moment_on_postgresql(postgresql_url: str, where: str) -> None:
    with opened(postgresql_url) as log, psycopg.connect(postgresql_url, autocommit=True) as server:
        scene = registry(Scene(log))
        table = where if where != "the commit" else "stored_events"
        kind = "CONSTRAINT TRIGGER full_disk AFTER" if where == "the commit" else "TRIGGER full_disk BEFORE"
        deferred = "DEFERRABLE INITIALLY DEFERRED" if where == "the commit" else ""
        server.execute(
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$"
        )
        server.execute(f"CREATE {kind} INSERT ON {table} {deferred} FOR EACH ROW EXECUTE FUNCTION full_disk()")
        with pytest.raises(DatabaseUnreachable) as refused:
            scene.do(NORTH, "register-person", key="k", **person(ANN))
        assert refused.value.reason == "full"
        memory_equals_disk(scene)
        server.execute(f"DROP TRIGGER full_disk ON {table}")
        assert not scene.do(NORTH, "register-person", key="k", **person(ANN)).replayed
        memory_equals_disk(scene)


def execute(url: str, statements: list[tuple[str, tuple[object, ...]]]) -> None:
    """Run statements on a connection of another program, in one transaction; parameters are written `?`."""
    if engine_of(url) == "sqlite":
        with sqlite3.connect(path_of(url)) as connection:
            for text, parameters in statements:
                connection.execute(text, parameters)
        connection.close()
    else:
        with psycopg.connect(url) as server:
            for text, parameters in statements:
                server.execute(text.replace("?", "%s").encode(), parameters)


def put_back(url: str, row: Row, number: str) -> list[tuple[str, tuple[object, ...]]]:
    columns = f"{number}, originator_id, originator_version, topic, state"
    event = (row.position, row.stream, row.stream_version, row.type, row.leaf)
    return [
        (f"INSERT INTO stored_events ({columns}) VALUES (?, ?, ?, ?, ?)", event),
        (
            "INSERT INTO leaves (position, event_id, leaf_hash) VALUES (?, ?, ?)",
            (row.position, row.event_id, row.leaf_hash),
        ),
    ]


def test_a_database_that_is_behind_is_not_gone_on_with(database_url: str) -> None:
    """As a stand-in is that has not been sent the last events: until it has them, it is as good as gone."""
    with opened(database_url) as log:
        scene = registry(Scene(log))
        scene.do(NORTH, "register-person", key="k", **person(ANN))
        last = log.read(log.head() - 1, 1)[0]
        number = "rowid" if engine_of(database_url) == "sqlite" else "notification_id"
        lost: list[tuple[str, tuple[object, ...]]] = [("DELETE FROM leaves WHERE position = ?", (last.position,))]
        lost += [(f"DELETE FROM stored_events WHERE {number} = ?", (last.position,))]
        execute(database_url, [(text, ()) for text in fences_down(engine_of(database_url))])
        execute(database_url, lost)
        for key, fields in (("new", person("p-new")), ("other", person(ANN, identity_status="claimed"))):
            with pytest.raises(DatabaseUnreachable) as refused:
                scene.outcome(NORTH, "register-person", key=key, **fields)
            assert refused.value.reason == "gone"
            assert log.head() == last.position - 1
        execute(database_url, put_back(database_url, last, number))
        assert scene.do(NORTH, "register-person", key="k", **person(ANN)).replayed
        assert scene.do(NORTH, "register-person", key="new", **person("p-new")).position == last.position + 1
        memory_equals_disk(scene)


def test_the_follower_rests_while_it_cannot_read(postgresql_url: str) -> None:
    """It knows that there is more and can't have it: it asks now and then, not as fast as the machine allows."""
    with opened(postgresql_url) as log, opened(postgresql_url) as other:
        theirs = registry(Scene(other))
        writer = Writer(log)
        writer.start(follow=True)
        reads, waits = _refusing_to_read(log)
        theirs.do(NORTH, "register-person", **person(ANN))
        wait_until(lambda: len(reads) >= 5)
        assert len(waits) <= len(reads) + 1
        del log.read, log.wait_for
        wait_until(lambda: writer.register.position == other.head())
        writer.close()
        memory_equals_disk(theirs, writer.register)


def _refusing_to_read(log: EventLog) -> tuple[list[int], list[int]]:
    """The reads that fail from now on, and the waits from the first of them on; each as it comes."""
    reads: list[int] = []
    waits: list[int] = []
    wait_for = log.wait_for

    def read(after: int, limit: int) -> list[Row]:
        reads.append(after)
        raise DatabaseUnreachable("gone", "staged")

    def wait(after: int, timeout: float) -> bool:
        if reads:
            waits.append(after)
        return wait_for(after, timeout)

    log.read = read  # type: ignore[method-assign]  # this log alone, as if its server were gone
    log.wait_for = wait  # type: ignore[method-assign]  # to count
    return reads, waits
