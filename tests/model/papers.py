"""The papers beside a person, folded by slot: bases, transfers, offers, and what the end of custody makes of them.

`take_in` puts one more command on a person's record. Where that changes what stands after it, the whole record is
folded again from nothing, as if everything had been recorded in its slot at first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date
from typing import Any

from tests.model.people import Basis, Entry, Person, dates, instant
from tests.model.standing import Fact
from tests.model.world import OPEN, Offer, Transfer, World

FACTS = {
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


def take_in(world: World, person: Person, entry: Entry) -> None:
    """One more command on a person's record, in the slot behind all others."""
    person.entries.append(entry)
    before = person.now
    is_last = entry.name not in FACTS or person.add(fact_of(entry))
    if is_last:
        _fold(world, person, entry)
    else:
        refold(world, person, person.entries)
    world.moved(person, before)


def refold(world: World, person: Person, entries: Iterable[Entry]) -> None:
    """Fold a record again, of which these commands count."""
    before = person.now
    person.entries = sorted(entries, key=lambda entry: entry.slot)
    person.facts = sorted(fact_of(entry) for entry in person.entries if entry.name in FACTS)
    person.ended.clear()
    person.fold()
    for transfer in person.transfers:
        world.free(transfer)
        del world.transfers[transfer]
    for handover in person.handovers:
        del world.offers[handover]
    for kept in (person.bases, person.transfers, person.handovers):
        kept.clear()
    for entry in person.entries:
        _fold(world, person, entry)
    for place in {standing.place for standing in person.standings} - {None}:
        world.facilities[str(place)].ever.add(person.id_)
    world.moved(person, before)


def fact_of(entry: Entry) -> Fact:
    """The fact of custody that a command states."""
    data = entry.data
    is_of_a_place = entry.name not in ("record-release", "verify-release", "order-release")
    place = data.get("facility") or data.get("to_facility") or data.get("receiving", {}).get("facility")
    return Fact(
        entry.at,
        entry.slot,
        entry.position,
        FACTS[entry.name],
        entry.by,
        place if is_of_a_place else None,
        data.get("release"),
        data.get("handover"),
        data.get("mode") == "report",
        instant(data["due_at"]) if "due_at" in data else None,
        data.get("authority"),
    )


def _fold(world: World, person: Person, entry: Entry) -> None:
    if (folding := FOLDING.get(entry.name)) is not None:
        folding(world, person, entry)
    if (ended_at := person.ended.get(entry.slot)) is not None:
        for id_ in list(world.open_transfers(person)):
            if world.transfers[id_].requested_at <= ended_at:
                world.change(id_, "ended")


def _recorded_basis(world: World, person: Person, entry: Entry) -> None:
    first, last = dates(entry.data, "valid_from", "must_end_by")
    assert first is not None, "a basis has a first day"
    person.bases[entry.data["basis"]] = Basis(entry.data["kind"], entry.data["ordering_authority"], first, last)


def _requested(world: World, person: Person, entry: Entry) -> None:
    data = entry.data
    # Asked for, it may turn out, before a release that ended it.
    is_over = any(slot < entry.slot and ended_at > entry.at for slot, ended_at in person.ended.items())
    world.transfers[data["transfer"]] = Transfer(
        person=data["person"],
        agreement=data["agreement"],
        revision=data["revision"],
        basis=data["basis"],
        requested_by=entry.by,
        requested_at=entry.at,
        window=(date.fromisoformat(data["window_from"]), date.fromisoformat(data["window_to"])),
        responsibility_after=data["responsibility_after"],
        state="ended" if is_over else "requested",
    )
    person.transfers.append(data["transfer"])
    world.under.setdefault(data["agreement"], set()).add(person.id_)


def _evidenced(world: World, person: Person, entry: Entry) -> None:
    data = entry.data
    key = (data["rule_set"], data["condition"])
    world.transfers[data["transfer"]].evidence.setdefault(key, {})[entry.by] = data["outcome"]


def _approved(world: World, person: Person, entry: Entry) -> None:
    transfer, reserved = world.transfers[entry.data["transfer"]], entry.data["reserved"]
    first, last = dates(reserved, "from", "to")
    assert first is not None, "a reservation has a first day"
    assert last is not None, "a reservation has a last day"
    if transfer.state not in OPEN:
        return
    transfer.approved_as.add(entry.data["as"])
    transfer.reserved = (reserved["facility"], first, last)
    is_whole = transfer.approved_as >= set(world.revision_of(transfer).terms["approvals"])
    if transfer.state == "requested" and is_whole:
        world.change(entry.data["transfer"], "approved")


def _decided(state: str) -> Callable[[World, Person, Entry], None]:
    def decided(world: World, person: Person, entry: Entry) -> None:
        if world.transfers[entry.data["transfer"]].state in OPEN:
            world.change(entry.data["transfer"], state)

    return decided


def _offered(world: World, person: Person, entry: Entry) -> None:
    data = entry.data
    world.offers[data["handover"]] = Offer(
        person=person.id_,
        transfer=data["transfer"],
        by=entry.by,
        officers={entry.officer, data["releasing"]["officer"]},
        releasing=data["releasing"]["authority"],
        receiving=data["receiving"]["authority"],
        leaf_hash=entry.leaf_hash,
        offered_at=entry.at,
    )
    person.handovers.append(data["handover"])


def _accepted(world: World, person: Person, entry: Entry) -> None:
    offer = world.offers[entry.data["handover"]]
    offer.answer = "accepted"
    world.change(offer.transfer, "completed")


def _refused(world: World, person: Person, entry: Entry) -> None:
    offer = world.offers[entry.data["handover"]]
    offer.answer = "refused"
    if world.transfers[offer.transfer].state in OPEN:
        world.change(offer.transfer, "refused")


def _named_release(world: World, person: Person, entry: Entry) -> None:
    # An id once recorded stays known, also when its event counts no more.
    person.releases.add(entry.data["release"])
    if entry.name == "record-release":
        person.released.add(entry.data["release"])


FOLDING: dict[str, Callable[[World, Person, Entry], Any]] = {
    "record-basis": _recorded_basis,
    "request-transfer": _requested,
    "evidence-condition": _evidenced,
    "approve-transfer": _approved,
    "reject-transfer": _decided("rejected"),
    "cancel-transfer": _decided("cancelled"),
    "offer-handover": _offered,
    "accept-handover": _accepted,
    "refuse-handover": _refused,
    "order-release": _named_release,
    "record-release": _named_release,
}
