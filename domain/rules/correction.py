"""Putting a wrong fact right: it is declared wrong, countersigned, and the right one may stand in its place.

Nothing is edited. The correction says which event counts no more and why, the replacement follows on the same stream,
and every view then reads as if the right fact had been recorded first. Undoing a correction is itself one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from pydantic_core import PydanticCustomError

from domain.commands import Command, Id, Sealed, Value, body_of
from domain.events.event import NEXT_EVENT, Draft, Event, stream_id
from domain.events.person import (
    FactCorrected,
    HandoverAccepted,
    HandoverOffered,
    HandoverRefused,
    HoldLifted,
    HoldPlaced,
)
from domain.files.agreement import Revision
from domain.files.person import PersonFile
from domain.names import AgreementId, EventId
from domain.refusals import (
    CountersignatureIsMissing,
    EventIsUnknown,
    NobodyConfirmsTheirOwnAct,
    OccurredAtIsInTheFuture,
    Refusal,
)
from domain.register import PERSONAL, Register
from domain.rules import replacement
from domain.rules.acts import roles_of
from domain.rules.money.treasury import invoice_scope
from domain.rules.replacement import Replacement
from domain.rules.ruling import FUTURE_MAX, UNKNOWN_SCOPE, AnyRule, Call, Named, Roles, Rule, unknown
from domain.rules.transfers.transfer_case import agreement_of, request_of


class Countersigner(Value):
    """The officer of the other side, or of an auditor, who confirms the correction."""

    authority: Id
    officer: Id


class CorrectFact(Command):
    """Declare one recorded event wrong. Incorrect data come with their replacement, a duplicate with the one kept."""

    name = "correct-fact"
    corrects: Id
    reason: Literal["did-not-occur", "incorrect-data", "duplicate"]
    replacement: Replacement | None = None
    kept: Id | None = None
    countersigned_by: Countersigner | None = None
    explanation: Sealed | None = None

    def model_post_init(self, _context: object) -> None:
        """Only incorrect data are replaced, and only of duplicates is one kept."""
        if self.replacement is not None and self.reason != "incorrect-data":
            raise PydanticCustomError("replacement", "only incorrect data are replaced")
        if self.kept is not None and self.reason != "duplicate":
            raise PydanticCustomError("kept", "only of duplicates is one kept")


@dataclass(eq=False)
class EventIsAlreadyCorrected(Refusal):
    """A correction of the event counts, or the event fell away with one; `by` is that correction."""

    event: str
    by: str | None


@dataclass(eq=False)
class CorrectionCanOnlyBeUndone(Refusal):
    """A correction itself is only ever declared not to have occurred."""

    event: str


@dataclass(eq=False)
class EventHasItsOwnRemedy(Refusal):
    """Facts of that kind are put right by another act; `remedy` names it."""

    event: str
    remedy: str


@dataclass(eq=False)
class ActorDidNotIssueIt(Refusal):
    """Another authority recorded the fact."""

    event: str
    issued_by: str


@dataclass(eq=False)
class ReplacementIsMissing(Refusal):
    """Incorrect data need the right ones; a duplicate needs another event that counts and is kept."""

    event: str


@dataclass(eq=False)
class ReplacementIsOfAnotherKind(Refusal):
    """Another type of event, another person, or another thing."""

    event: str


# What is corrected.

_REMEDIES = {"agreement": "denounce", "invoice": "credit-note", "authority": "later-record", "facility": "later-record"}
"""By the kind of stream, how facts of it are put right that are not a person's alone."""


def _remedy(wrong: Event) -> str | None:
    """How a fact of that kind is put right otherwise; `None` where correcting it is the way."""
    if isinstance(wrong.body, HoldPlaced | HoldLifted):
        return "lift"
    kind = wrong.stream.partition(":")[0]
    return None if kind in PERSONAL else _REMEDIES.get(kind, "none")


def _file(register: Register, event: Event) -> PersonFile | None:
    """The file of the person concerned; `None` for what is not about one."""
    kind, _, id_ = event.stream.partition(":")
    if kind == "person":
        return register.person(id_)
    return register.person_of("transfer", id_) if kind == "transfer" else None


