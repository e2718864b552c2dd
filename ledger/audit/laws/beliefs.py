"""The laws of belief: L8 a corrected record reads as if it had been right at first, L9 a belief never changes once its
position has passed (DOMAIN §6.4, §6.7).

L8 makes the log that was right at first, with the audit's own reading of the corrections, and folds both. L9 holds
what later events leave of an earlier belief against the fold of the events that were there, and against the file that
grew event by event as the writer's does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest

from domain.custody.fold import fold, settled
from domain.custody.grounds import Grounds
from domain.custody.standing import standing_flags
from domain.custody.state import CustodyState
from domain.custody.timeline import Gap, Placement, Spell, Stay, Timeline, Unaccounted, timeline
from domain.events.event import Event
from domain.files.person import PersonFile, evolve
from ledger.audit.findings import Finding
from ledger.audit.laws.lives import Life, text

LEFT_BY_CORRECTIONS = frozenset({"corrected", "ground-corrected"})
"""The standing flags that say that there was a correction, and so are no part of law (a)."""


def reads_as_right(life: Life) -> Iterator[Finding]:
    """L8: the life equals that of the log with replacements put in place, positions and recorded flags apart."""
    reading = life.reading
    right = reading.as_if_right() if reading.is_corrected else []
    if not right or right == list(life.events):
        return
    corrections = [event.position for event in life.events if reading.slot(event) != event.position]
    for corrected, at_first in zip_longest(rows(life.timeline), rows(timeline(right, life.places))):
        if corrected != at_first:
            yield life.wrong("L8", at_first, corrected, at=corrections)
            return
    for instant in sorted({fact.instant for fact in life.facts}):
        state, wanted = fold(life.events, life.places, instant), fold(right, life.places, instant)
        if papers(state) != papers(wanted):
            yield life.wrong("L8", papers(wanted), papers(state), instant=instant, at=corrections)
            return
        flags = set(standing_flags(life.events, life.places, instant)) ^ set(
            standing_flags(right, life.places, instant)
        )
        if flags - LEFT_BY_CORRECTIONS:
            found = f"differing: {' '.join(sorted(flags - LEFT_BY_CORRECTIONS))}"
            yield life.wrong("L8", "the same standing flags", found, instant=instant, at=corrections)
            return


def rows(drawn: Timeline) -> list[str]:
    """A timeline as rows without positions: all that a correction may not change."""

    def row(*values: object) -> str:
        return " · ".join("none" if value is None else str(value) for value in values)

    def span(one: Spell | Placement | Stay | Gap | Unaccounted) -> str:
        return f"{text(one.from_)} to {text(one.to) if one.to else 'now'}"

    return [
        *(row("spell", span(s), s.status, s.responsible, s.custodian, s.at, s.file) for s in drawn.spells),
        *(row("placement", span(p), p.facility, p.custodian, p.midnights) for p in drawn.placements),
        *(row("stay", span(stay)) for stay in drawn.stays),
        *(row("gap", span(gap), gap.name) for gap in drawn.gaps),
        *(row("unaccounted", span(one), one.cause) for one in drawn.unaccounted),
    ]


def papers(state: CustodyState | None) -> tuple[object, ...] | None:
    """What a state says beside the timeline, without positions."""
    if state is None:
        return None
    return (
        (state.status.since, state.responsible.since, state.custodian.since, state.at.since),
        (state.placement and (state.placement.value, state.placement.since), state.stay_since, state.last_change),
        [(name, one.body) for name, one in state.bases.items()],
        [(name, one.body, one.lifted_at) for name, one in state.holds.items()],
        [(name, one.body, one.status) for name, one in state.offers.items()],
        [(name, one.body, one.status, one.reserved, len(one.evidence)) for name, one in state.transfers.items()],
        [(name, one.body, bool(one.verified), bool(one.erroneous)) for name, one in state.releases.items()],
        (state.order and state.order.body, state.release_date and state.release_date.body, state.basis),
        ([(one.code, one.begins) for one in state.causes], state.contradicted),
    )


def beliefs_stand(life: Life, file: PersonFile | None) -> Iterator[Finding]:
    """L9 on the record itself. `life` is the present one, `file` what the register made of it."""
    if file is None or file.events != life.events:
        yield life.wrong("L9", "the person's events in the person's file", "others, or another order")
        return
    yield from _head(life, settled(life.steps, Grounds(life.events, life.places, life.counting), life.places), file)
    if not life.is_in_order:
        yield from _beliefs(life, life.events)


def _beliefs(life: Life, events: Sequence[Event]) -> Iterator[Finding]:
    file: PersonFile | None = None
    for index, event in enumerate(events, start=1):
        first, known_at = events[:index], event.position
        file = evolve(file, event, life.places)
        folded = fold(first, life.places)
        yield from _head(life, folded, file)
        if fold(events, life.places, None, known_at) != folded:
            yield life.wrong("L9", "the fold of the first events", "another state", at=[known_at])
        now, then = timeline(events, life.places, None, known_at), timeline(first, life.places)
        if now != then:
            wanted, found = _first_difference(rows(then), rows(now))
            yield life.wrong("L9", wanted, found, at=[known_at])


def _head(life: Life, folded: CustodyState | None, file: PersonFile) -> Iterator[Finding]:
    if folded is not None and file.head != folded:
        found, at = f"the file's head says {file.head.status.value}", [file.events[-1].position]
        yield life.wrong("L9", f"{folded.status.value}, as folded at once", found, at=at)


def _first_difference(wanted: Sequence[str], found: Sequence[str]) -> tuple[str, str]:
    pairs = zip_longest(wanted, found, fillvalue="nothing")
    return next(((want, is_) for want, is_ in pairs if want != is_), ("the same positions", "others"))
