"""What a granted command amounts to: the events that must be in its answer, and the world after it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import NamedTuple

from tests.model import acts, corrections, money
from tests.model.answers import Answered, Recorded
from tests.model.asked import Call
from tests.model.papers import FACTS, take_in
from tests.model.people import Entry, Hold, Person, dates, instant
from tests.model.rules import brought_by
from tests.model.world import Authority, Facility, Made, Revision, World


class Expected(NamedTuple):
    """One event that follows from a command, in the words of its kind alone: the version of the kind is its own."""

    type: str
    stream: str
    flags: frozenset[str] = frozenset()


PEOPLE = {
    "register-person": "person-registered",
    "record-basis": "custody-basis-recorded",
    "offer-handover": "handover-offered",
    "refuse-handover": "handover-refused",
    **FACTS,
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
    "propose-fee-schedule": ("fee-schedule-proposed", "agreement"),
    "sign-fee-schedule": ("fee-schedule-signed", "agreement"),
    "close-period": ("custody-days-closed", "agreement"),
}
UNTIMED = ("report-presence", "declare-release-erroneous")
"""Facts of custody that may be dated before the last."""
TWINS = set(FACTS) - {"order-release"}
"""Facts of which two at one instant look like one told twice."""
FITTING = {
    "open-custody": ("none", "released-unverified", "released"),
    "record-move-within": ("held",),
    "record-release": ("held",),
}
"""The states in which a report contradicts nothing."""
LATE = timedelta(hours=24)
LATE_HANDOVER = timedelta(hours=1)
HALVES = ("handover-offered", "handover-accepted")


def expected(world: World, answered: Answered, now: datetime) -> list[Expected]:
    """The events that the command records, in order; `late` and `day-precision` are not among the flags."""
    name, data = answered.name, answered.data
    call = Call(world, answered.authority, answered.officer, data, now)
    if name in REGISTRY:
        type_, subject = REGISTRY[name]
        return [Expected(type_, f"{subject}:{data[subject]}")]
    if name in TRANSFERS:
        return [Expected(TRANSFERS[name], f"transfer:{data['transfer']}")]
    if name == "place-hold":
        return [Expected("hold-placed", f"person:{person}") for person in data["persons"]]
    if name == "lift-hold":
        return [Expected("hold-lifted", f"person:{person}") for person in world.holds[data["hold"]].persons]
    if name == "correct-fact":
        wrong = world.made[data["corrects"]]
        right = [Expected(PEOPLE[wrong.name], wrong.stream)] if "replacement" in data else []
        return [Expected("fact-corrected", wrong.stream), *right]
    if name in money.RECORDS:
        return [Expected(type_, stream, frozenset(flags)) for type_, stream, flags in money.RECORDS[name](call)]
    person = data["person"] if name == "register-person" else call.person.id_
    return [Expected(PEOPLE[name], f"person:{person}", frozenset(_flags(call, name)))]


def is_late(type_: str, at: datetime, now: datetime) -> bool:
    """Whether a fact is told so long after it happened that its event says so."""
    return now - at > (LATE_HANDOVER if type_ in HALVES else LATE)


def _flags(call: Call, name: str) -> set[str]:
    if name == "register-person":
        return set()
    person, at = call.person, call.at
    flags = {"looks-like-duplicate"} if name in TWINS and person.has_stated(FACTS[name], at) else set()
    if name == "offer-handover" and person.identity_status == "unresolved":
        flags.add("identity-unresolved")
    if (name in UNTIMED or call.is_report) and call.is_late:
        flags.add("out-of-order")
    if call.is_report:
        return flags | set(acts.FAILING[name](call)) | _contradicting(call, fits=call.then.status in FITTING[name])
    if name != "report-presence" or (call.then.status == "held" and call.data["facility"] == call.then.place):
        return flags
    flags |= _contradicting(call, fits=False)
    if "by-another-authority" not in flags:
        return flags
    if not call.live_bases(call.data["facility"]):
        flags.add("basis-is-not-live")
    if person.forbidden("hand-over", at, call.now):
        flags.add("hold-forbids-handover")
    return flags


def _contradicting(call: Call, *, fits: bool) -> set[str]:
    if call.then.custodian not in (None, call.by):
        return {"contradicts-known-custody", "by-another-authority"}
    return set() if fits else {"contradicts-known-custody"}


def take(world: World, answered: Answered, now: datetime) -> None:
    """Make the command true in the world."""
    events = answered.events
    call = Call(world, answered.authority, answered.officer, answered.data, now)
    if answered.name == "correct-fact":
        corrections.corrected(world, answered)
    else:
        if (change := CHANGES.get(answered.name)) is not None:
            change(call, answered)
        for event in events:
            world.note(event.event_id, Made(answered, answered.name, event.stream, *_on_record(call, answered, event)))
    world.keys[answered.who] = answered
    if (brought := brought_by(answered)) is not None:
        world.brought.setdefault(brought, answered)
    world.position = events[-1].position
    world.event_ids.update(event.event_id for event in events)
    world.versions.update(event.stream for event in events)


def _on_record(call: Call, answered: Answered, event: Recorded) -> tuple[str | None, Entry | None]:
    """Whose record an event is on, and the command as it stands there."""
    kind, _, id_ = event.stream.partition(":")
    if kind not in ("person", "transfer"):
        return None, None
    if answered.name in ("place-hold", "lift-hold"):
        return id_, None
    entry = Entry(
        event.position,
        event.position,
        event.event_id,
        event.leaf_hash,
        answered.name,
        call.by,
        call.officer,
        call.data,
        call.at,
    )
    person = call.person
    take_in(call.world, person, entry)
    return person.id_, entry


def _authority(call: Call, _answered: Answered) -> None:
    call.world.authorities[call.data["authority"]] = Authority(call.data["state"])


def _roles(call: Call, _answered: Answered) -> None:
    given = call.data["roles"]
    call.world.authorities[call.data["authority"]].roles = [
        (role["role"], role.get("agreement"), date.fromisoformat(role["from"]), *dates(role, "to")) for role in given
    ]


def _facility(call: Call, _answered: Answered) -> None:
    data = call.data
    facility = Facility(data["authority"], data["state"], data["zone"], data["supervising_authority"])
    call.world.facilities[data["facility"]] = facility


def _certified(call: Call, _answered: Answered) -> None:
    certificate = (date.fromisoformat(call.data["from"]), call.data["operational_capacity"])
    call.world.facilities[call.data["facility"]].certificates.append(certificate)


def _drafted(call: Call, answered: Answered) -> None:
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


def _signed(call: Call, _answered: Answered) -> None:
    call.world.agreements[call.data["agreement"]][call.data["revision"]].signed.add(call.by)


def _registered(call: Call, _answered: Answered) -> None:
    call.world.people[call.data["person"]] = Person(call.data["person"], call.data["identity_status"])


def _held_back(call: Call, _answered: Answered) -> None:
    data = call.data
    until = instant(data["until"]) if "until" in data else None
    hold = Hold(call.by, tuple(data["persons"]), tuple(data["forbids"]), instant(data["effective_at"]), until)
    call.world.holds[data["hold"]] = hold
    for person in data["persons"]:
        call.world.people[person].holds.append(hold)


def _lifted(call: Call, _answered: Answered) -> None:
    call.world.holds[call.data["hold"]].lifted_at = instant(call.data["effective_at"])


CHANGES: dict[str, Callable[[Call, Answered], None]] = {
    "register-authority": _authority,
    "set-authority-roles": _roles,
    "register-facility": _facility,
    "certify-capacity": _certified,
    "draft-agreement": _drafted,
    "sign-agreement": _signed,
    "register-person": _registered,
    "place-hold": _held_back,
    "lift-hold": _lifted,
    **money.CHANGES,
}
"""Command → what it makes of the registry, of agreements, of holds and of money; the rest is on people's records."""
