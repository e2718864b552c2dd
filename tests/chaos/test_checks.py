"""The checks find what they look for: each row spoils a sound log, its keys or the answers in one way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from ledger.service import LogEvents
from ledger.store import open_log
from ledger.store.log import Remembered, Row
from projections import open_views
from tests.chaos.checks import Verdict, against_the_log, against_the_model, examine
from tests.model.answers import Answered
from tests.model.playing import real_history, told
from tests.projections.stage import change
from tests.scene import KEEPER, Scene

OPENED = 3
BODIES = ("one", "two", "three")

Parts = tuple[list[Row], list[Remembered], list[Answered]]


def answers_of(scene: Scene) -> list[Answered]:
    """Three granted commands, as a client was told of them over HTTP."""
    answers = []
    for name in BODIES:
        fields = {"authority": name, "state": "NO", "legal_name": name, "outside_register": False}
        answer = scene.do(KEEPER, "register-authority", key=name, **fields)
        answers.append(
            Answered(
                authority=KEEPER,
                officer=f"{KEEPER}-1",
                key=name,
                name="register-authority",
                data=fields,
                sent=scene.now,
                heard=scene.now,
                seen=answer.position - 1,
                position=answer.position,
                is_granted=True,
                document=told(answer),
            )
        )
    return answers


def told_otherwise(answer: Answered) -> Answered:
    [event] = answer.document["events"]
    return replace(answer, document={**answer.document, "events": [{**event, "event_id": "another"}]})


def without(items: list, index: int) -> list:
    return [item for number, item in enumerate(items) if number != index % len(items)]


SPOILT: dict[str, tuple[Callable[[Parts], Parts], tuple[int, int, int]]] = {
    "a sound log": (lambda p: p, (0, 0, 0)),
    "the last event is gone": (lambda p: (without(p[0], -1), p[1], p[2]), (1, 0, 1)),
    "an event in the middle is gone": (lambda p: (without(p[0], 4), p[1], p[2]), (1, 0, 1)),
    "another event stands there": (lambda p: (p[0], p[1], [told_otherwise(p[2][0]), *p[2][1:]]), (1, 0, 0)),
    "a key is forgotten": (lambda p: (p[0], without(p[1], -1), p[2]), (1, 0, 0)),
    "a key stands twice": (lambda p: (p[0], [*p[1], p[1][-1]], p[2]), (0, 1, 0)),
    "nobody was told of an event": (lambda p: (p[0], p[1], without(p[2], 1)), (0, 1, 0)),
    "another command was told of the same event": (
        lambda p: (p[0], p[1], [*p[2], replace(p[2][0], key="four")]),
        (1, 1, 0),
    ),
    "an event stands twice, in its id, its version and unasked": (
        lambda p: ([*p[0], p[0][-1]._replace(position=7)], p[1], p[2]),
        (0, 3, 0),
    ),
    "what was granted is then refused": (
        lambda p: (p[0], p[1], [*p[2], replace(p[2][0], is_granted=False, document={"code": "person-is-dead"})]),
        (0, 1, 0),
    ),
    "a repeat under another key is told of them too": (
        lambda p: (p[0], p[1], [*p[2], replace(p[2][0], key="four", replayed=True)]),
        (0, 0, 0),
    ),
    "a key is answered in two ways": (lambda p: (p[0], p[1], [*p[2], told_otherwise(p[2][0])]), (0, 1, 0)),
}


@pytest.mark.parametrize(("spoil", "found"), SPOILT.values(), ids=SPOILT)
def test_the_log_is_held_against_the_answers(spoil: Callable[[Parts], Parts], found: tuple[int, int, int]) -> None:
    scene = Scene()
    answers = answers_of(scene)
    rows, keys, answered = spoil((scene.log.scan(0, 100), scene.log.remembered_between(1, 100), answers))
    verdict = against_the_log(rows, keys, answered, OPENED)
    assert (len(verdict.lost), len(verdict.doubled), len(verdict.missing)) == found, list(verdict.sentences())
    assert verdict.is_clean == (found == (0, 0, 0))


def test_a_view_that_says_otherwise_is_found(sqlite_url: str) -> None:
    log = open_log(sqlite_url, create=True)
    answers = answers_of(Scene(log))
    views = open_views(sqlite_url, LogEvents(log))
    views.catch_up()
    views.close()
    log.close()
    assert examine(sqlite_url, answers, OPENED).line() == (
        "1 rounds, 3 acknowledged, 0 lost, 0 doubled, 0 missing positions, 0 views unequal"
    )
    change(sqlite_url, "UPDATE audit_trail_entries__1 SET sentence = 'nothing happened' WHERE position = 4")
    verdict = examine(sqlite_url, answers, OPENED)
    assert verdict.line().endswith("0 missing positions, 1 views unequal")


def test_what_the_model_rejects_is_told_with_the_shortest_history() -> None:
    played, rows = real_history(1, 60)
    assert against_the_model(played, OPENED, rows) == []
    before = [answer for answer in played if answer.is_granted and not answer.replayed]
    gone = before[5]
    [said] = against_the_model([answer for answer in played if answer.who != gone.who], OPENED, rows)
    assert "a position is missing before it" in said.splitlines()[0]
    assert len(said.splitlines()) == 4
    assert not Verdict(rejected=[said]).is_clean