def _first_wrong(register: Register, event: Event) -> Event:
    """The fact behind an event: for a correction the one it names in the end."""
    file = _file(register, event)
    while isinstance(event.body, FactCorrected) and file is not None:
        named = file.event(event.body.corrects)
        assert named is not None, "a correction stands on the stream of what it names"
        event = named
    return event


def _roles(register: Register, ask: CorrectFact) -> Roles:
    event = register.event(ask.corrects)
    return roles_of(register, _first_wrong(register, event)) if event is not None else ()


def _scope(register: Register, ask: CorrectFact) -> AgreementId | None:
    event = register.event(ask.corrects)
    if event is None:
        return UNKNOWN_SCOPE
    fact = _first_wrong(register, event)
    match fact.stream.split(":"):
        case ["agreement", agreement]:
            return AgreementId(agreement)
        case ["invoice", _, number]:
            return invoice_scope(register, number)
    transfer = _transfer(register, fact)
    return agreement_of(register, transfer) if transfer is not None else None


# Who countersigns.


def _transfer(register: Register, wrong: Event) -> str | None:
    """The transfer that a fact with two sides belongs to; `None` for one with a single side."""
    match wrong.body:
        case (
            HandoverOffered(handover=handover)
            | HandoverAccepted(handover=handover)
            | HandoverRefused(handover=handover)
        ):
            offer = register.origins("handover", handover)[0].body
            assert isinstance(offer, HandoverOffered)
            return offer.transfer
        case _:
            return stream_id(wrong.stream) if wrong.stream.startswith("transfer:") else None


def _revision(register: Register, transfer: str) -> Revision:
    standing = register.transfer(transfer)
    request = standing.body if standing is not None else request_of(register, transfer)
    file = register.agreement(request.agreement) if request is not None else None
    revision = file.revision(request.revision) if file is not None and request is not None else None
    assert revision is not None, "a transfer stands on a revision on record"
    return revision


class _Countersigning(NamedTuple):
    """Who may countersign: in words, and by authority; an auditor where `authorities` is `None`."""

    side: str
    authorities: frozenset[str] | None


def _countersigning(register: Register, wrong: Event, call: Call) -> _Countersigning:
    """S6: the party of the other State; for a court's act either party; for a fact with one side an auditor."""
    transfer = _transfer(register, wrong)
    if transfer is None:
        return _Countersigning("auditor", None)
    revision = _revision(register, transfer)
    parties = {party.authority: party.role for party in revision.body.parties}
    actor = register.authority(call.by.authority)
    assert actor is not None, "roles are read before the rules"
    if actor.holds("court", call.today, agreement_of(register, transfer)):
        return _Countersigning("either-party", frozenset(parties))
    others = {id_: role for id_, role in parties.items() if _state_of(register, id_) != actor.state}
    return _Countersigning(" or ".join(others.values()), frozenset(others))


def _state_of(register: Register, authority: str) -> str | None:
    file = register.authority(authority)
    return file.state if file is not None else None


def _unsigned(register: Register, ask: CorrectFact, wrong: Event, call: Call) -> Iterator[Refusal]:
    """`countersignature-is-missing`: by nobody, or by a third authority; then `nobody-confirms-their-own-act`."""
    signer = ask.countersigned_by.authority if ask.countersigned_by is not None else None
    if signer == call.by.authority:
        yield NobodyConfirmsTheirOwnAct("S6")
        return
    side, authorities = _countersigning(register, wrong, call)
    file = register.authority(signer) if signer is not None else None
    if authorities is not None:
        signed = signer in authorities
    else:
        signed = file is not None and file.holds("auditor", call.today, None)
    if not signed:
        yield CountersignatureIsMissing(side)


# Judging.


def _lacks(register: Register, ask: CorrectFact, call: Call) -> Iterator[Refusal]:
    """What cannot be read without the event: its replacement's schema, ids and time."""
    wrong, given = register.event(ask.corrects), ask.replacement
    if wrong is None:
        yield EventIsUnknown(ask.corrects)
        return
    if given is not None and not isinstance(wrong.body, FactCorrected) and _remedy(wrong) is None:
        unfit = list(replacement.malformed(wrong, given))
        yield from unfit or unknown(register, replacement.names(wrong, given), call.by.authority)
    yield from unknown(register, _named_beside(ask), call.by.authority)
    if given is not None and given.occurred_at > call.now + FUTURE_MAX:
        yield OccurredAtIsInTheFuture(given.occurred_at, call.now)


