"""An audit shared out among processes finds what one process finds, whatever becomes of the others."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import pairwise

import pytest

from domain.register import Register
from ledger.audit import shares as sharing
from ledger.audit.record import EVERYBODY, PARTS, Share, read_record
from ledger.audit.shares import Helper, Task, helpers_worth, rounds, shares
from ledger.audit.verify import BROKEN, CLEAN, exit_code, verify
from ledger.service import LogEvents
from ledger.store import EventLog, open_log
from ledger.store.leaf import read_event
from projections import Views, current_custody, open_views
from tests.ledger.audit.intruder import Intruder, Leaf, made_anew
from tests.ledger.audit.stories import whole
from tests.ledger.audit.test_verify import change, check, paid
from tests.scene import ANN, Scene


@pytest.fixture
def log(database_url: str) -> Iterator[EventLog]:
    with closing(open_log(database_url, create=True)) as log:
        yield log


@pytest.fixture
def views(log: EventLog, database_url: str) -> Iterator[Views]:
    with closing(open_views(database_url, LogEvents(log))) as views:
        yield views


@pytest.fixture
def helped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two helpers for any log."""
    monkeypatch.setattr(sharing, "EVENTS_WORTH_HELP", 0)
    monkeypatch.setattr(os, "cpu_count", lambda: 3)


def documents(log: EventLog, views: Views | None = None, url: str | None = None) -> list[object]:
    return [one.document() for one in verify(log, views=views, url=url)]


@pytest.mark.parametrize("count", range(sharing.HELPERS_MAX + 1))
def test_everybody_is_in_one_share(count: int) -> None:
    found = shares(count)
    assert len(found) == count + 1
    assert (found[0].first, found[-1].end) == (0, PARTS)
    assert all(one.end == other.first for one, other in pairwise(found))
    assert all(one.first < one.end for one in found)
    assert shares(0) == [EVERYBODY]


def test_a_share_that_is_too_large_is_taken_in_rounds() -> None:
    share = Share(3, PARTS)
    assert rounds(share, sharing.EVENTS_AT_ONCE) == [share]
    many = rounds(share, sharing.EVENTS_AT_ONCE * PARTS * 10)
    assert many == [Share(part, part + 1) for part in range(3, PARTS)]
    assert rounds(share, sharing.EVENTS_AT_ONCE * 4)[:2] == [Share(3, 19), Share(19, 35)]


def test_a_short_log_and_one_in_memory_are_audited_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    enough = sharing.EVENTS_WORTH_HELP
    assert helpers_worth("sqlite:///custody.db", enough) == 3
    assert helpers_worth("sqlite:///custody.db", enough - 1) == 0
    assert helpers_worth("sqlite:///:memory:", enough) == 0
    assert helpers_worth(None, enough) == 0
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    assert helpers_worth("sqlite:///custody.db", enough) == 0


@pytest.mark.parametrize("story", [whole, paid])
def test_the_people_of_all_shares_are_everybody_each_once(story: type) -> None:
    log = story(open_log("sqlite:///:memory:", create=True)).log
    together = read_record(log)
    parts = [read_record(log, share=Share(part, part + 1)) for part in range(PARTS)]
    assert sorted(who for part in parts for who in part.people) == sorted(together.people)
    assert {who: events for part in parts for who, events in part.people.items()} == together.people
    assert {who: claims for part in parts for who, claims in part.billed.items()} == together.billed
    for part in parts:
        assert part.registry == together.registry
        assert (part.position, part.recorded_at) == (together.position, together.recorded_at)
        assert all(part.register.person(who) == together.register.person(who) for who in part.people)


@pytest.mark.usefixtures("helped")
@pytest.mark.parametrize("story", [whole, paid])
def test_helpers_find_what_one_process_finds(story: type, log: EventLog, views: Views, database_url: str) -> None:
    story(log)
    views.catch_up()
    alone = documents(log, views)
    assert documents(log, views, database_url) == alone
    assert exit_code(verify(log, views=views, url=database_url)) == CLEAN


