"""The worker as a process of its own: it follows what others record, outlives outages, and one drives at a time."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ledger.keeping import keep_views
from ledger.service import LogEvents, open_service
from ledger.store import open_log
from projections import VIEWS, open_views
from projections.engine.driving import running
from tests.engines import EXTERNAL_SERVER, wheel_server
from tests.ledger.cli.running import CUSTODY, custody, ended, started
from tests.ledger.test_service import made, register, settings

SECONDS_MAX = 60


class Heard:
    """What a worker has told, line by line."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._changed = threading.Condition()

    def tell(self, text: str) -> None:
        """Take one line."""
        with self._changed:
            self.lines.append(text)
            self._changed.notify_all()

    def wait_for(self, text: str, count: int = 1) -> None:
        """Return once that many lines have the text in them."""
        with self._changed:
            found = self._changed.wait_for(lambda: sum(text in line for line in self.lines) >= count, SECONDS_MAX)
            assert found, self.lines

    def read(self, process: subprocess.Popen[str]) -> None:
        """Take what a process says, until it ends."""
        assert process.stderr is not None
        for line in process.stderr:
            self.tell(line)


@contextmanager
def working(url: str) -> Iterator[tuple[subprocess.Popen[str], Heard]]:
    """A worker process, ended at the latest on leaving."""
    heard = Heard()
    with started("worker", program=CUSTODY, CUSTODY_DATABASE_URL=url) as process:
        reader = threading.Thread(target=heard.read, args=(process,))
        reader.start()
        try:
            yield process, heard
        finally:
            process.kill()
            process.wait(SECONDS_MAX)
            reader.join()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_follows_what_another_process_records_until_it_is_told_to_stop(
    database_url: str, number: signal.Signals
) -> None:
    service = open_service(made(database_url), run_views=False)
    with working(database_url) as (process, heard):
        heard.wait_for(f"process {process.pid} drives all views")
        register(service, "north").result(SECONDS_MAX)
        for name in VIEWS:
            assert service.views.wait_until(name, 4, SECONDS_MAX)
        # Paused, it holds nobody up, and then goes on.
        process.send_signal(signal.SIGSTOP)
        register(service, "south").result(SECONDS_MAX)
        assert {status.driven for status in service.views.status()} == {True}
        process.send_signal(signal.SIGCONT)
        for name in VIEWS:
            assert service.views.wait_until(name, 5, SECONDS_MAX)
        process.send_signal(number)
        assert process.wait(SECONDS_MAX) == 0
    assert heard.lines[-1] == "Stopped.\n"
    service.close()


def test_another_one_stands_by_and_takes_over_when_the_first_is_killed(database_url: str) -> None:
    service = open_service(made(database_url), run_views=False)
    with working(database_url) as (first, heard):
        heard.wait_for("drives all views")
        with working(database_url) as (second, also_heard):
            also_heard.wait_for("drives 0 views")
            first.kill()
            also_heard.wait_for(f"process {second.pid} drives all views")
            register(service, "north").result(SECONDS_MAX)
            assert service.views.wait_until("audit_trail", 4, SECONDS_MAX)
    service.close()


def test_it_needs_a_ledger(database_url: str) -> None:
    code, _, stderr = ended("worker", CUSTODY_DATABASE_URL=database_url)
    assert (code, "custody db init" in stderr) == (5, True)
    open_log(database_url, create=True).close()
    assert ended("worker", CUSTODY_DATABASE_URL=database_url)[0] == 5
    result = custody("worker", "--environment", "production", url=database_url)
    assert (result.exit_code, "CUSTODY_AUTH" in result.stderr) == (6, True)


@pytest.mark.skipif(EXTERNAL_SERVER in os.environ, reason="a server that the environment names is not stopped by tests")
def test_an_outage_of_the_server_is_outlived_also_one_that_it_begins_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "OUTAGE_SECONDS", 0.05)
    monkeypatch.setattr("ledger.keeping.AWAY_SECONDS", 0.05)
    with wheel_server() as server:
        url = server.create_database()
        made(url)
        server.stop()
        stop, heard = threading.Event(), Heard()
        worker = threading.Thread(target=keep_views, args=(url, stop, heard.tell))
        worker.start()
        try:
            heard.wait_for("trying again until it is there")
            server.start()
            heard.wait_for("drives all views")
            server.stop()
            heard.wait_for("can't go on")
            server.start()
            heard.wait_for("goes on")
            service = open_service(settings(url), run_views=False)
            register(service, "north").result(SECONDS_MAX)
            assert service.views.wait_until("audit_trail", 4, SECONDS_MAX)
            service.close()
        finally:
            stop.set()
            worker.join()


def test_after_it_has_stopped_another_process_sees_that_nobody_drives(sqlite_url: str) -> None:
    made(sqlite_url)
    stop, heard = threading.Event(), Heard()
    worker = threading.Thread(target=keep_views, args=(sqlite_url, stop, heard.tell))
    worker.start()
    heard.wait_for("drives all views")
    log = open_log(sqlite_url, exclusive=False)
    views = open_views(sqlite_url, LogEvents(log))
    assert {status.driven for status in views.status()} == {True}
    stop.set()
    worker.join()
    assert {status.driven for status in views.status()} == {False}
    views.close()
    log.close()
