"""The views' database: apart from the log, on the same engine, and never read by a command.

It may be dropped at any time and is made again from the log. So a commit need not survive a crash, but rows and
position always stand or fall together. `Database` is the contract that both engines keep.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final, Literal

from projections.engine.tables import Session

Reason = Literal["locked", "full", "gone"]

MEMORY: Final = ":memory:"
SQLITE: Final = "sqlite:///"


class ViewsUnreachable(Exception):
    """The views' database is locked, full or gone; nothing of the transaction is recorded."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"the views' database is {reason}: {detail}")
        self.reason = reason
        self.detail = detail


class TableIsGone(Exception):
    """A table was switched away while it was asked for; ask again."""


class RebuildIsRunning(Exception):
    """Somebody else is rebuilding views in this database, or has taken the right to over from us."""

    def __init__(self) -> None:
        super().__init__("another rebuild is under way; wait for it to end")


class Database(ABC):
    """Transactions over the views' tables, and the two locks that processes agree by.

    Any method may raise `ViewsUnreachable`, and works again by itself once the database is back. `has_one_writer` says
    that of two writing transactions one waits for the other, whatever they write.
    """

    has_one_writer: bool

    @abstractmethod
    def reading(self) -> AbstractContextManager[Session]:
        """A transaction that reads one snapshot."""

    @abstractmethod
    def writing(self) -> AbstractContextManager[Session]:
        """A transaction that commits on leaving and is undone by an exception."""

    @abstractmethod
    def preparing(self) -> AbstractContextManager[Session]:
        """A writing transaction that makes tables; one process at a time is in one."""

    @abstractmethod
    def owned(self, views: Iterable[str]) -> set[str]:
        """Those of the views that this process may drive; it becomes the owner of each that has none."""

    @abstractmethod
    def let_go(self) -> None:
        """Give up what this process owns, so that another may drive it."""

    @abstractmethod
    def driven_elsewhere(self, views: Iterable[str]) -> set[str]:
        """Those of the views that another process is the owner of."""

    @abstractmethod
    def is_rebuilding(self) -> bool:
        """Whether anybody has the right to rebuild at present."""

    @abstractmethod
    def rebuilding(self) -> AbstractContextManager[None]:
        """The right to rebuild, held by one process; raises `RebuildIsRunning`."""

    @abstractmethod
    def close(self) -> None:
        """Let go of every connection and lock. May be called twice."""


def open_database(url: str) -> Database:
    """The views' database beside the log that `url` names."""
    if url.startswith(SQLITE):
        from projections.engine.sqlite import SQLiteDatabase

        return SQLiteDatabase(views_path(url))
    from projections.engine.postgres import PostgresDatabase

    return PostgresDatabase(url)


def views_path(url: str) -> Path | None:
    """The SQLite file of the views: `custody.views.db` beside `custody.db`; `None` in memory."""
    name = url.removeprefix(SQLITE)
    if name == MEMORY:
        return None
    path = Path(name).resolve()
    return path.with_name(f"{path.stem}.views{path.suffix}")
