"""Problems: one table, one page, one address for each code."""

from __future__ import annotations

import re
from dataclasses import fields

import pytest

from domain.refusals import Refusal, every_refusal
from ledger.http.problems import FAULTS, catalogue, statuses
from tests.ledger.http import recording
from tests.ledger.http.house import House

MEMBERS = {"type", "title", "code", "detail", "correlation_id"}
OURS = [kind for kind in every_refusal() if kind.__module__.startswith("domain.")]


def test_the_page_is_made_from_the_table() -> None:
    assert recording.PROBLEMS.read_text("utf-8") == recording.page_of_problems(), "run `make openapi`"


def test_page_table_and_refusals_are_in_step() -> None:
    told = re.findall(r"^### `([a-z0-9-]+)`$", recording.PROBLEMS.read_text("utf-8"), re.MULTILINE)
    assert sorted(told) == sorted({kind.code for kind in OURS} | set(FAULTS))
    assert len(set(told)) == len(told)


@pytest.mark.parametrize("kind", OURS, ids=lambda kind: kind.code)
def test_a_refusal_has_a_meaning_and_data_that_hide_nothing(kind: type[Refusal]) -> None:
    [(_, told, meaning)] = [row for row in catalogue() if row[0] == kind.code]
    assert re.fullmatch(r"[A-Z0-9].*\.", meaning)
    assert told
    names = {item.name.rstrip("_") for item in fields(kind)}
    assert not names & MEMBERS
    assert not {"status", "state"} <= names


STATUSES = {
    "body-is-malformed": (400, 422),
    "idempotency-key-is-missing": (400,),
    "actor-is-unknown": (401,),
    "role-is-not-held": (403,),
    "actor-is-not-the-receiver": (403,),
    "nobody-confirms-their-own-act": (403,),
    "person-is-unknown": (404,),
    "schedule-is-unknown": (404,),
    "person-is-held-by-another-authority": (409,),
    "occurred-at-is-in-the-future": (409,),
    "state-is-not-recognised": (409,),
    "version-has-moved": (412,),
    "body-is-too-large": (413,),
    "event-is-too-large": (413,),
    "media-type-is-not-supported": (415,),
    "time-has-no-offset": (422,),
    "code-is-not-listed": (422,),
    "rule-set-is-unknown": (422,),
    "time-zone-is-unknown": (422,),
    "currency-is-unknown": (422,),
    "idempotency-key-was-used-for-another-body": (422,),
    "ledger-is-busy": (503,),
    "database-is-unreachable": (503,),
    "projection-is-behind": (503,),
}


def test_statuses_are_those_of_the_contract() -> None:
    assert {code: statuses(code) for code in STATUSES} == STATUSES


@pytest.mark.parametrize("code", [code for code, _, _ in catalogue()])
def test_a_code_can_be_looked_up(quick: House, code: str) -> None:
    page = quick.client.get(f"/problems/{code}")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert code in page.text
    told = quick.client.get(f"/problems/{code}", headers={"Accept": "application/json"}).json()
    assert told["code"] == code
    assert told["meaning"]
