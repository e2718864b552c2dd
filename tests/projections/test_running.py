"""Following the log: an event counts once, a broken view stops alone, and a process may die anywhere."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from threading import Barrier

import pytest

from domain.events.event import Event
from domain.events.person import HandoverAccepted
from ledger.service import LogEvents
from projections import VIEWS, View, Views, people, roll
from projections.engine import lines, running
from projections.engine.postgres import PostgresDatabase
from projections.engine.sqlite import SQLiteDatabase
from projections.engine.tables import Rows
from projections.engine.view import Batch
from projections.engine.views import open_views
from tests.projections.lives import MEMORY, story
from tests.projections.stage import FOLDING, ListSource, now, open_story, registry, views_over, with_apply
from tests.scene import E1

SECONDS = 20.0
Apply = Callable[[Batch, Rows], None]


def digests(views: Views) -> dict[str, str]:
    return {name: views.digest(name) for name in VIEWS}


def refusing(position: int) -> Callable[[Apply], Apply]:
    """A view that can't apply the event at a position."""

    def wrap(apply: Apply) -> Apply:
        def applied(batch: Batch, rows: Rows) -> None:
            apply(batch, rows)
            if any(event.position == position for event in batch.events):
                raise ValueError("no such thing")

        return applied

    return wrap


def acceptance_of(events: Sequence[Event]) -> int:
    return next(event.position for event in events if isinstance(event.body, HandoverAccepted))


def test_every_view_comes_to_the_head(database_url: str) -> None:
    scene, views = open_story(database_url)
    head = scene.log.head()
    statuses = views.status()
    assert [status.view for status in statuses] == list(VIEWS)
    assert {(status.position, status.lag, status.state, status.error) for status in statuses} == {
        (head, 0, "current", None)
    }
    assert views.status("roll") == [statuses[list(VIEWS).index("roll")]]
    views.close()
    scene.log.close()


def test_a_restart_in_the_middle_ends_equal(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "PAGE", 7)
    events = story().events()
    for end in (5, 30, 41, 42, len(events)):
        views = open_views(database_url, ListSource(events[:end]), VIEWS)
        views.catch_up()
        assert views.position("people") == end
        views.close()
    views = open_views(database_url, ListSource(events), VIEWS)
    at_once = views_over(events)
    assert digests(views) == digests(at_once)
    views.close()


def test_an_event_a_view_cannot_apply_stops_that_view_alone(database_url: str) -> None:
    events = story().events()
    poison = acceptance_of(events)
    views = views_over(events, database_url, with_apply("roll", refusing(poison)))
    [stopped] = views.status("roll")
    assert (stopped.state, stopped.position, stopped.error_position) == ("stopped", poison - 1, poison)
    assert stopped.error == "ValueError: no such thing"
    assert {status.position for status in views.status() if status.view != "roll"} == {len(events)}
    page = roll.roll(views, now(), E1)
    assert page.position == poison - 1, "what it knew before it still answers, and says for which position"
    views.close()
    # The fix, and a restart.
    views = views_over(events, database_url)
    assert [status.state for status in views.status("roll")] == ["current"]
    assert views.digest("roll") == views_over(events).digest("roll")
    views.close()


def test_views_that_fold_never_overtake_the_facts_they_fold() -> None:
    events = story().events()
    poison = acceptance_of(events)
    views = views_over(events, MEMORY, with_apply("person_facts", refusing(poison)))
    positions = {status.view: status.position for status in views.status()}
    assert positions == dict.fromkeys(VIEWS, poison - 1)
    assert {status.view for status in views.status() if status.state == "stopped"} == {"person_facts"}


def test_a_stored_event_that_cannot_be_read_stops_all_at_its_position() -> None:
    events = story().events()
    source = ListSource(events, unreadable={45})
    views = open_views(MEMORY, source, VIEWS)
    views.catch_up()
    assert {(status.position, status.error_position) for status in views.status()} == {(44, 45)}
    source.unreadable.clear()
    views.catch_up()
    assert {(status.position, status.error) for status in views.status()} == {(len(events), None)}


def test_a_view_of_another_version_is_made_anew(database_url: str) -> None:
    events = story().events()
    views_over(events, database_url).close()
    newer: dict[str, View] = {**VIEWS, "roll": replace(VIEWS["roll"], version=2)}
    views = open_views(database_url, ListSource(events), newer)
    assert (views.position("roll"), views.position("people")) == (0, len(events))
    views.catch_up()
    assert views.digest("roll") == views_over(events).digest("roll")
    views.close()
    # With the facts go all views that fold them.
    newer["person_facts"] = replace(VIEWS["person_facts"], version=2)
    views = open_views(database_url, ListSource(events), newer)
    assert {views.position(name) for name in FOLDING} == {0}
    views.close()


def test_views_of_another_log_are_thrown_away(database_url: str) -> None:
    views_over(story().events(), database_url).close()
    views = views_over(registry(), database_url)
    assert people.people(views, now()).value.items == []
    assert {status.position for status in views.status()} == {len(registry())}
    views.close()
    # So are those of a log that was longer than this one is.
    views = open_views(database_url, ListSource(registry()[:3]), VIEWS)
    assert {status.position for status in views.status()} == {0}
    views.close()


