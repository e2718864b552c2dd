"""The strict gate: every row about the body itself, what escapes hide, and the batch under the limits of one."""

from __future__ import annotations

import json
import traceback
from base64 import b64decode
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.canonical import INTEGER_MAX, NotCanonical, encode
from domain.strict_json import (
    BATCH_BYTES_MAX,
    COMMAND_BYTES_MAX,
    DEPTH_MAX,
    Malformed,
    _read_exactly,
    _read_plain,
    parse,
)
from tests.shared_data import body_of, own_vectors, shared_rows

# Rows that name a content type ask about the header, which is judged before any body is read.
GATE_ROWS = [case for case in own_vectors("strict_gate")["cases"] if "content_type" not in case]
ONE_COMMAND = [case for case in GATE_ROWS if case.get("route") != "batch"]
BATCH = [case for case in GATE_ROWS if case.get("route") == "batch"]


def _reason(body: bytes, *, batch: bool = False) -> str | None:
    try:
        parse(body, top="array") if batch else parse(body)
    except Malformed as refusal:
        return refusal.reason
    return None


def test_the_rows_are_all_there() -> None:
    assert (len(ONE_COMMAND), len(BATCH)) == (60, 6)


@pytest.mark.parametrize("case", [pytest.param(case, id=case["name"]) for case in ONE_COMMAND])
def test_gate_rows_of_one_command(case: dict[str, Any]) -> None:
    assert _reason(body_of(case)) == case.get("want_reason")


@pytest.mark.parametrize("case", [pytest.param(case, id=case["name"]) for case in BATCH])
def test_gate_rows_of_a_batch(case: dict[str, Any]) -> None:
    assert _reason(body_of(case), batch=True) == case.get("want_reason")


@pytest.mark.parametrize("case", [pytest.param(case, id=case["name"]) for case in ONE_COMMAND if "repeat" not in case])
def test_a_command_in_a_batch_is_refused_for_the_same_reason(case: dict[str, Any]) -> None:
    body = body_of(case)
    if case["name"] == "empty body":
        assert parse(b"[" + body + b"]", top="array") == []
    elif case["name"] in {"byte order mark first", "UTF-16"}:
        assert _reason(body + b"[]", batch=True) == "encoding"
    else:
        assert _reason(b'[{"n":1}, ' + body + b" ]", batch=True) == case.get("want_reason")


@pytest.mark.parametrize("case", shared_rows("json_hostile"))
def test_hostile_bodies_of_others(case: dict[str, Any]) -> None:
    body = b64decode(case["bytes_base64"])
    assert _reason(body) not in {None, "too-large"}
    assert _reason(body, batch=True) not in {None, "too-large"}


@pytest.mark.parametrize("case", shared_rows("jcs"))
def test_canonical_json_of_others(case: dict[str, Any]) -> None:
    for side in ("input", "output"):
        assert _reason(case[side].encode()) == (None if case[f"gate_on_{side}"] == "accepted" else "float")


@pytest.mark.parametrize("top", ["object", "array"])
@pytest.mark.parametrize("body", [b'[{"name":"planted",}]', b'[{"name":"planted\xff"}]', b'[{"name":planted}]'])
def test_a_refusal_prints_nothing_of_the_input(body: bytes, top: Literal["array"]) -> None:
    with pytest.raises(Malformed) as caught:
        parse(body, top=top)
    printed = "".join(traceback.format_exception(caught.value))
    assert caught.value.args == (caught.value.reason,)
    assert "planted" not in printed
    # A log that follows causes must not come upon the parser's own error, which holds the whole body.
    assert caught.value.__context__ is None or caught.value.__suppress_context__


def test_values_read_as_they_were_sent() -> None:
    body = '{"s":"é\\n\\ud83d\\ude00\\"","n":-0,"max":9007199254740991,"l":[true,false,null,{}],"":"x"}'
    assert parse(body.encode()) == {
        "s": 'é\n\U0001f600"',
        "n": 0,
        "max": INTEGER_MAX,
        "l": [True, False, None, {}],
        "": "x",
    }
    assert parse(b' [ {"n":1} ,\n{"n":2}\t] ', top="array") == [{"n": 1}, {"n": 2}]


