"""`make contention`: the long run; the last line says what it amounts to, the exit code whether it held."""

from __future__ import annotations

import argparse
import secrets
import sys
from collections.abc import Sequence

from tests.chaos.__main__ import positive
from tests.chaos.cluster import cluster
from tests.contention.running import run


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until so many events are on record; 1 if anything was found wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.contention", description=__doc__)
    parser.add_argument("--events", type=positive, default=50_000)
    parser.add_argument("--pause", type=float, default=60.0, help="seconds for which one process stands still")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**31), help="drawn where it is not given")
    given = parser.parse_args(arguments)
    print(f"{given.events} events, seed {given.seed}", flush=True)
    with cluster() as running, running.database() as url:
        outcome = run(
            url, events=given.events, pause_seconds=given.pause, seed=str(given.seed), postmaster=running.postmaster
        )
    for stretch in (outcome.one, outcome.three):
        print(stretch.line())
    print(f"{outcome.paused_events} events recorded by the others in the {given.pause:g} s that one stood still")
    for sentence in outcome.wrong:
        print(sentence)
    print(outcome.line())
    return 1 if outcome.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
