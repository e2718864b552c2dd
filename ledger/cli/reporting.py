"""A rebuild that another process has asked for: what happens is told as lines of JSON, for that process to read."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from ledger.cli.opening import opened

if TYPE_CHECKING:
    from ledger.settings import Settings

REPORT_SECONDS: Final = 0.2


def report_rebuild(settings: Settings, names: Sequence[str], *, with_parent: bool) -> None:
    """Rebuild views and print `{done, total}` now and then, at the end each view's result, or `{error}`."""
    from ledger.children import stop_with_parent

    stop = threading.Event()
    if with_parent:
        stop_with_parent(stop.set)
    reported = [0.0]

    def told(done: int, total: int) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        if time.monotonic() - reported[0] >= REPORT_SECONDS or done == total:
            reported[0] = time.monotonic()
            print(json.dumps({"done": done, "total": total}), flush=True)

    try:
        with opened(settings) as ledger:
            for result in ledger.views.rebuild(names, progress=told):
                shown = {**result.document(), "differences": []}
                print(json.dumps(shown), flush=True)
    except Exception as error:
        print(json.dumps({"error": type(error).__name__}), flush=True)
        raise
