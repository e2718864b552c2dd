"""Rebuilding: proven equal before it is switched in, and harmless wherever it ends."""

from __future__ import annotations

import subprocess
import sys
import threading
from base64 import b64decode
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from ledger.service import LogEvents
from projections import VIEWS, RebuildFailed, RebuildIsRunning, ViewIsUnknown, Views, current_custody, open_views, roll
from projections.engine import postgres
from projections.engine.driving import lines, rebuilding
from projections.engine.driving.goal import Task
from projections.engine.driving.rebuilding import Rebuild
from projections.engine.instants import utc_now
from projections.engine.tables import Rows, Session
from projections.engine.view import Batch
from tests.projections.lives import story
from tests.projections.stage import ListSource, change, now, open_story, views_over, with_apply
from tests.projections.test_parking import refusing
from tests.projections.test_running import acceptance_of, digests
from tests.scene import ANN, E1

ROOT = Path(__file__).parents[2]

DIES = """
import os, sys
from ledger.service import LogEvents
from ledger.store import open_log
from projections import open_views
from projections.engine.driving import rebuilding

url, step = sys.argv[1:]
log = open_log(url, exclusive=False)
views = open_views(url, LogEvents(log))

def die(*_):
    os._exit(77)

def die_when_some_is_done(done, _total):
    if done:
        die()

rebuilding.PAGE = 9
if step == "after-the-switch":
    rebuilding.Rebuild.__exit__ = die
if step == "before-the-comparison":
    rebuilding.compare = die
views.rebuild(progress=die_when_some_is_done if step == "after-a-page" else None)
"""


HEAD = 72
BUILT = {"after-a-page": 9, "before-the-comparison": HEAD, "after-the-switch": None}
"""Where a rebuild that is killed at each step has come to; `None` where it has been switched in."""


def live(views: Views, view: str) -> tuple[int, str, set[str]]:
    """The generation that serves, its digest, and every table of the view that there is."""
    digest = views.digest(view)
    with views.database.reading() as session:
        return lines.live_lines(session)[view].generation, digest, _tables(session, view)


def _tables(session: Session, view: str) -> set[str]:
    return {name for name in session.tables() if name.startswith(f"{view}_")}


def test_a_rebuild_is_equal_and_switched_and_so_is_the_next(database_url: str) -> None:
    scene, views = open_story(database_url)
    before = digests(views)
    seen: list[tuple[int, int]] = []
    for generation in (2, 3):
        results = views.rebuild(progress=lambda done, total: seen.append((done, total)))
        assert [result.comparison.view for result in results] == list(VIEWS)
        assert all(result.switched and result.comparison.is_equal for result in results)
        assert {result.generation for result in results} == {generation}
        assert digests(views) == before
    assert seen[-1] == (scene.log.head(), scene.log.head())
    assert {status.building for status in views.status()} == {None}
    generation, _, tables = live(views, "roll")
    assert tables == {f"roll_placements__{generation}", f"roll_persons__{generation}"}
    views.close()
    scene.log.close()


def test_both_engines_give_equal_digests(sqlite_url: str, postgresql_url: str) -> None:
    found = []
    for url in (sqlite_url, postgresql_url):
        scene, views = open_story(url)
        found.append(digests(views))
        views.close()
        scene.log.close()
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("sql", "view", "table", "columns"),
    [
        (
            "UPDATE current_custody_heads__1 SET custodian = 'third' WHERE person = 'p-ann'",
            "current_custody",
            "current_custody_heads",
            ("custodian",),
        ),
        ("DELETE FROM roll_placements__1 WHERE person = 'p-ann' AND n = 1", "roll", "roll_placements", None),
        ("UPDATE people_rows__1 SET status = 'released' WHERE person = 'p-ann'", "people", "people_rows", ("status",)),
        (
            "UPDATE balances_postings__1 SET minor = minor + 1 WHERE n = 1",
            "balances",
            "balances_postings",
            ("minor",),
        ),
        (
            "UPDATE audit_trail_entries__1 SET sentence = 'nothing happened' WHERE position = 30",
            "audit_trail",
            "audit_trail_entries",
            ("sentence",),
        ),
        (
            "DELETE FROM person_facts_events__1 WHERE person = 'p-ann' AND position = 30",
            "person_facts",
            "person_facts_events",
            None,
        ),
    ],
)
def test_a_row_changed_by_hand_is_named_and_restored(
    database_url: str, sql: str, view: str, table: str, columns: tuple[str, ...] | None
) -> None:
    scene, views = open_story(database_url)
    before = digests(views)
    change(database_url, sql)
    differing = {found.view: found for found in views.verify() if not found.is_equal}
    assert set(differing) == {view}
    [difference] = differing[view].differences
    assert (difference.table, differing[view].differing) == (table, 1)
    if columns is not None:
        assert difference.columns == columns
    else:
        assert difference.live is None
    assert difference.events, "the events behind the row are named"
    [refused] = views.rebuild([view])
    assert not refused.switched
    [forced] = views.rebuild([view], force=True)
    assert (forced.switched, forced.comparison.differences) == (True, (difference,))
    assert digests(views) == before
    assert all(found.is_equal for found in views.verify())
    views.close()
    scene.log.close()


