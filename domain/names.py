"""The names of things: one type an identifier, so that a facility never passes for a person."""

from typing import NewType

AuthorityId = NewType("AuthorityId", str)
OfficerId = NewType("OfficerId", str)
FacilityId = NewType("FacilityId", str)
AgreementId = NewType("AgreementId", str)
PersonId = NewType("PersonId", str)
TransferId = NewType("TransferId", str)
MovementId = NewType("MovementId", str)
HandoverId = NewType("HandoverId", str)
BasisId = NewType("BasisId", str)
HoldId = NewType("HoldId", str)
ReleaseId = NewType("ReleaseId", str)
ScheduleId = NewType("ScheduleId", str)
PaymentId = NewType("PaymentId", str)
InvoiceNumber = NewType("InvoiceNumber", str)
EventId = NewType("EventId", str)
CaseRef = NewType("CaseRef", str)

StateCode = NewType("StateCode", str)
"""An ISO 3166-1 alpha-2 code, or an ISO 3166-2 code of a State of a federation (`US-NY`)."""
Zone = NewType("Zone", str)
"""An IANA time zone name."""
Digest = NewType("Digest", str)
"""SHA-256 of a document: 64 lower-case hexadecimal digits."""
Sealed = NewType("Sealed", str)
"""A commitment, `sha256:` and 64 hexadecimal digits; the value it stands for is never here."""


def country(state: StateCode) -> str:
    """The ISO 3166-1 country a State lies in: `US` for `US-NY`."""
    return state.partition("-")[0]
