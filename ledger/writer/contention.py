"""Contention: whether this process appends at will or waits for its turn.

Appending at will is the quickest as long as nobody else does. Of two processes that do, one decides each of its batches
again and again; so whoever was beaten queues from then on, and batches grow while they wait instead of being thrown
away. It goes back once it has met nobody for a while. Whatever it does, what is recorded is right.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Final

from ledger.store.log import EventLog

TURNS_ALONE: Final = 50
"""So many turns without another process's event in between, and it appends at will again."""


class Contention:
    """The writer's memory of whom it met. One thread tells it; any may ask whether turns are taken."""

    def __init__(self) -> None:
        self._turns_left = 0
        self._last = 0
        self.times_beaten = 0
        """How often another process was first and a batch was decided again."""

    @property
    def takes_turns(self) -> bool:
        """Whether it waits for its turn at present."""
        return self._turns_left > 0

    def turn(self, log: EventLog) -> AbstractContextManager[None]:
        """What the next batch is decided and appended in."""
        return log.turn() if self.takes_turns else nullcontext()

    def beaten(self) -> None:
        """Another process was first with a position that a batch was to be given."""
        self.times_beaten += 1
        self._turns_left = TURNS_ALONE

    def begins_at(self, position: int) -> None:
        """A turn begins at this head: another process has been here if the turn before ended at another."""
        self._turns_left = self._turns_left - 1 if position == self._last else TURNS_ALONE

    def ends_at(self, position: int) -> None:
        """The batch is recorded, up to this position."""
        self._last = position
