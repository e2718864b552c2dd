"""The state of the service as it is answered: its views, rebuilds, health and version."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from ledger.http.answers.entities import Shape


class Projection(Shape, frozen=True, kw_only=True):
    """How far a view is, and how it is doing."""

    view: str
    position: int
    head: int
    lag: int
    state: Literal["current", "behind", "stalled", "stopped"]
    trend: Literal["falling", "steady", "growing"]
    rate: int
    advanced_at: datetime | None
    error: str | None
    error_position: int | None
    generation: int
    building: int | None


class Rebuild(Shape, frozen=True, kw_only=True):
    """A rebuild of a view by this process; `differing` rows keep it from being switched to."""

    rebuild: str
    view: str
    state: Literal["running", "switched", "refused", "failed"]
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
    """The database answers; `degraded` names views that lag or have stopped."""

    status: Literal["ready", "degraded"]
    position: int
    views: dict[str, str]


class Version(Shape, frozen=True, kw_only=True):
    """Which program this is."""

    name: str
    version: str
    environment: str
