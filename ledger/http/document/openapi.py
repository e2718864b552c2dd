"""The one OpenAPI 3.1 document: reads as FastAPI knows them, commands as their models and rules say.

The examples were recorded from a run of the whole story, so they hang together; `make openapi` records them anew.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from typing import Any, Final

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from domain.canonical import encode_trusted
from domain.commands import Command, DatedCommand, DualCommand
from domain.rules.ruling import AnyRule
from domain.rules.table import RULES
from ledger.http import gate
from ledger.http.answers.tables import CSV, as_csv, table_of
from ledger.http.commands.batch import FLAGS
from ledger.http.commands.routes import BATCH, PREFIX, ROUTES
from ledger.http.document.operations import (
    HEADERS,
    JSON,
    SCHEMAS,
    SHAPES,
    TITLE,
    UNCHANGED,
    headers,
    problems,
    shape_of,
    unwrapped,
)
from ledger.http.document.refusals import OF_A_BATCH, codes_of
from ledger.http.document.surfaces import ANSWERS, PARAMETERS, PROBLEM, Recorded, batch_item, batch_results

Json = dict[str, Any]
EXAMPLES: Final = "examples.json"
CREATED, OK = "201", "200"
OF_READS: Final = ("Prefer", "IfNoneMatch")
NDJSON: Final = gate.NDJSON.decode()
LINES: Final[Json] = {"type": "string", "description": "One JSON object a line, each line ended by a line feed."}
ABOUT: Final = (
    "Custody of persons between States as append-only facts. Commands record what happened; nothing recorded is ever "
    "edited or deleted, and `/v1/corrections` records what was wrong. Every answer says in `Ledger-Position` which "
    "position it speaks for. Problems are RFC 9457 documents; `code` never changes its meaning. `HEAD` is answered "
    "wherever `GET` is."
)


def describe(api: FastAPI) -> Json:
    """The document, made once an application."""
    if api.openapi_schema is None:
        api.openapi_schema = _made(api)
    return api.openapi_schema


@cache
def examples() -> Mapping[str, Mapping[str, Json]]:
    """Recorded requests and answers: `commands` by wire name, `reads` by operation."""
    data = files(__package__).joinpath(EXAMPLES).read_bytes()
    decoded: Mapping[str, Mapping[str, Json]] = msgspec.json.decode(data)
    return decoded


def _made(api: FastAPI) -> Json:
    made = get_openapi(
        title=TITLE,
        version=version("custody-ledger"),
        openapi_version="3.1.0",
        description=ABOUT,
        routes=api.routes,
    )
    for path, methods in made["paths"].items():
        for operation in methods.values():
            _finish_read(operation, in_register=path.startswith(PREFIX))
    schemas = _schemas()
    for path, name in ROUTES.items():
        made["paths"].setdefault(PREFIX + path, {})["post"] = _command(path, name, schemas)
    made["paths"][BATCH] = {"post": _batch()}
    made["components"] = {"schemas": dict(sorted(schemas.items())), "parameters": PARAMETERS, "headers": HEADERS}
    return made


def _schemas() -> Json:
    """Shapes of answers and models of commands; where both have a name, what is asked bears its own."""
    answered = msgspec.json.schema_components([*SHAPES.values(), *ANSWERS], ref_template=SCHEMAS + "{name}")[1]
    _, defined = models_json_schema(
        [(rule.command, "validation") for rule in RULES.values()], by_alias=True, ref_template=SCHEMAS + "{model}"
    )
    asked: Json = defined["$defs"]
    renamed = {name: f"{name}Asked" for name in asked if name in answered}
    asked = {renamed.get(name, name): _with_names(schema, renamed) for name, schema in asked.items()}
    return {**answered, **asked, "Problem": PROBLEM, "BatchItem": batch_item(list(RULES), _model)}


def _with_names(schema: Any, renamed: Mapping[str, str]) -> Any:
    if isinstance(schema, dict):
        return {
            key: SCHEMAS + renamed.get(value.removeprefix(SCHEMAS), value.removeprefix(SCHEMAS))
            if key == "$ref"
            else _with_names(value, renamed)
            for key, value in schema.items()
        }
    return [_with_names(item, renamed) for item in schema] if isinstance(schema, list) else schema


def _model(name: str) -> str:
    return RULES[name].command.__name__


def _finish_read(operation: Json, *, in_register: bool) -> None:
    recorded = examples().get("reads", {}).get(operation["operationId"])
    if in_register:
        versioned = ["IfNoneMatch"] if str(UNCHANGED) in operation["responses"] else []
        operation.setdefault("parameters", []).extend(
            {"$ref": f"#/components/parameters/{name}"} for name in ("CustodyActor", "Prefer", *versioned)
        )
    if recorded is not None:
        for status, answer in operation["responses"].items():
            if status.startswith("2"):
                forms = {**recorded.get("forms", {}), **_tabled(answer["content"], recorded["answer"])}
                for media, content in answer["content"].items():
                    content["example"] = forms.get(media, recorded["answer"])


def _tabled(content: Json, answer: Json) -> dict[str, str]:
    table = table_of(shape_of(content)) if CSV in content else None
    return {CSV: as_csv(table, answer)} if table is not None else {}


def _command(path: str, name: str, schemas: Json) -> Json:
    command: type[Command] = RULES[name].command
    fields = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    schema = schemas[command.__name__]
    body = {
        **schema,
        "properties": {key: value for key, value in schema["properties"].items() if key not in fields},
        "required": [key for key in schema.get("required", ()) if key not in fields],
    }
    first, _, rest = (inspect.getdoc(command) or "").partition("\n")
    recorded = examples().get("commands", {}).get(name, {})
    again = list(ROUTES.values()).count(name) > 1 and path != next(at for at, one in ROUTES.items() if one == name)
    return {
        "operationId": f"{name}-revision" if again else name,
        "tags": [path.split("/")[1]],
        "summary": first.rstrip("."),
        "description": " ".join(filter(None, (unwrapped(rest), standing_of(RULES[name])))),
        "parameters": [
            *(
                {"name": field, "in": "path", "required": True, "schema": schema["properties"][field]}
                for field in fields
            ),
            *({"$ref": f"#/components/parameters/{header}"} for header in PARAMETERS if header not in OF_READS),
        ],
        "requestBody": {
            "required": True,
            "content": {JSON: {"schema": body, **_example(_without(recorded.get("data"), fields))}},
        },
        "responses": {
            CREATED: {
                "description": "Recorded; or recorded before, and answered again.",
                "headers": headers("ETag", "Location", "Idempotency-Replayed"),
                "content": {
                    JSON: {"schema": {"$ref": SCHEMAS + Recorded.__name__}, **_example(recorded.get("answer"))}
                },
            },
            **{str(status): answer for status, answer in problems(codes_of(name)).items()},
        },
    }


def standing_of(rule: AnyRule) -> str:
    """What kind of command it is, and who may ask, in two sentences."""
    if issubclass(rule.command, DualCommand):
        kind = (
            "Dual: in `mode: claim` the first rule that fails refuses it; in `mode: report` it is recorded, and every "
            "rule that fails becomes a flag."
        )
    elif rule.timed:
        kind = (
            "A claim that may not be dated before the person's last change of custody; the first rule that fails "
            "refuses it."
        )
    elif issubclass(rule.command, DatedCommand):
        kind = "A field fact: recorded whatever the register believes, and flagged where it does not fit."
    else:
        kind = "A claim: the first rule that fails refuses it."
    if not isinstance(rule.roles, tuple):
        return f"{kind} The role asked for depends on what it names."
    return f"{kind} Role asked for: {' or '.join(f'`{role}`' for role in rule.roles)}."


def _without(data: Json | None, fields: list[str]) -> Json | None:
    return {key: value for key, value in data.items() if key not in fields} if data is not None else None


def _example(value: object) -> Json:
    return {"example": value} if value is not None else {}


def _lines(items: Sequence[object] | None) -> str | None:
    return "".join(f"{encode_trusted(item).decode()}\n" for item in items) if items is not None else None


def _batch() -> Json:
    recorded = examples().get("reads", {}).get("send-commands", {})
    data, answer = recorded.get("data"), recorded.get("answer")
    items = {"type": "array", "maxItems": 1_000, "items": {"$ref": SCHEMAS + "BatchItem"}}
    return {
        "operationId": "send-commands",
        "tags": ["commands"],
        "summary": "Many commands in one request",
        "description": (
            "Each on its own, or with `atomic=true` all in one commit or none. With `dry_run=true` each is judged "
            "after those before it, and none is recorded: no key is used up, and what would be recorded is told "
            "without ids. One result an item, in order; a refused item's result is its problem document. As "
            "`application/x-ndjson` there is one command a line; whoever accepts that form gets one result a line."
        ),
        "parameters": [
            *(
                {
                    "name": flag,
                    "in": "query",
                    "schema": {"type": "string", "enum": ["true", "false"], "default": "false"},
                }
                for flag in FLAGS
            ),
            *({"$ref": f"#/components/parameters/{header}"} for header in ("CustodyActor", "CorrelationId")),
        ],
        "requestBody": {
            "required": True,
            "content": {
                JSON: {"schema": items, **_example(data)},
                NDJSON: {"schema": LINES, **_example(_lines(data))},
            },
        },
        "responses": {
            OK: {
                "description": "The results.",
                "headers": headers(),
                "content": {
                    JSON: {"schema": batch_results(SCHEMAS), **_example(answer)},
                    NDJSON: {"schema": LINES, **_example(_lines(answer["results"] if answer else None))},
                },
            },
            **{str(status): answer for status, answer in problems(OF_A_BATCH).items()},
        },
    }
