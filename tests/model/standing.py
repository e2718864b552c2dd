"""Where custody stands after one more fact: the targets of DOMAIN §4.4, for claims and for reports.

A claim once granted has its full effect whatever a later belief puts before it. A report by another authority than the
custodian moves whereabouts alone and casts a doubt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple

AWAKE = ("held", "in-transit", "absent")


class Fact(NamedTuple):
    """A fact of somebody's custody. Facts stand by instant, those of one instant by slot.

    The slot is the position, and for what stands in place of a wrong fact the slot of that one. `due` is when an order
    wants the person let go, `opener` the authority in whose name custody was opened.
    """

    instant: datetime
    slot: int
    position: int
    type: str
    by: str
    place: str | None = None
    release: str | None = None
    handover: str | None = None
    is_report: bool = False
    due: datetime | None = None
    opener: str | None = None


class Release(NamedTuple):
    """One release that let the person go, and what became of it."""

    position: int
    by: str
    instant: datetime
    is_erroneous: bool = False
    is_verified: bool = False


NO_RELEASES: Mapping[str, Release] = MappingProxyType({})


class Standing(NamedTuple):
    """Where custody stands: who holds the person, and in which place, if anybody does.

    `keeper` is the last custodian, to whom a fact on a closed file gives the person back. `release` is the latest one
    that let the person go. `doubt` is when something first contradicted the register, while that is not resolved.
    `last_change` is the latest fact that took its target, `last_place` where the person last was.
    """

    status: str = "none"
    custodian: str | None = None
    place: str | None = None
    is_closed: bool = False
    keeper: str | None = None
    order: str | None = None
    release: str | None = None
    releases: Mapping[str, Release] = NO_RELEASES
    doubt: datetime | None = None
    last_change: datetime | None = None
    last_place: str | None = None

    @property
    def released(self) -> Release | None:
        """The release by which the person is at liberty."""
        is_released = self.status in ("released-unverified", "released")
        return self.releases.get(self.release or "") if is_released else None

    @property
    def is_in_custody(self) -> bool:
        """Whether somebody deprives the person of liberty."""
        return not self.is_closed and self.status in AWAKE


NOBODYS = Standing()


def after(standing: Standing, fact: Fact, facts: Sequence[Fact]) -> Standing:
    """Where it stands after one more fact; `facts` are all that count, earlier and later ones."""
    match fact.type:
        case "custody-opened":
            return _opened(standing, fact)
        case "moved-within":
            return _moved(standing, fact)
        case "handover-accepted":
            return _taken(standing, fact, fact.by)
        case "presence-reported":
            return _seen(standing, fact)
        case "release-ordered" if fact.release not in standing.releases:
            return standing._replace(order=fact.release)
        case "person-released":
            return _released(standing, fact)
        case "release-verified":
            return _verified(standing, fact, facts)
        case "release-declared-erroneous":
            return _declared(standing, fact, facts)
        case _:
            return standing


def ends_custody(before: Standing, fact: Fact, now: Standing) -> bool:
    """Whether the fact let the person go or closed the file, which ends the transfers that stand."""
    let_go = fact.type == "person-released" and _let_go_by(now, fact)
    return let_go or (now.is_closed and not before.is_closed)


def _let_go_by(standing: Standing, fact: Fact) -> bool:
    release = standing.releases.get(fact.release or "")
    return release is not None and release.position == fact.position


def _taken(standing: Standing, fact: Fact, custodian: str | None) -> Standing:
    """Held in the place of the fact; whatever was in doubt is resolved."""
    return standing._replace(
        status="held",
        custodian=custodian,
        keeper=custodian or standing.keeper,
        place=fact.place,
        is_closed=False,
        doubt=None,
        last_change=fact.instant,
        last_place=fact.place,
    )


def _opened(standing: Standing, fact: Fact) -> Standing:
    if not fact.is_report or standing.custodian in (None, fact.by):
        # What nobody held and a report says somebody took is theirs; a report by the custodian keeps the custodian.
        return _taken(standing, fact, fact.opener if standing.custodian is None or not fact.is_report else fact.by)
    return _doubted(standing, fact)


def _moved(standing: Standing, fact: Fact) -> Standing:
    if standing.custodian is None and standing.keeper is None:
        # Nobody holds or held: it counts as an opening by whoever states it.
        return _taken(standing, fact, fact.by)
    opened = _reopened(standing)
    if fact.is_report and opened.custodian not in (None, fact.by):
        return _doubted(opened, fact)
    taken = _taken(opened, fact, opened.custodian)
    return _doubted(taken, fact) if fact.is_report and standing.is_closed else taken


def _seen(standing: Standing, fact: Fact) -> Standing:
    if standing.status == "held" and fact.place is not None and standing.place == fact.place:
        return standing._replace(doubt=None)
    return _doubted(_reopened(standing), fact)


def _released(standing: Standing, fact: Fact) -> Standing:
    opened = _reopened(standing)
    if fact.is_report and opened.custodian not in (None, fact.by):
        return _doubted(opened, fact)
    known = standing.releases.get(fact.release or "")
    # What a correction put after the declaration of its error was in error from the first.
    is_erroneous = known is not None and known.position == fact.position and known.is_erroneous
    freed = _freed(opened, fact)._replace(order=None)
    return _with(freed, fact, Release(fact.position, fact.by, fact.instant, is_erroneous))


def _verified(standing: Standing, fact: Fact, facts: Sequence[Fact]) -> Standing:
    release = standing.releases.get(fact.release or "")
    if release is None and _later_release(fact, facts) is None:
        return standing
    declared = ("release-declared-erroneous", fact.release)
    if any((other.type, other.release) == declared and other.instant <= fact.instant for other in facts):
        return standing
    closed = standing._replace(
        status="released", custodian=None, place=None, is_closed=True, doubt=None, last_change=fact.instant
    )
    return closed if release is None else _with(closed, fact, release._replace(is_verified=True))


def _declared(standing: Standing, fact: Fact, facts: Sequence[Fact]) -> Standing:
    release = standing.releases.get(fact.release or "") or _later_release(fact, facts)
    if release is None:
        return standing
    return _with(_freed(_reopened(standing), fact), fact, release._replace(is_erroneous=True))


def _later_release(fact: Fact, facts: Sequence[Fact]) -> Release | None:
    for other in facts:
        if other[:2] > fact[:2] and (other.type, other.release) == ("person-released", fact.release):
            return Release(other.position, other.by, other.instant)
    return None


def _freed(standing: Standing, fact: Fact) -> Standing:
    """Released, and not verified: whoever held the person still answers."""
    return standing._replace(status="released-unverified", place=None, doubt=None, last_change=fact.instant)


def _with(standing: Standing, fact: Fact, release: Release) -> Standing:
    assert fact.release is not None, "it is about a release"
    return standing._replace(release=fact.release, releases={**standing.releases, fact.release: release})


def _reopened(standing: Standing) -> Standing:
    """The file open again, under the last who held the person."""
    return standing._replace(is_closed=False, custodian=standing.keeper) if standing.is_closed else standing


def _doubted(standing: Standing, fact: Fact) -> Standing:
    """Somebody says otherwise; status, custodian and place stay."""
    return standing._replace(doubt=standing.doubt or fact.instant)
