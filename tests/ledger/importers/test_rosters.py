"""The rosters of one city, whole, against their control totals: the ledger states what they say.

They go in whole on SQLite, and in two halves around a SIGKILL on PostgreSQL. All figures are computed from what the
ledger answers, never from the report of the import.
"""

from __future__ import annotations

import csv
import gzip
import signal
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from domain.events.event import Event
from domain.events.person import CustodyOpened, PersonRegistered, PersonReleased
from ledger.importers.book import ImportBook
from projections import When, roll
from tests.ledger.importers.importing import imported, interrupted, opened, told
from tests.ledger.importers.real_registers import asked, by_month, events_of, expected, heads
from tests.shared_data import shared_file

CITY, PLACE, ZONE = "nyc-doc", "nyc-doc-custody", ZoneInfo("America/New_York")

Stay = tuple[str, datetime]
"""A person and when the admission began."""


@cache
def roster_file() -> Path:
    """The rosters as published."""
    return shared_file("data/nyc_doc_rosters_2023-06-24_2023-09-30.csv.gz")


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The rosters, taken in once."""
    url = opened(f"sqlite:///{tmp_path_factory.mktemp('city') / 'custody.db'}")
    report = imported(url, "nyc-roster", roster_file(), CITY)
    assert (report["not_taken"], report["already_there"]) == (0, 0)
    return url


@dataclass(frozen=True)
class Stays:
    """What the events say of each stay, by roster dates: its openings and its ends, in order; and the first roster."""

    opened: dict[Stay, list[date]]
    ended: dict[Stay, list[date]]
    first: date

    def gaps(self) -> Iterator[tuple[date, int]]:
        """The first date without the stay, and how many dates it lasts, for each time it came back."""
        for stay, days in self.opened.items():
            for left, back in zip(self.ended.get(stay, ()), days[1:], strict=False):
                yield left, (back - left).days


@pytest.fixture(scope="module")
def events(city: str) -> list[Event]:
    """Every event of it."""
    return events_of(city)


@pytest.fixture(scope="module")
def stays(events: list[Event]) -> Stays:
    """The stays that the events tell of."""
    opened_on: dict[Stay, list[date]] = defaultdict(list)
    ended_on: dict[Stay, list[date]] = defaultdict(list)
    now: dict[str, Stay] = {}
    for event in events:
        day = event.occurred_at.astimezone(ZONE).date()
        if isinstance(event.body, CustodyOpened):
            now[event.stream] = event.stream, event.body.deprived_at
            opened_on[now[event.stream]].append(day)
        elif isinstance(event.body, PersonReleased):
            ended_on[now[event.stream]].append(day)
    return Stays(opened_on, ended_on, min(days[0] for days in opened_on.values()))


def test_persons_and_stays(events: list[Event], stays: Stays) -> None:
    told_of = expected("nyc_doc_rosters")
    registered = [event.stream for event in events if isinstance(event.body, PersonRegistered)]
    assert len(registered) == len(set(registered)) == told_of["persons"]
    assert len(stays.opened) == told_of["stays"]
    of_each = Counter(person for person, _ in stays.opened)
    assert sum(count > 1 for count in of_each.values()) == told_of["persons_with_more_than_one_stay"]
    assert max(of_each.values()) == told_of["max_stays_of_one_person"]


def test_openings_and_closings(stays: Stays) -> None:
    told_of = expected("nyc_doc_rosters")
    first = {stay: days[0] for stay, days in stays.opened.items()}
    later = [day for day in first.values() if day != stays.first]
    assert (len(first) - len(later), len(later)) == (told_of["present_first"], told_of["openings"])
    assert by_month(later) == told_of["openings_by_month"]
    left = [stays.ended[stay][-1] for stay, days in stays.opened.items() if len(stays.ended[stay]) == len(days)]
    assert len(left) == told_of["closings"]
    assert by_month(left) == told_of["closings_by_month"]
    assert len(first) - len(left) == told_of["present_last"]
    assert sum(map(len, stays.opened.values())) == told_of["present_first"] + 5_925
    assert sum(map(len, stays.ended.values())) == 5_816


def test_gaps(stays: Stays) -> None:
    told_of = expected("nyc_doc_rosters")
    gaps = list(stays.gaps())
    assert len(gaps) == told_of["gaps"]
    assert {str(days): count for days, count in Counter(days for _, days in gaps).items()} == told_of["gap_lengths"]
    assert by_month([left for left, _ in gaps]) == told_of["gaps_by_start_month"]
    assert sum(len(days) > 1 for days in stays.opened.values()) == told_of["stays_with_a_gap"]
    assert max(days for _, days in gaps) == told_of["longest_gap_days"]


def test_lags(stays: Stays) -> None:
    told_of = expected("nyc_doc_rosters")
    lags = Counter(
        (days[0] - deprived_at.astimezone(ZONE).date()).days
        for (_, deprived_at), days in stays.opened.items()
        if days[0] != stays.first
    )
    assert {str(days): count for days, count in lags.items()} == told_of["opening_lag_days"]
    assert (
        sum(count for days, count in lags.items() if days >= 2)
        == (told_of["openings_first_seen_two_or_more_days_after_admission"])
    )
    assert sum(count for days, count in lags.items() if days < 0) == told_of["openings_dated_after_the_roster"]


@cache
def listed() -> dict[str, set[str]]:
    """Roster date → the publisher's ids on it."""
    with gzip.open(roster_file(), "rt", encoding="utf-8", newline="") as file:
        lines = csv.reader(file)
        next(lines)
        return {day: {fields[1] for fields in some} for day, some in groupby(lines, itemgetter(0))}


