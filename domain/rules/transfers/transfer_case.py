"""A transfer as the register has it, made ready for the law: who speaks for whom, and the case to be judged.

The terms are those of the revision the transfer cites, to its end. Instants are recorded ones: `call.now` for what is
being decided, `recorded_at` for what stands.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from domain.custody.local_days import local_date
from domain.custody.state import CustodyState, TransferState
from domain.events.event import Event
from domain.events.transfer import ConditionEvidenced, TransferRequested
from domain.files.agreement import Revision
from domain.files.authority import AuthorityFile
from domain.legal.case import Case, Destination, Evidence, Ground, Moment, Outcome, Side
from domain.legal.judging import failing, judge, spared_at
from domain.legal.rule_sets import RuleSet, that_judge
from domain.names import AgreementId, AuthorityId, BasisId, PersonId, StateCode
from domain.refusals import ConditionsAreNotMet, Refusal
from domain.register import Register
from domain.rules.ruling import UNKNOWN_SCOPE, Call
from domain.terms import Terms


@dataclass(eq=False)
class DestinationIsNotUnderTheReceivingAuthority(Refusal):
    """Neither the receiving party nor a body that it runs has that place."""

    facility: str
    receiving: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Deal:
    """The revision a transfer stands on, read for its two sides."""

    agreement: AgreementId
    revision: Revision
    terms: Terms
    sending_state: StateCode
    receiving_state: StateCode

    @property
    def sending(self) -> AuthorityId:
        """The party that sends."""
        return self.revision.party("sending")

    @property
    def receiving(self) -> AuthorityId:
        """The party that receives."""
        return self.revision.party("receiving")


def deal(register: Register, agreement: str, revision: int) -> Deal:
    """The revision of that number, which is known; a recorded one has complete terms and registered parties."""
    file = register.agreement(agreement)
    found = file.revision(revision) if file is not None else None
    assert found is not None, "the revision is looked up before the rules"
    assert found.terms is not None, "a draft with incomplete terms is refused"
    sending, receiving = (register.authority(found.party(side)) for side in ("sending", "receiving"))
    assert sending is not None, "parties are registered"
    assert receiving is not None, "parties are registered"
    return Deal(
        agreement=AgreementId(agreement),
        revision=found,
        terms=found.terms,
        sending_state=sending.state,
        receiving_state=receiving.state,
    )


def request_of(register: Register, transfer: str) -> TransferRequested | None:
    """The first request recorded under a transfer's id, also where it counts no more; `None` if there is none."""
    origin = register.origins("transfer", transfer)
    body = origin[0].body if origin else None
    return body if isinstance(body, TransferRequested) else None


def agreement_of(register: Register, transfer: str) -> AgreementId:
    """The agreement in whose scope roles are read for a transfer."""
    request = request_of(register, transfer)
    return request.agreement if request is not None else UNKNOWN_SCOPE


def speaks_for(register: Register, terms: Deal, call: Call) -> frozenset[Side]:
    """The sides the actor speaks for today; holding both State roles speaks for no other State."""
    file = register.authority(call.by.authority)
    return frozenset(_sides(file, terms, call.today)) if file is not None else frozenset()


def _sides(file: AuthorityFile, terms: Deal, on: date) -> Iterator[Side]:
    if file.state == terms.sending_state and file.holds("sending", on, terms.agreement):
        yield "sending"
    if file.state == terms.receiving_state and file.holds("receiving", on, terms.agreement):
        yield "receiving"
    if file.holds("court", on, terms.agreement):
        yield "court"


def rule_sets_of(transfer: TransferState, terms: Deal) -> tuple[RuleSet, ...]:
    """The versions that judge a transfer: those in force on its day of receipt."""
    return that_judge(
        transfer.body.rule_sets,
        purpose=transfer.body.purpose,
        sending=terms.sending_state,
        receiving=terms.receiving_state,
        received=local_date(transfer.requested.recorded_at, terms.terms.zones.receiving),
    )


