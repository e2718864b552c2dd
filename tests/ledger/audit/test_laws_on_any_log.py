"""The laws on logs nobody would write: the fold keeps them whatever it is given, so none may be called broken."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given, settings

from domain.events.event import Event
from domain.files.person import PersonFile, evolve
from domain.names import PersonId
from ledger.audit.findings import Finding
from ledger.audit.laws.beliefs import beliefs_stand
from ledger.audit.laws.lives import life, lives
from ledger.audit.laws.table import OF_A_LIFE
from tests.domain.custody.facts import NORTH_AND_SOUTH as PLACES
from tests.domain.custody.facts import fact
from tests.domain.custody.test_laws import logs

ANY = PersonId("p1")
OF_THE_FOLD = ("L1", "L2", "L5", "L6", "L7", "L8", "L11")
"""L3 is broken by such logs: their acceptances answer no offer, or one's own."""


def broken(log: list[Event]) -> Iterator[Finding]:
    for one in lives(ANY, log, PLACES):
        for law in OF_THE_FOLD:
            yield from OF_A_LIFE[law](one)


@settings(deadline=None)
@given(logs())
def test_no_law_of_the_fold_is_broken(log: list[Event]) -> None:
    assert list(broken(log)) == []


def test_a_verification_of_a_release_that_moved_nothing_finds_nobody() -> None:
    """Whose release another authority reports is where they were; so whoever was missing then still is."""
    log = [
        fact(1, "person-registered", "2025-03-01T08:00:00+00:00"),
        fact(2, "custody-opened", "2025-03-01T09:00:00+00:00", body={"facility": "n-1"}),
        fact(3, "presence-reported", "2025-03-01T10:00:00+00:00", "watch", body={"place": "a road"}),
        fact(4, "person-released", "2025-03-01T11:00:00+00:00", "south", mode="report", body={"release": "r1"}),
        fact(5, "release-verified", "2025-03-01T12:00:00+00:00", "watch", body={"release": "r1"}),
    ]
    assert [one.anchor for one in life(ANY, log, PLACES).timeline.unaccounted] == [3, 4]
    assert list(broken(log)) == []


@settings(deadline=None)
@given(logs())
def test_no_belief_changes(log: list[Event]) -> None:
    file: PersonFile | None = None
    for event in log:
        file = evolve(file, event, PLACES)
    assert list(beliefs_stand(life(ANY, log, PLACES), file)) == []
