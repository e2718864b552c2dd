"""The way in: whatever is wrong with a request is told with a code, records nothing and is not repeated (TRUST §13)."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from ledger.http.app import create_app
from ledger.http.commands.routes import BATCH, PREFIX
from tests.ledger.http.house import House
from tests.scene import ANN, DIGEST, E1, NORTH, SEALED
from tests.shared_data import body_of, own_vectors

ROWS = own_vectors("strict_gate")["cases"]
SECRET = "Unrepeatable"
WHO = {"Custody-Actor": "north/north-1", "Idempotency-Key": "gate-1"}


@pytest.mark.parametrize("case", [pytest.param(case, id=case["name"]) for case in ROWS])
def test_the_gates_rows(quick: House, case: dict[str, Any]) -> None:
    before = quick.head
    content_type = case.get("content_type", "application/json")
    path = BATCH if case.get("route") == "batch" else f"{PREFIX}/people"
    headers = {**WHO, **({"Content-Type": content_type} if content_type is not None else {})}
    response = quick.client.post(path, content=body_of(case), headers=headers)
    wanted = case["want_status"]
    if wanted == 200:
        assert response.status_code in {200, 201, 422}, response.text
    else:
        problem = response.json()
        assert (response.status_code, problem["code"]) == (wanted, case["want_code"])
        assert problem.get("reason") == case.get("want_reason")
    assert quick.head == before


def test_a_body_is_counted_where_no_length_is_told(quick: House) -> None:
    def pieces() -> Any:
        for _ in range(70):
            yield b" " * 1024

    headers = {**WHO, "Content-Type": "application/json"}
    response = quick.client.post(f"{PREFIX}/people", content=pieces(), headers=headers)
    assert (response.status_code, response.json()["code"]) == (413, "body-is-too-large")


PERSON: dict[str, Any] = {"identity_status": "established", "attributes": {}, "occurred_at": "2025-02-01T09:00:00Z"}
PAYMENT: dict[str, Any] = {
    "agreement": "a1",
    "amount": {"amount": "10.00", "currency": "USD"},
    "external_ref": SECRET,
    "value_date": "2025-02-01",
}
BAD: dict[str, tuple[str, dict[str, Any], int, str]] = {
    "an unknown field": ("/people", {**PERSON, "name": SECRET}, 422, "body-is-malformed"),
    "an unknown field whose name is the value": ("/people", {**PERSON, SECRET: 1}, 422, "body-is-malformed"),
    "a field of an open object named by the value": (
        "/people",
        {**PERSON, "attributes": {SECRET: SEALED}},
        422,
        "body-is-malformed",
    ),
    "a personal value where a commitment belongs": (
        "/people",
        {**PERSON, "attributes": {"family_name": SECRET}},
        422,
        "body-is-malformed",
    ),
    "a naive time": ("/people", {**PERSON, "occurred_at": "2025-02-01T09:00:00"}, 422, "time-has-no-offset"),
    "a time that is none": ("/people", {**PERSON, "occurred_at": SECRET}, 422, "body-is-malformed"),
    "a time long ago": ("/people", {**PERSON, "occurred_at": "0001-01-01T00:00:00Z"}, 422, "body-is-malformed"),
    "an id that is too long": ("/people", {**PERSON, "person": "a" * 65}, 422, "body-is-malformed"),
    "an id in another script": ("/people", {**PERSON, "person": "pеrson"}, 422, "body-is-malformed"),
    "a code that is not listed": ("/people", {**PERSON, "identity_status": SECRET}, 422, "code-is-not-listed"),
    "a boolean for a number": (
        f"/facilities/{E1}/capacity",
        {"operational_capacity": True, "from": "2025-01-01", "certificate": DIGEST, "approved_by": ["a", "b"]},
        422,
        "body-is-malformed",
    ),
    "a field of the path in the body": (f"/people/{ANN}/bases", {"person": ANN}, 422, "body-is-malformed"),
    "an amount as a number": ("/payments", {**PAYMENT, "amount": 10}, 422, "amount-is-not-text"),
    "an amount with too many decimals": (
        "/payments",
        {**PAYMENT, "amount": {"amount": "10.001", "currency": "USD"}},
        422,
        "amount-is-too-precise",
    ),
    "an amount that is none": (
        "/payments",
        {**PAYMENT, "amount": {"amount": SECRET, "currency": "USD"}},
        422,
        "amount-is-malformed",
    ),
    "a currency nobody uses": (
        "/payments",
        {**PAYMENT, "amount": {"amount": "10.00", "currency": "ZZZ"}},
        422,
        "currency-is-unknown",
    ),
    "more money than there is": (
        "/payments",
        {**PAYMENT, "amount": {"amount": "90071992547409.92", "currency": "USD"}},
        422,
        "amount-is-out-of-range",
    ),
    "a time in the future": (
        "/people",
        {**PERSON, "occurred_at": "2025-02-20T09:06:00Z"},
        409,
        "occurred-at-is-in-the-future",
    ),
    "a State that is none": (
        "/authorities",
        {"authority": "new", "state": SECRET, "legal_name": "New", "outside_register": False},
        403,
        "role-is-not-held",
    ),
}


@pytest.mark.parametrize("sentence", BAD)
def test_bad_input_is_a_problem_with_a_code(quick: House, sentence: str) -> None:
    path, body, status, code = BAD[sentence]
    before = quick.head
    response = quick.post(path, body)
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert response.headers["content-type"] == "application/problem+json"
    assert quick.head == before
    assert SECRET not in response.text


def test_a_state_that_is_none_is_not_repeated_either(quick: House) -> None:
    body = {"authority": "new", "state": SECRET, "legal_name": "New", "outside_register": False}
    response = quick.post("/authorities", body, by="keeper")
    assert (response.status_code, response.json()["code"]) == (409, "state-is-not-recognised")
    assert SECRET not in response.text


HEADERS: dict[str, tuple[dict[str, str], int, str]] = {
    "no actor": ({"Custody-Actor": ""}, 401, "actor-is-unknown"),
    "an actor without an officer": ({"Custody-Actor": NORTH}, 401, "actor-is-unknown"),
    "an authority nobody registered": ({"Custody-Actor": "nobody/o-1"}, 401, "actor-is-unknown"),
    "an officer who cannot be one": ({"Custody-Actor": "north/O 1"}, 401, "actor-is-unknown"),
    "no key": ({"Idempotency-Key": ""}, 400, "idempotency-key-is-missing"),
    "a key that is too long": ({"Idempotency-Key": "k" * 65}, 422, "body-is-malformed"),
    "a version that is none": ({"If-Match": "latest"}, 422, "body-is-malformed"),
}


@pytest.mark.parametrize("sentence", HEADERS)
def test_headers(quick: House, sentence: str) -> None:
    headers, status, code = HEADERS[sentence]
    before = quick.head
    response = quick.post("/people", PERSON, headers=headers)
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert quick.head == before


def test_a_command_takes_no_query(quick: House) -> None:
    response = quick.post("/people?dry_run=true", PERSON)
    assert (response.status_code, response.json()["code"]) == (422, "body-is-malformed")
    twice = quick.post("/commands?atomic=true&atomic=false", [])
    assert (twice.status_code, twice.json()["code"]) == (422, "body-is-malformed")


ANSWERED = {
    "a read": ("GET", "/v1/people"),
    "a read that is refused": ("GET", "/v1/people/nobody"),
    "a command that is refused": ("POST", "/v1/people"),
    "nothing at all": ("GET", "/v1/nothing"),
    "an edit": ("PUT", "/v1/people/p1"),
    "health": ("GET", "/health/live"),
    "the document": ("GET", "/openapi.json"),
    "the page of operations": ("GET", "/docs"),
    "the page of a problem": ("GET", "/problems/person-is-unknown"),
}


@pytest.mark.parametrize("sentence", ANSWERED)
def test_every_answer_has_the_security_headers_and_the_position(quick: House, sentence: str) -> None:
    method, path = ANSWERED[sentence]
    headers = quick.client.request(method, path, headers={"Custody-Actor": "north/n-1"}).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["ledger-position"].isdecimal()


def test_a_service_that_only_answers_questions_says_so(quick: House) -> None:
    client = TestClient(create_app(quick.service, read_only=True))
    for path, body in (("/v1/people", PERSON), ("/v1/commands", [])):
        response = client.post(path, json=body, headers=WHO)
        assert (response.status_code, response.json()["code"]) == (503, "ledger-is-read-only")
    assert client.get("/v1/people", headers=WHO).status_code == 200


METHODS = [
    ("PUT", "/v1/people", {"GET", "HEAD", "POST"}),
    ("PATCH", "/v1/people/p1", {"GET", "HEAD"}),
    ("DELETE", "/v1/holds", {"POST"}),
    ("DELETE", "/v1/events/1", {"GET", "HEAD"}),
    ("GET", "/v1/people/p1/moves", {"POST"}),
    ("GET", "/v1/commands", {"POST"}),
]


@pytest.mark.parametrize(("method", "path", "allowed"), METHODS)
def test_nothing_recorded_is_edited(quick: House, method: str, path: str, allowed: set[str]) -> None:
    response = quick.client.request(method, path, headers=WHO)
    assert (response.status_code, response.json()["code"]) == (405, "method-is-not-allowed")
    assert set(response.headers["allow"].split(", ")) == allowed


@pytest.mark.parametrize("path", ["/v1/nothing", "/v1/people/", "/nothing", "/v1/events/999999", "/problems/nothing"])
def test_nothing_at_an_address(quick: House, path: str) -> None:
    response = quick.client.get(path, headers=WHO)
    assert (response.status_code, response.json()["code"]) == (404, "not-found")
    assert response.json()["type"] == "/problems/not-found"
