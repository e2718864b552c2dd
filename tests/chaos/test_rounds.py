"""A short profile of `make chaos` on either engine: processes killed among busy clients lose and double nothing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.chaos.__main__ import main, resumed

SEED = "12"
"""One by which the first round kills the API, and something else after it."""
KILLED = {"sqlite": "api and worker killed", "postgresql": "api and database killed"}
CLEAN = r"1 rounds, (\d+) acknowledged, 0 lost, 0 doubled, 0 missing positions, 0 views unequal"


@pytest.mark.parametrize("engine", KILLED)
def test_nothing_acknowledged_is_lost_or_doubled_by_a_kill(
    engine: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = tmp_path / "state.json"
    arguments = ["--engine", engine, "--rounds", "1", "--seed", SEED, "--state", str(state)]
    ended = main(arguments)
    said = capsys.readouterr().out
    assert ended == 0, said
    assert KILLED[engine] in said
    *_, last = said.splitlines()
    found = re.fullmatch(CLEAN, last)
    assert found is not None, said
    assert int(found[1]) > 200, "the clients were at work before and after the kill"
    # Gone on from there, there is nothing left to play, and the same is said of it.
    assert main(arguments) == 0
    assert capsys.readouterr().out.splitlines()[1:] == [last]


def test_a_run_goes_on_only_as_it_began(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    state.write_text('{"engine": "sqlite", "seed": 5, "found": {"rounds": 3, "lost": ["one"]}}')
    verdict, seed = resumed(state, "sqlite", None)
    assert (verdict.rounds, verdict.lost, verdict.is_clean, seed) == (3, ["one"], False, 5)
    for engine, other in (("postgresql", None), ("sqlite", 6)):
        with pytest.raises(AssertionError):
            resumed(state, engine, other)


def test_no_rounds_are_no_proof() -> None:
    with pytest.raises(SystemExit):
        main(["--rounds", "0"])
