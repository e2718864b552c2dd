"""What a client waits for an answer, on a short ledger and on a long one: both are asked in turns, in every round."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Final

from bench.goals import FLAT, FLAT_ALONE, Figures
from bench.load import CONNECTIONS
from bench.over_http import Server, ask, awake, running, settle

SECONDS: Final = 2.0
"""So short that the short ledger stays one: it grows by some thousand events a round."""
KINDS: Final = ((FLAT, CONNECTIONS), (FLAT_ALONE, 1))


def measure_latency(short: str, long: str, rounds: int, figures: Figures) -> None:
    """Over two ledgers with their views at the head; figures are how much longer the long one takes."""
    with ExitStack() as stack:
        servers = [stack.enter_context(running("sqlite", "ledger", url)) for url in (short, long)]
        for number in range(rounds):
            for measure, connections in KINDS:
                few, many = (_waited(server, connections, f"w{number}-{connections}") for server in servers)
                print(f"  {connections} connections: {few:.2f} ms short, {many:.2f} ms long", flush=True)
                figures.setdefault((measure, "sqlite"), []).append(many / few)


def _waited(server: Server, connections: int, run: str) -> float:
    with awake(server):
        ask(server, "single", connections, SECONDS / 10, f"{run}-warm")
        waited = ask(server, "single", connections, SECONDS, run).p50_ms
        settle(server)
        return waited
