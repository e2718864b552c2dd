"""A late fact in a long file is folded from a milestone, and the head is that of all events all the same."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings

from domain.custody.counting import count
from domain.custody.fold import fold
from domain.custody.places import Places
from domain.events.event import Event
from domain.files import person
from domain.files.person import PersonFile, evolve
from tests.domain.custody.facts import NORTH_AND_SOUTH as PLACES
from tests.domain.custody.facts import fact
from tests.domain.custody.test_laws import logs

SHORT = 2
MINUTES_LATE = 5


@pytest.fixture(scope="module", autouse=True)
def _milestones_are_dense() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(person, "MILESTONE_EVERY", SHORT)
        yield


@settings(max_examples=200, deadline=None)
@given(logs())
def test_whatever_is_recorded_the_head_is_the_fold_of_all_events(log: list[Event]) -> None:
    file: PersonFile | None = None
    for number, event in enumerate(log, 1):
        file = evolve(file, event, PLACES)
        known = log[:number]
        facts = count(known, PLACES).facts
        state = fold(known, PLACES)
        assert state is None or file.head == state
        assert file.end == (facts[-1][:2] if facts else None)
        for instant in {one.instant for one in facts}:
            assert file.at(instant, PLACES) == fold(known, PLACES, instant)


def moves(number: int) -> list[Event]:
    """A person held, then moved to and fro, each move recorded after one that was later."""
    log = [
        fact(1, "person-registered", "2025-03-01T08:00:00+00:00"),
        fact(2, "custody-opened", "2025-03-01T09:00:00+00:00", body={"facility": "n-1", "authority": "north"}),
    ]
    for at in range(number):
        minute = at + (MINUTES_LATE if at % 2 else 0)
        instant = f"2025-03-01T{10 + minute // 60}:{minute % 60:02}:00+00:00"
        place = "n-2" if at % 2 else "n-1"
        log.append(fact(len(log) + 1, "moved-within", instant, mode="report", body={"to_facility": place}))
    return log


def test_late_facts_find_a_milestone_before_them(monkeypatch: pytest.MonkeyPatch) -> None:
    folded: list[int] = []
    whole = person._refolded

    def noted(known: PersonFile, places: Places) -> PersonFile:
        folded.append(len(known.events))
        return whole(known, places)

    monkeypatch.setattr(person, "MILESTONE_EVERY", 8)
    monkeypatch.setattr(person, "_refolded", noted)
    file: PersonFile | None = None
    log = moves(200)
    for event in log:
        file = evolve(file, event, PLACES)
    assert file is not None
    assert file.head == fold(log, PLACES)
    assert max(folded) < 3 * 8, "only before there is a milestone"


def test_a_milestone_knows_the_ground_that_came_after_it() -> None:
    def at(minute: int) -> str:
        return f"2025-03-01T10:{minute:02}:00+00:00"

    south = {"authority": "south", "facility": "s-1"}
    request = {"transfer": "t1", "responsibility_after": "receiving"}
    offer = {"handover": "h1", "transfer": "t1", "receiving": south}
    log = moves(0)
    log.append(fact(3, "transfer-requested", at(1), transfer="t1", body=request))
    log.append(fact(4, "handover-accepted", at(2), "south", body={"handover": "h1", "receiving": south}))
    log += [fact(number, "moved-within", at(number), "south", body={"to_facility": "s-2"}) for number in (5, 6, 7)]
    log.append(fact(8, "handover-offered", at(8), body=offer))
    log.append(fact(9, "release-date-set", at(9)))
    log.append(fact(10, "presence-reported", at(8), "south", body={"facility": "s-2"}))
    file: PersonFile | None = None
    for event in log:
        file = evolve(file, event, PLACES)
    assert file is not None
    assert file.head == fold(log, PLACES)
    assert file.head.responsible is not None
