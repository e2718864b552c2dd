"""An authority's file: that it is registered, for which State, and which roles it holds when."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

import msgspec
from msgspec.structs import replace

from domain.events.authority import AuthorityRegistered, AuthorityRolesSet, Role
from domain.events.event import Event
from domain.names import AgreementId, AuthorityId, StateCode


class AuthorityFile(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One registered public body and its roles in force."""

    authority: AuthorityId
    state: StateCode
    parent: AuthorityId | None
    outside_register: bool
    legal_name: str
    version: int
    roles: tuple[Role, ...] = ()

    def holds(self, role: str, on: date, agreement: AgreementId | None) -> bool:
        """Whether it holds `role` on that UTC date, unscoped or scoped to `agreement`."""
        return self.holds_one_of((role,), on, agreement)

    def holds_one_of(self, roles: Collection[str], on: date, agreement: AgreementId | None) -> bool:
        """Whether it holds any of `roles` on that UTC date, unscoped or scoped to `agreement`."""
        for held in self.roles:
            in_force = held.role in roles and held.from_ <= on and (held.to is None or on <= held.to)
            if in_force and (held.agreement is None or held.agreement == agreement):
                return True
        return False

    def holds_anywhere(self, role: str, on: date) -> bool:
        """Whether it holds `role` on that UTC date in any scope."""
        return any(held.role == role and held.from_ <= on and (held.to is None or on <= held.to) for held in self.roles)


def evolve(file: AuthorityFile | None, event: Event) -> AuthorityFile | None:
    """Fold one more event of the authority's stream."""
    match event.body:
        case AuthorityRegistered() as body:
            return AuthorityFile(
                authority=body.authority,
                state=body.state,
                parent=body.parent,
                outside_register=body.outside_register,
                legal_name=body.legal_name,
                version=event.stream_version,
            )
        case AuthorityRolesSet() as body if file is not None:
            return replace(file, roles=body.roles, version=event.stream_version)
        case _:
            return file
