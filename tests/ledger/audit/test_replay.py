"""Replay: what the events amount to at a position and an instant, from nothing but the log."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from ledger.audit.replay import Row, replay
from ledger.store import EventLog, open_log
from tests.ledger.audit.stories import BEN, whole
from tests.scene import ANN, at


@pytest.fixture
def log(database_url: str) -> Iterator[EventLog]:
    with closing(open_log(database_url, create=True)) as log:
        whole(log)
        yield log


def step(value: str | None, since: str, ref: int) -> Row:
    return {"value": value, "since": since, "ref": ref}


def custodians(log: EventLog, to: int | None = None, as_of: str | None = None) -> dict[object, object]:
    people = replay(log, to=to, as_of=at(as_of) if as_of else None).people
    return {row["person"]: (row["status"], row["custodian"]) for row in people}  # whole steps


def test_everybody_at_the_head(log: EventLog) -> None:
    found = replay(log)
    assert (found.position, found.as_of, found.timeline) == (49, "2025-03-05T09:00:00Z", None)
    ann, ben, cat = found.people
    assert ann == {
        "person": ANN,
        "status": step("held", "2025-02-01T09:00:00Z", 26),
        "responsible": step("north", "2025-02-01T08:00:00Z", 24),
        "custodian": step("east", "2025-03-01T12:00:00Z", 38),
        "at": step("reported:a road", "2025-03-03T08:00:00Z", 40),
        "basis": "b-p-ann",
        "confidence": "unaccounted",
        "unaccounted": {"cause": "contradicted", "since": "2025-03-04T08:00:00Z"},
        "file": "open",
    }
    assert (ben["person"], ben["file"], ben["responsible"]) == (BEN, "closed", step(None, "2025-03-05T08:00:00Z", 47))
    assert (cat["person"], cat["status"]) == ("p-cat", step("none", "2025-02-01T08:00:00Z", 48))


def test_an_earlier_position_knows_less(log: EventLog) -> None:
    assert replay(log, to=23).people == []
    assert [row["person"] for row in replay(log, to=26).people] == [ANN]
    held = step("held", "2025-02-01T09:00:00Z", 26)
    assert custodians(log, to=37)[ANN] == (held, step("north", "2025-02-01T09:00:00Z", 26))
    assert custodians(log, to=38)[ANN] == (held, step("east", "2025-03-01T12:00:00Z", 38))
    assert replay(log, to=10_000).position == 49


def test_an_earlier_instant_of_all_that_is_known(log: EventLog) -> None:
    held = step("held", "2025-02-01T09:00:00Z", 26)
    assert custodians(log, as_of="2025-03-01T11:59:59Z")[ANN] == (held, step("north", "2025-02-01T09:00:00Z", 26))
    assert custodians(log, as_of="2025-01-31T00:00:00Z") == {}


def test_one_person_with_the_spells(log: EventLog) -> None:
    found = replay(log, person=BEN)
    assert [row["person"] for row in found.people] == [BEN]
    assert found.timeline is not None
    assert [(row["status"], row["at"], row["opened_by"], row["ended_by"]) for row in found.timeline] == [
        ("none", "not-in-custody", 27, 29),
        ("held", "facility:n-1", 29, 46),
        ("released-unverified", "at-liberty", 46, 47),
        ("released", "at-liberty", 47, None),
    ]
    assert found.document()["timeline"] == found.timeline


def test_a_move_that_was_corrected_is_known_both_ways(log: EventLog) -> None:
    def moves(to: int) -> list[object]:
        timeline = replay(log, to=to, as_of=at("2025-03-02T20:00:00Z"), person=ANN).timeline or []
        return [row["from"] for row in timeline if row["at"] == "facility:e-2"]

    assert moves(40) == ["2025-03-02T09:00:00Z"]
    assert moves(41) == ["2025-03-02T09:00:00Z"]
    assert moves(42) == ["2025-03-02T19:00:00Z"]


def test_nobody_under_that_id(log: EventLog) -> None:
    found = replay(log, person="p-nobody")
    assert (found.people, found.timeline) == ([], [])
