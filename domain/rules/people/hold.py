"""A court's hold: from its instant on the acts it names are refused, wherever the person is held.

No state of a file refuses a hold, and only the court that placed it lifts it. One order may name several persons: it
is placed on each of their streams and lifted on all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from domain.commands import Command, Digest, Id, Sealed, Time, body_of
from domain.custody.state import Hold
from domain.events.event import Draft, Event, fresh, stream_id
from domain.events.person import HoldLifted, HoldPlaced
from domain.names import HoldId
from domain.refusals import Refusal
from domain.register import Register
from domain.rules.belief import head_of
from domain.rules.ruling import AnyRule, Call, Named, Rule, same_body

PERSONS_MAX = 1000
COURT = ("court",)
T = TypeVar("T")


def _named_once(values: tuple[T, ...]) -> tuple[T, ...]:
    # Not a least length of the field: a code that is not listed would then count as one too few.
    if not values or len(set(values)) != len(values):
        raise PydanticCustomError("named-once", "at least one is named, and each one once")
    return values


class PlaceHold(Command):
    """A court forbids the named acts from `effective_at` on, until `until` if it says so, for each of `persons`."""

    name = "place-hold"
    hold: Id | None = None
    forbids: Annotated[tuple[Literal["depart", "hand-over", "release", "move"], ...], AfterValidator(_named_once)]
    effective_at: Time
    until: Time | None = None
    instrument: Digest
    case: Sealed | None = None
    persons: Annotated[tuple[Id, ...], Field(max_length=PERSONS_MAX), AfterValidator(_named_once)]


class LiftHold(Command):
    """The court ends its hold from `effective_at` on, on every stream it was placed on."""

    name = "lift-hold"
    hold: Id
    effective_at: Time
    instrument: Digest


@dataclass(eq=False)
class HoldIsAlreadyPlaced(Refusal):
    """Another hold stands under that id."""

    hold: str


@dataclass(eq=False)
class HoldIsNotInForce(Refusal):
    """The hold was lifted, or its time has run out."""

    hold: str


@dataclass(eq=False)
class OnlyTheCourtThatPlacedItMayLiftIt(Refusal):
    """Another court placed the hold."""

    hold: str
    placed_by: str


def _place_refusals(register: Register, ask: PlaceHold, _call: Call) -> Iterator[Refusal]:
    if ask.hold is not None and register.knows("hold", ask.hold):
        yield HoldIsAlreadyPlaced(ask.hold)


def _place_records(_register: Register, ask: PlaceHold, _call: Call) -> list[Draft]:
    draws = () if ask.hold else ("hold",)
    body = body_of(HoldPlaced, ask, hold=ask.hold or fresh("hold"))
    return [Draft(stream=f"person:{person}", body=body, draws=draws) for person in ask.persons]


_same_order = same_body()


def _is_that_hold(ask: PlaceHold, events: Sequence[Event]) -> bool:
    return {stream_id(event.stream) for event in events} == set(ask.persons) and _same_order(ask, events)


def _lift_refusals(register: Register, ask: LiftHold, call: Call) -> Iterator[Refusal]:
    placed = register.origins("hold", ask.hold)
    holds = [head_of(register, stream_id(event.stream)).holds.get(HoldId(ask.hold)) for event in placed]
    if not any(hold is not None and _still_binds(hold, ask, call) for hold in holds):
        yield HoldIsNotInForce(ask.hold)
    if placed[0].actor.authority != call.by.authority:
        yield OnlyTheCourtThatPlacedItMayLiftIt(ask.hold, placed[0].actor.authority)


def _still_binds(hold: Hold, ask: LiftHold, call: Call) -> bool:
    """Whether it binds when it is lifted or will later: a hold that has not begun can be lifted too."""
    when = ask.when(call.now)
    begins = hold.body.effective_at
    return hold.in_force_at(when) or (when < begins and (hold.lifted_at is None or hold.lifted_at > begins))


def _lift_records(register: Register, ask: LiftHold, _call: Call) -> list[Draft]:
    body = body_of(HoldLifted, ask)
    return [Draft(stream=event.stream, body=body) for event in register.origins("hold", ask.hold)]


def _home(register: Register, ask: LiftHold) -> str:
    placed = register.origins("hold", ask.hold)
    return placed[0].stream if placed else f"hold:{ask.hold}"


RULES: tuple[AnyRule, ...] = (
    Rule(
        command=PlaceHold,
        subject=lambda _register, ask: f"person:{ask.persons[0]}",
        roles=COURT,
        names=lambda ask: [Named("person", person) for person in ask.persons],
        brings=lambda ask: Named("hold", ask.hold) if ask.hold is not None else None,
        same=_is_that_hold,
        refusals=_place_refusals,
        records=_place_records,
    ),
    Rule(
        command=LiftHold,
        subject=_home,
        roles=COURT,
        names=lambda ask: [Named("hold", ask.hold)],
        refusals=_lift_refusals,
        records=_lift_records,
    ),
)
