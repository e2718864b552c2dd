"""Flags by which a fact of custody says how it sits with what is on record (DOMAIN §3 flags, §4.4).

They are fixed when the fact is recorded. The codes of failed rules, `late`, `day-precision`, `inferred` and
`out-of-order` are added where a command is judged; here stand those that compare the fact with the register.
"""

from __future__ import annotations

from datetime import datetime

from domain.custody.state import CustodyState
from domain.events.event import Body
from domain.names import AuthorityId
from domain.register import Register

CONTRADICTS = "contradicts-known-custody"
BY_ANOTHER = "by-another-authority"
DUPLICATE = "looks-like-duplicate"


def by_another(register: Register, state: CustodyState, actor: AuthorityId) -> bool:
    """Whether there is a custodian and `actor` is neither it nor an authority that runs it."""
    custodian = state.custodian.value
    return custodian is not None and not register.answers_for(actor, custodian)


def report_flags(register: Register, state: CustodyState, actor: AuthorityId, *, fits: bool) -> tuple[str, ...]:
    """The flags of a report or a field fact; `fits` says whether the status then admits it.

    A granted claim never carries them: it changes what is known instead of contradicting it.
    """
    if by_another(register, state, actor):
        return (CONTRADICTS, BY_ANOTHER)
    return () if fits else (CONTRADICTS,)


def duplicate_flags(register: Register, person: str, body: type[Body], occurred_at: datetime) -> tuple[str, ...]:
    """`looks-like-duplicate`, where a fact of this type that counts states the same instant about that person."""
    file = register.person(person)
    alike = [event for event in file.events if type(event.body) is body] if file is not None else []
    same = [event for event in alike if event.occurred_at == occurred_at]
    if file is None or not same:
        return ()
    counting = file.counting(register)
    return (DUPLICATE,) if any(counting.counts(event) for event in same) else ()
