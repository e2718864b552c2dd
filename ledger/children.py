"""Processes that this one starts for what would take the interpreter from the writer, and that end when it ends.

A child holds the reading end of a pipe as its standard input. When the parent is gone, however it went, the pipe is
closed and the child stops by itself (`stop_with_parent`); so none is left behind, and none has to be looked for.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from time import monotonic
from typing import Final

from pydantic import SecretStr

from ledger.settings import PREFIX, Settings

PROGRAM: Final = "from ledger.cli import main; main()"
NICENESS: Final = 5
"""Commands go first where the machine is full. A rebuild gives way no more than the live views do: it writes in turn
with them, and they would wait for it.
"""
GRACE_SECONDS: Final = 15.0
"""How long a child may take to stop by itself."""
PAUSE_SECONDS: Final = (0.5, 30.0)
"""How long the views' process stays away after it has ended: at first, and at most; each time twice as long."""
STEADY_SECONDS: Final = 60.0
"""A process that has run for so long did not end because of how it started."""


def start_child(*arguments: str, settings: Settings, reads: bool = False) -> subprocess.Popen[str]:
    """Run `custody` with these arguments and the settings of this process, apart from the terminal's signals.

    With `reads` the parent gets its output. The settings go by the environment: one of them may hold a password.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    for name, value in settings:
        if value is not None:
            shown = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
            environment[f"{PREFIX}{name.upper()}"] = shown
    return subprocess.Popen(  # noqa: S603  # our own program, with words of our own
        # Not from the folder that this happens to run in: what stands there is no part of the program.
        [sys.executable, "-P", "-c", PROGRAM, *arguments, "--with-parent"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE if reads else subprocess.DEVNULL,
        env=environment,
        start_new_session=True,
        text=True,
    )


def end_child(process: subprocess.Popen[str]) -> None:
    """Have a child stop, and wait until it has."""
    assert process.stdin is not None
    process.stdin.close()
    try:
        process.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def stop_with_parent(stop: Callable[[], None]) -> None:
    """In a child: give way to the parent, and call `stop` once that has ended; a child that does not stop is ended."""
    os.nice(NICENESS)

    def watch() -> None:
        while os.read(sys.stdin.fileno(), 1):
            pass
        stop()
        threading.Event().wait(GRACE_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, name="with-parent", daemon=True).start()


class ViewsProcess:
    """`custody worker` as a child of this process: started again whenever it ends, until `close`."""

    def __init__(self, settings: Settings, tell: Callable[[str], None]) -> None:
        self._settings, self._tell = settings, tell
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._thread = threading.Thread(target=self._run, name="views-process", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Have it stop, and wait until it has."""
        with self._lock:
            self._stopping.set()
            if self._process is not None:
                end_child(self._process)
        self._thread.join()

    def _run(self) -> None:
        first, longest = PAUSE_SECONDS
        pause = first
        while True:
            began = monotonic()
            ended = self._run_once()
            if self._stopping.is_set():
                return
            if monotonic() - began >= STEADY_SECONDS:
                pause = first
            self._tell(f"the process that keeps the views {ended}; another is started in {pause:g} s")
            self._stopping.wait(pause)
            pause = min(pause * 2, longest)

    def _run_once(self) -> str:
        with self._lock:
            if self._stopping.is_set():
                return "was not started"
            try:
                self._process = process = start_child("worker", settings=self._settings)
            except OSError as error:
                return f"could not be started ({error.strerror})"
        code = process.wait()
        end_child(process)
        return f"was ended by signal {-code}" if code < 0 else f"ended with {code}"
