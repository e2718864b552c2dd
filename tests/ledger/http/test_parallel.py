"""One thousand requests at once with one key: one effect, one thousand equal answers."""

from __future__ import annotations

import asyncio
import resource

import httpx2

from tests.ledger.http.house import House
from tests.ledger.http.serving import PATIENCE, served

REQUESTS = 1_000
FILES_BESIDE = 200

PERSON = {
    "person": "p-once",
    "identity_status": "established",
    "attributes": {},
    "occurred_at": "2025-02-20T08:00:00Z",
}


async def at_once(address: str) -> list[httpx2.Response]:
    """All of them, each on a connection of its own as far as the machine allows."""
    connections = min(REQUESTS, (resource.getrlimit(resource.RLIMIT_NOFILE)[0] - FILES_BESIDE) // 2)
    limits = httpx2.Limits(max_connections=connections, max_keepalive_connections=connections)
    headers = {"Custody-Actor": "north/north-1", "Idempotency-Key": "only-once"}
    async with httpx2.AsyncClient(base_url=address, limits=limits, timeout=PATIENCE, headers=headers) as client:
        return await asyncio.gather(*(client.post("/v1/people", json=PERSON) for _ in range(REQUESTS)))


def test_one_thousand_parallel_requests_with_one_key(house: House) -> None:
    head = house.head
    with served(house.app) as address:
        answers = asyncio.run(at_once(address))
    assert house.head == head + 1
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1
    kept = ("etag", "location", "ledger-position")
    assert len({tuple(answer.headers[name] for name in kept) for answer in answers}) == 1
