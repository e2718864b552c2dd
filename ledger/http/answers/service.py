"""The state of the service as it is answered: its views, rebuilds, health and version."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from ledger.http.answers.entities import Shape


class Projection(Shape, frozen=True, kw_only=True):
    """How far a view is, and how it is doing.

    Rates are in events a second. `driven`: a process follows the log with it. `parked` and `skipped` count the events
    it leaves out; `error` is about the one that stopped it, or the first that is parked. `building` is the position of
    a rebuild, which goes on or was interrupted.
    """

    view: str
    position: int
    head: int
    lag: int
    state: Literal["current", "behind", "stalled", "stopped"]
    trend: Literal["falling", "steady", "growing"]
    rate: int
    eta_seconds: int | None
    advanced_at: datetime | None
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


class ParkedEvent(Shape, frozen=True, kw_only=True):
    """An event that a view could not apply; the later events of its stream are parked with it."""

    position: int
    stream: str
    error: str
    first_seen: datetime
    attempts: int


class SkippedEvent(Shape, frozen=True, kw_only=True):
    """The decision to leave an event out of a view, and when it was lifted again."""

    position: int
    stream: str
    authority: str
    officer: str
    reason: str
    decided_at: datetime
    lifted_at: datetime | None


class ProjectionInFull(Projection, frozen=True, kw_only=True):
    """The same, with the events it could not apply and the decisions about them."""

    parked_events: tuple[ParkedEvent, ...]
    skipped_events: tuple[SkippedEvent, ...]


class Rebuild(Shape, frozen=True, kw_only=True):
    """A rebuild of a view that this process has started; `differing` rows keep it from being switched to."""

    rebuild: str
    view: str
    state: Literal["running", "switched", "refused", "failed", "cancelled"]
    done: int
    total: int
    rows: int | None
    differing: int | None
    error: str | None


class Projections(Shape, frozen=True, kw_only=True):
    """All views."""

    items: tuple[Projection, ...]
    position: int


class Live(Shape, frozen=True, kw_only=True):
    """The process answers."""

    status: Literal["live"]


class Ready(Shape, frozen=True, kw_only=True):
    """The database answers; `degraded` names what is amiss with each view."""

    status: Literal["ready", "degraded"]
    position: int
    views: dict[str, str]


class Version(Shape, frozen=True, kw_only=True):
    """Which program this is."""

    name: str
    version: str
    environment: str
