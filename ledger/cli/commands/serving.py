"""Serving the ledger: one process, the API in front and the views behind, until a signal says stop."""

from __future__ import annotations

import gc
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Final

import typer

from ledger.cli.exits import CommandFailed, ExitCode
from ledger.cli.options import Auth, DatabaseUrl, Environment, Host, Port, settings_of
from ledger.cli.terminal import say, warn

if TYPE_CHECKING:
    from types import FrameType

    from ledger.service import Service

BACKLOG: Final = 2_048
COLLECTION: Final = (100_000, 50, 100)
"""Objects made, and runs of each younger generation, between two runs of the collector of cycles."""
GRACE_SECONDS: Final = 10
"""How long requests under way may take once the server has been told to stop."""


def serve(
    host: Host = None,
    port: Port = None,
    database_url: DatabaseUrl = None,
    environment: Environment = None,
    auth: Auth = None,
    read_only: Annotated[bool, typer.Option("--read-only", help="Answer questions, and record nothing.")] = False,
) -> None:
    """Serve the API over one ledger and keep its views, until SIGTERM or Ctrl-C."""
    from ledger.service import open_service

    settings = settings_of(host=host, port=port, database_url=database_url, environment=environment, auth=auth)
    with until_stopped():
        service = open_service(settings)
        try:
            with listening(settings.host, settings.port) as listener:
                say(f"Serving on {address(listener)}")
                answer_requests(service, listener, read_only=read_only)
        finally:
            service.close()


@contextmanager
def until_stopped() -> Iterator[None]:
    """Whatever runs in it is ended by SIGTERM as by Ctrl-C, and having been stopped is no failure."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    kept = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    except KeyboardInterrupt:
        say("Stopped.")
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket at that address; port 0 takes any free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise CommandFailed(
            ExitCode.UNREACHABLE,
            f"can't listen on {host}, port {port}",
            why=error.strerror or type(error).__name__,
            next_="give another --port; 0 takes any free one",
        ) from error
    with listener:
        yield listener


def address(listener: socket.socket) -> str:
    """The address of a listening socket, as a client writes it."""
    host, port, *_ = listener.getsockname()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def answer_requests(service: Service, listener: socket.socket, *, read_only: bool = False) -> None:
    """Answer requests until a signal comes, then those under way."""
    import uvicorn

    from ledger.http.app import create_app

    warn(
        f"auth=none. Whoever can reach {address(listener)} can act for ANY authority and ANY officer: the header "
        "Custody-Actor is believed as it stands. Use it for development, on this machine alone."
    )
    config = uvicorn.Config(
        create_app(service, read_only=read_only),
        loop="uvloop",
        http="httptools",
        ws="none",
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    spare_the_register_from_collection()
    uvicorn.Server(config).run(sockets=[listener])


def spare_the_register_from_collection() -> None:
    """Have the collector of cycles walk what is new, and seldom: the register only grows and is no garbage.

    By default it would walk every file in memory again and again while commands wait.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTION)
