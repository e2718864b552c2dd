"""The books: what each event posts, and that the two books mirror each other (MONEY §7, M4)."""

from __future__ import annotations

from datetime import UTC, date, datetime

from hypothesis import given
from hypothesis import strategies as st

from domain.billing.postings import NATURE, Posting, postings
from domain.events.agreement import PaymentReceived, Period
from domain.events.event import Actor, Body, Event
from domain.events.invoice import InvoiceApproved, InvoiceIssued
from domain.money import MINOR_MAX, Money
from domain.names import (
    AgreementId,
    AuthorityId,
    Digest,
    EventId,
    InvoiceNumber,
    OfficerId,
    PaymentId,
)

PAYEE, PAYER = AuthorityId("east"), AuthorityId("north")


def event(stream: str, body: Body) -> Event:
    now = datetime(2025, 4, 2, tzinfo=UTC)
    return Event(
        position=1,
        event_id=EventId("e"),
        stream=stream,
        stream_version=1,
        actor=Actor(authority=PAYEE, credential="none:east/e-1", officer=OfficerId("e-1")),
        occurred_at=now,
        recorded_at=now,
        command_id="k",
        leaf_hash="",
        body=body,
    )


def issued(total: Money) -> Event:
    header = InvoiceIssued(
        flags=(),
        number=InvoiceNumber("CTL-0001"),
        series="CTL",
        kind="regular",
        agreement=AgreementId("a1"),
        period=Period(from_=date(2025, 3, 1), to=date(2025, 3, 31)),
        issue_date=date(2025, 4, 2),
        due_date=date(2025, 5, 2),
        total=total,
        lines=1,
        lines_digest=Digest("0" * 64),
        closed_at=1,
        supplements=None,
        cause=None,
        preview_digest=None,
    )
    return event("invoice:east:CTL-0001", header)


def paid(stream: str, amount: Money) -> Event:
    body = PaymentReceived(
        flags=(), payment=PaymentId("pay-1"), amount=amount, external_ref="x", value_date=date(2025, 4, 20)
    )
    return event(stream, body)


def rows(event: Event) -> list[tuple[str, str, str]]:
    return [(item.book, item.side, item.account) for item in postings(event, payee=PAYEE, payer=PAYER)]


TEN = Money(1000, "USD")


def test_an_invoice_is_owed_and_earned() -> None:
    assert rows(issued(TEN)) == [
        ("east", "debit", "receivable"),
        ("east", "credit", "fees"),
        ("north", "debit", "custody-cost"),
        ("north", "credit", "payable"),
    ]


def test_an_allocated_payment_settles_what_is_owed() -> None:
    assert rows(paid("invoice:east:CTL-0001", TEN)) == [
        ("east", "debit", "cash"),
        ("east", "credit", "receivable"),
        ("north", "debit", "payable"),
        ("north", "credit", "cash"),
    ]


def test_a_payment_on_account_is_not_earned_yet() -> None:
    assert rows(paid("agreement:a1", TEN)) == [
        ("east", "debit", "cash"),
        ("east", "credit", "unearned"),
        ("north", "debit", "prepaid"),
        ("north", "credit", "cash"),
    ]


def test_an_approval_posts_nothing() -> None:
    approval = InvoiceApproved(flags=(), payable=TEN, match_digest=None, accepted_differences=())
    assert rows(event("invoice:east:CTL-0001", approval)) == []


amounts = st.integers(1, MINOR_MAX).map(lambda minor: Money(minor, "USD"))
events = st.one_of(
    amounts.map(issued),
    amounts.map(lambda amount: paid("invoice:east:CTL-0001", amount)),
    amounts.map(lambda amount: paid("agreement:a1", amount)),
)


@given(st.lists(events, max_size=20))
def test_debits_equal_credits_and_the_books_mirror_each_other(history: list[Event]) -> None:
    entries = [item for one in history for item in postings(one, payee=PAYEE, payer=PAYER)]
    for book in (PAYEE, PAYER):
        assert total(entries, book, "debit") == total(entries, book, "credit")
    balances = {account: sum(item.grows.minor for item in entries if item.account == account) for account in NATURE}
    assert balances["receivable"] == balances["payable"]
    assert balances["unearned"] == balances["prepaid"]
    assert balances["fees"] == balances["custody-cost"]
    assert balances["cash"] == 0


def total(entries: list[Posting], book: AuthorityId, side: str) -> int:
    return sum(item.amount.minor for item in entries if (item.book, item.side) == (book, side))
