"""When custody must end: the last lawful date, and the working day on which the person is let go (DOMAIN §6.6).

Both are civil dates of the place. A release day is only ever moved back: nobody is kept for a weekend.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import date, timedelta

from domain.custody.state import Basis

_DAY = timedelta(days=1)
_SATURDAY = 5


def last_lawful_date(bases: Iterable[Basis], day: date) -> date | None:
    """The last date that the bases live on `day` reach, each next one beginning at the latest the day after.

    `None` where no basis is live on `day`, and where an indeterminate one is live or reached: that has no last date.
    """
    known = tuple(bases)
    linked = [basis for basis in known if basis.is_valid_on(day)]
    reached: date | None = None
    while linked:
        ends = [basis.body.must_end_by for basis in linked]
        latest = max((end for end in ends if end is not None), default=None)
        if latest is None or None in ends:
            return None
        if latest == reached:
            break
        reached = latest
        linked = [basis for basis in known if basis.body.valid_from - latest <= _DAY]
    return reached


def release_day(release_due_on: date, closed_days: Collection[date], *, detained: bool) -> date:
    """`release_due_on` moved back to the nearest working day of the place.

    `closed_days` are those on which the place releases nobody, beside Saturdays and Sundays. With `detained`, a live
    basis of kind `detainer`, another authority waits for that very date, and it stays.
    """
    if detained:
        return release_due_on
    day = release_due_on
    while day.weekday() >= _SATURDAY or day in closed_days:
        day -= _DAY
    return day
