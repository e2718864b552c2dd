"""Views on the command line: their state, and that a rebuild switches only to what is proven or was asked for."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from ledger.cli.commands import upkeep
from projections import VIEWS
from tests.ledger.audit.intruder import Intruder
from tests.ledger.cli.running import answered, custody, url_of
from tests.ledger.cli.test_audit import PERSON, change_a_view


def test_the_state_of_every_view_and_of_one(demo_url: str) -> None:
    rows = answered("projections", "status", url=demo_url)["views"]
    assert [row["view"] for row in rows] == list(VIEWS)
    assert {row["state"] for row in rows} == {"current"}
    assert answered("projections", "status", "roll", url=demo_url)["views"][0]["view"] == "roll"
    assert custody("projections", "status", "maps", url=demo_url).exit_code == 2
    assert custody("projections", "status", "--watch", "--json", url=demo_url).exit_code == 2


def test_a_view_that_has_stopped_ends_with_4_and_names_the_event(copied: Path) -> None:
    position = 60
    # A leaf that nobody can read: the views have yet to come to it.
    Intruder(url_of(copied)).change("stored_events", "state", f"rowid = {position}", lambda _: b"{}")
    for file in copied.parent.glob("custody.views.db*"):
        file.unlink()
    result = custody("projections", "status", url=url_of(copied))
    assert result.exit_code == 4
    assert "people is stopped at position 59" in result.stderr
    assert "at position 60: " in result.stderr
    stale = custody("people", "find", url=url_of(copied))
    assert stale.exit_code == 4
    assert "demo-p0" in stale.stdout


def test_what_differs_is_named_and_restored_only_when_that_is_asked_for(copied: Path) -> None:
    url = url_of(copied)
    change_a_view(copied)
    verified = custody("projections", "verify", "people", url=url)
    assert verified.exit_code == 3
    assert f"people_rows person={PERSON}: shows status=held; the log says status=released" in verified.stdout
    refused = custody("projections", "rebuild", "people", url=url)
    assert refused.exit_code == 6
    assert "--yes" in refused.stderr
    assert _status(url) == "held"
    assert custody("projections", "rebuild", "people", "--yes", url=url).exit_code == 0
    assert _status(url) == "released"
    assert custody("projections", "verify", url=url).exit_code == 0


def _status(url: str) -> str:
    rows = answered("people", "find", url=url)["items"]
    return str(next(row["status"] for row in rows if row["person"] == PERSON))


def test_a_person_at_the_terminal_may_say_yes(copied: Path, monkeypatch: object) -> None:
    import pytest

    assert isinstance(monkeypatch, pytest.MonkeyPatch)
    url = url_of(copied)
    change_a_view(copied)
    monkeypatch.setattr(upkeep, "is_confirmed", lambda _question, *, yes: not yes)
    document = answered("projections", "rebuild", "people", "roll", url=url)
    assert [(row["view"], row["switched"]) for row in document["views"]] == [("people", True), ("roll", True)]
    assert _status(url) == "released"


def test_rebuilding_twice_gives_equal_digests(copied: Path) -> None:
    url = url_of(copied)
    first = answered("projections", "rebuild", "--all", url=url)["views"]
    second = answered("projections", "rebuild", "--all", url=url)["views"]
    assert [row["digest"] for row in first] == [row["digest"] for row in second]
    assert all(row["switched"] and row["equal"] for row in [*first, *second])
    assert [row["generation"] + 1 for row in first] == [row["generation"] for row in second]


def test_a_rebuild_that_somebody_else_runs_is_not_disturbed(copied: Path) -> None:
    import fcntl

    lock = copied.with_name("custody.views.db.rebuild.lock")
    with lock.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        result = custody("projections", "rebuild", "--all", url=url_of(copied))
    assert result.exit_code == 6
    assert "another rebuild" in result.stderr


def test_views_locked_by_somebody_are_unreachable(copied: Path) -> None:
    with closing(sqlite3.connect(copied.with_name("custody.views.db"), isolation_level=None)) as file:
        file.execute("BEGIN EXCLUSIVE")
        result = custody("projections", "rebuild", "--all", url=url_of(copied))
    assert result.exit_code == 5
    assert "locked" in result.stderr
