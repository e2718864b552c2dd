"""The demo's ledger, seeded once; a test that changes anything takes a copy."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ledger.demo import seed
from tests.ledger.cli.running import custody, url_of

NOW = datetime(2025, 6, 20, 12, tzinfo=UTC)
PEOPLE = 12


@pytest.fixture(scope="session")
def demo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the demo's ledger, its views at the head."""
    folder = tmp_path_factory.mktemp("demo")
    seed(url_of(folder / "custody.db"), PEOPLE, NOW)
    assert custody("projections", "status", url=url_of(folder / "custody.db")).exit_code == 0
    return folder


@pytest.fixture(scope="session")
def demo_url(demo_folder: Path) -> str:
    """The demo's ledger, to read."""
    return url_of(demo_folder / "custody.db")


@pytest.fixture
def copied(demo_folder: Path, tmp_path: Path) -> Path:
    """A copy of the demo's ledger, to change: the path of the log's file."""
    for file in demo_folder.iterdir():
        shutil.copy(file, tmp_path / file.name)
    return tmp_path / "custody.db"
