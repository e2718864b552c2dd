"""Instants as the views keep and show them.

Kept, an instant is UTC text of one width, so that the order of texts is that of time; shown, it loses a fraction that
is nothing.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

_FIRST: Final = datetime.min.replace(tzinfo=UTC)
_LAST: Final = datetime.max.replace(tzinfo=UTC)
_WIDTH: Final = len("2025-03-01T09:00:00.000000")
# Several views write the instants of one event, and one after the other those of a page.
_REMEMBERED: Final = 1 << 14


def utc_now() -> datetime:
    """The clock, for when something was done; nothing a view holds is read from it."""
    return datetime.now(UTC)


@lru_cache(maxsize=_REMEMBERED)
def kept(instant: datetime) -> str:
    """`2025-03-01T09:00:00.000000Z`."""
    text = (instant if instant.tzinfo is UTC else _utc(instant)).isoformat(timespec="microseconds")
    return f"{text[:_WIDTH]}Z"


def kept_or_none(instant: datetime | None) -> str | None:
    """The same for an instant that may be absent."""
    return None if instant is None else kept(instant)


def shown(text: str) -> str:
    """A kept instant as answers show it: `2025-03-01T09:00:00Z`, milliseconds or microseconds where it has them."""
    whole, fraction = text[:19], text[20:26]
    if fraction == "000000":
        return f"{whole}Z"
    return f"{whole}.{fraction[:3]}Z" if fraction.endswith("000") else text


def shown_or_none(text: str | None) -> str | None:
    """The same for an instant that may be absent."""
    return None if text is None else shown(text)


def read(text: str) -> datetime:
    """The instant that a kept text says."""
    return datetime.fromisoformat(text)


def _utc(instant: datetime) -> datetime:
    try:
        return instant.astimezone(UTC)
    except OverflowError:
        # An offset carries it out of the calendar: the first or the last instant there is.
        return _FIRST if _offset(instant) > timedelta() else _LAST


def _offset(instant: datetime) -> timedelta:
    return (instant.tzinfo or UTC).utcoffset(instant) or timedelta()
