"""What every log promises, on either engine: whole batches, in order, found again, and never changed."""

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import get_args

import psycopg
import pytest

from ledger.store import (
    AddressIsUnknown,
    EventLog,
    LogIsMissing,
    PositionMissing,
    PositionTaken,
    Row,
    SchemaIsUnknown,
    engine_of,
    open_log,
)
from ledger.store.log import Step
from ledger.store.schema import TABLES, fences_down
from tests.ledger.store.samples import keys, opened, record, row, rows

PATIENCE = 60


@pytest.fixture
def log(database_url: str) -> Iterator[EventLog]:
    with opened(database_url) as log:
        yield log


def execute(url: str, *statements: str) -> None:
    """By hand, past the log: one statement after the other, each on its own."""
    if engine_of(url) == "sqlite":
        connection = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
        try:
            for statement in statements:
                connection.execute(statement)
        finally:
            connection.close()
    else:
        with psycopg.connect(url, autocommit=True) as server:
            for statement in statements:
                server.execute(statement)


class Broken(Exception):
    """Raised at a step of the commit."""


def test_an_empty_log(log: EventLog) -> None:
    assert log.head() == 0
    assert log.read(0, 10) == []
    assert log.leaf_hashes(0, 10) == []
    assert log.read_stream("person:ann") == []
    assert log.positions([]) == {}
    assert log.positions(["north-1"]) == {}
    assert log.remembered([]) == {}
    assert log.check().is_sound


def test_what_was_appended_is_read(log: EventLog) -> None:
    log.append(rows(1, 3), [])
    log.append(rows(4, 5), [])
    assert log.head() == 5
    assert log.read(0, 10) == rows(1, 5)
    assert log.read(2, 2) == rows(3, 4)
    assert log.read(5, 10) == []
    assert log.leaf_hashes(1, 3) == [one.leaf_hash for one in rows(2, 4)]


def test_it_is_there_after_opening_again(database_url: str) -> None:
    with opened(database_url) as log:
        log.append(rows(1, 3), [record("k", first=1, count=3)])
    with opened(database_url, create=False) as log:
        assert log.read(0, 10) == rows(1, 3)
        assert log.remembered([("no-kv", "k")]) == {("no-kv", "k"): record("k", first=1, count=3)}
        log.append(rows(4, 4), [])
    with opened(database_url, create=True) as log:
        assert log.read(0, 10) == rows(1, 4)


def test_bytes_come_back_as_they_were(log: EventLog) -> None:
    strange = row(1)._replace(leaf='{"name":"Åse","zero":"\\u0000"}\n'.encode() + bytes(range(256)))
    log.append([strange], [])
    assert log.read(0, 1) == [strange]


def test_a_stream_is_read_by_version(log: EventLog) -> None:
    ann = [row(1, stream="person:ann"), row(3, stream="person:ann", version=2)]
    log.append([ann[0], row(2), ann[1]], [])
    assert log.read_stream("person:ann") == ann


def test_events_are_found_by_id(log: EventLog) -> None:
    log.append(rows(1, 900), [])
    asked = [one.event_id for one in rows(1, 1000)]
    assert log.positions(asked) == {one.event_id: one.position for one in rows(1, 900)}


def test_a_large_batch(log: EventLog) -> None:
    log.append(rows(1, 5_000), [record(f"k{position}", first=position) for position in range(1, 5_001)])
    assert log.read(0, 10_000) == rows(1, 5_000)


@pytest.mark.parametrize("batch", [rows(3, 3), rows(2, 4), rows(1, 1)], ids=["the last", "with new ones", "the first"])
def test_a_taken_position_is_refused(log: EventLog, batch: list[Row]) -> None:
    log.append(rows(1, 3), [])
    ours = [one._replace(event_id=f"other-{one.position}", stream="person:other") for one in batch]
    with pytest.raises(PositionTaken):
        log.append(ours, [])
    assert log.read(0, 10) == rows(1, 3)


