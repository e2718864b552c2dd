"""Following the log: an event counts once, a process may die anywhere, and everybody sees how the views are doing."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier

import msgspec
import pytest

from domain.events.event import Event
from domain.events.person import HandoverAccepted
from ledger.service import LogEvents
from projections import VIEWS, View, Views, people
from projections.engine.driving import lines, running
from projections.engine.driving.lines import Line
from projections.engine.driving.status import eta_seconds, trend_of
from projections.engine.sqlite import SQLiteDatabase
from projections.engine.tables import Rows
from projections.engine.view import Batch
from projections.engine.views import open_views
from tests.projections.lives import MEMORY, story
from tests.projections.stage import FOLDING, ListSource, now, open_story, registry, views_over

SECONDS = 60.0
Apply = Callable[[Batch, Rows], None]


def digests(views: Views) -> dict[str, str]:
    return {name: views.digest(name) for name in VIEWS}


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


def test_a_view_of_another_version_is_made_anew(database_url: str) -> None:
    events = story().events()
    views_over(events, database_url).close()
    newer: dict[str, View] = {**VIEWS, "roll": replace(VIEWS["roll"], version=VIEWS["roll"].version + 1)}
    views = open_views(database_url, ListSource(events), newer)
    assert (views.position("roll"), views.position("people")) == (0, len(events))
    views.catch_up()
    assert views.digest("roll") == views_over(events).digest("roll")
    views.close()
    # With the facts go all views that fold them.
    newer["person_facts"] = replace(VIEWS["person_facts"], version=VIEWS["person_facts"].version + 1)
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

    def read_events(self, after: int, limit: int, wanted: Callable[[str], bool] | None = None) -> Sequence[Event]:
        if self.first is not None:
            happens, self.first = self.first, None
            happens()
        return super().read_events(after, limit, wanted)


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
        one.database.let_go()
        two.catch_up()

    source.events, source.first = events, overtake
    assert one._runner._step(len(events)), "it stands where the other has brought it"
    one.database.let_go()
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
    said: list[str] = []
    thread = threading.Thread(target=views.run, args=(stop, said.append), name="runner")
    thread.start()
    try:
        assert views.wait_until("audit_trail", len(events), SECONDS)
    finally:
        stop.set()
        thread.join()
    assert failed.is_set()
    # An exception's message may quote an event, and what is said goes to the log.
    assert "can't go on: ConnectionError; trying again until it can" in said


def test_a_line_that_lags_for_long_is_stalled_and_one_that_just_moved_is_behind() -> None:
    scene, views = open_story()
    scene.do("north", "register-person", person="p-eve", identity_status="established", attributes={})
    waiting = scene.events()[-1]
    with views.database.writing() as session:
        line = lines.live_lines(session)["people"]
        lines.record(session, line._replace(advanced_at="2025-04-02T08:00:00.000000Z"))
    found = []
    for seconds in (0, 30, 31):
        views._clock = lambda seconds=seconds: waiting.recorded_at + timedelta(seconds=seconds)  # type: ignore[misc]  # a default binds the number
        [status] = views.status("people")
        found.append((status.state, status.lag))
    assert found == [("behind", 1), ("behind", 1), ("stalled", 1)]


SLOW = Line("roll", 1, 1, "live")


@pytest.mark.parametrize(
    ("name", "head_grows", "applies", "rate", "trend"),
    [
        ("it comes nearer", 10, 50, 50, "falling"),
        ("it keeps its distance", 50, 50, 50, "steady"),
        ("it falls behind", 80, 50, 50, "growing"),
    ],
)
def test_rate_and_trend_are_those_of_the_last_seconds(
    name: str, head_grows: int, applies: int, rate: int, trend: str
) -> None:
    """A second a step, on a line that lags a thousand events, with a burst before that must not count."""
    start, line, head = datetime(2025, 1, 1, tzinfo=UTC), SLOW, 2_000
    event = story().events()[0]
    line = line.moved(replaced(event, 1_000), began=start, ended=start + timedelta(milliseconds=1), head=head)
    for second in range(1, 8):
        head += head_grows
        to = replaced(event, line.position + applies)
        began = start + timedelta(seconds=second)
        line = line.moved(to, began=began, ended=began + timedelta(seconds=1), head=head)
    assert (line.rate, trend_of(line, line.lag)) == (rate, trend), name
    assert eta_seconds(line.lag, line.rate) == -(-line.lag // rate)
    assert eta_seconds(line.lag, 0) is None


def test_what_a_line_waited_at_the_head_is_no_part_of_its_rate() -> None:
    start, event = datetime(2025, 1, 1, tzinfo=UTC), story().events()[0]
    second = timedelta(seconds=1)
    line = SLOW.moved(replaced(event, 100), began=start, ended=start + second, head=100)
    night = start + timedelta(hours=9)
    line = line.moved(replaced(event, 300), began=night, ended=night + second, head=900)
    assert (line.rate, line.lag, trend_of(line, line.lag)) == (200, 600, "falling")


def replaced(event: Event, position: int) -> Event:
    return msgspec.structs.replace(event, position=position)


def test_who_drives_the_views_is_seen_by_others(database_url: str) -> None:
    scene, caught_up = open_story(database_url)
    other = open_views(database_url, LogEvents(scene.log), VIEWS)
    assert {status.driven for status in other.status()} == {False}, "who only catches up keeps nobody waiting"
    assert {status.trouble for status in other.status()} == {"undriven"}
    driving = open_views(database_url, LogEvents(scene.log), VIEWS)
    said: list[str] = []
    stop = threading.Event()
    thread = threading.Thread(target=driving.run, args=(stop, said.append))
    thread.start()
    try:
        scene.do("north", "register-person", person="p-eve", identity_status="established", attributes={})
        for name in VIEWS:
            assert other.wait_until(name, scene.log.head(), SECONDS)
        for views in (driving, other):
            assert {(status.driven, status.trouble) for status in views.status()} == {(True, None)}
    finally:
        stop.set()
        thread.join()
    assert said == [f"process {os.getpid()} drives all views"]
    driving.close()
    assert {status.driven for status in other.status()} == {False}
    for views in (caught_up, other):
        views.close()
    scene.log.close()


def test_whoever_waits_for_another_process_takes_over_when_that_ends(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "OUTAGE_SECONDS", 0.01)
    events = story().events()
    first = open_views(database_url, ListSource(events[:30]), VIEWS)
    first.catch_up()
    assert first.database.owned(VIEWS) == set(VIEWS)
    second = open_views(database_url, ListSource(events), VIEWS)
    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(second.catch_up)
        first.close()
        waiting.result(SECONDS)
    assert {status.position for status in second.status()} == {len(events)}
    second.close()


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
