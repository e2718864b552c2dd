"""The thin path of a command: gate, command model, writer, response bytes; FastAPI's machinery is not on it.

It stands in front of the application as plain ASGI. The commands are still described in the one OpenAPI document.
"""

from __future__ import annotations

from collections.abc import Sequence

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from domain.canonical import encode_trusted
from domain.commands import parse
from domain.refusals import BodyIsMalformed
from domain.rules.table import RULES
from domain.strict_json import COMMAND_BYTES_MAX
from ledger.http import gate
from ledger.http.answers.recorded import answer_document, location
from ledger.http.commands.batch import answer_batch
from ledger.http.commands.routes import BATCH, IN_SCOPE, match
from ledger.http.commands.waiting import COMMANDS_WAITING_MAX, WaitingRoom
from ledger.http.hosts import TrustedHosts
from ledger.http.problems import problem_of_fault
from ledger.http.replies import (
    Header,
    Reply,
    log_fault,
    of_every_answer,
    position_header,
    problem_of_any,
    problem_reply,
    send_reply,
)
from ledger.writer.submission import Answer, Group, Outcome, Refused, Submission, submission
from ledger.writer.writer import Writer

CREATED = 201
REPLAYED: Header = (b"idempotency-replayed", b"true")

Route = tuple[str, dict[str, str]]


class CommandEdge:
    """Answers every POST that records something, and hands all else on. Adds the headers every answer carries.

    `read_only` turns each command away before it is looked at; so are those beyond `commands_waiting_max`, and every
    request to a host that is not one of `hosts`.
    """

    def __init__(
        self,
        app: ASGIApp,
        writer: Writer,
        *,
        read_only: bool = False,
        hosts: TrustedHosts | None = None,
        commands_waiting_max: int = COMMANDS_WAITING_MAX,
    ) -> None:
        self._app = app
        self._register = writer.register
        self._hosts = hosts if hosts is not None else TrustedHosts()
        self.room = WaitingRoom(writer, commands_waiting_max)
        self._read_only = read_only

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection event."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = gate.headers_of(scope)
        if not self._hosts.trusts(headers.get(b"host")):
            problem = problem_of_fault("host-is-not-trusted", gate.correlation_in(scope, headers))
            await send_reply(problem_reply(problem, self._register.position), scope, send)
            return
        route = match(scope["path"]) if scope["method"] == "POST" else None
        if route is None and not (scope["method"] == "POST" and scope["path"] == BATCH):
            await self._hand_on(scope, headers, receive, send)
            return
        if route is not None:
            scope[IN_SCOPE] = route[0]
        try:
            reply = await self._answer(route, scope, headers, receive)
        except gate.ClientHasGone:
            return
        except Exception as error:  # noqa: BLE001  whatever it is, the caller gets a problem
            reply = self.refusal(error, scope, headers)
        await send_reply(reply, scope, send)

    def takes(self, scope: Scope, headers: gate.Headers) -> Route | None:
        """The command that a request asks for, if it will be looked at; `None` for a batch and for all else."""
        if self._read_only or scope["method"] != "POST" or not self._hosts.trusts(headers.get(b"host")):
            return None
        return match(scope["path"])

    def admit(self, headers: gate.Headers) -> None:
        """Raise what can be told of a command before its body is there."""
        gate.media_type_of(headers, gate.JSON)
        self.room.check()

    def read(self, route: Route, scope: Scope, headers: gate.Headers, body: bytes) -> Submission:
        """A command ready for the writer; raises what is wrong with the request."""
        name, fields = route
        data = gate.read_command(body)
        gate.flags_of(scope["query_string"])
        for field in fields:
            if field in data:
                raise BodyIsMalformed("schema", (f"/{field}",))
        data.update(fields)
        rule = RULES[name]
        ask = parse(rule.command, data)
        return submission(
            rule,
            ask,
            by=gate.actor_of(headers, self._register),
            key=gate.key_in(headers),
            correlation_id=gate.correlation_of(headers),
            expected_version=gate.expected_version(headers),
        )

    def refusal(self, error: Exception, scope: Scope, headers: gate.Headers) -> Reply:
        """The reply to a request that met an exception."""
        problem = problem_of_any(error, gate.correlation_in(scope, headers))
        # What is told is told: the frames it came through hold the outcome that holds it, and would stay for its sake.
        error.__traceback__ = None
        return problem_reply(problem, self._register.position)

    async def _answer(self, route: Route | None, scope: Scope, headers: gate.Headers, receive: Receive) -> Reply:
        if self._read_only:
            problem = problem_of_fault("ledger-is-read-only", gate.correlation_in(scope, headers))
            return problem_reply(problem, self._register.position)
        if route is None:
            return await answer_batch(scope, headers, receive, self.room, self._register)
        self.admit(headers)
        item = self.read(route, scope, headers, await gate.read_body(headers, receive, COMMAND_BYTES_MAX))
        return decided(await self.room.submit(Group(submissions=(item,))))

    async def _hand_on(self, scope: Scope, headers: gate.Headers, receive: Receive, send: Send) -> None:
        correlation_id = gate.correlation_in(scope, headers)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = self._completed(message["headers"], scope)
            await send(message)

        try:
            if scope["method"] == "HEAD":
                asked = {**scope, "method": "GET"}
                await self._app(asked, receive, without_body(send_with_headers))
                scope["route"] = asked.get("route")
            else:
                await self._app(scope, receive, send_with_headers)
        except Exception as error:  # noqa: BLE001  it is answered; the server would log its message
            log_fault(error, correlation_id)

    def _completed(self, headers: list[Header], scope: Scope) -> list[Header]:
        """Headers of an answer, and of those that every answer has the ones that are missing."""
        present = {name.lower() for name, _ in headers}
        owed = [*of_every_answer(scope), position_header(self._register.position)]
        return [*headers, *(header for header in owed if header[0] not in present)]


def without_body(send: Send) -> Send:
    """Sends what a GET is answered with, as far as HEAD asks for it: the head, and the end right behind it."""
    ended = False

    async def send_head(message: Message) -> None:
        nonlocal ended
        if message["type"] == "http.response.start":
            await send(message)
            await send({"type": "http.response.body", "body": b""})
            ended = True
        elif not ended:
            await send(message)

    return send_head


def decided(outcomes: Sequence[Outcome]) -> Reply:
    """The reply to a command that was decided; raises what it was refused for."""
    (outcome,) = outcomes
    if isinstance(outcome, Answer):
        return recorded(outcome)
    assert isinstance(outcome, Refused)
    raise outcome.refusal


def recorded(answer: Answer) -> Reply:
    """The reply to a command that is recorded, or was before."""
    headers = [
        position_header(answer.position),
        (b"etag", b'"%d"' % answer.version),
        (b"location", location(answer.events[0]).encode()),
    ]
    if answer.replayed:
        headers.append(REPLAYED)
    return Reply(CREATED, gate.JSON, encode_trusted(answer_document(answer)), headers)
