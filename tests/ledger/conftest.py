"""What tests of the log and of its writer have in common."""

from __future__ import annotations

import pytest

from ledger.store.postgres import connections
from tests.ledger.store.backends import PATIENCE, TIME_OUTS


@pytest.fixture
def patient_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL waits for a lock, and for whoever stands still in a transaction, as long as any test does."""
    for name in TIME_OUTS:
        monkeypatch.setattr(connections, name, PATIENCE)
