"""What each act may be refused for: the codes in the order in which DOMAIN §3 tries them."""

from __future__ import annotations

from datetime import UTC, date, timedelta

from tests.model import conditions
from tests.model.asked import (
    Call,
    Codes,
    anothers_place,
    days_of,
    elsewhere,
    full,
    held_back,
    held_by_another,
    no_basis,
    not_covered,
    not_held_here,
    not_in_custody,
)
from tests.model.people import Person, dates, instant
from tests.model.standing import Standing
from tests.model.world import OPEN

CUSTODIAL = {"sending", "receiving", "escort", "treasury-payer", "treasury-payee"}
WATCHING = {"monitor", "auditor", "court", "counsel", "clock"}
CHECKS = ("identity", "warrants", "property", "money", "papers", "file_copy")


# Registry.


def register_authority(call: Call) -> Codes:
    if call.data["authority"] in call.world.authorities:
        yield "authority-is-already-registered"


def set_roles(call: Call) -> Codes:
    roles = {given["role"] for given in call.data["roles"]}
    if (roles & WATCHING and roles & CUSTODIAL) or roles >= {"treasury-payer", "treasury-payee"}:
        yield "roles-conflict"


def register_facility(call: Call) -> Codes:
    if call.data["facility"] in call.world.facilities:
        yield "facility-is-already-registered"
    if call.world.authorities[call.data["authority"]].state != call.data["state"]:
        yield "authority-is-of-another-state"


def certify(call: Call) -> Codes:
    place = call.world.facilities[call.data["facility"]]
    yield from anothers_place(call, call.data["facility"], call.by)
    officers = call.data["approved_by"]
    if len(officers) != 2 or len(set(officers)) != 2 or call.officer not in officers:
        yield "second-approval-is-missing"
    first, capacity = date.fromisoformat(call.data["from"]), call.data["operational_capacity"]
    begins = place.start(first)
    then = sum(call.world.people[person].before(begins).place == call.data["facility"] for person in place.ever)
    if capacity < len(place.held) or (begins < call.now and capacity < then):
        yield "capacity-is-below-occupancy"
    if place.certificates and first < place.certificates[-1][0]:
        yield "certificate-is-older-than-the-one-in-force"


def draft(call: Call) -> Codes:
    parties = {party["authority"]: call.world.authorities[party["authority"]].state for party in call.data["parties"]}
    earlier = call.world.agreements.get(call.data["agreement"], {})
    # Whoever is a party to be, only those who are parties already speak of a further revision.
    if call.by not in parties or any(call.by not in (old.sending, old.receiving) for old in earlier.values()):
        yield "actor-is-not-a-party"
    if len(set(parties.values())) != 2:
        yield "parties-are-not-two-states"
    if call.data["revision"] != len(earlier) + 1:
        yield "revision-is-not-next"


def sign(call: Call) -> Codes:
    revision = call.world.agreements[call.data["agreement"]][call.data["revision"]]
    if call.by not in (revision.sending, revision.receiving):
        yield "actor-is-not-a-party"
    if call.by in revision.signed:
        yield "agreement-is-already-signed"
    if call.data["terms_digest"] != revision.digest:
        yield "terms-have-changed"


# People.


def register_person(call: Call) -> Codes:
    if call.data["person"] in call.world.people:
        yield "identity-is-already-registered"


def record_basis(call: Call) -> Codes:
    first, last, review = dates(call.data, "valid_from", "must_end_by", "review_due_by")
    if call.data["basis"] in call.person.bases:
        yield "basis-is-already-recorded"
    if last is None and not (call.data["indeterminate"] and review is not None):
        yield "basis-has-no-end"
    if last is not None and first is not None and last < first:
        yield "basis-ends-before-it-starts"


def open_custody(call: Call) -> Codes:
    facility = call.data["facility"]
    if call.then.is_in_custody:
        yield "person-is-already-in-custody"
    if call.data["authority"] != call.by:
        yield "facility-is-of-another-authority"
    yield from anothers_place(call, facility, call.by)
    yield from no_basis(call, facility)
    if call.world.facilities[facility].supervisor != call.data["supervising_authority"]:
        yield "supervision-is-missing"
    yield from full(call, facility, days_of(call, facility))


def move(call: Call) -> Codes:
    origin, to = call.data["from_facility"], call.data["to_facility"]
    yield from held_by_another(call.then, call.by)
    yield from not_held_here(call.then, call.by)
    yield from elsewhere(call.then, origin)
    if origin == to:
        yield "origin-and-destination-are-the-same"
    yield from anothers_place(call, to, call.then.custodian or call.by)
    yield from held_back(call, "move", "move")
    yield from full(call, to, days_of(call, to))


def nothing(call: Call) -> Codes:
    return iter(())


def place_hold(call: Call) -> Codes:
    if call.data["hold"] in call.world.holds:
        yield "hold-is-already-placed"


