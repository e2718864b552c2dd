"""Rows of the views, pages, and the state of the service, as they are answered.

The views make these rows themselves; here is what they look like, for the document and for the tests that hold
every answer against it. Instants are UTC, `…Z`; `ref` and the like are positions.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal

import msgspec

from ledger.http.answers.entities import Agreement, Authority, Cell, Facility, Handover, Shape, Transfer

Json = dict[str, Any]
"""An object whose members are told elsewhere: a body as recorded, by its type; a part of a bill, by its kind."""


class Amount(Shape, frozen=True, kw_only=True):
    """Money: a decimal text with exactly the currency's decimals."""

    amount: str
    currency: str


class PersonRow(Shape, frozen=True, kw_only=True):
    """One person in the register."""

    person: str
    status: str
    file: Literal["open", "closed"]
    custodian: str | None
    responsible: str | None
    at: str
    agreement: str | None
    flags: tuple[str, ...]
    ref: int


class Unaccounted(Shape, frozen=True, kw_only=True):
    """Why the register may not know where a person is, and since when."""

    cause: str
    since: datetime


class OpenOffer(Shape, frozen=True, kw_only=True):
    """A handover that waits for its answer."""

    handover: str
    transfer: str
    to: str
    facility: str
    offered_at: datetime
    ref: int


class Custody(Shape, frozen=True, kw_only=True):
    """Who holds a person, where, since when, on what ground, and how sure that is."""

    person: str
    status: Cell
    responsible: Cell
    custodian: Cell
    at: Cell
    basis: str | None
    lawful_until: date | None
    confidence: Literal["confirmed", "one-sided", "contradicted", "unaccounted"]
    unaccounted: Unaccounted | None
    offer: OpenOffer | None
    file: Literal["open", "closed"]
    as_of: datetime
    position: int


class TimelineRow(Shape, frozen=True, kw_only=True):
    """A stretch of time in one state, or a named gap."""

    from_: datetime
    to: datetime | None
    kind: Literal["spell", "gap"]
    name: str | None
    status: str | None
    responsible: str | None
    custodian: str | None
    at: str | None
    midnights: int | None
    opened_by: int
    ended_by: int | None
    flags: tuple[str, ...]


class RollRow(Shape, frozen=True, kw_only=True):
    """One person in a place at an instant."""

    person: str
    since: datetime
    place_kept: bool
    custodian: str | None
    basis: str | None
    due: date | None
    confidence: str
    agreement: str | None
    ref: int


class Override(Shape, frozen=True, kw_only=True):
    """Two officers let the place hold more than its certificate says."""

    position: int
    approved_by: tuple[str, ...]


class OccupancyRow(Shape, frozen=True, kw_only=True):
    """One local day of a place: start + in - out = end = present + absent + unaccounted."""

    date: date
    start: int
    in_: int = msgspec.field(name="in")
    out: int
    end: int
    present: int
    absent: int
    unaccounted: int
    any_part: int
    reported: int
    allocated: int
    reserved: int
    capacity: int | None
    free: int | None
    over_by: int | None
    overrides: tuple[Override, ...]


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
    """An amount that is not in the balance yet."""

    kind: str
    number: str
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
    """An invoice with its lines, the custody days they cite, and what was paid."""

    lines: tuple[InvoiceLine, ...]
    claims: tuple[InvoiceClaim, ...]
    payments: tuple[InvoicePayment, ...]


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


class AuditRow(Shape, frozen=True, kw_only=True):
    """One event as a sentence: what happened, who said so, when it was written."""

    position: int
    event_id: str
    type: str
    stream: str
    stream_version: int
    occurred_at: datetime
    recorded_at: datetime
    authority: str
    officer: str
    credential: str
    sentence: str
    flags: tuple[str, ...]
    corrected_by: int | None
    person: str | None
    transfer: str | None
    agreement: str | None
    leaf_hash: str


