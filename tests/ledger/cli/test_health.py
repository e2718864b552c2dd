"""The health check: ready is 0, anything else is 5, whoever answers and whatever."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from ledger.cli.commands.running import health
from tests.ledger.cli.running import answered, custody, url_of
from tests.ledger.cli.test_serving import served


@contextmanager
def another_server(status: int, body: bytes) -> Iterator[int]:
    """The port of a server that is none of ours and gives one answer to everything."""

    class Handler(BaseHTTPRequestHandler):
        """One answer."""

        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name it has above
            """Quietly."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def test_a_server_is_ready_until_its_database_is_gone(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "ANSWER_SECONDS", 60)
    with served("serve", "--port", "0", "--database-url", url_of(copied)) as service:
        port = str(urlsplit(service.address).port)
        assert service.get("/health/live")["status"] == "live", "it listens before it can answer"
        ready = custody("healthcheck", "--port", port, http_proxy="http://127.0.0.1:9")
        assert (ready.exit_code, ready.stdout.split(",")[0]) == (0, "ready"), ready.stderr
        assert custody("healthcheck", CUSTODY_PORT=port, CUSTODY_HOST="0.0.0.0").exit_code == 0
        copied.rename(copied.with_name("moved.db"))
        gone = custody("healthcheck", "--port", port)
        assert (gone.exit_code, gone.stdout) == (5, "")
        assert "database-is-unreachable" in gone.stderr
        assert "next: custody doctor" in gone.stderr


def test_nobody_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    result = custody("healthcheck", "--port", str(port))
    assert (result.exit_code, result.stdout) == (5, "")
    assert f"http://127.0.0.1:{port}" in result.stderr


@pytest.mark.parametrize(
    ("status", "body"),
    [(200, b"welcome"), (200, b"[]"), (200, b'{"status":"live"}'), (404, b""), (503, b'{"status":"ready"}')],
)
def test_what_is_no_readiness_is_not_ready(status: int, body: bytes) -> None:
    with another_server(status, body) as port:
        result = custody("healthcheck", "--port", str(port))
    assert (result.exit_code, result.stdout) == (5, "")
    assert "not ready" in result.stderr


@pytest.mark.parametrize("status", ["ready", "degraded"])
def test_a_lagging_view_is_no_reason_to_be_stopped(status: str) -> None:
    body = f'{{"position":7,"status":"{status}","views":{{}}}}'
    with another_server(200, body.encode()) as port:
        result = custody("healthcheck", "--port", str(port))
        assert (result.exit_code, result.stdout) == (0, f"{status}, at position 7\n")
        document = answered("healthcheck", "--port", str(port), url="sqlite:///unused.db")
    assert document == {"position": 7, "status": status, "views": {}}


def test_port_0_is_a_wrong_call() -> None:
    assert custody("healthcheck", "--port", "0").exit_code == 2
