"""The real server: in a thread of this process, or in a process of its own, on a free port of this machine alone."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from ledger.http.serving.exchange import CommandProtocol
from ledger.http.serving.server import Server
from ledger.http.serving.watched import Watched

PROGRAM = "import sys; from ledger.cli import main; sys.exit(main())"
PATIENCE = 60


class InThread(Server):
    """The server in a thread of this process: says when it listens, and lets a second pass when it is told to."""

    def __init__(self, config: uvicorn.Config, sending_seconds_max: int) -> None:
        super().__init__(
            config, end_streams=lambda: None, is_told_to_stop=bool, sending_seconds_max=sending_seconds_max
        )
        self.listens = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._loop = asyncio.get_running_loop()
        self.listens.set()

    def pass_seconds(self, seconds: int) -> None:
        """Do what it does once a second so often, beside what it does by itself."""
        assert self._loop is not None
        for _ in range(seconds):
            asyncio.run_coroutine_threadsafe(self.on_tick(0), self._loop).result(PATIENCE)


@contextmanager
def served(app: Watched) -> Iterator[str]:
    """The address at which a thread of this process serves the application."""
    with serving(app, sending_seconds_max=2 * PATIENCE) as (_, address):
        yield address


@contextmanager
def serving(app: Watched, *, sending_seconds_max: int) -> Iterator[tuple[InThread, str]]:
    """The same, and the server."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=2_048)
    # The loop of this thread, unlike the product's own, lets the end of an answer wait for the client otherwise.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    config = uvicorn.Config(
        app,
        http=CommandProtocol,
        loop="asyncio",
        ws="none",
        log_level="error",
        proxy_headers=False,
        # Longer than anybody waits: what ends a connection in a test is what the test is about.
        timeout_keep_alive=2 * PATIENCE,
    )
    server = InThread(config, sending_seconds_max)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        assert server.listens.wait(PATIENCE)
        yield server, f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(PATIENCE)
        listener.close()


@contextmanager
def process(url: str) -> Iterator[str]:
    """The address at which a process of its own serves the ledger at `url`, with its views; stopped by its id."""
    with running(url, views=True) as (_, address):
        yield address


@contextmanager
def running(url: str, program: str = PROGRAM, *, views: bool = False) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The same, and the process."""
    environment = {**os.environ, "CUSTODY_DATABASE_URL": url, "NO_COLOR": "1"}
    command = [sys.executable, "-c", program, "serve", "--host", "127.0.0.1", "--port", "0"]
    command += ["--views"] if views else []
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as serving:
        assert serving.stderr is not None
        said: list[str] = []
        for line in serving.stderr:
            said.append(line)
            if found := re.search(r"http://127\.0\.0\.1:\d+", line):
                break
        else:
            raise AssertionError("".join(said))
        # What it says from here on is read, so that it never waits for a reader.
        reader = threading.Thread(target=serving.stderr.read, daemon=True)
        reader.start()
        try:
            yield serving, found[0]
        finally:
            serving.send_signal(signal.SIGTERM)
            serving.wait(PATIENCE)
            reader.join(PATIENCE)
