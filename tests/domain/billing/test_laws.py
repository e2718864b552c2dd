"""Laws over random histories: a person-day is billed once in the world, and amounts are those of the days (M2, M7)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.billing.custody_days import dates
from domain.events.invoice import CustodyDaysBilled, InvoiceIssued, InvoiceLineIssued
from domain.money import rounded
from tests.domain.billing.fees import MARCH, accepted, agreed, closed, moved, priced, registered, released
from tests.scene import E1, E2, EAST, N1, NORTH, Scene, opening, registry

FIRST = datetime(2025, 3, 1, tzinfo=UTC)
DEALS = {"a1": E1, "a2": E2}


@dataclass(frozen=True)
class Stay:
    """Days of a person with east: under which deal, when, and whether a place of the other deal was in it too."""

    agreement: str
    came: datetime
    left: datetime
    moved_at: datetime | None


@st.composite
def histories(draw: st.DrawFn) -> list[Stay]:
    hours = sorted(draw(st.lists(st.integers(1, 31 * 24), min_size=4, max_size=12, unique=True)))
    stays = []
    for first, middle, last in zip(hours[::3], hours[1::3], hours[2::3], strict=False):
        came, between, left = (FIRST + timedelta(hours=hour) for hour in (first, middle, last))
        stays.append(Stay(draw(st.sampled_from(sorted(DEALS))), came, left, draw(st.sampled_from([None, between]))))
    return stays


def stage(day_rule: str) -> Scene:
    scene = agreed(agreed(registry(Scene(now="2025-04-02T10:00:00Z"))), "a2")
    for agreement, place in DEALS.items():
        priced(
            scene,
            agreement=agreement,
            schedule=f"{agreement}-fees",
            series=agreement.upper(),
            facilities=[place],
            day_rule=day_rule,
        )
    return scene


def happen(scene: Scene, history: list[Stay], person: str = "p-1") -> None:
    registered(scene, person)
    for number, stay in enumerate(history):
        if number:
            back = (stay.came - timedelta(minutes=1)).isoformat()
            scene.do(NORTH, "open-custody", person=person, **opening(N1, person), occurred_at=back)
        place = DEALS[stay.agreement]
        accepted(scene, person, stay.came.isoformat(), place=place, agreement=stay.agreement)
        if stay.moved_at is not None:
            other = E2 if place == E1 else E1
            moved(scene, person, stay.moved_at.isoformat(), from_=place, to=other)
            place = other
        released(scene, person, stay.left.isoformat(), place=place)


def bill(scene: Scene, agreement: str) -> None:
    scene.refusal(EAST, "issue-invoice", agreement=agreement, period=MARCH)


def told_anew(scene: Scene, stay: Stay) -> None:
    """The only stay turns out to have been under the other deal, at its place."""
    (transfer,) = (event for event in scene.events() if event.wire == "transfer-requested.v1")
    for wire, side, officer in (("person-released.v1", "audit", "x-1"), ("handover-accepted.v1", NORTH, "north-9")):
        (event,) = (event for event in scene.events() if event.wire == wire)
        countersigned = {"authority": side, "officer": officer}
        scene.do(
            EAST,
            "correct-fact",
            corrects=event.event_id,
            reason="did-not-occur",
            countersigned_by=countersigned,
        )
    scene.do(NORTH, "cancel-transfer", transfer=transfer.stream.partition(":")[2], reason="made-in-error", fault="none")
    accepted(scene, "p-1", stay.came.isoformat(), place=DEALS["a2"], agreement="a2")
    released(scene, "p-1", stay.left.isoformat(), place=DEALS["a2"])


def holds(scene: Scene) -> int:
    """Check every document in the record; how many days are billed."""
    bodies = [event.body for event in scene.events()]
    claims = [body for body in bodies if isinstance(body, CustodyDaysBilled)]
    days = Counter((claim.person, day) for claim in claims for range_ in claim.ranges for day in dates(range_))
    assert set(days.values()) <= {1}
    assert sum(claim.days for claim in claims) == len(days)
    lines = [body for body in bodies if isinstance(body, InvoiceLineIssued)]
    for line in lines:
        assert line.amount.minor == rounded(Fraction(line.rate) * 100 * line.quantity / line.per, "half-up")
    headers = [body for body in bodies if isinstance(body, InvoiceIssued)]
    assert sum(header.total.minor for header in headers) == sum(line.amount.minor for line in lines)
    assert sum(line.quantity for line in lines) == len(days)
    return len(days)


RULES = st.sampled_from(["arrival-not-departure", "midnight", "both-ends"])


@settings(max_examples=25, deadline=None)
@given(histories(), RULES, st.permutations(sorted(DEALS)))
def test_a_person_day_is_billed_once_over_agreements(history: list[Stay], day_rule: str, order: list[str]) -> None:
    scene = stage(day_rule)
    happen(scene, history)
    for agreement in order:
        closed(scene, agreement=agreement)
        bill(scene, agreement)
    holds(scene)


@settings(max_examples=25, deadline=None)
@given(histories(), RULES, st.sampled_from([["a1", "a2"], ["a2", "a1"]]), st.booleans())
def test_it_is_billed_once_though_the_belief_changes_between(
    history: list[Stay], day_rule: str, order: list[str], billed_before: bool
) -> None:
    """Days that a1 has closed are told anew as a2's; whichever bills first, none is billed by both."""
    scene = stage(day_rule)
    stay = Stay("a1", history[0].came, history[0].left, None)
    happen(scene, [stay])
    closed(scene, agreement="a1")
    if billed_before:
        bill(scene, "a1")
    told_anew(scene, stay)
    closed(scene, agreement="a2")
    for agreement in order:
        bill(scene, agreement)
    holds(scene)
