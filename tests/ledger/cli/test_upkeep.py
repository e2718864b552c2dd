"""Views on the command line: their state, and that a rebuild switches only to what is proven or was asked for."""

from __future__ import annotations

import sqlite3
from contextlib import closing, nullcontext
from pathlib import Path

import pytest

from ledger.cli.commands import upkeep
from ledger.cli.terminal import Bar
from projections import VIEWS
from projections.engine.driving import rebuilding
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


def spoiled(copied: Path, position: int) -> str:
    """The copied ledger with a leaf that nobody can read, which the views have yet to come to."""
    Intruder(url_of(copied)).change("stored_events", "state", f"rowid = {position}", lambda _: b"{}")
    for file in copied.parent.glob("custody.views.db*"):
        file.unlink()
    return url_of(copied)


def test_parked_events_end_with_4_and_are_named_and_the_rest_is_answered(copied: Path) -> None:
    position = 60
    url = spoiled(copied, position)
    result = custody("projections", "status", url=url)
    assert result.exit_code == 4
    assert "people is current at position" in result.stderr
    assert "missing required field" in result.stderr
    assert "No process drives the views" in result.stderr
    [shown] = answered("projections", "status", "people", url=url, code=4)["views"]
    [event] = shown["parked_events"]
    assert (event["position"], event["attempts"]) == (position, 1)
    assert shown["parked"] >= 1
    assert shown["lag"] == 0
    people = custody("people", "find", url=url)
    assert people.exit_code == 4
    assert "demo-p0" in people.stdout
    assert "leaves out" in people.stderr


def test_a_parked_event_is_retried_in_vain_and_then_skipped_by_an_officer_for_ever(copied: Path) -> None:
    url, position = spoiled(copied, 60), "60"
    retried = custody("projections", "retry", "person_facts", url=url)
    assert retried.exit_code == 3
    assert "skip person_facts --position 60" in retried.stderr
    who = ("--officer", "keeper/k-1")
    for wrong in (
        ("--position", position, "--officer", "keeper", "--reason", "damaged"),
        ("--position", position, *who, "--reason", " "),
        ("--position", "59", *who, "--reason", "damaged"),
    ):
        assert custody("projections", "skip", "person_facts", *wrong, url=url).exit_code == 2
    elsewhere = custody("projections", "skip", "roll", "--position", position, *who, "--reason", "damaged", url=url)
    assert (elsewhere.exit_code, "person_facts" in elsewhere.stderr) == (2, True)
    skipped = answered(
        "projections", "skip", "person_facts", "--position", position, *who, "--reason", "damaged", url=url
    )
    assert {row["switched"] for row in skipped["views"]} == {True}
    [shown] = answered("projections", "status", "person_facts", url=url)["views"]
    [decision] = shown["skipped_events"]
    assert (decision["position"], decision["officer"], decision["reason"]) == (60, "k-1", "damaged")
    assert (shown["parked"], shown["skipped"]) == (0, 1)
    assert custody("projections", "retry", "person_facts", url=url).exit_code == 0
    # Ctrl-C and a position that cannot be are told apart from what is wrong with the events.
    assert custody("projections", "retry", "maps", url=url).exit_code == 2


def test_a_rebuild_that_is_interrupted_says_where_it_goes_on(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = url_of(copied)
    monkeypatch.setattr(rebuilding, "PAGE", 50)

    class Interrupting(Bar):
        def stage(self, label: str, done: int, total: int) -> None:
            if done >= 100:
                raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(upkeep, "progress", lambda _label: nullcontext(Interrupting()))
        stopped = custody("projections", "rebuild", "roll", url=url)
    assert stopped.exit_code == 130
    assert "up to position 100 is kept" in stopped.stderr
    [shown] = answered("projections", "status", "roll", url=url)["views"]
    assert (shown["building"], shown["building_runs"]) == (100, False)
    gone_on = custody("projections", "rebuild", "roll", url=url)
    assert gone_on.exit_code == 0
    assert "Going on from position 100 of" in gone_on.stderr
    assert "a second." in gone_on.stderr
    assert "Going on" not in custody("projections", "rebuild", "roll", "--afresh", url=url).stderr


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


def test_a_person_at_the_terminal_may_say_yes(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
