"""Commands as a client sends them, alone or many in one request, and what it keeps of each answer."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Condition
from typing import Any, Final, NamedTuple

import httpx2

from ledger.http.commands.routes import BATCH, PREFIX, ROUTES
from tests.model.answers import Answered, Json

GRANTED, ANSWERED, UNAVAILABLE, FAILED = 201, 200, 503, 500
MISTAKES: Final = (400, 413, 415, 422)
"""What a load of ours never means to be told."""
REUSED: Final = "idempotency-key-was-used-for-another-body"
PATHS: Final = {name: path for path, name in reversed(tuple(ROUTES.items()))}


class Ask(NamedTuple):
    """One command: who asks, by which name, with what; by an officer of its own where one is given.

    With `hears`, the life that asks is told a refusal too.
    """

    by: str
    name: str
    data: Json
    officer: str = ""
    hears: bool = False

    @property
    def sender(self) -> str:
        """The officer who sends it."""
        return self.officer or f"{self.by}-1"

    def told(self, answered: Answered) -> Json | None:
        """What the life that asked is told."""
        return answered.document if answered.is_granted or self.hears else None


Life = Generator[Ask, Json | None, None]
"""Commands of which each may depend on the answers before it: it is sent the answer, mostly `None` for a refusal."""
Step = Generator[Ask, Json | None, bool]
"""A stretch of a life; returns whether the life goes on after it."""


@dataclass(slots=True)
class Heard:
    """What the clients have heard together: how many answers, how far the record reaches; and how many are at work."""

    at_work: int
    answers: int = 0
    position: int = 0
    _changed: Condition = field(default_factory=Condition)

    def answer(self, position: int, answers: int = 1) -> None:
        """So many more answers, one of which told of this position."""
        with self._changed:
            self.answers += answers
            self.position = max(self.position, position)
            self._changed.notify_all()

    def leave(self) -> None:
        """A client has ended, for whatever reason."""
        with self._changed:
            self.at_work -= 1
            self._changed.notify_all()

    def wait_for(self, answers: int) -> None:
        """Wait until so many answers have been heard, or nobody is left to hear one."""
        with self._changed:
            self._changed.wait_for(lambda: self.answers >= answers or not self.at_work)

    def wait_beyond(self, position: int, timeout: float) -> None:
        """Wait until the record reaches further than that, for so many seconds at most."""
        with self._changed:
            self._changed.wait_for(lambda: self.position > position, timeout)


def post_one(http: httpx2.Client, address: str, ask: Ask, key: str) -> httpx2.Response:
    """Send one command to the address that stands for it."""
    data, path = dict(ask.data), PATHS[ask.name]
    for part in path.split("/"):
        if part.startswith("{"):
            path = path.replace(part, str(data.pop(part[1:-1])))
    headers = {"Custody-Actor": f"{ask.by}/{ask.sender}", "Idempotency-Key": key}
    return http.post(f"{address}{PREFIX}{path}", json=data, headers=headers)


def post_many(http: httpx2.Client, address: str, asks: Sequence[tuple[str, Ask]]) -> httpx2.Response:
    """Send the commands of one officer, each with its key, in one request: each is granted or refused alone."""
    items = [{"key": key, "type": ask.name, "data": ask.data} for key, ask in asks]
    first = asks[0][1]
    return http.post(f"{address}{BATCH}", json=items, headers={"Custody-Actor": f"{first.by}/{first.sender}"})


def answer_to_one(ask: Ask, key: str, response: httpx2.Response, sent: datetime, seen: int) -> Answered:
    """What is kept of the response to one command."""
    document = response.json()
    assert response.status_code not in MISTAKES or document["code"] == REUSED, (ask, response.text)
    return _answered(
        ask,
        key,
        sent,
        seen,
        position=int(response.headers["Ledger-Position"]),
        is_granted=response.status_code == GRANTED,
        document=document,
        replayed=response.headers.get("Idempotency-Replayed") == "true",
    )


def answers_to_many(
    asks: Sequence[tuple[str, Ask]], response: httpx2.Response, sent: datetime, seen: int
) -> list[Answered]:
    """What is kept of each result; they are judged in order, so each lies between what those beside it were told."""
    assert response.status_code == ANSWERED, response.text
    results = response.json()["results"]
    upper = int(response.headers["Ledger-Position"])
    bounds: list[int] = []
    for result in reversed(results):
        bounds.append(upper)
        if result["status"] == GRANTED and not result["replayed"]:
            upper = result["events"][0]["position"] - 1
    answers = []
    for (key, ask), result, position in zip(asks, results, reversed(bounds), strict=True):
        is_granted = result["status"] == GRANTED
        assert is_granted or result["status"] not in MISTAKES or result["code"] == REUSED, (ask, result)
        document = {name: result[name] for name in ("position", "events", "told")} if is_granted else result
        replayed = is_granted and result["replayed"]
        answers.append(_answered(ask, key, sent, seen, position, is_granted, document, replayed))
        if is_granted and not replayed:
            seen = result["position"]
    return answers


def _answered(
    ask: Ask,
    key: str,
    sent: datetime,
    seen: int,
    position: int,
    is_granted: bool,
    document: Any,
    replayed: bool,
) -> Answered:
    return Answered(
        authority=ask.by,
        officer=ask.sender,
        key=key,
        name=ask.name,
        data=ask.data,
        sent=sent,
        heard=datetime.now(UTC),
        seen=seen,
        position=position,
        is_granted=is_granted,
        document=document,
        replayed=replayed,
    )


def now(later_seconds: int = 0) -> str:
    """This instant or one so much later, cut to what the register keeps of one."""
    return (datetime.now(UTC) + timedelta(seconds=later_seconds)).isoformat(timespec="milliseconds")


def day(delta: int) -> str:
    """The civil date in UTC so many days from now."""
    return (datetime.now(UTC).date() + timedelta(days=delta)).isoformat()
