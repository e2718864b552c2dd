"""What a statement says is earned and not billed: as much as the invoice will say, nothing twice, nothing too early."""

from __future__ import annotations

from typing import Any

import pytest

from tests.ledger.http.house import House, Json, handed_over, held
from tests.ledger.http.story import money_agreed
from tests.scene import EAST, NORTH

MARCH = {"from": "2025-03-01", "to": "2025-03-31"}


@pytest.fixture
def earning(house: House) -> House:
    """Two persons whom east has held since the first of March at 54.79 a day."""
    money_agreed(house.do)
    house.clock.at("2025-03-01T11:00:00Z")
    for number, person in enumerate(("p-a", "p-b")):
        handed_over(held(house, person), person, f"tr-{number}", f"h-{number}")
    return house


def pending(house: House, account: str = "receivable", book: str = EAST, **query: Any) -> list[tuple[str, Any, str]]:
    """Kind, number and amount of each pending row, currencies one after another."""
    asked = {"accrued": "true", **query}
    statements = house.read(f"/accounts/{account}/statement", book=book, **asked)["statements"]
    return [
        (row["kind"], row["number"], f"{row['amount']['amount']} {row['amount']['currency']}")
        for one in statements
        for row in one["pending"]
    ]


def accrued(amount: str) -> list[tuple[str, Any, str]]:
    return [("accrued", None, amount)]


def test_it_grows_by_the_day_and_is_of_both_books(earning: House) -> None:
    for now, days in (("2025-03-01T12:00:00Z", 1), ("2025-03-10T12:00:00Z", 10), ("2025-03-31T12:00:00Z", 31)):
        earning.clock.at(now)
        amount = f"{2 * days * 5479 // 100}.{2 * days * 5479 % 100:02} USD"
        assert pending(earning) == pending(earning, "payable", NORTH) == accrued(amount)
    [statement] = earning.read("/accounts/receivable/statement", book=EAST, accrued="true")["statements"]
    none = {"amount": "0.00", "currency": "USD"}
    assert (statement["opening"], statement["closing"], statement["rows"]) == (none, none, [])
    [row] = statement["pending"]
    agreed = earning.read("/agreements/a1")["schedules"][0]["signed"]["position"]
    assert row["position"] == agreed
    for account, book in (("receivable", NORTH), ("payable", EAST), ("cash", EAST), ("fees", EAST)):
        assert pending(earning, account, book) == []


def test_it_is_what_the_invoice_says_and_is_billed_once(earning: House) -> None:
    earning.clock.at("2025-03-31T21:59:00Z")
    [(_, _, by_then)] = pending(earning)
    earning.clock.at("2025-04-02T09:00:00Z")
    [(_, _, before)] = pending(earning)
    earning.do(EAST, "close-period", agreement="a1", period=MARCH)
    number = earning.do(EAST, "issue-invoice", agreement="a1", period=MARCH)["told"]["number"]
    total = earning.read(f"/invoices/{number}")["total"]
    assert by_then == f"{total['amount']} USD"
    # Two days of April beside it.
    april = f"{4 * 5479 // 100}.{4 * 5479 % 100:02} USD"
    assert pending(earning) == [("unapproved", number, by_then), *accrued(april)]
    assert before == "3616.14 USD"
    assert pending(earning, as_of="2025-04-02T08:00:00Z") == [("unapproved", number, by_then), *accrued(april)]
    # As of a day before the invoice's date nothing is billed, whatever is known now; and known before, the same.
    assert pending(earning, as_of="2025-03-31T12:00:00Z") == accrued(by_then)
    assert pending(earning, known_at=earning.head - 5) == accrued(before)


def test_both_times(earning: House) -> None:
    before = earning.head
    earning.clock.at("2025-03-20T12:00:00Z")
    assert pending(earning, as_of="2025-03-10T12:00:00Z") == accrued("1095.80 USD")
    assert pending(earning, as_of="2025-02-10T12:00:00Z") == []
    # Nothing is earned ahead of now.
    assert pending(earning, as_of="9000-01-01T00:00:00Z") == pending(earning)
    released = {"facility": "e-1", "kind": "at-liberty", "checks": dict.fromkeys(
        ("identity", "warrants", "property", "money", "papers", "file_copy"), True)}  # fmt: skip
    fields: Json = {"occurred_at": "2025-03-15T09:00:00Z", "mode": "report", **released}
    earning.do(EAST, "record-release", person="p-a", **fields)
    assert pending(earning) == accrued("1862.86 USD")
    assert pending(earning, known_at=before) == accrued("2191.60 USD")


def test_it_is_left_out_where_it_is_not_asked_for(earning: House) -> None:
    assert pending(earning, accrued="false") == []
    assert earning.read("/accounts/receivable/statement", book=EAST)["statements"] == []
    for other in ({"counterparty": "watch"}, {"agreement": "a2"}, {"currency": "EUR"}):
        assert pending(earning, **other) == []
    assert pending(earning, counterparty=NORTH, agreement="a1", currency="USD") != []
    refused = earning.get("/accounts/receivable/statement", book=EAST, accrued="perhaps")
    assert (refused.status_code, refused.json()["where"]) == (422, ["/accrued"])
