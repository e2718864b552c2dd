"""Commands on their way: how many may wait, and how their answers come back from the writer's thread.

The writer answers a whole batch at once. Waking the event loop costs more than an answer does, so it is woken once for
all the answers that are there, not once for each.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import Final

from ledger.writer.submission import Group, Outcome
from ledger.writer.writer import LedgerIsBusy, Writer

COMMANDS_WAITING_MAX: Final = 8_192
"""How many commands may wait together: some seconds of work, and eight of the largest batches."""


class WaitingRoom:
    """Hands groups to the writer and waits for their outcomes; turns away what is more than may wait.

    Used from an event loop. Commands are counted, not requests, so a few large batches fill it as many small
    requests do. A group always enters an empty room. `commands` says how many wait now.
    """

    def __init__(self, writer: Writer, commands_max: int = COMMANDS_WAITING_MAX) -> None:
        self._writer = writer
        self._commands_max = commands_max
        self.commands = 0
        self._desk: _Desk | None = None

    def check(self, commands: int = 1) -> None:
        """Raise `LedgerIsBusy` if there is no room for so many."""
        if self.commands and self.commands + commands > self._commands_max:
            raise LedgerIsBusy

    async def submit(self, group: Group) -> list[Outcome]:
        """The outcomes of a group, one a submission; raises as `Writer.submit` and its future do.

        Who is cancelled while waiting takes the request back, if it is not being decided already.
        """
        commands = len(group.submissions)
        self.check(commands)
        loop = asyncio.get_running_loop()
        desk = self._desk
        if desk is None or desk.loop is not loop:
            desk = self._desk = _Desk(loop)
        waiter = _Waiter(desk)
        self.commands += commands
        try:
            self._writer.enter(group, waiter)
            return await waiter.told
        except asyncio.CancelledError:
            waiter.has_gone = True
            raise
        finally:
            self.commands -= commands


class _Desk:
    """Where the answers for one event loop are laid down by the writer's thread and taken up by the loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._laid_down: deque[_Waiter] = deque()
        self._is_called = False

    def lay_down(self, waiter: _Waiter) -> None:
        """Leave an answer for the loop; called by the writer's thread."""
        self._laid_down.append(waiter)
        # Laid down first, then looked: the loop looks the other way round, so no answer is left lying.
        if not self._is_called:
            self._is_called = True
            # A loop that is closed, or closes just now, has nobody who waits; the writer's thread goes on.
            with suppress(RuntimeError):
                self.loop.call_soon_threadsafe(self._take_up)

    def _take_up(self) -> None:
        self._is_called = False
        while self._laid_down:
            self._laid_down.popleft().tell()


class _Waiter:
    """One request: answered in the writer's thread as a `Future` would be, told of it in the event loop."""

    __slots__ = ("_answer", "_desk", "has_gone", "told")

    def __init__(self, desk: _Desk) -> None:
        self._desk = desk
        self._answer: list[Outcome] | Exception | None = None
        self.told: asyncio.Future[list[Outcome]] = desk.loop.create_future()
        self.has_gone = False

    def set_running_or_notify_cancel(self) -> bool:
        """Whether somebody still waits."""
        return not self.has_gone

    def set_result(self, result: list[Outcome], /) -> None:
        """Lay the outcomes down."""
        self._answer = result
        self._desk.lay_down(self)

    def set_exception(self, exception: Exception, /) -> None:
        """Lay down why there are none."""
        self._answer = exception
        self._desk.lay_down(self)

    def tell(self) -> None:
        """Go on with the request; called in the event loop."""
        if self.told.done():
            return
        if isinstance(self._answer, list):
            self.told.set_result(self._answer)
        elif self._answer is not None:
            self.told.set_exception(self._answer)
