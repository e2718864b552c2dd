"""What tests do to the database under an open log: cut its connections, or let its answer be late."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from ledger.store import EventLog
from ledger.store.log import Step
from tests.engines import EXTERNAL_SERVER

PATIENCE = 60
TIME_OUTS = ("LOCK_SECONDS", "STATEMENT_SECONDS", "STANDSTILL_SECONDS")
"""What a connection to PostgreSQL is set to: how long the server waits for others."""

stops_backends = pytest.mark.skipif(EXTERNAL_SERVER in os.environ, reason="the server's processes are not ours to stop")


def path_of(url: str) -> Path:
    """The file of a log on SQLite."""
    return Path(url.removeprefix("sqlite:///"))


def cut_all(url: str) -> None:
    """End every other backend of the database, and return when they have gone."""
    with psycopg.connect(url, autocommit=True) as server:
        server.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


@contextmanager
def standing_still(log: EventLog, server: psycopg.Connection[tuple[int, ...]], at: Step) -> Iterator[list[int]]:
    """The backend of the log's next append stops at a step, and goes on at the end; its process id is given then."""
    stopped: list[int] = []

    def stop(step: Step) -> None:
        if step == at:
            stopped.extend(
                server.execute(
                    "SELECT pid FROM pg_stat_activity "
                    "WHERE datname = current_database() AND state = 'idle in transaction'"
                ).fetchone()
                or ()
            )
            os.kill(stopped[0], signal.SIGSTOP)

    log.fault = stop
    try:
        yield stopped
    finally:
        log.fault = None
        os.kill(stopped[0], signal.SIGCONT)


def wait_for_end(server: psycopg.Connection[tuple[int, ...]], pid: int) -> None:
    """Return when that backend has ended, and with it whatever it had been asked to commit."""
    while server.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s", [pid]).fetchone():
        pass
