"""What custody under an agreement costs: one treasury proposes, the other signs the digest of the proposal.

A schedule binds nobody until both have signed, and then never changes what a closed period was billed by. A place is
priced once: at any date it lies in at most one schedule of a payer. So far a schedule has one price, a day of custody
at one rate.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Literal

import msgspec
from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from domain.billing.schedules import SignedSchedule, signed_schedules
from domain.canonical import digest
from domain.commands import CivilDate, Command, CurrencyCode, Digest, Id, Positive, RateText, Value, body_of
from domain.events.agreement import CustodyDaysClosed, FeeScheduleProposed, FeeScheduleSigned, Validity
from domain.events.event import Draft, Event, stream_id
from domain.files.agreement import AgreementFile, Revision
from domain.legal.catalogue import CATALOGUE
from domain.money import read_rate
from domain.names import AgreementId
from domain.refusals import ActorIsNotAParty, LegalBasisForbidsFees, Refusal
from domain.register import Register
from domain.rules.money.treasury import agreement_asked, state_of
from domain.rules.ruling import AnyRule, Call, Named, Rule, agreement_named

TREASURIES: tuple[str, ...] = ("treasury-payee", "treasury-payer")
DAYS_MAX = 3650

DayCount = Annotated[int, Field(ge=0, le=DAYS_MAX, strict=True)]
Series = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{2,12}$", strict=True)]
_FIRST_N = re.compile(r"first-[1-9][0-9]{0,3}", re.ASCII)


def _absence_term(value: str) -> str:
    if value not in ("billed", "not-billed") and _FIRST_N.fullmatch(value) is None:
        raise PydanticCustomError("code-is-not-listed", "a code that is not listed")
    return value


def _whole(value: object) -> object:
    # A listed number equals a truth value, which is another thing to sign.
    if isinstance(value, bool):
        raise PydanticCustomError("int_type", "not a number")
    return value


AbsenceTerm = Annotated[str, Field(strict=True), AfterValidator(_absence_term)]
"""`billed`, `not-billed`, or `first-3`: the first three midnights of each absence."""


class ValidityIn(Value):
    """Local dates, both inclusive; an open end has no `to`."""

    from_: CivilDate = Field(alias="from")
    to: CivilDate | None = None


class RateIn(Value):
    """A price a day: `rate` divided by `per`, for local dates."""

    rate: RateText
    per: Annotated[Literal[1, 360, 365, 366], BeforeValidator(_whole)]
    from_: CivilDate = Field(alias="from")
    to: CivilDate | None = None


class ComponentIn(Value):
    """A priced part; the only model so far is custody days times one rate."""

    model: Literal["per-diem"]
    rates: tuple[RateIn]


class BillingIn(Value):
    """When a period is closed, and how later truth is billed."""

    period: Literal["calendar-month"]
    close_after_days: DayCount
    adjustments: Literal["at-once", "next-run"] | None = None


class RoundingIn(Value):
    """Which way and where an amount is rounded."""

    mode: Literal["half-up", "half-even", "down"] | None = None
    place: Literal["line-amount", "rate-first", "on-total"] | None = None


class AbsencesIn(Value):
    """Which midnights of an absence are billed, by its kind; where a kind is left out, all of them."""

    hospital: AbsenceTerm | None = None
    court: AbsenceTerm | None = None
    other: AbsenceTerm | None = None


class ProposeFeeSchedule(Command):
    """A treasury puts a schedule on the table; what it leaves out is not part of what the other one signs."""

    name = "propose-fee-schedule"
    agreement: Id
    schedule: Id
    revision: Positive
    payee: Id
    payer: Id
    currency: CurrencyCode
    valid: ValidityIn
    facilities: Annotated[tuple[Id, ...], Field(min_length=1, max_length=500)]
    pools: Annotated[tuple[tuple[Id, ...], ...], Field(max_length=0)] | None = None
    series: Series
    components: Annotated[tuple[ComponentIn, ...], Field(max_length=1)]
    day_rule: Literal["arrival-not-departure", "midnight", "both-ends"]
    same_day: Annotated[Literal[0, 1], BeforeValidator(_whole)] | None = None
    in_transit: Literal["not-billed", "releasing-place"] | None = None
    absences: AbsencesIn | None = None
    holds: tuple[Literal["ill-treatment"], ...] | None = None
    billing: BillingIn
    rounding: RoundingIn | None = None
    year_basis: Literal["365", "360", "actual"] | None = None
    terms_days: DayCount
    dispute_days: DayCount


class SignFeeSchedule(Command):
    """The other treasury binds itself, naming the digest of the proposal it has read."""

    name = "sign-fee-schedule"
    agreement: Id
    schedule: Id
    proposal_digest: Digest


@dataclass(eq=False)
class ScheduleIsAlreadyProposed(Refusal):
    """A schedule of that id stands under the agreement, with other content."""

    schedule: str


@dataclass(eq=False)
class PartiesAreTheSame(Refusal):
    """Payee and payer must be authorities of the two different States."""

    payee: str
    payer: str


@dataclass(eq=False)
class ScheduleEndsBeforeItStarts(Refusal):
    """The last date of the schedule lies before its first."""

    from_: date
    to: date


@dataclass(eq=False)
class ComponentIsMissing(Refusal):
    """A schedule without a component prices nothing."""


@dataclass(eq=False)
class SeriesIsTaken(Refusal):
    """Another schedule of the register numbers its invoices so."""

    series: str


@dataclass(eq=False)
class RateIsNegative(Refusal):
    """Custody never earns the payer money."""

    rate: str


@dataclass(eq=False)
class FacilityIsNotThePayees(Refusal):
    """These places do not lie in the payee's State."""

    facilities: tuple[str, ...]


