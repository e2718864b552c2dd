"""Contention: whoever was beaten queues from then on, until it has been alone for a while."""

from __future__ import annotations

from collections.abc import Iterator
from time import monotonic

import psycopg
import pytest

from ledger.store.log import EventLog
from ledger.writer.contention import TURNS_ALONE, Contention
from ledger.writer.submission import Answer
from ledger.writer.writer import Writer
from tests.ledger.store.test_races import wait_until_blocked
from tests.ledger.writer.stage import memory_equals_disk, opened, registering
from tests.scene import Scene, registry

PATIENCE = 60
STILL_WAITING = """SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
    WHERE d.datname = current_database() AND l.locktype = 'advisory' AND NOT l.granted"""


def test_it_appends_at_will_until_it_is_beaten() -> None:
    contention = Contention()
    contention.ends_at(10)
    assert not contention.takes_turns
    contention.beaten()
    assert contention.takes_turns
    assert contention.times_beaten == 1


def test_it_appends_at_will_again_when_it_has_been_alone() -> None:
    contention = Contention()
    contention.beaten()
    contention.ends_at(10)
    for position in range(10, 10 + TURNS_ALONE):
        assert contention.takes_turns
        contention.begins_at(position)
        contention.ends_at(position + 1)
    assert not contention.takes_turns


def test_whoever_it_meets_makes_it_stay() -> None:
    """Also when the other's events had been read before the turn, by following."""
    contention = Contention()
    contention.beaten()
    for position in range(10, 10 + 2 * TURNS_ALONE, 2):
        contention.begins_at(position)
        contention.ends_at(position + 1)
    assert contention.takes_turns
    for position in range(1_000, 1_000 + TURNS_ALONE - 1):
        contention.begins_at(position)
        contention.ends_at(position + 1)
    assert contention.takes_turns
    contention.begins_at(1_000 + TURNS_ALONE - 1)
    assert contention.takes_turns


@pytest.fixture
def logs(postgresql_url: str) -> Iterator[tuple[EventLog, EventLog]]:
    with opened(postgresql_url) as log, opened(postgresql_url) as other:
        yield log, other


def test_a_beaten_writer_decides_its_next_batches_in_turns(logs: tuple[EventLog, EventLog]) -> None:
    """Staged: the other process appends before each of our batches, and only the first is decided twice."""
    scene, other = registry(Scene(logs[0])), Scene(logs[1], first_id=10_000)
    ours, theirs = scene.writer, other.writer
    for number in range(5):
        theirs._catch_up()
        theirs.commit([registering(other, f"o-{number}", f"o{number}")])
        [[told]] = ours.commit([registering(scene, f"p-{number}", f"p{number}")])
        assert isinstance(told, Answer)
        assert ours.contention.takes_turns
    assert ours.contention.times_beaten == 1
    ours._catch_up()
    memory_equals_disk(scene)


def test_what_comes_to_wait_for_a_turn_joins_the_batch(logs: tuple[EventLog, EventLog]) -> None:
    scene = registry(Scene(logs[0]))
    writer = Writer(scene.log, scene.sources)
    writer.contention.beaten()
    late = [registering(scene, "p-2", "k2"), registering(scene, "p-3", "k3")]
    outcomes = writer.commit([registering(scene, "p-1", "k1")], lambda: late)
    head = scene.log.head()
    assert [told.position for [told] in outcomes if isinstance(told, Answer)] == [head - 2, head - 1, head]


@pytest.mark.usefixtures("patient_server")
def test_what_others_record_is_read_while_a_turn_is_waited_for(postgresql_url: str) -> None:
    with (
        opened(postgresql_url) as log,
        opened(postgresql_url) as other,
        opened(postgresql_url) as third,
        psycopg.connect(postgresql_url, autocommit=True) as server,
    ):
        scene = registry(Scene(log))
        writer, theirs = Writer(log, scene.sources), Scene(other, first_id=10_000)
        writer.contention.beaten()
        writer.start(follow=True)
        try:
            with third.turn():
                waiting = writer.submit(registering(scene, "p-1", "k1"))
                wait_until_blocked(postgresql_url, waiting)
                theirs.writer.commit([registering(theirs, "o-1", "o1")])
                head = other.head()
                deadline = monotonic() + PATIENCE
                while writer.register.position < head:
                    assert monotonic() < deadline
                assert server.execute(STILL_WAITING).fetchone() == (1,)
            [told] = waiting.result(PATIENCE)
        finally:
            writer.close()
        assert isinstance(told, Answer)
        assert told.position == head + 1
