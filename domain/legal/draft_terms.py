"""The terms of a draft: what two States must have decided before their agreement can be signed (DOMAIN §5.6).

Every group may be left out of a draft as it is sent, and then is named as lacking; what is sent must be well formed.
The terms are stored exactly as they were sent, so that the digest the parties sign is that of their own text; for
that reason a `null` does not stand for a term left out. `domain.terms` reads them back, complete, for the rules.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from domain.closed_lists import BasisKind, FacilityKind, RoleName, SideName
from domain.commands import CivilDate, Code, Count, Digest, Flag, Id, Text, Value
from domain.custody.local_days import is_zone
from domain.legal.catalogue import COMPACT, LegalBasis

Addressee = Literal["person", "family", "counsel", "consulate", "court", "prosecutor", "victim", "other-state"]
Nationality = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$", strict=True)]


def _zone(name: str) -> str:
    if not is_zone(name):
        raise PydanticCustomError("time-zone", "not a zone of the IANA data base")
    return name


ZoneName = Annotated[Text, AfterValidator(_zone)]


class Group(Value):
    """A term of several parts, all of which are sent unless marked as limits that need not be set."""

    @model_validator(mode="before")
    @classmethod
    def _without_null(cls, data: object) -> object:
        if isinstance(data, dict) and None in data.values():
            raise PydanticCustomError("null", "a term that is not set is left out")
        return data


class NoticeTerm(Group):
    """How an agreement is ended, and what becomes of the persons under it then."""

    denunciation_days: Count
    after_end: Literal["return", "stay-until-release"]


class PlacesTerm(Group):
    """Where persons may be held: facilities by id, or by kind."""

    facilities: tuple[Id, ...]
    classes: tuple[FacilityKind, ...]


class WhoTerm(Group):
    """Whom the agreement covers."""

    nationalities: Literal["any"] | tuple[Nationality, ...]
    sexes: Literal["any"] | tuple[Code, ...]
    offence_classes: Literal["any"] | tuple[Code, ...]
    age_min: Count | None = None
    age_max: Count | None = None
    basis_kinds: tuple[BasisKind, ...]
    national_means: Literal["citizens", "declared"]
    persons_max: Count | None = None


class DeliveryTerm(Group):
    """Where and with what warning persons are delivered, and who carries them."""

    places: tuple[Id, ...]
    notice_hours: Count
    carrier: SideName


class RetakingTerm(Group):
    """How soon a person is taken back, and at whose cost."""

    within_days: Count
    after_refusal_hours: Count
    cost: SideName


class ReturnsTerm(Group):
    """When the sending State must take a person back."""

    grounds: tuple[Code, ...]
    within_days: Count


class ReleaseTerm(Group):
    """Where persons are let go, and who verifies it."""

    place: Literal["sending", "receiving", "agreed"]
    verified_by: tuple[RoleName, ...]


class MonitorAccessTerm(Group):
    """Which bodies visit, and how."""

    bodies: tuple[Id, ...]
    notice_hours: Count
    unannounced: Flag
    private: Flag


class MedicalTerm(Group):
    """Who bears the cost of care, and what travels with the person."""

    cost: SideName
    extraordinary_cost: SideName
    file_travels: Flag
    fit_days: Count


class PropertyTerm(Group):
    """What becomes of a person's property on the way."""

    travels: Flag
    inventory_by_both: Flag


class ReportTerm(Group):
    """A report the custodian owes, and how often."""

    kind: Code
    every_days: Count
    to: RoleName


class NotificationTerm(Group):
    """Who is told of an occasion, and how soon."""

    occasion: Code
    to: Addressee
    within_hours: Count
    source: Literal["statute", "policy"]


class ZonesTerm(Group):
    """The civil time of each side."""

    sending: ZoneName
    receiving: ZoneName


class HolidaysTerm(Group):
    """Days on which each side releases nobody; an empty list says that there are none."""

    sending: tuple[CivilDate, ...]
    receiving: tuple[CivilDate, ...]


