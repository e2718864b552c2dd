"""Who has a part in a person: to everybody else that person is unknown.

Every look-up of a person on somebody's behalf asks here, whether a command names the person or a reader does.
"""

from __future__ import annotations

from domain.names import AuthorityId, PersonId
from domain.register import Register


def has_a_part_in(register: Register, authority: AuthorityId, person: PersonId) -> bool:
    """Whether the person is in the register and `authority` has a part in them.

    Until access rules exist, every registered authority has a part in everyone.
    """
    return register.knows("person", person) and register.authority(authority) is not None