def lift_hold(call: Call) -> Codes:
    hold = call.world.holds[call.data["hold"]]
    if not (hold.is_in_force(call.at) or hold.begins_after(call.at)):
        yield "hold-is-not-in-force"
    if hold.by != call.by:
        yield "only-the-court-that-placed-it-may-lift-it"


# Transfers.


def request(call: Call) -> Codes:
    world, data = call.world, call.data
    revision = world.agreements[data["agreement"]][data["revision"]]
    first, last = date.fromisoformat(data["window_from"]), date.fromisoformat(data["window_to"])
    if data["transfer"] in world.transfers:
        yield "transfer-is-already-requested"
    yield from held_by_another(_subject(call).now, call.by)
    yield from not_in_custody(_subject(call).now)
    yield from elsewhere(_subject(call).now, data["from_facility"])
    if data["from_facility"] == data["to_facility"]:
        yield "origin-and-destination-are-the-same"
    if call.by != revision.sending:
        yield "authorities-are-not-parties"
    if world.facilities[data["to_facility"]].authority != revision.receiving:
        yield "destination-is-not-under-the-receiving-authority"
    if not (revision.is_in_force(first) and revision.is_in_force(last)):
        yield "agreement-is-not-in-force"
    if not set(data["rule_sets"]) <= set(revision.legal_bases):
        yield "rule-set-is-not-allowed-by-the-agreement"
    yield from not_covered(call, data["basis"], first, last)
    if any(world.open_transfers(_subject(call))):
        yield "another-transfer-is-open"
    if conditions.failing_at_the_request(world, data):
        yield "conditions-are-not-met"


def _subject(call: Call) -> Person:
    return call.world.people[call.data["person"]]


def evidence(call: Call) -> Codes:
    if call.transfer.state not in OPEN:
        yield "transfer-is-closed"
    heard = conditions.HEARD.get((call.data["rule_set"], call.data["condition"]))
    if heard is None:
        yield "condition-is-not-in-the-rule-set"
        return
    if not set(heard) & conditions.sides(call.world, call.transfer, call.by, call.today):
        yield "actor-may-not-evidence-this-condition"
    if call.data["outcome"] == "waived":
        yield "condition-cannot-be-waived"


def approve(call: Call) -> Codes:
    world, transfer = call.world, call.transfer
    revision, reserved = world.revision_of(transfer), call.data["reserved"]
    if transfer.state != "requested":
        yield "transfer-is-not-awaiting-decision"
    if not _may_approve(call, call.data["as"]):
        yield "actor-is-not-an-approver"
    if call.data["as"] in transfer.approved_as:
        yield "approval-is-already-given"
    if call.by == transfer.requested_by:
        yield "nobody-confirms-their-own-act"
    yield from not_in_custody(call.person.now)
    yield from held_back(call, "depart", "departure")
    if not world.is_in_force(transfer.agreement, call.at.astimezone(UTC).date()):
        yield "agreement-is-not-in-force"
    yield from not_covered(call, transfer.basis, *transfer.window)
    if conditions.failing(world, transfer, reserved["facility"]):
        yield "conditions-are-not-met"
    if world.facilities[reserved["facility"]].authority != revision.receiving:
        yield "destination-is-not-under-the-receiving-authority"
    first, last = date.fromisoformat(reserved["from"]), date.fromisoformat(reserved["to"])
    days = (first + timedelta(days=number) for number in range((last - first).days + 1))
    yield from full(call, reserved["facility"], days)


def _may_approve(call: Call, *capacities: str) -> bool:
    revision = call.world.revision_of(call.transfer)
    asked = set(capacities or ("receiving", "court")) & set(revision.terms["approvals"])
    is_receiving = "receiving" in asked and call.by == revision.receiving
    is_court = "court" in asked and call.world.authorities[call.by].holds("court", call.today, None)
    return is_receiving or is_court


def reject(call: Call) -> Codes:
    if call.transfer.state != "requested":
        yield "transfer-is-not-awaiting-decision"
    if not _may_approve(call):
        yield "actor-is-not-an-approver"
    if call.by == call.transfer.requested_by:
        yield "nobody-confirms-their-own-act"


def cancel(call: Call) -> Codes:
    revision = call.world.revision_of(call.transfer)
    if call.transfer.state not in OPEN:
        yield "transfer-is-closed"
    is_court = call.world.authorities[call.by].holds("court", call.today, None)
    if call.by not in (revision.sending, revision.receiving) and not is_court:
        yield "actor-may-not-cancel-it"


# Handovers.


