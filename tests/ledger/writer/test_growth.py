"""A start costs the people in custody and the tail, not the history; a picture that does not fit is passed over."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import psycopg
import pytest

from domain.commands import parse
from domain.events.event import Actor
from domain.names import OfficerId
from domain.register import Register
from domain.resident import Picture
from domain.rules.table import RULES
from ledger.demo import seed
from ledger.store import EventLog, open_log, snapshots
from ledger.store.leaf import read_event
from ledger.store.log import Row
from ledger.store.postgres.shelf import PostgresShelf
from ledger.store.snapshots import Snapshots, open_snapshots
from ledger.writer import writer
from ledger.writer.submission import Answer, Group, submission
from ledger.writer.writer import Writer
from tests.engines import Server
from tests.ledger.writer.stage import PATIENCE, opened, registering
from tests.scene import Scene, registry

NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)
EVERYTHING = 100_000


@pytest.fixture(autouse=True)
def small_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    set_small_numbers(monkeypatch)


def set_small_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "PEOPLE_KEPT", 2)
    monkeypatch.setattr(writer, "PICTURE_AT_THE_END", 1)


def seeded(url: str) -> str:
    """A ledger of thirty people, some of them released, that was stopped once; each test changes a copy."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        set_small_numbers(monkeypatch)
        seed(url, 30, NOW)
        run(url)
    return url


@pytest.fixture(scope="module")
def seeded_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("seeded")
    seeded(f"sqlite:///{folder / 'custody.db'}")
    return folder


@pytest.fixture(scope="module")
def seeded_database(postgresql_server: Server) -> Iterator[str]:
    url = postgresql_server.create_database()
    yield seeded(url)
    postgresql_server.drop_database(url)


@pytest.fixture
def sqlite_copy(seeded_folder: Path, tmp_path: Path) -> str:
    shutil.copytree(seeded_folder, tmp_path, dirs_exist_ok=True)
    return f"sqlite:///{tmp_path / 'custody.db'}"


@pytest.fixture
def postgresql_copy(postgresql_server: Server, seeded_database: str) -> Iterator[str]:
    url = postgresql_server.create_database(like=seeded_database)
    yield url
    postgresql_server.drop_database(url)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """A ledger of thirty people, once on each engine."""
    copy: str = request.getfixturevalue(f"{request.param}_copy")
    return copy


def run(url: str) -> None:
    """Start and stop."""
    log = open_log(url)
    try:
        running = Writer(log, snapshots=kept(log, url))
        running.start(follow=False)
        running.close()
    finally:
        log.close()


def kept(log: EventLog, url: str) -> Snapshots:
    found = open_snapshots(log, url)
    assert found is not None
    return found


def whole(log: EventLog) -> Register:
    register = Register()
    for row in log.read(0, EVERYTHING):
        register.evolve(read_event(row))
    return register


def agree(register: Register, expected: Register) -> None:
    assert register.position == expected.position
    assert sorted(register.people()) == sorted(expected.people())
    for id_ in expected.people():
        assert register.person(id_) == expected.person(id_)
    for number in expected.ids("invoice"):
        assert register.invoice(number) == expected.invoice(number)
    for transfer in expected.ids("transfer"):
        assert register.transfer(transfer) == expected.transfer(transfer)


