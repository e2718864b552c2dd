"""Serving the ledger: one process, the API in front and the views behind, until a signal says stop."""

from __future__ import annotations

import gc
import socket
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Annotated, Final

import typer

from ledger.cli.exits import CommandFailed, ExitCode
from ledger.cli.options import (
    Auth,
    DatabaseUrl,
    Environment,
    Host,
    LogFormat,
    LogLevel,
    Port,
    TrustedHosts,
    settings_of,
)
from ledger.cli.stopping import told_to_stop
from ledger.cli.terminal import say, warn

if TYPE_CHECKING:
    from ledger.service import Service
    from ledger.settings import Settings

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
    trusted_hosts: TrustedHosts = None,
    log_level: LogLevel = None,
    log_format: LogFormat = None,
    read_only: Annotated[bool, typer.Option("--read-only", help="Answer questions, and record nothing.")] = False,
    views: Annotated[
        bool | None,
        typer.Option("--views/--no-views", help="Run `custody worker` beside it; with SQLite it does so by itself."),
    ] = None,
) -> None:
    """Serve the API over one ledger, until SIGTERM or Ctrl-C. With SQLite a process beside it keeps the views."""
    from ledger.service import open_service

    settings = settings_of(
        host=host,
        port=port,
        database_url=database_url,
        environment=environment,
        auth=auth,
        trusted_hosts=trusted_hosts,
        log_level=log_level,
        log_format=log_format,
    )
    with told_to_stop() as told:
        service = open_service(settings, run_views=False)
        try:
            with listening(settings.host, settings.port) as listener, views_kept(settings, views):
                say(f"Serving on {address(listener)}")
                answer_requests(service, listener, told.is_set, read_only=read_only)
        finally:
            service.close()
    say("Stopped.")


@contextmanager
def views_kept(settings: Settings, wanted: bool | None = None) -> Iterator[None]:
    """A process beside this one keeps the views meanwhile, where that is wanted; with SQLite it is, if left open.

    Apart, because in the writer's process they would halve what it records.
    """
    from ledger.children import ViewsProcess
    from ledger.store import engine_of

    url = settings.database_url.get_secret_value()
    if not (engine_of(url) == "sqlite" if wanted is None else wanted):
        say("The views are not kept from here: custody worker does that.")
        yield
        return
    with closing(ViewsProcess(settings, say)):
        yield


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


def answer_requests(
    service: Service, listener: socket.socket, is_told_to_stop: Callable[[], bool], *, read_only: bool = False
) -> None:
    """Answer requests until a signal comes or has come, then those under way."""
    import uvicorn

    from ledger.http.app import create_app
    from ledger.http.feed.live import LiveLog
    from ledger.http.serving.exchange import CommandProtocol
    from ledger.http.serving.server import Server
    from ledger.observing.lines import logger, set_up

    warn(
        f"auth=none. Whoever can reach {address(listener)} can act for ANY authority and ANY officer: the header "
        "Custody-Actor is believed as it stands. Use it for development, on this machine alone."
    )
    set_up(service.settings.log_level, service.settings.log_format)
    log = logger()
    live = LiveLog(service.log)
    config = uvicorn.Config(
        create_app(service, read_only=read_only, live=live),
        loop="uvloop",
        http=CommandProtocol,
        ws="none",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    spare_the_register_from_collection()
    log.info("serving", address=address(listener), position=service.writer.register.position)
    try:
        Server(config, live.stop, is_told_to_stop).run(sockets=[listener])
    finally:
        log.info("stopped", position=service.writer.register.position)


def spare_the_register_from_collection() -> None:
    """Have the collector of cycles walk what is new, and seldom: nothing in the register leads back to itself.

    By default it would walk all that is in memory again and again while commands wait.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTION)
