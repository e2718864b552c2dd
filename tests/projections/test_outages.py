"""The views' database locked, full or gone: a clear error at once, and service again when it is back."""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from projections import VIEWS, ViewsUnreachable, people
from projections.engine import postgres, sqlite
from projections.engine.database import views_path
from projections.engine.views import open_views
from tests.engines import EXTERNAL_SERVER, Server, wheel_server
from tests.ledger.store.backends import stops_backends
from tests.projections.lives import story
from tests.projections.stage import Away, ListSource, now, registry, views_over
from tests.projections.test_running import digests


def test_a_locked_file_is_told_and_served_again(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "LOCK_SECONDS", 0.05)
    events = story().events()
    views = views_over(events[:30], sqlite_url)
    views._source.events = events  # type: ignore[attr-defined]  # the source of these views is a list
    path = views_path(sqlite_url)
    assert path is not None
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(ViewsUnreachable) as unreachable:
            views.catch_up()
        assert unreachable.value.reason == "locked"
        assert people.people(views, now()).position == 30, "reading goes on"
        other.execute("ROLLBACK")
    views.catch_up()
    assert digests(views) == digests(views_over(events))
    views.close()


def test_a_log_that_goes_while_facts_are_read_back_is_no_fault_of_an_event(database_url: str) -> None:
    events = story().events()
    views_over(events[:30], database_url).close()
    views = open_views(database_url, Away(events), VIEWS)
    with pytest.raises(ConnectionError):
        views.catch_up()
    assert {(status.parked, status.state) for status in views.status()} == {(0, "behind")}
    with pytest.raises(ConnectionError):
        views.rebuild()
    views.close()
    views = views_over(events, database_url)
    assert digests(views) == digests(views_over(events))
    assert all(result.switched for result in views.rebuild())
    views.close()


def test_closed_views_are_gone(database_url: str) -> None:
    views = views_over(story().events()[:30], database_url)
    views.close()
    views.close()
    with pytest.raises(ViewsUnreachable) as unreachable:
        people.people(views, now())
    assert unreachable.value.reason == "gone"


def test_a_file_that_is_no_database_is_told(sqlite_url: str) -> None:
    path = views_path(sqlite_url)
    assert path is not None
    path.write_bytes(b"not a database, " * 64)
    with pytest.raises(ViewsUnreachable) as unreachable:
        views_over(registry(), sqlite_url)
    assert unreachable.value.reason == "gone"
    path.unlink()
    views_over(registry(), sqlite_url).close()


@pytest.fixture
def own_server() -> Iterator[Server]:
    """A server that this test may stop."""
    if EXTERNAL_SERVER in os.environ:
        pytest.skip("a server that the environment names is not stopped by tests")
    with wheel_server() as server:
        yield server


def test_a_server_that_went_is_told_and_served_again(own_server: Server) -> None:
    events = story().events()
    url = own_server.create_database()
    views = views_over(events[:30], url)
    views._source.events = events  # type: ignore[attr-defined]  # the source of these views is a list
    own_server.stop()
    for act in (views.catch_up, lambda: people.people(views, now()), views.rebuild):
        with pytest.raises(ViewsUnreachable) as unreachable:
            act()
        assert unreachable.value.reason == "gone"
    own_server.start()
    views.catch_up()
    assert digests(views) == digests(views_over(events))
    assert all(result.switched for result in views.rebuild())
    views.close()


@stops_backends
def test_a_server_that_falls_silent_is_given_up(postgresql_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "ANSWER_SECONDS", 1.0)
    views = views_over(story().events()[:30], postgresql_url)
    with views.database.reading() as session:
        [(backend,)] = session.select("SELECT pg_backend_pid()")
    os.kill(int(str(backend)), signal.SIGSTOP)
    try:
        with pytest.raises(ViewsUnreachable) as unreachable:
            people.people(views, now())
        assert unreachable.value.reason == "gone"
        monkeypatch.undo()
        assert people.people(views, now()).position == 30, "another connection is opened"
    finally:
        os.kill(int(str(backend)), signal.SIGCONT)
    views.close()


def test_a_process_with_many_descriptors_reads(postgresql_url: str) -> None:
    views = views_over(story().events()[:30], postgresql_url)
    views.close()
    kept = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(2_048, kept[1]), kept[1]))
    try:
        with ExitStack() as stack:
            beyond = 0
            while beyond <= 1_024:
                beyond = os.dup(0)
                stack.callback(os.close, beyond)
            views = open_views(postgresql_url, ListSource(story().events()[:30]), VIEWS)
            assert [people.people(views, now()).position for _ in range(2)] == [30, 30]
            views.close()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, kept)
