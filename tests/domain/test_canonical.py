"""Canonical JSON: the bytes, and what has none."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import msgspec
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from domain.canonical import FORBIDDEN, INTEGER_MAX, NotCanonical, digest, encode, encode_trusted, is_canonical
from tests.shared_data import own_vectors, shared_rows


def _is_forbidden(char: str) -> bool:
    return any(first <= ord(char) <= last for first, last in FORBIDDEN)


def test_nothing_forbidden_is_printable() -> None:
    """What `text_fault` leans on; the noncharacters, surrogates, controls and marks of every Unicode version."""
    assert not any(chr(code).isprintable() for first, last in FORBIDDEN for code in range(first, last + 1))


FIT_CHARACTERS = st.characters(exclude_categories=["Cs"]).filter(lambda char: not _is_forbidden(char))
FIT_TEXT = st.text(FIT_CHARACTERS, max_size=12).map(lambda text: unicodedata.normalize("NFC", text))
FIT_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-INTEGER_MAX, INTEGER_MAX) | FIT_TEXT,
    lambda values: st.lists(values, max_size=5) | st.dictionaries(FIT_TEXT, values, max_size=5),
    max_leaves=20,
)
OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
AWARE_TIMES = st.datetimes(timezones=OFFSETS)


@given(FIT_VALUES)
def test_equals_the_reference_encoder_of_rfc_8785_and_reads_back(value: Any) -> None:
    data = encode(value)
    assert data == rfc8785.dumps(value)
    assert json.loads(data) == value
    assert is_canonical(data)


@given(FIT_VALUES, st.sampled_from(b' \n"\\0a,:[]{}'), st.integers(min_value=0))
def test_any_byte_put_in_elsewhere_is_another_value_or_not_canonical(value: Any, byte: int, place: int) -> None:
    data = encode(value)
    at = place % (len(data) + 1)
    changed = data[:at] + bytes([byte]) + data[at:]
    assert not is_canonical(changed) or json.loads(changed) != value


@pytest.mark.parametrize("case", shared_rows("jcs"))
def test_vectors_of_rfc_8785(case: dict[str, Any]) -> None:
    output = case["output"].encode()
    if case["gate_on_output"] == "accepted":
        assert encode(json.loads(case["input"], parse_float=lambda text: int(float(text)))) == output
        assert hashlib.sha256(output).hexdigest() == case["output_sha256"] == digest(json.loads(output))
        assert is_canonical(output)
    else:
        assert not is_canonical(output)
        with pytest.raises(NotCanonical, match="float"):
            encode(json.loads(output))


def test_keys_sort_by_utf_16_code_unit_not_by_code_point() -> None:
    assert encode({"\uffee": 1, "\U0001f600": 2, "a": 3}) == '{"a":3,"\U0001f600":2,"\uffee":1}'.encode()


@pytest.mark.parametrize("text", ["\t\n\r", '"\\/', "José", "می‌خواهم", "\U0001f600"])
def test_texts_that_are_let_through(text: str) -> None:
    assert json.loads(encode([text])) == [text]


REFUSED = {
    "float": (1.5, "float"),
    "whole float": (1.0, "float"),
    "NaN": (float("nan"), "float"),
    "2^53": (2**53, "integer"),
    "-2^53": (-(2**53), "integer"),
    "beyond 64 bits": (2**70, "integer"),
    "NFD": ("e\u0301", "not-nfc"),
    "NFD key": ({"e\u0301": 1}, "not-nfc"),
    "lone surrogate": ("\ud800", "code-point"),
    "control in a key": ({"\x0b": 1}, "code-point"),
    "key is a number": ({1: 1}, "key is not text"),
    "set": ({"a"}, "set"),
    "bytes": (b"a", "bytes"),
    "decimal outside a struct": (Decimal(1), "Decimal"),
    "naive time": (datetime(2025, 3, 1, 9, 0), "datetime"),  # noqa: DTZ001 - a naive time is the point
}


@pytest.mark.parametrize(("value", "why"), REFUSED.values(), ids=REFUSED)
def test_what_has_no_canonical_form_is_refused_at_any_depth(value: Any, why: str) -> None:
    for holder in (value, [value], (0, value), {"a": {"b": [value]}}):
        with pytest.raises(NotCanonical, match=why):
            encode(holder)


def test_a_value_that_holds_itself_is_refused() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(NotCanonical, match="deep"):
        encode(endless)


def test_exactly_the_code_points_of_the_table_are_refused() -> None:
    named = [*range(0x20), *range(0x7F, 0xA0), 0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
    named += [*range(0xD800, 0xE000), *range(0xFDD0, 0xFDF0), 0xFEFF]
    named += [plane * 0x10000 + last for plane in range(17) for last in (0xFFFE, 0xFFFF)]
    refused = {point for point in range(0x110000) if _is_refused_for_its_code_point(chr(point))}
    assert refused == set(named) - {0x09, 0x0A, 0x0D}


def _is_refused_for_its_code_point(text: str) -> bool:
    try:
        encode(text)
    except NotCanonical as error:
        return "code-point" in str(error)
    return False


class _Inner(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    until: datetime
    from_: date


class _Outer(msgspec.Struct, frozen=True, omit_defaults=True):
    text: str
    inner: _Inner
    flags: tuple[str, ...]
    absent: str | None = None


def test_structs_are_written_with_sorted_wire_names_and_their_own_offsets() -> None:
    at = datetime(2025, 3, 1, 9, 30, tzinfo=timezone(timedelta(hours=1)))
    value = _Outer("Kumla – é", _Inner(at, date(2025, 3, 1)), ("late",))
    inner = '{"from":"2025-03-01","until":"2025-03-01T09:30:00+01:00"}'
    expected = f'{{"flags":["late"],"inner":{inner},"text":"Kumla – é"}}'.encode()
    assert encode_trusted(value) == encode(value) == expected


@given(st.builds(_Outer, FIT_TEXT, st.builds(_Inner, AWARE_TIMES, st.dates()), st.just(())))
def test_the_trusted_encoder_agrees_wherever_its_precondition_holds(value: _Outer) -> None:
    assert encode_trusted(value) == encode(value)
    assert is_canonical(encode_trusted(value))


@pytest.mark.parametrize("at", [datetime(2025, 3, 1), 1.5])  # noqa: DTZ001 - a naive time is the point
def test_a_struct_is_checked_within(at: Any) -> None:
    with pytest.raises(NotCanonical):
        encode(_Outer("", _Inner(at, date(2025, 3, 1)), ()))


NOT_CANONICAL = {
    "blank": b'{"a": 1}',
    "newline at the end": b'{"a":1}\n',
    "keys unsorted": b'{"b":1,"a":2}',
    "key twice": b'{"a":1,"a":1}',
    "escape not needed": b'"\\u0061"',
    "solidus escaped": b'"\\/"',
    "long escape of newline": b'"\\u000a"',
    "minus zero": b"-0",
    "exponent": b"1e2",
    "float": b"1.0",
    "NaN": b"NaN",
    "5,000 digits": b"1" * 5_000,
    "NFD": '"e\u0301"'.encode(),
    "forbidden code point": '"\u202e"'.encode(),
    "not UTF-8": b'"\xff"',
    "byte order mark": b"\xef\xbb\xbf{}",
    "nothing": b"",
    "two values": b"{}{}",
    "nested 100,000 deep": b"[" * 100_000,
}


@pytest.mark.parametrize("data", NOT_CANONICAL.values(), ids=NOT_CANONICAL)
def test_other_spellings_are_not_canonical(data: bytes) -> None:
    assert not is_canonical(data)


def test_the_leaves_of_the_worked_example_are_canonical() -> None:
    leaves = [row["leaf"].encode() for row in own_vectors("worked_example_leaves")["leaves"]]
    assert len(leaves) == 9
    for leaf in leaves:
        assert is_canonical(leaf)
        assert encode(json.loads(leaf)) == encode_trusted(json.loads(leaf)) == leaf
