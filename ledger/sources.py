"""Where time, ids and salts come from: the only clock and the only chance in the product.

Tests hand in their own, so that the same commands give the same bytes.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime


def utc_now() -> datetime:
    """The clock, to the millisecond, as the record keeps it."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


def uuid7() -> str:
    """A UUIDv7 (RFC 9562 §5.7): the time in milliseconds, then chance; derived from nothing a person is."""
    value = (
        time.time_ns() // 1_000_000 << 80 | 0x7 << 76 | secrets.randbits(12) << 64 | 0b10 << 62 | secrets.randbits(62)
    )
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def random_salt() -> bytes:
    """32 fresh bytes for one leaf (TRUST §1.6)."""
    return secrets.token_bytes(32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """The clock, the ids and the salts a ledger draws from. `now` answers aware UTC."""

    now: Callable[[], datetime] = utc_now
    new_id: Callable[[], str] = uuid7
    salt: Callable[[], bytes] = random_salt
