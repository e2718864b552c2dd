"""The record as sentences: every event has one, and the corrections that count are named."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from domain.events import BODIES
from ledger.store.leaf import read_event
from projections import Views, audit_trail
from projections.sentences import sentence, tells
from tests.events.test_stored_examples import EXAMPLES, row
from tests.projections.stage import now, open_story


@pytest.fixture(scope="module")
def views() -> Views:
    return open_story()[1]


def positions(views: Views, **filters: Any) -> list[Any]:
    return [item["position"] for item in audit_trail.trail(views, now(), **filters).value.items]


def test_every_event_has_a_sentence() -> None:
    assert [wire for wire, body in BODIES.items() if not tells(body)] == []


@pytest.mark.parametrize("wire", EXAMPLES)
def test_a_sentence_is_one_line_that_names_who_acts(wire: str) -> None:
    event = read_event(row(EXAMPLES[wire]))
    told = sentence(event)
    assert "\n" not in told
    assert told[0].isupper()
    assert told[-1] != "."
    # What a line or a claim says, its invoice's header has said by whom.
    unsaid = ("epoch-opened.v1", "custody-days-billed.v1", "invoice-line-issued.v1", "facility-regime-set.v1")
    assert event.actor.authority in told or wire in unsaid


SENTENCES = {
    26: "Custody opened by north at n-2 for north",
    36: "Transfer tr-1 approved by east as receiving; a place kept at e-1 from 2025-03-01 to 2025-03-31",
    37: "Handover h-1 offered by north to east at e-1",
    38: "Handover h-1 accepted by east at e-1; custody passes from north to east",
    41: "Corrected by east: moved-within at position 39 (incorrect-data), countersigned by audit",
    46: "Released by north from n-1 (at-liberty); not yet verified",
    47: "Release r-1 verified by watch (spoken-to)",
    66: "Invoice CTL-0001 under a1 for 2025-03-01 to 2025-03-31 issued by east: 1588.91 USD, due 2025-05-02",
    72: "Invoice CTL-0001 line 3: 26 x 54.79 = 1424.54 USD",
}


@pytest.mark.parametrize("position", SENTENCES)
def test_a_sentence(views: Views, position: int) -> None:
    entry = audit_trail.entry(views, now(), position).value
    assert entry is not None
    assert entry["sentence"] == SENTENCES[position]


def test_an_entry_as_the_interface_shows_it() -> None:
    scene, views = open_story()
    event = scene.events()[37]
    assert audit_trail.entry(views, now(), 38).value == {
        "position": 38,
        "event_id": event.event_id,
        "type": "handover-accepted.v1",
        "stream": "person:p-ann",
        "stream_version": event.stream_version,
        "occurred_at": "2025-03-01T12:00:00Z",
        "recorded_at": "2025-03-01T12:00:00Z",
        "authority": "east",
        "officer": "east-1",
        "credential": "none:east/east-1",
        "sentence": SENTENCES[38],
        "flags": [],
        "corrected_by": None,
        "person": "p-ann",
        "transfer": "tr-1",
        "agreement": None,
        "leaf_hash": event.leaf_hash,
    }
    assert audit_trail.entry(views, now(), 999).value is None


FILTERS: dict[str, tuple[dict[str, Any], list[int]]] = {
    "a person's own events, the person's transfers and billed days": (
        {"person": "p-dan"},
        [53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63, 69],
    ),
    "a transfer with its handover": ({"transfer": "tr-1"}, [31, 32, 33, 34, 35, 36, 37, 38]),
    "an authority's acts": ({"authority": "watch"}, [47]),
    "a type": ({"type": "handover-accepted.v1"}, [38, 63]),
    "an agreement": ({"agreement": "a1"}, [21, 22, 23, 31, 51, 52, 56, 65, 66]),
    "a range": ({"first": 70, "last": 71}, [70, 71]),
    "a page": ({"after": 69, "limit": 2}, [70, 71]),
    "the newest first": ({"newest_first": True, "limit": 2}, [72, 71]),
    "and what follows": ({"newest_first": True, "limit": 2, "after": 71}, [70, 69]),
    "two filters": ({"person": "p-ann", "type": "fact-corrected.v1"}, [41, 43, 44]),
    "nobody": ({"person": "p-nobody"}, []),
}


@pytest.mark.parametrize("name", FILTERS)
def test_a_filter(views: Views, name: str) -> None:
    filters, expected = FILTERS[name]
    assert positions(views, **filters) == expected


def test_a_page_says_where_the_next_begins(views: Views) -> None:
    page = audit_trail.trail(views, now(), limit=70).value
    assert (len(page.items), page.next) == (70, 70)
    assert audit_trail.trail(views, now(), after=70).value.next is None


def test_a_range_of_recording_is_inclusive(views: Views) -> None:
    then = datetime.fromisoformat("2025-03-04T09:00:00Z")
    within = positions(views, recorded_from=then, recorded_to=then)
    assert within
    after = positions(views, recorded_from=then + timedelta(milliseconds=1))
    before = positions(views, recorded_to=then - timedelta(milliseconds=1))
    assert [*before, *within, *after] == positions(views)


def test_the_correction_that_counts_is_named(views: Views) -> None:
    """39 was replaced; the correction of 40 was itself undone, so 40 counts again."""
    found = {item["position"]: item["corrected_by"] for item in audit_trail.trail(views, now()).value.items}
    assert {position: by for position, by in found.items() if by is not None} == {39: 41, 43: 44}


def test_what_was_not_known_yet_is_not_told(views: Views) -> None:
    assert positions_known(views, 30) == list(range(1, 31))


def positions_known(views: Views, known_at: int) -> list[Any]:
    return [item["position"] for item in audit_trail.trail(views, now(known_at=known_at)).value.items]
