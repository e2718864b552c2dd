"""What needs no server: views made anew, the audit, the tree, and the bytes an event takes on disk."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from time import perf_counter

from bench.goals import AUDIT, BYTES, REBUILD_ALL, REBUILD_ONE, TREE, Figures
from bench.ground import fill, prepare
from ledger.audit.verify import verify
from ledger.demo import seed
from ledger.service import Service, open_service
from ledger.settings import Settings
from ledger.store import open_log
from ledger.store.merkle import root

ONE_VIEW = "current_custody"


def measure_views_and_audit(urls: dict[str, str], events: int, rounds: int, figures: Figures) -> None:
    """Rebuild one view and all of them, and audit the log without its views, over `events` events of the load."""
    for engine, url in urls.items():
        prepare(url)
        fill(url, events)
        service = open_service(Settings(database_url=url, environment="development"), run_views=False)  # type: ignore[arg-type]  # pydantic makes the text a secret
        try:
            service.views.catch_up()
            for _ in range(rounds):
                _one_round(service, engine, figures)
        finally:
            service.close()


def _one_round(service: Service, engine: str, figures: Figures) -> None:
    head = service.log.head()
    began = perf_counter()
    rebuilt = service.views.rebuild([ONE_VIEW])
    _note(figures, REBUILD_ONE, engine, head / (perf_counter() - began))
    began = perf_counter()
    rebuilt += service.views.rebuild()
    _note(figures, REBUILD_ALL, engine, head / (perf_counter() - began))
    assert all(view.switched for view in rebuilt), "a rebuilt view differs from the live one"
    began = perf_counter()
    checks = verify(service.log, url=service.settings.database_url.get_secret_value())
    _note(figures, AUDIT, engine, head / (perf_counter() - began))
    assert not [finding for check in checks for finding in check.findings if check.code == "rows"]


def measure_tree(leaves: int, rounds: int, figures: Figures) -> None:
    """The root over leaf hashes that are in memory."""
    hashes = [hashlib.sha256(number.to_bytes(8, "big")).digest() for number in range(leaves)]
    for _ in range(rounds):
        began = perf_counter()
        root(hashes)
        _note(figures, TREE, "none", leaves / (perf_counter() - began))


def measure_bytes(urls: dict[str, str], people: int, figures: Figures) -> None:
    """Bytes an event over whole lives, from intake over hand-over to release and invoice; views stand apart."""
    for engine, url in urls.items():
        seed(url, people, datetime.now(UTC))
        log = open_log(url)
        try:
            found = log.check()
            _note(figures, BYTES, engine, found.bytes_on_disk / found.events)
        finally:
            log.close()


def _note(figures: Figures, measure: str, engine: str, value: float) -> None:
    print(f"  {measure} ({engine}): {value:,.0f}", flush=True)
    figures.setdefault((measure, engine), []).append(value)
