"""Who and what stands in the demo: invented bodies, places, terms and prices, all with ids that begin `demo-`."""

from __future__ import annotations

import hashlib
from datetime import date
from typing import Final

KEEPER, NORTH, EAST = "demo-keeper", "demo-north", "demo-east"
COURT, MONITOR, AUDITOR = "demo-court", "demo-monitor", "demo-auditor"
N1, N2, E1, E2 = "demo-north-1", "demo-north-2", "demo-east-1", "demo-east-2"
AGREEMENT, SCHEDULE, SERIES = "demo-agreement", "demo-fees", "DEMO"
RATE: Final = "154.80"

STATES: Final = {NORTH: "NO", EAST: "SE", COURT: "NO", MONITOR: "SE", AUDITOR: "NO"}
ROLES: Final = {
    NORTH: ("sending", "receiving", "treasury-payer"),
    EAST: ("sending", "receiving", "treasury-payee"),
    COURT: ("court",),
    MONITOR: ("monitor",),
    AUDITOR: ("auditor",),
}
ZONES: Final = {NORTH: "Europe/Oslo", EAST: "Europe/Stockholm"}
PLACES: Final = {N1: NORTH, N2: NORTH, E1: EAST, E2: EAST}
CAPACITY: Final = 2_000
ALL_CHECKED: Final = dict.fromkeys(("identity", "warrants", "property", "money", "papers", "file_copy"), True)
PARTICULARS: Final = dict.fromkeys(
    ("reasons", "injuries", "complaints", "property", "family", "emergency_contact"), "none"
)
EVIDENCE: Final = (
    (NORTH, "custody-contract", "sending-law-permits-custody-abroad"),
    (EAST, "custody-contract", "receiving-law-permits-the-custody"),
    (NORTH, "non-refoulement", "no-danger-of-torture"),
    (NORTH, "non-refoulement", "no-danger-of-enforced-disappearance"),
)


def document(name: str) -> str:
    """The digest that stands for an invented document."""
    return hashlib.sha256(f"custody demo: {name}".encode()).hexdigest()


def terms() -> dict[str, object]:
    """The terms of the demo's agreement (DOMAIN §5.6)."""
    return {
        "notice": {"denunciation_days": 90, "after_end": "stay-until-release"},
        "places": {"facilities": [], "classes": ["prison"]},
        "who": {
            "nationalities": "any",
            "sexes": "any",
            "offence_classes": "any",
            "basis_kinds": ["sentence"],
            "national_means": "citizens",
        },
        "approvals": ["receiving"],
        "delivery": {"places": [E1, E2], "notice_hours": 24, "carrier": "sending"},
        "retaking": {"within_days": 10, "after_refusal_hours": 24, "cost": "sending"},
        "responsibility_after": "sending",
        "onward": "forbidden",
        "moves": "free",
        "returns": {"grounds": ["basis-ended"], "within_days": 10},
        "release": {"place": "agreed", "verified_by": ["monitor"]},
        "monitor_access": {"bodies": [MONITOR], "notice_hours": 0, "unannounced": True, "private": True},
        "medical": {"cost": "receiving", "extraordinary_cost": "sending", "file_travels": True, "fit_days": 7},
        "property": {"travels": True, "inventory_by_both": True},
        "reports": [{"kind": "whereabouts-certificate", "every_days": 30, "to": "sending"}],
        "notifications": [
            {"occasion": "death", "to": "family", "within_hours": 4, "source": "policy"},
            {"occasion": "escape", "to": "other-state", "within_hours": 1, "source": "policy"},
        ],
        "person_notice_hours": 0,
        "zones": {"sending": ZONES[NORTH], "receiving": ZONES[EAST]},
        "holidays": {"sending": [], "receiving": []},
        "disputes": {"body": COURT, "days": 30},
        "fees": "annex",
    }


def fee_schedule(valid_from: date) -> dict[str, object]:
    """The demo's fee schedule: one rate a day for both places of the receiving side."""
    return {
        "agreement": AGREEMENT,
        "schedule": SCHEDULE,
        "revision": 1,
        "payee": EAST,
        "payer": NORTH,
        "currency": "USD",
        "valid": {"from": valid_from.isoformat()},
        "facilities": [E1, E2],
        "pools": [],
        "series": SERIES,
        "components": [{"model": "per-diem", "rates": [{"rate": RATE, "per": 1, "from": valid_from.isoformat()}]}],
        "day_rule": "arrival-not-departure",
        "same_day": 1,
        "in_transit": "not-billed",
        "absences": {},
        "holds": [],
        "billing": {"period": "calendar-month", "close_after_days": 0, "adjustments": "at-once"},
        "rounding": {"mode": "half-up", "place": "line-amount"},
        "year_basis": "365",
        "terms_days": 30,
        "dispute_days": 30,
    }
