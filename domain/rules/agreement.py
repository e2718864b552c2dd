"""Making an agreement: a party drafts a revision, and it binds once each party has signed the digest of its terms.

A draft binds nobody. Every term is decided before the first signature, so that no person is moved on a silence. A
signed revision replaces the one before it from its own first day on, never for days already counted and billed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import msgspec
from pydantic import Field

from domain.canonical import digest
from domain.closed_lists import SideName
from domain.commands import CivilDate, Code, Command, Digest, Id, Positive, Value, body_of
from domain.events.agreement import AgreementDrafted, AgreementSigned, CustodyDaysClosed
from domain.events.event import Draft, Event, fresh
from domain.files.agreement import AgreementFile, Revision
from domain.legal.catalogue import CATALOGUE, LegalBasis, may_be_listed_together
from domain.legal.draft_terms import DraftTerms, lacking
from domain.names import AgreementId
from domain.refusals import ActorIsNotAParty, LegalBasisForbidsFees, Refusal
from domain.register import Register
from domain.rules.ruling import AnyRule, Call, Named, Rule, agreement_named

PARTIES: tuple[str, ...] = ("sending", "receiving")


class PartyNamed(Value):
    """One party and the side it takes."""

    authority: Id
    role: SideName


class DraftAgreement(Command):
    """A party puts a revision on the table; without an `agreement` it is the first of a new one."""

    name = "draft-agreement"
    agreement: Id | None = None
    revision: Positive
    parties: tuple[PartyNamed, ...]
    legal_bases: tuple[Code, ...]
    terms: DraftTerms
    from_: CivilDate = Field(alias="from")
    to: CivilDate


class SignAgreement(Command):
    """A party binds itself to a revision, naming the digest of the terms it has read."""

    name = "sign-agreement"
    agreement: Id
    revision: Positive
    terms_digest: Digest


@dataclass(eq=False)
class PartiesAreNotTwoStates(Refusal):
    """An agreement is made by one sending and one receiving authority, of two States."""

    states: tuple[str, ...]


@dataclass(eq=False)
class RuleSetIsUnknown(Refusal):
    """A legal basis is named that the register has no rules for."""

    rule_sets: tuple[str, ...]


@dataclass(eq=False)
class RuleSetsDoNotCombine(Refusal):
    """The legal bases cannot stand in one agreement between these States."""

    rule_sets: tuple[str, ...]


@dataclass(eq=False)
class TermsAreIncomplete(Refusal):
    """Terms are missing, empty or against what a legal basis fixes; all of them, in the order of the terms."""

    missing: tuple[str, ...]


@dataclass(eq=False)
class RevisionIsNotNext(Refusal):
    """Revisions are numbered from 1 without gaps."""

    revision: int
    next_revision: int


@dataclass(eq=False)
class RevisionChangesAClosedPeriod(Refusal):
    """The revision would govern days whose count is already fixed."""

    closed_to: date


@dataclass(eq=False)
class AgreementIsAlreadySigned(Refusal):
    """This party has signed this revision."""

    agreement: str
    revision: int


@dataclass(eq=False)
class RevisionIsSuperseded(Refusal):
    """A later revision, signed by all, leaves this one no day to be in force."""

    revision: int
    superseded_by: int


@dataclass(eq=False)
class TermsHaveChanged(Refusal):
    """The digest signed is not that of the draft's terms."""

    terms_digest: str


def _draft_refusals(register: Register, ask: DraftAgreement, call: Call) -> Iterator[Refusal]:
    file = register.agreement(ask.agreement) if ask.agreement is not None else None
    yield from _actor_is_no_party(file, ask, call)
    states = _states(register, ask)
    if sorted(party.role for party in ask.parties) != ["receiving", "sending"] or len(set(states)) != len(states):
        yield PartiesAreNotTwoStates(states)
    unknown = tuple(code for code in ask.legal_bases if code not in CATALOGUE)
    if unknown:
        yield RuleSetIsUnknown(unknown)
    if not may_be_listed_together(ask.legal_bases, states):
        yield RuleSetsDoNotCombine(ask.legal_bases)
    bases = [CATALOGUE[code] for code in ask.legal_bases]
    missing = _missing(ask, bases)
    if missing:
        yield TermsAreIncomplete(missing)
    forbidding = tuple(basis.code for basis in bases if not basis.allows_fees)
    if ask.terms.fees == "annex" and forbidding:
        yield LegalBasisForbidsFees(forbidding)
    next_revision = file.revisions[-1].body.revision + 1 if file is not None else 1
    if ask.revision != next_revision:
        yield RevisionIsNotNext(ask.revision, next_revision)
    # A revision governs every day from its first on, also those after its own end, on which then nothing holds.
    closed = max(_closed(file), default=None)
    if closed is not None and ask.from_ <= closed:
        yield RevisionChangesAClosedPeriod(closed)


