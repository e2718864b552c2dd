"""The doctor finds whatever is wrong and says what to run next; and the document, which needs nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ledger.demo import seed
from tests.ledger.audit.intruder import Intruder
from tests.ledger.cli.running import INIT, answered, custody, url_of
from tests.shared_data import REPOSITORY

CHECKS = ["settings", "versions", "database", "fences", "clock", "views"]


def problems(url: str, code: int, *arguments: str) -> dict[str, Any]:
    """The checks that found a problem, by name, with what to do next."""
    document = answered("doctor", *arguments, url=url, code=code)
    assert [row["check"] for row in document["checks"]] == CHECKS
    found = {row["check"]: row for row in document["checks"] if row["result"] == "problem"}
    assert document["well"] == (not found)
    assert all(row["next"] for row in found.values())
    return found


def test_a_whole_ledger_is_well(database_url: str) -> None:
    assert custody("db", "init", *INIT, url=database_url).exit_code == 0
    assert problems(database_url, 0) == {}
    told = custody("doctor", url=database_url)
    assert told.exit_code == 0
    assert [line.split()[:2] for line in told.stdout.splitlines() if " ok " in line] == [[one, "ok"] for one in CHECKS]


def test_no_ledger_is_told_with_the_command_that_makes_one(sqlite_url: str) -> None:
    found = problems(sqlite_url, 5)
    assert list(found) == ["database", "fences", "clock", "views"]
    assert "custody db init" in found["database"]["next"]


def test_a_database_that_nobody_can_reach() -> None:
    found = problems("postgresql://ann:hidden@127.0.0.1:1/custody", 5)
    assert list(found) == ["database", "fences", "clock", "views"]
    assert "hidden" not in str(found)


def test_settings_that_may_not_start(demo_url: str) -> None:
    assert list(problems(demo_url, 6, "--environment", "production")) == ["settings"]


def test_a_fence_that_is_down(copied: Path) -> None:
    Intruder(url_of(copied))
    found = problems(url_of(copied), 3)
    assert list(found) == ["fences"]
    assert "the fence" in found["fences"]["found"]


def test_a_clock_that_stands_before_the_record(sqlite_url: str) -> None:
    seed(sqlite_url, 1, datetime(2099, 1, 1, tzinfo=UTC))
    assert list(problems(sqlite_url, 5)) == ["clock"]


def test_a_view_that_has_parked_events(copied: Path) -> None:
    # A leaf that nobody can read, on which a fence had to come down too.
    Intruder(url_of(copied)).change("stored_events", "state", "rowid = 60", lambda _: b"{}")
    for file in copied.parent.glob("custody.views.db*"):
        file.unlink()
    found = problems(url_of(copied), 3)
    assert list(found) == ["fences", "views"]
    assert "people is current at position" in found["views"]["found"]
    assert "person_facts, event 60: " in found["views"]["found"]
    assert found["views"]["next"] == "custody audit show 60, then custody projections retry person_facts, or skip"


def test_a_library_of_another_version(demo_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.requires", lambda _name: ["eventsourcing==9.9.9"])
    found = problems(demo_url, 5)
    assert list(found) == ["versions"]
    assert "9.9.9" in found["versions"]["found"]


def test_the_document_is_the_committed_one_byte_for_byte() -> None:
    printed = custody("openapi", CUSTODY_ENVIRONMENT="production")
    assert printed.exit_code == 0
    assert printed.stdout == (REPOSITORY / "openapi.json").read_text("utf-8")
