"""Whole lives in custody for a log of any length: some thousand people at a time, each followed by another.

From registration over three moves to a release and its verification. As many are in custody at ten thousand events as
at a million, so that what grows is the history alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Final

from bench.ground import MONITOR
from bench.load import AUTHORITY, CONNECTIONS, DIGEST, MOVES, Asked, commands, place, whole
from domain.commands import parse
from domain.events.event import Actor
from domain.names import AuthorityId, OfficerId
from domain.rules.table import RULES
from ledger.writer.submission import Group, submission

PEOPLE_AT_ONCE: Final = 2_048
BEGAN: Final = datetime.now(UTC) - timedelta(minutes=40)
"""When each life begins: nothing is told late, and only its sequence is read."""
CHECKS: Final = dict.fromkeys(("identity", "warrants", "property", "money", "papers", "file_copy"), True)
ACTORS: Final = {
    name: Actor(authority=AuthorityId(name), officer=OfficerId(f"{name}-1"), credential=f"none:{name}/{name}-1")
    for name in (AUTHORITY, MONITOR)
}


def requests() -> Iterator[Group]:
    """One command a request, for ever; those of one person stand far apart, as in a register they do."""
    slots = [_slot(number) for number in range(PEOPLE_AT_ONCE)]
    while True:
        for slot in slots:
            yield next(slot)


def held(people: int) -> Iterator[Group]:
    """So many people taken into custody, and nothing more."""
    for number in range(people):
        asked = commands(f"h{number}", number % CONNECTIONS, BEGAN + timedelta(minutes=20))
        for _ in range(3):
            yield _group(AUTHORITY, next(asked))


def _slot(slot: int) -> Iterator[Group]:
    """Life after life at the places of one connection of the load."""
    connection = slot % CONNECTIONS
    for number in count():
        run = f"l{slot}-{number}"
        person = f"{run}-{connection}-0"
        # The load's own people are never let go: of each of its runs only the first person is taken.
        asked = commands(run, connection, BEGAN + timedelta(minutes=20))
        for _ in range(3 + MOVES):
            yield _group(AUTHORITY, next(asked))
        yield from _released(person, place(connection, MOVES % 2))


def _released(person: str, facility: str) -> Iterator[Group]:
    def at(minutes: int) -> str:
        return (BEGAN + timedelta(minutes=20 + minutes)).isoformat()

    order: dict[str, object] = {
        "release": "r-1",
        "ground": "court-order",
        "bases": [f"{person}-b"],
        "due_at": at(1),
        "instrument": DIGEST,
        "occurred_at": at(0),
    }
    let_go: dict[str, object] = {
        "release": "r-1",
        "facility": facility,
        "kind": "at-liberty",
        "checks": CHECKS,
        "occurred_at": at(2),
    }
    seen: dict[str, object] = {"release": "r-1", "how": "seen", "evidence": DIGEST, "occurred_at": at(3)}
    yield _group(AUTHORITY, Asked("order-release", "", person, f"{person}.o", order))
    yield _group(AUTHORITY, Asked("record-release", "", person, f"{person}.r", let_go))
    yield _group(MONITOR, Asked("verify-release", "", person, f"{person}.v", seen))


def _group(by: str, asked: Asked) -> Group:
    rule = RULES[asked.name]
    item = submission(rule, parse(rule.command, whole(asked)), by=ACTORS[by], key=asked.key)
    return Group(submissions=(item,))
