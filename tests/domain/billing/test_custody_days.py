"""Custody days as arithmetic: the rows of MONEY §4 without a ledger, whose day it is, why a day earns nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.billing.custody_days import Knowledge, claims_of, custody_days, dates, earned_days, ranges
from domain.billing.fee_spells import AcceptedPlace, FeeSpell
from domain.billing.schedules import DayRule, SignedSchedule
from domain.events.agreement import Billing, FeeScheduleProposed, Period, Validity
from domain.files.agreement import AgreementFile
from domain.names import AgreementId, AuthorityId, FacilityId, ScheduleId
from tests.domain.billing.fees import (
    MARCH,
    accepted,
    agreed,
    closed,
    due_on,
    issued,
    moved,
    period,
    priced,
    registered,
    released,
    schedule,
    spell,
)
from tests.scene import E1, E2, EAST, N1, NORTH, T1, THIRD, Scene, at, basis, opening, registry

ZONES = {"one": "Europe/Stockholm", "two": "Europe/Stockholm", "sv": "America/El_Salvador", "apia": "Pacific/Apia"}


class Map:
    """Places that know their zones; nobody runs anybody."""

    def zone_of(self, facility: FacilityId) -> str | None:
        return ZONES.get(facility)

    def answers_for(self, actor: AuthorityId, custodian: AuthorityId) -> bool:
        return actor == custodian

    def approvals_required(self, agreement_id: AgreementId, revision: int) -> tuple[str, ...]:
        return ()


def terms(day_rule: DayRule, same_day: int | None = None) -> SignedSchedule:
    body = FeeScheduleProposed(
        flags=(),
        schedule=ScheduleId("s"),
        revision=1,
        payee=AuthorityId("east"),
        payer=AuthorityId("north"),
        currency="USD",
        valid=Validity(from_=date(2000, 1, 1)),
        facilities=tuple(FacilityId(place) for place in ZONES),
        series="CTL",
        components=(),
        day_rule=day_rule,
        same_day=same_day,
        billing=Billing(period="calendar-month", close_after_days=0),
        terms_days=30,
        dispute_days=30,
    )
    file = AgreementFile(agreement=AgreementId("a1"), version=1)
    return SignedSchedule(file=file, body=body, agreed_by=1, known_at=None)


def placed(*steps: tuple[str, str], left: str | None = None) -> FeeSpell:
    """A spell from (place, since) to (place, since) until it is left."""
    ends = [*(since for _, since in steps[1:]), left]
    return FeeSpell(
        places=tuple(
            AcceptedPlace(
                agreement=AgreementId("a1"),
                custodian=AuthorityId("east"),
                facility=FacilityId(place),
                from_=at(since),
                to=at(end) if end is not None else None,
                accepted_by=1,
                opened_by=number,
                ended_by=number + 1 if end is not None else None,
                reported=False,
            )
            for number, ((place, since), end) in enumerate(zip(steps, ends, strict=True), start=1)
        )
    )


def counted(found: FeeSpell, rule: DayRule, in_: Period, as_of: str = "2025-05-01T00:00:00Z") -> dict[str, int]:
    """Days at each place."""
    places: dict[str, int] = {}
    for claim in claims_of(found, terms(rule), Map(), in_, at(as_of)):
        places[claim.place.facility] = places.get(claim.place.facility, 0) + 1
    return places


MARCH_2025 = period("2025-03-01", "2025-03-31")
Days = dict[str, int]
ROWS: dict[str, tuple[FeeSpell, Days, Days, Days]] = {
    "E1 the whole month": (
        placed(("one", "2025-03-01T10:00:00+01:00")),
        {"one": 31},
        {"one": 31},
        {"one": 31},
    ),
    "E2 the day of departure": (
        placed(("one", "2025-02-20T10:00:00+01:00"), left="2025-03-01T10:00:00+01:00"),
        {},
        {},
        {"one": 1},
    ),
    "E3 the day of arrival": (placed(("one", "2025-03-31T10:00:00+02:00")), {"one": 1}, {"one": 1}, {"one": 1}),
    "E4 within one day": (
        placed(("one", "2025-03-10T09:00:00+01:00"), left="2025-03-10T17:00:00+01:00"),
        {"one": 1},
        {},
        {"one": 1},
    ),
    "E5 over one night": (
        placed(("one", "2025-03-09T21:00:00+01:00"), left="2025-03-10T06:00:00+01:00"),
        {"one": 1},
        {"one": 1},
        {"one": 2},
    ),
    "E6 beyond the month at both ends": (
        placed(("one", "2025-02-27T10:00:00+01:00"), left="2025-04-02T10:00:00+02:00"),
        {"one": 31},
        {"one": 31},
        {"one": 31},
    ),
    "E7 inside the month": (
        placed(("one", "2025-03-05T10:00:00+01:00"), left="2025-03-20T10:00:00+01:00"),
        {"one": 15},
        {"one": 15},
        {"one": 16},
    ),
    "E8 moved on the way": (
        placed(
            ("one", "2025-03-05T10:00:00+01:00"), ("two", "2025-03-12T10:00:00+01:00"), left="2025-03-20T10:00:00+01:00"
        ),
        {"one": 7, "two": 8},
        {"one": 7, "two": 8},
        {"one": 7, "two": 9},
    ),
    "Z1 all on one date of the place": (
        placed(("sv", "2025-03-10T03:00:00Z"), left="2025-03-10T05:59:00Z"),
        {"sv": 1},
        {},
        {"sv": 1},
    ),
    "Z2 over its midnight": (
        placed(("sv", "2025-03-10T03:00:00Z"), left="2025-03-10T06:01:00Z"),
        {"sv": 1},
        {"sv": 1},
        {"sv": 2},
    ),
    "an arrival at midnight is the new day's": (
        placed(("one", "2025-03-10T00:00:00+01:00"), left="2025-03-11T10:00:00+01:00"),
        {"one": 1},
        {"one": 1},
        {"one": 2},
    ),
    "a departure at midnight leaves the old day": (
        placed(("one", "2025-03-09T10:00:00+01:00"), left="2025-03-10T00:00:00+01:00"),
        {"one": 1},
        {"one": 1},
        {"one": 2},
    ),
    "three places within a day are one day, the last one's": (
        placed(
            ("one", "2025-03-10T08:00:00+01:00"),
            ("two", "2025-03-10T12:00:00+01:00"),
            ("one", "2025-03-10T15:00:00+01:00"),
            left="2025-03-10T17:00:00+01:00",
        ),
        {"one": 1},
        {},
        {"one": 1},
    ),
    "clocks go forward and it is still one day": (
        placed(("one", "2025-03-29T10:00:00+01:00"), left="2025-03-31T10:00:00+02:00"),
        {"one": 2},
        {"one": 2},
        {"one": 3},
    ),
}
RULES: tuple[DayRule, ...] = ("arrival-not-departure", "midnight", "both-ends")


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("case", ROWS)
def test_days_of_a_spell(case: str, rule: DayRule) -> None:
    found, *expected = ROWS[case]
    assert counted(found, rule, MARCH_2025) == expected[RULES.index(rule)]


@pytest.mark.parametrize("rule", ["arrival-not-departure", "midnight"])
def test_a_leap_day_is_a_day_e10(rule: DayRule) -> None:
    found = placed(("one", "2024-02-28T10:00:00+01:00"), left="2024-03-01T10:00:00+01:00")
    claims = claims_of(found, terms(rule), Map(), period("2024-02-01", "2024-03-31"), at("2025-05-01T00:00:00Z"))
    assert [claim.date for claim in claims] == [date(2024, 2, 28), date(2024, 2, 29)]


def test_a_date_the_zone_skips_is_no_day() -> None:
    found = placed(("apia", "2011-12-29T10:00:00-10:00"), left="2011-12-31T10:00:00+14:00")
    claims = claims_of(found, terms("midnight"), Map(), period("2011-12-01", "2011-12-31"), at("2012-05-01T00:00:00Z"))
    assert [claim.date for claim in claims] == [date(2011, 12, 29)]


def test_a_same_day_spell_may_earn_nothing() -> None:
    found = placed(("one", "2025-03-10T09:00:00+01:00"), left="2025-03-10T17:00:00+01:00")
    none = terms("arrival-not-departure", same_day=0)
    assert list(claims_of(found, none, Map(), MARCH_2025, at("2025-05-01T00:00:00Z"))) == []


AS_OF = {
    "arrival-not-departure": ("2025-03-03T08:00:00+01:00", 3),
    "midnight": ("2025-03-03T08:00:00+01:00", 2),
    "both-ends": ("2025-03-03T08:00:00+01:00", 3),
}


@pytest.mark.parametrize("rule", RULES)
def test_an_open_spell_is_priced_as_if_it_had_no_end_s1(rule: DayRule) -> None:
    as_of, days = AS_OF[rule]
    assert counted(placed(("one", "2025-03-01T10:00:00+01:00")), rule, MARCH_2025, as_of) == {"one": days}


instants = st.integers(0, 100 * 24 * 60).map(
    lambda minutes: datetime(2025, 1, 15, tzinfo=UTC) + timedelta(minutes=minutes)
)
places = st.sampled_from(sorted(ZONES))


@st.composite
def spells(draw: st.DrawFn) -> FeeSpell:
    """One to four places, and an end."""
    times = sorted(draw(st.lists(instants, min_size=2, max_size=5, unique=True)))
    steps = [(draw(places), time.isoformat()) for time in times[:-1]]
    return placed(*steps, left=times[-1].isoformat())


@given(spells(), st.sampled_from(RULES), st.dates(date(2025, 1, 2), date(2025, 5, 31)))
def test_splitting_a_period_keeps_the_days(found: FeeSpell, rule: DayRule, middle: date) -> None:
    def days(in_: Period) -> list[tuple[date, str]]:
        claims = claims_of(found, terms(rule), Map(), in_, at("2025-07-01T00:00:00Z"))
        return sorted((claim.date, claim.place.facility) for claim in claims)

    first, last = date(2025, 1, 1), date(2025, 5, 31)
    whole = days(Period(from_=first, to=last))
    before = Period(from_=first, to=middle - timedelta(days=1))
    assert days(before) + days(Period(from_=middle, to=last)) == whole
    assert len({day for day, _ in whole}) == len(whole)


@given(spells())
def test_the_rules_differ_only_by_same_day_spells(found: FeeSpell) -> None:
    """M9; of a spell that has any midnight the two rules count the same."""
    in_ = Period(from_=date(2025, 1, 1), to=date(2025, 5, 31))
    by_arrival = counted(found, "arrival-not-departure", in_)
    by_midnight = counted(found, "midnight", in_)
    one_zone = len({ZONES[place.facility] for place in found.places}) == 1
    if one_zone and by_midnight:
        assert by_arrival == by_midnight
    assert sum(by_arrival.values()) - sum(by_midnight.values()) in (0, 1)


@given(st.lists(st.dates(date(2025, 1, 1), date(2025, 2, 28)), unique=True).map(sorted))
def test_ranges_hold_their_dates(days: list[date]) -> None:
    found = ranges(days)
    assert [day for one in found for day in dates(one)] == days
    assert all(later.from_ - earlier.to > timedelta(days=1) for earlier, later in pairwise(found))


# Why a day earns nothing: through the ledger.

CAME, LEFT = "2025-03-05T10:00:00+01:00", "2025-03-20T10:00:00+01:00"


def stage(**changes: Any) -> Scene:
    return priced(agreed(registry(Scene(now="2025-04-02T10:00:00Z"))), **changes)


def reasons(scene: Scene, agreement: str = "a1", person: str = "p-1") -> dict[str, str]:
    """Date of March → why it earns nothing; `billed` where it does."""
    file = scene.register.person(person)
    assert file is not None
    until = Knowledge(as_of=scene.now)
    found = custody_days(file, scene.register, schedule(scene, agreement), MARCH_2025, until)
    return {str(day.date): day.reason or "billed" for day in found}


def runs(found: dict[str, str]) -> list[tuple[str, int]]:
    """The reasons in order, each with how many dates in a row it has."""
    joined: list[tuple[str, int]] = []
    for reason in found.values():
        if joined and joined[-1][0] == reason:
            joined[-1] = (reason, joined[-1][1] + 1)
        else:
            joined.append((reason, 1))
    return joined


def one_sided(scene: Scene) -> None:
    """The offer never happened; the acceptance stands alone."""
    spell(scene, "p-1", CAME, LEFT)
    offer = next(event for event in scene.events() if event.wire == "handover-offered.v1")
    countersigned = {"authority": EAST, "officer": "east-9"}
    scene.do(
        NORTH,
        "correct-fact",
        corrects=offer.event_id,
        reason="did-not-occur",
        countersigned_by=countersigned,
    )


def contradicted(scene: Scene) -> None:
    """Somebody else sees the person elsewhere on the 10th, east on the 13th at the place on record."""
    spell(scene, "p-1", CAME, LEFT)
    seen = {"person": "p-1", "how": "seen"}
    scene.do(
        THIRD,
        "report-presence",
        **seen,
        facility=T1,
        since="2025-03-10T10:00:00+01:00",
        occurred_at="2025-03-10T10:00:00+01:00",
    )
    scene.do(
        EAST,
        "report-presence",
        **seen,
        facility=E1,
        since="2025-03-13T10:00:00+01:00",
        occurred_at="2025-03-13T10:00:00+01:00",
    )


def due(scene: Scene, *dates_: tuple[str, str]) -> None:
    registered(scene, "p-1")
    for number, (set_at, day) in enumerate(dates_):
        if number:
            # A later date needs a new ground.
            further = basis(f"b-{number}", valid_from="2025-01-01", must_end_by="2028-12-31")
            scene.do(NORTH, "record-basis", person="p-1", **further, occurred_at=set_at)
        due_on(scene, "p-1", day, set_at=set_at)
    accepted(scene, "p-1", CAME)
    released(scene, "p-1", LEFT)


def ordered(scene: Scene) -> None:
    spell(scene, "p-1", CAME)
    scene.do(
        "court-n",
        "order-release",
        person="p-1",
        ground="court-order",
        bases=["b-p-1"],
        due_at="2025-03-18T12:00:00+01:00",
        instrument="0" * 64,
        occurred_at="2025-03-15T12:00:00+01:00",
    )
    released(scene, "p-1", LEFT)


def basis_ends(scene: Scene) -> None:
    since = "2023-06-01T09:00:00Z"
    scene.do(NORTH, "register-person", person="p-1", identity_status="established", attributes={}, occurred_at=since)
    sentence = basis("b-p-1", valid_from="2023-01-01", must_end_by="2025-03-17")
    scene.do(NORTH, "record-basis", person="p-1", **sentence, occurred_at=since)
    scene.do(NORTH, "open-custody", person="p-1", **opening(N1, "p-1", deprived_at=since), occurred_at=since)
    accepted(scene, "p-1", CAME, until="2025-03-17")
    released(scene, "p-1", LEFT)


def served_before(scene: Scene) -> None:
    """Due on the 8th, let go on the 8th; in custody again from the 10th on, under the same basis."""
    due_on(registered(scene, "p-1"), "p-1", "2025-03-08")
    accepted(scene, "p-1", CAME)
    released(scene, "p-1", "2025-03-08T10:00:00+01:00")
    scene.do(NORTH, "open-custody", person="p-1", **opening(N1, "p-1"), occurred_at="2025-03-09T10:00:00+01:00")
    accepted(scene, "p-1", "2025-03-10T10:00:00+01:00")
    released(scene, "p-1", LEFT)


def reported_back(scene: Scene) -> None:
    """Moved out of the schedule's places on the 8th and, by a report, in again on the 12th."""
    spell(scene, "p-1", CAME)
    moved(scene, "p-1", "2025-03-08T10:00:00+01:00", to=E2)
    moved(scene, "p-1", "2025-03-12T10:00:00+01:00", from_=E2, to=E1, mode="report")
    released(scene, "p-1", LEFT)


