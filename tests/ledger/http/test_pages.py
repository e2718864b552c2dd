"""Lists taken page by page while others record: the pages together are one list, as it was when it was begun."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from calendar import monthrange
from collections.abc import Iterator
from typing import Any

import pytest

from tests.ledger.http.house import House, handed_over, held, offered
from tests.ledger.http.story import money_agreed
from tests.scene import DIGEST, EAST, KEEPER, N1, N2, NORTH, TERMS, WATCH

Json = dict[str, Any]
NORTHERN = {"Custody-Actor": "north/north-1", "Prefer": "wait=10"}

SPEAK_FOR_THE_FIRST: dict[str, tuple[str, Json]] = {
    "/events": ("position", {}),
    "/events?after=3": ("position", {"after": 3}),
    "/audit-trail": ("position", {}),
    "/audit-trail?newest_first=true": ("position", {"newest_first": "true"}),
    "/audit-trail?person=p-d": ("position", {"person": "p-d"}),
    "/facilities/n-1/roll": ("person", {}),
    "/facilities/n-1/roll?custodian=north": ("person", {"custodian": "north"}),
}
"""Lists whose further pages are those of the first page's position, to the letter; key and filters."""

SHOW_HOW_IT_STANDS: dict[str, tuple[str, Json]] = {
    "/authorities": ("authority", {}),
    "/authorities?state=NO": ("authority", {"state": "NO"}),
    "/facilities": ("facility", {}),
    "/facilities?authority=north": ("facility", {"authority": "north"}),
    "/agreements": ("agreement", {}),
    "/transfers": ("transfer", {}),
    "/transfers?agreement=a1": ("transfer", {"agreement": "a1"}),
    "/handovers": ("handover", {}),
    "/handovers?side=east": ("handover", {"side": "east"}),
    "/people": ("person", {}),
    "/people?responsible=north": ("person", {"responsible": "north"}),
}
"""Lists of what there is: each item as it stands when its page is asked for; none is doubled, left out or new."""


def furnished_with_people(house: House) -> None:
    money_agreed(house.do)
    for person in ("p-b", "p-d", "p-f"):
        held(house, person)
        offered(house, person, f"tr-{person}", f"h-{person}")


def others_record(house: House) -> None:
    """Something of every kind, in each list before, between and behind what is there; and changes to what is there."""
    for name in ("a-new", "n-new", "z-new"):
        fields: Json = {"state": "NO", "legal_name": name, "outside_register": False}
        house.do(KEEPER, "register-authority", authority=name, **fields)
        fields = {"authority": NORTH, "state": "NO", "kind": "prison", "zone": "Europe/Oslo", "recognised_by": DIGEST}
        house.do(KEEPER, "register-facility", facility=name, **fields, supervising_authority=WATCH)
        parties = [{"authority": NORTH, "role": "sending"}, {"authority": EAST, "role": "receiving"}]
        fields = {"parties": parties, "legal_bases": ["custody-contract"], "terms": TERMS, "to": "2026-12-31"}
        house.do(NORTH, "draft-agreement", agreement=name, revision=1, **fields, from_="2026-01-01")
    for person in ("p-a", "p-c", "p-e", "p-g"):
        held(house, person)
        offered(house, person, f"tr-{person}", f"h-{person}")
    wrong = house.read("/events", by=NORTH, limit=500)["items"]
    opened = next(event for event in wrong if event["type"] == "custody-opened.v1" and event["stream"] == "person:p-d")
    confirmed = {"authority": "audit", "officer": "audit-1"}
    house.do(NORTH, "correct-fact", corrects=opened["event_id"], reason="did-not-occur", countersigned_by=confirmed)
    move = {"from_facility": N1, "to_facility": N2, "reason": "placement"}
    house.do(NORTH, "record-move-within", person="p-f", **move, occurred_at="2025-02-20T08:00:00Z")
    house.do(NORTH, "cancel-transfer", transfer="tr-p-a", reason="no-longer-needed", fault="none")
    house.clock.at("2025-02-20T15:00:00Z")


def rest(house: House, first: Json, path: str) -> Iterator[Json]:
    """The further pages, by the cursor alone."""
    cursor = first["next"]
    while cursor is not None:
        response = house.client.get(f"/v1{path}", params={"cursor": cursor, "limit": "1"}, headers=NORTHERN)
        assert response.status_code == 200, response.text
        yield response.json()
        cursor = response.json()["next"]


