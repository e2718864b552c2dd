"""Many commands in one request, as an array or a line each: read, judged together, answered one by one in order."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from starlette.types import Receive, Scope

from domain.canonical import encode_trusted
from domain.commands import parse
from domain.events.event import Actor
from domain.refusals import BodyIsMalformed, CodeIsNotListed, Refusal
from domain.register import Register
from domain.rules.table import RULES
from domain.strict_json import BATCH_BYTES_MAX, COMMAND_BYTES_MAX
from ledger.http import gate
from ledger.http.accepting import preferred
from ledger.http.answers.recorded import answer_document, foreseen_document
from ledger.http.commands.waiting import WaitingRoom
from ledger.http.problems import problem_of_exception, problem_of_fault
from ledger.http.replies import Reply, position_header
from ledger.writer.submission import Answer, Foreseen, Group, Outcome, Refused, Submission, submission

OK, CREATED = 200, 201
FLAGS: Final = ("atomic", "dry_run")
_FIELDS: Final = frozenset({"key", "type", "data"})
_OFFERS: Final = (gate.JSON.decode(), gate.NDJSON.decode())

Ready = Submission | Refusal
"""One command of a batch made ready, or the edge refusal that is its result."""


class Asked(NamedTuple):
    """What a request asks of the ledger for its commands together."""

    atomic: bool
    dry_run: bool


async def answer_batch(
    scope: Scope, headers: gate.Headers, receive: Receive, room: WaitingRoom, register: Register
) -> Reply:
    """The results of a batch; raises what concerns the request as a whole."""
    given = gate.correlation_of(headers)
    kind = gate.media_type_of(headers, gate.JSON, gate.NDJSON)
    room.check()
    body = await gate.read_body(headers, receive, BATCH_BYTES_MAX)
    if len(body) > COMMAND_BYTES_MAX:
        # Others must not wait while so much is read.
        items = await asyncio.to_thread(_items, body, kind)
    else:
        items = _items(body, kind)
    asked = Asked(**gate.flags_of(scope["query_string"], FLAGS))
    by = gate.actor_of(headers, register)
    if len(body) > COMMAND_BYTES_MAX:
        ready = await asyncio.to_thread(_made_ready, items, by, given)
    else:
        ready = _made_ready(items, by, given)
    outcomes = await _judged(ready, asked, room)
    position = register.position
    results = _results(outcomes, gate.correlation_in(scope, headers))
    if preferred(headers.get(b"accept", b"").decode("latin-1"), _OFFERS) == _OFFERS[1]:
        lines = b"".join([encode_trusted(result) + b"\n" for result in results])
        return Reply(OK, gate.NDJSON, lines, [position_header(position)])
    document = {"results": results, "position": position}
    return Reply(OK, gate.JSON, encode_trusted(document), [position_header(position)])


def _items(body: bytes, kind: bytes) -> list[dict[str, object]]:
    return gate.read_batch(body, "lines" if kind == gate.NDJSON else "array")


def _made_ready(items: Sequence[Mapping[str, object]], by: Actor, correlation_id: str | None) -> list[Ready]:
    return [_read_item(item, by, correlation_id) for item in items]


def _read_item(item: Mapping[str, object], by: Actor, correlation_id: str | None) -> Ready:
    try:
        name, data = item.get("type"), item.get("data")
        if not item.keys() <= _FIELDS or not isinstance(data, dict) or not isinstance(name, str):
            raise BodyIsMalformed("schema", ("/",))
        rule = RULES.get(name)
        if rule is None:
            raise CodeIsNotListed(("/type",))
        ask = parse(rule.command, data)
        return submission(rule, ask, by=by, key=gate.key_of(item.get("key")), correlation_id=correlation_id)
    except Refusal as refusal:
        # As in a batch that is judged: the frames it came through would keep all of this in memory.
        return refusal.with_traceback(None)


async def _judged(ready: Sequence[Ready], asked: Asked, room: WaitingRoom) -> list[Outcome | Refusal | None]:
    """An outcome each, in order; `None` for one not judged, as another of its atomic batch could not be read."""
    good = tuple(item for item in ready if isinstance(item, Submission))
    if not good or (asked.atomic and len(good) < len(ready)):
        return [item if isinstance(item, Refusal) else None for item in ready]
    judged = iter(await room.submit(Group(submissions=good, atomic=asked.atomic, dry_run=asked.dry_run)))
    return [item if isinstance(item, Refusal) else next(judged) for item in ready]


def _results(outcomes: Sequence[Outcome | Refusal | None], correlation_id: str) -> list[dict[str, object]]:
    """The results; those withheld say the place of the first that was refused."""
    refused = next((n for n, outcome in enumerate(outcomes) if isinstance(outcome, Refusal | Refused)), None)
    return [_result(outcome, correlation_id, refused) for outcome in outcomes]


def _result(outcome: Outcome | Refusal | None, correlation_id: str, refused: int | None) -> dict[str, object]:
    if isinstance(outcome, Answer):
        return {"status": CREATED, "replayed": outcome.replayed, **answer_document(outcome)}
    if isinstance(outcome, Foreseen):
        return {"status": OK, **foreseen_document(outcome)}
    if isinstance(outcome, Refused):
        outcome = outcome.refusal
    if isinstance(outcome, Refusal):
        return dict(problem_of_exception(outcome, correlation_id).document)
    return dict(problem_of_fault("another-command-was-refused", correlation_id, refused=refused).document)
