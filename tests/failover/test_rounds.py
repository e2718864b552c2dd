"""A short profile of `make failover`: the primary lost under load, the standby in its place, and nothing lost."""

from __future__ import annotations

import re

import pytest

from tests.failover.__main__ import main

CLEAN = r"1 fail-overs, (\d+) acknowledged, 0 lost, 0 doubled, 0 missing positions"


def test_nothing_acknowledged_is_lost_with_the_primary(capsys: pytest.CaptureFixture[str]) -> None:
    ended = main(["--rounds", "1", "--commands", "15", "--seed", "20250301"])
    said = capsys.readouterr().out
    assert ended == 0, said
    found = re.fullmatch(CLEAN, said.splitlines()[-1])
    assert found is not None, said
    assert int(found[1]) > 60, "the clients were at work before and after the loss"
