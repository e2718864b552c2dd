"""Which belief about a person a command is judged by: the fold at its own time, or at the head (DOMAIN §3).

A dual command and a presence state what was so at `occurred_at`, so status, custodian and place are read there, with
all that is recorded by now; every other claim reads the head.
"""

from __future__ import annotations

from datetime import UTC, datetime

from domain.commands import Command, DatedCommand
from domain.custody.local_days import day_start, local_date
from domain.custody.state import CustodyState, Step
from domain.events.event import Fact
from domain.files.person import PersonFile
from domain.names import FacilityId
from domain.register import Register

_EVER = datetime(1, 1, 1, tzinfo=UTC)
BEFORE_THE_FIRST_FACT = CustodyState(
    status=Step("none", _EVER, 0),
    responsible=Step(None, _EVER, 0),
    custodian=Step(None, _EVER, 0),
    at=Step("not-in-custody", _EVER, 0),
    file_open=True,
)
"""What holds at an instant before a file opens: not in custody, nobody's."""


def file_of(register: Register, person: str) -> PersonFile:
    """The file of a person whose id has been looked up."""
    file = register.person(person)
    assert file is not None, "the person is looked up before the rules"
    return file


def head_of(register: Register, person: str) -> CustodyState:
    """Where the custody of a known person stands by everything recorded."""
    return file_of(register, person).head


def belief_at(register: Register, person: str, ask: DatedCommand, facility: str | None) -> CustodyState:
    """Where it stood when the fact that `ask` states took place, at `facility` if it names one."""
    file = file_of(register, person)
    instant = standing_at(register, file, ask, ask.occurred_at, facility)
    return file.at(instant, register) or BEFORE_THE_FIRST_FACT


def standing_at(
    register: Register, file: PersonFile, ask: Command, occurred_at: datetime, facility: str | None
) -> datetime:
    """`occurred_at`, or for a fact known by date alone the instant at which the fold will stand it (DOMAIN §6.1)."""
    if ask.precision != "day":
        return occurred_at
    zone = zone_of(register, file.head, facility)
    day = local_date(occurred_at, zone)
    there = (
        fact.instant
        for fact in file.counting(register).facts
        if not (isinstance(fact.event.body, Fact) and fact.event.body.precision == "day")
        and local_date(fact.instant, zone) == day
    )
    return max((day_start(day, zone), *there))


def zone_of(register: Register, state: CustodyState, facility: str | None) -> str:
    """The zone in which a date about the person is read: of the facility named, else of the last one, else UTC."""
    named = FacilityId(facility) if facility is not None else state.last_facility
    zone = register.zone_of(named) if named is not None else None
    return zone if zone is not None else "UTC"
