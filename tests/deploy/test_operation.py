"""The page for whoever runs a ledger, run as it is printed, in its order: from the first start to a full database."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from ledger.cli.exits import ExitCode
from ledger.demo import seed
from ledger.settings import PREFIX, Settings
from ledger.sources import utc_now
from tests.deploy.pages import printed
from tests.engines import Server
from tests.ledger.cli.running import custody
from tests.ports import free_port
from tests.shared_data import REPOSITORY

PAGE = (REPOSITORY / "docs" / "operation.md").read_text("utf-8")
BLOCKS: list[tuple[str, str]] = re.findall(r"^```(sh(?: postgresql)?)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_the_page_runs_from_the_first_start_to_a_full_database(tmp_path: Path) -> None:
    port = free_port()
    script = "".join(block for kind, block in BLOCKS if kind == "sh")
    assert "CUSTODY_PORT=8000" in script
    told = printed(script.replace("CUSTODY_PORT=8000", f"CUSTODY_PORT={port}"), tmp_path)
    for expected in ("ready, at position 3", "Stopped.", "0 differences", "roll"):
        assert expected in told
    assert not re.search(r"\bproblem\b", told)
    assert (tmp_path / "custody.views.db").exists(), "the views were made anew"


def test_a_dump_is_restored_whole(postgresql_server: Server, postgresql_url: str, tmp_path: Path) -> None:
    if postgresql_server.binaries is None:
        pytest.skip("the tools of the server that the environment names are not known")
    seed(postgresql_url, 2, utc_now())
    assert custody("projections", "status", url=postgresql_url).exit_code == 0
    restored = postgresql_server.create_database()
    try:
        [script] = [block for kind, block in BLOCKS if kind == "sh postgresql"]
        path = f"export PATH={shlex.quote(str(postgresql_server.binaries))}:$PATH\n"
        told = printed(path + script, tmp_path, DATABASE=postgresql_url, RESTORED=restored)
        assert "0 differences" in told
        assert custody("doctor", url=restored).exit_code == 0
    finally:
        postgresql_server.drop_database(restored)


def test_every_exit_code_is_explained() -> None:
    assert [int(code) for code in re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)] == sorted(ExitCode)


def test_every_setting_is_told_with_its_flag_and_default() -> None:
    told = re.findall(r"^\| `(CUSTODY_[A-Z_]+)` \| `(--[a-z-]+)` \| (?:`([^`]*)` )?\|", PAGE, re.MULTILINE)
    defaults = {name: field.default for name, field in Settings.model_fields.items()}
    defaults["database_url"] = defaults["database_url"].get_secret_value()
    assert set(told) == {
        (f"{PREFIX}{name.upper()}", f"--{name.replace('_', '-')}", "" if default is None else str(default))
        for name, default in defaults.items()
    }


def test_every_command_that_the_text_names_exists() -> None:
    named = {" ".join(line.split()) for line in re.findall(r"`custody ([a-z][a-z -]*[a-z])[^`]*`", PAGE)}
    assert len(named) >= 5
    for command in named:
        words = [word for word in command.split() if not word.startswith("-")]
        assert custody(*words, "--help").exit_code == 0, command
