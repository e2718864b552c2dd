"""The whole story over HTTP, every command of the slice once at least: what the document's examples are recorded from.

Nothing here is decided twice: each step is sent to its route and must be granted.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.ledger.http.house import House, Json, furnished
from tests.scene import (
    COURT,
    DIGEST,
    E1,
    EAST,
    EVIDENCE,
    KEEPER,
    N1,
    N2,
    NORTH,
    SEALED,
    TERMS,
    WATCH,
    basis,
    offer,
    opening,
)

Do = Callable[..., Json]

PERSON, OTHER = "p1", "p2"
MARCH = {"from": "2025-03-01", "to": "2025-03-31"}
WINDOW = {"window_from": "2025-03-01", "window_to": "2025-03-31"}


def told(house: House) -> dict[str, tuple[str, Json, Json]]:
    """Tell it all; by command: who asked, the fields, and the answer, each of the last time it was asked."""
    asked: dict[str, tuple[str, Json, Json]] = {}

    def do(by: str, name: str, **data: object) -> Json:
        fields = {field.rstrip("_"): value for field, value in data.items()}
        answer = house.do(by, name, **data)
        asked[name] = (by, fields, answer)
        return answer

    furnished(house)
    _registry(do)
    money_agreed(do)
    _custody(house, do)
    _transfer(house, do)
    _handover(house, do)
    _release(house, do)
    _paid(house, do)
    return asked


def _registry(do: Do) -> None:
    do(KEEPER, "register-authority", authority="north-escort", state="NO", legal_name="Escort", outside_register=False)
    role = [{"role": "escort", "from": "2025-01-01"}]
    do(KEEPER, "set-authority-roles", authority="north-escort", roles=role)
    fields = {"authority": NORTH, "state": "NO", "kind": "prison", "zone": "Europe/Oslo", "recognised_by": DIGEST}
    do(KEEPER, "register-facility", facility="n-3", **fields, supervising_authority=WATCH)
    certificate = {"operational_capacity": 40, "from_": "2025-01-01", "certificate": DIGEST}
    do("east/east-1", "certify-capacity", facility=E1, **certificate, approved_by=["east-1", "east-2"])
    do(WATCH, "set-facility-regime", facility="n-3", supervising_authority=WATCH, use="prohibited", from_=at(20, 9))


def money_agreed(do: Do) -> None:
    parties = [{"authority": NORTH, "role": "sending"}, {"authority": EAST, "role": "receiving"}]
    draft = do(
        NORTH,
        "draft-agreement",
        agreement="a2",
        revision=1,
        parties=parties,
        legal_bases=["custody-contract"],
        terms=TERMS,
        from_="2026-01-01",
        to="2026-12-31",
    )
    do(NORTH, "sign-agreement", agreement="a2", revision=1, terms_digest=draft["told"]["terms_digest"])
    proposal = do(
        EAST,
        "propose-fee-schedule",
        agreement="a1",
        schedule="a1-fees",
        revision=1,
        payee=EAST,
        payer=NORTH,
        currency="USD",
        valid={"from": "2025-01-01"},
        facilities=[E1],
        series="CTL",
        components=[{"model": "per-diem", "rates": [{"rate": "54.79", "per": 1, "from": "2025-01-01"}]}],
        day_rule="arrival-not-departure",
        same_day=1,
        billing={"period": "calendar-month", "close_after_days": 0},
        terms_days=30,
        dispute_days=30,
    )
    digest = proposal["told"]["proposal_digest"]
    do(NORTH, "sign-fee-schedule", agreement="a1", schedule="a1-fees", proposal_digest=digest)


def _custody(house: House, do: Do) -> None:
    for person in (OTHER, PERSON):
        attributes = {"family_name": SEALED}
        fields = {"identity_status": "established", "attributes": attributes, "occurred_at": at(19, 8)}
        do(NORTH, "register-person", person=person, **fields)
        do(NORTH, "record-basis", person=person, **basis(f"b-{person}"), occurred_at=at(19, 8))
        do(NORTH, "open-custody", person=person, **opening(N1, person, deprived_at=at(19, 7)), occurred_at=at(19, 9))
    fields = {"release_due_on": "2025-12-01", "bases": [f"b-{PERSON}"], "method": "sentence", "inputs": DIGEST}
    do(NORTH, "set-release-date", person=PERSON, **fields)
    move = {"from_facility": N1, "to_facility": N2, "reason": "placement"}
    do(NORTH, "record-move-within", person=PERSON, **move, occurred_at=at(19, 12))
    seen = {"facility": N2, "since": at(19, 12), "how": "seen"}
    wrong = do(NORTH, "report-presence", person=PERSON, **seen, occurred_at=at(19, 13))
    confirmed = {"authority": "audit", "officer": "audit-1"}
    corrects = wrong["events"][0]["event_id"]
    do(NORTH, "correct-fact", corrects=corrects, reason="did-not-occur", countersigned_by=confirmed)
    hold = {"forbids": ["depart", "hand-over"], "effective_at": at(20, 8), "instrument": DIGEST}
    do(COURT, "place-hold", hold="hold-1", persons=[PERSON], **hold)
    house.clock.at("2025-02-21T09:00:00Z")
    do(COURT, "lift-hold", hold="hold-1", effective_at=at(21, 8), instrument=DIGEST)


def _transfer(house: House, do: Do) -> None:
    house.clock.at("2025-03-01T09:00:00Z")
    for transfer in ("t-rejected", "t-cancelled", "t1"):
        do(
            NORTH,
            "request-transfer",
            transfer=transfer,
            person=PERSON,
            agreement="a1",
            revision=1,
            rule_sets=["custody-contract"],
            basis=f"b-{PERSON}",
            from_facility=N2,
            to_facility=E1,
            purpose="custody-contract",
            **WINDOW,
            responsibility_after="sending",
        )
        if transfer == "t-rejected":
            do(EAST, "reject-transfer", transfer=transfer, reason="no-space")
        elif transfer == "t-cancelled":
            do(NORTH, "cancel-transfer", transfer=transfer, reason="no-longer-needed", fault="none")
    for by, rule_set, condition in EVIDENCE:
        fields = {"rule_set": rule_set, "condition": condition, "outcome": "met", "evidence": DIGEST}
        do(by, "evidence-condition", transfer="t1", **fields)
    do(EAST, "approve-transfer", transfer="t1", as_="receiving", reserved={"facility": E1, **MARCH})


def _handover(house: House, do: Do) -> None:
    releasing = {"authority": NORTH, "facility": N2, "officer": "north-1"}
    for handover in ("h-refused", "h1"):
        answer = do(
            NORTH, "offer-handover", **offer(handover, "t1", releasing=releasing), occurred_at="2025-03-01T09:00:00Z"
        )
        named = {"handover": handover, "answers": answer["events"][0]["leaf_hash"]}
        if handover == "h-refused":
            do(EAST, "refuse-handover", **named, reasons=["papers-missing"])
    accepted = {
        **named,
        "receiving": {"authority": EAST, "facility": E1, "officer": "east-1"},
        "place": E1,
        "identity_check": {"method": "document", "result": "match"},
        "property_seals": [],
        "documents": [],
    }
    do(EAST, "accept-handover", **accepted, occurred_at="2025-03-01T09:00:00Z")


def _release(house: House, do: Do) -> None:
    checks = dict.fromkeys(("identity", "warrants", "property", "money", "papers", "file_copy"), True)
    house.clock.at("2025-03-31T09:00:00Z")
    for person, by, place in ((OTHER, NORTH, N1), (PERSON, EAST, E1)):
        order = {"ground": "court-order", "bases": [f"b-{person}"], "due_at": "2025-03-31T08:00:00Z"}
        do(COURT, "order-release", person=person, release=f"r-{person}", **order, instrument=DIGEST)
        went = {"facility": place, "kind": "at-liberty", "checks": checks, "occurred_at": "2025-03-31T08:30:00Z"}
        do(by, "record-release", person=person, release=f"r-{person}", **went)
    error = {"reason": "wrong-date", "occurred_at": "2025-03-31T09:00:00Z"}
    do(NORTH, "declare-release-erroneous", person=OTHER, release=f"r-{OTHER}", **error)
    seen = {"how": "seen", "evidence": DIGEST, "occurred_at": "2025-03-31T08:45:00Z"}
    do(WATCH, "verify-release", person=PERSON, release=f"r-{PERSON}", **seen)


def _paid(house: House, do: Do) -> None:
    house.clock.at("2025-04-02T09:00:00Z")
    do(EAST, "close-period", agreement="a1", period=MARCH)
    number = do(EAST, "issue-invoice", agreement="a1", period=MARCH)["told"]["number"]
    total = {"amount": "1643.70", "currency": "USD"}
    for officer in ("north/treasurer-1", "north/treasurer-2"):
        do(officer, "approve-invoice", number=number, payable=total)
    do(
        EAST,
        "record-payment",
        payment="pay-1",
        agreement="a1",
        amount=total,
        external_ref="bank-2025-0401",
        value_date="2025-04-02",
        allocations=[{"invoice": number, "amount": total}],
    )


def at(day: int, hour: int) -> str:
    """An hour of a day of February 2025, UTC."""
    return f"2025-02-{day:02}T{hour:02}:00:00Z"
