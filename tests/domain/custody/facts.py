"""Facts for tests of the fold: events written as short rows, what a row leaves out filled with neutral values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from domain.events import decode_body
from domain.events.event import Actor, Event
from domain.names import AgreementId, AuthorityId, EventId, FacilityId, OfficerId

DIGEST: Final = "0" * 64
SEALED: Final = "sha256:" + DIGEST

_CHECK: Final = {"method": "document", "result": "match"}
_SIDE: Final = {"authority": "north", "facility": "n-1", "officer": "o-1"}
_HALF: Final = {"place": "n-1", "identity_check": _CHECK, "property_seals": [], "documents": []}

NEUTRAL: Final[Mapping[str, Mapping[str, Any]]] = {
    "person-registered": {"identity_status": "established", "attributes": {}},
    "custody-basis-recorded": {
        "kind": "sentence",
        "ordering_authority": "court-n",
        "instrument": DIGEST,
        "valid_from": "2025-01-01",
        "indeterminate": False,
    },
    "release-date-set": {"release_due_on": "2025-12-31", "bases": [], "method": "sentence", "inputs": DIGEST},
    "hold-placed": {"forbids": ["release"], "instrument": DIGEST},
    "hold-lifted": {"instrument": DIGEST},
    "custody-opened": {
        "authority": "north",
        "entry": "new",
        "deprived_at": "2025-01-01T00:00:00Z",
        "deprived_by": "north",
        "supervising_authority": "north",
        "particulars": dict.fromkeys(
            ("reasons", "injuries", "complaints", "property", "family", "emergency_contact"), "none"
        ),
    },
    "moved-within": {"from_facility": "n-1", "reason": "other"},
    "presence-reported": {"since": "2025-01-01T00:00:00Z", "how": "seen"},
    "handover-offered": {"transfer": "t1", "releasing": _SIDE, **_HALF},
    "handover-accepted": {"answers": "AA==", **_HALF},
    "handover-refused": {"answers": "AA==", "reasons": ["other"]},
    "release-ordered": {
        "ground": "court-order",
        "bases": [],
        "due_at": "2025-01-01T00:00:00Z",
        "instrument": DIGEST,
    },
    "person-released": {
        "facility": "n-1",
        "kind": "at-liberty",
        "checks": dict.fromkeys(("identity", "warrants", "property", "money", "papers", "file_copy"), True),
    },
    "release-verified": {"how": "seen", "evidence": DIGEST},
    "release-declared-erroneous": {"reason": "other"},
    "fact-corrected": {},
    "transfer-requested": {
        "agreement": "g1",
        "revision": 1,
        "rule_sets": [],
        "basis": "b1",
        "from_facility": "n-1",
        "purpose": "other",
        "window_from": "2025-01-01",
        "window_to": "2025-12-31",
        "responsibility_after": "sending",
        "outcomes": {},
    },
    "condition-evidenced": {
        "rule_set": "agreement-terms",
        "condition": "notice",
        "outcome": "met",
        "evidence": DIGEST,
        "opened_fields": [],
    },
    "transfer-approved": {
        "as": "receiving",
        "outcomes": {},
        "reserved": {"facility": "s-1", "from": "2025-01-01", "to": "2025-12-31"},
    },
    "transfer-rejected": {"reason": "other"},
    "transfer-cancelled": {"reason": "other", "fault": "none"},
}
"""Wire names without version → fields that a row need not state."""

DUAL: Final = frozenset({"custody-opened", "moved-within", "person-released"})


@dataclass(frozen=True)
class Registry:
    """The registry the facts play in: zones and authorities of facilities, parents, approvals asked for."""

    zones: Mapping[str, str]
    parents: Mapping[str, str] = field(default_factory=dict)
    approvals: tuple[str, ...] = ("receiving",)

    def zone_of(self, facility: FacilityId) -> str | None:
        return self.zones.get(facility)

    def answers_for(self, actor: AuthorityId, custodian: AuthorityId) -> bool:
        return actor == custodian or self.parents.get(custodian) == actor

    def approvals_required(self, agreement_id: AgreementId, revision: int) -> tuple[str, ...]:
        return self.approvals


NORTH_AND_SOUTH: Final = Registry(
    {"n-1": "America/New_York", "n-2": "America/New_York", "s-1": "America/El_Salvador", "s-2": "America/El_Salvador"},
    parents={"north": "north-ministry"},
    approvals=("receiving", "court"),
)


def event_id(position: int) -> EventId:
    return EventId(f"e{position}")


def event(row: Mapping[str, Any]) -> Event:
    """The event of a row of `timeline_cases.json`, or of one written like it."""
    wire, position, person = row["event"], row["position"], row.get("person", "p1")
    body = {**NEUTRAL[wire], "flags": row.get("flags", []), **row["body"]}
    if wire in ("person-registered", "transfer-requested"):
        body["person"] = person
    if wire in DUAL:
        body["mode"] = row.get("mode", "claim")
    if "precision" in row:
        body["precision"] = row["precision"]
    if wire == "handover-accepted":
        body["receiving"] = {"officer": "o-2", **body["receiving"]}
    for named in ("corrects", "replacement", "kept"):
        if named in body:
            body[named] = event_id(body[named])
    stream = f"transfer:{row['transfer']}" if "transfer" in row else f"person:{person}"
    return Event(
        position=position,
        event_id=event_id(position),
        stream=stream,
        stream_version=position,
        actor=Actor(
            authority=AuthorityId(row["by"]),
            credential=row.get("credential", "key:test"),
            officer=OfficerId(row["by"] + "-1"),
        ),
        occurred_at=_time(row["occurred_at"]),
        recorded_at=_time(row.get("recorded_at", row["occurred_at"])),
        command_id=f"c{position}",
        leaf_hash="AA==",
        body=decode_body(f"{wire}.v1", msgspec.json.encode(body)),
    )


def log(*rows: tuple[Any, ...]) -> list[Event]:
    """Events of p1 at positions 1, 2, 3 …: each row is (wire, instant), then who, a body and more fields if needed."""
    return [_fact(position, *row) for position, row in enumerate(rows, 1)]


def _fact(
    position: int,
    wire: str,
    at: str,
    by: str = "north",
    body: Mapping[str, Any] | None = None,
    more: Mapping[str, Any] | None = None,
) -> Event:
    row = {"position": position, "event": wire, "occurred_at": at, "by": by, "body": body or {}, **(more or {})}
    return event(row)


def fact(position: int, wire: str, at: str, by: str = "north", **more: Any) -> Event:
    """One event of p1 at a position; further names are fields of the row (`mode`, `precision`, `transfer`, `body`)."""
    return _fact(position, wire, at, by, more.pop("body", None), more)


def of_person(rows: Sequence[Mapping[str, Any]], person: str) -> list[Event]:
    return [event(row) for row in rows if row.get("person") == person]


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def utc(text: str) -> datetime:
    """`2025-03-01 14:00` as an instant in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
