"""Which codes name a State."""

from __future__ import annotations

import pytest

from domain.iso3166 import COUNTRIES, STATES_OF_THE_UNION, is_recognised


def test_the_lists_are_whole() -> None:
    assert len(COUNTRIES) == 249
    assert len(STATES_OF_THE_UNION) == 50 + 1 + 6


@pytest.mark.parametrize(
    "state", ["NO", "SE", "SV", "US", "US-VT", "US-DC", "US-PR", "GB-SCT", "DE-BY", "JP-13", "FR-2A"]
)
def test_a_state_is_recognised(state: str) -> None:
    assert is_recognised(state)


@pytest.mark.parametrize(
    "state",
    ["", "XX", "ZZ", "EU", "UK", "no", "NOR", "US-XX", "US-", "US-VERM", "ZZ-01", "NO-", "NO-0300", "NO 03", "N\u041e"],
)
def test_anything_else_is_not(state: str) -> None:
    assert not is_recognised(state)
