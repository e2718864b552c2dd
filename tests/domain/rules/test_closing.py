"""Specification rows: closing a month (MONEY §5, §10)."""

from __future__ import annotations

from datetime import date

import pytest

from domain.canonical import digest
from domain.custody.local_days import TZDATA_RELEASE
from domain.events.agreement import CustodyDaysClosed, FacilityDays, Period
from domain.names import Digest, FacilityId
from domain.refusals import AgreementIsUnknown, BodyIsMalformed, RoleIsNotHeld
from domain.rules.money.closing import AnEarlierPeriodIsOpen, PeriodIsAlreadyClosed, PeriodIsOpen
from domain.rules.money.treasury import ActorIsNotThePayee, ScheduleIsNotSigned
from tests.domain.billing.fees import APRIL, FEBRUARY, MARCH, agreed, closed, due_on, moved, priced, proposal, spell
from tests.domain.rules.rows import Row, holds
from tests.scene import COURT, DIGEST, E1, E2, EAST, KEEPER, NORTH, THIRD, Scene, at, registry

PAYEE = ("treasury-payee",)
ASK = {"agreement": "a1", "period": MARCH}
CAME = "2025-03-01T10:00:00+01:00"


def stage(now: str = "2025-04-02T10:00:00Z") -> Scene:
    return agreed(registry(Scene(now=now)))


def proposed(scene: Scene) -> Scene:
    scene.do(EAST, "propose-fee-schedule", **proposal())
    return scene


def third_collects(scene: Scene) -> Scene:
    """Another authority of the payee's State holds the treasury role too."""
    roles = [{"role": "treasury-payee", "from": "2024-01-01"}]
    scene.do(KEEPER, "set-authority-roles", authority=THIRD, roles=roles)
    return scene


def since_february(scene: Scene) -> Scene:
    return spell(scene, "p-1", "2025-02-20T10:00:00+01:00")


def since_march(scene: Scene) -> Scene:
    return spell(scene, "p-1", CAME)


def february_closed(scene: Scene) -> Scene:
    return closed(scene, FEBRUARY)


def only_until_february(scene: Scene) -> Scene:
    return priced(scene, valid={"from": "2025-01-01", "to": "2025-02-28"})


def waits_five_days(scene: Scene) -> Scene:
    return priced(scene, billing={"period": "calendar-month", "close_after_days": 5})


def malformed(period: object, where: str = "/period") -> Row:
    data = {"agreement": "a1", "period": period}
    return Row(by=EAST, asks="close-period", data=data, follows=BodyIsMalformed("schema", (where,)))


ROWS = {
    "a period is a whole month, not less": malformed({"from": "2025-03-01", "to": "2025-03-30"}),
    "nor a quarter": malformed({"from": "2025-01-01", "to": "2025-03-31"}),
    "nor from the second day on": malformed({"from": "2025-03-02", "to": "2025-03-31"}),
    "nor one without time left to pay": malformed({"from": "9900-12-01", "to": "9900-12-31"}),
    "nor a name": malformed("2025-03"),
    "the payer does not close": Row(
        given=(priced,), by=NORTH, asks="close-period", data=ASK, follows=RoleIsNotHeld(NORTH, PAYEE)
    ),
    "to learn that an agreement is unknown any role is enough": Row(
        by=COURT, asks="close-period", data={**ASK, "agreement": "a9"}, follows=AgreementIsUnknown("a9")
    ),
    "the agreement is known": Row(
        by=EAST, asks="close-period", data={**ASK, "agreement": "a9"}, follows=AgreementIsUnknown("a9")
    ),
    "another payee does not close": Row(
        given=(priced, third_collects),
        by=THIRD,
        asks="close-period",
        data=ASK,
        follows=ActorIsNotThePayee(THIRD, EAST),
    ),
    "the payee of a proposal is the payee": Row(
        given=(proposed, third_collects),
        by=THIRD,
        asks="close-period",
        data=ASK,
        follows=ActorIsNotThePayee(THIRD, EAST),
    ),
    "without any proposal nothing is signed": Row(
        by=EAST, asks="close-period", data=ASK, follows=ScheduleIsNotSigned("a1")
    ),
    "a proposal is not enough": Row(
        given=(proposed,), by=EAST, asks="close-period", data=ASK, follows=ScheduleIsNotSigned("a1")
    ),
    "a schedule that is over bills no later month": Row(
        given=(only_until_february,), by=EAST, asks="close-period", data=ASK, follows=ScheduleIsNotSigned("a1")
    ),
    "a period is closed once": Row(
        given=(priced, since_march, closed),
        by=EAST,
        asks="close-period",
        data=ASK,
        follows=PeriodIsAlreadyClosed("a1", date(2025, 3, 1)),
    ),
    "an earlier month with custody days comes first, also before the end of this one": Row(
        given=(priced, since_february),
        by=EAST,
        asks="close-period",
        data={**ASK, "period": APRIL},
        follows=AnEarlierPeriodIsOpen(date(2025, 2, 1)),
    ),
    "the next earlier month too": Row(
        given=(priced, since_february, february_closed),
        by=EAST,
        asks="close-period",
        data={**ASK, "period": APRIL},
        follows=AnEarlierPeriodIsOpen(date(2025, 3, 1)),
    ),
    "months without custody days may stay open": Row(
        given=(priced, since_march), by=EAST, asks="close-period", data=ASK
    ),
    "a month without custody days may be closed": Row(given=(priced,), by=EAST, asks="close-period", data=ASK),
    "a month is closed when it is over": Row(
        given=(priced,),
        by=EAST,
        asks="close-period",
        data={**ASK, "period": APRIL},
        follows=PeriodIsOpen(date(2025, 4, 1), at("2025-04-30T22:00:00+00:00")),
    ),
    "and the days to wait have passed": Row(
        given=(waits_five_days,),
        by=EAST,
        asks="close-period",
        data=ASK,
        follows=PeriodIsOpen(date(2025, 3, 1), at("2025-04-05T22:00:00+00:00")),
    ),
    "whether it is over is judged by now": Row(
        given=(priced,),
        by=EAST,
        asks="close-period",
        data={**ASK, "period": APRIL, "occurred_at": "2025-04-02T10:04:00Z"},
        follows=PeriodIsOpen(date(2025, 4, 1), at("2025-04-30T22:00:00+00:00")),
    ),
}