def moved_back(scene: Scene) -> None:
    spell(scene, "p-1", CAME)
    moved(scene, "p-1", "2025-03-08T10:00:00+01:00", to=E2)
    moved(scene, "p-1", "2025-03-12T10:00:00+01:00", from_=E2, to=E1)
    released(scene, "p-1", LEFT)


def opened_by_east(scene: Scene) -> None:
    """East takes the person itself: custody, and no fee."""
    since = "2025-03-05T09:00:00+01:00"
    scene.do(NORTH, "register-person", person="p-1", identity_status="established", attributes={}, occurred_at=since)
    scene.do(NORTH, "record-basis", person="p-1", **basis("b-p-1"), occurred_at=since)
    scene.do(EAST, "open-custody", person="p-1", **opening(E1, "p-1"), occurred_at=CAME)


E7 = [("not-in-custody", 4), ("billed", 15), ("departure-day", 1), ("not-in-custody", 11)]
OVERDUE = [
    ("not-in-custody", 4),
    ("billed", 13),
    ("overdue-release", 2),
    ("departure-day", 1),
    ("not-in-custody", 11),
]
REASONS: dict[str, tuple[Callable[[Scene], object], dict[str, Any], list[tuple[str, int]]]] = {
    "the day of departure is not billed": (lambda scene: spell(scene, "p-1", CAME, LEFT), {}, E7),
    "by both ends it is": (
        lambda scene: spell(scene, "p-1", CAME, LEFT),
        {"day_rule": "both-ends"},
        [("not-in-custody", 4), ("billed", 16), ("not-in-custody", 11)],
    ),
    "an acceptance whose offer counts no more earns nothing": (one_sided, {}, [("not-in-custody", 31)]),
    "custody without a handover earns nothing": (opened_by_east, {}, [("not-in-custody", 31)]),
    "days on which nobody could say where the person was": (
        contradicted,
        {},
        [
            ("not-in-custody", 4),
            ("billed", 6),
            ("unaccounted", 2),
            ("billed", 7),
            ("departure-day", 1),
            ("not-in-custody", 11),
        ],
    ),
    "kept after the release date": (lambda scene: due(scene, ("2024-01-05T09:00:00Z", "2025-03-18")), {}, OVERDUE),
    "by both ends the release date itself is earned": (
        lambda scene: due(scene, ("2024-01-05T09:00:00Z", "2025-03-18")),
        {"day_rule": "both-ends"},
        [("not-in-custody", 4), ("billed", 14), ("overdue-release", 2), ("not-in-custody", 11)],
    ),
    "a release date moved in time binds": (
        lambda scene: due(scene, ("2024-01-05T09:00:00Z", "2025-03-10"), ("2025-03-01T09:00:00Z", "2025-03-18")),
        {},
        OVERDUE,
    ),
    "a release date told late binds from its date": (
        lambda scene: due(scene, ("2025-03-19T12:00:00+01:00", "2025-03-18")),
        {},
        OVERDUE,
    ),
    "one told after the release concerns no day before it": (
        lambda scene: due_on(spell(scene, "p-1", CAME, LEFT), "p-1", "2025-03-18", set_at="2025-03-25T12:00:00+01:00"),
        {},
        E7,
    ),
    "kept after the order's time": (ordered, {}, OVERDUE),
    "kept after the last basis ended": (basis_ends, {}, OVERDUE),
    "a release date that was kept concerns no later custody": (
        served_before,
        {},
        [
            ("not-in-custody", 4),
            ("billed", 3),
            ("departure-day", 1),
            ("not-in-custody", 1),
            ("billed", 10),
            ("departure-day", 1),
            ("not-in-custody", 11),
        ],
    ),
    "before the schedule": (
        lambda scene: spell(scene, "p-1", CAME, LEFT),
        {"valid": {"from": "2025-03-08", "to": "2025-03-10"}},
        [
            ("not-in-custody", 4),
            ("no-agreement", 3),
            ("billed", 3),
            ("no-agreement", 9),
            ("departure-day", 1),
            ("not-in-custody", 11),
        ],
    ),
    "out of the schedule's places, and back": (
        moved_back,
        {"facilities": [E1]},
        [
            ("not-in-custody", 4),
            ("billed", 3),
            ("departure-day", 1),
            ("not-in-custody", 3),
            ("billed", 8),
            ("departure-day", 1),
            ("not-in-custody", 11),
        ],
    ),
    "a report brings nobody back into them": (
        reported_back,
        {"facilities": [E1]},
        [("not-in-custody", 4), ("billed", 3), ("departure-day", 1), ("not-in-custody", 23)],
    ),
    "what is billed is not billed again": (
        lambda scene: issued(spell(scene, "p-1", CAME, LEFT)),
        {},
        [("not-in-custody", 4), ("already-billed", 15), ("departure-day", 1), ("not-in-custody", 11)],
    ),
}


