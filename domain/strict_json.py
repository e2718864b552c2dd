"""The strict gate: the bytes of a request become plain values here, or are refused before any schema sees them.

Two programs must never read one body differently, so whatever JSON readers disagree on is refused: a key given
twice, numbers that lose digits, text that looks like other text (TRUST §13). Each pass is linear in the body and its
limits are checked first, so a hostile body costs no more than an honest one. A refusal names its reason and never
holds the input.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from itertools import takewhile
from typing import Annotated, Any, Final, Literal, NoReturn, cast, overload

import msgspec

from domain.canonical import INTEGER_MAX, text_fault

COMMAND_BYTES_MAX: Final = 64 * 1024
BATCH_BYTES_MAX: Final = 8 * 1024 * 1024
BATCH_COMMANDS_MAX: Final = 1_000
DEPTH_MAX: Final = 16
"""How many arrays and objects may be open at once within one command."""

Reason = Literal[
    "too-large",
    "encoding",
    "syntax",
    "depth",
    "duplicate-key",
    "constant",
    "float",
    "integer-range",
    "code-point",
    "not-nfc",
    "top-level",
]


class Malformed(ValueError):
    """A body the gate does not let through."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason: Final[Reason] = reason


@overload
def parse(body: bytes, *, top: Literal["object"] = "object") -> dict[str, object]: ...
@overload
def parse(body: bytes, *, top: Literal["array", "lines"]) -> list[dict[str, object]]: ...
def parse(
    body: bytes, *, top: Literal["object", "array", "lines"] = "object"
) -> dict[str, object] | list[dict[str, object]]:
    """The value of a JSON body, or `Malformed` with the first reason found.

    `top="object"` reads one command of at most `COMMAND_BYTES_MAX`; `top="array"` a batch of at most
    `BATCH_COMMANDS_MAX` commands in `BATCH_BYTES_MAX`, each under the limits of one, counted in its own bytes as sent;
    `top="lines"` the same batch with one command a line, each line but the last ended by a line feed.
    """
    if top == "object":
        return _parse_command(body)
    if len(body) > BATCH_BYTES_MAX:
        raise Malformed("too-large")
    _check_encoding(body)
    return [_parse_command(item) for item in (_split(body) if top == "array" else _lines(body))]


def _parse_command(body: bytes) -> dict[str, object]:
    if len(body) > COMMAND_BYTES_MAX:
        raise Malformed("too-large")
    plain = _read_plain(body)
    return plain if plain is not None else _read_exactly(body)


PLAIN_DEPTH_MAX: Final = 6
"""How deep the fast reader looks: its type grows twice as large with each level, and commands are flat."""
_SCALAR: Any = None | bool | Annotated[int, msgspec.Meta(ge=-INTEGER_MAX, le=INTEGER_MAX)] | str
_plain: Any = _SCALAR
for _ in range(PLAIN_DEPTH_MAX - 1):
    _plain = _SCALAR | list[_plain] | dict[str, _plain]
_PLAIN_DECODER: msgspec.json.Decoder[dict[str, object]] = msgspec.json.Decoder(dict[str, _plain])
_ENCODER = msgspec.json.Encoder()
_BLANK_BEFORE_COLON = re.compile(rb"[ \t\n\r]:")


def _read_plain(body: bytes) -> dict[str, object] | None:
    """The value of a body that a fast reader shows to be fit; `None` where only `_read_exactly` can tell.

    That reader minds depth and numbers, and of two equal keys keeps the last. So what it read is written again, which
    gives the same bytes, or others with as many keys; a key is what ends in a quote with a colon right behind it.
    """
    try:
        value = _PLAIN_DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    again = _ENCODER.encode(value)
    has_escapes = b"\\" in body
    if again != body and (
        has_escapes or again.count(b'":') != body.count(b'":') or _BLANK_BEFORE_COLON.search(body) is not None
    ):
        return None
    if body.isascii() and not has_escapes:
        # Other controls cannot stand in a text as they are.
        return value if b"\x7f" not in body else None
    return None if text_fault('"'.join(_texts(value)) if has_escapes else body.decode()) else value


def _read_exactly(body: bytes) -> dict[str, object]:
    """The value of a body of any kind, or the reason it is refused for."""
    _check_encoding(body)
    _check_depth(body)
    text = body.decode()
    try:
        value: object = _DECODER.decode(text)
    except json.JSONDecodeError:
        # The decoder's error holds the whole body; it must not reach a log.
        raise Malformed("syntax") from None
    # Without escapes the body is its own text: a quote neither composes with a mark nor sorts behind one, so the
    # whole is free of faults exactly if each key and text is. An escape may hide anything until it is decoded.
    if fault := text_fault('"'.join(_texts(value)) if "\\" in text else text):
        raise Malformed(fault)
    if not isinstance(value, dict):
        raise Malformed("top-level")
    return value


