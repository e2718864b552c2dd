"""`make chaos`: so many rounds on one engine; the last line says what they amount to, the exit code whether it held."""

from __future__ import annotations

import argparse
import json
import secrets
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from tests.chaos.checks import Verdict
from tests.chaos.rounds import grounds, play


def main(arguments: Sequence[str] | None = None) -> int:
    """Play the rounds that the arguments ask for; 1 if anything was found wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--engine", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--rounds", type=positive, default=10)
    parser.add_argument("--seed", type=int, help="drawn where it is not given")
    parser.add_argument("--state", type=Path, help="a file to go on from: what was played and found so far")
    given = parser.parse_args(arguments)
    total, seed = resumed(given.state, given.engine, given.seed)
    print(
        f"{given.engine}, {given.rounds} rounds, seed {seed}" + f", {total.rounds} played already" * bool(total.rounds)
    )
    with grounds(given.engine) as new_ground:
        while total.rounds < given.rounds:
            number = total.rounds + 1
            with new_ground() as ground:
                verdict = play(ground, f"{seed}:{number}")
            for sentence in (verdict.note, *verdict.sentences()):
                print(f"round {number}: {sentence}", flush=True)
            total.add(verdict)
            if given.state is not None:
                kept = {"engine": given.engine, "seed": seed, "found": asdict(total)}
                given.state.write_text(json.dumps(kept, indent=1))
    print(total.line())
    return 0 if total.is_clean else 1


def resumed(state: Path | None, engine: str, seed: int | None) -> tuple[Verdict, int]:
    """What was found so far and the seed to go on with, from the file that was kept of it if there is one."""
    if state is None or not state.exists():
        return Verdict(), secrets.randbelow(2**31) if seed is None else seed
    kept = json.loads(state.read_text())
    assert kept["engine"] == engine, f"{state} is of {kept['engine']}"
    assert seed in (None, kept["seed"]), f"{state} is of seed {kept['seed']}"
    return Verdict(**kept["found"]), int(kept["seed"])


def positive(text: str) -> int:
    """A number of rounds; none at all would hold whatever the ledger does."""
    if (number := int(text)) < 1:
        raise ValueError
    return number


if __name__ == "__main__":
    sys.exit(main())
