"""The rule sets: legal texts as typed, versioned values, in the order in which they are judged and refused.

A change of law is a new version with its dates, never an edit: the version whose dates hold the day of receipt judges
a transfer to its end. A set says only whether a named condition holds, never that a transfer is wise.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

from domain.legal import conditions
from domain.legal.case import Case, Moment, Side
from domain.legal.catalogue import CATALOGUE, LegalBasis
from domain.legal.conditions import ASSESSMENT_AGE_MAX, Test, evidenced
from domain.names import StateCode, country

How = Literal["computed", "evidenced", "opened"]

SENDING: tuple[Side, ...] = ("sending",)
RECEIVING: tuple[Side, ...] = ("receiving",)
EITHER_STATE: tuple[Side, ...] = ("sending", "receiving")
SENDING_OR_COURT: tuple[Side, ...] = ("sending", "court")


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One condition of a set.

    `opens` are the attributes it needs opened; `by` who may evidence it; `waived_by` who must all waive it, empty where
    nobody may; `from_` the first moment at which it is judged.
    """

    name: str
    source: str
    how: How
    test: Test
    from_: Moment
    opens: tuple[str, ...] = ()
    by: tuple[Side, ...] = ()
    waived_by: tuple[Side, ...] = ()
    asked_onward: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSet:
    """One version of a legal text, in force for days of receipt from `from_` to `to`; an open end has no date.

    `basis` is the text as an agreement lists it, with what it fixes about fees, consent and responsibility. `tell` is
    what the person is told, `papers` the kinds of document that travel along.
    """

    basis: LegalBasis
    source: str
    version: int
    from_: date
    to: date | None = None
    tell: tuple[str, ...]
    papers: tuple[str, ...] = ()
    conditions: tuple[Condition, ...]

    @property
    def code(self) -> str:
        """The code under which it is listed and cited."""
        return self.basis.code

    def holds_on(self, day: date) -> bool:
        """Whether this version judges what is received on that day."""
        return self.from_ <= day and (self.to is None or day <= self.to)

    def key(self, condition: Condition) -> str:
        """The name under which evidence and refusals cite a condition of this set."""
        return f"{self.code}/{condition.name}"

    def condition(self, name: str) -> Condition | None:
        """The condition of that name."""
        return next((condition for condition in self.conditions if condition.name == name), None)


_AGREEMENT_TERMS = RuleSet(
    basis=CATALOGUE["agreement-terms"],
    source="the agreement's own terms",
    version=1,
    from_=date.min,
    tell=("place", "reason", "how-to-complain"),
    conditions=(
        Condition(
            name="nationality-is-agreed",
            source="term who.nationalities",
            how="opened",
            opens=("nationalities",),
            by=EITHER_STATE,
            from_="request",
            test=conditions.nationality_is_agreed,
        ),
        Condition(
            name="sex-is-agreed",
            source="term who.sexes",
            how="opened",
            opens=("sex",),
            by=EITHER_STATE,
            from_="request",
            test=conditions.sex_is_agreed,
        ),
        Condition(
            name="age-is-agreed",
            source="terms who.age_min, who.age_max",
            how="opened",
            opens=("birth_date",),
            by=EITHER_STATE,
            from_="request",
            test=conditions.age_is_agreed,
        ),
        Condition(
            name="basis-kind-is-agreed",
            source="term who.basis_kinds",
            how="computed",
            from_="request",
            test=conditions.basis_kind_is_agreed,
        ),
        Condition(
            name="responsibility-follows-the-agreement",
            source="term responsibility_after",
            how="computed",
            from_="request",
            test=conditions.responsibility_follows_the_agreement,
        ),
        Condition(
            name="offence-class-is-agreed",
            source="term who.offence_classes",
            how="evidenced",
            by=SENDING,
            from_="approval",
            test=conditions.offence_class_is_agreed,
        ),
        Condition(
            name="place-is-agreed",
            source="term places",
            how="computed",
            from_="approval",
            test=conditions.place_is_agreed,
            asked_onward=False,
        ),
        Condition(
            name="number-is-within-the-limit",
            source="term who.persons_max",
            how="computed",
            from_="approval",
            test=conditions.number_is_within_the_limit,
        ),
        Condition(
            name="person-was-told-in-time",
            source="term person_notice_hours",
            how="computed",
            from_="seal",
            test=conditions.person_was_told_in_time,
        ),
    ),
)

_CUSTODY_CONTRACT = RuleSet(
    basis=CATALOGUE["custody-contract"],
    source="the agreement alone",
    version=1,
    from_=date.min,
    tell=("place", "reason", "who-is-responsible", "until-when"),
    papers=("custody-order",),
    conditions=(
        Condition(
            name="custody-is-ordered-by-the-sending-state",
            source="register; ICPPED art. 17(2)(b)",
            how="computed",
            from_="request",
            test=conditions.custody_is_ordered_by_the_sending_state,
        ),
        Condition(
            name="sending-law-permits-custody-abroad",
            source="register; ICPPED art. 17(2)(a)",
            how="evidenced",
            by=SENDING,
            from_="approval",
            test=evidenced("custody-contract/sending-law-permits-custody-abroad", frozenset(SENDING)),
        ),
        Condition(
            name="receiving-law-permits-the-custody",
            source="register; ICPPED art. 17(2)(a)",
            how="evidenced",
            by=RECEIVING,
            from_="approval",
            test=evidenced("custody-contract/receiving-law-permits-the-custody", frozenset(RECEIVING)),
        ),
    ),
)

_NON_REFOULEMENT = RuleSet(
    basis=CATALOGUE["non-refoulement"],
    source="CAT art. 3; ICPPED art. 16",
    version=1,
    from_=date.min,
    tell=("result", "how-to-challenge-it"),
    conditions=tuple(
        Condition(
            name=name,
            source=source,
            how="evidenced",
            by=SENDING_OR_COURT,
            from_="approval",
            test=evidenced(f"non-refoulement/{name}", frozenset(SENDING_OR_COURT), ASSESSMENT_AGE_MAX),
        )
        for name, source in (
            ("no-danger-of-torture", "CAT art. 3"),
            ("no-danger-of-enforced-disappearance", "ICPPED art. 16"),
        )
    ),
)

RULE_SETS: tuple[RuleSet, ...] = (_AGREEMENT_TERMS, _CUSTODY_CONTRACT, _NON_REFOULEMENT)
"""Every version of every set, in the order of judging."""


def may_be_cited(code: str) -> bool:
    """Whether a transfer may rest on that set: its conditions are known, and it is not one that is always on."""
    return any(rule_set.code == code and not rule_set.basis.implied for rule_set in RULE_SETS)


def that_judge(
    cited: tuple[str, ...], *, purpose: str, sending: StateCode, receiving: StateCode, received: date
) -> tuple[RuleSet, ...]:
    """The versions that judge a transfer received on that day, whatever the order of citing.

    The agreement's terms bind unless somebody is brought back under it; non-refoulement binds across a country's
    border.
    """
    codes = set(cited)
    if purpose != "retaking":
        codes.add(_AGREEMENT_TERMS.code)
    if country(sending) != country(receiving):
        codes.add(_NON_REFOULEMENT.code)
    return tuple(rule_set for rule_set in RULE_SETS if rule_set.code in codes and rule_set.holds_on(received))


def sets_of(case: Case) -> tuple[RuleSet, ...]:
    """The versions that judge this case."""
    return that_judge(
        case.rule_sets,
        purpose=case.purpose,
        sending=case.sending_state,
        receiving=case.receiving_state,
        received=case.day_of_receipt,
    )