def _lines(body: bytes) -> list[bytes]:
    """The lines of a body, each of them a command's text, not yet read."""
    lines = body.split(b"\n", BATCH_COMMANDS_MAX)
    if len(lines) > 1 and not lines[-1]:
        lines.pop()
    if len(lines) > BATCH_COMMANDS_MAX or max(map(len, lines)) > COMMAND_BYTES_MAX:
        raise Malformed("too-large")
    return lines


# As many optional places as a batch may have commands: the splitter stops at the first element too many, where a
# list would first collect the millions of elements that 8 MiB can hold.
_Batch = msgspec.defstruct(
    "_Batch",
    [(f"command_{n}", msgspec.Raw, msgspec.field(default=msgspec.Raw())) for n in range(BATCH_COMMANDS_MAX)],
    array_like=True,
    forbid_unknown_fields=True,
)
_BATCH_DECODER = msgspec.json.Decoder(_Batch)
_ARRAY_BEGINS = re.compile(rb"[ \t\n\r]*\[")
_BETWEEN_ELEMENTS = re.compile(rb"[ \t\n\r,]*")

# What the splitter would call bad syntax and the gate has a reason of its own for; each stand-in has the same length
# and leaves quotes and brackets where they are.
_STAND_INS = ((b"\\u", b"\\n"), (b"NaN", b"111"), (b"Infinity", b"11111111"))


def _split(body: bytes) -> Iterator[bytes]:
    """The elements of a top-level array as sent, none of them longer than a command may be, not yet read."""
    readable = body
    for given, stand_in in _STAND_INS:
        readable = readable.replace(given, stand_in)
    try:
        places = cast("tuple[msgspec.Raw, ...]", msgspec.structs.astuple(_BATCH_DECODER.decode(readable)))
    except msgspec.ValidationError:
        raise Malformed("too-large" if _ARRAY_BEGINS.match(body) else "top-level") from None
    except msgspec.DecodeError:
        raise Malformed("syntax") from None
    except RecursionError:
        raise Malformed("depth") from None
    lengths = list(takewhile(bool, (len(memoryview(place)) for place in places)))
    if lengths and max(lengths) > COMMAND_BYTES_MAX:
        raise Malformed("too-large")

    start = body.index(b"[") + 1
    for length in lengths:
        blanks = _BETWEEN_ELEMENTS.match(body, start)
        assert blanks is not None
        start = blanks.end() + length
        yield body[start - length : start]


def _check_encoding(body: bytes) -> None:
    """UTF-8 it must be, shortest forms, no byte order mark; a NUL among the first two bytes means UTF-16 or UTF-32."""
    if body.startswith(codecs.BOM_UTF8) or b"\0" in body[:2]:
        raise Malformed("encoding")
    if body.isascii():
        return
    reader = codecs.getincrementaldecoder("utf-8")()
    try:
        # In steps, for one astral character would make the text of a whole batch four times its bytes.
        for start in range(0, len(body), COMMAND_BYTES_MAX):
            reader.decode(body[start : start + COMMAND_BYTES_MAX])
        reader.decode(b"", final=True)
    except UnicodeDecodeError:
        raise Malformed("encoding") from None


_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_ALL_BUT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_ONE_KIND = bytes.maketrans(b"{}", b"[]")
_OPENS = ord("[")


def _check_depth(body: bytes) -> None:
    # Most commands hold too few brackets to nest too deeply, whatever stands in their texts.
    if body.count(b"[") + body.count(b"{") <= DEPTH_MAX:
        return
    brackets = _STRING.sub(b"", body).translate(_ONE_KIND, delete=_ALL_BUT_BRACKETS)
    left = brackets
    for _ in range(DEPTH_MAX):
        # Takes exactly the innermost level away, and much faster than each bracket is looked at.
        left = left.replace(b"[]", b"")
    if not left:
        return
    depth = 0
    for bracket in brackets:
        depth += 1 if bracket == _OPENS else -1
        if depth > DEPTH_MAX:
            raise Malformed("depth")


def _members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Malformed("duplicate-key")
    return members


def _integer(digits: str) -> int:
    # Length first: the time to read a number grows faster than its digits.
    if len(digits) > len(str(-INTEGER_MAX)) or not -INTEGER_MAX <= (value := int(digits)) <= INTEGER_MAX:
        raise Malformed("integer-range")
    return value


def _no_float(_: str) -> NoReturn:
    raise Malformed("float")


def _no_constant(_: str) -> NoReturn:
    raise Malformed("constant")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_members, parse_int=_integer, parse_float=_no_float, parse_constant=_no_constant
)


def _texts(value: object) -> Iterator[str]:
    """Every key and text within `value`, whose depth is known to be small."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, member in value.items():
            yield key
            yield from _texts(member)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
