"""Fee spells: the unbroken runs of a person's custody that an agreement pays for (MONEY §4).

Custody earns from the receiving side's acceptance on, as long as both halves of the handover stand, and never from a
report. A move between places of the schedule does not break a spell; leaving them ends it, and a granted move in
begins another. `FeeSpell` is what readers come for; its times are instants, days come later.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from domain.custody.counting import CountedFact, Counting
from domain.custody.fold import walk
from domain.custody.grounds import Grounds
from domain.custody.places import Places
from domain.custody.state import CustodyState
from domain.events.event import DualFact
from domain.events.person import HandoverAccepted, HandoverOffered
from domain.names import AgreementId, AuthorityId, FacilityId, HandoverId


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedPlace:
    """Time in one place that follows from an acceptance under an agreement; open where it has no `to`.

    `accepted_by` is the position of the acceptance, `opened_by` and `ended_by` those of the facts that put the person
    there and took the person away. `reported` marks a place known by a report alone.
    """

    agreement: AgreementId
    custodian: AuthorityId
    facility: FacilityId
    from_: datetime
    to: datetime | None
    accepted_by: int
    opened_by: int
    ended_by: int | None
    reported: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeSpell:
    """One spell: its places in order, without a hole between them."""

    places: tuple[AcceptedPlace, ...]

    @property
    def from_(self) -> datetime:
        """The instant at which it begins."""
        return self.places[0].from_

    @property
    def to(self) -> datetime | None:
        """The instant at which it ends, `None` while it goes on."""
        return self.places[-1].to


def accepted_places(counting: Counting, places: Places, as_of: datetime) -> tuple[AcceptedPlace, ...]:
    """Where a person was after each acceptance until something else ended it: facts up to `as_of` alone."""
    grounds = Grounds(counting.known, places, counting)
    offers = (fact.event.body for fact in counting.facts)
    offered = frozenset(body.handover for body in offers if isinstance(body, HandoverOffered))
    found: list[AcceptedPlace] = []
    current: AcceptedPlace | None = None
    for fact, _, after in walk(counting, grounds, places, as_of):
        begun = _begun(fact, after, current, grounds, offered)
        if begun is current:
            continue
        if current is not None:
            found.append(replace(current, to=fact.instant, ended_by=fact.event.position))
        current = begun
    return (*found, current) if current is not None else tuple(found)


def _begun(
    fact: CountedFact,
    after: CustodyState,
    current: AcceptedPlace | None,
    grounds: Grounds,
    offered: frozenset[HandoverId],
) -> AcceptedPlace | None:
    """The place that counts after a fact: the present one if nothing changed, another, or none."""
    body, placement = fact.event.body, after.placement
    if placement is None:
        return None
    if isinstance(body, HandoverAccepted):
        request = grounds.request(body.handover)
        if request is None or body.handover not in offered or after.custodian.value != body.receiving.authority:
            return None
        return AcceptedPlace(
            agreement=request.agreement,
            custodian=body.receiving.authority,
            facility=placement.value,
            from_=fact.instant,
            to=None,
            accepted_by=fact.event.position,
            opened_by=fact.event.position,
            ended_by=None,
            reported=False,
        )
    if current is None or after.custodian.value != current.custodian:
        return None
    if placement.value == current.facility:
        return current
    return replace(
        current,
        facility=placement.value,
        from_=fact.instant,
        opened_by=fact.event.position,
        reported=isinstance(body, DualFact) and body.mode == "report",
    )


def fee_spells(
    accepted: Iterable[AcceptedPlace], agreement: AgreementId, facilities: Iterable[FacilityId]
) -> Iterator[FeeSpell]:
    """The spells at those places of that agreement, in order: a reported move goes on with one, it never begins one."""
    covered = frozenset(facilities)
    run: list[AcceptedPlace] = []
    for place in accepted:
        goes_on = bool(run) and run[-1].accepted_by == place.accepted_by and run[-1].to == place.from_
        if run and not (goes_on and place.facility in covered):
            yield FeeSpell(places=tuple(run))
            run = []
        if place.agreement == agreement and place.facility in covered and (run or not place.reported):
            run.append(place)
    if run:
        yield FeeSpell(places=tuple(run))
