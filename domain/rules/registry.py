"""The registry: which public bodies and places there are, what each may do, and how many a place may hold.

Nothing else can be recorded before it stands here. Whoever oversees custody never carries it out: the roles of courts,
monitors, auditors, counsel and the clock are kept apart from those that hold people or money (DOMAIN §1, S8).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from itertools import combinations
from typing import Literal

from msgspec.structs import replace
from pydantic import Field

from domain.closed_lists import FacilityKind, RoleName
from domain.commands import CivilDate, Command, Count, Digest, Flag, Id, Text, Time, Value, body_of
from domain.custody.local_days import day_start, is_zone, local_date
from domain.events.authority import AuthorityRegistered, AuthorityRolesSet
from domain.events.event import Draft, fresh
from domain.events.facility import FacilityCapacityCertified, FacilityRegimeSet, FacilityRegistered
from domain.files.facility import FacilityFile
from domain.iso3166 import is_recognised
from domain.refusals import Refusal, RoleIsNotHeld
from domain.register import Register
from domain.rules.people.person_checks import of_another_authority
from domain.rules.ruling import AnyRule, Call, Named, Rule
from domain.rules.two_officers import second_approval_missing

REGISTRAR = ("registrar",)
STATES_OWN = ("sending", "receiving")
OVERSIGHT = ("court", "monitor")
KEPT_APART = frozenset({"court", "monitor", "auditor", "counsel", "clock"})
CUSTODY_AND_MONEY = frozenset({"sending", "escort", "receiving", "treasury-payer", "treasury-payee"})
TREASURIES = frozenset({"treasury-payer", "treasury-payee"})


class RegisterAuthority(Command):
    """A public body enters the register; `outside_register` marks one that will never sign here."""

    name = "register-authority"
    authority: Id | None = None
    state: Text
    legal_name: Text
    outside_register: Flag
    parent: Id | None = None


class RoleGiven(Value):
    """A role for UTC dates, both inclusive; under one agreement, or for the State where none is named."""

    role: RoleName
    agreement: Id | None = None
    from_: CivilDate = Field(alias="from")
    to: CivilDate | None = None


class SetAuthorityRoles(Command):
    """The roles of an authority are replaced, all of them."""

    name = "set-authority-roles"
    authority: Id
    roles: tuple[RoleGiven, ...]


class RegisterFacility(Command):
    """A place where persons are deprived of liberty is recognised and enters the register."""

    name = "register-facility"
    facility: Id | None = None
    authority: Id
    state: Text
    kind: FacilityKind
    zone: Text
    recognised_by: Digest
    supervising_authority: Id


class CertifyCapacity(Command):
    """The running authority certifies how many persons a place may hold from a local date on."""

    name = "certify-capacity"
    facility: Id
    operational_capacity: Count
    normal_accommodation: Count | None = None
    from_: CivilDate = Field(alias="from")
    certificate: Digest
    approved_by: tuple[Id, ...]


class SetFacilityRegime(Command):
    """Who supervises a place and whether it may be used, from an instant on.

    Naming the supervisor in force asks about the use, naming another asks about supervision.
    """

    name = "set-facility-regime"
    facility: Id
    supervising_authority: Id
    use: Literal["permitted", "prohibited"]
    from_: Time = Field(alias="from")
    ground: Digest | None = None


@dataclass(eq=False)
class AuthorityIsAlreadyRegistered(Refusal):
    """Another body stands under that id."""

    authority: str


@dataclass(eq=False)
class StateIsNotRecognised(Refusal):
    """The code is neither of ISO 3166-1 nor of ISO 3166-2."""

    state: str

    def data(self) -> dict[str, object]:
        """Nothing: what stands in place of the code may be any text."""
        return {}


@dataclass(eq=False)
class RolesConflict(Refusal):
    """Two roles that one authority never holds on the same date."""

    roles: tuple[str, ...]


@dataclass(eq=False)
class FacilityIsAlreadyRegistered(Refusal):
    """Another place stands under that id."""

    facility: str


@dataclass(eq=False)
class TimeZoneIsUnknown(Refusal):
    """The IANA data base has no zone of that name."""

    facility: str | None


@dataclass(eq=False)
class AuthorityIsOfAnotherState(Refusal):
    """A place is run by an authority of the State it is registered for."""

    authority: str
    state: str


@dataclass(eq=False)
class CapacityIsBelowOccupancy(Refusal):
    """More persons are, or were at the beginning of `on`, in the place than it would be certified for."""

    facility: str
    on: date
    held: int


@dataclass(eq=False)
class CertificateIsOlderThanTheOneInForce(Refusal):
    """A certificate that holds today begins later than this one."""

    facility: str
    in_force_from: date


@dataclass(eq=False)
class SupervisionWouldChangeThePast(Refusal):
    """Who supervised a place then is settled."""

    facility: str
    supervising_authority: str


def _authority_refusals(register: Register, ask: RegisterAuthority, _call: Call) -> Iterator[Refusal]:
    if ask.authority is not None and register.knows("authority", ask.authority):
        yield AuthorityIsAlreadyRegistered(ask.authority)
    if not is_recognised(ask.state):
        yield StateIsNotRecognised(ask.state)


def _authority_records(_register: Register, ask: RegisterAuthority, _call: Call) -> list[Draft]:
    authority = ask.authority or fresh("authority")
    draws = () if ask.authority else ("authority",)
    body = body_of(AuthorityRegistered, ask, authority=authority)
    return [Draft(stream=f"authority:{authority}", body=body, draws=draws)]


def _role_refusals(_register: Register, ask: SetAuthorityRoles, _call: Call) -> Iterator[Refusal]:
    for one, other in combinations(ask.roles, 2):
        if _share_a_date(one, other) and _conflict(one, other):
            yield RolesConflict(tuple(sorted((one.role, other.role))))
            return


def _share_a_date(one: RoleGiven, other: RoleGiven) -> bool:
    ends = [role.to for role in (one, other) if role.to is not None]
    return max(one.from_, other.from_) <= min(ends, default=date.max)


def _conflict(one: RoleGiven, other: RoleGiven) -> bool:
    roles = {one.role, other.role}
    if roles & KEPT_APART and roles & CUSTODY_AND_MONEY:
        return True
    return roles == TREASURIES and (one.agreement is None or other.agreement in (None, one.agreement))


def _role_records(_register: Register, ask: SetAuthorityRoles, _call: Call) -> list[Draft]:
    return [Draft(stream=f"authority:{ask.authority}", body=body_of(AuthorityRolesSet, ask))]


def _facility_refusals(register: Register, ask: RegisterFacility, _call: Call) -> Iterator[Refusal]:
    if ask.facility is not None and register.knows("facility", ask.facility):
        yield FacilityIsAlreadyRegistered(ask.facility)
    if not is_zone(ask.zone):
        yield TimeZoneIsUnknown(ask.facility)
    authority = register.authority(ask.authority)
    if authority is not None and authority.state != ask.state:
        yield AuthorityIsOfAnotherState(ask.authority, authority.state)


def _facility_records(_register: Register, ask: RegisterFacility, _call: Call) -> list[Draft]:
    facility = ask.facility or fresh("facility")
    draws = () if ask.facility else ("facility",)
    body = body_of(FacilityRegistered, ask, facility=facility)
    return [Draft(stream=f"facility:{facility}", body=body, draws=draws)]


def _place(register: Register, facility: str) -> FacilityFile:
    file = register.facility(facility)
    assert file is not None, "the prelude refuses unknown ids"
    return file


def _capacity_refusals(register: Register, ask: CertifyCapacity, call: Call) -> Iterator[Refusal]:
    place = _place(register, ask.facility)
    today = local_date(call.now, place.body.zone)
    yield from of_another_authority(register, ask.facility, call.by.authority)
    yield from second_approval_missing(ask.approved_by, call)
    for day, held in _rolls(register, place, ask.from_, today):
        if held > ask.operational_capacity:
            yield CapacityIsBelowOccupancy(ask.facility, day, held)
            break
    in_force = place.certificate_on(today)
    if in_force is not None and ask.from_ < in_force.from_:
        yield CertificateIsOlderThanTheOneInForce(ask.facility, in_force.from_)


def _rolls(register: Register, place: FacilityFile, begins: date, today: date) -> Iterator[tuple[date, int]]:
    """How many are in the place now, and how many were when `begins` began where that is no later day."""
    yield today, sum(1 for _ in register.held_at(place.facility))
    if begins <= today:
        instant = day_start(begins, place.body.zone)
        yield (
            begins,
            sum(1 for person in register.ever_at(place.facility) if _is_there(register, person, place, instant)),
        )


def _is_there(register: Register, person: str, place: FacilityFile, instant: datetime) -> bool:
    file = register.person(person)
    state = file.at(instant, register) if file is not None else None
    return state is not None and state.placement is not None and state.placement.value == place.facility


def _capacity_records(_register: Register, ask: CertifyCapacity, _call: Call) -> list[Draft]:
    return [Draft(stream=f"facility:{ask.facility}", body=body_of(FacilityCapacityCertified, ask))]


def _asks_about_use(register: Register, ask: SetFacilityRegime) -> bool:
    return _place(register, ask.facility).supervisor_at(ask.from_) == ask.supervising_authority


def _regime_roles(register: Register, ask: SetFacilityRegime) -> tuple[str, ...]:
    if register.facility(ask.facility) is None or not register.knows("authority", ask.supervising_authority):
        return ()
    return (*OVERSIGHT, *STATES_OWN) if _asks_about_use(register, ask) else REGISTRAR


def roles_of_regime(place: FacilityFile, regime: FacilityRegimeSet) -> tuple[str, ...]:
    """Those that a regime on record was asked for with: whose it was, the supervisor until then decides."""
    until_then = replace(place, regimes=place.regimes[: place.regimes.index(regime)])
    is_about_use = until_then.supervisor_at(regime.from_) == regime.supervising_authority
    return (*OVERSIGHT, *STATES_OWN) if is_about_use else REGISTRAR


def _regime_refusals(register: Register, ask: SetFacilityRegime, call: Call) -> Iterator[Refusal]:
    place = _place(register, ask.facility)
    # Whether a role is held is judged before every rule; of which State it must be, and that a registrar who names
    # another supervisor does not end a prohibition by the way, only the place can say.
    ends_prohibition = ask.use == "permitted" and place.is_prohibited_at(ask.from_)
    if (_asks_about_use(register, ask) or ends_prohibition) and not _may_decide_use(register, place, call):
        yield RoleIsNotHeld(call.by.authority, (*OVERSIGHT, *STATES_OWN))
    if not _asks_about_use(register, ask) and ask.use == "permitted" and ask.from_ < call.now:
        yield SupervisionWouldChangeThePast(ask.facility, place.supervisor_at(ask.from_))


def _may_decide_use(register: Register, place: FacilityFile, call: Call) -> bool:
    authority = register.authority(call.by.authority)
    if authority is None:
        return False
    roles = (*OVERSIGHT, *STATES_OWN) if authority.state == place.body.state else OVERSIGHT
    return any(authority.holds(role, call.today, None) for role in roles)


def _regime_records(_register: Register, ask: SetFacilityRegime, _call: Call) -> list[Draft]:
    return [Draft(stream=f"facility:{ask.facility}", body=body_of(FacilityRegimeSet, ask))]


RULES: tuple[AnyRule, ...] = (
    Rule(
        command=RegisterAuthority,
        subject=lambda _register, ask: f"authority:{ask.authority or fresh('authority')}",
        roles=REGISTRAR,
        names=lambda ask: [Named("authority", ask.parent)] if ask.parent is not None else [],
        brings=lambda ask: Named("authority", ask.authority) if ask.authority is not None else None,
        refusals=_authority_refusals,
        records=_authority_records,
    ),
    Rule(
        command=SetAuthorityRoles,
        subject=lambda _register, ask: f"authority:{ask.authority}",
        roles=REGISTRAR,
        names=lambda ask: [
            Named("authority", ask.authority),
            *(Named("agreement", given.agreement) for given in ask.roles if given.agreement is not None),
        ],
        refusals=_role_refusals,
        records=_role_records,
    ),
    Rule(
        command=RegisterFacility,
        subject=lambda _register, ask: f"facility:{ask.facility or fresh('facility')}",
        roles=REGISTRAR,
        names=lambda ask: [Named("authority", ask.authority), Named("authority", ask.supervising_authority)],
        brings=lambda ask: Named("facility", ask.facility) if ask.facility is not None else None,
        refusals=_facility_refusals,
        records=_facility_records,
    ),
    Rule(
        command=CertifyCapacity,
        subject=lambda _register, ask: f"facility:{ask.facility}",
        roles=STATES_OWN,
        names=lambda ask: [Named("facility", ask.facility)],
        refusals=_capacity_refusals,
        records=_capacity_records,
    ),
    Rule(
        command=SetFacilityRegime,
        subject=lambda _register, ask: f"facility:{ask.facility}",
        roles=_regime_roles,
        names=lambda ask: [Named("facility", ask.facility), Named("authority", ask.supervising_authority)],
        refusals=_regime_refusals,
        records=_regime_records,
    ),
)
