"""The log as the views read it, the events that this program can't read among them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, Protocol

import msgspec

from domain.events.event import Event

# What a stored event raises that this program cannot read. Anything else is an outage.
UNREADABLE: Final = (KeyError, ValueError, msgspec.MsgspecError)
ERROR_CHARACTERS_MAX: Final = 500


class Stored(NamedTuple):
    """What is stored beside an event, and so is known also where the event itself can't be read."""

    stream: str
    leaf_hash: str


class EventSource(Protocol):
    """What the views need of the log."""

    @property
    def outages(self) -> tuple[type[Exception], ...]:
        """What any of these raises while the log can't be reached."""

    def read_events(self, after: int, limit: int, wanted: Callable[[str], bool] | None = None) -> Sequence[Event]:
        """The events at `after` + 1 and up, at most `limit`, without a hole; raises one of `UNREADABLE`.

        Of those positions only the events are read whose stream is `wanted`, if that is given.
        """

    def read_at(self, positions: Sequence[int]) -> Sequence[Event]:
        """The events at exactly these positions, given in order, all of which could be read before."""

    def stored(self, position: int) -> Stored | None:
        """What is stored beside the event at a position; `None` where there is no such position."""

    def head(self) -> int:
        """The last position."""

    def help(self, task: str) -> subprocess.Popen[bytes] | None:
        """Start a process that opens this log and hands the task to `Views.assist`; `None` where there is none to have.

        It ends by itself once whoever asked is gone.
        """

    def wait_for(self, after: int, timeout: float) -> bool:
        """Wait until the head is likely beyond `after`, `timeout` seconds at most."""


class Unreadable(NamedTuple):
    """An event that this program cannot read, by what is stored beside it."""

    position: int
    stream: str
    leaf_hash: str
    error: str


Recorded = Event | Unreadable


def read_page(source: EventSource, after: int, limit: int) -> Sequence[Recorded]:
    """A page of the log; it ends with the first event in it that can't be read, if there is one."""
    if limit <= 0:
        return ()
    try:
        return source.read_events(after, limit)
    except UNREADABLE as fault:
        if limit == 1:
            stored = source.stored(after + 1)
            assert stored is not None, "what can't be read is there"
            return (Unreadable(after + 1, stored.stream, stored.leaf_hash, told(fault)),)
    half = limit // 2
    first = read_page(source, after, half)
    if first and isinstance(first[-1], Unreadable):
        return first
    return (*first, *read_page(source, after + half, limit - half))


def told(fault: Exception) -> str:
    """A fault as the views' tables keep it."""
    return f"{type(fault).__name__}: {fault}"[:ERROR_CHARACTERS_MAX]
