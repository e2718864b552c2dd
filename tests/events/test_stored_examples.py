"""A stored example of every version of every event ever written; each still decodes, and evolves a register."""

from __future__ import annotations

from base64 import b64decode
from pathlib import Path

import pytest

from domain.events import BODIES
from domain.register import Register
from ledger.store.leaf import decode_leaf, encode_leaf, read_event
from ledger.store.log import Row
from ledger.store.merkle import leaf_hash

EXAMPLES = {path.stem: path.read_bytes().rstrip(b"\n") for path in sorted(Path(__file__).parent.glob("*.json"))}


def row(leaf: bytes) -> Row:
    fields = decode_leaf(leaf)
    return Row(1, fields.event_id, fields.type, fields.stream, fields.stream_version, leaf, leaf_hash(leaf))


def test_every_event_has_an_example() -> None:
    assert EXAMPLES.keys() == BODIES.keys()


@pytest.mark.parametrize("wire", EXAMPLES)
def test_an_example_is_the_bytes_its_event_encodes_to(wire: str) -> None:
    leaf = EXAMPLES[wire]
    event, fields = read_event(row(leaf)), decode_leaf(leaf)
    assert event.wire == wire
    salt = b64decode(fields.salt)
    assert encode_leaf(event, correlation_id=fields.correlation_id, prev=fields.prev, salt=salt) == leaf


@pytest.mark.parametrize("wire", EXAMPLES)
def test_an_event_evolves_an_empty_register_without_raising(wire: str) -> None:
    """`evolve` is total: any event in any state, also one whose subject the register has never heard of."""
    register = Register()
    register.evolve(read_event(row(EXAMPLES[wire])))
    assert register.position == 1