HIDDEN = {
    "NUL by escape in a list": (b'{"a":["b",["\\u0000"]]}', "code-point"),
    "right-to-left override by escape in a key": (b'{"a":{"\\u202e":1}}', "code-point"),
    "two lone surrogates in two texts": (b'{"a":["\\ud83d","\\ude00"]}', "code-point"),
    "NFD by escape": (b'{"a":"e\\u0301"}', "not-nfc"),
    "NFD key by escape": (b'{"e\\u0301":1}', "not-nfc"),
    "a mark after an escape composes with nothing": ('{"a":"\\n\u0301"}'.encode(), None),
    "a mark that begins a text": ('{"a":"\u0301"}'.encode(), None),
    "a mark that begins a text, with an escape elsewhere": ('{"a":["e","\u0301","\\n"]}'.encode(), None),
    "brackets within a text do not nest": (b'{"a":"' + b"[" * 100 + b'"}', None),
    "nor do those behind an escaped quote": (b'{"a":"\\"' + b"[" * 100 + b'"}', None),
    "those behind an escaped backslash do": (b'{"a":"\\\\",' + b'"b":' + b"[" * 16 + b"]" * 16 + b"}", "depth"),
    "many brackets side by side": (b'{"a":[' + b"[],{}," * 100 + b"[]]}", None),
    "arrays and objects nest in each other": (b'{"a":[' * 8 + b"]}" * 8, None),
    "one level more, many side by side": (b'{"a":[' * 8 + b"[],{}," * 9 + b"{}" + b"]}" * 8, "depth"),
    "objects nest like arrays": (b'{"a":' * DEPTH_MAX + b"{}" + b"}" * DEPTH_MAX, "depth"),
    "UTF-16 without a mark": ('{"a":1}'.encode("utf-16-le"), "encoding"),
    "UTF-16 without a mark, big-endian": ('{"a":1}'.encode("utf-16-be"), "encoding"),
    "text left open": (b'{"a":"' + b"[" * 100, "syntax"),
    "constant within a text": (b'{"a":"NaN"}', None),
    "leading zero": (b'{"a":01}', "syntax"),
    "raw newline in a text": (b'{"a":"\n"}', "syntax"),
    "form feed between values": (b'{"a":\x0c1}', "syntax"),
    "no-break space between values": ('{"a":\u00a01}'.encode(), "syntax"),
    "float at top": (b"1.5", "float"),
    "a key twice, and a text that begins with a colon": (b'{"a":1,"a":2,"b":":x"}', "duplicate-key"),
    "a key twice, and an escaped colon that begins a text": (b'{"a":1,"a":2,"b":"\\u003ax"}', "duplicate-key"),
    "a key twice, once with a blank behind it": (b'{"a" :1,"a":2}', "duplicate-key"),
    "a key twice, once with a blank, and a text with a colon": (b'{"a" :1,"a":2,"b":":"}', "duplicate-key"),
    "a key twice, once with a line feed behind it": (b'{"a"\n:1, "a":2}', "duplicate-key"),
    "a key twice deep within": (b'{"a": [{"b": [{"c":1,"c":1}]}]}', "duplicate-key"),
    "a colon behind a quote in texts": (b'{"a": "\\":", "b": ":"}', None),
    "DEL in a key": (b'{"a\x7f":1}', "code-point"),
    "a whole number with a fraction": (b'{"a":[[1.0]]}', "float"),
    "a number out of range, deep within": (b'{"a":[{"b":9007199254740992}]}', "integer-range"),
    "more levels than the fast reader knows": (b'{"a":' + b"[" * 15 + b"]" * 15 + b"}", None),
    "the same with a float": (b'{"a":' + b"[" * 15 + b"1.0" + b"]" * 15 + b"}", "float"),
}


@pytest.mark.parametrize(("body", "want"), HIDDEN.values(), ids=HIDDEN)
def test_what_escapes_and_texts_hide(body: bytes, want: str | None) -> None:
    assert _reason(body) == want


