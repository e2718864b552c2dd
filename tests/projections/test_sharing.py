"""A rebuild shared out between two processes: the same rows, whoever helps and whenever one of them ends."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import pytest

from ledger.service import LogEvents
from projections import VIEWS, RebuildFailed, RebuildIsRunning, Views, open_views
from projections.engine import sqlite
from projections.engine.database import views_path
from projections.engine.driving import lines, pace, sharing
from projections.engine.driving.sharing import Half, HalfIsTaken, Pages
from tests.projections.lives import story
from tests.projections.stage import Away, ListSource, open_story, views_over, with_apply
from tests.projections.test_parking import refusing
from tests.projections.test_running import acceptance_of, digests
from tests.scene import Scene

ROOT = Path(__file__).parents[2]

DIES = """
import os, sys
from ledger.service import LogEvents
from ledger.store import open_log
from projections import open_views
from projections.engine.driving import sharing

log = open_log(sys.argv[1], exclusive=False)
views = open_views(sys.argv[1], LogEvents(log))
sharing.WORK_WORTH_HELP, sharing.PAGE = 1, 9
views.rebuild(progress=lambda done, total: os._exit(77) if FIRST or 2 * done > total else None)
"""


@dataclass(frozen=True)
class Helped(LogEvents):
    """A log whose helpers are kept, to see that they did what they were asked."""

    def help(self, task: str) -> subprocess.Popen[bytes] | None:
        helper = super().help(task)
        assert helper is not None
        assert helper.wait(60) == 0, "the helper came to the end of its half"
        return helper


class Unhelped(LogEvents):
    """A log whose helpers end before they have done anything."""

    def help(self, _task: str) -> subprocess.Popen[bytes] | None:
        return subprocess.Popen([sys.executable, "-c", "raise SystemExit(1)"], stdin=subprocess.PIPE)


class HelpedByOne(LogEvents):
    """A log whose helpers are a program that does something else, told the place of the views."""

    does = ""

    def help(self, _task: str) -> subprocess.Popen[bytes] | None:
        assert self.url is not None
        return subprocess.Popen([sys.executable, "-c", self.does, str(views_path(self.url))], stdin=subprocess.PIPE)


class Standing(HelpedByOne):
    """A log whose helpers never come to anything."""

    does = "import sys; sys.stdin.read()"


class Writing(HelpedByOne):
    """A log whose helpers write one page for very long."""

    does = """
