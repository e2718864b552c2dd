"""The thin path of a command: gate, command model, writer, response bytes; FastAPI's machinery is not on it.

It stands in front of the application as plain ASGI. The commands are still described in the one OpenAPI document.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Mapping
from typing import Final

import structlog
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from domain.canonical import encode_trusted
from domain.commands import parse
from domain.events.event import Actor, Event
from domain.events.person import HandoverOffered
from domain.refusals import BodyIsMalformed, CodeIsNotListed, Refusal
from domain.rules.table import RULES
from domain.strict_json import BATCH_BYTES_MAX, COMMAND_BYTES_MAX
from ledger.http import gate
from ledger.http.command_routes import BATCH, PREFIX, match
from ledger.http.problems import MEDIA_TYPE, Problem, problem_of_exception, problem_of_fault
from ledger.sources import uuid7
from ledger.writer.submission import Answer, Group, Outcome, Refused, Submission, submission
from ledger.writer.writer import Writer

JSON: Final = "application/json"
CREATED, OK = 201, 200
SECURITY_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}
_log = structlog.get_logger()


class CommandEdge:
    """Answers every POST that records something, and hands all else on. Adds the headers every answer carries.

    `read_only` turns each command away before it is looked at.
    """

    def __init__(self, app: ASGIApp, writer: Writer, *, read_only: bool = False) -> None:
        self._app = app
        self._writer = writer
        self._read_only = read_only

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection event."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Ledger-Position", str(self._writer.register.position))
                if scope["scheme"] == "https":
                    headers.setdefault("Strict-Transport-Security", "max-age=63072000")
            await send(message)

        given = gate.correlation_of(Request(scope))
        correlation_id = given or uuid7()
        scope.setdefault("state", {})["correlation_id"] = correlation_id
        path = scope["path"]
        found = match(path) if scope["method"] == "POST" else None
        if found is None and not (scope["method"] == "POST" and path == BATCH):
            await self._hand_on(scope, receive, send_with_headers)
            return
        request = Request(scope, receive)
        try:
            if self._read_only:
                response = as_response(problem_of_fault("ledger-is-read-only", correlation_id))
            elif found is None:
                response = await self._batch(request, given)
            else:
                response = await self._single(request, *found, given)
        except ClientDisconnect:
            return
        except Exception as error:  # noqa: BLE001  whatever it is, the caller gets a problem
            response = problem_response(error, correlation_id)
        await response(scope, receive, send_with_headers)

    async def _hand_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except Exception as error:  # noqa: BLE001  it is answered; the server would log its message
            log_fault(error, scope["state"]["correlation_id"])

    async def _single(
        self, request: Request, name: str, fields: Mapping[str, str], correlation_id: str | None
    ) -> Response:
        gate.check_media_type(request)
        data = gate.read_command(await gate.read_body(request, COMMAND_BYTES_MAX))
        _check_query(request, ())
        for field in fields:
            if field in data:
                raise BodyIsMalformed("schema", (f"/{field}",))
        rule = RULES[name]
        ask = parse(rule.command, {**data, **fields})
        by = gate.actor_of(request, self._writer.register)
        key = gate.key_of(request.headers.get("idempotency-key"))
        item = submission(
            rule,
            ask,
            by=by,
            key=key,
            correlation_id=correlation_id,
            expected_version=gate.expected_version(request),
        )
        (outcome,) = await self._submit(Group(submissions=(item,)))
        if not isinstance(outcome, Answer):
            assert isinstance(outcome, Refused)
            raise outcome.refusal
        headers = {
            "Ledger-Position": str(outcome.position),
            "ETag": f'"{outcome.version}"',
            "Location": location(outcome.events[0]),
        }
        if outcome.replayed:
            headers["Idempotency-Replayed"] = "true"
        return Response(encode_trusted(answer_document(outcome)), CREATED, headers, JSON)

    async def _batch(self, request: Request, correlation_id: str | None) -> Response:
        gate.check_media_type(request)
        items = gate.read_batch(await gate.read_body(request, BATCH_BYTES_MAX))
        query = _check_query(request, ("atomic",))
        atomic = query.get("atomic", "false")
        if atomic not in ("true", "false"):
            raise BodyIsMalformed("schema", ("/atomic",))
        by = gate.actor_of(request, self._writer.register)
        read = [_read_item(item, by, correlation_id) for item in items]
        good = tuple(item for item in read if isinstance(item, Submission))
        if atomic == "true" and len(good) < len(read):
            good = ()
        judged = iter(await self._submit(Group(submissions=good, atomic=atomic == "true")) if good else ())
        outcomes = [item if isinstance(item, Refusal) else next(judged, None) for item in read]
        position = self._writer.register.position
        refused = next((n for n, outcome in enumerate(outcomes) if isinstance(outcome, Refusal | Refused)), None)
        results = [_result(outcome, request.state.correlation_id, refused) for outcome in outcomes]
        document = {"results": results, "position": position}
        return Response(encode_trusted(document), OK, {"Ledger-Position": str(position)}, JSON)

    async def _submit(self, group: Group) -> list[Outcome]:
        return await asyncio.wrap_future(self._writer.submit(group))


def _check_query(request: Request, known: tuple[str, ...]) -> dict[str, str]:
    """The query's parameters, each known and given once; what was given instead is not told."""
    given = request.query_params.multi_items()
    query = dict(given)
    if len(query) < len(given) or not query.keys() <= set(known):
        raise BodyIsMalformed("schema", ("/",))
    return query