def _actor_is_no_party(file: AgreementFile | None, ask: DraftAgreement, call: Call) -> Iterator[Refusal]:
    """Who drafts is a party of the draft, and of the agreement that it would change."""
    actor = call.by.authority
    named = {party.authority for party in ask.parties}
    if actor not in named or (file is not None and file.revisions[-1].side_of(actor) is None):
        yield ActorIsNotAParty(actor)


def _states(register: Register, ask: DraftAgreement) -> tuple[str, ...]:
    files = [register.authority(party.authority) for party in ask.parties]
    return tuple(file.state for file in files if file is not None)


def _missing(ask: DraftAgreement, bases: Sequence[LegalBasis]) -> tuple[str, ...]:
    """What lacks: first the legal bases, then the end where it lies before the beginning, then the terms."""
    body = (("legal_bases", not bases), ("to", ask.to < ask.from_))
    return (*(name for name, lacks in body if lacks), *lacking(ask.terms, bases))


def _closed(file: AgreementFile | None) -> Iterator[date]:
    for event in file.closed if file is not None else ():
        if isinstance(event.body, CustodyDaysClosed):
            yield event.body.period.to


def _drafted(ask: DraftAgreement) -> AgreementDrafted:
    terms = ask.terms.as_sent()
    agreement = ask.agreement if ask.agreement is not None else fresh("agreement")
    return body_of(AgreementDrafted, ask, agreement=agreement, terms=terms, terms_digest=digest(terms))


def _draft_records(_register: Register, ask: DraftAgreement, _call: Call) -> list[Draft]:
    body = _drafted(ask)
    draws = ("agreement",) if ask.agreement is None else ()
    return [Draft(stream=f"agreement:{body.agreement}", body=body, draws=draws)]


def _is_that_draft(ask: DraftAgreement, events: Sequence[Event]) -> bool:
    body = events[0].body
    return isinstance(body, AgreementDrafted) and msgspec.structs.replace(_drafted(ask), flags=body.flags) == body


def _told(events: Sequence[Event]) -> dict[str, str]:
    body = events[0].body
    assert isinstance(body, AgreementDrafted)
    return {"terms_digest": body.terms_digest}


def _signed(register: Register, ask: SignAgreement) -> tuple[AgreementFile, Revision]:
    file = register.agreement(ask.agreement)
    assert file is not None, "the prelude refuses unknown ids"
    revision = file.revision(ask.revision)
    assert revision is not None, "the prelude refuses unknown revisions"
    return file, revision


def _sign_refusals(register: Register, ask: SignAgreement, call: Call) -> Iterator[Refusal]:
    file, revision = _signed(register, ask)
    actor = call.by.authority
    if revision.side_of(actor) is None:
        yield ActorIsNotAParty(actor)
    if any(signature.actor.authority == actor for signature in revision.signatures):
        yield AgreementIsAlreadySigned(ask.agreement, ask.revision)
    first_day = max(revision.body.from_, call.today)
    for later in file.revisions:
        if later.body.revision > ask.revision and later.is_signed and later.body.from_ <= first_day:
            yield RevisionIsSuperseded(ask.revision, later.body.revision)
            break
    if ask.terms_digest != revision.body.terms_digest:
        yield TermsHaveChanged(revision.body.terms_digest)


def _sign_records(_register: Register, ask: SignAgreement, _call: Call) -> list[Draft]:
    return [Draft(stream=f"agreement:{ask.agreement}", body=body_of(AgreementSigned, ask))]


def _revision(agreement: str, revision: int) -> Named:
    return Named("revision", str(revision), scope=agreement)


RULES: tuple[AnyRule, ...] = (
    Rule(
        command=DraftAgreement,
        subject=lambda _register, ask: f"agreement:{ask.agreement or fresh('agreement')}",
        roles=PARTIES,
        scope=lambda _register, ask: AgreementId(ask.agreement) if ask.agreement is not None else None,
        names=lambda ask: [Named("authority", party.authority) for party in ask.parties],
        brings=lambda ask: _revision(ask.agreement, ask.revision) if ask.agreement is not None else None,
        same=_is_that_draft,
        refusals=_draft_refusals,
        records=_draft_records,
        tells=_told,
    ),
    Rule(
        command=SignAgreement,
        subject=lambda _register, ask: f"agreement:{ask.agreement}",
        roles=PARTIES,
        scope=agreement_named,
        names=lambda ask: [Named("agreement", ask.agreement), _revision(ask.agreement, ask.revision)],
        refusals=_sign_refusals,
        records=_sign_records,
    ),
)
