"""What the model would answer: whether a command is granted, and else the code it is refused with.

`verdict` is what the rest comes for. Before an act's own rules come those that hold for every command.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from tests.model import acts, corrections, money
from tests.model.answers import Answered
from tests.model.asked import Call, Codes
from tests.model.world import World

ANYBODY = (*acts.CUSTODIAL, "court", "monitor", "auditor", "counsel")
REUSED = "idempotency-key-was-used-for-another-body"


class Act(NamedTuple):
    """One command: the roles of which one must be held, the ids it leans on, what it brings, and its refusals."""

    roles: tuple[str, ...]
    refusals: Callable[[Call], Codes]
    names: Callable[[Mapping[str, Any]], Iterator[tuple[str, ...]]] = lambda data: iter(())
    brings: str | None = None
    is_timed: bool = False
    lacks: Callable[[Call], Codes] = lambda call: iter(())
    scope: str | None = None
    """The field whose id leads to the agreement that a role may be held for."""


def verdict(world: World, answered: Answered, now: datetime) -> str | None:
    """The code with which the command is refused when it is judged now; `None` if it is granted or a repeat."""
    act = ACTS[answered.name]
    call = Call(world, answered.authority, answered.officer, answered.data, now)
    before = world.keys.get(answered.who)
    if before is not None:
        return None if (before.name, before.data) == (answered.name, answered.data) else REUSED
    if repeated(world, answered) is not None:
        return None
    return next(_refusals(act, call), None)


def repeated(world: World, answered: Answered) -> Answered | None:
    """The command that this one repeats because it brings the same id and says the same."""
    first = world.brought.get(brought_by(answered) or ())
    if first is None or first.authority != answered.authority or first.name != answered.name:
        return None
    given = {**answered.data, "occurred_at": answered.data.get("occurred_at", first.data.get("occurred_at"))}
    said = {**first.data, "occurred_at": first.data.get("occurred_at")}
    return first if given == said else None


def brought_by(answered: Answered) -> tuple[str, ...] | None:
    """The id that a command brings into the world, in the scope in which it is unique."""
    field = ACTS[answered.name].brings
    if field is None:
        return None
    scope = answered.data[SCOPES[field]] if field in SCOPES else ""
    revision = str(answered.data.get("revision", "")) if field == "agreement" else ""
    return (field, scope, answered.data[field], revision)


def _refusals(act: Act, call: Call) -> Codes:
    actor = call.world.authorities.get(call.by)
    if actor is None:
        yield "actor-is-unknown"
        return
    roles = _roles(act, call) if _scope_is_known(act, call) else ()
    if not any(actor.holds(role, call.today, None) for role in roles or {held[0] for held in actor.roles}):
        yield "role-is-not-held"
    yield from _unknown(call.world, act.names(call.data))
    yield from act.lacks(call)
    if act is ACTS["correct-fact"]:
        yield from corrections.lacks(call, lambda world, name, data: _unknown(world, ACTS[name].names(data)))
    if call.at > call.soon:
        yield "occurred-at-is-in-the-future"
    if act.is_timed and not call.is_report:
        offered_at = call.offer.offered_at if act is ACTS["accept-handover"] else None
        bounds = [bound for bound in (call.person.now.last_change, offered_at) if bound is not None]
        if any(call.at < bound for bound in bounds):
            yield "occurred-at-is-before-the-last-fact"
    if not call.is_report:
        yield from act.refusals(call)


def _roles(act: Act, call: Call) -> tuple[str, ...]:
    """The roles of which one must be held; none in particular where nobody knows yet."""
    if act is not ACTS["correct-fact"]:
        return act.roles
    fact = corrections.fact_behind(call.world, call.data["corrects"])
    return ACTS[fact.name].roles if fact is not None else ()


def _scope_is_known(act: Act, call: Call) -> bool:
    """Whether the id is known that leads to the agreement a role may be held for; else any role is enough."""
    world = call.world
    known: dict[str, Mapping[str, object]] = {
        "transfer": world.transfers,
        "handover": world.offers,
        "agreement": world.agreements,
        "number": world.money.invoices,
    }
    return act.scope is None or call.data[act.scope] in known[act.scope]


def _unknown(world: World, names: Iterator[tuple[str, ...]]) -> Codes:
    known: dict[str, Mapping[str, object]] = {
        "authority": world.authorities,
        "facility": world.facilities,
        "agreement": world.agreements,
        "person": world.people,
        "transfer": world.transfers,
        "handover": world.offers,
        "hold": world.holds,
        "invoice": world.money.invoices,
    }
    for kind, *ids in names:
        match kind:
            case "revision":
                is_known = int(ids[1]) in world.agreements[ids[0]]
            case "basis":
                is_known = ids[1] in world.people[ids[0]].bases
            case "release":
                is_known = ids[1] in world.people[ids[0]].releases
            case "schedule":
                is_known = (ids[0], ids[1]) in world.money.schedules
            case _:
                is_known = ids[0] in known[kind]
        if not is_known:
            yield f"{'agreement' if kind == 'revision' else kind}-is-unknown"
            return


# The table.


def _named(*fields: str) -> Callable[[Mapping[str, Any]], Iterator[tuple[str, ...]]]:
    """The ids in these fields, `kind` where the field is named after its kind, else `field=kind`."""

    def names(data: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
        for entry in fields:
            field, _, kind = entry.partition("=")
            value: Any = data
            for part in field.split("."):
                value = value.get(part)
            kind = kind or field.rpartition(".")[2]
            for id_ in value if isinstance(value, list | tuple) else [value] * (value is not None):
                if kind in ("basis", "release"):
                    yield kind, data["person"], id_
                elif kind in ("revision", "schedule"):
                    yield kind, data["agreement"], id_
                else:
                    yield kind, id_

    return names


def _allocated(data: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    yield "agreement", data["agreement"]
    for part in data["allocations"]:
        yield "invoice", part["invoice"]


def _parties(data: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for party in data["parties"]:
        yield "authority", party["authority"]


_TREASURY = ("treasury-payee", "treasury-payer")
_SIDES = ("sending", "receiving")
_ORDERING = ("sending", "court")
_APPROVING = ("receiving", "court")
_SIDES_OR_COURT = ("sending", "receiving", "court")
_VERIFYING = ("monitor", "sending", "court", "counsel")
_OPENING = ("person", "facility", "authority", "basis", "deprived_by=authority", "supervising_authority=authority")
_MOVING = ("person", "from_facility=facility", "to_facility=facility")
_REQUESTING = ("person", "agreement", "revision", "basis", "from_facility=facility", "to_facility=facility")
_RELEASING = ("releasing.authority", "releasing.facility", "receiving.authority", "receiving.facility")
_OFFERING = ("transfer", "place=facility", *_RELEASING)
_ACCEPTING = ("handover", "receiving.authority", "receiving.facility", "place=facility")
_PROPOSING = ("agreement", "payee=authority", "payer=authority", "facilities=facility")
_FACILITY = ("authority", "supervising_authority=authority")

ACTS: dict[str, Act] = {
    "register-authority": Act(("registrar",), acts.register_authority, brings="authority"),
    "set-authority-roles": Act(("registrar",), acts.set_roles, _named("authority")),
    "register-facility": Act(("registrar",), acts.register_facility, _named(*_FACILITY), "facility"),
    "certify-capacity": Act(_SIDES, acts.certify, _named("facility")),
    "draft-agreement": Act(_SIDES, acts.draft, _parties, "agreement"),
    "sign-agreement": Act(_SIDES, acts.sign, _named("agreement", "revision"), scope="agreement"),
    "propose-fee-schedule": Act(_TREASURY, money.propose, _named(*_PROPOSING), "schedule", scope="agreement"),
    "sign-fee-schedule": Act(_TREASURY, money.sign, _named("agreement", "schedule"), scope="agreement"),
    "register-person": Act(("sending",), acts.register_person, brings="person"),
    "record-basis": Act(_ORDERING, acts.record_basis, _named("person", "ordering_authority=authority"), "basis"),
    "open-custody": Act(_SIDES, acts.open_custody, _named(*_OPENING), is_timed=True),
    "record-move-within": Act(_SIDES, acts.move, _named(*_MOVING), is_timed=True),
    "report-presence": Act(ANYBODY, acts.nothing, _named("person", "facility")),
    "place-hold": Act(("court",), acts.place_hold, _named("persons=person"), "hold"),
    "lift-hold": Act(("court",), acts.lift_hold, _named("hold")),
    "request-transfer": Act(("sending",), acts.request, _named(*_REQUESTING), "transfer", scope="agreement"),
    "evidence-condition": Act(_SIDES_OR_COURT, acts.evidence, _named("transfer"), scope="transfer"),
    "approve-transfer": Act(_APPROVING, acts.approve, _named("transfer", "reserved.facility"), scope="transfer"),
    "reject-transfer": Act(_APPROVING, acts.reject, _named("transfer"), scope="transfer"),
    "cancel-transfer": Act(_SIDES_OR_COURT, acts.cancel, _named("transfer"), scope="transfer"),
    "offer-handover": Act(("sending",), acts.offer, _named(*_OFFERING), "handover", is_timed=True, scope="transfer"),
    "accept-handover": Act(("receiving",), acts.accept, _named(*_ACCEPTING), is_timed=True, scope="handover"),
    "refuse-handover": Act(("receiving",), acts.refuse, _named("handover"), scope="handover"),
    "order-release": Act(_ORDERING, acts.order, _named("person", "bases=basis"), "release"),
    "record-release": Act(_SIDES, acts.release, _named("person", "facility"), is_timed=True, lacks=acts.release_lacks),
    "verify-release": Act(_VERIFYING, acts.verify, _named("person", "release"), is_timed=True),
    "declare-release-erroneous": Act(("court", "sending", "receiving"), acts.declare, _named("person", "release")),
    "correct-fact": Act((), corrections.correct),
    "close-period": Act(("treasury-payee",), money.close, _named("agreement"), scope="agreement"),
    "issue-invoice": Act(("treasury-payee",), money.issue, _named("agreement"), scope="agreement"),
    "approve-invoice": Act(("treasury-payer",), money.approve, _named("number=invoice"), scope="number"),
    "record-payment": Act(("treasury-payee",), money.pay, _allocated, "payment", scope="agreement"),
}
SCOPES = {"basis": "person", "release": "person", "schedule": "agreement"}
"""Ids that are unique in the scope of another field alone."""
