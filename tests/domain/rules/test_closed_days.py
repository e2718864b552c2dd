"""Whose holidays count for a release."""

from __future__ import annotations

from datetime import date

from domain.rules.people.closed_days import closed_days
from tests.scene import Scene, accepted, agreement, approved, held, registry

HOLIDAYS = {"sending": ["2025-05-17"], "receiving": ["2025-06-06", "2025-06-20"]}


def in_custody() -> Scene:
    return held(agreement(registry(Scene()), holidays=HOLIDAYS))


def test_a_person_who_was_never_handed_over_is_under_no_agreement() -> None:
    scene = in_custody()
    assert closed_days(scene.register, scene.head()) == frozenset()
    approved(scene)
    assert closed_days(scene.register, scene.head()) == frozenset()


def test_after_a_handover_the_holidays_are_those_of_the_receiving_side() -> None:
    scene = accepted(approved(in_custody()))
    assert closed_days(scene.register, scene.head()) == {date(2025, 6, 6), date(2025, 6, 20)}
