"""Rebuilds that were asked for over HTTP: each runs in a thread of its own, and its state can be asked for.

The states are this process's own and end with it; what a rebuild did is seen in the view's generation.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import structlog

from ledger.http.answers.service import Rebuild
from projections import RebuildIsRunning, Views

KEPT_MAX: Final = 100
_log = structlog.get_logger()


class ProcessIsStopping(Exception):
    """Raised into a rebuild to cancel it: the live view goes on."""


@dataclass(slots=True, kw_only=True)
class _Running:
    rebuild: str
    view: str
    state: Literal["running", "switched", "refused", "failed"] = "running"
    done: int = 0
    total: int = 0
    rows: int | None = None
    differing: int | None = None
    error: str | None = None


class Rebuilds:
    """The rebuilds of this process: one at a time, the last hundred remembered."""

    def __init__(self, views: Views, new_id: Callable[[], str]) -> None:
        self._views, self._new_id = views, new_id
        self._lock = threading.Lock()
        self._known: OrderedDict[str, _Running] = OrderedDict()
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()

    def start(self, view: str) -> Rebuild:
        """Begin one; raises `ViewIsUnknown`, and `RebuildIsRunning` while there is one here."""
        self._views.status(view)
        with self._lock:
            if self._thread is not None and self._thread.is_alive():
                raise RebuildIsRunning
            running = _Running(rebuild=self._new_id(), view=view)
            self._known[running.rebuild] = running
            while len(self._known) > KEPT_MAX:
                self._known.popitem(last=False)
            self._thread = threading.Thread(target=self._run, args=(running,), name="rebuild", daemon=True)
            self._thread.start()
        return _shown(running)

    def find(self, view: str, rebuild: str) -> Rebuild | None:
        """The state of a rebuild of that view."""
        running = self._known.get(rebuild)
        return _shown(running) if running is not None and running.view == view else None

    def close(self) -> None:
        """Cancel the one that runs, and wait for it."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self, running: _Running) -> None:
        def progress(done: int, total: int) -> None:
            running.done, running.total = done, total
            if self._stopping.is_set():
                raise ProcessIsStopping

        try:
            (result,) = self._views.rebuild([running.view], progress=progress)
        except ProcessIsStopping:
            running.state, running.error = "failed", "cancelled"
            return
        except Exception as error:  # noqa: BLE001  whatever it was, who asks is told
            running.error = type(error).__name__
            running.state = "failed"
            _log.warning("rebuild failed", view=running.view, error=running.error)
            return
        running.rows, running.differing = result.comparison.rows, result.comparison.differing
        running.state = "switched" if result.switched else "refused"


def _shown(running: _Running) -> Rebuild:
    return Rebuild(
        rebuild=running.rebuild,
        view=running.view,
        state=running.state,
        done=running.done,
        total=running.total,
        rows=running.rows,
        differing=running.differing,
        error=running.error,
    )