@dataclass(eq=False)
class FacilityIsUnderAnotherSchedule(Refusal):
    """On some of these dates the place is priced already, or the agreement's months are billed by that schedule."""

    facilities: tuple[str, ...]
    agreement: str
    schedule: str


@dataclass(eq=False)
class PeriodIsClosed(Refusal):
    """The dates concerned lie in a closed period, whose terms do not change."""

    closed_to: date


@dataclass(eq=False)
class ActorIsNotTheOtherParty(Refusal):
    """A proposal is signed by the treasury that did not make it."""

    authority: str
    other_party: str


@dataclass(eq=False)
class ScheduleIsAlreadySigned(Refusal):
    """Both treasuries have signed it."""

    schedule: str


@dataclass(eq=False)
class ProposalHasChanged(Refusal):
    """The digest signed is not that of the proposal."""

    proposal_digest: str


def _propose_refusals(register: Register, ask: ProposeFeeSchedule, call: Call) -> Iterator[Refusal]:
    file = agreement_asked(register, ask.agreement)
    if register.knows("schedule", f"{ask.agreement}/{ask.schedule}"):
        yield ScheduleIsAlreadyProposed(ask.schedule)
    yield from _not_a_party(register, file, ask, call)
    payee_state = state_of(register, ask.payee)
    if payee_state == state_of(register, ask.payer):
        yield PartiesAreTheSame(ask.payee, ask.payer)
    yield from _fees_forbidden(file.revisions[-1])
    if ask.valid.to is not None and ask.valid.to < ask.valid.from_:
        yield ScheduleEndsBeforeItStarts(ask.valid.from_, ask.valid.to)
    if not ask.components:
        yield ComponentIsMissing()
    if register.knows("series", ask.series):
        yield SeriesIsTaken(ask.series)
    for rate in (row.rate for component in ask.components for row in component.rates):
        if read_rate(rate) < 0:
            yield RateIsNegative(rate)
    places = [register.facility(facility) for facility in ask.facilities]
    elsewhere = tuple(place.facility for place in places if place is not None and place.body.state != payee_state)
    if elsewhere:
        yield FacilityIsNotThePayees(elsewhere)
    asked = _proposed(ask)
    yield from _priced_already(register, file.agreement, asked)
    yield from _period_is_closed(file, asked.valid)
    yield from _month_is_shared(register, file.agreement, asked)


def _not_a_party(register: Register, file: AgreementFile, ask: ProposeFeeSchedule, call: Call) -> Iterator[Refusal]:
    """Payee and payer are authorities of the two States that hold these roles; the actor is one of them."""
    named = {"treasury-payee": ask.payee, "treasury-payer": ask.payer}
    parties = {authority for role, authority in named.items() if _is_treasury(register, file, authority, role, call)}
    if call.by.authority not in parties:
        yield ActorIsNotAParty(call.by.authority)
    for other in named.values():
        if other not in parties:
            yield ActorIsNotAParty(other)


def _is_treasury(register: Register, file: AgreementFile, authority: str, role: str, call: Call) -> bool:
    found = register.authority(authority)
    sides = (register.authority(party.authority) for party in file.revisions[-1].body.parties)
    states = {side.state for side in sides if side is not None}
    return found is not None and found.state in states and found.holds(role, call.today, file.agreement)


def _fees_forbidden(revision: Revision) -> Iterator[Refusal]:
    """A legal basis under which the receiving State bears the cost, or terms that say `none`."""
    bases = [CATALOGUE[code] for code in revision.body.legal_bases if code in CATALOGUE]
    forbidding = tuple(basis.code for basis in bases if not basis.allows_fees)
    if forbidding or (revision.terms is not None and revision.terms.fees == "none"):
        yield LegalBasisForbidsFees(forbidding)


def _priced_already(register: Register, agreement: AgreementId, asked: FeeScheduleProposed) -> Iterator[Refusal]:
    """A signed schedule prices one of the places for the payer on one of the dates."""
    proposed = (event for place in asked.facilities for event in register.origins("priced", place))
    for id_ in dict.fromkeys(AgreementId(stream_id(event.stream)) for event in proposed):
        for other in _signed_beside(register, id_, agreement, asked):
            shared = tuple(place for place in asked.facilities if place in other.body.facilities)
            if shared and other.body.payer == asked.payer and _overlap(other.body.valid, asked.valid):
                yield FacilityIsUnderAnotherSchedule(shared, id_, other.body.schedule)


