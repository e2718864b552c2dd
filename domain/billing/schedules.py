"""A signed fee schedule as days and prices read it, with what holds where the proposal says nothing (MONEY §3).

Everything is asked at one knowledge: a signature above the position `known_at` is not there yet. So a period reads
the same for ever, however much is signed after it was closed. `SignedSchedule` is what readers come for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Literal, Protocol

from domain.custody.places import Places
from domain.events.agreement import FeeScheduleProposed, Period, Rate
from domain.files.agreement import AgreementFile, Revision
from domain.files.person import PersonFile
from domain.money import RoundingMode
from domain.names import AgreementId, PersonId

DayRule = Literal["arrival-not-departure", "midnight", "both-ends"]
RoundingPlace = Literal["line-amount", "rate-first", "on-total"]

_DAY_RULES: dict[str, DayRule] = {
    "arrival-not-departure": "arrival-not-departure",
    "midnight": "midnight",
    "both-ends": "both-ends",
}
_MODES: dict[str, RoundingMode] = {"half-up": "half-up", "half-even": "half-even", "down": "down"}
_PLACES: dict[str, RoundingPlace] = {
    "line-amount": "line-amount",
    "rate-first": "rate-first",
    "on-total": "on-total",
}


class Registry(Places, Protocol):
    """What billing must be able to look up: agreements, and the people under them."""

    def agreement(self, id_: str) -> AgreementFile | None:
        """The file of an agreement."""

    def person(self, id_: str) -> PersonFile | None:
        """The file of a person."""

    def under(self, agreement_id: str) -> Iterator[PersonId]:
        """Those with a transfer, open or not, under the agreement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedSchedule:
    """A proposal that both treasuries have signed; `agreed_by` is the position of the second signature."""

    file: AgreementFile
    body: FeeScheduleProposed
    agreed_by: int
    known_at: int | None

    @property
    def agreement(self) -> AgreementId:
        """The agreement it is an annex of."""
        return self.file.agreement

    @property
    def day_rule(self) -> DayRule:
        """How the days of a spell are counted."""
        return _DAY_RULES[self.body.day_rule]

    @property
    def same_day(self) -> int:
        """Days of a spell within one date, for `arrival-not-departure`."""
        return 1 if self.body.same_day is None else self.body.same_day

    @property
    def rounding_mode(self) -> RoundingMode:
        """Which way an amount is rounded."""
        rounding = self.body.rounding
        return _MODES[rounding.mode] if rounding is not None and rounding.mode is not None else "half-up"

    @property
    def rounding_place(self) -> RoundingPlace:
        """Where it is rounded."""
        rounding = self.body.rounding
        return _PLACES[rounding.place] if rounding is not None and rounding.place is not None else "line-amount"

    def in_force(self, day: date) -> bool:
        """Whether schedule and agreement are both in force on that date of a place."""
        valid = self.body.valid
        if day < valid.from_ or (valid.to is not None and day > valid.to):
            return False
        return agreement_in_force(self.file, day, self.known_at)

    def rate_on(self, day: date) -> Rate | None:
        """The row in force on that date; `None`: the day is unpriced."""
        rows = (row for component in self.body.components for row in component.rates)
        return next((row for row in rows if row.from_ <= day and (row.to is None or day <= row.to)), None)


def agreement_in_force(file: AgreementFile, day: date, known_at: int | None) -> bool:
    """Whether some revision signed by all at `known_at` is in force on that date; a later one supersedes."""
    signed = [item for item in file.revisions if _is_signed(item, known_at) and item.body.from_ <= day]
    latest = max(signed, key=lambda item: item.body.revision, default=None)
    return latest is not None and day <= latest.body.to


def _is_signed(revision: Revision, known_at: int | None) -> bool:
    signers = {item.actor.authority for item in revision.signatures if known_at is None or item.position <= known_at}
    return {party.authority for party in revision.body.parties} <= signers


def signed_schedules(file: AgreementFile, known_at: int | None = None) -> tuple[SignedSchedule, ...]:
    """The schedules of an agreement that both treasuries had signed by then, in the order of proposal."""
    return tuple(
        SignedSchedule(file=file, body=item.body, agreed_by=item.signed.position, known_at=known_at)
        for item in file.schedules
        if item.signed is not None and (known_at is None or item.signed.position <= known_at)
    )


def schedule_of(file: AgreementFile, period: Period, known_at: int | None = None) -> SignedSchedule | None:
    """The schedule a period is billed by: the one valid on some date of it; two never share a calendar month."""
    return next(
        (
            item
            for item in signed_schedules(file, known_at)
            if item.body.valid.from_ <= period.to and (item.body.valid.to is None or period.from_ <= item.body.valid.to)
        ),
        None,
    )
