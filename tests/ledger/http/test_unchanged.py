"""`If-None-Match`: nobody is sent again what they have, and nobody is told that nothing has moved when it has."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from projections import Answer, Item, Views, When
from projections import invoices as invoices_view
from tests.ledger.http.house import House, handed_over, held, offered
from tests.ledger.http.recording import READS, answer_of
from tests.ledger.http.serving import PATIENCE
from tests.ledger.http.story import PERSON, money_agreed
from tests.scene import ANN, COURT, DIGEST, E1, EAST, KEEPER, N1, NORTH, WATCH

NORTHERN = {"Custody-Actor": "north/north-1"}
ENTITIES = (
    "/v1/authorities/north",
    "/v1/facilities/e-1",
    "/v1/agreements/a2",
    f"/v1/people/{PERSON}",
    "/v1/handovers/h1",
    "/v1/invoices/CTL-0001",
)
ITS_OWN = '"{}"'
NAMED = (
    ITS_OWN,
    'W/"{}"',
    '"1000", "{}"',
    '"1000",W/"{}" , "x,y"',
    ', ,"{}",',
    "*",
)
NOT_NAMED = ('"1000"', 'W/"1000"', '"1{}"', '"x{}", "1000"', '""', "")
MALFORMED = ("{}", "{}, *", '*, "{}"', '"{}', 'w/"{}"', '"{}" "1000"', '"a b"')


def asked(house: House, path: str, given: str, method: str = "GET") -> Any:
    return house.client.request(method, path, headers={**NORTHERN, "If-None-Match": given})


@pytest.fixture
def has(house: House) -> Any:
    """Whether who has the present answer at a path is told later that it is unchanged."""

    def keep(path: str) -> Any:
        tag = house.get(path).headers["etag"]
        assert house.get(path, headers={"If-None-Match": tag}).status_code == 304
        return lambda: house.get(path, headers={"If-None-Match": tag}).status_code == 304

    return keep


@pytest.mark.parametrize("path", ENTITIES)
def test_who_has_the_version_is_not_sent_it_again(storied: House, path: str) -> None:
    answer_of(storied, path)
    whole = storied.client.get(path, headers=NORTHERN)
    version = whole.headers["etag"].strip('"')
    kept = {"etag", "ledger-position", "cache-control", "vary"} & set(whole.headers)
    for method in ("GET", "HEAD"):
        for given in NAMED:
            answer = asked(storied, path, given.format(version), method)
            assert (answer.status_code, answer.content) == (304, b""), given
            assert {name: answer.headers[name] for name in kept} == {name: whole.headers[name] for name in kept}
            assert not {"content-type", "content-length"} & set(answer.headers)
        for given in NOT_NAMED:
            answer = asked(storied, path, given.format(version), method)
            assert answer.status_code == 200, given
            assert answer.content == (whole.content if method == "GET" else b"")
    for given in MALFORMED:
        refused = asked(storied, path, given.format(version))
        assert (refused.status_code, refused.json()["where"]) == (422, ["/If-None-Match"]), given


def test_several_lines_of_the_header_are_one_list(storied: House) -> None:
    tag = storied.get("/authorities/north").headers["etag"]
    lines = [("Custody-Actor", "north/north-1"), ("If-None-Match", '"1000"'), ("If-None-Match", tag)]
    assert storied.client.get("/v1/authorities/north", headers=lines).status_code == 304


def test_what_is_not_answered_is_not_unchanged(storied: House) -> None:
    unknown = asked(storied, "/v1/authorities/nobody", "*")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "authority-is-unknown")
    nobody = storied.client.get("/v1/authorities/north", headers={"If-None-Match": "*"})
    assert (nobody.status_code, nobody.json()["code"]) == (401, "actor-is-unknown")
    behind = storied.client.get(
        f"/v1/authorities/north?min_position={storied.head + 1}", headers={**NORTHERN, "If-None-Match": "*"}
    )
    assert behind.status_code == 503


def test_head_is_get_without_its_body(storied: House) -> None:
    for name, path in READS.items():
        answer_of(storied, path)
        head, get = (storied.client.request(method, path, headers=NORTHERN) for method in ("HEAD", "GET"))
        # How far a view is moves between any two questions.
        unsteady = {"correlation-id", *({"content-length"} if "projection" in name else ())}
        told = [{key: value for key, value in one.headers.items() if key not in unsteady} for one in (head, get)]
        assert (head.status_code, head.content, told[0]) == (200, b"", told[1]), name
    assert storied.client.head("/v1/events/stream", headers=NORTHERN).headers["content-type"].startswith("text/event")
    assert storied.client.head("/v1/people/nobody", headers=NORTHERN).status_code == 404


def test_each_event_of_its_own_moves_an_entity(house: House, has: Any) -> None:
    held(house)
    authority, facility, person = has("/authorities/north"), has("/facilities/n-1"), has(f"/people/{ANN}")
    house.do(KEEPER, "set-authority-roles", authority=NORTH, roles=[{"role": "sending", "from": "2024-01-01"}])
    assert (authority(), facility(), person()) == (False, True, True)
    house.do(
        WATCH,
        "set-facility-regime",
        facility=N1,
        supervising_authority=WATCH,
        use="prohibited",
        from_="2025-04-01T00:00:00Z",
    )
    assert (facility(), person()) == (False, True)
    seen = {"facility": N1, "since": "2025-02-19T10:00:00Z", "how": "seen", "occurred_at": "2025-02-19T10:00:00Z"}
    house.do(NORTH, "report-presence", person=ANN, **seen)
    assert not person()


def test_what_is_recorded_elsewhere_moves_an_entity_too(house: House, has: Any) -> None:
    """Custody passes on the person's stream, so the transfer's version stands still; and the other way about."""
    held(house)
    offer = offered(house)
    handover = has("/handovers/h-1")
    transfer_tag = house.get("/transfers/tr-1").headers["etag"]
    leaf_hash = offer["events"][0]["leaf_hash"]
    house.do(EAST, "refuse-handover", handover="h-1", answers=leaf_hash, reasons=["papers-missing"])
    assert not handover()
    person, handover = has(f"/people/{ANN}"), has("/handovers/h-1")
    assert house.get("/transfers/tr-1").headers["etag"] == transfer_tag
    answer = house.get("/transfers/tr-1", headers={"If-None-Match": transfer_tag})
    assert (answer.status_code, answer.json()["status"]) == (200, "refused")
    house.do(NORTH, "cancel-transfer", transfer="tr-1", reason="no-longer-needed", fault="none")
    assert has("/transfers/tr-1")()
    assert (person(), handover()) == (False, False)


def test_time_moves_a_person(house: House, has: Any) -> None:
    """A hold begins and ends without anything being recorded then."""
    held(house)
    hold = {"forbids": ["depart"], "effective_at": "2025-02-22T09:00:00Z", "instrument": DIGEST}
    house.do(COURT, "place-hold", hold="hold-1", persons=[ANN], until="2025-02-24T09:00:00Z", **hold)
    person = has(f"/people/{ANN}")
    tag = house.get(f"/people/{ANN}").headers["etag"]
    house.clock.at("2025-02-22T08:59:59Z")
    assert person()
    for now, in_force in (("2025-02-22T09:00:00Z", True), ("2025-02-24T09:00:00Z", False)):
        house.clock.at(now)
        answer = house.get(f"/people/{ANN}", headers={"If-None-Match": tag})
        assert (answer.status_code, answer.headers["etag"]) == (200, tag)
        assert [one["in_force"] for one in answer.json()["holds"]] == [in_force]


def test_an_invoice_moves_its_agreement(house: House, has: Any) -> None:
    money_agreed(house.do)
    handed_over(held(house))
    house.clock.at("2025-04-02T09:00:00Z")
    period = {"from": "2025-02-01", "to": "2025-02-28"}
    house.do(EAST, "close-period", agreement="a1", period=period)
    agreement = has("/agreements/a1")
    number = house.do(EAST, "issue-invoice", agreement="a1", period=period)["told"]["number"]
    assert not agreement()
    invoice = has(f"/invoices/{number}")
    payable = house.read(f"/invoices/{number}")["total"]
    house.do("north/treasurer-1", "approve-invoice", number=number, payable=payable)
    assert not invoice()
    house.do(EAST, "close-period", agreement="a1", period={"from": "2025-03-01", "to": "2025-03-31"})
    assert has("/agreements/a1")()
    assert E1 in house.get("/agreements/a1").text


def test_an_invoice_that_moves_while_it_is_read_is_not_unchanged(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its version is that of the register's position; what the view answers from a later one is told without."""
    money_agreed(house.do)
    handed_over(held(house))
    house.clock.at("2025-04-02T09:00:00Z")
    period = {"from": "2025-02-01", "to": "2025-02-28"}
    house.do(EAST, "close-period", agreement="a1", period=period)
    issued = house.do(EAST, "issue-invoice", agreement="a1", period=period)["told"]["number"]
    total = house.read(f"/invoices/{issued}")["total"]
    tag, read = house.get(f"/invoices/{issued}").headers["etag"], invoices_view.invoice

    def read_after_one_more(views: Views, when: When, number: str) -> Answer[Item | None]:
        house.do("north/treasurer-1", "approve-invoice", number=number, payable=total)
        return read(views, replace(when, min_position=house.head, wait=PATIENCE), number)

    monkeypatch.setattr(invoices_view, "invoice", read_after_one_more)
    answer = house.get(f"/invoices/{issued}", headers={"If-None-Match": tag})
    assert (answer.status_code, "etag" in answer.headers) == (200, False)
    assert [one["officer"] for one in answer.json()["approvals"]] == ["treasurer-1"]
