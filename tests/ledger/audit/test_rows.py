"""Rows against leaves, on both engines: what an intruder changes is named, with its position."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from ledger.audit.rows import Walked, check_rows
from ledger.audit.verify import BROKEN, CLEAN, exit_code, verify
from ledger.store import EventLog, open_log
from tests.ledger.audit.intruder import Intruder, another, made_anew
from tests.ledger.audit.stories import whole

ACCEPTED = 38
"""The position of the acceptance in `whole()`."""
HEAD = 49
CORRECTED = 41
"""The position of a command of two events: a correction and its replacement."""


@pytest.fixture
def log(database_url: str) -> Iterator[EventLog]:
    """The whole story, stored."""
    with closing(open_log(database_url, create=True)) as log:
        whole(log)
        yield log


def findings(walked: Walked) -> list[str]:
    return [f"{one.law} {one.subject} {one.positions}" for one in (*walked.rows.findings, *walked.whole.findings)]


def positions(log: EventLog) -> set[int]:
    """Every position that the layer names."""
    walked = check_rows(log)
    return {position for check in (walked.rows, walked.whole) for one in check.findings for position in one.positions}


def test_an_honest_log_is_clean(log: EventLog) -> None:
    walked = check_rows(log)
    assert findings(walked) == []
    assert (walked.rows.looked_at, walked.whole.looked_at) == (HEAD, HEAD)


def test_a_range_behind_a_leaf_that_cannot_be_read_is_walked_all_the_same(log: EventLog, database_url: str) -> None:
    """What an answer names before the range is then not to be had, and the answer is named."""
    [offered] = [row.position for row in log.scan(0, ACCEPTED) if row.type == "handover-offered.v1"]
    intruder = Intruder(database_url)
    intruder.change("stored_events", "state", f"{intruder.position} = {offered}", lambda _leaf: b"\xff")
    assert {one.positions for one in check_rows(log, first=ACCEPTED).rows.findings} == {(ACCEPTED,)}
    assert check_rows(log, first=offered + 1).rows.findings


def test_the_root_is_that_of_the_leaves(log: EventLog) -> None:
    before = check_rows(log).root
    assert before == check_rows(made_anew(log)).root
    assert before != check_rows(log, last=HEAD - 1).root


def columns(position: str) -> dict[str, tuple[str, str, str]]:
    """Each column of each table of record, with the row that is changed: that of the acceptance."""
    home = "originator_id = 'person:p-ann' AND originator_version = 6"
    record = f"first_position = {ACCEPTED}"
    return {
        "stored_events.position": ("stored_events", position, home),
        "stored_events.originator_id": ("stored_events", "originator_id", f"{position} = {ACCEPTED}"),
        "stored_events.originator_version": ("stored_events", "originator_version", f"{position} = {ACCEPTED}"),
        "stored_events.topic": ("stored_events", "topic", f"{position} = {ACCEPTED}"),
        "stored_events.state": ("stored_events", "state", f"{position} = {ACCEPTED}"),
        "leaves.position": ("leaves", "position", "event_id = '00000000-0000-7000-8000-000000000026'"),
        "leaves.event_id": ("leaves", "event_id", f"position = {ACCEPTED}"),
        "leaves.leaf_hash": ("leaves", "leaf_hash", f"position = {ACCEPTED}"),
        "idempotency.authority": ("idempotency", "authority", record),
        "idempotency.key": ("idempotency", "key", record),
        "idempotency.first_position": ("idempotency", "first_position", "key = 'k-35'"),
        "idempotency.count": ("idempotency", "count", record),
    }


def test_one_byte_of_any_column_is_named_with_its_position(log: EventLog, database_url: str) -> None:
    intruder = Intruder(database_url)
    named = {}
    for name, (table, column, row) in columns(intruder.position).items():
        put_back = intruder.change(table, column, row, another)
        named[name] = ACCEPTED in positions(log)
        put_back()
        assert findings(check_rows(log)) == [], name
    assert named == dict.fromkeys(columns(intruder.position), True)


def test_an_audit_of_a_changed_log_ends_with_3(log: EventLog, database_url: str) -> None:
    assert exit_code(verify(log)) == CLEAN
    intruder = Intruder(database_url)
    intruder.change("stored_events", "state", f"{intruder.position} = {ACCEPTED}", another)
    assert exit_code(verify(log)) == BROKEN


def test_every_byte_of_a_leaf_counts(log: EventLog, database_url: str) -> None:
    intruder = Intruder(database_url)
    [row] = log.read(ACCEPTED - 1, 1)
    for index in range(0, len(row.leaf), 7):

        def changed(leaf: bytes, index: int = index) -> bytes:
            return leaf[:index] + bytes([leaf[index] ^ 0x20]) + leaf[index + 1 :]

        put_back = intruder.change("stored_events", "state", f"{intruder.position} = {ACCEPTED}", changed)
        assert ACCEPTED in positions(log), index
        put_back()


@pytest.mark.parametrize(
    "leaf", [b"[" * 16_000, b'{"actor":' + b"[" * 16_000, b'{"body":' + b'{"a":' * 3_000, b"\xff\xfe"]
)
def test_a_leaf_that_nobody_can_read_is_no_reason_to_fail(leaf: bytes, log: EventLog, database_url: str) -> None:
    intruder = Intruder(database_url)
    intruder.change("stored_events", "state", f"{intruder.position} = {ACCEPTED}", lambda _: leaf)
    assert ACCEPTED in positions(log)
    assert exit_code(verify(log)) == BROKEN


def test_the_digest_of_a_command_is_beyond_what_events_can_show(log: EventLog, database_url: str) -> None:
    intruder = Intruder(database_url)
    intruder.change("idempotency", "command_hash", f"first_position = {ACCEPTED}", another)
    assert findings(check_rows(log)) == []


def test_a_record_that_claims_a_neighbours_event(log: EventLog, database_url: str) -> None:
    Intruder(database_url).run(("UPDATE idempotency SET count = 2 WHERE first_position = ?", (ACCEPTED - 1,)))
    assert ACCEPTED - 1 in positions(log)


def test_a_record_that_forgets_one_of_its_events(log: EventLog, database_url: str) -> None:
    Intruder(database_url).run(("UPDATE idempotency SET count = 1 WHERE first_position = ?", (CORRECTED,)))
    assert positions(log) == {CORRECTED}


def test_a_key_taken_in_advance(log: EventLog, database_url: str) -> None:
    taken = ("INSERT INTO idempotency VALUES ('north', 'k-99', ?, 5, 0)", (bytes(32),))
    Intruder(database_url).run(taken)
    assert positions(log) == {5}


def test_a_deleted_event_is_a_hole(log: EventLog, database_url: str) -> None:
    intruder = Intruder(database_url)
    intruder.run(
        (f"DELETE FROM stored_events WHERE {intruder.position} = ?", (ACCEPTED,)),
        ("DELETE FROM leaves WHERE position = ?", (ACCEPTED,)),
        ("DELETE FROM idempotency WHERE first_position = ?", (ACCEPTED,)),
    )
    assert f"L11 log ({ACCEPTED},)" in findings(check_rows(log))
    assert exit_code(verify(log)) == BROKEN


def test_a_deleted_leaf_hash_is_missed(log: EventLog, database_url: str) -> None:
    Intruder(database_url).run(("DELETE FROM leaves WHERE position = ?", (ACCEPTED,)))
    assert ACCEPTED in positions(log)


def test_a_deleted_record_is_missed(log: EventLog, database_url: str) -> None:
    Intruder(database_url).run(("DELETE FROM idempotency WHERE first_position = ?", (ACCEPTED,)))
    assert positions(log) == {ACCEPTED}


@pytest.mark.parametrize("cut", [1, 2, 5, 20])
def test_a_cut_tail_is_named_by_the_keys_that_remain(log: EventLog, database_url: str, cut: int) -> None:
    intruder = Intruder(database_url)
    intruder.run(
        (f"DELETE FROM stored_events WHERE {intruder.position} > ?", (HEAD - cut,)),
        ("DELETE FROM leaves WHERE position > ?", (HEAD - cut,)),
    )
    assert HEAD in positions(log)


def test_events_cut_off_under_their_leaf_hashes(log: EventLog, database_url: str) -> None:
    intruder = Intruder(database_url)
    intruder.run(
        (f"DELETE FROM stored_events WHERE {intruder.position} >= ?", (HEAD - 1,)),
        ("DELETE FROM idempotency WHERE first_position >= ?", (HEAD - 1,)),
    )
    assert HEAD - 1 in positions(log)


def test_two_exchanged_rows_are_both_named(log: EventLog, database_url: str) -> None:
    intruder, one, other = Intruder(database_url), 25, 30
    for table, column in (("stored_events", intruder.position), ("leaves", "position")):
        swap = f"UPDATE {table} SET {column} = ? WHERE {column} = ?"
        intruder.run((swap, (1000, one)), (swap, (one, other)), (swap, (other, 1000)))
    assert {one, other} <= positions(log)


def test_two_exchanged_leaves_are_both_named(log: EventLog, database_url: str) -> None:
    intruder, one, other = Intruder(database_url), 25, 30
    leaves = {position: log.read(position - 1, 1)[0].leaf for position in (one, other)}
    put = f"UPDATE stored_events SET state = ? WHERE {intruder.position} = ?"
    intruder.run((put, (leaves[other], one)), (put, (leaves[one], other)))
    assert {one, other} <= positions(log)


def test_a_row_put_in_between(log: EventLog, database_url: str) -> None:
    intruder, place = Intruder(database_url), 30
    [row] = log.read(place - 1, 1)
    for position in range(HEAD, place - 1, -1):
        intruder.run(
            (
                f"UPDATE stored_events SET {intruder.position} = ? WHERE {intruder.position} = ?",
                (position + 1, position),
            ),
            ("UPDATE leaves SET position = ? WHERE position = ?", (position + 1, position)),
        )
    columns = f"({intruder.position}, originator_id, originator_version, topic, state)"
    forged = row.leaf.replace(row.event_id.encode(), b"00000000-0000-7000-8000-00000000beef")
    intruder.run(
        (f"INSERT INTO stored_events {columns} VALUES (?, ?, ?, ?, ?)", (place, row.stream, 99, row.type, forged)),
        (
            "INSERT INTO leaves VALUES (?, ?, ?)",
            (place, "00000000-0000-7000-8000-00000000beef", row.leaf_hash),
        ),
    )
    assert place in positions(log)


def test_a_range_names_what_lies_in_it_and_needs_nothing_before_it(log: EventLog, database_url: str) -> None:
    for first in range(1, HEAD + 1):
        assert findings(check_rows(log, first=first, last=first + 3)) == [], first
    intruder = Intruder(database_url)
    intruder.change("stored_events", "state", f"{intruder.position} = {ACCEPTED}", another)
    assert findings(check_rows(log, last=ACCEPTED - 1)) == []
    named = {
        position
        for check in (check_rows(log, first=ACCEPTED, last=ACCEPTED).rows,)
        for one in check.findings
        for position in one.positions
    }
    assert named == {ACCEPTED}
    assert [check.code for check in verify(log, first=2, last=5)] == ["rows", "L11"]


@pytest.mark.parametrize(
    ("position", "field", "value", "named"),
    [
        (ACCEPTED, "recorded_at", "2025-02-28T11:59:59.999Z", (37, 38)),
        (ACCEPTED, "recorded_at", "2025-03-01T12:00:00Z", (38,)),
        (ACCEPTED, "salt", "AAAA", (38,)),
        (ACCEPTED, "signatures", ["forged"], (38,)),
        (ACCEPTED, "occurred_at", "2025-03-01T12:00:00", (38,)),
    ],
)
def test_a_tree_made_anew_does_not_hide_a_leaf_that_no_writer_writes(
    position: int, field: str, value: object, named: tuple[int, ...]
) -> None:
    log = made_anew(whole().log, lambda at, leaf: {**leaf, field: value} if at == position else leaf)
    assert [one for one in findings(check_rows(log)) if field in one and one.endswith(str(named))] != []


def test_an_answer_to_another_offer() -> None:
    def answered(position: int, leaf: dict[str, object]) -> dict[str, object]:
        body = leaf["body"]
        assert isinstance(body, dict)
        return {**leaf, "body": {**body, "answers": "A" * 43 + "="}} if position == ACCEPTED else leaf

    log = made_anew(whole().log, answered)
    assert findings(check_rows(log)) == [f"rows person:p-ann#6 answers ({ACCEPTED},)"]


def test_a_text_without_meaning_is_no_reason_to_fail(sqlite_url: str) -> None:
    """SQLite keeps anything in any column: text that is no UTF-8, text for numbers, numbers for bytes."""
    with closing(open_log(sqlite_url, create=True)) as log:
        whole(log)
        intruder = Intruder(sqlite_url)
        for name, (table, column, row) in columns("rowid").items():
            if column in ("rowid", "position"):
                continue
            [[(before,)]] = intruder.run((f"SELECT {column} FROM {table} WHERE {row}", ()))
            for garbage in (f"CAST(X'{'61' * 31}ff' AS TEXT)", "zeroblob(32)"):
                intruder.run((f"UPDATE {table} SET {column} = {garbage} WHERE {row}", ()))
                assert ACCEPTED in positions(log), (name, garbage)
                intruder.run((f"UPDATE {table} SET {column} = ? WHERE {row}", (before,)))
        assert findings(check_rows(log)) == []
