"""What is recorded about an invoice: its header, the days it bills, its lines, its approvals (MONEY §11)."""

from __future__ import annotations

from datetime import date
from typing import ClassVar

import msgspec

from domain.events.agreement import Period
from domain.events.event import Body, Fact
from domain.money import Money
from domain.names import AgreementId, CaseRef, Digest, FacilityId, InvoiceNumber, PersonId


class InvoiceIssued(Fact, frozen=True, kw_only=True):
    """The header of an issued document; from here on nothing about it changes."""

    wire: ClassVar[str] = "invoice-issued.v1"
    stream_kind: ClassVar[str] = "invoice"
    number: InvoiceNumber
    series: str
    kind: str
    agreement: AgreementId
    period: Period
    issue_date: date
    due_date: date
    total: Money
    lines: int
    lines_digest: Digest
    closed_at: int
    supplements: InvoiceNumber | None
    cause: int | None
    preview_digest: Digest | None


class CustodyDaysBilled(Fact, frozen=True, kw_only=True):
    """The days one person is billed at one place; `basis` are the positions that earn them."""

    wire: ClassVar[str] = "custody-days-billed.v1"
    stream_kind: ClassVar[str] = "invoice"
    claim: int
    person: PersonId
    case_ref: CaseRef
    facility: FacilityId
    ranges: tuple[Period, ...]
    days: int
    basis: tuple[int, ...]


class LineRules(msgspec.Struct, gc=False, frozen=True, kw_only=True):
    """The calculation behind a line, by name, so that it can be run again (MONEY §8)."""

    agreement_version: int
    day_rule: str
    same_day: int
    rounding: str
    rules_version: int
    tzdata: str
    zone: str


class InvoiceLineIssued(Fact, frozen=True, kw_only=True):
    """One line: `quantity` times `rate` divided by `per`, citing the positions behind it."""

    wire: ClassVar[str] = "invoice-line-issued.v1"
    stream_kind: ClassVar[str] = "invoice"
    line: int
    kind: str
    component: int
    claims: tuple[int, ...]
    quantity: int
    unit: str
    rate: str
    per: int
    amount: Money
    basis: tuple[int, ...]
    rules: LineRules


class InvoiceApproved(Fact, frozen=True, kw_only=True):
    """One officer of the payer approves the payable amount; two different ones make it payable."""

    wire: ClassVar[str] = "invoice-approved.v1"
    stream_kind: ClassVar[str] = "invoice"
    payable: Money
    match_digest: Digest | None
    accepted_differences: tuple[str, ...]


EVENTS: tuple[type[Body], ...] = (InvoiceIssued, CustodyDaysBilled, InvoiceLineIssued, InvoiceApproved)