def test_a_start_reads_what_the_picture_says(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    log = open_log(url)
    try:
        read: list[int] = []
        at = log.read_at

        def counted(positions: Sequence[int]) -> list[Row]:
            read.extend(positions)
            return at(positions)

        monkeypatch.setattr(log, "read_at", counted)
        started = Writer(log, snapshots=kept(log, url))
        assert 0 < len(set(read)) < log.head(), "the events of those who are not in memory are left out"
        agree(started.register, whole(log))
    finally:
        log.close()


def other_code(data: bytes) -> bytes:
    snapshot = msgspec.msgpack.decode(data, type=snapshots.Snapshot)
    return msgspec.msgpack.encode(msgspec.structs.replace(snapshot, code=bytes(32)))


def other_log(data: bytes) -> bytes:
    snapshot = msgspec.msgpack.decode(data, type=snapshots.Snapshot)
    return msgspec.msgpack.encode(msgspec.structs.replace(snapshot, leaf_hash=bytes(32)))


def longer_log(data: bytes) -> bytes:
    snapshot = msgspec.msgpack.decode(data, type=snapshots.Snapshot)
    picture = msgspec.msgpack.decode(snapshot.picture, type=Picture)
    beyond = msgspec.msgpack.encode(msgspec.structs.replace(picture, position=picture.position + 1))
    return msgspec.msgpack.encode(
        msgspec.structs.replace(snapshot, picture=msgspec.Raw(beyond), picture_hash=hashlib.sha256(beyond).digest())
    )


def half_written(data: bytes) -> bytes:
    """Read without a fault all the same: a block of the file is zeros, among the positions."""
    snapshot = msgspec.msgpack.decode(data, type=snapshots.Snapshot)
    resident = msgspec.msgpack.decode(snapshot.picture, type=Picture).resident
    return data.replace(resident, bytes(len(resident)))


UNFIT: dict[str, Callable[[bytes], bytes]] = {
    "made by other code": other_code,
    "made of another log": other_log,
    "made of a longer log": longer_log,
    "half written": half_written,
    "cut short": lambda data: data[: len(data) // 2],
    "of no meaning": lambda _: b"\xff" * 40,
}


@pytest.mark.parametrize("spoil", UNFIT.values(), ids=UNFIT.keys())
def test_a_picture_that_does_not_fit_is_passed_over(url: str, spoil: Callable[[bytes], bytes]) -> None:
    log = open_log(url)
    try:
        shelf = kept(log, url)._shelf
        data = shelf.load()
        assert data is not None
        assert kept(log, url).load() is not None
        shelf.save(spoil(data), log.head())
        assert kept(log, url).load() is None
        agree(Writer(log, snapshots=kept(log, url)).register, whole(log))
    finally:
        log.close()


class Full:
    """A shelf that takes nothing, for a reason that nobody foresaw."""

    def load(self) -> bytes | None:
        """Nothing is there."""
        return None

    def save(self, _data: bytes, _position: int) -> None:
        """Never works."""
        raise ValueError


def test_a_picture_that_cannot_be_kept_stops_nobody(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "PICTURE_EVERY", 1)
    with opened(sqlite_url) as log:
        scene = registry(Scene(log))
        running = Writer(log, scene.sources, Snapshots(log, Full()))
        running.start(follow=False)
        for number in range(2):
            [told] = running.submit(registering(scene, f"p-{number}", f"k{number}")).result(PATIENCE)
            assert isinstance(told, Answer)
        running.close()


def test_a_shelf_that_another_keeps_locked_is_not_waited_for(postgresql_url: str) -> None:
    shelf = PostgresShelf(postgresql_url)
    shelf.save(b"first", 1)
    with psycopg.connect(postgresql_url) as other:
        other.execute("LOCK TABLE custody_register.snapshot")
        with pytest.raises(OSError, match="lock timeout"):
            shelf.save(b"second", 2)
        with pytest.raises(OSError, match="lock timeout"):
            shelf.load()
    shelf.save(b"third", 3)
    shelf.save(b"of an earlier position", 2)
    assert shelf.load() == b"third"


def test_a_person_who_is_not_in_memory_can_be_named(url: str) -> None:
    log = open_log(url)
    try:
        started = Writer(log, snapshots=kept(log, url))
        released = next(
            id_ for id_ in sorted(started.register.people()) if ("person", id_) not in started.register._files
        )
        file = started.register.person(released)
        assert file is not None
        assert file.registered_by is not None
        rule = RULES["report-presence"]
        seen = {
            "occurred_at": "2026-03-31T10:00:00Z",
            "since": "2026-03-31T10:00:00Z",
            "how": "seen",
            "place": "a road",
        }
        by = Actor(authority=file.registered_by, officer=OfficerId("n-1"), credential="none:demo/n-1")
        item = submission(rule, parse(rule.command, {"person": released, **seen}), by=by, key="seen-1")
        [[answer]] = started.commit([Group(submissions=(item,))])
        assert isinstance(answer, Answer)
        assert answer.version == file.version + 1
        agree(started.register, whole(log))
    finally:
        log.close()