def test_a_hole_is_refused(log: EventLog) -> None:
    log.append(rows(1, 3), [])
    with pytest.raises(PositionMissing, match="position 4 is missing"):
        log.append(rows(5, 6), [])
    with pytest.raises(PositionMissing, match="position 5 is missing"):
        log.append([row(4), row(6)], [])
    assert log.read(0, 10) == rows(1, 3)


def test_an_event_id_stands_once(log: EventLog) -> None:
    log.append(rows(1, 1), [])
    with pytest.raises(Exception, match=r"(?i)unique"):
        log.append([row(2)._replace(event_id="north-1")], [])
    assert log.head() == 1


@pytest.mark.parametrize("step", get_args(Step))
def test_a_batch_is_recorded_whole_or_not_at_all(log: EventLog, step: Step) -> None:
    log.append(rows(1, 2), [record("earlier", first=1, count=2)])

    def fault(reached: Step) -> None:
        if reached == step:
            raise Broken

    log.fault = fault
    with pytest.raises(Broken):
        log.append(rows(3, 4), [record("later", first=3, count=2)])
    log.fault = None

    is_recorded = step == "after-commit"
    assert log.read(0, 10) == (rows(1, 4) if is_recorded else rows(1, 2))
    assert log.leaf_hashes(0, 10) == [one.leaf_hash for one in log.read(0, 10)]
    assert bool(log.positions(["north-3"])) is is_recorded
    assert bool(log.remembered([("no-kv", "later")])) is is_recorded
    assert log.check().is_sound
    if not is_recorded:
        log.append(rows(3, 4), [record("later", first=3, count=2)])
    assert log.read(0, 10) == rows(1, 4)


def test_every_step_is_reached_in_order(log: EventLog) -> None:
    reached: list[Step] = []
    log.fault = reached.append
    log.append(rows(1, 1), [])
    assert tuple(reached) == get_args(Step)


def test_keys_are_remembered(log: EventLog) -> None:
    records = [record("a", first=1, count=2), record("b", first=3), record("a", first=4, authority="se-kv")]
    log.append(rows(1, 4), records)
    asked = [*keys(records), ("no-kv", "unknown"), ("se-kv", "b")]
    assert log.remembered(asked) == dict(zip(keys(records), records, strict=True))
    assert log.remembered_between(2, 3) == [records[1]]
    assert log.remembered_between(1, 4) == records


def test_many_keys_are_looked_up_at_once(log: EventLog) -> None:
    records = [record(f"k{position}", first=position) for position in range(1, 2_001)]
    log.append(rows(1, 2_000), records)
    assert len(log.remembered([*keys(records), ("no-kv", "unknown")])) == 2_000


def test_a_command_that_changed_nothing_is_remembered(log: EventLog) -> None:
    log.append([], [record("idle", first=1, count=0)])
    assert log.head() == 0
    assert log.remembered([("no-kv", "idle")]) == {("no-kv", "idle"): record("idle", first=1, count=0)}
    assert log.check().is_sound


def test_a_key_that_is_remembered_already_means_decide_again(log: EventLog) -> None:
    log.append([], [record("k", first=1, count=0)])
    with pytest.raises(PositionTaken):
        log.append([], [record("k", first=1, count=0)])
    with pytest.raises(PositionTaken):
        log.append(rows(1, 1), [record("k", first=1)])
    assert log.head() == 0


def test_nothing_to_append_is_nothing(log: EventLog) -> None:
    log.append([], [])
    assert log.head() == 0