@pytest.mark.parametrize("case", REASONS)
def test_each_unbilled_date_has_its_reason(case: str) -> None:
    happens, changes, expected = REASONS[case]
    scene = stage(**changes)
    happens(scene)
    assert runs(reasons(scene)) == expected


def test_an_extension_does_not_lift_the_days_already_overdue() -> None:
    scene = stage()
    due(scene, ("2024-01-05T09:00:00Z", "2025-03-10"), ("2025-03-12T12:00:00+01:00", "2025-06-30"))
    found = reasons(scene)
    assert [day for day, reason in found.items() if reason == "overdue-release"] == ["2025-03-10", "2025-03-11"]


def second_deal(scene: Scene, **changes: Any) -> Scene:
    """a2 pays for e-2."""
    return priced(scene, **{"agreement": "a2", "schedule": "a2-fees", "series": "OTH", "facilities": [E2], **changes})


def passed_on(scene: Scene, left: str = "2025-03-12T10:00:00+01:00") -> Scene:
    """On the 10th at a place of a1 until eight, from ten on at one of a2."""
    spell(scene, "p-1", "2025-03-10T06:00:00+01:00", "2025-03-10T08:00:00+01:00")
    scene.do(NORTH, "open-custody", person="p-1", **opening(N1, "p-1"), occurred_at="2025-03-10T09:00:00+01:00")
    accepted(scene, "p-1", "2025-03-10T10:00:00+01:00", place=E2, agreement="a2")
    return released(scene, "p-1", left, place=E2)


