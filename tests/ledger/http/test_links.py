"""`_links`: whatever is granted was offered before, and what no body could be granted is not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ledger.http.commands.routes import PREFIX, match
from tests.ledger.http.house import IN_MEMORY, House, handed_over, held, house_at, offered
from tests.ledger.http.story import PERSON, told
from tests.scene import ANN, COURT, DIGEST, EAST, KEEPER, NORTH, WATCH

ENTITIES = {
    "authority": "authorities",
    "facility": "facilities",
    "agreement": "agreements",
    "person": "people",
    "transfer": "transfers",
    "handover": "handovers",
    "number": "invoices",
}
ELSEWHERE = {"authorities", "facilities"}
"""What many commands name beside what they are about."""
NAMED_NOWHERE = {"register-authority", "register-person", "place-hold", "lift-hold", "correct-fact"}
"""Commands about no entity that there is, or about several."""


class Watched(House):
    """A house where everything that is granted is looked for among the links first."""

    linked: set[str]

    def send(self, by: str, name: str, **data: object) -> Any:
        offered = {
            f"/{place}/{data[field]}": links(self, f"/{place}/{data[field]}", by)
            for field, place in ENTITIES.items()
            if field in data and self.get(f"/{place}/{data[field]}", by).status_code == 200
        }
        answer = super().send(by, name, **data)
        if answer.status_code == 201:
            found = {path for path, told in offered.items() if name in told}
            assert name in NAMED_NOWHERE or found or not offered, (name, offered)
            for path, told in offered.items():
                if path.split("/")[1] not in ELSEWHERE:
                    assert name in told, (name, path, told)
            if found:
                self.linked.add(name)
        return answer


def links(house: House, path: str, by: str = NORTH) -> dict[str, str]:
    """Command and address, of what an actor may do next with an entity."""
    return {name: link["href"] for name, link in house.read(path, by=by)["_links"].items()}


def may(house: House, path: str, *actors: str) -> dict[str, set[str]]:
    return {by: set(links(house, path, by)) for by in actors}


@pytest.fixture
def ready(house: House) -> House:
    return held(house)


def test_whatever_is_granted_was_offered() -> None:
    with house_at(IN_MEMORY) as made:
        house = Watched(clock=made.clock, service=made.service, app=made.app, client=made.client)
        house.linked = set()
        told(house)
        assert house.linked == {
            "set-authority-roles",
            "register-facility",
            "certify-capacity",
            "set-facility-regime",
            "sign-agreement",
            "propose-fee-schedule",
            "sign-fee-schedule",
            "close-period",
            "record-basis",
            "set-release-date",
            "open-custody",
            "record-move-within",
            "report-presence",
            "order-release",
            "record-release",
            "verify-release",
            "declare-release-erroneous",
            "request-transfer",
            "evidence-condition",
            "approve-transfer",
            "reject-transfer",
            "cancel-transfer",
            "offer-handover",
            "accept-handover",
            "refuse-handover",
            "issue-invoice",
            "approve-invoice",
            "record-payment",
        }


def test_a_person_is_moved_by_who_has_them(ready: House) -> None:
    path = f"/people/{ANN}"
    assert may(ready, path, NORTH, EAST, COURT, WATCH, KEEPER) == {
        NORTH: {
            "record-basis",
            "set-release-date",
            "record-move-within",
            "report-presence",
            "order-release",
            "record-release",
            "request-transfer",
        },
        EAST: {"record-basis", "set-release-date", "report-presence"},
        COURT: {"record-basis", "set-release-date", "report-presence", "order-release"},
        WATCH: {"report-presence"},
        KEEPER: set(),
    }
    assert links(ready, path)["record-release"] == f"/v1/people/{ANN}/releases"
    assert links(ready, path)["request-transfer"] == "/v1/transfers"


def test_a_transfer_offers_what_its_state_allows(ready: House) -> None:
    offered(ready)
    leaf_hash = ready.read("/handovers/h-1")["leaf_hash"]
    # While an offer is open there is no second one; it is answered by whom it was made to.
    assert may(ready, "/transfers/tr-1", NORTH, EAST, KEEPER) == {
        NORTH: {"evidence-condition", "cancel-transfer"},
        EAST: {"evidence-condition", "cancel-transfer"},
        KEEPER: set(),
    }
    assert may(ready, "/handovers/h-1", NORTH, EAST, COURT) == {
        NORTH: set(),
        EAST: {"accept-handover", "refuse-handover"},
        COURT: set(),
    }
    assert links(ready, "/handovers/h-1", EAST)["accept-handover"] == "/v1/handovers/h-1/acceptance"
    ready.do(EAST, "refuse-handover", handover="h-1", answers=leaf_hash, reasons=["papers-missing"])
    assert may(ready, "/transfers/tr-1", NORTH, EAST)[NORTH] == {
        "evidence-condition",
        "cancel-transfer",
        "offer-handover",
    }
    assert may(ready, "/handovers/h-1", EAST) == {EAST: set()}
    ready.do(NORTH, "cancel-transfer", transfer="tr-1", reason="no-longer-needed", fault="none")
    assert may(ready, "/transfers/tr-1", NORTH, EAST) == {NORTH: set(), EAST: set()}


def test_custody_that_has_passed_is_the_receivers(ready: House) -> None:
    handed_over(ready)
    assert "record-move-within" not in links(ready, f"/people/{ANN}", NORTH)
    assert "record-move-within" in links(ready, f"/people/{ANN}", EAST)
    assert may(ready, "/transfers/tr-1", NORTH, EAST) == {NORTH: set(), EAST: set()}


def test_a_hold_takes_the_link_away(ready: House) -> None:
    assert "order-release" in links(ready, f"/people/{ANN}", COURT)
    hold = {"forbids": ["release", "move"], "effective_at": "2025-02-22T09:00:00Z", "instrument": DIGEST}
    ready.do(COURT, "place-hold", hold="hold-1", persons=[ANN], **hold)
    assert "order-release" in links(ready, f"/people/{ANN}", COURT)
    tag = ready.get(f"/people/{ANN}").headers["etag"]
    ready.clock.at("2025-02-22T10:00:00Z")
    assert ready.get(f"/people/{ANN}", headers={"If-None-Match": tag}).status_code == 200


@pytest.fixture(scope="module")
def after() -> Iterator[House]:
    with house_at(IN_MEMORY) as house:
        told(house)
        yield house


def test_every_link_is_the_address_of_its_command(after: House) -> None:
    seen = 0
    for place, ids in {
        "authorities": ("north", "east"),
        "facilities": ("n-1", "e-1"),
        "agreements": ("a1", "a2"),
        "people": (PERSON, "p2"),
        "invoices": ("CTL-0001",),
    }.items():
        for id_ in ids:
            for by in (NORTH, EAST, KEEPER, COURT, WATCH):
                for name, href in links(after, f"/{place}/{id_}", by).items():
                    found = match(href)
                    assert found is not None
                    assert found[0] == name
                    assert href.startswith(PREFIX)
                    assert all(value in {id_, "a1-fees", "r-p1", "r-p2", "r1"} for value in found[1].values()), href
                    seen += 1
    assert seen > 20


def test_who_has_paid_is_asked_for_nothing(after: House) -> None:
    assert may(after, "/invoices/CTL-0001", NORTH, EAST) == {NORTH: set(), EAST: set()}


def test_a_closed_file_is_opened_anew_and_nothing_else_is_done_in_it(after: House) -> None:
    assert "record-release" not in links(after, f"/people/{PERSON}", EAST)
    assert "open-custody" in links(after, f"/people/{PERSON}", EAST)
    assert "verify-release" not in links(after, f"/people/{PERSON}", WATCH)


def test_an_agreement_is_signed_once(house: House) -> None:
    assert "sign-agreement" not in links(house, "/agreements/a1", EAST)
    second = {"agreement": "a1", "revision": 2, "legal_bases": ["custody-contract"]}
    first = house.read("/agreements/a1")["revisions"][0]["drafted"]["body"]
    fields = {**second, "terms": first["terms"], "parties": first["parties"], "from_": "2025-06-01", "to": "2026-05-31"}
    answer = house.post("/agreements/a1/revisions", {
        name.rstrip("_"): value for name, value in fields.items() if name != "agreement"
    })  # fmt: skip
    assert answer.status_code == 201, answer.text
    assert {by: "sign-agreement" in links(house, "/agreements/a1", by) for by in (NORTH, EAST, COURT)} == {
        NORTH: True,
        EAST: True,
        COURT: False,
    }


def test_lists_have_no_links(quick: House) -> None:
    for path in ("/authorities", "/facilities", "/agreements"):
        assert not any("_links" in item for item in quick.read(path)["items"])
