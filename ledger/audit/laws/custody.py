"""The laws of who answers and who holds: L2 one responsible, L3 custody moves only by acceptance (DOMAIN §6.7).

Each law takes a `Life` and yields what breaks it: it asks of every change in the timeline which fact made it, and
whether such a fact may.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from domain.custody.timeline import Spell
from domain.events.event import Event
from domain.events.person import CustodyOpened, HandoverAccepted, HandoverOffered, MovedWithin, ReleaseVerified
from domain.events.transfer import TransferRequested
from domain.names import HandoverId
from ledger.audit.findings import Finding
from ledger.audit.laws.lives import Life
from ledger.audit.laws.reading import Reading


def one_is_responsible(life: Life) -> Iterator[Finding]:
    """L2: one authority answers while the file is open, none while it is closed; it changes by what may change it."""
    spells = life.timeline.spells
    for spell in spells:
        if (spell.file == "open") != (spell.responsible is not None):
            expected = "one who is responsible" if spell.file == "open" else "nobody responsible in a closed file"
            found = spell.responsible or "nobody"
            yield life.wrong("L2", expected, found, instant=spell.from_, at=[spell.opened_by])
    for index, (earlier, later) in enumerate(pairwise(spells), start=1):
        if None in (earlier.responsible, later.responsible) or earlier.responsible == later.responsible:
            continue
        event = life.event(later.opened_by)
        if event is None or not (_opens(event, spells[:index]) or _passes_responsibility(life, event)):
            expected = f"{earlier.responsible} is responsible until an opening or an acceptance says otherwise"
            at = [earlier.opened_by, later.opened_by]
            yield life.wrong("L2", expected, later.responsible, instant=later.from_, at=at)


def _opens(event: Event, before: Sequence[Spell]) -> bool:
    """An opening; and the move of a person whom nobody ever held counts as one by its reporter."""
    return isinstance(event.body, CustodyOpened) or (
        isinstance(event.body, MovedWithin) and all(spell.custodian is None for spell in before)
    )


def _passes_responsibility(life: Life, event: Event) -> bool:
    if not isinstance(event.body, HandoverAccepted):
        return False
    offers = (one.body for one in _offers(life, event.body.handover))
    transfers = {body.transfer for body in offers if isinstance(body, HandoverOffered)}
    requests = (one.body for one in life.events if isinstance(one.body, TransferRequested))
    return any(one.transfer in transfers and one.responsibility_after == "receiving" for one in requests)


def custody_moves_by_acceptance(life: Life) -> Iterator[Finding]:
    """L3: custody passes by a counting acceptance of the other side's offer, or by an opening that may take it."""
    spells = life.timeline.spells
    for index, (earlier, later) in enumerate(pairwise(spells), start=1):
        if earlier.custodian != later.custodian and not _may_move(life, spells[:index], later):
            expected = f"{earlier.custodian or 'nobody'} holds until an acceptance, or an opening that may take custody"
            at = [earlier.opened_by, later.opened_by]
            yield life.wrong("L3", expected, later.custodian or "nobody", instant=later.from_, at=at)
    for fact in life.facts:
        if isinstance(fact.event.body, HandoverAccepted):
            yield from _two_halves(life, fact.event, fact.event.body)


def _may_move(life: Life, before: Sequence[Spell], later: Spell) -> bool:
    event, earlier = life.event(later.opened_by), before[-1]
    if event is None or not life.reading.counts(event):
        return False
    held = [spell.custodian for spell in before if spell.custodian is not None]
    match event.body:
        case HandoverAccepted() as body:
            return later.custodian == body.receiving.authority
        case CustodyOpened() as body:
            return later.custodian == body.authority and (body.mode == "claim" or earlier.custodian is None)
        case ReleaseVerified():
            return later.custodian is None
        case MovedWithin() if not held:
            return later.custodian == event.actor.authority
        case _:
            # A fact on a closed file opens it again, under the last who held the person.
            return earlier.file == "closed" and later.custodian == (held[-1] if held else None)


def _two_halves(life: Life, acceptance: Event, body: HandoverAccepted) -> Iterator[Finding]:
    offers = _offers(life, body.handover)
    if not offers:
        yield life.wrong("L3", f"an offer of handover {body.handover}", "none", at=[acceptance.position])
    for offer in offers:
        if offer.actor.authority == acceptance.actor.authority:
            at = [offer.position, acceptance.position]
            found = f"{offer.actor.authority} signed both"
            yield life.wrong("L3", "two authorities, one a half", found, instant=acceptance.occurred_at, at=at)
    if life.reading.slot(acceptance) != acceptance.position:
        # A replacement tells what the first acceptance should have said; it was granted on no offer of its own.
        return
    before = Reading([one for one in life.events if one.position < acceptance.position])
    counted = [one for one in offers if one.position < acceptance.position and before.counts(one)]
    if offers and body.answers not in {one.leaf_hash for one in counted}:
        expected = f"an answer to the offer that counted, {counted[-1].leaf_hash if counted else 'none'}"
        at = [*(one.position for one in counted), acceptance.position]
        yield life.wrong("L3", expected, body.answers, instant=acceptance.occurred_at, at=at)


def _offers(life: Life, handover: HandoverId) -> list[Event]:
    return [one for one in life.events if isinstance(one.body, HandoverOffered) and one.body.handover == handover]