class TreatyEntry(Group):
    """A treaty both States state they are party to, and since when."""

    rule_set: Code
    name: Text
    in_force_since: CivilDate
    declarations: Digest | None = None


class EmploymentTerm(Group):
    """What work persons may do and what becomes of its proceeds (Compact, art. III(a)(3))."""

    programmes: Text
    proceeds: Text


class DisputesTerm(Group):
    """Who decides a dispute, by id or in words, and within how many days."""

    body: Text
    days: Count


class DraftTerms(Group):
    """All terms, in the order in which those that lack are told."""

    notice: NoticeTerm | None = None
    places: PlacesTerm | None = None
    who: WhoTerm | None = None
    approvals: tuple[Literal["receiving", "court"], ...] | None = None
    delivery: DeliveryTerm | None = None
    retaking: RetakingTerm | None = None
    responsibility_after: SideName | None = None
    onward: Literal["forbidden", "with-approval"] | None = None
    moves: Literal["free", "notice", "consent"] | None = None
    returns: ReturnsTerm | None = None
    release: ReleaseTerm | None = None
    monitor_access: MonitorAccessTerm | None = None
    medical: MedicalTerm | None = None
    property: PropertyTerm | None = None
    reports: tuple[ReportTerm, ...] | None = None
    notifications: tuple[NotificationTerm, ...] | None = None
    person_notice_hours: Count | None = None
    consent_final_at: Literal["verification", "departure", "offer"] | None = None
    zones: ZonesTerm | None = None
    holidays: HolidaysTerm | None = None
    treaty: tuple[TreatyEntry, ...] | None = None
    employment: EmploymentTerm | None = None
    disputes: DisputesTerm | None = None
    fees: Literal["none", "annex"] | None = None

    def as_sent(self) -> dict[str, object]:
        """The terms as JSON has them, nothing added and nothing left out."""
        return self.model_dump(mode="json", exclude_none=True)


_WHERE_NEEDED = frozenset({"consent_final_at", "treaty", "employment"})


def lacking(terms: DraftTerms, bases: Sequence[LegalBasis]) -> tuple[str, ...]:
    """The terms that are missing or empty, or that contradict what one of the listed sets fixes, in their order."""
    faulty = {
        name for name in DraftTerms.model_fields if name not in _WHERE_NEEDED and getattr(terms, name) in (None, ())
    }
    faulty.update(_without_effect(terms))
    faulty.update(_against_the_law(terms, bases))
    return tuple(name for name in DraftTerms.model_fields if name in faulty)


def _without_effect(terms: DraftTerms) -> Iterator[str]:
    """Terms that are there and leave nothing, or leave out what every agreement must have."""
    if terms.places is not None and not (terms.places.facilities or terms.places.classes):
        yield "places"
    if terms.who is not None and _covers_nobody(terms.who):
        yield "who"
    if "whereabouts-certificate" not in {report.kind for report in terms.reports or ()}:
        yield "reports"
    if not {"death", "escape"} <= {notice.occasion for notice in terms.notifications or ()}:
        yield "notifications"


def _covers_nobody(who: WhoTerm) -> bool:
    if () in (who.nationalities, who.sexes, who.offence_classes, who.basis_kinds) or who.persons_max == 0:
        return True
    return who.age_min is not None and who.age_max is not None and who.age_min > who.age_max


def _against_the_law(terms: DraftTerms, bases: Sequence[LegalBasis]) -> Iterator[str]:
    for basis in bases:
        if basis.responsibility_after not in (None, terms.responsibility_after):
            yield "responsibility_after"
        if basis.needs_consent and terms.consent_final_at is None:
            yield "consent_final_at"
        if basis.consent_final_at not in (None, terms.consent_final_at):
            yield "consent_final_at"
        if basis.code == COMPACT and terms.employment is None:
            yield "employment"
    named = Counter(entry.rule_set for entry in terms.treaty or ())
    if any(named[basis.code] != 1 for basis in bases if basis.is_treaty):
        yield "treaty"
