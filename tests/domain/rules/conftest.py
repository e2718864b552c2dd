"""Every row of the rules is judged with nobody's file in memory: who is named is read back."""

from __future__ import annotations

import pytest

from ledger.writer import writer


@pytest.fixture(autouse=True)
def nobody_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everybody is put away as soon as what concerned them is recorded."""
    monkeypatch.setattr(writer, "PEOPLE_KEPT", 0)
