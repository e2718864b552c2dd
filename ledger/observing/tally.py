"""What a process counts while it works: plain numbers, added to by whoever works, read when somebody asks for them.

Nothing here takes a lock. Each number is added to by one thread, and a reader may see the last request counted and its
seconds not yet; it sees them the next time.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from typing import Final

SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
SIZES: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000)


class Spread:
    """How many values lay at or below each bound, and their sum."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def buckets(self) -> list[tuple[str, float]]:
        """Each bound as text, the last one `+Inf`, with the number of values at or below it."""
        found, below = [], 0
        for bound, count in zip([*map(str, self.bounds), "+Inf"], self.counts, strict=True):
            below += count
            found.append((bound, float(below)))
        return found


class Writing:
    """What the writer's thread counts, once a batch."""

    def __init__(self) -> None:
        self.commands: Counter[tuple[str, str]] = Counter()
        """By command and outcome: `recorded`, `replayed`, `foreseen`, `withheld`, or the code of the refusal."""
        self.batches = Spread(SIZES)
        """Commands a batch."""
        self.commits = Spread(SECONDS)
        """Seconds from handing a batch's rows to the database until they are durable."""
        self.outages = 0
        self.is_out = False


class Serving:
    """What the server's event loop counts, once a request."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, str, str]] = Counter()
        """By method, route and status, or `gone` for a client that did not wait for its answer."""
        self.problems: Counter[str] = Counter()
        """Problem documents, by code."""
        self.seconds: dict[str, Spread] = {}
        """Until the answer was sent, by route."""

    def add(self, method: str, route: str, status: str, seconds: float) -> None:
        """Count one request."""
        self.requests[method, route, status] += 1
        spread = self.seconds.get(route)
        if spread is None:
            spread = self.seconds[route] = Spread(SECONDS)
        spread.add(seconds)
