"""Fixtures that give one suite over both engines: `database_url` runs a test twice, on an empty database each time."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from tests.engines import EXTERNAL_SERVER, Server, external_server, wheel_server

# What the program would tell its log is not wanted among what the tests say; tests about it set it up themselves.
structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))

LONGEST = ("test_rosters.py", "test_transfers.py", "test_readme.py")
"""Begun first where the suite is shared out among processes: none is to be left alone with one of them at the end."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Give each test an id of its own: of several with one id, whoever shares the tests out would have one run."""
    for item in items:
        # schemathesis tells its operations apart by the test's name, and pytest leaves that out of the id.
        if operation := getattr(item, "operation_label", None):
            item._id = item.id.with_params(operation)
    if hasattr(config, "workerinput"):
        assert len({item.nodeid for item in items}) == len(items), "two tests have one id"
        items.sort(key=lambda item: item.path.name not in LONGEST)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[Server]:
    """The PostgreSQL server of this session, started at its first use."""
    if url := os.environ.get(EXTERNAL_SERVER):
        yield external_server(url)
    else:
        with wheel_server() as server:
            yield server


@pytest.fixture
def postgresql_url(postgresql_server: Server) -> Iterator[str]:
    """URL of an empty PostgreSQL database, dropped after the test."""
    url = postgresql_server.create_database()
    yield url
    postgresql_server.drop_database(url)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """URL of a SQLite file that does not exist yet, in a folder of the test's own."""
    return f"sqlite:///{tmp_path / 'custody.db'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """URL of an empty database, once on each engine."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url
