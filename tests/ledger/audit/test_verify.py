"""The audit as a whole, on both engines and with the views: clean where it is, and naming what is not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from ledger.audit.findings import Check
from ledger.audit.verify import BROKEN, CLEAN, exit_code, verify
from ledger.audit.views import compare
from ledger.service import LogEvents
from ledger.store import EventLog, open_log
from projections import Views, current_custody, open_views, roll
from projections.engine.tables import Table
from tests.domain.billing import fees
from tests.ledger.audit.intruder import Intruder
from tests.ledger.audit.stories import BEN, whole
from tests.scene import ANN, Scene, registry

CHECKS = (
    "store", "rows", "checkpoints", "outside",
    "L1", "L2", "L3", "L4", "L5", "L6", "L7", "L8", "L9", "L10", "L11", "L12", "L13",
)  # fmt: skip
MORNING = "2025-03-04T09:00:00Z"
NOT_KEPT = {"checkpoints", "outside", "L4", "L12", "L13"}


@pytest.fixture
def log(database_url: str) -> Iterator[EventLog]:
    with closing(open_log(database_url, create=True)) as log:
        yield log


@pytest.fixture
def views(log: EventLog, database_url: str) -> Iterator[Views]:
    with closing(open_views(database_url, LogEvents(log))) as views:
        yield views


def paid(log: EventLog) -> Scene:
    """March of one person billed, approved by two officers and paid."""
    scene = registry(Scene(log, now="2025-02-20T12:00:00Z"))
    fees.priced(fees.agreed(scene))
    fees.registered(scene, ANN)
    fees.accepted(scene.at("2025-03-02T12:00:00Z"), ANN, "2025-03-02T10:00:00Z")
    fees.issued(scene.at("2025-04-02T12:00:00Z"))
    fees.approved(scene)
    return scene


def check(checks: list[Check], code: str) -> Check:
    return next(one for one in checks if one.code == code)


@pytest.mark.parametrize("story", [whole, paid])
def test_a_clean_ledger(story: type, log: EventLog, views: Views) -> None:
    story(log)
    views.catch_up()
    checks = verify(log, views=views)
    assert tuple(one.code for one in checks) == CHECKS
    assert {one.code for one in checks if one.result == "not kept yet"} == NOT_KEPT
    assert [one.document() for one in checks if one.findings] == []
    assert exit_code(checks) == CLEAN
    assert check(checks, "rows").looked_at == log.head()
    assert exit_code(compare(views)) == CLEAN


def test_progress_is_told_to_the_end(log: EventLog, views: Views) -> None:
    whole(log)
    views.catch_up()
    told: dict[str, tuple[int, int]] = {}
    verify(log, views=views, progress=lambda stage, done, total: told.update({stage: (done, total)}))
    assert told == {"rows": (49, 49), "laws": (3, 3)}


def test_without_views_law_9_says_that_they_were_not_asked(log: EventLog) -> None:
    whole(log)
    assert check(verify(log), "L9").note == "the views were not asked"


def test_a_fence_that_is_down_is_named(log: EventLog, database_url: str) -> None:
    whole(log)
    Intruder(database_url)
    checks = verify(log)
    assert {one.law for one in check(checks, "store").findings} == {"store"}
    assert [one.code for one in checks if not one.holds] == ["store"]


HAND = {
    "somebody else holds": (current_custody.HEADS, "custodian = 'third'", ANN, "custodian"),
    "the file is closed": (current_custody.HEADS, "file = 'closed'", ANN, "file"),
    "another place": (roll.PLACEMENTS, "facility = 'n-1'", ANN, "roll"),
}


def change(views: Views, table: Table, what: str, person: str) -> None:
    [line] = [status for status in views.status() if table.name.startswith(f"{status.view}_")]
    with views.database.writing() as session:
        session.execute(f"UPDATE {table.named(line.generation)} SET {what} WHERE person = ?", (person,))


@pytest.mark.parametrize("sentence", HAND)
def test_a_view_changed_by_hand_is_named_by_law_9_and_by_the_comparison(
    sentence: str, log: EventLog, views: Views
) -> None:
    table, what, person, named = HAND[sentence]
    whole(log)
    views.catch_up()
    change(views, table, what, person)
    checks = verify(log, views=views)
    assert [one.code for one in checks if not one.holds] == ["L9"]
    assert any(named in f"{one.subject} {one.expected}" for one in check(checks, "L9").findings)
    compared = compare(views)
    broken = [one for one in compared if not one.holds]
    assert [one.code for one in broken] == [f"view {table.name.rpartition('_')[0]}"]
    assert all(person in finding.subject and finding.positions for finding in broken[0].findings)
    assert exit_code(compared) == BROKEN
    views.rebuild(force=True)
    assert exit_code(verify(log, views=views)) == CLEAN
    assert exit_code(compare(views)) == CLEAN


def test_a_row_that_is_gone_from_a_view(log: EventLog, views: Views) -> None:
    whole(log)
    views.catch_up()
    with views.database.writing() as session:
        [line] = [status for status in views.status() if status.view == "current_custody"]
        session.execute(f"DELETE FROM {current_custody.HEADS.named(line.generation)} WHERE person = ?", (BEN,))
    [broken] = [one for one in compare(views) if not one.holds]
    assert [(one.subject, one.found) for one in broken.findings] == [
        ("current_custody_heads person=p-ben", "no such row")
    ]


def test_views_that_lag_are_asked_about_what_they_know(log: EventLog, views: Views) -> None:
    scene = whole(log)
    views.catch_up()
    scene.do("north", "register-person", identity_status="claimed", attributes={}, occurred_at="2025-03-04T09:00:00Z")
    assert exit_code(verify(log, views=views)) == CLEAN


def test_an_event_that_cannot_be_read_stops_no_other_check(log: EventLog, views: Views, database_url: str) -> None:
    whole(log)
    views.catch_up()
    intruder = Intruder(database_url)
    intruder.change("stored_events", "state", f"{intruder.position} = 38", lambda _: b"{}")
    checks = verify(log, views=views)
    assert tuple(one.code for one in checks) == CHECKS
    assert {one.positions for one in check(checks, "rows").findings} >= {(38,)}
    assert any(ANN in one.subject for one in check(checks, "L9").findings)
    assert exit_code(checks) == BROKEN


def test_a_leaf_changed_in_a_way_that_still_reads(log: EventLog, database_url: str) -> None:
    whole(log)
    intruder = Intruder(database_url)
    intruder.change("stored_events", "state", f"{intruder.position} = 30", another_place)
    checks = verify(log)
    assert (30,) in {one.positions for one in check(checks, "rows").findings}
    assert exit_code(checks) == BROKEN


def another_place(leaf: bytes) -> bytes:
    return leaf.replace(b'"to_facility":"n-1"', b'"to_facility":"n-2"')


def test_a_log_that_grows_meanwhile_is_audited_as_it_was(log: EventLog, views: Views) -> None:
    scene = whole(log)
    views.catch_up()
    head = log.head()

    def grows(stage: str, _done: int, _total: int) -> None:
        if stage == "rows":
            scene.do("north", "register-person", identity_status="claimed", attributes={}, occurred_at=MORNING)

    checks = verify(log, views=views, progress=grows)
    assert log.head() > head
    assert [one.document() for one in checks if one.findings] == []
    assert check(checks, "rows").looked_at == head


def test_a_record_beyond_what_a_growing_log_has_come_to(log: EventLog, database_url: str) -> None:
    scene = whole(log)
    taken = ("INSERT INTO idempotency VALUES ('north', 'k-99', ?, ?, 1)", (bytes(32), 1000))
    Intruder(database_url).run(taken)

    def grows(stage: str, _done: int, _total: int) -> None:
        if stage == "rows":
            scene.do("north", "register-person", identity_status="claimed", attributes={}, occurred_at=MORNING)

    assert [one.positions for one in check(verify(log, progress=grows), "rows").findings] == [(1000,)]


def test_an_empty_log(log: EventLog) -> None:
    assert exit_code(verify(log)) == CLEAN


def test_the_same_story_gives_the_same_audit_on_both_engines(log: EventLog) -> None:
    whole(log)
    documents = [one.document() for one in verify(log)]
    assert documents[1:] == [one.document() for one in verify(whole().log)][1:]