def billed(scene: Scene, agreement: str) -> list[str]:
    return [day for day, reason in reasons(scene, agreement).items() if reason == "billed"]


def test_the_place_at_midnight_earns_the_day_and_the_other_says_so() -> None:
    scene = passed_on(second_deal(agreed(stage(facilities=[E1]), "a2")))
    assert reasons(scene)["2025-03-10"] == "billed-elsewhere"
    assert billed(scene, "a2") == ["2025-03-10", "2025-03-11"]


def test_of_two_places_within_a_day_the_later_departure_earns_it() -> None:
    scene = passed_on(second_deal(agreed(stage(facilities=[E1]), "a2")), left="2025-03-10T12:00:00+01:00")
    assert reasons(scene)["2025-03-10"] == "billed-elsewhere"
    assert billed(scene, "a2") == ["2025-03-10"]


def test_of_two_midnights_the_earlier_earns_the_day() -> None:
    """Out of El Salvador's date before its midnight comes, the person has had Stockholm's already."""
    found = placed(("one", "2025-03-10T20:00:00+01:00"), ("sv", "2025-03-11T03:00:00Z"), left="2025-03-11T12:00:00Z")
    claims = list(claims_of(found, terms("midnight"), Map(), MARCH_2025, at("2025-05-01T00:00:00Z")))
    assert [(str(claim.date), claim.place.facility) for claim in claims] == [("2025-03-10", "one")]
    later = placed(("sv", "2025-03-11T03:00:00Z"), left="2025-03-11T12:00:00Z")
    (other,) = claims_of(later, terms("midnight"), Map(), MARCH_2025, at("2025-05-01T00:00:00Z"))
    assert min((other, claims[0]), key=lambda claim: claim.order) is claims[0]


def test_a_schedule_that_is_not_in_force_takes_no_day() -> None:
    scene = passed_on(second_deal(agreed(stage(facilities=[E1]), "a2"), valid={"from": "2025-04-01"}))
    assert billed(scene, "a1") == ["2025-03-10"]


def test_a_schedule_signed_after_the_close_takes_no_closed_day() -> None:
    scene = passed_on(agreed(stage(facilities=[E1]), "a2"))
    closed(scene)
    second_deal(scene)
    scene.do(EAST, "issue-invoice", agreement="a1", period=MARCH)
    assert reasons(scene, "a2")["2025-03-10"] == "already-billed"
    assert billed(scene, "a2") == ["2025-03-11"]


def test_what_is_recorded_later_is_not_known_yet() -> None:
    scene = stage()
    spell(scene, "p-1", CAME)
    closed(scene)
    position = scene.register.position
    released(scene, "p-1", LEFT)

    def days(known_at: int | None) -> int:
        until = Knowledge(as_of=scene.now, known_at=known_at)
        found = earned_days(scene.register, schedule(scene), period(MARCH["from"], MARCH["to"]), until)
        return sum(len(person.days) for person in found)

    assert (days(position), days(None)) == (27, 15)
