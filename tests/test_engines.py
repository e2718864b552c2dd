"""The engines themselves: a real PostgreSQL answers, databases are fresh and apart, a stopped server comes back."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.engines import Server, wheel_server

databases_seen: set[str] = set()


def test_postgresql_is_the_real_one(postgresql_url: str) -> None:
    with psycopg.connect(postgresql_url) as connection:
        (version,) = connection.execute("SELECT version()").fetchone() or ("",)
    assert version.startswith("PostgreSQL ")
    assert psycopg.__version__.startswith("3.")


@pytest.mark.parametrize("turn", ["first", "second"])
def test_each_test_has_a_database_of_its_own(database_url: str, turn: str) -> None:
    assert database_url not in databases_seen
    databases_seen.add(database_url)
    create = "CREATE TABLE mark (turn text)"  # fails where the table of the other turn is still there
    if database_url.startswith("sqlite:///"):
        file = Path(urlsplit(database_url).path.removeprefix("/"))
        assert file.is_absolute()
        assert not file.exists()
        connection = sqlite3.connect(file)
        connection.execute(create)
        connection.close()
    else:
        with psycopg.connect(database_url) as postgres:
            postgres.execute(create)


def test_a_dropped_database_is_gone(postgresql_server: Server) -> None:
    url = postgresql_server.create_database()
    with psycopg.connect(url) as left_open:
        postgresql_server.drop_database(url)
        with pytest.raises(psycopg.OperationalError):
            left_open.execute("SELECT 1")
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)


def test_a_server_of_ones_own_stops_and_comes_back() -> None:
    with wheel_server() as server:
        url = server.create_database()
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE mark (turn text)")
        server.stop()
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(url)
        server.start()
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT count(*) FROM mark").fetchone() == (0,)
