"""Ledgers behind their HTTP edge: one in memory where the database plays no part, one on each engine where it does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.ledger.http.house import IN_MEMORY, House, furnished, house_at


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