def test_live_following_says_the_same_as_catching_up(database_url: str) -> None:
    scene, views = open_story(database_url)
    stop = threading.Event()
    thread = threading.Thread(target=views.run, args=(stop,))
    thread.start()
    try:
        for number in range(5):
            scene.do("north", "register-person", person=f"p-{number}", identity_status="established", attributes={})
        for name in VIEWS:
            assert views.wait_until(name, scene.log.head(), SECONDS)
    finally:
        stop.set()
        thread.join()
    at_once = views_over(scene.events())
    assert digests(views) == digests(at_once)
    views.close()
    scene.log.close()


def test_a_view_has_one_owner_across_processes(postgresql_url: str) -> None:
    scene, views = open_story(postgresql_url)
    other = open_views(postgresql_url, LogEvents(scene.log), VIEWS)
    assert views.database.owned(VIEWS) == set(VIEWS)
    assert other.database.owned(VIEWS) == set()
    views.close()
    assert other.database.owned(VIEWS) == set(VIEWS)
    other.close()
    scene.log.close()


@dataclass
class Overtaken(ListSource):
    """A log that lets something happen between the look at a view's position and the write."""

    first: Callable[[], None] | None = None

    def read_events(self, after: int, limit: int) -> Sequence[Event]:
        if self.first is not None:
            happens, self.first = self.first, None
            happens()
        return super().read_events(after, limit)


def test_two_processes_open_at_once(database_url: str) -> None:
    events = story().events()
    together = Barrier(4)

    def open_together() -> Views:
        together.wait(SECONDS)
        return open_views(database_url, ListSource(events), VIEWS)

    with ThreadPoolExecutor(4) as threads:
        opening = [threads.submit(open_together) for _ in range(4)]
        opened = [one.result(SECONDS) for one in opening]
    for views in opened:
        assert {status.generation for status in views.status()} == {1}
        views.close()


def test_a_batch_that_another_process_has_applied_counts_once(database_url: str) -> None:
    """As after a lock was lost unnoticed: positions are compared in the transaction that writes."""
    events = story().events()
    source = Overtaken(events[:30])
    one = open_views(database_url, source, VIEWS)
    one.catch_up()
    two = open_views(database_url, ListSource(events), VIEWS)

    def overtake() -> None:
        if isinstance(one.database, PostgresDatabase):
            one.database._let_go()
        two.catch_up()

    source.events, source.first = events, overtake
    assert one._runner._step(len(events)), "it stands where the other has brought it"
    assert [status.error for status in one.status()] == [None] * len(VIEWS)
    assert digests(one) == digests(views_over(events))
    one.close()
    two.close()


def test_an_outage_is_outlived(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "OUTAGE_SECONDS", 0.01)
    events = story().events()
    failed = threading.Event()

    class Flaky(ListSource):
        def head(self) -> int:
            if not failed.is_set() and threading.current_thread().name == "runner":
                failed.set()
                raise ConnectionError("the log is gone")
            return super().head()

    views = open_views(MEMORY, Flaky(events), VIEWS)
    stop = threading.Event()
    thread = threading.Thread(target=views.run, args=(stop,), name="runner")
    thread.start()
    try:
        assert views.wait_until("audit_trail", len(events), SECONDS)
    finally:
        stop.set()
        thread.join()
    assert failed.is_set()


def test_a_line_that_lags_for_long_is_stalled_and_one_that_just_moved_is_behind() -> None:
    scene, views = open_story()
    scene.do("north", "register-person", person="p-eve", identity_status="established", attributes={})
    waiting = scene.events()[-1]
    with views.database.writing() as session:
        line = lines.live_lines(session)["people"]
        lines.advance(session, line._replace(advanced_at="2025-04-02T08:00:00.000000Z"))
    found = []
    for seconds in (0, 30, 31):
        views._clock = lambda seconds=seconds: waiting.recorded_at + timedelta(seconds=seconds)  # type: ignore[misc]  # a default binds the number
        [status] = views.status("people")
        found.append((status.state, status.lag, status.trend))
    assert found == [("behind", 1, "falling"), ("behind", 1, "falling"), ("stalled", 1, "falling")]


def test_a_new_file_is_opened_by_many_at_once(tmp_path: Path) -> None:
    """SQLite makes nobody wait for the change to write-ahead logging; each of many files is a race of its own."""

    def open_together(path: Path, together: Barrier) -> None:
        together.wait(SECONDS)
        database = SQLiteDatabase(path)
        with database.writing() as session:
            session.execute("CREATE TABLE IF NOT EXISTS one (a INTEGER)")
        database.close()

    with ThreadPoolExecutor(6) as threads:
        for number in range(150):
            together, path = Barrier(6), tmp_path / f"{number}.db"
            for one in [threads.submit(open_together, path, together) for _ in range(6)]:
                one.result(SECONDS)
