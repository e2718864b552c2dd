"""Law (b) of DOMAIN §6.4: at any (`as_of`, `known_at`) a view says what the fold of the first K events says."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.custody.places import Places
from domain.events.event import Event
from projections import VIEWS, ViewIsBehind, Views, When, current_custody, custody_timeline, occupancy, roll
from projections.engine.views import open_views
from tests.domain.custody.test_laws import logs
from tests.projections import expected
from tests.projections.lives import MEMORY, story
from tests.projections.stage import (
    FOLDING,
    NOW,
    ListSource,
    after_registry,
    of_person,
    open_story,
    register_of,
    registry,
    views_over,
)

PEOPLE = ("p-ann", "p-ben", "p-cat", "p-dan")
HOUSES = ("n-1", "n-2", "e-1", "e-2")
INSTANTS = [datetime(2025, 1, 31, 12, tzinfo=UTC) + timedelta(hours=15 * number) for number in range(60)]
FIRST, LAST = date(2025, 2, 26), date(2025, 3, 8)


def whens(instants: Sequence[datetime], positions: Sequence[int]) -> list[When]:
    return [When(now=NOW, as_of=as_of, known_at=known_at) for as_of in instants for known_at in positions]


def known_at(when: When) -> int:
    assert isinstance(when.known_at, int)
    return when.known_at


def without(row: Any, *columns: str) -> Any:
    return None if row is None else {name: value for name, value in row.items() if name not in columns}


def check_person(views: Views, person: str, events: Sequence[Event], places: Places, when: When) -> None:
    """One person's custody and timeline at one question."""
    as_of, position = when.instant, known_at(when)
    said = current_custody.custody(views, when, person)
    assert without(said.value, "person", "offer") == expected.custody(events, places, as_of, position)
    assert said.position == position
    rows = custody_timeline.timeline(views, when, person).value
    assert [without(row, "kind", "name", "midnights", "flags") for row in rows or []] == expected.spells(
        events, places, as_of, position
    )


def check_house(views: Views, people: dict[str, Sequence[Event]], places: Places, facility: str, when: When) -> None:
    """One place's roll and occupancy at one question."""
    as_of, position = when.instant, known_at(when)
    page = roll.roll(views, when, facility).value
    assert page is not None
    assert sorted(str(item["person"]) for item in page.items) == expected.roll(
        people, places, facility, as_of, position
    )
    rows = occupancy.occupancy(views, when, facility, FIRST, LAST).value
    more = ("allocated", "reserved", "capacity", "free", "over_by", "overrides")
    assert [without(row, *more) for row in rows or []] == expected.occupancy(
        people, places, facility, FIRST, LAST, as_of, position
    )


def test_any_question_about_a_person_is_answered_as_the_fold_answers_it() -> None:
    scene, views = open_story()
    events = scene.events()
    places = register_of(events)
    for person in PEOPLE:
        facts = of_person(events, person)
        for when in whens(INSTANTS, range(23, len(events) + 1, 3)):
            check_person(views, person, facts, places, when)


def test_any_question_about_a_place_is_answered_as_the_fold_answers_it() -> None:
    scene, views = open_story()
    events = scene.events()
    places = register_of(events)
    people: dict[str, Sequence[Event]] = {person: of_person(events, person) for person in PEOPLE}
    for facility in HOUSES:
        for when in whens(INSTANTS[::7], range(23, len(events) + 1, 6)):
            check_house(views, people, places, facility, when)


def test_the_head_of_a_shorter_log_is_the_belief_of_the_longer_one(database_url: str) -> None:
    scene = story()
    events = scene.events()
    whole = views_over(events, database_url)
    for position in (38, 41, 44, 47, len(events)):
        short = views_over(events[:position])
        for as_of in INSTANTS[25:50:4]:
            then, head = When(now=NOW, as_of=as_of, known_at=position), When(now=NOW, as_of=as_of)
            for person in PEOPLE:
                assert current_custody.custody(whole, then, person) == current_custody.custody(short, head, person)
                assert custody_timeline.timeline(whole, then, person) == custody_timeline.timeline(short, head, person)
            for facility in HOUSES:
                assert roll.roll(whole, then, facility) == roll.roll(short, head, facility)
                days = (facility, FIRST, LAST)
                assert occupancy.occupancy(whole, then, *days) == occupancy.occupancy(short, head, *days)
        short.close()
    whole.close()


def test_the_head_rows_say_what_a_fold_on_read_says() -> None:
    """At the head nothing is folded on read: the rows answer, and an event about nobody changes no answer."""
    scene, views = open_story()
    scene.later(hours=1)
    scene.do("keeper", "register-authority", authority="late", state="NO", legal_name="late", outside_register=False)
    views.catch_up()
    head = scene.log.head()
    for person in PEOPLE:
        at_head = current_custody.custody(views, When(now=NOW), person)
        before = current_custody.custody(views, When(now=NOW, known_at=head - 1), person)
        assert at_head.value == before.value
        assert (at_head.position, before.position) == (head, head - 1)


@settings(max_examples=60, deadline=None)
@given(logs(), st.data())
def test_on_a_log_nobody_would_write(log: list[Event], data: st.DataObject) -> None:
    before, events = len(registry()), after_registry(log)
    views = views_over(events)
    assert [status.error for status in views.status()] == [None] * 9
    places, facts = register_of(events), of_person(events, "p1")
    people: dict[str, Sequence[Event]] = {"p1": facts}
    position = data.draw(st.integers(before, len(events)))
    start = datetime(2025, 3, 1, tzinfo=UTC)
    as_of = start + timedelta(hours=data.draw(st.integers(-6, 160)))
    for known in {position, len(events)}:
        for instant in (as_of, start + timedelta(days=60)):
            when = When(now=NOW, as_of=instant, known_at=known)
            check_person(views, "p1", facts, places, when)
            for facility in ("n-1", "s-1"):
                check_house(views, people, places, facility, when)
    views.close()


@settings(max_examples=30, deadline=None)
@given(logs(), st.integers(1, 5))
def test_rows_do_not_depend_on_how_the_log_was_cut_into_pages(log: list[Event], step: int) -> None:
    before, events = len(registry()), after_registry(log)
    source = ListSource(events[:before])
    views = open_views(MEMORY, source, VIEWS)
    for end in range(before, len(events) + step, step):
        source.events = events[:end]
        views.catch_up()
    at_once = views_over(events)
    assert {name: views.digest(name) for name in FOLDING} == {name: at_once.digest(name) for name in FOLDING}
    assert views.digest("audit_trail") == at_once.digest("audit_trail")
    views.close()
    at_once.close()


@pytest.mark.parametrize("person", PEOPLE)
def test_catching_up_equals_the_fold_for_every_person(database_url: str, person: str) -> None:
    scene, views = open_story(database_url)
    events = scene.events()
    check_person(views, person, of_person(events, person), register_of(events), whens([NOW], [len(events)])[0])
    views.close()
    scene.log.close()


def test_nothing_is_told_that_needs_an_event_which_can_not_be_read_any_more() -> None:
    events = story().events()
    source = ListSource(events)
    views = open_views(MEMORY, source, VIEWS)
    views.catch_up()
    [*_, before, last] = [event.position for event in of_person(events, "p-ann")]
    source.unreadable = {before}
    assert current_custody.custody(views, When(now=NOW), "p-ann").value is not None, "the head is kept"
    with pytest.raises(ViewIsBehind) as behind:
        current_custody.custody(views, When(now=NOW, known_at=last - 1), "p-ann")
    assert (behind.value.needed, behind.value.stopped) == (before, True)