LARGEST = b'{"s":"' + b"a" * (COMMAND_BYTES_MAX - 8) + b'"}'
BATCHES = {
    "empty": (b"[]", None),
    "blanks around a command are not its own": (b"[" + b" " * COMMAND_BYTES_MAX + LARGEST + b" ]", None),
    "largest, in bytes not characters": ('[{"s":"' + "é" * 32_764 + '"}]', None),
    "two bytes larger": ('[{"s":"' + "é" * 32_765 + '"}]', "too-large"),
    "exactly 8 MiB": (b"[" + b" " * (BATCH_BYTES_MAX - 2) + b"]", None),
    "millions of elements": (b"[" + b"1," * 4_000_000 + b"1]", "too-large"),
    "too many commands come before bad syntax": (b"[" + b"{}," * 1_000 + b"{} oops", "too-large"),
    "nested millions deep": (b"[" * 8_000_000, "depth"),
    "each command nests on its own": (b"[" + b'{"a":' + b"[" * 15 + b"]" * 15 + b"}]", None),
    "one level more": (b"[" + b'{"a":' + b"[" * 16 + b"]" * 16 + b"}]", "depth"),
    "an object": (b'{"n":1}', "top-level"),
    "a text": (b'"x"', "top-level"),
    "trailing comma": (b"[{},]", "syntax"),
    "nothing": (b"", "syntax"),
    "two arrays": (b"[][]", "syntax"),
    "one command a line": (b'{"n":1}\n{"n":2}\n', "top-level"),
    "constant": (b'[{"n":-Infinity}]', "constant"),
    "constant in a text beside bad syntax": (b'[{"n":"NaN",}]', "syntax"),
    "not UTF-8 in the last command": (b'[{"s":"a"},{"s":"\xff"}]', "encoding"),
    "a character cut off at the end": (b'[{"s":"\xc3', "encoding"),
    "one key in two commands": (b'[{"a":1},{"a":1}]', None),
}


@pytest.mark.parametrize(("body", "want"), BATCHES.values(), ids=BATCHES)
def test_batches(body: bytes | str, want: str | None) -> None:
    assert _reason(body.encode() if isinstance(body, str) else body, batch=True) == want


def test_a_character_over_the_border_of_two_steps_is_read_whole() -> None:
    command = '{"s":"' + "é" * 30_000 + '"}'
    for blanks in range(2):
        body = ("[" + " " * blanks + ",".join([command] * 5) + "]").encode()
        assert parse(body, top="array") == [{"s": "é" * 30_000}] * 5


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=8),
    lambda values: st.lists(values, max_size=4) | st.dictionaries(st.text(max_size=4), values, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=4), JSON_VALUES), st.booleans(), st.sampled_from([None, 1]))
def test_the_gate_lets_through_exactly_what_has_a_canonical_form(
    value: dict[str, Any], escaped: bool, indent: int | None
) -> None:
    body = json.dumps(value, ensure_ascii=escaped, indent=indent).encode(errors="surrogatepass")
    try:
        encode(value)
    except NotCanonical:
        assert _reason(body) in {"integer-range", "code-point", "not-nfc", "encoding"}
        assert _reason(b"[%b]" % body, batch=True) == _reason(body)
    else:
        assert parse(body) == value
        assert parse(b"[%b]" % body, top="array") == [value]


PIECES = st.sampled_from(
    [
        *'{}[],: \n"',
        *('"a"', '"b"', '"a":', '"a" :', '":"', '"\\u003a"', '"\\u0061":', '\\"', '{"a":', "{}", "[]"),
        *("1", "-0", "1.0", "2e3", "9007199254740991", "9007199254740992", "true", "null", ',"b":1', ',"a":2'),
        *("é", "e\u0301", "\x7f", "\u202e"),
    ]
)


@given(st.lists(PIECES, max_size=14).map(lambda pieces: ("{" + "".join(pieces) + "}").encode()))
def test_the_fast_reader_lets_through_nothing_that_the_exact_one_does_not(body: bytes) -> None:
    plain = _read_plain(body)
    assert plain is None or plain == _read_exactly(body)


@given(st.binary(max_size=40) | st.text(alphabet='{}[]",:\\u0e-1.aN \n', max_size=40).map(str.encode))
def test_any_bytes_are_read_or_refused_and_agree_with_a_plain_reader(body: bytes) -> None:
    for batch in (False, True):
        if _reason(body, batch=batch) is None:
            assert parse(body, top="array" if batch else "object") == json.loads(body)
