"""The page for whoever follows the log, run as it is printed; and its example, which must survive what it meets."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from tests.deploy.pages import printed
from tests.ledger.http.house import IN_MEMORY, House, furnished, house_at
from tests.ledger.http.serving import served
from tests.ports import free_port
from tests.shared_data import REPOSITORY

PAGE = (REPOSITORY / "docs" / "following.md").read_text("utf-8")
BLOCKS: list[str] = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
FOLLOW = REPOSITORY / "examples" / "follow.py"
SECONDS_MAX = 120


def test_the_page_runs_as_it_is_printed(tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(FOLLOW.parent)
    port = free_port()
    script = "".join(BLOCKS).replace("CUSTODY_PORT=8321", f"CUSTODY_PORT={port}")
    # A reader sees at once what comes; this machine may be slower than anybody who reads.
    script = script.replace("--max-time 2 ", "--max-time 15 ")
    told = printed(script, tmp_path)
    assert "id: 3\nevent: authority-roles-set.v1\ndata: {" in told
    assert '"source":"ledger.example/custody/2025"' in told
    assert "4 authority-registered.v1 {" in told
    assert "200\n304\nauthority,state,parent,legal_name,outside_register,roles,version\nkeeper,NO,," in told
    assert [json.loads(line)["position"] for line in (tmp_path / "seen.jsonl").read_text("utf-8").splitlines()] == [
        1,
        2,
        3,
        4,
    ]


def followed(address: str, file: Path, last: int) -> None:
    """The example's file, once it has come to a position."""
    command = [sys.executable, str(FOLLOW), address, "north/north-1", str(file), str(last)]
    subprocess.run(command, check=True, timeout=SECONDS_MAX)


def positions(file: Path) -> list[int]:
    return [json.loads(line)["position"] for line in file.read_text("utf-8").splitlines()]


def test_the_example_goes_on_where_its_file_ends(tmp_path: Path) -> None:
    file = tmp_path / "seen.jsonl"
    with house_at(IN_MEMORY) as house, served(furnished(house).app) as address:
        followed(address, file, 5)
        assert positions(file) == [1, 2, 3, 4, 5]
        whole = file.read_bytes()
        file.write_bytes(whole + b'{"position":6,"a line that was no')
        followed(address, file, house.head)
        assert positions(file) == list(range(1, house.head + 1))
        assert lines_of(house) == file.read_text("utf-8").splitlines()


def lines_of(house: House) -> list[str]:
    return [house.get(f"/events/{position}").text for position in range(1, house.head + 1)]


def test_the_example_says_why_it_cannot_go_on(tmp_path: Path) -> None:
    with house_at(IN_MEMORY) as house, served(house.app) as address:
        command = [sys.executable, str(FOLLOW), address, "nobody/n-1", str(tmp_path / "seen.jsonl"), "3"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS_MAX)
    assert done.returncode == 1
    assert json.loads(done.stderr)["code"] == "actor-is-unknown"