def _read_item(item: Mapping[str, object], by: Actor, correlation_id: str | None) -> Submission | Refusal:
    """One command of a batch made ready, or the edge refusal that is its result."""
    try:
        name, data = item.get("type"), item.get("data")
        if set(item) - {"key", "type", "data"} or not isinstance(data, dict) or not isinstance(name, str):
            raise BodyIsMalformed("schema", ("/",))
        if name not in RULES:
            raise CodeIsNotListed(("/type",))
        rule = RULES[name]
        ask = parse(rule.command, data)
        return submission(rule, ask, by=by, key=gate.key_of(item.get("key")), correlation_id=correlation_id)
    except Refusal as refusal:
        return refusal


def _result(outcome: Outcome | Refusal | None, correlation_id: str, refused: int | None) -> dict[str, object]:
    """One item's result; `refused` is the place of the first item that was refused, for those withheld with it."""
    if isinstance(outcome, Answer):
        return {"status": CREATED, "replayed": outcome.replayed, **answer_document(outcome)}
    if isinstance(outcome, Refused):
        outcome = outcome.refusal
    if isinstance(outcome, Refusal):
        return dict(problem_of_exception(outcome, correlation_id).document)
    return dict(problem_of_fault("another-command-was-refused", correlation_id, refused=refused).document)


def answer_document(answer: Answer) -> dict[str, object]:
    """What a command is answered with: where it stands in the record, and what the caller could not know."""
    return {
        "position": answer.position,
        "events": [
            {
                "position": event.position,
                "event_id": event.event_id,
                "type": event.wire,
                "stream": event.stream,
                "stream_version": event.stream_version,
                "leaf_hash": event.leaf_hash,
                "flags": event.flags,
            }
            for event in answer.events
        ],
        "told": dict(answer.told),
    }


_RESOURCES: Final = {
    "authority": "authorities",
    "facility": "facilities",
    "agreement": "agreements",
    "person": "people",
    "transfer": "transfers",
    "invoice": "invoices",
}


def location(event: Event) -> str:
    """The address of what a command's first event is about."""
    if isinstance(event.body, HandoverOffered):
        return f"{PREFIX}/handovers/{event.body.handover}"
    kind, _, id_ = event.stream.partition(":")
    return f"{PREFIX}/{_RESOURCES[kind]}/{id_.rpartition(':')[2]}"


def problem_response(error: Exception, correlation_id: str) -> Response:
    """The problem document an exception becomes; a fault of ours is logged, with no value of the request."""
    if isinstance(error, gate.BodyIsTooLarge):
        problem = problem_of_fault("body-is-too-large", correlation_id, reason="too-large")
    elif isinstance(error, gate.MediaTypeIsNotSupported):
        problem = problem_of_fault("media-type-is-not-supported", correlation_id, reason="media-type")
    else:
        problem = problem_of_exception(error, correlation_id)
        if problem.document["code"] == "internal-error":
            log_fault(error, correlation_id)
    return as_response(problem)


def log_fault(error: Exception, correlation_id: str | None) -> None:
    """Say what failed and where. An exception's message may quote what somebody sent, so it stays out of the log."""
    where = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)]
    _log.error("request failed", correlation_id=correlation_id, error=type(error).__name__, where=where)


def as_response(problem: Problem) -> Response:
    """A problem document with its headers."""
    headers = {"Retry-After": str(problem.retry_after)} if problem.retry_after is not None else {}
    return Response(problem.body(), problem.status, headers, MEDIA_TYPE)