def _named_beside(ask: CorrectFact) -> Iterator[Named]:
    if ask.kept is not None:
        yield Named("event", ask.kept)
    if ask.countersigned_by is not None:
        yield Named("authority", ask.countersigned_by.authority)


def _refusals(register: Register, ask: CorrectFact, call: Call) -> Iterator[Refusal]:
    wrong = register.event(ask.corrects)
    assert wrong is not None, "an unknown event is refused before the rules"
    file = _file(register, wrong)
    yield from _already_corrected(register, file, wrong)
    if isinstance(wrong.body, FactCorrected) and ask.reason != "did-not-occur":
        yield CorrectionCanOnlyBeUndone(ask.corrects)
    remedy = _remedy(wrong)
    if remedy is not None:
        yield EventHasItsOwnRemedy(ask.corrects, remedy)
    if wrong.actor.authority != call.by.authority:
        yield ActorDidNotIssueIt(ask.corrects, wrong.actor.authority)
    yield from _unsigned(register, ask, _first_wrong(register, wrong), call)
    yield from _not_replaced(register, ask, wrong, file)


def _already_corrected(register: Register, file: PersonFile | None, wrong: Event) -> Iterator[Refusal]:
    """Of one event one correction counts, also after an undoing has brought an earlier one back."""
    if file is None:
        return
    counting = file.counting(register)
    if not counting.counts(wrong):
        correction = counting.corrected_by.get(wrong.event_id)
        yield EventIsAlreadyCorrected(wrong.event_id, correction.event_id if correction is not None else None)
    undone = file.event(wrong.body.corrects) if isinstance(wrong.body, FactCorrected) else None
    if undone is not None and isinstance(undone.body, FactCorrected):
        other = counting.corrected_by.get(undone.body.corrects)
        if other is not None:
            yield EventIsAlreadyCorrected(undone.body.corrects, other.event_id)


def _not_replaced(register: Register, ask: CorrectFact, wrong: Event, file: PersonFile | None) -> Iterator[Refusal]:
    given = ask.replacement
    if ask.reason == "incorrect-data":
        if given is None:
            yield ReplacementIsMissing(ask.corrects)
        elif replacement.is_of_another_kind(wrong, given):
            yield ReplacementIsOfAnotherKind(ask.corrects)
    if ask.reason == "duplicate":
        kept = register.event(ask.kept) if ask.kept is not None else None
        counts = kept is not None and file is not None and file.counting(register).counts(kept)
        if kept is None or kept.event_id == wrong.event_id or not counts:
            yield ReplacementIsMissing(ask.corrects)
        elif type(kept.body) is not type(wrong.body) or kept.stream != wrong.stream:
            yield ReplacementIsOfAnotherKind(ask.corrects)


def _records(register: Register, ask: CorrectFact, _call: Call) -> list[Draft]:
    wrong = register.event(ask.corrects)
    assert wrong is not None, "an unknown event is refused before the rules"
    if ask.replacement is None:
        return [Draft(stream=wrong.stream, body=body_of(FactCorrected, ask))]
    right = replacement.body(wrong, ask.replacement)
    return [
        Draft(stream=wrong.stream, body=body_of(FactCorrected, ask, replacement=NEXT_EVENT)),
        Draft(stream=wrong.stream, body=right, occurred_at=ask.replacement.occurred_at),
    ]


def _home(register: Register, ask: CorrectFact) -> str:
    wrong = register.event(EventId(ask.corrects))
    return wrong.stream if wrong is not None else ""


RULES: tuple[AnyRule, ...] = (
    Rule(
        command=CorrectFact,
        subject=_home,
        roles=_roles,
        scope=_scope,
        lacks=_lacks,
        events=lambda ask: [ask.corrects, *([ask.kept] if ask.kept is not None else [])],
        refusals=_refusals,
        records=_records,
    ),
)
