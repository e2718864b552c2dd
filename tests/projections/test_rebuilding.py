"""Rebuilding: proven equal before it is switched in, and harmless wherever it ends."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ledger.service import LogEvents
from projections import VIEWS, RebuildFailed, RebuildIsRunning, ViewIsUnknown, Views, current_custody, open_views, roll
from projections.engine import lines, rebuilding
from projections.engine.tables import Session
from tests.projections.lives import story
from tests.projections.stage import ListSource, change, now, open_story, views_over, with_apply
from tests.projections.test_running import acceptance_of, digests, refusing
from tests.scene import ANN, E1

ROOT = Path(__file__).parents[2]

DIES = """
import os, sys
from ledger.service import LogEvents
from ledger.store import open_log
from projections import open_views
from projections.engine import rebuilding

url, step = sys.argv[1:]
log = open_log(url, exclusive=False)
views = open_views(url, LogEvents(log))

def die(*_):
    os._exit(77)

if step == "after-the-switch":
    rebuilding.Rebuild.__exit__ = die
if step == "before-the-comparison":
    rebuilding.compare = die
views.rebuild(progress=die if step == "after-a-page" else None)
"""


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
    # What it left is cleared away at the next start.
    views = open_views(database_url, LogEvents(scene.log))
    for name, view in VIEWS.items():
        generation, digest, tables = live(views, name)
        assert digest == before[name]
        assert tables == {table.named(generation) for table in view.tables}
    assert all(result.switched for result in views.rebuild())
    views.close()
    scene.log.close()


def test_a_rebuild_that_is_cancelled_leaves_nothing(database_url: str) -> None:
    scene, views = open_story(database_url)

    def cancel(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        views.rebuild(progress=cancel)
    assert {status.building for status in views.status()} == {None}
    assert live(views, "roll")[2] == {"roll_placements__1", "roll_persons__1"}
    views.close()
    scene.log.close()


def test_a_rebuild_is_strict() -> None:
    events = story().events()
    poison = acceptance_of(events)
    views = views_over(events)
    views._views = with_apply("roll", refusing(poison))
    with pytest.raises(RebuildFailed) as failed:
        views.rebuild(["roll"])
    assert failed.value.view == "roll"
    assert failed.value.first <= poison <= failed.value.last
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
        assert begun.wait(20)
        try:
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
    assert refused == [True]
    views.close()
    scene.log.close()


def test_a_view_that_stopped_is_driven_again_after_its_rebuild() -> None:
    events = story().events()
    poison = acceptance_of(events)
    views = views_over(events, "sqlite:///:memory:", with_apply("roll", refusing(poison)))
    views._views = dict(VIEWS)
    views._runner._views = dict(VIEWS)
    assert views.status("roll")[0].state == "stopped"
    assert not views._runner.step(), "while it runs, it is not tried again and again"
    [result] = views.rebuild(["roll"])
    assert (result.switched, result.comparison.position) == (True, poison - 1)
    while views._runner.step():
        pass
    assert views.status("roll")[0].state == "current"
    assert views.digest("roll") == views_over(events).digest("roll")


def test_an_unknown_view_is_told() -> None:
    _, views = open_story()
    for ask in (views.digest, views.position, views.status):
        with pytest.raises(ViewIsUnknown):
            ask("rolls")
    with pytest.raises(ViewIsUnknown):
        views.rebuild(["rolls"])