@pytest.mark.usefixtures("helped")
def test_helpers_find_what_is_wrong(log: EventLog, views: Views, database_url: str) -> None:
    whole(log)
    views.catch_up()
    change(views, current_custody.HEADS, "custodian = 'third'", ANN)
    intruder = Intruder(database_url)
    intruder.change("stored_events", "state", f"{intruder.position} = 38", lambda leaf: leaf.replace(b"e-1", b"e-2"))
    alone, together = verify(log, views=views), verify(log, views=views, url=database_url)
    assert [one.document() for one in together] == [one.document() for one in alone]
    assert exit_code(together) == BROKEN
    assert check(together, "L9").findings


def misplaced(log: EventLog) -> Scene:
    """The whole story, with the request of the transfer in the person's own stream."""

    def change(_position: int, leaf: Leaf) -> Leaf:
        return {**leaf, "stream": "person:p-ann"} if leaf["type"] == "transfer-requested.v1" else leaf

    return Scene(made_anew(whole(log).log, change))


@pytest.mark.parametrize("story", [whole, paid, misplaced])
def test_the_files_of_a_record_are_those_of_any_register(story: type) -> None:
    log = story(open_log("sqlite:///:memory:", create=True)).log
    register = Register()
    for row in log.read(0, log.head()):
        register.evolve(read_event(row))
    record = read_record(log)
    assert record.register.position == register.position
    assert sorted(record.people) == sorted(register.people())
    assert all(record.register.person(who) == register.person(who) for who in register.people())
    for kind in ("authority", "facility", "agreement", "invoice"):
        found = [getattr(record.register, kind)(id_) for id_ in register.ids(kind)]
        assert found == [getattr(register, kind)(id_) for id_ in register.ids(kind)], kind


def test_a_helper_loads_no_server() -> None:
    """Every audit of a long log waits for it to start."""
    loads = "import sys, ledger.audit.shares; sys.exit('ledger.service' in sys.modules)"
    assert subprocess.run([sys.executable, "-P", "-c", loads], check=False).returncode == 0


BENT: dict[str, Callable[[bytes], str | bytes]] = {
    "without a salt": lambda leaf: leaf.replace(b'"salt":', b'"sart":'),
    "with a number for a link": lambda leaf: re.sub(rb'"prev":"[^"]*"', b'"prev":7', leaf),
    "with a time in another form": lambda leaf: re.sub(
        rb'("recorded_at":")(....)-(..)-(..)T(..):(..)', rb"\1\2\3\4T\5\6", leaf
    ),
    "no text": lambda leaf: leaf.replace(b'"event_id":"', b'"event_id":"\xff'),
    "text in the place of bytes": lambda leaf: leaf.decode(),
}
"""Leaves that one reader might take and another not."""


@pytest.mark.usefixtures("helped")
@pytest.mark.parametrize("sentence", BENT)
def test_helpers_read_a_bent_leaf_as_the_walk_does(sentence: str, sqlite_url: str) -> None:
    """It is read by all or by none, whoever has the person in its share."""
    with closing(open_log(sqlite_url, create=True)) as log:
        found_alike(log, sqlite_url, BENT[sentence])


def found_alike(log: EventLog, sqlite_url: str, bend: Callable[[bytes], str | bytes]) -> None:
    whole(log)
    intruder = Intruder(sqlite_url)
    opened = [row.position for row in log.scan(0, log.head()) if row.type == "custody-opened.v1"]
    for position in opened:
        intruder.change("stored_events", "state", f"{intruder.position} = {position}", bend)
    alone = verify(log)
    assert documents(log, url=sqlite_url) == [one.document() for one in alone]
    assert {(at,) for at in opened} <= {one.positions for one in check(alone, "rows").findings}


@pytest.mark.usefixtures("helped")
def test_what_a_helper_does_not_answer_is_found_out_without_it(
    log: EventLog, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole(log)
    alone = documents(log)
    dies = shutil.which("false")
    assert dies is not None
    monkeypatch.setattr(sys, "executable", dies)
    assert documents(log, url=database_url) == alone


def test_a_helper_that_is_stopped_has_no_answer(sqlite_url: str) -> None:
    helper = Helper(Task(url=sqlite_url, head=1, share=EVERYBODY))
    assert helper.judged() is None, "there is no such log"
    helper.stop()


def test_a_log_of_many_rounds_is_audited_as_one(log: EventLog, views: Views, monkeypatch: pytest.MonkeyPatch) -> None:
    whole(log)
    views.catch_up()
    alone = documents(log, views)
    monkeypatch.setattr(sharing, "EVENTS_AT_ONCE", 1)
    assert documents(log, views) == alone
