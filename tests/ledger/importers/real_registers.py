"""Public registers as published, their control totals in `expected.json`, and what a ledger says that took one in."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date
from typing import Any

from domain.events.event import Event
from ledger.cli.opening import Ledger
from ledger.cli.opening import opened as opened_ledger
from ledger.settings import Settings
from ledger.store import open_log
from ledger.store.leaf import read_event
from tests.shared_data import shared_file


def expected(name: str) -> dict[str, Any]:
    """The control totals of one source."""
    found: dict[str, Any] = json.loads(shared_file("data/expected.json").read_text("utf-8"))[name]
    return found


@contextmanager
def asked(url: str) -> Iterator[Ledger]:
    """The ledger opened as a reading command opens it."""
    with opened_ledger(Settings.model_validate({"database_url": url})) as ledger:
        yield ledger


def events_of(url: str) -> list[Event]:
    """Every event of a ledger."""
    with asked(url) as ledger:
        return [read_event(row) for row in ledger.log.read(0, ledger.log.head())]


def heads(url: str) -> tuple[int, bytes]:
    """How long a log is, and the hash of its last leaf."""
    with closing(open_log(url, exclusive=False)) as log:
        head = log.head()
        return head, log.leaf_hashes(head - 1, 1)[0]


def by_month(days: Iterator[date] | list[date]) -> dict[str, int]:
    """How many fall into each month."""
    return dict(Counter(day.strftime("%Y-%m") for day in days))
