"""What is recorded about an agreement: its revisions, signatures, fee schedule and closed periods."""

from __future__ import annotations

from datetime import date
from typing import ClassVar

import msgspec

from domain.events.event import Body, Fact
from domain.money import Money
from domain.names import AuthorityId, Digest, FacilityId, PaymentId, ScheduleId


class Party(msgspec.Struct, gc=False, frozen=True, kw_only=True):
    """One party of an agreement and its side, `sending` or `receiving`."""

    authority: AuthorityId
    role: str


class AgreementDrafted(Fact, frozen=True, kw_only=True):
    """A revision that binds nobody yet; `terms` are those of DOMAIN §5.6, `terms_digest` their canonical SHA-256."""

    wire: ClassVar[str] = "agreement-drafted.v1"
    stream_kind: ClassVar[str] = "agreement"
    agreement: str
    revision: int
    parties: tuple[Party, ...]
    legal_bases: tuple[str, ...]
    terms: dict[str, object]
    terms_digest: Digest
    from_: date
    to: date


class AgreementSigned(Fact, frozen=True, kw_only=True):
    """One party binds itself to a revision by the digest of its terms."""

    wire: ClassVar[str] = "agreement-signed.v1"
    stream_kind: ClassVar[str] = "agreement"
    revision: int
    terms_digest: Digest


class Validity(msgspec.Struct, gc=False, frozen=True, kw_only=True, omit_defaults=True, rename={"from_": "from"}):
    """Local dates, both inclusive; an open end has no `to`."""

    from_: date
    to: date | None = None


class Rate(msgspec.Struct, gc=False, frozen=True, kw_only=True, omit_defaults=True, rename={"from_": "from"}):
    """A price a day: the decimal text `rate` divided by `per`, for local dates `from` to `to`."""

    rate: str
    per: int
    from_: date
    to: date | None = None


class Component(msgspec.Struct, gc=False, frozen=True, kw_only=True):
    """A priced part of a schedule; `per-diem` multiplies custody days by the rate of the day."""

    model: str
    rates: tuple[Rate, ...]


class Billing(msgspec.Struct, gc=False, frozen=True, kw_only=True, omit_defaults=True):
    """When a period is closed and how later truth is billed; `at-once` where nothing is said."""

    period: str
    close_after_days: int
    adjustments: str | None = None


class Rounding(msgspec.Struct, gc=False, frozen=True, kw_only=True, omit_defaults=True):
    """Which way and where an amount is rounded (MONEY §2); `half-up` and `line-amount` where nothing is said."""

    mode: str | None = None
    place: str | None = None


class FeeScheduleProposed(Fact, frozen=True, kw_only=True):
    """One treasury proposes what custody under the agreement costs (MONEY §3).

    The other one signs the digest of exactly this, so a field left out stays out; what holds then is said where it is
    read.
    """

    wire: ClassVar[str] = "fee-schedule-proposed.v1"
    stream_kind: ClassVar[str] = "agreement"
    schedule: ScheduleId
    revision: int
    payee: AuthorityId
    payer: AuthorityId
    currency: str
    valid: Validity
    facilities: tuple[FacilityId, ...]
    pools: tuple[tuple[FacilityId, ...], ...] | None = None
    series: str
    components: tuple[Component, ...]
    day_rule: str
    same_day: int | None = None
    in_transit: str | None = None
    absences: dict[str, str] | None = None
    holds: tuple[str, ...] | None = None
    billing: Billing
    rounding: Rounding | None = None
    year_basis: str | None = None
    terms_days: int
    dispute_days: int


class FeeScheduleSigned(Fact, frozen=True, kw_only=True):
    """The other treasury signs the digest of the proposal."""

    wire: ClassVar[str] = "fee-schedule-signed.v1"
    stream_kind: ClassVar[str] = "agreement"
    schedule: ScheduleId
    proposal_digest: Digest


class Period(msgspec.Struct, gc=False, frozen=True, kw_only=True, order=True, rename={"from_": "from"}):
    """Local dates, both inclusive."""

    from_: date
    to: date


class FacilityDays(msgspec.Struct, gc=False, frozen=True, kw_only=True):
    """Custody days counted at one facility."""

    facility: FacilityId
    person_days: int


class CustodyDaysClosed(Fact, frozen=True, kw_only=True):
    """The days of a period are fixed: their count and the digest of the list (MONEY §5)."""

    wire: ClassVar[str] = "custody-days-closed.v1"
    stream_kind: ClassVar[str] = "agreement"
    period: Period
    facilities: tuple[FacilityDays, ...]
    person_days: int
    digest: Digest
    tzdata: str


class PaymentReceived(Fact, frozen=True, kw_only=True):
    """Money arrived: on an invoice's stream the part allocated to it, on the agreement's what stays on account."""

    wire: ClassVar[str] = "payment-received.v1"
    stream_kind: ClassVar[str] = "agreement"
    payment: PaymentId
    amount: Money
    external_ref: str
    value_date: date


EVENTS: tuple[type[Body], ...] = (
    AgreementDrafted,
    AgreementSigned,
    FeeScheduleProposed,
    FeeScheduleSigned,
    CustodyDaysClosed,
    PaymentReceived,
)
