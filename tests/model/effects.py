"""What a granted command amounts to: the events that must be in its answer, and the world after it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import NamedTuple

from tests.model.answers import Answered, Recorded
from tests.model.asked import Call, instant
from tests.model.people import Basis, Fact, Hold, Person, dates
from tests.model.rules import brought_by
from tests.model.world import Authority, Facility, Offer, Revision, Transfer, World


class Expected(NamedTuple):
    """One event that follows from a command, in the words of its kind alone: the version of the kind is its own."""

    type: str
    stream: str
    flags: frozenset[str] = frozenset()


CUSTODY = {
    "open-custody": "custody-opened",
    "record-move-within": "moved-within",
    "report-presence": "presence-reported",
    "accept-handover": "handover-accepted",
    "order-release": "release-ordered",
    "record-release": "person-released",
    "verify-release": "release-verified",
    "declare-release-erroneous": "release-declared-erroneous",
}
"""Command → the fact of custody it states."""
PEOPLE = {
    "register-person": "person-registered",
    "record-basis": "custody-basis-recorded",
    "offer-handover": "handover-offered",
    "refuse-handover": "handover-refused",
    **CUSTODY,
}
TRANSFERS = {
    "request-transfer": "transfer-requested",
    "evidence-condition": "condition-evidenced",
    "approve-transfer": "transfer-approved",
    "reject-transfer": "transfer-rejected",
    "cancel-transfer": "transfer-cancelled",
}
REGISTRY = {
    "register-authority": ("authority-registered", "authority"),
    "set-authority-roles": ("authority-roles-set", "authority"),
    "register-facility": ("facility-registered", "facility"),
    "certify-capacity": ("facility-capacity-certified", "facility"),
    "draft-agreement": ("agreement-drafted", "agreement"),
    "sign-agreement": ("agreement-signed", "agreement"),
}
ENDING = ("person-released", "release-verified")
"""Facts that end the transfers asked for before them."""
UNTIMED = ("presence-reported", "release-declared-erroneous")
"""Facts of custody that may be dated before the last."""
TWINS = ("custody-opened", "moved-within", "presence-reported", "handover-accepted", "person-released")
"""Facts of which two at one instant look like one told twice."""


def expected(world: World, answered: Answered) -> list[Expected]:
    """The events that the command records, in order; `late` and `day-precision` are not among the flags."""
    name, data = answered.name, answered.data
    call = Call(world, answered.authority, answered.officer, data, answered.sent)
    if name in REGISTRY:
        type_, subject = REGISTRY[name]
        return [Expected(type_, f"{subject}:{data[subject]}")]
    if name in TRANSFERS:
        return [Expected(TRANSFERS[name], f"transfer:{data['transfer']}")]
    if name == "place-hold":
        return [Expected("hold-placed", f"person:{person}") for person in data["persons"]]
    if name == "lift-hold":
        return [Expected("hold-lifted", f"person:{person}") for person in world.holds[data["hold"]].persons]
    person = data["person"] if name == "register-person" else call.person.id_
    return [Expected(PEOPLE[name], f"person:{person}", frozenset(_flags(call, PEOPLE[name])))]


def _flags(call: Call, type_: str) -> set[str]:
    if type_ == "person-registered":
        return set()
    person, at = call.person, call.at
    flags = (
        {"looks-like-duplicate"} if type_ in (*TWINS, "release-verified") and (type_, at) in person.stated else set()
    )
    if type_ == "handover-offered" and person.identity_status == "unresolved":
        flags.add("identity-unresolved")
    if type_ in UNTIMED and person.last_change is not None and at < person.last_change:
        flags.add("out-of-order")
    if type_ != "presence-reported":
        return flags
    then = person.at(at)
    if then.status == "held" and call.data["facility"] == then.place:
        return flags
    flags.add("contradicts-known-custody")
    if then.custodian in (None, call.by):
        return flags
    flags.add("by-another-authority")
    if not call.live_bases(call.data["facility"]):
        flags.add("basis-is-not-live")
    if person.forbidden("hand-over", at, call.now):
        flags.add("hold-forbids-handover")
    return flags


def take(world: World, answered: Answered) -> None:
    """Make the command true in the world."""
    events = answered.events
    call = Call(world, answered.authority, answered.officer, answered.data, answered.sent)
    if (change := CHANGES.get(answered.name)) is not None:
        change(call, events, answered)
    if answered.name in CUSTODY:
        _state(call, CUSTODY[answered.name], events[-1].position)
    world.keys[answered.who] = answered
    if (brought := brought_by(answered)) is not None:
        world.brought.setdefault(brought, answered)
    world.position = events[-1].position
    world.event_ids.update(event.event_id for event in events)
    world.versions.update(event.stream for event in events)


Events = tuple[Recorded, ...]


def _state(call: Call, type_: str, position: int) -> None:
    """Write a fact of custody into the person's file."""
    person, data = call.person, call.data
    place = data.get("facility") or data.get("to_facility") or data.get("receiving", {}).get("facility")
    if type_ in ("person-released", "presence-reported"):
        person.last_place = place if type_ == "person-released" else person.last_place
        place = None
    before = person.now
    person.add(Fact(call.at, position, type_, call.by, place, data.get("release")))
    person.stated.add((type_, call.at))
    call.world.moved(person, before)


