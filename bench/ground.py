"""Ledgers to measure on: the authority and the places of the load, and logs filled through the writer."""

from __future__ import annotations

from itertools import islice
from typing import Final

from bench.load import AUTHORITY, CONNECTIONS, OFFICER, commands, place, whole
from domain.commands import parse
from domain.events.event import Actor
from domain.names import AuthorityId, OfficerId
from domain.rules.table import RULES
from ledger.genesis import open_epoch
from ledger.store import open_log
from ledger.writer.submission import Answer, Group, submission
from ledger.writer.writer import Writer

KEEPER: Final = "keeper"
MONITOR: Final = "watch"
"""Who sees that people were let go, in lives that end."""
SINCE: Final = "2020-01-01"
CAPACITY: Final = 100_000
COMMANDS_A_COMMIT: Final = 1_000


def prepare(url: str) -> None:
    """Make a ledger at `url` with all that the load leans on."""
    log = open_log(url, create=True)
    try:
        open_epoch(log, origin="bench.example/custody/1", registrar=KEEPER, state="NO", officer="keeper-1")
        writer = Writer(log)
        for number, (by, name, data) in enumerate(_registry()):
            _record(writer, by, [(name, f"ground-{number}", data)])
    finally:
        log.close()


def fill(url: str, events: int) -> None:
    """Add that many events of the load."""
    log = open_log(url)
    try:
        writer = Writer(log)
        # As many people for each connection as it would have asked for itself, to fill all places alike.
        for connection in range(CONNECTIONS):
            asked = islice(commands("fill", connection), -(-events // CONNECTIONS))
            items = [(each.name, each.key, whole(each)) for each in asked]
            for first in range(0, len(items), COMMANDS_A_COMMIT):
                _record(writer, AUTHORITY, items[first : first + COMMANDS_A_COMMIT])
    finally:
        log.close()


def _registry() -> list[tuple[str, str, dict[str, object]]]:
    found: list[tuple[str, str, dict[str, object]]] = [
        (
            KEEPER,
            "register-authority",
            {"authority": AUTHORITY, "state": "NO", "legal_name": "North", "outside_register": False},
        ),
        (
            KEEPER,
            "set-authority-roles",
            {"authority": AUTHORITY, "roles": [{"role": "sending", "from": SINCE}]},
        ),
    ]
    found += [
        (
            KEEPER,
            "register-authority",
            {"authority": MONITOR, "state": "NO", "legal_name": "Watch", "outside_register": False},
        ),
        (
            KEEPER,
            "set-authority-roles",
            {"authority": MONITOR, "roles": [{"role": "monitor", "from": SINCE}]},
        ),
    ]
    for facility in [place(connection, number) for connection in range(CONNECTIONS) for number in (0, 1)]:
        registered: dict[str, object] = {
            "facility": facility,
            "authority": AUTHORITY,
            "state": "NO",
            "kind": "prison",
            "zone": "Europe/Oslo",
            "recognised_by": "0" * 64,
            "supervising_authority": AUTHORITY,
        }
        certified: dict[str, object] = {
            "facility": facility,
            "operational_capacity": CAPACITY,
            "from": SINCE,
            "certificate": "0" * 64,
            "approved_by": ["north-1", "north-2"],
        }
        found += [(KEEPER, "register-facility", registered), (AUTHORITY, "certify-capacity", certified)]
    return found


def _record(writer: Writer, by: str, items: list[tuple[str, str, dict[str, object]]]) -> None:
    officer = OFFICER if by == AUTHORITY else f"{by}-1"
    actor = Actor(authority=AuthorityId(by), officer=OfficerId(officer), credential=f"none:{by}/{officer}")
    submissions = tuple(
        submission(RULES[name], parse(RULES[name].command, data), by=actor, key=key) for name, key, data in items
    )
    (outcomes,) = writer.commit([Group(submissions=submissions)])
    for outcome in outcomes:
        assert isinstance(outcome, Answer), outcome
