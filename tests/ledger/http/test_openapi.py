"""The document: committed as it is served, whole, and true of what is answered."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from domain.refusals import every_refusal
from domain.rules.table import RULES
from ledger.http.commands.routes import BATCH, PREFIX, ROUTES
from ledger.http.document.refusals import codes_of
from ledger.http.problems import FAULTS
from tests.ledger.http import recording
from tests.ledger.http.json_schema import faults, resolved

DOCUMENT: dict[str, Any] = json.loads(recording.DOCUMENT.read_text("utf-8"))
OPERATIONS: dict[str, tuple[str, str, dict[str, Any]]] = {
    operation["operationId"]: (method, path, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}


def test_the_committed_document_is_the_one_served() -> None:
    assert recording.document() == DOCUMENT, "run `make openapi`"


def test_the_examples_are_those_of_a_run() -> None:
    assert json.loads(recording.EXAMPLES.read_text("utf-8")) == recording.recorded(), "run `make openapi`"


def test_it_is_openapi_3_1_and_every_reference_leads_somewhere() -> None:
    assert DOCUMENT["openapi"] == "3.1.0"
    for ref in references(DOCUMENT):
        resolved(ref, DOCUMENT)


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, member in value.items():
            if key == "$ref":
                yield member
            else:
                yield from references(member)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def test_every_command_has_its_operation() -> None:
    found = {
        path.removeprefix(PREFIX): operation["operationId"].removesuffix("-revision")
        for method, path, operation in OPERATIONS.values()
        if method == "post" and "rebuilds" not in path and path != BATCH
    }
    assert found == ROUTES
    assert len(OPERATIONS) == sum(len(methods) for methods in DOCUMENT["paths"].values())


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_is_told_whole(name: str) -> None:
    method, path, operation = OPERATIONS[name]
    assert operation["summary"]
    assert operation["tags"]
    success = [status for status in operation["responses"] if status.startswith("2")]
    assert len(success) == 1
    for content in operation["responses"][success[0]]["content"].values():
        assert list(faults(content["example"], content["schema"], DOCUMENT)) == []
    if "requestBody" in operation:
        assert method == "post"
        for asked in operation["requestBody"]["content"].values():
            assert list(faults(asked["example"], asked["schema"], DOCUMENT)) == [], path
    for status, answer in operation["responses"].items():
        if status == "304":
            assert "content" not in answer
        elif not status.startswith("2"):
            [problem] = answer["content"].items()
            codes = problem[1]["schema"]["allOf"][1]["properties"]["code"]["enum"]
            assert problem[0] == "application/problem+json"
            assert codes


def test_an_example_that_does_not_fit_would_be_seen() -> None:
    content = OPERATIONS["show-person"][2]["responses"]["200"]["content"]["application/json"]
    for wrong in (
        {**content["example"], "version": "1"},
        {**content["example"], "surname": "x"},
        {name: value for name, value in content["example"].items() if name != "custodian"},
    ):
        assert list(faults(wrong, content["schema"], DOCUMENT))


def test_a_command_names_the_refusals_of_its_rules() -> None:
    known = {kind.code for kind in every_refusal()} | set(FAULTS)
    for name in RULES:
        assert set(codes_of(name)) <= known, name
    assert {
        "no-handover-is-open",
        "actor-is-not-the-receiver",
        "answer-is-to-another-offer",
        "hold-forbids-handover",
        "basis-is-not-live",
        "identity-does-not-match",
        "facility-is-full",
        "nobody-confirms-their-own-act",
        "handover-is-unknown",
        "occurred-at-is-before-the-last-fact",
    } <= set(codes_of("accept-handover"))


def test_every_refusal_is_one_some_operation_names() -> None:
    named = {code for name in RULES for code in codes_of(name)}
    unnamed = {kind.code for kind in every_refusal() if kind.__module__.startswith("domain.")} - named
    # A movement can be named before any can be planned, and a person can be dead before a death can be reported.
    assert unnamed <= {"discrepancy-is-open"}, unnamed
