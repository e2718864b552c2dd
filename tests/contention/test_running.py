"""A short profile of `make contention`: three processes after the same places and persons, two readers, a pause."""

from __future__ import annotations

from tests.contention.running import run

EVENTS = 1_500


def test_three_processes_write_one_log_under_contention(postgresql_url: str) -> None:
    outcome = run(postgresql_url, events=EVENTS, pause_seconds=1.5, seed="20250301")
    assert outcome.wrong == []
    assert outcome.events >= EVENTS
    assert (outcome.skipped, outcome.doubled, outcome.disordered, outcome.rejected) == (0, 0, 0, 0)
    assert outcome.paused_events > 0
