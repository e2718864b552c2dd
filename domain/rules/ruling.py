"""How a command is judged: what comes before every rule, then the act's own rules in their order, then its events.

An act is a `Rule`: its command, who may ask, which ids it leans on, its refusals as a generator, and the events that
follow. A claim is refused by the first refusal the generator yields. A report is recorded, and every refusal it yields
becomes a flag of the same code: so a claim is refused exactly when its report would carry a rule flag.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Generic, Protocol, TypeVar

import msgspec
from msgspec.structs import replace

from domain.commands import Command, DualCommand
from domain.events.event import Actor, Body, Draft, Event, Fact
from domain.names import AgreementId, AuthorityId, PersonId
from domain.refusals import (
    AgreementIsUnknown,
    AuthorityIsUnknown,
    BasisIsUnknown,
    EventIsUnknown,
    FacilityIsUnknown,
    HandoverIsUnknown,
    HoldIsUnknown,
    InvoiceIsUnknown,
    MovementIsUnknown,
    OccurredAtIsBeforeTheLastFact,
    OccurredAtIsInTheFuture,
    PersonIsUnknown,
    Refusal,
    ReleaseIsUnknown,
    RoleIsNotHeld,
    ScheduleIsUnknown,
    TransferIsUnknown,
    VersionHasMoved,
)
from domain.register import Register
from domain.rules.belief import standing_at
from domain.rules.part import has_a_part_in

C = TypeVar("C", bound=Command)

FUTURE_MAX = timedelta(minutes=5)
LATE_AFTER = timedelta(hours=24)
LATE_AFTER_HANDOVER = timedelta(hours=1)
_HANDOVER_HALVES = frozenset({"handover-offered.v1", "handover-accepted.v1"})


class Call(msgspec.Struct, gc=False, frozen=True, kw_only=True):
    """The circumstances of a command: who asks, under which key, and the clock read once for it.

    `now` is the rules' *now* and, if the command is granted, the `recorded_at` of its events. `expected_version` is
    the version of the subject's file the caller has seen, where it says so.
    """

    by: Actor
    now: datetime
    command_id: str
    expected_version: int | None = None

    @property
    def today(self) -> date:
        """The UTC date of now, on which roles are read."""
        return self.now.astimezone(UTC).date()


class Named(msgspec.Struct, gc=False, frozen=True):
    """An id a command leans on: its kind, the id, and for nested ids the scope they are unique in."""

    kind: str
    id_: str
    scope: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """Where the register knows it."""
        return (self.kind, f"{self.scope}/{self.id_}" if self.scope else self.id_)


def _no_agreement(_register: Register, _ask: Command) -> AgreementId | None:
    return None


def _no_names(_ask: Command) -> Sequence[Named]:
    return ()


def _no_events(_ask: Command) -> Sequence[str]:
    return ()


def _names_no_place(_ask: Command) -> str | None:
    return None


def _brings_none(_ask: Command) -> Named | None:
    return None


def _lacks_nothing(_register: Register, _ask: Command, _call: Call) -> Iterator[Refusal]:
    return iter(())


Roles = tuple[str, ...]
UNKNOWN_SCOPE = AgreementId("?")
"""What `scope` answers when the id that would lead to the agreement is unknown: then any role is enough."""


class NamesAgreement(Protocol):
    """A command with a field for the agreement it concerns."""

    @property
    def agreement(self) -> str:
        """The agreement's id."""


def agreement_named(register: Register, ask: NamesAgreement) -> AgreementId:
    """The scope of a command that names its agreement itself."""
    return AgreementId(ask.agreement) if register.knows("agreement", ask.agreement) else UNKNOWN_SCOPE


def same_body(computed: Iterable[str] = ()) -> Callable[[Command, Sequence[Event]], bool]:
    """A test whether a command says what the event under its id says, the computed fields of the body apart."""
    left_out = {"flags", *computed}

    def same(ask: Command, events: Sequence[Event]) -> bool:
        body = _plain(msgspec.to_builtins(events[0].body, builtin_types=(datetime, date)), left_out)
        given = _plain(ask.model_dump(exclude_none=True, by_alias=True), left_out)
        assert isinstance(body, dict)
        assert isinstance(given, dict)
        names = set(events[0].body.__struct_encode_fields__)
        return body == {name: value for name, value in given.items() if name in names}

    return same


