"""Judging: which conditions a moment asks, how each comes out, and who may speak to one.

A condition is judged at its first moment and at every later one. `judge` returns all of them, in the order of the
rule sets, so that a refusal can name every one that fails.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from domain.legal.case import FAILING, MOMENTS, Case, Moment, Outcome, Side
from domain.legal.conditions import latest
from domain.legal.rule_sets import Condition, RuleSet, sets_of


def judge(case: Case, moment: Moment) -> dict[str, Outcome]:
    """The outcome of every condition due at `moment`, by its key."""
    return judge_by(sets_of(case), case, moment)


def judge_by(rule_sets: Iterable[RuleSet], case: Case, moment: Moment) -> dict[str, Outcome]:
    """The same under the given sets."""
    return {
        rule_set.key(condition): _outcome(rule_set, condition, case, moment)
        for rule_set in rule_sets
        for condition in rule_set.conditions
        if _is_due(condition, case, moment)
    }


def failing(outcomes: Mapping[str, Outcome], waivable: Iterable[str] = ()) -> dict[str, Outcome]:
    """Those that refuse: not met or unknown, less the ones that may still be waived."""
    spared = frozenset(waivable)
    return {key: outcome for key, outcome in outcomes.items() if outcome in FAILING and key not in spared}


def spared_at(case: Case, moment: Moment) -> frozenset[str]:
    """The conditions that a moment records and does not yet refuse for: at the request, those that can be waived."""
    if moment != "request":
        return frozenset()
    return frozenset(
        rule_set.key(condition)
        for rule_set in sets_of(case)
        for condition in rule_set.conditions
        if condition.waived_by
    )


def may_evidence(condition: Condition, sides: Iterable[Side]) -> bool:
    """Whether somebody who speaks for `sides` may record anything on the condition."""
    return not frozenset(sides).isdisjoint((*condition.by, *condition.waived_by))


def may_waive(condition: Condition, sides: Iterable[Side]) -> bool:
    """Whether somebody who speaks for `sides` may waive it."""
    return not frozenset(sides).isdisjoint(condition.waived_by)


def _is_due(condition: Condition, case: Case, moment: Moment) -> bool:
    if case.purpose == "onward" and not condition.asked_onward:
        return False
    return MOMENTS.index(condition.from_) <= MOMENTS.index(moment)


def _outcome(rule_set: RuleSet, condition: Condition, case: Case, moment: Moment) -> Outcome:
    outcome = condition.test(case, moment)
    if outcome in FAILING and _is_waived(rule_set, condition, case):
        return "waived"
    return outcome


def _is_waived(rule_set: RuleSet, condition: Condition, case: Case) -> bool:
    """Whether the latest record of every authority that has a say waives it, and each side it takes has one."""
    if not condition.waived_by:
        return False
    records = latest(case.evidence, rule_set.key(condition), frozenset(condition.waived_by)).values()
    sides = {side for record in records for side in record.sides}
    return sides.issuperset(condition.waived_by) and all(record.outcome == "waived" for record in records)