def test_bytes_with_the_digest_of_a_text_are_no_equal_of_it(sqlite_url: str) -> None:
    """SQLite keeps bytes in a column of texts, and JSON shows them as base64."""
    scene, views = open_story(sqlite_url)
    before = views.digest("current_custody")
    with views.database.writing() as session:
        east = f"X'{b64decode('east').hex()}'"
        session.execute(f"UPDATE current_custody_heads__1 SET custodian = {east} WHERE custodian = 'east'")
    assert views.digest("current_custody") == before
    [found] = views.verify(["current_custody"])
    assert {one.columns for one in found.differences} == {("custodian",)}
    assert not found.is_equal
    [result] = views.rebuild(["current_custody"])
    assert not result.switched
    views.close()
    scene.log.close()


def test_a_rebuild_trusts_nothing_that_the_live_views_wrote(database_url: str) -> None:
    """With the persons' facts changed by hand, a view that folds them is still rebuilt from the log."""
    scene, views = open_story(database_url)
    change(database_url, "DELETE FROM person_facts_events__1 WHERE person = 'p-ann'")
    [found] = views.verify(["current_custody"])
    assert found.is_equal
    views.close()
    scene.log.close()


@pytest.mark.parametrize("step", ["after-a-page", "before-the-comparison", "after-the-switch"])
def test_a_rebuild_killed_half_way_leaves_the_live_view_serving(database_url: str, step: str) -> None:
    scene, views = open_story(database_url)
    before, answer = digests(views), current_custody.custody(views, now(), ANN)
    died = subprocess.run([sys.executable, "-c", DIES, database_url, step], cwd=ROOT, check=False, timeout=120)
    assert died.returncode == 77
    assert digests(views) == before
    assert current_custody.custody(views, now(), ANN) == answer
    views.close()
    # What was replaced is cleared away at the next start; what was being built is gone on with.
    views = open_views(database_url, LogEvents(scene.log))
    assert {status.building for status in views.status()} == {BUILT[step]}
    for name, view in VIEWS.items():
        generation, digest, tables = live(views, name)
        assert digest == before[name]
        kept = {generation} if BUILT[step] is None else {generation, generation + 1}
        assert tables == {table.named(one) for table in view.tables for one in kept}
    seen: list[int] = []
    assert all(result.switched for result in views.rebuild(progress=lambda done, _total: seen.append(done)))
    assert seen[0] == (BUILT[step] or 0)
    for name, view in VIEWS.items():
        generation, digest, tables = live(views, name)
        assert (digest, tables) == (before[name], {table.named(generation) for table in view.tables})
    views.close()
    scene.log.close()


def test_what_is_replaced_stays_while_somebody_reads_it_and_goes_with_the_next_opening(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "LOCK_MILLISECONDS", 100)
    events = story().events()
    views, reader = views_over(events, database_url), open_views(database_url, ListSource(events))
    generation, digest, tables = live(views, "roll")
    counted = f"SELECT count(*) FROM {VIEWS['roll'].tables[0].named(generation)}"
    with reader.database.reading() as session:
        before = session.select(counted)
        assert [result.switched for result in views.rebuild(["roll"])] == [True]
        assert session.select(counted) == before
    reader.close()
    views.close()
    views = open_views(database_url, ListSource(events))
    assert live(views, "roll") == (
        generation + 1,
        digest,
        {name.replace(f"__{generation}", f"__{generation + 1}") for name in tables},
    )
    views.close()


