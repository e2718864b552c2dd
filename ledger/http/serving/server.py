"""The server: it sends away who never comes to an end of asking, and ends the streams first when it is told to stop."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Final

import uvicorn

from ledger.http.serving.exchange import CommandProtocol

SENDING_SECONDS_MAX: Final = 10
"""How long a client may take over the head of a request, and as long again over its body."""
_TICKS_A_SECOND: Final = 10


class Server(uvicorn.Server):
    """Uvicorn's server over an application whose streams, which never end by themselves, `end_streams` ends.

    It stops on a signal, and also when `is_told_to_stop`: of a signal that came before it ran, it knows nothing.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        end_streams: Callable[[], None],
        is_told_to_stop: Callable[[], bool],
        sending_seconds_max: int = SENDING_SECONDS_MAX,
    ) -> None:
        super().__init__(config)
        self._end_streams = end_streams
        self._is_told_to_stop = is_told_to_stop
        self._sending_seconds_max = sending_seconds_max

    async def on_tick(self, counter: int) -> bool:
        """Whether to stop. Once a second every connection is looked after: that costs less than a timer for each."""
        if counter % _TICKS_A_SECOND == 0:
            for connection in tuple(self.server_state.connections):
                assert isinstance(connection, CommandProtocol)
                connection.look_after(self._sending_seconds_max)
        return await super().on_tick(counter) or self._is_told_to_stop()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening, end the streams, and answer what else is under way."""
        self._end_streams()
        await super().shutdown(sockets)