def _month_is_shared(register: Register, agreement: AgreementId, asked: FeeScheduleProposed) -> Iterator[Refusal]:
    """One invoice bills a month of an agreement, so two of its schedules never share one."""
    for other in _signed_beside(register, agreement, agreement, asked):
        if _overlap(_months(other.body.valid), _months(asked.valid)):
            yield FacilityIsUnderAnotherSchedule(asked.facilities, agreement, other.body.schedule)


def _signed_beside(
    register: Register, of: AgreementId, agreement: AgreementId, asked: FeeScheduleProposed
) -> Iterator[SignedSchedule]:
    """The signed schedules of the agreement `of`, the one asked about apart."""
    file = register.agreement(of)
    for schedule in signed_schedules(file) if file is not None else ():
        if (of, schedule.body.schedule) != (agreement, asked.schedule):
            yield schedule


def _overlap(one: Validity, other: Validity) -> bool:
    return (one.to is None or other.from_ <= one.to) and (other.to is None or one.from_ <= other.to)


def _months(valid: Validity) -> Validity:
    return Validity(from_=valid.from_.replace(day=1), to=valid.to.replace(day=1) if valid.to is not None else None)


def _period_is_closed(file: AgreementFile, valid: Validity) -> Iterator[Refusal]:
    bodies = (event.body for event in file.closed)
    closed = [body.period for body in bodies if isinstance(body, CustodyDaysClosed)]
    touched = [period.to for period in closed if _overlap(Validity(from_=period.from_, to=period.to), valid)]
    if touched:
        yield PeriodIsClosed(max(touched))


def _proposed(ask: ProposeFeeSchedule) -> FeeScheduleProposed:
    absences = ask.absences.model_dump(exclude_none=True) if ask.absences is not None else None
    return body_of(FeeScheduleProposed, ask, absences=absences)


def _propose_records(_register: Register, ask: ProposeFeeSchedule, _call: Call) -> list[Draft]:
    return [Draft(stream=f"agreement:{ask.agreement}", body=_proposed(ask))]


def proposal_digest(agreement: str, body: FeeScheduleProposed) -> str:
    """SHA-256 of the canonical JSON of a proposal as sent, with the agreement it belongs to (MONEY §11)."""
    plain = msgspec.to_builtins(body)
    assert isinstance(plain, dict)
    sent = {name: value for name, value in plain.items() if name not in ("flags", "precision")}
    return digest({"agreement": agreement, **sent})


def _told(events: Sequence[Event]) -> dict[str, str]:
    event = events[0]
    assert isinstance(event.body, FeeScheduleProposed)
    return {"proposal_digest": proposal_digest(stream_id(event.stream), event.body)}


def _sign_refusals(register: Register, ask: SignFeeSchedule, call: Call) -> Iterator[Refusal]:
    schedule = register.schedule(ask.agreement, ask.schedule)
    assert schedule is not None, "the prelude refuses unknown ids"
    proposer = schedule.proposed.actor.authority
    other_party = schedule.body.payer if proposer == schedule.body.payee else schedule.body.payee
    if call.by.authority != other_party:
        yield ActorIsNotTheOtherParty(call.by.authority, other_party)
    if schedule.signed is not None:
        yield ScheduleIsAlreadySigned(ask.schedule)
    proposed = proposal_digest(ask.agreement, schedule.body)
    if ask.proposal_digest != proposed:
        yield ProposalHasChanged(proposed)
    # Of two proposals on the table the first one signed holds.
    agreement = AgreementId(ask.agreement)
    yield from _priced_already(register, agreement, schedule.body)
    yield from _month_is_shared(register, agreement, schedule.body)


def _sign_records(_register: Register, ask: SignFeeSchedule, _call: Call) -> list[Draft]:
    return [Draft(stream=f"agreement:{ask.agreement}", body=body_of(FeeScheduleSigned, ask))]


def _schedule(ask: ProposeFeeSchedule | SignFeeSchedule) -> Named:
    return Named("schedule", ask.schedule, scope=ask.agreement)


RULES: tuple[AnyRule, ...] = (
    Rule(
        command=ProposeFeeSchedule,
        subject=lambda _register, ask: f"agreement:{ask.agreement}",
        roles=TREASURIES,
        scope=agreement_named,
        names=lambda ask: [
            Named("agreement", ask.agreement),
            Named("authority", ask.payee),
            Named("authority", ask.payer),
            *(Named("facility", facility) for facility in ask.facilities),
        ],
        brings=_schedule,
        refusals=_propose_refusals,
        records=_propose_records,
        tells=_told,
    ),
    Rule(
        command=SignFeeSchedule,
        subject=lambda _register, ask: f"agreement:{ask.agreement}",
        roles=TREASURIES,
        scope=agreement_named,
        names=lambda ask: [Named("agreement", ask.agreement), _schedule(ask)],
        refusals=_sign_refusals,
        records=_sign_records,
    ),
)