def interrupted(views: Views, names: Sequence[str] = (), *, after: int) -> None:
    """A rebuild of views that is cancelled once so many events are done."""

    def cancel(done: int, _total: int) -> None:
        if done >= after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        views.rebuild(names, progress=cancel)


def gone_on(views: Views, names: Sequence[str] = (), *, afresh: bool = False) -> int:
    """Where a rebuild goes on from; it ends equal to the live views."""
    seen: list[int] = []
    results = views.rebuild(names, afresh=afresh, progress=lambda done, _total: seen.append(done))
    assert all(result.switched and result.comparison.is_equal for result in results)
    return seen[0]


@pytest.fixture
def short_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rebuilding, "PAGE", 9)


@pytest.mark.usefixtures("short_pages")
def test_a_rebuild_that_is_cancelled_goes_on_when_it_is_asked_for_again(database_url: str) -> None:
    scene, views = open_story(database_url)
    before = digests(views)
    interrupted(views, after=18)
    other = open_views(database_url, LogEvents(scene.log))
    assert {(status.building, status.building_runs) for status in other.status()} == {(18, False)}
    assert {status.building_eta_seconds for status in other.status()} == {None}
    interrupted(views, after=45)
    assert gone_on(other) == 45
    assert digests(views) == before
    assert {status.building for status in views.status()} == {None}
    for one in (other, views):
        one.close()
    scene.log.close()


@pytest.mark.usefixtures("short_pages")
def test_a_rebuild_of_one_view_goes_on_with_its_part_of_a_larger_one() -> None:
    _, views = open_story()
    interrupted(views, after=27)
    assert gone_on(views, ["roll"]) == 27
    # The facts that it was made of went with it, so that nothing that folds them can go on.
    assert gone_on(views) == 0


@pytest.mark.usefixtures("short_pages")
def test_a_view_that_was_not_interrupted_joins_one_that_was() -> None:
    _, views = open_story()
    interrupted(views, ["roll"], after=27)
    assert gone_on(views) == 0, "the other views begin, and those two go on where the others have come to"
    assert all(found.is_equal for found in views.verify())


@pytest.mark.usefixtures("short_pages")
def test_a_rebuild_begins_afresh_where_that_is_asked_for_or_the_log_is_another() -> None:
    _, views = open_story()
    interrupted(views, after=27)
    assert gone_on(views, afresh=True) == 0
    interrupted(views, after=27)
    with views.database.writing() as session:
        for line in lines.building_lines(session).values():
            lines.record(session, line._replace(leaf_hash="another"))
    assert gone_on(views) == 0
    views._views = {**VIEWS, "roll": replace(VIEWS["roll"], version=2)}
    interrupted(views, ["roll"], after=27)
    views._views = dict(VIEWS)
    assert gone_on(views, ["roll"]) == 0


@pytest.mark.usefixtures("short_pages")
def test_another_process_sees_how_far_a_rebuild_is_and_how_long_it_will_take(database_url: str) -> None:
    scene, views = open_story(database_url)
    other = open_views(database_url, LogEvents(scene.log))
    found: list[tuple[int | None, bool]] = []

    def look(done: int, _total: int) -> None:
        [status] = other.status("roll")
        found.append((status.building, status.building_runs))
        if 0 < done < scene.log.head():
            assert status.building_rate
            assert status.building_eta_seconds

    views.rebuild(progress=look)
    assert found[:3] == [(0, True), (9, True), (18, True)]
    for one in (other, views):
        one.close()
    scene.log.close()


def test_a_rebuild_is_strict() -> None:
    events = story().events()
    poison = acceptance_of(events)
    views = views_over(events)
    views._views = with_apply("roll", refusing(poison))
    with pytest.raises(RebuildFailed) as failed:
        views.rebuild(["roll"])
    assert (failed.value.view, failed.value.first, failed.value.last) == ("roll", poison, poison)
    assert views.status("roll")[0].state == "current"


