"""Where time, ids and salts come from: the only clock and the only chance in the product.

Tests hand in their own, so that the same commands give the same bytes.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

CHANCE_BYTES: Final = 8_192
_MILLISECOND: Final = timedelta(milliseconds=1)
SALT_BYTES: Final = 32


def utc_now() -> datetime:
    """The clock, to the millisecond, as the record keeps it."""
    seconds, milliseconds = divmod(time.time_ns() // 1_000_000, 1000)
    return _at_second(seconds) + milliseconds * _MILLISECOND


@lru_cache(maxsize=2)
def _at_second(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


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
    chance = _chance.draw(10)
    moment, bits = f"{time.time_ns() // 1_000_000:012x}", chance.hex()
    return f"{moment[:8]}-{moment[8:]}-7{bits[:3]}-{'89ab'[chance[9] & 3]}{bits[3:6]}-{bits[6:18]}"


def random_salt() -> bytes:
    """32 fresh bytes for one leaf (TRUST §1.6)."""
    return _chance.draw(SALT_BYTES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """The clock, the ids and the salts a ledger draws from. `now` answers aware UTC."""

    now: Callable[[], datetime] = utc_now
    new_id: Callable[[], str] = uuid7
    salt: Callable[[], bytes] = random_salt
