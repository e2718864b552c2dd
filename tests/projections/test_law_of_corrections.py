"""Law (a) of DOMAIN §6.4 in the views: a corrected log answers as one that had the right fact from the start."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from projections import When, current_custody, custody_timeline, occupancy, roll
from tests.projections import lives
from tests.projections.stage import NOW, views_over
from tests.scene import ANN, NORTH

WRONG, RIGHT = "2025-02-27T10:00:00Z", "2025-02-26T16:00:00Z"
INSTANTS = [datetime(2025, 2, 25, 12, tzinfo=UTC) + timedelta(hours=9 * number) for number in range(24)]


def bare(answer: Any) -> Any:
    """An answer without position references and recorded flags."""
    if isinstance(answer, dict):
        gone = ("ref", "opened_by", "ended_by", "flags")
        return {name: bare(value) for name, value in answer.items() if name not in gone}
    return [bare(item) for item in answer] if isinstance(answer, list) else answer


def answers(views: Any, when: When) -> list[Any]:
    rolls = [roll.roll(views, when, house).value for house in ("n-1", "n-2", "e-1", "e-2")]
    span = (date(2025, 2, 24), date(2025, 3, 6))
    return [
        bare(current_custody.custody(views, when, ANN).value),
        bare(custody_timeline.timeline(views, when, ANN).value),
        *(bare(page.items) if page is not None else None for page in rolls),
        *(bare(occupancy.occupancy(views, when, house, *span).value) for house in ("n-1", "n-2")),
    ]


def test_a_correction_three_days_back_across_a_handover() -> None:
    right = views_over(lives.moved_on(lives.handed_over(moved_at=RIGHT)).events())
    scene = lives.moved_on(lives.handed_over(moved_at=WRONG))
    wrong = views_over(scene.events())
    before = scene.log.head()
    lives.correct(scene, next(e for e in scene.events() if e.wire == "moved-within.v1"), NORTH, RIGHT)
    corrected = views_over(scene.events())
    changed = 0
    for as_of in INSTANTS:
        when = When(now=NOW, as_of=as_of)
        assert answers(corrected, when) == answers(right, when)
        then = When(now=NOW, as_of=as_of, known_at=before)
        assert answers(corrected, then) == answers(wrong, when), "before it was recorded the old belief stands"
        changed += answers(wrong, when) != answers(right, when)
    assert changed, "the correction changes what is believed"
