"""The opening of an epoch: the first leaf of a log under one origin (TRUST §7)."""

from __future__ import annotations

from typing import ClassVar

from domain.events.event import Body


class EpochOpened(Body, frozen=True, kw_only=True):
    """A new origin begins at `first_position`; `lost` and `previous` are null for the first epoch."""

    wire: ClassVar[str] = "epoch-opened.v1"
    stream_kind: ClassVar[str] = "epoch"
    first_position: int
    leaf_format: int
    lost: dict[str, int] | None
    origin: str
    previous: dict[str, str | int] | None


EVENTS: tuple[type[Body], ...] = (EpochOpened,)
