"""Balances, statements and invoices: to the cent, of both books, as of any date and any knowledge."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from ledger.service import LogEvents
from projections import Answer, Views, balances, invoices
from projections.engine.views import open_views
from projections.table import VIEWS
from tests.domain.billing import fees
from tests.projections.lives import MEMORY, story
from tests.projections.stage import at, now
from tests.scene import EAST, NORTH, Scene

NUMBER, TOTAL = "CTL-0001", "1588.91"


def paid(url: str = MEMORY, amount: str = TOTAL, settles: str = TOTAL) -> Scene:
    """The invoice of the story, approved by two officers, and a payment of which a part settles it."""
    scene = story(url)
    fees.approved(scene, NUMBER, TOTAL)
    scene.at("2025-04-20T09:00:00Z")
    scene.do(
        EAST,
        "record-payment",
        payment="pay-1",
        agreement="a1",
        amount=fees.usd(amount),
        external_ref="bank 1",
        value_date="2025-04-18",
        allocations=[{"invoice": NUMBER, "amount": fees.usd(settles)}],
    )
    return scene


def over(scene: Scene, url: str = MEMORY) -> Views:
    views = open_views(url, LogEvents(scene.log), VIEWS)
    views.catch_up()
    return views


@pytest.fixture(scope="module")
def views() -> Views:
    return over(paid(amount="1600.00", settles="1000.00"))


def usd(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "USD"}


def told(answer: Answer[Any]) -> Any:
    """What a view says, where it says something."""
    assert answer.value is not None
    return answer.value


def item(views: Views, **when: Any) -> dict[str, Any]:
    [found] = told(balances.balances(views, now(**when)))["items"]
    return dict(found)


def test_paid_in_full_the_balance_is_nothing(database_url: str) -> None:
    scene = paid(database_url)
    views = over(scene, database_url)
    found = item(views)
    assert (found["open"], found["on_account"]) == (usd("0.00"), usd("0.00"))
    assert found["ageing"] == dict.fromkeys(("not_due", "0-30", "31-60", "61-90", "over-90"), usd("0.00"))
    invoice = told(invoices.invoice(views, now(), NUMBER))
    assert (invoice["status"], invoice["open"], invoice["paid"]) == ("settled", usd("0.00"), usd(TOTAL))
    views.close()
    scene.log.close()


def test_what_is_not_allocated_stands_on_account(views: Views) -> None:
    found = item(views)
    assert (found["creditor"], found["debtor"]) == (EAST, NORTH)
    assert (found["open"], found["on_account"]) == (usd("588.91"), usd("600.00"))
    sums = balances.balances(views, now()).value["sums"]
    assert sums == [{"currency": "USD", "debits": usd("6377.82"), "credits": usd("6377.82"), "difference": usd("0.00")}]


def test_both_books_mirror_each_other(views: Views) -> None:
    found = {(row["book"], row["account"]): row["balance"] for row in balances.books(views, now()).value}
    assert found == {
        (EAST, "cash"): usd("1600.00"),
        (EAST, "fees"): usd(TOTAL),
        (EAST, "receivable"): usd("588.91"),
        (EAST, "unearned"): usd("600.00"),
        (NORTH, "cash"): usd("-1600.00"),
        (NORTH, "custody-cost"): usd(TOTAL),
        (NORTH, "payable"): usd("588.91"),
        (NORTH, "prepaid"): usd("600.00"),
    }


AGES = {
    "on the due date it is not past due": ("2025-05-02", "not_due"),
    "a day later it is": ("2025-05-03", "0-30"),
    "on the 30th day too": ("2025-06-01", "0-30"),
    "then it is older": ("2025-06-02", "31-60"),
    "after 60 days": ("2025-07-02", "61-90"),
    "after 90 days": ("2025-08-01", "over-90"),
}


@pytest.mark.parametrize("name", AGES)
def test_ageing(views: Views, name: str) -> None:
    day, age = AGES[name]
    [found] = told(balances.balances(views, at(f"{day}T12:00:00Z")))["items"]
    ages = found["ageing"]
    assert {name for name, amount in ages.items() if amount != usd("0.00")} == {age}
    assert ages[age] == usd("588.91")


def test_balances_as_of_a_date_and_as_known_at_a_position(views: Views) -> None:
    [before] = told(balances.balances(views, at("2025-04-17T12:00:00Z")))["items"]
    assert (before["open"], before["on_account"]) == (usd(TOTAL), usd("0.00"))
    assert balances.balances(views, at("2025-04-01T12:00:00Z")).value == {"items": [], "sums": []}
    head = views.position("balances")
    known = [item(views, known_at=head - back)["open"]["amount"] for back in (0, 1, 2)]
    assert known == ["588.91", "588.91", TOTAL]
    assert balances.balances(views, now(known_at=65)).value["items"] == []


def test_filters_of_balances(views: Views) -> None:
    for filters, count in (
        ({"creditor": EAST}, 1),
        ({"creditor": NORTH}, 0),
        ({"debtor": NORTH}, 1),
        ({"agreement": "a2"}, 0),
        ({"currency": "EUR"}, 0),
    ):
        assert len(told(balances.balances(views, now(), **filters))["items"]) == count


def statement(views: Views, book: str, account: str, **more: Any) -> dict[str, Any]:
    [one] = told(balances.statement(views, now(), book, account, **more))["statements"]
    return dict(one)


def test_a_statement_line_by_line(views: Views) -> None:
    for book, account in ((EAST, "receivable"), (NORTH, "payable")):
        one = statement(views, book, account)
        assert (one["opening"], one["closing"], one["pending"]) == (usd("0.00"), usd("588.91"), [])
        assert [(row["date"], row["in"], row["out"], row["balance"]) for row in one["rows"]] == [
            ("2025-04-02", usd(TOTAL), None, usd(TOTAL)),
            ("2025-04-18", None, usd("1000.00"), usd("588.91")),
        ]
        assert all(row["position"] for row in one["rows"])


def test_a_statement_of_some_dates_opens_with_what_came_before(views: Views) -> None:
    one = statement(views, EAST, "receivable", first=date(2025, 4, 3), last=date(2025, 4, 30))
    assert (one["opening"], one["closing"], len(one["rows"])) == (usd(TOTAL), usd("588.91"), 1)
    one = statement(views, EAST, "receivable", last=date(2025, 4, 3))
    assert (one["opening"], one["closing"], len(one["rows"])) == (usd("0.00"), usd(TOTAL), 1)


def test_an_invoice_that_two_have_not_approved_stands_apart() -> None:
    scene = story()
    views = over(scene)
    pending = [{"kind": "unapproved", "number": NUMBER, "amount": usd(TOTAL), "position": 66}]
    assert statement(views, EAST, "receivable")["pending"] == pending
    assert statement(views, NORTH, "payable")["pending"] == pending
    assert statement(views, EAST, "fees")["pending"] == []
    fees.approved(scene, NUMBER, TOTAL)
    views.catch_up()
    assert statement(views, EAST, "receivable")["pending"] == []
    one_only = balances.statement(views, now(known_at=scene.log.head() - 1), EAST, "receivable")
    assert told(one_only)["statements"][0]["pending"] == pending


def test_an_account_or_an_authority_there_is_none_of(views: Views) -> None:
    assert balances.statement(views, now(), EAST, "gold").value is None
    assert balances.statement(views, now(), "nobody", "cash").value is None


def test_an_invoice_with_its_lines_claims_and_payments(views: Views) -> None:
    found = told(invoices.invoice(views, now(), NUMBER))
    assert (found["status"], found["payee"], found["payer"]) == ("part-paid", EAST, NORTH)
    assert [line["amount"] for line in found["lines"]] == [usd("54.79"), usd("109.58"), usd("1424.54")]
    assert [(claim["person"], claim["facility"], claim["days"]) for claim in found["claims"]] == [
        ("p-ann", "e-1", 1),
        ("p-ann", "e-2", 2),
        ("p-dan", "e-1", 26),
    ]
    assert [approval["officer"] for approval in found["approvals"]] == ["n-1", "n-2"]
    assert [(payment["payment"], payment["amount"]) for payment in found["payments"]] == [("pay-1", usd("1000.00"))]
    assert invoices.invoice(views, now(), "CTL-0002").value is None


STATES = {"issued": 72, "approved": 74, "part-paid": 75}


@pytest.mark.parametrize("status", STATES)
def test_the_state_of_an_invoice_as_known_at_a_position(views: Views, status: str) -> None:
    page = invoices.invoices(views, now(known_at=STATES[status])).value
    assert [(row["number"], row["status"]) for row in page.items] == [(NUMBER, status)]
    assert invoices.invoices(views, now(known_at=STATES[status]), status="settled").value.items == []
    assert len(invoices.invoices(views, now(known_at=STATES[status]), status=status, payer=NORTH).value.items) == 1


def test_an_invoice_is_not_there_before_it_is_issued(views: Views) -> None:
    assert invoices.invoice(views, now(known_at=65), NUMBER).value is None
    assert invoices.invoice(views, at("2025-04-02T08:59:59Z"), NUMBER).value is None


def test_a_line_is_explained_by_its_days_and_its_price(views: Views) -> None:
    found = told(invoices.explanation(views, now(), NUMBER, 3))
    assert found["arithmetic"] == "26 x 54.79 = 1424.54"
    assert found["rate"] == {"rate": "54.79", "per": 1, "agreed_by": 52}
    assert [(days["from"], days["to"], days["person"], days["basis"]) for days in found["days"]] == [
        ("2025-03-06", "2025-03-31", "p-dan", [63])
    ]
    assert found["basis"] == [52, 63]
    assert invoices.explanation(views, now(), NUMBER, 4).value is None