def test_a_rebuild_runs_while_the_views_move_on(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rebuilding, "PAGE", 9)
    events = story().events()
    source = ListSource(events[:40])
    views = open_views(database_url, source)
    views.catch_up()

    def move(done: int, _total: int) -> None:
        # The live views apply one more event between two pages of the rebuild.
        source.events = events[: min(len(events), len(source.events) + 1)]
        views.catch_up()

    results = views.rebuild(progress=move)
    assert all(result.switched for result in results)
    assert {result.comparison.position for result in results} == {len(source.events)}
    source.events = events
    views.catch_up()
    assert digests(views) == digests(views_over(events))
    views.close()


def test_who_asks_during_a_switch_is_answered(database_url: str) -> None:
    scene, views = open_story(database_url)
    answer = roll.roll(views, now(), E1)
    begun, over = threading.Event(), threading.Event()

    def ask() -> int:
        asked = 0
        while not over.is_set():
            assert roll.roll(views, now(), E1) == answer
            asked += 1
            begun.set()
        return asked

    with ThreadPoolExecutor() as threads:
        asking = [threads.submit(ask) for _ in range(3)]
        try:
            assert begun.wait(60)
            for _ in range(5):
                [result] = views.rebuild(["roll"])
                assert result.switched
        finally:
            over.set()
        assert all(one.result() for one in asking)
    views.close()
    scene.log.close()


def test_one_rebuild_at_a_time(database_url: str) -> None:
    scene, views = open_story(database_url)
    refused: list[bool] = []

    def second() -> None:
        try:
            views.rebuild(["roll"])
        except RebuildIsRunning:
            refused.append(True)

    def progress(_done: int, _total: int) -> None:
        thread = threading.Thread(target=second)
        thread.start()
        thread.join()

    views.rebuild(["people"], progress=progress)
    assert set(refused) == {True}
    views.close()
    scene.log.close()


def test_an_unknown_view_is_told() -> None:
    _, views = open_story()
    for ask in (views.digest, views.position, views.status):
        with pytest.raises(ViewIsUnknown):
            ask("rolls")
    with pytest.raises(ViewIsUnknown):
        views.rebuild(["rolls"])


def test_rows_that_can_not_be_written_are_told_by_view_and_event(database_url: str) -> None:
    scene, views = open_story(database_url)
    poison = acceptance_of(story().events())
    before = digests(views)

    def twice(apply: Callable[[Batch, Rows], None]) -> Callable[[Batch, Rows], None]:
        def applied(batch: Batch, rows: Rows) -> None:
            apply(batch, rows)
            if any(event.position == poison for event in batch.events):
                row = tuple(0 if column in roll.PERSONS.integers else "x" for column in roll.PERSONS.columns)
                rows.insert(roll.PERSONS, [row, row])

        return applied

    views._views = with_apply("roll", twice)
    with pytest.raises(RebuildFailed) as failed:
        views.rebuild(["roll"])
    assert (failed.value.view, failed.value.first, failed.value.last) == ("roll", poison, poison)
    assert digests(views) == before
    views.close()
    scene.log.close()


def test_whoever_has_lost_the_right_to_rebuild_writes_nothing_more(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuilding, "PAGE", 9)
    scene, views = open_story(database_url)
    before = digests(views)
    positions: list[set[int]] = []

    def standing() -> set[int]:
        with views.database.reading() as session:
            return {line.position for line in lines.building_lines(session).values()}

    def taken(done: int, _total: int) -> None:
        if done and not positions:
            other = Rebuild(views.database, LogEvents(scene.log), VIEWS, Task(names=list(VIEWS)), utc_now)
            with other, pytest.raises(KeyboardInterrupt):
                other.build(interrupt_after_a_page)
            positions.append(standing())

    with pytest.raises(RebuildIsRunning):
        views.rebuild(progress=taken)
    assert positions == [{18}]
    assert standing() == {18}
    assert all(result.switched and result.comparison.is_equal for result in views.rebuild())
    assert digests(views) == before
    views.close()
    scene.log.close()


def interrupt_after_a_page(done: int, _total: int) -> None:
    if done > 9:
        raise KeyboardInterrupt
