"""Two processes of the service on one PostgreSQL, both writing: one log without a hole, and each sees all of it.

`TWO_PROCESSES_SECONDS` makes them write for so long; without it each writes a fixed number of commands.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from time import monotonic
from typing import Any

import httpx2

from ledger.store import open_log
from ledger.store.leaf import read_event
from tests.ledger.http.house import furnished, house_at
from tests.ledger.http.serving import PATIENCE, process

SECONDS = float(os.environ.get("TWO_PROCESSES_SECONDS", "0"))
COMMANDS = 60
WRITERS = 4
"""How many clients write to each process at once."""
PERSON = {"identity_status": "claimed", "attributes": {}, "occurred_at": "2025-01-01T00:00:00Z"}
WHO = {"Custody-Actor": "north/north-1"}


def turns() -> Iterator[int]:
    """The numbers of a client's commands, as many as it is to write."""
    until = monotonic() + SECONDS
    for number in count():
        if (SECONDS and monotonic() >= until) or (not SECONDS and number >= COMMANDS):
            return
        yield number


def written(address: str, client_name: str) -> list[tuple[str, int, str]]:
    """Write people one after the other; key, position and event id of each answer.

    Every third is a person that the clients of both processes register, under keys of their own.
    """
    answers = []
    with httpx2.Client(base_url=address, timeout=PATIENCE, headers=WHO) as client:
        for number in turns():
            person = f"shared-{number}" if number % 3 == 0 else f"{client_name}-{number}"
            body = {**PERSON, "person": person}
            key = f"{client_name}.{number}"
            response = client.post("/v1/people", json=body, headers={"Idempotency-Key": key})
            assert response.status_code == 201, response.text
            [event] = response.json()["events"]
            answers.append((person, event["position"], event["event_id"]))
    return answers


def seen(address: str, head: int) -> list[dict[str, Any]]:
    """Every event as a process tells it, once it has read as far as `head`."""
    events: list[dict[str, Any]] = []
    with httpx2.Client(base_url=address, timeout=PATIENCE, headers={**WHO, "Prefer": "wait=10"}) as client:
        while len(events) < head:
            query = {"after": len(events), "limit": 500, "min_position": head}
            page = client.get("/v1/events", params=query)
            assert page.status_code == 200, page.text
            events += page.json()["items"]
        last = client.get(f"/v1/people/{events[-1]['stream'].partition(':')[2]}", params={"min_position": head})
        assert last.status_code == 200, last.text
        trail = client.get("/v1/audit-trail", params={"min_position": head, "newest_first": "true", "limit": 1})
        assert trail.json()["items"][0]["position"] == head
    return events


def test_two_processes_write_one_log(postgresql_url: str) -> None:
    with house_at(postgresql_url) as house:
        furnished(house)
        before = house.head
    with process(postgresql_url) as one, process(postgresql_url) as other:
        clients = [(address, f"c{number}") for number in range(WRITERS) for address in (one, other)]
        named = [(address, f"{name}-{'a' if address == one else 'b'}") for address, name in clients]
        with ThreadPoolExecutor(len(named)) as pool:
            answers = [answer for found in pool.map(written, *zip(*named, strict=True)) for answer in found]
        log = open_log(postgresql_url)
        rows = log.read(0, 1_000_000)
        log.close()
        head = len(rows)
        told = [seen(address, head) for address in (one, other)]
    # `read` raises on a hole; here every acknowledged command stands in the log, and nothing else does.
    assert [row.position for row in rows] == list(range(1, head + 1))
    by_person = {person: (position, event_id) for person, position, event_id in answers}
    assert {(position, event_id) for _, position, event_id in answers} == set(by_person.values())
    assert sorted(position for position, _ in by_person.values()) == list(range(before + 1, head + 1))
    assert {rows[position - 1].event_id for position, _ in by_person.values()} == {id_ for _, id_ in by_person.values()}
    assert len({read_event(row).stream for row in rows[before:]}) == head - before
    assert told[0] == told[1]
    assert [event["event_id"] for event in told[0]] == [row.event_id for row in rows]
