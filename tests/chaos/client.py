"""The clients: each lives its lives over HTTP and keeps every answer, whatever becomes of the server meanwhile.

Each command has a key of its own, and where the connection broke before the answer came, the same command goes out
again under the same key: whether the first one was recorded is for the ledger to know.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from time import sleep
from typing import Final, Protocol

import httpx2

from tests.chaos.asking import (
    FAILED,
    UNAVAILABLE,
    Ask,
    Heard,
    Life,
    answer_to_one,
    answers_to_many,
    post_many,
    post_one,
)
from tests.ledger.http.serving import PATIENCE
from tests.model.answers import Answered, Json

TRIES_MAX: Final = 200
AGAIN_SECONDS: Final = 0.05
ASKED_AGAIN: Final = 12
"""One granted command in so many is sent once more, and must be given the answer it was given before."""
KEY_REUSED: Final = 40
"""One command in so many goes out under a key that stands for another, before it goes out under its own."""


class Served(Protocol):
    """What is asked: a ledger that somewhere is served."""

    def address(self) -> str:
        """Where to send the next request, waiting while there is nowhere."""


@dataclass(slots=True, kw_only=True)
class Client:
    """One client. `answers` has whatever it was told, in order."""

    name: str
    server: Served
    heard: Heard
    random: Random
    answers: list[Answered] = field(default_factory=list)
    unheard: int = 0
    """How many tries ended in a broken connection."""
    recorded_unheard: int = 0
    """How many of the commands behind them turned out to have been recorded all the same."""
    turned_away: int = 0
    """How many tries were told to come back later."""

    def run(self, life: Life, commands_max: int) -> None:
        """Live a life to its end, or as far as `commands_max` commands reach."""
        with self._at_work(), httpx2.Client(timeout=PATIENCE) as http:
            told: Json | None = None
            granted: Answered | None = None
            for number in range(commands_max):
                try:
                    ask = next(life) if number == 0 else life.send(told)
                except StopIteration:
                    return
                if granted is not None and granted.authority == ask.by and self.random.randrange(KEY_REUSED) == 0:
                    self._settle(http, ask, granted.key)
                answered = self._settle(http, ask, f"{self.name}.{number}")
                told = ask.told(answered)
                if answered.is_granted:
                    granted = granted if answered.replayed else answered
                    if self.random.randrange(ASKED_AGAIN) == 0:
                        self._settle(http, ask, answered.key)

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        try:
            yield
        finally:
            self.heard.leave()

    def _settle(self, http: httpx2.Client, ask: Ask, key: str) -> Answered:
        """Send until there is an answer."""
        is_answered = bool(self.answers) and self.answers[-1].key == key
        broken = self.unheard
        first, response, seen = self._sent(lambda address: post_one(http, address, ask, key))
        answered = answer_to_one(ask, key, response, first, seen)
        self.answers.append(answered)
        self.recorded_unheard += self.unheard > broken and answered.replayed and not is_answered
        self.heard.answer(answered.position)
        return answered

    def _sent(self, post: Callable[[str], httpx2.Response]) -> tuple[datetime, httpx2.Response, int]:
        """When it first went out, the first response that answers it, and how far the record reached before that."""
        first = datetime.now(UTC)
        for _ in range(TRIES_MAX):
            address, seen = self.server.address(), self.heard.position
            try:
                response = post(address)
            except httpx2.TransportError:
                self.unheard += 1
                sleep(AGAIN_SECONDS)
                continue
            if response.status_code == UNAVAILABLE:
                self.turned_away += 1
                sleep(int(response.headers["Retry-After"]))
                continue
            assert response.status_code < FAILED, response.text
            return first, response, seen
        raise AssertionError(f"{self.name}: no answer in {TRIES_MAX} tries")


@dataclass(slots=True, kw_only=True)
class Herd(Client):
    """A client that lives many lives at once: up to `batch_max` next commands of one officer go in one request.

    It may be called to work again and again; between two times each life waits where it stands.
    """

    lives: dict[int, Life]
    batch_max: int
    pending: dict[int, Ask] = field(init=False)
    sent: int = 0

    def __post_init__(self) -> None:
        self.pending = {number: next(life) for number, life in self.lives.items()}

    def work(self, position: int) -> None:
        """Live on until the record reaches a position, or every life has ended."""
        with self._at_work(), httpx2.Client(timeout=PATIENCE) as http:
            while self.pending and self.heard.position < position:
                sender = _sender(self.random.choice(list(self.pending.values())))
                chosen = [at for at, ask in self.pending.items() if _sender(ask) == sender][: self.batch_max]
                batch = [(f"{self.name}.{self.sent + at}", self.pending[number]) for at, number in enumerate(chosen)]
                self.sent += len(batch)
                answers = self._settle_many(http, batch) if self.batch_max > 1 else [self._settle_one(http, *batch)]
                for number, (_, ask), answered in zip(chosen, batch, answers, strict=True):
                    # To the end of the line, so that each life has its turn.
                    del self.pending[number]
                    try:
                        told = ask.told(answered)
                        self.pending[number] = self.lives[number].send(told)
                    except StopIteration:
                        continue

    def _settle_one(self, http: httpx2.Client, keyed: tuple[str, Ask]) -> Answered:
        key, ask = keyed
        return self._settle(http, ask, key)

    def _settle_many(self, http: httpx2.Client, batch: Sequence[tuple[str, Ask]]) -> list[Answered]:
        first, response, seen = self._sent(lambda address: post_many(http, address, batch))
        answers = answers_to_many(batch, response, first, seen)
        self.answers += answers
        self.heard.answer(int(response.headers["Ledger-Position"]), len(answers))
        return answers


def _sender(ask: Ask) -> tuple[str, str]:
    return ask.by, ask.sender
