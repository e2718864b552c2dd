"""The money of the world: schedules, closed months, invoices and payments, each as far as it has come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, NamedTuple


@dataclass(slots=True)
class Schedule:
    """A fee schedule: what one treasury proposes and the other signs. `signed_at` is the position of the signature."""

    agreement: str
    data: Mapping[str, Any]
    proposer: str
    digest: str
    position: int
    signed_at: int | None = None

    @property
    def payee(self) -> str:
        """Who is paid."""
        return str(self.data["payee"])

    @property
    def payer(self) -> str:
        """Who pays."""
        return str(self.data["payer"])

    @property
    def first(self) -> date:
        """The first date it prices."""
        return date.fromisoformat(self.data["valid"]["from"])

    @property
    def last(self) -> date:
        """The last date it prices."""
        return date.fromisoformat(self.data["valid"]["to"]) if "to" in self.data["valid"] else date.max

    def has_rate_on(self, day: date) -> bool:
        """Whether a price is agreed for that date."""
        row = self.data["components"][0]["rates"][0]
        last = date.fromisoformat(row["to"]) if "to" in row else date.max
        return date.fromisoformat(row["from"]) <= day <= last


class Day(NamedTuple):
    """One date earned by one person at one place.

    `came` is when the fee spell began, `positions` are those of the facts that earn the day.
    """

    person: str
    date: date
    facility: str
    came: datetime
    positions: tuple[int, ...]


@dataclass(slots=True)
class Closing:
    """A closed month: its days as they were then, and how many events stood on the agreement's stream."""

    position: int
    version: int
    days: list[Day]


@dataclass(slots=True)
class Invoice:
    """An issued document: what is left to pay, and the officers who have approved it."""

    number: str
    schedule: Schedule
    first: date
    total: int
    open: int
    approved_by: set[str] = field(default_factory=set)

    @property
    def stream(self) -> str:
        """Where its events stand."""
        return f"invoice:{self.schedule.payee}:{self.number}"

    @property
    def is_approved(self) -> bool:
        """Whether two officers have approved it."""
        return len(self.approved_by) > 1


@dataclass(slots=True)
class Money:
    """All of it. `closed` is by agreement and first date of the month."""

    schedules: dict[tuple[str, str], Schedule] = field(default_factory=dict)
    series: set[str] = field(default_factory=set)
    closed: dict[tuple[str, date], Closing] = field(default_factory=dict)
    invoices: dict[str, Invoice] = field(default_factory=dict)
    payments: set[str] = field(default_factory=set)

    def signed(self, agreement: str) -> list[Schedule]:
        """The schedules of an agreement that both treasuries have signed, in the order of proposal."""
        return [item for item in self.schedules.values() if item.agreement == agreement and item.signed_at is not None]

    def billing(self, agreement: str, first: date, last: date) -> Schedule | None:
        """The signed schedule that prices some date from `first` to `last`."""
        return next((item for item in self.signed(agreement) if item.first <= last and first <= item.last), None)

    def of(self, agreement: str) -> list[Invoice]:
        """The invoices issued under an agreement."""
        return [invoice for invoice in self.invoices.values() if invoice.schedule.agreement == agreement]
