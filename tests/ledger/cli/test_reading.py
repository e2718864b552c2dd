"""Reading commands over the demo: what they answer, that their JSON keeps its keys, beside a server and without one."""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from pathlib import Path

import pytest

from ledger.sources import Sources
from ledger.store import open_log
from ledger.writer.submission import Group, submission
from ledger.writer.writer import Writer
from tests.ledger.cli.running import answered, custody, url_of

PERSON = "demo-p004"
FACILITY = "demo-east-1"
LIST = ["as_of", "items", "more", "position"]

KEYS: dict[str, tuple[list[str], str | None, list[str]]] = {
    "people find": (
        LIST,
        "items",
        ["agreement", "at", "custodian", "file", "flags", "person", "ref", "responsible", "status"],
    ),
    f"people show {PERSON}": (
        [
            "as_of", "at", "basis", "confidence", "custodian", "file", "lawful_until", "offer", "person", "position",
            "responsible", "status", "unaccounted",
        ],
        None,
        [],
    ),
    f"people timeline {PERSON}": (
        LIST,
        "items",
        [
            "at", "custodian", "ended_by", "flags", "from", "kind", "midnights", "name", "opened_by", "responsible",
            "status", "to",
        ],
    ),
    f"view roll --facility {FACILITY}": (
        LIST,
        "items",
        ["agreement", "basis", "confidence", "custodian", "due", "person", "place_kept", "ref", "since"],
    ),
    f"view occupancy --facility {FACILITY} --from 2025-05-01 --to 2025-05-03": (
        LIST,
        "items",
        [
            "absent", "allocated", "any_part", "capacity", "date", "end", "free", "in", "out", "over_by", "overrides",
            "present", "reported", "reserved", "start", "unaccounted",
        ],
    ),
    "balances show": (
        ["as_of", "items", "more", "position", "sums"],
        "items",
        ["ageing", "creditor", "currency", "debtor", "on_account", "open"],
    ),
    "balances statement demo-east receivable": (
        ["account", "as_of", "book", "position", "statements"],
        "statements",
        ["closing", "currency", "opening", "pending", "rows"],
    ),
    "invoices list": (
        LIST,
        "items",
        [
            "agreed_by", "agreement", "approvals", "due_date", "issue_date", "kind", "number", "open", "paid", "payee",
            "payer", "period", "position", "status", "total",
        ],
    ),
    "invoices show DEMO-0001": (
        [
            "agreed_by", "agreement", "approvals", "as_of", "claims", "due_date", "issue_date", "kind", "lines",
            "number", "open", "paid", "payee", "payer", "payments", "period", "position", "status", "total",
        ],
        "lines",
        ["amount", "basis", "claims", "kind", "line", "per", "position", "quantity", "rate", "rules", "unit"],
    ),
    "invoices explain DEMO-0001 1": (
        ["amount", "arithmetic", "as_of", "basis", "days", "issued_at_position", "line", "number", "position", "rate",
         "rules"],
        "days",
        ["basis", "case_ref", "count", "facility", "from", "person", "to"],
    ),
    f"view audit_trail --person {PERSON} --limit 2": (
        LIST,
        "items",
        [
            "agreement", "authority", "corrected_by", "credential", "event_id", "flags", "leaf_hash", "occurred_at",
            "officer", "person", "position", "recorded_at", "sentence", "stream", "stream_version", "transfer", "type",
        ],
    ),
    "audit show 1": (
        ["items", "position"],
        "items",
        ["corrected_by", "flags", "leaf", "leaf_hash", "position", "sentence"],
    ),
    f"audit replay --person {PERSON}": (
        ["as_of", "people", "position", "timeline"],
        "people",
        [
            "at", "basis", "confidence", "custodian", "file", "person", "responsible", "status", "unaccounted",
        ],
    ),
    "audit verify": (
        ["checks", "differences", "holds", "position"],
        "checks",
        ["check", "findings", "looked_at", "note", "result", "title"],
    ),
    "projections status": (
        ["views"],
        "views",
        [
            "advanced_at", "building", "building_eta_seconds", "building_rate", "building_runs", "driven", "error",
            "error_position", "eta_seconds", "generation", "head", "lag", "parked", "position", "rate", "skipped",
            "state", "trend", "view",
        ],
    ),
    "projections verify": (
        ["views"],
        "views",
        ["differences", "differing", "digest", "digest_rebuilt", "equal", "position", "rows", "view"],
    ),
    "projections rebuild people": (
        ["views"],
        "views",
        [
            "differences", "differing", "digest", "digest_rebuilt", "equal", "generation", "position", "rows",
            "switched", "view",
        ],
    ),
    "db info": (["database", "engine", "head", "last_recorded_at", "opened_at", "origin"], None, []),
    "db check": (
        [
            "bytes_on_disk", "engine", "events", "head", "leaves", "problems", "remembered", "schema_version", "sound",
            "warnings",
        ],
        None,
        [],
    ),
}  # fmt: skip
"""Command → the keys of its document, the list whose rows are looked at, and a row's keys."""


