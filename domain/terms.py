"""The terms of an agreement as the rules read them (DOMAIN §5.6).

A draft carries its terms as sent; a signed revision has all of them. Here they are typed: two States' decisions that
conditions, zones, approvals and fees are judged by.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Literal

import msgspec

from domain.names import AuthorityId, Digest, FacilityId, Zone

Side = Literal["sending", "receiving"]


class Part(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A group of terms; fields this version does not read are passed over."""


class Notice(Part, frozen=True, kw_only=True):
    """Days of notice before a denunciation takes effect, and what becomes of the persons then."""

    denunciation_days: int
    after_end: str


class AgreedPlaces(Part, frozen=True, kw_only=True):
    """Facilities by id and by kind; one of the two lists is not empty."""

    facilities: tuple[FacilityId, ...]
    classes: tuple[str, ...]


class Who(Part, frozen=True, kw_only=True):
    """Whom the agreement covers; `any`, or a list of codes."""

    nationalities: Literal["any"] | tuple[str, ...]
    sexes: Literal["any"] | tuple[str, ...]
    offence_classes: Literal["any"] | tuple[str, ...]
    age_min: int | None = None
    age_max: int | None = None
    basis_kinds: tuple[str, ...]
    national_means: str
    persons_max: int | None = None


class Zones(Part, frozen=True, kw_only=True):
    """The civil time of each side."""

    sending: Zone
    receiving: Zone


class Holidays(Part, frozen=True, kw_only=True):
    """Days on which each side releases nobody."""

    sending: tuple[date, ...]
    receiving: tuple[date, ...]


class TreatyTerm(Part, frozen=True, kw_only=True):
    """The treaty both States say they are party to."""

    rule_set: str
    name: str
    in_force_since: date
    declarations: Digest | None = None


class DisputeBody(Part, frozen=True, kw_only=True):
    """Who decides a dispute and within how many days."""

    body: AuthorityId | str
    days: int


class Terms(Part, frozen=True, kw_only=True):
    """Every term the register judges by; those it only shows stay in the draft's own text."""

    notice: Notice
    places: AgreedPlaces
    who: Who
    approvals: tuple[str, ...]
    responsibility_after: Side
    moves: str
    onward: str
    person_notice_hours: int
    zones: Zones
    holidays: Holidays
    consent_final_at: str | None = None
    treaty: tuple[TreatyTerm, ...] = ()
    disputes: DisputeBody
    fees: str


def read_terms(terms: Mapping[str, object]) -> Terms | None:
    """The terms of a complete draft, or `None` where one the rules need is missing (such a draft is never recorded)."""
    try:
        return msgspec.convert(terms, Terms, strict=True)
    except msgspec.ValidationError:
        return None
