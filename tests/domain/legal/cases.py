"""A case as a written row gives it: the shape of `legal_cases.json`, and one of our own to start from."""

from __future__ import annotations

from copy import deepcopy
from datetime import date, datetime
from typing import Any

from domain.legal.case import Case, Destination, Evidence, Ground, Opened
from domain.names import AuthorityId, FacilityId, StateCode
from domain.terms import Terms, read_terms

OTHER_TERMS = {
    "notice": {"denunciation_days": 90, "after_end": "return"},
    "approvals": ["receiving"],
    "moves": "free",
    "onward": "forbidden",
    "holidays": {"sending": [], "receiving": []},
    "disputes": {"body": "the two ministers", "days": 30},
    "fees": "none",
}
"""Terms no condition reads."""

CONTRACT: dict[str, Any] = {
    "requested_at": "2025-03-03T09:00:00Z",
    "at": "2025-03-20T09:00:00Z",
    "window_from": "2025-03-21",
    "departs_at": "2025-03-21T12:00:00Z",
    "purpose": "custody-contract",
    "identity_status": "established",
    "basis": {"kind": "sentence", "ordering_state": "NO"},
    "told_at": "2025-03-12T09:00:00Z",
    "responsibility_after": "sending",
    "place": {"facility": "e-1", "kind": "prison"},
    "persons_counted": 0,
    "sending_state": "NO",
    "receiving_state": "SE",
    "zones": {"sending": "Europe/Oslo", "receiving": "Europe/Stockholm"},
    "opened": {},
    "terms": {
        "who": {
            "nationalities": "any",
            "sexes": "any",
            "basis_kinds": ["sentence"],
            "offence_classes": "any",
            "national_means": "citizens",
        },
        "places": {"facilities": [], "classes": ["prison"]},
        "responsibility_after": "sending",
        "person_notice_hours": 72,
    },
    "evidence": [
        {"condition": f"{condition}", "by": by, "outcome": "met", "on": "2025-03-05"}
        for condition, by in (
            ("custody-contract/sending-law-permits-custody-abroad", "sending"),
            ("custody-contract/receiving-law-permits-the-custody", "receiving"),
            ("non-refoulement/no-danger-of-torture", "sending"),
            ("non-refoulement/no-danger-of-enforced-disappearance", "sending"),
        )
    ],
}
"""A transfer from NO to SE under a custody contract, every condition of which is met."""


def row(fixture: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """The fixture with what a row removes, sets, drops and adds."""
    facts = deepcopy(fixture)
    for path in given.get("remove", ()):
        *where, last = path.split(".")
        _at(facts, where).pop(last, None)
    for path, value in given.get("set", {}).items():
        *where, last = path.split(".")
        _at(facts, where)[last] = value
    dropped = {(condition, by or None) for condition, _, by in (text.partition("@") for text in given.get("drop", ()))}
    facts["evidence"] = [
        record
        for record in facts["evidence"]
        if not {(record["condition"], None), (record["condition"], record["by"])} & dropped
    ]
    for name, records in given.get("add", {}).items():
        facts[name] = [*facts.get(name, ()), *records]
    return facts


def _at(facts: dict[str, Any], where: list[str]) -> dict[str, Any]:
    for name in where:
        facts = facts[name]
    return facts


def case_of(facts: dict[str, Any], rule_sets: tuple[str, ...]) -> Case:
    """The value the law judges, from a row's facts."""
    opened = facts["opened"]
    departs_at, told_at = facts["departs_at"], facts["told_at"]
    return Case(
        at=datetime.fromisoformat(facts["at"]),
        requested_at=datetime.fromisoformat(facts["requested_at"]),
        purpose=facts["purpose"],
        sending_state=StateCode(facts["sending_state"]),
        receiving_state=StateCode(facts["receiving_state"]),
        terms=terms_of(facts),
        rule_sets=rule_sets,
        basis=Ground(kind=facts["basis"]["kind"], ordering_state=StateCode(facts["basis"]["ordering_state"])),
        responsibility_after=facts["responsibility_after"],
        window_from=date.fromisoformat(facts["window_from"]),
        departs_at=datetime.fromisoformat(departs_at) if departs_at else None,
        place=Destination(facility=FacilityId(facts["place"]["facility"]), kind=facts["place"]["kind"]),
        persons_counted=facts["persons_counted"],
        told_at=datetime.fromisoformat(told_at) if told_at else None,
        identity_status=facts["identity_status"],
        opened=Opened(
            nationalities=tuple(opened["nationalities"]) if "nationalities" in opened else None,
            sex=opened.get("sex"),
            birth_date=date.fromisoformat(opened["birth_date"]) if "birth_date" in opened else None,
        ),
        evidence=tuple(evidence(**record) for record in facts["evidence"]),
    )


def terms_of(facts: dict[str, Any]) -> Terms:
    """The terms of a row, with those it leaves out filled in."""
    terms = read_terms({**OTHER_TERMS, "zones": facts["zones"], **facts["terms"]})
    assert terms is not None, "the row's terms are complete"
    return terms


def evidence(condition: str, by: Any, outcome: Any, on: str, authority: str | None = None) -> Evidence:
    """One record; a row knows one authority a side."""
    return Evidence(
        key=condition,
        authority=AuthorityId(authority or by),
        sides=frozenset({by}),
        outcome=outcome,
        on=date.fromisoformat(on),
    )
