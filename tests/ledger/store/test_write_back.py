"""SQLite's write-ahead log is copied beside the commits, and begins anew; no commit waits for it or fails by it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, current_thread
from time import sleep

import pytest

from ledger.store import DatabaseUnreachable, EventLog, open_log
from ledger.store.sqlite import write_back
from ledger.store.sqlite.write_back import PASSES, WriteBack
from tests.ledger.store.samples import rows
from tests.ledger.writer.stage import wait_until

FEW_PAGES = 64
PATIENCE = 20
COMMITS_MAX = 400
"""Far fewer than would make SQLite copy by itself."""


def times_begun(path: Path) -> int:
    """How often the write-ahead log was begun anew: what its head counts."""
    return int.from_bytes(path.with_name(path.name + "-wal").read_bytes()[12:16], "big")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


@pytest.fixture
def log(path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EventLog]:
    monkeypatch.setattr(write_back, "PAGES_GATHERED", FEW_PAGES)
    log = open_log(f"sqlite:///{path}", create=True)
    yield log
    log.close()


def commits(log: EventLog, until: Callable[[], bool]) -> bool:
    """Commit one row after the other until something holds; whether it came to hold."""
    for _ in range(COMMITS_MAX):
        if until():
            return True
        position = log.head() + 1
        log.append(rows(position, position), [])
    return False


def test_the_write_ahead_log_is_begun_anew_again_and_again(log: EventLog, path: Path) -> None:
    log.append(rows(1, 1), [])
    first = times_begun(path)
    assert commits(log, lambda: times_begun(path) >= first + 3)
    assert log.read(0, COMMITS_MAX) == rows(1, log.head())


def test_a_reader_is_in_the_way_for_a_while(log: EventLog, path: Path) -> None:
    log.append(rows(1, 1), [])
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    [(seen,)] = reader.execute("SELECT count(*) FROM stored_events").fetchall()
    before = times_begun(path)
    assert commits(log, lambda: log.head() > FEW_PAGES)
    assert times_begun(path) == before
    assert reader.execute("SELECT count(*) FROM stored_events").fetchall() == [(seen,)]
    reader.close()
    assert commits(log, lambda: times_begun(path) > before)
    assert log.read(0, 2 * COMMITS_MAX) == rows(1, log.head())


def test_commits_go_on_while_it_is_copied() -> None:
    copied_by, may_end, was_let = list[str](), Event(), list[bool]()

    def copy() -> None:
        copied_by.append(current_thread().name)
        was_let.append(may_end.wait(PATIENCE))

    made = WriteBack(copy)
    made.committed(10_000)
    wait_until(lambda: copied_by == ["write-back"])
    for _ in range(3):
        made.committed(10_000)
    may_end.set()
    wait_until(lambda: len(copied_by) == PASSES)
    made.close()
    made.committed(1)
    assert copied_by == ["write-back"] * PASSES + [current_thread().name]
    assert all(was_let), "a commit waited for the copying"


def test_closing_waits_for_what_is_being_copied() -> None:
    ended = list[str]()

    def copy() -> None:
        # A while in which a close that does not wait would be over.
        sleep(0.05)
        ended.append(current_thread().name)

    made = WriteBack(copy)
    made.committed(10_000)
    made.close()
    assert ended == ["write-back"] * PASSES


@pytest.mark.parametrize("error", [sqlite3.OperationalError("disk I/O error"), DatabaseUnreachable("gone", "away")])
def test_no_commit_fails_because_copying_does(error: Exception) -> None:
    tried = list[str]()

    def copy() -> None:
        tried.append(current_thread().name)
        raise error

    made = WriteBack(copy)
    for _ in range(2):
        made.committed(10_000)
        made.close()
        made.committed(1)
    assert len(tried) == 2 * (PASSES + 1)