def _authority(call: Call, _events: Events, _answered: Answered) -> None:
    call.world.authorities[call.data["authority"]] = Authority(call.data["state"])


def _roles(call: Call, _events: Events, _answered: Answered) -> None:
    given = call.data["roles"]
    call.world.authorities[call.data["authority"]].roles = [
        (role["role"], role.get("agreement"), date.fromisoformat(role["from"]), *dates(role, "to")) for role in given
    ]


def _facility(call: Call, _events: Events, _answered: Answered) -> None:
    data = call.data
    facility = Facility(data["authority"], data["state"], data["zone"], data["supervising_authority"])
    call.world.facilities[data["facility"]] = facility


def _certified(call: Call, _events: Events, _answered: Answered) -> None:
    certificate = (date.fromisoformat(call.data["from"]), call.data["operational_capacity"])
    call.world.facilities[call.data["facility"]].certificates.append(certificate)


def _drafted(call: Call, _events: Events, answered: Answered) -> None:
    data = call.data
    parties = {party["role"]: party["authority"] for party in data["parties"]}
    revision = Revision(
        sending=parties["sending"],
        receiving=parties["receiving"],
        terms=data["terms"],
        legal_bases=tuple(data["legal_bases"]),
        digest=answered.document["told"]["terms_digest"],
        first=date.fromisoformat(data["from"]),
        last=date.fromisoformat(data["to"]),
    )
    call.world.agreements.setdefault(data["agreement"], {})[data["revision"]] = revision


def _signed(call: Call, _events: Events, _answered: Answered) -> None:
    call.world.agreements[call.data["agreement"]][call.data["revision"]].signed.add(call.by)


def _registered(call: Call, _events: Events, _answered: Answered) -> None:
    call.world.people[call.data["person"]] = Person(call.data["person"], call.data["identity_status"])


def _basis(call: Call, _events: Events, _answered: Answered) -> None:
    data = call.data
    first, last = dates(data, "valid_from", "must_end_by")
    assert first is not None, "a basis has a first day"
    call.person.bases[data["basis"]] = Basis(data["kind"], data["ordering_authority"], first, last)


def _held_back(call: Call, _events: Events, _answered: Answered) -> None:
    data = call.data
    until = instant(data["until"]) if "until" in data else None
    hold = Hold(call.by, tuple(data["persons"]), tuple(data["forbids"]), instant(data["effective_at"]), until)
    call.world.holds[data["hold"]] = hold
    for person in data["persons"]:
        call.world.people[person].holds.append(hold)


def _lifted(call: Call, _events: Events, _answered: Answered) -> None:
    call.world.holds[call.data["hold"]].lifted_at = instant(call.data["effective_at"])


