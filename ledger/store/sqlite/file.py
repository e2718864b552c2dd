"""Which file a database URL names, and the right to append to it."""

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import IO

from ledger.store.log import AlreadyServed, DatabaseUnreachable
from ledger.store.sqlite.connections import MEMORY


def path_of(url: str) -> Path | None:
    """The file that `sqlite:///PATH` names, made absolute; None for the log in memory."""
    name = url.removeprefix("sqlite:///")
    return None if name == MEMORY else Path(name).resolve()


class WritingLock:
    """The right to append to one SQLite file, held by one open log on the machine until it is let go.

    A lock file stands beside the database, as SQLite's own locks would be lost with any other
    descriptor of the database file. It stays when the lock goes: deleting it would let two in.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.with_name(path.name + ".lock")
        try:
            self._file: IO[str] = self.path.open("a+", encoding="ascii")
        except OSError as error:
            raise DatabaseUnreachable("gone", f"{self.path}: {error.strerror}") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.seek(0)
            holder = self._file.read().strip()
            self._file.close()
            raise AlreadyServed(str(path), holder) from None
        try:
            self._file.truncate(0)
            self._file.write(str(os.getpid()))
            self._file.flush()
        except OSError as error:
            # What could not be written is tried again by closing, which lets the lock go all the same.
            with suppress(OSError):
                self._file.close()
            raise DatabaseUnreachable("full", f"{self.path}: {error.strerror}") from error

    def release(self) -> None:
        self._file.close()
