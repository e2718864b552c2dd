"""Where time, ids and salts come from: the only clock and the only chance in the product.

Tests hand in their own, so that the same commands give the same bytes.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

CHANCE_BYTES: Final = 8_192
SALT_BYTES: Final = 32


def utc_now() -> datetime:
    """The clock, to the millisecond, as the record keeps it."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


class _Chance(threading.local):
    """The system's random bytes, drawn in stretches; each is handed out once, and each thread has its own.

    Asking the system lets another thread have the interpreter, and getting it back costs far more than the bytes.
    """

    def __init__(self) -> None:
        self._bytes = b""
        self._next = 0

    def draw(self, count: int) -> bytes:
        """That many bytes nobody has had."""
        first = self._next
        if first + count > len(self._bytes):
            self._bytes, first = os.urandom(CHANCE_BYTES), 0
        self._next = first + count
        return self._bytes[first : self._next]

    def forget(self) -> None:
        """Give out nothing of what is left."""
        self._bytes = b""


_chance = _Chance()
# A process that was forked off must not give out what its parent does.
os.register_at_fork(after_in_child=_chance.forget)


def uuid7() -> str:
    """A UUIDv7 (RFC 9562 §5.7): the time in milliseconds, then chance; derived from nothing a person is."""
    chance = int.from_bytes(_chance.draw(10), "big")
    value = time.time_ns() // 1_000_000 << 80 | 0x7 << 76 | (chance >> 68) << 64 | 0b10 << 62 | chance & (1 << 62) - 1
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def random_salt() -> bytes:
    """32 fresh bytes for one leaf (TRUST §1.6)."""
    return _chance.draw(SALT_BYTES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """The clock, the ids and the salts a ledger draws from. `now` answers aware UTC."""

    now: Callable[[], datetime] = utc_now
    new_id: Callable[[], str] = uuid7
    salt: Callable[[], bytes] = random_salt
