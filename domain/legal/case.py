"""A transfer as the law looks at it: every fact a condition may need, gathered into one plain value.

The rules build a `Case` from the register, the tests from written rows; the conditions read nothing else. Civil dates
are those of the agreement's zones, and the instants are recorded ones, so that backdating gains nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from domain.custody.local_days import local_date
from domain.names import AuthorityId, FacilityId, StateCode
from domain.terms import Terms

Moment = Literal["request", "approval", "seal", "departure", "offer"]
MOMENTS: tuple[Moment, ...] = ("request", "approval", "seal", "departure", "offer")
"""When conditions are judged, in order; acceptance judges none."""
Side = Literal["sending", "receiving", "court"]
"""For whom an authority speaks: the sending State, the receiving State, or justice."""
Outcome = Literal["met", "not-met", "waived", "unknown"]
FAILING: frozenset[str] = frozenset({"not-met", "unknown"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One record for the condition of that key (`rule_set/condition`), and the sides its authority spoke for.

    `on` is the civil date of the record in the sending side's zone.
    """

    key: str
    authority: AuthorityId
    sides: frozenset[Side]
    outcome: Outcome
    on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """Attributes of the person that were opened for this transfer; `None` = not opened."""

    nationalities: tuple[str, ...] | None = None
    sex: str | None = None
    birth_date: date | None = None


NOTHING_OPENED = Opened()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """The basis cited: its kind and the State whose authority ordered it."""

    kind: str
    ordering_state: StateCode | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """The place reserved, with its kind."""

    facility: FacilityId
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One transfer at one moment.

    `at` is the instant of judging and `requested_at` that of the request, both as recorded. `departs_at` is the
    planned first departure, without a movement the time of the offer; `None` before either is known.
    `persons_counted` are the others held, approved or on the way under the agreement. `told_at` is when the person was
    told of this transfer. `evidence` stands in recorded order.
    """

    at: datetime
    requested_at: datetime
    purpose: str
    sending_state: StateCode
    receiving_state: StateCode
    terms: Terms
    rule_sets: tuple[str, ...]
    basis: Ground
    responsibility_after: str
    window_from: date
    departs_at: datetime | None = None
    place: Destination | None = None
    persons_counted: int = 0
    told_at: datetime | None = None
    identity_status: str | None = None
    opened: Opened = NOTHING_OPENED
    evidence: tuple[Evidence, ...] = ()

    @property
    def day_of_receipt(self) -> date:
        """The receiving side's civil date of the request; it picks the versions that judge."""
        return local_date(self.requested_at, self.terms.zones.receiving)

    @property
    def today(self) -> date:
        """The sending side's civil date of judging, against which evidence ages."""
        return local_date(self.at, self.terms.zones.sending)

    def planned_day(self, moment: Moment) -> date:
        """The sending side's civil date of travel: the window's first until a departure is planned for."""
        if moment in ("request", "approval") or self.departs_at is None:
            return self.window_from
        return local_date(self.departs_at, self.terms.zones.sending)
