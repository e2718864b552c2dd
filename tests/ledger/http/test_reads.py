"""Every read: its shape, its filters, its pages, and both times."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import msgspec
import pytest

from ledger.http import rebuilds
from ledger.http.answers import entities, money, rows, service
from ledger.http.document.operations import SHAPES
from tests.ledger.http.house import House, held, house_at
from tests.ledger.http.recording import READS, answer_of
from tests.ledger.http.story import PERSON

SHAPE_OF: dict[str, type] = {
    "list-authorities": rows.Authorities,
    "show-authority": entities.AuthorityInFull,
    "list-facilities": rows.Facilities,
    "show-facility": entities.FacilityInFull,
    "list-agreements": rows.Agreements,
    "show-agreement": entities.AgreementInFull,
    "list-people": rows.People,
    "show-person": entities.PersonInFull,
    "show-custody": rows.Custody,
    "show-timeline": rows.Timeline,
    "show-roll": rows.Roll,
    "show-occupancy": rows.Occupancy,
    "show-occupancy-persons": rows.OccupancyPersons,
    "list-transfers": rows.Transfers,
    "show-transfer": entities.TransferInFull,
    "list-handovers": rows.Handovers,
    "show-handover": entities.HandoverInFull,
    "show-balances": money.Balances,
    "show-statement": money.Statement,
    "list-invoices": money.Invoices,
    "show-invoice": money.Invoice,
    "explain-line": money.Explanation,
    "list-events": rows.Events,
    "show-event": rows.LogEvent,
    "list-audit-trail": rows.AuditTrail,
    "list-projections": service.Projections,
    "show-projection": service.ProjectionInFull,
    "show-live": service.Live,
    "show-ready": service.Ready,
    "show-version": service.Version,
}


def test_every_read_is_among_them() -> None:
    assert set(SHAPE_OF) == set(READS)
    assert set(SHAPES.values()) == {*SHAPE_OF.values(), rows.CloudEvent, service.Rebuild}


@pytest.mark.parametrize("name", READS)
def test_every_read_answers_in_its_shape(storied: House, name: str) -> None:
    answer = answer_of(storied, READS[name])
    shape: Any = msgspec.convert(answer, SHAPE_OF[name])
    # Nothing but the declared fields, none left out, and no list empty in the story.
    assert set(answer) == {field.encode_name for field in msgspec.structs.fields(SHAPE_OF[name])}
    assert all(answer[part] for part in ("items", "statements", "persons") if part in answer), shape


def test_a_read_wants_an_actor(storied: House) -> None:
    for path in READS.values():
        response = storied.client.get(path)
        if path.startswith("/v1"):
            assert (response.status_code, response.json()["code"]) == (401, "actor-is-unknown"), path
        else:
            assert response.status_code == 200


def test_entities_bear_the_version_of_their_file(storied: House) -> None:
    register = storied.service.writer.register
    versions = {
        "/authorities/north": register.version("authority:north"),
        "/facilities/e-1": register.version("facility:e-1"),
        "/agreements/a1": register.version("agreement:a1"),
        "/transfers/t1": register.version("transfer:t1"),
        f"/people/{PERSON}": register.version(f"person:{PERSON}"),
        "/handovers/h1": register.version(f"person:{PERSON}"),
        "/invoices/CTL-0001": register.version("invoice:east:CTL-0001"),
    }
    assert {path: storied.get(path).headers["etag"] for path in versions} == {
        path: f'"{version}"' for path, version in versions.items()
    }


UNKNOWN = {
    "/authorities/nobody": "authority-is-unknown",
    "/facilities/nowhere": "facility-is-unknown",
    "/facilities/nowhere/roll": "facility-is-unknown",
    "/facilities/nowhere/occupancy?from=2025-03-01&to=2025-03-01": "facility-is-unknown",
    "/agreements/none": "agreement-is-unknown",
    "/people/nobody": "person-is-unknown",
    "/people/nobody/custody": "person-is-unknown",
    "/people/nobody/timeline": "person-is-unknown",
    "/transfers/none": "transfer-is-unknown",
    "/handovers/none": "handover-is-unknown",
    "/invoices/NONE-1": "invoice-is-unknown",
    "/invoices/NONE-1/lines/1/explanation": "invoice-is-unknown",
    "/invoices/CTL-0001/lines/9/explanation": "not-found",
    "/events/99999": "not-found",
    "/projections/nothing": "not-found",
    "/projections/people/rebuilds/none": "not-found",
    "/people?custodian=nobody": "authority-is-unknown",
    "/people?agreement=none": "agreement-is-unknown",
    "/people?at=facility:nowhere": "facility-is-unknown",
    "/transfers?person=nobody": "person-is-unknown",
    "/handovers?side=nobody": "authority-is-unknown",
    "/facilities?authority=nobody": "authority-is-unknown",
    "/balances?creditor=nobody": "authority-is-unknown",
    "/invoices?payer=nobody": "authority-is-unknown",
    "/audit-trail?person=nobody": "person-is-unknown",
    "/accounts/cash/statement?book=nobody": "authority-is-unknown",
}


@pytest.mark.parametrize("path", UNKNOWN)
def test_what_nobody_recorded_is_unknown_and_never_an_empty_list(storied: House, path: str) -> None:
    response = storied.client.get(f"/v1{path}", headers={"Custody-Actor": "north/north-1"})
    assert (response.status_code, response.json()["code"]) == (404, UNKNOWN[path])


REFUSED = {
    "/people?name=Somebody": ("body-is-malformed", ["/"]),
    "/people?limit=0": ("body-is-malformed", ["/limit"]),
    "/people?limit=501": ("body-is-malformed", ["/limit"]),
    "/people?status=here": ("code-is-not-listed", ["/status"]),
    "/people?cursor=Somebody": ("body-is-malformed", ["/cursor"]),
    "/people?min_position=-1": ("body-is-malformed", ["/min_position"]),
    "/people/UPPER": ("body-is-malformed", ["/person"]),
    f"/people/{PERSON}/custody?as_of=2025-03-05T12:00:00": ("time-has-no-offset", ["/as_of"]),
    f"/people/{PERSON}/custody?known_at=2025-03-05T12:00:00": ("time-has-no-offset", ["/known_at"]),
    f"/people/{PERSON}/custody?known_at=yesterday": ("body-is-malformed", ["/known_at"]),
    f"/people/{PERSON}/custody?compare_to=4": ("body-is-malformed", ["/"]),
    f"/people/{PERSON}/timeline?from=2025-03-02T00:00:00Z&to=2025-03-01T00:00:00Z": ("body-is-malformed", ["/to"]),
    "/facilities/e-1/occupancy": ("body-is-malformed", ["/from", "/to"]),
    "/facilities/e-1/occupancy?from=2025-03-02&to=2025-03-01": ("body-is-malformed", ["/to"]),
    "/facilities/e-1/occupancy?from=1999-03-02&to=2025-03-01": ("body-is-malformed", ["/to"]),
    "/facilities/e-1/occupancy?from=2025-03-01&to=2025-03-02&step=hour": ("code-is-not-listed", ["/step"]),
    "/accounts/gold/statement?book=east": ("code-is-not-listed", ["/account"]),
    "/balances?currency=ZZZ": ("currency-is-unknown", ["/currency"]),
    "/audit-trail?type=somebody-arrived.v1": ("code-is-not-listed", ["/type"]),
    "/audit-trail?first=9&last=8": ("body-is-malformed", ["/last"]),
    "/events?newest_first=true": ("body-is-malformed", ["/"]),
    "/events/zero": ("body-is-malformed", ["/position"]),
    "/projections?page=2": ("body-is-malformed", ["/"]),
}


@pytest.mark.parametrize("path", REFUSED)
def test_a_query_that_cannot_be_meant_is_refused(storied: House, path: str) -> None:
    response = storied.client.get(f"/v1{path}", headers={"Custody-Actor": "north/north-1"})
    problem = response.json()
    assert response.status_code == 422, response.text
    assert (problem["code"], problem["where"]) == REFUSED[path]
    assert "Somebody" not in response.text


def test_both_times(storied: House) -> None:
    events = storied.read("/events", limit=500)["items"]
    accepted = next(event["position"] for event in events if event["type"] == "handover-accepted.v1")
    then = {"as_of": "2025-03-05T12:00:00Z"}
    custody = storied.read(f"/people/{PERSON}/custody", **then)
    assert (custody["custodian"], custody["responsible"]["value"]) == (
        {"value": "east", "since": "2025-03-01T09:00:00Z", "ref": accepted},
        "north",
    )
    before = storied.read(f"/people/{PERSON}/custody", **then, known_at=accepted - 1)
    assert (before["custodian"]["value"], before["position"]) == ("north", accepted - 1)
    by_time = storied.read(f"/people/{PERSON}/custody", **then, known_at="2025-02-28T00:00:00Z")
    assert by_time["custodian"]["value"] == "north"
    roll = storied.read("/facilities/e-1/roll", **then)
    assert [row["person"] for row in roll["items"]] == [PERSON]
    assert storied.read("/facilities/e-1/roll", **then, known_at=accepted - 1)["items"] == []
    late = storied.get(f"/people/{PERSON}/custody", known_at=storied.head + 1, headers={"Prefer": "wait=0"})
    assert (late.status_code, late.json()["code"]) == (503, "projection-is-behind")


def test_the_days_of_the_place(storied: House) -> None:
    days = storied.read("/facilities/e-1/occupancy", from_=date(2025, 2, 27), to=date(2025, 4, 1))["items"]
    assert len(days) == 34
    assert all(day["start"] + day["in"] - day["out"] == day["end"] for day in days)
    assert sum(day["end"] for day in days) == 30


def test_what_is_owed_is_paid(storied: House) -> None:
    invoice = storied.read("/invoices/CTL-0001")
    assert (invoice["total"], invoice["open"]["amount"]) == ({"amount": "1643.70", "currency": "USD"}, "0.00")
    [balance] = storied.read("/balances", creditor="east")["items"]
    assert balance["open"] == {"amount": "0.00", "currency": "USD"}
    explained = storied.read("/invoices/CTL-0001/lines/1/explanation")
    assert explained["arithmetic"] == "30 x 54.79 = 1643.70"


def pages(house: House, path: str, **query: Any) -> Iterator[dict[str, Any]]:
    """Every page of a list, by its cursor alone."""
    response = house.get(path, **query)
    while True:
        assert response.status_code == 200, response.text
        yield response.json()
        cursor = response.json()["next"]
        assert (cursor is None) == ("link" not in response.headers)
        if cursor is None:
            return
        address = response.headers["link"].partition(">")[0].removeprefix("<")
        assert cursor in address
        response = house.client.get(address, headers={"Custody-Actor": "north/north-1", "Prefer": "wait=10"})


LISTS: dict[str, tuple[str, dict[str, Any]]] = {
    "/authorities": ("authority", {}),
    "/facilities": ("facility", {}),
    "/agreements": ("agreement", {"authority": "east"}),
    "/transfers": ("transfer", {"person": PERSON}),
    "/handovers": ("handover", {"transfer": "t1"}),
    "/people": ("person", {"file": "open"}),
    "/events": ("position", {"after": 3}),
    "/audit-trail": ("position", {"authority": "north"}),
    "/invoices": ("number", {"payer": "north"}),
}


@pytest.mark.parametrize("path", LISTS)
def test_the_pages_of_a_list_are_the_list(storied: House, path: str) -> None:
    key, query = LISTS[path]
    whole = storied.read(path, limit=500, **query)
    assert whole["next"] is None
    paged = [item for page in pages(storied, path, limit=1, **query) for item in page["items"]]
    assert paged == whole["items"]
    assert len({item[key] for item in paged}) == len(paged)


@pytest.mark.parametrize("path", LISTS)
def test_a_cursor_is_refused_elsewhere(storied: House, path: str) -> None:
    cursor = storied.read("/handovers", limit=1, transfer="t1")["next"]
    query: dict[str, Any] = {"transfer": "t-rejected"} if path == "/handovers" else {}
    other = storied.get(path, cursor=cursor, **query)
    assert (other.status_code, other.json()["where"]) == (422, ["/cursor"])


def test_a_cursor_of_one_place_is_refused_at_another(quick: House) -> None:
    for person in ("p-one", "p-two"):
        held(quick, person)
    cursor = quick.read("/facilities/n-1/roll", limit=1)["next"]
    other = quick.get("/facilities/n-2/roll", cursor=cursor)
    assert (other.status_code, other.json()["where"]) == (422, ["/cursor"])


def test_what_is_registered_meanwhile_is_on_no_further_page(quick: House) -> None:
    whole = [item["authority"] for item in quick.read("/authorities")["items"]]
    first = quick.read("/authorities", limit=1)
    fields = {"state": "NO", "legal_name": "new", "outside_register": False}
    quick.do("keeper", "register-authority", authority="newcomer", **fields)
    rest = [item["authority"] for page in pages(quick, "/authorities", cursor=first["next"]) for item in page["items"]]
    assert [first["items"][0]["authority"], *rest] == whole
    assert "newcomer" in [item["authority"] for item in quick.read("/authorities")["items"]]


def test_a_page_is_not_moved_by_what_is_recorded_meanwhile(house: House) -> None:
    for person in ("p-b", "p-d", "p-f"):
        held(house, person)
    firsts = {
        path: house.read(path, limit=2, **query)
        for path, query in {"/people": {}, "/facilities/n-1/roll": {}, "/audit-trail": {"newest_first": "true"}}.items()
    }
    for person in ("p-a", "p-c", "p-e", "p-g"):
        held(house, person)
    house.do("east", "register-person", person="p-z", identity_status="claimed", attributes={})
    house.clock.at("2025-02-20T12:00:00Z")
    people = [*firsts["/people"]["items"]]
    for page in pages(house, "/people", cursor=firsts["/people"]["next"]):
        people += page["items"]
    names = [row["person"] for row in people]
    assert names == sorted(names)
    assert {"p-b", "p-d", "p-f"} <= set(names)
    first = firsts["/facilities/n-1/roll"]
    [second] = pages(house, "/facilities/n-1/roll", cursor=first["next"])
    assert [row["person"] for row in (*first["items"], *second["items"])] == ["p-b", "p-d", "p-f"]
    assert (second["position"], second["as_of"]) == (first["position"], first["as_of"])
    trail = firsts["/audit-trail"]
    rest = [item for page in pages(house, "/audit-trail", cursor=trail["next"], limit=10) for item in page["items"]]
    positions = [item["position"] for item in (*trail["items"], *rest)]
    assert positions == list(range(trail["position"], 0, -1))


@pytest.mark.parametrize("path", ["/authorities/north", "/projections", "/projections/roll"])
def test_a_read_waits_for_the_position_asked_for(house: House, path: str) -> None:
    ahead = house.head + 1
    behind = house.get(path, min_position=ahead, headers={"Prefer": ""})
    assert (behind.status_code, behind.json()["code"], behind.json()["needed"]) == (503, "projection-is-behind", ahead)
    assert behind.headers["retry-after"].isdecimal()
    assert house.get(path, min_position=house.head).headers["ledger-position"] == str(house.head)


def test_a_view_that_does_not_run_is_behind_and_says_so(sqlite_url: str) -> None:
    with house_at(sqlite_url, run_views=False) as house:
        house.service.views.catch_up()
        house.do("keeper", "register-authority", authority="n", state="NO", legal_name="n", outside_register=False)
        response = house.get("/audit-trail", by="keeper", headers={"Prefer": "wait=0"})
        assert (response.status_code, response.json()["code"], response.json()["view"]) == (
            503,
            "projection-is-behind",
            "audit_trail",
        )
        [view] = [item for item in house.read("/projections", by="keeper")["items"] if item["view"] == "audit_trail"]
        assert (view["lag"], view["state"]) == (1, "behind")
        assert house.client.get("/health/ready").status_code == 200


def test_a_rebuild_is_accepted_and_can_be_followed(house: House) -> None:
    held(house)
    before = house.read("/projections/roll")["generation"]
    response = house.post("/projections/roll/rebuilds", None)
    assert response.status_code == 202
    address = response.headers["location"].removeprefix("/v1")
    state = msgspec.convert(response.json(), service.Rebuild)
    for _ in range(600):
        state = msgspec.convert(house.read(address), service.Rebuild)
        if state.state != "running":
            break
        house.service.views.wait_until("roll", house.head + 1, 0.1)
    assert (state.state, state.differing, state.error) == ("switched", 0, None)
    assert house.read("/projections/roll")["generation"] > before
    assert house.post("/projections/nothing/rebuilds", None).status_code == 404


def test_a_rebuilding_process_that_speaks_another_language_is_ended(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = "print('not JSON', flush=True); import sys; sys.stdin.read()"
    started: list[subprocess.Popen[str]] = []

    def start(*_arguments: str, **_settings: object) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        started.append(subprocess.Popen([sys.executable, "-c", program], stdin=pipe, stdout=pipe, text=True))
        return started[-1]

    monkeypatch.setattr(rebuilds, "start_child", start)
    address = house.post("/projections/roll/rebuilds", None).headers["location"].removeprefix("/v1")
    for _ in range(600):
        state = house.read(address)["state"]
        if state != "running":
            break
        house.service.views.wait_until("roll", house.head + 1, 0.1)
    [child] = started
    assert (state, child.poll()) == ("failed", 0)


def test_a_time_with_its_offset_is_understood(storied: House) -> None:
    there = storied.read(f"/people/{PERSON}/custody", as_of="2025-03-05T13:00:00+01:00")
    assert datetime.fromisoformat(there["as_of"]) == datetime.fromisoformat("2025-03-05T12:00:00Z")
