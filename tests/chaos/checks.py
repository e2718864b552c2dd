"""The checks: what the clients were told, held against the log as it stands and the views as they come to be.

`Verdict` counts what is wrong, and says each of it in a sentence.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from ledger.audit.verify import verify
from ledger.service import LogEvents
from ledger.store import open_log
from ledger.store.leaf import decode_leaf, text64
from ledger.store.log import EventLog, Remembered, Row
from projections import open_views
from tests.chaos.asking import REUSED
from tests.model.answers import Answered, Stated
from tests.model.judging import Finding, judge
from tests.model.shortest import report
from tests.scene import KEEPER

Told = Mapping[tuple[str, str], Answered]
"""What was granted, by authority and key."""


@dataclass(slots=True, kw_only=True)
class Verdict:
    """What the checks found over some rounds.

    `doubled` also has what was recorded and nobody was told of: a command that was carried out unknown to its sender
    is one that the sender would ask for a second time. `broken` are checks of the audit, `rejected` what the model of
    histories would not have answered.
    """

    rounds: int = 0
    acknowledged: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    unequal: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    rejected: list[str] = field(default_factory=list)
    note: str = ""
    """How a single round went."""

    @property
    def is_clean(self) -> bool:
        """Whether nothing at all is wrong."""
        return not any(True for _ in self.sentences())

    def add(self, other: Verdict) -> None:
        """Take the findings of further rounds."""
        self.rounds += other.rounds
        self.acknowledged += other.acknowledged
        self.lost += other.lost
        self.doubled += other.doubled
        self.missing += other.missing
        self.unequal += other.unequal
        self.broken += other.broken
        self.rejected += other.rejected

    def sentences(self) -> Iterator[str]:
        """Each finding."""
        kinds = {"lost": self.lost, "doubled": self.doubled, "missing": self.missing, "views": self.unequal}
        for kind, found in {**kinds, "audit": self.broken, "model": self.rejected}.items():
            yield from (f"{kind}: {sentence}" for sentence in found)

    def line(self) -> str:
        """All of it in one line."""
        return (
            f"{self.rounds} rounds, {self.acknowledged} acknowledged, {len(self.lost)} lost, "
            f"{len(self.doubled)} doubled, {len(self.missing)} missing positions, {len(self.unequal)} views unequal"
        )


def examine(url: str, answers: Sequence[Answered], opened: int) -> Verdict:
    """Examine the ledger at `url`, which nobody serves: every finding of one round."""
    log = open_log(url)
    try:
        head = log.head()
        rows = log.scan(0, head + 1)
        verdict = against_the_log(rows, log.remembered_between(1, head), answers, opened)
        verdict.rejected += against_the_model(answers, opened, rows)
        _examine_views(url, log, verdict)
    finally:
        log.close()
    return verdict


def against_the_model(answers: Sequence[Answered], opened: int, rows: Iterable[Row]) -> list[str]:
    """What the model finds in a whole history, in sentences; nothing where it would have answered and written so."""
    record = {row.position: stated(row) for row in rows}

    def judging(part: Sequence[Answered]) -> Finding | None:
        return judge(part, opened, KEEPER, "NO", record=record, whole=len(part) == len(answers))

    finding = judging(answers)
    return [] if finding is None else ["\n".join(report(answers, finding, judging))]


def stated(row: Row) -> Stated:
    """What a row says that no answer tells."""
    leaf = json.loads(row.leaf)
    return Stated(datetime.fromisoformat(leaf["recorded_at"]), leaf["body"])


def against_the_log(
    rows: Sequence[Row], remembered: Sequence[Remembered], answers: Sequence[Answered], opened: int
) -> Verdict:
    """Hold the clients' answers against all rows of a log, of which the first `opened` are of nobody's asking.

    What was granted is there once, just as it was told, and its key is remembered; there is nothing else.
    """
    verdict = Verdict(rounds=1)
    told = _told(answers, verdict)
    verdict.acknowledged = len(told)
    rows_at = {row.position: row for row in rows}
    records = {(record.authority, record.key): record for record in remembered}
    makers = {who: answer for who, answer in told.items() if not _is_repeat(answer, rows_at, told)}
    for who, answer in makers.items():
        if not _is_recorded(answer, rows_at, records.get(who)):
            verdict.lost.append(f"{who} is not recorded as it was answered: {answer.document['events']}")
    named = Counter(event["position"] for answer in makers.values() for event in answer.document["events"])
    _find_doubled(rows, remembered, named, opened, verdict)
    last = max([*rows_at, *named], default=0)
    verdict.missing += [f"position {position}" for position in range(1, last + 1) if position not in rows_at]
    return verdict


def _told(answers: Sequence[Answered], verdict: Verdict) -> Told:
    told: dict[tuple[str, str], Answered] = {}
    for answer in answers:
        who = answer.who
        if not answer.is_granted:
            # What was refused may be asked again; what was granted is never refused afterwards.
            if who in told and answer.code != REUSED:
                verdict.doubled.append(f"{who} was granted and then refused: {answer.document}")
        elif told.setdefault(who, answer).document != answer.document:
            verdict.doubled.append(f"{who} was answered in two ways: {told[who].document} and {answer.document}")
    return told


def _is_repeat(answer: Answered, rows_at: Mapping[int, Row], told: Told) -> bool:
    """Whether it tells of another command's events, which that one was told of just so."""
    row = rows_at.get(answer.document["position"])
    if not answer.replayed or row is None:
        return False
    leaf = decode_leaf(row.leaf)
    maker = told.get((leaf.actor.authority, leaf.command_id))
    return maker is not None and maker is not answer and maker.document == answer.document


