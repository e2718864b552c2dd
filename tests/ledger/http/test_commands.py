"""Commands over HTTP: what an answer says, repeats, versions, and many in one request."""

from __future__ import annotations

from typing import Any

from domain.rules.table import RULES
from ledger.http.commands.routes import ROUTES, match
from tests.ledger.http.house import House, held, offered, officer
from tests.scene import ANN, E1, EAST, KEEPER, NORTH, TERMS

PERSON: dict[str, Any] = {
    "person": ANN,
    "identity_status": "established",
    "attributes": {},
    "occurred_at": "2025-02-20T08:00:00Z",
}


def test_an_answer_says_where_the_record_has_it(house: House) -> None:
    before = house.head
    response = house.post("/people", PERSON)
    assert response.status_code == 201
    assert response.headers["ledger-position"] == str(before + 1)
    assert response.headers["etag"] == '"1"'
    assert response.headers["location"] == f"/v1/people/{ANN}"
    [event] = response.json()["events"]
    recorded = house.read(f"/events/{before + 1}")
    assert event == {
        "position": before + 1,
        "event_id": recorded["event_id"],
        "type": "person-registered.v1",
        "stream": f"person:{ANN}",
        "stream_version": 1,
        "leaf_hash": recorded["leaf_hash"],
        "flags": [],
    }
    assert response.json() == {"position": before + 1, "events": [event], "told": {}}


def test_what_the_caller_could_not_know_is_told(quick: House) -> None:
    agreement = {
        "agreement": "a2",
        "revision": 1,
        "parties": [{"authority": NORTH, "role": "sending"}, {"authority": EAST, "role": "receiving"}],
        "legal_bases": ["custody-contract"],
        "terms": TERMS,
        "from": "2026-01-01",
        "to": "2026-12-31",
    }
    told = quick.post("/agreements", agreement).json()["told"]
    assert told == {"terms_digest": quick.read("/agreements/a2")["revisions"][0]["drafted"]["body"]["terms_digest"]}


def test_the_offer_is_found_by_the_address_it_is_answered_with(quick: House) -> None:
    held(quick, "p-loc")
    answer = offered(quick, "p-loc", "tr-loc", "h-loc")
    response = quick.get("/handovers/h-loc")
    assert response.json()["leaf_hash"] == answer["events"][0]["leaf_hash"]


def test_the_same_key_with_the_same_command_is_answered_as_before(house: House) -> None:
    first = house.post("/people", PERSON, key="once")
    head = house.head
    again = house.post("/people", PERSON, key="once")
    assert (again.status_code, again.content, house.head) == (201, first.content, head)
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert {name: again.headers[name] for name in ("etag", "location", "ledger-position")} == {
        name: first.headers[name] for name in ("etag", "location", "ledger-position")
    }


def test_the_same_key_with_another_command_is_refused(house: House) -> None:
    house.post("/people", PERSON, key="once")
    head = house.head
    other = house.post("/people", {**PERSON, "person": "p-other"}, key="once")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency-key-was-used-for-another-body")
    assert house.head == head


def test_keys_are_an_authoritys_own(house: House) -> None:
    house.post("/people", PERSON, key="once")
    assert house.post("/people", {**PERSON, "person": "p-east"}, by=EAST, key="once").status_code == 201


def test_the_key_of_a_refused_command_can_be_tried_again(house: House) -> None:
    ahead = {**PERSON, "occurred_at": "2025-02-20T10:00:00Z"}
    refused = house.post("/people", ahead, key="patient")
    assert (refused.status_code, refused.json()["code"]) == (409, "occurred-at-is-in-the-future")
    house.clock.at("2025-02-20T10:00:00Z")
    assert house.post("/people", ahead, key="patient").status_code == 201


def test_the_version_the_caller_has_seen(quick: House) -> None:
    quick.post("/people", {**PERSON, "person": "p-version"})
    tag = quick.get("/people/p-version").headers["etag"]
    moved = {"facility": "n-1", "since": "2025-02-20T08:30:00Z", "how": "seen", "occurred_at": "2025-02-20T08:30:00Z"}
    path = "/people/p-version/presences"
    assert quick.post(path, moved, headers={"If-Match": tag}).status_code == 201
    stale = quick.post(path, moved, headers={"If-Match": tag})
    assert (stale.status_code, stale.json()["code"], stale.json()["version"]) == (412, "version-has-moved", 2)
    assert quick.post(path, moved, headers={"If-Match": "*"}).status_code == 201


def test_a_refusal_tells_its_data_and_its_own_status(quick: House) -> None:
    held(quick, "p-held")
    response = quick.post("/people/p-held/custody", {}, by=EAST)
    assert response.status_code == 422
    offer = quick.post("/handovers/h-none/refusal", {"answers": "A" * 43 + "=", "reasons": ["no-space"]}, by=EAST)
    problem = offer.json()
    assert (problem["status"], problem["code"], problem["handover"]) == (404, "handover-is-unknown", "h-none")
    assert problem["type"] == "/problems/handover-is-unknown"


