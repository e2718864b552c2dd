"""The log as a stream: each event once, in order, as it is recorded; whatever readers and connections do meanwhile."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime

import httpx2
import pytest
from starlette.types import ASGIApp

from ledger.http.app import create_app
from ledger.http.feed import envelopes, live, stream
from ledger.http.feed.live import LiveLog
from ledger.http.serving.watched import Watched
from ledger.store import EventLog, Row, engine_of
from ledger.store.schema import fences_down
from tests.ledger.http.house import START, Clock, House, furnished, house_at, new_log
from tests.ledger.http.serving import process, running, served
from tests.ledger.http.streaming import PATIENCE, Said, said, taking
from tests.ledger.store.backends import path_of
from tests.ledger.store.test_log import execute

STREAM = "/v1/events/stream"
NORTH = {"Custody-Actor": "north/north-1"}


def registered(house: House, *authorities: str) -> None:
    """One more event for each."""
    for authority in authorities:
        fields = {"authority": authority, "state": "NO", "legal_name": authority, "outside_register": False}
        house.do("keeper", "register-authority", **fields)


def positions(found: list[Said]) -> list[int]:
    return [int(one.id) for one in found]


def documents(house: House) -> list[str]:
    """Every event as the log's route gives it."""
    return [house.get(f"/events/{position}").text for position in range(1, house.head + 1)]


def types(house: House) -> list[str]:
    return [row.type for row in house.service.log.read(0, 10_000)]


@contextmanager
def told_from(house: House, end: LiveLog) -> Iterator[Watched]:
    """The application over another end of the same log."""
    try:
        yield create_app(house.service, live=end)
    finally:
        end.close()


