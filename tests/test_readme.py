"""The README's walk, run as it is printed: from an empty register to a verified release and a paid invoice."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.ports import free_port

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
WALK = README.partition("## Five minutes with curl")[2].partition("\n## ")[0]
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", WALK, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the shell printed."""
    port = free_port()
    # Whatever goes wrong, the server must not outlive the walk: it would hold the pipes open.
    script = "\n".join(["set -euo pipefail", "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT", *BLOCKS])
    script = script.replace("sqlite:///walk.db", f"sqlite:///{tmp_path_factory.mktemp('walk') / 'walk.db'}")
    script = script.replace("CUSTODY_PORT=8123", f"CUSTODY_PORT={port}")
    script = script.replace("$PWD/.venv/bin", str(Path(sys.executable).parent))
    done = subprocess.run(
        ["bash", "-c", script],
        stdin=subprocess.DEVNULL,
        cwd=ROOT,
        env={**os.environ, "NO_COLOR": "1", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=1_800,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def answers(printed: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in printed.splitlines() if line.startswith('{"')]


def test_every_answer_of_the_walk_is_the_one_the_text_promises(walked: str) -> None:
    found = answers(walked)
    custody = next(answer for answer in found if "custodian" in answer)
    assert custody["custodian"]["value"] == "east"
    assert custody["responsible"]["value"] == "north"
    timeline = next(answer for answer in found if "items" in answer and "midnights" in json.dumps(answer))
    assert [row["status"] for row in timeline["items"]][-1] == "released"
    assert "0.00" in json.dumps(found[-1]), "the balance after the payment"
    assert "L11" in walked, "the audit names its laws"


def test_the_acceptance_is_hashed_by_its_reader_to_what_was_answered(walked: str) -> None:
    accepted = next(answer for answer in answers(walked) if answer["events"][0]["type"] == "handover-accepted.v1")
    event = accepted["events"][0]
    assert f"Position {event['position']} is what was answered: {event['leaf_hash']}" in walked.splitlines()


def test_facts_dated_early_in_2025_are_flagged_late(walked: str) -> None:
    recorded = [event for answer in answers(walked) for event in answer.get("events", [])]
    dated = [event for event in recorded if event["stream"] in ("person:p1", "transfer:t1")]
    assert len(dated) >= 12
    assert all("late" in event["flags"] for event in dated)


def test_the_first_screen_has_the_two_commands() -> None:
    first = "\n".join(README.splitlines()[:25])
    assert "make demo" in first
    assert "make test" in first
