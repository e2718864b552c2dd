"""Opening a ledger, once, and inspecting it, on both engines."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.cli.commands.database import shown_url
from tests.ledger.audit.intruder import Intruder
from tests.ledger.cli.running import INIT, answered, custody, url_of


def test_a_ledger_is_opened_once(database_url: str) -> None:
    assert custody("db", "check", url=database_url).exit_code == 5
    first = custody("db", "init", *INIT, url=database_url)
    assert (first.exit_code, first.stdout) == (
        0,
        "The ledger ledger.example/custody/2025 is open; keeper keeps its registry.\n",
    )
    again = custody("db", "init", *INIT, url=database_url)
    assert (again.exit_code, again.stdout) == (6, "")
    info = answered("db", "info", url=database_url)
    assert (info["head"], info["origin"]) == (3, "ledger.example/custody/2025")
    check = answered("db", "check", url=database_url)
    assert (check["events"], check["leaves"], check["remembered"], check["sound"]) == (3, 3, 3, True)
    assert [item["leaf"]["command_id"] for item in answered("audit", "show", "2", url=database_url)["items"]] == [
        "init-2"
    ]
    assert custody("audit", "verify", url=database_url).exit_code == 0


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("--origin", "ledger.example"),
        ("--origin", "Ledger.example/custody/2025"),
        ("--origin", "ledger.example/custody/2025/x"),
        ("--registrar", "Keeper"),
        ("--officer", "-k"),
        ("--officer", "k" * 65),
        ("--state", "Norway"),
        ("--state", "US-XX"),
    ],
)
def test_what_nobody_judges_later_is_judged_here(flag: str, value: str, sqlite_url: str) -> None:
    given = [*INIT]
    given[given.index(flag) + 1] = value
    result = custody("db", "init", *given, url=sqlite_url)
    assert (result.exit_code, result.stdout) == (2, "")
    assert flag in result.stderr
    assert custody("db", "info", url=sqlite_url).exit_code == 5, "nothing was made"


def test_a_fence_that_is_down_is_a_problem(copied: Path) -> None:
    Intruder(url_of(copied))
    result = custody("db", "check", url=url_of(copied))
    assert result.exit_code == 3
    assert "the fence" in result.stderr


def test_a_folder_that_is_not_there_is_unreachable(tmp_path: Path) -> None:
    assert custody("db", "init", *INIT, url=url_of(tmp_path / "nowhere" / "x.db")).exit_code == 5


def test_a_url_is_shown_without_its_secrets() -> None:
    assert shown_url("postgresql://ann:secret@db.example:5432/custody?password=x") == (
        "postgresql://ann@db.example:5432/custody"
    )
    assert shown_url("sqlite:///custody.db") == "sqlite:///custody.db"
