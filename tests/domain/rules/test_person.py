"""A person's file and its ground: registration, bases, the release date."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import pytest

from domain.events.person import CustodyBasisRecorded, PersonRegistered, ReleaseDateSet
from domain.refusals import (
    AuthorityIsUnknown,
    BasisIsNotLive,
    BasisIsUnknown,
    BodyIsMalformed,
    CodeIsNotListed,
    OccurredAtIsInTheFuture,
    PersonIsUnknown,
    RoleIsNotHeld,
    VersionHasMoved,
)
from domain.rules.people.person import (
    BasisEndsBeforeItStarts,
    BasisHasNoEnd,
    BasisIsAlreadyRecorded,
    ConvertedSentenceIsLonger,
    IdentityIsAlreadyRegistered,
    ReleaseDateIsAfterEveryBasisEnds,
    ReleaseDateWouldLengthenCustody,
)
from tests.domain.rules.rows import Row, holds
from tests.scene import ANN, COURT, DIGEST, EAST, NORTH, SEALED, START, WATCH, Scene, at, basis, registered, story

B1 = f"b-{ANN}"
"""The sentence every row begins with: from 2025-01-01 to 2026-12-31."""


def person(**changes: object) -> Mapping[str, object]:
    return {"person": "p-bo", "identity_status": "claimed", "attributes": {"name": SEALED}, **changes}


def ground(id_: str = "b2", /, **changes: object) -> Mapping[str, object]:
    return {"person": ANN, **basis(id_, **changes)}


def due(on: str, **changes: object) -> Mapping[str, object]:
    return {
        "person": ANN,
        "release_due_on": on,
        "bases": [B1],
        "method": "sentence",
        "inputs": DIGEST,
        **changes,
    }


def court_orders(id_: str = "b2", /, **changes: object) -> tuple[str, str, Mapping[str, object]]:
    return (COURT, "record-basis", ground(id_, **changes))


LIFE = {"must_end_by": None, "indeterminate": True, "review_due_by": "2030-01-01"}
DUE_IN_JUNE = (NORTH, "set-release-date", due("2026-06-30"))

ROWS = {
    # register-person
    "the sending authority registers a person": Row(by=NORTH, asks="register-person", data=person()),
    "a court registers nobody": Row(
        by=COURT, asks="register-person", data=person(person=ANN), follows=RoleIsNotHeld(COURT, ("sending",))
    ),
    "nobody is registered in the future": Row(
        by=NORTH,
        asks="register-person",
        data=person(person=ANN, occurred_at="2025-03-01T12:05:01Z"),
        follows=OccurredAtIsInTheFuture(at("2025-03-01T12:05:01Z"), at(START)),
    ),
    "an id stands for one person": Row(
        by=NORTH, asks="register-person", data=person(person=ANN), follows=IdentityIsAlreadyRegistered(ANN)
    ),
    "attributes are commitments": Row(
        by=NORTH,
        asks="register-person",
        data=person(attributes={"name": "in clear"}),
        follows=BodyIsMalformed("schema", ("/attributes/name",)),
    ),
    "an identity status has a code": Row(
        by=NORTH,
        asks="register-person",
        data=person(identity_status="certain"),
        follows=CodeIsNotListed(("/identity_status",)),
    ),
    # record-basis
    "a court orders custody": Row(by=COURT, asks="record-basis", data=ground()),
    "the sending authority records an order": Row(by=NORTH, asks="record-basis", data=ground()),
    "custody without end is reviewed": Row(by=COURT, asks="record-basis", data=ground(**LIFE)),
    "a monitor records no basis": Row(
        by=WATCH,
        asks="record-basis",
        data=ground(B1, person="nobody"),
        follows=RoleIsNotHeld(WATCH, ("sending", "court")),
    ),
    "a basis is about somebody": Row(
        by=COURT,
        asks="record-basis",
        data=ground(B1, person="nobody", ordering_authority="no-one", replaces="none"),
        follows=PersonIsUnknown("nobody"),
    ),
    "who ordered it is registered": Row(
        by=COURT,
        asks="record-basis",
        data=ground(B1, ordering_authority="no-one", replaces="none"),
        follows=AuthorityIsUnknown("no-one"),
    ),
    "what it replaces is recorded": Row(
        by=COURT, asks="record-basis", data=ground(B1, replaces="none"), follows=BasisIsUnknown("none")
    ),
    "a basis is not recorded in the future": Row(
        by=COURT,
        asks="record-basis",
        data=ground(B1, occurred_at="2025-03-01T12:05:01Z"),
        follows=OccurredAtIsInTheFuture(at("2025-03-01T12:05:01Z"), at(START)),
    ),
    "who has read an older file is told": Row(
        by=COURT,
        asks="record-basis",
        data=ground(B1, expected_version=1),
        follows=VersionHasMoved(2, 1),
    ),
    "a basis has one content": Row(
        by=NORTH,
        asks="record-basis",
        data=ground(B1, must_end_by=None),
        follows=BasisIsAlreadyRecorded(B1),
    ),
    "the same id may stand for a basis of somebody else": Row(
        given=((NORTH, "register-person", person()),),
        by=NORTH,
        asks="record-basis",
        data={**ground(B1), "person": "p-bo"},
    ),
    "custody ends": Row(by=COURT, asks="record-basis", data=ground(must_end_by=None), follows=BasisHasNoEnd(ANN)),
    "custody without end has a review": Row(
        by=COURT,
        asks="record-basis",
        data=ground(**{**LIFE, "review_due_by": None}),
        follows=BasisHasNoEnd(ANN),
    ),
    "a review alone is no end": Row(
        by=COURT,
        asks="record-basis",
        data=ground(**{**LIFE, "indeterminate": False}),
        follows=BasisHasNoEnd(ANN),
    ),
    "a basis ends after it starts": Row(
        by=COURT,
        asks="record-basis",
        data=ground(valid_from="2027-01-02", must_end_by="2027-01-01", replaces=B1, conversion="converted"),
        follows=BasisEndsBeforeItStarts(date(2027, 1, 2), date(2027, 1, 1)),
    ),
    "a basis of one day is one": Row(
        by=COURT, asks="record-basis", data=ground(valid_from="2027-01-01", must_end_by="2027-01-01")
    ),
    "a converted sentence is no longer than the first": Row(
        by=COURT,
        asks="record-basis",
        data=ground(must_end_by="2027-01-01", replaces=B1, conversion="converted"),
        follows=ConvertedSentenceIsLonger(B1, date(2026, 12, 31)),
    ),
    "nor without end": Row(
        by=COURT,
        asks="record-basis",
        data=ground(**LIFE, replaces=B1, conversion="continued"),
        follows=ConvertedSentenceIsLonger(B1, date(2026, 12, 31)),
    ),
    "it may be as long": Row(by=COURT, asks="record-basis", data=ground(replaces=B1, conversion="converted")),
    "another order may be longer than the one it replaces": Row(
        by=COURT, asks="record-basis", data=ground(must_end_by="2027-01-01", replaces=B1)
    ),
    "life may become a term": Row(
        given=(court_orders("life", **LIFE),),
        by=COURT,
        asks="record-basis",
        data=ground(must_end_by="2040-01-01", replaces="life", conversion="converted"),
    ),
    # set-release-date
    "a release date is set": Row(by=NORTH, asks="set-release-date", data=due("2026-12-31")),
    "by a court as well": Row(by=COURT, asks="set-release-date", data=due("2026-12-31")),
    "by no monitor": Row(
        by=WATCH,
        asks="set-release-date",
        data=due("2027-01-01", bases=["none"]),
        follows=RoleIsNotHeld(WATCH, ("sending", "court")),
    ),
    "a release date is somebody's": Row(
        by=NORTH,
        asks="set-release-date",
        data=due("2027-01-01", person="nobody", bases=["none"]),
        follows=PersonIsUnknown("nobody"),
    ),
    "it is computed from bases on record": Row(
        by=NORTH,
        asks="set-release-date",
        data=due("2027-01-01", bases=[B1, "none"]),
        follows=BasisIsUnknown("none"),
    ),
    "it needs a ground that is live": Row(
        by=NORTH,
        asks="set-release-date",
        data=due("2027-01-01", occurred_at="2024-12-31T12:00:00Z"),
        follows=BasisIsNotLive(ANN, date(2024, 12, 31)),
    ),
    "custody does not outlast its ground": Row(
        given=(DUE_IN_JUNE,),
        by=NORTH,
        asks="set-release-date",
        data=due("2027-01-01"),
        follows=ReleaseDateIsAfterEveryBasisEnds(ANN, date(2026, 12, 31)),
    ),
    "a consecutive basis carries it on": Row(
        given=(court_orders(valid_from="2027-01-01", must_end_by="2027-06-30"),),
        by=NORTH,
        asks="set-release-date",
        data=due("2027-06-30", bases=[B1, "b2"]),
    ),
    "one that begins a day later does not": Row(
        given=(court_orders(valid_from="2027-01-02", must_end_by="2027-06-30"),),
        by=NORTH,
        asks="set-release-date",
        data=due("2027-06-30", bases=[B1, "b2"]),
        follows=ReleaseDateIsAfterEveryBasisEnds(ANN, date(2026, 12, 31)),
    ),
    "custody without end has no last date": Row(
        given=(court_orders(**LIFE),), by=NORTH, asks="set-release-date", data=due("2035-01-01")
    ),
    "an earlier date is always possible": Row(
        given=(DUE_IN_JUNE,), by=NORTH, asks="set-release-date", data=due("2026-06-29")
    ),
    "so is the same": Row(given=(DUE_IN_JUNE,), by=NORTH, asks="set-release-date", data=due("2026-06-30")),
    "a date is not put off while nothing has changed": Row(
        given=(court_orders(), DUE_IN_JUNE),
        by=NORTH,
        asks="set-release-date",
        data=due("2026-07-01"),
        follows=ReleaseDateWouldLengthenCustody(ANN, date(2026, 6, 30)),
    ),
    "a new basis may put it off": Row(
        given=(DUE_IN_JUNE, court_orders()), by=NORTH, asks="set-release-date", data=due("2026-07-01")
    ),
    "the date in force is the last one set": Row(
        given=(DUE_IN_JUNE, court_orders(), (NORTH, "set-release-date", due("2026-05-31"))),
        by=NORTH,
        asks="set-release-date",
        data=due("2026-06-01"),
        follows=ReleaseDateWouldLengthenCustody(ANN, date(2026, 5, 31)),
    ),
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_person(row: Row) -> None:
    holds(row, registered(story()))


def test_what_is_recorded() -> None:
    scene = story()
    scene.do(NORTH, "register-person", **person())
    scene.do(NORTH, "record-basis", **{**ground(grounds=SEALED), "person": "p-bo"})
    scene.do(NORTH, "set-release-date", **due("2026-12-01", person="p-bo", bases=["b2"]))
    registration, order, release = (event.body for event in scene.events()[-3:])
    assert isinstance(registration, PersonRegistered)
    assert (registration.person, registration.attributes) == ("p-bo", {"name": SEALED})
    assert isinstance(order, CustodyBasisRecorded)
    assert (order.basis, order.must_end_by, order.grounds) == ("b2", date(2026, 12, 31), SEALED)
    assert isinstance(release, ReleaseDateSet)
    assert (release.release_due_on, release.bases) == (date(2026, 12, 1), ("b2",))
    assert {event.stream for event in scene.events()[-3:]} == {"person:p-bo"}


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("register-person", person(person=None), "person"),
        ("record-basis", ground(basis=None), "basis"),
    ],
)
def test_an_id_left_out_is_drawn(name: str, data: Mapping[str, object], kind: str) -> None:
    scene = registered(story())
    scene.do(NORTH, name, **data)
    drawn = getattr(scene.events()[-1].body, kind)
    assert drawn.startswith("00000000-0000-7000-")


@pytest.mark.parametrize(("name", "data"), [("register-person", person()), ("record-basis", ground())])
def test_an_equal_command_under_another_key_is_a_repeat(name: str, data: Mapping[str, object]) -> None:
    scene = registered(story())
    first = scene.do(NORTH, name, **data)
    head = scene.register.position
    assert scene.do(NORTH, name, **data).events == first.events
    assert scene.do(NORTH, name, **data, occurred_at=START).events == first.events
    assert scene.register.position == head
    assert scene.refusal(NORTH, name, **data, occurred_at="2025-02-28T12:00:00Z") is not None


def test_a_repeat_is_one_of_the_same_authority() -> None:
    scene = registered(story())
    scene.do(NORTH, "register-person", **person())
    assert isinstance(scene.refusal(EAST, "register-person", **person()), IdentityIsAlreadyRegistered)


def late(scene: Scene) -> tuple[str, ...]:
    scene.do(NORTH, "register-person", **person(occurred_at="2025-02-28T11:59:59Z"))
    return scene.events()[-1].flags


def test_a_registration_of_yesterday_is_late() -> None:
    assert late(story()) == ("late",)
