"""A correction three days back, across a handover: the record then reads as if the right fact had been there first.

Two ledgers hear the same story, one of them with a wrong fact that it corrects later. Afterwards custody, timeline and
rolls agree at every instant, in every column but positions and recorded flags; and before the correction the first
ledger still believes what it believed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from domain.events.event import Event
from ledger.audit.replay import Row, replay
from ledger.audit.verify import CLEAN, exit_code, verify
from ledger.service import LogEvents
from ledger.store import EventLog, open_log
from projections import Views, When, current_custody, custody_timeline, open_views, roll
from tests.ledger.audit.stories import BEN, correct, handed_over, last, moved_on
from tests.scene import (
    ANN,
    E1,
    E2,
    EAST,
    N1,
    N2,
    NORTH,
    Scene,
    acceptance,
    agreement,
    approved,
    at,
    held,
    offered,
    registry,
)

PUT_RIGHT = "2025-03-03T12:00:00Z"
INSTANTS = [at("2025-02-27T00:00:00Z") + timedelta(hours=3 * step) for step in range(48)]
PLACES = (N1, N2, E1, E2)
NOT_SHARED = {"ref", "opened_by", "ended_by", "flags"}
"""What may differ: positions, and the flags recorded with a fact."""


def moved(log: EventLog, moved_at: str) -> Scene:
    """Ann moved within north, then handed over to east and moved on there."""
    return moved_on(handed_over(log, moved_at=moved_at))


def taken_over(log: EventLog, accepted_at: str) -> Scene:
    """Ann offered at noon on 28 February; east, at ten at night, records when it accepted."""
    scene = agreement(registry(Scene(log, now="2025-02-01T10:00:00Z")))
    held(scene)
    held(scene, BEN)
    approved(scene.at("2025-02-27T12:00:00Z"))
    answer = offered(scene.at("2025-03-01T12:00:00Z"))
    scene.at("2025-03-01T22:00:00Z")
    scene.do(EAST, "accept-handover", **acceptance(answer), occurred_at=accepted_at)
    return moved_on(scene)


def the_move(scene: Scene) -> Event:
    return next(event for event in scene.events() if event.wire == "moved-within.v1")


@dataclass(frozen=True)
class Story:
    """A story told wrongly and put right three days later, and the same told right at once."""

    wrong: Callable[[EventLog], Scene]
    put_right: Callable[[Scene], None]
    right: Callable[[EventLog], Scene]


STORIES = {
    "a move before the handover happened the evening before": Story(
        wrong=lambda log: moved(log, "2025-02-28T09:00:00Z"),
        put_right=lambda scene: correct(scene, the_move(scene), NORTH, occurred_at="2025-02-27T22:30:00Z"),
        right=lambda log: moved(log, "2025-02-27T22:30:00Z"),
    ),
    "the acceptance itself happened earlier": Story(
        wrong=lambda log: taken_over(log, "2025-03-01T22:00:00Z"),
        put_right=lambda scene: correct(
            scene, last(scene, "handover-accepted.v1"), EAST, occurred_at="2025-03-01T13:00:00Z", signed=NORTH
        ),
        right=lambda log: taken_over(log, "2025-03-01T13:00:00Z"),
    ),
}


class Ledger:
    """One ledger with its views."""

    def __init__(self, url: str) -> None:
        self.log = open_log(url, create=True)
        self.views: Views = open_views(url, LogEvents(self.log))

    def close(self) -> None:
        self.views.close()
        self.log.close()

    def seen(self, as_of: datetime, known_at: int | None = None) -> dict[str, object]:
        """Everything the views say of everybody and every place at one instant."""
        self.views.catch_up()
        when = When(now=as_of, as_of=as_of, known_at=known_at)
        seen: dict[str, object] = {}
        for person in (ANN, BEN):
            seen[f"custody {person}"] = current_custody.custody(self.views, when, person).value
            seen[f"timeline {person}"] = custody_timeline.timeline(self.views, when, person).value
        for place in PLACES:
            page = roll.roll(self.views, when, place).value
            seen[f"roll {place}"] = page.items if page is not None else None
        return seen

    def folded(self, as_of: datetime, to: int | None = None) -> dict[str, object]:
        """The same from the events alone, as the audit replays them."""
        people = replay(self.log, to=to, as_of=as_of).people
        return {"custody": people, "timeline": replay(self.log, to=to, as_of=as_of, person=ANN).timeline}


@pytest.fixture
def ledgers(database_url: str, tmp_path: Path) -> Iterator[tuple[Ledger, Ledger]]:
    """Two empty ledgers: one on the engine under test, one to compare with."""
    with closing(Ledger(database_url)) as one, closing(Ledger(f"sqlite:///{tmp_path / 'other.db'}")) as other:
        yield one, other


def shared(value: object) -> object:
    """A value without what two such ledgers need not share."""
    if isinstance(value, dict):
        return {name: shared(item) for name, item in value.items() if name not in NOT_SHARED}
    return [shared(item) for item in value] if isinstance(value, list) else value


def differing(one: Sequence[Row], other: Sequence[Row]) -> list[datetime]:
    return [instant for instant, left, right in zip(INSTANTS, one, other, strict=True) if left != right]


@pytest.mark.parametrize("sentence", STORIES)
def test_a_corrected_record_reads_as_if_it_had_been_right_at_first(
    sentence: str, ledgers: tuple[Ledger, Ledger]
) -> None:
    story, (corrected, right) = STORIES[sentence], ledgers
    scene = story.wrong(corrected.log)
    story.right(right.log)
    before = scene.log.head()
    seen, folded = ([read(instant) for instant in INSTANTS] for read in (corrected.seen, corrected.folded))
    other_seen, other_folded = ([read(instant) for instant in INSTANTS] for read in (right.seen, right.folded))
    assert differing(shared_all(seen), shared_all(other_seen)), "the wrong fact must show at first"

    story.put_right(scene.at(PUT_RIGHT))
    assert scene.log.head() == before + 2
    now = [corrected.seen(instant) for instant in INSTANTS]
    assert differing(shared_all(now), shared_all(other_seen)) == []
    assert differing(shared_all([corrected.folded(one) for one in INSTANTS]), shared_all(other_folded)) == []

    # The old belief, row by row and with every column, positions and flags included.
    then = [corrected.seen(instant, before) for instant in INSTANTS]
    assert differing(then, seen) == []
    assert differing([corrected.folded(one, before) for one in INSTANTS], folded) == []
    assert exit_code(verify(scene.log, views=corrected.views)) == CLEAN
    assert exit_code(verify(right.log, views=right.views)) == CLEAN


def shared_all(rows: Sequence[Row]) -> list[Row]:
    return [{name: shared(value) for name, value in row.items()} for row in rows]
