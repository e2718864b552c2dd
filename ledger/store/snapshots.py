"""Where a process keeps the last picture of its register, so that the next start need not fold the whole log.

A picture is derived and may be lost at any time. It stands beside the log, never in it: in a file next to the SQLite
database, in a schema of its own on PostgreSQL. It is good for the code that made it and for the log it was made from;
any other is as good as none.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Protocol

import msgspec

from domain.resident import Picture
from ledger.store.log import EventLog
from ledger.store.opening import engine_of

SUFFIX = ".register"
SCHEMA = "custody_register"


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A picture, the SHA-256 of its bytes, the code that made it and the leaf hash of the last event it knows.

    The digest is for bytes that a crash has left half written: nothing forces them to disk.
    """

    code: bytes
    leaf_hash: bytes
    picture_hash: bytes
    picture: msgspec.Raw


class Shelf(Protocol):
    """One place for the bytes of one snapshot."""

    def load(self) -> bytes | None:
        """The bytes that were saved last, `None` where there are none."""

    def save(self, data: bytes, position: int) -> None:
        """Replace them, unless what is there is of a later position; raises `OSError` where that fails."""


class Snapshots:
    """The snapshot of one log's register. Whatever is wrong with it, there is none."""

    def __init__(self, log: EventLog, shelf: Shelf) -> None:
        self._log = log
        self._shelf = shelf

    def load(self) -> Picture | None:
        """The picture, if the same code made it of this very log."""
        try:
            data = self._shelf.load()
            snapshot = msgspec.msgpack.decode(data, type=Snapshot) if data is not None else None
            if snapshot is None or snapshot.code != code_hash():
                return None
            if snapshot.picture_hash != hashlib.sha256(snapshot.picture).digest():
                return None
            picture = msgspec.msgpack.decode(snapshot.picture, type=Picture)
        except (OSError, msgspec.MsgspecError):
            return None
        rows = self._log.read(picture.position - 1, 1)
        return picture if rows and rows[0].leaf_hash == snapshot.leaf_hash else None

    def save(self, picture: Picture) -> None:
        """Keep a picture for the next start; raises `OSError` where that fails, which costs nobody anything."""
        [row] = self._log.read(picture.position - 1, 1)
        encoded = msgspec.msgpack.encode(picture)
        snapshot = Snapshot(
            code=code_hash(),
            leaf_hash=row.leaf_hash,
            picture_hash=hashlib.sha256(encoded).digest(),
            picture=msgspec.Raw(encoded),
        )
        self._shelf.save(msgspec.msgpack.encode(snapshot), picture.position)


@cache
def code_hash() -> bytes:
    """SHA-256 over the domain's modules: what a register is follows from them and the log alone."""
    digest = hashlib.sha256()
    for module in _modules(files("domain")):
        digest.update(module.read_bytes())
    return digest.digest()


def _modules(folder: Traversable) -> list[Traversable]:
    found: list[Traversable] = []
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            found += _modules(entry)
        elif entry.name.endswith(".py"):
            found.append(entry)
    return found


class FileShelf:
    """A file beside the database, replaced as a whole."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> bytes | None:
        """See `Shelf`."""
        try:
            return self._path.read_bytes()
        except FileNotFoundError:
            return None

    def save(self, data: bytes, position: int) -> None:  # noqa: ARG002 - one process writes, so no other is later
        """See `Shelf`."""
        new = self._path.with_name(f"{self._path.name}.new")
        try:
            new.write_bytes(data)
            os.replace(new, self._path)
        except OSError:
            with suppress(OSError):
                new.unlink()
            raise


def open_snapshots(log: EventLog, url: str) -> Snapshots | None:
    """The place for the snapshots of the log at `url`; `None` for a log in memory, which nobody starts from again."""
    if engine_of(url) == "postgresql":
        from ledger.store.postgres.shelf import PostgresShelf

        return Snapshots(log, PostgresShelf(url))
    from ledger.store.sqlite.file import path_of

    path = path_of(url)
    return Snapshots(log, FileShelf(path.with_name(path.name + SUFFIX))) if path is not None else None
