"""Rounds of fail-over: two processes at work over one pair of servers, whose primary is lost again and again.

A round ends when every client has an answer to all it asked, and everything that was ever answered is then held against
the log as the server that took over has it. The service is never started again in between.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from random import Random
from time import monotonic, sleep
from typing import Final

import httpx2

from ledger.store import open_log
from tests.chaos.asking import REUSED, Ask, Heard
from tests.chaos.checks import Verdict, against_the_log, examine
from tests.chaos.client import Client
from tests.chaos.fees import accounts
from tests.chaos.killing import Killable, Worker
from tests.chaos.lives import lives, registry
from tests.chaos.mending import Told
from tests.chaos.rounds import new_ledger
from tests.failover.pair import Pair, pair
from tests.ledger.http.serving import PATIENCE
from tests.model.answers import Answered

SERVERS: Final = 2
CLIENTS: Final = 6
COMMANDS: Final = 40
"""How many commands each client sends in a round; the one that keeps accounts sends twice as many."""
ASKED_AGAIN: Final = 20
"""How many of the commands answered last before the loss, and how many of the others, are sent once more after it."""
LATER_SECONDS_MAX: Final = 0.02


@dataclass(slots=True, kw_only=True)
class Recalling(Client):
    """A client that can ask again: it keeps what it asked under which key, and when it was answered."""

    asked: dict[str, Ask] = field(default_factory=dict)
    answered_at: list[float] = field(default_factory=list)

    def _settle(self, http: httpx2.Client, ask: Ask, key: str) -> Answered:
        # A key that is used for another command as well stands for the first.
        self.asked.setdefault(key, ask)
        # Not super(): a dataclass with slots is another class than the one that is written here.
        answered = Client._settle(self, http, ask, key)
        self.answered_at.append(monotonic())
        return answered

    def ask_again(self, answers: Sequence[Answered]) -> None:
        """Send what was answered so once more; what is said to it joins the answers, to be equal."""
        with httpx2.Client(timeout=PATIENCE) as http:
            for answer in answers:
                self._settle(http, self.asked[answer.key], answer.key)

    def granted_before(self, instant: float) -> list[Answered]:
        """What was granted by then, the latest first."""
        told = zip(self.answered_at, self.answers, strict=True)
        return [answer for at, answer in reversed(list(told)) if at <= instant and answer.is_granted]


def play(rounds: int, seed: str, *, commands: int = COMMANDS) -> Iterator[Verdict]:
    """Play the rounds over a new pair: the verdict on each, and at the end one of audit, views and model alone."""
    with pair() as servers:
        opened = new_ledger(servers.url())
        with ExitStack() as stack:
            stack.enter_context(Worker(servers.url()))
            services = [stack.enter_context(Killable(servers.url())) for _ in range(SERVERS)]
            first = Recalling(name="first", server=services[0], heard=Heard(1), random=Random(seed))
            first.run(registry(), commands_max=1_000)
            assert not [answer for answer in first.answers if answer.code not in (None, REUSED)], first.answers
            answers = list(first.answers)
            for number in range(1, rounds + 1):
                note = _lose_the_primary(servers, services, f"{seed}:{number}", commands, answers)
                verdict = _held_against_the_log(servers, answers, opened)
                verdict.note = note
                yield verdict
        final = examine(servers.url(), answers, opened)
        final.rounds = final.acknowledged = 0
        yield final


def _lose_the_primary(
    servers: Pair, services: Sequence[Killable], seed: str, commands: int, answers: list[Answered]
) -> str:
    """One round: its answers join those of the others. Returns how it went."""
    random = Random(seed)
    heard = Heard(CLIENTS)
    clients = [
        Recalling(
            name=f"{seed.rpartition(':')[2]}-{number}",
            server=services[number % SERVERS],
            heard=heard,
            random=Random(f"{seed}:{number}"),
        )
        for number in range(CLIENTS)
    ]
    with ThreadPoolExecutor(CLIENTS) as pool:
        keeping, *living = clients
        working = [pool.submit(client.run, lives(client.name, client.random), commands) for client in living]
        working.append(pool.submit(keeping.run, accounts(keeping.name, keeping.random, [], Told()), commands * 2))
        heard.wait_for(random.randrange(CLIENTS, CLIENTS * commands * 3 // 4))
        sleep(random.uniform(0, LATER_SECONDS_MAX))
        lost_at = monotonic()
        servers.kill()
        servers.promote()
        promoted_at = monotonic()
        # While the clients are at work again, the one that was lost becomes the standby.
        servers.attach()
        attached_at = monotonic()
        for ended in working:
            ended.result()
        for client in clients:
            before = client.granted_before(lost_at)
            last, others = before[: ASKED_AGAIN // CLIENTS + 1], before[ASKED_AGAIN // CLIENTS + 1 :]
            client.ask_again([*last, *random.sample(others, min(len(others), ASKED_AGAIN // CLIENTS + 1))])
    resumed_at = min(at for client in clients for at in client.answered_at if at > promoted_at)
    answers += [answer for client in clients for answer in client.answers]
    unheard = sum(client.unheard for client in clients)
    return (
        f"{sum(len(client.granted_before(lost_at)) for client in clients)} acknowledged before the loss, "
        f"promoted after {promoted_at - lost_at:.1f} s, answering again after {resumed_at - lost_at:.1f} s, "
        f"a standby again after {attached_at - lost_at:.1f} s; {unheard} connections broken, "
        f"{sum(len(client.answers) for client in clients)} answers"
    )


def _held_against_the_log(servers: Pair, answers: Sequence[Answered], opened: int) -> Verdict:
    """Every answer of all rounds against the log of the server that is primary now, asked by its own address."""
    log = open_log(servers.url(only=servers.primary))
    try:
        head = log.head()
        return against_the_log(log.scan(0, head + 1), log.remembered_between(1, head), answers, opened)
    finally:
        log.close()
