"""Run every measure and write down what came of it: `make bench`, in a few minutes; `QUICK=1 make bench` in one."""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import dataclass

from bench import offline, over_http, report
from bench.goals import GOALS, judge
from bench.places import folder, new_database, postgres_server


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How much is measured. Seconds are those of one run against one server; events those of the rebuilt log."""

    rounds: int
    seconds: float
    events: int
    people: int
    leaves: int


WHOLE = Extent(rounds=3, seconds=4, events=20_000, people=150, leaves=200_000)
QUICK = Extent(rounds=1, seconds=1.5, events=3_000, people=40, leaves=50_000)


def main() -> None:
    """Measure, print the table, write `bench/results.json`."""
    extent = QUICK if os.environ.get("QUICK") == "1" else WHOLE
    machine = report.machine()
    with ExitStack() as stack:
        home = stack.enter_context(folder())
        server = stack.enter_context(postgres_server())
        urls = {"sqlite": f"sqlite:///{home}/served.db", "postgresql": new_database(server, "served")}
        figures, client = over_http.measure(urls, f"{home}/library.db", extent.rounds, extent.seconds)
        offline.measure_tree(extent.leaves, extent.rounds, figures)
        lives = {"sqlite": f"sqlite:///{home}/lives.db", "postgresql": new_database(server, "lives")}
        offline.measure_bytes(lives, extent.people, figures)
        offline.measure_views_and_audit(f"sqlite:///{home}/filled.db", extent.events, extent.rounds, figures)
    results = [judge(goal, figures) for goal in GOALS]
    found = report.Report(machine=machine, versions=report.versions(), client_us=client, results=results)
    report.write(found)
    report.show(found)


if __name__ == "__main__":
    main()
