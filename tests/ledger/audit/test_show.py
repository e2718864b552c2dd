"""Events told one by one: in recorded order, with what a reader must know beside the sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from ledger.audit.show import Shown, show
from ledger.store import EventLog, open_log
from tests.domain.billing import fees
from tests.ledger.audit.stories import BEN, whole
from tests.scene import ANN, Scene, registry


@pytest.fixture
def log(database_url: str) -> Iterator[EventLog]:
    with closing(open_log(database_url, create=True)) as log:
        whole(log)
        yield log


def positions(shown: list[Shown]) -> list[int]:
    return [one.event.position for one in shown]


def test_one_event(log: EventLog) -> None:
    [one] = show(log, position=38)
    assert one.line == (
        "38  2025-03-01T12:00:00Z, recorded 2025-03-01T12:00:00Z  "
        "Handover h-1 accepted by east at e-1; custody passes from north to east (east/east-1)"
    )
    document = one.document()
    leaf = document["leaf"]
    assert isinstance(leaf, dict)
    assert len(leaf) == 13
    assert (leaf["type"], leaf["stream_version"]) == ("handover-accepted.v1", 6)
    assert document["leaf_hash"] == one.event.leaf_hash
    assert (document["position"], document["flags"], document["corrected_by"]) == (38, [], None)


def test_flags_and_corrections_are_marked(log: EventLog) -> None:
    assert show(log, position=39)[0].line.endswith("[corrected by 41]")
    assert show(log, position=42)[0].line.endswith("[late]")
    assert show(log, position=40)[0].line.endswith("[by-another-authority, contradicts-known-custody]")
    assert show(log, position=43)[0].corrected_by == 44
    assert show(log, position=44)[0].corrected_by is None


def test_everything_about_a_person(log: EventLog) -> None:
    assert positions(show(log, person=ANN)) == [24, 25, 26, *range(30, 45)]
    assert positions(show(log, person=BEN)) == [27, 28, 29, 45, 46, 47]


def test_everything_about_a_transfer(log: EventLog) -> None:
    assert positions(show(log, transfer="tr-1")) == [*range(31, 39)]


def test_what_is_billed_for_a_person() -> None:
    scene = registry(Scene(now="2025-02-20T12:00:00Z"))
    fees.priced(fees.agreed(scene))
    fees.registered(scene, ANN)
    fees.accepted(scene.at("2025-03-02T12:00:00Z"), ANN, "2025-03-02T10:00:00Z")
    fees.issued(scene.at("2025-04-02T12:00:00Z"))
    assert show(scene.log, person=ANN)[-1].event.wire == "custody-days-billed.v1"


def test_nothing_of_that_name(log: EventLog) -> None:
    assert show(log, position=50) == []
    assert show(log, position=0) == []
    assert show(log, person="p-nobody") == []
    assert show(log, person="p-an") == []
    assert show(log, transfer="tr-9") == []
