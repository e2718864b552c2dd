"""The log of a running ledger: a line a request, one for what an operator would want to know, and nothing personal."""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial

import httpx2
import pytest
import structlog
from structlog.testing import capture_logs
from structlog.typing import EventDict

from ledger.cli.commands.running.worker import numbers_shown
from ledger.keeping import keep_views
from ledger.observing.lines import _OfLibraries, logger
from ledger.settings import Settings
from ledger.sources import Sources
from ledger.store.log import DatabaseUnreachable, PositionTaken, Step
from tests.ledger.http.house import IN_MEMORY, Clock, House, furnished, house_at, new_log
from tests.ledger.http.serving import PATIENCE, PROGRAM
from tests.ports import free_port
from tests.scene import SEALED
from tests.shared_data import REPOSITORY

PAGE = (REPOSITORY / "docs" / "watching.md").read_text("utf-8")
FIELDS = {
    name
    for row in re.findall(r"^\| ([^|]*) \|", PAGE.partition("## Lines")[2].partition("## What")[0], re.MULTILINE)
    for name in re.findall(r"`(\w+)`", row)
}
SECRET = "unrepeatable"
WHO = {"Custody-Actor": "north/north-1"}
PERSON = {"person": f"p-{SECRET}", "identity_status": "established", "attributes": {"family_name": SEALED}}


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    """A ledger that tells its log everything."""
    kept = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG))
    try:
        with house_at(IN_MEMORY, run_views=False) as made:
            yield furnished(made)
    finally:
        structlog.configure(**kept)


@pytest.fixture
def lines(house: House) -> Iterator[list[EventDict]]:
    """What is told during a test; each field of it stands on the page for operators."""
    with capture_logs() as told:
        yield told
    assert {name for line in told for name in line} - {"log_level"} <= FIELDS


def requests_in(lines: list[EventDict]) -> list[EventDict]:
    return [line for line in lines if line["event"] == "request"]


def test_a_command_is_one_line_without_anything_that_was_sent(house: House, lines: list[EventDict]) -> None:
    problem = house.post(f"/people?{SECRET}", PERSON, key=f"key-{SECRET}")
    assert problem.status_code == 422
    answer = house.post("/people", PERSON, key=f"key-{SECRET}", headers={"Correlation-Id": "case-7"})
    assert answer.status_code == 201
    position = answer.json()["position"]
    refused, granted = requests_in(lines)
    assert granted.pop("ms") >= 0
    assert granted == {
        "event": "request",
        "log_level": "info",
        "method": "POST",
        "route": "/v1/people",
        "status": 201,
        "position": position,
        "command": "register-person",
        "authority": "north",
        "correlation_id": "case-7",
    }
    assert house.read(f"/events/{position}")["correlation_id"] == "case-7"
    assert (refused["status"], refused["code"]) == (422, "body-is-malformed")
    assert refused["correlation_id"] == problem.json()["correlation_id"]
    assert SECRET not in json.dumps(lines)
    [batch] = [line for line in lines if line["event"] == "batch committed"]
    assert (batch["log_level"], batch["events"], batch["position"]) == ("debug", 1, position)


@pytest.mark.parametrize("path", ["/v1/people/nobody", "/v1/nothing", "/v1/people?limit=0"])
def test_a_problem_bears_the_id_of_its_line(house: House, lines: list[EventDict], path: str) -> None:
    problem = house.client.get(path, headers=WHO).json()
    [line] = requests_in(lines)
    assert (line["code"], line["status"]) == (problem["code"], problem["status"])
    assert line["correlation_id"] == problem["correlation_id"]


@pytest.mark.parametrize("query", ["", "?atomic=true", "?dry_run=true"])
def test_a_problem_in_a_batch_bears_the_id_of_its_line(house: House, lines: list[EventDict], query: str) -> None:
    items = [{"key": "unread", "type": "register-person", "data": {}}, {"type": "no-such-command", "data": {}}]
    answer = house.client.post(f"/v1/commands{query}", json=items, headers=WHO).json()
    [line] = requests_in(lines)
    assert {result["correlation_id"] for result in answer["results"]} == {line["correlation_id"]}


def test_of_what_a_library_says_the_first_line_is_told(lines: list[EventDict]) -> None:
    """Behind it `asyncio` quotes the exception, whose message may hold what was sent."""
    quoted = f"Task exception was never retrieved\nfuture: <Task finished exception=ValueError('{SECRET}')>"
    record = logging.LogRecord("asyncio", logging.ERROR, __file__, 1, quoted, None, None)
    _OfLibraries(logger()).emit(record)
    assert [(line["event"], line["logger"]) for line in lines] == [("Task exception was never retrieved", "asyncio")]


def test_a_name_that_nobody_registered_is_not_repeated(house: House, lines: list[EventDict]) -> None:
    house.client.get(
        f"/v1/people/{SECRET}", headers={"Custody-Actor": f"{SECRET}/o-1", "Correlation-Id": f"{SECRET} x"}
    )
    [line] = requests_in(lines)
    assert (line["route"], line["status"], line["authority"]) == ("/v1/people/{person}", 401, None)
    assert SECRET not in json.dumps(line)


