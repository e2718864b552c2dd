"""Bare bytes to a real server: the short way of a command answers as the long one does, in order, whatever arrives."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

import msgspec
import pytest
import structlog
import uvicorn
from starlette.types import Receive, Scope, Send
from structlog.testing import capture_logs
from structlog.typing import EventDict
from uvicorn.server import ServerState

from domain.strict_json import COMMAND_BYTES_MAX
from ledger.http.app import create_api
from ledger.http.commands.edge import CommandEdge
from ledger.http.serving.exchange import CommandProtocol
from ledger.http.serving.watched import Watched
from ledger.observing.tally import Serving
from ledger.store.log import DatabaseUnreachable, Step
from tests.ledger.http.bare import COMMON, Seen, answers_to, connected, head_of, in_chunks, next_of, request
from tests.ledger.http.house import IN_MEMORY, House, furnished, house_at, stalled
from tests.ledger.http.serving import PATIENCE, served
from tests.ledger.writer.stage import wait_until

PERSON = {"identity_status": "claimed", "attributes": {}, "occurred_at": "2025-02-20T08:00:00Z"}


class Counted(Watched):
    """The application, which keeps what comes to it the long way."""

    def __init__(self, house: House) -> None:
        self.serving = Serving()
        edge = CommandEdge(create_api(house.service), house.service.writer)
        super().__init__(edge, house.service.writer.register, self.serving)
        self.long: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self.long.append(scope["path"])
        await super().__call__(scope, receive, send)

    @property
    def statuses(self) -> list[str]:
        """How the requests ended that are over, in no order."""
        return sorted(status for _, _, status in self.serving.requests.elements())


class Reached(NamedTuple):
    """A ledger, its application, and where that is served."""

    house: House
    app: Counted
    address: str


@contextmanager
def reached() -> Iterator[Reached]:
    with house_at(IN_MEMORY, run_views=False) as house:
        app = Counted(furnished(house))
        with served(app) as address:
            yield Reached(house, app, address)


@pytest.fixture(scope="module")
def kept() -> Iterator[Reached]:
    """One for the tests that ask and are answered."""
    with reached() as made:
        yield made


@pytest.fixture
def fresh() -> Iterator[Reached]:
    with reached() as made:
        yield made


def registering(id_: str, **headers: str) -> bytes:
    """A whole request that registers a person."""
    return request("/v1/people", msgspec.json.encode({**PERSON, "person": id_}), {"Idempotency-Key": id_, **headers})


def person_of(seen: Seen) -> str:
    [event] = msgspec.json.decode(seen.body)["events"]
    return str(event["stream"]).removeprefix("person:")


BODY = msgspec.json.encode({**PERSON, "person": "p-both"})
PRESENCE = b'{"occurred_at":"2025-02-20T08:00:00Z","facility":"n-1","since":"2025-02-20T08:00:00Z","how":"roll"}'
PEOPLE = "/v1/people"
CASES: dict[str, tuple[int, str, bytes, dict[str, str]]] = {
    "a repeat": (201, PEOPLE, BODY, {}),
    "another body under a key that was used": (422, PEOPLE, BODY.replace(b"claimed", b"unresolved"), {}),
    "a refusal of the domain": (409, PEOPLE, BODY.replace(b"claimed", b"unresolved"), {"Idempotency-Key": "k-other"}),
    "a person nobody knows": (
        404,
        "/v1/people/p-none/presences",
        PRESENCE,
        {"Idempotency-Key": "k-nobody"},
    ),
    "a version that has moved": (
        412,
        "/v1/people/p-both/presences",
        PRESENCE,
        {"Idempotency-Key": "k-match", "If-Match": '"7"'},
    ),
    "a field of the address in the body": (422, "/v1/people/p-both/presences", b'{"person":"p-both"}', {}),
    "a body that is no JSON": (400, PEOPLE, b"{", {}),
    "no body": (400, PEOPLE, b"", {}),
    "a query that nobody asked for": (422, PEOPLE + "?dry=true", BODY, {}),
    "a key that is missing": (400, PEOPLE, BODY, {"Idempotency-Key": ""}),
    "an actor that is missing": (401, PEOPLE, BODY, {"Custody-Actor": ""}),
    "another media type": (415, PEOPLE, BODY, {"Content-Type": "text/plain"}),
}


@pytest.mark.parametrize(("status", "path", "body", "headers"), CASES.values(), ids=CASES)
def test_both_ways_answer_alike(kept: Reached, status: int, path: str, body: bytes, headers: dict[str, str]) -> None:
    given = {"Correlation-Id": "case-7", "Idempotency-Key": "k-both", **headers}
    answers_to(kept.address, request(PEOPLE, BODY, {"Correlation-Id": "case-7", "Idempotency-Key": "k-both"}))
    before = len(kept.app.long)
    [short] = answers_to(kept.address, request(path, body, given))
    assert len(kept.app.long) == before
    [long] = answers_to(kept.address, in_chunks(path, body, given))
    assert len(kept.app.long) == before + 1
    assert short.status == status
    assert short == long


@contextmanager
def uncollected() -> Iterator[list[object]]:
    """Leave the collector of cycles to the test; once the block is over, the list has all that only it would free."""
    found: list[object] = []
    gc.collect()
    gc.disable()
    try:
        yield found
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        found += gc.garbage
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


def is_of_a_request(thing: object) -> bool:
    """Whether it is this product's, and no connection, which uvicorn leaves to the collector when it ends."""
    return type(thing).__module__.startswith(("ledger.", "domain.")) and not isinstance(thing, CommandProtocol)


