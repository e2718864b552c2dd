"""What the tests of the writer share: an open log, a command that is easy to make, and the one law of memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event
from time import monotonic
from typing import Any

from domain.known import Key
from domain.register import Register
from ledger.store import open_log
from ledger.store.log import EventLog
from ledger.writer.submission import Group
from tests.scene import NORTH, START, Scene

PATIENCE = 60
LOOK_AGAIN = 0.01


def person(id_: str, **changes: object) -> dict[str, Any]:
    """The fields of a person's registration."""
    return {"person": id_, "identity_status": "established", "attributes": {}, "occurred_at": START, **changes}


def registering(scene: Scene, id_: str, key: str, **changes: object) -> Group:
    """A request that registers a person under that key."""
    return Group(submissions=(scene.ask(NORTH, "register-person", key=key, **person(id_, **changes)),))


@contextmanager
def opened(url: str) -> Iterator[EventLog]:
    """The log at that URL, made if it is missing."""
    log = open_log(url, create=True)
    try:
        yield log
    finally:
        log.close()


def memory_equals_disk(scene: Scene, register: Register | None = None) -> None:
    """The register is what the record folds into, no more and no less."""
    fresh = Register()
    for event in scene.events():
        fresh.evolve(event)
    known = register if register is not None else scene.register
    assert known.position == fresh.position == scene.log.head()
    assert known._files == fresh._files
    assert known._origins == fresh._origins
    assert known._streams == fresh._streams
    assert _members(known) == _members(fresh)


def _members(register: Register) -> dict[Key, set[str]]:
    found = {key: {id_ for id_, is_there in ids.items() if is_there} for key, ids in register._members.items()}
    return {key: ids for key, ids in found.items() if ids}


def wait_until(holds: Callable[[], bool]) -> None:
    """Look again and again until it holds, for what nothing announces."""
    deadline, never = monotonic() + PATIENCE, Event()
    while not holds():
        assert monotonic() < deadline, "it never came to hold"
        never.wait(LOOK_AGAIN)
