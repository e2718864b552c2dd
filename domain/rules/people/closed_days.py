"""Days on which a place releases nobody: those its side wrote into the agreement by which the person came there.

Each side lists them in the terms (DOMAIN §5.6, `holidays`). A person who was never handed over is under no agreement,
and then only weekends are closed.
"""

from __future__ import annotations

from datetime import date

from domain.custody.state import CustodyState
from domain.register import Register


def closed_days(register: Register, state: CustodyState) -> frozenset[date]:
    """The closed days, beside weekends, of the place where a person in that state is or was last."""
    place = register.facility(state.last_facility) if state.last_facility is not None else None
    completed = [transfer.body for transfer in state.transfers.values() if transfer.status == "completed"]
    file = register.agreement(completed[-1].agreement) if completed else None
    revision = file.revision(completed[-1].revision) if file is not None else None
    if place is None or revision is None or revision.terms is None:
        return frozenset()
    holidays = revision.terms.holidays
    for side, days in (("sending", holidays.sending), ("receiving", holidays.receiving)):
        party = register.authority(revision.party(side))
        if party is not None and party.state == place.body.state:
            return frozenset(days)
    return frozenset()
