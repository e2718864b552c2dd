"""The moment of commit: whatever breaks it, nothing acknowledged is lost or doubled, and memory equals the disk."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import resource
import signal
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from domain.refusals import IdempotencyKeyWasUsedForAnotherBody, PersonIsUnknown
from ledger.store import DatabaseUnreachable, open_log
from ledger.store.leaf import read_event
from ledger.store.log import Step
from ledger.writer.submission import Answer, Group, Refused
from ledger.writer.writer import Writer
from tests.ledger.writer.stage import memory_equals_disk, opened, person
from tests.scene import ANN, NORTH, START, Scene, registry

STEPS: tuple[Step, ...] = ("before", "after-events", "after-leaves", "before-commit", "after-commit")


def failing_at(step: Step) -> Callable[[Step], None]:
    def fault(reached: Step) -> None:
        if reached == step:
            raise DatabaseUnreachable("gone", "a fault put in by the test")

    return fault


@pytest.mark.parametrize("step", STEPS)
def test_a_fault_at_any_step_loses_nothing_and_doubles_nothing(database_url: str, step: Step) -> None:
    with opened(database_url) as log:
        scene = registry(Scene(log))
        before = log.head()
        log.fault = failing_at(step)
        if step == "after-commit":
            # The commit is durable and only its answer was lost: the tail tells, and the waiter hears the truth.
            assert scene.do(NORTH, "register-person", key="again", **person(ANN)).position == before + 1
        else:
            with pytest.raises(DatabaseUnreachable):
                scene.do(NORTH, "register-person", key="again", **person(ANN))
            assert log.head() == before
            assert scene.register.person(ANN) is None
        log.fault = None
        memory_equals_disk(scene)
        answer = scene.do(NORTH, "register-person", key="again", **person(ANN))
        assert (answer.position, answer.replayed) == (before + 1, step == "after-commit")
        memory_equals_disk(scene)


def test_a_lost_answer_whose_tail_cannot_be_read_is_found_by_the_same_key(database_url: str) -> None:
    with opened(database_url) as log:
        scene = registry(Scene(log))
        before = log.head()
        catch_up = scene.writer._catch_up
        log.fault = failing_at("after-commit")
        scene.writer._catch_up = _unreachable  # type: ignore[method-assign]  # the database is gone for reads as well
        with pytest.raises(DatabaseUnreachable):
            scene.do(NORTH, "register-person", key="again", **person(ANN))
        with pytest.raises(DatabaseUnreachable):
            scene.do(NORTH, "register-person", key="other", **person("p-other"))
        assert scene.register.position == before
        log.fault, scene.writer._catch_up = None, catch_up  # type: ignore[method-assign]  # and back again
        assert scene.do(NORTH, "register-person", key="again", **person(ANN)).replayed
        assert log.head() == before + 1
        memory_equals_disk(scene)


def _unreachable() -> None:
    raise DatabaseUnreachable("gone", "a fault put in by the test")


def test_another_writers_events_are_read_and_the_batch_is_decided_again(postgresql_url: str) -> None:
    with opened(postgresql_url) as log, opened(postgresql_url) as other:
        ours, theirs = registry(Scene(log)), Scene(other, first_id=10_000)
        theirs.do(NORTH, "register-person", key="theirs", **person(ANN))
        refused = ours.outcome(NORTH, "register-person", key="ours", **{**person(ANN), "identity_status": "claimed"})
        assert isinstance(refused, Refused), "the refusal, too, is judged on the head"
        assert ours.do(NORTH, "register-person", key="theirs", **person(ANN)).replayed
        ours.do(NORTH, "register-person", key="mine", **person("p-two"))
        # Theirs now stands on a position that is taken: it must read, and decide again.
        theirs.do(NORTH, "register-person", key="more", **person("p-three"))
        memory_equals_disk(theirs)
        assert [event.position for event in theirs.events()] == list(range(1, log.head() + 1))


def test_two_writers_at_once_leave_no_hole_and_no_double(postgresql_url: str) -> None:
    with opened(postgresql_url) as log, opened(postgresql_url) as other:
        scenes = [registry(Scene(log)), Scene(other, first_id=10_000)]
        writers = [Writer(scene.log) for scene in scenes]
        for writer in writers:
            writer.start(follow=True)
        before = log.head()
        groups = [
            [
                Group(submissions=(scene.ask(NORTH, "register-person", key=f"{n}-{i}", **person(f"p-{n}-{i}")),))
                for i in range(150)
            ]
            for n, scene in enumerate(scenes)
        ]
        with ThreadPoolExecutor(2) as pool:
            futures = pool.map(
                lambda pair: [pair[0].submit(group) for group in pair[1]], zip(writers, groups, strict=True)
            )
            answers = [future.result(60)[0] for each in futures for future in each]
        for writer in writers:
            writer.close()
        positions = sorted(answer.position for answer in answers if isinstance(answer, Answer))
        assert positions == list(range(before + 1, before + 301))
        events = [read_event(row) for row in log.read(0, 1_000)]
        assert len({event.command_id for event in events}) == len(events)


def test_a_key_names_one_command_for_ever(database_url: str) -> None:
    with opened(database_url) as log:
        scene = registry(Scene(log))
        first = scene.do(NORTH, "register-person", key="one", **person(ANN))
        again = scene.do(NORTH, "register-person", key="one", **person(ANN))
        assert (again.events, again.replayed) == (first.events, True)
        assert isinstance(
            scene.refusal(NORTH, "register-person", key="one", **person("p-other")), IdempotencyKeyWasUsedForAnotherBody
        )
        restarted = Scene(log)
        assert restarted.do(NORTH, "register-person", key="one", **person(ANN)).events == first.events


def test_a_refusal_is_not_remembered(database_url: str) -> None:
    with opened(database_url) as log:
        scene = registry(Scene(log))
        asked = {"person": ANN, "place": "the court", "since": START, "how": "seen", "occurred_at": START}
        assert isinstance(scene.refusal(NORTH, "report-presence", key="k", **asked), PersonIsUnknown)
        scene.do(NORTH, "register-person", **person(ANN))
        assert scene.do(NORTH, "report-presence", key="k", **asked).events


def test_an_atomic_group_is_recorded_whole_or_not_at_all(database_url: str) -> None:
    with opened(database_url) as log:
        scene = registry(Scene(log))
        before = log.head()
        good = scene.ask(NORTH, "register-person", **person(ANN))
        bad = scene.ask(
            NORTH, "report-presence", person="nobody", place="x", since=START, how="seen", occurred_at=START
        )
        ((withheld, refused),) = scene.writer.commit([Group(submissions=(good, bad), atomic=True)])
        assert isinstance(refused, Refused)
        assert not isinstance(withheld, Answer)
        assert log.head() == before
        memory_equals_disk(scene)
        assert scene.do(NORTH, "register-person", key=good.key, **person(ANN)).position == before + 1


def test_a_full_disk_answers_so_and_serves_again(tmp_path: Path) -> None:
    """A file-size limit stands for the full disk; it binds a process, so a process of its own runs into it."""
    context = multiprocessing.get_context("spawn")
    path = tmp_path / "custody.db"
    with context.Pool(1) as pool:
        acknowledged = pool.apply(_until_full, (str(path),))
    with opened(f"sqlite:///{path}") as log:
        scene = Scene(log, first_id=100_000)
        assert acknowledged
        for key in acknowledged:
            assert scene.do(NORTH, "register-person", key=key, **person(f"p-{key}")).replayed
        memory_equals_disk(scene)
        scene.do(NORTH, "register-person", key="after", **person("p-after"))


def _until_full(path: str) -> list[str]:
    log = open_log(f"sqlite:///{path}", create=True)
    scene = registry(Scene(log))
    sqlite3.connect(path).execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    size = os.path.getsize(path)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 60_000, resource.RLIM_INFINITY))
    acknowledged: list[str] = []

    def fill() -> None:
        for number in range(10_000):
            scene.do(NORTH, "register-person", key=f"{number}", **person(f"p-{number}"))
            acknowledged.append(f"{number}")

    with pytest.raises(DatabaseUnreachable) as refused:
        fill()
    assert refused.value.reason == "full"
    position = scene.register.position
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    scene.do(NORTH, "register-person", key="room-again", **person("p-room-again"))
    assert scene.register.position == position + 1
    memory_equals_disk(scene)
    return [*acknowledged, "room-again"]


def test_a_full_database_answers_so_and_serves_again(postgresql_url: str) -> None:
    with opened(postgresql_url) as log:
        scene = registry(Scene(log))
        with psycopg.connect(postgresql_url, autocommit=True) as server:
            server.execute(
                "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS "
                "$$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$"
            )
            server.execute("CREATE TRIGGER full_disk BEFORE INSERT ON leaves EXECUTE FUNCTION full_disk()")
            with pytest.raises(DatabaseUnreachable) as refused:
                scene.do(NORTH, "register-person", key="k", **person(ANN))
            assert refused.value.reason == "full"
            memory_equals_disk(scene)
            server.execute("DROP TRIGGER full_disk ON leaves")
        scene.do(NORTH, "register-person", key="k", **person(ANN))
        memory_equals_disk(scene)


def test_a_killed_process_leaves_every_acknowledged_command_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    path = str(tmp_path / "custody.db")
    receiving, sending = context.Pipe(duplex=False)
    writer = context.Process(target=_write_for_ever, args=(path, sending))
    writer.start()
    acknowledged = [receiving.recv() for _ in range(60)]
    os.kill(writer.pid or 0, signal.SIGKILL)
    writer.join()
    with opened(f"sqlite:///{path}") as log:
        scene = Scene(log, first_id=100_000)
        memory_equals_disk(scene)
        for key in acknowledged:
            assert scene.do(NORTH, "register-person", key=key, **person(f"p-{key}")).replayed
        assert len({event.command_id for event in scene.events()}) == log.head()


def _write_for_ever(path: str, sending: multiprocessing.connection.Connection) -> None:
    scene = registry(Scene(open_log(f"sqlite:///{path}", create=True)))
    number = 0
    while True:
        scene.do(NORTH, "register-person", key=f"{number}", **person(f"p-{number}"))
        sending.send(f"{number}")
        number += 1