@pytest.mark.parametrize("command", KEYS)
def test_the_json_of_a_command_is_one_document_with_these_keys_sorted(command: str, demo_url: str) -> None:
    keys, rows, row_keys = KEYS[command]
    result = custody(*command.split(), "--json", url=demo_url)
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    assert list(document) == keys
    if rows is not None:
        assert list(document[rows][0]) == row_keys
    assert result.stdout == f"{json.dumps(document, sort_keys=True, indent=2, ensure_ascii=False)}\n"


@pytest.mark.parametrize("command", KEYS)
def test_every_command_also_tells_it_to_people(command: str, demo_url: str) -> None:
    result = custody(*command.split(), url=demo_url)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.strip()
    assert "{" not in result.stdout


def test_people_are_found_by_any_column(demo_url: str) -> None:
    everybody = answered("people", "find", url=demo_url)["items"]
    assert [row["person"] for row in everybody] == [f"demo-p{number:03}" for number in range(1, 13)]
    held = answered("people", "find", "--status", "held", "--custodian", "demo-east", url=demo_url)["items"]
    assert held == [row for row in everybody if (row["status"], row["custodian"]) == ("held", "demo-east")]
    assert 0 < len(held) < len(everybody)
    first = answered("people", "find", "--limit", "2", url=demo_url)
    assert (first["items"], first["more"]) == (everybody[:2], True)


def test_a_person_is_shown_as_of_a_time_and_as_known_at_one(demo_url: str) -> None:
    trail = answered("view", "audit_trail", "--person", PERSON, url=demo_url)["items"]
    accepted = next(row for row in trail if row["type"] == "handover-accepted.v1")
    before = answered("people", "show", PERSON, "--known-at", str(accepted["position"] - 1), url=demo_url)
    after = answered("people", "show", PERSON, "--known-at", str(accepted["position"]), url=demo_url)
    assert (before["custodian"]["value"], after["custodian"]["value"]) == ("demo-north", "demo-east")
    then = answered("people", "show", PERSON, "--as-of", accepted["occurred_at"], url=demo_url)
    assert then["custodian"] == after["custodian"]
    assert answered("people", "show", PERSON, url=demo_url)["status"]["value"] == "released"


