"""Copies of an SQLite log as one file, made beside the process that serves it.

A copy is made under another name and takes its own only when it is whole and on disk: whoever finds the file may trust
that it was finished. PostgreSQL has tools of its own for this.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final
from urllib.parse import quote

LOCK_SECONDS: Final = 10


def part_of(target: Path) -> Path:
    """The name of a copy that is not finished yet."""
    return target.with_name(target.name + ".part")


def leftovers(path: Path) -> list[Path]:
    """What lies beside a database file and would be taken for a part of whatever is put there."""
    return [found for suffix in ("-wal", "-shm", "-journal") if (found := path.with_name(path.name + suffix)).exists()]


def copy(source: Path, target: Path) -> Path:
    """The log at `source` as it is at one instant, in the part of `target`; a part left from earlier is replaced.

    The service goes on meanwhile, and nothing it records later is in the copy. Raises `sqlite3.Error`, and leaves
    nothing then.
    """
    part = part_of(target)
    discard(part)
    try:
        with (
            closing(sqlite3.connect(f"file:{quote(str(source))}?mode=rw", timeout=LOCK_SECONDS, uri=True)) as read,
            closing(sqlite3.connect(part)) as written,
        ):
            # In one step: a copy in several begins anew whenever the service has recorded something.
            read.backup(written, pages=-1)
    except BaseException:
        discard(part)
        raise
    return part


def put(part: Path, target: Path) -> None:
    """Give a finished copy its name. From here on it is there, also after a crash."""
    with closing(sqlite3.connect(part)) as file:
        # One file, with no log of its own beside it, that can be read from where nothing can be written.
        file.execute("PRAGMA journal_mode = DELETE")
    for path in (part, part.parent):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            if path == part.parent:
                part.replace(target)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def discard(part: Path) -> None:
    """Remove a copy that is not wanted."""
    for path in (part, *leftovers(part)):
        path.unlink(missing_ok=True)
