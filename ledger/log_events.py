"""The log as the views read it, and the processes that help to read a long one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar

import msgspec

from domain.events.event import Event
from ledger.store import DatabaseUnreachable, EventLog
from ledger.store.leaf import read_event, text64
from projections import Stored


@dataclass(frozen=True, slots=True)
class LogEvents:
    """The log as the views read it: decoded events in pages. A helper finds it at `url`, if there is to be one."""

    log: EventLog
    url: str | None = None
    outages: ClassVar[tuple[type[Exception], ...]] = (DatabaseUnreachable,)

    def read_events(self, after: int, limit: int, wanted: Callable[[str], bool] | None = None) -> Sequence[Event]:
        """The events at `after` + 1 and up, at most `limit`, or those of them whose stream is wanted."""
        rows = self.log.read(after, limit)
        return [read_event(row) for row in rows if wanted is None or wanted(row.stream)]

    def read_at(self, positions: Sequence[int]) -> Sequence[Event]:
        """The events at exactly these positions, given in order."""
        return [read_event(row) for row in self.log.read_at(positions)]

    def stored(self, position: int) -> Stored | None:
        """What is stored beside the event at a position."""
        rows = self.log.read(position - 1, 1)
        return Stored(rows[0].stream, text64(rows[0].leaf_hash)) if rows else None

    def help(self, task: str) -> subprocess.Popen[bytes] | None:
        """A process of `ledger.helping`, where this log has an address that another process can open."""
        if self.url is None or self.url.endswith(":memory:") or (os.cpu_count() or 1) < 2:
            return None
        helper = subprocess.Popen(  # this interpreter and this module
            [sys.executable, "-P", "-m", "ledger.helping"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            # A fault's message may quote an event; whatever a helper leaves undone is done, or told, by who asked.
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        assert helper.stdin is not None
        with suppress(BrokenPipeError):
            helper.stdin.write(msgspec.json.encode((self.url, task)) + b"\n")
            helper.stdin.flush()
        return helper

    def head(self) -> int:
        """The last position."""
        return self.log.head()

    def wait_for(self, after: int, timeout: float) -> bool:
        """Whether the head is likely beyond `after` before `timeout` seconds are over."""
        return self.log.wait_for(after, timeout)