def test_what_machines_ask_every_few_seconds_is_told_at_debug(house: House, lines: list[EventDict]) -> None:
    for path in ("/health/live", "/metrics", "/version"):
        assert house.client.get(path).status_code == 200
    assert [line["log_level"] for line in requests_in(lines)] == ["debug", "debug", "info"]


def test_an_outage_is_told_when_it_begins_and_when_it_ends(house: House, lines: list[EventDict]) -> None:
    def fault(step: Step) -> None:
        if step == "before":
            raise DatabaseUnreachable("full", SECRET)

    house.service.log.fault = fault
    for _ in range(2):
        assert house.post("/people", {**PERSON, "person": "p-out"}, key="out").status_code == 503
    house.service.log.fault = None
    assert house.post("/people", {**PERSON, "person": "p-out"}, key="out").status_code == 201
    told = [(line["log_level"], line["event"]) for line in lines if line["event"].startswith("the database")]
    # It is looked for before each attempt, and the database of this test answers every question.
    assert told[0] == ("error", "the database is unreachable")
    assert told[-1] == ("warning", "the database is back")
    assert [line["log_level"] for line in requests_in(lines)] == ["warning", "warning", "info"]
    assert SECRET not in json.dumps(lines)


def test_another_process_that_was_first_is_told(house: House, lines: list[EventDict]) -> None:
    times = iter([True])

    def fault(step: Step) -> None:
        if step == "before" and next(times, False):
            raise PositionTaken(house.head + 1)

    house.service.log.fault = fault
    assert house.post("/people", {**PERSON, "person": "p-second"}).status_code == 201
    house.service.log.fault = None
    assert [line["log_level"] for line in lines if line["event"].startswith("another process was first")] == ["info"]


def served(url: str, **settings: str) -> list[str]:
    """What `custody serve` says on standard error about one refused command, from its start to its stop."""
    named = {f"CUSTODY_{name.upper()}": value for name, value in settings.items()}
    environment = {**os.environ, "CUSTODY_DATABASE_URL": url, "NO_COLOR": "1", **named}
    command = [sys.executable, "-c", PROGRAM, "serve", "--host", "127.0.0.1", "--port", "0"]
    said: list[str] = []
    serving = threading.Event()
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None

        def listen() -> None:
            for line in process.stderr or ():
                said.append(line.rstrip("\n"))
                if "Use it for development" in line:
                    serving.set()
            serving.set()

        reader = threading.Thread(target=listen)
        reader.start()
        try:
            assert serving.wait(PATIENCE)
            address = next(line.partition("Serving on ")[2] for line in said if "Serving on " in line)
            body = {**PERSON, "name": SECRET}
            with httpx2.Client(timeout=PATIENCE) as client:
                answer = client.post(f"{address}/v1/people", json=body, headers={**WHO, "Idempotency-Key": SECRET})
            assert answer.status_code == 422
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE)
            reader.join(PATIENCE)
    return said


def test_a_service_tells_json_from_start_to_stop(sqlite_url: str) -> None:
    new_log(sqlite_url, a_clock()).close()
    told = [json.loads(line) for line in served(sqlite_url) if line.startswith("{")]
    assert {"event", "level", "at"} <= set.intersection(*(set(line) for line in told))
    serving = [line["event"] for line in told if "part" not in line]
    assert serving == ["serving", "request", "stopped"]
    [request] = [line for line in told if line["event"] == "request"]
    assert (request["route"], request["status"], request["code"]) == ("/v1/people", 422, "body-is-malformed")
    assert SECRET not in json.dumps(told)


def test_a_service_tells_a_reader_as_much_as_is_asked_for(sqlite_url: str) -> None:
    new_log(sqlite_url, a_clock()).close()
    told = "\n".join(served(sqlite_url, log_format="text"))
    assert "[info     ] request" in told
    assert "route=/v1/people status=422" in told
    assert "request" not in "\n".join(served(sqlite_url, log_level="warning"))


def test_the_worker_answers_metrics_where_it_is_told_to(sqlite_url: str) -> None:
    new_log(sqlite_url, a_clock()).close()
    port = free_port()
    stop, views = threading.Event(), threading.Event()
    settings = Settings.model_validate({"metrics_port": port, "database_url": sqlite_url})
    worker = threading.Thread(
        target=keep_views, args=(sqlite_url, stop, lambda _text: views.set(), partial(numbers_shown, settings))
    )
    worker.start()
    try:
        assert views.wait(PATIENCE)
        told = httpx2.get(f"http://127.0.0.1:{port}/metrics", timeout=PATIENCE).text
    finally:
        stop.set()
        worker.join(PATIENCE)
    assert "custody_log_position 3.0" in told
    assert 'custody_view_driven{view="roll"} 1.0' in told
    assert "custody_http_requests" not in told


def test_a_program_that_serves_nobody_tells_nothing() -> None:
    command = [sys.executable, "-c", "import ledger.settings; from tests.scene import story; story()"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


def a_clock() -> Clock:
    return Clock(now=Sources().now())
