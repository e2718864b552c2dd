"""The last lawful date over several bases, and the working day on which a person is let go."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from domain.custody.release_day import last_lawful_date, release_day
from domain.custody.state import Basis
from domain.events.event import Actor, Event
from domain.events.person import CustodyBasisRecorded
from domain.names import AuthorityId, BasisId, Digest, EventId, OfficerId

DAY = date(2025, 3, 1)
Spell = tuple[str, str | None]


def basis(valid_from: str, must_end_by: str | None) -> Basis:
    body = CustodyBasisRecorded(
        flags=(),
        basis=BasisId("b"),
        kind="sentence",
        ordering_authority=AuthorityId("court"),
        instrument=Digest("0" * 64),
        valid_from=date.fromisoformat(valid_from),
        must_end_by=date.fromisoformat(must_end_by) if must_end_by is not None else None,
        indeterminate=must_end_by is None,
    )
    now = datetime(2025, 1, 1, tzinfo=UTC)
    recorded = Event(
        position=1,
        event_id=EventId("e"),
        stream="person:p",
        stream_version=1,
        actor=Actor(authority=AuthorityId("court"), credential="none:court/c", officer=OfficerId("c")),
        occurred_at=now,
        recorded_at=now,
        command_id="k",
        leaf_hash="",
        body=body,
    )
    return Basis(body=body, recorded=recorded)


LAST: dict[str, tuple[list[Spell], str | None]] = {
    "no basis, no date": ([], None),
    "one that is over gives none": ([("2024-01-01", "2025-02-28")], None),
    "one that has not begun gives none": ([("2025-03-02", "2025-12-31")], None),
    "the last day itself is live": ([("2024-01-01", "2025-03-01")], "2025-03-01"),
    "of concurrent ones the latest end": ([("2025-01-01", "2025-06-30"), ("2025-02-01", "2025-04-30")], "2025-06-30"),
    "a consecutive one carries on": ([("2025-01-01", "2025-06-30"), ("2025-07-01", "2025-12-31")], "2025-12-31"),
    "so does one that overlaps": ([("2025-06-15", "2025-12-31"), ("2025-01-01", "2025-06-30")], "2025-12-31"),
    "a day between is a break": ([("2025-01-01", "2025-06-30"), ("2025-07-02", "2025-12-31")], "2025-06-30"),
    "a chain of three in any order": (
        [("2025-09-01", "2025-12-31"), ("2025-01-01", "2025-06-30"), ("2025-07-01", "2025-08-31")],
        "2025-12-31",
    ),
    "one within another adds nothing": ([("2025-01-01", "2025-06-30"), ("2025-03-01", "2025-03-31")], "2025-06-30"),
    "one without end has no date": ([("2025-01-01", None), ("2025-01-01", "2025-06-30")], None),
    "nor one that leads to it": ([("2025-01-01", "2025-06-30"), ("2025-07-01", None)], None),
    "one without end that is not reached counts not": (
        [("2025-01-01", "2025-06-30"), ("2025-08-01", None)],
        "2025-06-30",
    ),
    "the end of the calendar is an end": ([("2025-01-01", "9999-12-31")], "9999-12-31"),
}


@pytest.mark.parametrize(("spells", "expected"), LAST.values(), ids=LAST)
def test_last_lawful_date(spells: list[Spell], expected: str | None) -> None:
    found = last_lawful_date([basis(*spell) for spell in spells], DAY)
    assert found == (date.fromisoformat(expected) if expected is not None else None)


RELEASE: dict[str, tuple[str, list[str], bool, str]] = {
    "a working day stays": ("2025-03-07", [], False, "2025-03-07"),
    "a Saturday moves to Friday": ("2025-03-08", [], False, "2025-03-07"),
    "a Sunday moves to Friday": ("2025-03-09", [], False, "2025-03-07"),
    "a closed day moves back": ("2025-05-01", ["2025-05-01"], False, "2025-04-30"),
    "closed days and weekends add up": ("2025-04-21", ["2025-04-17", "2025-04-18", "2025-04-21"], False, "2025-04-16"),
    "where another authority waits it stays": ("2025-03-09", ["2025-03-09"], True, "2025-03-09"),
}


@pytest.mark.parametrize(("due", "closed", "detained", "expected"), RELEASE.values(), ids=RELEASE)
def test_release_day(due: str, closed: list[str], detained: bool, expected: str) -> None:
    days = {date.fromisoformat(day) for day in closed}
    assert release_day(date.fromisoformat(due), days, detained=detained) == date.fromisoformat(expected)
