"""The short way to a verdict on canonical form is the rule's own verdict, whatever the bytes."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.canonical import is_canonical
from ledger.audit.canonical_form import DEPTH_MAX, has_canonical_form
from tests.ledger.audit.stories import whole

NESTED = DEPTH_MAX + 3

CANONICAL = {
    "an object": b'{"a":1,"b":[null,true,"x"]}',
    "the largest whole number": b'{"a":9007199254740991,"b":-9007199254740991}',
    "text beyond ASCII": '{"a":"é"}'.encode(),
    "an escape": b'{"a":"\\n"}',
    "deeper than events are": b"[" * NESTED + b"]" * NESTED,
}
NOT_CANONICAL = {
    "keys in another order": b'{"b":1,"a":1}',
    "keys within in another order": b'{"a":{"c":1,"b":1}}',
    "a key given twice": b'{"a":1,"a":1}',
    "a blank": b'{"a": 1}',
    "a fraction": b'{"a":1.5}',
    "a fraction that is whole": b'{"a":1.0}',
    "an exponent": b'{"a":1e3}',
    "minus nothing": b'{"a":-0}',
    "a number too large": b'{"a":9007199254740992}',
    "a number too small": b'{"a":-9007199254740992}',
    "an escape that is not needed": b'{"a":"\\u0061"}',
    "a control character": b'{"a":"\x7f"}',
    "decomposed text": '{"a":"e\u0301"}'.encode(),
    "text that turns around": '{"a":"\u202e"}'.encode(),
    "deeper, with a fraction": b"[" * NESTED + b"0.5" + b"]" * NESTED,
    "something behind": b'{"a":1}{}',
    "nothing": b"",
    "no text": b"\xff",
    "depth without end": b"[" * 100_000,
}


@pytest.mark.parametrize("sentence", CANONICAL)
def test_canonical(sentence: str) -> None:
    assert has_canonical_form(CANONICAL[sentence])


@pytest.mark.parametrize("sentence", NOT_CANONICAL)
def test_not_canonical(sentence: str) -> None:
    assert not has_canonical_form(NOT_CANONICAL[sentence])


LEAVES = [row.leaf for row in whole().log.read(0, 100)]


def test_every_leaf_of_a_writer_is() -> None:
    assert all(has_canonical_form(leaf) for leaf in LEAVES)


@given(st.sampled_from(LEAVES), st.integers(min_value=0), st.integers(min_value=0, max_value=255))
def test_a_changed_byte_is_judged_as_the_rule_judges_it(leaf: bytes, at: int, byte: int) -> None:
    at %= len(leaf)
    changed = leaf[:at] + bytes([byte]) + leaf[at + 1 :]
    assert has_canonical_form(changed) == is_canonical(changed)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(min_value=-(2**53), max_value=2**53)
    | st.floats(allow_nan=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


@given(VALUES)
def test_any_value_is_judged_as_the_rule_judges_it(value: object) -> None:
    data = msgspec.json.encode(value)
    assert has_canonical_form(data) == is_canonical(data)
