"""Specification rows: what had happened, who asks what, and the refusal that follows, `None` where it is granted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from domain.refusals import Refusal
from tests.scene import Scene

Step = tuple[str, str, Mapping[str, object]] | Callable[[Scene], object]
"""An act that is granted (who, which, its fields), or anything else done to the scene."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One sentence of the specification; the sentence itself is the key it stands under."""

    given: tuple[Step, ...] = ()
    by: str
    asks: str
    data: Mapping[str, object] = field(default_factory=dict)
    follows: Refusal | None = None


def outcome(row: Row, scene: Scene) -> Refusal | None:
    """What is answered to the row's command once everything given has happened."""
    for step in row.given:
        if callable(step):
            step(scene)
        else:
            by, name, data = step
            scene.do(by, name, **data)
    before = scene.register.position
    refusal = scene.refusal(row.by, row.asks, **row.data)
    assert refusal is None or scene.register.position == before
    return refusal


def holds(row: Row, scene: Scene) -> None:
    """Assert that exactly what the row says follows, with all its data, and that a refusal records nothing."""
    found = outcome(row, scene)
    assert told(found) == told(row.follows)


def told(refusal: Refusal | None) -> tuple[str, dict[str, object]] | None:
    """A refusal as a value."""
    return None if refusal is None else (refusal.code, refusal.data())
