"""Standing flags and confidence: what the register should doubt about itself, and when that ends."""

from __future__ import annotations

import pytest

from domain.custody.fold import fold
from domain.custody.standing import confidence, corrected_grounds, standing_flags
from domain.events.event import Event
from tests.domain.custody.facts import NORTH_AND_SOUTH as PLACES
from tests.domain.custody.facts import fact, utc
from tests.domain.custody.test_papers import start


def sure(log: list[Event], instant: str) -> str:
    state = fold(log, PLACES, utc(instant))
    assert state is not None
    return confidence(state, utc(instant))


def test_confidence_names_the_gravest_doubt() -> None:
    log = start().approved().offer()
    assert sure(log, "2025-03-02 14:30") == "confirmed"
    assert sure(log, "2025-03-02 15:00") == "one-sided"
    log.then("presence-reported", "south", body={"facility": "s-1"})
    assert sure(log, "2025-03-02 16:00") == "contradicted"
    assert sure(log, "2025-03-03 16:00") == "unaccounted"
    assert sure(log.accept(), "2025-03-04 00:00") == "confirmed"


def test_flags_come_and_go_with_what_they_stand_on() -> None:
    log = start().approved().offer()
    assert standing_flags(log, PLACES, utc("2025-03-02 14:00")) == ()
    assert standing_flags(log, PLACES) == ("one-sided",)
    assert standing_flags(log.accept(), PLACES) == ()
    log.then("hold-placed", "court-n", body={"hold": "o1", "effective_at": "2025-03-10T00:00:00Z"})
    assert standing_flags(log, PLACES, utc("2025-03-09 00:00")) == ()
    assert standing_flags(log, PLACES, utc("2025-03-10 00:00")) == ("under-hold",)
    log.then("presence-reported", "north", body={"facility": "n-1"})
    assert standing_flags(log, PLACES, utc("2025-03-09 00:00")) == ("custody-contradicted", "one-sided")
    assert standing_flags([], PLACES) == ()


def test_a_claim_on_a_fact_corrected_since_is_listed_and_stands() -> None:
    log = start().approved().offer().accept().correct(6)
    assert corrected_grounds(log, PLACES) == ((7, 6),)
    assert standing_flags(log, PLACES) == ("corrected", "ground-corrected")
    assert standing_flags(log, PLACES, known_at=7) == ()
    assert corrected_grounds(log.correct(8), PLACES) == ()


@pytest.mark.parametrize(
    ("log", "corrected", "claims"),
    [
        pytest.param(start().approved().offer(), 3, {4, 5, 6}, id="approvals and offer on the request"),
        pytest.param(start().approved().offer(), 5, {6}, id="the offer on an approval"),
        pytest.param(
            start().release().then("release-verified", "watch", body={"release": "r1"}),
            3,
            {4},
            id="a verification on its release",
        ),
        pytest.param(
            start().then("moved-within", body={"to_facility": "n-2"}).request(), 3, {4}, id="a request on the placement"
        ),
        pytest.param(
            start().then("moved-within", body={"to_facility": "n-2"}).release(mode="report"),
            3,
            set(),
            id="a report claimed nothing",
        ),
    ],
)
def test_what_a_claim_stands_on(log: list[Event], corrected: int, claims: set[int]) -> None:
    correction = fact(
        len(log) + 1, "fact-corrected", "2025-03-20T10:00:00Z", body={"corrects": corrected, "reason": "did-not-occur"}
    )
    assert corrected_grounds([*log, correction], PLACES) == tuple(sorted((claim, corrected) for claim in claims))


def test_only_what_was_corrected_after_the_grant_was_its_ground() -> None:
    log = start().then("custody-basis-recorded", "court-n", body={"basis": "b1"}).correct(3)
    log.then("custody-basis-recorded", "court-n", body={"basis": "b1"}).request()
    assert corrected_grounds(log, PLACES) == ()
    assert corrected_grounds(log.correct(5), PLACES) == ((6, 5),)


def test_a_replacement_was_granted_by_nobody() -> None:
    log = start().then("moved-within", body={"to_facility": "n-2"}).correct(3, "incorrect-data", replacement=5)
    log.then("moved-within", body={"to_facility": "n-2"}).correct(2, "incorrect-data", replacement=7)
    log.then("custody-opened", at="2025-03-01T11:00:00+00:00", body={"facility": "n-1"})
    assert corrected_grounds(log, PLACES) == ()
