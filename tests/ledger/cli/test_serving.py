"""Serving, as a process of its own: what it prints, what it refuses, how it stops; and the demo, which is served."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from ledger.store import open_log
from tests.ledger.cli.running import CUSTODY, INIT, answered, custody, ended, started, url_of

ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")
SECONDS_MAX = 60


class Served:
    """A serving process, its address, and what it has printed so far."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.said: list[str] = []
        self._heard = threading.Condition()
        self._found = threading.Event()
        self.address = ""
        self._readers = [
            threading.Thread(target=self._read, args=(stream,), daemon=True)
            for stream in (process.stdout, process.stderr)
        ]
        for reader in self._readers:
            reader.start()
        assert self._found.wait(SECONDS_MAX), self.text
        assert self.address, self.text

    @property
    def text(self) -> str:
        """All it has printed, on both streams."""
        return "".join(self.said)

    def get(self, path: str) -> dict[str, object]:
        """A document of the service."""
        request = Request(f"{self.address}{path}", headers={"Custody-Actor": "demo-north/demo-north-1"})
        with urlopen(request, timeout=SECONDS_MAX) as answer:
            document: dict[str, object] = json.loads(answer.read())
        return document

    def stop(self, number: signal.Signals) -> int:
        """The exit code after a signal."""
        self.process.send_signal(number)
        code = self.process.wait(SECONDS_MAX)
        self.finish()
        return code

    def finish(self) -> None:
        """Read what is left, once the process has ended."""
        for reader in self._readers:
            reader.join(SECONDS_MAX)

    def says(self, text: str) -> str:
        """All it has printed, once that has the text in it."""
        with self._heard:
            assert self._heard.wait_for(lambda: text in self.text, SECONDS_MAX), self.text
        return self.text

    def _read(self, stream: Iterator[str]) -> None:
        for line in stream:
            with self._heard:
                self.said.append(line)
                self._heard.notify_all()
            if match := ADDRESS.search(line):
                self.address = match[0]
                self._found.set()
        self._found.set()


@contextmanager
def served(*arguments: str, **variables: str) -> Iterator[Served]:
    """A serving process, ended at the latest on leaving."""
    with started(*arguments, program=CUSTODY, **variables) as process:
        service = Served(process)
        try:
            yield service
        finally:
            process.kill()
            process.wait(SECONDS_MAX)
            service.finish()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_on_a_free_port_until_it_is_told_to_stop(number: signal.Signals, copied: Path) -> None:
    url = url_of(copied)
    with served("serve", "--port", "0", "--database-url", url) as service:
        assert service.get("/health/live")["status"] == "live"
        beside = answered("people", "find", url=url)
        assert len(beside["items"]) == 12
        code, stdout, stderr = ended("serve", "--port", "0", CUSTODY_DATABASE_URL=url)
        assert (code, stdout) == (5, "")
        assert f"process {service.process.pid}" in stderr
        assert service.stop(number) == 0
    assert "auth=none" in service.text
    assert "ANY authority" in service.text
    assert "Stopped." in service.text
    assert "Traceback" not in service.text
    with closing(open_log(url)):
        pass


TOLD_IN_A_FINALIZER = """
import os, signal, sys

class Last:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)
        print("told")

def before(event, arguments):
    if event == "import" and arguments[0] == "uvicorn":
        Last()

sys.addaudithook(before)
from ledger.cli import main
main()
"""


def test_it_stops_also_where_the_signal_meets_a_finalizer_which_lets_no_exception_out(copied: Path) -> None:
    program = (sys.executable, "-c", TOLD_IN_A_FINALIZER)
    with started("serve", "--port", "0", "--database-url", url_of(copied), program=program) as process:
        try:
            told = "".join(process.communicate(timeout=SECONDS_MAX))
        finally:
            process.kill()
    assert process.returncode == 0
    assert told.count("told") == 1
    assert "Stopped." in told


DRIVES = re.compile(r"process (\d+) drives all views")


def drivers(service: Served, count: int) -> list[int]:
    """The processes that have driven the views of a server, once there have been so many."""
    with service._heard:
        assert service._heard.wait_for(lambda: len(DRIVES.findall(service.text)) >= count, SECONDS_MAX), service.text
    return [int(number) for number in DRIVES.findall(service.text)]


