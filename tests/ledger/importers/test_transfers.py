"""Two years of transfers between prisons, whole, against their control totals: the ledger states what they say.

They go in by two imports on SQLite, the first of which is killed. All figures are computed from what the ledger
answers, never from the report of the import.
"""

from __future__ import annotations

import signal
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from domain.events.event import Event
from domain.events.person import MovedWithin
from ledger.importers.nz_transfers import REASONS, place_id
from tests.ledger.importers.importing import imported, interrupted, opened
from tests.ledger.importers.real_registers import by_month, events_of, expected, heads
from tests.shared_data import shared_file

ISLANDS = "nz-corrections"
EQUAL_PLACES = "origin-and-destination-are-the-same"


@cache
def transfers_file() -> Path:
    """The transfers as published."""
    return shared_file("data/nz_inter_prison_transfers_2018-07-02_2020-06-30.csv")


@pytest.fixture(scope="module")
def islands(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Any]:
    """The transfers, taken in by two imports, the first of which was killed; and the report of the second."""
    url = opened(f"sqlite:///{tmp_path_factory.mktemp('islands') / 'custody.db'}")
    code, _ = interrupted(url, "nz-transfers", transfers_file(), ISLANDS, step="before-commit", number=20)
    assert code == -signal.SIGKILL
    return url, imported(url, "nz-transfers", transfers_file(), ISLANDS)


@pytest.fixture(scope="module")
def events(islands: tuple[str, Any]) -> list[Event]:
    """Every event of it."""
    return events_of(islands[0])


@pytest.fixture(scope="module")
def moves(events: list[Event]) -> list[Event]:
    """Every move that is recorded."""
    return [event for event in events if isinstance(event.body, MovedWithin)]


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


def test_every_other_row_is_one_person_taken_in_and_moved(events: list[Event], moves: list[Event]) -> None:
    told_of = expected("nz_transfers")
    assert len(moves) == told_of["rows"] - told_of["from_equals_to"] == 19_137
    people = Counter(event.stream for event in events if event.stream.startswith("person:"))
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
