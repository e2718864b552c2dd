"""A round: a new ledger, the service, clients at work, kills in their midst, and the checks once all are answered.

Who asks what, and which process is killed after how many answers, follow from the seed and the number of the round. How
the clients' commands interleave does not: that is for the machine to choose.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from time import sleep
from typing import Final

from ledger.genesis import open_epoch
from ledger.store import open_log
from tests.chaos.asking import REUSED, Heard, Life
from tests.chaos.checks import Verdict, examine
from tests.chaos.client import Client
from tests.chaos.cluster import Cluster, cluster
from tests.chaos.fees import accounts
from tests.chaos.killing import Killable, Worker
from tests.chaos.lives import lives, registry
from tests.chaos.wild import Known, wild
from tests.engines import EXTERNAL_SERVER, Server, external_server
from tests.scene import KEEPER

CLIENTS: Final = 6
WILD: Final = 2
"""How many of the clients ask anything about the same few persons; one keeps accounts, the others write lives."""
COMMANDS: Final = 50
"""How many commands each client sends in a round; the one that keeps accounts sends twice as many."""
KILLS_MAX: Final = 3
LATER_SECONDS_MAX: Final = 0.02
"""A kill comes up to so long after the answer it waits for: at any step of the commands then under way."""


@dataclass(frozen=True, kw_only=True)
class Ground:
    """A database nobody has used, and the server it is on where that is one to kill."""

    url: str
    cluster: Cluster | None = None


Grounds = Callable[[], AbstractContextManager[Ground]]
"""Gives one, and takes it away afterwards."""


@contextmanager
def grounds(engine: str) -> Iterator[Grounds]:
    """New databases of an engine, for as many rounds as are asked."""
    if engine == "sqlite":
        yield sqlite_file
    elif named := os.environ.get(EXTERNAL_SERVER):
        server = external_server(named)
        yield lambda: external_database(server)
    else:
        with cluster() as running:
            yield lambda: own_database(running)


@contextmanager
def sqlite_file() -> Iterator[Ground]:
    """A file in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="custody-chaos-") as folder:
        yield Ground(url=f"sqlite:///{Path(folder) / 'custody.db'}")


@contextmanager
def own_database(running: Cluster) -> Iterator[Ground]:
    """A database of a server that may be killed."""
    with running.database() as url:
        yield Ground(url=url, cluster=running)


@contextmanager
def external_database(server: Server) -> Iterator[Ground]:
    """A database of a server that is not ours to kill."""
    url = server.create_database()
    try:
        yield Ground(url=url)
    finally:
        server.drop_database(url)


class Service:
    """All processes of the service over one ground, and what may be done to each."""

    def __init__(self, ground: Ground, stack: ExitStack) -> None:
        self.api = stack.enter_context(Killable(ground.url))
        self._cluster = ground.cluster
        # With SQLite the server keeps the views itself, by a child.
        self._worker = None if ground.url.startswith("sqlite") else stack.enter_context(Worker(ground.url))

    @property
    def victims(self) -> tuple[str, ...]:
        """What may be killed."""
        return ("api", "api", "worker") if self._cluster is None else ("api", "worker", "database")

    def strike(self, victim: str, random: Random) -> None:
        """Kill one, and have it there again."""
        if victim == "database":
            assert self._cluster is not None
            self._cluster.kill(whole=bool(random.randrange(2)))
            self._cluster.start()
        elif victim == "api":
            self.api.kill()
            self.api.start()
        elif self._worker is not None:
            self._worker.kill()
            self._worker.start()
        else:
            # It is started again by its parent.
            self.api.kill_child()


def play(ground: Ground, seed: str, *, commands: int = COMMANDS) -> Verdict:
    """Play one round on an empty ground."""
    random = Random(seed)
    opened = new_ledger(ground.url)
    with ExitStack() as stack:
        service = Service(ground, stack)
        first = Client(name="first", server=service.api, heard=Heard(1), random=Random(f"{seed}:first"))
        first.run(registry(), commands_max=1_000)
        refused = [answer for answer in first.answers if answer.code not in (None, REUSED)]
        assert not refused, refused
        clients, struck = _under_fire(service, random, seed, commands, first.heard.position)
    answers = [answer for client in (first, *clients) for answer in client.answers]
    verdict = examine(ground.url, answers, opened)
    refusals = sum(not answer.is_granted for answer in answers)
    unheard = sum(client.unheard for client in clients)
    recorded = sum(client.recorded_unheard for client in clients)
    verdict.note = (
        f"{' and '.join(struck)} killed; {verdict.acknowledged} acknowledged, {refusals} refused, "
        f"{unheard} connections broken, {recorded} of the commands on them recorded already, "
        f"{sum(client.turned_away for client in clients)} told to come back"
    )
    return verdict


def new_ledger(url: str) -> int:
    """Open a ledger; returns the position of what is of nobody's asking."""
    log = open_log(url, create=True)
    try:
        open_epoch(log, origin="ledger.example/custody/chaos", registrar=KEEPER, state="NO", officer="k-1")
        return log.head()
    finally:
        log.close()


def _under_fire(
    service: Service, random: Random, seed: str, commands: int, position: int
) -> tuple[list[Client], list[str]]:
    """Let the clients work and kill in their midst; they end when all is answered."""
    heard, known = Heard(CLIENTS, position=position), Known()
    clients = [
        Client(name=f"c{number}", server=service.api, heard=heard, random=Random(f"{seed}:{number}"))
        for number in range(CLIENTS)
    ]
    moments = sorted(random.randrange(CLIENTS * commands * 9 // 10) for _ in range(random.randint(1, KILLS_MAX)))
    struck = [random.choice(service.victims) for _ in moments]
    with ThreadPoolExecutor(CLIENTS) as pool:
        working = [
            pool.submit(client.run, _living(client, number, known), commands * 2 if number == WILD else commands)
            for number, client in enumerate(clients)
        ]
        for moment, victim in zip(moments, struck, strict=True):
            heard.wait_for(moment)
            sleep(random.uniform(0, LATER_SECONDS_MAX))
            service.strike(victim, random)
        for ended in working:
            ended.result()
    return clients, struck


def _living(client: Client, number: int, known: Known) -> Life:
    """What a client does in a round."""
    if number < WILD:
        return wild(client.name, client.random, known)
    if number == WILD:
        return accounts(client.name, client.random, known.accounts, known.told)
    return lives(client.name, client.random)
