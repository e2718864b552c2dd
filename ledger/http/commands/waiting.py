"""Commands on their way: how many may wait, and how their answers come back from the writer's thread.

The writer answers a whole batch at once. Waking the event loop costs more than an answer does, so it is woken once for
all the answers that are there, not once for each.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from ledger.writer.submission import Group, Outcome
from ledger.writer.writer import LedgerIsBusy, LedgerIsClosed, Writer

COMMANDS_WAITING_MAX: Final = 8_192
"""How many commands may wait together: some seconds of work, and eight of the largest batches."""

Tell = Callable[[list[Outcome] | Exception], None]


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
        told: asyncio.Future[list[Outcome]] = asyncio.get_running_loop().create_future()

        def tell(answer: list[Outcome] | Exception) -> None:
            if told.done():
                return
            if isinstance(answer, Exception):
                told.set_exception(answer)
            else:
                told.set_result(answer)

        waiter = self.enter(group, tell)
        try:
            return await told
        except asyncio.CancelledError:
            waiter.leave()
            raise

    def enter(self, group: Group, tell: Tell) -> Waiter:
        """The same for who does not stand and wait: `tell` is called in this event loop, and must not raise.

        It gets the outcomes, or what the future would raise; nobody who has left is told. Raises as `Writer.submit`.
        """
        commands = len(group.submissions)
        self.check(commands)
        loop = asyncio.get_running_loop()
        desk = self._desk
        if desk is None or desk.loop is not loop:
            desk = self._desk = _Desk(self._writer, loop)
        waiter = Waiter(self, desk, commands, tell)
        self.commands += commands
        desk.hand_in(group, waiter)
        return waiter


class _Desk:
    """Where one event loop and the writer's thread meet: requests are handed in here, and answers laid down."""

    def __init__(self, writer: Writer, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._writer = writer
        self._handed_in: list[tuple[Group, Waiter]] = []
        self._laid_down: deque[tuple[Waiter, list[Outcome] | Exception]] = deque()
        self._is_called = False

    def hand_in(self, group: Group, waiter: Waiter) -> None:
        """Give a request to the writer, together with all that come in the same turn of the loop."""
        self._handed_in.append((group, waiter))
        if len(self._handed_in) == 1:
            self.loop.call_soon(self._give)

    def _give(self) -> None:
        handed_in, self._handed_in = self._handed_in, []
        for group, waiter in handed_in:
            try:
                self._writer.enter(group, waiter)
            except (LedgerIsBusy, LedgerIsClosed) as error:
                waiter.take(error)

    def lay_down(self, waiter: Waiter, answer: list[Outcome] | Exception) -> None:
        """Leave an answer for the loop; called by the writer's thread."""
        self._laid_down.append((waiter, answer))
        # Laid down first, then looked: the loop looks the other way round, so no answer is left lying.
        if not self._is_called:
            self._is_called = True
            # A loop that is closed, or closes just now, has nobody who waits; the writer's thread goes on.
            with suppress(RuntimeError):
                self.loop.call_soon_threadsafe(self._take_up)

    def _take_up(self) -> None:
        self._is_called = False
        while self._laid_down:
            waiter, answer = self._laid_down.popleft()
            waiter.take(answer)


class Waiter:
    """One request: answered in the writer's thread as a `Future` would be, told of it in the event loop."""

    __slots__ = ("_commands", "_desk", "_has_left", "_room", "_tell")

    def __init__(self, room: WaitingRoom, desk: _Desk, commands: int, tell: Tell) -> None:
        self._room = room
        self._desk = desk
        self._commands = commands
        self._tell = tell
        self._has_left = False

    def set_running_or_notify_cancel(self) -> bool:
        """Whether somebody still waits."""
        return not self._has_left

    def set_result(self, result: list[Outcome], /) -> None:
        """Lay the outcomes down."""
        self._desk.lay_down(self, result)

    def set_exception(self, exception: Exception, /) -> None:
        """Lay down why there are none."""
        self._desk.lay_down(self, exception)

    def take(self, answer: list[Outcome] | Exception) -> None:
        """Go on with the request; called in the event loop."""
        if not self._has_left:
            self.leave()
            self._tell(answer)

    def leave(self) -> None:
        """Wait no longer; called in the event loop. What is not being decided by then never will be."""
        if not self._has_left:
            self._has_left = True
            self._room.commands -= self._commands
