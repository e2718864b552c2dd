"""Two public registers, whole, against their control totals in `expected.json`: the ledger states what they say.

The roster goes in whole on SQLite, and in two halves around a SIGKILL on PostgreSQL; the transfers in two halves on
SQLite. All figures are computed from what the ledger answers, never from the report of the import.
"""

from __future__ import annotations

import csv
import gzip
import json
import signal
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from domain.events.event import Event
from domain.events.person import CustodyOpened, MovedWithin, PersonRegistered, PersonReleased
from ledger.cli.opening import Ledger
from ledger.cli.opening import opened as opened_ledger
from ledger.importers.book import ImportBook
from ledger.importers.nz_transfers import REASONS, place_id
from ledger.settings import Settings
from ledger.store import open_log
from ledger.store.leaf import read_event
from projections import When, roll
from tests.ledger.importers.importing import imported, interrupted, opened, told
from tests.shared_data import shared_file

CITY, PLACE, ZONE = "nyc-doc", "nyc-doc-custody", ZoneInfo("America/New_York")
ISLANDS = "nz-corrections"
EQUAL_PLACES = "origin-and-destination-are-the-same"

Stay = tuple[str, datetime]
"""A person and when the admission began."""


@cache
def roster_file() -> Path:
    """The rosters as published."""
    return shared_file("data/nyc_doc_rosters_2023-06-24_2023-09-30.csv.gz")


@cache
def transfers_file() -> Path:
    """The transfers as published."""
    return shared_file("data/nz_inter_prison_transfers_2018-07-02_2020-06-30.csv")


@cache
def expected(name: str) -> dict[str, Any]:
    """The control totals of one source."""
    found: dict[str, Any] = json.loads(shared_file("data/expected.json").read_text("utf-8"))[name]
    return found


@contextmanager
def asked(url: str) -> Iterator[Ledger]:
    """The ledger opened as a reading command opens it."""
    with opened_ledger(Settings.model_validate({"database_url": url})) as ledger:
        yield ledger


def events_of(url: str) -> list[Event]:
    """Every event of a ledger."""
    with asked(url) as ledger:
        return [read_event(row) for row in ledger.log.read(0, ledger.log.head())]


def heads(url: str) -> tuple[int, bytes]:
    """How long a log is, and the hash of its last leaf."""
    with closing(open_log(url, exclusive=False)) as log:
        head = log.head()
        return head, log.leaf_hashes(head - 1, 1)[0]


# The rosters.


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
def stays(city: str) -> Stays:
    """The stays that the events tell of."""
    opened_on: dict[Stay, list[date]] = defaultdict(list)
    ended_on: dict[Stay, list[date]] = defaultdict(list)
    now: dict[str, Stay] = {}
    for event in events_of(city):
        day = event.occurred_at.astimezone(ZONE).date()
        if isinstance(event.body, CustodyOpened):
            now[event.stream] = event.stream, event.body.deprived_at
            opened_on[now[event.stream]].append(day)
        elif isinstance(event.body, PersonReleased):
            ended_on[now[event.stream]].append(day)
    return Stays(opened_on, ended_on, min(days[0] for days in opened_on.values()))


def by_month(days: Iterator[date] | list[date]) -> dict[str, int]:
    """How many fall into each month."""
    return dict(Counter(day.strftime("%Y-%m") for day in days))


def test_persons_and_stays(city: str, stays: Stays) -> None:
    told_of = expected("nyc_doc_rosters")
    registered = [event.stream for event in events_of(city) if isinstance(event.body, PersonRegistered)]
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


# The transfers.


@pytest.fixture(scope="module")
def islands(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Any]:
    """The transfers, taken in by two imports, the first of which was killed; and the report of the second."""
    url = opened(f"sqlite:///{tmp_path_factory.mktemp('islands') / 'custody.db'}")
    code, _ = interrupted(url, "nz-transfers", transfers_file(), ISLANDS, step="before-commit", number=20)
    assert code == -signal.SIGKILL
    return url, imported(url, "nz-transfers", transfers_file(), ISLANDS)


