"""Local days: when a civil date begins and ends in a zone, and which midnights an interval holds (MONEY §4).

A date ends once. A day of 23 or 25 hours is one day, a midnight that does not exist or comes twice still gives one end,
and a date the zone skipped has none. Zone data are those of the `tzdata` package, never the machine's, so that every
process of a ledger counts alike; `TZDATA_RELEASE` names them.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, lru_cache
from importlib.resources import files
from itertools import pairwise
from zoneinfo import ZoneInfo

_DATA = files("tzdata")


def _release() -> str:
    with _DATA.joinpath("zoneinfo", "tzdata.zi").open(encoding="ascii") as rules:
        return rules.readline().split()[-1]


TZDATA_RELEASE: str = _release()
"""The tzdata release behind every answer of this module, `2025b` for example."""

_DAY = timedelta(days=1)
_INSTANT = timedelta(microseconds=1)
_CACHED_DAYS = 1 << 17


@cache
def zone_names() -> frozenset[str]:
    """Every zone name that this release knows."""
    return frozenset((_DATA / "zones").read_text(encoding="ascii").split())


def is_zone(name: str) -> bool:
    """Whether `name` is a zone of this tzdata release."""
    return name in zone_names()


@cache
def _zone(name: str) -> ZoneInfo:
    # The name is looked up first, so that no other text ever becomes a path.
    if not is_zone(name):
        raise ValueError("time zone is unknown")
    with _DATA.joinpath("zoneinfo", *name.split("/")).open("rb") as data:
        return ZoneInfo.from_file(data, key=name)


def local_date(instant: datetime, zone: str) -> date:
    """The civil date on the wall of `zone` at that instant."""
    return instant.astimezone(_zone(zone)).date()


@lru_cache(maxsize=_CACHED_DAYS)
def day_end(day: date, zone: str) -> datetime | None:
    """t(D): the last instant at which `day` ends, in UTC; `None` where the zone skips that date."""
    where = _zone(zone)
    midnight = datetime.combine(day + _DAY, time())
    first, second = (midnight.replace(tzinfo=where, fold=fold).astimezone(UTC) for fold in (0, 1))
    if first == second and _ends_at(first, day, where) and _offset(first - _DAY, where) == _offset(first + _DAY, where):
        return first
    ends = [instant for instant in (first, second, *_transitions(midnight, where)) if _ends_at(instant, day, where)]
    return max(ends, default=None)


def day_start(day: date, zone: str) -> datetime:
    """The instant at which `day` begins, in UTC: the end of the last earlier date that the zone has."""
    before = day - _DAY
    while (end := day_end(before, zone)) is None:
        before -= _DAY
    return end


def midnights(from_: datetime, to: datetime, zone: str) -> list[date]:
    """The dates D with `from_` < t(D) ≤ `to`, in order: the midnights that the interval holds."""
    if to <= from_:
        return []
    day, last = local_date(from_, zone) - _DAY, local_date(to, zone)
    held = []
    while day <= last:
        if _ends_within(day, from_, to, zone):
            held.append(day)
        day += _DAY
    return held


def count_midnights(from_: datetime, to: datetime, zone: str) -> int:
    """How many midnights the interval holds: as many as `midnights` lists."""
    if to <= from_:
        return 0
    first = local_date(from_, zone)
    count = int(_ends_within(first - _DAY, from_, to, zone))
    if (end := day_end(first, zone)) is not None and to < end:
        # Every later day ends later still.
        return count
    last = local_date(to, zone)
    count += _ends_within(last, from_, to, zone)
    if last > first:
        count += _ends_within(last - _DAY, from_, to, zone)
    if last - first > _DAY:
        # A clock is put back by a day at most: what lies between these ends after `from_` and before `to`.
        count += _days_between(first, last - 2 * _DAY, zone)
    return count


def _ends_within(day: date, from_: datetime, to: datetime, zone: str) -> bool:
    end = day_end(day, zone)
    return end is not None and from_ < end <= to


@lru_cache(maxsize=_CACHED_DAYS)
def _days_between(first: date, last: date, zone: str) -> int:
    """How many dates the zone has from `first` to `last`, both included."""
    days = (first + index * _DAY for index in range((last - first).days + 1))
    return sum(day_end(day, zone) is not None for day in days)


def add_months(day: date, months: int) -> date:
    """The same day of the month `months` later, clipped to that month's last day: windows and treaty terms alike."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def _offset(instant: datetime, where: ZoneInfo) -> timedelta:
    offset = instant.astimezone(where).utcoffset()
    assert offset is not None
    return offset


def _ends_at(instant: datetime, day: date, where: ZoneInfo) -> bool:
    return (instant - _INSTANT).astimezone(where).date() == day < instant.astimezone(where).date()


def _transitions(midnight: datetime, where: ZoneInfo) -> list[datetime]:
    """The instants within two days of a local midnight at which the clocks of the zone are turned."""
    found = []
    hours = (midnight.replace(tzinfo=UTC) + timedelta(hours=hour) for hour in range(-48, 49))
    for hour, next_hour in pairwise(hours):
        before, low, high = _offset(hour, where), hour, next_hour
        if before == _offset(high, where):
            continue
        while high - low > timedelta(seconds=1):
            middle = low + timedelta(seconds=(high - low) // timedelta(seconds=2))
            low, high = (middle, high) if _offset(middle, where) == before else (low, middle)
        found.append(high)
    return found
