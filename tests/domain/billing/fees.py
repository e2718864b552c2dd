"""Steps towards an invoice: a signed fee schedule, spells of custody under it, a closed month, an issued document."""

from __future__ import annotations

from datetime import date
from itertools import count
from typing import Any

from domain.billing.schedules import SignedSchedule, signed_schedules
from domain.events.agreement import Period
from domain.names import AgreementId
from ledger.writer.submission import Answer
from tests.scene import (
    DIGEST,
    E1,
    E2,
    EAST,
    N1,
    NORTH,
    TERMS,
    Scene,
    acceptance,
    basis,
    evidenced,
    offer,
    opening,
    requested,
)

RATE = "54.79"
MARCH = {"from": "2025-03-01", "to": "2025-03-31"}
FEBRUARY = {"from": "2025-02-01", "to": "2025-02-28"}
APRIL = {"from": "2025-04-01", "to": "2025-04-30"}
UNCHECKED = dict.fromkeys(("identity", "warrants", "property", "money", "papers", "file_copy"), False)

_numbers = count(1)


def proposal(**changes: Any) -> dict[str, Any]:
    """The fields of an ordinary proposal over both places of east; a change to `None` takes a field away."""
    fields = {
        "agreement": "a1",
        "schedule": "a1-fees",
        "revision": 1,
        "payee": EAST,
        "payer": NORTH,
        "currency": "USD",
        "valid": {"from": "2024-01-01"},
        "facilities": [E1, E2],
        "pools": [],
        "series": "CTL",
        "components": [component()],
        "day_rule": "arrival-not-departure",
        "same_day": 1,
        "in_transit": "not-billed",
        "absences": {},
        "holds": [],
        "billing": {"period": "calendar-month", "close_after_days": 0, "adjustments": "at-once"},
        "rounding": {"mode": "half-up", "place": "line-amount"},
        "year_basis": "365",
        "terms_days": 30,
        "dispute_days": 30,
        **changes,
    }
    return {name: value for name, value in fields.items() if value is not None}


def component(rate: str = RATE, from_: str = "2024-01-01", per: int = 1, **changes: Any) -> dict[str, Any]:
    """A price a day."""
    return {"model": "per-diem", "rates": [{"rate": rate, "per": per, "from": from_, **changes}]}


def agreed(scene: Scene, id_: str = "a1", from_: str = "2024-01-01", to: str = "2026-12-31", **terms: Any) -> Scene:
    """An agreement between north and east, signed by both."""
    answer = scene.do(
        NORTH,
        "draft-agreement",
        agreement=id_,
        revision=1,
        parties=[{"authority": NORTH, "role": "sending"}, {"authority": EAST, "role": "receiving"}],
        legal_bases=["custody-contract"],
        terms={**TERMS, **terms},
        from_=from_,
        to=to,
    )
    for party in (NORTH, EAST):
        scene.do(party, "sign-agreement", agreement=id_, revision=1, terms_digest=answer.told["terms_digest"])
    return scene


def priced(scene: Scene, **changes: Any) -> Scene:
    """A schedule that east proposes and north signs."""
    fields = proposal(**changes)
    told = scene.do(EAST, "propose-fee-schedule", **fields).told
    scene.do(
        NORTH,
        "sign-fee-schedule",
        agreement=fields["agreement"],
        schedule=fields["schedule"],
        proposal_digest=told["proposal_digest"],
    )
    return scene


def spell(
    scene: Scene,
    person: str,
    came: str,
    left: str | None = None,
    place: str = E1,
    agreement: str = "a1",
) -> Scene:
    """A new person held by north, whom east takes over at `came` under the agreement and perhaps lets go at `left`."""
    registered(scene, person)
    accepted(scene, person, came, place=place, agreement=agreement)
    return released(scene, person, left, place=place) if left is not None else scene