def test_the_correlation_id_stands_in_the_event_and_in_the_problem(quick: House) -> None:
    headers = {"Correlation-Id": "case-77"}
    position = quick.post("/people", {**PERSON, "person": "p-corr"}, headers=headers).json()["position"]
    assert quick.read(f"/events/{position}")["correlation_id"] == "case-77"
    refused = quick.post("/people", {**PERSON, "person": "p-corr", "identity_status": "claimed"}, headers=headers)
    assert (refused.status_code, refused.json()["correlation_id"]) == (409, "case-77")


def batch(house: House, items: list[dict[str, Any]], *, atomic: str | None = None, by: str = NORTH) -> list[Any]:
    query = f"?atomic={atomic}" if atomic is not None else ""
    response = house.client.post(f"/v1/commands{query}", json=items, headers={"Custody-Actor": officer(by)})
    assert response.status_code == 200, response.text
    document = response.json()
    assert document["position"] == house.head == int(response.headers["ledger-position"])
    results: list[Any] = document["results"]
    return results


def item(person: str, **changes: Any) -> dict[str, Any]:
    return {"key": f"key-{person}", "type": "register-person", "data": {**PERSON, "person": person, **changes}}


GOOD, ALSO_GOOD = item("p-1"), item("p-2")
REFUSED = item("p-3", occurred_at="2025-02-20T10:00:00Z")
UNFIT = item("p-4", occurred_at="2025-02-20T10:00:00")


def test_each_command_of_a_batch_on_its_own(house: House) -> None:
    head = house.head
    results = batch(house, [GOOD, REFUSED, UNFIT, ALSO_GOOD])
    assert [result["status"] for result in results] == [201, 409, 422, 201]
    assert [result.get("code") for result in results] == [
        None,
        "occurred-at-is-in-the-future",
        "time-has-no-offset",
        None,
    ]
    assert [result.get("position") for result in results] == [head + 1, None, None, head + 2]
    again = batch(house, [GOOD, ALSO_GOOD])
    assert [result["replayed"] for result in again] == [True, True]
    assert house.head == head + 2


def test_an_atomic_batch_is_recorded_whole_or_not_at_all(house: House) -> None:
    head = house.head
    for wrong, code in ((REFUSED, "occurred-at-is-in-the-future"), (UNFIT, "time-has-no-offset")):
        results = batch(house, [GOOD, wrong, ALSO_GOOD], atomic="true")
        assert [result["code"] for result in results] == [
            "another-command-was-refused",
            code,
            "another-command-was-refused",
        ]
        assert [result.get("refused") for result in results] == [1, None, 1]
        assert house.head == head
    assert [result["status"] for result in batch(house, [GOOD, ALSO_GOOD], atomic="true")] == [201, 201]
    assert house.head == head + 2


def test_an_item_that_is_no_command(quick: House) -> None:
    head = quick.head
    odd: list[dict[str, Any]] = [
        {"key": "a", "type": "no-such-command", "data": {}},
        {"key": "b", "type": "register-person"},
        {"key": "c", "type": "register-person", "data": {}, "more": 1},
        {"type": "register-person", "data": {**PERSON, "person": "p-nokey"}},
        {"key": 7, "type": "register-person", "data": {**PERSON, "person": "p-seven"}},
    ]
    results = batch(quick, odd)
    assert [result["code"] for result in results] == [
        "code-is-not-listed",
        "body-is-malformed",
        "body-is-malformed",
        "idempotency-key-is-missing",
        "body-is-malformed",
    ]
    assert quick.head == head


def test_a_batch_of_nobody_is_refused_whole(quick: House) -> None:
    response = quick.client.post("/v1/commands", json=[GOOD], headers={"Custody-Actor": "nobody/o-1"})
    assert (response.status_code, response.json()["code"]) == (401, "actor-is-unknown")


def test_an_empty_batch_changes_nothing(quick: House) -> None:
    assert batch(quick, []) == []


def test_every_command_of_the_slice_has_a_route() -> None:
    assert set(ROUTES.values()) == set(RULES)
    for path, name in ROUTES.items():
        fields = {part[1:-1]: "x" for part in path.split("/") if part.startswith("{")}
        filled = "/".join("x" if part.startswith("{") else part for part in path.split("/"))
        assert match(f"/v1{filled}") == (name, fields)
        assert set(fields) <= set(RULES[name].command.model_fields)


def test_roles_are_judged_though_nobody_signs(quick: House) -> None:
    response = quick.post(f"/facilities/{E1}/regime", {"supervising_authority": KEEPER}, by=NORTH)
    assert response.status_code == 422
    fields = {"authority": "x", "state": "NO", "legal_name": "x", "outside_register": False}
    refused = quick.post("/authorities", fields, by=NORTH)
    assert (refused.status_code, refused.json()["code"], refused.json()["roles"]) == (
        403,
        "role-is-not-held",
        ["registrar"],
    )