@pytest.mark.parametrize(("status", "path", "body", "headers"), CASES.values(), ids=CASES)
def test_what_was_answered_is_freed_at_once(
    kept: Reached, status: int, path: str, body: bytes, headers: dict[str, str]
) -> None:
    given = {"Correlation-Id": "case-7", "Idempotency-Key": "k-both", **headers}
    answers_to(kept.address, request(PEOPLE, BODY, {"Idempotency-Key": "k-both"}))
    with connected(kept.address) as (connection, answers), uncollected() as left:
        connection.sendall(request(path, body, given))
        connection.sendall(registering(f"p-freed-{kept.house.head}"))
        assert [next_of(answers).status for _ in range(2)] == [status, 201]
    assert [thing for thing in left if is_of_a_request(thing)] == []


def test_an_address_that_is_written_with_escapes_means_the_same(kept: Reached) -> None:
    [seen] = answers_to(kept.address, registering("p-escaped").replace(b"/v1/people", b"/v1/p%65ople"))
    assert (seen.status, person_of(seen)) == (201, "p-escaped")


LONG: dict[str, tuple[bytes, int]] = {
    "chunks": (in_chunks(PEOPLE, BODY.replace(b"p-both", b"p-chunks"), {"Idempotency-Key": "k-chunks"}), 201),
    "a batch": (request("/v1/commands", b"[]", {}), 200),
    "a read": (b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n", 200),
    "no such route": (request("/v1/nothing", b"{}", {}), 404),
    "a host that is not ours": (registering("p-host", Host="elsewhere.example"), 421),
}


@pytest.mark.parametrize(("sent", "status"), LONG.values(), ids=LONG)
def test_all_else_goes_the_long_way(kept: Reached, sent: bytes, status: int) -> None:
    before = len(kept.app.long)
    [seen] = answers_to(kept.address, sent)
    assert (seen.status, len(kept.app.long)) == (status, before + 1)


def test_a_body_that_is_declared_too_long_is_refused_before_it_comes(kept: Reached) -> None:
    with connected(kept.address) as (connection, answers):
        headers = {**COMMON, "Idempotency-Key": "k-long", "Content-Length": str(COMMAND_BYTES_MAX + 1)}
        connection.sendall(head_of(PEOPLE, headers))
        seen = next_of(answers)
    assert (seen.status, seen.code) == (413, "body-is-too-large")


def test_the_longest_body_is_read_whole(kept: Reached) -> None:
    body = BODY.replace(b"p-both", b"p-long")
    padded = body[:-1] + b" " * (COMMAND_BYTES_MAX - len(body)) + b"}"
    [seen] = answers_to(kept.address, request(PEOPLE, padded, {"Idempotency-Key": "k-longest"}))
    assert (seen.status, person_of(seen)) == (201, "p-long")


def test_who_waits_to_be_told_to_go_on_is(kept: Reached) -> None:
    sent = registering("p-expect", Expect="100-continue")
    head, body = sent.split(b"\r\n\r\n", 1)
    with connected(kept.address) as (connection, answers):
        connection.sendall(head + b"\r\n\r\n")
        assert (answers.readline(), answers.readline()) == (b"HTTP/1.1 100 Continue\r\n", b"\r\n")
        connection.sendall(body)
        assert next_of(answers).status == 201


def test_requests_sent_together_are_answered_in_order(kept: Reached) -> None:
    read = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
    refused = request(PEOPLE, b"{", {"Idempotency-Key": "k-refused"})
    chunks = in_chunks(PEOPLE, BODY.replace(b"p-both", b"p-3"), {"Idempotency-Key": "k-3"})
    sent = registering("p-1") + refused + registering("p-2") + read + chunks + registering("p-4")
    seen = answers_to(kept.address, sent, 6)
    assert [one.status for one in seen] == [201, 400, 201, 200, 201, 201]
    assert [person_of(one) for one in seen if one.status == 201] == ["p-1", "p-2", "p-3", "p-4"]


def test_a_request_may_come_byte_by_byte(kept: Reached) -> None:
    with connected(kept.address) as (connection, answers):
        for byte in registering("p-slow") + registering("p-slow-2"):
            connection.send(bytes([byte]))
        assert [person_of(next_of(answers)) for _ in range(2)] == ["p-slow", "p-slow-2"]


def test_nobody_overtakes_on_a_connection(fresh: Reached) -> None:
    """While the first waits for its commit, the ones behind it wait too, even where one could be refused at once."""
    with connected(fresh.address) as (connection, answers), stalled(fresh.house) as stall:
        connection.sendall(registering("p-1"))
        assert stall.begun.wait(PATIENCE)
        connection.sendall(request(PEOPLE, b"{", {"Idempotency-Key": "k-refused"}) + registering("p-2"))
        [elsewhere] = answers_to(fresh.address, request(PEOPLE, b"{", {"Idempotency-Key": "k-elsewhere"}))
        assert elsewhere.status == 400
        wait_until(lambda: fresh.app.statuses == ["400"])
        stall.goes_on.set()
        assert [next_of(answers).status for _ in range(3)] == [201, 400, 201]
    assert fresh.app.long == []


def test_a_head_without_end_is_not_read_on(kept: Reached) -> None:
    lines = b"".join(b"X-%d: %b\r\n" % (number, b"x" * 1_000) for number in range(20_000))
    with connected(kept.address) as (connection, _), pytest.raises(ConnectionError):
        connection.sendall(b"POST /v1/people HTTP/1.1\r\nHost: localhost\r\n" + lines)


def test_a_body_right_behind_the_rest_of_a_head_is_no_part_of_it(kept: Reached) -> None:
    sent = request("/v1/people", b"{}" + b" " * 40_000, {})
    with connected(kept.address) as (connection, answers):
        connection.sendall(sent[:60])
        connection.sendall(sent[60:])
        assert next_of(answers).status == 422


def test_what_is_no_request_is_not_the_answer_to_the_one_before(fresh: Reached) -> None:
    with connected(fresh.address) as (connection, answers), stalled(fresh.house) as stall:
        connection.sendall(registering("p-1") + b"no request\r\n\r\n" + registering("p-2"))
        assert stall.begun.wait(PATIENCE)
        stall.goes_on.set()
        seen = next_of(answers)
        assert (seen.status, b"connection: close\r\n" in seen.head, answers.read()) == (201, True, b"")
    assert (fresh.app.statuses, fresh.app.edge.room.commands) == (["201"], 0)
    with connected(fresh.address) as (connection, answers):
        connection.sendall(b"no request\r\n\r\n")
        assert answers.readline() == b"HTTP/1.1 400 Bad Request\r\n"


def test_however_many_wait_behind_one_command_nobody_is_left_without_an_answer(fresh: Reached) -> None:
    """More of them than calls may lie upon each other, all refused as soon as it is their turn."""
    count = 2 * sys.getrecursionlimit() // 5
    refused = head_of(PEOPLE, {"Host": "localhost", "Content-Length": "0"})
    with connected(fresh.address) as (many, answers), connected(fresh.address) as (other, others_answers):
        with stalled(fresh.house) as stall:
            many.sendall(registering("p-1") + refused * count)
            assert stall.begun.wait(PATIENCE)
            other.sendall(registering("p-2"))
            wait_until(lambda: fresh.app.edge.room.commands == 2)
            stall.goes_on.set()
        assert [next_of(answers).status for _ in range(1 + count)] == [201, *[415] * count]
        assert next_of(others_answers).status == 201


def test_after_a_last_request_nothing_more_is_served(kept: Reached) -> None:
    head = kept.house.head
    last = request(PEOPLE, b"{", {"Idempotency-Key": "k-last", "Connection": "close"})
    with connected(kept.address) as (connection, answers):
        connection.sendall(last + registering("p-after-the-last"))
        seen = next_of(answers)
        assert answers.read() == b""
    assert (seen.status, b"connection: close\r\n" in seen.head) == (400, True)
    with connected(kept.address) as (connection, answers):
        connection.sendall(registering("p-last", Connection="close"))
        assert (next_of(answers).status, answers.read()) == (201, b"")
    with connected(kept.address) as (connection, answers):
        connection.sendall(registering("p-old").replace(b"HTTP/1.1", b"HTTP/1.0"))
        assert (next_of(answers).status, answers.read()) == (201, b"")
    assert kept.house.head == head + 2


def test_who_goes_before_the_decision_is_not_decided(fresh: Reached) -> None:
    head, room = fresh.house.head, fresh.app.edge.room
    with stalled(fresh.house) as stall, connected(fresh.address) as (connection, answers):
        connection.sendall(registering("p-first"))
        assert stall.begun.wait(PATIENCE)
        with connected(fresh.address) as (other, _):
            other.sendall(registering("p-gone"))
            wait_until(lambda: room.commands == 2)
        with connected(fresh.address) as (other, _):
            other.sendall(registering("p-half")[:-1])
        wait_until(lambda: fresh.app.statuses == ["gone", "gone"])
        assert room.commands == 1
        stall.goes_on.set()
        assert next_of(answers).status == 201
        connection.sendall(registering("p-third"))
        assert next_of(answers).status == 201
    assert fresh.house.head == head + 2
    assert fresh.house.service.writer.register.person("p-gone") is None


def test_who_goes_after_the_decision_disturbs_nobody(fresh: Reached) -> None:
    head, room = fresh.house.head, fresh.app.edge.room
    with stalled(fresh.house) as stall:
        with connected(fresh.address) as (connection, _):
            connection.sendall(registering("p-gone"))
            assert stall.begun.wait(PATIENCE)
        wait_until(lambda: fresh.app.statuses == ["gone"])
        stall.goes_on.set()
    [seen] = answers_to(fresh.address, registering("p-gone"))
    assert (seen.status, b"idempotency-replayed: true\r\n" in seen.head) == (201, True)
    assert (fresh.house.head, room.commands) == (head + 1, 0)


def test_a_server_that_stops_answers_what_waits() -> None:
    refused = request(PEOPLE, b"{", {"Idempotency-Key": "k-refused"})
    with house_at(IN_MEMORY, run_views=False) as house, ExitStack() as stack, ThreadPoolExecutor() as threads:
        app = Counted(furnished(house))
        address = stack.enter_context(served(app))
        with connected(address) as waits, connected(address) as half, connected(address) as idle:
            half[0].sendall(registering("p-1") + refused[:-1])
            assert next_of(half[1]).status == 201
            with stalled(house) as stall:
                waits[0].sendall(registering("p-2"))
                assert stall.begun.wait(PATIENCE)
                stopped = threads.submit(stack.close)
                # Whoever asks for nothing is let go first.
                assert idle[1].read() == b""
                half[0].sendall(refused[-1:] + registering("p-behind-the-last"))
                stall.goes_on.set()
                for status, (_, answers) in ((201, waits), (400, half)):
                    seen = next_of(answers)
                    assert (seen.status, b"connection: close\r\n" in seen.head) == (status, True)
                    assert answers.read() == b""
        stopped.result(PATIENCE)
        assert house.service.writer.register.person("p-behind-the-last") is None
    assert app.statuses == ["201", "201", "400"]


FAULTS = {
    "database-is-unreachable": (DatabaseUnreachable("locked", "somebody has it"), 503),
    "internal-error": (RuntimeError("a fault of ours"), 500),
}


@pytest.mark.parametrize("code", FAULTS)
def test_a_commit_that_fails_is_told_as_a_problem(fresh: Reached, code: str) -> None:
    fault, status = FAULTS[code]

    def fail(_step: Step) -> None:
        raise fault

    fresh.house.service.log.fault = fail
    [seen] = answers_to(fresh.address, registering("p-1"))
    fresh.house.service.log.fault = None
    assert (seen.status, seen.code) == (status, code)
    assert (b"retry-after: 2\r\n" in seen.head) == (status == 503)
    [seen] = answers_to(fresh.address, registering("p-1"))
    assert seen.status == 201
    wait_until(lambda: fresh.app.statuses == ["201", str(status)])
    assert fresh.app.serving.problems == {code: 1}


def test_a_ledger_that_is_being_closed_sends_everybody_away(fresh: Reached) -> None:
    fresh.house.service.writer.close()
    for sent in (registering("p-1"), in_chunks(PEOPLE, BODY, {"Idempotency-Key": "k-both"})):
        [seen] = answers_to(fresh.address, sent)
        assert (seen.status, seen.code) == (503, "ledger-is-busy")
    assert fresh.app.edge.room.commands == 0


class Full(asyncio.Transport):
    """A connection whose other end takes nothing."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Keep nothing."""

    def is_closing(self) -> bool:
        return False

    def close(self) -> None:
        """Nothing is open."""


def test_who_takes_no_answers_goes_the_way_that_waits(kept: Reached) -> None:
    config = uvicorn.Config(kept.app, http=CommandProtocol, ws="none", log_config=None, proxy_headers=False)
    before = len(kept.app.long)

    async def ask() -> None:
        config.load()
        state = ServerState()
        protocol = CommandProtocol(config, state, {}, asyncio.get_running_loop())
        protocol.connection_made(Full())
        protocol.pause_writing()
        protocol.data_received(registering("p-full"))
        [task] = state.tasks
        protocol.resume_writing()
        await task
        protocol.connection_lost(None)

    asyncio.run(ask())
    assert kept.app.long[before:] == [PEOPLE]


class Leaving(Full):
    """A connection whose other end goes as soon as it has got something."""

    def __init__(self, goes: Callable[[], object]) -> None:
        super().__init__()
        self._goes = goes

    def write(self, _data: bytes | bytearray | memoryview) -> None:
        """Be gone in the next turn of the loop."""
        asyncio.get_running_loop().call_soon(self._goes)

    def pause_reading(self) -> None:
        """Nothing more comes."""

    def resume_reading(self) -> None:
        """Nothing more comes."""


def test_who_goes_with_the_first_answer_is_not_served_again(fresh: Reached) -> None:
    config = uvicorn.Config(fresh.app, http=CommandProtocol, ws="none", log_config=None, proxy_headers=False)
    head = fresh.house.head

    async def ask() -> None:
        config.load()
        protocol = CommandProtocol(config, ServerState(), {}, asyncio.get_running_loop())
        gone = asyncio.Event()

        def go() -> None:
            protocol.connection_lost(None)
            gone.set()

        protocol.connection_made(Leaving(go))
        protocol.data_received(registering("p-1") + registering("p-2"))
        await gone.wait()
        # One turn more, for what else there might be to do.
        await asyncio.sleep(0)

    asyncio.run(ask())
    assert fresh.app.statuses == ["201", "gone"]
    assert (fresh.house.head, fresh.app.edge.room.commands) == (head + 1, 0)


def test_both_ways_are_told_of_alike() -> None:
    given = {"Idempotency-Key": "k-told", "Correlation-Id": "case-7"}
    kept = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.INFO))
    try:
        with capture_logs() as told, reached() as made:
            for body in (BODY, BODY.replace(b"claimed", b"unresolved")):
                for sent in (request, in_chunks):
                    answers_to(made.address, sent(PEOPLE, body, given))
    finally:
        # The server has stopped: every request has been told of.
        structlog.configure(**kept)
    lines = [without_time(line) for line in told if line.get("correlation_id") == "case-7"]
    assert [line["status"] for line in lines] == [201, 201, 422, 422]
    assert (lines[0], lines[2]) == (lines[1], lines[3])


def without_time(line: EventDict) -> EventDict:
    return {name: value for name, value in line.items() if name != "ms"}
