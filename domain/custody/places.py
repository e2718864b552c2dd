"""What the fold must know beside a person's facts: zones, who runs whom, which approvals an agreement asks for."""

from __future__ import annotations

from typing import Protocol

from domain.names import AgreementId, AuthorityId, FacilityId


class Places(Protocol):
    """Facts of the registry that never change once recorded."""

    def zone_of(self, facility: FacilityId) -> str | None:
        """The IANA zone of a facility, `None` where it is not registered."""

    def answers_for(self, actor: AuthorityId, custodian: AuthorityId) -> bool:
        """Whether `actor` is `custodian` or runs it (its parent, at any height)."""

    def approvals_required(self, agreement_id: AgreementId, revision: int) -> tuple[str, ...]:
        """The approvals, `receiving` or `court`, that the terms of that revision ask for."""
