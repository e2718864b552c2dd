"""Run every measure and write down what came of it: `make bench`, in about 15 minutes; with `QUICK=1` in three."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field

from bench import gate, offline, over_http, picture, report
from bench.beside import bring_up, measure_beside
from bench.goals import GOALS, SINGLE, SYNCS, Figures, judge
from bench.growth import Grown, measure_growth, measure_memory
from bench.latency import measure_latency
from bench.library_runner import measure_runner
from bench.places import folder, new_database, postgres_server


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How much is measured. Seconds are those of one run against one server; events those of the rebuilt log."""

    rounds: int
    seconds: float
    events: int
    people: int
    leaves: int
    held: int
    sizes: list[int] = field(default_factory=list)


WHOLE = Extent(
    rounds=3,
    seconds=4,
    events=50_000,
    people=150,
    leaves=200_000,
    held=40_000,
    sizes=[10_000, 30_000, 100_000, 300_000, 1_000_000],
)
QUICK = Extent(rounds=1, seconds=1.5, events=5_000, people=40, leaves=50_000, held=5_000, sizes=[3_000, 10_000])


def main() -> None:
    """Measure, print the table, draw the growth, write `bench/results.json`."""
    extent = QUICK if os.environ.get("QUICK") == "1" else WHOLE
    syncs = report.syncs_a_second()
    machine = report.machine(syncs)
    with ExitStack() as stack:
        home = stack.enter_context(folder())
        server = stack.enter_context(postgres_server())

        def places(name: str) -> dict[str, str]:
            return {"sqlite": f"sqlite:///{home}/{name}.db", "postgresql": new_database(server, name)}

        figures, client = over_http.measure(places("served"), places("library"), extent.rounds, extent.seconds)
        figures[(SINGLE, SYNCS)] = [syncs] * extent.rounds
        measure_runner(places, extent.rounds, figures)
        grown = _alone(places, extent, figures)
        gated, bodies = gate.measure()
    results = [*(judge(goal, figures) for goal in GOALS), *gated]
    found = report.Report(
        machine=machine, versions=report.versions(), client_us=client, results=results, growth=grown, refused=bodies
    )
    report.write(found)
    picture.draw(grown)
    report.show(found)


def _alone(places: Callable[[str], dict[str, str]], extent: Extent, figures: Figures) -> list[Grown]:
    """What needs no server and no client."""
    offline.measure_tree(extent.leaves, extent.rounds, figures)
    offline.measure_bytes(places("lives"), extent.people, figures)
    offline.measure_views_and_audit(places("filled"), extent.events, extent.rounds, figures)
    measure_memory(places("held")["sqlite"], extent.held, figures)
    grown, short = places("grown")["sqlite"], places("short")["sqlite"]
    found = measure_growth(grown, short, extent.sizes, figures)
    for url in (grown, short):
        bring_up(url)
    measure_latency(short, grown, extent.rounds, figures)
    measure_beside(grown, figures)
    return found


if __name__ == "__main__":
    main()
