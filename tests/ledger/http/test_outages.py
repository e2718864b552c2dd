"""A database that is locked or gone: a clear no at once, nothing said to be recorded, memory equal to disk, and on."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest

from ledger.store import DatabaseUnreachable
from ledger.store.log import Step
from tests.engines import EXTERNAL_SERVER, wheel_server
from tests.ledger.http.house import House, furnished, house_at

TRIES_MAX = 60


def person(id_: str) -> dict[str, Any]:
    return {"person": id_, "identity_status": "claimed", "attributes": {}, "occurred_at": "2025-02-20T08:00:00Z"}


def unreachable(response: httpx2.Response, reason: str) -> None:
    problem = response.json()
    assert (response.status_code, problem["code"], problem["reason"]) == (503, "database-is-unreachable", reason)
    assert response.headers["retry-after"].isdecimal()
    assert "position" not in problem


@contextmanager
def locked(house: House) -> Iterator[None]:
    """Another program keeps the log's tables for itself."""
    url = house.service.settings.database_url.get_secret_value()
    if url.startswith("sqlite"):
        other = sqlite3.connect(Path(url.removeprefix("sqlite:///")), isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        yield
        other.close()
    else:
        with psycopg.connect(url) as server:
            server.execute("LOCK TABLE stored_events IN EXCLUSIVE MODE")
            yield


def test_a_locked_database(house: House) -> None:
    head = house.head
    with locked(house):
        unreachable(house.post("/people", person("p-locked"), key="again"), "locked")
        assert house.client.get("/health/live").status_code == 200
        assert house.service.writer.register.position == house.head == head
    assert house.post("/people", person("p-locked"), key="again").status_code == 201
    assert house.service.writer.register.position == house.head == head + 1


STEPS: tuple[Step, ...] = ("before", "after-events", "after-leaves", "before-commit")


@pytest.mark.parametrize("step", STEPS)
def test_a_connection_lost_before_the_commit(house: House, step: Step) -> None:
    head = house.head
    fail_at(house, step)
    unreachable(house.post("/people", person("p-lost"), key="again"), "gone")
    house.service.log.fault = None
    assert house.service.writer.register.position == house.head == head
    again = house.post("/people", person("p-lost"), key="again")
    assert (again.status_code, "idempotency-replayed" in again.headers, house.head) == (201, False, head + 1)


def test_a_connection_lost_between_the_commit_and_its_answer(house: House) -> None:
    head = house.head
    fail_at(house, "after-commit")
    answer = house.post("/people", person("p-kept"), key="kept")
    house.service.log.fault = None
    assert (answer.status_code, house.head) == (201, head + 1)
    again = house.post("/people", person("p-kept"), key="kept")
    assert (again.content, again.headers["idempotency-replayed"], house.head) == (answer.content, "true", head + 1)
    assert house.service.writer.register.position == house.head


def fail_at(house: House, wanted: Step) -> None:
    """The next appends lose their connection at that step."""

    def fault(step: Step) -> None:
        if step == wanted:
            raise DatabaseUnreachable("gone", "staged")

    house.service.log.fault = fault


@pytest.mark.skipif(EXTERNAL_SERVER in os.environ, reason="a server that the environment names is not ours to stop")
def test_a_server_that_is_gone_and_comes_back() -> None:
    with wheel_server() as server:
        url = server.create_database()
        with house_at(url) as house:
            furnished(house)
            assert house.get("/people").status_code == 200
            head = house.head
            server.stop()
            unreachable(house.post("/people", person("p-gone"), key="again"), "gone")
            ready = house.client.get("/health/ready")
            assert (ready.status_code, ready.json()["code"]) == (503, "database-is-unreachable")
            assert house.client.get("/health/live").status_code == 200
            who = {"Custody-Actor": "north/north-1"}
            assert house.client.get("/v1/audit-trail", headers=who).status_code == 503
            assert house.client.get("/v1/authorities/north", headers=who).status_code == 200
            assert house.service.writer.register.position == head
            server.start()
            answers = (house.post("/people", person("p-gone"), key="again") for _ in range(TRIES_MAX))
            answer = next(found for found in answers if found.status_code != 503)
            assert answer.status_code == 201
            assert house.service.writer.register.position == house.head == head + 1
            assert house.client.get("/health/ready").status_code == 200
            [found] = house.read("/audit-trail", person="p-gone")["items"]
            assert found["position"] == head + 1
