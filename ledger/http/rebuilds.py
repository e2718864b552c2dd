"""Rebuilds that were asked for over HTTP: each is run by a process of its own, so that commands are not slowed.

The states are kept by this process and end with it, and so does a rebuild that is under way: what it has built stays,
and the next one goes on from there. What a rebuild did is seen in the view's generation.
"""

from __future__ import annotations

import json
import subprocess
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

import structlog

from ledger.children import end_child, start_child
from ledger.http.answers.service import Rebuild
from ledger.settings import Settings
from projections import RebuildIsRunning, Views
from projections.engine.database import SQLITE, views_path

KEPT_MAX: Final = 100
_log = structlog.get_logger()


class ProcessIsStopping(Exception):
    """Raised into a rebuild to cancel it: the live view goes on."""


@dataclass(slots=True, kw_only=True)
class _Running:
    rebuild: str
    view: str
    state: Literal["running", "switched", "refused", "failed", "cancelled"] = "running"
    done: int = 0
    total: int = 0
    rows: int | None = None
    differing: int | None = None
    error: str | None = None


class Rebuilds:
    """The rebuilds that this process was asked for: one at a time, the last hundred remembered."""

    def __init__(self, views: Views, new_id: Callable[[], str], settings: Settings) -> None:
        self._views, self._new_id, self._settings = views, new_id, settings
        url = settings.database_url.get_secret_value()
        # No other process can come to views in memory.
        self._is_alone = url.startswith(SQLITE) and views_path(url) is None
        self._lock = threading.Lock()
        self._known: OrderedDict[str, _Running] = OrderedDict()
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._child: subprocess.Popen[str] | None = None

    def start(self, view: str) -> Rebuild:
        """Begin one; raises `ViewIsUnknown`, and `RebuildIsRunning` while there is one."""
        self._views.status(view)
        with self._lock:
            if (self._thread is not None and self._thread.is_alive()) or self._views.database.is_rebuilding():
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
        with self._lock:
            self._stopping.set()
            if self._child is not None:
                end_child(self._child)
        if self._thread is not None:
            self._thread.join()

    def _run(self, running: _Running) -> None:
        try:
            if self._is_alone:
                self._run_here(running)
            else:
                self._run_apart(running)
        except ProcessIsStopping:
            running.state = "cancelled"
        except Exception as error:  # noqa: BLE001  whatever it was, who asks is told
            running.error = type(error).__name__
            running.state = "failed"
        if running.state == "failed":
            _log.warning("rebuild failed", view=running.view, error=running.error)

    def _run_here(self, running: _Running) -> None:
        def progress(done: int, total: int) -> None:
            running.done, running.total = done, total
            if self._stopping.is_set():
                raise ProcessIsStopping

        (result,) = self._views.rebuild([running.view], progress=progress)
        _end(running, result.document())

    def _run_apart(self, running: _Running) -> None:
        with self._lock:
            if self._stopping.is_set():
                raise ProcessIsStopping
            self._child = child = start_child(
                "projections", "rebuild", running.view, "--report", settings=self._settings, reads=True
            )
        assert child.stdout is not None
        try:
            with child.stdout:
                for line in child.stdout:
                    _hear(running, json.loads(line))
        finally:
            end_child(child)
        if running.state == "running" and self._stopping.is_set():
            raise ProcessIsStopping
        if running.state == "running":
            running.state, running.error = "failed", running.error or f"the process ended with {child.returncode}"


def _hear(running: _Running, told: dict[str, Any]) -> None:
    """Note what a rebuilding process says on one line."""
    if "done" in told:
        running.done, running.total = told["done"], told["total"]
    elif "error" in told:
        running.error = told["error"]
    else:
        _end(running, told)


def _end(running: _Running, result: dict[str, object]) -> None:
    rows, differing = result["rows"], result["differing"]
    assert isinstance(rows, int)
    assert isinstance(differing, int)
    running.rows, running.differing = rows, differing
    running.state = "switched" if result["switched"] else "refused"


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
