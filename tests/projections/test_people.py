"""Who is in the register, by column, and how one stands at an instant."""

from __future__ import annotations

from typing import Any

import pytest

from projections import Page, Views, current_custody, custody_timeline, people, roll
from tests.projections import lives
from tests.projections.stage import at, now, open_story, views_over
from tests.scene import ANN, COURT, DIGEST, E1, EAST, N1, NORTH, Scene, approved, basis, held, offered, opening
from tests.scene import story as stage


@pytest.fixture(scope="module")
def views() -> Views:
    return open_story()[1]


def ids(page: Page) -> list[str]:
    return [str(item["person"]) for item in page.items]


FILTERS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "everybody": ({}, ["p-ann", "p-ben", "p-cat", "p-dan"]),
    "by status": ({"status": "held"}, ["p-ann", "p-dan"]),
    "by file": ({"file": "closed"}, ["p-ben"]),
    "by custodian": ({"custodian": "east"}, ["p-ann", "p-dan"]),
    "by who answers": ({"responsible": "north"}, ["p-ann", "p-cat", "p-dan"]),
    "by whereabouts": ({"at": "facility:e-1"}, ["p-dan"]),
    "by agreement": ({"agreement": "a1"}, ["p-ann", "p-dan"]),
    "by a flag": ({"flags": "corrected"}, ["p-ann"]),
    "by two columns": ({"custodian": "east", "at": "facility:e-1"}, ["p-dan"]),
    "by a value nobody has": ({"status": "escaped"}, []),
    "a flag is a whole code": ({"flags": "correct"}, []),
}


@pytest.mark.parametrize("name", FILTERS)
def test_a_filter(views: Views, name: str) -> None:
    filters, expected = FILTERS[name]
    assert ids(people.people(views, now(), **filters).value) == expected


def test_pages_follow_each_other(views: Views) -> None:
    first = people.people(views, now(), limit=3).value
    assert (ids(first), first.next) == (["p-ann", "p-ben", "p-cat"], "p-cat")
    last = people.people(views, now(), limit=3, after="p-cat").value
    assert (ids(last), last.next) == (["p-dan"], None)


HOLD = {"before it": "2025-03-06T07:59:59Z", "during it": "2025-03-06T08:00:00Z", "after it": "2025-03-20T08:00:00Z"}


@pytest.mark.parametrize(("name", "expected"), [("before it", []), ("during it", ["p-cat"]), ("after it", [])])
def test_under_a_hold_is_judged_when_it_is_asked(views: Views, name: str, expected: list[str]) -> None:
    when = at(HOLD[name])
    assert ids(people.people(views, when, flags="under-hold").value) == expected
    found = people.person(views, when, "p-cat").value
    assert found is not None
    assert found["flags"] == ["under-hold"] * len(expected)


def test_a_hold_that_is_lifted_ends_then() -> None:
    scene = held(stage())
    hold = {"hold": "o-1", "forbids": ["move"], "effective_at": "2025-02-20T08:00:00Z", "instrument": DIGEST}
    scene.do(COURT, "place-hold", persons=[ANN], **hold)
    scene.do(COURT, "lift-hold", hold="o-1", effective_at="2025-02-25T08:00:00Z", instrument=DIGEST)
    views = views_over(scene.events())
    found = [people.person(views, at(f"2025-02-{day}T12:00:00Z"), ANN).value for day in (19, 21, 25)]
    assert [item["flags"] if item else None for item in found] == [[], ["under-hold"], []]


def test_custody_as_the_interface_shows_it(views: Views) -> None:
    assert current_custody.custody(views, now(), "p-dan").value == {
        "person": "p-dan",
        "status": {"value": "held", "since": "2025-02-10T10:00:00Z", "ref": 55},
        "responsible": {"value": "north", "since": "2025-02-01T08:00:00Z", "ref": 53},
        "custodian": {"value": "east", "since": "2025-03-06T08:00:00Z", "ref": 63},
        "at": {"value": "facility:e-1", "since": "2025-03-06T08:00:00Z", "ref": 63},
        "basis": "b-p-dan",
        "lawful_until": "2026-12-31",
        "confidence": "confirmed",
        "unaccounted": None,
        "offer": None,
        "file": "open",
    }


def test_an_open_offer_is_shown_with_whom_it_waits_for() -> None:
    scene = approved(held(stage()))
    offered(scene)
    answer = current_custody.custody(views_over(scene.events()), now(), ANN).value
    assert answer is not None
    assert answer["offer"] == {
        "handover": "h-1",
        "transfer": "tr-1",
        "to": EAST,
        "facility": E1,
        "offered_at": "2025-03-01T12:00:00Z",
        "ref": scene.log.head(),
    }
    assert answer["confidence"] == "one-sided"


