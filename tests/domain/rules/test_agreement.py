"""Making an agreement: drafts, what they lack, signatures, revisions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest

from domain.canonical import digest
from domain.events.agreement import AgreementDrafted, AgreementSigned
from domain.refusals import (
    ActorIsNotAParty,
    AgreementIsUnknown,
    AuthorityIsUnknown,
    BodyIsMalformed,
    CodeIsNotListed,
    LegalBasisForbidsFees,
    OccurredAtIsInTheFuture,
    RoleIsNotHeld,
    VersionHasMoved,
)
from domain.rules.agreement import (
    AgreementIsAlreadySigned,
    PartiesAreNotTwoStates,
    RevisionChangesAClosedPeriod,
    RevisionIsNotNext,
    RevisionIsSuperseded,
    RuleSetIsUnknown,
    RuleSetsDoNotCombine,
    TermsAreIncomplete,
    TermsHaveChanged,
)
from tests.domain.rules.rows import Row, holds
from tests.scene import COURT, DIGEST, E1, EAST, KEEPER, NORTH, START, TERMS, THIRD, Scene, at, registry, story
from tests.shared_data import SHARED_CASES

TERMS_DIGEST = digest(TERMS)
CONVENTION = {"rule_set": "ets-112", "name": "Convention", "in_force_since": "1995-01-01"}
IN_ORDER = (
    "notice",
    "places",
    "who",
    "approvals",
    "delivery",
    "retaking",
    "responsibility_after",
    "onward",
    "moves",
    "returns",
    "release",
    "monitor_access",
    "medical",
    "property",
    "reports",
    "notifications",
    "person_notice_hours",
    "zones",
    "holidays",
    "disputes",
    "fees",
)


def parties(sending: str = NORTH, receiving: str = EAST) -> list[Mapping[str, str]]:
    return [{"authority": sending, "role": "sending"}, {"authority": receiving, "role": "receiving"}]


def draft(**changes: object) -> Mapping[str, object]:
    """A whole draft of a new agreement."""
    return {
        "agreement": "a2",
        "revision": 1,
        "parties": parties(),
        "legal_bases": ["custody-contract"],
        "terms": TERMS,
        "from_": "2025-01-01",
        "to": "2025-12-31",
        **changes,
    }


def terms(**changes: object) -> Mapping[str, object]:
    return {**TERMS, **changes}


def without(*names: str) -> Mapping[str, object]:
    return {name: value for name, value in TERMS.items() if name not in names}


def signature(**changes: object) -> Mapping[str, object]:
    return {"agreement": "a2", "revision": 1, "terms_digest": TERMS_DIGEST, **changes}


DRAFTED = (NORTH, "draft-agreement", draft())
NORTH_SIGNED = (NORTH, "sign-agreement", signature())
EAST_SIGNED = (EAST, "sign-agreement", signature())


def second(**changes: object) -> tuple[str, str, Mapping[str, object]]:
    return (NORTH, "draft-agreement", draft(revision=2, **changes))


def second_signed_by_all(scene: Scene) -> None:
    for by in (NORTH, EAST):
        scene.do(by, "sign-agreement", **signature(revision=2))


def january_closed(scene: Scene) -> None:
    """The days of January under a1 are counted and fixed."""
    answer = scene.do(
        EAST,
        "propose-fee-schedule",
        agreement="a1",
        schedule="a1-fees",
        revision=1,
        payee=EAST,
        payer=NORTH,
        currency="USD",
        valid={"from": "2025-01-01"},
        facilities=[E1],
        pools=[],
        series="CTL",
        components=[{"model": "per-diem", "rates": [{"rate": "54.79", "per": 1, "from": "2025-01-01"}]}],
        day_rule="arrival-not-departure",
        same_day=1,
        in_transit="not-billed",
        absences={},
        holds=[],
        billing={"period": "calendar-month", "close_after_days": 0, "adjustments": "at-once"},
        rounding={"mode": "half-up", "place": "line-amount"},
        year_basis="365",
        terms_days=30,
        dispute_days=30,
    )
    digest_told = answer.told["proposal_digest"]
    scene.do(NORTH, "sign-fee-schedule", agreement="a1", schedule="a1-fees", proposal_digest=digest_told)
    scene.do(EAST, "close-period", agreement="a1", period={"from": "2025-01-01", "to": "2025-01-31"})


def incomplete(*missing: str) -> TermsAreIncomplete:
    return TermsAreIncomplete(missing)


DRAFTS = {
    "a party drafts": Row(by=NORTH, asks="draft-agreement", data=draft()),
    "the other party may too": Row(by=EAST, asks="draft-agreement", data=draft()),
    "the next revision": Row(by=EAST, asks="draft-agreement", data=draft(agreement="a1", revision=2)),
    "a court drafts nothing": Row(
        by=COURT,
        asks="draft-agreement",
        data=draft(parties=parties("nobody")),
        follows=RoleIsNotHeld(COURT, ("sending", "receiving")),
    ),
    "parties are in the register": Row(
        by=NORTH,
        asks="draft-agreement",
        data=draft(parties=parties(NORTH, "nobody"), occurred_at="2026-01-01T00:00:00Z"),
        follows=AuthorityIsUnknown("nobody"),
    ),
    "a draft does not lie in the future": Row(
        by=THIRD,
        asks="draft-agreement",
        data=draft(occurred_at="2025-03-01T12:05:01Z"),
        follows=OccurredAtIsInTheFuture(at("2025-03-01T12:05:01Z"), at(START)),
    ),
    "who has read an older agreement is told": Row(
        by=THIRD,
        asks="draft-agreement",
        data=draft(agreement="a1", revision=2, expected_version=1),
        follows=VersionHasMoved(3, 1),
    ),
    "who drafts is a party": Row(
        by=THIRD, asks="draft-agreement", data=draft(parties=parties(NORTH, NORTH)), follows=ActorIsNotAParty(THIRD)
    ),
    "nobody takes over the agreement of others": Row(
        by=THIRD,
        asks="draft-agreement",
        data=draft(agreement="a1", revision=2, parties=parties(NORTH, THIRD)),
        follows=ActorIsNotAParty(THIRD),
    ),
    "the parties are of two States": Row(
        by=THIRD,
        asks="draft-agreement",
        data=draft(parties=parties(EAST, THIRD), legal_bases=["ets-113"]),
        follows=PartiesAreNotTwoStates(("SE", "SE")),
    ),
    "one sends and the other receives": Row(
        by=NORTH,
        asks="draft-agreement",
        data=draft(parties=[{"authority": NORTH, "role": "sending"}, {"authority": EAST, "role": "sending"}]),
        follows=PartiesAreNotTwoStates(("NO", "SE")),
    ),
    "there are two of them": Row(
        by=NORTH,
        asks="draft-agreement",
        data=draft(parties=[{"authority": NORTH, "role": "sending"}]),
        follows=PartiesAreNotTwoStates(("NO",)),
    ),
    "a legal basis is one the register knows": Row(
        by=NORTH,
        asks="draft-agreement",
        data=draft(legal_bases=["custody-contract", "ets-113", "ets-167"]),
        follows=RuleSetIsUnknown(("ets-113", "ets-167")),
    ),
    "a contract stands alone": Row(
        by=NORTH,
        asks="draft-agreement",
        data=draft(legal_bases=["ets-112", "custody-contract"], terms={}),
        follows=RuleSetsDoNotCombine(("ets-112", "custody-contract")),
    ),
    "a legal basis is listed once": Row(
        by=NORTH,
        asks="draft-agreement",
        data=draft(legal_bases=["custody-contract", "custody-contract"]),
        follows=RuleSetsDoNotCombine(("custody-contract", "custody-contract")),
    ),
    "the compact is made within the Union": Row(
        by=NORTH,
        asks="draft-agreement",
        data=draft(legal_bases=["us-interstate-corrections-compact"]),
        follows=RuleSetsDoNotCombine(("us-interstate-corrections-compact",)),
    ),
    "everything that lacks is told at once, in its order": Row(
        by=NORTH,
        asks="draft-agreement",
        data=draft(legal_bases=[], terms={}, to="2024-12-31"),
        follows=incomplete("legal_bases", "to", *IN_ORDER),
    ),
    "what lacks is told before fees that are forbidden": Row(
        by=NORTH,
        asks="draft-agreement",
        data=draft(legal_bases=["ets-112"], revision=7),
        follows=incomplete("responsibility_after", "consent_final_at", "treaty"),
    ),
    "an agreement names a place or a kind of places": Row(
        by=NORTH,
        asks="draft-agreement",
        data=draft(terms=terms(places={"facilities": [], "classes": []})),
        follows=incomplete("places"),
    ),
    "an agreement covers somebody": Row(
        by=NORTH,
        asks="draft-agreement",
        data=draft(terms=terms(who={**TERMS["who"], "age_min": 30, "age_max": 29})),  # type: ignore[dict-item]  # TERMS is of any objects
        follows=incomplete("who"),
    ),
    "an empty list of kinds covers nobody": Row(
        by=NORTH,
        asks="draft-agreement",
        data=draft(terms=terms(who={**TERMS["who"], "basis_kinds": []})),  # type: ignore[dict-item]  # as above
        follows=incomplete("who"),
    ),
    "a limit of nobody covers nobody": Row(
        by=NORTH,
        asks="draft-agreement",
        data=draft(terms=terms(who={**TERMS["who"], "persons_max": 0})),  # type: ignore[dict-item]  # as above
        follows=incomplete("who"),
    ),
    "a treaty is stated once": Row(
        by=NORTH,
        asks="draft-agreement",
        data=draft(
            legal_bases=["ets-112"],
            terms=terms(responsibility_after="receiving", consent_final_at="departure", treaty=[CONVENTION] * 2),
        ),
        follows=incomplete("treaty"),
    ),
    "somebody approves": Row(
        by=NORTH, asks="draft-agreement", data=draft(terms=terms(approvals=[])), follows=incomplete("approvals")
    ),
    "whereabouts are certified": Row(
        by=NORTH,
        asks="draft-agreement",
        data=draft(terms=terms(reports=[{"kind": "conduct-report", "every_days": 30, "to": "sending"}])),
        follows=incomplete("reports"),
    ),
    "death and escape are told": Row(
        by=NORTH,
        asks="draft-agreement",
        data=draft(terms=terms(notifications=TERMS["notifications"][:1])),  # type: ignore[index]  # as above
        follows=incomplete("notifications"),
    ),
    "a treaty allows no fees": Row(
        by=NORTH,
        asks="draft-agreement",
        data=draft(
            legal_bases=["ets-112"],
            revision=7,
            terms=terms(
                responsibility_after="receiving",
                consent_final_at="departure",
                treaty=[CONVENTION],
            ),
        ),
        follows=LegalBasisForbidsFees(("ets-112",)),
    ),
    "revisions begin with 1": Row(
        by=NORTH, asks="draft-agreement", data=draft(revision=2), follows=RevisionIsNotNext(2, 1)
    ),
    "and follow each other": Row(
        given=(january_closed,),
        by=NORTH,
        asks="draft-agreement",
        data=draft(agreement="a1", revision=3),
        follows=RevisionIsNotNext(3, 2),
    ),
    "a revision under an old number is not that revision": Row(
        by=NORTH,
        asks="draft-agreement",
        data=draft(agreement="a1", to="2026-12-31"),
        follows=RevisionIsNotNext(1, 2),
    ),
    "a period that is closed stays as it was agreed": Row(
        given=(january_closed,),
        by=NORTH,
        asks="draft-agreement",
        data=draft(agreement="a1", revision=2, from_="2025-01-31"),
        follows=RevisionChangesAClosedPeriod(date(2025, 1, 31)),
    ),
    "the day after may be agreed anew": Row(
        given=(january_closed,),
        by=NORTH,
        asks="draft-agreement",
        data=draft(agreement="a1", revision=2, from_="2025-02-01"),
    ),
    "the closed period of one agreement binds no other": Row(
        given=(january_closed,), by=NORTH, asks="draft-agreement", data=draft()
    ),
}

SIGNATURES = {
    "a party signs": Row(given=(DRAFTED,), by=EAST, asks="sign-agreement", data=signature()),
    "so does the other": Row(given=(DRAFTED, EAST_SIGNED), by=NORTH, asks="sign-agreement", data=signature()),
    "a court signs nothing": Row(
        given=(DRAFTED,),
        by=COURT,
        asks="sign-agreement",
        data=signature(revision=2),
        follows=RoleIsNotHeld(COURT, ("sending", "receiving")),
    ),
    "to learn that an agreement is unknown any role is enough": Row(
        by=COURT, asks="sign-agreement", data=signature(), follows=AgreementIsUnknown("a2")
    ),
    "an agreement is drafted before": Row(
        by=NORTH, asks="sign-agreement", data=signature(revision=2), follows=AgreementIsUnknown("a2")
    ),
    "and the revision too": Row(
        given=(DRAFTED,),
        by=THIRD,
        asks="sign-agreement",
        data=signature(revision=2),
        follows=AgreementIsUnknown("a2", 2),
    ),
    "only parties sign": Row(
        given=(DRAFTED,),
        by=THIRD,
        asks="sign-agreement",
        data=signature(terms_digest=DIGEST),
        follows=ActorIsNotAParty(THIRD),
    ),
    "a party signs once": Row(
        given=(DRAFTED, NORTH_SIGNED, second(), second_signed_by_all),
        by=NORTH,
        asks="sign-agreement",
        data=signature(terms_digest=DIGEST),
        follows=AgreementIsAlreadySigned("a2", 1),
    ),
    "a revision that never will be in force is not signed": Row(
        given=(DRAFTED, NORTH_SIGNED, second(), second_signed_by_all),
        by=EAST,
        asks="sign-agreement",
        data=signature(terms_digest=DIGEST),
        follows=RevisionIsSuperseded(1, 2),
    ),
    "nor one whose days are all behind it": Row(
        given=(DRAFTED, NORTH_SIGNED, second(from_="2025-03-01"), second_signed_by_all),
        by=EAST,
        asks="sign-agreement",
        data=signature(),
        follows=RevisionIsSuperseded(1, 2),
    ),
    "nor one that begins after the later one": Row(
        given=((NORTH, "draft-agreement", draft(from_="2025-06-01")), second(from_="2025-05-01"), second_signed_by_all),
        by=EAST,
        asks="sign-agreement",
        data=signature(),
        follows=RevisionIsSuperseded(1, 2),
    ),
    "a later draft supersedes nothing": Row(
        given=(DRAFTED, NORTH_SIGNED, second()), by=EAST, asks="sign-agreement", data=signature()
    ),
    "nor does a later revision before it begins": Row(
        given=(DRAFTED, NORTH_SIGNED, second(from_="2025-03-02"), second_signed_by_all),
        by=EAST,
        asks="sign-agreement",
        data=signature(),
    ),
    "who signs has read these terms": Row(
        given=(DRAFTED,),
        by=EAST,
        asks="sign-agreement",
        data=signature(terms_digest=DIGEST),
        follows=TermsHaveChanged(TERMS_DIGEST),
    ),
}


@pytest.mark.parametrize("row", DRAFTS.values(), ids=DRAFTS)
def test_drafting(row: Row) -> None:
    holds(row, story())


@pytest.mark.parametrize("row", SIGNATURES.values(), ids=SIGNATURES)
def test_signing(row: Row) -> None:
    holds(row, story())


@pytest.mark.parametrize("name", IN_ORDER)
def test_each_term_must_be_there(name: str) -> None:
    row = Row(by=NORTH, asks="draft-agreement", data=draft(terms=without(name)), follows=incomplete(name))
    holds(row, story())


def test_the_digest_told_is_that_of_the_terms_as_sent() -> None:
    scene = story()
    answer = scene.do(NORTH, "draft-agreement", **draft())
    body = scene.events()[-1].body
    assert isinstance(body, AgreementDrafted)
    assert body.terms == TERMS
    assert answer.told == {"terms_digest": TERMS_DIGEST}
    assert body.terms_digest == TERMS_DIGEST
    in_memory = scene.register.agreement("a2")
    assert in_memory is not None
    assert in_memory.revisions[0].body == body


def test_an_agreement_is_in_force_when_the_last_party_has_signed() -> None:
    scene = registry(Scene())
    scene.do(NORTH, "draft-agreement", **draft())
    for by, in_force in ((NORTH, False), (EAST, True)):
        scene.do(by, "sign-agreement", **signature())
        file = scene.register.agreement("a2")
        assert file is not None
        assert (file.in_force(date(2025, 3, 1)) is not None) is in_force
    assert isinstance(scene.events()[-1].body, AgreementSigned)


def test_an_equal_draft_under_another_key_is_a_repeat() -> None:
    scene = story()
    first = scene.do(NORTH, "draft-agreement", key="one", **draft())
    again = scene.do(NORTH, "draft-agreement", key="two", **draft())
    assert (again.events, again.told) == (first.events, first.told)
    assert isinstance(scene.refusal(EAST, "draft-agreement", **draft()), RevisionIsNotNext)


def test_a_scoped_role_is_enough_for_its_agreement_alone() -> None:
    scene = story()
    scene.do(NORTH, "draft-agreement", **draft())
    only_a1 = [{"role": "receiving", "from": "2024-01-01", "agreement": "a1"}]
    scene.do(KEEPER, "set-authority-roles", authority=EAST, roles=only_a1)
    assert isinstance(scene.refusal(EAST, "sign-agreement", **signature()), RoleIsNotHeld)
    assert isinstance(scene.refusal(EAST, "draft-agreement", **draft(agreement="a3")), RoleIsNotHeld)
    assert scene.refusal(EAST, "draft-agreement", **draft(agreement="a1", revision=2)) is None


@pytest.mark.parametrize(
    ("changed", "kind"),
    [
        ({"weather": "fine"}, BodyIsMalformed),
        ({"consent_final_at": None}, BodyIsMalformed),
        ({"notice": {"denunciation_days": 90}}, BodyIsMalformed),
        ({"zones": {"sending": "Europe/Nowhere", "receiving": "Europe/Oslo"}}, BodyIsMalformed),
        ({"person_notice_hours": "72"}, BodyIsMalformed),
        ({"fees": "some"}, CodeIsNotListed),
        ({"places": {"facilities": [E1], "classes": ["castle"]}}, CodeIsNotListed),
    ],
)
def test_a_malformed_term_is_refused(changed: Mapping[str, object], kind: type[Exception]) -> None:
    assert isinstance(registry(Scene()).refusal(NORTH, "draft-agreement", **draft(terms=terms(**changed))), kind)


def _cases() -> list[Any]:
    path = SHARED_CASES / "legal_cases.json"
    if not path.exists():
        reason = "../shared/cases/legal_cases.json is not beside this checkout"
        return [pytest.param(None, id="legal_cases", marks=pytest.mark.skip(reason=reason))]
    rows = json.loads(path.read_text("utf-8"))["commands"]
    return [pytest.param(row, id=row["id"]) for row in rows if row["when"] == "draft-agreement"]


@pytest.mark.parametrize("case", _cases())
def test_the_cases_of_the_specification(case: dict[str, Any]) -> None:
    scene, given = registry(Scene()), case["given"]
    for authority, state in zip(("one", "two"), given["party_states"], strict=True):
        scene.do(
            KEEPER,
            "register-authority",
            authority=authority,
            state=state,
            legal_name=authority,
            outside_register=False,
        )
    scene.do(KEEPER, "set-authority-roles", authority="one", roles=[{"role": "sending", "from": "2024-01-01"}])
    sent = {
        **TERMS,
        "responsibility_after": "receiving",
        "consent_final_at": "offer",
        "treaty": [
            {"rule_set": code, "name": code, "in_force_since": "2000-01-01"}
            for code in case["rule_set"]
            if code in ("ets-112", "oas-a57", "un-model-1985")
        ],
        "employment": {"programmes": "as for all", "proceeds": "the person's"},
        "fees": given["fees"],
        **given.get("set", {}),
    }
    sent = {name: value for name, value in sent.items() if name not in given.get("omit", ())}
    refusal = scene.refusal(
        "one", "draft-agreement", **draft(parties=parties("one", "two"), legal_bases=case["rule_set"], terms=sent)
    )
    assert (refusal.code if refusal is not None else None) == case["expect"]["refusal"]
    if refusal is None:
        drafted = scene.register.agreement("a2")
        assert drafted is not None
        assert drafted.revisions[0].terms is not None
    assert list(refusal.data().get("missing", ())) == case["failing"] if refusal is not None else not case["failing"]  # type: ignore[call-overload]  # data is of any objects
