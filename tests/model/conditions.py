"""Which conditions a transfer must meet, as far as the load asks: those of a custody contract between two States.

`HEARD` lists every condition of it and who is heard on it: S the sending State, R the receiving one, C a court; nobody
where the answer follows from what is on record.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from tests.model.world import Revision, Transfer, World

TERMS, CONTRACT, RETURN = "agreement-terms", "custody-contract", "non-refoulement"
HEARD: dict[tuple[str, str], str] = {
    (TERMS, "nationality-is-agreed"): "SR",
    (TERMS, "sex-is-agreed"): "SR",
    (TERMS, "age-is-agreed"): "SR",
    (TERMS, "basis-kind-is-agreed"): "",
    (TERMS, "responsibility-follows-the-agreement"): "",
    (TERMS, "offence-class-is-agreed"): "S",
    (TERMS, "place-is-agreed"): "",
    (TERMS, "number-is-within-the-limit"): "",
    (TERMS, "person-was-told-in-time"): "",
    (CONTRACT, "custody-is-ordered-by-the-sending-state"): "",
    (CONTRACT, "sending-law-permits-custody-abroad"): "S",
    (CONTRACT, "receiving-law-permits-the-custody"): "R",
    (RETURN, "no-danger-of-torture"): "SC",
    (RETURN, "no-danger-of-enforced-disappearance"): "SC",
}
EVIDENCED = [key for key in HEARD if key[0] != TERMS and HEARD[key]]


def sides(world: World, transfer: Transfer, authority: str, day: date) -> set[str]:
    """For whom an authority speaks about a transfer."""
    revision, actor = world.revision_of(transfer), world.authorities[authority]
    speaks = {
        "S": actor.state == world.authorities[revision.sending].state and actor.holds("sending", day, None),
        "R": actor.state == world.authorities[revision.receiving].state and actor.holds("receiving", day, None),
        "C": actor.holds("court", day, None),
    }
    return {side for side, is_heard in speaks.items() if is_heard}


def failing_at_the_request(world: World, data: Mapping[str, Any]) -> bool:
    """Whether the request itself shows that it cannot be."""
    revision = world.agreements[data["agreement"]][data["revision"]]
    return any(_computed(world, revision, data["person"], data["basis"], data["responsibility_after"]))


def failing(world: World, transfer: Transfer, facility: str | None) -> bool:
    """Whether any condition due at the approval or at the offer is not met, or not shown to be."""
    revision = world.revision_of(transfer)
    terms = revision.terms
    places = terms["places"]
    is_agreed = "prison" in places["classes"] or facility in places["facilities"]
    computed = any(_computed(world, revision, transfer.person, transfer.basis, transfer.responsibility_after))
    return computed or not is_agreed or any(not _is_shown(transfer, key) for key in EVIDENCED)


def _computed(world: World, revision: Revision, person: str, basis_id: str, responsibility: str) -> Iterator[bool]:
    basis = world.people[person].bases[basis_id]
    yield basis.kind not in revision.terms["who"]["basis_kinds"]
    yield responsibility != revision.terms["responsibility_after"]
    yield world.authorities[basis.ordered_by].state != world.authorities[revision.sending].state


def _is_shown(transfer: Transfer, key: tuple[str, str]) -> bool:
    """The latest word of each authority counts, and one that denies outweighs one that affirms."""
    outcomes = set(transfer.evidence.get(key, {}).values())
    return "met" in outcomes and "not-met" not in outcomes
