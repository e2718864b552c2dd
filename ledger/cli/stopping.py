"""Being told to stop: by SIGTERM as by Ctrl-C."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType


class _Told(threading.Event):
    """An event that a handler of signals may set, which interrupts also a thread that waits for this very event.

    The lock of a plain one is not to be had twice by one thread: the handler would wait for it for ever.
    """

    def __init__(self) -> None:
        super().__init__()
        self._cond = threading.Condition(threading.RLock())


@contextmanager
def told_to_stop() -> Iterator[threading.Event]:
    """An event that the first signal sets, for what is under way to be finished; a second signal cuts it off.

    The first raises nothing: an exception out of nowhere is dropped in a finalizer and turned into another by some
    libraries, and then the command would go on, or fail.
    """
    told = _Told()

    def note(_signal: int, _frame: FrameType | None) -> None:
        if told.is_set():
            raise KeyboardInterrupt
        told.set()

    kept = {number: signal.signal(number, note) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield told
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
