"""Reading a stream of server-sent events: what its text says (HTML, §9.2.6), and a reader who takes bit by bit.

The reader speaks to the application itself, so that a test decides when something is taken and when the reader goes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import NamedTuple
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message

PATIENCE = 30


class Said(NamedTuple):
    """One event that a stream has told."""

    id: str
    event: str
    data: str


def said(lines: Iterable[str]) -> Iterator[Said]:
    """The events in the lines of a stream, each as soon as its empty line is there; an unfinished one is dropped."""
    last_id, event, data = "", "message", list[str]()
    for line in lines:
        if not line:
            if data:
                yield Said(last_id, event, "\n".join(data))
            event, data = "message", []
        elif not line.startswith(":"):
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            match name:
                case "id":
                    last_id = value
                case "event":
                    event = value
                case "data":
                    data.append(value)
                case _:
                    assert name == "retry", name


class Taking:
    """One request whose answer is taken message by message; nothing is sent further until it is."""

    def __init__(self) -> None:
        self.start: Message = {}
        self.text = ""
        self.is_whole = False
        self.sends = 0
        self._asked = False
        self._gone = asyncio.Event()
        self._offered: asyncio.Queue[tuple[Message, asyncio.Event]] = asyncio.Queue()

    async def receive(self) -> Message:
        """What the application hears: the request, and later that the reader has gone."""
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """What the application says; it waits until that is taken, as on a connection that is full."""
        self.sends += 1
        if self._gone.is_set():
            return
        taken = asyncio.Event()
        await self._offered.put((message, taken))
        await taken.wait()

    async def take(self) -> bytes:
        """The next bit; waits until there is one."""
        message, taken = await asyncio.wait_for(self._offered.get(), PATIENCE)
        taken.set()
        if message["type"] == "http.response.start":
            self.start = message
            return b""
        self.is_whole = not message.get("more_body", False)
        body: bytes = message["body"]
        self.text += body.decode()
        return body

    async def offered(self) -> None:
        """Return once the next bit waits to be taken."""
        found = await asyncio.wait_for(self._offered.get(), PATIENCE)
        self._offered.put_nowait(found)

    async def events(self, count: int) -> list[Said]:
        """All that was told so far, once it is so many events."""
        while len(found := list(said(self.text.split("\n")))) < count and not self.is_whole:
            await self.take()
        return found

    async def end(self) -> str:
        """All that was told, once the application has ended the stream."""
        while not self.is_whole:
            await self.take()
        return self.text

    @property
    def status(self) -> int:
        """The HTTP status."""
        status: int = self.start["status"]
        return status

    @property
    def headers(self) -> dict[str, str]:
        """The headers of the answer."""
        return {name.decode(): value.decode() for name, value in self.start["headers"]}

    def go(self) -> None:
        """The reader closes its connection: whatever is sent from here on goes nowhere, and nobody waits for it."""
        self._gone.set()
        while not self._offered.empty():
            self._offered.get_nowait()[1].set()


@asynccontextmanager
async def taking(app: ASGIApp, path: str, headers: Mapping[str, str] | None = None) -> AsyncIterator[Taking]:
    """A GET under way, its status already there. At the end the reader goes, and the application must have ended."""
    reader = Taking()
    address = urlsplit(path)
    given = {"Custody-Actor": "north/north-1", **(headers or {})}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": address.path,
        "raw_path": address.path.encode(),
        "root_path": "",
        "query_string": address.query.encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in given.items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    under_way = asyncio.ensure_future(app(scope, reader.receive, reader.send))
    try:
        await reader.take()
        yield reader
    finally:
        reader.go()
        await asyncio.wait_for(under_way, PATIENCE)


async def first_events(app: ASGIApp, path: str, count: int, headers: Mapping[str, str] | None = None) -> str:
    """The text of a stream up to its first so many events."""
    async with taking(app, path, headers) as reader:
        assert reader.status == 200
        await reader.events(count)
        blocks = reader.text.split("\n\n")
        return "\n\n".join(blocks[: count + 1]) + "\n\n"
