"""Many commands in one request: as lines, as a dry run, and beside other requests."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest

from domain.strict_json import BATCH_BYTES_MAX, BATCH_COMMANDS_MAX
from ledger.http.commands.routes import BATCH
from tests.ledger.http.house import House, held, officer
from tests.scene import ANN, N1, N2, NORTH

NDJSON = "application/x-ndjson"
NOW = "2025-02-20T08:00:00Z"


def person(id_: str, key: str | None = None, **changes: Any) -> dict[str, Any]:
    data = {"person": id_, "identity_status": "established", "attributes": {}, "occurred_at": NOW, **changes}
    return {"key": key or f"key-{id_}", "type": "register-person", "data": data}


AHEAD = {"occurred_at": "2025-02-20T10:00:00Z"}


def send(house: House, items: list[Any], query: str = "", **headers: str) -> httpx2.Response:
    return house.client.post(BATCH + query, json=items, headers={"Custody-Actor": officer(NORTH), **headers})


def send_lines(house: House, body: bytes, query: str = "", **headers: str) -> httpx2.Response:
    given = {"Custody-Actor": officer(NORTH), "Content-Type": NDJSON, **headers}
    return house.client.post(BATCH + query, content=body, headers=given)


def lines(items: list[Any]) -> bytes:
    return b"".join(json.dumps(item).encode() + b"\n" for item in items)


def codes(results: list[dict[str, Any]]) -> list[str | None]:
    return [result.get("code") for result in results]


def test_one_command_a_line_is_the_same_batch(house: House) -> None:
    items = [person("p-1"), person("p-2", **AHEAD), person("p-3", identity_status="?"), person("p-4")]
    response = send_lines(house, lines(items), Accept=NDJSON)
    assert (response.status_code, response.headers["content-type"]) == (200, NDJSON)
    assert response.content.endswith(b"\n")
    results = [json.loads(line) for line in response.content.splitlines()]
    assert [result["status"] for result in results] == [201, 409, 422, 201]
    assert codes(results) == [None, "occurred-at-is-in-the-future", "code-is-not-listed", None]
    assert response.headers["ledger-position"] == str(house.head) == str(results[-1]["position"])
    again = send(house, items, Accept=NDJSON)
    assert [json.loads(line).get("replayed") for line in again.content.splitlines()] == [True, None, None, True]


def test_lines_are_answered_as_one_document_to_who_does_not_ask_for_lines(quick: House) -> None:
    response = send_lines(quick, lines([person("p-doc")]), Accept="*/*")
    assert response.headers["content-type"] == "application/json"
    assert [result["status"] for result in response.json()["results"]] == [201]
    assert send_lines(quick, lines([person("p-doc")]), "?atomic=true").json()["results"][0]["replayed"] is True


LINES = {
    "the last line needs no end": (b'{"n":1}\n{"n":2}', 200, None),
    "a line may end as on other machines": (b'{"n":1}\r\n{"n":2}\r\n', 200, None),
    "as many as there may be": (b'{"n":1}\n' * BATCH_COMMANDS_MAX, 200, None),
    "one too many": (b'{"n":1}\n' * BATCH_COMMANDS_MAX + b"{}", 413, "too-large"),
    "nothing": (b"", 400, "syntax"),
    "an empty line": (b'{"n":1}\n\n{"n":2}\n', 400, "syntax"),
    "a command over two lines": (b'{"n":\n1}\n', 400, "syntax"),
    "two commands in a line": (b'{"n":1} {"n":2}\n', 400, "syntax"),
    "an array": (b"[{}]\n", 400, "top-level"),
    "a line larger than a command": (b'{"n":1}\n{"s":"' + b"a" * 65_529 + b'"}', 413, "too-large"),
    "larger than a batch": (b" " * (BATCH_BYTES_MAX + 1), 413, "too-large"),
    "a key twice in the last line": (b'{"n":1}\n{"n":1,"n":2}\n', 400, "duplicate-key"),
    "nothing but line feeds": (b"\n" * BATCH_BYTES_MAX, 413, "too-large"),
}


@pytest.mark.parametrize("sentence", LINES)
def test_the_gate_reads_each_line(quick: House, sentence: str) -> None:
    body, status, reason = LINES[sentence]
    head = quick.head
    response = send_lines(quick, body)
    assert (response.status_code, response.json().get("reason")) == (status, reason)
    assert quick.head == head


def test_a_dry_run_tells_every_verdict_and_records_nothing(house: House) -> None:
    held(house)
    head = house.head
    move = {"person": ANN, "reason": "placement", "occurred_at": "2025-02-19T07:00:00Z"}
    items = [
        {"key": "a", "type": "record-move-within", "data": {**move, "from_facility": N1, "to_facility": N2}},
        {"key": "b", "type": "record-move-within", "data": {**move, "from_facility": N1, "to_facility": N2}},
        person("p-late", **AHEAD),
        person("p-unfit", occurred_at="2025-02-20T10:00:00"),
        {"key": "a", "type": "record-move-within", "data": {**move, "from_facility": N1, "to_facility": N2}},
    ]
    response = send(house, items, "?dry_run=true")
    results = response.json()["results"]
    assert results[0] == {
        "status": 200,
        "replayed": False,
        "events": [{"type": "moved-within.v1", "flags": ["late"]}],
        "told": {},
    }
    # The second is judged after the first: the person is no longer where it starts.
    assert codes(results)[1:4] == [
        "whereabouts-differ",
        "occurred-at-is-in-the-future",
        "time-has-no-offset",
    ]
    assert results[4] == {**results[0], "replayed": True}
    assert (house.head, response.json()["position"], response.headers["ledger-position"]) == (head, head, str(head))
    assert house.service.writer.register.position == head
    # No key was used up: the same request, not dry, is recorded as new.
    recorded = send(house, items[:1]).json()["results"][0]
    assert (recorded["status"], recorded["replayed"], recorded["position"]) == (201, False, head + 1)
    # What is recorded already is told as it stands, also by a dry run.
    assert send(house, items[:1], "?dry_run=true").json()["results"] == [{**recorded, "replayed": True}]


def test_an_atomic_dry_run_withholds_all_for_one(house: House) -> None:
    head = house.head
    items = [person("p-1"), person("p-2", **AHEAD), person("p-3")]
    results = send(house, items, "?dry_run=true&atomic=true").json()["results"]
    assert codes(results) == [
        "another-command-was-refused",
        "occurred-at-is-in-the-future",
        "another-command-was-refused",
    ]
    assert [result.get("refused") for result in results] == [1, None, 1]
    results = send(house, [items[0], items[2]], "?dry_run=true&atomic=true").json()["results"]
    assert [result["status"] for result in results] == [200, 200]
    assert house.head == head


@pytest.mark.parametrize("query", ["?dry_run=yes", "?dry_run", "?dry_run=true&dry_run=true", "?dryrun=true"])
def test_a_flag_is_true_or_false(quick: House, query: str) -> None:
    response = send(quick, [], query)
    assert (response.status_code, response.json()["code"]) == (422, "body-is-malformed")


def test_a_large_batch_is_read_whole(quick: House) -> None:
    items = [person(f"p-large-{number}") for number in range(500)]
    assert len(json.dumps(items)) > 64 * 1024
    results = send(quick, items).json()["results"]
    assert [result["position"] for result in results] == list(range(quick.head - 499, quick.head + 1))