def test_the_log_is_told_from_the_beginning_and_goes_on_live(house: House) -> None:
    async def read() -> None:
        async with taking(house.app, STREAM) as reader:
            assert (reader.status, reader.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
            assert reader.headers["ledger-position"] == str(head)
            assert reader.headers["cache-control"] == "no-store"
            await reader.events(head)
            await asyncio.to_thread(registered, house, "one", "two")
            found = await reader.events(head + 2)
            assert reader.text.startswith("retry: 2000\n\n")
        expected = zip(range(1, head + 3), types(house), documents(house), strict=True)
        assert found == [Said(str(position), kind, text) for position, kind, text in expected]

    head = house.head
    asyncio.run(read())


def test_who_comes_back_is_told_the_rest(quick: House) -> None:
    async def read(path: str, headers: dict[str, str], expected: list[int]) -> None:
        async with taking(quick.app, path, headers) as reader:
            assert positions(await reader.events(len(expected))) == expected

    head = quick.head
    for path, headers, first in (
        (f"{STREAM}?after={head - 3}", {}, head - 2),
        (STREAM, {"Last-Event-ID": str(head - 2)}, head - 1),
        (f"{STREAM}?after=2", {"Last-Event-ID": str(head - 2)}, head - 1),
        (f"{STREAM}?after={head}", {"Last-Event-ID": "0"}, 1),
    ):
        asyncio.run(read(path, headers, list(range(first, head + 1))))


@pytest.mark.parametrize(
    ("path", "headers", "status", "code", "where"),
    [
        (f"{STREAM}?after={{beyond}}", {}, 503, "projection-is-behind", None),
        (STREAM, {"Last-Event-ID": "{beyond}"}, 503, "projection-is-behind", None),
        (f"{STREAM}?min_position={{beyond}}", {}, 503, "projection-is-behind", None),
        (f"{STREAM}?after=-1", {}, 422, "body-is-malformed", ["/after"]),
        (STREAM, {"Last-Event-ID": "yesterday"}, 422, "body-is-malformed", ["/Last-Event-ID"]),
        (f"{STREAM}?type=custody-opened.v1", {}, 422, "body-is-malformed", ["/"]),
        (STREAM, {"Custody-Actor": "nobody/n-1"}, 401, "actor-is-unknown", None),
    ],
)
def test_what_cannot_be_followed_is_refused(
    quick: House, path: str, headers: dict[str, str], status: int, code: str, where: list[str] | None
) -> None:
    beyond = str(quick.head + 1)
    given = {**NORTH, **{name: value.replace("{beyond}", beyond) for name, value in headers.items()}}
    answer = quick.client.get(path.replace("{beyond}", beyond), headers=given)
    problem = answer.json()
    assert (answer.status_code, problem["code"], problem.get("where")) == (status, code, where)
    if code == "projection-is-behind":
        assert (problem["needed"], problem["view"]) == (quick.head + 1, "log")
        assert answer.headers["retry-after"].isdecimal()


def test_a_position_that_is_about_to_be_recorded_is_waited_for(house: House) -> None:
    async def read() -> None:
        async def record() -> None:
            await asyncio.to_thread(registered, house, "one", "two")

        head = house.head
        recording = asyncio.ensure_future(record())
        async with taking(house.app, f"{STREAM}?after={head + 1}", {"Prefer": "wait=10"}) as reader:
            assert positions(await reader.events(1)) == [head + 2]
        await recording

    asyncio.run(read())


EVENTS = 240
READERS = 3


def test_nobody_misses_an_event_whatever_happens_to_the_connection(house: House) -> None:
    """While two record, readers lose their connections at any moment and come back behind the last id they have."""
    last = house.head + EVENTS

    def record(name: str) -> None:
        for number in range(EVENTS // 2):
            registered(house, f"{name}-{number}")

    def follow(address: str, seed: int) -> list[Said]:
        chance, found = random.Random(seed), list[Said]()
        while len(found) < last:
            headers = {**NORTH, **({"Last-Event-ID": found[-1].id} if found else {})}
            with httpx2.stream("GET", address + STREAM, headers=headers, timeout=PATIENCE) as answer:
                assert answer.status_code == 200
                for one in said(answer.iter_lines()):
                    found.append(one)
                    if len(found) == last or chance.random() < 0.02:
                        break
        return found

    with served(house.app) as address, ThreadPoolExecutor() as threads:
        following = [threads.submit(follow, address, seed) for seed in range(READERS)]
        recording = [threads.submit(record, name) for name in ("left", "right")]
        for one in recording:
            one.result(PATIENCE)
        told = [one.result(PATIENCE) for one in following]
    expected = [
        Said(str(at), kind, text)
        for at, kind, text in zip(range(1, last + 1), types(house), documents(house), strict=True)
    ]
    assert all(found == expected for found in told)


def test_streams_that_keep_up_share_what_is_made(quick: House, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []

    def counted(row: Row, form: envelopes.Form, source: str) -> bytes:
        made.append(row.position)
        return envelopes.encoded(row, form, source)

    async def read() -> None:
        after = f"{STREAM}?after={head}"
        async with taking(quick.app, after) as one, taking(quick.app, after) as two, taking(quick.app, after) as three:
            await asyncio.to_thread(registered, quick, "one", "two", "three")
            for reader in (one, two, three):
                assert positions(await reader.events(3)) == [head + 1, head + 2, head + 3]

    monkeypatch.setattr(live, "encoded", counted)
    head = quick.head
    asyncio.run(read())
    assert made == [head + 1, head + 2, head + 3]


class Counted(LiveLog):
    """Keeps where the pages begin that streams read for themselves."""

    def __init__(self, log: EventLog) -> None:
        super().__init__(log)
        self.pages: list[int] = []

    def read(self, after: int, form: envelopes.Form) -> list[live.Told]:
        self.pages.append(after)
        return list(super().read(after, form))


def test_a_reader_that_takes_nothing_is_read_nothing_for(quick: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page waits to be taken, and no other is read before."""

    async def read(app: ASGIApp) -> None:
        async with taking(app, STREAM) as slow:
            await slow.take()
            async with taking(app, f"{STREAM}?after={head - 1}") as swift:
                await asyncio.to_thread(registered, quick, *(f"slow-{number}" for number in range(20)))
                assert positions(await swift.events(21)) == list(range(head, head + 21))
            await slow.offered()
            assert ([page for page in counted.pages if page < head - 1], slow.sends) == ([0], 3)
            assert positions(await slow.events(head + 20)) == list(range(1, head + 21))
            assert {0, 4, 8, 12} <= set(counted.pages)

    monkeypatch.setattr(live, "PAGE", 4)
    monkeypatch.setattr(live, "RECENT_MAX", 8)
    head, counted = quick.head, Counted(quick.service.log)
    with told_from(quick, counted) as app:
        asyncio.run(read(app))


def test_a_reader_that_takes_nothing_for_long_loses_its_place(quick: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def read() -> None:
        async with taking(quick.app, STREAM) as slow:
            await slow.offered()
            # The place is free again although the reader has not gone.
            for _ in range(1_000):
                async with taking(quick.app, STREAM) as other:
                    if other.status == 200:
                        break
                    await other.end()
            assert other.status == 200
            assert not slow.is_whole

    monkeypatch.setattr(stream, "UNTAKEN_SECONDS", 0.05)
    monkeypatch.setattr(live, "STREAMS_MAX", 1)
    asyncio.run(read())


def test_streams_are_limited_and_a_place_is_given_back(quick: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def read() -> None:
        async with taking(quick.app, STREAM), taking(quick.app, STREAM) as second:
            async with taking(quick.app, STREAM) as third:
                problem = json.loads(await third.end())
                assert (third.status, problem["code"]) == (503, "ledger-is-busy")
                assert third.headers["retry-after"].isdecimal()
            assert second.status == 200
        async with taking(quick.app, STREAM), taking(quick.app, STREAM) as again:
            assert again.status == 200

    monkeypatch.setattr(live, "STREAMS_MAX", 2)
    asyncio.run(read())


def test_only_the_head_of_a_stream_is_asked_for(quick: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its end is there at once, and its place is given back."""

    def asked(address: str) -> httpx2.Response:
        return httpx2.head(address + STREAM, headers=NORTH, timeout=PATIENCE)

    monkeypatch.setattr(live, "STREAMS_MAX", 1)
    with told_from(quick, LiveLog(quick.service.log)) as app, served(app) as address:
        first = asked(address)
        assert (first.status_code, first.content) == (200, b"")
        assert first.headers["content-type"].startswith("text/event-stream")
        assert any(asked(address).status_code == 200 for _ in range(1_000))


def test_a_quiet_stream_says_that_it_lives(quick: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def read() -> None:
        async with taking(quick.app, f"{STREAM}?after={quick.head}") as reader:
            while "\n:\n\n" not in reader.text:
                await reader.take()
            await asyncio.to_thread(registered, quick, "after-a-while")
            assert positions(await reader.events(1)) == [quick.head]

    monkeypatch.setattr(stream, "HEARTBEAT_SECONDS", 0.05)
    asyncio.run(read())


def test_a_hole_in_the_log_ends_every_stream_before_it(house: House) -> None:
    """What stands behind a hole is told to nobody, and the end of the stream is not a good one."""
    url = house.service.settings.database_url.get_secret_value()
    head = house.head
    column = "rowid" if engine_of(url) == "sqlite" else "notification_id"

    async def read(app: ASGIApp) -> None:
        async with taking(app, f"{STREAM}?after={head - 1}") as reader:
            await reader.take()
        assert (reader.text, reader.is_whole) == ("retry: 2000\n\n", False)

    registered(house, "one", "two")
    execute(url, *fences_down(engine_of(url)), f"DELETE FROM stored_events WHERE {column} = {head + 1}")
    with told_from(house, LiveLog(house.service.log)) as app:
        asyncio.run(read(app))


def test_a_stream_outlives_an_outage(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = path_of(sqlite_url)
    elsewhere = path.with_name("elsewhere.db")

    async def read(app: ASGIApp, head: int) -> None:
        async with taking(app, STREAM) as behind, taking(app, f"{STREAM}?after={head}") as at_the_head:
            await behind.events(1)
            await at_the_head.take()
            path.rename(elsewhere)
            while "\n:\n\n" not in behind.text:
                await behind.take()
            elsewhere.rename(path)
            await asyncio.to_thread(registered, house, "afterwards")
            assert positions(await behind.events(head + 1)) == list(range(1, head + 2))
            assert positions(await at_the_head.events(1)) == [head + 1]

    monkeypatch.setattr(live, "PAGE", 4)
    monkeypatch.setattr(live, "RECENT_MAX", 1)
    monkeypatch.setattr(stream, "AGAIN_SECONDS", 0.02)
    with house_at(sqlite_url) as house:
        furnished(house)
        with told_from(house, LiveLog(house.service.log)) as app:
            asyncio.run(read(app, house.head))


def test_a_stream_outlives_any_fault_of_the_thread_that_tells_it(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def read(app: ASGIApp, head: int) -> None:
        async with taking(app, f"{STREAM}?after={head}") as following:
            await following.take()
            await asyncio.to_thread(failed.wait, PATIENCE)
            await asyncio.to_thread(registered, house, "afterwards")
            assert positions(await following.events(1)) == [head + 1]

    failed = threading.Event()
    monkeypatch.setattr(live, "AGAIN_SECONDS", 0.02)
    with house_at(sqlite_url) as house:
        furnished(house)
        log = house.service.log
        wait_for = log.wait_for

        def failing_once(after: int, timeout: float) -> bool:
            if threading.current_thread().name == "live-log" and not failed.is_set():
                failed.set()
                raise MemoryError
            return wait_for(after, timeout)

        monkeypatch.setattr(log, "wait_for", failing_once)
        with told_from(house, LiveLog(log)) as app:
            asyncio.run(read(app, house.head))


def test_a_server_that_stops_ends_its_streams_well(sqlite_url: str) -> None:
    """Without that the server would wait for them, and cut them off in the end."""
    clock = Clock(now=datetime.fromisoformat(START))
    new_log(sqlite_url, clock).close()
    headers = {"Custody-Actor": "keeper/k-1"}
    with (
        running(sqlite_url) as (serving, address),
        httpx2.stream("GET", address + STREAM, headers=headers, timeout=PATIENCE) as answer,
    ):
        lines = answer.iter_lines()
        found = said(lines)
        assert positions([next(found) for _ in range(3)]) == [1, 2, 3]
        serving.send_signal(signal.SIGTERM)
        # A stream that is cut off raises here.
        assert list(found) == []
        assert serving.wait(PATIENCE) == 0


def test_another_process_is_heard_of(postgresql_url: str) -> None:
    """What one process records, the streams of another tell."""
    with house_at(postgresql_url) as house, process(postgresql_url) as address:
        registered(house, "north")
        head = house.head
        after = {"after": str(head)}
        with httpx2.stream("GET", address + STREAM, params=after, headers=NORTH, timeout=PATIENCE) as answer:
            found = said(answer.iter_lines())
            registered(house, "one", "two")
            assert positions([next(found), next(found)]) == [head + 1, head + 2]
