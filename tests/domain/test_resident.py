"""A register that has put people away answers as one that never does, also when it is restored from its picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime

import msgspec
import pytest

from domain.events.event import Event, stream_id
from domain.known import named
from domain.names import PersonId
from domain.register import Register
from domain.resident import Picture, Resident
from ledger.demo import seed
from ledger.store import open_log
from ledger.store.leaf import read_event

NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)
EVERYTHING = 100_000
Grow = Callable[[Sequence[Event]], Resident]


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> list[Event]:
    """Some months of forty people: handovers, releases, corrections, a hold, invoices and payments."""
    url = f"sqlite:///{tmp_path_factory.mktemp('demo') / 'demo.db'}"
    seed(url, 40, NOW)
    log = open_log(url)
    try:
        return [read_event(row) for row in log.read(0, EVERYTHING)]
    finally:
        log.close()


def grown(events: Sequence[Event], kept: int = 0) -> Resident:
    """Through overlays, as a writer grows it; everybody is put away after every event, but for `kept`."""
    register = Resident(lambda positions: [events[position - 1] for position in positions])
    for event in events:
        assert register.version(event.stream) == event.stream_version - 1
        overlay = register.overlay()
        overlay.evolve(event)
        overlay.merge()
        register.put_away(kept)
    return register


def again(register: Resident, events: Sequence[Event]) -> Resident:
    """What the next start makes of a register's picture."""
    picture = msgspec.msgpack.decode(msgspec.msgpack.encode(register.picture()), type=Picture)
    return Resident.restored(lambda positions: [events[position - 1] for position in positions], picture)


def restored(events: Sequence[Event], at: int, kept: int = 0) -> Resident:
    """From the picture of an earlier position, as it would be read again, and the events since."""
    register = again(grown(events[:at], kept), events)
    assert register.position == at
    for event in events[at:]:
        overlay = register.overlay()
        overlay.evolve(event)
        overlay.merge()
        register.put_away(0)
    return register


def whole(events: Sequence[Event]) -> Register:
    """One that forgets nothing."""
    register = Register()
    for event in events:
        register.evolve(event)
    return register


def put_away(register: Resident) -> Resident:
    """The same, with nobody in memory."""
    register.put_away(0)
    return register


WAYS: dict[str, Grow] = {
    "everybody is put away": grown,
    "a few stay": lambda events: grown(events, kept=3),
    "restored from an early picture": lambda events: restored(events, len(events) // 3),
    "restored from a late picture": lambda events: restored(events, len(events) - 5),
    "restored from the last": lambda events: restored(events, len(events)),
    "restored with a few in memory": lambda events: restored(events, len(events) // 3, kept=10),
    "restored from the last with a few in memory": lambda events: restored(events, len(events), kept=10),
    "restored from what was restored": lambda events: put_away(
        again(put_away(again(grown(events, kept=10), events)), events)
    ),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_it_answers_as_one_that_forgets_nothing(events: list[Event], way: Grow) -> None:
    register, expected = way(events), whole(events)
    people = sorted(expected.people())
    assert sorted(register.people()) == people
    away = [id_ for id_ in people if ("person", id_) not in register._files]
    assert away, "not everybody fits in memory"
    for id_ in people:
        assert register.person(id_) == expected.person(id_)
    for key in {key for event in events for key in named(event)}:
        assert register.knows(*key)
        assert register.origins(*key) == expected.origins(*key)
        assert register.recorded_first(*key) == expected.recorded_first(*key)
        assert register.ids(key[0]) == expected.ids(key[0])
    for stream in {event.stream for event in events}:
        assert register.end_of(stream) == expected.end_of(stream)
    for id_ in people:
        assert register.changed_last(PersonId(id_)) >= expected.changed_last(PersonId(id_)), (
            "billing touches a file, too"
        )
    for day in sorted({event.recorded_at.date() for event in events}):
        first = next(event.position for event in events if event.recorded_at.date() >= day)
        assert register.recorded_from(day) == expected.recorded_from(day) == first
    assert register.recorded_from(date.max) == len(events) + 1
    for facility in expected.ids("facility"):
        assert register.places_taken(facility) == expected.places_taken(facility)
        assert sorted(register.held_at(facility)) == sorted(expected.held_at(facility))
        assert sorted(register.bound_for(facility)) == sorted(expected.bound_for(facility))
        assert sorted(register.ever_at(facility)) == sorted(expected.ever_at(facility))
    for agreement in expected.ids("agreement"):
        assert sorted(register.under(agreement)) == sorted(expected.under(agreement))
        assert register.agreement(agreement) == expected.agreement(agreement)


def test_those_who_changed_last_stay(events: list[Event]) -> None:
    last = max(at for at, event in enumerate(events) if event.stream.startswith("person:"))
    register = grown(events[: last + 1], kept=3)
    assert ("person", stream_id(events[last].stream)) in register._files
    assert sum(kind == "person" for kind, _ in register._files) == 3


def test_an_unknown_id_stays_unknown(events: list[Event]) -> None:
    register = grown(events)
    assert register.person("nobody") is None
    assert not register.knows("transfer", "nothing")
    assert register.origins("transfer", "nothing") == ()
    assert register.end_of("person:nobody") == (0, "")
    assert register.end_of("transfer:nothing") == (0, "")
