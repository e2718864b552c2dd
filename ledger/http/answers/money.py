"""Money as it is answered: balances, statements, invoices and why their lines are what they are.

The views make these rows themselves; here is what they look like. Amounts of two currencies are never summed.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal

import msgspec

from ledger.http.answers.entities import Links, Shape

Json = dict[str, Any]
"""An object whose members are told elsewhere: the rules a line was computed by."""


class Amount(Shape, frozen=True, kw_only=True):
    """Money: a decimal text with exactly the currency's decimals."""

    amount: str
    currency: str


class Ageing(Shape, frozen=True, kw_only=True):
    """What is open, by days past due."""

    not_due: Amount
    to_30: Amount = msgspec.field(name="0-30")
    to_60: Amount = msgspec.field(name="31-60")
    to_90: Amount = msgspec.field(name="61-90")
    over_90: Amount = msgspec.field(name="over-90")


class Balance(Shape, frozen=True, kw_only=True):
    """What one authority owes another in one currency."""

    creditor: str
    debtor: str
    currency: str
    open: Amount
    on_account: Amount
    ageing: Ageing


class Sum(Shape, frozen=True, kw_only=True):
    """All postings of a currency; the difference is zero."""

    currency: str
    debits: Amount
    credits: Amount
    difference: Amount


class Balances(Shape, frozen=True, kw_only=True):
    """Creditor by debtor, never summed across currencies."""

    items: tuple[Balance, ...]
    sums: tuple[Sum, ...]
    as_of: datetime
    position: int


class StatementRow(Shape, frozen=True, kw_only=True):
    """One posting on an account, citing its event."""

    date: date
    description: str
    agreement: str
    counterparty: str
    in_: Amount | None = msgspec.field(name="in")
    out: Amount | None
    balance: Amount
    position: int


class PendingRow(Shape, frozen=True, kw_only=True):
    """An amount that is not in the balance yet.

    `unapproved`: the invoice of that number, which two officers have not approved. `accrued`: earned under the fee
    schedule whose signature stands at that position, and on no invoice.
    """

    kind: Literal["unapproved", "accrued"]
    number: str | None
    amount: Amount
    position: int


class CurrencyStatement(Shape, frozen=True, kw_only=True):
    """What moved in one currency; what is not in the balance yet stands apart, under `pending`."""

    currency: str
    opening: Amount
    closing: Amount
    rows: tuple[StatementRow, ...]
    pending: tuple[PendingRow, ...]


class Statement(Shape, frozen=True, kw_only=True):
    """One account of an authority's book, one statement a currency."""

    book: str
    account: str
    statements: tuple[CurrencyStatement, ...]
    as_of: datetime
    position: int


class Period(Shape, frozen=True, kw_only=True):
    """Local dates, both inclusive."""

    from_: date
    to: date


class ApprovalRow(Shape, frozen=True, kw_only=True):
    """One officer's approval of an invoice."""

    officer: str
    payable: Amount
    position: int


class InvoiceRow(Shape, frozen=True, kw_only=True):
    """An issued invoice."""

    number: str
    kind: str
    agreement: str
    payee: str
    payer: str
    agreed_by: int
    period: Period
    issue_date: date
    due_date: date
    total: Amount
    paid: Amount
    open: Amount
    status: str
    approvals: tuple[ApprovalRow, ...]
    position: int


class InvoiceLine(Shape, frozen=True, kw_only=True):
    """One line: so many days at one price, the days it claims, the rules it was computed by."""

    line: int
    kind: str
    quantity: int
    unit: str
    rate: str
    per: int
    amount: Amount
    claims: tuple[int, ...]
    basis: tuple[int, ...]
    rules: Json
    position: int


class InvoiceClaim(Shape, frozen=True, kw_only=True):
    """The days of one person at one place that the invoice bills."""

    claim: int
    person: str
    case_ref: str
    facility: str
    ranges: tuple[Period, ...]
    days: int
    basis: tuple[int, ...]
    position: int


class InvoicePayment(Shape, frozen=True, kw_only=True):
    """What of a payment settles the invoice."""

    payment: str
    amount: Amount
    external_ref: str
    value_date: date
    position: int


class Invoice(InvoiceRow, frozen=True, kw_only=True):
    """An invoice with its lines, the custody days they cite, what was paid, and what the reader may do next."""

    lines: tuple[InvoiceLine, ...]
    claims: tuple[InvoiceClaim, ...]
    payments: tuple[InvoicePayment, ...]
    links: Links = msgspec.field(name="_links")


class ExplainedRate(Shape, frozen=True, kw_only=True):
    """A price, and the position of the signature that agreed it."""

    rate: str
    per: int
    agreed_by: int


class ExplainedDays(Shape, frozen=True, kw_only=True):
    """Local dates of one person at one place, with the positions that began and ended them."""

    from_: date
    to: date
    count: int
    facility: str
    person: str
    case_ref: str
    basis: tuple[int, ...]


class Explanation(Shape, frozen=True, kw_only=True):
    """Why a line is what it is: the arithmetic, the rules, the price, the days."""

    number: str
    line: int
    amount: Amount
    arithmetic: str
    rules: Json
    rate: ExplainedRate
    days: tuple[ExplainedDays, ...]
    basis: tuple[int, ...]
    issued_at_position: int
    position: int


class Invoices(Shape, frozen=True, kw_only=True):
    """A page of invoices."""

    items: tuple[InvoiceRow, ...]
    next: str | None
    position: int
