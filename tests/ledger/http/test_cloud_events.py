"""Events in envelopes of CloudEvents 1.0, held against what the specification and its JSON format say."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from ledger.http.accepting import preferred
from ledger.http.feed.envelopes import CLOUD_EVENT, CLOUD_EVENTS, JSON
from tests.ledger.http.house import IN_MEMORY, House, house_at
from tests.ledger.http.story import told
from tests.ledger.http.streaming import said, taking

NORTH = {"Custody-Actor": "north/north-1"}
REQUIRED = ("id", "source", "specversion", "type")
NAME = re.compile(r"[a-z0-9]{1,20}")
URI_REFERENCE = re.compile(r"(?:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+")
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
MEDIA_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+(;\s*[\w-]+=[\w-]+)*")
FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
INTEGERS = range(-(2**31), 2**31)


@pytest.fixture(scope="module")
def storied() -> Iterator[House]:
    with house_at(IN_MEMORY) as house:
        told(house)
        yield house


def faults(event: Any) -> Iterator[str]:
    """What keeps a value from being a CloudEvent in the JSON format, structured mode (1.0.2 §§2, 3; core §§2 to 4)."""
    if not isinstance(event, dict):
        yield "not an object"
        return
    if "data" in event and "data_base64" in event:
        yield "data given twice"
    attributes = {name: value for name, value in event.items() if name not in ("data", "data_base64")}
    yield from (f"{name}: missing" for name in REQUIRED if not attributes.get(name))
    if attributes.get("specversion") != "1.0":
        yield "specversion: not 1.0"
    for name, value in attributes.items():
        if not NAME.fullmatch(name):
            yield f"{name}: not a name of lower-case letters and digits"
        if isinstance(value, str):
            if FORBIDDEN.search(value):
                yield f"{name}: a character that no string may have"
        elif isinstance(value, bool) or value is None:
            continue
        elif not isinstance(value, int) or value not in INTEGERS:
            yield f"{name}: neither a string, a boolean nor an integer of 32 bits"
    for name in ("id", "source", "type", "subject", "dataschema", "datacontenttype", "time"):
        if name in attributes and (not isinstance(attributes[name], str) or not attributes[name]):
            yield f"{name}: not a string, or empty"
    for name, form in (("source", URI_REFERENCE), ("time", TIMESTAMP), ("datacontenttype", MEDIA_TYPE)):
        if name in attributes and not form.fullmatch(str(attributes[name])):
            yield f"{name}: not of its form"


GOOD: dict[str, Any] = {
    "specversion": "1.0",
    "id": "1",
    "source": "host/log",
    "type": "a.v1",
    "position": 1,
    "data": {},
}


@pytest.mark.parametrize(
    "wrong",
    [
        {"specversion": "1"},
        {"id": ""},
        {"source": ""},
        {"source": "two words"},
        {"streamVersion": 1},
        {"stream_version": 1},
        {"position": 2**31},
        {"position": 1.5},
        {"actor": {"authority": "north"}},
        {"time": "2025-02-20T09:00:00"},
        {"time": "yesterday"},
        {"subject": ""},
        {"subject": "a\nb"},
        {"datacontenttype": "json"},
        {"data_base64": "AA=="},
    ],
)
def test_what_is_no_cloud_event_would_be_seen(wrong: dict[str, Any]) -> None:
    assert list(faults(GOOD)) == []
    assert list(faults({**GOOD, **wrong}))


def test_each_event_of_the_story_in_its_envelope(storied: House) -> None:
    seen = set()
    for position in range(1, storied.head + 1):
        document = storied.read(f"/events/{position}")
        answer = storied.get(f"/events/{position}", headers={"Accept": CLOUD_EVENT})
        event = answer.json()
        assert answer.headers["content-type"] == CLOUD_EVENT
        assert list(faults(event)) == [], event
        assert event == {
            "specversion": "1.0",
            "id": document["event_id"],
            "source": "ledger.example/custody/2025",
            "type": document["type"],
            "subject": document["stream"],
            "time": document["recorded_at"],
            "datacontenttype": "application/json",
            "position": position,
            "streamversion": document["stream_version"],
            "leafhash": document["leaf_hash"],
            "correlationid": document["correlation_id"],
            "data": document,
        }
        seen.add((event["source"], event["id"]))
    assert len(seen) == storied.head


def test_a_page_of_the_log_is_a_batch(storied: House) -> None:
    singles = [
        storied.get(f"/events/{position}", headers={"Accept": CLOUD_EVENT}).json()
        for position in range(1, storied.head + 1)
    ]
    found: list[Any] = []
    answer = storied.get("/events", limit=30, headers={"Accept": CLOUD_EVENTS})
    while True:
        assert answer.headers["content-type"] == CLOUD_EVENTS
        assert answer.headers["ledger-position"] == str(storied.head)
        found += answer.json()
        if "link" not in answer.headers:
            break
        address = answer.headers["link"].partition(">")[0].removeprefix("<")
        answer = storied.client.get(address, headers={**NORTH, "Accept": CLOUD_EVENT})
    assert found == singles
    nothing = storied.get("/events", after=storied.head, headers={"Accept": CLOUD_EVENTS})
    assert (nothing.json(), "link" in nothing.headers) == ([], False)


def test_a_stream_tells_them_when_asked(storied: House) -> None:
    async def read() -> list[Any]:
        path = f"/v1/events/stream?after={storied.head - 2}"
        async with taking(storied.app, path, {"Accept": f"text/event-stream, {CLOUD_EVENT}"}) as reader:
            await reader.events(2)
            assert reader.headers["content-type"].startswith("text/event-stream")
            return [(one.event, json.loads(one.data)) for one in said(reader.text.split("\n"))]

    expected = storied.get("/events", after=storied.head - 2, headers={"Accept": CLOUD_EVENTS}).json()
    assert asyncio.run(read()) == [(event["type"], event) for event in expected]


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        ("text/event-stream", JSON),
        (JSON, JSON),
        (CLOUD_EVENT, CLOUD_EVENT),
        (CLOUD_EVENT.upper(), CLOUD_EVENT),
        (f"{CLOUD_EVENT}, */*", CLOUD_EVENT),
        (f"text/html;q=0.9, {CLOUD_EVENT}; charset=utf-8; q=0.2", CLOUD_EVENT),
        (f"{CLOUD_EVENT};q=0.8, {JSON}", JSON),
        (f"{CLOUD_EVENT};q=0.8, {JSON};q=0.75", CLOUD_EVENT),
        (f"{CLOUD_EVENT};q=0, */*;q=0.1", JSON),
        (f"{CLOUD_EVENT};q=0", JSON),
        (f"{CLOUD_EVENTS}, {CLOUD_EVENT}", CLOUD_EVENT),
        (";;,;q=,", JSON),
    ],
)
def test_which_form_is_asked_for(accept: str, chosen: str) -> None:
    assert preferred(accept, (JSON, CLOUD_EVENT, CLOUD_EVENTS)) == chosen