def registered(scene: Scene, person: str) -> Scene:
    """A person north has held since 2023, sentenced until the end of 2028."""
    since = "2023-06-01T09:00:00Z"
    scene.do(NORTH, "register-person", person=person, identity_status="established", attributes={}, occurred_at=since)
    sentence = basis(f"b-{person}", valid_from="2023-01-01", must_end_by="2028-12-31")
    scene.do(NORTH, "record-basis", person=person, **sentence, occurred_at=since)
    scene.do(NORTH, "open-custody", person=person, **opening(N1, person, deprived_at=since), occurred_at=since)
    return scene


def accepted(
    scene: Scene,
    person: str,
    came: str,
    place: str = E1,
    agreement: str = "a1",
    until: str = "2026-12-31",
) -> Answer:
    """The whole way of one handover from north, from the request to the acceptance."""
    number = next(_numbers)
    transfer, handover, day = f"tr-{number}", f"h-{number}", came[:10]
    requested(
        scene,
        transfer,
        person,
        agreement=agreement,
        to_facility=place,
        window_from=day,
        window_to=until,
    )
    evidenced(scene, transfer)
    scene.do(
        EAST,
        "approve-transfer",
        transfer=transfer,
        as_="receiving",
        reserved={"facility": place, "from": day, "to": until},
    )
    halves = offer(handover, transfer, place=place, receiving={"authority": EAST, "facility": place})
    answer = scene.do(NORTH, "offer-handover", **halves, occurred_at=came)
    side = {"authority": EAST, "facility": place, "officer": "east-1"}
    return scene.do(
        EAST, "accept-handover", **acceptance(answer, handover, place=place, receiving=side), occurred_at=came
    )


def moved(scene: Scene, person: str, at: str, from_: str = E1, to: str = E2, **changes: Any) -> Scene:
    """East moves the person between two of its places."""
    scene.do(
        EAST,
        "record-move-within",
        person=person,
        from_facility=from_,
        to_facility=to,
        reason="population",
        occurred_at=at,
        **changes,
    )
    return scene


def released(scene: Scene, person: str, at: str, place: str = E1) -> Scene:
    """East reports that it has let the person go."""
    scene.do(
        EAST,
        "record-release",
        person=person,
        facility=place,
        kind="at-liberty",
        checks=UNCHECKED,
        mode="report",
        occurred_at=at,
    )
    return scene


def due_on(scene: Scene, person: str, day: str, set_at: str = "2024-01-05T09:00:00Z") -> Scene:
    """North sets the last lawful date of custody."""
    scene.do(
        NORTH,
        "set-release-date",
        person=person,
        release_due_on=day,
        bases=[f"b-{person}"],
        method="sentence",
        inputs=DIGEST,
        occurred_at=set_at,
    )
    return scene


def closed(scene: Scene, period: dict[str, str] = MARCH, agreement: str = "a1") -> Scene:
    """East closes a month."""
    scene.do(EAST, "close-period", agreement=agreement, period=period)
    return scene


def issued(scene: Scene, period: dict[str, str] = MARCH, agreement: str = "a1") -> Answer:
    """East closes a month and bills it."""
    closed(scene, period, agreement)
    return scene.do(EAST, "issue-invoice", agreement=agreement, period=period)


def usd(amount: str) -> dict[str, str]:
    """An amount as it goes over the wire."""
    return {"amount": amount, "currency": "USD"}


def approved(scene: Scene, number: str = "CTL-0001", amount: str = "1643.70") -> Scene:
    """Two officers of north approve an invoice."""
    for officer in ("n-1", "n-2"):
        scene.do(f"{NORTH}/{officer}", "approve-invoice", number=number, payable=usd(amount))
    return scene


def schedule(scene: Scene, agreement: str = "a1") -> SignedSchedule:
    """The signed schedule of an agreement."""
    file = scene.register.agreement(AgreementId(agreement))
    assert file is not None
    return signed_schedules(file)[0]


def period(first: str, last: str) -> Period:
    """Both dates inclusive."""
    return Period(from_=date.fromisoformat(first), to=date.fromisoformat(last))
