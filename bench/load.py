"""The commands of the load: people registered, lawfully held and moved, each by the authority of its connection.

Every connection has two places of its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count, islice
from typing import Final, NamedTuple

import msgspec

AUTHORITY: Final = "north"
OFFICER: Final = "north-1"
CONNECTIONS: Final = 64
MOVES: Final = 3
COMMANDS_A_PERSON: Final = 3 + MOVES
COMMANDS_A_BATCH: Final = 100
DIGEST: Final = hashlib.sha256(b"a document of the load").hexdigest()
PARTICULARS: Final = dict.fromkeys(
    ("reasons", "injuries", "complaints", "property", "family", "emergency_contact"), "none"
)


class Asked(NamedTuple):
    """One command: wire name, the address it has, and its fields, those of the address apart."""

    name: str
    path: str
    person: str | None
    key: str
    data: dict[str, object]


def place(connection: int, number: int) -> str:
    """One of the two places (0 and 1) of a connection."""
    return f"place-{connection}-{number}"


def commands(run: str, connection: int, start: datetime | None = None) -> Iterator[Asked]:
    """Person after person for ever, as one connection asks; `run` keeps ids and keys apart from those of other runs.

    All of it happened in the minutes before `start`, now if none is given.
    """
    began = (start if start is not None else datetime.now(UTC)) - timedelta(minutes=20)
    times = [(began + timedelta(minutes=minute)).isoformat(timespec="seconds") for minute in range(COMMANDS_A_PERSON)]
    for number in count():
        yield from _one_person(f"{run}-{connection}-{number}", connection, times)


def _one_person(person: str, connection: int, times: list[str]) -> Iterator[Asked]:
    here, there = place(connection, 0), place(connection, 1)
    yield Asked(
        "register-person",
        "/v1/people",
        None,
        f"{person}.0",
        {
            "person": person,
            "identity_status": "established",
            "attributes": {"name": f"sha256:{DIGEST}"},
            "occurred_at": times[0],
        },
    )
    yield Asked(
        "record-basis",
        f"/v1/people/{person}/bases",
        person,
        f"{person}.1",
        {
            "basis": f"{person}-b",
            "kind": "sentence",
            "ordering_authority": AUTHORITY,
            "instrument": DIGEST,
            "valid_from": times[0][:10],
            "must_end_by": f"{int(times[0][:4]) + 2}-01-01",
            "indeterminate": False,
            "occurred_at": times[1],
        },
    )
    yield Asked(
        "open-custody",
        f"/v1/people/{person}/custody",
        person,
        f"{person}.2",
        {
            "facility": here,
            "authority": AUTHORITY,
            "basis": f"{person}-b",
            "entry": "new",
            "deprived_at": times[1],
            "deprived_by": AUTHORITY,
            "supervising_authority": AUTHORITY,
            "particulars": PARTICULARS,
            "occurred_at": times[2],
        },
    )
    for move in range(MOVES):
        yield Asked(
            "record-move-within",
            f"/v1/people/{person}/moves",
            person,
            f"{person}.{3 + move}",
            {
                "from_facility": (here, there)[move % 2],
                "to_facility": (there, here)[move % 2],
                "reason": "population",
                "occurred_at": times[3 + move],
            },
        )


def whole(asked: Asked) -> dict[str, object]:
    """All fields of a command, as in a batch or where an address holds none of them."""
    return asked.data if asked.person is None else {**asked.data, "person": asked.person}


def single_requests(run: str, connection: int) -> Iterator[bytes]:
    """One command a request, at its own address."""
    for asked in commands(run, connection):
        yield _request(asked.path, asked.key, msgspec.json.encode(asked.data))


def flat_requests(run: str, connection: int) -> Iterator[bytes]:
    """The same commands for a reference, which reads all fields from the body."""
    for asked in commands(run, connection):
        yield _request(f"/{asked.name}", asked.key, msgspec.json.encode(whole(asked)))


def batch_requests(run: str, connection: int) -> Iterator[bytes]:
    """A hundred commands a request."""
    asking = commands(run, connection)
    while True:
        items = [
            {"key": asked.key, "type": asked.name, "data": whole(asked)} for asked in islice(asking, COMMANDS_A_BATCH)
        ]
        yield _request("/v1/commands", "unused", msgspec.json.encode(items))


REQUESTS: Final = {"single": single_requests, "flat": flat_requests, "batch": batch_requests}


def _request(path: str, key: str, body: bytes) -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Custody-Actor: {AUTHORITY}/{OFFICER}\r\nIdempotency-Key: {key}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode("ascii") + body
