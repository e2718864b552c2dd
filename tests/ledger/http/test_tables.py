"""Answers as tables: what the document says, row for row, in a form that a spreadsheet opens and never reckons with."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

import pytest

from ledger.http.answers import rows
from ledger.http.answers.tables import CSV, as_csv, table_of
from ledger.http.document.operations import SHAPES
from tests.ledger.http import recording
from tests.ledger.http.house import House, held
from tests.ledger.http.recording import READS, answer_of
from tests.scene import KEEPER

DOCUMENT: dict[str, Any] = json.loads(recording.DOCUMENT.read_text("utf-8"))
OPERATIONS = {one["operationId"]: one for methods in DOCUMENT["paths"].values() for one in methods.values()}
CONTENT = {name: OPERATIONS[name]["responses"]["200"]["content"] for name in READS}
TABLES = [name for name in READS if CSV in CONTENT[name]]
NORTHERN = {"Custody-Actor": "north/north-1"}
AS_TEXT = "text/csv; charset=utf-8"


def read(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


def leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every value of a row under its dotted name, lists as they are."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, f"{name}.{key}" if name else key)
    else:
        yield name, value


def cell(row: Any, column: str) -> Any:
    """What stands in a row under a dotted name."""
    for name in column.split("."):
        row = row[name] if row is not None else None
    return row


def said(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def rows_of(document: Any) -> list[Any]:
    if "items" in document:
        return list(document["items"])
    return [row for statement in document["statements"] for row in statement["rows"]]


def test_which_reads_are_tables() -> None:
    whole = {name for name in READS if name.startswith("list-")}
    assert set(TABLES) == whole | {"show-timeline", "show-roll", "show-occupancy", "show-balances", "show-statement"}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_the_document(storied: House, name: str) -> None:
    document = answer_of(storied, READS[name])
    whole = storied.client.get(READS[name], headers=NORTHERN)
    answer = storied.client.get(READS[name], headers={**NORTHERN, "Accept": CSV})
    assert (answer.status_code, answer.headers["content-type"]) == (200, AS_TEXT)
    assert answer.headers["ledger-position"] == whole.headers["ledger-position"]
    assert answer.headers.get("link") == whole.headers.get("link")
    assert answer.headers["vary"] == whole.headers["vary"] == "Accept"
    header, *lines = read(answer.text)
    if name != "list-projections":
        assert lines == [[said(cell(row, column)) for column in header] for row in rows_of(document)]
    assert lines
    for row in rows_of(document):
        # Nothing is left out: every field is a column, or lies within one.
        assert all(any(f"{one}.".startswith(f"{column}.") for column in header) or value is None
                   for one, value in leaves(row))  # fmt: skip


@pytest.mark.parametrize("name", TABLES)
def test_its_columns_are_told_and_its_example_is_one(name: str) -> None:
    content = CONTENT[name]
    header, *lines = read(content[CSV]["example"])
    assert ", ".join(f"`{column}`" for column in header) in content[CSV]["schema"]["description"]
    assert len(lines) == len(rows_of(content["application/json"]["example"]))
    assert "Vary" in OPERATIONS[name]["responses"]["200"]["headers"]


def test_a_table_without_rows_has_its_header(storied: House) -> None:
    answer = storied.get("/people", custodian="audit", headers={"Accept": CSV})
    assert answer.text == "person,status,file,custodian,responsible,at,agreement,flags,ref\r\n"


def test_its_pages_are_reached_by_the_link(storied: House) -> None:
    whole = read(storied.get("/audit-trail", limit=500, headers={"Accept": CSV}).text)
    found: list[list[str]] = []
    address = f"/v1/audit-trail?limit=20&min_position={storied.head}"
    while address:
        answer = storied.client.get(address, headers={**NORTHERN, "Accept": CSV, "Prefer": "wait=10"})
        assert answer.status_code == 200, answer.text
        header, *lines = read(answer.text)
        assert header == whole[0]
        found += lines
        address = answer.headers.get("link", "").partition(">")[0].removeprefix("<")
    assert len(found) > 40
    assert found == whole[1:]


def test_head_of_a_table(storied: House) -> None:
    path = READS["list-invoices"]
    get, head = (
        storied.client.request(method, path, headers={**NORTHERN, "Accept": CSV}) for method in ("GET", "HEAD")
    )
    assert (head.status_code, head.content) == (200, b"")
    names = ("content-type", "content-length", "ledger-position", "vary")
    assert {name: head.headers[name] for name in names} == {name: get.headers[name] for name in names}


FORMS = {
    "": "application/json",
    "*/*": "application/json",
    "application/*": "application/json",
    "text/*": AS_TEXT,
    "text/csv": AS_TEXT,
    "TEXT/CSV; header=present": AS_TEXT,
    "text/csv;q=0.5, application/json": "application/json",
    "application/json;q=0.5,text/csv;q=0.501": AS_TEXT,
    "text/html, text/csv;q=0.1": AS_TEXT,
    "application/json, text/csv": "application/json",
    "*/*;q=0.1, text/csv": AS_TEXT,
    "text/csv;q=0, */*": "application/json",
    "application/json;q=0, */*": AS_TEXT,
}
"""What is accepted, and what is then given of a table."""


@pytest.mark.parametrize("accept", FORMS)
def test_the_form_that_is_liked_best(storied: House, accept: str) -> None:
    answer = storied.client.get("/v1/authorities", headers={**NORTHERN, "Accept": accept})
    assert (answer.status_code, answer.headers["content-type"]) == (200, FORMS[accept])
    assert answer.headers["vary"] == "Accept"


def test_forms_in_several_lines_are_one_list(storied: House) -> None:
    lines = [("Custody-Actor", "north/north-1"), ("Accept", "text/html"), ("Accept", "text/csv")]
    assert storied.client.get("/v1/authorities", headers=lines).headers["content-type"] == AS_TEXT


NOT_GIVEN = [
    ("/v1/authorities", "text/html"),
    ("/v1/authorities", "application/json;q=0, text/csv;q=0"),
    ("/v1/authorities", "*/*;q=0"),
    ("/v1/authorities/north", CSV),
    ("/v1/events", "application/xml"),
    ("/v1/events/4", CSV),
    ("/v1/invoices/CTL-0001", "application/ubl+xml"),
]


@pytest.mark.parametrize(("path", "accept"), NOT_GIVEN)
def test_a_form_that_is_not_given_is_refused(storied: House, path: str, accept: str) -> None:
    answer_of(storied, path)
    answer = storied.client.get(path, headers={**NORTHERN, "Accept": accept})
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (406, "media-type-is-not-offered")
    assert answer.headers["content-type"] == "application/problem+json"
    [offered] = [
        list(operation["responses"]["200"]["content"])
        for template, methods in DOCUMENT["paths"].items()
        for operation in methods.values()
        if template == template_of(path) and "406" in operation["responses"]
    ]
    assert sorted(problem["offered"]) == sorted(offered)


def template_of(path: str) -> str:
    known = {"north": "{authority}", "4": "{position}", "CTL-0001": "{number}"}
    return "/".join(known.get(part, part) for part in path.split("/"))


def test_what_is_wrong_with_the_question_comes_first(storied: House) -> None:
    for path, status in (("/v1/authorities/nobody", 404), ("/v1/people?limit=0", 422)):
        assert storied.client.get(path, headers={**NORTHERN, "Accept": "text/html"}).status_code == status
    assert storied.client.get("/v1/people", headers={"Accept": "text/html"}).status_code == 401
    assert storied.client.get("/v1/people?limit=0", headers={**NORTHERN, "Accept": CSV}).json()["status"] == 422


def test_a_page_of_the_log_is_given_in_each_of_its_forms(storied: House) -> None:
    given = {
        "application/json": "application/json",
        "application/cloudevents+json": "application/cloudevents-batch+json",
        "text/csv, application/cloudevents+json;q=0.9": AS_TEXT,
        "text/csv;q=0.8, application/cloudevents-batch+json;q=0.9": "application/cloudevents-batch+json",
    }
    found = {
        accept: storied.client.get("/v1/events?limit=2", headers={**NORTHERN, "Accept": accept}) for accept in given
    }
    assert {accept: answer.headers["content-type"] for accept, answer in found.items()} == given
    assert len({answer.headers["link"] for answer in found.values()}) == 1


FORMULAS = {
    "=1+1": "'=1+1",
    "+1-1": "'+1-1",
    "-1+cmd|' /C calc'!A0": "'-1+cmd|' /C calc'!A0",
    "@SUM(A1)": "'@SUM(A1)",
    "\t=1": "'\t=1",
    "\r\nx": "'\r\nx",
    "  =1": "'  =1",
    "＝1+1": "'＝1+1",
    "-821.85": "-821.85",
    "-5": "-5",
    "+4712345678": "+4712345678",
    "-": "'-",
    "a=1": "a=1",
    "": "",
    'say "x", y; z': 'say "x", y; z',
    "two\nlines": "two\nlines",
    "Zoë ☂ 漢字": "Zoë ☂ 漢字",
    "'=1": "'=1",
}
"""A text, and its cell."""


def test_no_cell_is_a_formula() -> None:
    table = table_of(rows.Authorities)
    assert table is not None
    filled = {"state": "NO", "parent": None, "outside_register": False, "roles": (), "version": 1}
    items = [{"authority": "a", "legal_name": text, **filled} for text in FORMULAS]
    header, *lines = read(as_csv(table, {"items": items}))
    assert [line[header.index("legal_name")] for line in lines] == list(FORMULAS.values())


def test_a_name_that_is_a_formula_goes_out_harmless(house: House) -> None:
    held(house)
    fields = {"state": "NO", "legal_name": '=HYPERLINK("//x","Zoë")', "outside_register": True}
    house.do(KEEPER, "register-authority", authority="odd", **fields)
    header, *lines = read(house.get("/authorities", headers={"Accept": CSV}).content.decode("utf-8"))
    [line] = [line for line in lines if line[0] == "odd"]
    assert dict(zip(header, line, strict=True)) == {
        "authority": "odd",
        "state": "NO",
        "parent": "",
        "legal_name": '\'=HYPERLINK("//x","Zoë")',
        "outside_register": "true",
        "roles": "[]",
        "version": "1",
    }


def test_every_shape_with_items_is_a_table() -> None:
    tabled = {name for name, shape in SHAPES.items() if table_of(shape) is not None}
    assert tabled == {name for name, shape in SHAPES.items() if "items" in shape.__annotations__} | {"Statement"}
