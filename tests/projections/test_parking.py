"""Events a view can't apply: parked with what follows them in their stream, retried, or skipped by a decision."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from domain.events.event import Event
from domain.events.person import CustodyOpened
from domain.names import EventId
from projections import (
    VIEWS,
    EventIsNotParked,
    RebuildFailed,
    RebuildIsRunning,
    ViewIsBehind,
    Views,
    audit_trail,
    current_custody,
    roll,
)
from projections.engine.driving import lines, parking, rebuilding, running
from projections.engine.driving.parking import FACTS_LEFT_IT_OUT
from projections.engine.tables import Rows
from projections.engine.view import Batch
from projections.engine.views import open_views
from tests.projections.lives import MEMORY, story
from tests.projections.stage import FOLDING, ListSource, now, views_over, with_apply
from tests.projections.test_running import Apply, acceptance_of, digests
from tests.scene import E1

AUTHORITY, OFFICER, REASON = "keeper", "k-1", "the source sent it twice"


def refusing(*positions: int) -> Callable[[Apply], Apply]:
    """A view that can't apply the events at some positions."""

    def wrap(apply: Apply) -> Apply:
        def applied(batch: Batch, rows: Rows) -> None:
            apply(batch, rows)
            if any(event.position in positions for event in batch.events):
                raise ValueError("no such thing")

        return applied

    return wrap


def following(events: Sequence[Event], position: int) -> list[int]:
    """The position, and those of the later events of its stream."""
    stream = events[position - 1].stream
    return [event.position for event in events[position - 1 :] if event.stream == stream]


def left_out(views: Views, name: str) -> list[int]:
    """The positions that the live generation of a view leaves out."""
    with views.database.reading() as session:
        return list(parking.aside_of(session, lines.live_lines(session)[name]).events)


def mended(views: Views) -> Views:
    """The same views, by a program that can apply everything."""
    views._views = dict(VIEWS)
    return views


def skipped(views: Views, name: str, position: int) -> None:
    views.skip(name, position, authority=AUTHORITY, officer=OFFICER, reason=REASON)


def test_it_is_parked_with_what_follows_it_and_the_rest_goes_on(database_url: str) -> None:
    events = story().events()
    poison = acceptance_of(events)
    parked = following(events, poison)
    assert len(parked) > 2, "others follow it in its stream"
    views = views_over(events, database_url, with_apply("roll", refusing(poison)))
    [status] = views.status("roll")
    assert (status.state, status.position, status.parked, status.skipped) == ("current", len(events), len(parked), 0)
    assert (status.error, status.error_position) == ("ValueError: no such thing", poison)
    assert left_out(views, "roll") == parked
    [one], decisions = views.left_out("roll")
    assert (one.position, one.stream, one.attempts) == (poison, events[poison - 1].stream, 1)
    assert decisions == []
    others = [other for other in views.status() if other.view != "roll"]
    assert {(other.position, other.parked, other.error) for other in others} == {(len(events), 0, None)}
    page = roll.roll(views, now(), E1).value
    assert page is not None
    assert [item["person"] for item in page.items] == ["p-dan"], "nobody has arrived there by what is left out"
    views.close()


def test_nobody_is_told_what_a_parked_event_would_change(database_url: str) -> None:
    events = story().events()
    poison = acceptance_of(events)
    person = events[poison - 1].stream.partition(":")[2]
    views = views_over(events, database_url, with_apply("current_custody", refusing(poison)))
    with pytest.raises(ViewIsBehind) as behind:
        current_custody.custody(views, now(), person)
    assert (behind.value.position, behind.value.needed, behind.value.stopped) == (poison - 1, poison, True)
    before = current_custody.custody(views, replace(now(), known_at=poison - 1), person)
    assert before.value is not None, "what was known before the event is told"
    assert current_custody.custody(views, now(), "p-dan").value is not None, "and so is everybody else"
    views.close()


