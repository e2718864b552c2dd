"""Bare bytes on a connection: requests as they are written, answers as they are read."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, NamedTuple
from urllib.parse import urlsplit

import msgspec

from tests.ledger.http.serving import PATIENCE

COMMON = {"Host": "localhost", "Custody-Actor": "north/north-1", "Content-Type": "application/json"}


class Seen(NamedTuple):
    """One answer: its status, its header block less the date, its body."""

    status: int
    head: bytes
    body: bytes

    @property
    def code(self) -> str:
        return str(msgspec.json.decode(self.body)["code"])


@contextmanager
def connected(address: str) -> Iterator[tuple[socket.socket, BinaryIO]]:
    parts = urlsplit(address)
    assert parts.hostname is not None
    assert parts.port is not None
    with socket.create_connection((parts.hostname, parts.port), PATIENCE) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with connection.makefile("rb") as answers:
            yield connection, answers


def head_of(path: str, headers: dict[str, str]) -> bytes:
    lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode()


def request(path: str, body: bytes, headers: dict[str, str]) -> bytes:
    return head_of(path, {**COMMON, **headers, "Content-Length": str(len(body))}) + body


def in_chunks(path: str, body: bytes, headers: dict[str, str]) -> bytes:
    """The same request with a body of no declared length."""
    half = len(body) // 2
    pieces = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (body[:half], body[half:]) if piece]
    return head_of(path, {**COMMON, **headers, "Transfer-Encoding": "chunked"}) + b"".join(pieces) + b"0\r\n\r\n"


def next_of(answers: BinaryIO) -> Seen:
    """The next answer on a connection."""
    status = int(answers.readline().split()[1])
    lines: list[bytes] = []
    while (line := answers.readline()) != b"\r\n":
        assert line, "the connection ended within a head"
        lines.append(line)
    head = b"".join(line for line in lines if not line.startswith(b"date:"))
    found = re.search(rb"content-length: (\d+)\r\n", head)
    assert found is not None
    return Seen(status, head, answers.read(int(found[1])))


def answers_to(address: str, sent: bytes, count: int = 1) -> list[Seen]:
    with connected(address) as (connection, answers):
        connection.sendall(sent)
        return [next_of(answers) for _ in range(count)]
