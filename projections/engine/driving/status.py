"""How a view is doing, as an operator is told: how far it is, whether it moves, what it has left out.

A view that is behind and moves is slow, and its trend says whether it will ever come up; one that is behind and has
not moved for a while is stalled; one that has stopped will not move by itself.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Final, Literal

from projections.engine.driving.lines import Line

STALLED_AFTER: Final = timedelta(seconds=30)
"""A view that is behind and has not moved for that long is stalled; until then it is slow."""

State = Literal["current", "behind", "stalled", "stopped"]
Trend = Literal["falling", "steady", "growing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewStatus:
    """How far a view has come. Rates are in events a second, `eta_seconds` is `None` where it does not come nearer.

    `driven` says whether a process follows the log with it; `parked` and `skipped` how many events it has left out.
    `error` and `error_position` tell the event that stopped it, or the first one it has parked. `building` is the
    position of a rebuild, and `building_runs` whether that goes on or was interrupted.
    """

    view: str
    position: int
    head: int
    state: State
    trend: Trend
    rate: int
    eta_seconds: int | None
    advanced_at: str | None
    driven: bool
    parked: int
    skipped: int
    error: str | None
    error_position: int | None
    generation: int
    building: int | None
    building_rate: int | None
    building_eta_seconds: int | None
    building_runs: bool

    @property
    def lag(self) -> int:
        """How many events it has yet to apply."""
        return max(0, self.head - self.position)

    @property
    def trouble(self) -> str | None:
        """Why its answers may be old or may lack something, in a word; `None` where it is well or merely slow."""
        if self.state == "stopped":
            return "stopped"
        if not self.driven:
            return "undriven"
        if self.state == "stalled":
            return "stalled"
        return "parked" if self.parked else None

    def document(self) -> dict[str, object]:
        """The status as JSON shows it."""
        return {**{one.name: getattr(self, one.name) for one in fields(self)}, "lag": self.lag}


def trend_of(line: Line, lag: int) -> Trend:
    """Whether a line that lags so much now lagged less or more a moment ago."""
    if lag > line.lag_before:
        return "growing"
    return "falling" if 0 < lag < line.lag_before else "steady"


def eta_seconds(remaining: int, rate: int) -> int | None:
    """How long so many events take at a rate, rounded up; `None` at none."""
    return -(-remaining // rate) if rate > 0 else None
