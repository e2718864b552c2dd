"""A rebuild of every view beside the ledger that serves: what is left of its speed, how far live views fall back."""

from __future__ import annotations

import subprocess
import sys
import threading
import urllib.request
from statistics import mean
from time import monotonic, sleep
from typing import Final

import msgspec

from bench.goals import BESIDE, LAG, Figures
from bench.load import AUTHORITY, OFFICER
from bench.over_http import Server, ask, awake, running, settle
from ledger.service import LogEvents
from ledger.store import open_log
from projections import open_views

CONNECTIONS: Final = 16
STRETCH_SECONDS: Final = 5.0
POLL_SECONDS: Final = 0.05
LOADED_SECONDS: Final = 60.0
"""How long it is measured; a rebuild that is not at its end by then ends without load."""
REBUILD_SECONDS_MAX: Final = 1_200
REBUILD: Final = ("-c", "from ledger.cli import main; main()", "projections", "rebuild", "--all", "--yes", "--afresh")


class Watching:
    """Looks at head and views several times a second; a view lags by how long ago the head stood where the view is."""

    def __init__(self, server: Server) -> None:
        self._request = urllib.request.Request(
            f"http://127.0.0.1:{server.port}/v1/projections", headers={"Custody-Actor": f"{AUTHORITY}/{OFFICER}"}
        )
        self._heads: list[tuple[float, int]] = []
        self._built: list[tuple[float, int]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.worst = 0.0

    def __enter__(self) -> Watching:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(POLL_SECONDS):
            with urllib.request.urlopen(self._request) as answer:
                items = msgspec.json.decode(answer.read())["items"]
            now = monotonic()
            building = [view["building"] for view in items if view["building"] is not None]
            self._built.append((now, min(building, default=0)))
            self._heads.append((now, max(view["head"] for view in items)))
            slowest = min(view["position"] for view in items)
            # The head passed the slowest view's position between the last look below it and the next.
            passed = next((at for at, head in self._heads if head > slowest), now)
            self.worst = max(self.worst, now - passed)

    def rates(self) -> tuple[float, float]:
        """Events a second of the rebuild and of the log, from the rebuild's first page to now or to its last."""
        built = [(at, position) for at, position in self._built if position]
        if len(built) < 2:
            return 0.0, 0.0
        (began, first), (ended, last) = built[0], built[-1]
        heads = [head for at, head in self._heads if began <= at <= ended]
        return (last - first) / (ended - began), (heads[-1] - heads[0]) / (ended - began)


def measure_beside(url: str, figures: Figures) -> None:
    """Over a ledger that is there already, its views at the head."""
    with running("sqlite", "ledger", url) as server, awake(server):
        ask(server, "single", CONNECTIONS, 1.0, "beside-warm")
        settle(server)
        alone = ask(server, "single", CONNECTIONS, STRETCH_SECONDS, "beside-alone").rate
        settle(server)
        with Watching(server) as watching:
            rates = _beside_a_rebuild(server, url, watching)
    print(f"  {alone:,.0f}/s alone, {mean(rates):,.0f}/s beside, {watching.worst:.2f} s behind", flush=True)
    figures[(BESIDE, "sqlite")] = [mean(rates) / alone]
    figures[(LAG, "sqlite")] = [watching.worst]


def _beside_a_rebuild(server: Server, url: str, watching: Watching) -> list[float]:
    rebuild = subprocess.Popen(
        [sys.executable, *REBUILD, "--database-url", url], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        rates: list[float] = []
        deadline = monotonic() + LOADED_SECONDS
        while rebuild.poll() is None and monotonic() < deadline:
            rates.append(ask(server, "single", CONNECTIONS, STRETCH_SECONDS, f"beside-{len(rates)}").rate)
            sleep(POLL_SECONDS)
        built, grown = watching.rates()
        print(f"  meanwhile the rebuild made {built:,.0f} events/s, the log {grown:,.0f}", flush=True)
        assert rebuild.wait(REBUILD_SECONDS_MAX) == 0, "the rebuild failed"
        return rates
    finally:
        rebuild.kill()


def bring_up(url: str) -> None:
    """Make the views of a ledger that nobody serves, up to its head."""
    log = open_log(url)
    try:
        views = open_views(url, LogEvents(log))
        views.catch_up()
        views.close()
    finally:
        log.close()
