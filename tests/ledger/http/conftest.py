"""Ledgers behind their HTTP edge: one in memory where the database plays no part, one on each engine where it does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.ledger.http.house import IN_MEMORY, House, furnished, house_at
from tests.ledger.http.story import told


@pytest.fixture(scope="module")
def quick() -> Iterator[House]:
    """One ledger in memory for a whole module, with its registry and agreement."""
    with house_at(IN_MEMORY) as house:
        yield furnished(house)


@pytest.fixture
def house(database_url: str) -> Iterator[House]:
    """A ledger on each engine, with its registry and agreement."""
    with house_at(database_url) as made:
        yield furnished(made)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def storied(request: pytest.FixtureRequest) -> Iterator[House]:
    """A ledger that has been told the whole story, on each engine."""
    if request.param == "sqlite":
        with house_at(IN_MEMORY) as house:
            told(house)
            yield house
        return
    server = request.getfixturevalue("postgresql_server")
    url = server.create_database()
    with house_at(url) as house:
        told(house)
        yield house
    server.drop_database(url)
