"""What a reader was told is held against the log: each row spoils it in one way."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from tests.contention.readers import Told, event_id_in
from tests.contention.running import misread
from tests.scene import Scene, story

Events = Sequence[tuple[int, str]]


@pytest.fixture(scope="module")
def scene() -> Scene:
    return story()


TOLD: dict[str, tuple[Callable[[Events], Events], tuple[int, int, int]]] = {
    "all of it": (lambda events: events, (0, 0, 0)),
    "one is left out": (lambda events: [*events[:4], *events[5:]], (1, 0, 0)),
    "the last is left out": (lambda events: events[:-1], (1, 0, 0)),
    "one is another event": (lambda events: [*events[:4], (5, "another"), *events[5:]], (1, 0, 0)),
    "one comes twice": (lambda events: [*events[:5], events[4], *events[5:]], (0, 1, 1)),
    "all come again": (lambda events: [*events, *events], (0, 15, 1)),
    "two are exchanged": (lambda events: [*events[:3], events[4], events[3], *events[5:]], (0, 0, 1)),
}


@pytest.mark.parametrize(("spoil", "found"), TOLD.values(), ids=TOLD)
def test_what_a_reader_was_told(spoil: Callable[[Events], Events], found: tuple[int, int, int], scene: Scene) -> None:
    rows = scene.log.read(0, 15)
    told = Told()
    for position, event_id in spoil([(row.position, row.event_id) for row in rows]):
        told.take(position, event_id)
    assert (told.skipped(rows), told.doubled, told.disordered) == found
    assert len(list(misread(rows, {"reader": told}))) == any(found)


def test_the_event_id_is_read_out_of_a_block() -> None:
    assert event_id_in('{"actor":{},"event_id":"e-1","type":"x"}') == "e-1"
