"""A round: a new ledger, a server, clients at work, one kill in their midst, and the checks once all are answered.

Who asks what, and after how many answers the server is killed, follow from the seed and the number of the round.
How the clients' commands interleave does not: that is for the machine to choose.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from random import Random
from time import sleep
from typing import Final

from ledger.genesis import open_epoch
from ledger.store import open_log
from tests.chaos.checks import Verdict, examine
from tests.chaos.killing import Killable
from tests.chaos.load import Client, Heard, lives, registry
from tests.engines import EXTERNAL_SERVER, Server, external_server, wheel_server
from tests.scene import KEEPER

CLIENTS: Final = 6
COMMANDS: Final = 40
"""How many commands each client sends in a round."""
LATER_SECONDS_MAX: Final = 0.02
"""The kill comes up to so long after the answer it waits for: at any step of the commands then under way."""

Databases = Callable[[], AbstractContextManager[str]]
"""Gives the URL of a database nobody has used, and takes it away afterwards."""


@contextmanager
def databases(engine: str) -> Iterator[Databases]:
    """New databases of an engine, for as many rounds as are asked."""
    if engine == "sqlite":
        yield sqlite_file
    elif named := os.environ.get(EXTERNAL_SERVER):
        server = external_server(named)
        yield lambda: postgresql_database(server)
    else:
        with wheel_server() as server:
            yield lambda: postgresql_database(server)


@contextmanager
def sqlite_file() -> Iterator[str]:
    """A file in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="custody-chaos-") as folder:
        yield f"sqlite:///{Path(folder) / 'custody.db'}"


@contextmanager
def postgresql_database(server: Server) -> Iterator[str]:
    """A database of a running server."""
    url = server.create_database()
    try:
        yield url
    finally:
        server.drop_database(url)


def play(url: str, seed: str, *, commands: int = COMMANDS) -> Verdict:
    """Play one round on the empty database at `url`."""
    random = Random(seed)
    log = open_log(url, create=True)
    open_epoch(log, origin="ledger.example/custody/chaos", registrar=KEEPER, state="NO", officer="k-1")
    opened = log.head()
    log.close()
    with Killable(url) as server:
        first = Client(name="first", server=server, heard=Heard(1), random=random)
        first.run(registry(), commands_max=1_000)
        assert all(answer.is_granted for answer in first.answers), first.answers
        clients = _under_fire(server, random, seed, commands)
    answers = [answer for client in (first, *clients) for answer in client.answers]
    refused = sum(not answer.is_granted for answer in answers)
    unheard = sum(client.unheard for client in clients)
    recorded = sum(client.recorded_unheard for client in clients)
    verdict = examine(url, answers, opened)
    verdict.note = (
        f"{verdict.acknowledged} acknowledged, {refused} refused, "
        f"{unheard} connections broken, {recorded} of the commands on them recorded already"
    )
    return verdict


def _under_fire(server: Killable, random: Random, seed: str, commands: int) -> list[Client]:
    """Let the clients work, kill the server once in their midst and start the next; they end when all is answered."""
    heard = Heard(CLIENTS)
    clients = [
        Client(name=f"c{number}", server=server, heard=heard, random=Random(f"{seed}:{number}"))
        for number in range(CLIENTS)
    ]
    with ThreadPoolExecutor(CLIENTS) as pool:
        working = [pool.submit(client.run, lives(client.name, client.random), commands) for client in clients]
        heard.wait_for(random.randrange(CLIENTS * commands * 9 // 10))
        sleep(random.uniform(0, LATER_SECONDS_MAX))
        server.kill()
        server.start()
        for ended in working:
            ended.result()
    return clients
