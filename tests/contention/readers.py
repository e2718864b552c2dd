"""Who reads all the while: a follower of the log, and a client of the event stream over HTTP.

Each notes what it was told, position by position, and afterwards it is held against the log: nothing left out, nothing
told twice, nothing out of order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from threading import Event, Thread
from types import TracebackType
from typing import Final, Self

import httpx2

from ledger.store import open_log
from ledger.store.log import Row
from tests.chaos.client import Served
from tests.ledger.http.serving import PATIENCE
from tests.scene import WATCH

PAGE: Final = 500
LOOK_SECONDS: Final = 0.5
STREAM: Final = "/v1/events/stream"


@dataclass(slots=True, kw_only=True)
class Told:
    """What a reader was told, in order: positions, and the event under each."""

    positions: list[int] = field(default_factory=list)
    event_ids: dict[int, str] = field(default_factory=dict)

    def take(self, position: int, event_id: str) -> None:
        """One more event."""
        self.positions.append(position)
        self.event_ids[position] = event_id

    def skipped(self, rows: Sequence[Row]) -> int:
        """How many events of the log it was not told of, or told of as another."""
        return sum(self.event_ids.get(row.position) != row.event_id for row in rows)

    @property
    def doubled(self) -> int:
        """How many it was told of more than once."""
        return len(self.positions) - len(self.event_ids)

    @property
    def disordered(self) -> int:
        """How often a later position came before an earlier one."""
        return sum(after <= before for before, after in pairwise(self.positions))


class Reader:
    """Reads in a thread of its own from the first event on, until it has been told of `head` after `finish(head)`."""

    def __init__(self) -> None:
        self.told = Told()
        self.faults: list[BaseException] = []
        self._last: int | None = None
        self._gone = Event()
        self._thread = Thread(target=self._run, name=type(self).__name__, daemon=True)

    def finish(self, head: int) -> None:
        """Read on to `head`, then end."""
        self._last = head
        self._thread.join(PATIENCE)
        self._gone.set()
        assert not self._thread.is_alive(), f"{type(self).__name__} has read {self._after} of {head}"
        if self.faults:
            raise self.faults[0]

    @property
    def _after(self) -> int:
        return self.told.positions[-1] if self.told.positions else 0

    @property
    def _is_done(self) -> bool:
        return self._gone.is_set() or (self._last is not None and self._after >= self._last)

    def _run(self) -> None:
        try:
            while not self._is_done:
                self._read()
        except Exception as fault:  # noqa: BLE001  the thread that waits for this one raises it
            self.faults.append(fault)

    def _read(self) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._gone.set()
        self._thread.join(PATIENCE)


class Follower(Reader):
    """Reads the log as every process of the service does: a page, and when there is none it waits to be woken."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._log = open_log(url, exclusive=False)

    def _read(self) -> None:
        page = self._log.read(self._after, PAGE)
        for row in page:
            self.told.take(row.position, row.event_id)
        if not page:
            self._log.wait_for(self._after, LOOK_SECONDS)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        self._log.close()


class StreamClient(Reader):
    """Reads the server-sent events of one process; where the connection breaks it goes on behind the last id."""

    def __init__(self, server: Served) -> None:
        super().__init__()
        self._server = server

    def _read(self) -> None:
        headers = {"Custody-Actor": f"{WATCH}/{WATCH}-1", "Last-Event-ID": str(self._after)}
        try:
            with (
                httpx2.Client(base_url=self._server.address(), timeout=PATIENCE) as http,
                http.stream("GET", STREAM, headers=headers) as response,
            ):
                assert response.status_code == httpx2.codes.OK, response.read()
                self._take(response)
        except httpx2.TransportError:
            return

    def _take(self, response: httpx2.Response) -> None:
        position = 0
        for line in response.iter_lines():
            name, _, value = line.partition(": ")
            if name == "id":
                position = int(value)
            elif name == "data":
                # The id of the event stands in its data; the block's own id is the position.
                self.told.take(position, event_id_in(value))
            if self._is_done:
                return


def event_id_in(data: str) -> str:
    """The event id within one block's data, read without decoding the rest."""
    return data.partition('"event_id":"')[2].partition('"')[0]
