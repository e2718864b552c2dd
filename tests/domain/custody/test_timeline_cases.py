"""Every case of `shared/cases/timeline_cases.json` that uses only events of this register: 25 of 61."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

import pytest

from domain.custody.fold import fold
from domain.custody.occupancy import OccupancyDay, held_at_end, occupancy, presence
from domain.custody.timeline import Timeline, timeline
from domain.names import FacilityId, PersonId
from tests.domain.custody.facts import NEUTRAL, Registry, of_person
from tests.shared_data import SHARED_CASES

PATH = SHARED_CASES / "timeline_cases.json"


def _cases() -> list[Any]:
    if not PATH.exists():
        reason = "../shared/cases/timeline_cases.json is not beside this checkout"
        return [pytest.param(None, id="timeline_cases", marks=pytest.mark.skip(reason=reason))]
    cases = json.loads(PATH.read_text("utf-8"))["cases"]
    return [
        pytest.param(case, id=case["id"]) for case in cases if {row["event"] for row in case["given"]} <= {*NEUTRAL}
    ]


CASES = _cases()


@pytest.fixture(scope="module")
def places() -> Registry:
    found = json.loads(PATH.read_text("utf-8"))["facilities"]
    return Registry({name: facility["zone"] for name, facility in found.items()})


def test_the_cases_of_this_register_are_all_there() -> None:
    if not PATH.exists():
        pytest.skip("../shared/cases/timeline_cases.json is not beside this checkout")
    assert len(CASES) == 25


@pytest.mark.parametrize("case", CASES)
def test_what_the_facts_amount_to(case: dict[str, Any], places: Registry) -> None:
    as_of = datetime.fromisoformat(case["as_of"])
    for person, expected in case["expect"].items():
        events = of_person(case["given"], person)
        assert _shown(timeline(events, places, as_of)) == _expected(expected)
        by_fact = [spell["opened_by"] for spell in expected["spells"]]
        assert [spell.opened_by for spell in timeline(events, places, as_of).spells] == by_fact


@pytest.mark.parametrize("case", CASES)
def test_what_is_answered_at_an_instant_and_a_knowledge(case: dict[str, Any], places: Registry) -> None:
    for question in case.get("at", ()):
        as_of = datetime.fromisoformat(question["as_of"])
        state = fold(of_person(case["given"], question["person"]), places, as_of, question.get("known_at"))
        answer = state and {
            "status": state.status.value,
            "responsible": state.responsible.value,
            "custodian": state.custodian.value,
            "at": state.at.value,
            "file": state.file,
            "unaccounted": [cause.code for cause in state.unaccounted(as_of)],
        }
        assert answer == question["expect"]


@pytest.mark.parametrize("case", CASES)
def test_how_many_are_there(case: dict[str, Any], places: Registry) -> None:
    drawn = _timelines(case["given"], case, places)
    for facility, rows in case.get("occupancy", {}).items():
        counted = _rows(drawn, facility, places, [date.fromisoformat(row["date"]) for row in rows])
        assert [_shown_day(day) for day in counted] == [row for row in rows if "no_such_day" not in row]


@pytest.mark.parametrize("case", [case for case in CASES if case.values[0] is None or "right_first" in case.values[0]])
def test_a_corrected_log_equals_one_that_was_right_at_first(case: dict[str, Any], places: Registry) -> None:
    corrected, right = (_timelines(case[log], case, places) for log in ("given", "right_first"))
    assert {person: _shown(one) for person, one in corrected.items()} == {
        person: _shown(one) for person, one in right.items()
    }
    for facility, rows in case.get("occupancy", {}).items():
        days = [date.fromisoformat(row["date"]) for row in rows]
        assert _rows(corrected, facility, places, days) == _rows(right, facility, places, days)


@pytest.mark.parametrize("case", CASES)
def test_the_end_of_a_day_is_the_persons_held(case: dict[str, Any], places: Registry) -> None:
    drawn = _timelines(case["given"], case, places)
    for facility, zone in places.zones.items():
        present = [presence(person, FacilityId(facility), one) for person, one in drawn.items()]
        first = min(one.spells[0].from_ for one in drawn.values()).date()
        for day in occupancy(present, zone, first, datetime.fromisoformat(case["as_of"]).date()):
            assert day.start + day.in_ - day.out == day.end
            assert day.end == len(held_at_end(present, day.date, zone))


def _timelines(rows: Iterable[Mapping[str, Any]], case: dict[str, Any], places: Registry) -> dict[PersonId, Timeline]:
    as_of = datetime.fromisoformat(case["as_of"])
    return {PersonId(one): timeline(of_person(list(rows), one), places, as_of) for one in case["expect"]}


def _rows(
    drawn: Mapping[PersonId, Timeline], facility: str, places: Registry, days: list[date]
) -> tuple[OccupancyDay, ...]:
    present = (presence(person, FacilityId(facility), one) for person, one in drawn.items())
    return occupancy(present, places.zones[facility], min(days), max(days))


def _shown(drawn: Timeline) -> dict[str, Any]:
    return {
        "spells": [
            (one.from_, one.to, one.status, one.responsible, one.custodian, one.at, one.file) for one in drawn.spells
        ],
        "placements": [(one.facility, one.custodian, one.from_, one.to, one.midnights) for one in drawn.placements],
        "stays": [(one.from_, one.to) for one in drawn.stays],
        "unaccounted": [(one.from_, one.to, one.cause) for one in drawn.unaccounted],
    }


def _expected(expected: dict[str, Any]) -> dict[str, Any]:
    fields = {
        "spells": ("from", "to", "status", "responsible", "custodian", "at", "file"),
        "placements": ("facility", "custodian", "from", "to", "midnights"),
        "stays": ("from", "to"),
        "unaccounted": ("from", "to", "cause"),
    }
    return {
        kind: [tuple(_read(name, row[name]) for name in names) for row in expected[kind]]
        for kind, names in fields.items()
    }


def _read(name: str, value: Any) -> Any:
    return datetime.fromisoformat(value) if name in ("from", "to") and value is not None else value


def _shown_day(day: OccupancyDay) -> dict[str, Any]:
    columns = ("start", "out", "end", "present", "absent", "unaccounted", "any_part")
    return {"date": day.date.isoformat(), "in": day.in_, **{column: getattr(day, column) for column in columns}}
