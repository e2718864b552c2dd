"""Answers of the thin path: bytes made ready for the server, and the headers that every answer of the service has."""

from __future__ import annotations

import traceback
from typing import Final, NamedTuple

import structlog
from starlette.responses import Response
from starlette.types import Scope, Send

from ledger.http import gate
from ledger.http.problems import MEDIA_TYPE, Problem, problem_of_exception, problem_of_fault

Header = tuple[bytes, bytes]

SECURITY: Final[list[Header]] = [
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
]
STRICT_TRANSPORT: Final[Header] = (b"strict-transport-security", b"max-age=63072000")
POSITION: Final = b"ledger-position"
_OF_EVERY_ANSWER: Final = {"http": SECURITY, "https": [*SECURITY, STRICT_TRANSPORT]}
_PROBLEM: Final = MEDIA_TYPE.encode()
_log = structlog.get_logger()


class Reply(NamedTuple):
    """A whole answer; `headers` are those it has beside its length and what every answer has.

    `code` is that of a problem.
    """

    status: int
    media_type: bytes
    body: bytes
    headers: list[Header]
    code: str | None = None


def of_every_answer(scope: Scope) -> list[Header]:
    """The headers that every answer has, the position apart."""
    return _OF_EVERY_ANSWER.get(scope["scheme"], SECURITY)


def all_headers(reply: Reply, scope: Scope) -> list[Header]:
    """Every header of a reply, those of the server apart."""
    return [
        (b"content-type", reply.media_type),
        (b"content-length", b"%d" % len(reply.body)),
        *reply.headers,
        *of_every_answer(scope),
    ]


async def send_reply(reply: Reply, scope: Scope, send: Send) -> None:
    """Send it."""
    await send({"type": "http.response.start", "status": reply.status, "headers": all_headers(reply, scope)})
    await send({"type": "http.response.body", "body": reply.body})


def position_header(position: int) -> Header:
    """Which position an answer speaks for."""
    return POSITION, b"%d" % position


def problem_reply(problem: Problem, position: int) -> Reply:
    """A problem document as a reply of the thin path."""
    headers = [position_header(position)]
    if problem.retry_after is not None:
        headers.append((b"retry-after", b"%d" % problem.retry_after))
    return Reply(problem.status, _PROBLEM, problem.body(), headers, problem.code)


def as_response(problem: Problem) -> Response:
    """The same for the routes behind the thin path."""
    headers = {"Retry-After": str(problem.retry_after)} if problem.retry_after is not None else {}
    return Response(problem.body(), problem.status, headers, MEDIA_TYPE)


def problem_of_any(error: Exception, correlation_id: str) -> Problem:
    """The problem document an exception becomes; a fault of ours is logged, with no value of the request."""
    if isinstance(error, gate.BodyIsTooLarge):
        return problem_of_fault("body-is-too-large", correlation_id, reason="too-large")
    if isinstance(error, gate.MediaTypeIsNotSupported):
        return problem_of_fault("media-type-is-not-supported", correlation_id, reason="media-type")
    problem = problem_of_exception(error, correlation_id)
    if problem.document["code"] == "internal-error":
        log_fault(error, correlation_id)
    return problem


def log_fault(error: Exception, correlation_id: str | None) -> None:
    """Say what failed and where. An exception's message may quote what somebody sent, so it stays out of the log."""
    where = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)]
    _log.error("request failed", correlation_id=correlation_id, error=type(error).__name__, where=where)