def _plain(value: object, left_out: Iterable[str] = ()) -> object:
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items() if name not in left_out}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


@dataclass(frozen=True, kw_only=True)
class Rule(Generic[C]):
    """One act, whole.

    `command` is its class (`command.name` its wire name). `subject` names the home stream, whose version `ETag` and
    `If-Match` speak of. `roles` are those one of which must be held, unscoped or for the agreement that `scope` finds;
    a function where they depend on the register, empty if the id that leads to them is unknown. `names` lists the ids
    that must be known, in the order of the path and then of the body; `lacks` yields what else is unknown or malformed
    where only the register can tell. `events` lists the event ids the ledger must bring in first. `brings` is the id
    the command makes known: an equal command (`same`) by the same authority under another key is then a repeat.
    `person` names the person a custody fact is about, `place` the facility in whose zone its date is read; with
    `timed`, a claim may not precede that person's last change, nor `not_before`. `refusals` yields every rule that
    fails, in order; `records` returns what follows; `tells` what the command could not know.
    """

    command: type[C]
    subject: Callable[[Register, C], str]
    roles: Roles | Callable[[Register, C], Roles]
    refusals: Callable[[Register, C, Call], Iterator[Refusal]]
    records: Callable[[Register, C, Call], list[Draft]]
    scope: Callable[[Register, C], AgreementId | None] = _no_agreement
    names: Callable[[C], Iterable[Named]] = _no_names
    lacks: Callable[[Register, C, Call], Iterator[Refusal]] = _lacks_nothing
    events: Callable[[C], Iterable[str]] = _no_events
    brings: Callable[[C], Named | None] = _brings_none
    same: Callable[[C, Sequence[Event]], bool] = field(default_factory=same_body)
    person: Callable[[Register, C], str | None] | None = None
    place: Callable[[C], str | None] = _names_no_place
    timed: bool = False
    not_before: Callable[[Register, C], datetime | None] | None = None
    tells: Callable[[Sequence[Event]], Mapping[str, str]] = lambda _events: {}


_UNKNOWN: dict[str, Callable[[str], Refusal]] = {
    "authority": AuthorityIsUnknown,
    "facility": FacilityIsUnknown,
    "agreement": AgreementIsUnknown,
    "person": PersonIsUnknown,
    "basis": BasisIsUnknown,
    "hold": HoldIsUnknown,
    "transfer": TransferIsUnknown,
    "movement": MovementIsUnknown,
    "handover": HandoverIsUnknown,
    "release": ReleaseIsUnknown,
    "schedule": ScheduleIsUnknown,
    "invoice": InvoiceIsUnknown,
    "event": EventIsUnknown,
}


def repeated(rule: Rule[C], register: Register, ask: C, call: Call) -> tuple[Event, ...]:
    """The events an equal earlier command recorded under the id this one brings; empty if it is no repeat."""
    named = rule.brings(ask)
    events = register.origins(*named.key) if named is not None else ()
    if not events or events[0].actor.authority != call.by.authority:
        return ()
    # Keys are per authority: another one may have recorded more under this id with a key of the same name.
    first = tuple(event for event in events if _command(event) == _command(events[0]))
    if ask.occurred_at is not None and ask.occurred_at != first[0].occurred_at:
        return ()
    return first if rule.same(ask, first) else ()


def _command(event: Event) -> tuple[str, str]:
    return event.actor.authority, event.command_id


def decide(rule: Rule[C], register: Register, ask: C, call: Call) -> list[Draft]:
    """The events that follow from `ask`, or the first refusal that applies, raised (DOMAIN §3).

    Whether the command is a repeat is asked before, with `repeated`.
    """
    for refusal in _before_every_rule(rule, register, ask, call):
        raise refusal
    flags: set[str] = set()
    late = before_the_last_fact(rule, register, ask)
    if isinstance(ask, DualCommand) and ask.mode == "report":
        flags.update(refusal.code for refusal in rule.refusals(register, ask, call))
        if ask.inferred:
            flags.add("inferred")
    else:
        if rule.timed and late is not None:
            raise late
        for refusal in rule.refusals(register, ask, call):
            raise refusal
    if late is not None:
        flags.add("out-of-order")
    return [_flagged(draft, ask, call, flags) for draft in rule.records(register, ask, call)]