def test_what_a_view_leaves_out_decides_its_rows_and_not_how_the_events_were_cut_into_pages(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    events = story().events()
    broken = with_apply("roll", refusing(acceptance_of(events)))
    expected = views_over(events, MEMORY, broken).digest("roll")
    for page in (1, 7):
        monkeypatch.setattr(running, "PAGE", page)
        views = views_over(events, MEMORY, broken)
        assert (views.digest("roll"), left_out(views, "roll")) == (expected, following(events, acceptance_of(events)))


@pytest.mark.parametrize("name", FOLDING)
def test_nobody_is_folded_with_a_fact_that_the_view_leaves_out(name: str) -> None:
    """As if the persons' facts had never had it: also when a later event, of another stream, touches the person."""
    events = story().events()
    poison = next(event.position for event in events if isinstance(event.body, CustodyOpened))
    without = views_over(events, MEMORY, with_apply("person_facts", refusing(poison))).digest(name)
    views = views_over(events, MEMORY, with_apply(name, refusing(poison)))
    assert left_out(views, name) == following(events, poison)
    assert views.digest(name) == without
    assert without != views_over(events).digest(name)


def test_a_retry_puts_the_events_in_their_place(database_url: str) -> None:
    events = story().events()
    poison = acceptance_of(events)
    views = views_over(events, database_url, with_apply("roll", refusing(poison)))
    with pytest.raises(RebuildFailed) as failed:
        views.retry("roll")
    assert (failed.value.first, failed.value.last, failed.value.reason) == (poison, poison, "ValueError: no such thing")
    [one], _ = views.left_out("roll")
    assert one.attempts == 2
    assert left_out(views, "roll") == following(events, poison)
    [result] = mended(views).retry("roll", poison)
    assert result.switched
    assert (views.digest("roll"), left_out(views, "roll")) == (views_over(events).digest("roll"), [])
    assert views.retry("roll") == []
    with pytest.raises(EventIsNotParked):
        views.retry("roll", poison)
    assert all(found.is_equal for found in views.verify())
    views.close()


def test_a_retry_of_one_stream_leaves_the_others_parked() -> None:
    events = story().events()
    one = acceptance_of(events)
    stream = next(event for event in events[one:] if event.stream != events[one - 1].stream).stream
    other = next(event.position for event in events if event.stream == stream and event.position > 20)
    views = views_over(events, MEMORY, with_apply("roll", refusing(one, other)))
    parked = [following(events, position) for position in (one, other)]
    assert left_out(views, "roll") == sorted(parked[0] + parked[1])
    views._views = with_apply("roll", refusing(other))
    views.retry("roll", one)
    assert left_out(views, "roll") == parked[1]
    assert views.digest("roll") == views_over(events, MEMORY, with_apply("roll", refusing(other))).digest("roll")


def test_a_skipped_event_stays_out_for_ever_and_what_follows_it_is_applied(database_url: str) -> None:
    events = story().events()
    poison = acceptance_of(events)
    views = views_over(events, database_url, with_apply("audit_trail", refusing(poison)))
    follows = following(events, poison)[1]
    with pytest.raises(EventIsNotParked, match="follows another"):
        skipped(views, "audit_trail", follows)
    skipped(views, "audit_trail", poison)
    assert left_out(views, "audit_trail") == [poison]
    [status] = views.status("audit_trail")
    assert (status.parked, status.skipped, status.error, status.trouble) == (0, 1, None, "undriven")
    shown = [item["position"] for item in audit_trail.trail(views, now(), limit=500).value.items]
    assert shown == [event.position for event in events if event.position != poison]
    _, [decision] = views.left_out("audit_trail")
    assert (decision.position, decision.authority, decision.officer, decision.reason, decision.lifted_at) == (
        poison,
        AUTHORITY,
        OFFICER,
        REASON,
        None,
    )
    [result] = views.rebuild(["audit_trail"])
    assert result.switched, "a strict rebuild leaves out what somebody has decided to skip, and that alone"
    views.close()
    # A program that could apply it still leaves it out, until somebody asks for it.
    views = views_over(events, database_url)
    assert left_out(views, "audit_trail") == [poison]
    views.retry("audit_trail", poison)
    assert views.digest("audit_trail") == views_over(events).digest("audit_trail")
    _, [lifted] = views.left_out("audit_trail")
    assert lifted.reason == REASON
    assert lifted.lifted_at is not None
    views.close()


def test_a_decision_holds_for_a_view_that_is_made_anew_from_the_start() -> None:
    events = story().events()
    poison = acceptance_of(events)
    views = views_over(events, MEMORY, with_apply("roll", refusing(poison)))
    skipped(views, "roll", poison)
    with views.database.writing() as session:
        lines.retire(session, lines.live_lines(session)["roll"])
        lines.begin(session, VIEWS["roll"], "live")
    views.catch_up()
    assert left_out(views, "roll") == [poison]
    assert [status.skipped for status in views.status("roll")] == [1]


def test_a_decision_stands_although_the_next_event_can_not_be_applied_either() -> None:
    events = story().events()
    poison = acceptance_of(events)
    after = following(events, poison)[1]
    views = views_over(events, MEMORY, with_apply("roll", refusing(poison, after)))
    with pytest.raises(RebuildFailed) as failed:
        skipped(views, "roll", poison)
    assert (failed.value.first, failed.value.last) == (after, after)
    assert left_out(views, "roll") == following(events, poison)
    heads, decisions = views.left_out("roll")
    assert [one.position for one in heads] == [poison, after]
    assert [one.position for one in decisions] == [poison]
    skipped(views, "roll", after)
    assert left_out(views, "roll") == [poison, after]


def test_who_folds_leaves_out_what_the_facts_leave_out_and_both_are_retried_together(database_url: str) -> None:
    events = story().events()
    poison = acceptance_of(events)
    parked = following(events, poison)
    views = views_over(events, database_url, with_apply("person_facts", refusing(poison)))
    folding = [name for name, view in VIEWS.items() if view.folds]
    assert set(FOLDING) <= set(folding)
    for name in folding:
        assert left_out(views, name) == parked, name
        [status] = views.status(name)
        assert (status.position, status.error) == (len(events), FACTS_LEFT_IT_OUT)
    for refused in (lambda: views.retry("roll", poison), lambda: skipped(views, "roll", poison)):
        with pytest.raises(EventIsNotParked, match="person_facts"):
            refused()
    mended(views).retry("person_facts")
    assert {status.parked for status in views.status()} == {0}
    assert digests(views) == digests(views_over(events))
    views.close()


def test_an_event_that_cannot_be_read_is_parked_by_all(database_url: str) -> None:
    events = story().events()
    bad = acceptance_of(events)
    source = ListSource(events, unreadable={bad})
    views = open_views(database_url, source, VIEWS)
    views.catch_up()
    for status in views.status():
        assert (status.position, status.error_position) == (len(events), bad)
        assert left_out(views, status.view) == following(events, bad)
    with pytest.raises(RebuildFailed):
        views.retry("person_facts")
    skipped(views, "person_facts", bad)
    assert left_out(views, "roll") == left_out(views, "person_facts") == [bad]
    source.unreadable.clear()
    views.retry("person_facts", bad)
    assert {status.skipped + status.parked for status in views.status()} == {0}
    assert digests(views) == digests(views_over(events))
    views.close()


def test_a_view_that_can_apply_next_to_nothing_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "STREAMS_PARKED_MAX", 2)
    events = story().events()

    def broken(_apply: Apply) -> Apply:
        def applied(_batch: Batch, _rows: Rows) -> None:
            raise ValueError("no such thing")

        return applied

    views = views_over(events, MEMORY, with_apply("roll", broken))
    [status] = views.status("roll")
    streams = [event.stream for event in events]
    third = next(number for number in range(len(streams)) if len(set(streams[: number + 1])) == 3)
    assert (status.state, status.trouble, status.position, status.error_position) == (
        "stopped",
        "stopped",
        third,
        third + 1,
    )
    assert not views._runner.step(), "while it runs, it is not tried again and again"
    # The fix, and a restart.
    views._runner._views = mended(views)._views
    views.catch_up()
    assert [status.state for status in views.status("roll")] == ["current"]
    views.retry("roll")
    assert views.digest("roll") == views_over(events).digest("roll")


