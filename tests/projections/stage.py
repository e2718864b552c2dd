"""Logs for tests of the views: stories through the real writer, and lists of events where a log must be odd.

`expected` answers come from the domain alone, over the same events, so that a view is held against the fold itself.
"""

from __future__ import annotations

import sqlite3
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, ClassVar

import msgspec
import psycopg

from domain.events import decode_body
from domain.events.event import Actor, Event
from domain.events.transfer import TransferRequested
from domain.names import AuthorityId, EventId, OfficerId
from domain.register import Register
from ledger.service import LogEvents
from ledger.store import engine_of
from projections import VIEWS, Stored, View, Views, When
from projections.engine.database import views_path
from projections.engine.postgres import SCHEMA
from projections.engine.views import open_views
from tests.projections.lives import MEMORY, story
from tests.scene import DIGEST, TERMS, WATCH, Scene

NOW = datetime(2025, 6, 1, 12, tzinfo=UTC)
FOLDING = ("people", "current_custody", "custody_timeline", "roll", "occupancy")


@dataclass
class ListSource:
    """A log that is a list; it may grow, and `unreadable` positions can't be decoded."""

    outages: ClassVar[tuple[type[Exception], ...]] = (ConnectionError,)
    events: list[Event] = field(default_factory=list)
    unreadable: set[int] = field(default_factory=set)

    def read_events(self, after: int, limit: int, wanted: Callable[[str], bool] | None = None) -> Sequence[Event]:
        page = self.events[after : after + limit]
        if wanted is not None:
            page = [event for event in page if wanted(event.stream)]
        if any(event.position in self.unreadable for event in page):
            raise KeyError("unknown-event.v9")
        return page

    def read_at(self, positions: Sequence[int]) -> Sequence[Event]:
        if self.unreadable.intersection(positions):
            raise KeyError("unknown-event.v9")
        return [self.events[position - 1] for position in positions]

    def stored(self, position: int) -> Stored | None:
        if position > len(self.events):
            return None
        event = self.events[position - 1]
        return Stored(event.stream, event.leaf_hash)

    def help(self, _task: str) -> subprocess.Popen[bytes] | None:
        return None

    def head(self) -> int:
        return len(self.events)

    def wait_for(self, after: int, timeout: float) -> bool:
        return len(self.events) > after


class Away(ListSource):
    """A log whose events are handed out in order; while it is away nobody can read back single ones."""

    def read_at(self, positions: Sequence[int]) -> Sequence[Event]:
        raise ConnectionError("the log is gone")


def open_story(url: str = MEMORY, views: Mapping[str, View] = VIEWS) -> tuple[Scene, Views]:
    """The story, with views caught up on it."""
    scene = story(url)
    opened = open_views(url, LogEvents(scene.log), views)
    opened.catch_up()
    return scene, opened


def views_over(events: Sequence[Event], url: str = MEMORY, views: Mapping[str, View] = VIEWS) -> Views:
    """Views caught up on a list of events."""
    opened = open_views(url, ListSource(list(events)), views)
    opened.catch_up()
    return opened


def with_apply(name: str, wrap: Callable[[Any], Any]) -> dict[str, View]:
    """All views, of which one applies batches in another way."""
    return {**VIEWS, name: replace(VIEWS[name], apply=wrap(VIEWS[name].apply))}


def register_of(events: Sequence[Event]) -> Register:
    """The domain's own register over all events."""
    register = Register()
    for event in events:
        register.evolve(event)
    return register


def of_person(events: Sequence[Event], person: str) -> list[Event]:
    """The facts of a person as the domain's register routes them."""
    file = register_of(events).person(person)
    return list(file.events) if file is not None else []


def at(text: str, known_at: int | datetime | None = None, **more: Any) -> When:
    """A question as of an instant."""
    return When(now=NOW, as_of=datetime.fromisoformat(text), known_at=known_at, **more)


def now(**more: Any) -> When:
    """A question as of now."""
    return When(now=NOW, **more)


def change(url: str, sql: str) -> None:
    """Run a statement on the views' database behind the views' back."""
    if engine_of(url) == "sqlite":
        path = views_path(url)
        assert path is not None, "views in memory have no back"
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(sql)
            connection.commit()
        return
    with psycopg.connect(url) as connection:
        connection.execute(f"SET search_path = {SCHEMA}")
        connection.execute(sql.encode())


# Registry events for logs that are lists.


def registry() -> list[Event]:
    """What `tests.domain.custody.facts.NORTH_AND_SOUTH` says, as events."""
    zones = {"n-1": "America/New_York", "n-2": "America/New_York"}
    zones |= {"s-1": "America/El_Salvador", "s-2": "America/El_Salvador"}
    rows: list[tuple[str, str, dict[str, Any]]] = [
        ("authority-registered", f"authority:{name}", _authority(name, parent))
        for name, parent in (("north-ministry", None), ("north", "north-ministry"), ("south", None), ("watch", None))
    ]
    rows += [("facility-registered", f"facility:{name}", _facility(name, zone)) for name, zone in zones.items()]
    rows.append(("agreement-drafted", "agreement:g1", _agreement()))
    return [_event(number, *row) for number, row in enumerate(rows, start=1)]


def after_registry(events: Sequence[Event]) -> list[Event]:
    """A log of the registry and then these events, without those of a transfer that nobody had requested."""
    log, requested = registry(), set[str]()
    for event in events:
        if isinstance(event.body, TransferRequested):
            requested.add(event.stream)
        if event.stream.startswith("person:") or event.stream in requested:
            log.append(msgspec.structs.replace(event, position=len(log) + 1))
    return log


def _authority(name: str, parent: str | None) -> dict[str, Any]:
    more = {} if parent is None else {"parent": parent}
    return {"authority": name, "state": "US", "legal_name": name, "outside_register": False, **more}


def _facility(name: str, zone: str) -> dict[str, Any]:
    return {
        "facility": name,
        "authority": "north" if name[0] == "n" else "south",
        "state": "US",
        "kind": "prison",
        "zone": zone,
        "recognised_by": DIGEST,
        "supervising_authority": WATCH,
    }


def _agreement() -> dict[str, Any]:
    return {
        "agreement": "g1",
        "revision": 1,
        "parties": [{"authority": "north", "role": "sending"}, {"authority": "south", "role": "receiving"}],
        "legal_bases": ["custody-contract"],
        "terms": {**TERMS, "approvals": ["receiving", "court"]},
        "terms_digest": DIGEST,
        "from": "2025-01-01",
        "to": "2025-12-31",
    }


def _event(position: int, wire: str, stream: str, body: dict[str, Any]) -> Event:
    return Event(
        position=position,
        event_id=EventId(f"registry-{position}"),
        stream=stream,
        stream_version=1,
        actor=Actor(authority=AuthorityId("keeper"), credential="key:test", officer=OfficerId("k-1")),
        occurred_at=datetime(2024, 1, 1, tzinfo=UTC),
        recorded_at=datetime(2024, 1, 1, tzinfo=UTC),
        command_id=f"registry-{position}",
        leaf_hash=f"leaf-{position}",
        body=decode_body(f"{wire}.v1", msgspec.json.encode({"flags": [], **body})),
    )
