"""`make failover`: so many primaries lost under load; the last line says what it cost, the exit code if anything."""

from __future__ import annotations

import argparse
import secrets
import sys
from collections.abc import Sequence

from tests.chaos.__main__ import positive
from tests.chaos.checks import Verdict
from tests.failover.rounds import COMMANDS, play


def main(arguments: Sequence[str] | None = None) -> int:
    """Play the rounds that the arguments ask for; 1 if anything was found wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.failover", description=__doc__)
    parser.add_argument("--rounds", type=positive, default=3)
    parser.add_argument("--commands", type=positive, default=COMMANDS, help="how many each client sends in a round")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**31), help="drawn where it is not given")
    given = parser.parse_args(arguments)
    print(f"{given.rounds} fail-overs, seed {given.seed}", flush=True)
    verdict, found_wrong, rounds = Verdict(), False, 0
    for verdict_then in play(given.rounds, str(given.seed), commands=given.commands):
        name = f"fail-over {rounds + 1}" if verdict_then.rounds else "at the end"
        rounds += verdict_then.rounds
        for sentence in filter(None, (verdict_then.note, *verdict_then.sentences())):
            print(f"{name}: {sentence}", flush=True)
        found_wrong = found_wrong or not verdict_then.is_clean
        # Each round is held against all answers so far, so that its verdict replaces the one before.
        verdict = verdict_then if verdict_then.rounds else verdict
    print(
        f"{rounds} fail-overs, {verdict.acknowledged} acknowledged, {len(verdict.lost)} lost, "
        f"{len(verdict.doubled)} doubled, {len(verdict.missing)} missing positions"
    )
    return int(found_wrong)


if __name__ == "__main__":
    sys.exit(main())
