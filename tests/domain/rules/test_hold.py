"""A court's hold: placed on each person it names, lifted by the court that placed it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from domain.events.person import HoldLifted, HoldPlaced
from domain.refusals import (
    BodyIsMalformed,
    CodeIsNotListed,
    HoldIsUnknown,
    OccurredAtIsInTheFuture,
    PersonIsUnknown,
    RoleIsNotHeld,
    VersionHasMoved,
)
from domain.rules.people.hold import HoldIsAlreadyPlaced, HoldIsNotInForce, OnlyTheCourtThatPlacedItMayLiftIt
from tests.domain.rules.rows import Row, holds
from tests.scene import ANN, COURT, DIGEST, KEEPER, NORTH, START, WATCH, Scene, at, held, registered, story

BO = "p-bo"
OTHER_COURT = "court-2"


def hold(**changes: object) -> Mapping[str, object]:
    return {
        "hold": "hold-1",
        "forbids": ["hand-over", "release"],
        "effective_at": START,
        "instrument": DIGEST,
        "persons": [ANN],
        **changes,
    }


def lifting(**changes: object) -> Mapping[str, object]:
    return {"hold": "hold-1", "effective_at": START, "instrument": DIGEST, **changes}


def placed(**changes: object) -> tuple[str, str, Mapping[str, object]]:
    return (COURT, "place-hold", hold(**changes))


def another_court(scene: Scene) -> None:
    scene.do(
        KEEPER,
        "register-authority",
        authority=OTHER_COURT,
        state="NO",
        legal_name="Another court",
        outside_register=False,
    )
    scene.do(
        KEEPER,
        "set-authority-roles",
        authority=OTHER_COURT,
        roles=[{"role": "court", "from": "2024-01-01"}],
    )


def an_hour_later(scene: Scene) -> None:
    scene.later(hours=1)


ROWS = {
    "a court places a hold on a person nobody holds": Row(by=COURT, asks="place-hold", data=hold()),
    "and on a person in custody": Row(given=(lambda scene: held(scene, BO),), by=COURT, asks="place-hold",
                                      data=hold(persons=[BO])),
    "and on several persons": Row(
        given=(lambda scene: registered(scene, BO),), by=COURT, asks="place-hold", data=hold(persons=[ANN, BO])
    ),
    "nobody else places a hold": Row(
        by=NORTH, asks="place-hold", data=hold(persons=["nobody"]), follows=RoleIsNotHeld(NORTH, ("court",))
    ),
    "not a monitor either": Row(
        by=WATCH, asks="place-hold", data=hold(), follows=RoleIsNotHeld(WATCH, ("court",))
    ),
    "every person is in the register": Row(
        by=COURT,
        asks="place-hold",
        data=hold(persons=[ANN, "nobody"], occurred_at="2025-03-01T12:05:01Z"),
        follows=PersonIsUnknown("nobody"),
    ),
    "a hold is not placed in the future": Row(
        by=COURT,
        asks="place-hold",
        data=hold(occurred_at="2025-03-01T12:05:01Z", expected_version=7),
        follows=OccurredAtIsInTheFuture(at("2025-03-01T12:05:01Z"), at(START)),
    ),
    "but may bind from later on": Row(by=COURT, asks="place-hold", data=hold(effective_at="2025-06-01T00:00:00Z")),
    "who has read an older file is told": Row(
        given=(placed(),),
        by=COURT,
        asks="place-hold",
        data=hold(forbids=["move"], expected_version=1),
        follows=VersionHasMoved(3, 1),
    ),
    "an id stands for one hold": Row(
        given=(placed(),),
        by=COURT,
        asks="place-hold",
        data=hold(forbids=["move"]),
        follows=HoldIsAlreadyPlaced("hold-1"),
    ),
    "the same order for another person is another hold": Row(
        given=(lambda scene: registered(scene, BO), placed()),
        by=COURT,
        asks="place-hold",
        data=hold(persons=[BO]),
        follows=HoldIsAlreadyPlaced("hold-1"),
    ),
    "a hold forbids something": Row(
        by=COURT, asks="place-hold", data=hold(forbids=[]), follows=BodyIsMalformed("schema", ("/forbids",))
    ),
    "what it forbids has a code": Row(
        by=COURT, asks="place-hold", data=hold(forbids=["visit"]), follows=CodeIsNotListed(("/forbids/0",))
    ),
    "a hold is on somebody": Row(
        by=COURT, asks="place-hold", data=hold(persons=[]), follows=BodyIsMalformed("schema", ("/persons",))
    ),
    "and once": Row(
        by=COURT, asks="place-hold", data=hold(persons=[ANN, ANN]), follows=BodyIsMalformed("schema", ("/persons",))
    ),
    # lift-hold
    "the court lifts its hold": Row(given=(placed(),), by=COURT, asks="lift-hold", data=lifting()),
    "nobody else lifts it": Row(
        by=NORTH, asks="lift-hold", data=lifting(hold="no-hold"), follows=RoleIsNotHeld(NORTH, ("court",))
    ),
    "a hold was placed before": Row(
        by=COURT, asks="lift-hold", data=lifting(hold="no-hold"), follows=HoldIsUnknown("no-hold")
    ),
    "a hold is lifted once": Row(
        given=(another_court, placed(), (COURT, "lift-hold", lifting())),
        by=OTHER_COURT,
        asks="lift-hold",
        data=lifting(),
        follows=HoldIsNotInForce("hold-1"),
    ),
    "one whose time has run out is in force no more": Row(
        given=(placed(until="2025-03-01T13:00:00Z"), an_hour_later),
        by=COURT,
        asks="lift-hold",
        data=lifting(),
        follows=HoldIsNotInForce("hold-1"),
    ),
    "one that has time left is": Row(
        given=(placed(until="2025-03-01T13:00:01Z"), an_hour_later), by=COURT, asks="lift-hold", data=lifting()
    ),
    "one that has not begun can be lifted": Row(
        given=(placed(effective_at="2025-06-01T00:00:00Z"),), by=COURT, asks="lift-hold", data=lifting()
    ),
    "but not twice": Row(
        given=(placed(effective_at="2025-06-01T00:00:00Z"), (COURT, "lift-hold", lifting())),
        by=COURT,
        asks="lift-hold",
        data=lifting(),
        follows=HoldIsNotInForce("hold-1"),
    ),
    "a lifting that lies ahead can be brought forward": Row(
        given=(placed(), (COURT, "lift-hold", lifting(effective_at="2025-06-01T00:00:00Z"))),
        by=COURT,
        asks="lift-hold",
        data=lifting(),
    ),
    "another court does not lift it": Row(
        given=(another_court, placed()),
        by=OTHER_COURT,
        asks="lift-hold",
        data=lifting(),
        follows=OnlyTheCourtThatPlacedItMayLiftIt("hold-1", COURT),
    ),
}  # fmt: skip


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_hold(row: Row) -> None:
    holds(row, registered(story()))


def two_people() -> Scene:
    return registered(registered(story()), BO)


def test_a_hold_stands_on_every_stream_and_is_lifted_on_each() -> None:
    scene = two_people()
    scene.do(COURT, "place-hold", **hold(persons=[BO, ANN]))
    both = [event for event in scene.events() if isinstance(event.body, HoldPlaced)]
    assert [event.stream for event in both] == [f"person:{BO}", f"person:{ANN}"]
    assert both[0].body == both[1].body
    for person in (ANN, BO):
        assert [item.body.hold for item in scene.head(person).holds.values()] == ["hold-1"]
    scene.do(COURT, "lift-hold", **lifting())
    lifted = [event for event in scene.events() if isinstance(event.body, HoldLifted)]
    assert [event.stream for event in lifted] == [f"person:{BO}", f"person:{ANN}"]
    assert not any(item.in_force_at(at(START)) for who in (ANN, BO) for item in scene.head(who).holds.values())


def test_an_equal_hold_under_another_key_is_a_repeat() -> None:
    scene = two_people()
    first = scene.do(COURT, "place-hold", **hold(persons=[BO, ANN]))
    assert scene.do(COURT, "place-hold", **hold(persons=[ANN, BO])).events == first.events
    assert isinstance(scene.refusal(COURT, "place-hold", **hold(persons=[ANN])), HoldIsAlreadyPlaced)


def test_one_id_is_drawn_for_all_persons() -> None:
    scene = two_people()
    answer = scene.do(COURT, "place-hold", **hold(hold=None, persons=[BO, ANN]))
    drawn = {event.body.hold for event in scene.events()[-2:] if isinstance(event.body, HoldPlaced)}
    assert len(drawn) == 1
    assert len(answer.events) == 2
    scene.do(COURT, "lift-hold", **lifting(hold=drawn.pop()))
