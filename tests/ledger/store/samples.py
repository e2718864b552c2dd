"""Rows and records to put into a log: each has a leaf of its own, and hashes that belong to it."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from hashlib import sha256

from ledger.store import EventLog, Remembered, Row, open_log
from ledger.store.merkle import leaf_hash


def row(position: int, *, stream: str | None = None, version: int = 1, by: str = "north") -> Row:
    """A row whose event id names who wrote it; by default the first of a stream of its own."""
    stream = stream or f"person:p{position}"
    leaf = f'{{"by":"{by}","position":{position},"stream":"{stream}"}}'.encode()
    return Row(position, f"{by}-{position}", "person-registered.v1", stream, version, leaf, leaf_hash(leaf))


def rows(first: int, last: int) -> list[Row]:
    return [row(position) for position in range(first, last + 1)]


def record(key: str, *, first: int, count: int = 1, authority: str = "no-kv") -> Remembered:
    return Remembered(authority, key, sha256(key.encode()).digest(), first, count)


def keys(records: Collection[Remembered]) -> list[tuple[str, str]]:
    return [(one.authority, one.key) for one in records]


@contextmanager
def opened(url: str, *, create: bool = True, exclusive: bool = True) -> Iterator[EventLog]:
    log = open_log(url, create=create, exclusive=exclusive)
    try:
        yield log
    finally:
        log.close()
