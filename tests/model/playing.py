"""Real histories for the model's own tests: lives on a ledger in memory, every answer kept as a client keeps it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from random import Random
from typing import NamedTuple

from domain.refusals import Refusal
from ledger.store.log import Row
from ledger.writer.submission import Answer, Refused
from tests.chaos.asking import Ask, Life
from tests.chaos.checks import stated
from tests.chaos.fees import accounts
from tests.chaos.lives import lives, registry
from tests.chaos.wild import Known, wild
from tests.model.answers import Answered, Json, Record
from tests.model.judging import Finding, judge
from tests.scene import KEEPER, Scene

OPENED = 3


class Played(NamedTuple):
    """All answers of a ledger, and what its record says beside them."""

    answers: tuple[Answered, ...]
    rows: list[Row]

    @property
    def record(self) -> Record:
        """By position, what is on record."""
        return {row.position: stated(row) for row in self.rows}


def real_history(seed: int, commands: int) -> Played:
    """A ledger furnished, the wild load, one client's lives and one's accounts, in turns."""
    random = Random(seed)
    now = datetime.now(UTC)
    scene, history = Scene(now=now.isoformat()), list[Answered]()
    _live(scene, registry(), history, "first", 1_000)
    known = Known()
    loads = [_Turn(wild(f"w{number}", Random(f"{seed}:{number}"), known), f"w{number}") for number in range(3)]
    loads.append(_Turn(lives("c", random), "c"))
    loads.append(_Turn(accounts("m", random, known.accounts, known.told), "m"))
    for number in range(commands):
        loads[0 if number < commands // 8 else number % len(loads)].next(scene, history)
    return Played(tuple(history), scene.log.read(0, scene.log.head()))


def lived(*lives: Life) -> Played:
    """The history of some lives, lived one after the other to their ends."""
    scene, history = Scene(now=datetime.now(UTC).isoformat()), list[Answered]()
    for number, life in enumerate(lives):
        _live(scene, life, history, f"l{number}", 1_000)
    return Played(tuple(history), scene.log.read(0, scene.log.head()))


class _Turn:
    """One life, lived a command at a time."""

    def __init__(self, life: Life, name: str) -> None:
        self._life, self._name = life, name
        self._ask: Ask | None = next(life)
        self._count = 0

    def next(self, scene: Scene, history: list[Answered]) -> None:
        """Ask the next command and keep what is answered."""
        if self._ask is None:
            return
        self._count += 1
        answered = asked(scene, self._ask, f"{self._name}.{self._count}")
        history.append(answered)
        try:
            self._ask = self._life.send(self._ask.told(answered))
        except StopIteration:
            self._ask = None


def _live(scene: Scene, life: Life, history: list[Answered], name: str, commands_max: int) -> None:
    turn = _Turn(life, name)
    for _ in range(commands_max):
        turn.next(scene, history)


def asked(scene: Scene, ask: Ask, key: str) -> Answered:
    """Ask one command now."""
    sent, seen = datetime.now(UTC), scene.writer.register.position
    scene.now = sent
    try:
        outcome = scene.outcome(f"{ask.by}/{ask.sender}", ask.name, key=key, **ask.data)
    except Refusal as refusal:
        raise AssertionError(f"{ask} is turned away at the edge: {refusal.code}") from refusal
    is_granted = isinstance(outcome, Answer)
    if isinstance(outcome, Answer):
        document = told(outcome)
    else:
        assert isinstance(outcome, Refused)
        document = {"code": outcome.refusal.code, **outcome.refusal.data()}
    return Answered(
        authority=ask.by,
        officer=ask.sender,
        key=key,
        name=ask.name,
        data=ask.data,
        sent=sent,
        heard=datetime.now(UTC),
        seen=seen,
        position=scene.writer.register.position,
        is_granted=is_granted,
        document=document,
        replayed=isinstance(outcome, Answer) and outcome.replayed,
    )


def told(answer: Answer) -> Json:
    """An answer as its document tells it over HTTP."""
    names = ("position", "event_id", "stream", "stream_version", "leaf_hash", "flags")
    events = [{"type": event.wire, **{name: getattr(event, name) for name in names}} for event in answer.events]
    return {"position": answer.position, "events": events, "told": dict(answer.told)}


def judged(history: Sequence[Answered], record: Record | None = None, *, whole: bool = True) -> Finding | None:
    """What the model finds in a history of such a ledger."""
    return judge(history, OPENED, KEEPER, "NO", record=record, whole=whole)