def wait_until_nobody_drives(path: Path) -> None:
    """Block until no process holds the right to drive the views of an SQLite ledger."""
    with path.with_name(f"{path.stem}.views{path.suffix}.owner.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)


def test_a_process_beside_it_keeps_the_views_and_is_started_again_and_ends_with_it(copied: Path) -> None:
    with served("serve", "--port", "0", "--database-url", url_of(copied)) as service:
        [first] = drivers(service, 1)
        assert first != service.process.pid
        assert service.get("/health/ready")["status"] == "ready"
        os.kill(first, signal.SIGKILL)
        assert "the process that keeps the views was ended by signal 9" in service.says("another is started")
        second = drivers(service, 2)[1]
        assert second not in (first, service.process.pid)
        service.process.kill()
        wait_until_nobody_drives(copied)


def test_the_views_are_made_anew_by_a_process_of_its_own(copied: Path) -> None:
    with served("serve", "--port", "0", "--database-url", url_of(copied)) as service:
        drivers(service, 1)
        before = service.get("/v1/projections/roll")["generation"]
        asked = Request(
            f"{service.address}/v1/projections/roll/rebuilds",
            headers={"Custody-Actor": "demo-north/demo-north-1"},
            method="POST",
        )
        with urlopen(asked, timeout=SECONDS_MAX) as answer:
            assert answer.status == 202
            address = answer.headers["Location"]
        head = service.get("/v1/projections/roll")["head"]
        while (state := service.get(address))["state"] == "running":
            # A read of a view that waits for what is not there yet, instead of a pause of our own.
            service.get("/health/ready")
        assert (state["state"], state["differing"], state["error"]) == ("switched", 0, None)
        assert (state["done"], state["total"]) == (head, head)
        assert service.get("/v1/projections/roll")["generation"] != before


def test_without_a_worker_it_says_that_nobody_drives_the_views(postgresql_url: str) -> None:
    assert custody("db", "init", *INIT, url=postgresql_url).exit_code == 0
    with served("serve", "--port", "0", "--database-url", postgresql_url) as service:
        assert "custody worker" in service.says("not kept from here")
        ready = service.get("/health/ready")
        assert (ready["status"], set(ready["views"].values())) == ("degraded", {"undriven"})  # type: ignore[attr-defined]  # a map, as the contract says
        status = custody("projections", "status", url=postgresql_url)
        assert "No process drives the views" in status.stderr
        with started("worker", CUSTODY_DATABASE_URL=postgresql_url) as worker:
            assert worker.stderr is not None
            assert DRIVES.search(worker.stderr.readline())
            assert service.get("/health/ready")["views"] == {}
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(SECONDS_MAX) == 0
    with served("serve", "--views", "--port", "0", "--database-url", postgresql_url) as service:
        drivers(service, 1)
        assert service.get("/health/ready")["status"] == "ready"


def test_read_only_it_takes_no_command(copied: Path) -> None:
    with served("serve", "--read-only", "--port", "0", "--database-url", url_of(copied)) as service:
        head = service.get("/health/live")
        register = ("curl", "-s", "-X", "POST", "-d", "{}", f"{service.address}/v1/people")
        answer = json.loads(subprocess.run(register, capture_output=True, text=True, check=True).stdout)
        assert answer["code"] == "ledger-is-read-only"
        assert len(service.get("/v1/people")["items"]) == 12  # type: ignore[arg-type]  # a list, as the contract says
        assert service.get("/health/live") == head


def test_it_refuses_production_without_keys(demo_url: str) -> None:
    result = custody("serve", "--environment", "production", url=demo_url)
    assert result.exit_code == 6
    assert "auth" in result.stderr.lower()
    assert custody("serve", url=demo_url, CUSTODY_ENVIRONMENT="production").exit_code == 6


def test_an_empty_database_names_the_command_that_opens_it(sqlite_url: str) -> None:
    for _ in range(2):
        result = custody("serve", "--port", "0", url=sqlite_url)
        assert result.exit_code == 5
        assert "custody db init --origin" in result.stderr
        open_log(sqlite_url, create=True).close()


def test_a_port_in_use_is_said(demo_url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = custody("serve", "--port", str(taken.getsockname()[1]), url=demo_url)
    assert result.exit_code == 5
    assert "--port" in result.stderr


def test_it_serves_what_init_has_opened(database_url: str) -> None:
    assert custody("db", "init", *INIT, url=database_url).exit_code == 0
    with served("serve", "--port", "0", "--database-url", database_url) as service:
        assert service.get("/health/ready")["position"] == 3
        if database_url.startswith("sqlite"):
            drivers(service, 1)
        assert answered("projections", "status", url=database_url)["views"][0]["position"] == 3
        assert service.stop(signal.SIGTERM) == 0


def test_the_demo_says_what_to_try_and_each_of_it_works(tmp_path: Path) -> None:
    with served("demo", "--people", "7", "--port", "0", "--keep", str(tmp_path / "demo")) as service:
        lines = [line.strip() for line in service.says("custody audit verify").splitlines()]
        tries = [line for line in lines if line.startswith("curl")]
        assert len(tries) == 9
        for line in tries:
            run = subprocess.run(shlex.split(line), capture_output=True, text=True, check=True)
            document = json.loads(run.stdout)
            assert document.get("code") == ("role-is-not-held" if "demo-x" in line else None), line
        for line in lines:
            if line.startswith("custody "):
                assert custody(*shlex.split(line)[1:]).exit_code == 0
        assert service.stop(signal.SIGINT) == 0
    assert "7 people" in service.text
    with served("demo", "--port", "0", "--keep", str(tmp_path / "demo")) as again:
        assert "is there already" in again.text
        assert len(again.get("/v1/people")["items"]) == 8  # type: ignore[arg-type]  # a list, as the contract says


def test_a_demo_that_is_stopped_while_it_is_seeded_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "custody.db.kept").touch()
    with started("demo", "--people", "2000", "--port", "0", "--keep", str(tmp_path), program=CUSTODY) as process:
        try:
            assert process.stderr is not None
            assert "Seeding a ledger with 2000 people" in process.stderr.readline()
            process.send_signal(signal.SIGTERM)
            _, stderr = process.communicate(timeout=SECONDS_MAX)
        finally:
            process.kill()
    assert (process.returncode, stderr) == (130, "Interrupted.\n")
    assert [file.name for file in tmp_path.iterdir()] == ["custody.db.kept"]


def test_a_demo_that_is_not_kept_leaves_nothing() -> None:
    with served("demo", "--people", "1", "--port", "0") as service:
        told = service.says("custody audit verify")
        [folder] = {Path(match[1]) for match in re.finditer(r"sqlite:///(\S+)/custody\.db", told)}
        assert folder.is_dir()
        assert service.stop(signal.SIGTERM) == 0
    assert not folder.exists()
