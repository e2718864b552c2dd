"""A machine tries everything the document allows and much that it does not; whatever it asks is answered as documented.

Every operation is asked with the document's examples, with each rule of its schema broken once, and with requests made
up at random, of a ledger that has been told the whole story. No answer is a fault of ours, none lacks in the document,
and each body and header is of the shape that is told there. What breaks the document is refused.

The profile of the suite is the same each time. `make fuzz` asks for more, on the engine, with the seed and with as many
made-up requests an operation as its variables say.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

import pytest
import requests
import schemathesis
from schemathesis import Case, Response

from tests.ledger.http import recording
from tests.ledger.http.house import house_at
from tests.ledger.http.serving import served
from tests.ledger.http.story import PERSON, told

ENGINE: Final = os.environ.get("FUZZ_ENGINE", "sqlite")
EXAMPLES: Final = int(os.environ.get("FUZZ_EXAMPLES", "3"))
SEED: Final = int(os.environ.get("FUZZ_SEED", "1"))
IS_LONG: Final = "FUZZ_EXAMPLES" in os.environ
COVERAGE_SHARE: Final = 1 if IS_LONG else 4
"""In the suite every fourth of the requests that break one rule each is sent; a long run sends them all."""
BATCH: Final = "POST /v1/commands"
BEHIND: Final = "projection-is-behind"
FAMILIAR: Final = 0.7

AUTHORITIES = ("north", "east", "keeper", "court-n", "watch", "audit")
FACILITIES = ("n-1", "n-2", "n-3", "e-1")
ACTORS = [f"{name}/{name}-1" for name in AUTHORITIES]
KNOWN: Final[dict[str, tuple[object, ...]]] = {
    "account": ("receivable", "payable"),
    "agreement": ("a1", "a2"),
    "basis": (f"b-{PERSON}",),
    "condition": ("person-is-informed", "offence-is-agreed"),
    "corrects": ("00000000-0000-7000-8000-000000000029",),
    "currency": ("USD",),
    "handover": ("h1",),
    "hold": ("hold-1",),
    "name": ("roll", "people", "balances"),
    "number": ("CTL-0001",),
    "occurred_at": ("2025-03-31T09:00:00Z", "2025-04-02T10:00:00+02:00"),
    "person": (PERSON, "p2"),
    "release": ("r1",),
    "revision": (1,),
    "rule_set": ("custody-contract",),
    "schedule": ("a1-fees",),
    "transfer": ("t1", "t-rejected", "t-cancelled"),
    "zone": ("Europe/Oslo",),
    **dict.fromkeys(("authority", "book", "custodian", "payee", "payer", "responsible"), AUTHORITIES),
    **dict.fromkeys(("facility", "from_facility", "to_facility", "place", "at"), FACILITIES),
}
"""What the story knows, by the name of a parameter or of a field."""

CONFIG: Final = schemathesis.Config.from_dict(
    {
        "seed": SEED,
        "generation": {"deterministic": not IS_LONG, "max-examples": EXAMPLES, "no-shrink": not IS_LONG},
        "phases": {"stateful": {"enabled": False}},
        "checks": {
            # The rules ask for more than a schema can say.
            "positive_data_acceptance": {"enabled": False},
            # Held by `answered_for` instead: a view may be asked for a position that nobody has reached.
            "not_a_server_error": {"enabled": False},
            "negative_data_rejection": {
                "expected-statuses": [400, 401, 403, 404, 405, 409, 412, 413, 415, 422, 503],
            },
        },
        "operations": [
            # Each command of a batch is refused in its own result.
            {
                "include-name": BATCH,
                "checks": {"negative_data_rejection": {"enabled": False}},
                "phases": {"coverage": {"enabled": IS_LONG}},
            }
        ],
    }
)


def document() -> dict[str, Any]:
    """The committed document, with the actors of the story, and without what is no rule or makes a machine wait.

    What does not fit `Prefer` or `Correlation-Id` is passed over, not refused; `Prefer` has answers wait for positions
    that never come, and what `stream-events` answers has no end.
    """
    made: dict[str, Any] = json.loads(recording.DOCUMENT.read_text("utf-8"))
    parameters = made["components"]["parameters"]
    parameters["CustodyActor"]["schema"] = {"type": "string", "enum": ACTORS}
    parameters["CorrelationId"]["schema"] = {"type": "string"}
    made["paths"].pop("/v1/events/stream", None)
    for methods in made["paths"].values():
        for operation in methods.values():
            asked = operation.get("parameters", [])
            operation["parameters"] = [one for one in asked if one != {"$ref": "#/components/parameters/Prefer"}]
    return made


def examples() -> Iterator[tuple[str, Any]]:
    """The recorded body of each operation that has one."""
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            for content in operation.get("requestBody", {}).get("content", {}).values():
                if "example" in content:
                    yield f"{method.upper()} {path}", content["example"]


@schemathesis.serializer("application/x-ndjson")
def as_lines(_context: schemathesis.SerializationContext, value: Any) -> bytes:
    """A batch of commands, a line each, as it was made up."""
    return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else json.dumps(value).encode()


DOCUMENT: Final = document()
TOLD: Final = dict(examples())
schema = schemathesis.openapi.from_dict(DOCUMENT, config=CONFIG)


@dataclass(kw_only=True)
class Machine:
    """Sends requests to one ledger and counts what it was answered."""

    address: str
    session: requests.Session
    chance: Random = field(default_factory=lambda: Random(SEED))
    answers: Counter[int] = field(default_factory=Counter)
    operations: set[str] = field(default_factory=set)
    broken: int = 0

    def leaves_out(self, case: Case) -> bool:
        """Whether this one is not among the share that is sent."""
        if case.meta is None or case.meta.phase.name.value != "coverage":
            return False
        self.broken += 1
        return self.broken % COVERAGE_SHARE != 0

    def made_familiar(self, case: Case) -> None:
        """Replace ids by those of the story, and fields of a command by those that it told, now and then."""
        for part in (case.path_parameters, case.query, case.headers):
            for name in part:
                part[name] = self._known(name, part[name])
        told = TOLD.get(case.operation.label)
        if isinstance(case.body, dict) and isinstance(told, dict):
            case.body |= {name: value for name, value in told.items() if self._now()}
        case.body = self._familiar(case.body)

    def _familiar(self, value: object) -> Any:
        if isinstance(value, dict):
            return {name: self._known(name, self._familiar(inner)) for name, inner in value.items()}
        return [self._familiar(inner) for inner in value] if isinstance(value, list) else value

    def _known(self, name: str, value: Any) -> Any:
        known = KNOWN.get(name)
        fits = known is not None and type(value) is type(known[0])
        return self.chance.choice(known) if known and fits and self._now() else value

    def _now(self) -> bool:
        return self.chance.random() < FAMILIAR

    def send(self, case: Case) -> Response:
        """The answer to one request."""
        response = case.call(base_url=self.address, session=self.session)
        self.answers[response.status_code] += 1
        self.operations.add(case.operation.label)
        return response


@pytest.fixture(scope="module")
def machine(request: pytest.FixtureRequest) -> Iterator[Machine]:
    """A machine before a ledger that has been told the story; what it did is said at the end."""
    with ExitStack() as stack:
        if ENGINE == "postgresql":
            server = request.getfixturevalue("postgresql_server")
            url = server.create_database()
            stack.callback(server.drop_database, url)
        else:
            url = "sqlite:///:memory:"
        house = stack.enter_context(house_at(url))
        told(house)
        address = stack.enter_context(served(house.app))
        made = Machine(address=address, session=stack.enter_context(requests.Session()))
        yield made
        counts = ", ".join(f"{count} × {status}" for status, count in sorted(made.answers.items()))
        print(
            f"\n{ENGINE}, seed {SEED}: {len(made.operations)} operations, {made.answers.total()} requests: {counts}; "
            f"head {house.head}"
        )


def answered_for(response: Response) -> bool:
    """Whether it is no fault of the service: that a view has not reached a position is what was asked to be told."""
    if response.status_code < 500:
        return True
    return response.json()["code"] == BEHIND and "retry-after" in response.headers


@schema.parametrize()
def test_every_operation_withstands_the_machine(case: Case, machine: Machine) -> None:
    if machine.leaves_out(case):
        return
    if case.meta is not None and case.meta.generation.mode.is_positive:
        machine.made_familiar(case)
    response = machine.send(case)
    assert answered_for(response), response.text
    case.validate_response(response)
