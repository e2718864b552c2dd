"""A short profile of `make chaos` on either engine: a server killed among busy clients loses and doubles nothing."""

from __future__ import annotations

import re

import pytest

from tests.chaos.__main__ import main

CLEAN = r"2 rounds, (\d+) acknowledged, 0 lost, 0 doubled, 0 missing positions, 0 views unequal"


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_nothing_acknowledged_is_lost_or_doubled_by_a_kill(engine: str, capsys: pytest.CaptureFixture[str]) -> None:
    ended = main(["--engine", engine, "--rounds", "2", "--seed", "20250301"])
    said = capsys.readouterr().out
    assert ended == 0, said
    found = re.fullmatch(CLEAN, said.splitlines()[-1])
    assert found is not None, said
    assert int(found[1]) > 400, "the clients were at work before and after the kill"


def test_no_rounds_are_no_proof() -> None:
    with pytest.raises(SystemExit):
        main(["--rounds", "0"])
