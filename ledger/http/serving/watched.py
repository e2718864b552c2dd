"""Every request watched from outside: counted, timed, and told in one line.

A line names the route by its template, never the address, and the authority only where the register knows it: nothing
in it is what a caller made up, but the correlation id, which has the form of a key.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from time import perf_counter
from typing import Final, NamedTuple

import msgspec
from starlette.types import Message, Receive, Scope, Send

from domain.refusals import ActorIsUnknown
from domain.register import Register
from ledger.http import gate
from ledger.http.commands.edge import CommandEdge
from ledger.http.commands.routes import BATCH, IN_SCOPE, PREFIX, ROUTES
from ledger.http.problems import MEDIA_TYPE
from ledger.http.replies import POSITION, Header
from ledger.observing.lines import logger
from ledger.observing.tally import Serving

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER: Final = "other"
GONE: Final = "gone"
PROBES: Final = frozenset({"/health/live", "/health/ready", "/metrics"})
"""Asked every few seconds by machines: told at debug alone."""
_PROBLEM: Final = MEDIA_TYPE.encode()
_FAULTS_FROM: Final = 500
_TEMPLATES: Final = {name: PREFIX + path for path, name in reversed(list(ROUTES.items()))}


class Seen(NamedTuple):
    """What a client was answered with; `code` is that of a problem."""

    status: int
    headers: Sequence[Header]
    code: str | None


class _Told(msgspec.Struct):
    """What a problem document says about itself."""

    code: str


_read_problem: Final = msgspec.json.Decoder(_Told).decode


class Watched:
    """The service as an application, whose requests are counted in `serving` and told to the log."""

    def __init__(self, edge: CommandEdge, register: Register, serving: Serving) -> None:
        self.edge = edge
        self._register = register
        self._serving = serving
        self._log = logger().bind()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection event."""
        if scope["type"] != "http":
            await self.edge(scope, receive, send)
            return
        began = perf_counter()
        start: Message | None = None
        problem: _Told | None = None

        async def send_seen(message: Message) -> None:
            nonlocal start, problem
            if start is None:
                start = message
            elif problem is None and start["status"] >= 400 and _is_problem(start) and message.get("body"):
                problem = _read_problem(message["body"])
            await send(message)

        try:
            await self.edge(scope, receive, send_seen)
        finally:
            seen = None
            if start is not None:
                seen = Seen(start["status"], start["headers"], problem.code if problem is not None else None)
            self.note(scope, seen, perf_counter() - began)

    def note(self, scope: Scope, seen: Seen | None, seconds: float) -> None:
        """Count a request that is over, and tell of it; `None` for a client that was gone before the answer."""
        route = route_of(scope)
        method = scope["method"] if scope["method"] in METHODS else OTHER
        self._serving.add(method, route, str(seen.status) if seen is not None else GONE, seconds)
        if seen is not None and seen.code is not None:
            self._serving.problems[seen.code] += 1
        level = logging.DEBUG if route in PROBES else logging.INFO
        if seen is not None and seen.status >= _FAULTS_FROM:
            level = logging.WARNING
        if self._log.is_enabled_for(level):
            self._tell(level, scope, seen, method=method, route=route, ms=round(seconds * 1000, 1))

    def _tell(self, level: int, scope: Scope, seen: Seen | None, **known: str | float) -> None:
        headers = gate.headers_of(scope)
        line: dict[str, object] = dict(known)
        if seen is not None:
            line["status"] = seen.status
            position = next((value for name, value in seen.headers if name == POSITION), b"")
            line["position"] = int(position) if position else None
            if seen.code is not None:
                line["code"] = seen.code
        if IN_SCOPE in scope:
            line["command"] = scope[IN_SCOPE]
        try:
            line["authority"] = gate.actor_of(headers, self._register).authority
        except ActorIsUnknown:
            line["authority"] = None
        line["correlation_id"] = gate.correlation_in(scope, headers)
        self._log.log(level, "request", **line)


def route_of(scope: Scope) -> str:
    """The template of the address that was asked, `none` where there is no such route."""
    command = scope.get(IN_SCOPE)
    if command is not None:
        return _TEMPLATES[command]
    if scope["path"] == BATCH:
        return BATCH
    route = scope.get("route")
    if route is None:
        return "none"
    # A route knows its path below what its router was included under.
    below = scope["path"].startswith(PREFIX + "/") and not route.path.startswith(PREFIX + "/")
    return f"{PREFIX}{route.path}" if below else str(route.path)


def _is_problem(start: Message) -> bool:
    return (b"content-type", _PROBLEM) in start["headers"]
