"""From ten thousand events to a million: what a command costs, how long a start takes, what stays in memory.

Run as `python -m bench.growth URL` it is a process that starts on a ledger and says what that took.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import islice
from statistics import median
from time import perf_counter, process_time
from typing import Final

import msgspec

from bench.goals import FLAT_PROCESSOR, MEMORY, START, Figures
from bench.ground import prepare
from bench.lives import held, requests
from ledger.store import EventLog, open_log
from ledger.store.backup import copy, put
from ledger.store.snapshots import open_snapshots
from ledger.store.sqlite.file import path_of
from ledger.writer.submission import Answer, Group
from ledger.writer.writer import Writer

GROUPS_A_COMMIT: Final = 64
COMMITS_MEASURED: Final = 60
LONG: Final = 1_000_000
START_SECONDS_MAX: Final = 300


class Grown(msgspec.Struct, frozen=True, kw_only=True):
    """One ledger at one size. Microseconds are those of a command in batches of 64, on the clock and of processor."""

    events: int
    people: int
    clock_us: float
    processor_us: float
    start_seconds: float
    memory_mb: float


class Started(msgspec.Struct, frozen=True, kw_only=True):
    """What a start took: the memory is what the process grew by."""

    seconds: float
    memory_bytes: int


def measure_growth(url: str, short: str, sizes: list[int], figures: Figures) -> list[Grown]:
    """Record whole lives up to each size, and look at the ledger there; the last size gives the figures.

    A copy of the ledger at the first size is left at `short`.
    """
    prepare(url)
    log = open_log(url)
    found: list[Grown] = []
    try:
        writer, asked = Writer(log), requests()
        for size in sizes:
            while log.head() < size:
                _commit(writer, asked)
            found.append(_looked_at(url, log, writer, asked))
            print(f"  {found[-1]}", flush=True)
            if len(found) == 1:
                _copy(url, short)
    finally:
        log.close()
    first, last = found[0], found[-1]
    # What else the machine does meanwhile makes the clock of one size that of another.
    figures[(FLAT_PROCESSOR, "sqlite")] = [last.processor_us / first.processor_us]
    if last.events >= LONG:
        figures[(START, "sqlite")] = [last.start_seconds]
    return found


def measure_memory(url: str, people: int, figures: Figures) -> None:
    """What a process needs for each of so many people in custody."""
    prepare(url)
    log = open_log(url)
    try:
        writer, asked = Writer(log), held(people)
        while _commit(writer, asked):
            pass
        started = _start(url, log, writer)
        figures[(MEMORY, "sqlite")] = [started.memory_bytes / people]
    finally:
        log.close()


def _looked_at(url: str, log: EventLog, writer: Writer, asked: Iterator[Group]) -> Grown:
    clock, processor = [], []
    for _ in range(COMMITS_MEASURED):
        groups = list(islice(asked, GROUPS_A_COMMIT))
        began, used = perf_counter(), process_time()
        _recorded(writer, groups)
        clock.append((perf_counter() - began) / GROUPS_A_COMMIT * 1_000_000)
        processor.append((process_time() - used) / GROUPS_A_COMMIT * 1_000_000)
    started = _start(url, log, writer)
    return Grown(
        events=log.head(),
        people=sum(1 for _ in writer.register.people()),
        clock_us=round(median(clock), 1),
        processor_us=round(median(processor), 1),
        start_seconds=round(started.seconds, 3),
        memory_mb=round(started.memory_bytes / 2**20, 1),
    )


def _copy(url: str, copied: str) -> None:
    source, target = path_of(url), path_of(copied)
    assert source is not None, "a log in memory is not measured"
    assert target is not None, "a log in memory is not measured"
    put(copy(source, target), target)


def _commit(writer: Writer, asked: Iterator[Group]) -> bool:
    groups = list(islice(asked, GROUPS_A_COMMIT))
    _recorded(writer, groups)
    return bool(groups)


def _recorded(writer: Writer, groups: list[Group]) -> None:
    for outcomes in writer.commit(groups) if groups else ():
        assert all(isinstance(outcome, Answer) for outcome in outcomes), outcomes


def _start(url: str, log: EventLog, writer: Writer) -> Started:
    snapshots = open_snapshots(log, url)
    assert snapshots is not None, "a log in memory is not measured"
    snapshots.save(writer.register.picture())
    done = subprocess.run(
        [sys.executable, "-m", "bench.growth", url],
        stdout=subprocess.PIPE,
        check=True,
        timeout=START_SECONDS_MAX,
    )
    return msgspec.json.decode(done.stdout.splitlines()[-1], type=Started)


def _memory_bytes() -> int:
    with open("/proc/self/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    """Start on the ledger of the command line, as a serving process does."""
    url = sys.argv[1]
    before, began = _memory_bytes(), perf_counter()
    log = open_log(url, exclusive=False)
    writer = Writer(log, snapshots=open_snapshots(log, url))
    seconds = perf_counter() - began
    assert writer.register.position == log.head(), "the register stands at the head"
    print(msgspec.json.encode(Started(seconds=seconds, memory_bytes=_memory_bytes() - before)).decode())
    log.close()


if __name__ == "__main__":
    main()
