"""What is measured over HTTP, each in a process of its own: the ledger as `custody serve` runs it, and its references.

Run as `python -m bench.servers ledger URL`, `… empty` or `… library URL`; prints the port once it listens.
"""

from __future__ import annotations

import socket
import sys
from typing import Any

import uvicorn
from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event
from fastapi import FastAPI

from bench.places import library_environment
from domain.commands import Command
from domain.rules.table import RULES
from ledger.cli.commands.running.serving import (
    answer_requests,
    spare_the_register_from_collection,
    views_kept,
)
from ledger.cli.stopping import told_to_stop
from ledger.service import open_service
from ledger.settings import Settings

ASKED = ("register-person", "record-basis", "open-custody", "record-move-within")


class Recorded(Aggregate):
    """One command kept as an aggregate of the library, as its first pages show it."""

    @event("Recorded")
    def __init__(self, name: str, data: dict[str, object]) -> None:
        self.name = name
        self.data = data


class Register(Application[Any]):
    """An application of the library with one use case."""

    def record(self, name: str, data: dict[str, object]) -> int:
        """Save one aggregate; the position it got."""
        (recording,) = self.save(Recorded(name, data))
        return int(recording.notification.id)


def empty_app() -> FastAPI:
    """A route for each command of the load with its own body, which stores nothing."""
    app = FastAPI(telemetry={"tracing": False, "metrics": False, "logs": False, "operation_spans": False})
    for name in ASKED:

        async def answer(body: Command) -> dict[str, int]:
            return {"position": len(body.model_fields_set)}

        answer.__annotations__["body"] = RULES[name].command
        app.post(f"/{name}", status_code=201)(answer)
    return app


def library_app(url: str) -> FastAPI:
    """The same routes, each saving one aggregate; plain functions, as the library blocks."""
    register = Register(library_environment(url))
    app = FastAPI(telemetry={"tracing": False, "metrics": False, "logs": False, "operation_spans": False})
    for name in ASKED:

        def answer(body: Command, name: str = name) -> dict[str, int]:
            return {"position": register.record(name, body.model_dump(mode="json", exclude_none=True))}

        answer.__annotations__["body"] = RULES[name].command
        app.post(f"/{name}", status_code=201)(answer)
    return app


def run(app: FastAPI, listener: socket.socket) -> None:
    """Serve with the settings that `custody serve` has, so that only the application differs."""
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        ws="none",
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
    )
    uvicorn.Server(config).run(sockets=[listener])


def main() -> None:
    """Serve what the command line names until a signal comes."""
    kind, *where = sys.argv[1:]
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        print(listener.getsockname()[1], flush=True)
        spare_the_register_from_collection()
        if kind == "empty":
            run(empty_app(), listener)
        elif kind == "library":
            run(library_app(where[0]), listener)
        else:
            # The references tell no line a request either.
            settings = Settings.model_validate({"database_url": where[0], "log_level": "warning"})
            service = open_service(settings, run_views=False)
            try:
                with told_to_stop() as told, views_kept(settings, wanted=True):
                    answer_requests(service, listener, told.is_set)
            finally:
                service.close()


if __name__ == "__main__":
    main()