def offer(call: Call) -> Codes:
    world, data, transfer = call.world, call.data, call.transfer
    yield from held_by_another(call.person.now, call.by)
    yield from held_by_another(call.person.now, data["releasing"]["authority"])
    yield from not_in_custody(call.person.now)
    yield from elsewhere(call.person.now, data["releasing"]["facility"])
    if transfer.state not in ("approved", "in-transit", "refused"):
        yield "transfer-is-not-approved"
    receiver = (data["receiving"]["authority"], data["receiving"]["facility"])
    if transfer.reserved is None or receiver != (world.revision_of(transfer).receiving, transfer.reserved[0]):
        yield "receiver-is-not-the-transfers-receiver"
    if any(world.open_offers(call.person)) or data["handover"] in world.offers:
        yield "handover-is-already-open"
    yield from held_back(call, "hand-over", "handover")
    yield from no_basis(call, data["releasing"]["facility"])
    if conditions.failing(world, transfer, transfer.reserved[0] if transfer.reserved else None):
        yield "conditions-are-not-met"
    if call.person.identity_status == "unresolved" and data["identity_check"]["result"] != "not-done":
        yield "identity-is-unresolved"


def accept(call: Call) -> Codes:
    world, data, offer = call.world, call.data, call.offer
    receiving = data["receiving"]
    if not world.is_open(offer) or call.person.now.status not in ("held", "in-transit"):
        yield "no-handover-is-open"
    if offer.receiving != call.by or receiving["authority"] != offer.receiving:
        yield "actor-is-not-the-receiver"
    yield from anothers_place(call, receiving["facility"], call.by)
    if call.by in (offer.by, offer.releasing) or {call.officer, receiving["officer"]} & offer.officers:
        yield "nobody-confirms-their-own-act"
    if data["answers"] != offer.leaf_hash:
        yield "answer-is-to-another-offer"
    yield from held_back(call, "hand-over", "handover")
    if not world.is_in_force(world.transfers[offer.transfer].agreement, call.at.astimezone(UTC).date()):
        yield "agreement-is-not-in-force"
    yield from no_basis(call, receiving["facility"])
    if data["identity_check"]["result"] != "match":
        yield "identity-does-not-match"
    yield from full(call, receiving["facility"], days_of(call, receiving["facility"]))


def refuse(call: Call) -> Codes:
    if not call.world.is_open(call.offer):
        yield "no-handover-is-open"
    if call.by != call.offer.receiving:
        yield "actor-is-not-the-receiver"
    if call.data["answers"] != call.offer.leaf_hash:
        yield "answer-is-to-another-offer"


# Release.


def order(call: Call) -> Codes:
    world, person = call.world, call.person
    live = call.live_bases(None)
    yield from not_in_custody(person.now)
    actor = world.authorities[call.by]
    states = {world.authorities[person.bases[basis].ordered_by].state for basis in live}
    if not actor.holds("court", call.today, None) and actor.state not in states:
        yield "actor-may-not-order-release"
    if person.now.order is not None or call.data["release"] in person.releases:
        yield "release-is-already-ordered"
    if set(live) - set(call.data["bases"]):
        yield "another-basis-stands"
    yield from held_back(call, "release", "release")


def release_lacks(call: Call) -> Codes:
    """The id is that of the open order, else a new one."""
    release = call.data["release"]
    order = _papers(call).order
    if order is not None and order != release:
        yield "release-is-unknown"
    if order is None and release in call.person.released:
        yield "release-is-already-recorded"


def _papers(call: Call) -> Standing:
    """Where the order stands that a release carries out: now, unless custody has changed since the release."""
    return call.then if call.is_late else call.person.now


def release(call: Call) -> Codes:
    person, data = call.person, call.data
    live = call.live_bases(data["facility"])
    order = call.world.brought.get(("release", person.id_, _papers(call).order or "", ""))
    yield from held_by_another(call.then, call.by)
    yield from not_held_here(call.then, call.by)
    yield from elsewhere(call.then, data["facility"])
    is_due = order is not None and instant(order.data["due_at"]) <= call.at
    if not is_due and (live or not person.bases):
        yield "release-is-not-due"
    if set(live) - set(order.data["bases"] if order is not None else ()):
        yield "another-basis-stands"
    yield from held_back(call, "release", "release")
    if not all(data["checks"][check] for check in CHECKS):
        yield "release-checks-are-incomplete"


def verify(call: Call) -> Codes:
    released = call.person.now.released
    if released is None or call.person.now.release != call.data["release"]:
        yield "person-is-not-released"
        return
    if released.is_erroneous:
        yield "release-is-declared-erroneous"
    if released.by == call.by:
        yield "nobody-confirms-their-own-act"
    if released.is_verified:
        yield "release-is-already-verified"


def declare(call: Call) -> Codes:
    released = call.person.now.released
    if released is None or call.person.now.release != call.data["release"]:
        yield "person-is-not-released"
        return
    if call.at < released.instant:
        yield "occurred-at-is-before-the-last-fact"
    if released.is_erroneous:
        yield "release-is-declared-erroneous"


FAILING = {"open-custody": open_custody, "record-move-within": move, "record-release": release}
"""Acts that may come as reports: then every rule that fails is a flag."""
