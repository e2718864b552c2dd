"""What stands in place of a wrong fact: the body of the same kind of event, whole, as the event's own command reads it.

A replacement says what was, so it passes the schema of its command and none of its rules. It keeps the mode of the
fact it replaces, and with it the full effect of a claim that was granted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Literal

import msgspec
from pydantic import Field, JsonValue, StringConstraints

from domain.commands import Command, FieldName, Time, Value, body_of, parse
from domain.events.event import Body, DualFact, Event, stream_id
from domain.events.person import (
    CustodyBasisRecorded,
    HandoverAccepted,
    HandoverOffered,
    HandoverRefused,
    PersonRegistered,
    PersonReleased,
    ReleaseDeclaredErroneous,
    ReleaseOrdered,
    ReleaseVerified,
)
from domain.events.transfer import (
    ConditionEvidenced,
    TransferApproved,
    TransferRequested,
)
from domain.legal.case import Outcome
from domain.refusals import BodyIsMalformed, CodeIsNotListed, Refusal, TimeHasNoOffset
from domain.rules.acts import ACTS
from domain.rules.ruling import Named
from domain.rules.transfers import approval, transfer

ConditionKey = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]*/[a-z0-9][a-z0-9-]*$", max_length=129)]


class RecordedRequest(transfer.RequestTransfer):
    """A request as its event has it, with the outcomes judged then."""

    outcomes: dict[ConditionKey, Outcome]


class RecordedApproval(approval.ApproveTransfer):
    """An approval as its event has it, with the outcomes judged then."""

    outcomes: dict[ConditionKey, Outcome]


class RecordedEvidence(transfer.EvidenceCondition):
    """Evidence as its event has it, with the fields that were opened for it."""

    opened_fields: tuple[FieldName, ...]


class Replacement(Value):
    """The right fact: when it happened, and the event's body with every field it needs."""

    occurred_at: Time
    precision: Literal["minute", "day"] | None = None
    body: dict[Annotated[str, Field(max_length=64)], JsonValue]


_AS_RECORDED: dict[type[Body], type[Command]] = {
    TransferRequested: RecordedRequest,
    TransferApproved: RecordedApproval,
    ConditionEvidenced: RecordedEvidence,
}
"""Where the event says more than its command."""

OWN_IDS: dict[type[Body], tuple[str, ...]] = {
    PersonRegistered: ("person",),
    CustodyBasisRecorded: ("basis",),
    TransferRequested: ("transfer", "person"),
    HandoverOffered: ("handover",),
    HandoverAccepted: ("handover",),
    HandoverRefused: ("handover",),
    ReleaseOrdered: ("release",),
    PersonReleased: ("release",),
    ReleaseVerified: ("release",),
    ReleaseDeclaredErroneous: ("release",),
}
"""The ids by which a fact says what it is about; with another one it is another fact."""

_NOT_SENT = {"flags", "mode", "precision"}


def malformed(wrong: Event, given: Replacement) -> Iterator[Refusal]:
    """What the schema of the event refuses in the body given for it: `body-is-malformed` and its like."""
    fields = {field.encode_name: field.required for field in msgspec.structs.fields(type(wrong.body))}
    unfit = [name for name in given.body if name not in fields or name in _NOT_SENT]
    unfit += [name for name, required in fields.items() if required and name not in {*given.body, *_NOT_SENT}]
    if unfit:
        yield BodyIsMalformed("schema", tuple(f"/replacement/body/{name}" for name in unfit))
        return
    try:
        _as_command(wrong, given)
    except BodyIsMalformed as refusal:
        yield BodyIsMalformed(refusal.reason, _within(refusal.where))
    except (CodeIsNotListed, TimeHasNoOffset) as refusal:
        yield type(refusal)(_within(refusal.where))


def names(wrong: Event, given: Replacement) -> Iterable[Named]:
    """The ids that the body given leans on; it is well formed."""
    found: Iterable[Named] = ACTS[type(wrong.body)].names(_as_command(wrong, given))
    return found


def is_of_another_kind(wrong: Event, given: Replacement) -> bool:
    """Whether the body given is about another person, transfer, handover or release."""
    return any(given.body[name] != getattr(wrong.body, name) for name in OWN_IDS.get(type(wrong.body), ()))


def body(wrong: Event, given: Replacement) -> Body:
    """The body of the event that takes the wrong one's place; of its flags it keeps `inferred` alone."""
    flags = tuple(flag for flag in wrong.flags if flag == "inferred")
    replaced: Body = body_of(type(wrong.body), _as_command(wrong, given), flags=flags)
    return replaced


def _as_command(wrong: Event, given: Replacement) -> Command:
    kind = type(wrong.body)
    act: type[Command] = _AS_RECORDED.get(kind, ACTS[kind].command)
    data: dict[str, object] = {**given.body, "occurred_at": given.occurred_at, "precision": given.precision}
    if kind.stream_kind in act.model_fields and kind.stream_kind not in kind.__struct_fields__:
        data[kind.stream_kind] = stream_id(wrong.stream)
    if isinstance(wrong.body, DualFact):
        data["mode"] = wrong.body.mode
    return parse(act, data)


def _within(where: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"/replacement/body{path}" for path in where)