def test_a_contradiction_makes_unaccounted_once_its_grace_is_over(views: Views) -> None:
    """The presence on a road was recorded on 3 March at 8:00; the grace of a contradiction is a day."""
    within, after = at("2025-03-04T07:59:59Z"), at("2025-03-04T08:00:00Z")
    found = [current_custody.custody(views, when, ANN).value for when in (within, after)]
    assert [item["confidence"] if item else None for item in found] == ["contradicted", "unaccounted"]
    assert found[1] is not None
    assert found[1]["unaccounted"] == {"cause": "contradicted", "since": "2025-03-04T08:00:00Z"}


LAWFUL: dict[str, tuple[str, str | None]] = {
    "while the first basis is live, up to the end of the second that follows": ("2025-02-10", "2025-04-30"),
    "a basis that follows after a break is not reached": ("2025-04-30", "2025-04-30"),
    "in the break nothing makes it lawful": ("2025-05-15", None),
    "then the later one does": ("2025-06-01", "2025-07-31"),
}


def dated() -> Scene:
    scene, then = stage(), "2025-01-02T09:00:00Z"
    scene.do(NORTH, "register-person", person=ANN, identity_status="established", attributes={}, occurred_at=then)
    spans = {"b1": ("2025-01-01", "2025-03-31"), "b2": ("2025-04-01", "2025-04-30"), "b3": ("2025-06-01", "2025-07-31")}
    for id_, (first, last) in spans.items():
        scene.do(NORTH, "record-basis", person=ANN, **basis(id_, valid_from=first, must_end_by=last), occurred_at=then)
    return scene


@pytest.mark.parametrize("name", LAWFUL)
def test_lawful_until(name: str) -> None:
    day, until = LAWFUL[name]
    answer = current_custody.custody(views_over(dated().events()), at(f"{day}T12:00:00Z"), ANN).value
    assert answer is not None
    assert answer["lawful_until"] == until


def test_a_release_date_comes_before_the_bases_end() -> None:
    scene = held(stage())
    scene.do(
        NORTH,
        "set-release-date",
        person=ANN,
        release_due_on="2025-09-30",
        bases=[f"b-{ANN}"],
        method="sentence",
        inputs=DIGEST,
    )
    views = views_over(scene.events())
    answer = current_custody.custody(views, now(), ANN).value
    assert answer is not None
    assert answer["lawful_until"] == "2025-09-30"
    page = roll.roll(views, now(), N1).value
    assert page is not None
    assert [item["due"] for item in page.items] == ["2025-09-30"]


def test_a_timeline_as_the_interface_shows_it(views: Views) -> None:
    rows = custody_timeline.timeline(views, now(), "p-dan").value
    assert rows is not None
    assert rows[1:] == [
        {
            "from": "2025-02-10T10:00:00Z",
            "to": "2025-03-06T08:00:00Z",
            "kind": "spell",
            "name": None,
            "status": "held",
            "responsible": "north",
            "custodian": "north",
            "at": "facility:n-1",
            "midnights": 24,
            "opened_by": 55,
            "ended_by": 63,
            "flags": ["late"],
        },
        {
            "from": "2025-03-06T08:00:00Z",
            "to": None,
            "kind": "spell",
            "name": None,
            "status": "held",
            "responsible": "north",
            "custodian": "east",
            "at": "facility:e-1",
            "midnights": 87,
            "opened_by": 63,
            "ended_by": None,
            "flags": [],
        },
    ]


def test_a_timeline_is_cut_to_the_time_asked_about(views: Views) -> None:
    begin, end = at("2025-02-20T00:00:00Z").instant, at("2025-03-01T00:00:00Z").instant
    rows = custody_timeline.timeline(views, now(), "p-dan", from_=begin, to=end).value
    assert [row["at"] for row in rows or []] == ["facility:n-1"]
    assert custody_timeline.timeline(views, now(), "p-dan", status="none").value == [
        row for row in custody_timeline.timeline(views, now(), "p-dan").value or [] if row["status"] == "none"
    ]


def test_time_between_two_stays_is_a_gap_by_its_name() -> None:
    scene = lives.released(held(stage().at("2025-03-04T12:00:00Z"), "p-ben"))
    scene.at("2025-03-08T09:00:00Z")
    scene.do(
        NORTH,
        "record-basis",
        person="p-ben",
        **basis("b2", valid_from="2025-03-01"),
        occurred_at="2025-03-08T08:00:00Z",
    )
    views = views_over(scene.events())
    names = [(row["kind"], row["name"]) for row in custody_timeline.timeline(views, now(), "p-ben").value or []]
    assert names == [("spell", None)] * 4, "no stay follows: the time after a release is no gap"
    taken = {**opening(N1, "p-ben", basis="b2"), "person": "p-ben", "occurred_at": "2025-03-08T08:30:00Z"}
    scene.do(NORTH, "open-custody", **taken)
    views = views_over(scene.events())
    rows = custody_timeline.timeline(views, now(), "p-ben").value or []
    assert [(row["kind"], row["name"], row["status"]) for row in rows] == [
        ("spell", None, "none"),
        ("spell", None, "held"),
        ("gap", "released-unverified", "released-unverified"),
        ("gap", "released-unverified", "released"),
        ("spell", None, "held"),
    ]
    assert [row["midnights"] for row in rows] == [None, 31, None, None, 85]
