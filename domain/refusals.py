"""The domain saying no: a refusal is a type with data, named by a sentence, and never holds a personal value.

A refusal's class name is its code in camel case: `ActorIsNotTheReceiver` is `actor-is-not-the-receiver`. A refusal
that one act alone can meet stands in that act's module; those that several share stand here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import ClassVar

from domain.money import Money

_WORD = re.compile(r"(?<!^)(?=[A-Z])")


@dataclass(eq=False)
class Refusal(Exception):
    """Why a command is not granted; nothing of it is recorded."""

    code: ClassVar[str] = "refusal"

    def __init_subclass__(cls, **options: object) -> None:
        """Derive the code from the sentence that is the class's name."""
        super().__init_subclass__(**options)
        cls.code = _WORD.sub("-", cls.__name__).lower()

    def data(self) -> dict[str, object]:
        """What a person needs to go on: ids, dates, lists, amounts, by field name."""
        return {item.name.rstrip("_"): _shown(getattr(self, item.name)) for item in fields(self)}

    def __str__(self) -> str:
        """The code and its data, for logs and tests."""
        return f"{self.code} {self.data()}"


def _shown(value: object) -> object:
    return {"amount": value.text, "currency": value.currency} if isinstance(value, Money) else value


def every_refusal(root: type[Refusal] = Refusal) -> Iterator[type[Refusal]]:
    """Each kind of refusal the loaded modules define."""
    for kind in root.__subclasses__():
        yield kind
        yield from every_refusal(kind)


# At the edge.


@dataclass(eq=False)
class BodyIsMalformed(Refusal):
    """The body is not one the gate or the schema lets through; `where` are JSON Pointers, never values."""

    reason: str
    where: tuple[str, ...] = ()


@dataclass(eq=False)
class CodeIsNotListed(Refusal):
    """A field holds a code that its closed list does not have."""

    where: tuple[str, ...]


@dataclass(eq=False)
class TimeHasNoOffset(Refusal):
    """A time came without its offset from UTC."""

    where: tuple[str, ...]


@dataclass(eq=False)
class AmountIsNotText(Refusal):
    """An amount or a rate came as a number: some readers of JSON would change it."""

    where: tuple[str, ...]


@dataclass(eq=False)
class AmountIsTooPrecise(Refusal):
    """More decimals than the currency has, or a rate may have; zeros count."""

    where: tuple[str, ...]


@dataclass(eq=False)
class AmountIsMalformed(Refusal):
    """An amount or a rate is not a plain decimal text."""

    where: tuple[str, ...]


@dataclass(eq=False)
class CurrencyIsUnknown(Refusal):
    """No circulating currency has that ISO 4217 code, or it has no minor unit."""

    where: tuple[str, ...]


@dataclass(eq=False)
class AmountIsOutOfRange(Refusal):
    """2^53 minor units or more."""

    where: tuple[str, ...]


@dataclass(eq=False)
class ActorIsUnknown(Refusal):
    """No credential, or none valid now."""


@dataclass(eq=False)
class IdempotencyKeyIsMissing(Refusal):
    """A command came without the key that makes it safe to send again."""


@dataclass(eq=False)
class IdempotencyKeyWasUsedForAnotherBody(Refusal):
    """The authority has used this key for another command."""

    key: str


@dataclass(eq=False)
class EventIsTooLarge(Refusal):
    """A leaf would be larger than a leaf may be; documents enter by their digest only."""

    bytes: int
    bytes_max: int


# Before every rule.


@dataclass(eq=False)
class RoleIsNotHeld(Refusal):
    """The actor's authority holds none of the roles that may ask for this, in the scope concerned."""

    authority: str
    roles: tuple[str, ...]


@dataclass(eq=False)
class AuthorityIsUnknown(Refusal):
    """No authority of that id is registered."""

    authority: str


@dataclass(eq=False)
class FacilityIsUnknown(Refusal):
    """No facility of that id is registered."""

    facility: str


@dataclass(eq=False)
class AgreementIsUnknown(Refusal):
    """No agreement of that id, or not that revision of it, is drafted."""

    agreement: str
    revision: int | None = None


@dataclass(eq=False)
class PersonIsUnknown(Refusal):
    """No person of that id, or none the actor has a part in."""

    person: str


@dataclass(eq=False)
class BasisIsUnknown(Refusal):
    """The person has no basis of that id."""

    basis: str


@dataclass(eq=False)
class HoldIsUnknown(Refusal):
    """No hold of that id was placed."""

    hold: str


@dataclass(eq=False)
class TransferIsUnknown(Refusal):
    """No transfer of that id was requested."""

    transfer: str


@dataclass(eq=False)
class MovementIsUnknown(Refusal):
    """No movement of that id was planned."""

    movement: str


@dataclass(eq=False)
class HandoverIsUnknown(Refusal):
    """No handover of that id was offered."""

    handover: str


