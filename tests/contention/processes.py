"""Several API processes on one PostgreSQL: which clients reach, what each has used of the machine, and a pause."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import psutil  # type: ignore[import-untyped]  # it comes without types

from tests.chaos.killing import Killable


class Processes:
    """`apis`, all on the same database, and the database's own processes where they are known."""

    def __init__(self, url: str, count: int, stack: ExitStack, postmaster: int | None) -> None:
        self.apis = [stack.enter_context(Killable(url)) for _ in range(count)]
        self._postmaster = postmaster

    def cpu_seconds(self) -> dict[str, float]:
        """What each has used of the processors since it began."""
        used = {"clients and readers": _used(psutil.Process())}
        for number, api in enumerate(self.apis, 1):
            used[f"api {number}"] = _used(psutil.Process(api.pid))
        if self._postmaster is not None:
            postmaster = psutil.Process(self._postmaster)
            used["postgres"] = _used(postmaster) + sum(map(_used, postmaster.children(recursive=True)))
        return used

    @contextmanager
    def paused(self, number: int) -> Iterator[None]:
        """One process stands still meanwhile, wherever it stands."""
        process = self.apis[number].pid
        os.kill(process, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(process, signal.SIGCONT)


def _used(process: psutil.Process) -> float:
    """User and system time, also of children that have ended."""
    with suppress(psutil.NoSuchProcess):
        times = process.cpu_times()
        return float(times.user + times.system + times.children_user + times.children_system)
    return 0.0
