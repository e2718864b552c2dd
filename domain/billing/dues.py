"""When a person had to be let go: days on which nobody may earn from custody that went on (MONEY §4, reason 8).

A release is due on the release date in force, on the local date of an order's due time, and on the day after the last
basis ended. A later date set by the court does not make a day lawful that was overdue when it passed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from domain.billing.fee_spells import FeeSpell
from domain.custody.counting import Counting
from domain.custody.local_days import local_date
from domain.custody.timeline import Stay
from domain.events.person import CustodyBasisRecorded, ReleaseDateSet, ReleaseOrdered


@dataclass(frozen=True, slots=True, kw_only=True)
class Dues:
    """All that made a release due: dates and orders with the instant each was set, bases, and when stays ended."""

    release_dates: tuple[tuple[datetime, date], ...]
    orders: tuple[tuple[datetime, datetime], ...]
    bases: tuple[CustodyBasisRecorded, ...]
    stays_ended: tuple[datetime, ...]

    def release_was_due(self, day: date, spell: FeeSpell, instant: datetime, zone: str) -> bool:
        """Whether the release of that spell was due on `day`; `instant` is when the day is counted."""
        dates = [(at, due) for at, due in self.release_dates if self._concerns(at, spell)]
        in_force = [due for at, due in dates if at <= instant][-1:] + [due for _, due in dates][-1:]
        ordered = [local_date(due, zone) for at, due in self.orders if self._concerns(at, spell)]
        return any(due <= day for due in (*in_force, *ordered)) or self._bases_have_ended(day)

    def _concerns(self, set_at: datetime, spell: FeeSpell) -> bool:
        """Whether what was set at that instant is about this spell: not later, and not served by an earlier release."""
        if spell.to is not None and set_at > spell.to:
            return False
        return not any(set_at <= ended <= spell.from_ for ended in self.stays_ended)

    def _bases_have_ended(self, day: date) -> bool:
        ended = [basis.must_end_by for basis in self.bases if basis.must_end_by is not None]
        live = any(
            basis.valid_from <= day and (basis.must_end_by is None or day <= basis.must_end_by) for basis in self.bases
        )
        return not live and any(end < day for end in ended)


def dues(counting: Counting, stays: Sequence[Stay], as_of: datetime) -> Dues:
    """What a person's counting facts up to `as_of` say about the release."""
    facts = [(fact.instant, fact.event.body) for fact in counting.facts if fact.instant <= as_of]
    return Dues(
        release_dates=tuple((at, body.release_due_on) for at, body in facts if isinstance(body, ReleaseDateSet)),
        orders=tuple((at, body.due_at) for at, body in facts if isinstance(body, ReleaseOrdered)),
        bases=tuple(body for _, body in facts if isinstance(body, CustodyBasisRecorded)),
        stays_ended=tuple(stay.to for stay in stays if stay.to is not None),
    )
