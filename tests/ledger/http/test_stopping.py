"""Told to stop while many write: what is under way is answered, nobody else is let in, and nothing is lost."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from threading import Semaphore
from urllib.parse import urlsplit

import httpx2
import msgspec

from ledger.store import open_log
from ledger.store.log import Row
from tests.ledger.http.house import furnished, house_at
from tests.ledger.http.serving import PATIENCE, running
from tests.ledger.writer.stage import wait_until

WRITERS = 8
ANSWERS_BEFORE = 40
WHO = {"Custody-Actor": "north/north-1"}
PERSON = {"identity_status": "claimed", "attributes": {}, "occurred_at": "2025-01-01T00:00:00Z"}

Told = tuple[int, str]
"""Position and event id of one answer."""


TELLS_ITS_THREADS = """
import sys
import threading
from pathlib import Path
from ledger.cli import main
try:
    sys.exit(main())
finally:
    Path({path!r}).write_text(" ".join(thread.name for thread in threading.enumerate()))
"""


def test_it_stops_under_load(database_url: str, tmp_path: Path) -> None:
    threads_left = tmp_path / "threads"
    program = TELLS_ITS_THREADS.format(path=str(threads_left))
    with house_at(database_url) as house:
        furnished(house)
        before = house.head
    answered = Semaphore(0)
    with running(database_url, program) as (process, address), ThreadPoolExecutor(WRITERS) as threads:
        writing = [threads.submit(written, address, f"w{number}", answered) for number in range(WRITERS)]
        for _ in range(ANSWERS_BEFORE):
            assert answered.acquire(timeout=PATIENCE)
        with begun(address, "p-under-way") as (under_way, answer):
            process.send_signal(signal.SIGTERM)
            wait_until(lambda: is_refused(address))
            under_way.sendall(body_of("p-under-way"))
            status, headers, body = answer_in(answer)
        told = [one for found in writing for one in found.result(PATIENCE)]
        assert process.wait(PATIENCE) == 0
    assert (status, headers["connection"]) == (201, "close")
    [event] = msgspec.json.decode(body)["events"]
    told.append((event["position"], event["event_id"]))
    rows = recorded(database_url)
    # `read` raises on a hole. Whoever was not answered has sent one command at the most.
    assert {(row.position, row.event_id) for row in rows} >= set(told)
    assert len(set(told)) == len(told) <= len(rows) - before <= len(told) + WRITERS
    # The ledger was closed in order: its threads had come to their ends before the program did.
    assert threads_left.read_text() == "MainThread"


def written(address: str, writer: str, answered: Semaphore) -> list[Told]:
    """Register people one after the other until nobody answers any more; every answer is a yes."""
    told: list[Told] = []
    with httpx2.Client(base_url=address, timeout=PATIENCE, headers=WHO) as client:
        for number in count():
            id_ = f"{writer}-{number}"
            try:
                response = client.post("/v1/people", content=body_of(id_), headers=given(id_))
            except httpx2.TransportError:
                return told
            assert response.status_code == 201, response.text
            [event] = response.json()["events"]
            told.append((event["position"], event["event_id"]))
            answered.release()
    raise AssertionError("it never stopped")


def given(id_: str) -> dict[str, str]:
    return {"Content-Type": "application/json", "Idempotency-Key": id_}


def body_of(id_: str) -> bytes:
    return msgspec.json.encode({**PERSON, "person": id_})


@contextmanager
def begun(address: str, id_: str) -> Iterator[tuple[socket.socket, Iterator[bytes]]]:
    """A request whose head the service has taken, and whose body it waits for; the lines it answers with."""
    headers = {**WHO, **given(id_), "Host": "localhost", "Expect": "100-continue"}
    head = [f"{name}: {value}" for name, value in {**headers, "Content-Length": str(len(body_of(id_)))}.items()]
    with connected(address) as connection, connection.makefile("rb") as answer:
        connection.sendall("\r\n".join(["POST /v1/people HTTP/1.1", *head, "", ""]).encode())
        assert next(answer).startswith(b"HTTP/1.1 100")
        assert next(answer) == b"\r\n"
        yield connection, answer


def answer_in(lines: Iterator[bytes]) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the answer in the lines."""
    status = int(next(lines).split()[1])
    headers: dict[str, str] = {}
    while (line := next(lines)) != b"\r\n":
        name, _, value = line.decode().partition(":")
        headers[name.lower()] = value.strip()
    return status, headers, b"".join(lines)


def connected(address: str) -> socket.socket:
    parts = urlsplit(address)
    assert parts.hostname is not None
    assert parts.port is not None
    return socket.create_connection((parts.hostname, parts.port), PATIENCE)


def is_refused(address: str) -> bool:
    try:
        connected(address).close()
    except ConnectionRefusedError:
        return True
    except ConnectionError:
        return False
    return False


def recorded(url: str) -> list[Row]:
    log = open_log(url)
    try:
        return list(log.read(0, 1_000_000))
    finally:
        log.close()
