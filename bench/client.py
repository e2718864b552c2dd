"""The load generator: keep-alive connections over bare sockets, in a process of its own, one request each at a time.

Requests are made before the clock starts, and of an answer only status and length are read, so that the client takes
as little as it can of the processors that it shares with what it measures; what it took is part of the result. Every
answer must be a success, and a batch's first result with it: refused work is not counted, it ends the measurement.

Run as `python -m bench.client PORT KIND CONNECTIONS SECONDS RUN`; prints one JSON object.
"""

from __future__ import annotations

import asyncio
import re
import resource
import sys
from collections.abc import Iterator
from itertools import chain, islice
from time import perf_counter
from typing import Final, cast

import msgspec
import uvloop

from bench.load import COMMANDS_A_BATCH, REQUESTS

READY_A_SECOND: Final = {"single": 6_000, "flat": 6_000, "batch": 200}
GRACE_SECONDS: Final = 20.0
"""How long after the end the last answers may take, before it is an error."""
_LENGTH: Final = re.compile(rb"content-length: (\d+)", re.IGNORECASE)


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What one run came to; `client_us` is processor time of this process a request, in microseconds."""

    requests: int
    commands: int
    seconds: float
    rate: float
    p50_ms: float
    p99_ms: float
    client_us: float


class Asker(asyncio.Protocol):
    """One connection: sends the next request when the answer to the last is whole."""

    def __init__(self, requests: Iterator[bytes], until: float, latencies: list[float]) -> None:
        self._requests = requests
        self._until = until
        self._latencies = latencies
        self._answer = b""
        self._asked = 0.0
        self._transport: asyncio.Transport | None = None
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are of no class of asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._answer = self._answer + data if self._answer else data
        head = self._answer.find(b"\r\n\r\n")
        if head < 0:
            return
        length = _LENGTH.search(self._answer, 0, head + 2)
        assert length is not None, "every answer here says its length"
        if len(self._answer) < head + 4 + int(length[1]):
            return
        if self._answer[9:10] != b"2" or b'"code":' in self._answer:
            self._end(RuntimeError(f"refused: {self._answer[:1500]!r}"))
            return
        now = perf_counter()
        self._latencies.append(now - self._asked)
        self._answer = b""
        if now < self._until:
            self._ask()
        else:
            self._end(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(exc if exc is not None else RuntimeError("the server closed a connection"))

    def _ask(self) -> None:
        assert self._transport is not None
        self._asked = perf_counter()
        self._transport.write(next(self._requests))

    def _end(self, fault: Exception | None) -> None:
        if not self.done.done():
            if fault is None:
                self.done.set_result(None)
            else:
                self.done.set_exception(fault)
        if self._transport is not None:
            self._transport.close()


async def measure(port: int, kind: str, connections: int, seconds: float, run: str) -> Measured:
    """Ask for `seconds` on that many connections; raises what went wrong on any of them."""
    ready = int(READY_A_SECOND[kind] * seconds / connections) + 1
    queues = []
    for connection in range(connections):
        requests = REQUESTS[kind](run, connection)
        queues.append(chain(list(islice(requests, ready)), requests))
    latencies: list[float] = []
    used, began = _processor_seconds(), perf_counter()
    loop = asyncio.get_running_loop()
    askers = [Asker(requests, began + seconds, latencies) for requests in queues]
    await asyncio.gather(
        *(loop.create_connection(lambda asker=asker: asker, "127.0.0.1", port) for asker in askers)  # type: ignore[misc]  # mypy cannot infer a lambda's default
    )
    async with asyncio.timeout(seconds + GRACE_SECONDS):
        await asyncio.gather(*(asker.done for asker in askers))
    took, used = perf_counter() - began, _processor_seconds() - used
    latencies.sort()
    commands = len(latencies) * (COMMANDS_A_BATCH if kind == "batch" else 1)
    return Measured(
        requests=len(latencies),
        commands=commands,
        seconds=round(took, 3),
        rate=round(commands / took, 1),
        p50_ms=round(latencies[len(latencies) // 2] * 1000, 3),
        p99_ms=round(latencies[len(latencies) * 99 // 100] * 1000, 2),
        client_us=round(used / len(latencies) * 1_000_000, 1),
    )


def _processor_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    """Measure what the command line says."""
    port, kind, connections, seconds, run = sys.argv[1:]
    result = uvloop.run(measure(int(port), kind, int(connections), float(seconds), run))
    print(msgspec.json.encode(result).decode())


if __name__ == "__main__":
    main()
