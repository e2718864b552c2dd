"""Views against events: what the views have stored and answer is what the log amounts to.

`compare` has every view made anew from the log and names each row that differs. `answers_agree` is law L9 as the views
keep it: what they answer at a position equals the fold of the events up to there, folded here and not by them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from domain.custody.fold import fold
from domain.custody.timeline import timeline
from domain.events.event import Event
from domain.names import PersonId
from ledger.audit.findings import Check, Finding, Progress, quiet
from ledger.audit.laws.lives import is_in_order, life
from ledger.audit.record import Record
from ledger.audit.replay import Row, spell_rows, state_row
from projections import Views, When, current_custody, custody_timeline, roll

STEP: Final = 500


def compare(views: Views, progress: Progress = quiet) -> list[Check]:
    """One check a view: its rows against those of a generation made from the log alone, at the same position."""

    def told(done: int, total: int) -> None:
        progress("views", done, total)

    checks: list[Check] = []
    for found in views.verify(progress=told):
        check = Check(
            code=f"view {found.view}", title=f"{found.view} is what the events amount to", looked_at=found.rows
        )
        check.note = f"{found.differing} differences at position {found.position}, digest {found.digest}"
        for one in found.differences:
            subject = f"{one.table} {_shown(one.key)}"
            expected, live = _row(one.rebuilt, one.columns), _row(one.live, one.columns)
            check.findings.append(
                Finding(law=check.code, subject=subject, positions=one.events, expected=expected, found=live)
            )
        if not found.is_equal and not found.differences:
            check.findings.append(
                Finding(law=check.code, subject="digest", expected=found.digest_rebuilt, found=found.digest)
            )
        checks.append(check)
    return checks


def _row(row: Mapping[str, object] | None, columns: Sequence[str]) -> str:
    return "no such row" if row is None else _shown({column: row[column] for column in columns})


def _shown(values: Mapping[str, object]) -> str:
    return ", ".join(f"{name}={value}" for name, value in values.items())


def answers_agree(record: Record, views: Views, progress: Progress = quiet) -> Iterator[Finding]:
    """L9 on the views: each person's custody and timeline at every knowledge that matters, and each place's roll.

    The views are asked up to the position they have come to.
    """
    names = (current_custody.VIEW.name, custody_timeline.VIEW.name, roll.VIEW.name)
    position = min(record.position, *(views.position(name) for name in names))
    if position not in record.events:
        return
    now = record.events[position].recorded_at
    rolls: dict[str, list[str]] = {}
    people = sorted(record.people.items())
    for done, (person, events) in enumerate(people, start=1):
        known = [event for event in events if event.position <= position]
        if not known:
            continue
        for known_at in _knowledges(person, known, record, position):
            yield from _person(record, views, person, known, known_at)
        state = fold(known, record.register, now)
        if state is not None and state.placement is not None:
            rolls.setdefault(state.placement.value, []).append(person)
        if done % STEP == 0 or done == len(people):
            progress("views", done, len(people))
    for facility in sorted(rolls):
        yield from _roll(views, facility, rolls[facility], now, position)


def _knowledges(person: PersonId, known: Sequence[Event], record: Record, position: int) -> list[int]:
    """The present one alone where facts came in order; else every position at which something was recorded."""
    if is_in_order(life(person, known, record.register)):
        return [position]
    return [*(event.position for event in known), position]


def _person(
    record: Record, views: Views, person: PersonId, events: Sequence[Event], known_at: int
) -> Iterator[Finding]:
    instant = record.events[known_at].recorded_at
    first = [event for event in events if event.position <= known_at]
    when = When(now=instant, as_of=instant, known_at=known_at)
    state = fold(first, record.register, instant)
    folded = None if state is None else state_row(person, state, instant)
    answer = current_custody.custody(views, when, person).value
    yield from _differing("current_custody", person, known_at, [folded] if folded else [], [answer] if answer else [])
    spells = spell_rows(timeline(first, record.register, instant))
    answers = custody_timeline.timeline(views, when, person).value or []
    yield from _differing("custody_timeline", person, known_at, spells, answers)


def _differing(
    view: str, person: PersonId, known_at: int, folded: Sequence[Row], answered: Sequence[Row]
) -> Iterator[Finding]:
    """The first row that the view does not have as it is folded; columns the fold does not have are the view's own."""
    for index in range(max(len(folded), len(answered))):
        wanted = folded[index] if index < len(folded) else None
        found = answered[index] if index < len(answered) else None
        if wanted is None or found is None or any(found[column] != wanted[column] for column in wanted):
            columns = [one for one in wanted or {} if found is None or (wanted and found[one] != wanted[one])]
            yield Finding(
                law="L9",
                subject=f"{view} person:{person}",
                positions=(known_at,),
                expected=_row(wanted, columns),
                found=_row(found, columns or list(found or {})),
            )
            return


def _roll(views: Views, facility: str, folded: Sequence[str], now: datetime, position: int) -> Iterator[Finding]:
    answer = roll.roll(views, When(now=now, as_of=now, known_at=position), facility).value
    answered = {str(item["person"]) for item in answer.items} if answer is not None else set()
    if differing := sorted(answered ^ set(folded)):
        yield Finding(
            law="L9",
            subject=f"roll facility:{facility}",
            positions=(position,),
            expected=f"{len(folded)} persons, as folded",
            found=f"in one alone: {' '.join(differing[:20])}",
        )