def test_a_whole_list_is_the_sum_of_its_pages(demo_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = answered("view", "audit_trail", url=demo_url)
    monkeypatch.setattr("ledger.cli.asking.ROWS_PER_PAGE", 7)
    assert answered("view", "audit_trail", url=demo_url)["items"] == whole["items"]
    assert len(answered("view", "audit_trail", "--limit", "10", url=demo_url)["items"]) == 10
    assert [row["position"] for row in whole["items"]] == list(range(1, whole["position"] + 1))


def test_a_statement_in_a_table_begins_and_ends_with_its_balances(demo_url: str) -> None:
    lines = custody("balances", "statement", "demo-east", "receivable", url=demo_url).stdout.splitlines()
    told = [line for line in lines if "balance" in line or "Invoice" in line]
    assert "opening balance" in told[1]
    assert "pending: unapproved" in "".join(lines)


@pytest.mark.parametrize(
    ("command", "code"),
    {
        "people show nobody": "person-is-unknown",
        "people timeline nobody": "person-is-unknown",
        "people find --custodian nobody": "authority-is-unknown",
        "people find --at facility:nowhere": "facility-is-unknown",
        "view roll --facility nowhere": "facility-is-unknown",
        "view occupancy --facility nowhere": "facility-is-unknown",
        "view audit_trail --person nobody": "person-is-unknown",
        "view audit_trail --transfer none": "transfer-is-unknown",
        "balances show --agreement none": "agreement-is-unknown",
        "balances statement nobody receivable": "authority-is-unknown",
        "invoices show NONE-1": "invoice-is-unknown",
        "invoices explain DEMO-0001 99": "invoice-is-unknown",
        "audit show --person nobody": "person-is-unknown",
        "audit show --transfer none": "transfer-is-unknown",
        "audit show 99999": "there is no event at position 99999",
        "audit replay --person nobody": "person-is-unknown",
    }.items(),
)
def test_an_unknown_id_is_refused_and_no_empty_list(command: str, code: str, demo_url: str) -> None:
    result = custody(*command.split(), url=demo_url)
    assert (result.exit_code, result.stdout) == (6, "")
    assert code in result.stderr


@pytest.mark.parametrize(
    "command",
    [
        "view maps",
        "view roll",
        "view people --place x",
        "view people --as-of 2025-05-01T00:00:00Z",
        "view roll --facility demo-east-1 --as-of 2025-05-01T00:00:00",
        "view roll --facility demo-east-1 --known-at yesterday",
        "view occupancy --facility demo-east-1 --from 2025-05-02 --to 2025-05-01",
        "view occupancy --facility demo-east-1 --from 1999-05-02 --to 2025-05-01",
        "view statements --book demo-east --account drawer",
        "view audit_trail --type no-such.v1",
        "balances show --currency XXX",
        "people timeline demo-p004 --status lost",
    ],
)
def test_a_question_that_makes_no_sense_is_a_wrong_call(command: str, demo_url: str) -> None:
    result = custody(*command.split(), url=demo_url)
    assert (result.exit_code, result.stdout) == (2, "")


def test_knowledge_that_lies_ahead_is_behind(demo_url: str) -> None:
    result = custody("view", "roll", "--facility", FACILITY, "--known-at", "99999", url=demo_url)
    assert (result.exit_code, result.stdout) == (4, "")


def test_the_same_is_answered_beside_a_process_that_holds_the_ledger(demo_url: str, copied: Path) -> None:
    url = url_of(copied)
    alone = {command: answered(*command.split(), url=demo_url) for command in ("invoices list", "balances show")}
    with closing(open_log(url)):
        for command, document in alone.items():
            beside = answered(*command.split(), url=url)
            assert {**beside, "as_of": None} == {**document, "as_of": None}
        assert custody("audit", "show", "--person", PERSON, url=url).exit_code == 0


def test_an_answer_that_is_older_than_the_log_is_given_and_ends_with_4(
    copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.cli.opening.BEHIND_SECONDS", 0.0)
    url = url_of(copied)
    with closing(open_log(url)) as log:
        _register_somebody(Writer(log, Sources()))
        result = custody("people", "find", "--json", url=url)
        status = custody("projections", "status", url=url)
    assert result.exit_code == 4
    assert len(json.loads(result.stdout)["items"]) == 12
    assert "this answer is not of today: people stands at position" in result.stderr
    assert status.exit_code == 4
    assert len(answered("people", "find", url=url)["items"]) == 13


def _register_somebody(writer: Writer) -> None:
    from domain.commands import parse
    from domain.rules.table import RULES
    from ledger.importers.intake import actor

    rule = RULES["register-person"]
    ask = parse(rule.command, {"person": "p-new", "identity_status": "claimed", "attributes": {}})
    by = actor("demo-north/demo-north-1", "test")
    writer.commit([Group(submissions=(submission(rule, ask, by=by, key="k-1"),))])


def test_views_that_are_gone_are_made_again(copied: Path) -> None:
    url = url_of(copied)
    before = answered("people", "find", url=url)["items"]
    for file in copied.parent.glob("custody.views.db*"):
        file.unlink()
    assert answered("people", "find", url=url)["items"] == before


def test_no_ledger_an_empty_one_and_one_that_is_none(tmp_path: Path) -> None:
    missing = custody("people", "find", url=url_of(tmp_path / "x.db"))
    assert (missing.exit_code, missing.stdout) == (5, "")
    assert "custody db init" in missing.stderr
    open_log(url_of(tmp_path / "empty.db"), create=True).close()
    empty = custody("audit", "verify", url=url_of(tmp_path / "empty.db"))
    assert (empty.exit_code, empty.stdout) == (5, "")
    assert "custody db init" in empty.stderr
    shutil.copy(__file__, tmp_path / "text.db")
    none = custody("people", "find", url=url_of(tmp_path / "text.db"))
    assert (none.exit_code, none.stdout) == (5, "")
    assert "not a database" in none.stderr
