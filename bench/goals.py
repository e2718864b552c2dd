"""What is measured, what it should reach (DESIGN §3), and what was expected before anything had been measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final, Literal

Engine = Literal["sqlite", "postgresql", "none"]

EMPTY_ROUTE: Final = "FastAPI route, same body, stores nothing"
LIBRARY: Final = "documented library behind FastAPI, SQLite"
LIBRARY_ON_POSTGRES: Final = "documented library behind FastAPI, PostgreSQL"
LIBRARY_RUNNER: Final = "the library's projection runner, one view"
SYNCS: Final = "fdatasync alone"
MESSAGE_DB: Final = "message-db behind the same route"
TIGERBEETLE: Final = "TigerBeetle behind the same route"
SINGLES: Final = "ours, one command a request"

SINGLE: Final = "one command a request, 64 connections: requests/s"
LATENCY: Final = "one command a request, 64 connections: p99 ms"
BULK: Final = "100 commands a request: commands/s"
REBUILD_ONE: Final = "rebuild, one view: events/s"
REBUILD_ALL: Final = "rebuild, all views: events/s"
AUDIT: Final = "full audit: events/s"
TREE: Final = "tree alone: leaves/s"
BESIDE: Final = "one command a request beside a rebuild of all views: of the rate alone"
LAG: Final = "the slowest live view meanwhile: seconds behind"
FLAT: Final = "median wait for a command at the longest log, 64 connections: × the shortest"
FLAT_ALONE: Final = "median wait for a command at the longest log, one connection: × the shortest"
FLAT_PROCESSOR: Final = "processor time of a command at the longest log: × the shortest"
START: Final = "start with a snapshot at a million events: seconds"
MEMORY: Final = "memory a person in custody, of 40,000: bytes"
BYTES: Final = "bytes on disk an event, a whole transfer's mix"


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """One line of the table. With a `reference`, `goal` and `expected` are ratios to it; without one, plain figures.

    `at_most` turns the comparison round. `expected` is a guess from the prototypes, written before the first run.
    """

    measure: str
    engine: Engine
    goal: float
    expected: float
    reference: str | None = None
    at_most: bool = False

    def shown(self) -> str:
        """The goal as the table shows it."""
        return f"{'≤' if self.at_most else '≥'} {self.goal:g}{' ×' if self.reference else ''}"

    def is_met(self, value: float) -> bool:
        """Whether a figure (or a ratio, where there is a reference) reaches the goal."""
        return value <= self.goal if self.at_most else value >= self.goal


GOALS: Final = (
    Goal(measure=SINGLE, engine="sqlite", reference=EMPTY_ROUTE, goal=1.2, expected=0.7),
    Goal(measure=SINGLE, engine="sqlite", reference=LIBRARY, goal=6, expected=5),
    Goal(measure=SINGLE, engine="sqlite", reference=SYNCS, goal=1, expected=2),
    Goal(measure=SINGLE, engine="sqlite", reference=MESSAGE_DB, goal=2.5, expected=2),
    Goal(measure=SINGLE, engine="sqlite", reference=TIGERBEETLE, goal=2.5, expected=2),
    Goal(measure=LATENCY, engine="sqlite", goal=50, expected=80, at_most=True),
    Goal(measure=SINGLE, engine="postgresql", reference=EMPTY_ROUTE, goal=1.0, expected=0.5),
    Goal(measure=SINGLE, engine="postgresql", reference=LIBRARY_ON_POSTGRES, goal=12, expected=10),
    Goal(measure=LATENCY, engine="postgresql", goal=50, expected=100, at_most=True),
    Goal(measure=BULK, engine="sqlite", goal=12_000, expected=5_000),
    Goal(measure=BULK, engine="sqlite", reference=SINGLES, goal=2.5, expected=2.5),
    Goal(measure=BULK, engine="postgresql", goal=10_000, expected=4_500),
    Goal(measure=BULK, engine="postgresql", reference=SINGLES, goal=2.5, expected=2.5),
    Goal(measure=REBUILD_ONE, engine="sqlite", goal=120_000, expected=40_000),
    Goal(measure=REBUILD_ONE, engine="sqlite", reference=LIBRARY_RUNNER, goal=80, expected=20),
    Goal(measure=REBUILD_ONE, engine="postgresql", goal=60_000, expected=20_000),
    Goal(measure=REBUILD_ALL, engine="sqlite", goal=50_000, expected=8_000),
    Goal(measure=REBUILD_ALL, engine="postgresql", goal=25_000, expected=5_000),
    Goal(measure=AUDIT, engine="sqlite", goal=100_000, expected=15_000),
    Goal(measure=TREE, engine="none", goal=200_000, expected=250_000),
    Goal(measure=BESIDE, engine="sqlite", goal=0.5, expected=0.6),
    Goal(measure=LAG, engine="sqlite", goal=1, expected=0.8, at_most=True),
    Goal(measure=FLAT, engine="sqlite", goal=1.2, expected=1.1, at_most=True),
    Goal(measure=FLAT_ALONE, engine="sqlite", goal=1.2, expected=1.1, at_most=True),
    Goal(measure=FLAT_PROCESSOR, engine="sqlite", goal=1.2, expected=1.1, at_most=True),
    Goal(measure=START, engine="sqlite", goal=2, expected=3, at_most=True),
    Goal(measure=MEMORY, engine="sqlite", goal=2_048, expected=2_500, at_most=True),
    Goal(measure=BYTES, engine="sqlite", goal=1_200, expected=1_300, at_most=True),
    Goal(measure=BYTES, engine="postgresql", goal=1_600, expected=1_700, at_most=True),
)

Figures = dict[tuple[str, str], list[float]]
"""(measure, engine or reference) → one figure a round."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of one goal; `met` is `None` where ours or the reference could not be measured here."""

    measure: str
    engine: Engine
    ours: float | None
    reference: str | None
    reference_value: float | None
    ratio: float | None
    goal: str
    expected: float
    met: bool | None
    rounds: list[float]


def judge(goal: Goal, figures: Figures) -> Result:
    """Medians over the rounds; a ratio is the median of the rounds' own ratios, as neighbours disturb rounds alike."""
    ours = figures.get((goal.measure, goal.engine), [])
    reference = _reference(goal, figures)
    ratios = [mine / theirs for mine, theirs in zip(ours, reference, strict=False)]
    judged = ratios if goal.reference is not None else ours
    return Result(
        measure=goal.measure,
        engine=goal.engine,
        ours=_median(ours),
        reference=goal.reference,
        reference_value=_median(reference),
        ratio=_median(ratios),
        goal=goal.shown(),
        expected=goal.expected,
        met=goal.is_met(median(judged)) if judged else None,
        rounds=ours,
    )


def _reference(goal: Goal, figures: Figures) -> list[float]:
    if goal.reference is None:
        return []
    if goal.reference == LIBRARY_RUNNER:
        return figures.get((LIBRARY_RUNNER, goal.engine), [])
    return figures.get((SINGLE, goal.engine if goal.reference == SINGLES else goal.reference), [])


def _median(values: Sequence[float]) -> float | None:
    return median(values) if values else None