@pytest.fixture(scope="module")
def moves(islands: tuple[str, Any]) -> list[Event]:
    """Every move that is recorded."""
    return [event for event in events_of(islands[0]) if isinstance(event.body, MovedWithin)]


def test_the_two_rows_with_equal_places_are_refused_by_name(islands: tuple[str, Any]) -> None:
    with transfers_file().open(encoding="utf-8-sig", newline="") as file:
        lines = file.read().splitlines()
    refused = islands[1]["refused"]
    assert [row["code"] for row in refused] == [EQUAL_PLACES, EQUAL_PLACES]
    rows = [lines[int(row["where"].removeprefix("line ")) - 1].split(",") for row in refused]
    assert [(row[0], row[0] == row[1], row[3]) for row in rows] == [
        ("SHCF", True, "25-Oct-18"),
        ("MECF", True, "30-Sep-19"),
    ]
    assert [(row["prison"], row["reason"]) for row in expected("nz_transfers")["from_equals_to_rows"]] == [
        (row[0], row[2]) for row in rows
    ]


def test_every_other_row_is_one_person_taken_in_and_moved(islands: tuple[str, Any], moves: list[Event]) -> None:
    told_of = expected("nz_transfers")
    assert len(moves) == told_of["rows"] - told_of["from_equals_to"] == 19_137
    people = Counter(event.stream for event in events_of(islands[0]) if event.stream.startswith("person:"))
    assert set(people.values()) == {3}, "registered, opened, moved: all or none of a row"
    assert len(people) == len(moves)


def test_moves_into_and_out_of_each_prison(moves: list[Event]) -> None:
    told_of = expected("nz_transfers")
    off = Counter(place_id(row["prison"]) for row in told_of["from_equals_to_rows"])
    into = {place_id(name): count - off[place_id(name)] for name, count in told_of["into_prison"].items()}
    out_of = {place_id(name): count - off[place_id(name)] for name, count in told_of["out_of_prison"].items()}
    found_into = Counter(str(event.body.to_facility) for event in moves if isinstance(event.body, MovedWithin))
    found_out = Counter(str(event.body.from_facility) for event in moves if isinstance(event.body, MovedWithin))
    assert (found_into, found_out) == (into, out_of)
    assert (found_into["shcf"], found_out["shcf"]) == (2_211, 2_059)
    assert (found_into["mecf"], found_out["mecf"]) == (2_780, 4_824)
    flow = {place_id(name): count for name, count in told_of["net_flow_per_prison"].items()}
    assert {place: found_into[place] - found_out[place] for place in flow} == flow
    assert len(flow) == told_of["prisons"]


def test_reasons_and_months(moves: list[Event]) -> None:
    told_of = expected("nz_transfers")
    reasons: Counter[str] = Counter()
    for name, count in told_of["reasons"].items():
        reasons[REASONS[name]] += count
    months = Counter(told_of["rows_per_month"])
    for row in told_of["from_equals_to_rows"]:
        reasons[REASONS[row["reason"]]] -= 1
        months[row["date"][:7]] -= 1
    assert Counter(event.body.reason for event in moves if isinstance(event.body, MovedWithin)) == reasons
    days = [event.occurred_at.astimezone(ZoneInfo("Pacific/Auckland")).date() for event in moves]
    assert by_month(days) == months
    assert (min(days).isoformat(), max(days).isoformat()) == (told_of["first"], told_of["last"])


def test_the_transfers_a_second_time_add_nothing(islands: tuple[str, Any]) -> None:
    before = heads(islands[0])
    report = imported(islands[0], "nz-transfers", transfers_file(), ISLANDS)
    assert (report["recorded"], report["not_taken"]) == ({}, 2)
    assert report["already_there"] == 3 * 19_137
    assert heads(islands[0]) == before
