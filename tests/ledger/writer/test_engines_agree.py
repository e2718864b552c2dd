"""The same commands with the same clock, ids and salts give the same bytes on both engines."""

from __future__ import annotations

from base64 import b64decode

import pytest

from ledger.store import open_log
from ledger.store.leaf import decode_leaf, encode_leaf, read_event
from ledger.store.log import EventLog, Row
from tests.scene import Scene, accepted, agreement, approved, held, registry


def told(log: EventLog) -> list[Row]:
    scene = Scene(log)
    accepted(approved(held(agreement(registry(scene)))))
    return scene.log.read(0, 1_000)


def test_both_engines_record_the_same_bytes(sqlite_url: str, postgresql_url: str) -> None:
    logs = [open_log(url, create=True) for url in (sqlite_url, postgresql_url)]
    first, second = (told(log) for log in logs)
    for log in logs:
        log.close()
    assert first == second
    assert len(first) > 30


@pytest.fixture
def rows() -> list[Row]:
    scene = accepted(approved(held(agreement(registry(Scene())))))
    return scene.log.read(0, 1_000)


def test_a_stored_leaf_is_what_its_event_encodes_to(rows: list[Row]) -> None:
    """One byte string, written once: reading and writing again gives the same bytes for every kind of event."""
    for row in rows:
        event, leaf = read_event(row), decode_leaf(row.leaf)
        salt = b64decode(leaf.salt)
        assert encode_leaf(event, correlation_id=leaf.correlation_id, prev=leaf.prev, salt=salt) == row.leaf
