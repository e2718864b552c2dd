"""What is recorded about an authority: that it exists and which roles it holds."""

from __future__ import annotations

from datetime import date
from typing import ClassVar

import msgspec

from domain.events.event import Body, Fact
from domain.names import AgreementId, AuthorityId, StateCode


class Role(msgspec.Struct, gc=False, frozen=True, kw_only=True, omit_defaults=True, rename={"from_": "from"}):
    """A role held from a UTC date to a UTC date, both inclusive; under one agreement, or (none named) for its State."""

    role: str
    agreement: AgreementId | None = None
    from_: date
    to: date | None = None


class AuthorityRegistered(Fact, frozen=True, kw_only=True):
    """A public body enters the register; `outside_register` marks one that will never sign here."""

    wire: ClassVar[str] = "authority-registered.v1"
    stream_kind: ClassVar[str] = "authority"
    authority: AuthorityId
    state: StateCode
    legal_name: str
    outside_register: bool
    parent: AuthorityId | None = None


class AuthorityRolesSet(Fact, frozen=True, kw_only=True):
    """Replaces the roles of an authority: who may issue what from then on."""

    wire: ClassVar[str] = "authority-roles-set.v1"
    stream_kind: ClassVar[str] = "authority"
    roles: tuple[Role, ...]


EVENTS: tuple[type[Body], ...] = (AuthorityRegistered, AuthorityRolesSet)