def _is_recorded(answer: Answered, rows_at: Mapping[int, Row], record: Remembered | None) -> bool:
    events = answer.document["events"]
    for event in events:
        row = rows_at.get(event["position"])
        if row is None or {name: value for name, value in event.items() if name != "flags"} != _shown(row):
            return False
        leaf = decode_leaf(row.leaf)
        if (leaf.actor.authority, leaf.command_id) != answer.who:
            return False
    return record is not None and (record.first_position, record.count) == (events[0]["position"], len(events))


def _shown(row: Row) -> dict[str, object]:
    """A row as answers tell of it."""
    return {
        "position": row.position,
        "event_id": row.event_id,
        "type": row.type,
        "stream": row.stream,
        "stream_version": row.stream_version,
        "leaf_hash": text64(row.leaf_hash),
    }


def _find_doubled(
    rows: Sequence[Row], remembered: Sequence[Remembered], named: Counter[int], opened: int, verdict: Verdict
) -> None:
    for what, found in (
        ("position", Counter(row.position for row in rows)),
        ("event", Counter(row.event_id for row in rows)),
        ("version", Counter((row.stream, row.stream_version) for row in rows)),
        ("key", Counter((record.authority, record.key) for record in remembered)),
        ("answered position", named),
    ):
        verdict.doubled += [f"{what} {value}, {times} times" for value, times in found.items() if times > 1]
    for row in rows:
        if row.position > opened and row.position not in named:
            verdict.doubled.append(f"position {row.position}, {decode_leaf(row.leaf).command_id}: nobody was told")


def _examine_views(url: str, log: EventLog, verdict: Verdict) -> None:
    """Bring the views up from where the last server left them; then the views and the whole audit."""
    views = open_views(url, LogEvents(log))
    try:
        views.catch_up()
        behind = {status.view: f"{status.view} is {status.state} at {status.position}" for status in views.status()}
        current = {status.view for status in views.status() if status.state == "current"}
        differing = {found.view: f"{found.view}: {found.differences}" for found in views.verify() if not found.is_equal}
        verdict.unequal += [said for view, said in behind.items() if view not in current]
        verdict.unequal += [said for view, said in differing.items() if view in current]
        for check in verify(log, views=views):
            if not check.holds:
                verdict.broken.append(f"{check.code}: {[finding for finding in check.findings if not finding.open]}")
    finally:
        views.close()
