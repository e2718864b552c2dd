"""Canonical JSON: the one byte string a value has, so that a hash of it means something to everybody.

RFC 8785 without floats: integers within ±(2⁵³−1), text in NFC and free of `FORBIDDEN` code points, keys in the order
of their UTF-16 code units (TRUST §1.1). Nothing is ever repaired: what has no canonical form raises `NotCanonical`.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from datetime import date, datetime
from typing import Final, Literal

import msgspec

INTEGER_MAX: Final = 2**53 - 1
"""The largest magnitude every JSON reader keeps exactly (RFC 7493 §2.2)."""

FORBIDDEN: Final[tuple[tuple[int, int], ...]] = (
    (0x0000, 0x0008),  # C0 controls without tab, line feed and carriage return
    (0x000B, 0x000C),
    (0x000E, 0x001F),
    (0x007F, 0x009F),  # DEL and the C1 controls
    (0x061C, 0x061C),  # Bidi_Control: text must not be shown in another order than it is stored
    (0x200E, 0x200F),
    (0x202A, 0x202E),
    (0x2066, 0x2069),
    (0xD800, 0xDFFF),  # surrogates
    (0xFDD0, 0xFDEF),  # noncharacters, with the last two of each plane below
    (0xFEFF, 0xFEFF),  # byte order mark
    *((plane << 16 | 0xFFFE, plane << 16 | 0xFFFF) for plane in range(17)),
)
"""First and last of each range of code points that no key and no text may hold (TRUST §13.8)."""

_FORBIDDEN = re.compile("[" + "".join(rf"\U{first:08x}-\U{last:08x}" for first, last in FORBIDDEN) + "]")
_SORTED = msgspec.json.Encoder(order="sorted")
_AS_GIVEN = msgspec.json.Encoder()

TextFault = Literal["code-point", "not-nfc"]


class NotCanonical(ValueError):
    """The value has no canonical form. The message says why and never quotes the value."""


def text_fault(text: str) -> TextFault | None:
    """What forbids `text` as a key or text, `None` if nothing does."""
    # None of the forbidden is printable, and looking whether all are is much faster than looking for each.
    if not text.isprintable() and _FORBIDDEN.search(text):
        return "code-point"
    return None if text.isascii() or unicodedata.is_normalized("NFC", text) else "not-nfc"


def encode(value: object) -> bytes:
    """The canonical JSON of `value`, every rule checked; raises `NotCanonical`.

    Takes dicts with text keys, lists, tuples, texts, whole numbers, booleans, `None`, dates, aware datetimes (which
    keep their offset) and msgspec structs of these.
    """
    try:
        return _AS_GIVEN.encode(_checked(value))
    except RecursionError as error:
        raise NotCanonical("nested too deeply") from error


def encode_trusted(value: object) -> bytes:
    """The canonical JSON of `value`, nothing checked: for structs on the write path.

    The caller answers for it that every text came through the strict gate (or was made by us, in ASCII), that dict
    keys are ASCII, that numbers are integers in range and datetimes are aware. Then the result equals `encode`'s.
    """
    return _SORTED.encode(value)


def digest(value: object) -> str:
    """SHA-256 of the canonical JSON of `value`, 64 hexadecimal digits; raises `NotCanonical`."""
    return hashlib.sha256(encode(value)).hexdigest()


def is_canonical(data: bytes) -> bool:
    """Whether `data` is canonical JSON: one value, in exactly the bytes `encode` gives it."""
    try:
        # A key given twice, an escape not needed, `-0` or a blank is lost in reading and so shows in the comparison.
        return encode(msgspec.json.decode(data)) == data
    except (NotCanonical, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False


def _checked(value: object) -> object:
    """A copy of `value` for the encoder, its keys in canonical order."""
    if value is None or isinstance(value, (bool, str)):
        if isinstance(value, str) and (fault := text_fault(value)):
            raise NotCanonical(f"a text is refused: {fault}")
        return value
    if isinstance(value, int):
        if not -INTEGER_MAX <= value <= INTEGER_MAX:
            raise NotCanonical("an integer is out of range")
        return value
    if isinstance(value, dict):
        return _checked_members(value)
    if isinstance(value, (list, tuple)):
        return [_checked(item) for item in value]
    if isinstance(value, msgspec.Struct):
        return _checked(msgspec.to_builtins(value, builtin_types=(datetime, date)))
    if isinstance(value, date) and not (isinstance(value, datetime) and value.utcoffset() is None):
        return value
    raise NotCanonical(f"a {type(value).__name__} has no canonical form")


def _checked_members(members: dict[object, object]) -> dict[str, object]:
    keys: list[str] = []
    for key in members:
        if not isinstance(key, str):
            raise NotCanonical("a key is not text")
        if fault := text_fault(key):
            raise NotCanonical(f"a key is refused: {fault}")
        keys.append(key)
    # Code points sort as UTF-16 code units do, but for those beyond U+FFFF, which begin with a surrogate there.
    keys.sort(key=None if "".join(keys).isascii() else lambda key: key.encode("utf-16-be"))
    return {key: _checked(members[key]) for key in keys}