def test_nothing_is_decided_while_a_rebuild_runs(database_url: str) -> None:
    events = story().events()
    poison = acceptance_of(events)
    views = views_over(events, database_url, with_apply("roll", refusing(poison)))
    with views.database.rebuilding(), pytest.raises(RebuildIsRunning):
        skipped(views, "roll", poison)
    assert views.left_out("roll")[1] == []
    skipped(views, "roll", poison)
    assert [decision.position for decision in views.left_out("roll")[1]] == [poison]
    views.close()


def test_a_strict_rebuild_fails_at_the_parked_event_and_goes_on_from_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rebuilding, "PAGE", 16)
    events = story().events()
    poison = acceptance_of(events)
    views = views_over(events, MEMORY, with_apply("roll", refusing(poison)))
    with pytest.raises(RebuildFailed) as failed:
        views.rebuild(["roll"])
    assert (failed.value.view, failed.value.first, failed.value.last) == ("roll", poison, poison)
    [status] = views.status("roll")
    assert (status.building, status.building_runs) == (poison - 1, False)
    seen: list[int] = []
    mended(views).rebuild(["roll"], force=True, progress=lambda done, _total: seen.append(done))
    assert seen[0] == poison - 1
    assert views.digest("roll") == views_over(events).digest("roll")


def test_a_rebuild_does_not_go_on_from_what_left_out_other_events() -> None:
    events = story().events()
    poison = acceptance_of(events)
    last = events[-1]
    views = views_over(events, MEMORY, with_apply("roll", refusing(poison, last.position)))
    assert last.stream != events[poison - 1].stream
    skipped(views, "roll", poison)
    # It passes the first poison event, which is skipped, and fails at the last one.
    with pytest.raises(RebuildFailed):
        views.rebuild(["roll"])
    assert views.status("roll")[0].building == last.position - 1
    seen: list[int] = []
    mended(views).retry("roll", poison, progress=lambda done, _total: seen.append(done))
    assert seen[0] == 0
    assert left_out(views, "roll") == following(events, last.position)


def test_events_that_came_after_are_told_from_the_parked_ones() -> None:
    """A parked stream goes on to be parked as it grows; a new stream of the same person is applied."""
    events = story().events()
    poison = acceptance_of(events)
    source = ListSource(events[:poison])
    views = open_views(MEMORY, source, with_apply("audit_trail", refusing(poison)))
    for end in range(poison, len(events) + 1):
        source.events = events[:end]
        views.catch_up()
        parked = [position for position in following(events, poison) if position <= end]
        assert left_out(views, "audit_trail") == parked
    again = ListSource([*events, _copied(events[-1], len(events) + 1, events[poison - 1].stream)])
    views._source = views._runner._source = again
    views.catch_up()
    assert left_out(views, "audit_trail")[-1] == len(events) + 1


def _copied(event: Event, position: int, stream: str) -> Event:
    import msgspec

    return msgspec.structs.replace(event, position=position, stream=stream, event_id=EventId(f"copy-{position}"))
