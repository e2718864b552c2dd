"""Asking: an answer says which position it speaks for, and none is silently old."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from projections import VIEWS, ViewIsBehind, When, current_custody, occupancy, people, roll
from projections.engine.driving import running
from projections.engine.views import open_views
from tests.projections.lives import MEMORY, story
from tests.projections.stage import ListSource, now, open_story, views_over, with_apply
from tests.projections.test_parking import refusing
from tests.projections.test_running import acceptance_of
from tests.scene import ANN, E1

SECONDS = 60.0


def test_an_answer_says_its_position_and_its_instant() -> None:
    scene, views = open_story()
    answer = current_custody.custody(views, now(), ANN)
    assert (answer.position, answer.as_of) == (scene.log.head(), "2025-06-01T12:00:00Z")
    earlier = current_custody.custody(views, now(known_at=38), ANN)
    assert earlier.position == 38


def test_a_view_that_is_behind_says_so_at_once_or_after_the_wait() -> None:
    _, views = open_story()
    head = views.position("people")
    for when in (now(min_position=head + 1), now(known_at=head + 1), now(min_position=head + 1, wait=0.01)):
        with pytest.raises(ViewIsBehind) as behind:
            people.people(views, when)
        assert (behind.value.view, behind.value.position, behind.value.needed) == ("people", head, head + 1)
        assert not behind.value.stopped


def test_a_read_waits_for_the_position_it_needs(database_url: str) -> None:
    events = story().events()
    source = ListSource(events[:30])
    views = open_views(database_url, source, VIEWS)
    views.catch_up()
    asked = threading.Event()

    def grow() -> None:
        asked.wait(SECONDS)
        source.events = events
        views.catch_up()

    thread = threading.Thread(target=grow)
    thread.start()
    asked.set()
    answer = people.person(views, now(min_position=len(events), wait=SECONDS), "p-dan")
    thread.join()
    assert answer.position == len(events)
    assert answer.value is not None
    views.close()


def test_a_view_that_has_stopped_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "STREAMS_PARKED_MAX", 0)
    events = story().events()
    poison = acceptance_of(events)
    views = views_over(events, MEMORY, with_apply("roll", refusing(poison)))
    with pytest.raises(ViewIsBehind) as behind:
        roll.roll(views, now(min_position=poison, wait=3600.0), E1)
    assert behind.value.stopped


def test_knowledge_by_an_instant_is_the_last_position_recorded_by_then(database_url: str) -> None:
    scene, views = open_story(database_url)
    events = scene.events()
    for event in events[::5]:
        last = max(one.position for one in events if one.recorded_at <= event.recorded_at)
        assert people.person(views, now(known_at=event.recorded_at), ANN).position == last
        before = current_custody.custody(views, now(known_at=event.recorded_at - timedelta(milliseconds=1)), ANN)
        earlier = [one.position for one in events if one.recorded_at < event.recorded_at]
        assert before.position == max(earlier, default=0)
    assert current_custody.custody(views, now(known_at=events[0].recorded_at - timedelta(days=1)), ANN).value is None
    views.close()
    scene.log.close()


def test_knowledge_of_an_instant_the_view_has_not_come_to_is_not_made_up() -> None:
    events = story().events()
    source = ListSource(events[:38])
    views = open_views(MEMORY, source, VIEWS)
    views.catch_up()
    source.events = events
    known = events[41].recorded_at
    with pytest.raises(ViewIsBehind):
        current_custody.custody(views, now(known_at=known), ANN)
    # What was recorded before the first event it lacks is known in full.
    assert current_custody.custody(views, now(known_at=events[37].recorded_at), ANN).position == 38


def test_a_place_and_a_person_nobody_registered_are_told_from_empty_ones() -> None:
    _, views = open_story()
    assert current_custody.custody(views, now(), "p-nobody").value is None
    assert roll.roll(views, now(), "nowhere").value is None
    page = roll.roll(views, now(), "t-1").value
    assert page is not None
    assert page.items == []
    # A place is not there yet before it was registered.
    assert roll.roll(views, now(known_at=10), E1).value is None
    assert occupancy.today(views, now(), "nowhere").value is None


def test_the_register_is_that_of_the_knowledge() -> None:
    _, views = open_story()
    assert views.register(now()).value.facility(E1) is not None
    assert views.register(now(known_at=10)).value.facility(E1) is None


def test_now_stands_in_for_as_of() -> None:
    when = now()
    assert when.instant == when.now
    assert When(now=when.now, as_of=when.now - timedelta(days=1)).instant == when.now - timedelta(days=1)
