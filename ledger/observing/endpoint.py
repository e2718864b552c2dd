"""Numbers of a process that serves no API, on a port of their own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import start_http_server

from ledger.observing.metrics import Metrics


@contextmanager
def shown_at(host: str, port: int, metrics: Metrics) -> Iterator[int]:
    """Answer `/metrics` there meanwhile; the port, which is another one where 0 was asked for. Raises `OSError`."""
    server, thread = start_http_server(port, addr=host, registry=metrics.registry)
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
