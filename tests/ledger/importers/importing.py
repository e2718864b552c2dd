"""Running imports in tests, whole or interrupted, and comparing the ledgers that they end in."""

from __future__ import annotations

import re
import signal
import sys
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from ledger.store import open_log
from ledger.store.leaf import Leaf, decode_leaf
from tests.ledger.cli.running import INIT, answered, custody, ended

INTERRUPTED = (sys.executable, "-m", "tests.ledger.importers.interrupted")
DRAWN = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")


def opened(url: str) -> str:
    """A ledger opened at that URL."""
    assert custody("db", "init", *INIT, url=url).exit_code == 0
    return url


def arguments(format_: str, file: Path, acting: str) -> tuple[str, ...]:
    """The command that imports a file."""
    return ("import", format_, str(file), "--registrar", "keeper/k-1", "--as", f"{acting}/import")


def imported(url: str, format_: str, file: Path, acting: str) -> Any:
    """The report of a whole import."""
    return answered(*arguments(format_, file, acting), url=url)


def interrupted(
    url: str, format_: str, file: Path, acting: str, *, step: str, number: int, by: signal.Signals = signal.SIGKILL
) -> tuple[int, str]:
    """An import that gets a signal at that step of its `number`th commit: how it ended, and what it said."""
    process = (*INTERRUPTED, step, str(number), str(by.value))
    code, stdout, stderr = ended(*arguments(format_, file, acting), program=process, CUSTODY_DATABASE_URL=url)
    assert stdout == "", "what was stopped reports nothing"
    return code, stderr


def told(url: str) -> list[str]:
    """Every event of a ledger, in order, as two imports of one file must have it alike.

    Ids that were drawn are numbered by their first appearance; what the clock said and what follows from salts is left
    out.
    """
    numbers: dict[str, str] = {}

    def number(match: re.Match[str]) -> str:
        return numbers.setdefault(match[0], f"#{len(numbers)}")

    with closing(open_log(url, exclusive=False)) as log:
        leaves = [decode_leaf(row.leaf) for row in log.read(0, log.head())]
    events = ((leaf.type, leaf.stream, leaf.actor, _dated(leaf), leaf.body) for leaf in leaves)
    return [DRAWN.sub(number, msgspec.json.encode(event).decode()) for event in events]


def _dated(leaf: Leaf) -> datetime | None:
    """When the source says it happened; None for what is dated by the clock."""
    return leaf.occurred_at if leaf.occurred_at != datetime.fromisoformat(leaf.recorded_at) else None
