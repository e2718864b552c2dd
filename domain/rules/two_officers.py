"""Two officers of one authority for what one must not decide alone (DOMAIN §1, S5).

Officers are names here: the register keeps no list of them until they have keys. That both are of the actor's
authority is therefore taken on the actor's word; what is judged is that they are two, and the actor one of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from domain.refusals import Refusal, SecondApprovalIsMissing
from domain.rules.ruling import Call


def are_two_officers(approved_by: Sequence[str], call: Call) -> bool:
    """Whether exactly two different officers are named, the actor among them."""
    return len(approved_by) == len(set(approved_by)) == 2 and call.by.officer in approved_by


def second_approval_missing(approved_by: Sequence[str], call: Call) -> Iterator[Refusal]:
    """`second-approval-is-missing`, unless two different officers approve and the actor is one of them."""
    if not are_two_officers(approved_by, call):
        yield SecondApprovalIsMissing(call.by.authority)
