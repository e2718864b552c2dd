"""Corrections: who may declare which fact wrong, what counts afterwards, and a record as it then reads.

After a correction a person's record is folded again as if the right fact had been recorded at first, or the wrong one
never (DOMAIN §6.4, law (a)).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tests.model.answers import Answered
from tests.model.asked import Call, Codes
from tests.model.papers import refold
from tests.model.people import Entry, instant
from tests.model.world import Made, World

OWN_REMEDY = ("place-hold", "lift-hold")
"""Commands whose facts are put right by another command, as is whatever is not about a person or a transfer."""
OWN_IDS: Mapping[str, tuple[str, ...]] = {
    "accept-handover": ("handover",),
    "record-release": ("release",),
    "verify-release": ("release",),
    "declare-release-erroneous": ("release",),
}
"""The ids by which a fact says what it is about; with another one it is another fact."""
Unknown = Callable[[World, str, Mapping[str, Any]], Codes]
"""The ids that a command of that name leans on and nobody has recorded."""


def lacks(call: Call, unknown: Unknown) -> Codes:
    """What cannot be judged without the event: the ids and the time of its replacement."""
    world, data = call.world, call.data
    wrong = world.made.get(data["corrects"])
    if wrong is None:
        yield "event-is-unknown"
        return
    if "replacement" in data and _is_correctable(wrong):
        assert wrong.entry is not None, "what is replaced is a fact"
        yield from unknown(world, wrong.name, _replaced(wrong.entry, data["replacement"]))
    if "kept" in data and data["kept"] not in world.made:
        yield "event-is-unknown"
    if "countersigned_by" in data and data["countersigned_by"]["authority"] not in world.authorities:
        yield "authority-is-unknown"
    if "replacement" in data and instant(data["replacement"]["occurred_at"]) > call.soon:
        yield "occurred-at-is-in-the-future"


def _is_correctable(wrong: Made) -> bool:
    return wrong.person is not None and wrong.name not in OWN_REMEDY


def fact_behind(world: World, event_id: str) -> Made | None:
    """The fact behind an event: for a correction the one it names in the end."""
    made = world.made.get(event_id)
    while made is not None and made.corrects is not None:
        made = world.made[made.corrects]
    return made


def correct(call: Call) -> Codes:
    """What a correction may be refused for."""
    world, data = call.world, call.data
    wrong, fact = world.made[data["corrects"]], fact_behind(world, data["corrects"])
    assert fact is not None, "an unknown event is refused before"
    if wrong.person is not None:
        if not counts(world, data["corrects"]):
            yield "event-is-already-corrected"
        back = world.made[wrong.corrects] if wrong.corrects is not None else None
        if back is not None and back.corrects is not None and _correcting(world, back.corrects):
            yield "event-is-already-corrected"
    if wrong.corrects is not None and data["reason"] != "did-not-occur":
        yield "correction-can-only-be-undone"
    if not _is_correctable(wrong):
        yield "event-has-its-own-remedy"
    if wrong.answered.authority != call.by:
        yield "actor-did-not-issue-it"
    yield from _countersigned(call, fact)
    yield from _replaces(call, wrong)


def _countersigned(call: Call, fact: Made) -> Codes:
    signer = call.data.get("countersigned_by", {}).get("authority")
    if signer == call.by:
        yield "nobody-confirms-their-own-act"
    elif signer is None or not _may_countersign(call, fact, signer):
        yield "countersignature-is-missing"


def _may_countersign(call: Call, fact: Made, signer: str) -> bool:
    """The other side of what has two sides; an auditor for the rest."""
    world = call.world
    assert fact.entry is not None, "it is on a person's record"
    data = fact.entry.data
    transfer = data.get("transfer") or (world.offers[data["handover"]].transfer if "handover" in data else None)
    if transfer is None:
        return world.authorities[signer].holds("auditor", call.today, None)
    revision, actor = world.revision_of(world.transfers[transfer]), world.authorities[call.by]
    parties = {revision.sending, revision.receiving}
    if actor.holds("court", call.today, None):
        return signer in parties
    return signer in parties and world.authorities[signer].state != actor.state


def _replaces(call: Call, wrong: Made) -> Codes:
    world, data = call.world, call.data
    if data["reason"] == "incorrect-data":
        if "replacement" not in data:
            yield "replacement-is-missing"
        else:
            assert wrong.entry is not None, "what is replaced is a fact"
            body, ids = data["replacement"]["body"], OWN_IDS.get(wrong.name, ())
            if any(body[name] != wrong.entry.data[name] for name in ids):
                yield "replacement-is-of-another-kind"
    if data["reason"] == "duplicate":
        kept = world.made.get(data.get("kept", ""))
        is_beside = kept is not None and kept.person == wrong.person
        if kept is None or data["kept"] == data["corrects"] or (is_beside and not counts(world, data["kept"])):
            yield "replacement-is-missing"
        elif (kept.name, kept.stream, kept.corrects is None) != (wrong.name, wrong.stream, wrong.corrects is None):
            yield "replacement-is-of-another-kind"


def _correcting(world: World, event_id: str) -> bool:
    """Whether a correction that counts names the event."""
    return any(counts(world, correction) for correction in world.corrections.get(event_id, ()))


def counts(world: World, event_id: str) -> bool:
    """Whether an event counts: not taken away by a correction that does, nor fallen away with the one it came with."""
    made = world.made[event_id]
    if _correcting(world, event_id):
        return False
    if made.came_with is not None:
        return counts(world, made.came_with)
    named = world.made[made.corrects] if made.corrects is not None else None
    # A correction of a replacement counts only while the one that the replacement came with does.
    return named is None or named.came_with is None or counts(world, named.came_with)


def corrected(world: World, answered: Answered) -> None:
    """Make a correction true: the record reads as if the right fact had been recorded at first."""
    data, (event, *others) = answered.data, answered.events
    wrong = world.made[data["corrects"]]
    assert wrong.person is not None, "only facts about people are corrected"
    world.note(event.event_id, Made(answered, answered.name, wrong.stream, wrong.person, corrects=data["corrects"]))
    if others:
        assert wrong.entry is not None, "what is replaced is a fact"
        entry = wrong.entry._replace(
            position=others[0].position,
            event_id=others[0].event_id,
            leaf_hash=others[0].leaf_hash,
            data=_replaced(wrong.entry, data["replacement"]),
            at=instant(data["replacement"]["occurred_at"]),
        )
        came_with = Made(answered, wrong.name, wrong.stream, wrong.person, entry, came_with=event.event_id)
        world.note(others[0].event_id, came_with)
    record = [world.made[id_].entry for id_ in world.records[wrong.person]]
    counting = [entry for entry in record if entry is not None and counts(world, entry.event_id)]
    refold(world, world.people[wrong.person], counting)


def _replaced(wrong: Entry, given: Mapping[str, Any]) -> dict[str, Any]:
    """The command that would have stated the right fact."""
    kept = {name: wrong.data[name] for name in ("person", "mode") if name in wrong.data}
    return {**kept, **given["body"], "occurred_at": given["occurred_at"]}
