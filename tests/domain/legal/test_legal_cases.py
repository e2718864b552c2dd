"""The shared rows of legal conditions: each that uses only the rule sets built so far comes out as written.

`test_how_many_rows_are_used` prints how many of how many; the others wait for the treaty sets.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

import pytest

from domain.custody.local_days import add_months, local_date
from domain.legal.judging import failing, judge
from domain.legal.rule_sets import RULE_SETS
from tests.domain.legal.cases import case_of, row
from tests.scene import COURT, DIGEST, EAST, KEEPER, NORTH, Scene, held, requested, story
from tests.shared_data import SHARED_CASES

FILE = SHARED_CASES / "legal_cases.json"
DATA: dict[str, Any] = json.loads(FILE.read_text("utf-8")) if FILE.exists() else {}
CODES = {rule_set.code for rule_set in RULE_SETS}


def _in_the_slice(case: dict[str, Any]) -> bool:
    return set(case["rule_set"]) <= CODES


def _is_evidence(case: dict[str, Any]) -> bool:
    return bool(case["when"] == "evidence-condition") and _in_the_slice(case)


def _is_built(case: dict[str, Any]) -> bool:
    return case["rule_set"] in CODES


def _any(_case: dict[str, Any]) -> bool:
    return True


USED: dict[str, Callable[[dict[str, Any]], bool]] = {
    "assessments": _in_the_slice,
    "commands": _is_evidence,
    "days": _any,
    "catalogue": _is_built,
}


def rows(table: str) -> list[Any]:
    """The rows of a table within the slice, or one that is skipped where the file is absent."""
    if not DATA:
        reason = "../shared/cases/legal_cases.json is not beside this checkout"
        return [pytest.param({}, id=table, marks=pytest.mark.skip(reason=reason))]
    return [pytest.param(case, id=_label(case)) for case in DATA[table] if USED[table](case)]


def _label(case: dict[str, Any]) -> str:
    return str(case["id"]) if "id" in case else f"{case['rule_set']}/{case['condition']}"


@pytest.mark.parametrize("case", rows("assessments"))
def test_assessment(case: dict[str, Any]) -> None:
    facts = row(DATA["fixtures"][case["given"]["fixture"]], case["given"])
    outcomes = judge(case_of(facts, tuple(case["rule_set"])), case["when"])
    assert len(outcomes) == case["due"]
    assert outcomes == {**dict.fromkeys(outcomes, "met"), **case["expect"]}
    assert list(failing(outcomes)) == case["failing"]
    assert bool(failing(outcomes)) is case["refused"]


SPEAKERS = {"sending": NORTH, "receiving": EAST, "court": COURT}


def _monitor(scene: Scene) -> str:
    """A monitor that may ask, since it holds a role of the command, and yet speaks for neither State."""
    scene.do(KEEPER, "register-authority", authority="watch-fi", state="FI", legal_name="w", outside_register=False)
    roles = [{"role": "receiving", "from": "2024-01-01"}]
    scene.do(KEEPER, "set-authority-roles", authority="watch-fi", roles=roles)
    return "watch-fi"


@pytest.mark.parametrize("case", rows("commands"))
def test_evidence(case: dict[str, Any]) -> None:
    given = case["given"]
    scene = requested(held(story()))
    refusal = scene.refusal(
        _monitor(scene) if given["by"] == "monitor" else SPEAKERS[given["by"]],
        "evidence-condition",
        transfer="tr-1",
        rule_set=given["rule_set"],
        condition=given["condition"],
        outcome=given["outcome"],
        evidence=DIGEST,
    )
    assert (None if refusal is None else refusal.code) == case["expect"]["refusal"]


@pytest.mark.parametrize("case", rows("days"))
def test_day(case: dict[str, Any]) -> None:
    day = local_date(datetime.fromisoformat(case["instant"]), case["zone"])
    assert day == date.fromisoformat(case["day"])
    assert add_months(day, 6) == date.fromisoformat(case["earliest_end"])


@pytest.mark.parametrize("case", rows("catalogue"))
def test_catalogue(case: dict[str, Any]) -> None:
    (rule_set,) = (item for item in RULE_SETS if item.code == case["rule_set"])
    condition = rule_set.condition(case["condition"])
    assert condition is not None
    assert case == {
        "rule_set": rule_set.code,
        "condition": condition.name,
        "from": condition.from_,
        "how": condition.how,
        "opens": list(condition.opens),
        "by": list(condition.by),
        "waived_by": list(condition.waived_by),
    }


@pytest.mark.skipif(not DATA, reason="../shared/cases/legal_cases.json is not beside this checkout")
def test_the_catalogue_stands_in_the_order_of_judging() -> None:
    ours = [(item.code, condition.name) for item in RULE_SETS for condition in item.conditions]
    assert ours == [(case["rule_set"], case["condition"]) for case in DATA["catalogue"] if _is_built(case)]


@pytest.mark.skipif(not DATA, reason="../shared/cases/legal_cases.json is not beside this checkout")
def test_how_many_rows_are_used(capsys: pytest.CaptureFixture[str]) -> None:
    counts = {table: (sum(map(used, DATA[table])), len(DATA[table])) for table, used in USED.items()}
    with capsys.disabled():
        print("\nlegal_cases.json:", " · ".join(f"{name} {used} of {all_}" for name, (used, all_) in counts.items()))
    assert counts == {"assessments": (37, 382), "commands": (3, 95), "days": (15, 15), "catalogue": (14, 43)}
