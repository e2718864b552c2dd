"""A command and its answer, straight between the socket and the writer: no task, and no messages as ASGI has them.

What a connection is and the order of its requests stay uvicorn's; only where it would start the application's task for
a command whose whole body is small and of a declared length, the command is read as soon as it is there, and answered
out of the loop's one wake-up for a batch. All else goes the long way: bodies in chunks or too long, `Expect`, a client
that does not take its answers. Both ways are the same functions, so one answer is the other's, byte for byte.
"""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import Any, Final, cast

from starlette.types import Scope
from uvicorn import Config
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from domain.strict_json import COMMAND_BYTES_MAX
from ledger.http import gate
from ledger.http.commands.edge import Route, decided
from ledger.http.commands.routes import IN_SCOPE
from ledger.http.commands.waiting import Waiter
from ledger.http.replies import Reply, all_headers
from ledger.http.serving.watched import Seen, Watched
from ledger.writer.submission import Group, Outcome

HEAD_BYTES_MAX: Final = 16_384
"""How long the head of a request may be, to within what is read at once: the parser knows no end."""
_LENGTH_DIGITS: Final = len(str(COMMAND_BYTES_MAX))


class CommandProtocol(HttpToolsProtocol):
    """A connection to the service; the application it is for is `Watched`."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        assert isinstance(config.loaded_app, Watched)
        self._watched = config.loaded_app
        self._exchange: _Exchange | None = None
        self._head_bytes: int | None = None
        # For how many looks the rest of a head or of a body has been waited for; `None` while nothing has begun.
        self._looks: int | None = 0

    def look_after(self, looks_max: int) -> None:
        """Close the connection at the first look after so many at which the same head or the same body was not whole.

        Looks are counted instead of time: between two of them the loop reads what has come, so nobody is sent away for
        a halt of this process. While a whole request waits for its answer, those behind it are not waited for.
        """
        cycle = cast("RequestResponseCycle | None", self.cycle)
        answer_is_owed = (
            cycle is not None and not cycle.response_complete and (bool(self.pipeline) or not cycle.more_body)
        )
        if self._looks is None or answer_is_owed:
            return
        self._looks += 1
        if self._looks > looks_max:
            self.transport.close()

    def data_received(self, data: bytes) -> None:
        """Read on, but for a head without end."""
        if self._looks is None:
            self._looks = 0
        if self._head_bytes is not None:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._head_bytes is not None and self._head_bytes > HEAD_BYTES_MAX and not self.transport.is_closing():
            self.send_400_response("The head of the request is too long.")

    def on_message_begin(self) -> None:
        """A head begins."""
        self._head_bytes = 0
        if self._looks is None:
            self._looks = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._head_bytes = None
        self._looks = 0
        super().on_headers_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        """Begin with the request whose turn it is; its body may be there already, or come in a while."""
        if self.transport.is_closing():
            # The answer before this request said that it was the last.
            return
        exchange = self._taken(cycle) if app is self.app else None
        if exchange is None:
            super()._start_asgi_task(cycle, app)
            return
        self._exchange = exchange
        if not cycle.more_body:
            # In a turn of its own: an answer begins the next request, and any number may be there already.
            self.loop.call_soon(self._begin, exchange)

    def _begin(self, exchange: _Exchange) -> None:
        if self._exchange is exchange:
            exchange.begin()

    def on_message_complete(self) -> None:
        """The body of the latest request is whole."""
        self._looks = None
        super().on_message_complete()
        exchange = self._exchange
        if exchange is not None and exchange.cycle is self.cycle:
            exchange.begin()

    def on_response_complete(self) -> None:
        """Go on with the next request."""
        self._exchange = None
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no request; a command before it is answered, as the last, and not with this."""
        if self._exchange is None:
            super().send_400_response(msg)
            return
        self._exchange.cycle.keep_alive = False
        self.flow.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody is there any more."""
        if self._exchange is not None:
            self._exchange.leave()
            self._exchange = None
        super().connection_lost(exc)

    def _taken(self, cycle: RequestResponseCycle) -> _Exchange | None:
        """The exchange for a request that can go the short way."""
        scope = cast("Scope", cycle.scope)
        headers = gate.headers_of(scope)
        length = headers.get(b"content-length", b"")
        if not length.isdigit() or len(length) > _LENGTH_DIGITS or int(length) > COMMAND_BYTES_MAX:
            return None
        if cycle.waiting_for_100_continue or self.flow.write_paused:
            return None
        route = self._watched.edge.takes(scope, headers)
        return _Exchange(self._watched, cycle, route, headers) if route is not None else None


class _Exchange:
    """One command, from when its head is there until it is answered or the client has gone."""

    __slots__ = ("_began", "_edge", "_headers", "_route", "_scope", "_waiter", "_watched", "cycle")

    def __init__(self, watched: Watched, cycle: RequestResponseCycle, route: Route, headers: gate.Headers) -> None:
        self.cycle = cycle
        self._watched = watched
        self._edge = watched.edge
        self._route = route
        self._headers = headers
        self._scope = cast("Scope", cycle.scope)
        self._scope[IN_SCOPE] = route[0]
        self._waiter: Waiter | None = None
        self._began = perf_counter()

    def begin(self) -> None:
        """Hand the command in, now that its body is whole."""
        try:
            self._edge.admit(self._headers)
            item = self._edge.read(self._route, self._scope, self._headers, bytes(self.cycle.body))
            self._waiter = self._edge.room.enter(Group(submissions=(item,)), self._tell)
        except Exception as error:  # noqa: BLE001  whatever it is, the caller gets a problem
            self._answer(self._edge.refusal(error, self._scope, self._headers))

    def leave(self) -> None:
        """Take the command back, if it is not being decided already: nobody waits for the answer."""
        if self._waiter is not None:
            self._waiter.leave()
        self._watched.note(self._scope, None, perf_counter() - self._began)

    def _tell(self, answer: list[Outcome] | Exception) -> None:
        # The two know each other: let go, or each command is left for the collector of cycles to find.
        self._waiter = None
        try:
            if isinstance(answer, Exception):
                raise answer
            reply = decided(answer)
        except Exception as error:  # noqa: BLE001  as above
            reply = self._edge.refusal(error, self._scope, self._headers)
        self._answer(reply)

    def _answer(self, reply: Reply) -> None:
        cycle = self.cycle
        lines = [STATUS_LINE[reply.status]]
        for name, value in (*cycle.default_headers, *all_headers(reply, self._scope)):
            lines += (name, b": ", value, b"\r\n")
        lines += (b"\r\n" if cycle.keep_alive else b"connection: close\r\n\r\n", reply.body)
        cycle.transport.write(b"".join(lines))
        cycle.response_started = cycle.response_complete = True
        if not cycle.keep_alive:
            cycle.transport.close()
        self._watched.note(self._scope, Seen(reply.status, reply.headers, reply.code), perf_counter() - self._began)
        cycle.on_response()
