"""The audit over the demo: clean as it is; what somebody changes by hand is named, and ends with 3."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.ledger.audit.intruder import Intruder, another
from tests.ledger.cli.running import answered, custody, url_of

PERSON = "demo-p004"
POSITION = 40


def test_the_demo_is_clean_and_what_is_not_kept_is_said(demo_url: str) -> None:
    document = answered("audit", "verify", url=demo_url)
    results = {check["check"]: check["result"] for check in document["checks"]}
    kept = ["store", "rows", "L1", "L2", "L3", "L5", "L6", "L7", "L8", "L9", "L10", "L11"]
    assert [results.pop(check) for check in kept] == ["holds"] * len(kept)
    assert set(results.values()) == {"not kept yet"}
    assert {"L4", "L12", "L13"} <= results.keys()
    assert (document["holds"], document["differences"]) == (True, 0)
    told = custody("audit", "verify", url=demo_url)
    assert "0 differences" in told.stderr
    assert re.search(r"L12 +not kept yet", told.stdout)


def test_a_range_is_held_against_leaves_and_links(demo_url: str) -> None:
    document = answered("audit", "verify", "--from", "10", "--to", "20", url=demo_url)
    assert [(check["check"], check["looked_at"]) for check in document["checks"]] == [("rows", 11), ("L11", 11)]


def test_one_byte_of_a_stored_event_is_named(copied: Path) -> None:
    url = url_of(copied)
    put_back = Intruder(url).change("stored_events", "state", f"rowid = {POSITION}", another)
    result = custody("audit", "verify", url=url)
    assert result.exit_code == 3
    assert f"the first bad event is at position {POSITION}" in result.stderr
    assert f"at position {POSITION}: expected" in result.stdout
    document = answered("audit", "verify", url=url, code=3)
    assert document["holds"] is False
    put_back()
    rows = answered("audit", "verify", "--from", "1", "--to", str(POSITION), url=url)["checks"]
    assert {check["result"] for check in rows} == {"holds"}


def test_the_views_say_what_the_events_amount_to(demo_url: str) -> None:
    document = answered("audit", "replay", "--compare", url=demo_url)
    assert (document["holds"], document["differences"]) == (True, 0)
    assert {check["check"] for check in document["checks"]} >= {"view roll", "view balances", "view audit_trail"}


def test_a_row_of_a_view_changed_by_hand_is_named(copied: Path) -> None:
    change_a_view(copied)
    result = custody("audit", "replay", "--compare", url=url_of(copied))
    assert result.exit_code == 3
    assert f"people_rows person={PERSON}" in result.stdout
    assert "expected status=released, found status=held" in result.stdout
    assert custody("audit", "verify", url=url_of(copied)).exit_code == 0, "the record itself is whole"


def change_a_view(log: Path) -> None:
    """Say in the view of people that somebody who was released is held."""
    with closing(sqlite3.connect(log.with_name("custody.views.db"))) as file, file:
        [(table,)] = file.execute("SELECT name FROM sqlite_master WHERE name GLOB 'people_rows__*' AND type = 'table'")
        changed = file.execute(f"UPDATE {table} SET status = 'held' WHERE person = ?", (PERSON,))
        assert changed.rowcount == 1


def test_replay_rebuilds_everybody_or_one_person_at_any_time(demo_url: str) -> None:
    head = answered("db", "info", url=demo_url)["head"]
    everybody = answered("audit", "replay", url=demo_url)
    assert (everybody["position"], len(everybody["people"])) == (head, 12)
    one = answered("audit", "replay", "--person", PERSON, url=demo_url)
    assert one["people"] == [row for row in everybody["people"] if row["person"] == PERSON]
    spells = [row for row in one["timeline"] if row["status"] != "none"]
    assert [row["status"] for row in spells] == ["held", "held", "released-unverified", "released"]
    early = answered("audit", "replay", "--to", str(head // 2), url=demo_url)
    assert early["position"] == head // 2
    assert 0 < len(early["people"]) < 12
    then = answered("audit", "replay", "--as-of", spells[0]["from"], "--person", PERSON, url=demo_url)
    assert then["people"][0]["custodian"]["value"] == "demo-north"


@pytest.mark.parametrize("flag", [("--to", "3"), ("--as-of", "2025-05-01T00:00:00Z"), ("--person", PERSON)])
def test_a_comparison_is_of_everything(flag: tuple[str, str], demo_url: str) -> None:
    assert custody("audit", "replay", "--compare", *flag, url=demo_url).exit_code == 2


def test_events_are_told_as_sentences(demo_url: str) -> None:
    person = custody("audit", "show", "--person", PERSON, url=demo_url).stdout
    accepted = r"^\d+  2025-.* Handover .* accepted by demo-east at demo-east-1; custody passes"
    assert re.search(accepted, person, re.MULTILINE)
    transfer = custody("audit", "show", "--transfer", f"{PERSON}-t", url=demo_url).stdout.splitlines()
    assert 0 < len(transfer) < len(person.splitlines())
    assert set(transfer) < set(person.splitlines())
    [first] = custody("audit", "show", "1", url=demo_url).stdout.splitlines()
    assert first.startswith("1  ")
