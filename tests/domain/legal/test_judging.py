"""What the mechanism of judging promises beside the shared rows: moments, evidence, age, versions, waivers."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from domain.legal import rule_sets
from domain.legal.case import Case, Moment
from domain.legal.catalogue import LegalBasis
from domain.legal.conditions import full_years
from domain.legal.judging import failing, judge, judge_by, may_evidence, may_waive, spared_at
from domain.legal.rule_sets import RULE_SETS, Condition, RuleSet, may_be_cited, that_judge
from domain.names import StateCode
from tests.domain.legal.cases import CONTRACT, case_of, evidence, row

NO, SE = StateCode("NO"), StateCode("SE")
TORTURE = "non-refoulement/no-danger-of-torture"
SENDING_LAW = "custody-contract/sending-law-permits-custody-abroad"


def contract(**given: Any) -> Case:
    """The contract case with what a row changes."""
    return case_of(row(CONTRACT, given), ("custody-contract",))


@pytest.mark.parametrize(
    ("moment", "due"), [("request", 6), ("approval", 13), ("seal", 14), ("departure", 14), ("offer", 14)]
)
def test_a_condition_is_judged_from_its_moment_on(moment: Moment, due: int) -> None:
    assert list(judge(contract(), moment).values()) == ["met"] * due


ROWS: dict[str, tuple[dict[str, Any], Moment, dict[str, str]]] = {
    "older evidence of danger still refuses": (
        {"add": {"evidence": [{"condition": TORTURE, "by": "court", "outcome": "not-met", "on": "2023-01-01"}]}},
        "offer",
        {TORTURE: "not-met"},
    ),
    "an authority's own later record lifts its objection": (
        {
            "add": {
                "evidence": [
                    {"condition": TORTURE, "by": "court", "outcome": "not-met", "on": "2025-03-06"},
                    {"condition": TORTURE, "by": "court", "outcome": "met", "on": "2025-03-07"},
                ]
            }
        },
        "offer",
        {},
    ),
    "one of two authorities of a side objects": (
        {
            "add": {
                "evidence": [
                    {
                        "condition": SENDING_LAW,
                        "by": "sending",
                        "outcome": "not-met",
                        "on": "2025-03-04",
                        "authority": "ministry",
                    }
                ]
            }
        },
        "approval",
        {SENDING_LAW: "not-met"},
    ),
    "the receiving side is not heard on the sending side's law": (
        {
            "drop": [f"{SENDING_LAW}@sending"],
            "add": {"evidence": [{"condition": SENDING_LAW, "by": "receiving", "outcome": "met", "on": "2025-03-06"}]},
        },
        "approval",
        {SENDING_LAW: "unknown"},
    ),
    "the number is one too many": (
        {"set": {"terms.who.persons_max": 300, "persons_counted": 300}},
        "approval",
        {"agreement-terms/number-is-within-the-limit": "not-met"},
    ),
    "no place is known yet": (
        {
            "set": {
                "place": {"facility": "e-9", "kind": "police"},
                "terms.places": {"facilities": ["e-1"], "classes": []},
            }
        },
        "approval",
        {"agreement-terms/place-is-agreed": "not-met"},
    ),
    "responsibility is asked for the other side": (
        {"set": {"responsibility_after": "receiving"}},
        "request",
        {"agreement-terms/responsibility-follows-the-agreement": "not-met"},
    ),
    "one of two nationalities is enough": (
        {"set": {"terms.who.nationalities": ["SE"], "opened": {"nationalities": ["NO", "SE"]}}},
        "request",
        {},
    ),
    "an unresolved identity shows no nationality": (
        {
            "set": {
                "terms.who.nationalities": ["SE"],
                "opened": {"nationalities": ["SE"]},
                "identity_status": "unresolved",
            }
        },
        "request",
        {"agreement-terms/nationality-is-agreed": "unknown"},
    ),
    "evidence opens no attribute": (
        {
            "set": {"terms.who.sexes": ["male"]},
            "add": {
                "evidence": [
                    {
                        "condition": "agreement-terms/sex-is-agreed",
                        "by": "sending",
                        "outcome": "met",
                        "on": "2025-03-06",
                    }
                ]
            },
        },
        "request",
        {"agreement-terms/sex-is-agreed": "unknown"},
    ),
    "too young on the first day of the window": (
        {"set": {"terms.who.age_min": 18, "opened": {"birth_date": "2007-03-22"}}},
        "approval",
        {"agreement-terms/age-is-agreed": "not-met"},
    ),
    "old enough on the day of departure": (
        {
            "set": {
                "terms.who.age_min": 18,
                "opened": {"birth_date": "2007-03-22"},
                "departs_at": "2025-03-21T23:00:00Z",
            }
        },
        "offer",
        {},
    ),
    "sixty-six by the window": (
        {"set": {"terms.who.age_max": 65, "opened": {"birth_date": "1959-03-21"}}},
        "request",
        {"agreement-terms/age-is-agreed": "not-met"},
    ),
    "told to the second": ({"set": {"told_at": "2025-03-18T12:00:00Z"}}, "offer", {}),
    "told a second too late": (
        {"set": {"told_at": "2025-03-18T12:00:01Z"}},
        "offer",
        {"agreement-terms/person-was-told-in-time": "not-met"},
    ),
    "the offence is not shown": (
        {"set": {"terms.who.offence_classes": ["class-a"]}},
        "approval",
        {"agreement-terms/offence-class-is-agreed": "unknown"},
    ),
}


@pytest.mark.parametrize(("given", "moment", "fails"), ROWS.values(), ids=ROWS.keys())
def test_what_fails(given: dict[str, Any], moment: Moment, fails: dict[str, str]) -> None:
    assert failing(judge(contract(**given), moment)) == fails


def test_evidence_ages_by_the_sending_sides_calendar() -> None:
    # 23:30Z is the next day in Oslo: the assessment is then 91 days old.
    given = {
        "drop": [TORTURE],
        "add": {"evidence": [{"condition": TORTURE, "by": "sending", "outcome": "met", "on": "2024-12-19"}]},
    }
    assert failing(judge(contract(**given, set={"at": "2025-03-19T22:59:59Z"}), "offer")) == {}
    assert failing(judge(contract(**given, set={"at": "2025-03-19T23:30:00Z"}), "offer")) == {TORTURE: "unknown"}


@pytest.mark.parametrize(
    ("born", "day", "years"),
    [
        ("2004-02-29", "2022-02-28", 17),
        ("2004-02-29", "2022-03-01", 18),
        ("2004-02-29", "2024-02-29", 20),
        ("2007-03-21", "2025-03-21", 18),
        ("2007-03-22", "2025-03-21", 17),
    ],
)
def test_full_years(born: str, day: str, years: int) -> None:
    assert full_years(date.fromisoformat(born), date.fromisoformat(day)) == years


def codes(
    *cited: str, purpose: str = "enforcement", receiving: StateCode = SE, received: str = "2025-03-03"
) -> list[str]:
    """The codes of the sets that judge a transfer from NO."""
    found = that_judge(cited, purpose=purpose, sending=NO, receiving=receiving, received=date.fromisoformat(received))
    return [rule_set.code for rule_set in found]


def test_which_sets_judge() -> None:
    assert codes("custody-contract") == ["agreement-terms", "custody-contract", "non-refoulement"]
    assert codes("custody-contract", receiving=StateCode("NO-03")) == ["agreement-terms", "custody-contract"]
    assert codes("custody-contract", purpose="retaking") == ["custody-contract", "non-refoulement"]
    assert codes("custody-contract", purpose="onward") == ["agreement-terms", "custody-contract", "non-refoulement"]


def test_the_version_of_the_day_of_receipt_judges(monkeypatch: pytest.MonkeyPatch) -> None:
    terms, contract_1, danger = RULE_SETS
    old = replace(contract_1, to=date(2025, 3, 3))
    new = replace(contract_1, version=2, from_=date(2025, 3, 4), conditions=contract_1.conditions[:1])
    monkeypatch.setattr(rule_sets, "RULE_SETS", (terms, old, new, danger))
    # The same instant is 3 March in Oslo and 4 March in Kiritimati, where the request is received.
    before = {"set": {"requested_at": "2025-03-03T09:59:59Z", "zones.receiving": "Pacific/Kiritimati"}}
    after = {"set": {"requested_at": "2025-03-03T10:00:00Z", "zones.receiving": "Pacific/Kiritimati"}}
    assert len(judge(contract(**before), "offer")) == 14
    assert len(judge(contract(**after), "offer")) == 12


def test_what_a_transfer_may_cite() -> None:
    assert may_be_cited("custody-contract")
    assert not may_be_cited("agreement-terms")
    assert not may_be_cited("ets-112")


WAIVABLE = Condition(
    name="six-months-remain",
    source="a treaty",
    how="computed",
    from_="request",
    by=("sending", "receiving"),
    waived_by=("sending", "receiving"),
    test=lambda _case, _moment: "not-met",
)
TREATY = RuleSet(
    basis=LegalBasis(code="treaty", allows_fees=True),
    source="a treaty",
    version=1,
    from_=date(2025, 1, 1),
    tell=(),
    conditions=(WAIVABLE,),
)
MONTHS = "treaty/six-months-remain"


def waivers(*records: tuple[str, str, str]) -> Case:
    """The contract case with records for the waivable condition: side, outcome, authority."""
    found = tuple(evidence(MONTHS, by, outcome, "2025-03-06", authority) for by, outcome, authority in records)
    return replace(contract(), evidence=found)


BOTH = (("sending", "waived", "a"), ("receiving", "waived", "b"))


@pytest.mark.parametrize(
    ("records", "outcome"),
    [
        ((), "not-met"),
        (BOTH[:1], "not-met"),
        (BOTH, "waived"),
        ((*BOTH, ("receiving", "not-met", "b")), "not-met"),
        ((*BOTH, ("receiving", "not-met", "b"), ("receiving", "waived", "b")), "waived"),
        ((*BOTH, ("receiving", "not-met", "c")), "not-met"),
        ((BOTH[0], ("court", "waived", "b")), "not-met"),
    ],
    ids=["nobody", "one side", "both sides", "taken back", "waived again", "a second authority objects", "no say"],
)
def test_a_waiver_takes_every_side(records: tuple[tuple[str, str, str], ...], outcome: str) -> None:
    assert judge_by([TREATY], waivers(*records), "approval") == {MONTHS: outcome}


def test_a_waiver_changes_nothing_that_is_met() -> None:
    met = replace(TREATY, conditions=(replace(WAIVABLE, test=lambda _case, _moment: "met"),))
    assert judge_by([met], waivers(*BOTH), "approval") == {MONTHS: "met"}


def test_what_can_be_waived_does_not_refuse_at_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rule_sets, "RULE_SETS", (*RULE_SETS, TREATY))
    case = replace(contract(), rule_sets=("custody-contract", "treaty"))
    assert judge(case, "request")[MONTHS] == "not-met"
    assert failing(judge(case, "request"), spared_at(case, "request")) == {}
    assert failing(judge(case, "approval"), spared_at(case, "approval")) == {MONTHS: "not-met"}


def test_who_may_speak_to_a_condition() -> None:
    assert may_evidence(WAIVABLE, {"sending"})
    assert may_waive(WAIVABLE, {"sending"})
    assert not may_evidence(WAIVABLE, {"court"})
    heard = replace(WAIVABLE, waived_by=("receiving",))
    assert may_evidence(heard, {"sending"})
    assert not may_waive(heard, {"sending"})
