"""What facts before it read of an event that is recorded later: then a whole file is folded again."""

from __future__ import annotations

from typing import Any

import pytest

from domain.custody.grounds import reaches_back
from tests.domain.custody import facts

NOON = "2025-03-01T12:00:00Z"
TRANSFER = {"transfer": "t1", "agreement": "g1", "person": "p1"}
SOUTH = {"authority": "south", "facility": "s-1", "officer": "o-2"}
OFFERED = ("handover-offered", NOON, "north", {"handover": "h1", "transfer": "t1", "receiving": SOUTH})
ANOTHER = ("handover-offered", NOON, "north", {"handover": "h2", "transfer": "t1", "receiving": SOUTH})
ACCEPTED = ("handover-accepted", NOON, "south", {"handover": "h1", "receiving": SOUTH})
VERIFIED = ("release-verified", NOON, "watch", {"release": "r1"})
REQUESTED = ("transfer-requested", NOON, "north", TRANSFER)

READ: dict[str, tuple[tuple[Any, ...], tuple[Any, ...]]] = {
    "a registration": (("person-registered", NOON, "north", {}), VERIFIED),
    "an offer that was accepted": (OFFERED, ACCEPTED),
    "the request of a transfer that was offered": (REQUESTED, OFFERED),
    "a release that was verified": (("person-released", NOON, "north", {"release": "r1"}), VERIFIED),
    "a declaration on a release that was verified": (
        ("release-declared-erroneous", NOON, "watch", {"release": "r1"}),
        VERIFIED,
    ),
}


@pytest.mark.parametrize("sentence", READ)
def test_a_ground_recorded_late_reaches_back(sentence: str) -> None:
    ground, reader = READ[sentence]
    before, late = facts.log(reader, ground)
    assert reaches_back(late, [before])


def test_a_fact_that_nothing_reads_reaches_nowhere() -> None:
    *before, moved = facts.log(OFFERED, ACCEPTED, VERIFIED, ("moved-within", NOON, "north", {"to_facility": "n-2"}))
    assert not reaches_back(moved, before)
    *before, offered = facts.log(ACCEPTED, VERIFIED, ANOTHER)
    assert not reaches_back(offered, before)