@dataclass(eq=False)
class ReleaseIsUnknown(Refusal):
    """The person has no release of that id."""

    release: str


@dataclass(eq=False)
class ScheduleIsUnknown(Refusal):
    """No fee schedule of that id was proposed under the agreement."""

    schedule: str


@dataclass(eq=False)
class InvoiceIsUnknown(Refusal):
    """No invoice of that number was issued."""

    number: str


@dataclass(eq=False)
class EventIsUnknown(Refusal):
    """No event of that id stands in the record."""

    event: str


@dataclass(eq=False)
class OccurredAtIsInTheFuture(Refusal):
    """The time given lies more than five minutes ahead of the register's clock."""

    occurred_at: datetime
    now: datetime


@dataclass(eq=False)
class VersionHasMoved(Refusal):
    """The file has changed since the caller read it."""

    version: int
    expected: int


@dataclass(eq=False)
class OccurredAtIsBeforeTheLastFact(Refusal):
    """A claim cannot be dated before the latest change of status or custodian."""

    person: str
    last_fact_at: datetime


# Shared rules.


@dataclass(eq=False)
class PersonIsDead(Refusal):
    """The person has died."""

    person: str


@dataclass(eq=False)
class PersonIsHeldByAnotherAuthority(Refusal):
    """Somebody else than the actor has the person in custody."""

    person: str
    held_by: str
    since: datetime


@dataclass(eq=False)
class PersonIsNotHeldHere(Refusal):
    """The person is not held: in transit, absent, released or never in custody."""

    person: str
    status: str


@dataclass(eq=False)
class PersonIsNotInCustody(Refusal):
    """The person is not in custody, or the file is closed."""

    person: str
    status: str


@dataclass(eq=False)
class HoldForbidsDeparture(Refusal):
    """A court's hold forbids the person to leave."""

    holds: tuple[str, ...]


@dataclass(eq=False)
class HoldForbidsHandover(Refusal):
    """A court's hold forbids handing the person over."""

    holds: tuple[str, ...]


@dataclass(eq=False)
class HoldForbidsRelease(Refusal):
    """A court's hold forbids the release."""

    holds: tuple[str, ...]


@dataclass(eq=False)
class HoldForbidsMove(Refusal):
    """A court's hold forbids the move."""

    holds: tuple[str, ...]


@dataclass(eq=False)
class AgreementIsNotInForce(Refusal):
    """The agreement is not signed by all, has not begun, or has ended, on the day concerned."""

    agreement: str
    on: date


@dataclass(eq=False)
class BasisIsNotLive(Refusal):
    """No basis of the person justifies custody on that local date."""

    person: str
    on: date


@dataclass(eq=False)
class BasisDoesNotCoverTheWindow(Refusal):
    """The basis cited is not valid on some date of the window."""

    basis: str
    window_from: date
    window_to: date


@dataclass(eq=False)
class ConditionsAreNotMet(Refusal):
    """Every condition that is `not-met` or `unknown`, in the order of the rule sets, for each person."""

    conditions: Mapping[str, Mapping[str, str]]


@dataclass(eq=False)
class FacilityUseIsProhibited(Refusal):
    """The place takes nobody in."""

    facility: str


@dataclass(eq=False)
class FacilityIsFull(Refusal):
    """Those held, allocated, reserved and newly asked for exceed the operational capacity on `on`."""

    facility: str
    on: date
    capacity: int
    expected: int


@dataclass(eq=False)
class OriginAndDestinationAreTheSame(Refusal):
    """A move must lead somewhere else."""

    facility: str


@dataclass(eq=False)
class WhereaboutsDiffer(Refusal):
    """The place named as the present one is not where the register has the person."""

    person: str
    at: str


@dataclass(eq=False)
class FacilityIsOfAnotherAuthority(Refusal):
    """The place is not run by the authority that acts (or that the command names)."""

    facility: str
    authority: str


@dataclass(eq=False)
class NobodyConfirmsTheirOwnAct(Refusal):
    """A separation rule fails; `rule` names which (S1 to S7, DOMAIN §1)."""

    rule: str


@dataclass(eq=False)
class CountersignatureIsMissing(Refusal):
    """The other side has not signed beside it."""

    side: str


@dataclass(eq=False)
class SecondApprovalIsMissing(Refusal):
    """It needs two different officers of the acting authority, one of them the actor."""

    authority: str


@dataclass(eq=False)
class ActorIsNotAParty(Refusal):
    """The acting authority is not a party."""

    authority: str


@dataclass(eq=False)
class LegalBasisForbidsFees(Refusal):
    """Fees are asked for beside `legal_bases` that allow none; none listed means that the terms say `fees: none`."""

    legal_bases: tuple[str, ...] = ()


@dataclass(eq=False)
class TransferIsClosed(Refusal):
    """The transfer has ended."""

    transfer: str
    status: str


@dataclass(eq=False)
class NoHandoverIsOpen(Refusal):
    """There is no offer that waits for an answer."""

    handover: str
