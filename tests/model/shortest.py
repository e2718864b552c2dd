"""The shortest history that still shows what is wrong, and that history as a table to read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Final, TypeVar

from tests.model.answers import Answered
from tests.model.judging import Finding

JUDGED_MAX: Final = 400_000
"""A history is made no shorter once so many answers have been judged in the attempt."""
PLACE: Final = ("its position is taken", "a position is missing before it", "a version is missing or doubled")
"""Faults of the record itself: they show in the two answers beside each other, whatever came before."""
WIDTH: Final = 72
IDS: Final = (
    *("authority", "facility", "agreement", "revision", "person", "persons", "basis", "hold", "transfer", "handover"),
    *("release", "condition", "from_facility", "to_facility", "schedule", "number", "payment", "corrects"),
)
"""The fields that say what a command is about."""

SUBJECTS: Final = ("person", "agreement")
DOSSIERS: Final = ("transfer", "handover", "hold", "number", "corrects")

T = TypeVar("T")
Subject = tuple[str, str]
Judging = Callable[[Sequence[Answered]], Finding | None]


def shortest(history: Sequence[Answered], finding: Finding, judging: Judging) -> list[Answered]:
    """The least of `history` in which `judging` finds the same fault first: about less, then fewer answers."""
    if finding.kind in PLACE:
        return _beside(history, finding)
    judged = 0

    def shows(part: Sequence[Answered]) -> bool:
        nonlocal judged
        judged += len(part)
        if not part or judged > JUDGED_MAX:
            return False
        found = judging(part)
        return found is not None and found.same == finding.same

    whole = _until(history, finding.answered)
    of = _subjects(whole)

    def about(subjects: Sequence[Subject]) -> list[Answered]:
        known = set(subjects)
        return [item for item in whole if item is finding.answered or of[item.who] <= known]

    subjects = _least(sorted(set().union(*of.values())), lambda rest: shows(about(rest)))
    return _least(about(subjects), shows)


def _least(parts: Sequence[T], shows: Callable[[list[T]], bool]) -> list[T]:
    """Leave out stretch after stretch, shorter and shorter ones, until nothing more can go."""
    least, size = list(parts), max(1, len(parts) // 2)
    while True:
        before, start = len(least), 0
        while start < len(least):
            rest = least[:start] + least[start + size :]
            if shows(rest):
                least = rest
            else:
                start += size
        if size == 1 and len(least) in (before, 0):
            return least
        size = max(1, min(size, len(least)) // 2)


def _subjects(history: Sequence[Answered]) -> dict[tuple[str, str], set[Subject]]:
    """By command, the persons and agreements it is about, also those of what it names: a transfer, an event, a bill."""
    of: dict[tuple[str, str], set[Subject]] = {}
    dossiers: dict[Subject, set[Subject]] = {}
    for item in history:
        ids = {*_ids(item.data), *(("number", number) for number in (item.document.get("told") or {}).values())}
        subjects = {(kind, id_) for kind, id_ in ids if kind in SUBJECTS}
        for dossier in ids:
            subjects |= dossiers.get(dossier, set())
        for kind, id_ in (*ids, *(("corrects", event.event_id) for event in item.events)):
            if kind in DOSSIERS:
                dossiers.setdefault((kind, id_), set()).update(subjects)
        of[item.who] = subjects
    return of


def _until(history: Sequence[Answered], last: Answered) -> list[Answered]:
    """What can bear on an answer: what was recorded before it, once each, and none of the other refusals."""
    end = last.events[-1].position if last.is_granted else last.position
    first: dict[int, Answered] = {}
    for item in sorted((item for item in history if item.is_granted), key=lambda item: (item.replayed, item.sent)):
        first.setdefault(item.events[0].position, item)
    return _in_order([*(item for at, item in first.items() if at <= end and item is not last), last])


def _ids(data: Any) -> Iterator[tuple[str, str]]:
    for name in IDS:
        value = data.get(name)
        for id_ in value if isinstance(value, list | tuple) else [value] * (value is not None):
            kind = {"persons": "person", "from_facility": "facility", "to_facility": "facility"}.get(name, name)
            if kind not in ("revision", "condition"):
                yield kind, str(id_)


def _beside(history: Sequence[Answered], finding: Finding) -> list[Answered]:
    granted = [item for item in _in_order(history) if item.is_granted]
    pair = next(([one, other] for one, other in pairwise(granted) if other is finding.answered), None)
    return pair if pair is not None else [*finding.others, finding.answered]


def _in_order(history: Sequence[Answered]) -> list[Answered]:
    """By position; a refusal stands behind the last that was on record when it was given."""
    return sorted(
        history, key=lambda item: (item.events[0].position if item.is_granted else item.position, not item.is_granted)
    )


def table(history: Sequence[Answered]) -> Iterator[str]:
    """One line an answer: where it stands, when it was sent, who asked for what, and what came of it."""
    for item in _in_order(history):
        if item.is_granted:
            first, last = item.events[0].position, item.events[-1].position
            where = f"{first}" if first == last else f"{first}-{last}"
            came = ", ".join(dict.fromkeys(event.type for event in item.events))
            came += " again" if item.replayed else ""
        else:
            where, came = f"{item.seen}..{item.position}", f"no: {item.code}"
        about = " ".join(f"{name}={_short(item.data[name])}" for name in IDS if name in item.data)
        sent = item.sent.astimezone(UTC)
        yield f"{where:>13}  {_clock(sent)}  {item.authority:8} {item.name:22} {about:{WIDTH}}  {came}"


def _clock(instant: datetime) -> str:
    return instant.strftime("%H:%M:%S.%f")[:-3]


def _short(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def report(history: Sequence[Answered], finding: Finding, judging: Judging) -> Iterator[str]:
    """The fault in a sentence, and the shortest history that shows it."""
    yield f"model: {finding.sentence}"
    part = shortest(history, finding, judging)
    yield f"the shortest history that shows it ({len(part)} of {len(history)} answers):"
    yield from table(part)
