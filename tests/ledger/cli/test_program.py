"""The program as a whole: what its help lists, what it loads for that, and that each stream has its purpose."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from ledger.cli.terminal import say
from tests.ledger.cli.running import CUSTODY, custody, ended
from tests.shared_data import REPOSITORY

COMMANDS = {
    "": (
        *("demo", "serve", "import", "audit", "projections", "people", "view", "balances", "invoices", "db", "version"),
        *("config", "doctor", "healthcheck", "openapi"),
    ),
    "audit": ("verify", "replay", "show"),
    "projections": ("status", "rebuild", "verify"),
    "people": ("find", "show", "timeline"),
    "balances": ("show", "statement"),
    "invoices": ("list", "show", "explain"),
    "db": ("init", "check", "info", "backup", "restore"),
    "config": ("show",),
}
HEAVY = ("fastapi", "uvicorn", "eventsourcing", "psycopg", "projections", "domain", "pydantic", "sqlite3", "asyncio")


@pytest.mark.parametrize("group", COMMANDS)
def test_the_help_lists_every_command(group: str) -> None:
    result = custody(*group.split(), "--help")
    assert result.exit_code == 0
    assert [name for name in COMMANDS[group] if f" {name} " not in result.stdout] == []


def test_every_setting_has_a_flag() -> None:
    from ledger.settings import Settings

    told = custody("serve", "--help").stdout + custody("worker", "--help").stdout
    flags = [f"--{name.replace('_', '-')}" for name in Settings.model_fields]
    assert [flag for flag in flags if flag not in told] == []


def test_the_help_loads_nothing_heavy() -> None:
    source = f"import ledger.cli.program, sys; print([one for one in {HEAVY} if one in sys.modules])"
    run = subprocess.run([sys.executable, "-c", source], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_the_shells_can_complete_it() -> None:
    assert "--install-completion" in custody("--help").stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("no-such-command",),
        ("people", "find", "--no-such-flag"),
        ("invoices", "explain", "DEMO-0001", "0"),
        ("serve", "--port", "99999"),
        ("import", "no-such-format", "file", "--registrar", "a/b", "--as", "c/d"),
        ("import", "nyc-roster", "no-such-file", "--registrar", "a/b", "--as", "c/d"),
        ("demo", "--people", "0"),
        ("audit", "show"),
        ("audit", "show", "1", "--person", "p"),
        ("audit", "verify", "--from", "3", "--to", "2"),
        ("projections", "rebuild"),
        ("projections", "rebuild", "roll", "--all"),
        ("people", "find", "--database-url", "mysql://localhost/x"),
        ("people", "find", "--status", "lost"),
    ],
    ids=" ".join,
)
def test_a_wrong_call_ends_with_2_and_prints_no_data(arguments: tuple[str, ...], demo_url: str) -> None:
    result = custody(*arguments, url=demo_url)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr


def test_what_looks_like_a_setting_and_is_none_is_warned_about(demo_url: str) -> None:
    result = custody("db", "info", "--json", url=demo_url, CUSTODY_PROT="80")
    assert "CUSTODY_PROT is no setting; did you mean CUSTODY_PORT?" in result.stderr
    assert json.loads(result.stdout)["engine"] == "sqlite"


def test_a_wrong_setting_is_named_without_its_value(demo_url: str) -> None:
    result = custody("db", "info", url=demo_url, CUSTODY_PORT="hidden-value")
    assert result.exit_code == 2
    assert "CUSTODY_PORT" in result.stderr
    assert "hidden-value" not in result.stderr


def test_a_flag_wins_over_its_variable(demo_url: str) -> None:
    result = custody("db", "info", "--json", "--database-url", demo_url, url="sqlite:///no-such-folder/x.db")
    assert json.loads(result.stdout)["database"] == demo_url


def test_a_secret_may_lie_in_a_file(demo_url: str, tmp_path: Path) -> None:
    secret = tmp_path / "url"
    missing = custody("db", "info", "--json", CUSTODY_DATABASE_URL_FILE=str(secret))
    assert (missing.exit_code, missing.stdout) == (5, "")
    assert str(secret) in missing.stderr
    secret.write_text(f"{demo_url}\n", "utf-8")
    given = custody("db", "info", "--json", CUSTODY_DATABASE_URL_FILE=str(secret))
    assert json.loads(given.stdout)["database"] == demo_url


def test_version_names_the_program_and_what_it_stands_on() -> None:
    document = json.loads(custody("version", "--json").stdout)
    assert list(document) == ["custody", "eventsourcing", "python", "sqlite"]
    assert document["eventsourcing"] == "9.5.6"


def test_data_goes_to_stdout_and_what_is_said_about_it_to_stderr(demo_url: str) -> None:
    code, stdout, stderr = ended("people", "find", CUSTODY_DATABASE_URL=demo_url)
    assert code == 0
    assert "demo-p001" in stdout
    assert "12 rows; as of " in stderr
    assert "\x1b" not in stdout + stderr
    assert "\r" not in stdout + stderr
    header, rule, first = [line for line in stdout.splitlines() if line.strip()][:3]
    assert header.index("custodian") == first.index("demo-", first.index("open"))
    assert set(rule.strip()) == {"─"}


def test_no_colour_on_a_terminal_that_wants_none(demo_url: str) -> None:
    assert "\x1b[" in _on_a_terminal("db", "info", "--database-url", demo_url, CUSTODY_PROT="1")
    assert "\x1b[33" not in _on_a_terminal("db", "info", "--database-url", demo_url, CUSTODY_PROT="1", NO_COLOR="1")
    assert "\x1b[1;33" not in _on_a_terminal("db", "info", "--database-url", demo_url, CUSTODY_PROT="1", NO_COLOR="1")


def _on_a_terminal(*arguments: str, **variables: str) -> str:
    """All that a command shows on a terminal."""
    leader, follower = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", **variables}
    process = subprocess.Popen(
        [*CUSTODY, *arguments], cwd=REPOSITORY, env=environment, stdin=follower, stdout=follower, stderr=follower
    )
    os.close(follower)
    shown = b""
    try:
        while data := os.read(leader, 65_536):
            shown += data
    except OSError:
        # The other end is closed: that is how a terminal ends.
        pass
    os.close(leader)
    assert process.wait() == 0
    return shown.decode()


def test_what_is_said_to_nobody_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    nobody = os.fdopen(writing, "w")
    monkeypatch.setattr(sys, "stderr", nobody)
    say("the process that keeps the views ended")
    monkeypatch.undo()
    with suppress(BrokenPipeError):
        nobody.close()
