"""Rounds over HTTP: every server takes its turn in every round, so that a noisy minute disturbs all of them alike."""

from __future__ import annotations

import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from time import monotonic, sleep
from typing import Final, NamedTuple

import msgspec

from bench.client import Measured
from bench.goals import BULK, EMPTY_ROUTE, LATENCY, LIBRARY, LIBRARY_ON_POSTGRES, SINGLE, Figures
from bench.ground import prepare
from bench.load import AUTHORITY, CONNECTIONS, OFFICER

BATCH_CONNECTIONS: Final = 4
STOP_SECONDS: Final = 30
SETTLE_SECONDS: Final = 30
LOOK_AGAIN_SECONDS: Final = 0.2
CLIENT_SECONDS: Final = 60


class Server(NamedTuple):
    """One that runs: what it stands for in the table, where it listens, and its process."""

    name: str
    port: int
    process: subprocess.Popen[str]

    @property
    def is_ours(self) -> bool:
        """Whether it is the ledger, which reads a command at its own address and takes batches."""
        return self.name in ("sqlite", "postgresql")


@contextmanager
def running(name: str, *arguments: str) -> Iterator[Server]:
    """A server of `bench.servers`, held still except where `awake` lets it go on."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.servers", *arguments], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
    )
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        process.send_signal(signal.SIGSTOP)
        yield Server(name, port, process)
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def awake(server: Server) -> Iterator[None]:
    """While others are measured a server stands still, its views with it; it goes on in here."""
    server.process.send_signal(signal.SIGCONT)
    try:
        yield
    finally:
        server.process.send_signal(signal.SIGSTOP)


def ask(server: Server, kind: str, connections: int, seconds: float, run: str) -> Measured:
    """One run of the load generator against one server."""
    asked = [str(server.port), kind, str(connections), str(seconds), run]
    done = subprocess.run(
        [sys.executable, "-m", "bench.client", *asked],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=CLIENT_SECONDS + seconds,
    )
    return msgspec.json.decode(done.stdout, type=Measured)


def settle(server: Server) -> None:
    """Let the views come to the head, so that no round pays for the one before; after a while it goes on regardless."""
    asked = urllib.request.Request(
        f"http://127.0.0.1:{server.port}/v1/projections", headers={"Custody-Actor": f"{AUTHORITY}/{OFFICER}"}
    )
    deadline = monotonic() + SETTLE_SECONDS
    while monotonic() < deadline:
        with urllib.request.urlopen(asked, timeout=SETTLE_SECONDS) as answer:
            if not any(view["lag"] for view in msgspec.json.decode(answer.read())["items"]):
                return
        sleep(LOOK_AGAIN_SECONDS)


def measure(
    urls: dict[str, str], library: dict[str, str], rounds: int, seconds: float
) -> tuple[Figures, dict[str, float]]:
    """All rounds over the ledgers at `urls`, by engine, and the references; also what the client took a request, in µs.

    The first, short run against each server warms it up and does not count.
    """
    figures: Figures = {}
    client: dict[str, float] = {}
    with ExitStack() as stack:
        for url in urls.values():
            prepare(url)
        servers = [stack.enter_context(running(engine, "ledger", url)) for engine, url in urls.items()]
        servers.append(stack.enter_context(running(EMPTY_ROUTE, "empty")))
        servers.append(stack.enter_context(running(LIBRARY, "library", library["sqlite"])))
        servers.append(stack.enter_context(running(LIBRARY_ON_POSTGRES, "library", library["postgresql"])))
        for server in servers:
            with awake(server):
                ask(server, "single" if server.is_ours else "flat", CONNECTIONS, 0.3, "warm")
        for number in range(rounds):
            for server in servers:
                with awake(server):
                    _one_round(server, number, seconds, figures, client)
    return figures, client


def _one_round(server: Server, number: int, seconds: float, figures: Figures, client: dict[str, float]) -> None:
    kind = "single" if server.is_ours else "flat"
    single = ask(server, kind, CONNECTIONS, seconds, f"s{number}")
    print(f"  {server.name}: {single.rate:,.0f}/s, p99 {single.p99_ms} ms, client {single.client_us} µs", flush=True)
    figures.setdefault((SINGLE, server.name), []).append(single.rate)
    figures.setdefault((LATENCY, server.name), []).append(single.p99_ms)
    client[server.name] = single.client_us
    if server.is_ours:
        settle(server)
        batch = ask(server, "batch", BATCH_CONNECTIONS, seconds, f"b{number}")
        print(f"  {server.name}: {batch.rate:,.0f} commands/s in batches", flush=True)
        figures.setdefault((BULK, server.name), []).append(batch.rate)
        settle(server)
