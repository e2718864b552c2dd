"""The server: it ends the streams first when it is told to stop, as they would never end by themselves."""

from __future__ import annotations

import socket

import uvicorn

from ledger.http.feed.live import LiveLog


class Server(uvicorn.Server):
    """Uvicorn's server over an application whose streams tell from `live`."""

    def __init__(self, config: uvicorn.Config, live: LiveLog) -> None:
        super().__init__(config)
        self._live = live

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening, end the streams, and answer what else is under way."""
        self._live.stop()
        await super().shutdown(sockets)
