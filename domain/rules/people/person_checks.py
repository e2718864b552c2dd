"""What several acts ask about one person: alive, in whose hands, where, forbidden by whom, held on what ground.

Each check is a generator of refusals, so that an act's list of rules reads as a list: a claim stops at the first
refusal, a report takes them all as flags. No check assumes that an earlier one held.

Which belief to hand in: status, custodian and place are read from `state`, for a dual command the fold at its
`occurred_at`, else the head. Holds and bases are always read from the head, because a hold or a basis recorded later
may reach back; the instants say when they are asked about.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

from domain.custody.local_days import local_date
from domain.custody.state import CustodyState
from domain.files.agreement import AgreementFile
from domain.names import AgreementId, AuthorityId, BasisId, FacilityId
from domain.refusals import (
    AgreementIsNotInForce,
    BasisDoesNotCoverTheWindow,
    BasisIsNotLive,
    FacilityIsOfAnotherAuthority,
    FacilityUseIsProhibited,
    HoldForbidsDeparture,
    HoldForbidsHandover,
    HoldForbidsMove,
    HoldForbidsRelease,
    PersonIsDead,
    PersonIsHeldByAnotherAuthority,
    PersonIsNotHeldHere,
    PersonIsNotInCustody,
    Refusal,
    WhereaboutsDiffer,
)
from domain.register import Register

_FORBIDDEN: dict[str, type[HoldForbidsDeparture | HoldForbidsHandover | HoldForbidsRelease | HoldForbidsMove]] = {
    "depart": HoldForbidsDeparture,
    "hand-over": HoldForbidsHandover,
    "release": HoldForbidsRelease,
    "move": HoldForbidsMove,
}
"""An act as a hold names it → what forbids it."""


def date_at(register: Register, facility: str | None, instant: datetime) -> date:
    """The civil date of an instant in the facility's zone; in UTC where no such facility is registered."""
    zone = register.zone_of(FacilityId(facility)) if facility is not None else None
    return local_date(instant, zone) if zone is not None else utc_date(instant)


def utc_date(instant: datetime) -> date:
    """The civil date of an instant in UTC, by which agreements and roles are in force."""
    return instant.astimezone(UTC).date()


def dead(person: str, state: CustodyState) -> Iterator[Refusal]:
    """`person-is-dead`."""
    if state.is_dead:
        yield PersonIsDead(person)


def held_by_another(register: Register, person: str, state: CustodyState, actor: AuthorityId) -> Iterator[Refusal]:
    """`person-is-held-by-another-authority`: there is a custodian, neither the actor nor an authority it runs."""
    custodian = state.custodian.value
    if custodian is not None and not register.answers_for(actor, custodian):
        yield PersonIsHeldByAnotherAuthority(person, custodian, state.custodian.since)


def not_held_here(register: Register, person: str, state: CustodyState, actor: AuthorityId) -> Iterator[Refusal]:
    """`person-is-not-held-here`: the actor or nobody is custodian, and the status is not held."""
    custodian = state.custodian.value
    if (custodian is None or register.answers_for(actor, custodian)) and state.status.value != "held":
        yield PersonIsNotHeldHere(person, state.status.value)


def not_in_custody(person: str, state: CustodyState) -> Iterator[Refusal]:
    """`person-is-not-in-custody`: never taken, escaped, released, or the file closed; the dead are refused before."""
    if not state.file_open or state.status.value in ("none", "escaped", "released-unverified", "released"):
        yield PersonIsNotInCustody(person, state.status.value)


def whereabouts_differ(person: str, state: CustodyState, facility: str) -> Iterator[Refusal]:
    """`whereabouts-differ`: held, and not placed in `facility`; held without a placement, not reported there."""
    if state.status.value != "held":
        return
    at = f"facility:{state.placement.value}" if state.placement is not None else state.at.value
    if at.partition(":")[2] != facility:
        yield WhereaboutsDiffer(person, at)


def holds_forbid(head: CustodyState, act: str, *instants: datetime) -> Iterator[Refusal]:
    """`hold-forbids-…`: a hold that names `act` (`depart`, `hand-over`, `release`, `move`) binds at one of `instants`.

    Callers hand in both the time of the act and now: a hold that has meanwhile come stops a backdated claim too.
    """
    if not head.holds:
        return
    binding = tuple(
        hold_id
        for hold_id, hold in head.holds.items()
        if act in hold.body.forbids and any(hold.in_force_at(instant) for instant in instants)
    )
    if binding:
        yield _FORBIDDEN[act](binding)


def basis_not_live(
    register: Register, person: str, head: CustodyState, facility: str | None, instant: datetime
) -> Iterator[Refusal]:
    """`basis-is-not-live`: no basis is valid on the local date of `instant` in the facility's zone."""
    day = date_at(register, facility, instant)
    if not head.live_bases(day):
        yield BasisIsNotLive(person, day)


def basis_does_not_cover(head: CustodyState, basis_id: str, first: date, last: date) -> Iterator[Refusal]:
    """`basis-does-not-cover-the-window`: that basis counts no more, or is not valid on every date of the window."""
    basis = head.bases.get(BasisId(basis_id))
    if basis is None or not (basis.is_valid_on(first) and basis.is_valid_on(last)):
        yield BasisDoesNotCoverTheWindow(basis_id, first, last)


def agreement_not_in_force(
    register: Register, agreement: AgreementId, first: date, last: date | None = None
) -> Iterator[Refusal]:
    """`agreement-is-not-in-force`: on some UTC date from `first` to `last` (`first` alone) no signed revision holds."""
    file = register.agreement(agreement)
    for day in _turning_days(file, first, last if last is not None else first):
        if file is None or file.in_force(day) is None:
            yield AgreementIsNotInForce(agreement, day)
            return


def _turning_days(file: AgreementFile | None, first: date, last: date) -> list[date]:
    """The dates of the window on which what is in force can change, so that a long window costs no more than a day."""
    days = {first}
    for revision in file.revisions if file is not None else ():
        days.add(revision.body.from_)
        if revision.body.to < last:
            days.add(revision.body.to + timedelta(days=1))
    return sorted(day for day in days if first <= day <= last)


def use_prohibited(register: Register, facility: str, instant: datetime) -> Iterator[Refusal]:
    """`facility-use-is-prohibited`: the place takes nobody in at that instant."""
    file = register.facility(facility)
    if file is not None and file.is_prohibited_at(instant):
        yield FacilityUseIsProhibited(facility)


def of_another_authority(register: Register, facility: str, authority: AuthorityId) -> Iterator[Refusal]:
    """`facility-is-of-another-authority`: neither `authority` runs the place nor a body that it runs."""
    file = register.facility(facility)
    if file is not None and not register.answers_for(authority, file.authority):
        yield FacilityIsOfAnotherAuthority(facility, authority)
