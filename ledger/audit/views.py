"""Views against events: what the views have stored and answer is what the log amounts to.

`compare` has every view made anew from the log and names each row that differs. `answers_agree` is law L9 as the views
keep it: what they answer at a position equals the fold of the events up to there, folded here and not by them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from domain.custody.fold import fold, fold_counting
from domain.events.facility import FacilityRegistered
from ledger.audit.findings import Check, Finding, Progress, quiet
from ledger.audit.laws.lives import Life, lives
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
    bodies = (event.body for event in record.events.values() if event.position <= position)
    rolls: dict[str, list[str]] = {body.facility: [] for body in bodies if isinstance(body, FacilityRegistered)}
    people = sorted(record.people.items())
    for done, (person, events) in enumerate(people, start=1):
        known = [event for event in events if event.position <= position]
        for one in lives(person, known, record.register) if known else ():
            yield from _life(views, one, record.events[one.known_at].recorded_at)
        state = fold(known, record.register, now)
        if state is not None and state.placement is not None:
            rolls.setdefault(state.placement.value, []).append(person)
        if done % STEP == 0 or done == len(people):
            progress("views", done, len(people))
    for facility in sorted(rolls):
        yield from _roll(views, facility, rolls[facility], now, position)


def _life(views: Views, one: Life, recorded_at: datetime) -> Iterator[Finding]:
    """Custody as it stood when the last event was recorded; the timeline up to its last fact."""
    state = fold_counting(one.counting, one.places, recorded_at)
    folded = [state_row(one.person, state, recorded_at)] if state is not None else []
    when = When(now=recorded_at, as_of=recorded_at, known_at=one.known_at)
    answer = current_custody.custody(views, when, one.person).value
    yield from _differing("current_custody", one, folded, [answer] if answer is not None else [])
    settled_at = max((fact.instant for fact in one.facts), default=recorded_at)
    when = When(now=settled_at, as_of=settled_at, known_at=one.known_at)
    answers = custody_timeline.timeline(views, when, one.person).value or []
    yield from _differing("custody_timeline", one, spell_rows(one.timeline), answers)


def _differing(view: str, one: Life, folded: Sequence[Row], answered: Sequence[Row]) -> Iterator[Finding]:
    """The first row that the view does not have as it is folded; columns the fold does not have are the view's own."""
    for index in range(max(len(folded), len(answered))):
        wanted = folded[index] if index < len(folded) else None
        found = answered[index] if index < len(answered) else None
        if wanted is None or found is None or any(found[column] != wanted[column] for column in wanted):
            columns = [name for name in wanted or {} if found is None or (wanted and found[name] != wanted[name])]
            yield Finding(
                law="L9",
                subject=f"{view} person:{one.person}",
                positions=(one.known_at,),
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
