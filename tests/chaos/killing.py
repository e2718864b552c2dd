"""The killing: `custody serve` as a process of its own, ended by SIGKILL and started again on the same ledger."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from threading import Event, Thread
from types import TracebackType
from typing import Self

from tests.ledger.http.serving import PATIENCE, PROGRAM


class Killable:
    """One server at a time over the ledger at `url`, each on a free port of its own; none is left at the end."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._serves = Event()
        self._address = ""
        self._running: subprocess.Popen[str] | None = None
        self._reader: Thread | None = None

    def address(self) -> str:
        """Where the ledger is served, waiting for the next server while there is none."""
        assert self._serves.wait(PATIENCE), "no server came up"
        return self._address

    def start(self) -> None:
        """Start a server and wait until it listens."""
        command = [sys.executable, "-c", PROGRAM, "serve", "--host", "127.0.0.1", "--port", "0"]
        environment = {**os.environ, "CUSTODY_DATABASE_URL": self._url, "NO_COLOR": "1"}
        self._running = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
        assert self._running.stderr is not None
        said: list[str] = []
        for line in self._running.stderr:
            said.append(line)
            if found := re.search(r"http://127\.0\.0\.1:\d+", line):
                break
        else:
            self.kill()
            raise AssertionError("".join(said))
        # What it says from here on is passed on, so that it never waits for a reader and no fault goes unseen.
        complaints = (line for line in self._running.stderr if "auth=none" not in line)
        self._reader = Thread(target=sys.stderr.writelines, args=(complaints,), daemon=True)
        self._reader.start()
        self._address = found[0]
        self._serves.set()

    def kill(self) -> None:
        """End the server as a crash would: at once, wherever it stands."""
        self._serves.clear()
        if self._running is None:
            return
        self._running.kill()
        self._running.wait()
        if self._reader is not None:
            self._reader.join()
        assert self._running.stderr is not None
        self._running.stderr.close()
        self._running = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