def test_pages_are_one_list_whatever_is_recorded_between_them(house: House) -> None:
    furnished_with_people(house)
    lists = {**SPEAK_FOR_THE_FIRST, **SHOW_HOW_IT_STANDS}
    paths = {name: name.partition("?")[0] for name in lists}
    before = {name: house.read(paths[name], limit=500, **query) for name, (_, query) in lists.items()}
    firsts = {name: house.read(paths[name], limit=1, **query) for name, (_, query) in lists.items()}
    others_record(house)
    for name, (key, _) in lists.items():
        pages = [firsts[name], *rest(house, firsts[name], paths[name])]
        found = [item for page in pages for item in page["items"]]
        assert len(pages) > 1, name
        assert [item[key] for item in found] == [item[key] for item in before[name]["items"]], name
        if name in SPEAK_FOR_THE_FIRST:
            assert found == before[name]["items"], name
            assert {page["position"] for page in pages} == {before[name]["position"]}, name
        else:
            assert [page["position"] for page in pages] == sorted(page["position"] for page in pages), name
    # What was recorded between the pages is there for who begins anew: the test can fail.
    for name, (_, query) in lists.items():
        assert house.read(paths[name], limit=500, **query)["items"] != before[name]["items"], name


def billed(house: House, *months: int) -> None:
    """Close and invoice those months of 2025."""
    for month in months:
        period = {"from": f"2025-{month:02}-01", "to": f"2025-{month:02}-{monthrange(2025, month)[1]}"}
        house.do(EAST, "close-period", agreement="a1", period=period)
        house.do(EAST, "issue-invoice", agreement="a1", period=period)


def test_pages_of_invoices_speak_for_one_knowledge(house: House) -> None:
    money_agreed(house.do)
    handed_over(held(house, "p-b"), "p-b")
    house.clock.at("2025-05-02T09:00:00Z")
    billed(house, 2, 3, 4)
    before = house.read("/invoices", limit=500, payer=NORTH)
    first = house.read("/invoices", limit=1, payer=NORTH)
    house.clock.at("2025-07-02T09:00:00Z")
    billed(house, 5, 6)
    last = before["items"][-1]
    for officer in ("north/treasurer-1", "north/treasurer-2"):
        house.do(officer, "approve-invoice", number=last["number"], payable=last["total"])
    house.do(
        EAST,
        "record-payment",
        payment="pay-1",
        agreement="a1",
        amount=last["total"],
        external_ref="bank-1",
        value_date="2025-07-01",
        allocations=[{"invoice": last["number"], "amount": last["total"]}],
    )
    found = [*first["items"], *(item for page in rest(house, first, "/invoices") for item in page["items"])]
    assert found == before["items"]
    anew = house.read("/invoices", limit=500, payer=NORTH)["items"]
    assert len(anew) == 5
    assert anew[:3] != before["items"]


@pytest.mark.parametrize(
    ("path", "query", "other"),
    [
        ("/authorities", {"state": "NO"}, {"state": "SE"}),
        ("/authorities", {}, {"role": "court"}),
        ("/facilities", {"authority": "north"}, {"authority": "east"}),
        ("/facilities", {}, {"state": "SE"}),
        ("/events", {}, {"after": 1}),
        ("/audit-trail", {}, {"newest_first": "true"}),
        ("/audit-trail", {"authority": "keeper"}, {"authority": "north"}),
        ("/audit-trail", {"first": 2}, {"first": 3}),
    ],
)
def test_a_cursor_goes_with_its_own_filters_alone(quick: House, path: str, query: Json, other: Json) -> None:
    cursor = quick.read(path, limit=1, **query)["next"]
    assert quick.read(path, limit=1, cursor=cursor, **query)["items"]
    refused = quick.get(path, limit=1, cursor=cursor, **{**query, **other})
    assert (refused.status_code, refused.json()["where"]) == (422, ["/cursor"])


FORGED: dict[str, tuple[str, Json]] = {
    "behind more than the first page spoke for": ("/events", {"after": 3, "position": 1}),
    "before the first event": ("/events", {"after": -1}),
    "beyond every number an engine takes": ("/audit-trail", {"after": 2**63}),
    "a text that no engine compares": ("/people", {"after": "p\0"}),
    "a row without a time": ("/facilities/n-1/roll", {"after": ["a", "b"]}),
    "a time of no calendar": ("/facilities/n-1/roll", {"as_of": "9999-12-31T23:59:59-14:00"}),
    "a time without an offset": ("/facilities/n-1/roll", {"as_of": "2025-02-20T09:00:00"}),
}
"""What somebody may write into a cursor, which is no secret: refused, whatever the engine would make of it."""


def test_a_cursor_that_somebody_has_made_is_refused(house: House) -> None:
    for person in ("p-b", "p-d"):
        held(house, person)
    for sentence, (path, changes) in FORGED.items():
        cursor = house.read(path, limit=1)["next"]
        held_in_it = json.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        forged = urlsafe_b64encode(json.dumps({**held_in_it, **changes}).encode()).decode().rstrip("=")
        assert house.read(path, limit=1, cursor=cursor)["items"], sentence
        refused = house.get(path, limit=1, cursor=forged)
        assert (refused.status_code, refused.json()["where"]) == (422, ["/cursor"]), sentence