import sqlite3, sys, time
views = sqlite3.connect(sys.argv[1], isolation_level=None)
views.execute("BEGIN IMMEDIATE")
time.sleep(1)
"""


@pytest.fixture(autouse=True)
def shared_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "WORK_WORTH_HELP", 1)
    monkeypatch.setattr(sharing, "PAGE", 9)


@contextmanager
def opened(url: str, kind: type[LogEvents]) -> Iterator[tuple[Scene, Views]]:
    scene, views = open_story(url)
    views.close()
    views = open_views(url, kind(scene.log, url))
    yield scene, views
    views.close()
    scene.log.close()


def halves(views: Views) -> list[Half]:
    with views.database.reading() as session:
        return sharing.halves(session)


@pytest.mark.parametrize("kind", [Helped, Unhelped])
def test_both_halves_make_the_rows_of_the_live_view(database_url: str, kind: type[LogEvents]) -> None:
    with opened(database_url, kind) as (scene, views):
        before = digests(views)
        seen: list[tuple[int, int]] = []
        for names in ([], ["current_custody"]):
            results = views.rebuild(names, progress=lambda done, total: seen.append((done, total)))
            assert all(result.switched and result.comparison.is_equal for result in results)
            assert digests(views) == before
            assert halves(views) == []
        assert seen[-1] == (scene.log.head(), scene.log.head())
        assert len({done for done, _ in seen}) > 2, "it was told on the way how far both have come"


def test_each_half_holds_somebody() -> None:
    events = story().events()
    views = views_over(events)
    with views.database.reading() as session:
        people = [str(person) for (person,) in session.select("SELECT person FROM people_rows__1")]
    first, second = (Half(half, "", 0, 0, "") for half in (0, 1))
    assert {(first.holds(one), second.holds(one)) for one in people} == {(True, False), (False, True)}  # type: ignore[arg-type]  # ids as they are stored


@pytest.mark.parametrize("first", [True, False], ids=["at once", "once both have moved"])
def test_a_shared_rebuild_that_is_killed_is_gone_on_with(database_url: str, first: bool) -> None:
    with opened(database_url, Unhelped) as (scene, views):
        before = digests(views)
        # Nobody helps, so the second half has begun once the first is at its end.
        code = DIES.replace("FIRST", str(first))
        died = subprocess.run([sys.executable, "-c", code, database_url], cwd=ROOT, check=False, timeout=120)
        assert died.returncode == 77
        assert digests(views) == before
        head = scene.log.head()
        own, other = halves(views)
        assert (own.position, other.position) == ((9, 0) if first else (head, 9))
        seen: list[int] = []
        results = views.rebuild(progress=lambda done, _total: seen.append(done))
        assert all(result.switched and result.comparison.is_equal for result in results)
        assert {result.generation for result in results} == {2}, "what was built was gone on with"
        assert seen[0] == (9 if first else (head + 9) // 2)
        assert (digests(views), halves(views)) == (before, [])


def interrupted(views: Views) -> None:
    def cancel(done: int, _total: int) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        views.rebuild(progress=cancel)


@pytest.mark.parametrize("why", ["one view alone", "afresh", "another version"])
def test_one_that_can_not_be_gone_on_with_is_begun_again(why: str) -> None:
    views = views_over(story().events())
    before = digests(views)
    interrupted(views)
    assert [half.position for half in halves(views)] == [9, 0]
    if why == "another version":
        with views.database.writing() as session:
            line = lines.building_lines(session)["roll"]
            lines.record(session, replace_version(line))
    results = views.rebuild(["roll"] if why == "one view alone" else [], afresh=why == "afresh")
    assert {result.generation for result in results} == {3}
    assert all(result.switched for result in results)
    assert (digests(views), halves(views)) == (before, [])


def replace_version(line: lines.Line) -> lines.Line:
    return line._replace(version=line.version + 1)


def test_whoever_had_a_half_before_can_write_nothing_more() -> None:
    events = story().events()
    views = views_over(events)
    interrupted(views)
    with views.database.reading() as session:
        building = {name: lines.building_lines(session)[name] for name in VIEWS}
    old, _ = halves(views)
    late = Pages(views.database, ListSource(events), VIEWS, building, old)
    interrupted(views)
    before = halves(views)
    assert (before[0].run != old.run, before[0].position) == (True, 18)
    for half in (old, before[0]._replace(position=old.position)):
        late.half = half
        with pytest.raises(HalfIsTaken):
            late.turn()
    assert halves(views) == before
    assert all(result.switched for result in views.rebuild())


def test_whoever_has_lost_the_right_to_rebuild_leaves_the_lines_to_whoever_has_it() -> None:
    views = views_over(story().events())
    left: list[object] = []

    def standing() -> object:
        with views.database.reading() as session:
            return sharing.halves(session), lines.lines(session)

    def taken(done: int, _total: int) -> None:
        if done and not left:
            with views.database.writing() as session:
                session.execute("UPDATE operations_halves SET run = 'another'")
            left.append(standing())

    with pytest.raises(RebuildIsRunning):
        views.rebuild(progress=taken)
    assert standing() == left[0]


def test_one_that_is_gone_on_with_stands_back_for_the_live_views(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that was shared out while nobody served, cut off, and asked for again beside a server."""
    with opened(sqlite_url, Unhelped) as (scene, views):
        interrupted(views)
        other = open_views(sqlite_url, LogEvents(scene.log))
        assert other.database.owned(VIEWS) == set(VIEWS)
        scene.do("north", "register-person", person="p-eve", identity_status="established", attributes={})
        built: list[int] = []

        def live_views_move(_seconds: float) -> None:
            built.extend(half.position for half in halves(views))
            other._runner.step()

        monkeypatch.setattr(pace, "sleep", live_views_move)
        monkeypatch.setattr(pace, "STAND_BACK_SECONDS_MAX", 60)
        assert all(result.switched and result.comparison.is_equal for result in views.rebuild())
        assert built == [18, 0], "it wrote one page, then nothing until the live views had moved"
        assert {status.position for status in views.status()} == {scene.log.head()}
        other.close()