@pytest.mark.parametrize("table", TABLES)
def test_no_row_is_changed(database_url: str, table: str) -> None:
    column = {"stored_events": "topic", "leaves": "event_id", "idempotency": "key"}[table]
    acts = [f"UPDATE {table} SET {column} = {column}", f"DELETE FROM {table}"]
    if engine_of(database_url) == "postgresql":
        acts.append(f"TRUNCATE {table}")
    with opened(database_url) as log:
        log.append(rows(1, 2), [record("k", first=1)])
        for act in acts:
            with pytest.raises((sqlite3.IntegrityError, psycopg.ProgrammingError), match="append-only"):
                execute(database_url, act)
        assert log.read(0, 10) == rows(1, 2)


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        (
            "DELETE FROM stored_events WHERE originator_id = 'person:p2'",
            "positions up to 3 are missing",
        ),
        ("DELETE FROM leaves WHERE position = 2", "1 events without one"),
    ],
    ids=["an event", "a leaf hash"],
)
def test_a_hole_is_noticed(database_url: str, statement: str, problem: str) -> None:
    with opened(database_url) as log:
        log.append(rows(1, 3), [])
        execute(database_url, *fences_down(engine_of(database_url)), statement)
        assert log.read(0, 1) == rows(1, 1)
        with pytest.raises(PositionMissing, match="position 2 is missing"):
            log.read(0, 3)
        with pytest.raises(PositionMissing, match="position 2 is missing"):
            log.read(1, 3)
        assert any(problem in found for found in log.check().problems)


def test_fences_that_are_down_are_named(database_url: str) -> None:
    with opened(database_url) as log:
        execute(database_url, *fences_down(engine_of(database_url)))
        assert sum(found.endswith("is down") for found in log.check().problems) >= len(TABLES)


def test_check_counts(log: EventLog) -> None:
    log.append(rows(1, 3), [record("k", first=1, count=3)])
    found = log.check()
    assert (found.head, found.events, found.leaves, found.remembered, found.schema_version) == (3, 3, 3, 1, 1)
    assert found.bytes_on_disk > 0
    assert found.problems == ()


def test_a_database_without_a_log_is_named(database_url: str) -> None:
    with pytest.raises(LogIsMissing, match="custody db init"):
        open_log(database_url)
    execute(database_url, "CREATE TABLE something_else (id integer)")
    with pytest.raises(LogIsMissing, match="custody db init"):
        open_log(database_url)


def test_a_log_of_another_version_is_not_opened(database_url: str) -> None:
    with opened(database_url):
        pass
    execute(database_url, "UPDATE log_schema SET version = 99")
    with pytest.raises(SchemaIsUnknown, match="99"):
        open_log(database_url, create=True)


@pytest.mark.parametrize("url", ["", "custody.db", "mysql://secret@host/db", "sqlite:///"])
def test_an_unknown_address_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(AddressIsUnknown) as refused:
        open_log(url)
    assert "secret" not in str(refused.value)


def test_waiting_ends_when_something_was_appended(log: EventLog) -> None:
    assert not log.wait_for(0, timeout=0)
    with ThreadPoolExecutor() as threads:
        waiting = [threads.submit(log.wait_for, after, PATIENCE) for after in (0, 1, 1)]
        log.append(rows(1, 2), [])
        assert [one.result(PATIENCE) for one in waiting] == [True, True, True]
    assert log.wait_for(1, timeout=0)
    assert not log.wait_for(2, timeout=0)


def test_waiting_ends_when_the_log_is_closed(database_url: str) -> None:
    with ThreadPoolExecutor() as threads:
        with opened(database_url) as log:
            waiting = threads.submit(log.wait_for, 0, PATIENCE)
        assert waiting.result(PATIENCE) is False


def test_a_log_in_memory_is_shared_by_threads() -> None:
    with opened("sqlite:///:memory:") as log, ThreadPoolExecutor(8) as threads:
        log.append(rows(1, 100), [])
        assert all(found == rows(1, 100) for found in threads.map(lambda _: log.read(0, 200), range(50)))
        assert log.check().is_sound


def test_rows_are_read_at_their_positions(log: EventLog) -> None:
    log.append(rows(1, 6), [])
    assert log.read_at([]) == []
    assert log.read_at([2, 3, 6]) == [rows(1, 6)[at] for at in (1, 2, 5)]
    with pytest.raises(PositionMissing) as missing:
        log.read_at([2, 7])
    assert missing.value.position == 7