def _requested(call: Call, _events: Events, _answered: Answered) -> None:
    data = call.data
    window = (date.fromisoformat(data["window_from"]), date.fromisoformat(data["window_to"]))
    call.world.transfers[data["transfer"]] = Transfer(
        person=data["person"],
        agreement=data["agreement"],
        revision=data["revision"],
        basis=data["basis"],
        requested_by=call.by,
        requested_at=call.at,
        window=window,
        responsibility_after=data["responsibility_after"],
    )
    person = call.world.people[data["person"]]
    person.transfers.append(data["transfer"])
    if any(fact.type in ENDING and fact.instant > call.at for fact in person.facts):
        # Asked for, it now turns out, before a release that ended it.
        call.world.change(data["transfer"], "ended")


def _evidenced(call: Call, _events: Events, _answered: Answered) -> None:
    key = (call.data["rule_set"], call.data["condition"])
    call.transfer.evidence.setdefault(key, {})[call.by] = call.data["outcome"]


def _approved(call: Call, _events: Events, _answered: Answered) -> None:
    transfer, reserved = call.transfer, call.data["reserved"]
    first, last = dates(reserved, "from", "to")
    assert first is not None, "a reservation has a first day"
    assert last is not None, "a reservation has a last day"
    transfer.approved_as.add(call.data["as"])
    transfer.reserved = (reserved["facility"], first, last)
    if transfer.approved_as >= set(call.world.revision_of(transfer).terms["approvals"]):
        call.world.change(call.data["transfer"], "approved")


def _rejected(call: Call, _events: Events, _answered: Answered) -> None:
    call.world.change(call.data["transfer"], "rejected")


def _cancelled(call: Call, _events: Events, _answered: Answered) -> None:
    call.world.change(call.data["transfer"], "cancelled")


def _offered(call: Call, events: Events, _answered: Answered) -> None:
    data = call.data
    call.world.offers[data["handover"]] = Offer(
        person=call.person.id_,
        transfer=data["transfer"],
        by=call.by,
        officers={call.officer, data["releasing"]["officer"]},
        releasing=data["releasing"]["authority"],
        receiving=data["receiving"]["authority"],
        leaf_hash=events[0].leaf_hash,
        offered_at=call.at,
    )
    call.person.handovers.append(data["handover"])


def _accepted(call: Call, _events: Events, _answered: Answered) -> None:
    call.offer.state = "accepted"
    call.world.change(call.offer.transfer, "completed")


def _refused(call: Call, _events: Events, _answered: Answered) -> None:
    call.offer.state = "refused"
    call.world.change(call.offer.transfer, "refused")


def _ordered(call: Call, _events: Events, _answered: Answered) -> None:
    call.person.releases.add(call.data["release"])


def _released(call: Call, _events: Events, _answered: Answered) -> None:
    call.person.releases.add(call.data["release"])
    call.person.released.add(call.data["release"])
    _ended(call)


def _verified(call: Call, _events: Events, _answered: Answered) -> None:
    _ended(call)


def _ended(call: Call) -> None:
    """A release, and what closes the file, ends the transfers that had been asked for by then, and their offers."""
    world, person = call.world, call.person
    for handover in list(world.open_offers(person)):
        world.offers[handover].state = "lapsed"
    for transfer in list(world.open_transfers(person)):
        if world.transfers[transfer].requested_at <= call.at:
            world.change(transfer, "ended")


CHANGES: dict[str, Callable[[Call, Events, Answered], None]] = {
    "register-authority": _authority,
    "set-authority-roles": _roles,
    "register-facility": _facility,
    "certify-capacity": _certified,
    "draft-agreement": _drafted,
    "sign-agreement": _signed,
    "register-person": _registered,
    "record-basis": _basis,
    "place-hold": _held_back,
    "lift-hold": _lifted,
    "request-transfer": _requested,
    "evidence-condition": _evidenced,
    "approve-transfer": _approved,
    "reject-transfer": _rejected,
    "cancel-transfer": _cancelled,
    "offer-handover": _offered,
    "accept-handover": _accepted,
    "refuse-handover": _refused,
    "order-release": _ordered,
    "record-release": _released,
    "verify-release": _verified,
}
