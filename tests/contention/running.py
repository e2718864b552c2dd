"""The contention run: three API processes on one PostgreSQL, all clients after the same places and the same persons.

The clients speak to one process for a stretch, then to all three, in turns, so that both are measured on the same
machine in the same minutes. In the last stretch one process stands still for a while in mid-load and goes on again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from random import Random
from threading import Event
from time import monotonic
from typing import Final

from ledger.store import open_log
from ledger.store.log import Row
from tests.chaos.asking import Heard, Life
from tests.chaos.checks import against_the_log, against_the_model
from tests.chaos.client import Client, Herd
from tests.chaos.fees import accounts
from tests.chaos.lives import lives, registry
from tests.chaos.rounds import new_ledger
from tests.chaos.wild import Known, wild
from tests.contention.processes import Processes
from tests.contention.readers import Follower, StreamClient, Told
from tests.ledger.http.serving import PATIENCE
from tests.model.answers import Answered

APIS: Final = 3
HERDS: Final = 6
"""Clients that live many lives at once, with every place of E1 in dispute."""
LIVES: Final = 40
"""How many lives each of them lives at once, a third of them wild."""
SINGLES: Final = 3
"""Clients that ask one thing after the other: one keeps accounts, all others speak of these and of the same persons."""
BATCH_MAX: Final = 100
CAPACITY: Final = 12
"""How many E1 may hold: far fewer than want to be there."""
STRETCHES: Final = 3
"""How often one process and three take turns."""


@dataclass(slots=True, kw_only=True)
class Stretch:
    """What was measured while the clients spoke to so many processes."""

    apis: int
    events: int = 0
    seconds: float = 0.0
    cpu_seconds: dict[str, float] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Events a second."""
        return self.events / self.seconds

    def line(self) -> str:
        """It in words."""
        used = ", ".join(f"{name} {seconds:.1f}" for name, seconds in sorted(self.cpu_seconds.items()))
        whole = sum(self.cpu_seconds.values())
        return (
            f"{self.apis} processes: {self.events} events in {self.seconds:.1f} s = {self.rate:.0f}/s; "
            f"CPU seconds {whole:.1f}: {used}"
        )


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What the run amounts to. `wrong` has a sentence for whatever is not as it must be."""

    events: int
    skipped: int
    doubled: int
    disordered: int
    rejected: int
    one: Stretch
    three: Stretch
    paused_events: int
    wrong: list[str]

    @property
    def ratio(self) -> float:
        """Three processes against one."""
        return self.three.rate / self.one.rate

    def line(self) -> str:
        """All of it in one line."""
        return (
            f"{self.events} events, {self.skipped} skipped, {self.doubled} doubled, {self.disordered} out of order, "
            f"{self.rejected} rejected by the model, ratio {self.ratio:.2f}"
        )


def run(url: str, *, events: int, pause_seconds: float, seed: str, postmaster: int | None = None) -> Outcome:
    """Run until the log holds `events`, on an empty database."""
    opened = new_ledger(url)
    with ExitStack() as stack:
        processes = Processes(url, APIS, stack, postmaster)
        readers = (
            stack.enter_context(Follower(url)),
            stack.enter_context(StreamClient(processes.apis[-1])),
        )
        first = Client(name="first", server=processes.apis[0], heard=Heard(1), random=Random(seed))
        first.run(registry(CAPACITY), commands_max=1_000)
        herds = _herds(processes, seed)
        one, three = Stretch(apis=1), Stretch(apis=APIS)
        position, share = first.heard.position, events // (2 * STRETCHES + 1)
        for _ in range(STRETCHES):
            for stretch, number in ((one, 1), (three, APIS)):
                position = _measured(processes, herds, stretch, number, position, share)
        moved, position = _with_a_pause(processes, herds, position, max(events - position, share), pause_seconds)
        for reader in readers:
            reader.finish(position)
    answers = [answer for client in (first, *herds) for answer in client.answers]
    told = {type(reader).__name__: reader.told for reader in readers}
    return _held_together(url, answers, opened, told, one, three, moved)


def _herds(processes: Processes, seed: str) -> list[Herd]:
    known = Known(capacity=CAPACITY)
    herds = []
    for number in range(HERDS):
        name, random = f"c{number}", Random(f"{seed}:{number}")
        living = {
            at: wild(f"{name}-{at}", random, known, is_plain=True) if at % 3 == 0 else lives(f"{name}-{at}", random)
            for at in range(LIVES)
        }
        herds.append(_herd(processes, name, random, living, BATCH_MAX))
    for number in range(SINGLES):
        name, random = f"s{number}", Random(f"{seed}:single:{number}")
        living = {0: wild(name, random, known) if number else accounts(name, random, known.accounts, known.told)}
        herds.append(_herd(processes, name, random, living, 1))
    return herds


def _herd(processes: Processes, name: str, random: Random, living: dict[int, Life], batch_max: int) -> Herd:
    server, heard = processes.apis[0], Heard(HERDS + SINGLES)
    return Herd(name=name, server=server, heard=heard, random=random, lives=living, batch_max=batch_max)


def _at_work(processes: Processes, herds: Sequence[Herd], number: int, position: int, target: int) -> Heard:
    """Have the herds speak to so many processes from now on."""
    heard = Heard(len(herds), position=position)
    for at, herd in enumerate(herds):
        herd.server, herd.heard = processes.apis[at % number], heard
    return heard


def _measured(
    processes: Processes, herds: Sequence[Herd], stretch: Stretch, number: int, position: int, share: int
) -> int:
    """Let the clients speak to so many processes until `share` events more are on record; returns the head."""
    heard = _at_work(processes, herds, number, position, position + share)
    before, began = processes.cpu_seconds(), monotonic()
    with ThreadPoolExecutor(len(herds)) as pool:
        for ended in [pool.submit(herd.work, position + share) for herd in herds]:
            ended.result()
    stretch.seconds += monotonic() - began
    stretch.events += heard.position - position
    for name, used in processes.cpu_seconds().items():
        stretch.cpu_seconds[name] = stretch.cpu_seconds.get(name, 0.0) + used - before[name]
    return heard.position


def _with_a_pause(
    processes: Processes, herds: Sequence[Herd], position: int, share: int, seconds: float
) -> tuple[int, int]:
    """The same with all processes, one of which stands still for a while; how many events the others recorded then.

    Clients of the one that stands still wait for it, ask again once their patience ends, and are answered at last.
    """
    heard = _at_work(processes, herds, APIS, position, position + share)
    with ThreadPoolExecutor(len(herds)) as pool:
        working = [pool.submit(herd.work, position + share) for herd in herds]
        heard.wait_for(1)
        with processes.paused(APIS - 1):
            before, _ = heard.position, Event().wait(seconds)
            # It may stand still with its turn to write: the database takes that back after a little while.
            heard.wait_beyond(before, PATIENCE)
            moved = heard.position - before
        for ended in working:
            ended.result(10 * PATIENCE + seconds)
    return moved, heard.position


def _held_together(
    url: str, answers: list[Answered], opened: int, told: dict[str, Told], one: Stretch, three: Stretch, moved: int
) -> Outcome:
    log = open_log(url, exclusive=False)
    try:
        head = log.head()
        rows = log.read(0, head)
        verdict = against_the_log(rows, log.remembered_between(1, head), answers, opened)
    finally:
        log.close()
    rejected = against_the_model(answers, opened, rows)
    wrong = [*verdict.sentences(), *rejected, *misread(rows, told)]
    if not moved:
        wrong.append("nothing was recorded while one process stood still")
    return Outcome(
        events=head,
        skipped=sum(reader.skipped(rows) for reader in told.values()) + len(verdict.missing),
        doubled=sum(reader.doubled for reader in told.values()) + len(verdict.doubled),
        disordered=sum(reader.disordered for reader in told.values()),
        rejected=len(rejected),
        one=one,
        three=three,
        paused_events=moved,
        wrong=wrong,
    )


def misread(rows: Sequence[Row], told: dict[str, Told]) -> Iterator[str]:
    """What each reader was told otherwise than the log has it."""
    for name, reader in told.items():
        counts = (reader.skipped(rows), reader.doubled, reader.disordered)
        if any(counts):
            yield f"{name}: {counts[0]} skipped, {counts[1]} doubled, {counts[2]} out of order"
