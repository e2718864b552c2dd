"""Laws of the fold on logs nobody would write: late facts, corrections of corrections, day precision, one instant."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.custody.counting import count
from domain.custody.fold import fold
from domain.custody.local_days import midnights
from domain.custody.timeline import Gap, Placement, Stay, Timeline, Unaccounted, timeline
from domain.events.event import Event
from domain.events.person import FactCorrected
from domain.files.person import PersonFile, evolve
from tests.domain.custody.facts import DUAL, fact, utc
from tests.domain.custody.facts import NORTH_AND_SOUTH as PLACES

ORIGIN = utc("2025-03-01 00:00")
FACILITIES = ("n-1", "n-2", "s-1", "s-2")

facility = st.sampled_from(FACILITIES)
side = facility.map(lambda place: {"authority": "north" if place[0] == "n" else "south", "facility": place})
release = st.sampled_from(("r1", "r2"))
handover = st.sampled_from(("h1", "h2"))
transfer = st.sampled_from(("t1", "t2"))

BODIES: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "person-registered": st.just({}),
    "custody-basis-recorded": st.builds(lambda name: {"basis": name}, st.sampled_from(("b1", "b2"))),
    "custody-opened": st.builds(lambda one: {**one, "basis": "b1"}, side),
    "moved-within": st.builds(lambda place: {"to_facility": place}, facility),
    "presence-reported": st.one_of(
        st.builds(lambda place: {"facility": place}, facility), st.just({"place": "a road"})
    ),
    "handover-offered": st.builds(
        lambda h, t, r: {"handover": h, "transfer": t, "receiving": r}, handover, transfer, side
    ),
    "handover-accepted": st.builds(lambda h, r: {"handover": h, "receiving": r}, handover, side),
    "handover-refused": st.builds(lambda h: {"handover": h}, handover),
    "release-ordered": st.builds(lambda r: {"release": r}, release),
    "release-date-set": st.just({}),
    "person-released": st.builds(lambda r, place: {"release": r, "facility": place}, release, facility),
    "release-verified": st.builds(lambda r: {"release": r}, release),
    "release-declared-erroneous": st.builds(lambda r: {"release": r}, release),
    "hold-placed": st.just({"hold": "o1", "effective_at": "2025-03-02T00:00:00Z"}),
    "hold-lifted": st.just({"hold": "o1", "effective_at": "2025-03-03T00:00:00Z"}),
    "transfer-requested": st.builds(
        lambda t, after: {"transfer": t, "responsibility_after": after},
        transfer,
        st.sampled_from(("sending", "receiving")),
    ),
    "transfer-approved": st.builds(lambda role: {"as": role}, st.sampled_from(("receiving", "court"))),
    "transfer-rejected": st.just({}),
    "transfer-cancelled": st.just({}),
}
ON_TRANSFER = ("transfer-approved", "transfer-rejected", "transfer-cancelled")

# Whole quarters of few days: equal instants, midnights and late facts all come often.
instants = st.integers(0, 24).map(lambda quarter: ORIGIN + timedelta(hours=6 * quarter))


@st.composite
def plain(draw: st.DrawFn, position: int, wire: str | None = None) -> Event:
    name = wire or draw(st.sampled_from(sorted(BODIES)))
    more: dict[str, Any] = {"body": draw(BODIES[name])}
    if name in DUAL:
        more["mode"] = draw(st.sampled_from(("claim", "report")))
    if draw(st.integers(0, 5)) == 0:
        more["precision"] = "day"
    if name in ON_TRANSFER:
        more["transfer"] = draw(transfer)
    if name == "transfer-requested":
        more["transfer"] = more["body"]["transfer"]
    by = draw(st.sampled_from(("north", "south", "watch", "north-ministry")))
    return fact(position, name, draw(instants).isoformat(), by, **more)


def correction(position: int, corrects: int, reason: str, **more: int) -> Event:
    body = {"corrects": corrects, "reason": reason, **more}
    return fact(position, "fact-corrected", "2025-04-01T00:00:00+00:00", body=body)


def replacement(draw: st.DrawFn, position: int, wrong: Event) -> Event:
    """Another instant and other content of the same type and stream; the ids by which others name it stay."""
    new = draw(plain(position, wrong.wire.removesuffix(".v1")))
    kept = {
        name: getattr(wrong.body, name)
        for name in ("handover", "transfer", "release", "hold", "basis")
        if hasattr(wrong.body, name)
    }
    return msgspec.structs.replace(
        new, stream=wrong.stream, body=msgspec.structs.replace(new.body, **kept), actor=wrong.actor
    )


@st.composite
def logs(draw: st.DrawFn) -> list[Event]:
    log: list[Event] = [draw(plain(1, "person-registered"))] if draw(st.integers(0, 9)) else []
    for _ in range(draw(st.integers(1, 14))):
        position = len(log) + 1
        counting = count(log, PLACES)
        free = [one for one in log if counting.counts(one)]
        if not free or draw(st.integers(0, 2)):
            log.append(draw(plain(position)))
            continue
        wrong = draw(st.sampled_from(free))
        if isinstance(wrong.body, FactCorrected) or draw(st.booleans()):
            more = [correction(position, wrong.position, "did-not-occur")]
        else:
            more = [
                correction(position, wrong.position, "incorrect-data", replacement=position + 1),
                replacement(draw, position + 1, wrong),
            ]
        if _each_corrected_once([*log, *more]):
            log += more
    return log or [draw(plain(1))]


def _each_corrected_once(log: list[Event]) -> bool:
    """No event has two counting corrections (L11): `correct-fact` refuses a second, also one brought back."""
    counting = count(log, PLACES)
    named = [one.body.corrects for one in log if isinstance(one.body, FactCorrected) and counting.counts(one)]
    return len(named) == len(set(named))


def shown(drawn: Timeline) -> tuple[Any, ...]:
    """A timeline without positions, the one thing that a correction may change."""
    return (
        [(one.from_, one.to, one.status, one.responsible, one.custodian, one.at, one.file) for one in drawn.spells],
        [(one.facility, one.custodian, one.from_, one.to, one.midnights) for one in drawn.placements],
        [(one.from_, one.to) for one in drawn.stays],
        [(one.name, one.from_, one.to) for one in drawn.gaps],
        [(one.cause, one.from_, one.to) for one in drawn.unaccounted],
    )


def papers(log: list[Event]) -> object:
    state = fold(log, PLACES)
    return state and (
        {name: (one.status, one.body, len(one.approvals), one.reserved) for name, one in state.transfers.items()},
        {name: (one.status, one.body) for name, one in state.offers.items()},
        {name: (one.body, one.lifted_at) for name, one in state.holds.items()},
        {name: one.body for name, one in state.bases.items()},
        {name: (one.body, one.verified is None, one.erroneous is None) for name, one in state.releases.items()},
        (state.order and state.order.body, state.release_date and state.release_date.body, state.basis),
        (state.causes and [one.begins for one in state.causes], state.contradicted, state.last_change),
    )


@settings(deadline=None)
@given(logs())
def test_a_belief_never_changes_once_its_position_has_passed(log: list[Event]) -> None:
    for known in range(len(log) + 1):
        for as_of in (None, *(ORIGIN + timedelta(days=day) for day in range(7))):
            assert fold(log, PLACES, as_of, known) == fold(log[:known], PLACES, as_of)


@settings(deadline=None)
@given(st.data())
def test_a_corrected_log_equals_the_log_that_was_right_at_first(data: st.DataObject) -> None:
    log = data.draw(logs())
    counting = count(log, PLACES)
    facts = [one for one in log if counting.counts(one) and not isinstance(one.body, FactCorrected)]
    if not facts:
        return
    wrong = data.draw(st.sampled_from(facts))
    position = len(log) + 1
    right = _right(data, position + 1, wrong)
    corrected = [*log, correction(position, wrong.position, "incorrect-data", replacement=position + 1), right]
    at_first = [
        msgspec.structs.replace(wrong, body=right.body, occurred_at=right.occurred_at) if one is wrong else one
        for one in log
    ]
    for day in range(7):
        as_of = ORIGIN + timedelta(days=day)
        assert shown(timeline(corrected, PLACES, as_of)) == shown(timeline(at_first, PLACES, as_of))
    assert papers(corrected) == papers(at_first)


def _right(data: st.DataObject, position: int, wrong: Event) -> Event:
    @st.composite
    def drawn(draw: st.DrawFn) -> Event:
        return replacement(draw, position, wrong)

    return data.draw(drawn())


@settings(deadline=None)
@given(logs())
def test_a_file_that_grows_is_the_fold_of_all_its_events(log: list[Event]) -> None:
    file: PersonFile | None = None
    for known, one in enumerate(log, 1):
        file = evolve(file, one, PLACES)
        folded = fold(log[:known], PLACES)
        counting = count(log[:known], PLACES)
        assert file.events == tuple(log[:known])
        if folded is None:
            assert (file.end, file.head.status.value) == (None, "none")
        else:
            assert file.head == folded
            assert file.end == counting.facts[-1][:2]


@settings(deadline=None)
@given(logs())
def test_spells_tile_time_and_everybody_is_answered_for(log: list[Event]) -> None:
    drawn = timeline(log, PLACES)
    facts = count(log, PLACES).facts
    assert [one for spell in drawn.spells for one in spell.facts] == [one.event.position for one in facts]
    if not facts:
        return
    assert drawn.spells[0].from_ == facts[0].instant
    assert drawn.spells[-1].to is None
    for earlier, later in pairwise(drawn.spells):
        assert (earlier.to, earlier.ended_by) == (later.from_, later.opened_by)
    for spell in drawn.spells:
        assert (spell.responsible is None) == (spell.file == "closed")
        assert spell.file == "open" or (spell.custodian, spell.status) == (None, "released")
        assert (spell.custodian is not None) or spell.status != "held"


@settings(deadline=None)
@given(logs())
def test_the_state_at_an_instant_is_the_spell_that_contains_it(log: list[Event]) -> None:
    drawn = timeline(log, PLACES)
    for as_of in (ORIGIN + timedelta(hours=3 * step) for step in range(56)):
        state = fold(log, PLACES, as_of)
        within = [one for one in drawn.spells if one.from_ <= as_of and (one.to is None or as_of < one.to)]
        assert len(within) == (state is not None)
        for spell in within:
            assert state is not None
            assert (spell.status, spell.at, spell.file) == (state.status.value, state.at.value, state.file)
            assert (spell.responsible, spell.custodian) == (state.responsible.value, state.custodian.value)
        placed = [one.facility for one in drawn.placements if _contains(one, as_of)]
        assert placed == ([state.placement.value] if state is not None and state.placement is not None else [])
        lost = [one.anchor for one in drawn.unaccounted if _contains(one, as_of)]
        assert lost == ([cause.anchor for cause in state.unaccounted(as_of)] if state is not None else [])


def _contains(interval: Placement | Unaccounted, instant: datetime) -> bool:
    return interval.from_ <= instant and (interval.to is None or instant < interval.to)


@settings(deadline=None)
@given(logs())
def test_a_stay_is_its_placements_and_its_named_gaps(log: list[Event]) -> None:
    drawn = timeline(log, PLACES)
    end = ORIGIN + timedelta(days=30)
    parts: list[Placement | Gap] = [*drawn.placements, *drawn.gaps]
    for stay in drawn.stays:
        during = _facts(drawn, stay)
        within = [part for part in parts if part.opened_by in during]
        held = [day for part in within for day in midnights(part.from_, part.to or end, "UTC")]
        assert sorted(held) == midnights(stay.from_, stay.to or end, "UTC")
    for earlier, later in pairwise(drawn.stays):
        between = [gap for gap in drawn.gaps if gap.opened_by == earlier.ended_by]
        assert [(gap.from_, gap.to, gap.ended_by) for gap in between] == [(earlier.to, later.from_, later.opened_by)]


def _facts(drawn: Timeline, stay: Stay) -> set[int]:
    """The positions of the facts from the one that opened a stay to the last before the one that ended it."""
    facts = [one for spell in drawn.spells for one in spell.facts]
    start = facts.index(stay.opened_by)
    return set(facts[start : facts.index(stay.ended_by) if stay.ended_by is not None else None])
