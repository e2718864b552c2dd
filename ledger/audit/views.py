"""Views against events: what the views have stored and answer is what the log amounts to.

`compare` has every view made anew from the log and names each row that differs. `Asked` is law L9 as the views keep it:
what they answer at a position equals the fold of the events up to there, folded here and not by them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from domain.custody.fold import fold_counting
from ledger.audit.findings import Check, Finding, Progress, quiet
from ledger.audit.laws.lives import Life
from ledger.audit.record import event_in
from ledger.audit.replay import Row, spell_rows, state_row
from ledger.store.log import EventLog
from projections import ViewIsBehind, Views, When, current_custody, custody_timeline, roll


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The views as law L9 asks them: up to `position`, to which they have come, which was recorded at `now`."""

    views: Views
    position: int
    now: datetime

    def life(self, one: Life) -> Iterator[Finding]:
        """What the views answer about a person: they read the log, and may find what they cannot read."""
        try:
            yield from self._life(one)
        except ViewIsBehind:
            yield Finding(
                law="L9",
                subject=f"views person:{one.person}",
                positions=(one.known_at,),
                expected="an answer",
                found="an event that cannot be read",
            )

    def _life(self, one: Life) -> Iterator[Finding]:
        """Custody as it stood when the last event was recorded; the timeline up to its last fact."""
        recorded_at = one.events[-1].recorded_at
        state = fold_counting(one.counting, one.places, recorded_at)
        folded = [state_row(one.person, state, recorded_at)] if state is not None else []
        when = When(now=recorded_at, as_of=recorded_at, known_at=one.known_at)
        answer = current_custody.custody(self.views, when, one.person).value
        yield from _differing("current_custody", one, folded, [answer] if answer is not None else [])
        settled_at = max((fact.instant for fact in one.facts), default=recorded_at)
        when = When(now=settled_at, as_of=settled_at, known_at=one.known_at)
        answers = custody_timeline.timeline(self.views, when, one.person).value or []
        yield from _differing("custody_timeline", one, spell_rows(one.timeline), answers)

    def roll(self, facility: str, folded: Sequence[str]) -> Iterator[Finding]:
        """The roll of a place at `now`, against those whom the fold places there."""
        when = When(now=self.now, as_of=self.now, known_at=self.position)
        answer = roll.roll(self.views, when, facility).value
        answered = {str(item["person"]) for item in answer.items} if answer is not None else set()
        if differing := sorted(answered ^ set(folded)):
            yield Finding(
                law="L9",
                subject=f"roll facility:{facility}",
                positions=(self.position,),
                expected=f"{len(folded)} persons, as folded",
                found=f"in one alone: {' '.join(differing[:20])}",
            )


def ask(views: Views, log: EventLog, head: int) -> Asked | None:
    """The views, to be asked up to where all of them have come; `None` where no event can be read there."""
    names = (current_custody.VIEW.name, custody_timeline.VIEW.name, roll.VIEW.name)
    position = min(head, *(views.position(name) for name in names))
    rows = log.scan(position - 1, 1) if position else []
    event = event_in(rows[0]) if rows and rows[0].position == position else None
    return None if event is None else Asked(views=views, position=position, now=event.recorded_at)


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
