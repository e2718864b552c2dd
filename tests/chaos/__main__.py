"""`make chaos`: so many rounds on one engine; the last line says what they amount to, the exit code whether it held."""

from __future__ import annotations

import argparse
import secrets
import sys
from collections.abc import Sequence

from tests.chaos.checks import Verdict
from tests.chaos.rounds import databases, play


def main(arguments: Sequence[str] | None = None) -> int:
    """Play the rounds that the arguments ask for; 1 if anything was found wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--engine", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--rounds", type=positive, default=10)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**31), help="drawn where it is not given")
    given = parser.parse_args(arguments)
    print(f"{given.engine}, {given.rounds} rounds, seed {given.seed}", flush=True)
    total = Verdict()
    with databases(given.engine) as new_database:
        for number in range(1, given.rounds + 1):
            with new_database() as url:
                verdict = play(url, f"{given.seed}:{number}")
            for sentence in (verdict.note, *verdict.sentences()):
                print(f"round {number}: {sentence}", flush=True)
            total.add(verdict)
    print(total.line())
    return 0 if total.is_clean else 1


def positive(text: str) -> int:
    """A number of rounds; none at all would hold whatever the ledger does."""
    if (number := int(text)) < 1:
        raise ValueError
    return number


if __name__ == "__main__":
    sys.exit(main())
