"""A helper of a rebuild: a process that opens the ledger it is told of and builds half of the new views.

The address comes by a pipe, as it may hold a password, in one line with the task. The pipe stays open as long as
whoever asked lives: with its end this process ends, too.
"""

from __future__ import annotations

import os
import sys
import threading
from contextlib import closing

import msgspec

from ledger.log_events import LogEvents
from ledger.store import open_log
from projections import open_views


def main() -> None:
    """Hear the task, do it, end."""
    url, task = msgspec.json.decode(sys.stdin.buffer.readline(), type=tuple[str, str])
    threading.Thread(target=_end_with_the_pipe, daemon=True).start()
    with closing(open_log(url, exclusive=False)) as log, closing(open_views(url, LogEvents(log))) as views:
        views.assist(task)


def _end_with_the_pipe() -> None:
    # Not through the buffer, whose lock this thread would hold when the interpreter ends.
    while os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
