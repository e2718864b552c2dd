"""The laws of a person's time: L1 nobody is lost, L6 the sum rule, L7 files end (DOMAIN §6.7).

Each law takes a `Life` and yields what breaks it. It looks at the timeline from outside, as intervals over facts, and
holds it against what it works out itself from the facts.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Final

from domain.custody.counting import CountedFact
from domain.custody.local_days import day_end
from domain.custody.state import CustodyState
from domain.custody.timeline import Placement, Spell, Stay
from domain.events.event import DualFact
from domain.events.person import (
    CustodyOpened,
    HandoverAccepted,
    MovedWithin,
    PersonReleased,
    PresenceReported,
    ReleaseDeclaredErroneous,
    ReleaseVerified,
)
from domain.names import AuthorityId, ReleaseId
from ledger.audit.findings import Finding
from ledger.audit.laws.lives import Life, text

GRACE: Final = timedelta(hours=24)
"""How long a contradiction may stand before the person is unaccounted (DOMAIN §6.3)."""
GAPS_IN_STAYS: Final = ("leg", "stop", "reported")
REOPENS: Final = frozenset({CustodyOpened, MovedWithin, HandoverAccepted, PersonReleased, PresenceReported})
"""The facts that open a closed file again whatever they say."""
NEVER: Final = datetime.max.replace(tzinfo=UTC)


def nobody_is_lost(life: Life) -> Iterator[Finding]:
    """L1: spells tile time from the first fact on, one status at each instant, unaccounted as §6.3 has it."""
    reading, spells, facts = life.reading, life.timeline.spells, life.facts
    # Where neither reading knows of a correction, both have every event count.
    for event in life.events if reading.is_corrected or not life.counting.is_whole else ():
        counts = reading.counts(event)
        if counts != life.counting.counts(event):
            verdict = ("it counts no more", "it counts")
            yield life.wrong("L1", verdict[counts], verdict[not counts], at=[event.position])
    in_spells = [position for spell in spells for position in spell.facts]
    if in_spells != [fact.event.position for fact in facts]:
        missing = sorted({fact.event.position for fact in facts} ^ set(in_spells))
        yield life.wrong("L1", "each counting fact in one spell", "in none, or in more", at=missing)
    if facts and (not spells or spells[0].from_ != min(fact.instant for fact in facts)):
        first = facts[0]
        yield life.wrong("L1", "spells from here on", "none", instant=first.instant, at=[first.event.position])
    for earlier, later in pairwise(spells):
        if (earlier.to, earlier.ended_by) != (later.from_, later.opened_by):
            lost = earlier.to is not None and earlier.to < later.from_
            found = "a hole" if lost else "an overlap, or another fact between them"
            at = [earlier.ended_by, later.opened_by]
            yield life.wrong("L1", "a spell where the last ends", found, instant=earlier.to or later.from_, at=at)
    if spells and spells[-1].to is not None:
        yield life.wrong("L1", "a spell that goes on", "none", instant=spells[-1].to, at=[spells[-1].ended_by])
    yield from _one_status(life, spells)
    yield from _unaccounted(life)


def _one_status(life: Life, spells: Sequence[Spell]) -> Iterator[Finding]:
    """Where a spell begins the fold says what the spell says; of several at one instant the last holds."""
    for spell in {spell.from_: spell for spell in spells}.values():
        state = life.at(spell.from_)
        said = (spell.status, spell.responsible, spell.custodian, spell.at, spell.file)
        folded = None if state is None else _values(state)
        if folded != said:
            yield life.wrong("L1", _row(said), _row(folded), instant=spell.from_, at=[spell.opened_by])


def _values(state: CustodyState) -> tuple[str | None, ...]:
    return state.status.value, state.responsible.value, state.custodian.value, state.at.value, state.file


def _row(values: tuple[str | None, ...] | None) -> str:
    return "nothing" if values is None else " · ".join(value or "nobody" for value in values)


Lost = tuple[int, datetime, datetime]
"""Anchor, when the grace is over, when it is resolved (`NEVER` while it is not)."""


def _unaccounted(life: Life) -> Iterator[Finding]:
    recomputed = sorted(_contradictions(life))
    drawn = sorted((one.anchor, one.from_, one.to or NEVER) for one in life.timeline.unaccounted)
    if recomputed != drawn:
        differing = sorted(set(recomputed) ^ set(drawn))
        at = [anchor for anchor, _, _ in differing]
        yield life.wrong("L1", _intervals(recomputed), _intervals(drawn), instant=differing[0][1], at=at)


def _intervals(lost: Sequence[Lost]) -> str:
    shown = (f"{text(from_)} to {'now' if to == NEVER else text(to)}" for _, from_, to in lost)
    return f"unaccounted {', '.join(shown) or 'never'}"


def _contradictions(life: Life) -> Iterator[Lost]:
    """The cause `contradicted` of §6.3 worked out anew, beside which the slice has no other."""
    begun: list[tuple[int, datetime]] = []
    for fact, before, _ in life.steps:
        if not begun and not _may_begin(fact):
            # There is nothing to resolve either.
            continue
        resolves, begins = _bearing(life, fact, before)
        if resolves:
            yield from ((anchor, from_, fact.instant) for anchor, from_ in begun if from_ < fact.instant)
            begun = []
        if begins and not fact.event.imported:
            begun.append((fact.event.position, _grace_over(fact.instant)))
    yield from ((anchor, from_, NEVER) for anchor, from_ in begun)


def _may_begin(fact: CountedFact) -> bool:
    """Whether a fact is of those that can begin a contradiction: what nobody granted."""
    body = fact.event.body
    return isinstance(body, PresenceReported) or (isinstance(body, DualFact) and body.mode == "report")


def _grace_over(instant: datetime) -> datetime:
    try:
        return instant + GRACE
    except OverflowError:
        return instant


def _bearing(life: Life, fact: CountedFact, before: CustodyState | None) -> tuple[bool, bool]:
    """Whether a fact resolves what has begun, and whether it begins a contradiction itself."""
    match fact.event.body:
        case PresenceReported(facility=place):
            held = before is not None and before.status.value == "held" and before.placement is not None
            fits = held and before is not None and before.placement is not None and before.placement.value == place
            return fits, not fits
        case HandoverAccepted() | ReleaseVerified() | ReleaseDeclaredErroneous():
            return _takes_effect(life, fact), False
        case CustodyOpened() | MovedWithin() | PersonReleased() as body:
            if body.mode == "claim" or before is None:
                return True, False
            if _is_anothers(life, fact, before):
                return False, True
            custodian = _custodian(before, fact)
            return True, custodian is not None and isinstance(body, MovedWithin) and not before.file_open
        case _:
            return False, False


def _custodian(before: CustodyState, fact: CountedFact) -> AuthorityId | None:
    """Who holds the person when a fact comes; in a closed file the last who did, unless somebody opens anew."""
    if before.custodian.value is None and not before.file_open and not isinstance(fact.event.body, CustodyOpened):
        return before.last_custodian
    return before.custodian.value


def _is_anothers(life: Life, fact: CountedFact, before: CustodyState | None) -> bool:
    """Whether somebody else than the actor holds the person: a report of it moves nothing then."""
    custodian = _custodian(before, fact) if before is not None else None
    return custodian is not None and not life.places.answers_for(fact.event.actor.authority, custodian)


def _takes_effect(life: Life, fact: CountedFact) -> bool:
    """A verification or a declaration of error moves nothing unless its release counts and is not in error yet."""
    match fact.event.body:
        case ReleaseVerified(release=release):
            return _is_released(life, release, fact) and not any(
                isinstance(one.event.body, ReleaseDeclaredErroneous)
                and one.event.body.release == release
                and one.instant <= fact.instant
                for one in life.facts
            )
        case ReleaseDeclaredErroneous(release=release):
            return _is_released(life, release, fact)
        case _:
            return True


def _is_released(life: Life, release: ReleaseId, fact: CountedFact) -> bool:
    """Whether there is such a release: one that comes later, or one before that moved something."""
    for one, before, _ in life.steps:
        body = one.event.body
        if isinstance(body, PersonReleased) and body.release == release:
            moved_nothing = body.mode == "report" and _is_anothers(life, one, before)
            if one[:2] > fact[:2] or not moved_nothing:
                return True
    return False


def sums_agree(life: Life) -> Iterator[Finding]:
    """L6: the midnights of a stay in one zone are those of its placements and gaps; no two placements share one."""
    if not life.facts:
        return
    end = max(fact.instant for fact in life.facts)
    zoned = [(one, life.places.zone_of(one.facility) or "UTC") for one in life.timeline.placements]
    for stay in life.timeline.stays:
        within = [(one, zone) for one, zone in zoned if _lies_in(one.from_, one.to, stay)]
        if len({zone for _, zone in within}) != 1:
            continue
        zone = within[0][1]
        parts = sum(_counted(one, zone, end) for one, _ in within)
        for gap in life.timeline.gaps:
            if gap.name in GAPS_IN_STAYS and _lies_in(gap.from_, gap.to, stay):
                parts += midnights(gap.from_, gap.to or end, zone)
        whole = midnights(stay.from_, stay.to or end, zone)
        if whole != parts:
            at = [stay.opened_by, stay.ended_by]
            yield life.wrong("L6", f"{whole} midnights in the parts of a stay", parts, instant=stay.from_, at=at)
    for (earlier, zone), (later, other) in pairwise(zoned):
        shared = min(earlier.to or end, later.to or end)
        if zone == other and midnights(later.from_, shared, zone):
            found = f"held at {earlier.facility} and at {later.facility}"
            at = [earlier.opened_by, later.opened_by]
            yield life.wrong("L6", "one placement at each midnight", found, instant=later.from_, at=at)


def _lies_in(from_: datetime, to: datetime | None, stay: Stay) -> bool:
    return stay.from_ <= from_ and (stay.to is None or (to is not None and to <= stay.to))


def _counted(placement: Placement, zone: str, end: datetime) -> int:
    """The midnights that the timeline counted, or, while the placement goes on, those up to the last fact."""
    known = placement.midnights
    return known if known is not None else midnights(placement.from_, placement.to or end, zone)


def midnights(from_: datetime, to: datetime, zone: str) -> int:
    """How many local dates end in an interval, its end included: counted in the list of all days of those years."""
    if to <= from_:
        return 0
    # A year more at either end, as neither instant need be given in the zone's own time.
    ends = _day_ends(from_.year - 1, to.year + 1, zone)
    return bisect_right(ends, to) - bisect_right(ends, from_)


@lru_cache(maxsize=1024)
def _day_ends(first: int, last: int, zone: str) -> tuple[datetime, ...]:
    """When the days of some years end, the first and the last year included."""
    day, over = date(max(first, 2), 1, 1), date(min(last, 9998) + 1, 1, 1)
    days = (day_end(day + timedelta(days=index), zone) for index in range((over - day).days))
    return tuple(end for end in days if end is not None)


def files_end(life: Life) -> Iterator[Finding]:
    """L7: a file is closed by a verified release that counts, and by nothing else, until a fact opens it again."""
    closed_by: int | None = None
    # The facts after which the file is closed, each with the release that closed it.
    closers: dict[int, int] = {}
    for fact in life.facts:
        kind = type(fact.event.body)
        if kind is ReleaseVerified:
            closed_by = fact.event.position if _takes_effect(life, fact) else closed_by
        elif kind in REOPENS or (kind is ReleaseDeclaredErroneous and _takes_effect(life, fact)):
            closed_by = None
        if closed_by is not None:
            closers[fact.event.position] = closed_by
    for spell in life.timeline.spells:
        if not closers and spell.file == "open":
            continue
        for position in spell.facts:
            closer = closers.get(position)
            if (closer is not None) != (spell.file == "closed"):
                expected = "an open file" if closer is None else f"a file closed by the release verified at {closer}"
                yield life.wrong("L7", expected, f"{spell.file} after this fact", instant=spell.from_, at=[position])