def _before_every_rule(rule: Rule[C], register: Register, ask: C, call: Call) -> Iterator[Refusal]:
    if not role_is_held(rule, register, ask, call):
        yield RoleIsNotHeld(call.by.authority, _roles(rule, register, ask))
    yield from unknown(register, rule.names(ask), call.by.authority)
    yield from rule.lacks(register, ask, call)
    when = ask.when(call.now)
    if when > call.now + FUTURE_MAX:
        yield OccurredAtIsInTheFuture(when, call.now)
    if call.expected_version is not None:
        version = register.version(rule.subject(register, ask))
        if version != call.expected_version:
            yield VersionHasMoved(version, call.expected_version)


def role_is_held(rule: Rule[C], register: Register, ask: C, call: Call) -> bool:
    """Whether the actor holds one of the roles asked for; any role, where what leads to them is unknown."""
    authority = register.authority(call.by.authority)
    if authority is None:
        return False
    scope, roles, today = rule.scope(register, ask), _roles(rule, register, ask), call.today
    if scope == UNKNOWN_SCOPE or not roles:
        return any(authority.holds_anywhere(held.role, today) for held in authority.roles)
    return authority.holds_one_of(roles, today, scope)


def _roles(rule: Rule[C], register: Register, ask: C) -> Roles:
    return rule.roles if isinstance(rule.roles, tuple) else rule.roles(register, ask)


def unknown(register: Register, names: Iterable[Named], authority: AuthorityId) -> Iterator[Refusal]:
    """The refusal for each of these ids that nobody has recorded, or of a person `authority` has no part in."""
    for named in names:
        if named.kind == "event":
            if register.event(named.id_) is None:
                yield EventIsUnknown(named.id_)
        elif named.kind == "person":
            if not has_a_part_in(register, authority, PersonId(named.id_)):
                yield PersonIsUnknown(named.id_)
        elif not register.knows(*named.key):
            if named.kind == "revision":
                yield AgreementIsUnknown(named.scope, int(named.id_))
            else:
                yield _UNKNOWN[named.kind](named.id_)


def before_the_last_fact(rule: Rule[C], register: Register, ask: C) -> Refusal | None:
    """The refusal of a claim that is dated before the person's last change of custody."""
    person_id = rule.person(register, ask) if rule.person is not None else None
    file = register.person(person_id) if person_id is not None else None
    if file is None or ask.occurred_at is None:
        return None
    bounds = [file.head.last_change, rule.not_before(register, ask) if rule.not_before is not None else None]
    last = max((bound for bound in bounds if bound is not None), default=None)
    if last is None or standing_at(register, file, ask, ask.occurred_at, rule.place(ask)) >= last:
        return None
    return OccurredAtIsBeforeTheLastFact(file.person, last)


def _flagged(draft: Draft, ask: Command, call: Call, flags: set[str]) -> Draft:
    """The draft with the flags that any event carries: those of the rules, and `late` and `day-precision`."""
    body: Body = draft.body
    if not isinstance(body, Fact):
        return draft
    when = draft.occurred_at if draft.occurred_at is not None else ask.when(call.now)
    limit = LATE_AFTER_HANDOVER if body.wire in _HANDOVER_HALVES else LATE_AFTER
    found = {*body.flags, *flags}
    if call.now - when > limit and not _is_imported(body, call, found):
        found.add("late")
    if body.precision == "day":
        found.add("day-precision")
    listed = tuple(sorted(found))
    return draft if listed == body.flags else replace(draft, body=replace(body, flags=listed))


def _is_imported(body: Body, call: Call, flags: set[str]) -> bool:
    return call.by.credential.startswith("import:") or "inferred" in flags or getattr(body, "entry", None) == "import"


AnyRule = Rule[Any]
"""An act of any command, for tables."""
