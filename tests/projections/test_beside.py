"""A rebuild beside other processes on the same views: whoever drives them live, and other versions of this program."""

from __future__ import annotations

from dataclasses import replace

import pytest

from projections import VIEWS, RebuildIsRunning, View, Views
from projections.engine.driving import pace, rebuilding, running
from projections.engine.views import open_views
from tests.projections.lives import story
from tests.projections.stage import ListSource, views_over, with_apply
from tests.projections.test_running import Apply, digests


def refusing_all(_apply: Apply) -> Apply:
    """A view that can't apply anything."""

    def applied(*_: object) -> None:
        raise ValueError("no such thing")

    return applied


def with_newer_roll() -> dict[str, View]:
    return {**VIEWS, "roll": replace(VIEWS["roll"], version=VIEWS["roll"].version + 1)}


@pytest.mark.parametrize("stopped", ["roll", "person_facts"])
def test_nobody_stands_back_for_views_that_will_not_move(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch, stopped: str
) -> None:
    monkeypatch.setattr(running, "STREAMS_PARKED_MAX", 2)
    events = story().events()
    driving = views_over(events, sqlite_url, with_apply(stopped, refusing_all))
    assert driving.status(stopped)[0].state == "stopped"
    assert driving.database.owned(VIEWS) == set(VIEWS)
    waited: list[float] = []
    monkeypatch.setattr(pace, "sleep", waited.append)
    views = open_views(sqlite_url, ListSource(events), VIEWS)
    # By somebody who can apply everything, where the facts leave some out.
    assert [result.comparison.position for result in views.rebuild(["people"], force=True)] == [
        views.position("people")
    ]
    assert waited == []
    for one in (views, driving):
        one.close()


def test_an_earlier_version_leaves_the_views_to_a_later_one(database_url: str) -> None:
    events = story().events()
    source = ListSource(events[:30])
    older = open_views(database_url, source, VIEWS)
    older.catch_up()
    said: list[str] = []
    older._runner.tell = said.append
    assert older.database.owned(VIEWS) == set(VIEWS)
    newer = open_views(database_url, ListSource(events), with_newer_roll())
    source.events = events
    older.catch_up()
    assert (newer.position("roll"), newer.position("people")) == (0, 30), "it writes nothing more"
    assert said == ["another version of this program has made views anew for itself; they are left to it"]
    assert newer.database.owned(VIEWS) == set(VIEWS), "nor does it keep them"
    newer.catch_up()
    assert digests(newer) == digests(views_over(events))
    for one in (older, newer):
        one.close()


def test_a_rebuild_by_an_earlier_version_switches_nothing(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rebuilding, "PAGE", 9)
    events = story().events()
    older = views_over(events, database_url)
    newer: list[Views] = []

    def installed(done: int, _total: int) -> None:
        if done and not newer:
            newer.append(open_views(database_url, ListSource(events), with_newer_roll()))

    with pytest.raises(RebuildIsRunning):
        older.rebuild(["roll"], force=True, progress=installed)
    [views] = newer
    assert [(one.position, one.building) for one in views.status("roll")] == [(0, None)]
    for one in (older, views):
        one.close()
