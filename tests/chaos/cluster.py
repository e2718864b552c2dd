"""A PostgreSQL of the rig's own, on disk and waiting for it, whose server is killed like any other process.

Started again, it recovers from its own log: what a commit has been told to be durable must then be there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from time import sleep
from typing import Final

import psutil  # type: ignore[import-untyped]  # it comes without types
import psycopg
from psycopg import sql

from tests.engines import new_cluster
from tests.ports import free_port

SETTINGS: Final = "listen_addresses = '127.0.0.1'\nunix_socket_directories = ''\nfsync = on\nmax_wal_size = 512MB\n"
STARTS_MAX: Final = 100
STARTING_SECONDS: Final = 60
PAUSE_SECONDS: Final = 0.1
CONNECTS_SECONDS: Final = 10


class Cluster:
    """One server; it runs from the beginning until `stop`, its deaths apart."""

    def __init__(self, home: Path) -> None:
        self._data = home / "data"
        self._tools = new_cluster(self._data)
        self._port = free_port()
        self._numbers = count()
        with (self._data / "postgresql.conf").open("a") as settings:
            settings.write(SETTINGS)
        self.start()

    def start(self) -> None:
        """Start it and wait until it takes connections. Processes of the one that died may have to end first."""
        for _ in range(STARTS_MAX):
            if self._pg_ctl("start", "--wait", f"--options=-p {self._port}"):
                return
            sleep(PAUSE_SECONDS)
        raise AssertionError((self._data / "server.log").read_text())

    @property
    def postmaster(self) -> int:
        """The process all others of the server are children of."""
        return int((self._data / "postmaster.pid").read_text().split()[0])

    def kill(self, *, whole: bool) -> None:
        """End the server at once; `whole` with each of its processes, else they find out by themselves."""
        postmaster = psutil.Process(self.postmaster)
        others = postmaster.children(recursive=True)
        postmaster.kill()
        for process in others if whole else ():
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs([postmaster], timeout=STARTING_SECONDS)

    def stop(self) -> None:
        """Stop it."""
        self._pg_ctl("stop", "--mode=immediate")

    @contextmanager
    def database(self) -> Iterator[str]:
        """An empty database, removed afterwards."""
        name = f"chaos_{next(self._numbers)}"
        self._execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield f"postgresql://postgres@127.0.0.1:{self._port}/{name}"
        finally:
            self._execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def _execute(self, statement: sql.Composed) -> None:
        where = f"host=127.0.0.1 port={self._port} user=postgres dbname=postgres connect_timeout={CONNECTS_SECONDS}"
        with psycopg.connect(where, autocommit=True) as connection:
            connection.execute(statement)

    def _pg_ctl(self, *arguments: str) -> bool:
        done = subprocess.run(
            [self._tools.folder / "pg_ctl", f"--pgdata={self._data}", f"--log={self._data}/server.log", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            user=self._tools.user,
            env=os.environ,
            timeout=STARTING_SECONDS,
            check=False,
        )
        return done.returncode == 0


@contextmanager
def cluster() -> Iterator[Cluster]:
    """A cluster in a temporary folder on disk; stopped and removed at the end."""
    home = Path(tempfile.mkdtemp(prefix="custody-chaos-pg-"))
    try:
        running = Cluster(home)
        try:
            yield running
        finally:
            running.stop()
    finally:
        shutil.rmtree(home, ignore_errors=True)
