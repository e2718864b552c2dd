"""The conditions themselves: one function each, from a case and a moment to an outcome.

A condition answers `unknown` where what it needs was not shown, and `not-met` only where it was shown to fail. Waivers
are no business of these functions: `judging` puts them on top.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, timedelta
from typing import Literal

from domain.legal.case import Case, Evidence, Moment, Outcome, Side
from domain.names import AuthorityId

Test = Callable[[Case, Moment], Outcome]

ASSESSMENT_AGE_MAX = timedelta(days=90)
"""How old an assessment of danger may be: policy, CAT art. 3 asks for one of the present."""


def latest(records: Iterable[Evidence], key: str, sides: frozenset[Side]) -> dict[AuthorityId, Evidence]:
    """The latest record for `key` of each authority that speaks for one of `sides`."""
    return {record.authority: record for record in records if record.key == key and record.sides & sides}


def _fact(holds: bool) -> Outcome:
    return "met" if holds else "not-met"


# agreement-terms: whom, where and how many the two States agreed on.


def nationality_is_agreed(case: Case, _moment: Moment) -> Outcome:
    """One of the person's nationalities is agreed; dual nationals are judged by the better of the two."""
    agreed = case.terms.who.nationalities
    return _listed(case, agreed, case.opened.nationalities)


def sex_is_agreed(case: Case, _moment: Moment) -> Outcome:
    """The person's sex is agreed, asked before departure and not on landing."""
    sex = case.opened.sex
    return _listed(case, case.terms.who.sexes, None if sex is None else (sex,))


def _listed(case: Case, agreed: Literal["any"] | tuple[str, ...], shown: tuple[str, ...] | None) -> Outcome:
    if agreed == "any":
        return "met"
    if shown is None or case.identity_status == "unresolved":
        return "unknown"
    return _fact(any(item in agreed for item in shown))


def age_is_agreed(case: Case, moment: Moment) -> Outcome:
    """The age on the planned day lies within the limits; without limits nothing needs to be opened."""
    who = case.terms.who
    if who.age_min is None and who.age_max is None:
        return "met"
    if case.opened.birth_date is None or case.identity_status == "unresolved":
        return "unknown"
    age = full_years(case.opened.birth_date, case.planned_day(moment))
    return _fact((who.age_min is None or who.age_min <= age) and (who.age_max is None or age <= who.age_max))


def full_years(born: date, day: date) -> int:
    """The age on `day`; whoever was born on 29 February is a year older on 1 March (policy)."""
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


def basis_kind_is_agreed(case: Case, _moment: Moment) -> Outcome:
    """The agreement covers custody on this kind of basis."""
    return _fact(case.basis.kind in case.terms.who.basis_kinds)


def responsibility_follows_the_agreement(case: Case, _moment: Moment) -> Outcome:
    """The request gives legal responsibility to whom the agreement does."""
    return _fact(case.responsibility_after == case.terms.responsibility_after)


def place_is_agreed(case: Case, _moment: Moment) -> Outcome:
    """The reserved place, or places of its kind, are agreed."""
    if case.place is None:
        return "unknown"
    places = case.terms.places
    return _fact(case.place.facility in places.facilities or case.place.kind in places.classes)


def number_is_within_the_limit(case: Case, _moment: Moment) -> Outcome:
    """With this person the agreement's number of persons is not exceeded."""
    most = case.terms.who.persons_max
    return _fact(most is None or case.persons_counted + 1 <= most)


def person_was_told_in_time(case: Case, _moment: Moment) -> Outcome:
    """The person was told the agreed hours before departure, to the second; 0 hours ask for nothing."""
    hours = case.terms.person_notice_hours
    if hours == 0:
        return "met"
    if case.told_at is None or case.departs_at is None:
        return "not-met"
    return _fact(case.told_at + timedelta(hours=hours) <= case.departs_at)


# custody-contract: custody abroad by agreement alone.


def custody_is_ordered_by_the_sending_state(case: Case, _moment: Moment) -> Outcome:
    """The basis cited is an order of the sending State (ICPPED art. 17(2)(b))."""
    return _fact(case.basis.ordering_state == case.sending_state)


# What an authority has to show.


def evidenced(key: str, by: frozenset[Side], age_max: timedelta | None = None) -> Test:
    """A condition that holds when somebody of `by` says so and nobody of `by` says it fails.

    A `not-met` outweighs another authority's `met` and does not age: only its own authority's later record lifts it.
    A `met` older than `age_max` shows nothing.
    """

    def test(case: Case, _moment: Moment) -> Outcome:
        records = latest(case.evidence, key, by).values()
        if any(record.outcome == "not-met" for record in records):
            return "not-met"
        fresh = (age_max is None or case.today - record.on <= age_max for record in records if record.outcome == "met")
        return "met" if any(fresh) else "unknown"

    return test


OFFENCE_CLASS_IS_AGREED = "agreement-terms/offence-class-is-agreed"


def offence_class_is_agreed(case: Case, moment: Moment) -> Outcome:
    """Any offence is agreed, or the sending side shows that this one is."""
    if case.terms.who.offence_classes == "any":
        return "met"
    return evidenced(OFFENCE_CLASS_IS_AGREED, frozenset({"sending"}))(case, moment)
