"""Importing two small sources of our own: what is recorded, what is refused by name, and going on after a stop."""

from __future__ import annotations

import gzip
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.ledger.cli.running import answered, custody
from tests.ledger.importers.importing import arguments, imported, interrupted, opened, told
from tests.shared_data import OWN

ROSTER = OWN / "sample_roster.csv"
TRANSFERS = OWN / "sample_transfers.csv"
PLACE = "city-custody"
# Five people; the third and the second come back, the second under a new admission.
RECORDED = {
    "authority-registered.v1": 1,
    "authority-roles-set.v1": 1,
    "custody-opened.v1": 7,
    "facility-registered.v1": 1,
    "person-registered.v1": 5,
    "person-released.v1": 3,
}


def roster(url: str) -> Any:
    """Import the sample roster."""
    return imported(url, "nyc-roster", ROSTER, "city")


def test_the_sample_roster_is_recorded_and_a_second_time_adds_nothing(database_url: str) -> None:
    first = roster(opened(database_url))
    assert first["recorded"] == RECORDED
    assert (first["not_taken"], first["refused"], first["already_there"]) == (0, [], 0)
    before = told(database_url)
    assert len(before) == first["position"] == 3 + sum(RECORDED.values())
    second = roster(database_url)
    assert (second["recorded"], second["not_taken"]) == ({}, 0)
    assert second["already_there"] == 5 + 7 + 3
    assert told(database_url) == before


def test_the_roll_of_each_morning_is_the_file_s(sqlite_url: str) -> None:
    roster(opened(sqlite_url))
    listed: dict[str, int] = Counter(line.split(",")[0] for line in ROSTER.read_text("utf-8").splitlines()[1:])
    for day, count in listed.items():
        rows = answered("view", "roll", "--facility", PLACE, "--as-of", f"{day}T10:45:00-05:00", url=sqlite_url)[
            "items"
        ]
        assert len(rows) == count
    assert custody("audit", "verify", url=sqlite_url).exit_code == 0


def test_a_gap_of_the_source_stays_visible_and_what_it_does_not_state_is_flagged(sqlite_url: str) -> None:
    roster(opened(sqlite_url))
    events = answered("view", "audit_trail", "--type", "custody-opened.v1", url=sqlite_url)["items"]
    again = [event for event in events if "inferred" in event["flags"]]
    [person] = [event["person"] for event in again]
    spells = answered("people", "timeline", person, url=sqlite_url)["items"]
    assert [row["midnights"] for row in spells if row["status"] == "held"][:1] == [2]
    releases = answered("view", "audit_trail", "--type", "person-released.v1", url=sqlite_url)["items"]
    assert all({"inferred", "release-checks-are-incomplete"} <= set(event["flags"]) for event in releases)
    openings = {event["person"] for event in events}
    assert all("s-0" not in person for person in openings), "the publisher's ids are nowhere shown"


def test_a_row_that_is_refused_is_named_and_the_rest_goes_on(database_url: str) -> None:
    report = imported(opened(database_url), "nz-transfers", TRANSFERS, "islands")
    refused = {row["where"]: row["code"] for row in report["refused"]}
    assert refused == {"line 4": "origin-and-destination-are-the-same", "line 6": "row-is-malformed"}
    assert report["recorded"]["moved-within.v1"] == 2
    again = custody(*arguments("nz-transfers", TRANSFERS, "islands"), url=database_url)
    assert again.exit_code == 0
    assert "not taken: line 4: origin-and-destination-are-the-same" in again.stdout
    assert "0 events recorded, 2 rows not taken" in again.stderr


@pytest.mark.parametrize(
    ("step", "number"),
    [("before", 2), ("after-events", 3), ("before-commit", 4), ("after-commit", 5), ("after-commit", 1)],
)
def test_killed_in_the_middle_and_started_again_it_ends_equal(step: str, number: int, tmp_path: Path) -> None:
    whole, broken = (opened(f"sqlite:///{tmp_path / name}.db") for name in ("whole", "broken"))
    roster(whole)
    code, _ = interrupted(broken, "nyc-roster", ROSTER, "city", step=step, number=number)
    assert code == -signal.SIGKILL
    assert 3 <= len(told(broken)) < len(told(whole))
    roster(broken)
    assert told(broken) == told(whole)
    assert _rolls(broken) == _rolls(whole)


def _rolls(url: str) -> list[int]:
    days = [f"2025-03-0{day}T10:45:00-05:00" for day in range(1, 6)]
    return [len(answered("view", "roll", "--facility", PLACE, "--as-of", day, url=url)["items"]) for day in days]


def test_stopped_by_hand_it_ends_with_130_and_goes_on_afterwards(tmp_path: Path) -> None:
    whole, stopped = (opened(f"sqlite:///{tmp_path / name}.db") for name in ("whole", "stopped"))
    roster(whole)
    code, stderr = interrupted(stopped, "nyc-roster", ROSTER, "city", step="after-commit", number=3, by=signal.SIGINT)
    assert code == 130
    assert "the same command: it goes on, and records nothing twice" in stderr
    assert "\r" not in stderr
    assert 3 < len(told(stopped)) < len(told(whole))
    roster(stopped)
    assert told(stopped) == told(whole)


def test_a_file_of_another_kind_or_cut_off_leaves_nothing_behind(tmp_path: Path, sqlite_url: str) -> None:
    opened(sqlite_url)
    packed = gzip.compress(ROSTER.read_bytes() * 20)
    cut = tmp_path / "cut.csv.gz"
    cut.write_bytes(packed[: len(packed) // 2])
    empty = tmp_path / "empty.csv"
    empty.touch()
    for format_, file in (
        ("nyc-roster", TRANSFERS),
        ("nz-transfers", ROSTER),
        ("nyc-roster", cut),
        ("nyc-roster", empty),
    ):
        result = custody(*arguments(format_, file, "city"), url=sqlite_url)
        assert (result.exit_code, result.stdout) == (5, "")
        assert f"can't be read as {format_}" in result.stderr
        assert "s-0" not in result.stderr
    assert answered("db", "info", url=sqlite_url)["head"] == 3


def test_who_imports_must_be_somebody(sqlite_url: str) -> None:
    opened(sqlite_url)
    command = ("import", "nyc-roster", str(ROSTER))
    unknown = custody(*command, "--registrar", "nobody/k-1", "--as", "city/import", url=sqlite_url)
    assert unknown.exit_code == 6
    assert "nobody is not registered" in unknown.stderr
    for actor in ("keeper", "keeper/", "Keeper/k-1", "keeper/k-1/x"):
        assert custody(*command, "--registrar", actor, "--as", "city/import", url=sqlite_url).exit_code == 2
        assert custody(*command, "--registrar", "keeper/k-1", "--as", actor, url=sqlite_url).exit_code == 2
    assert answered("db", "info", url=sqlite_url)["head"] == 3


def test_in_production_nothing_is_imported(sqlite_url: str) -> None:
    opened(sqlite_url)
    command = (*arguments("nyc-roster", ROSTER, "city"), "--environment", "production")
    assert custody(*command, url=sqlite_url).exit_code == 6
