"""Every hostile body of the vectors, sent to a real server: answered as stated, recorded nowhere, repeated nowhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import httpx2
import pytest

from ledger.http.commands.routes import BATCH, PREFIX
from tests.ledger.http.house import IN_MEMORY, House, furnished, house_at
from tests.ledger.http.serving import PATIENCE, served
from tests.shared_data import body_of, own_vectors, shared_rows

WHO = {"Custody-Actor": "north/north-1", "Idempotency-Key": "hostile-1"}
ECHO_BYTES_MIN = 8


class Reached(NamedTuple):
    """A ledger, and a client that reaches it through a socket."""

    house: House
    client: httpx2.Client


@pytest.fixture(scope="module")
def ledger() -> Iterator[Reached]:
    with house_at(IN_MEMORY, run_views=False) as house:
        furnished(house)
        with served(house.app) as address, httpx2.Client(base_url=address, timeout=PATIENCE) as client:
            yield Reached(house, client)


def sent(ledger: Reached, case: dict[str, Any]) -> httpx2.Response:
    """The answer to a body; one that is refused has left nothing behind and is not found in its answer."""
    path = BATCH if case.get("route") == "batch" else f"{PREFIX}/people"
    content_type = case.get("content_type", "application/json")
    headers = {**WHO, **({"Content-Type": content_type} if content_type is not None else {})}
    body, before = body_of(case), ledger.house.head
    response = ledger.client.post(path, content=body, headers=headers)
    assert ledger.house.head == before
    assert len(body) < ECHO_BYTES_MIN or body not in response.content
    return response


@pytest.mark.parametrize("case", [pytest.param(case, id=case["name"]) for case in own_vectors("strict_gate")["cases"]])
def test_the_strict_gates_bodies(ledger: Reached, case: dict[str, Any]) -> None:
    response = sent(ledger, case)
    if case["want_status"] == 200:
        # What passes the gate is no person's data, so that the schema refuses it, or a batch its items.
        assert response.status_code in {200, 422}, response.text
        assert response.json().get("reason", "schema") == "schema"
        return
    problem = response.json()
    assert (response.status_code, problem["code"]) == (case["want_status"], case["want_code"])
    assert problem.get("reason") == case.get("want_reason")


@pytest.mark.parametrize("case", shared_rows("json_hostile"))
def test_bodies_that_break_readers_of_json(ledger: Reached, case: dict[str, Any]) -> None:
    response = sent(ledger, case)
    assert (response.status_code, response.json()["code"]) == (case["want_status"], "body-is-malformed")
    assert response.json()["reason"] != "schema"
