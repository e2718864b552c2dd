"""The killing: the processes of the service, ended by SIGKILL wherever they stand and started again on the same ledger.

With SQLite the process that keeps the views is a child of the server; with PostgreSQL it is one beside it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import suppress
from threading import Event, Thread
from types import TracebackType
from typing import Final, Self

import psutil  # type: ignore[import-untyped]  # it comes without types

from tests.ledger.http.serving import PATIENCE, PROGRAM

OF_NO_CONCERN: Final = ("auth=none", "views", "Serving on")
"""What a process says although nothing is wrong with it, or because the rig has ended another."""
KEEPS_THE_VIEWS: Final = "worker"
"""The command by which a process keeps the views."""


class Killable:
    """One server at a time over the ledger at `url`, each on a free port of its own; none is left at the end."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._serves = Event()
        self._address = ""
        self._running: subprocess.Popen[str] | None = None
        self._readers: list[Thread] = []
        self._children: list[psutil.Process] = []

    def address(self) -> str:
        """Where the ledger is served, waiting for the next server while there is none."""
        assert self._serves.wait(PATIENCE), "no server came up"
        return self._address

    @property
    def pid(self) -> int:
        """The process that serves now."""
        assert self._running is not None, "nobody serves"
        return self._running.pid

    def start(self) -> None:
        """Start a server and wait until it listens."""
        self._running = _start(self._url, "serve", "--host", "127.0.0.1", "--port", "0")
        assert self._running.stderr is not None
        said: list[str] = []
        for line in self._running.stderr:
            said.append(line)
            if found := re.search(r"http://127\.0\.0\.1:\d+", line):
                break
        else:
            self.kill()
            raise AssertionError("".join(said))
        self._readers.append(_passed_on(self._running))
        self._address = found[0]
        self._serves.set()

    def kill(self) -> None:
        """End the server as a crash would: at once, wherever it stands. Its child has to find out."""
        self._serves.clear()
        if self._running is None:
            return
        self._note_children()
        self._running.kill()
        self._running.wait()
        self._running = None

    def kill_child(self) -> bool:
        """End the process that keeps the views for this server; False where it runs none just now."""
        self._note_children()
        living = [child for child in self._children if child.is_running()]
        for child in living:
            with suppress(psutil.NoSuchProcess):
                child.kill()
        return bool(living)

    def _note_children(self) -> None:
        if self._running is not None:
            with suppress(psutil.NoSuchProcess):
                known = {child.pid for child in self._children}
                found = psutil.Process(self._running.pid).children()
                self._children += [child for child in found if child.pid not in known]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        self.kill_child()
        psutil.wait_procs(self._children, timeout=PATIENCE)
        for reader in self._readers:
            reader.join(PATIENCE)


class Worker:
    """`custody worker` as a process of its own, one at a time."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._running: subprocess.Popen[str] | None = None
        self._reader: Thread | None = None

    def start(self) -> None:
        """Start it; when it has a view's place is for it to know."""
        self._running = _start(self._url, KEEPS_THE_VIEWS)
        self._reader = _passed_on(self._running)

    def kill(self) -> None:
        """End it at once."""
        if self._running is not None:
            self._running.kill()
            self._running.wait()
            self._running = None
        if self._reader is not None:
            self._reader.join(PATIENCE)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()


def _passed_on(process: subprocess.Popen[str]) -> Thread:
    """Pass on what a process says, so that it never waits for a reader and no fault goes unseen.

    A child of it holds the same end, and may speak a little longer.
    """
    assert process.stderr is not None
    stream = process.stderr

    def pass_on() -> None:
        with stream:
            sys.stderr.writelines(line for line in stream if not any(said in line for said in OF_NO_CONCERN))

    reader = Thread(target=pass_on, daemon=True)
    reader.start()
    return reader


def _start(url: str, *arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "CUSTODY_DATABASE_URL": url, "CUSTODY_LOG_LEVEL": "error", "NO_COLOR": "1"}
    command = [sys.executable, "-c", PROGRAM, *arguments]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
