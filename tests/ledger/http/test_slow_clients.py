"""Clients that begin and do not come to an end: they are sent away, and nobody else notices."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import BinaryIO, NamedTuple

import msgspec
import pytest

from domain.strict_json import COMMAND_BYTES_MAX
from ledger.http.serving.server import SENDING_SECONDS_MAX
from tests.ledger.http.bare import COMMON, connected, head_of, in_chunks, next_of, request
from tests.ledger.http.house import IN_MEMORY, House, furnished, house_at, stalled
from tests.ledger.http.serving import PATIENCE, InThread, serving
from tests.ledger.writer.stage import wait_until

PEOPLE = "/v1/people"
LONG = 100
"""So many seconds pass in a test because it says so, and never by themselves."""
FLOOD = 500


class Reached(NamedTuple):
    """A ledger, its server, and where that listens."""

    house: House
    server: InThread
    address: str


@contextmanager
def reached(seconds_max: int) -> Iterator[Reached]:
    with (
        house_at(IN_MEMORY, run_views=False) as house,
        serving(furnished(house).app, sending_seconds_max=seconds_max) as (server, address),
    ):
        yield Reached(house, server, address)


@pytest.fixture
def patient() -> Iterator[Reached]:
    with reached(LONG) as made:
        yield made


def body_of(id_: str) -> bytes:
    fields = {"person": id_, "identity_status": "claimed", "attributes": {}, "occurred_at": "2025-02-20T08:00:00Z"}
    return msgspec.json.encode(fields)


def registering(id_: str) -> bytes:
    return request(PEOPLE, body_of(id_), {"Idempotency-Key": id_})


def registering_in_chunks(id_: str) -> bytes:
    return in_chunks(PEOPLE, body_of(id_), {"Idempotency-Key": id_})


def is_closed(answers: BinaryIO) -> bool:
    """Whether nothing more comes, once the connection has been closed."""
    try:
        return answers.read() == b""
    except ConnectionError:
        return True


class Slow(NamedTuple):
    """What a client sends, what it is answered before it goes on, and what it sends last."""

    sent: bytes
    answers: tuple[int, ...] = ()
    last: bytes = b""


READ = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n"
CLIENTS = {
    "says nothing": Slow(b""),
    "blank lines alone": Slow(b"\r\n\r\n"),
    "half a line": Slow(b"POST /v1/peo"),
    "half a head": Slow(registering("p-head")[:90]),
    "a head alone": Slow(registering("p-alone").removesuffix(body_of("p-alone"))),
    "a body but for its end": Slow(registering("p-body")[:-1]),
    "a body in chunks that dries up": Slow(registering_in_chunks("p-chunks")[:-1]),
    "half a batch": Slow(request("/v1/commands", b"[]", {})[:-1]),
    "half a body for a read": Slow(READ + b"Content-Length: 2\r\n\r\n{", (200,)),
    "half of what was refused": Slow(
        head_of(PEOPLE, {**COMMON, "Content-Length": str(COMMAND_BYTES_MAX + 1)}), (413,), b"{"
    ),
    "a second request": Slow(registering("p-first"), (201,), registering("p-second")[:-1]),
    "two requests, one of them whole": Slow(registering("p-third") + registering("p-fourth")[:90], (201,)),
    "a blank line between requests": Slow(registering("p-fifth"), (201,), b"\r\n"),
}


def test_who_begins_and_does_not_end_is_sent_away() -> None:
    with reached(1) as made, ExitStack() as connections:
        ordinary, its_answers = connections.enter_context(connected(made.address))
        ordinary.sendall(registering("p-ordinary"))
        assert next_of(its_answers).status == 201
        left: dict[str, BinaryIO] = {}
        for name, client in CLIENTS.items():
            connection, answers = connections.enter_context(connected(made.address))
            connection.sendall(client.sent)
            assert tuple(next_of(answers).status for _ in client.answers) == client.answers, name
            connection.sendall(client.last)
            left[name] = answers
        head = made.house.head
        assert {name: is_closed(answers) for name, answers in left.items()} == dict.fromkeys(CLIENTS, True)
        assert made.house.head == head
        # Idle all the while, and owing nothing.
        ordinary.sendall(registering("p-ordinary-2"))
        assert next_of(its_answers).status == 201


def test_who_goes_on_and_ends_in_time_is_answered(patient: Reached) -> None:
    """Head and body have their time each, and so has every request."""
    with connected(patient.address) as (connection, answers):
        for id_ in ("p-1", "p-2"):
            body = body_of(id_)
            head = registering(id_).removesuffix(body)
            for part in (head, body):
                for byte in part[:-1]:
                    connection.send(bytes([byte]))
                patient.server.pass_seconds(2 * LONG // 3)
                connection.send(part[-1:])
            assert next_of(answers).status == 201
        patient.server.pass_seconds(2 * LONG)
        connection.sendall(registering("p-3"))
        assert next_of(answers).status == 201


DRIBBLES = {
    "a head": (b"", registering("p-1")),
    "a body": (registering("p-1").removesuffix(body_of("p-1")), body_of("p-1")),
    "chunks": (head_of(PEOPLE, {**COMMON, "Transfer-Encoding": "chunked"}), b"1\r\n \r\n" * LONG),
    "blank lines": (registering("p-1"), b"\r\n" * LONG),
}


@pytest.mark.parametrize(("sent", "dribble"), DRIBBLES.values(), ids=DRIBBLES)
def test_a_byte_now_and_then_is_not_enough(patient: Reached, sent: bytes, dribble: bytes) -> None:
    with connected(patient.address) as (connection, answers):
        connection.sendall(sent)
        if sent == registering("p-1"):
            assert next_of(answers).status == 201
        with suppress(ConnectionError):
            for byte in dribble[:20]:
                connection.send(bytes([byte]))
                patient.server.pass_seconds(LONG // 10)
        assert is_closed(answers)


@pytest.mark.parametrize("cut", [90, -1], ids=["a head", "a body"])
@pytest.mark.parametrize("first", [registering, registering_in_chunks], ids=["the short way", "the long way"])
def test_a_whole_command_is_not_cut_off(patient: Reached, first: Callable[[str], bytes], cut: int) -> None:
    """However long it is decided, and whatever is sent behind it, which has its time from the answer on."""
    behind = registering("p-2")
    with connected(patient.address) as (connection, answers):
        with stalled(patient.house) as stall:
            connection.sendall(first("p-1") + behind[:cut])
            assert stall.begun.wait(PATIENCE)
            patient.server.pass_seconds(3 * LONG)
        assert next_of(answers).status == 201
        patient.server.pass_seconds(2 * LONG // 3)
        connection.sendall(behind[cut:])
        assert next_of(answers).status == 201


@pytest.fixture
def descriptors() -> Iterator[None]:
    """Room for both ends of a flood in this one process."""
    kept = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(kept[0], min(4 * FLOOD, kept[1])), kept[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, kept)


@pytest.mark.usefixtures("descriptors")
def test_a_flood_of_halves_drains_while_others_are_answered() -> None:
    halves = [registering("p-half")[:cut] for cut in (90, -1)]
    with reached(LONG) as made, ExitStack() as connections:
        ordinary, its_answers = connections.enter_context(connected(made.address))
        flood: list[BinaryIO] = []
        for number in range(FLOOD):
            connection, answers = connections.enter_context(connected(made.address))
            connection.sendall(halves[number % 2])
            flood.append(answers)
        open_ = made.server.server_state.connections
        wait_until(lambda: len(open_) == 1 + FLOOD)
        head = made.house.head
        made.server.pass_seconds(LONG - SENDING_SECONDS_MAX)
        for second in range(SENDING_SECONDS_MAX + 2):
            made.server.pass_seconds(1)
            ordinary.sendall(registering(f"p-{second}"))
            assert next_of(its_answers).status == 201
        wait_until(lambda: len(open_) == 1)
        assert all(is_closed(answers) for answers in flood)
        assert made.house.head == head + SENDING_SECONDS_MAX + 2