def case_of(
    register: Register,
    request: TransferRequested,
    evidence: Iterable[Event],
    *,
    requested_at: datetime,
    now: datetime,
    place: str | None = None,
    departs_at: datetime | None = None,
) -> Case:
    """The case of a transfer, judged now; `place` is the one reserved, `departs_at` an offer's own time."""
    terms = deal(register, request.agreement, request.revision)
    person = register.person(request.person)
    assert person is not None, "the person is looked up before the rules"
    return Case(
        at=now,
        requested_at=requested_at,
        purpose=request.purpose,
        sending_state=terms.sending_state,
        receiving_state=terms.receiving_state,
        terms=terms.terms,
        rule_sets=request.rule_sets,
        basis=_ground(register, person.head, request.basis),
        responsibility_after=request.responsibility_after,
        window_from=request.window_from,
        departs_at=departs_at,
        place=_destination(register, place),
        persons_counted=_persons_counted(register, request, terms),
        identity_status=person.identity_status,
        evidence=tuple(_record(register, event, terms) for event in evidence),
    )


def status_of(transfer: TransferState | None) -> str:
    """How a transfer stands, for a refusal; `corrected` where its request counts no more."""
    return transfer.status if transfer is not None else "corrected"


def destination_is_elsewhere(register: Register, facility: str, terms: Deal) -> Iterator[Refusal]:
    """`destination-is-not-under-the-receiving-authority`."""
    file = register.facility(facility)
    if file is None or not register.answers_for(terms.receiving, file.authority):
        yield DestinationIsNotUnderTheReceivingAuthority(facility, terms.receiving)


def conditions_fail(person: str, case: Case, moment: Moment) -> Iterator[Refusal]:
    """`conditions-are-not-met`, with every condition that refuses at `moment`."""
    found = failing(judge(case, moment), spared_at(case, moment))
    if found:
        yield ConditionsAreNotMet({person: found})


def outcomes(case: Case, moment: Moment) -> Mapping[str, Outcome]:
    """What is recorded of the conditions: an outcome each, never a value."""
    return judge(case, moment)


def _ground(register: Register, head: CustodyState, basis_id: BasisId) -> Ground:
    basis = head.bases.get(basis_id)
    if basis is None:
        return Ground(kind="", ordering_state=None)
    ordering = register.authority(basis.body.ordering_authority)
    return Ground(kind=basis.body.kind, ordering_state=ordering.state if ordering is not None else None)


def _destination(register: Register, place: str | None) -> Destination | None:
    file = register.facility(place) if place is not None else None
    return Destination(facility=file.facility, kind=file.body.kind) if file is not None else None


def _persons_counted(register: Register, request: TransferRequested, terms: Deal) -> int:
    """The others under the agreement: approved, on the way, or held where it brought them; 0 without a limit."""
    if terms.terms.who.persons_max is None:
        return 0
    return sum(
        _counts(register, person, terms) for person in register.under(terms.agreement) if person != request.person
    )


def _counts(register: Register, person: PersonId, terms: Deal) -> bool:
    file = register.person(person)
    if file is None:
        return False
    head = file.head
    custodian = head.custodian.value
    received = head.in_custody and custodian is not None and register.answers_for(terms.receiving, custodian)
    return any(
        transfer.status in ("approved", "in-transit", "refused") or (transfer.status == "completed" and received)
        for transfer in head.transfers.values()
        if transfer.body.agreement == terms.agreement
    )


def _record(register: Register, event: Event, terms: Deal) -> Evidence:
    body = event.body
    assert isinstance(body, ConditionEvidenced)
    return Evidence(
        key=f"{body.rule_set}/{body.condition}",
        authority=event.actor.authority,
        sides=frozenset(_spoke_for(register.authority(event.actor.authority), terms)),
        outcome=_OUTCOMES[body.outcome],
        on=local_date(event.recorded_at, terms.terms.zones.sending),
    )


def _spoke_for(file: AuthorityFile | None, terms: Deal) -> Iterator[Side]:
    """Whose evidence it was. It was granted, so State and bench tell, also after the roles of that day are replaced."""
    state = file.state if file is not None else None
    if state == terms.sending_state:
        yield "sending"
    if state == terms.receiving_state:
        yield "receiving"
    is_court = file is not None and any(role.role == "court" for role in file.roles)
    if is_court or state not in (terms.sending_state, terms.receiving_state):
        yield "court"


_OUTCOMES: dict[str, Outcome] = {"met": "met", "not-met": "not-met", "waived": "waived"}
