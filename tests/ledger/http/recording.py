"""The document's examples and the document itself, made from a run of the whole story: `make openapi`.

What depends on when a thread ran is written as if it had just begun.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from ledger.http.document import openapi
from ledger.http.feed.envelopes import CLOUD_EVENT, CLOUD_EVENTS
from ledger.http.problems import FAULTS, catalogue
from tests.ledger.http.house import IN_MEMORY, House, Json, house_at
from tests.ledger.http.story import PERSON, told
from tests.ledger.http.streaming import first_events
from tests.scene import DIGEST

ROOT = Path(__file__).resolve().parents[3]
DOCUMENT = ROOT / "openapi.json"
PROBLEMS = ROOT / "docs" / "problems.md"
EXAMPLES = ROOT / "ledger" / "http" / "document" / openapi.EXAMPLES

READS: dict[str, str] = {
    "list-authorities": "/v1/authorities?limit=2",
    "show-authority": "/v1/authorities/north",
    "list-facilities": "/v1/facilities?authority=east&limit=2",
    "show-facility": "/v1/facilities/e-1",
    "list-agreements": "/v1/agreements?authority=east&limit=1",
    "show-agreement": "/v1/agreements/a1",
    "list-people": "/v1/people",
    "show-person": f"/v1/people/{PERSON}",
    "show-custody": f"/v1/people/{PERSON}/custody?as_of=2025-03-05T12:00:00Z",
    "show-timeline": f"/v1/people/{PERSON}/timeline",
    "show-roll": "/v1/facilities/e-1/roll?as_of=2025-03-05T12:00:00Z",
    "show-occupancy": "/v1/facilities/e-1/occupancy?from=2025-03-01&to=2025-03-02",
    "show-occupancy-persons": "/v1/facilities/e-1/occupancy/persons?date=2025-03-01",
    "list-transfers": "/v1/transfers?status=completed",
    "show-transfer": "/v1/transfers/t1",
    "list-handovers": "/v1/handovers?transfer=t1&limit=1",
    "show-handover": "/v1/handovers/h1",
    "show-balances": "/v1/balances",
    "show-statement": "/v1/accounts/receivable/statement?book=east",
    "list-invoices": "/v1/invoices",
    "show-invoice": "/v1/invoices/CTL-0001",
    "explain-line": "/v1/invoices/CTL-0001/lines/1/explanation",
    "list-events": "/v1/events?limit=2",
    "show-event": "/v1/events/4",
    "list-audit-trail": f"/v1/audit-trail?person={PERSON}&limit=3",
    "list-projections": "/v1/projections",
    "show-projection": "/v1/projections/people",
    "show-live": "/health/live",
    "show-ready": "/health/ready",
    "show-version": "/version",
}
FORMS: dict[str, str] = {"list-events": CLOUD_EVENTS, "show-event": CLOUD_EVENT}
"""Reads that have another form, by the media type that asks for it."""
STREAM = "/v1/events/stream?after=2"
BATCH: list[Json] = [
    {
        "key": "many-1",
        "type": "register-person",
        "data": {"person": "p3", "identity_status": "claimed", "attributes": {}},
    },
    {
        "key": "many-2",
        "type": "set-release-date",
        "data": {
            "person": "p3",
            "release_due_on": "2025-12-01",
            "bases": ["b3"],
            "method": "sentence",
            "inputs": DIGEST,
        },
    },
]
INTRODUCTION = """# Problems

Whatever is not granted is answered with a problem document (RFC 9457): `type` leads to the paragraph below, `code`
keeps its meaning for ever, `correlation_id` finds the request in the log, and beside them stands the data that a person
needs to go on. What was sent is not repeated. A refusal is the register saying no: nothing is recorded, and the same
idempotency key may be tried again. A fault is about the request's form or the state of the service. This page is made
from the code by `make openapi`.
"""
STEADY: Json = {"rate": 0, "trend": "steady", "advanced_at": "2025-04-02T09:00:00Z"}
JUST_BEGUN: Json = {"state": "running", "done": 0, "total": 0, "rows": None, "differing": None, "error": None}


def recorded() -> Json:
    """Every example, from a ledger in memory that has just been told the story."""
    with house_at(IN_MEMORY) as house:
        commands = {
            name: {"by": by, "data": data, "answer": answer} for name, (by, data, answer) in sorted(told(house).items())
        }
        reads: dict[str, Json] = {
            name: {"path": path, "answer": _steady(answer_of(house, path))} for name, path in READS.items()
        }
        for name, media in FORMS.items():
            reads[name]["forms"] = {media: answer_of(house, READS[name], media)}
        reads["stream-events"] = {"path": STREAM, "answer": asyncio.run(first_events(house.app, STREAM, 2))}
        reads["send-commands"] = {"data": BATCH, "answer": _batch(house)}
        rebuild = _rebuild(house)
        for name in ("rebuild-projection", "show-rebuild"):
            reads[name] = {"path": "/v1/projections/people/rebuilds", "answer": rebuild}
    return {"commands": commands, "reads": dict(sorted(reads.items()))}


def answer_of(house: House, path: str, media: str = "application/json") -> Any:
    """What is answered at an address once the views have read everything."""
    assert house.service.reached(house.head, 0)
    for status in house.service.views.status():
        assert house.service.views.wait_until(status.view, house.head, 60)
    response = house.client.get(path, headers={"Custody-Actor": "north/north-1", "Accept": media})
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == media
    return response.json()


def _steady(answer: Json) -> Json:
    if "view" in answer:
        return {**answer, **STEADY}
    items = answer.get("items", ())
    return {**answer, "items": [{**item, **STEADY} for item in items]} if items and "lag" in items[0] else answer


def _batch(house: House) -> Any:
    headers = {"Custody-Actor": "north/north-1", "Correlation-Id": "import-7"}
    return house.client.post("/v1/commands", json=BATCH, headers=headers).json()


def _rebuild(house: House) -> Json:
    response = house.post("/projections/people/rebuilds", None)
    assert response.status_code == 202, response.text
    return {**response.json(), **JUST_BEGUN}


def document() -> Json:
    """The document as the application serves it."""
    with house_at(IN_MEMORY, run_views=False) as house:
        served: Json = house.client.get("/openapi.json").json()
        return served


def as_text(value: Json) -> str:
    """JSON as it is committed."""
    return json.dumps(value, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def page_of_problems() -> str:
    """`docs/problems.md`."""
    refused = [row for row in catalogue() if row[0] not in FAULTS]
    faults = [row for row in catalogue() if row[0] in FAULTS]
    return "\n".join(
        [INTRODUCTION, "## Refusals\n", *map(_paragraph, refused), "## Faults\n", *map(_paragraph, faults)]
    )


def _paragraph(row: tuple[str, str, str]) -> str:
    code, statuses, meaning = row
    return f"### `{code}`\n\nHTTP {statuses}. {meaning}\n"


if __name__ == "__main__":
    EXAMPLES.write_text(as_text(recorded()), "utf-8")
    PROBLEMS.write_text(page_of_problems(), "utf-8")
    openapi.examples.cache_clear()
    DOCUMENT.write_text(as_text(document()), "utf-8")