@pytest.mark.parametrize("known_at_the_head", [False, True], ids=["everything known", "known_at = the head"])
def test_the_roll_of_each_morning_is_the_file_s(city: str, known_at_the_head: bool) -> None:
    told_of = expected("nyc_doc_rosters")
    days = listed()
    with closing(ImportBook.open(city)) as book:
        persons = book.persons("nyc-roster", set().union(*days.values()))
    counts: dict[str, int] = {}
    with asked(city) as ledger:
        known_at = ledger.log.head() if known_at_the_head else None
        for day, ids in days.items():
            morning = datetime.fromisoformat(f"{day}T10:45:00").replace(tzinfo=ZONE)
            page = roll.roll(ledger.views, When(now=ledger.now, as_of=morning, known_at=known_at), PLACE).value
            assert page is not None
            assert sorted(str(item["person"]) for item in page.items) == sorted(persons[id_] for id_ in ids)
            counts[day] = len(page.items)
    assert len(counts) == told_of["rosters"] == 99
    assert counts.items() >= told_of["roster_count_on_five_dates"].items()
    assert [day for day, count in counts.items() if count == max(counts.values())] == (
        told_of["dates_of_the_largest_roster"]
    )
    months = Counter[str]()
    for day, count in counts.items():
        months[day[:7]] += count
    assert months == told_of["man_days_by_month"]
    assert sum(counts.values()) == told_of["rows"]


def test_the_rosters_a_second_time_add_nothing(city: str) -> None:
    before = heads(city)
    report = imported(city, "nyc-roster", roster_file(), CITY)
    assert (report["recorded"], report["not_taken"]) == ({}, 0)
    assert report["already_there"] == 11_176 + 6_033 + 5_925 + 5_816
    assert heads(city) == before


def test_the_rosters_killed_and_started_again_on_postgresql_end_equal(city: str, postgresql_url: str) -> None:
    url = opened(postgresql_url)
    code, _ = interrupted(url, "nyc-roster", roster_file(), CITY, step="after-leaves", number=70)
    assert code == -signal.SIGKILL
    assert 1_000 < heads(url)[0] < 28_000
    imported(url, "nyc-roster", roster_file(), CITY)
    assert told(url) == told(city)