class LogEvent(Shape, frozen=True, kw_only=True):
    """One event as stored: the fields of the leaf, the position, the RFC 9162 leaf hash in base64."""

    position: int
    leaf_hash: str
    actor: dict[str, str]
    body: Json
    command_id: str
    correlation_id: str
    event_id: str
    occurred_at: datetime
    prev: str
    recorded_at: datetime
    salt: str
    signatures: tuple[Any, ...]
    stream: str
    stream_version: int
    type: str


class Projection(Shape, frozen=True, kw_only=True):
    """How far a view is, and how it is doing."""

    view: str
    position: int
    head: int
    lag: int
    state: Literal["current", "behind", "stalled", "stopped"]
    trend: Literal["falling", "steady", "growing"]
    rate: int
    advanced_at: datetime | None
    error: str | None
    error_position: int | None
    generation: int
    building: int | None


class Rebuild(Shape, frozen=True, kw_only=True):
    """A rebuild of a view by this process; `differing` rows keep it from being switched to."""

    rebuild: str
    view: str
    state: Literal["running", "switched", "refused", "failed"]
    done: int
    total: int
    rows: int | None
    differing: int | None
    error: str | None


class People(Shape, frozen=True, kw_only=True):
    """A page of people."""

    items: tuple[PersonRow, ...]
    next: str | None
    position: int


class Timeline(Shape, frozen=True, kw_only=True):
    """A person's time in the register, without a hole."""

    items: tuple[TimelineRow, ...]
    as_of: datetime
    position: int


class Roll(Shape, frozen=True, kw_only=True):
    """A page of those in a place at an instant, by since."""

    items: tuple[RollRow, ...]
    next: str | None
    as_of: datetime
    position: int


class Occupancy(Shape, frozen=True, kw_only=True):
    """A place day by day."""

    items: tuple[OccupancyRow, ...]
    as_of: datetime
    position: int


class OccupancyPersons(Shape, frozen=True, kw_only=True):
    """The persons behind each number of one day."""

    persons: dict[str, tuple[str, ...]]
    as_of: datetime
    position: int


class Authorities(Shape, frozen=True, kw_only=True):
    """A page of authorities."""

    items: tuple[Authority, ...]
    next: str | None
    position: int


class Facilities(Shape, frozen=True, kw_only=True):
    """A page of facilities."""

    items: tuple[Facility, ...]
    next: str | None
    position: int


class Agreements(Shape, frozen=True, kw_only=True):
    """A page of agreements."""

    items: tuple[Agreement, ...]
    next: str | None
    position: int


class Transfers(Shape, frozen=True, kw_only=True):
    """A page of transfers."""

    items: tuple[Transfer, ...]
    next: str | None
    position: int


class Handovers(Shape, frozen=True, kw_only=True):
    """A page of handovers."""

    items: tuple[Handover, ...]
    next: str | None
    position: int


class Invoices(Shape, frozen=True, kw_only=True):
    """A page of invoices."""

    items: tuple[InvoiceRow, ...]
    next: str | None
    position: int


class AuditTrail(Shape, frozen=True, kw_only=True):
    """A page of the audit trail."""

    items: tuple[AuditRow, ...]
    next: str | None
    position: int


class Events(Shape, frozen=True, kw_only=True):
    """A page of the log."""

    items: tuple[LogEvent, ...]
    next: str | None
    position: int


class Projections(Shape, frozen=True, kw_only=True):
    """All views."""

    items: tuple[Projection, ...]
    position: int


class Live(Shape, frozen=True, kw_only=True):
    """The process answers."""

    status: Literal["live"]


class Ready(Shape, frozen=True, kw_only=True):
    """The database answers; `degraded` names views that lag or have stopped."""

    status: Literal["ready", "degraded"]
    position: int
    views: dict[str, str]


class Version(Shape, frozen=True, kw_only=True):
    """Which program this is."""

    name: str
    version: str
    environment: str