def test_a_helper_leaves_its_half_to_whoever_asked_once_another_process_drives_the_views(database_url: str) -> None:
    with opened(database_url, Unhelped) as (scene, views):
        interrupted(views)
        task = msgspec.json.encode(halves(views)[1]).decode()
        other = open_views(database_url, LogEvents(scene.log))
        assert other.database.owned(VIEWS) == set(VIEWS)
        views.assist(task)
        assert halves(views)[1].position == 0
        other.close()
        views.assist(task)
        assert halves(views)[1].position == scene.log.head()


@pytest.mark.parametrize("kind", [Standing, Writing])
def test_a_helper_that_keeps_us_waiting_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: type[LogEvents]
) -> None:
    monkeypatch.setattr(sharing, "HELPER_SECONDS_MAX", 0.2 if kind is Standing else 60)
    monkeypatch.setattr(sqlite, "LOCK_SECONDS", 0.2 if kind is Standing else 1)
    with opened(f"sqlite:///{tmp_path / 'custody.db'}", kind) as (_, views):
        before = digests(views)
        results = views.rebuild()
        assert all(result.switched for result in results)
        assert {result.generation for result in results} == {2}, "no half was begun again"
        assert digests(views) == before


def test_a_helper_that_has_died_before_it_was_told_is_ended_as_any() -> None:
    helper = subprocess.Popen([sys.executable, "-c", ""], stdin=subprocess.PIPE)
    assert helper.wait(60) == 0
    assert helper.stdin is not None
    helper.stdin.write(b"a task")
    sharing.stop(helper)
    assert helper.stdin.closed


def test_halves_of_another_log_are_not_gone_on_with(sqlite_url: str) -> None:
    """A log that was restored from a backup and went another way: the halves stand beyond what both have in common."""
    events = story().events()
    views = views_over(events, sqlite_url)
    halfway = len(events) // 2

    def cancel(done: int, _total: int) -> None:
        if done >= halfway - 9:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        views.rebuild(progress=cancel)
    own, other = halves(views)
    assert own.position > halfway > other.position
    views.close()
    went = [msgspec.structs.replace(event, leaf_hash=f"restored-{event.position}") for event in events[halfway:-9]]
    views = views_over([*events[:halfway], *went], sqlite_url)
    assert halves(views) == []
    assert {status.building for status in views.status()} == {None}
    assert all(result.comparison.is_equal for result in views.rebuild())
    views.close()


def test_with_one_view_of_another_version_all_that_was_shared_out_goes(sqlite_url: str) -> None:
    """No line of a shared rebuild holds every event up to its position, and the halves alone say which it holds."""
    events = story().events()
    views = views_over(events, sqlite_url)
    interrupted(views)
    views.close()
    newer = {**VIEWS, "roll": replace(VIEWS["roll"], version=VIEWS["roll"].version + 1)}
    views = views_over(events, sqlite_url, newer)
    assert halves(views) == []
    assert {status.building for status in views.status()} == {None}
    assert all(result.comparison.is_equal for result in views.rebuild())
    views.close()


def test_a_log_that_is_away_leaves_the_halves_where_they_are() -> None:
    events = story().events()
    views = views_over(events)
    interrupted(views)
    before = halves(views)
    views._source = Away(events)
    with pytest.raises(ConnectionError):
        views.rebuild()
    assert [half.position for half in halves(views)] == [half.position for half in before]
    views._source = ListSource(events)
    assert all(result.switched for result in views.rebuild())


def test_a_shared_rebuild_is_as_strict_as_any() -> None:
    events = story().events()
    poison = acceptance_of(events)
    views = views_over(events)
    before = digests(views)
    views._views = with_apply("roll", refusing(poison))
    with pytest.raises(RebuildFailed) as failed:
        views.rebuild(["roll"])
    assert (failed.value.view, failed.value.first, failed.value.last) == ("roll", poison, poison)
    assert (digests(views), halves(views)) == (before, [])


def test_a_rebuild_that_leaves_something_out_is_not_shared() -> None:
    events = story().events()
    poison = acceptance_of(events)
    views = views_over(events, views=with_apply("roll", refusing(poison)))
    views.skip("roll", poison, authority="north", officer="n-1", reason="a test")
    seen: list[int] = []
    [result] = views.rebuild(["roll"], progress=lambda _done, _total: seen.append(len(halves(views))))
    assert result.switched
    assert set(seen) == {0}