@pytest.mark.parametrize("sentence", ROWS)
def test_close(sentence: str) -> None:
    holds(ROWS[sentence], stage())


@pytest.mark.parametrize(("now", "granted"), [("2025-04-01T05:59:59Z", False), ("2025-04-01T06:00:00Z", True)])
def test_a_month_is_over_when_it_is_over_in_every_zone(now: str, granted: bool) -> None:
    scene = stage(now)
    scene.do(
        KEEPER,
        "register-facility",
        facility="e-sv",
        authority=EAST,
        state="SE",
        kind="prison",
        zone="America/El_Salvador",
        recognised_by=DIGEST,
        supervising_authority="watch",
    )
    priced(scene, facilities=[E1, "e-sv"])
    found = scene.refusal(EAST, "close-period", **ASK)
    assert (found is None) is granted
    assert granted or (found is not None and found.code == "period-is-open")


def body(scene: Scene) -> CustodyDaysClosed:
    found = scene.events()[-1].body
    assert isinstance(found, CustodyDaysClosed)
    return found


def positions(scene: Scene, wire: str) -> list[int]:
    return [event.position for event in scene.events() if event.wire == wire]


def test_the_digest_names_every_day_and_what_earns_it() -> None:
    scene = priced(stage(), valid={"from": "2025-03-30"})
    spell(scene, "p-1", CAME)
    moved(scene, "p-1", "2025-03-31T10:00:00+02:00")
    closed(scene)
    (accepted,), (move,) = positions(scene, "handover-accepted.v1"), positions(scene, "moved-within.v1")
    days = [
        ["p-1", "2025-03-30", E1, [accepted, move]],
        ["p-1", "2025-03-31", E2, [accepted, move]],
    ]
    assert body(scene) == CustodyDaysClosed(
        flags=(),
        period=Period(from_=date(2025, 3, 1), to=date(2025, 3, 31)),
        facilities=tuple(FacilityDays(facility=FacilityId(place), person_days=1) for place in (E1, E2)),
        person_days=2,
        digest=Digest(digest(days)),
        tzdata=TZDATA_RELEASE,
    )


def test_what_ends_custody_later_is_no_ground_of_the_month() -> None:
    scene = priced(stage(), valid={"from": "2025-03-31"})
    spell(scene, "p-1", CAME, "2025-04-01T10:00:00+02:00")
    closed(scene)
    (accepted,) = positions(scene, "handover-accepted.v1")
    assert body(scene).digest == digest([["p-1", "2025-03-31", E1, [accepted]]])


def test_an_overdue_month_has_no_day_to_close_first() -> None:
    scene = priced(stage())
    since_february(scene)
    due_on(scene, "p-1", "2025-01-31", set_at="2025-01-05T09:00:00Z")
    assert scene.refusal(EAST, "close-period", **ASK) is None
