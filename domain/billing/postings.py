"""The books: what an event posts in the payee's book, and in the payer's, which mirrors it (MONEY §7).

Each posting has two sides of one amount, so debits and credits are equal by construction; every amount keeps its
currency and currencies are never added. `postings` is what readers come for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from domain.events.agreement import PaymentReceived
from domain.events.event import Event
from domain.events.invoice import InvoiceIssued
from domain.money import Money
from domain.names import AuthorityId

Account = Literal["cash", "receivable", "unearned", "fees", "payable", "prepaid", "custody-cost"]
Side = Literal["debit", "credit"]
Nature = Literal["asset", "liability", "income", "expense"]

NATURE: Final[Mapping[Account, Nature]] = MappingProxyType(
    {
        "cash": "asset",
        "receivable": "asset",
        "prepaid": "asset",
        "unearned": "liability",
        "payable": "liability",
        "fees": "income",
        "custody-cost": "expense",
    }
)
"""What an account is; assets and expenses grow by debits, the others by credits."""

MIRROR: Final[Mapping[Account, Account]] = MappingProxyType(
    {"cash": "cash", "receivable": "payable", "unearned": "prepaid", "fees": "custody-cost"}
)
"""Account of the payee → the same in the payer's book, on the other side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """One entry: `book` is whose, `counterparty` the other side of the agreement; `amount` is never negative."""

    book: AuthorityId
    counterparty: AuthorityId
    account: Account
    side: Side
    amount: Money

    @property
    def grows(self) -> Money:
        """By how much the account grows, by its nature; negative where it falls."""
        by_debit = NATURE[self.account] in ("asset", "expense")
        return self.amount if (self.side == "debit") == by_debit else Money(-self.amount.minor, self.amount.currency)


def postings(event: Event, *, payee: AuthorityId, payer: AuthorityId) -> tuple[Posting, ...]:
    """What an event posts, the payee's book first; empty for one that posts nothing.

    A payment on an invoice's stream settles it; on the agreement's stream it stands on account.
    """
    match event.body:
        case InvoiceIssued(total=total):
            return _both_books("receivable", "fees", total, payee, payer)
        case PaymentReceived(amount=amount):
            settled: Account = "receivable" if event.stream.startswith("invoice:") else "unearned"
            return _both_books("cash", settled, amount, payee, payer)
        case _:
            return ()


def _both_books(
    debit: Account, credit: Account, amount: Money, payee: AuthorityId, payer: AuthorityId
) -> tuple[Posting, ...]:
    return (
        Posting(book=payee, counterparty=payer, account=debit, side="debit", amount=amount),
        Posting(book=payee, counterparty=payer, account=credit, side="credit", amount=amount),
        Posting(book=payer, counterparty=payee, account=MIRROR[credit], side="debit", amount=amount),
        Posting(book=payer, counterparty=payee, account=MIRROR[debit], side="credit", amount=amount),
    )
