"""Writing back: SQLite's write-ahead log goes into the database file beside the commits, not within one of them.

Left to itself SQLite copies the pages in the commit that makes them too many, and whoever waits for that commit waits
for all of them and for the disk. Here a thread copies them while commits go on, then once more what these have added;
the little that is left is copied behind a commit, so that the next one may begin the write-ahead log anew. What is not
copied stays in force where it is: nothing here can lose anything, and a failure costs no more than time.
"""

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from threading import Thread
from typing import Final

from ledger.store.log import DatabaseUnreachable

PAGES_GATHERED: Final = 8_192
"""A page that many batches change is written back once for all of them: about 32 MiB of changes gather before."""
PAGES_A_COMMIT: Final = 8
PAGES_A_ROW: Final = 2
"""About how much the write-ahead log grows by; SQLite tells how long it is only when it copies."""
PASSES: Final = 2


class WriteBack:
    """When pages are copied and in which thread; `copy` copies those that no reader is in the way of."""

    def __init__(self, copy: Callable[[], None]) -> None:
        self._copy = copy
        self._pages = 0
        self._most: Thread | None = None

    def committed(self, rows: int) -> None:
        """To be told behind each commit, by the thread that makes them; never fails."""
        self._pages += PAGES_A_COMMIT + PAGES_A_ROW * rows
        if self._most is not None:
            if not self._most.is_alive():
                self._most = None
                self._pass()
        elif self._pages >= PAGES_GATHERED:
            self._pages = 0
            # Where no thread can be had, SQLite does it all within a commit, later.
            with suppress(RuntimeError):
                most = Thread(target=self._copy_most, name="write-back", daemon=True)
                most.start()
                self._most = most

    def _copy_most(self) -> None:
        for _ in range(PASSES):
            self._pass()

    def _pass(self) -> None:
        # A disk that is full or gone is met by the next commit as well, and that one says so.
        with suppress(sqlite3.Error, DatabaseUnreachable):
            self._copy()

    def close(self) -> None:
        """Wait for what is being copied."""
        if self._most is not None:
            self._most.join()
